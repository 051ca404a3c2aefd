//! The background's work goes on: a job that panics, or ends before it is told to, is begun anew.
//!
//! Invariant: a job that broke off is down, which readiness and metrics tell, until its work is done once or goes on for
//! [`SETTLED`]; it waits longer each time before it is begun again, and is begun at once where the process stops, so that
//! what is to be done last is done.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle, JoinSet},
};

use crate::jobs::{Job, Jobs};

/// For how long a job that was begun anew goes on before it is well again, where nothing else shows that it is.
const SETTLED: Duration = Duration::from_secs(10);

/// The pauses before a job is begun anew.
#[derive(Clone, Copy, Debug)]
struct Pauses {
    /// The first one; each further one is twice as long.
    first: Duration,
    /// The longest. A job that went on for so long begins with the first one again.
    longest: Duration,
}

const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

/// Starts the job that `of` names: what `work` makes, which ends once its receiver is true or nobody can make it so.
///
/// The task ends when the job did as it was told; aborting it ends the job.
pub(crate) fn start<F>(
    jobs: Arc<Jobs>,
    of: fn(&Jobs) -> &Job,
    stopped: watch::Receiver<bool>,
    mut work: impl FnMut(Arc<Jobs>, watch::Receiver<bool>) -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let begin = || work(Arc::clone(&jobs), stopped.clone());
        supervise(of(&jobs), stopped.clone(), PAUSES, begin).await;
    })
}

async fn supervise<F>(
    job: &Job,
    mut stopped: watch::Receiver<bool>,
    pauses: Pauses,
    mut work: impl FnMut() -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = pauses.first;
    loop {
        let (begun, is_last) = (Instant::now(), is_stopping(&stopped));
        match end(job, work()).await {
            Ok(()) if is_stopping(&stopped) => return,
            Ok(()) => tracing::error!(job = job.name(), "a job ended before it was told to"),
            // What the panic said may hold data; where it was, the process tells.
            Err(_) => tracing::error!(job = job.name(), "a job broke off by a panic"),
        }
        job.broke_off();
        if is_last {
            return;
        }
        if begun.elapsed() >= pauses.longest {
            pause = pauses.first;
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(pauses.longest);
    }
}

/// Waits until `work` ends. An error: it panicked.
async fn end(job: &Job, work: impl Future<Output = ()> + Send + 'static) -> Result<(), JoinError> {
    // Dropped, it ends what runs in it.
    let mut running = JoinSet::new();
    running.spawn(work);
    let ended = tokio::select! {
        ended = running.join_next() => ended,
        () = tokio::time::sleep(SETTLED) => {
            job.goes_on();
            running.join_next().await
        }
    };
    ended.unwrap_or(Ok(()))
}

/// Whether jobs are told to end, or nobody is left who could.
fn is_stopping(stopped: &watch::Receiver<bool>) -> bool {
    *stopped.borrow() || stopped.has_changed().is_err()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const SHORT: Pauses = Pauses { first: Duration::from_millis(1), longest: Duration::from_millis(4) };

    /// What a job does when it is begun for the so manieth time, from 0.
    async fn supervised<F>(jobs: &Jobs, work: impl Fn(usize, watch::Receiver<bool>) -> F) -> usize
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let begun = AtomicUsize::new(0);
        let begin = || {
            let time = begun.fetch_add(1, Ordering::Relaxed);
            if time == 3 {
                stop.send_replace(true);
            }
            work(time, stopped.clone())
        };
        supervise(&jobs.delivering, stopped.clone(), SHORT, begin).await;
        begun.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_job_that_panics_or_ends_by_itself_is_begun_anew_and_counted() {
        let jobs = Jobs::default();
        let begun = supervised(&jobs, |time, mut stopped| async move {
            match time {
                0 => panic!("as it does"),
                1 | 2 => {}
                _ => drop(stopped.wait_for(|stop| *stop).await),
            }
        })
        .await;
        assert_eq!((begun, jobs.delivering.broken_off()), (4, 3));
        assert_eq!(jobs.down().collect::<Vec<_>>(), ["delivering"]);
    }

    #[tokio::test]
    async fn a_job_that_panics_while_the_process_stops_keeps_nobody_waiting() {
        let jobs = Jobs::default();
        let begun = supervised(&jobs, |time, _| async move { assert!(time > 99, "as it does") }).await;
        // Once more after it was told to stop, for what is to be done last.
        assert_eq!((begun, jobs.delivering.broken_off()), (5, 5));
    }

    #[tokio::test]
    async fn a_job_is_down_until_its_work_is_done_once() {
        let jobs = Arc::new(Jobs::default());
        let (stop, stopped) = watch::channel(false);
        let (go_on, going_on) = watch::channel(false);
        let times = Arc::new(AtomicUsize::new(0));
        let work = move |jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>| {
            let is_first = times.fetch_add(1, Ordering::Relaxed) == 0;
            let mut going_on = going_on.clone();
            async move {
                assert!(!is_first, "as it does");
                drop(going_on.wait_for(|go_on| *go_on).await);
                jobs.resealing.ended(&Ok::<(), ()>(()));
                drop(stopped.wait_for(|stop| *stop).await);
            }
        };
        let running = start(Arc::clone(&jobs), |jobs| &jobs.resealing, stopped, work);
        while jobs.down().next().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(jobs.down().collect::<Vec<_>>(), ["resealing"]);
        go_on.send_replace(true);
        while jobs.down().next().is_some() {
            tokio::task::yield_now().await;
        }
        stop.send_replace(true);
        running.await.unwrap();
        assert_eq!(jobs.resealing.broken_off(), 1);
    }
}
