//! What calls were answered, and calls that changed nothing: written in the background, many at a time.
//!
//! An answer is known only after its change was committed, and must not wait for another commit. It follows as an entry
//! of its own, with a name that joins it to its record. Invariant: whoever reads the log in this process has flushed
//! before; what is lost when the process is killed is the answers of its last quarter second, and no change.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use forecourt_core::{
    audit_logs::{AnsweredCall, AuditAnswer, AuditEntry, AuditOperator, Journal, masking},
    ids::{AuditRecordId, GatewayGroupId},
};
use tokio::sync::Notify;

use crate::{App, Error, ErrorKind, random::OsRandom};

/// From so many entries on, whoever adds one writes them first: nothing piles up where nobody writes in the background.
/// Where they cannot be written, those that come then wait without their bodies. So many are written at a time.
const MOST: usize = 1_000;
/// So many wait at most, some 50 MB, while the database takes nothing; who calls on then is left out.
const MOST_WAITING: usize = 50_000;

/// Entries that are not written yet.
#[derive(Default)]
pub(crate) struct Pending {
    entries: Mutex<Vec<AuditEntry>>,
    /// Held while they are written, so that who waits for it knows that what was there is.
    writing: tokio::sync::Mutex<()>,
    due: Notify,
    /// The last time they could not be written: nobody who calls waits for the next one.
    is_stuck: AtomicBool,
    left_out: AtomicU64,
}

impl Pending {
    /// Adds entries; tells how many wait now.
    fn add(&self, entries: Vec<AuditEntry>) -> usize {
        let mut waiting = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = waiting.len();
        waiting.extend(entries);
        self.bound(&mut waiting, known);
        waiting.len()
    }

    /// Puts entries back that could not be written: what came meanwhile is younger.
    fn put_back(&self, left: Vec<AuditEntry>) {
        self.is_stuck.store(true, Relaxed);
        let mut waiting = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.splice(0..0, left);
        self.bound(&mut waiting, 0);
    }

    /// Leaves the youngest out where too many wait, and bodies where many do; the first `known` were looked at before.
    fn bound(&self, waiting: &mut Vec<AuditEntry>, known: usize) {
        let excess = waiting.len().saturating_sub(MOST_WAITING);
        waiting.truncate(MOST_WAITING);
        waiting.iter_mut().skip(known.max(MOST)).for_each(without_body);
        if excess > 0 && self.left_out.fetch_add(excess as u64, Relaxed) == 0 {
            tracing::error!("the audit log takes nothing and too much waits: calls are left out of it");
        }
    }

    /// Notes that everything was written.
    fn is_written(&self) {
        self.is_stuck.store(false, Relaxed);
        let entries = self.left_out.swap(0, Relaxed);
        if entries > 0 {
            tracing::error!(
                audit.entries = entries,
                "entries were left out of the audit log while it took nothing"
            );
        }
    }
}

fn without_body(entry: &mut AuditEntry) {
    match entry {
        AuditEntry::Record(record) => {
            if let Some(request) = record.request.as_mut() {
                request.body = None;
            }
        }
        AuditEntry::Answer(answer) => answer.body = None,
        AuditEntry::Further(_) => {}
    }
}

/// Answers to a body, or to a form of a page, that says nothing that can be done: nobody knows what stands in its members.
const REFUSED_FOR_ITS_FORM: [u16; 2] = [400, 422];

/// Notes what the call with these notes was answered. A call that only read, and one that nobody known made, leaves
/// nothing.
pub async fn answered(app: &App, journal: &Journal, answer: &AnsweredCall) {
    let now = app.now();
    let mut entries = Vec::new();
    let id = match journal.record() {
        Some(id) => id,
        None => {
            let id = AuditRecordId::issue(now, &mut OsRandom);
            let Some(mut record) = journal.unstored(id.clone(), now) else { return };
            if REFUSED_FOR_ITS_FORM.contains(&answer.status_code)
                && let Some(body) = record.request.as_mut().and_then(|request| request.body.as_mut())
            {
                *body = masking::names(body);
            }
            // Of a database that is away nothing more is asked.
            if answer.status_code < 500 {
                record.gateway_group_id = gateway_group(app, journal, &record.operator).await;
            }
            entries.push(AuditEntry::Record(Box::new(record)));
            id
        }
    };
    entries.push(AuditEntry::Answer(AuditAnswer {
        id,
        at: now,
        status_code: answer.status_code,
        body: answer.kept_body(),
        error_message: answer.error_message.clone(),
    }));
    let pending = app.pending_answers();
    let count = pending.add(entries);
    pending.due.notify_one();
    if count >= MOST
        && !pending.is_stuck.load(Relaxed)
        && let Err(error) = flush(app).await
    {
        tracing::error!(error.cause = %error, "answers cannot be written to the audit log; they wait");
    }
}

/// The gateway group that a call named which changed nothing; where it named none, that of the admin key that it showed.
/// Empty: neither, or there is no such group.
async fn gateway_group(app: &App, journal: &Journal, operator: &AuditOperator) -> String {
    let of_key = || Some(operator.id.clone()).filter(|_| operator.kind == "gateway_group_key");
    let named = journal.gateway_group_id().or_else(of_key);
    let Some(id) = named.as_deref().and_then(GatewayGroupId::parse) else { return String::new() };
    match app.read().gateway_group(&id).await {
        Ok(Some(group)) => group.id.to_string(),
        // The record is worth more than its place in a filter.
        Ok(None) | Err(_) => String::new(),
    }
}

/// Waits until something was answered that is not written yet.
pub async fn due(app: &App) {
    app.pending_answers().due.notified().await;
}

/// Writes what was answered so far. What was taken to be written is written, or put back, also where the caller goes away
/// meanwhile.
///
/// # Errors
/// Where the database cannot take it now; then it waits for the next time.
pub async fn flush(app: &App) -> Result<(), Error> {
    let app = app.clone();
    let writing = tokio::spawn(async move { write_pending(&app).await });
    writing.await.unwrap_or_else(|error| {
        let message = format!("the writing of answers was interrupted: {error}");
        Err(Error::new(ErrorKind::Internal, "interrupted", message))
    })
}

async fn write_pending(app: &App) -> Result<(), Error> {
    let pending = app.pending_answers();
    let _writing = pending.writing.lock().await;
    let mut entries = std::mem::take(&mut *pending.entries.lock().unwrap_or_else(PoisonError::into_inner));
    while !entries.is_empty() {
        // Nobody else has a turn to write while some are written.
        let rest = entries.split_off(entries.len().min(MOST));
        if let Err((error, mut left)) = settled(entries, |some| write(app, some)).await {
            left.extend(rest);
            pending.put_back(left);
            return Err(error);
        }
        entries = rest;
    }
    pending.is_written();
    Ok(())
}

/// Writes `entries` at once. Where the database is there but does not take them, each is written for itself, and those
/// that it does not take are dropped: otherwise they would keep all others back for ever.
///
/// # Errors
/// Where the database cannot take anything now: with what is left, in its order.
async fn settled<W, F>(entries: Vec<AuditEntry>, mut write: W) -> Result<(), (Error, Vec<AuditEntry>)>
where
    W: FnMut(Vec<AuditEntry>) -> F,
    F: Future<Output = Result<(), Error>>,
{
    match write(entries.clone()).await {
        Ok(()) => return Ok(()),
        Err(error) if is_transient(&error) => return Err((error, entries)),
        Err(_) => {}
    }
    let mut left = entries.into_iter();
    while let Some(entry) = left.next() {
        let Err(error) = write(vec![entry.clone()]).await else { continue };
        if is_transient(&error) {
            return Err((error, std::iter::once(entry).chain(left).collect()));
        }
        tracing::error!(
            error.cause = %error,
            audit.record = entry.columns().record_id,
            "the database does not take an entry of the audit log; it is left out"
        );
    }
    Ok(())
}

/// Whether the same may go well later.
fn is_transient(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}

async fn write(app: &App, entries: Vec<AuditEntry>) -> Result<(), Error> {
    let tx = app.begin_bare().await?;
    tx.append_to_audit_log(app.sealer().audit_chain(), entries).await?;
    tx.commit(app.now()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        pin::pin,
        sync::Arc,
        task::{Context, Waker},
    };

    use forecourt_core::{
        actors::{Actor, Caller, Source},
        audit_logs::{AuditFilter, AuditedRequest},
        ids::{AdministratorId, RequestId},
        permissions::Authority,
        time::Timestamp,
    };
    use forecourt_store::{Location, Store};

    use super::*;
    use crate::Config;

    fn entry(id: &str) -> AuditEntry {
        AuditEntry::Answer(AuditAnswer {
            id: AuditRecordId::known(id),
            at: Timestamp::from_seconds(1),
            status_code: 200,
            body: None,
            error_message: None,
        })
    }

    fn ids(entries: &[AuditEntry]) -> Vec<String> {
        entries.iter().map(|entry| entry.columns().record_id).collect()
    }

    /// Writes of a database that answers so where `aud_2` is among them; what it took, and what is left.
    async fn written(kind: ErrorKind) -> (Vec<String>, Option<Vec<String>>) {
        let mut taken = Vec::new();
        let outcome = settled(vec![entry("aud_1"), entry("aud_2"), entry("aud_3")], |some| {
            let is_refused = ids(&some).contains(&"aud_2".to_owned());
            if !is_refused {
                taken.extend(ids(&some));
            }
            // What fails all at once says nothing of one of them.
            let kind = if some.len() > 1 { ErrorKind::Internal } else { kind };
            ready(if is_refused { Err(Error::new(kind, "database", "refused")) } else { Ok(()) })
        });
        let left = outcome.await.err().map(|(_, left)| ids(&left));
        (taken, left)
    }

    #[tokio::test]
    async fn an_entry_that_the_database_does_not_take_keeps_no_other_back() {
        let taken = vec!["aud_1".to_owned(), "aud_3".to_owned()];
        assert_eq!(written(ErrorKind::Internal).await, (taken, None));
    }

    #[tokio::test]
    async fn what_the_database_cannot_take_now_waits_in_its_order() {
        let left = vec!["aud_2".to_owned(), "aud_3".to_owned()];
        assert_eq!(written(ErrorKind::Unavailable).await, (vec!["aud_1".to_owned()], Some(left)));
        let away = |_| ready(Err(Error::new(ErrorKind::Unavailable, "database_locked", "locked")));
        let (_, left) = settled(vec![entry("aud_1"), entry("aud_2")], away).await.unwrap_err();
        assert_eq!(ids(&left), ["aud_1", "aud_2"]);
    }

    #[test]
    fn what_waits_while_nothing_can_be_written_does_not_fill_the_memory() {
        let pending = Pending::default();
        let long = || {
            let mut answer = entry("aud_1");
            if let AuditEntry::Answer(answer) = &mut answer {
                answer.body = Some(serde_json::json!("long"));
            }
            answer
        };
        for _ in 0..MOST_WAITING + 10 {
            pending.add(vec![long()]);
        }
        assert_eq!(pending.left_out.load(Relaxed), 10);
        let waiting = std::mem::take(&mut *pending.entries.lock().unwrap());
        let has_body =
            |entry: &&AuditEntry| matches!(entry, AuditEntry::Answer(answer) if answer.body.is_some());
        assert_eq!((waiting.len(), waiting.iter().filter(has_body).count()), (MOST_WAITING, MOST));
        // What comes while the others are tried is bounded with them, however often that is.
        for _ in 0..20 {
            pending.add(vec![long()]);
        }
        pending.put_back(waiting);
        assert_eq!(pending.left_out.load(Relaxed), 30);
        assert_eq!(pending.entries.lock().unwrap().len(), MOST_WAITING);
        assert!(pending.is_stuck.load(Relaxed), "nobody waits for the next attempt");
        pending.is_written();
        assert_eq!((pending.left_out.load(Relaxed), pending.is_stuck.load(Relaxed)), (0, false));
    }

    #[tokio::test]
    async fn nothing_is_lost_where_the_caller_goes_away_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let clock = Arc::new(|| Timestamp::from_seconds(1_786_060_800));
        let app = App::open(store, &Config::default(), clock).await.unwrap();
        let journal = Journal::of(AuditedRequest { is_change: true, ..AuditedRequest::default() });
        let caller = Caller {
            actor: Actor::Administrator {
                id: AdministratorId::known("usr_1"),
                username: "ann".into(),
                authority: Authority::everything(),
            },
            ..Caller::system(Source::AdminApi, RequestId::known("req_1"))
        };
        journal.note_caller(&caller);
        let before = app.read().audit_records(&AuditFilter::default()).await.unwrap().total;
        answered(&app, &journal, &AnsweredCall { status_code: 400, ..AnsweredCall::default() }).await;
        {
            let mut gone = pin!(flush(&app));
            // Until it waits for the database, and no further.
            assert!(gone.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            tokio::task::yield_now().await;
        }
        flush(&app).await.unwrap();
        let found = app.read().audit_records(&AuditFilter::default()).await.unwrap();
        assert_eq!((found.total, found.rows[0].answer.as_ref().unwrap().status_code), (before + 1, 400));
    }
}
