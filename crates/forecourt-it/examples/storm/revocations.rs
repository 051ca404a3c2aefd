//! Credentials that are made, used and revoked without pause; no node that has a receipt serves one any more.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use forecourt_it::{Answer, Client, installations::text};
use http::Method;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    NODES,
    cluster::{Cluster, locked},
};

/// Pause between two revocations.
const PACE: Duration = Duration::from_millis(60);
/// How many revoked keys are shown to the nodes again and again, the newest.
const REMEMBERED: usize = 400;

/// The running revocations.
pub(crate) struct Revocations {
    /// Revocations whose receipt names all nodes.
    pub(crate) complete: Arc<AtomicU64>,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Board {
    revoked: Mutex<Vec<Revoked>>,
    made: AtomicU64,
    shown: AtomicU64,
    /// What must not be.
    served: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Revoked {
    key: String,
    revision: i64,
    /// By node: whether its receipt was there.
    applied: [bool; NODES],
}

/// What came of it.
pub(crate) struct Outcome {
    made: u64,
    /// Revocations whose receipt names all nodes.
    pub(crate) complete: u64,
    shown: u64,
    served: Vec<String>,
}

impl Revocations {
    /// Starts them.
    pub(crate) async fn start(cluster: &Arc<Cluster>) -> Self {
        let application = cluster.application("revoked").await;
        let mut revocations =
            Self { complete: Arc::default(), board: Arc::default(), stop: Arc::default(), tasks: Vec::new() };
        let (board, stop) = (Arc::clone(&revocations.board), Arc::clone(&revocations.stop));
        let owners = cluster.owners();
        let bases: Vec<_> = cluster.nodes.iter().map(|node| node.base.clone()).collect();
        revocations.tasks.push(tokio::spawn(revoke(owners, application, bases.clone(), board, stop)));
        let (board, stop) = (Arc::clone(&revocations.board), Arc::clone(&revocations.stop));
        let complete = Arc::clone(&revocations.complete);
        revocations.tasks.push(tokio::spawn(read_receipts(Arc::clone(cluster), board, complete, stop)));
        for (number, base) in bases.into_iter().enumerate() {
            let (board, stop) = (Arc::clone(&revocations.board), Arc::clone(&revocations.stop));
            revocations.tasks.push(tokio::spawn(show(number, base, board, stop)));
        }
        revocations
    }

    /// Ends them, and tells.
    pub(crate) async fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("a task of the revocations");
        }
        let served = locked(&self.board.served).clone();
        Outcome {
            made: self.board.made.load(Ordering::Relaxed),
            complete: self.complete.load(Ordering::Relaxed),
            shown: self.board.shown.load(Ordering::Relaxed),
            served,
        }
    }
}

impl Outcome {
    /// Whether no revoked credential was served after its receipt.
    pub(crate) fn is_clean(&self) -> bool {
        self.served.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} credentials revoked, {} with a receipt of all nodes; revoked keys shown {} times to nodes with a \
             receipt",
            self.made, self.complete, self.shown
        )?;
        for served in &self.served {
            write!(f, "\n  SERVED: {served}")?;
        }
        Ok(())
    }
}

/// Asks one control plane after the other until one answers with `status`.
async fn try_all(
    clients: &[Client],
    method: Method,
    path: &str,
    body: Option<Value>,
    status: u16,
) -> Option<Answer> {
    let body = body.map(|body| ("application/json".to_owned(), body.to_string().into_bytes()));
    for client in clients {
        let answer = client.try_send(method.clone(), path, body.clone()).await;
        if let Ok(answer) = answer
            && answer.status == status
        {
            return Some(answer);
        }
    }
    None
}

async fn revoke(
    owners: Vec<Client>,
    application: String,
    bases: Vec<String>,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
) {
    let path = format!("/api/applications/{application}/credentials");
    while !stop.load(Ordering::Relaxed) {
        sleep(PACE).await;
        let body = json!({ "type": "key-auth", "name": "short-lived" });
        let Some(made) = try_all(&owners, Method::POST, &path, Some(body), 201).await else { continue };
        let made = made.json();
        let (id, key) = (text(&made["id"]), text(&made["key-auth"]["key"]));
        for base in &bases {
            // So that nodes have it in hand when it is revoked.
            drop(Client::new(base).with("apikey", &key).try_send(Method::GET, "/short", None).await);
        }
        // Until it is answered: a deletion that was done although its answer was lost says 404 then, without a
        // revision, and nothing can be claimed of it.
        while !stop.load(Ordering::Relaxed) {
            let one = format!("{path}/{id}");
            let Some(deleted) = try_all(&owners, Method::DELETE, &one, None, 204).await else {
                if try_all(&owners, Method::GET, &one, None, 404).await.is_some() {
                    break;
                }
                sleep(PACE).await;
                continue;
            };
            let revision = deleted.headers.get("x-forecourt-revision").expect("a revision");
            let revision = revision.to_str().expect("text").parse().expect("a number");
            board.made.fetch_add(1, Ordering::Relaxed);
            locked(&board.revoked).push(Revoked { key, revision, applied: [false; NODES] });
            break;
        }
    }
}

/// Reads receipts of what is not complete yet, the oldest first.
async fn read_receipts(
    cluster: Arc<Cluster>,
    board: Arc<Board>,
    complete: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) {
    let admins = cluster.admins();
    while !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(20)).await;
        let open: Vec<i64> = locked(&board.revoked)
            .iter()
            .filter(|one| !one.applied.iter().all(|applied| *applied))
            .map(|one| one.revision)
            .take(8)
            .collect();
        for revision in open {
            let path = format!("/api/forecourt/receipts/{revision}");
            let Some(answer) = try_all(&admins, Method::GET, &path, None, 200).await else { break };
            let receipt = answer.json();
            let rows = receipt["value"]["nodes"].as_array().cloned().unwrap_or_default();
            let ids: Vec<_> = cluster.nodes.iter().map(|node| locked(&node.id).clone()).collect();
            let has = |id: &String| rows.iter().any(|row| row["id"] == id.as_str() && row["applied"] == true);
            let applied: Vec<bool> = ids.iter().map(has).collect();
            let mut revoked = locked(&board.revoked);
            for one in revoked.iter_mut().filter(|one| one.revision <= revision) {
                for (known, applied) in one.applied.iter_mut().zip(&applied) {
                    *known |= *applied;
                }
                if one.revision == revision && one.applied.iter().all(|applied| *applied) {
                    complete.fetch_add(1, Ordering::Relaxed);
                }
            }
            let too_many = revoked.len().saturating_sub(REMEMBERED);
            let mut dropped = 0;
            revoked.retain(|one| {
                let goes = dropped < too_many && one.applied.iter().all(|applied| *applied);
                dropped += usize::from(goes);
                !goes
            });
        }
    }
}

/// Shows a node revoked keys whose receipt names it, the newest most of all, for as long as the run lasts.
async fn show(number: usize, base: String, board: Arc<Board>, stop: Arc<AtomicBool>) {
    let client = Client::new(base);
    let begun = Instant::now();
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let (known, key) = {
            let revoked = locked(&board.revoked);
            let known: Vec<_> = revoked.iter().filter(|one| one.applied[number]).collect();
            let place = if turn % 2 == 0 { known.len().saturating_sub(1) } else { turn % known.len().max(1) };
            (known.len(), known.get(place).map(|one| (one.key.clone(), one.revision)))
        };
        turn += 1;
        let Some((key, revision)) = key.filter(|_| known > 0) else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let answer = client.with("apikey", &key).try_send(Method::GET, "/revoked", None).await;
        if let Ok(answer) = answer {
            board.shown.fetch_add(1, Ordering::Relaxed);
            // 401 is right, and so is 503 of a node that is stale; 200 is what must not be.
            if answer.status == 200 {
                locked(&board.served).push(format!(
                    "node {number} served a key revoked at {revision}, {:.1} s into the run",
                    begun.elapsed().as_secs_f64()
                ));
            }
        }
        sleep(Duration::from_millis(8)).await;
    }
}
