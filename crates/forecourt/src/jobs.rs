//! The work of the background, counted: how often each job ran, how often it failed, and whether it goes on at all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A job.
#[derive(Debug)]
pub struct Job {
    name: &'static str,
    runs: AtomicU64,
    failures: AtomicU64,
    broken_off: AtomicU64,
    is_down: AtomicBool,
}

/// Declares each job as a member, and the list of all.
macro_rules! jobs {
    ($($(#[$doc:meta])* $job:ident;)*) => {
        /// The jobs of a process that serves.
        #[derive(Debug)]
        pub struct Jobs {
            $($(#[$doc])* pub $job: Job,)*
        }

        impl Default for Jobs {
            fn default() -> Self {
                Self { $($job: Job::named(stringify!($job)),)* }
            }
        }

        impl Jobs {
            /// Each of them.
            pub fn all(&self) -> impl Iterator<Item = &Job> {
                [$(&self.$job),*].into_iter()
            }
        }
    };
}

jobs! {
    /// The gateway's counts are stored: the embedded one's, or a node's by its control plane.
    usage_delivery;
    /// Counted calls are added up.
    usage_keeping;
    /// Old sums are taken away.
    usage_pruning;
    /// OAuth clients are removed and changed at their providers.
    dcr_removing;
    /// The change log forgets what nobody needs.
    change_log_upkeep;
    /// Mails and webhooks are sent.
    delivering;
    /// Answers are written to the audit log.
    audit_answers;
    /// Old entries of the audit log are taken away.
    audit_pruning;
    /// Old events are taken away.
    event_pruning;
    /// Secrets are sealed anew after the master key was changed.
    resealing;
    /// The gateway hears of changes: from the database, or a node from its control plane.
    gateway_feed;
    /// What quotas counted is kept on the disk.
    quota_keeping;
    /// It is looked whether the database answers.
    database_watch;
    /// Spans are sent to a collector.
    span_export;
    // These run all the time, and no runs are counted.
    /// What other processes commit is heard of.
    revision_listening;
    /// The console and the Admin API are served.
    admin_listener;
    /// The same over TLS.
    admin_tls_listener;
    /// The Portal API is served.
    portal_api_listener;
    /// The site is served.
    site_listener;
    /// Callers are served.
    gateway_listener;
    /// The same over TLS.
    gateway_tls_listener;
    /// Gateway nodes are served.
    sync_listener;
    /// Health and metrics are served.
    status_listener;
}

impl Job {
    const fn named(name: &'static str) -> Self {
        Self {
            name,
            runs: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            broken_off: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
        }
    }

    /// What it is called.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Counts a run that ended so. One that failed shows as well that the job goes on.
    pub fn ended<T, E>(&self, outcome: &Result<T, E>) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if outcome.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.goes_on();
    }

    /// Counts that it panicked, or ended before it was told to; it is down from now on.
    pub(crate) fn broke_off(&self) {
        self.broken_off.fetch_add(1, Ordering::Relaxed);
        self.is_down.store(true, Ordering::Relaxed);
    }

    /// It is down no more.
    pub(crate) fn goes_on(&self) {
        self.is_down.store(false, Ordering::Relaxed);
    }

    /// How often it ran, and how often it failed.
    pub fn counts(&self) -> (u64, u64) {
        (self.runs.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// How often it panicked, or ended before it was told to.
    pub fn broken_off(&self) -> u64 {
        self.broken_off.load(Ordering::Relaxed)
    }

    /// Whether it broke off, and nothing shows yet that it goes on.
    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }
}

impl Jobs {
    /// Those of a gateway node.
    pub fn of_a_node(&self) -> impl Iterator<Item = &Job> {
        [
            &self.usage_delivery,
            &self.gateway_feed,
            &self.quota_keeping,
            &self.span_export,
            &self.gateway_listener,
            &self.gateway_tls_listener,
            &self.status_listener,
        ]
        .into_iter()
    }

    /// The names of those that broke off and do not go on yet.
    pub fn down(&self) -> impl Iterator<Item = &'static str> {
        self.all().filter(|job| job.is_down()).map(Job::name)
    }
}
