//! The log in a real database: what is added, taken away and found, and every way to tamper with rows that we could
//! think of.

use forecourt_core::{
    audit_logs::{
        AuditAnswer, AuditChange, AuditEntry, AuditFilter, AuditFurther, AuditOperator, AuditRecord,
        chains::{ChainKey, Finding, MarkName, Walk},
    },
    ids::AuditRecordId,
    lists::{Direction, Paging},
    time::Timestamp,
};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::AUDIT_PAGE_BYTES;
use crate::{Location, Store};

struct Log {
    store: Store,
    key: ChainKey,
    _folder: TempDir,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn record(number: i64) -> AuditEntry {
    AuditEntry::Record(Box::new(AuditRecord {
        id: AuditRecordId::known(format!("aud_{number}")),
        at: at(number),
        event_type: if number % 2 == 0 { "UpdatePortal".into() } else { "Login".into() },
        operator: AuditOperator {
            kind: "administrator".into(),
            id: format!("usr_{}", number % 3),
            username: "ann".into(),
        },
        source: "api".into(),
        token_name: None,
        resource_id: format!("prt_{number}"),
        gateway_group_id: if number == 4 { "grp_1".into() } else { String::new() },
        ip_address: None,
        request_id: "req_1".into(),
        request: None,
        changes: Vec::new(),
        change_count: None,
        error_message: None,
    }))
}

fn answer(number: i64) -> AuditEntry {
    AuditEntry::Answer(AuditAnswer {
        id: AuditRecordId::known(format!("aud_{number}")),
        at: at(number),
        status_code: 200,
        body: None,
        error_message: None,
    })
}

impl Log {
    /// Ten entries: the records 1 to 5, each with its answer.
    async fn of_ten() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let log = Self { store, key: ChainKey::new([7; 32]), _folder: folder };
        for number in 1..=5 {
            log.append(vec![record(number), answer(number)]).await;
        }
        log
    }

    async fn append(&self, entries: Vec<AuditEntry>) {
        let tx = self.store.begin().await.unwrap();
        tx.append_to_audit_log(&self.key, entries).await.unwrap();
        tx.commit(at(0)).await.unwrap();
    }

    async fn tamper(&self, sql: &str) {
        self.store.writer().execute_unprepared(sql).await.unwrap();
    }

    async fn prune(&self, last: i64) {
        let link = self.store.read().audit_links(last - 1, 1).await.unwrap().remove(0);
        let tx = self.store.begin().await.unwrap();
        tx.prune_audit_log(&self.key, &link).await.unwrap();
        tx.commit(at(0)).await.unwrap();
    }

    async fn findings(&self) -> Vec<Finding> {
        let read = self.store.read();
        let checkpoint = read.audit_mark(MarkName::Checkpoint).await.unwrap();
        let mut walk = Walk::new(&self.key, checkpoint.as_ref());
        // Pages of three, so that their borders are passed.
        loop {
            let page = read.audit_links(walk.number(), 3).await.unwrap();
            if page.is_empty() {
                break;
            }
            for link in &page {
                walk.step(link);
            }
        }
        walk.end(read.audit_mark(MarkName::Head).await.unwrap().as_ref())
    }

    async fn found(&self, filter: &AuditFilter) -> Vec<i64> {
        let found = self.store.read().audit_records(filter).await.unwrap();
        found.rows.iter().map(|told| told.number).collect()
    }
}

#[tokio::test]
async fn each_way_to_tamper_with_rows_is_found() {
    let hash = "0".repeat(64);
    for (sql, wanted) in [
        ("UPDATE audit_entries SET content = replace(content, 'Login', 'Logut') WHERE number = 5".to_owned(), vec![
            Finding::Changed { number: 5 },
        ]),
        ("UPDATE audit_entries SET at = at + 1 WHERE number = 5".to_owned(), vec![Finding::Changed { number: 5 }]),
        ("UPDATE audit_entries SET operator_id = '' WHERE number = 5".to_owned(), vec![Finding::Changed { number: 5 }]),
        (format!("UPDATE audit_entries SET hash = '{hash}' WHERE number = 5"), vec![Finding::Changed { number: 5 }]),
        ("DELETE FROM audit_entries WHERE number = 5".to_owned(), vec![Finding::Removed { from: 5, to: 5 }]),
        ("DELETE FROM audit_entries WHERE number = 1".to_owned(), vec![Finding::Removed { from: 1, to: 1 }]),
        ("DELETE FROM audit_entries WHERE number >= 9".to_owned(), vec![Finding::Removed { from: 9, to: 10 }]),
        (
            "INSERT INTO audit_entries SELECT 11, kind, record_id, at, event_type, operator_id, resource_id, \
             gateway_group_id, content, previous, hash FROM audit_entries WHERE number = 5"
                .to_owned(),
            vec![Finding::Moved { number: 11, written_as: 5 }, Finding::Behind { number: 11 }],
        ),
        (
            "UPDATE audit_entries SET number = 99 WHERE number = 3; UPDATE audit_entries SET number = 3 WHERE \
             number = 7; UPDATE audit_entries SET number = 7 WHERE number = 99"
                .to_owned(),
            vec![Finding::Moved { number: 3, written_as: 7 }, Finding::Moved { number: 7, written_as: 3 }],
        ),
        ("UPDATE audit_entries SET content = replace(content, '200', '500') WHERE number = 6".to_owned(), vec![
            Finding::Changed { number: 6 },
        ]),
        ("UPDATE audit_marks SET number = 8 WHERE name = 'head'".to_owned(), vec![Finding::ForgedHead]),
        ("DELETE FROM audit_marks".to_owned(), vec![Finding::NoHead]),
        (
            format!("INSERT INTO audit_marks VALUES ('checkpoint', 4, '{hash}', '{hash}'); DELETE FROM audit_entries WHERE number <= 4"),
            vec![Finding::ForgedCheckpoint],
        ),
        (
            "INSERT INTO audit_marks SELECT 'checkpoint', number, hash, seal FROM audit_marks WHERE name = 'head'".to_owned(),
            vec![Finding::ForgedCheckpoint],
        ),
    ] {
        let log = Log::of_ten().await;
        assert_eq!(log.findings().await, Vec::<Finding>::new());
        log.tamper(&sql).await;
        assert_eq!(log.findings().await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn what_is_added_after_tampering_does_not_cover_it_up() {
    for sql in [
        "DELETE FROM audit_entries WHERE number >= 9",
        "DELETE FROM audit_entries WHERE number >= 9; DELETE FROM audit_marks",
        "DELETE FROM audit_entries WHERE number >= 9; UPDATE audit_marks SET number = 8 WHERE name = 'head'",
    ] {
        let log = Log::of_ten().await;
        log.tamper(sql).await;
        log.append(vec![record(6)]).await;
        let found = log.findings().await;
        assert!(found.iter().any(|finding| matches!(finding, Finding::Removed { .. })), "{sql}: {found:?}");
        // And the log goes on from there.
        log.append(vec![answer(6)]).await;
        assert_eq!(log.findings().await, found, "{sql}");
    }
}

#[tokio::test]
async fn a_pruned_log_fits_its_checkpoint_and_goes_on() {
    let log = Log::of_ten().await;
    log.prune(4).await;
    assert_eq!(log.findings().await, Vec::<Finding>::new());
    log.append(vec![record(6)]).await;
    log.prune(11).await;
    assert_eq!(log.findings().await, Vec::<Finding>::new(), "nothing is left");
    log.append(vec![record(7)]).await;
    assert_eq!(log.findings().await, Vec::<Finding>::new());
    assert_eq!(log.found(&AuditFilter::default()).await, [12]);
    log.tamper("UPDATE audit_marks SET number = 10 WHERE name = 'checkpoint'").await;
    assert_eq!(log.findings().await[0], Finding::ForgedCheckpoint);
}

#[tokio::test]
async fn records_come_with_what_followed_narrowed_and_in_order() {
    let log = Log::of_ten().await;
    let change = AuditChange {
        event: "portal_updated".into(),
        noun: "portal".into(),
        id: "prt_1".into(),
        detail: serde_json::Value::Null,
        before: None,
        after: None,
    };
    let id = AuditRecordId::known("aud_5");
    let further = AuditFurther { id, at: at(6), changes: vec![change], change_count: Some(4) };
    log.append(vec![AuditEntry::Further(further)]).await;
    let all = AuditFilter::default();
    assert_eq!(log.found(&all).await, [9, 7, 5, 3, 1]);
    let told = log.store.read().audit_records(&all).await.unwrap().rows.remove(0);
    assert_eq!((told.changes().count(), told.left_out()), (1, 3));
    assert_eq!(told.answer.unwrap().status_code, 200);
    let with = |change: fn(&mut AuditFilter)| {
        let mut filter = AuditFilter::default();
        change(&mut filter);
        filter
    };
    assert_eq!(log.found(&with(|filter| filter.event_type = Some("UpdatePortal".into()))).await, [7, 3]);
    assert_eq!(log.found(&with(|filter| filter.operator_id = Some("usr_0".into()))).await, [5]);
    assert_eq!(log.found(&with(|filter| filter.resource_id = Some("prt_2".into()))).await, [3]);
    assert_eq!(log.found(&with(|filter| filter.gateway_group_id = Some("grp_1".into()))).await, [7]);
    let span = with(|filter| (filter.start_at, filter.end_at) = (Some(at(2)), Some(at(3))));
    assert_eq!(log.found(&span).await, [5, 3]);
    let second = with(|filter| {
        filter.direction = Direction::Ascending;
        filter.paging = Paging::Page { page: 2, size: 2 };
    });
    assert_eq!(log.found(&second).await, [5, 7]);
    assert_eq!(log.store.read().audit_records(&second).await.unwrap().total, 5);
}

#[tokio::test]
async fn an_export_goes_through_records_of_one_moment_without_losing_or_repeating_one() {
    let log = Log::of_ten().await;
    for number in 6..12 {
        let AuditEntry::Record(mut same) = record(number) else { continue };
        same.at = at(5);
        log.append(vec![AuditEntry::Record(same)]).await;
    }
    for direction in [Direction::Ascending, Direction::Descending] {
        let filter = AuditFilter { direction, ..AuditFilter::default() };
        let (mut place, mut seen) = (None, Vec::new());
        loop {
            let page = log.store.read().audit_records_behind(&filter, place, 2).await.unwrap();
            if page.end.is_none() {
                break;
            }
            place = page.end;
            seen.extend(page.rows.iter().map(|told| told.number));
        }
        assert_eq!(seen, log.found(&filter).await);
        assert_eq!(seen.len(), 11);
    }
}

/// A record whose entry has a little more than so many bytes.
fn large(number: i64, bytes: usize) -> AuditEntry {
    let AuditEntry::Record(mut large) = record(number) else { unreachable!() };
    large.error_message = Some("x".repeat(bytes));
    AuditEntry::Record(large)
}

#[tokio::test]
async fn pages_of_large_entries_are_cut_by_bytes_and_the_largest_stands_alone() {
    let log = Log::of_ten().await;
    let third = usize::try_from(AUDIT_PAGE_BYTES).unwrap() / 3;
    // Entries 11 to 16: five records, the third of which is answered.
    for number in 6..=10 {
        log.append(vec![large(number, if number == 9 { 4 * third } else { third })]).await;
        if number == 8 {
            log.append(vec![answer(number)]).await;
        }
    }
    let read = log.store.read();
    let filter = AuditFilter { direction: Direction::Ascending, ..AuditFilter::default() };
    let (mut place, mut pages) = (None, Vec::new());
    loop {
        let page = read.audit_records_behind(&filter, place, 500).await.unwrap();
        if page.end.is_none() {
            break;
        }
        place = page.end;
        pages.push(page.rows.iter().map(|told| (told.number, told.answer.is_some())).collect::<Vec<_>>());
    }
    let small = [1, 3, 5, 7, 9].map(|number| (number, true));
    let beside = [(11, false), (12, false)];
    let wanted = [[&small[..], &beside].concat(), vec![(13, true)], vec![(15, false)], vec![(16, false)]];
    assert_eq!(pages, wanted);

    let (mut number, mut pages) = (0, Vec::new());
    loop {
        let page = read.audit_links(number, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        number = last.number;
        pages.push(number);
        let bytes: usize = page.iter().map(|link| link.content.len()).sum();
        assert!(page.len() == 1 || bytes as u64 <= AUDIT_PAGE_BYTES, "{bytes} bytes up to {number}");
    }
    assert_eq!(pages, [12, 14, 15, 16]);
    assert!(log.findings().await.is_empty());
}

#[tokio::test]
async fn a_record_that_somebody_made_unreadable_hides_no_other() {
    let log = Log::of_ten().await;
    log.tamper("UPDATE audit_entries SET content = 'nonsense' WHERE number = 3").await;
    let found = log.store.read().audit_records(&AuditFilter::default()).await.unwrap().rows;
    assert_eq!(found.len(), 5);
    assert!(found[3].record.error_message.as_ref().unwrap().contains("cannot be read"));
}
