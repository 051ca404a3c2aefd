//! The audit log: read and exported by administrators; written by every change (`recording.rs`) and every answer
//! (`answers.rs`); kept in shape by `keeping.rs`.
//!
//! Invariant: a record is stored in the transaction of its change, and no use case changes one.

mod answers;
mod keeping;
mod names;
mod recording;

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    administrators::Administrator,
    audit_logs::{AuditFilter, EventType, ToldRecord, all_event_types},
    ids::{AdministratorId, AuditRecordId},
    lists::List,
    permissions::{Action, Target},
};
use forecourt_store::AuditPlace;

use crate::{App, Error, access};

pub(crate) use answers::Pending;
pub use answers::{answered, due, flush};
pub(crate) use keeping::kept_from;
pub use keeping::{Verified, prune, verify};
pub use names::{RecordNames, names};
pub(crate) use recording::{append, append_bare};

/// How many records an export reads at a time, or fewer where they are large.
const EXPORTED_AT_ONCE: u64 = 500;

/// A record, and the administrator who did it as they are called now.
#[derive(Clone, Debug)]
pub struct ListedRecord {
    /// The record.
    pub told: ToldRecord,
    /// Who did it, where it was an administrator who is still there.
    pub operator: Option<Administrator>,
}

/// An export that is under way: the records of a filter, some hundred and about a megabyte at a time, so that none are
/// collected.
#[derive(Clone, Debug)]
pub struct Export {
    filter: AuditFilter,
    place: Option<AuditPlace>,
    is_done: bool,
}

/// The records that `filter` wants; none where the caller may see none. What this process answered before is in it.
pub async fn list(app: &App, caller: &Caller, filter: &AuditFilter) -> Result<List<ListedRecord>, Error> {
    if !access::shows(caller, Action::GetAudit, Target::Organization)? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    written(app).await;
    let found = app.read().audit_records(filter).await?;
    Ok(List { rows: with_operators(app, found.rows).await?, total: found.total })
}

/// One record.
pub async fn record(app: &App, caller: &Caller, id: &AuditRecordId) -> Result<ListedRecord, Error> {
    access::permits(caller, Action::GetAudit, Target::Organization)?;
    written(app).await;
    let found = app.read().audit_record(id).await?.ok_or_else(Error::not_found)?;
    with_operators(app, vec![found]).await?.pop().ok_or_else(Error::not_found)
}

/// Every event type; none where the caller may not see the log.
pub fn event_types(caller: &Caller) -> Result<Vec<EventType>, Error> {
    match access::shows(caller, Action::GetAudit, Target::Organization)? {
        true => Ok(all_event_types()),
        false => Ok(Vec::new()),
    }
}

/// Begins an export of all records, which [`Export::narrowed`] narrows; paging is left out.
pub async fn export(app: &App, caller: &Caller) -> Result<Export, Error> {
    access::permits(caller, Action::ExportAudits, Target::Organization)?;
    written(app).await;
    Ok(Export { filter: AuditFilter::default(), place: None, is_done: false })
}

impl Export {
    /// The same of the records that `filter` wants.
    #[must_use]
    pub fn narrowed(self, filter: AuditFilter) -> Self {
        Self { filter, ..self }
    }

    /// The next records; none at the end.
    pub async fn next(&mut self, app: &App) -> Result<Vec<ListedRecord>, Error> {
        while !self.is_done {
            let page = app.read().audit_records_behind(&self.filter, self.place, EXPORTED_AT_ONCE).await?;
            self.is_done = page.end.is_none();
            self.place = page.end.or(self.place);
            // Those of a page may all have been taken away, because they are old, while it was read.
            if !page.rows.is_empty() {
                return with_operators(app, page.rows).await;
            }
        }
        Ok(Vec::new())
    }
}

/// Writes what was answered, so that it can be read. Where that fails what is there is read all the same.
async fn written(app: &App) {
    if let Err(error) = flush(app).await {
        tracing::warn!(error.cause = %error, "the latest answers are not in the audit log yet");
    }
}

async fn with_operators(app: &App, found: Vec<ToldRecord>) -> Result<Vec<ListedRecord>, Error> {
    // Few people act: each is looked up once.
    let mut known: HashMap<String, Option<Administrator>> = HashMap::new();
    let mut listed = Vec::with_capacity(found.len());
    for told in found {
        let operator = &told.record.operator;
        let operator = match operator.kind.as_str() {
            "administrator" if !operator.id.is_empty() => match known.get(&operator.id) {
                Some(found) => found.clone(),
                None => {
                    let id = AdministratorId::known(operator.id.as_str());
                    let found = app.read().administrator(&id).await?;
                    known.insert(operator.id.clone(), found.clone());
                    found
                }
            },
            _ => None,
        };
        listed.push(ListedRecord { told, operator });
    }
    Ok(listed)
}
