//! The work of the background, counted: how often each job ran, and how often it failed.

use std::sync::atomic::{AtomicU64, Ordering};

/// A job.
#[derive(Debug, Default)]
pub struct Job {
    runs: AtomicU64,
    failures: AtomicU64,
}

/// The jobs of a process that serves.
#[derive(Debug, Default)]
pub struct Jobs {
    /// The embedded gateway's counts are stored.
    pub usage_delivery: Job,
    /// Counted calls are added up.
    pub usage_keeping: Job,
    /// Old sums are taken away.
    pub usage_pruning: Job,
    /// OAuth clients are removed and changed at their providers.
    pub dcr_removing: Job,
    /// The change log forgets what nobody needs.
    pub change_log_upkeep: Job,
    /// Mails and webhooks are sent.
    pub delivering: Job,
    /// Answers are written to the audit log.
    pub audit_answers: Job,
    /// Old entries of the audit log are taken away.
    pub audit_pruning: Job,
    /// Old events are taken away.
    pub event_pruning: Job,
    /// Secrets are sealed anew after the master key was changed.
    pub resealing: Job,
}

impl Job {
    /// Counts a run that ended so.
    pub fn ended<T, E>(&self, outcome: &Result<T, E>) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if outcome.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often it ran, and how often it failed.
    pub fn counts(&self) -> (u64, u64) {
        (self.runs.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }
}

impl Jobs {
    /// Each with its name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Job)> {
        [
            ("usage_delivery", &self.usage_delivery),
            ("usage_keeping", &self.usage_keeping),
            ("usage_pruning", &self.usage_pruning),
            ("dcr_removing", &self.dcr_removing),
            ("change_log_upkeep", &self.change_log_upkeep),
            ("delivering", &self.delivering),
            ("audit_answers", &self.audit_answers),
            ("audit_pruning", &self.audit_pruning),
            ("event_pruning", &self.event_pruning),
            ("resealing", &self.resealing),
        ]
        .into_iter()
    }
}
