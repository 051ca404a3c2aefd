//! The removal of OAuth clients at their providers, in the background: at once when one becomes due in this process, and
//! within a second when another process or the back-off makes it due.
//!
//! Any number of processes on one database may do so at the same time: each leases what it tries.

use std::time::Duration;

use forecourt_app::{App, dcr_removals};
use tokio::{sync::watch, task::JoinHandle};

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
pub fn start(app: App) -> Removing {
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(async move {
        let mut failing = false;
        loop {
            let outcome = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                outcome = dcr_removals::work(&app) => outcome,
            };
            report(&mut failing, &outcome);
            let pause = match outcome {
                Ok(true) => continue,
                Ok(false) => INTERVAL,
                Err(_) => AFTER_FAILURE,
            };
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                () = dcr_removals::due(&app) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    });
    Removing { stop, task }
}

impl Removing {
    /// Ends. What is being tried is left: its lease ends in a minute, and somebody tries it again.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(error.cause = %error, "the removal of OAuth clients ended early");
        }
    }
}

/// Says so when it begins to fail, and when it works again.
fn report<T>(failing: &mut bool, outcome: &Result<T, forecourt_app::Error>) {
    match outcome {
        Err(error) if !*failing => tracing::warn!(
            error.cause = %error,
            "OAuth clients cannot be removed at their providers; they wait in the database"
        ),
        Ok(_) if *failing => tracing::info!("OAuth clients are removed at their providers again"),
        _ => {}
    }
    *failing = outcome.is_err();
}
