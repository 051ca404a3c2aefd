//! A wire between two of a story's processes that can be cut, or go silent: a relay on loopback.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Any number of bytes may pass.
const UNLIMITED: u64 = u64::MAX;

/// A relay to one address; while it is cut, nothing passes and open connections are gone; while it is silent, they stay
/// and nothing passes.
#[derive(Debug)]
pub struct Wire {
    /// Where the near end connects to.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    cut: AtomicBool,
    ends: watch::Sender<u64>,
    silent: watch::Sender<bool>,
    forsaken: watch::Sender<u64>,
    /// So many bytes may come from the far end of the next connection.
    budget: AtomicU64,
    /// How many connections ended because theirs was used up.
    used_up: AtomicU64,
}

impl Wire {
    /// A wire to `target`, which need not listen yet.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            cut: AtomicBool::new(false),
            ends: watch::Sender::new(0),
            silent: watch::Sender::new(false),
            forsaken: watch::Sender::new(0),
            budget: AtomicU64::new(UNLIMITED),
            used_up: AtomicU64::new(0),
        });
        let wire = Self { address, state: Arc::clone(&state) };
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.expect("a connection");
                if !state.cut.load(Ordering::SeqCst) {
                    tokio::spawn(pass(near, target, Arc::clone(&state)));
                }
            }
        });
        wire
    }

    /// Cuts every connection; with `for_good` none is made until [`Self::mend`].
    pub fn cut(&self, for_good: bool) {
        self.state.cut.store(for_good, Ordering::SeqCst);
        self.state.ends.send_modify(|end| *end += 1);
    }

    /// Lets connections pass again.
    pub fn mend(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
    }

    /// From now on nothing passes, and connections are made and kept: as with somebody who hangs. What was sent meanwhile
    /// arrives once it is `false`.
    pub fn is_silent(&self, is: bool) {
        self.state.silent.send_replace(is);
    }

    /// Nothing passes any more on the connections that are open, and their near ends hear nothing of it; new ones pass: as
    /// where another machine takes the place of one that lost power.
    pub fn forsake(&self) {
        self.state.forsaken.send_modify(|times| *times += 1);
    }

    /// Cuts the next connection once so many bytes have come from the far end.
    pub fn cut_next_after(&self, bytes: u64) {
        self.state.budget.store(bytes, Ordering::SeqCst);
    }

    /// How many connections were cut by [`Self::cut_next_after`].
    pub fn cut_within(&self) -> u64 {
        self.state.used_up.load(Ordering::SeqCst)
    }
}

async fn pass(near: TcpStream, target: SocketAddr, state: Arc<State>) {
    let (mut end, mut forsaken) = (state.ends.subscribe(), state.forsaken.subscribe());
    let budget = state.budget.swap(UNLIMITED, Ordering::SeqCst);
    let Ok(far) = TcpStream::connect(target).await else { return };
    // A wire delays nothing: small messages would wait for the acknowledgement of earlier ones.
    near.set_nodelay(true).expect("a socket");
    far.set_nodelay(true).expect("a socket");
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let towards = async {
        // An end of one direction ends that direction alone.
        let mut far_write = far_write;
        carry(near_read, &mut far_write, UNLIMITED, state.silent.subscribe()).await;
        far_write.shutdown().await.ok();
        std::future::pending::<()>().await;
    };
    let mut near_write = near_write;
    let is_forsaken = tokio::select! {
        () = towards => false,
        is_used_up = carry(far_read, &mut near_write, budget, state.silent.subscribe()) => {
            if is_used_up {
                state.used_up.fetch_add(1, Ordering::SeqCst);
            }
            false
        }
        _ = end.changed() => false,
        _ = forsaken.changed() => true,
    };
    if is_forsaken {
        // The near end stays open as long as its half does.
        let _cut = end.changed().await;
    }
}

/// Passes what comes from one end to the other, `budget` bytes at most and nothing while it is silent; true: there was
/// more.
async fn carry(
    mut from: OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut budget: u64,
    mut silent: watch::Receiver<bool>,
) -> bool {
    let mut buffer = vec![0; 16 << 10];
    while budget > 0 {
        let most = usize::try_from(budget).unwrap_or(usize::MAX).min(buffer.len());
        let Ok(read @ 1..) = from.read(&mut buffer[..most]).await else { return false };
        let is_over = silent.wait_for(|silent| !*silent).await.is_err();
        if is_over || to.write_all(&buffer[..read]).await.is_err() {
            return false;
        }
        budget = if budget == UNLIMITED { UNLIMITED } else { budget - read as u64 };
    }
    true
}
