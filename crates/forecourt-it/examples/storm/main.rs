//! Three nodes under load while control planes, nodes, the database and connections die: `cargo xtask storm [MINUTES]`.
//!
//! What must hold, and what this run watches all the time:
//! - a credential is served by no node that the receipt of its revocation names as applied, whatever died in between;
//! - a node that is cut off for longer than its `max_staleness` serves nobody;
//! - no call is counted twice, and none is lost but those that a killed node had not yet put on its disk.
//!
//! It ends with a report, and with an error where one of these did not hold. The figures stand in `docs/bench.md`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a run that goes wrong ends loudly, and it tells what it sees"
)]

mod callers;
mod cluster;
mod deaths;
mod latency;
mod outages;
mod revocations;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use callers::Callers;
use cluster::Cluster;
use revocations::Revocations;

/// How many nodes there are.
const NODES: usize = 3;
/// How long a node may go on without hearing of the control plane; short, so that the run meets it often.
const MAX_STALENESS: Duration = Duration::from_secs(6);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let cluster = Arc::new(Cluster::start().await);
    if arguments.first().is_some_and(|first| first == "latency") {
        let count = arguments.get(1).map_or(1_000, |text| text.parse().expect("a number of revocations"));
        latency::measure(&cluster, count).await;
        return;
    }
    let minutes: f64 = arguments.first().map_or(5.0, |text| text.parse().expect("minutes"));
    let length = Duration::from_secs_f64(minutes * 60.0);
    let callers = Callers::start(&cluster).await;
    let revocations = Revocations::start(&cluster).await;

    let begun = Instant::now();
    let mut deaths = deaths::Deaths::default();
    while begun.elapsed() < length {
        deaths.next(&cluster).await;
        println!(
            "{:4.0} s  {}; {} calls answered, {} refused, {} revocations with a receipt of all nodes",
            begun.elapsed().as_secs_f64(),
            deaths.last(),
            callers.ledger.answered.load(Ordering::Relaxed),
            callers.ledger.refused.load(Ordering::Relaxed),
            revocations.complete.load(Ordering::Relaxed),
        );
    }
    deaths.heal(&cluster).await;
    let revoked = revocations.stop().await;
    let told = callers.stop().await;
    let counted = cluster.counted_calls(told.answered).await;
    println!("{}", deaths.summary());
    println!("{revoked}");
    println!("{told}");
    println!("counted by the control plane: {counted}");
    assert!(revoked.is_clean(), "a revoked credential was served");
    assert!(told.stale_answers == 0, "a node that was cut off served past its max_staleness");
    assert!(told.strange == 0, "answers that nothing explains");
    assert!(counted <= told.attempts, "calls were counted twice");
    let least = told.answered - told.at_risk;
    assert!(counted >= least, "calls were lost: at least {least} had to be counted");
    assert!(revoked.complete > 0 && told.answered > 0, "nothing happened");
}
