//! Keeping the log in shape: old entries are taken away, and whether the others are as they were written is found out.

use forecourt_core::{
    audit_logs::chains::{Finding, Link, Mark, MarkName, Walk},
    time::Timestamp,
};
use forecourt_identity::sealing::MasterKey;
use forecourt_store::{Reader, StoreError};

use crate::{App, Error, master_keys};

/// How many entries are read at a time, or fewer where they are large.
const PAGE: u64 = 1_000;
/// How many are taken away at a time, or fewer where they are large, so that others get their turn to write.
const PRUNED: u64 = 500;
/// How much later than the oldest administrator the log may begin: clocks are set back.
const CLOCKS_DIFFER: i64 = 86_400;

/// What a verification saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were looked at.
    pub checked: u64,
    /// Up to which number old entries were taken away; 0: none were.
    pub pruned: i64,
    /// The mark of the end, whoever made it.
    pub head: Option<Mark>,
    /// How much did not fit.
    pub findings: u64,
}

/// Goes through the log, page by page, and hands each finding to `tell`. Meanwhile the log may grow, and old entries may be
/// taken away.
///
/// # Errors
/// Where the database cannot be read, and where its secrets are sealed under another master key.
pub async fn verify(
    read: &Reader,
    master_key: &MasterKey,
    mut tell: impl FnMut(&Finding),
) -> Result<Verified, Error> {
    let sealer = master_keys::opened(read, master_key).await?;
    let key = sealer.audit_chain();
    let mut checkpoint = read.audit_mark(MarkName::Checkpoint).await?;
    let mut walk = Walk::new(key, checkpoint.as_ref());
    let mut findings = 0;
    let mut found = |finding: Finding| {
        tell(&finding);
        findings += 1;
    };
    let mut stray = None;
    loop {
        // What was taken away because it is old is gone since before the checkpoint was read.
        let strays = read.audit_strays(stray, walk.number(), PAGE).await?;
        strays.iter().for_each(|number| found(Finding::Stray { number: *number }));
        match strays.last() {
            Some(last) => stray = Some(*last),
            None => break,
        }
    }
    if checkpoint.is_none() && is_emptied(read).await? {
        found(Finding::Emptied);
    }
    let mut head = read.audit_mark(MarkName::Head).await?;
    loop {
        let page = read.audit_links(walk.number(), PAGE).await?;
        // Entries that are missing may have been taken away since they are old, and more of them since the page was read.
        if page.first().is_none_or(|first| first.number > walk.number() + 1) {
            let seen = walk.number();
            checkpoint = read.audit_mark(MarkName::Checkpoint).await?;
            if let Some(mark) = &checkpoint {
                walk.pruned(mark);
            }
            let is_past = page.first().is_none_or(|first| walk.is_past(first));
            if is_past && walk.number() > seen {
                continue;
            }
        }
        if page.is_empty() {
            break;
        }
        for link in &page {
            walk.step(link);
        }
        walk.take_findings().into_iter().for_each(&mut found);
        // An entry and the mark that it is the last are committed together: read afterwards, the mark is no older.
        head = read.audit_mark(MarkName::Head).await?;
        let is_at_head = head.as_ref().is_none_or(|head| head.number <= walk.number());
        if is_at_head && read.audit_links(walk.number(), 1).await?.is_empty() {
            break;
        }
    }
    let checked = walk.checked();
    walk.end(head.as_ref()).into_iter().for_each(&mut found);
    Ok(Verified { checked, pruned: checkpoint.map_or(0, |mark| mark.number), head, findings })
}

/// Whether the log, of which nothing was taken away because it is old, begins long after the database was first used.
async fn is_emptied(read: &Reader) -> Result<bool, Error> {
    // Administrators and their records are committed together: read afterwards, the log is no older.
    let Some(since) = read.audited_since().await? else { return Ok(false) };
    let first = read.audit_links(0, 1).await?;
    let latest = since.plus_seconds(CLOCKS_DIFFER).micros();
    // Taken away meanwhile, because they are old.
    let is_pruned = async || read.audit_mark(MarkName::Checkpoint).await.map(|mark| mark.is_some());
    Ok(first.first().is_none_or(|first| first.columns.at > latest) && !is_pruned().await?)
}

/// Takes away some of the entries that are older than is kept, the oldest first, and tells whether there are more.
///
/// What was changed by somebody stays, with all that came after it, until somebody has looked: taking it away would take
/// the evidence away.
pub async fn prune(app: &App) -> Result<bool, Error> {
    prune_read(app, |number| app.read().audit_links(number, PRUNED)).await
}

/// Since when entries are kept, and with them the events that they were made of.
pub(crate) fn kept_from(app: &App) -> Timestamp {
    app.now().plus_seconds(-i64::from(app.audit_kept_days()) * 86_400)
}

/// [`prune`] with what `read` gives: the first [`PRUNED`] entries above a number.
async fn prune_read<F>(app: &App, read: impl FnOnce(i64) -> F) -> Result<bool, Error>
where
    F: Future<Output = Result<Vec<Link>, StoreError>>,
{
    let oldest = kept_from(app).micros();
    let key = app.sealer().audit_chain();
    let checkpoint = app.read().audit_mark(MarkName::Checkpoint).await?;
    let mut walk = Walk::new(key, checkpoint.as_ref());
    if let [number, ..] = app.read().audit_strays(None, walk.number(), 1).await?[..] {
        kept(&Finding::Stray { number });
        return Ok(false);
    }
    let links = read(walk.number()).await?;
    // Another process may have taken some away between the readings: nothing is missing then.
    if app.read().audit_mark(MarkName::Checkpoint).await? != checkpoint {
        return Ok(true);
    }
    let mut dates = Dates { ahead: app.now().plus_seconds(CLOCKS_DIFFER).micros(), oldest, beyond: None };
    let mut last: Option<&Link> = None;
    for (place, link) in links.iter().enumerate() {
        // The time is believed once the entry is known to be as it was written.
        walk.step(link);
        let findings = walk.take_findings();
        if let Some(finding) = findings.first() {
            kept(finding);
            break;
        }
        if !dates.are_old(app.read(), links.get(place..).unwrap_or_default()).await? {
            break;
        }
        last = Some(link);
    }
    let Some(last) = last else { return Ok(false) };
    let tx = app.begin_bare().await?;
    // Another process may have done it meanwhile.
    if tx.audit_mark(MarkName::Checkpoint).await? != checkpoint {
        return Ok(true);
    }
    tx.prune_audit_log(key, last).await?;
    tx.commit(app.now()).await?;
    tracing::info!(
        audit.number = last.number,
        audit.hash = last.hash,
        "old entries of the audit log were taken away"
    );
    // All that was read is gone: there may be more of it.
    Ok(links.last().is_some_and(|read| read.number == last.number))
}

/// Which entries are old.
struct Dates {
    /// What is dated later than this was written while a clock was wrong, microseconds.
    ahead: i64,
    /// What is dated before this is old, microseconds.
    oldest: i64,
    /// The oldest date of what comes after the page, once somebody had to know it.
    beyond: Option<Option<i64>>,
}

impl Dates {
    /// Whether the first of `links`, the rest of a page, is old. One that is dated in the future is as old as the oldest that
    /// was written after it: otherwise a clock that was wrong for a moment would have the log kept until its date.
    async fn are_old(&mut self, read: &Reader, links: &[Link]) -> Result<bool, Error> {
        let [link, later @ ..] = links else { return Ok(false) };
        if link.columns.at <= self.ahead {
            return Ok(link.columns.at < self.oldest);
        }
        if later.iter().any(|later| later.columns.at < self.oldest) {
            return Ok(true);
        }
        let beyond = match self.beyond {
            Some(known) => known,
            None => read.oldest_audit_date_after(later.last().unwrap_or(link).number).await?,
        };
        self.beyond = Some(beyond);
        let is_old = beyond.is_some_and(|at| at < self.oldest);
        if !is_old {
            tracing::warn!(
                audit.number = link.number,
                "an entry of the audit log is dated in the future: it is kept, with what came after it, until an entry after \
                 it is old; look at the clock"
            );
        }
        Ok(is_old)
    }
}

fn kept(finding: &Finding) {
    tracing::error!(
        audit.finding = %finding,
        "old entries of the audit log are kept, since it was changed; `forecourt audit verify` tells more"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    };

    use forecourt_core::{
        audit_logs::{AuditAnswer, AuditEntry},
        ids::AuditRecordId,
    };
    use forecourt_store::{Location, Store};
    use tempfile::TempDir;

    use super::*;
    use crate::Config;

    async fn append_two(app: &App) {
        let answer = || {
            AuditEntry::Answer(AuditAnswer {
                id: AuditRecordId::known("aud_1"),
                at: app.now(),
                status_code: 200,
                body: None,
                error_message: None,
            })
        };
        let tx = app.begin_bare().await.unwrap();
        tx.append_to_audit_log(app.sealer().audit_chain(), vec![answer(), answer()]).await.unwrap();
        tx.commit(app.now()).await.unwrap();
    }

    /// An installation with some entries that are too old, and behind them two that are not.
    async fn aged() -> (App, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let seconds = Arc::new(AtomicI64::new(1_786_060_800));
        let told = Arc::clone(&seconds);
        let clock = Arc::new(move || Timestamp::from_seconds(told.load(Relaxed)));
        let app = App::open(store, &Config::default(), clock).await.unwrap();
        append_two(&app).await;
        seconds.fetch_add(61 * 86_400, Relaxed);
        append_two(&app).await;
        (app, folder)
    }

    #[tokio::test]
    async fn entries_that_a_wrong_clock_dated_in_the_future_are_as_old_as_what_was_written_after_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let seconds = Arc::new(AtomicI64::new(1_786_060_800));
        let told = Arc::clone(&seconds);
        let clock = Arc::new(move || Timestamp::from_seconds(told.load(Relaxed)));
        let app = App::open(store, &Config::default(), clock).await.unwrap();
        let year = 365 * 86_400;
        seconds.fetch_add(10 * year, Relaxed);
        append_two(&app).await;
        seconds.fetch_sub(10 * year, Relaxed);
        let all = numbers(&app).await;
        seconds.fetch_add(61 * 86_400, Relaxed);
        assert!(!prune(&app).await.unwrap());
        assert_eq!(numbers(&app).await, all.get(all.len() - 2..).unwrap(), "nobody knows how old they are");
        append_two(&app).await;
        assert!(!prune(&app).await.unwrap());
        assert_eq!(numbers(&app).await.len(), 4, "what came after them is young");
        seconds.fetch_add(61 * 86_400, Relaxed);
        append_two(&app).await;
        while prune(&app).await.unwrap() {}
        assert_eq!(numbers(&app).await.len(), 2, "what came after them is old, and so are they");
        // Where what tells of them is in another page.
        seconds.fetch_add(10 * year, Relaxed);
        for _ in 0..PRUNED {
            append_two(&app).await;
        }
        seconds.fetch_sub(10 * year, Relaxed);
        append_two(&app).await;
        seconds.fetch_add(61 * 86_400, Relaxed);
        append_two(&app).await;
        while prune(&app).await.unwrap() {}
        assert_eq!(numbers(&app).await.len(), 2);
    }

    /// The numbers of the entries that are there.
    async fn numbers(app: &App) -> Vec<i64> {
        let links = app.read().audit_links(0, PAGE).await.unwrap();
        links.iter().map(|link| link.number).collect()
    }

    #[tokio::test]
    async fn what_another_process_takes_away_between_two_readings_is_no_tampering() {
        for is_read_before in [true, false] {
            let (app, _folder) = aged().await;
            let app = &app;
            let all = numbers(app).await;
            let young = all.get(all.len() - 2..).unwrap();
            // The checkpoint was read, and now the other process is faster.
            let raced = prune_read(app, |number| async move {
                let before = app.read().audit_links(number, PRUNED).await;
                assert!(!prune(app).await.unwrap(), "the other takes all away that is old");
                if is_read_before { before } else { app.read().audit_links(number, PRUNED).await }
            });
            assert!(raced.await.unwrap(), "it is looked at again, and nothing is missed");
            assert_eq!(numbers(app).await, young);
            assert!(!prune(app).await.unwrap());
            assert_eq!(numbers(app).await, young);
        }
    }
}
