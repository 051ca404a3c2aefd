//! OAuth clients are removed at their providers, and told what changed here, in the background: at once when that becomes
//! due in this process, and within a second when another process or the back-off makes it due.
//!
//! Any number of processes on one database may do so at the same time: each leases what it tries.

use std::{sync::Arc, time::Duration};

use forecourt_app::{App, Error, dcr_removals, oauth_clients};
use tokio::{sync::watch, task::JoinHandle};

use crate::{jobs::Jobs, supervision};

/// How often is looked for what is due.
const INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failure of the database.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The running work.
#[derive(Debug)]
pub struct Removing {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Removes until [`Removing::stop`].
pub fn start(app: App, jobs: Arc<Jobs>) -> Removing {
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| remove(app.clone(), jobs, stopped);
    let task = supervision::start(jobs, |jobs| &jobs.dcr_removing, stopped, work);
    Removing { stop, task }
}

async fn remove(app: App, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut failing = false;
    loop {
        // Never left half way: a provider's answer may hold the token that every later call needs.
        let outcome = work(&app).await;
        jobs.dcr_removing.ended(&outcome);
        report(&mut failing, &outcome);
        let pause = match outcome {
            Ok(true) if !*stopped.borrow() => continue,
            Ok(true) => break,
            Ok(false) => INTERVAL,
            Err(_) => AFTER_FAILURE,
        };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = dcr_removals::due(&app) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Whether there was anything to do.
async fn work(app: &App) -> Result<bool, Error> {
    let (removed, updated) = tokio::join!(dcr_removals::work(app), oauth_clients::updates::work(app));
    Ok(removed? | updated?)
}

impl Removing {
    /// Ends once what is being tried has its answer, which takes seconds at most.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the removal of OAuth clients ended early by a panic");
        }
    }
}

/// Says so when it begins to fail, and when it works again.
fn report<T>(failing: &mut bool, outcome: &Result<T, Error>) {
    match outcome {
        Err(error) if !*failing => tracing::warn!(
            error.cause = %error,
            "OAuth clients cannot be removed or changed at their providers; they wait in the database"
        ),
        Ok(_) if *failing => tracing::info!("OAuth clients are removed and changed at their providers again"),
        _ => {}
    }
    *failing = outcome.is_err();
}
