//! Counted calls on their way from the embedded gateway to the database, every second.
//!
//! Invariant: counts are on the disk before they are delivered, a batch keeps its name until it is known to be
//! stored, and the database adds each name once. So no failure loses a batch or counts one twice, neither the end of
//! this process nor that of the database, also when only the answer to a commit was lost.

use std::{sync::Arc, time::Duration};

use forecourt_app::{App, usage};
use forecourt_gateway::{
    Gateway,
    sync::{Folder, Spool, SpooledUsage},
};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use crate::{jobs::Jobs, supervision};

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
    usage: SpooledUsage,
    /// Nobody else may number batches of this node.
    _folder: Folder,
}

/// Delivers the counts of `gateway`, the node of this folder, until [`Delivery::stop`]; first what an earlier process
/// left there.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn start(app: App, gateway: Gateway, folder: Folder, jobs: Arc<Jobs>) -> std::io::Result<Delivery> {
    let spool = Spool::open(folder.path(), folder.node().clone(), Spool::MOST)?;
    let courier = Courier { app, gateway, usage: SpooledUsage::new(spool), _folder: folder };
    let courier = Arc::new(Mutex::new(courier));
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| deliver(Arc::clone(&courier), jobs, stopped);
    let task = supervision::start(jobs, |jobs| &jobs.usage_delivery, stopped, work);
    Ok(Delivery { stop, task })
}

async fn deliver(courier: Arc<Mutex<Courier>>, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut courier = courier.lock().await;
    let mut is_stopping = false;
    while !is_stopping {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => is_stopping = true,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        jobs.usage_delivery.ended(&courier.deliver().await);
    }
}

impl Delivery {
    /// Delivers what is left, and ends. To be called when the gateway answers no more requests.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the delivery of counted calls ended early by a panic");
        }
    }
}

impl Courier {
    /// Delivers everything that was counted, a batch at a time, or stops at the first that cannot be stored.
    async fn deliver(&mut self) -> Result<(), forecourt_app::Error> {
        self.usage.take(&self.gateway).await;
        while let Some(batch) = self.usage.first().await {
            if let Err(error) = usage::ingest(&self.app, &batch).await {
                tracing::warn!(
                    error.cause = %error,
                    usage.batch = batch.number,
                    "counted calls could not be stored; they are kept and tried again"
                );
                return Err(error);
            }
            if !self.usage.stored(&batch).await {
                break;
            }
        }
        Ok(())
    }
}
