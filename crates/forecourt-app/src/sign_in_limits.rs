//! Limits on failed sign-ins and failed token checks, per account and per address, in a sliding window.
//!
//! A right credential of another account is not held up: only the failing account, and failures from the failing address,
//! are told to wait; and an account is still open where it was signed in to before ([`familiar`]). Whether a password is
//! right costs a slow hash, though; so addresses that failed too often have their passwords hashed one at a time, each
//! address in its turn ([`turns`]).

mod familiar;
mod turns;

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use familiar::Familiar;
use forecourt_core::time::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use turns::Turns;

pub(crate) use self::turns::Turn;
use crate::{Error, ErrorKind};

/// How many failures are answered plainly.
#[derive(Clone, Copy, Debug)]
pub struct SignInLimits {
    /// For one account within the window.
    pub per_account: usize,
    /// From one address within the window.
    pub per_address: usize,
    /// The window, seconds.
    pub window_seconds: i64,
}

impl Default for SignInLimits {
    fn default() -> Self {
        Self { per_account: 20, per_address: 100, window_seconds: 300 }
    }
}

/// At most this many accounts and addresses are remembered; beyond it the quietest are forgotten.
const REMEMBERED: usize = 20_000;
/// At most this many attempts on one account wait for others to be decided.
const WAITING: usize = 256;
/// At most this many mails of one kind are sent for one account within the window.
const MAILS: usize = 5;
/// At most this many directories are being asked at a time, also for callers who hung up.
const ASKED: usize = 32;

type Recent = HashMap<String, VecDeque<Timestamp>>;

/// Recent failures, and the attempts that are not decided yet.
pub(crate) struct Failures {
    limits: SignInLimits,
    recent: Mutex<Recent>,
    undecided: Mutex<HashMap<String, Undecided>>,
    familiar: Familiar,
    decided: Notify,
    turns: Turns,
    asked: Arc<Semaphore>,
    failed: AtomicU64,
    held_up: AtomicU64,
}

/// Attempts on one account.
#[derive(Default)]
struct Undecided {
    running: usize,
    waiting: usize,
}

/// An attempt that waits for others on its account to be decided.
struct Waiting<'a> {
    failures: &'a Failures,
    key: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.failures.leave(self.key, |undecided| &mut undecided.waiting);
    }
}

/// An attempt on an account that is not decided yet. Dropping it, also because nobody waits for it any more, makes it a
/// failure.
pub(crate) struct Attempt<'a> {
    failures: &'a Failures,
    key: String,
    /// Account and address, where the address is known.
    pair: Option<String>,
    started: Timestamp,
    leaves_no_trace: bool,
}

impl Attempt<'_> {
    /// It was right: its address is familiar to the account from now on.
    pub(crate) fn succeeded(mut self) {
        self.leaves_no_trace = true;
        if let Some(pair) = self.pair.take() {
            self.failures.familiar.note(pair, self.started);
        }
    }

    /// A fault of ours kept it from being decided, such as a database that is away.
    pub(crate) fn void(mut self) {
        self.leaves_no_trace = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.leaves_no_trace {
            let mut recent = self.failures.recent.lock().unwrap_or_else(PoisonError::into_inner);
            self.failures.note(&mut recent, self.key.clone(), self.failures.limits.per_account, self.started);
        }
        self.failures.leave(&self.key, |undecided| &mut undecided.running);
        self.failures.decided.notify_waiters();
    }
}

impl Failures {
    pub(crate) fn new(limits: SignInLimits) -> Self {
        Self {
            limits,
            recent: Mutex::default(),
            undecided: Mutex::default(),
            familiar: Familiar::default(),
            decided: Notify::new(),
            turns: Turns::default(),
            asked: Arc::new(Semaphore::new(ASKED)),
            failed: AtomicU64::new(0),
            held_up: AtomicU64::new(0),
        }
    }

    /// Starts an attempt on an account from an address; refused where too many failed.
    ///
    /// An address from which the account was signed in to has a count of its own, so that nobody keeps its owner out by
    /// failing elsewhere.
    ///
    /// No more attempts are undecided at a time than may still fail, so that attempts at the same time cannot slip past
    /// the limit together. One more waits: while right ones are being proved, nobody is refused because of them, but
    /// for those beyond a crowd of [`WAITING`].
    pub(crate) async fn attempt(
        &self,
        account: &str,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<Attempt<'_>, Error> {
        // The address stands first and has no space: no name that somebody types makes another pair of it.
        let pair = address.map(|address| format!("familiar:{} {account}", address_key(address)));
        let familiar = pair.clone().filter(|pair| self.familiar.holds(pair, now));
        let key = familiar.unwrap_or_else(|| format!("account:{account}"));
        let mut waiting = None;
        loop {
            let mut decided = std::pin::pin!(self.decided.notified());
            // Enlisted before the look, so that a decision in between is not missed.
            decided.as_mut().enable();
            if self.enter(&key, now)? {
                drop(waiting);
                return Ok(Attempt { failures: self, key, pair, started: now, leaves_no_trace: false });
            }
            if waiting.is_none() {
                waiting = Some(self.wait(&key)?);
            }
            decided.await;
        }
    }

    /// Whether there is room for another undecided attempt; then it is counted as one.
    fn enter(&self, key: &str, now: Timestamp) -> Result<bool, Error> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        self.check(&mut recent, key, self.limits.per_account, now)?;
        let failed = recent.get(key).map_or(0, VecDeque::len);
        let mut undecided = self.undecided.lock().unwrap_or_else(PoisonError::into_inner);
        let running = undecided.get(key).map_or(0, |undecided| undecided.running);
        let fits = failed + running < self.limits.per_account;
        if fits {
            undecided.entry(key.to_owned()).or_default().running += 1;
        }
        Ok(fits)
    }

    /// A place among those who wait for attempts on their account to be decided.
    fn wait<'a>(&'a self, key: &'a str) -> Result<Waiting<'a>, Error> {
        let mut undecided = self.undecided.lock().unwrap_or_else(PoisonError::into_inner);
        let own = undecided.entry(key.to_owned()).or_default();
        if own.waiting >= WAITING {
            return Err(limited(1));
        }
        own.waiting += 1;
        Ok(Waiting { failures: self, key })
    }

    fn leave(&self, key: &str, of: fn(&mut Undecided) -> &mut usize) {
        let mut undecided = self.undecided.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = undecided.get_mut(key) {
            *of(own) -= 1;
            if own.running + own.waiting == 0 {
                undecided.remove(key);
            }
        }
    }

    /// Asked before a password from `address` is hashed. `None`: at once. An address that failed too often is given its
    /// turn, and refused where too many of its own passwords wait for theirs.
    pub(crate) async fn turn(
        &self,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Turn<'_>>, Error> {
        let Some(address) = address else { return Ok(None) };
        let key = address_key(address);
        let checked = {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            self.check(&mut recent, &key, self.limits.per_address, now)
        };
        let Err(refused) = checked else { return Ok(None) };
        self.turns.take(key).await.map(Some).ok_or(refused)
    }

    /// Notes a failure from an address, and gives the answer to it: unauthorized, or a wait for an address that
    /// failed too often.
    pub(crate) fn failed(&self, address: Option<&str>, now: Timestamp) -> Error {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let Some(address) = address else { return Error::unauthenticated() };
        let key = address_key(address);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.check(&mut recent, &key, self.limits.per_address, now);
        self.note(&mut recent, key, self.limits.per_address, now);
        answer.err().unwrap_or_else(Error::unauthenticated)
    }

    /// Counts a sign-in that is begun from an address and ends elsewhere; refused where there are as many as may fail.
    pub(crate) fn begun(&self, address: Option<&str>, now: Timestamp) -> Result<(), Error> {
        let Some(address) = address else { return Ok(()) };
        let key = format!("begun:{}", address_key(address));
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        self.check(&mut recent, &key, self.limits.per_address, now)?;
        self.note(&mut recent, key, self.limits.per_address, now);
        Ok(())
    }

    /// Counts a mail that somebody at `address` has sent to whoever `account` is, there or not; refused where there are as
    /// many from the address as may fail. Whether it is to be sent: beyond [`MAILS`] for the account it is not, and nobody
    /// is told, since anybody may ask in its owner's place.
    pub(crate) fn mailed(&self, address: Option<&str>, account: &str, now: Timestamp) -> Result<bool, Error> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = address {
            let key = format!("mailed:{}", address_key(address));
            self.check(&mut recent, &key, self.limits.per_address, now)?;
            self.note(&mut recent, key, self.limits.per_address, now);
        }
        let key = format!("mailed:account:{account}");
        let fits = self.check(&mut recent, &key, MAILS, now).is_ok();
        if fits {
            self.note(&mut recent, key, MAILS, now);
        }
        Ok(fits)
    }

    /// How many attempts failed since the start, and how many were told to wait.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.failed.load(Ordering::Relaxed), self.held_up.load(Ordering::Relaxed))
    }

    /// A place to ask a directory in, for whatever asks it to keep until it is done; refused where [`ASKED`] are taken.
    pub(crate) fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.asked).try_acquire_owned().map_err(|_| limited(1))
    }

    fn check(&self, recent: &mut Recent, key: &str, most: usize, now: Timestamp) -> Result<(), Error> {
        let Some(times) = recent.get_mut(key) else { return Ok(()) };
        self.forget_old(times, now);
        let Some(freed) = times.len().checked_sub(most).and_then(|place| times.get(place)) else {
            return Ok(());
        };
        let wait = freed.plus_seconds(self.limits.window_seconds).seconds() - now.seconds();
        self.held_up.fetch_add(1, Ordering::Relaxed);
        Err(limited(u64::try_from(wait).unwrap_or(0).max(1)))
    }

    fn note(&self, recent: &mut Recent, key: String, most: usize, now: Timestamp) {
        if recent.len() >= REMEMBERED && !recent.contains_key(&key) {
            self.make_room(recent, now);
        }
        let times = recent.entry(key).or_default();
        // More than the limit need not be remembered to know that it is exceeded.
        if times.len() > most {
            times.pop_front();
        }
        times.push_back(now);
    }

    /// Forgets what is over, and where that is not enough, the quarter that failed least. Whoever is being guessed at
    /// stays; and since a quarter is free then, this is not done again soon.
    fn make_room(&self, recent: &mut Recent, now: Timestamp) {
        recent.retain(|_, times| {
            self.forget_old(times, now);
            !times.is_empty()
        });
        if recent.len() < REMEMBERED {
            return;
        }
        let mut quiet: Vec<_> =
            recent.iter().map(|(key, times)| (times.len(), times.back().copied(), key.clone())).collect();
        quiet.select_nth_unstable(REMEMBERED / 4);
        for (_, _, key) in quiet.into_iter().take(REMEMBERED / 4) {
            recent.remove(&key);
        }
    }

    fn forget_old(&self, times: &mut VecDeque<Timestamp>, now: Timestamp) {
        while times.front().is_some_and(|time| time.plus_seconds(self.limits.window_seconds) <= now) {
            times.pop_front();
        }
    }
}

/// What an address is remembered by. Whoever has one IPv6 address has all of its /64.
fn address_key(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => format!("address:{address}"),
    }
}

fn limited(retry_after: u64) -> Error {
    Error::new(
        ErrorKind::Limit { retry_after },
        "too_many_failures",
        "too many failed attempts; try again later",
    )
}

#[cfg(test)]
mod tests;
