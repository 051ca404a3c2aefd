//! Whether the database answers and takes writes, looked at every second.
//!
//! Invariant: whoever asks is told what was found last, at once, so that nobody waits for a database that is away. It
//! counts as away when it did not answer three times in a row within two seconds each; one answer is enough to be back.
//! An attempt without answer has all connections renewed once there is one: the server that they led to may be gone.

use std::{sync::Arc, time::Duration};

use forecourt_app::App;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, timeout},
};

use crate::{jobs::Jobs, supervision};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a write may take that is tried after one failed: writers take turns.
const WRITE_PATIENCE: Duration = Duration::from_secs(8);
/// How often it is asked before it counts as away: a connection may have ended with the server that it led to.
const ATTEMPTS: usize = 3;

/// How the database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DatabaseState {
    /// It answers, and the last write was possible.
    #[default]
    Well,
    /// It answers, and takes no writes, for this reason.
    Unwritable(String),
    /// It does not answer, for this reason.
    Away(String),
}

impl DatabaseState {
    /// Whether it does not answer.
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    /// Whether nothing is wrong.
    pub const fn is_well(&self) -> bool {
        matches!(self, Self::Well)
    }
}

/// The running watch; it ends when dropped.
#[derive(Debug)]
pub struct DatabaseWatch {
    state: watch::Receiver<DatabaseState>,
    is_away: watch::Receiver<bool>,
    /// Nobody tells it to stop.
    _stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Looks after the database of `app` from now on.
pub fn start(app: App, jobs: Arc<Jobs>) -> DatabaseWatch {
    let (found, away) = (watch::Sender::new(DatabaseState::Well), watch::Sender::new(false));
    let (state, is_away) = (found.subscribe(), away.subscribe());
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, _| look_again(app.clone(), jobs, found.clone(), away.clone());
    let task = supervision::start(jobs, |jobs| &jobs.database_watch, stopped, work);
    DatabaseWatch { state, is_away, _stop: stop, task }
}

async fn look_again(
    app: App,
    jobs: Arc<Jobs>,
    found: watch::Sender<DatabaseState>,
    away: watch::Sender<bool>,
) {
    let mut turns = tokio::time::interval(INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let was_away = *away.borrow();
        let now = look(&app, was_away).await;
        away.send_if_modified(|before| std::mem::replace(before, now.is_away()) != now.is_away());
        jobs.database_watch.ended(&Ok::<(), ()>(()));
        found.send_if_modified(|before| {
            let is_news = *before != now;
            if is_news {
                report(before, &now);
                *before = now;
            }
            is_news
        });
    }
}

impl DatabaseWatch {
    /// What was found last; changes wake the receiver.
    pub fn state(&self) -> watch::Receiver<DatabaseState> {
        self.state.clone()
    }

    /// Whether the database was found to be away; changes wake the receiver.
    pub fn is_away(&self) -> watch::Receiver<bool> {
        self.is_away.clone()
    }
}

impl Drop for DatabaseWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(app: &App, was_away: bool) -> DatabaseState {
    match answers(|| app.ping()).await {
        Ok(unanswered) => {
            // Before anybody is let in again.
            app.renew_connections(was_away || unanswered > 0).await;
            writable(app).await
        }
        Err(problem) => DatabaseState::Away(problem),
    }
}

/// How many attempts were not answered before one was. An error: why the last one was not.
async fn answers<F, E>(ping: impl Fn() -> F) -> Result<usize, String>
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut problem = String::new();
    for unanswered in 0..ATTEMPTS {
        match timeout(PATIENCE, ping()).await {
            Ok(Ok(())) => return Ok(unanswered),
            Ok(Err(error)) => problem = error.to_string(),
            Err(_) => problem = format!("it does not answer within {} s", PATIENCE.as_secs()),
        }
    }
    Err(problem)
}

/// A write is tried only where the last one failed, so that it is noticed when the next one would not, or was undone: the
/// database may have failed in the middle of it. In the second case one that only waits for its turn says nothing.
async fn writable(app: &App) -> DatabaseState {
    let has_failed = app.write_trouble().is_some();
    if !has_failed && !app.is_writing_in_doubt() {
        return DatabaseState::Well;
    }
    match timeout(WRITE_PATIENCE, app.try_to_write()).await {
        Ok(Ok(())) => DatabaseState::Well,
        Ok(Err(error)) => DatabaseState::Unwritable(error.to_string()),
        Err(_) if has_failed => DatabaseState::Unwritable("a write does not come to its end".into()),
        Err(_) => DatabaseState::Well,
    }
}

fn report(before: &DatabaseState, now: &DatabaseState) {
    match now {
        DatabaseState::Well if before.is_well() => {}
        DatabaseState::Well => tracing::info!("the database is well again"),
        DatabaseState::Unwritable(problem) => {
            tracing::error!(error.cause = %problem, "the database takes no writes");
        }
        DatabaseState::Away(problem) => tracing::error!(error.cause = %problem, "the database is away"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use forecourt_app::Config;

    use super::*;
    use crate::{config::Settings, serve};

    #[tokio::test]
    async fn one_attempt_without_answer_is_none_of_three() {
        let attempts = AtomicUsize::new(0);
        let late = || {
            let is_first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if is_first {
                    std::future::pending::<()>().await;
                }
                Ok::<(), &str>(())
            }
        };
        assert_eq!(answers(late).await, Ok(1));
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
        assert_eq!(answers(|| async { Err::<(), _>("refused") }).await, Err("refused".into()));
    }

    #[tokio::test]
    async fn a_write_that_takes_long_is_not_taken_for_a_database_that_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data_dir: folder.path().display().to_string(), ..Settings::default() };
        let store = serve::open_store(&settings).await.unwrap();
        let app = App::open(store.clone(), &Config::default(), serve::system_clock()).await.unwrap();
        let watch = start(app, Arc::default());
        let held = store.begin().await.unwrap();
        let mut is_away = watch.is_away();
        let found = timeout(PATIENCE * 3, is_away.wait_for(|is_away| *is_away)).await;
        assert!(found.is_err(), "it counts as away");
        held.commit(serve::system_clock()()).await.unwrap();
        assert!(watch.state().borrow().is_well());
    }
}
