//! What is counted and told at `/metrics`, in Prometheus' text format 0.0.4; the list for people is `docs/metrics.md`.
//!
//! Invariant: a value can only be told for a metric of [`ALL`], by whose constants every other module names it, and a
//! test holds that list against the document, in both directions.

pub mod expositions;
mod processes;
mod served;

pub use self::{
    expositions::{Exposition, Sample},
    processes::Process,
    served::{of_jobs, of_process_that_serves},
};

/// How the values of a metric go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and begins at 0 with the process.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations by length.
    Histogram,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How its values go on.
    pub kind: Kind,
    /// What tells its values apart.
    pub labels: &'static [&'static str],
    /// What it counts, in one sentence.
    pub help: &'static str,
}

/// Declares each metric as a constant, and the list of all.
macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// Every metric that there is.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD_INFO: Gauge "forecourt_build_info" ["version"] "The running version; always 1.";
    PROCESS_START: Gauge "process_start_time_seconds" [] "When the process started, in seconds since the epoch.";
    PROCESS_MEMORY: Gauge "process_resident_memory_bytes" [] "Memory that the process holds.";
    PROCESS_FILES: Gauge "process_open_fds" [] "Files and sockets that the process has open.";
    HTTP_REQUESTS: Counter "forecourt_http_requests_total" ["face", "method", "route", "status"]
        "Requests that the console, the site and both APIs answered.";
    HTTP_DURATION: Histogram "forecourt_http_request_duration_seconds" ["face", "route"]
        "How long they took.";
    HTTP_TURNED_AWAY: Counter "forecourt_http_turned_away_total" ["face"]
        "Requests that were answered 503 because the database is away.";
    SIGN_IN_FAILURES: Counter "forecourt_sign_in_failures_total" []
        "Sign-ins and token checks that failed.";
    SIGN_IN_REFUSALS: Counter "forecourt_sign_in_refusals_total" []
        "Sign-ins and token checks that were told to wait, because too many had failed before.";
    PASSWORD_HASHES: Counter "forecourt_password_hashes_total" []
        "Slow hashes of passwords, to store them and to check them.";
    DATABASE_UP: Gauge "forecourt_database_up" [] "Whether the database answers.";
    DATABASE_WRITABLE: Gauge "forecourt_database_writable" [] "Whether the last write was possible.";
    DATABASE_CONNECTIONS: Gauge "forecourt_database_connections" ["state"]
        "Open connections to the database that read, idle and busy.";
    DATABASE_WAIT: Histogram "forecourt_database_write_wait_seconds" []
        "How long writers waited for their turn.";
    COMMITTED_REVISION: Gauge "forecourt_committed_revision" []
        "The latest gateway revision that this process committed or heard of.";
    SYNC_DIVERGED: Counter "forecourt_sync_diverged_total" []
        "Nodes that came with a revision of another line than this database's.";
    NODES: Gauge "forecourt_nodes" ["connection"] "Gateway nodes that are listed, connected or not.";
    NODE_LAG: Gauge "forecourt_nodes_lag_revisions" []
        "By how many revisions the connected node that is furthest behind is behind.";
    USAGE_INBOX: Gauge "forecourt_usage_inbox_pieces" []
        "Pieces of counted calls that wait to be added up.";
    REMOVALS_DUE: Gauge "forecourt_dcr_removals_due" []
        "OAuth clients whose removal at their provider is due, 1000 at most.";
    DELIVERIES_WAITING: Gauge "forecourt_deliveries_waiting" []
        "Mails and webhooks that wait for their turn or for the next attempt, 1000 at most.";
    DELIVERIES_OVERDUE: Gauge "forecourt_deliveries_overdue_seconds" []
        "For how long the one has been due, or unmade, that is so longest; 0 without one.";
    DELIVERIES_DEAD: Gauge "forecourt_deliveries_dead" []
        "Mails and webhooks that were given up, of the last 30 days, 1000 at most.";
    DELIVERY_ATTEMPTS: Counter "forecourt_delivery_attempts_total" ["type", "outcome"]
        "Attempts of this process at mails and webhooks, by how they ended.";
    JOB_RUNS: Counter "forecourt_job_runs_total" ["job"] "How often a job of the background ran.";
    JOB_FAILURES: Counter "forecourt_job_failures_total" ["job"] "How often it failed.";
    JOB_BREAKS: Counter "forecourt_job_breaks_total" ["job"]
        "How often it panicked, or ended before it was told to, and was begun anew.";
    JOB_DOWN: Gauge "forecourt_job_down" ["job"] "Whether it broke off so, and does not go on yet.";
    APPLIED_REVISION: Gauge "forecourt_gateway_applied_revision" [] "The revision that the gateway enforces.";
    ANSWERED: Counter "forecourt_gateway_answered_total" ["status"]
        "Requests that the gateway answered, its own refusals among them.";
    REJECTED: Counter "forecourt_gateway_rejected_total" ["reason"]
        "Requests that the gateway answered by itself, by reason.";
    REFUSED_CONNECTIONS: Counter "forecourt_gateway_refused_connections_total" []
        "Connections beyond the limit.";
    GATEWAY_HASHES: Counter "forecourt_gateway_password_hashes_total" []
        "Slow hashes of passwords that callers showed.";
    LIMITS_FALLBACK: Counter "forecourt_gateway_limits_fallback_total" []
        "Calls counted on this node alone because Redis was away.";
    LIMITS_CALLERS: Gauge "forecourt_gateway_limits_callers" []
        "Pairs of application and product with calls that count for a limit.";
    LIMITS_SHARED: Gauge "forecourt_gateway_limits_shared" []
        "Whether the counters in Redis answer: 1 or 0; absent without Redis.";
    NODE_READY: Gauge "forecourt_node_ready" [] "Whether a whole state is in force that is not too old.";
    NODE_CONNECTED: Gauge "forecourt_node_connected" [] "Whether a control plane's stream is open.";
    NODE_TURNED_AWAY: Gauge "forecourt_node_turned_away" [] "Whether the control plane refused this node.";
    NODE_STALENESS: Gauge "forecourt_node_staleness_seconds" []
        "For how long the control plane has not been heard.";
    NODE_DRIFT: Gauge "forecourt_node_drift" [] "Kinds of rows in which the state was found to differ.";
    NODE_CLOCK: Gauge "forecourt_node_clock_offset_seconds" [] "By how much this machine's clock is corrected.";
    NODE_KEPT_REVISION: Gauge "forecourt_node_kept_revision" []
        "The revision up to which everything is on the disk.";
    NODE_DISK_FAILING: Gauge "forecourt_node_disk_failing" [] "Whether the disk takes no state now.";
    NODE_DISK_FAILURES: Counter "forecourt_node_disk_failures_total" [] "How often the disk took no state.";
    NODE_DAMAGED: Counter "forecourt_node_damaged_states_total" [] "States set aside as damaged.";
    NODE_PENDING_USAGE: Gauge "forecourt_node_pending_usage_batches" []
        "Counted calls that wait, in batches.";
    NODE_DROPPED_USAGE: Counter "forecourt_node_dropped_usage_batches_total" []
        "Counted calls that were lost, in batches.";
}

/// What every process tells of itself.
pub fn of_process(exposition: &mut Exposition, process: &Process, version: &str) {
    exposition.family(&BUILD_INFO, [Sample::labelled(&[version], 1)]);
    exposition.family(&PROCESS_START, [Sample::plain(process.started_at())]);
    exposition.family(&PROCESS_MEMORY, process.resident_bytes().map(Sample::plain));
    exposition.family(&PROCESS_FILES, process.open_files().map(Sample::plain));
}

/// What every gateway counts, on its own machine or in a process that serves.
pub fn of_gateway(exposition: &mut Exposition, gateway: &forecourt_gateway::Gateway) {
    exposition.family(&APPLIED_REVISION, [Sample::plain(*gateway.applied().borrow())]);
    exposition.family(&ANSWERED, gateway.answered().map(|(class, count)| Sample::labelled(&[class], count)));
    exposition
        .family(&REJECTED, gateway.rejected().map(|(reason, count)| Sample::labelled(&[reason], count)));
    exposition.family(&REFUSED_CONNECTIONS, [Sample::plain(gateway.refused_connections())]);
    exposition.family(&GATEWAY_HASHES, [Sample::plain(gateway.password_hashes())]);
    exposition.family(&LIMITS_FALLBACK, [Sample::plain(gateway.limit_fallbacks())]);
    exposition.family(&LIMITS_CALLERS, [Sample::plain(gateway.limited_callers())]);
    let shared = gateway.limits_are_shared();
    exposition.family(&LIMITS_SHARED, shared.map(|shared| Sample::plain(u8::from(shared))));
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/metrics.md");

    /// The first, second and third cell of each row of the document's tables that names a metric.
    fn documented() -> Vec<(String, String, String)> {
        let rows =
            DOCUMENT.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 3);
        let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
        cells
            .map(|cells| (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), cells[2].to_owned()))
            .collect()
    }

    #[test]
    fn the_document_lists_every_metric_with_its_kind_and_labels_and_no_other() {
        let listed = ALL.iter().map(|metric| {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            (metric.name.to_owned(), format!("{:?}", metric.kind).to_lowercase(), labels.join(", "))
        });
        let (mut listed, mut documented) = (listed.collect::<Vec<_>>(), documented());
        listed.sort();
        documented.sort();
        assert_eq!(listed, documented);
    }

    #[test]
    fn every_alert_asks_for_a_metric_and_labels_that_there_are() {
        let alerts = include_str!("../../../docs/operating.md");
        let expressions: Vec<_> =
            alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
        assert!(expressions.len() > 10, "{expressions:?}");
        let is_part = |character: char| character.is_ascii_lowercase() || character == '_';
        for expression in expressions {
            assert!(expression.contains("forecourt_"), "{expression}");
            for (at, _) in expression.match_indices("forecourt_") {
                let rest = &expression[at..];
                let (name, after) = rest.split_at(rest.find(|part| !is_part(part)).unwrap_or(rest.len()));
                let metric = ALL.iter().find(|metric| metric.name == name);
                let metric = metric.unwrap_or_else(|| panic!("there is no {name}: {expression}"));
                if let Some(labels) = after.strip_prefix('{') {
                    let label = &labels[..labels.find(|part| !is_part(part)).unwrap()];
                    assert!(metric.labels.contains(&label), "{name} has no {label}: {expression}");
                }
            }
        }
    }

    #[test]
    fn the_document_lists_every_job_and_no_other() {
        let row = DOCUMENT.lines().find(|line| line.starts_with("| `job` | ")).unwrap();
        let mut documented: Vec<_> = row.split('`').skip(3).step_by(2).collect();
        documented.sort_unstable();
        documented.dedup();
        let jobs = crate::jobs::Jobs::default();
        let mut known: Vec<_> = jobs.all().map(crate::jobs::Job::name).collect();
        known.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn names_are_as_prometheus_wants_them_and_none_is_given_twice() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
        }
    }
}
