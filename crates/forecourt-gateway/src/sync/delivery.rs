//! Taking the counts of calls to the spool, and from there to the control plane, one batch at a time and in order.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use forecourt_wire::{
    sync::{USAGE, UsageStored},
    usage::{MOST_COUNTS, UsageBatch, UsageCount},
};
use http::StatusCode;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{client::Link, connection::Refusal, spool::Spool};
use crate::Gateway;

/// How often counts are taken.
const INTERVAL: Duration = Duration::from_secs(1);

/// What waits to be delivered, as metrics tell it.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Batches on the disk.
    pub(crate) batches: AtomicUsize,
    /// Batches that were lost.
    pub(crate) dropped: AtomicU64,
}

/// Takes counts from a gateway to a spool. Counts that the disk does not take stay here, and no more are taken until
/// it does; the gateway goes on counting.
#[derive(Debug)]
pub struct SpooledUsage {
    spool: Arc<Mutex<Spool>>,
    taken: Vec<UsageCount>,
    is_failing: bool,
}

impl SpooledUsage {
    /// On this spool.
    pub fn new(spool: Spool) -> Self {
        Self { spool: Arc::new(Mutex::new(spool)), taken: Vec::new(), is_failing: false }
    }

    /// Takes what `gateway` has counted to the disk. To be awaited to its end: what was taken and is not on the disk yet
    /// goes with it.
    pub async fn take(&mut self, gateway: &Gateway) {
        loop {
            if self.taken.is_empty() {
                // Beside the threads that answer requests: after very many callers it takes a while.
                let counting = gateway.clone();
                let taking = tokio::task::spawn_blocking(move || counting.take_usage());
                self.taken = taking.await.unwrap_or_else(|_| {
                    tracing::error!("counted calls could not be taken by a panic");
                    Vec::new()
                });
            }
            // Under load there is always something to take: what is counted from here on waits for the next time.
            let is_last = self.taken.len() < MOST_COUNTS;
            if self.taken.is_empty() || !self.keep().await || is_last {
                return;
            }
        }
    }

    /// Puts what was taken on the disk, as one batch; false: it is still here.
    async fn keep(&mut self) -> bool {
        let counts = std::mem::take(&mut self.taken);
        let written = self.with(move |spool| match spool.append(&counts) {
            Ok(_) => (None, Vec::new()),
            Err(error) => (Some(error), counts),
        });
        let Some((error, left)) = written.await else { return false };
        self.taken = left;
        let was_failing = std::mem::replace(&mut self.is_failing, error.is_some());
        match error {
            Some(error) if !was_failing => tracing::error!(
                error.cause = %error,
                "counted calls cannot be written to the disk; they wait in memory and are tried again"
            ),
            None if was_failing => tracing::info!("the disk takes counted calls again"),
            _ => {}
        }
        !self.is_failing
    }

    /// The oldest batch that is to be delivered.
    pub async fn first(&self) -> Option<UsageBatch> {
        match self.with(Spool::first).await? {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(error.cause = %error, "counted calls cannot be read from the disk");
                None
            }
        }
    }

    /// The control plane has `batch`, the first. False: it is still here, and would be sent again.
    pub async fn stored(&self, batch: &UsageBatch) -> bool {
        let number = batch.number;
        match self.with(move |spool| spool.delivered(number)).await {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                tracing::error!(error.cause = %error, "a delivery cannot be written to the disk");
                false
            }
            None => false,
        }
    }

    /// How many batches wait, and how many were lost since the start.
    pub async fn counts(&self) -> (usize, u64) {
        self.with(|spool| (spool.pending(), spool.dropped())).await.unwrap_or_default()
    }

    /// Works on the spool beside the threads that answer requests.
    async fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Spool) -> R + Send + 'static,
    ) -> Option<R> {
        let spool = Arc::clone(&self.spool);
        let working = tokio::task::spawn_blocking(move || {
            work(&mut spool.lock().unwrap_or_else(PoisonError::into_inner))
        });
        working.await.inspect_err(|_| tracing::error!("the spool failed by a panic")).ok()
    }
}

/// What delivers a node's counted calls.
pub struct Delivering {
    pub(super) gateway: Gateway,
    pub(super) usage: SpooledUsage,
    pub(super) link: watch::Receiver<Link>,
    pub(super) waiting: Arc<Waiting>,
}

impl std::fmt::Debug for Delivering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivering").field("usage", &self.usage).finish_non_exhaustive()
    }
}

impl Delivering {
    /// Delivers counted calls until `stop` says so, and then once more; what cannot be delivered is left on the disk. To be
    /// stopped when the gateway answers no more requests, and while the control plane is followed. Where it broke off, it
    /// can be begun anew.
    pub async fn run(&mut self, mut stop: watch::Receiver<bool>) {
        let Self { gateway, usage, link, waiting } = self;
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_last = false;
        loop {
            if !is_last {
                tokio::select! {
                    _ = ticks.tick() => {}
                    _ = stop.wait_for(|stop| *stop) => is_last = true,
                }
            }
            usage.take(gateway).await;
            if !is_last || !*stop.borrow() {
                send_all(usage, link).await;
            } else {
                // What cannot be delivered now is on the disk, and is delivered after the next start.
                let _late = tokio::time::timeout(Duration::from_secs(3), send_all(usage, link)).await;
            }
            let (batches, dropped) = usage.counts().await;
            waiting.batches.store(batches, Ordering::Relaxed);
            waiting.dropped.store(dropped, Ordering::Relaxed);
            if is_last {
                return;
            }
        }
    }
}

async fn send_all(usage: &SpooledUsage, link: &watch::Receiver<Link>) {
    loop {
        let Some(connection) = link.borrow().connection.clone() else { return };
        let Some(batch) = usage.first().await else { return };
        let answer = connection.ask(USAGE, &batch).await;
        let stored = match answer {
            Ok(body) => match serde_json::from_slice::<UsageStored>(&body) {
                Ok(stored) => stored.number,
                Err(error) => {
                    tracing::warn!(error.cause = %error, "the answer to counted calls cannot be read");
                    return;
                }
            },
            Err(Refusal::Answered(
                status @ (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY),
                why,
            )) => {
                // It would be refused for ever, and hold up all that come after it.
                tracing::error!(
                    usage.batch = batch.number,
                    %status,
                    error.cause = why,
                    "the control plane does not take a batch of counted calls; it is lost"
                );
                batch.number
            }
            Err(refusal) => {
                tracing::debug!(error.cause = %refusal, usage.batch = batch.number, "counted calls wait");
                return;
            }
        };
        if stored != batch.number {
            tracing::warn!(usage.batch = batch.number, stored, "the control plane answered to another batch");
            return;
        }
        if !usage.stored(&batch).await {
            return;
        }
    }
}
