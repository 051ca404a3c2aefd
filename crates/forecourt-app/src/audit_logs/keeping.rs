//! Keeping the log in shape: old entries are taken away, and whether the others are as they were written is found out.

use forecourt_core::audit_logs::chains::{Finding, Link, Mark, MarkName, Walk};
use forecourt_identity::sealing::MasterKey;
use forecourt_store::Reader;

use crate::{App, Error, master_keys};

/// How many entries are read at a time.
const PAGE: u64 = 1_000;
/// How many are taken away at a time, so that others get their turn to write.
const PRUNED: u64 = 500;

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
        for finding in walk.take_findings() {
            tell(&finding);
            findings += 1;
        }
        // An entry and the mark that it is the last are committed together: read afterwards, the mark is no older.
        head = read.audit_mark(MarkName::Head).await?;
        if (page.len() as u64) < PAGE && head.as_ref().is_none_or(|head| head.number <= walk.number()) {
            break;
        }
    }
    let checked = walk.checked();
    for finding in walk.end(head.as_ref()) {
        tell(&finding);
        findings += 1;
    }
    Ok(Verified { checked, pruned: checkpoint.map_or(0, |mark| mark.number), head, findings })
}

/// Takes away some of the entries that are older than is kept, the oldest first, and tells whether there are more.
///
/// What was changed by somebody stays, with all that came after it, until somebody has looked: taking it away would take
/// the evidence away.
pub async fn prune(app: &App) -> Result<bool, Error> {
    let oldest = app.now().plus_seconds(-i64::from(app.audit_kept_days()) * 86_400).micros();
    let key = app.sealer().audit_chain();
    let checkpoint = app.read().audit_mark(MarkName::Checkpoint).await?;
    let mut walk = Walk::new(key, checkpoint.as_ref());
    let links = app.read().audit_links(walk.number(), PRUNED).await?;
    let mut last: Option<&Link> = None;
    for link in &links {
        // The time is believed once the entry is known to be as it was written.
        walk.step(link);
        let findings = walk.take_findings();
        if let Some(finding) = findings.first() {
            tracing::error!(
                audit.finding = %finding,
                "old entries of the audit log are kept, since it was changed; `forecourt audit verify` tells more"
            );
            break;
        }
        if link.columns.at >= oldest {
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
    Ok(links.len() as u64 == PRUNED)
}
