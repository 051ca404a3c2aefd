//! A writer: asks for one thing after the other of whichever process runs, and notes what it was told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use http::Method;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Faces, Ground, Ledger, Seeded, Step,
    grounds::one_running,
    ledgers::{Key, PREFIX},
    locked,
};
use crate::Client;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Face {
    /// The administrator.
    Admin,
    /// The portal's front end.
    FrontEnd,
    /// A developer, through the front end.
    Developer(String),
    /// The directory of administrators.
    Directory,
    /// The directory of the portal's people.
    PortalDirectory,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) face: Face,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) ground: Arc<Ground>,
    pub(super) random: Seeded,
    ledger: Arc<Mutex<Ledger>>,
    faces: watch::Receiver<Vec<Option<Faces>>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<watch::Sender<usize>>,
    /// What tells its names from those of others.
    mark: u64,
    made: usize,
}

impl Call {
    pub(super) fn new(face: Face, method: Method, path: impl Into<String>) -> Self {
        Self { face, method, path: path.into(), body: None }
    }

    pub(super) fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

impl Writer {
    pub(super) fn new(
        mark: u64,
        (ground, ledger): (Arc<Ground>, Arc<Mutex<Ledger>>),
        (faces, stop): (watch::Receiver<Vec<Option<Faces>>>, Arc<AtomicBool>),
        acknowledged: Arc<watch::Sender<usize>>,
    ) -> Self {
        Self { ground, random: Seeded::new(mark), ledger, faces, stop, acknowledged, mark, made: 0 }
    }

    /// Goes from one scenario to the next until told to stop. A scenario ends where an answer is lost.
    pub(super) async fn run(mut self) {
        while !self.stop.load(Ordering::SeqCst) {
            let _ended = match self.random.below(16) {
                0..=4 => self.develop().await,
                5..=6 => self.ask_and_decide().await,
                7..=8 => self.publish().await,
                9 => self.administrate().await,
                10..=11 => self.connect().await,
                12 => self.admit().await,
                13 => self.certify().await,
                14 => self.plan().await,
                _ => self.provision().await,
            };
        }
    }

    /// A name that nobody had before.
    pub(super) fn name(&mut self) -> String {
        self.made += 1;
        format!("{PREFIX}{:012x}-{}", self.mark & 0xffff_ffff_ffff, self.made)
    }

    /// Whether something happens that happens once in so many times.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.random.below(times) == 0
    }

    /// Writes; the answer's body where it was acknowledged.
    pub(super) async fn write(&mut self, call: Call, steps: Vec<Step>) -> Option<Value> {
        let client = self.client(&call.face).await?;
        let intent = locked(&self.ledger).intend(steps);
        let told = format!("{} {}", call.method, call.path);
        let body = call.body.map(|body| ("application/json".to_owned(), body.to_string().into_bytes()));
        let answer = client.try_send(call.method, &call.path, body).await;
        let mut ledger = locked(&self.ledger);
        match answer {
            Ok(answer) if answer.status.is_success() => {
                ledger.acknowledge(intent);
                self.acknowledged.send_modify(|acknowledged| *acknowledged += 1);
                Some(answer.json())
            }
            Ok(answer) if answer.status.is_client_error() => {
                ledger.refuse(intent, format!("{told}: {} {}", answer.status, answer.text()));
                None
            }
            Ok(answer) => {
                ledger.unknown += 1;
                // A database that is busy or away is answered 503; anything else of this kind is a fault.
                if answer.status != 503 {
                    let strange = format!("{told}: {} {}", answer.status, answer.text());
                    *ledger.strange.entry(strange).or_default() += 1;
                }
                None
            }
            Err(_) => {
                ledger.unknown += 1;
                None
            }
        }
    }

    /// Reads; the answer's body where there was one.
    pub(super) async fn read(&mut self, face: Face, path: &str) -> Option<Value> {
        let client = self.client(&face).await?;
        let answer = client.try_send(Method::GET, path, None).await.ok()?;
        answer.status.is_success().then(|| answer.json())
    }

    /// Notes that a column holds what an answer told.
    pub(super) fn holds(&self, key: &Key, column: &'static str, value: impl Into<String>) {
        locked(&self.ledger).has_become(key.clone(), column, value.into());
    }

    /// Notes that an acknowledged event of an application's subscription is to be told of.
    pub(super) fn promises(&self, event: &'static str, application: &str) {
        locked(&self.ledger).promised.push((event, application.to_owned()));
    }

    /// A client of one of the processes that run, once one does; `None`: the storm is over.
    async fn client(&mut self, face: &Face) -> Option<Client> {
        let one = one_running(&self.faces, &self.stop, &mut self.random).await?;
        Some(match face {
            Face::Admin => one.admin,
            Face::FrontEnd => one.front_end,
            Face::Directory => one.directory,
            Face::PortalDirectory => one.portal_directory,
            Face::Developer(name) => one.front_end.with("x-portal-developer-id", name),
        })
    }
}
