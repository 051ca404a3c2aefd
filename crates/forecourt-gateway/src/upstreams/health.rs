//! What is known of a node's health: counted by callers' requests and by probes, read when a node is chosen.
//!
//! Invariant: reading costs one load while a node is healthy. A node that only callers' requests judge would never
//! be judged again once it gets none, so it is given another chance after a while.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use forecourt_core::gateway_state::{HealthyWhen, UnhealthyWhen, UpstreamNode};

/// After this time a node that nothing probes gets requests again; the next failure takes it out at once.
const SECOND_CHANCE: Duration = Duration::from_secs(10);

/// A node's health.
pub(crate) struct Health {
    is_out: AtomicBool,
    /// Milliseconds since `made`.
    out_since: AtomicU64,
    made: Instant,
    is_probed: bool,
    second_chance: Duration,
    successes: AtomicU32,
    http_failures: AtomicU32,
    tcp_failures: AtomicU32,
    timeouts: AtomicU32,
}

/// How a request or a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this status.
    Status(u16),
    /// With a connection, which is all that was asked for.
    Connected,
    /// No connection, or one that broke off before an answer.
    Unreachable,
    /// Too late.
    TimedOut,
}

impl Health {
    /// That of a node of which nothing is known: good.
    pub(super) fn new(is_probed: bool) -> Self {
        Self {
            is_out: AtomicBool::new(false),
            out_since: AtomicU64::new(0),
            made: Instant::now(),
            is_probed,
            second_chance: SECOND_CHANCE,
            successes: AtomicU32::new(0),
            http_failures: AtomicU32::new(0),
            tcp_failures: AtomicU32::new(0),
            timeouts: AtomicU32::new(0),
        }
    }

    /// Whether it failed as often as its checks allow, and has not recovered.
    pub(super) fn is_out(&self) -> bool {
        self.is_out.load(Relaxed)
    }

    /// Whether the node may be chosen before those that failed.
    pub(super) fn is_usable(&self, node: &UpstreamNode) -> bool {
        if !self.is_out() {
            return true;
        }
        let out_for = self.now().saturating_sub(self.out_since.load(Relaxed));
        if self.is_probed || u128::from(out_for) < self.second_chance.as_millis() {
            return false;
        }
        // The counts of failures stay, so that one more is enough.
        self.turn(false, node);
        true
    }

    /// Counts an outcome.
    pub(super) fn note(
        &self,
        outcome: Outcome,
        healthy: &HealthyWhen,
        unhealthy: &UnhealthyWhen,
        node: &UpstreamNode,
    ) {
        let (count, limit) = match outcome {
            Outcome::Connected => return self.succeeded(healthy, node),
            Outcome::Status(status) if healthy.statuses.contains(&status) => {
                return self.succeeded(healthy, node);
            }
            Outcome::Status(status) if unhealthy.statuses.contains(&status) => {
                (&self.http_failures, unhealthy.http_failures)
            }
            Outcome::Status(_) => return,
            Outcome::Unreachable => (&self.tcp_failures, unhealthy.tcp_failures),
            Outcome::TimedOut => (&self.timeouts, unhealthy.timeouts),
        };
        clear(&self.successes);
        let failures = count.fetch_add(1, Relaxed).saturating_add(1);
        if limit > 0 && failures >= limit {
            // It must not wrap around, and one more failure after a second chance is to be enough.
            count.store(limit, Relaxed);
            self.turn(true, node);
        }
    }

    fn succeeded(&self, when: &HealthyWhen, node: &UpstreamNode) {
        for failures in [&self.http_failures, &self.tcp_failures, &self.timeouts] {
            clear(failures);
        }
        if self.is_out() && when.successes > 0 && self.successes.fetch_add(1, Relaxed) + 1 >= when.successes {
            clear(&self.successes);
            self.turn(false, node);
        }
    }

    fn turn(&self, is_out: bool, node: &UpstreamNode) {
        if is_out {
            self.out_since.store(self.now(), Relaxed);
        }
        if self.is_out.swap(is_out, Relaxed) != is_out {
            let (upstream_host, upstream_port) = (node.host.as_str(), node.port);
            if is_out {
                tracing::warn!(
                    upstream_host,
                    upstream_port,
                    "a node failed its checks and is not used while another is"
                );
            } else {
                tracing::info!(upstream_host, upstream_port, "a node is used again");
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Most counts are 0 most of the time; a store would take the line from other cores for nothing.
fn clear(count: &AtomicU32) {
    if count.load(Relaxed) != 0 {
        count.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use forecourt_core::gateway_state::{HealthyWhen, UnhealthyWhen, UpstreamNode};

    use super::{Health, Outcome};

    fn rules() -> (HealthyWhen, UnhealthyWhen, UpstreamNode) {
        let healthy = HealthyWhen { statuses: vec![200], successes: 2 };
        let unhealthy = UnhealthyWhen { statuses: vec![500], http_failures: 3, tcp_failures: 2, timeouts: 0 };
        (healthy, unhealthy, UpstreamNode { host: "a".into(), port: 1, weight: 1, priority: 0 })
    }

    /// Whether the node is usable after these outcomes.
    fn after(health: &Health, outcomes: &[Outcome]) -> bool {
        let (healthy, unhealthy, node) = rules();
        outcomes.iter().for_each(|outcome| health.note(*outcome, &healthy, &unhealthy, &node));
        health.is_usable(&node)
    }

    #[test]
    fn a_node_is_out_after_enough_failures_in_a_row_of_one_kind() {
        use Outcome::{Status, TimedOut, Unreachable};
        assert!(after(
            &Health::new(true),
            &[Status(500), Status(500), Status(200), Status(500), Status(500)]
        ));
        assert!(after(&Health::new(true), &[Status(500), Status(500), Unreachable]));
        assert!(after(&Health::new(true), &[TimedOut; 50]), "0 is never");
        assert!(!after(&Health::new(true), &[Status(500), Status(404), Status(500), Status(500)]));
        assert!(!after(&Health::new(true), &[Unreachable, Unreachable]));
    }

    #[test]
    fn a_node_is_back_after_enough_successes_in_a_row() {
        use Outcome::{Connected, Status, Unreachable};
        let health = Health::new(true);
        assert!(!after(&health, &[Unreachable, Unreachable, Status(200), Unreachable, Status(200)]));
        assert!(after(&health, &[Connected]));
    }

    #[test]
    fn a_node_that_nothing_probes_gets_a_second_chance_and_no_third_failure() {
        use Outcome::Unreachable;
        let mut health = Health::new(false);
        assert!(!after(&health, &[Unreachable, Unreachable]));
        health.second_chance = Duration::ZERO;
        assert!(after(&health, &[]));
        health.second_chance = Duration::from_secs(600);
        assert!(!after(&health, &[Unreachable]));
    }
}
