//! The tasks that hold callers' connections, what they are told, and the mark of a request in flight.
//!
//! Invariant: a task joins before it is spawned, so that a shutdown waits for it. Look next: `serving.rs` for what
//! such a task does.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use hashbrown::HashMap;
use tokio::sync::Notify;

use crate::{
    connection_watch::{Begun, Watch},
    meter::Call,
    uploads::Stream,
};

/// The mark that a request is being served; ends with the last byte of its answer, or when nobody wants it any more.
pub(crate) struct InFlight {
    watch: Arc<Watch>,
    stream: Option<Arc<Stream>>,
    /// What counts the request, where it is counted.
    pub(crate) call: Option<Call>,
}

impl InFlight {
    /// Begins a request of this connection.
    pub(crate) fn begin(watch: &Arc<Watch>, most_in_flight: usize) -> (Self, Begun) {
        let begun = watch.begin_request(most_in_flight);
        (Self { watch: Arc::clone(watch), stream: begun.stream.clone(), call: None }, begun)
    }

    /// A piece of the answer goes out, for which the caller must make room.
    pub(crate) fn hand_over(&self) {
        if let Some(stream) = &self.stream {
            stream.hand_over();
        }
    }

    /// There is room for the next piece.
    pub(crate) fn make_room(&self) {
        if let Some(stream) = &self.stream {
            stream.make_room();
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Before it counts as ended, so that a shutdown that waits for the one has the other.
        drop(self.call.take());
        self.watch.end_request(self.stream.as_ref());
    }
}

/// What all tasks are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Order {
    /// Serve.
    Serve,
    /// Finish what is in flight, then end.
    Drain,
    /// End.
    Cut,
}

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

    /// Tells all of them.
    pub(crate) fn tell(&self, order: Order) {
        self.order.store(order as u8, Ordering::SeqCst);
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.values().flatten().for_each(Waker::wake_by_ref);
    }

    /// What they were told last.
    pub(crate) fn order(&self) -> Order {
        match self.order.load(Ordering::SeqCst) {
            0 => Order::Serve,
            1 => Order::Drain,
            _ => Order::Cut,
        }
    }

    /// Done when no task is left.
    pub(crate) async fn empty(&self) {
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
    /// Runs `work` until it ends; `None`: this order, or a graver one, came first.
    pub(crate) async fn until<T>(&self, order: Order, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        self.attentively(|cx| {
            if self.all.order() >= order { Poll::Ready(None) } else { work.as_mut().poll(cx).map(Some) }
        })
        .await
    }

    /// Polls until ready, also whenever an order is given.
    pub(crate) async fn attentively<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        let mut is_listening = false;
        poll_fn(|cx| {
            if !is_listening {
                // A spawned task keeps its waker for life.
                self.listen(cx.waker());
                is_listening = true;
            }
            poll(cx)
        })
        .await
    }

    /// All tasks, this one among them.
    pub(crate) const fn all(&self) -> &Arc<Connections> {
        &self.all
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
