//! What happens to delivered counts in the background: they are added up within a second or two, and what is older than
//! is kept is taken away every hour.
//!
//! Any number of processes on one database may do so at the same time: a piece leaves the inbox in the transaction that
//! adds it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use forecourt_app::{App, usage};
use tokio::{sync::watch, task::JoinHandle};

use crate::{jobs::Jobs, supervision};

/// How often the inbox is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// The longest pause between two looks, where adding up takes long.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A pause is at least so many times as long as the adding up before it, so that writers of other things have most of
/// the time.
const SHARE: u32 = 3;
/// How often old sums are taken away.
const PRUNING: Duration = Duration::from_secs(3_600);
/// How long a stop waits for what was delivered to be added up; what is left waits in the database for the next start.
const LAST_WORK: Duration = Duration::from_secs(5);

/// The running work.
#[derive(Debug)]
pub struct Keeping {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Adds up and takes away until [`Keeping::stop`].
pub fn start(app: App, jobs: Arc<Jobs>) -> Keeping {
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| keep(app.clone(), jobs, stopped);
    let task = supervision::start(jobs, |jobs| &jobs.usage_keeping, stopped, work);
    Keeping { stop, task }
}

async fn keep(app: App, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut pruned_at: Option<Instant> = None;
    let (mut failing, mut has_routes) = (false, false);
    loop {
        let begun = Instant::now();
        let outcome = add_up(&app, &mut has_routes, &stopped).await;
        jobs.usage_keeping.ended(&outcome);
        report(&mut failing, &outcome);
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNING) {
            jobs.usage_pruning.ended(&prune(&app, &stopped).await);
            pruned_at = Some(Instant::now());
        }
        let pause = (begun.elapsed() * SHARE).clamp(INTERVAL, LONGEST_PAUSE);
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    let deadline = Instant::now() + LAST_WORK;
    while Instant::now() < deadline {
        match usage::add_up(&app).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(error.cause = %error, "counted calls wait for the next start");
                break;
            }
        }
    }
}

impl Keeping {
    /// Adds up what was delivered so far, for a few seconds at most, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the adding up of counted calls ended early by a panic");
        }
    }
}

async fn add_up(
    app: &App,
    has_routes: &mut bool,
    stopped: &watch::Receiver<bool>,
) -> Result<(), forecourt_app::Error> {
    while !*has_routes && !*stopped.borrow() {
        *has_routes = !usage::begin_routes(app).await?;
    }
    while !*stopped.borrow() && usage::add_up(app).await? {}
    Ok(())
}

async fn prune(app: &App, stopped: &watch::Receiver<bool>) -> Result<(), forecourt_app::Error> {
    while !*stopped.borrow() {
        match usage::prune(app).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                tracing::warn!(error.cause = %error, "old counts could not be taken away; tried again in an hour");
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Says so when it begins to fail, and when it works again.
fn report(failing: &mut bool, outcome: &Result<(), forecourt_app::Error>) {
    match outcome {
        Err(error) if !*failing => tracing::warn!(
            error.cause = %error,
            "counted calls cannot be added up; they wait in the database"
        ),
        Ok(()) if *failing => tracing::info!("counted calls are added up again"),
        _ => {}
    }
    *failing = outcome.is_err();
}
