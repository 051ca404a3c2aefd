//! Mails and webhooks are sent in the background: at once when something happened in this process, and within a second
//! when another process or the back-off makes it due.
//!
//! Any number of processes on one database may do so at the same time: each leases what it tries.

use std::{sync::Arc, time::Duration};

use forecourt_app::{App, Error, deliveries::Courier};
use tokio::{sync::watch, task::JoinHandle};

use crate::{jobs::Jobs, supervision};

/// How often is looked for what is due.
const INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failure of the database.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How long a stop waits for what is being tried.
const DRAIN: Duration = Duration::from_secs(5);

/// The running work.
#[derive(Debug)]
pub struct Delivering {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Delivers until [`Delivering::stop`].
pub fn start(app: App, jobs: Arc<Jobs>) -> Delivering {
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| deliver(app.clone(), jobs, stopped);
    let task = supervision::start(jobs, |jobs| &jobs.delivering, stopped, work);
    Delivering { stop, task }
}

async fn deliver(app: App, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut courier = Courier::new(app);
    let mut failing = false;
    loop {
        let outcome = courier.round().await;
        jobs.delivering.ended(&outcome);
        report(&mut failing, &outcome);
        let pause = match outcome {
            Ok(true) if !*stopped.borrow() => continue,
            Ok(true) => break,
            Ok(false) => INTERVAL,
            Err(_) => AFTER_FAILURE,
        };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = courier.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    courier.drain(DRAIN).await;
}

impl Delivering {
    /// Begins with nothing more, and ends within seconds; what was broken off is tried again after the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the sending of notifications ended early by a panic");
        }
    }
}

/// Says so when it begins to fail, and when it works again.
fn report<T>(failing: &mut bool, outcome: &Result<T, Error>) {
    match outcome {
        Err(error) if !*failing => tracing::warn!(
            error.cause = %error,
            "notifications cannot be sent; they wait in the database"
        ),
        Ok(_) if *failing => tracing::info!("notifications are sent again"),
        _ => {}
    }
    *failing = outcome.is_err();
}
