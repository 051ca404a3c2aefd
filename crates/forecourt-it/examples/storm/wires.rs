//! A wire between a node and a control plane that can be cut: a relay on loopback.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A relay to one address; while it is cut, nothing passes and open connections are gone.
pub(crate) struct Wire {
    /// Where the node connects to.
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicBool>,
    ends: Arc<watch::Sender<u64>>,
}

impl Wire {
    /// A wire to `target`, which need not listen yet.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cut = Arc::new(AtomicBool::new(false));
        let ends = Arc::new(watch::Sender::new(0));
        let wire = Self { address, cut: Arc::clone(&cut), ends: Arc::clone(&ends) };
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.expect("a connection");
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let mut end = ends.subscribe();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    // A wire delays nothing: small messages would wait for the acknowledgement of earlier ones.
                    near.set_nodelay(true).expect("a socket");
                    far.set_nodelay(true).expect("a socket");
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = end.changed() => {}
                    }
                });
            }
        });
        wire
    }

    /// Cuts every connection; with `for_good` none is made until [`Self::mend`].
    pub(crate) fn cut(&self, for_good: bool) {
        self.cut.store(for_good, Ordering::SeqCst);
        self.ends.send_modify(|end| *end += 1);
    }

    /// Lets connections pass again.
    pub(crate) fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}
