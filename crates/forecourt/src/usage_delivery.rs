//! Counted calls on their way from the embedded gateway to the database, every second.
//!
//! Invariant: a batch keeps its number until it is known to be stored, and the database adds each number once. So a
//! failure loses no call and counts none twice, also when only the answer to a commit was lost.

use std::time::Duration;

use forecourt_app::{App, usage};
use forecourt_core::ids::NodeId;
use forecourt_gateway::Gateway;
use forecourt_wire::usage::UsageBatch;
use tokio::{sync::watch, task::JoinHandle};

/// How often counts are taken.
const INTERVAL: Duration = Duration::from_secs(1);

/// The running delivery.
#[derive(Debug)]
pub struct Delivery {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Courier {
    app: App,
    gateway: Gateway,
    node: NodeId,
    /// The last number that is known to be stored.
    stored: i64,
    /// What is on its way.
    pending: Option<UsageBatch>,
}

/// Delivers the counts of `gateway` until [`Delivery::stop`].
pub fn start(app: App, gateway: Gateway) -> Delivery {
    let node = usage::new_node(&app);
    let mut courier = Courier { app, gateway, node, stored: 0, pending: None };
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(async move {
        let mut is_stopping = false;
        while !is_stopping {
            tokio::select! {
                _ = stopped.changed() => is_stopping = true,
                _ = tokio::time::sleep(INTERVAL) => {}
            }
            courier.deliver().await;
        }
    });
    Delivery { stop, task }
}

impl Delivery {
    /// Delivers what is left, and ends. To be called when the gateway answers no more requests.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(error.cause = %error, "the delivery of counted calls ended early");
        }
    }
}

impl Courier {
    /// Delivers everything that was counted, a batch at a time, or stops at the first that cannot be stored.
    async fn deliver(&mut self) {
        while let Some(batch) = self.next() {
            self.send(batch).await;
            if self.pending.is_some() {
                return;
            }
        }
    }

    fn next(&mut self) -> Option<UsageBatch> {
        if let Some(batch) = self.pending.take() {
            return Some(batch);
        }
        let counts = self.gateway.take_usage();
        let batch = UsageBatch { node: self.node.clone(), number: self.stored + 1, counts };
        Some(batch).filter(|batch| !batch.counts.is_empty())
    }

    async fn send(&mut self, batch: UsageBatch) {
        match usage::ingest(&self.app, &batch).await {
            Ok(()) => self.stored = batch.number,
            Err(error) => {
                tracing::warn!(
                    error.cause = %error,
                    usage.batch = batch.number,
                    "counted calls could not be stored; they are kept and tried again"
                );
                self.pending = Some(batch);
            }
        }
    }
}
