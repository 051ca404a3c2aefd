//! What must be true of every database at rest, whatever was killed before: asked of the rows themselves.
//!
//! Invariant: everything is read from one snapshot, the same way from both engines, and every violation is told with the
//! name of its check and of its row; nothing is changed. `docs/operating.md` and the decisions in `docs/adr/` say what is
//! checked here. It needs no process, and does not mind one that runs.

mod change_logs;
mod columns;
mod messages;
mod projections;
mod records;
mod references;
mod seals;
mod snapshots;
mod states;
mod usage;

use std::fmt;

use crate::{
    TestDatabase,
    processes::{binary, command, run},
};

pub use self::{
    messages::untold,
    snapshots::{Row, Snapshot, copied_with},
    usage::counted_calls,
};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The check that found it.
    pub check: &'static str,
    /// The row: its table and its key.
    pub row: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Collects violations of one check after the other.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Violation>);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check, self.row, self.problem)
    }
}

impl Findings {
    pub(crate) fn add(&mut self, check: &'static str, row: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Violation { check, row: row.into(), problem: problem.into() });
    }

    /// Adds it where `is_right` is false.
    pub(crate) fn expect(
        &mut self,
        is_right: bool,
        check: &'static str,
        row: &Row,
        problem: impl FnOnce() -> String,
    ) {
        if !is_right {
            self.add(check, row.name(), problem());
        }
    }
}

/// Everything that is wrong with the rows of a snapshot, in order.
pub fn of_rows(snapshot: &Snapshot) -> Vec<Violation> {
    let mut findings = Findings::default();
    references::check(snapshot, &mut findings);
    states::check(snapshot, &mut findings);
    columns::check(snapshot, &mut findings);
    change_logs::check(snapshot, &mut findings);
    records::check(snapshot, &mut findings);
    messages::check(snapshot, &mut findings);
    seals::check(snapshot, &mut findings);
    usage::check(snapshot, &mut findings);
    findings.0.sort();
    findings.0
}

/// Everything that is wrong with a database: its rows, what gateways are told against what the domain says, and the chain
/// of its audit log as the real binary verifies it.
pub async fn violations(database: &TestDatabase) -> Vec<Violation> {
    let snapshot = Snapshot::of(&database.location()).await;
    let mut violations = of_rows(&snapshot);
    let mut findings = Findings::default();
    projections::check(database, &snapshot, &mut findings).await;
    let verify = command(&binary(), &["audit", "verify"], database);
    let ended = tokio::task::spawn_blocking(|| run(verify)).await.unwrap();
    if ended.status.code() != Some(0) {
        findings.add("audit chain", "audit_entries", format!("{}{}", ended.stdout, ended.stderr));
    }
    violations.extend(findings.0);
    violations
}

/// Fails with every violation, where there is any.
///
/// # Panics
/// Then.
pub async fn assert_consistent(database: &TestDatabase, when: &str) {
    assert_none(&violations(database).await, when);
}

/// Fails with all of them.
///
/// # Panics
/// When there are any.
#[track_caller]
pub fn assert_none(violations: &[Violation], when: &str) {
    let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{when}: {} violations\n{}", lines.len(), lines.join("\n"));
}
