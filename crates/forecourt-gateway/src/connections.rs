//! Accepting callers, driving their connections, and letting them go in peace.
//!
//! Each connection is one task. Shutting down stops accepting, lets requests in flight finish, and cuts what is
//! left when the grace period is over. Look next: `sockets.rs` for limits, `proxy.rs` for what a request meets.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use hashbrown::HashMap;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use crate::{
    Inner, proxy,
    sockets::{Alarm, Socket, Watch},
};

/// The mark that a request is being served; ends with the last byte of its answer.
pub(crate) struct InFlight(Arc<Watch>);

impl InFlight {
    /// Marks a request of this connection, which [`Watch::begin_request`] has counted.
    pub(crate) const fn new(watch: Arc<Watch>) -> Self {
        Self(watch)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

/// Orders to all tasks; 0, the first value, is to serve.
const DRAIN: u8 = 1;
const CUT: u8 = 2;

/// Enough for streamed bodies to flow in few system calls.
const LEAST_BUFFER: usize = 128 * 1_024;

/// All tasks that hold a caller's connection, and what they are told.
#[derive(Default)]
pub(crate) struct Connections {
    order: AtomicU8,
    next: AtomicU64,
    wakers: Mutex<HashMap<u64, Option<Waker>>>,
    emptied: Notify,
}

/// One task's place among them; taken before the task is spawned, so that a shutdown waits for it.
pub(crate) struct Member {
    all: Arc<Connections>,
    number: u64,
}

impl Connections {
    /// Adds a task that is about to be spawned.
    pub(crate) fn join(self: &Arc<Self>) -> Member {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).insert(number, None);
        Member { all: Arc::clone(self), number }
    }

    fn tell(&self, order: u8) {
        self.order.store(order, Ordering::SeqCst);
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.values().flatten().for_each(Waker::wake_by_ref);
    }

    async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.wakers.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl Member {
    /// Runs `work` until it ends or everything is cut.
    pub(crate) async fn attend(self, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        let mut is_listening = false;
        poll_fn(|cx| {
            if !is_listening {
                // A spawned task keeps its waker for life.
                self.listen(cx.waker());
                is_listening = true;
            }
            if self.all.order.load(Ordering::SeqCst) == CUT {
                Poll::Ready(())
            } else {
                work.as_mut().poll(cx)
            }
        })
        .await;
    }

    fn listen(&self, waker: &Waker) {
        let mut wakers = self.all.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.insert(self.number, Some(waker.clone()));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut wakers = self.all.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.remove(&self.number);
        if wakers.is_empty() {
            self.all.emptied.notify_waiters();
        }
    }
}

/// Serves callers of this listener until `shutdown` is done and the connections have ended or were cut.
pub(crate) async fn serve(gateway: Arc<Inner>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let connections = Arc::new(Connections::default());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.as_mut() => break,
        };
        match accepted {
            Ok((stream, from)) => {
                tokio::spawn(drive(Arc::clone(&gateway), connections.join(), stream, from));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others must close theirs before it can get better.
                tracing::error!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.tell(DRAIN);
    if timeout(gateway.config.drain_timeout, connections.empty()).await.is_err() {
        tracing::warn!("connections that did not end in time are cut");
        connections.tell(CUT);
        connections.empty().await;
    }
}

async fn drive(gateway: Arc<Inner>, member: Member, stream: TcpStream, from: SocketAddr) {
    // Without it small answers wait for acknowledgements; a socket that refuses it still works.
    let _ = stream.set_nodelay(true);
    let connections = Arc::clone(&member.all);
    let watch = Arc::new(Watch::new(from.ip()));
    let config = &gateway.config;
    let service = service_fn(|request| {
        proxy::serve(Arc::clone(&gateway), Arc::clone(&connections), Arc::clone(&watch), request)
    });
    let socket = Socket::new(stream, Arc::clone(&watch), config.max_head_bytes);
    let http = builder(config.max_head_bytes, config.max_head_fields);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), service).with_upgrades());
    let mut alarm = pin!(sleep(config.header_timeout.min(config.keep_alive_timeout)));
    let mut is_draining = false;
    let mut is_listening = false;
    let ended = poll_fn(|cx| {
        if !is_listening {
            // A spawned task keeps its waker for life.
            member.listen(cx.waker());
            is_listening = true;
        }
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            let order = connections.order.load(Ordering::SeqCst);
            if order == CUT || (order == DRAIN && watch.is_closing()) {
                return Poll::Ready(Ok(()));
            }
            if order == DRAIN && !is_draining {
                is_draining = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match watch.look(config) {
                Alarm::LookAgain(after) => rearm(alarm.as_mut(), after),
                Alarm::HeadTooSlow => {
                    watch.give_up_head();
                    rearm(alarm.as_mut(), Duration::from_secs(1));
                }
                Alarm::Cut => return Poll::Ready(Ok(())),
            }
        }
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(%error, peer.address = %from.ip(), "a caller's connection ended");
    }
}

fn rearm(alarm: Pin<&mut tokio::time::Sleep>, after: Duration) {
    alarm.reset(Instant::now() + after);
}

fn builder(max_head_bytes: usize, max_head_fields: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Its own header timer would be set and cleared with each request; `sockets.rs` keeps the limit instead.
    builder.header_read_timeout(None).max_header_size(max_head_bytes);
    // What a caller can make us hold per connection, beside what the kernel holds.
    builder.max_buf_size(max_head_bytes.saturating_mul(2).max(LEAST_BUFFER));
    if max_head_fields != 100 {
        // 100 is built in and costs nothing; another number costs an allocation for each request.
        builder.max_headers(max_head_fields);
    }
    builder
}
