//! The audit log: who changed what, when, from where, and what they were answered.
//!
//! A call makes one [`AuditRecord`], which is stored with its change. What comes later is told by further entries with
//! the record's id: the rest of a change that takes several steps, and the answer. Invariant: an entry is never changed;
//! `audit_logs/chains.rs` makes that visible, and nothing in an entry is a secret (`audit_logs/masking.rs`).

pub mod chains;
mod columns;
mod event_types;
mod journals;
pub mod masking;
pub mod objects;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    actors::{Actor, Caller, Source},
    events::Event,
    ids::AuditRecordId,
    lists::{Direction, Paging},
    time::Timestamp,
};

pub use columns::{AuditColumns, LONGEST_SEARCHED};
pub use event_types::{EventType, all_event_types};
pub use journals::{AnsweredCall, AuditedRequest, Journal, Proof};

/// The largest body of a request or an answer that is kept, bytes of its masked JSON.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditOperator {
    /// What sort of actor: the word of [`Event::actor_kind`].
    pub kind: String,
    /// An administrator's id, a developer's public id, the id of a portal or of a gateway group; empty for the others.
    pub id: String,
    /// What they are called, as it was then; for a failed sign-in, what [`masking::typed_name`] tells of what was typed.
    pub username: String,
}

/// What was asked, with secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditedCall {
    /// The method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The body, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What the client calls itself, at most 256 characters; may be empty.
    pub user_agent: String,
}

/// One thing that changed: the members that are stored of it, with secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditChange {
    /// What happened: the word of an event.
    pub event: String,
    /// The noun's kind.
    pub noun: String,
    /// Its id.
    pub id: String,
    /// What else is worth knowing; null: nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
    /// How it was; absent where it was not, or is not stored as one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// How it is; absent where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What was done in one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditRecordId,
    /// When.
    pub at: Timestamp,
    /// What was asked for: an [`EventType`].
    pub event_type: String,
    /// Who.
    pub operator: AuditOperator,
    /// Through which door: `dashboard`, `api`, `portal`, `command_line` or `job`.
    pub source: String,
    /// The name of the token that proved it, where it was one that has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_name: Option<String>,
    /// What it was done to; may be empty.
    pub resource_id: String,
    /// The gateway group that this is, or is in; empty where it is in none.
    pub gateway_group_id: String,
    /// The client's address, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// What was asked; absent in jobs and at the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<AuditedCall>,
    /// What changed; empty where nothing did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<AuditChange>,
    /// How many things changed, where that is more than are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_count: Option<u64>,
    /// Why it did not happen, where that was known when it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// The rest of what a call changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditFurther {
    /// The record's id.
    pub id: AuditRecordId,
    /// When.
    pub at: Timestamp,
    /// What changed.
    pub changes: Vec<AuditChange>,
    /// How many things changed, where that is more than are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_count: Option<u64>,
}

/// What a call was answered, with secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditAnswer {
    /// The record's id.
    pub id: AuditRecordId,
    /// When.
    pub at: Timestamp,
    /// The status.
    pub status_code: u16,
    /// The body, where it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Why it did not happen, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// What one entry of the log holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AuditEntry {
    /// What was done in a call.
    Record(Box<AuditRecord>),
    /// The rest of what it changed.
    Further(AuditFurther),
    /// What it was answered.
    Answer(AuditAnswer),
}

/// What is in a text that should be an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedEntry {
    /// Its place in the log, from 1.
    pub number: i64,
    /// The entry.
    pub entry: AuditEntry,
}

/// A record with all that followed.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldRecord {
    /// Its place in the log.
    pub number: i64,
    /// What was done.
    pub record: AuditRecord,
    /// What else it changed.
    pub further: Vec<AuditChange>,
    /// How many more things that else changed, and are not listed.
    pub further_left_out: u64,
    /// What it was answered; `None`: not yet, or the process ended before.
    pub answer: Option<AuditAnswer>,
}

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// With this event type.
    pub event_type: Option<String>,
    /// By this operator.
    pub operator_id: Option<String>,
    /// About this object.
    pub resource_id: Option<String>,
    /// Of this gateway group.
    pub gateway_group_id: Option<String>,
    /// Not before.
    pub start_at: Option<Timestamp>,
    /// Before the end of this second.
    pub end_at: Option<Timestamp>,
    /// By time, the newest first unless asked otherwise; ties by place in the log.
    pub direction: Direction,
    /// Which page.
    pub paging: Paging,
}

impl AuditOperator {
    /// Who `caller` is.
    pub fn of(caller: &Caller) -> Self {
        let of = |kind: &str, id: &str, username: &str| Self {
            kind: kind.to_owned(),
            id: id.to_owned(),
            username: username.to_owned(),
        };
        match &caller.actor {
            Actor::Administrator { id, username, .. } => of("administrator", id.as_str(), username),
            Actor::GatewayGroupKey(group) => of("gateway_group_key", group.as_str(), ""),
            Actor::PortalFrontEnd(portal) => of("portal_front_end", portal.as_str(), ""),
            Actor::Developer { name, person_id, .. } => {
                let kind = if person_id.is_some() { "person" } else { "developer" };
                of(kind, name.as_str(), name.as_str())
            }
            Actor::Directory => of("directory", "", ""),
            Actor::PortalDirectory(portal) => of("directory", portal.as_str(), ""),
            Actor::ApprovalLink(approval) => of("approval_link", approval.as_str(), ""),
            Actor::Guest(_) => of("guest", "", ""),
            Actor::System => of("system", "", ""),
        }
    }
}

/// Through which door `caller` came, in the words of the log.
pub fn source_of(caller: &Caller) -> &'static str {
    match caller.source {
        Source::Console => "dashboard",
        Source::AdminApi if caller.journal.is_by_session() => "dashboard",
        Source::AdminApi => "api",
        Source::PortalApi | Source::Site => "portal",
        Source::CommandLine => "command_line",
        Source::Job => "job",
    }
}

impl AuditRecord {
    /// What `caller` did, as far as the call itself tells: nothing is changed by it yet.
    pub fn new(id: AuditRecordId, at: Timestamp, caller: &Caller) -> Self {
        let journal = &caller.journal;
        Self {
            id,
            at,
            event_type: journal.event_type().unwrap_or_default(),
            operator: AuditOperator::of(caller),
            source: source_of(caller).to_owned(),
            token_name: journal.token_name(),
            resource_id: journal.resource_id().unwrap_or_default(),
            gateway_group_id: String::new(),
            ip_address: caller.address.clone(),
            request_id: caller.request_id.to_string(),
            request: journal.call(),
            changes: Vec::new(),
            change_count: None,
            error_message: None,
        }
    }

    /// The same with what happened: `events` in their order, and of the `count` things that changed those that are kept.
    ///
    /// The event that fits what was asked for says what it was done to; without such a one the last does.
    #[must_use]
    pub fn with_changes(mut self, events: &[Event], changes: Vec<AuditChange>, count: u64) -> Self {
        let fitting = events.iter().rev().find(|event| event.name.event_type() == self.event_type);
        if let Some(event) = fitting.or(events.last()) {
            if self.event_type.is_empty() {
                self.event_type = event.name.event_type().to_owned();
            }
            if !event.noun_id.is_empty() {
                self.resource_id.clone_from(&event.noun_id);
            }
            if event.name.is_failed_sign_in() {
                let typed = event.detail.get("username").and_then(Value::as_str);
                let typed = typed.unwrap_or_default();
                self.operator.username = typed.to_owned();
                self.error_message = Some("unauthorized".to_owned());
                // What was typed may stand in any field of it.
                if let Some(body) = self.request.as_mut().and_then(|request| request.body.as_mut()) {
                    *body = masking::names_but(body, typed);
                }
            } else if self.operator.id.is_empty() && event.name.is_sign_in_or_out() {
                self.operator.id.clone_from(&event.noun_id);
                self.operator.kind.clone_from(&event.noun);
            }
        }
        self.gateway_group_id = gateway_group_of(events, &changes).unwrap_or_default();
        self.change_count = beyond(&changes, count);
        self.changes = changes;
        self
    }
}

/// `count`, where it is more than are listed.
pub fn beyond(listed: &[AuditChange], count: u64) -> Option<u64> {
    Some(count).filter(|count| *count > listed.len() as u64)
}

/// The gateway group that one of the changed things is, or is in.
fn gateway_group_of(events: &[Event], changes: &[AuditChange]) -> Option<String> {
    let member = |value: &Option<Value>| {
        value.as_ref()?.get("gateway_group_id")?.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
    };
    let of = |change: &AuditChange| match change.noun.as_str() {
        "gateway_group" => Some(change.id.clone()),
        _ => member(&change.after).or_else(|| member(&change.before)),
    };
    let told = |event: &Event| event.detail.get("gateway_group_id")?.as_str().map(str::to_owned);
    changes.iter().rev().find_map(of).or_else(|| events.iter().rev().find_map(told))
}

impl NumberedEntry {
    /// The text that is stored and that the chain covers.
    ///
    /// # Errors
    /// Never for what this program makes: maps have texts as keys.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let mut value = serde_json::to_value(&self.entry)?;
        if let Value::Object(members) = &mut value {
            members.insert("number".to_owned(), self.number.into());
        }
        serde_json::to_string(&value)
    }

    /// The entry in a stored text; `None` where there is none.
    pub fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = value.get("number")?.as_i64()?;
        Some(Self { number, entry: serde_json::from_value(value).ok()? })
    }
}

impl ToldRecord {
    /// Everything that changed.
    pub fn changes(&self) -> impl Iterator<Item = &AuditChange> {
        self.record.changes.iter().chain(&self.further)
    }

    /// How many more things changed than are listed.
    pub fn left_out(&self) -> u64 {
        let counted = self.record.change_count.unwrap_or_default();
        counted.saturating_sub(self.record.changes.len() as u64).saturating_add(self.further_left_out)
    }

    /// Why it did not happen, where it did not.
    pub fn error_message(&self) -> Option<&str> {
        let answered = self.answer.as_ref().and_then(|answer| answer.error_message.as_deref());
        // What was known when it was recorded says more than the status of a page.
        self.record.error_message.as_deref().or(answered)
    }
}
