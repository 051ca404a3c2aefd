//! What dies, in turn.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use forecourt_it::Client;
use http::Method;
use tokio::time::sleep;

use crate::{
    MAX_STALENESS, NODES,
    cluster::{Cluster, NodeSlot, PATIENCE, locked},
};

/// Names the folder of a PostgreSQL that is started again whenever it dies.
const POSTGRES_FOLDER: &str = "FORECOURT_STORM_POSTGRES";

/// How many deaths there were of each kind.
#[derive(Default)]
pub(crate) struct Deaths {
    turn: usize,
    counts: BTreeMap<&'static str, u64>,
    last: &'static str,
}

impl Deaths {
    /// The next one, and its healing, or for a cut that lasts its end.
    pub(crate) async fn next(&mut self, cluster: &Cluster) {
        let node = self.turn / 6 % NODES;
        self.last = match self.turn % 6 {
            0 => {
                cut_for_a_moment(cluster, node);
                "a connection was cut"
            }
            1 => {
                kill_plane(cluster, self.turn / 6 % cluster.plane_count()).await;
                "a control plane was killed"
            }
            2 => {
                kill_node(cluster, node, false).await;
                "a node was killed"
            }
            3 => {
                kill_postgres(cluster).await;
                if cluster.database.is_postgres() {
                    "PostgreSQL was killed"
                } else {
                    "nothing: no PostgreSQL"
                }
            }
            4 => {
                cut_off(cluster, node).await;
                "a node was cut off past its max_staleness"
            }
            _ => {
                kill_node(cluster, node, true).await;
                "a node was killed and started from its disk while it was cut off"
            }
        };
        *self.counts.entry(self.last).or_default() += 1;
        self.turn += 1;
        sleep(Duration::from_secs(2)).await;
    }

    /// What happened last.
    pub(crate) const fn last(&self) -> &'static str {
        self.last
    }

    /// Everything is there again, and every node answers.
    pub(crate) async fn heal(&self, cluster: &Cluster) {
        for node in &cluster.nodes {
            mend(node);
            hears_again(node).await;
        }
        sleep(Duration::from_secs(3)).await;
    }

    /// How often what.
    pub(crate) fn summary(&self) -> String {
        self.counts.iter().map(|(what, times)| format!("{times} × {what}")).collect::<Vec<_>>().join("; ")
    }
}

fn cut_for_a_moment(cluster: &Cluster, node: usize) {
    cluster.nodes[node].wires.iter().for_each(|wire| wire.cut(false));
}

async fn kill_plane(cluster: &Cluster, number: usize) {
    let alone = cluster.plane_count() == 1;
    if alone {
        cluster.nodes.iter().for_each(|node| locked(&node.outage).deafen());
    }
    cluster.kill_plane(number);
    sleep(Duration::from_millis(1_500)).await;
    cluster.nodes.iter().for_each(|node| locked(&node.outage).may_hear());
    cluster.start_plane(number);
    if alone {
        for node in &cluster.nodes {
            hears_again(node).await;
        }
    }
}

async fn kill_node(cluster: &Cluster, number: usize, cut_off: bool) {
    let node = &cluster.nodes[number];
    if cut_off {
        node.wires.iter().for_each(|wire| wire.cut(true));
    }
    // When it last heard of changes stands on its disk now and then, so it may be stale until it hears again.
    locked(&node.outage).deafen();
    locked(&node.outage).die();
    node.kill();
    node.start();
    if cut_off {
        // It serves from its disk, as long as it may.
        sleep(MAX_STALENESS / 2).await;
    }
    mend(node);
    hears_again(node).await;
    locked(&node.outage).live();
}

async fn cut_off(cluster: &Cluster, number: usize) {
    let node = &cluster.nodes[number];
    node.wires.iter().for_each(|wire| wire.cut(true));
    locked(&node.outage).deafen();
    sleep(MAX_STALENESS + Duration::from_secs(3)).await;
    mend(node);
    hears_again(node).await;
}

/// kill -9 of the server that every other of its processes follows; a shell starts it again.
async fn kill_postgres(cluster: &Cluster) {
    let Some(folder) = std::env::var_os(POSTGRES_FOLDER).map(PathBuf::from) else { return };
    cluster.nodes.iter().for_each(|node| locked(&node.outage).deafen());
    let pid = std::fs::read_to_string(folder.join("data/postmaster.pid")).expect("PostgreSQL runs");
    let pid = pid.lines().next().expect("a process id").trim().to_owned();
    let killed = Command::new("kill").args(["-s", "KILL", &pid]).status().expect("kill");
    assert!(killed.success(), "PostgreSQL could not be killed");
    // It is started again at once, and nobody says when it is there.
    cluster.nodes.iter().for_each(|node| locked(&node.outage).may_hear());
    for node in &cluster.nodes {
        hears_again(node).await;
    }
}

fn mend(node: &NodeSlot) {
    locked(&node.outage).may_hear();
    node.wires.iter().for_each(|wire| wire.mend());
}

/// Waits until the node says that it hears of changes and that what it has counts.
async fn hears_again(node: &NodeSlot) {
    let begun = Instant::now();
    let client = Client::new(&node.status);
    loop {
        if let Ok(answer) = client.try_send(Method::GET, "/readyz", None).await
            && answer.status == 200
            && answer.json()["connected"] == true
            && answer.json()["staleness_seconds"].as_u64().is_some_and(|seconds| seconds < 2)
        {
            locked(&node.outage).hear();
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "a node did not come back: {}", node.base);
        sleep(Duration::from_millis(50)).await;
    }
}
