//! The part of a running Forecourt in a change of the master key: it learns of new data keys every second, and seals anew
//! what older ones sealed, also where the command that began it was ended.
//!
//! Any number of processes on one database may do so at the same time.

use std::{sync::Arc, time::Duration};

use forecourt_app::{
    App,
    master_keys::{self, Resealed},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{jobs::Jobs, supervision};

/// How often it is looked for new data keys, and for what they did not seal.
const LOOKING: Duration = Duration::from_secs(1);
/// The pause after a failure, and while something is left that does not open.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// The running work.
#[derive(Debug)]
pub struct Resealing {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Works until [`Resealing::stop`].
pub fn start(app: App, jobs: Arc<Jobs>) -> Resealing {
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| reseal(app.clone(), jobs, stopped);
    let task = supervision::start(jobs, |jobs| &jobs.resealing, stopped, work);
    Resealing { stop, task }
}

async fn reseal(app: App, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut progress = Resealed::default();
    while !*stopped.borrow() {
        let before = progress.left;
        let outcome = master_keys::reseal_some(&app, &mut progress).await;
        let pause = match &outcome {
            Ok(true) => Duration::ZERO,
            Ok(false) if before > 0 => AFTER_FAILURE,
            Ok(false) => LOOKING,
            Err(error) => {
                tracing::warn!(error.cause = %error, "secrets cannot be sealed anew; tried again in a minute");
                AFTER_FAILURE
            }
        };
        if outcome.is_err() || matches!(outcome, Ok(true)) {
            jobs.resealing.ended(&outcome);
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Resealing {
    /// Ends after the rows that are being sealed.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the sealing of secrets ended early by a panic");
        }
    }
}
