//! An export of the audit log whose records are large, page by page, while others write and old records are taken away.

use std::ops::RangeInclusive;

use forecourt_core::{
    audit_logs::{
        AuditAnswer, AuditEntry, AuditFilter, AuditOperator, AuditRecord, ToldRecord, chains::ChainKey,
    },
    ids::AuditRecordId,
    lists::Direction,
    time::Timestamp,
};
use forecourt_it::TestDatabase;
use forecourt_store::{AUDIT_PAGE_BYTES, Store};
use serde_json::json;

use crate::store::location;

/// How many records there are at first; each is one entry, and its answer the next one.
const RECORDS: i64 = 90;
/// What a record and its answer hold, bytes.
const ASKED: usize = 60_000;
const ANSWERED: usize = 20_000;
/// During how many pages others write.
const DISTURBED: usize = 6;

struct Log {
    store: Store,
    key: ChainKey,
}

impl Log {
    async fn append(&self, number: i64) {
        let (id, at) =
            (AuditRecordId::known(format!("aud_{number:04}")), Timestamp::from_seconds(number / 2));
        let record = AuditRecord {
            id: id.clone(),
            at,
            event_type: "UpdatePortal".into(),
            operator: AuditOperator::default(),
            source: "api".into(),
            token_name: None,
            resource_id: String::new(),
            gateway_group_id: String::new(),
            ip_address: None,
            request_id: String::new(),
            request: None,
            changes: Vec::new(),
            change_count: None,
            error_message: Some("x".repeat(ASKED)),
        };
        let body = Some(json!("y".repeat(ANSWERED)));
        let answer = AuditAnswer { id, at, status_code: 200, body, error_message: None };
        let tx = self.store.begin().await.unwrap();
        let entries = vec![AuditEntry::Record(Box::new(record)), AuditEntry::Answer(answer)];
        tx.append_to_audit_log(&self.key, entries).await.unwrap();
        tx.commit(Timestamp::default()).await.unwrap();
    }

    /// Takes all entries up to this one away.
    async fn prune(&self, last: i64) {
        let link = self.store.read().audit_links(last - 1, 1).await.unwrap().remove(0);
        let tx = self.store.begin().await.unwrap();
        tx.prune_audit_log(&self.key, &link).await.unwrap();
        tx.commit(Timestamp::default()).await.unwrap();
    }
}

fn bytes(told: &ToldRecord) -> usize {
    let asked = told.record.error_message.as_ref().map_or(0, String::len);
    let answered = told.answer.as_ref().and_then(|answer| answer.body.as_ref()?.as_str()).map_or(0, str::len);
    assert_eq!((asked, answered), (ASKED, ANSWERED), "a record is told whole");
    asked + answered
}

/// The numbers of the records that an export in this direction gives, and of those that were taken away while their page
/// was read.
async fn exported(log: &Log, direction: Direction) -> (Vec<i64>, Vec<RangeInclusive<i64>>) {
    let filter = AuditFilter { direction, ..AuditFilter::default() };
    let (mut place, mut round, mut gone) = (None, 0_usize, Vec::new());
    let mut seen: Vec<i64> = Vec::new();
    loop {
        // Three records: the first of the page that is read, or else the oldest.
        let first = match (direction, place) {
            (Direction::Ascending, Some(_)) => seen.last().map_or(1, |last| last + 2),
            _ => i64::try_from(round).unwrap() * 6 + 1,
        };
        let reading = log.store.read().audit_records_behind(&filter, place, 500);
        let others = async {
            if round < DISTURBED {
                log.append(RECORDS + i64::try_from(round).unwrap()).await;
                log.prune(first + 5).await;
            }
        };
        let (page, ()) = tokio::join!(reading, others);
        let page = page.unwrap();
        if round < DISTURBED {
            gone.push(first..=first + 5);
        }
        if page.end.is_none() {
            return (seen, gone);
        }
        let read: usize = page.rows.iter().map(bytes).sum();
        assert!(read as u64 <= AUDIT_PAGE_BYTES, "{} records of {read} bytes in one page", page.rows.len());
        seen.extend(page.rows.iter().map(|told| told.number));
        place = page.end;
        round += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_large_records_comes_in_small_pages_and_loses_or_doubles_nothing_while_others_write() {
    for direction in [Direction::Ascending, Direction::Descending] {
        let database = TestDatabase::new();
        let store = Store::open(&location(&database)).await.unwrap();
        let log = Log { store, key: ChainKey::new([7; 32]) };
        for number in 0..RECORDS {
            log.append(number).await;
        }
        let (seen, gone) = exported(&log, direction).await;
        let goes_on = |pair: &[i64]| match direction {
            Direction::Ascending => pair[0] < pair[1],
            Direction::Descending => pair[0] > pair[1],
        };
        assert!(seen.windows(2).all(goes_on), "{seen:?}");
        let first_ones = (0..RECORDS).map(|number| 2 * number + 1);
        let mut lost = first_ones.filter(|number| !seen.contains(number));
        let excused = |number: &i64| gone.iter().any(|gone| gone.contains(number));
        assert_eq!(lost.find(|number| !excused(number)), None, "{seen:?}");
    }
}
