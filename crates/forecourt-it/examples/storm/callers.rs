//! Callers of every node, with a key that is never revoked; what they are answered is what must be counted.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use forecourt_it::{Answer, Client, installations::text};
use http::Method;
use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    NODES,
    cluster::{Cluster, locked},
    outages::Outage,
};

/// How many call each node at the same time.
const CALLERS: usize = 2;
/// Pause of a caller between two calls.
const PACE: Duration = Duration::from_millis(4);

/// The running callers.
pub(crate) struct Callers {
    /// What they met so far.
    pub(crate) ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    cluster: Arc<Cluster>,
}

/// What callers met so far.
#[derive(Default)]
pub(crate) struct Ledger {
    /// 200s.
    pub(crate) answered: AtomicU64,
    /// 503s of nodes that may be stale.
    pub(crate) refused: AtomicU64,
    attempts: AtomicU64,
    stale_answers: AtomicU64,
    strange: Mutex<BTreeMap<String, u64>>,
}

/// How a node was when a call began.
struct Before {
    stale: bool,
    may_refuse: bool,
    dead: bool,
}

impl Before {
    fn of(outage: &Outage) -> Self {
        Self { stale: outage.is_stale(), may_refuse: outage.may_refuse(), dead: outage.is_dead() }
    }
}

impl Ledger {
    fn note(&self, node: usize, outage: &mut Outage, before: Before, answer: Result<Answer, String>) {
        let strange = match answer {
            Ok(answer) if answer.status == 200 => {
                outage.answered();
                self.answered.fetch_add(1, Ordering::Relaxed);
                if before.stale && outage.is_stale() {
                    self.stale_answers.fetch_add(1, Ordering::Relaxed);
                }
                return;
            }
            Ok(answer) if answer.status == 503 && (before.may_refuse || outage.may_refuse()) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(_) if before.dead || outage.is_dead() => return,
            Ok(answer) => format!("node {node}: {} {}", answer.status, answer.text()),
            Err(problem) => format!("node {node}: {problem}"),
        };
        *locked(&self.strange).entry(strange).or_default() += 1;
    }
}

/// What callers met.
pub(crate) struct Told {
    /// Calls begun.
    pub(crate) attempts: u64,
    /// Calls answered 200.
    pub(crate) answered: u64,
    /// Those of them that a killed node may not have put on its disk yet.
    pub(crate) at_risk: u64,
    /// 200s of a node that was cut off for longer than its `max_staleness`.
    pub(crate) stale_answers: u64,
    /// Answers that nothing explains.
    pub(crate) strange: u64,
    refused: u64,
    kinds: BTreeMap<String, u64>,
}

impl Callers {
    /// Starts them on all nodes.
    pub(crate) async fn start(cluster: &Arc<Cluster>) -> Self {
        let application = cluster.application("load").await;
        let path = format!("/api/applications/{application}/credentials");
        let made = cluster.owners()[0].post(&path, json!({ "type": "key-auth", "name": "k" })).await;
        let key = text(&made.expect(201)["key-auth"]["key"]);
        let callers = Self {
            ledger: Arc::default(),
            stop: Arc::default(),
            tasks: Vec::new(),
            cluster: Arc::clone(cluster),
        };
        // The grant is on its way to the nodes; from the first 200 of each on, anything else must be explained.
        for node in &cluster.nodes {
            let client = Client::new(&node.base).with("apikey", &key);
            while client.get("/known").await.status != 200 {
                sleep(Duration::from_millis(20)).await;
            }
        }
        let mut callers = callers;
        // Those were calls too.
        callers.ledger.answered.store(NODES as u64, Ordering::Relaxed);
        callers.ledger.attempts.store(NODES as u64, Ordering::Relaxed);
        for node in 0..NODES {
            for _ in 0..CALLERS {
                callers.tasks.push(callers.caller(node, key.clone()));
            }
        }
        callers
    }

    fn caller(&self, number: usize, key: String) -> JoinHandle<()> {
        let (ledger, stop, cluster) =
            (Arc::clone(&self.ledger), Arc::clone(&self.stop), Arc::clone(&self.cluster));
        tokio::spawn(async move {
            let node = &cluster.nodes[number];
            let client = Client::new(&node.base).with("apikey", &key);
            while !stop.load(Ordering::Relaxed) {
                let before = Before::of(&locked(&node.outage));
                ledger.attempts.fetch_add(1, Ordering::Relaxed);
                let answer = client.try_send(Method::GET, "/load", None).await;
                ledger.note(number, &mut locked(&node.outage), before, answer);
                sleep(PACE).await;
            }
        })
    }

    /// Ends them, and tells.
    pub(crate) async fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("a caller");
        }
        let kinds = locked(&self.ledger.strange).clone();
        Told {
            attempts: self.ledger.attempts.load(Ordering::Relaxed),
            answered: self.ledger.answered.load(Ordering::Relaxed),
            at_risk: self.cluster.nodes.iter().map(|node| locked(&node.outage).at_risk).sum(),
            stale_answers: self.ledger.stale_answers.load(Ordering::Relaxed),
            strange: kinds.values().sum(),
            refused: self.ledger.refused.load(Ordering::Relaxed),
            kinds,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls begun, {} answered 200 ({} of them at risk when a node was killed), {} refused as stale, \
             {} answered by a node that was stale",
            self.attempts, self.answered, self.at_risk, self.refused, self.stale_answers
        )?;
        for (told, times) in &self.kinds {
            write!(f, "\n  not explained, {times} times: {told}")?;
        }
        Ok(())
    }
}
