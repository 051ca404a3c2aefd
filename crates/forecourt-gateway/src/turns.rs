//! Turns at something scarce, shared fairly among callers' addresses.
//!
//! Invariant: whoever waits is served in the order of its own address, and the addresses in turn, so that one that
//! floods delays another by one turn and not by its whole queue. A turn that was given up while it was waited for, or
//! handed to somebody who is gone, goes to the next.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hashbrown::HashMap;
use tokio::sync::oneshot;

/// How many may wait for one address.
const MOST_WAITING: usize = 64;

/// What hands out turns.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<Queues>>);

struct Queues {
    free: usize,
    /// Those who wait, by their address; none of the queues is empty.
    waiting: HashMap<Share, VecDeque<oneshot::Sender<Turn>>>,
    /// The addresses of `waiting`, the next one first.
    round: VecDeque<Share>,
}

/// Whoever counts as one: an IPv4 address, or the 64 bits of IPv6 that one site has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Share(IpAddr);

/// Leave to go on; the next gets it when this is dropped. `None`: it was handed on already.
pub(crate) struct Turn(Option<Turns>);

/// As many wait for this address as may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Share {
    /// The share of a caller from `address`.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl Turns {
    /// Hands out `at_once` turns at the same time.
    pub(crate) fn new(at_once: usize) -> Self {
        let queues = Queues { free: at_once.max(1), waiting: HashMap::new(), round: VecDeque::new() };
        Self(Arc::new(Mutex::new(queues)))
    }

    /// A turn for `share`, when one comes up.
    pub(crate) async fn take(&self, share: Share) -> Result<Turn, Full> {
        let waited = match self.ask(share)? {
            Ok(turn) => return Ok(turn),
            Err(waited) => waited,
        };
        // A sender is dropped only after it has sent, and otherwise for those who are gone.
        waited.await.map_err(|_| Full)
    }

    fn ask(&self, share: Share) -> Result<Result<Turn, oneshot::Receiver<Turn>>, Full> {
        let mut queues = self.queues();
        if queues.free > 0 {
            queues.free -= 1;
            return Ok(Ok(Turn(Some(self.clone()))));
        }
        let queue = queues.waiting.entry(share).or_default();
        let is_new = queue.is_empty();
        // Those who went away hold no place.
        queue.retain(|waiting| !waiting.is_closed());
        if queue.len() >= MOST_WAITING {
            return Err(Full);
        }
        let (sender, receiver) = oneshot::channel();
        queue.push_back(sender);
        if is_new {
            queues.round.push_back(share);
        }
        Ok(Err(receiver))
    }

    /// The next who waits; `None`: nobody does, and the turn is free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut queues = self.queues();
        while let Some(share) = queues.round.pop_front() {
            let Some(queue) = queues.waiting.get_mut(&share) else { continue };
            let next = queue.pop_front();
            if queue.is_empty() {
                queues.waiting.remove(&share);
            } else {
                queues.round.push_back(share);
            }
            if next.is_some() {
                return next;
            }
        }
        queues.free += 1;
        None
    }

    /// Whether anybody waits for `share`.
    #[cfg(test)]
    pub(crate) fn is_awaited(&self, share: Share) -> bool {
        self.queues().waiting.contains_key(&share)
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // Nothing in here breaks off halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        while let Some(next) = turns.next() {
            match next.send(Self(Some(turns.clone()))) {
                Ok(()) => return,
                // Nobody is there any more: it comes back to be offered to the next, and is not a second turn.
                Err(mut back) => back.0 = None,
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/turns.rs"]
mod tests;
