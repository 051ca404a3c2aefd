//! The key sets of DCR providers' issuers, fetched beside the requests that need them (docs/gateway.md §11).
//!
//! Invariants: deciding never fetches, it reads the set that is there; one fetch per issuer runs at a time and all
//! who wait share it; callers can cause one every 30 s at most. A set that could be fetched serves for a day while
//! its provider is away. Sets are read in `jwks.rs`, calls made in `fetch.rs`.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use forecourt_core::time::Timestamp;
use hashbrown::HashMap;
use serde_json::Value;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use url::Url;

use crate::{
    Clock,
    fetch::Fetcher,
    jwks::{KeySet, Signed},
    jwt::Token,
    memory::Memory,
};

/// Seconds after which a set is fetched anew.
const REFRESH: i64 = 10 * 60;
/// Seconds between two attempts while a provider is away, and between two that callers cause.
const RETRY: i64 = 30;
/// Seconds for which a set that could not be refreshed is used.
const STALE: i64 = 24 * 60 * 60;
/// How long a request waits for a fetch.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// The issuers that published products name.
#[derive(Default)]
pub(crate) struct KeySets {
    issuers: ArcSwap<HashMap<Box<str>, Arc<Issuer>>>,
    changed: Notify,
    /// Held by the one who keeps the sets fresh.
    keeper: tokio::sync::Mutex<()>,
}

/// One issuer with its keys.
pub(crate) struct Issuer {
    /// What tokens carry as `iss`, exactly.
    pub(crate) name: Box<str>,
    fetched: ArcSwapOption<Fetched>,
    attempts: Mutex<Attempts>,
}

struct Fetched {
    at: Timestamp,
    keys: KeySet,
    /// Tokens that one of these keys signed; gone with them.
    signed: Memory<()>,
}

impl Fetched {
    fn new(at: Timestamp, keys: KeySet) -> Self {
        Self { at, keys, signed: Memory::default() }
    }

    fn signed(&self, token: &Token<'_>) -> Signed {
        let Some(mark) = token.mark(&[]) else { return self.keys.signed(token) };
        if self.signed.recall(&mark).is_some() {
            return Signed::Yes;
        }
        let signed = self.keys.signed(token);
        if signed == Signed::Yes {
            self.signed.put(mark, ());
        }
        signed
    }
}

#[derive(Default)]
struct Attempts {
    /// When the last one began.
    last: Option<Timestamp>,
    /// Whether it failed.
    failed: bool,
    /// When the last one began that a caller's token caused.
    caused: Option<Timestamp>,
    /// Closed when the attempt is over.
    running: Option<watch::Receiver<()>>,
}

impl KeySets {
    /// Keeps exactly these issuers, with the sets that are there already, and has new ones fetched.
    pub(crate) fn keep<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let known = self.issuers.load();
        let mut kept = HashMap::new();
        let mut is_new = false;
        for name in names {
            let issuer = known.get(name).cloned().unwrap_or_else(|| {
                is_new = true;
                Arc::new(Issuer::new(name))
            });
            kept.insert(name.into(), issuer);
        }
        if is_new || kept.len() != known.len() {
            self.issuers.store(Arc::new(kept));
        }
        if is_new {
            self.changed.notify_one();
        }
    }

    /// The issuer of this name, if it is one of those kept.
    pub(crate) fn issuer(&self, name: &str) -> Option<Arc<Issuer>> {
        self.issuers.load().get(name).cloned()
    }

    /// Fetches what is due, for ever. Of several who call this, one works and the others stand by.
    pub(crate) async fn keep_fresh(&self, fetcher: &Arc<Fetcher>, clock: &Clock) -> Infallible {
        let _keeper = self.keeper.lock().await;
        loop {
            for issuer in self.issuers.load().values() {
                issuer.refresh_if_due(fetcher, clock);
            }
            // Nothing new within a tick is no failure.
            let _ = timeout(TICK, self.changed.notified()).await;
        }
    }
}

impl Issuer {
    fn new(name: &str) -> Self {
        Self { name: name.into(), fetched: ArcSwapOption::empty(), attempts: Mutex::default() }
    }

    /// Whether one of the issuer's keys signed the token, as far as is known now.
    pub(crate) fn signed(&self, token: &Token<'_>, now: Timestamp) -> Signed {
        match &*self.fetched.load() {
            Some(fetched) if now < fetched.at.plus_seconds(STALE) => fetched.signed(token),
            _ => Signed::UnknownKey,
        }
    }

    /// Waits, for a few seconds at most, for keys newer than those that did not do: for the fetch that is running,
    /// or for a new one if callers caused none within the last 30 s.
    pub(crate) async fn newer_keys(self: &Arc<Self>, fetcher: &Arc<Fetcher>, clock: &Clock) {
        let now = clock();
        let running = {
            let mut attempts = self.attempts();
            match attempts.running() {
                Some(running) => running,
                None if is_recent(attempts.caused, now, RETRY) => return,
                None => {
                    // The first fetch of all is owed anyway; a rotation right after it shall find one left.
                    if attempts.last.is_some() {
                        attempts.caused = Some(now);
                    }
                    self.start(&mut attempts, fetcher, clock)
                }
            }
        };
        let mut running = running;
        // It ends by being closed; too late an end is the same as none.
        let _ = timeout(LONGEST_WAIT, running.changed()).await;
    }

    fn refresh_if_due(self: &Arc<Self>, fetcher: &Arc<Fetcher>, clock: &Clock) {
        let mut attempts = self.attempts();
        let interval = if attempts.failed { RETRY } else { REFRESH };
        if attempts.running().is_none() && !is_recent(attempts.last, clock(), interval) {
            self.start(&mut attempts, fetcher, clock);
        }
    }

    fn start(
        self: &Arc<Self>,
        attempts: &mut Attempts,
        fetcher: &Arc<Fetcher>,
        clock: &Clock,
    ) -> watch::Receiver<()> {
        let now = clock();
        let (over, running) = watch::channel(());
        attempts.last = Some(now);
        attempts.running = Some(running.clone());
        let (issuer, fetcher) = (Arc::clone(self), Arc::clone(fetcher));
        tokio::spawn(async move {
            let keys = fetch(&issuer.name, &fetcher).await;
            let failed_before = std::mem::replace(&mut issuer.attempts().failed, keys.is_err());
            match keys {
                Ok(keys) => {
                    tracing::debug!(issuer = &*issuer.name, keys = keys.len(), "a key set was fetched");
                    issuer.fetched.store(Some(Arc::new(Fetched::new(now, keys))));
                }
                Err(reason) if failed_before => {
                    tracing::debug!(issuer = &*issuer.name, reason, "still no key set could be fetched");
                }
                Err(reason) => {
                    tracing::warn!(issuer = &*issuer.name, reason, "no key set could be fetched");
                }
            }
            drop(over);
        });
        running
    }

    /// Puts a set as if it had been fetched.
    #[cfg(test)]
    pub(crate) fn set(&self, keys: KeySet, at: Timestamp) {
        self.fetched.store(Some(Arc::new(Fetched::new(at, keys))));
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    /// The attempt that is not over yet.
    fn running(&self) -> Option<watch::Receiver<()>> {
        self.running.clone().filter(|running| running.has_changed().is_ok())
    }
}

/// Whether `time` lies less than `seconds` before `now`.
fn is_recent(time: Option<Timestamp>, now: Timestamp, seconds: i64) -> bool {
    time.is_some_and(|time| time <= now && now < time.plus_seconds(seconds))
}

/// The issuer's key set, found by discovery (OpenID Connect Discovery 1.0 §4).
async fn fetch(issuer: &str, fetcher: &Fetcher) -> Result<KeySet, String> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let address = Url::parse(&address).map_err(|error| format!("{address} is no address: {error}"))?;
    let discovered = fetcher.get(&address).await.map_err(|reason| format!("{address}: {reason}"))?;
    let discovered: Value = serde_json::from_slice(&discovered)
        .map_err(|_| format!("{address}: the answer is no JSON, which discovery answers"))?;
    if discovered.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(format!("{address}: the answer names another issuer"));
    }
    let keys = discovered.get("jwks_uri").and_then(Value::as_str);
    let keys = keys.ok_or_else(|| format!("{address}: the answer has no jwks_uri"))?;
    let keys = Url::parse(keys).map_err(|_| format!("{address}: the answer's jwks_uri is no address"))?;
    if address.scheme() == "https" && keys.scheme() != "https" {
        return Err(format!("{address}: the answer's jwks_uri is not https, as the issuer is"));
    }
    let answer = fetcher.get(&keys).await.map_err(|reason| format!("{keys}: {reason}"))?;
    KeySet::read(&answer).ok_or_else(|| format!("{keys}: the answer is no key set"))
}

#[cfg(test)]
#[path = "tests/key_sets.rs"]
mod tests;
