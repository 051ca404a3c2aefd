//! Storms of writes: many writers over HTTP against real processes that are killed meanwhile, a ledger of what each was
//! told, and what must hold when they are calm again. Callers of their gateways have usage written all the while.
//!
//! Invariant: what a writer was told stands in the ledger before the next write of the same thing begins, so that after
//! the storm every row is right, wrong, or one of which nothing was said. `ledgers.rs` says what must be there,
//! `promises.rs` who must have been told, `callers.rs` what may be counted, `consistency.rs` beside this what must be true
//! of any database.

mod callers;
mod grounds;
mod ledgers;
mod promises;
mod randoms;
mod scenarios;
mod writers;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use forecourt_store::Store;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{
    ForecourtProcess, MailSink, TestDatabase, Upstream, Webhook,
    consistency::{self, Snapshot, Violation, counted_calls},
    deadlines::PATIENCE,
    processes::{binary, command},
};

use self::{callers::CallLedger, grounds::set_up, writers::Writer};
pub use self::{
    callers::Calls,
    grounds::{Faces, Ground, tell_everything},
    ledgers::{Intent, Key, Ledger, Noun, Standing, Step},
    promises::{Told, broken},
    randoms::Seeded,
};

/// What one process after the other is killed in.
#[derive(Debug)]
pub struct WriteStorm {
    /// What was acknowledged, refused, and left open.
    pub ledger: Arc<Mutex<Ledger>>,
    /// Who is told by webhook.
    pub hook: Webhook,
    /// Who is told by mail.
    pub sink: MailSink,
    /// Where the gateways send on what they are called for.
    upstream: Upstream,
    calls: Arc<Mutex<CallLedger>>,
    ground: Arc<Ground>,
    processes: Vec<Option<ForecourtProcess>>,
    faces: watch::Sender<Vec<Option<Faces>>>,
    acknowledged: Arc<watch::Sender<usize>>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
    random: Seeded,
}

impl WriteStorm {
    /// Starts so many processes on an empty database, and makes what the writers stand on.
    pub async fn start(database: &TestDatabase, processes: usize, seed: u64) -> Self {
        let (hook, sink, upstream) =
            (Webhook::start().await, MailSink::start().await, Upstream::start().await);
        let first = started(database).await;
        let ground = Arc::new(set_up(&first, &hook, &sink, upstream.address()).await);
        let calls: Arc<Mutex<CallLedger>> = Arc::default();
        let faces = ground.faces(&first).await;
        callers::call_first(&calls, &faces).await;
        let mut storm = Self {
            ledger: Arc::default(),
            hook,
            sink,
            upstream,
            calls,
            faces: watch::Sender::new(vec![Some(faces)]),
            ground,
            processes: vec![Some(first)],
            acknowledged: Arc::new(watch::Sender::new(0)),
            stop: Arc::default(),
            writers: Vec::new(),
            random: Seeded::new(seed),
        };
        for _ in 1..processes {
            storm.processes.push(None);
            storm.faces.send_modify(|faces| faces.push(None));
            storm.revive(database, storm.processes.len() - 1).await;
        }
        storm
    }

    /// Has so many write, and a few call, until [`Self::calm`].
    pub fn write(&mut self, writers: usize) {
        self.stop.store(false, Ordering::SeqCst);
        for _ in 0..writers {
            let writer = Writer::new(
                self.random.draw(),
                (Arc::clone(&self.ground), Arc::clone(&self.ledger)),
                (self.faces.subscribe(), Arc::clone(&self.stop)),
                Arc::clone(&self.acknowledged),
            );
            self.writers.push(tokio::spawn(writer.run()));
        }
        for _ in 0..callers::CALLERS {
            let random = Seeded::new(self.random.draw());
            let (calls, stop) = (Arc::clone(&self.calls), Arc::clone(&self.stop));
            self.writers.push(tokio::spawn(callers::call(calls, self.faces.subscribe(), stop, random)));
        }
    }

    /// Waits until so many more writes were acknowledged.
    ///
    /// # Panics
    /// When they are not in time.
    pub async fn acknowledges(&self, more: usize) {
        let mut told = self.acknowledged.subscribe();
        let enough = *told.borrow_and_update() + more;
        let waited = timeout(PATIENCE, told.wait_for(|told| *told >= enough)).await.is_ok();
        assert!(waited, "{more} writes were not acknowledged within {} s", PATIENCE.as_secs());
    }

    /// kill -9 of a process; writers go on with the others, or wait.
    pub fn kill(&mut self, number: usize) {
        self.faces.send_modify(|faces| faces[number] = None);
        if let Some(process) = self.processes[number].take() {
            process.kill();
        }
        self.upstream.forget();
    }

    /// Starts a killed process again on the same data.
    pub async fn revive(&mut self, database: &TestDatabase, number: usize) {
        let process = started(database).await;
        let faces = self.ground.faces(&process).await;
        callers::call_first(&self.calls, &faces).await;
        self.processes[number] = Some(process);
        self.faces.send_modify(|all| all[number] = Some(faces));
    }

    /// Lets the writers end what they are at.
    pub async fn calm(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Whoever waits for a process looks again.
        self.faces.send_modify(|_| {});
        for writer in std::mem::take(&mut self.writers) {
            writer.await.unwrap();
        }
    }

    /// The ledger as it is now.
    pub fn noted(&self) -> Ledger {
        locked(&self.ledger).clone()
    }

    /// A number below `end`, from the storm's seed.
    pub fn below(&mut self, end: usize) -> usize {
        self.random.below(end)
    }

    /// A running process.
    ///
    /// # Panics
    /// When it was killed.
    pub fn process(&self, number: usize) -> &ForecourtProcess {
        self.processes[number].as_ref().expect("it runs")
    }

    /// Calm, and with every process killed: what the rows say, as they lie there. All violations.
    pub async fn violations(&mut self, database: &TestDatabase) -> Vec<Violation> {
        for number in 0..self.processes.len() {
            self.kill(number);
        }
        self.calm().await;
        // A server may still be at the commit of a process that is dead: whoever has the turn to write comes after it.
        let store = Store::open(&database.location()).await.unwrap();
        drop(store.begin().await.unwrap());
        drop(store);
        let mut violations = consistency::violations(database).await;
        let snapshot = Snapshot::of(&database.location()).await;
        violations.extend(self.noted().violations(&snapshot));
        violations.extend(locked(&self.calls).count(&counted_calls(&snapshot)));
        violations
    }

    /// Calm: starts every process once more, makes some calls, and stops it as SIGTERM does. That delivers every call that
    /// lies on a disk or was just made.
    async fn deliver(&mut self, database: &TestDatabase) {
        for number in 0..self.processes.len() {
            self.revive(database, number).await;
        }
        for number in 0..self.processes.len() {
            let faces = self.faces.borrow()[number].clone().expect("it was just started");
            callers::call_last(&self.calls, &faces).await;
            locked(&self.calls).was_stopped(&faces.key);
            self.faces.send_modify(|faces| faces[number] = None);
            let process = self.processes[number].take().expect("it was just started");
            let ended = tokio::task::spawn_blocking(|| process.stop("TERM")).await.unwrap();
            assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        }
    }

    /// The same once everybody was told who is to be, by a process whose clock is past all leases of those that died, and
    /// every call is counted that a kill did not lose. What was told and counted, and all violations.
    pub async fn violations_once_told(&mut self, database: &TestDatabase) -> (Told, Vec<Violation>) {
        let mut violations = self.violations(database).await;
        self.deliver(database).await;
        tell_everything(database).await;
        violations.extend(consistency::violations(database).await);
        let snapshot = Snapshot::of(&database.location()).await;
        violations.extend(consistency::untold(&snapshot));
        let noted = self.noted();
        let (calls, mails) = (self.hook.arrived(), self.sink.mails());
        let (told, more) = broken(&snapshot, &self.ground, &noted, (calls.as_slice(), mails.as_slice()));
        violations.extend(more);
        let mut ledger = locked(&self.calls);
        violations.extend(ledger.count(&counted_calls(&snapshot)));
        let told = Told { calls: ledger.calls(), ..told };
        violations.sort();
        violations.dedup();
        (told, violations)
    }
}

/// What a lock guards, also when another thread broke off.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process on the database, without keeping others of this runtime waiting.
async fn started(database: &TestDatabase) -> ForecourtProcess {
    let mut serve = command(&binary(), &["serve"], database);
    serve.env("FORECOURT_LOG", "error");
    tokio::task::spawn_blocking(|| ForecourtProcess::start(serve)).await.unwrap()
}
