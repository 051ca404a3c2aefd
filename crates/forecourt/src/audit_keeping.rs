//! What happens to the audit log in the background: answers are written a quarter of a second after they were given, many
//! at a time, and what is older than is kept is taken away every hour, and then the events that it was made of.
//!
//! Any number of processes on one database may do so at the same time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use forecourt_app::{App, Error, audit_logs, events};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    jobs::{Job, Jobs},
    supervision,
};

/// How long answers are collected before they are written.
const COLLECTING: Duration = Duration::from_millis(250);
/// The pause after a failure of the database.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How often old entries are taken away.
const PRUNING: Duration = Duration::from_secs(3_600);

/// The running work.
#[derive(Debug)]
pub struct AuditKeeping {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Writes and takes away until [`AuditKeeping::stop`].
pub fn start(app: App, jobs: Arc<Jobs>) -> AuditKeeping {
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| keep(app.clone(), jobs, stopped);
    let task = supervision::start(jobs, |jobs| &jobs.audit_answers, stopped, work);
    AuditKeeping { stop, task }
}

async fn keep(app: App, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut pruned_at: Option<Instant> = None;
    let mut failing = false;
    while !*stopped.borrow() {
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNING) {
            prune(&jobs.audit_pruning, &stopped, || audit_logs::prune(&app)).await;
            prune(&jobs.event_pruning, &stopped, || events::prune(&app)).await;
            pruned_at = Some(Instant::now());
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(PRUNING) => continue,
            () = news(&app, failing) => {}
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(if failing { AFTER_FAILURE } else { COLLECTING }) => {}
        }
        write(&app, &jobs.audit_answers, &mut failing).await;
    }
    write(&app, &jobs.audit_answers, &mut failing).await;
}

impl AuditKeeping {
    /// Writes what was answered so far, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the writing of the audit log ended early by a panic");
        }
    }
}

/// Waits for an answer that is not written yet; after a failure there is one.
async fn news(app: &App, failing: bool) {
    if !failing {
        audit_logs::due(app).await;
    }
}

/// Says so when it begins to fail, and when it works again.
async fn write(app: &App, job: &Job, failing: &mut bool) {
    let outcome = audit_logs::flush(app).await;
    job.ended(&outcome);
    match outcome {
        Err(error) if !*failing => {
            tracing::error!(error.cause = %error, "answers cannot be written to the audit log; they wait");
            *failing = true;
        }
        Err(_) => {}
        Ok(()) => {
            if *failing {
                tracing::info!("answers are written to the audit log again");
            }
            *failing = false;
        }
    }
}

/// Takes away what is old, `some` at a time, until there is nothing.
async fn prune<F>(job: &Job, stopped: &watch::Receiver<bool>, some: impl Fn() -> F)
where
    F: Future<Output = Result<bool, Error>>,
{
    while !*stopped.borrow() {
        let outcome = some().await;
        job.ended(&outcome);
        match outcome {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(
                    error.cause = %error,
                    job.name = job.name(),
                    "what is old could not be taken away; tried again in an hour"
                );
                return;
            }
        }
    }
}
