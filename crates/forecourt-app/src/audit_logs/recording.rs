//! The record of a change, made from its events where it is committed.
//!
//! How things were is read beside the transaction, which nobody else sees yet, and how they are is read within it. So no
//! use case has to say what it changed, and none can forget to.

use std::collections::HashSet;

use forecourt_core::{
    actors::Caller,
    audit_logs::{AuditChange, AuditEntry, AuditFurther, AuditRecord, beyond, chains::ChainKey, masking},
    events::Event,
    ids::AuditRecordId,
    time::Timestamp,
};
use forecourt_store::{Reader, Tx};
use serde_json::Value;

use crate::{Error, random::OsRandom};

/// How many changed things one record quotes. Deleting a developer may take away thousands.
const QUOTED: usize = 20;

/// Adds what `tx` changed to the log, as far as events tell of it, and gives the record's id. A call that commits more
/// than once has one record, and what follows joins it.
pub(crate) async fn append(
    tx: &Tx,
    before: &Reader,
    key: &ChainKey,
    caller: &Caller,
    now: Timestamp,
) -> Result<Option<AuditRecordId>, Error> {
    let events = tx.recorded();
    if events.is_empty() {
        return Ok(None);
    }
    let (changes, count) = changes(tx, before, events).await?;
    let (id, entry) = match caller.journal.record() {
        Some(id) => {
            let change_count = beyond(&changes, count);
            (id.clone(), AuditEntry::Further(AuditFurther { id, at: now, changes, change_count }))
        }
        None => {
            let id = AuditRecordId::issue(now, &mut OsRandom);
            let record = AuditRecord::new(id.clone(), now, caller).with_changes(events, changes, count);
            (id, AuditEntry::Record(Box::new(record)))
        }
    };
    tx.append_to_audit_log(key, vec![entry]).await?;
    Ok(Some(id))
}

/// The same where no call began it and nothing of it was there before: at the first start.
pub(crate) async fn append_bare(
    tx: &Tx,
    key: &ChainKey,
    caller: &Caller,
    now: Timestamp,
) -> Result<(), Error> {
    append(tx, tx, key, caller, now).await.map(drop)
}

/// What each of the things that events tell of was, and is, as far as they are quoted; and how many there are. The last
/// event of each says what happened to it.
async fn changes(tx: &Tx, before: &Reader, events: &[Event]) -> Result<(Vec<AuditChange>, u64), Error> {
    let mut seen = HashSet::new();
    let mut latest: Vec<&Event> = Vec::new();
    for event in events.iter().rev() {
        if seen.insert((event.noun.as_str(), event.noun_id.as_str())) {
            latest.push(event);
        }
    }
    let count = latest.len() as u64;
    // The newest are kept: what the call was about is told last.
    latest.truncate(QUOTED);
    latest.reverse();
    let mut changes = Vec::with_capacity(latest.len());
    for event in latest {
        let masked = |found: Option<Value>| found.as_ref().map(masking::value);
        changes.push(AuditChange {
            event: event.name.name().to_owned(),
            noun: event.noun.clone(),
            id: event.noun_id.clone(),
            detail: masking::value(&event.detail),
            before: masked(before.quoted(&event.noun, &event.noun_id).await?),
            after: masked(tx.quoted(&event.noun, &event.noun_id).await?),
        });
    }
    Ok((changes, count))
}
