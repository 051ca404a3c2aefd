//! Batches of counted calls on the disk: none lost, none called by the name of another.

use forecourt_core::{
    ids::{ApplicationId, CredentialId, ProductId, RouteId},
    time::Timestamp,
    usage::{StatusClass, Totals},
};

use super::*;

fn node() -> NodeId {
    NodeId::known("nod_1")
}

fn counts(calls: u64) -> Vec<UsageCount> {
    let totals = Totals { calls, ..Totals::default() };
    vec![UsageCount {
        product_id: ProductId::known("p"),
        application_id: ApplicationId::known("a"),
        credential_id: CredentialId::known("c"),
        route_id: RouteId::known("r"),
        minute: Timestamp::from_seconds(3_600),
        status_class: StatusClass::of(200),
        totals,
        last_used_at: Timestamp::from_seconds(3_700),
        last_used_from: "127.0.0.1".into(),
    }]
}

fn open(folder: &Path) -> Spool {
    Spool::open(folder, node(), Spool::MOST).unwrap()
}

#[test]
fn batches_outlive_the_process_and_come_in_order_until_they_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    assert_eq!(spool.first().unwrap(), None);
    for (number, calls) in [(1, 10), (2, 20), (3, 30)] {
        assert_eq!(spool.append(&counts(calls)).unwrap(), number);
    }
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!(spool.pending(), 3);
    let first = spool.first().unwrap().unwrap();
    assert_eq!((first.number, &first.node, &first.counts), (1, &node(), &counts(10)));
    assert_eq!(spool.first().unwrap().unwrap(), first, "the same number and content until it is delivered");
    assert_eq!(deliver_all(&mut spool), [(1, 10), (2, 20), (3, 30)]);
    drop(spool);
    assert_eq!(open(folder.path()).pending(), 0);
}

/// The number and the calls of each batch, which the control plane then has.
fn deliver_all(spool: &mut Spool) -> Vec<(i64, u64)> {
    let mut told = Vec::new();
    while let Some(batch) = spool.first().unwrap() {
        told.push((batch.number, batch.counts[0].totals.calls));
        spool.delivered(batch.number).unwrap();
    }
    told
}

/// What the control plane does with batches: each name counts once.
#[derive(Default)]
struct Ledger(std::collections::BTreeMap<String, (i64, u64)>);

impl Ledger {
    fn take(&mut self, batch: &UsageBatch) {
        let (last, calls) = self.0.entry(batch.spool.clone()).or_default();
        if batch.number > *last {
            *last = batch.number;
            *calls += batch.counts[0].totals.calls;
        }
    }

    fn calls(&self) -> u64 {
        self.0.values().map(|(_, calls)| calls).sum()
    }
}

fn copy(from: &Path, to: &Path) {
    let _gone = fs::remove_dir_all(to.join(FOLDER));
    fs::create_dir_all(to.join(FOLDER)).unwrap();
    for entry in fs::read_dir(from.join(FOLDER)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(FOLDER).join(entry.file_name())).unwrap();
    }
}

fn send_all(spool: &mut Spool, ledger: &mut Ledger) {
    while let Some(batch) = spool.first().unwrap() {
        ledger.take(&batch);
        spool.delivered(batch.number).unwrap();
    }
}

#[test]
fn a_folder_that_was_put_back_counts_nothing_twice_and_loses_nothing_new() {
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ledger = Ledger::default();
    let mut spool = open(folder.path());
    spool.append(&counts(1)).unwrap();
    ledger.take(&spool.first().unwrap().unwrap());
    // Copied while one batch waits that the control plane has already, its answer being lost.
    copy(folder.path(), backup.path());
    for calls in [10, 100] {
        spool.append(&counts(calls)).unwrap();
    }
    send_all(&mut spool, &mut ledger);
    assert_eq!(ledger.calls(), 111);
    drop(spool);
    copy(backup.path(), folder.path());
    let mut spool = open(folder.path());
    // The same numbers as before, for other calls.
    for calls in [1_000, 10_000] {
        spool.append(&counts(calls)).unwrap();
    }
    send_all(&mut spool, &mut ledger);
    assert_eq!(ledger.calls(), 11_111);
}

#[test]
fn two_processes_on_copies_of_a_folder_are_both_counted() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ledger = Ledger::default();
    let mut spool = open(one.path());
    spool.append(&counts(1)).unwrap();
    copy(one.path(), two.path());
    let mut other = open(two.path());
    spool.append(&counts(10)).unwrap();
    other.append(&counts(100)).unwrap();
    send_all(&mut other, &mut ledger);
    send_all(&mut spool, &mut ledger);
    assert_eq!(ledger.calls(), 111);
}

#[test]
fn a_batch_whose_removal_was_lost_in_a_crash_is_sent_again_under_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let mut spool = open(folder.path());
    spool.append(&counts(1)).unwrap();
    let batch = fs::read(folder.path().join("usage/1")).unwrap();
    send_all(&mut spool, &mut ledger);
    drop(spool);
    fs::write(folder.path().join("usage/1"), batch).unwrap();
    // And as if it had ended while it wrote the next.
    fs::write(folder.path().join("usage/coming"), "half").unwrap();
    let mut spool = open(folder.path());
    assert_eq!(spool.append(&counts(2)).unwrap(), 2);
    send_all(&mut spool, &mut ledger);
    assert_eq!(ledger.calls(), 3);
}

#[test]
fn a_batch_that_vanished_from_the_disk_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.append(&counts(1)).unwrap();
    spool.append(&counts(2)).unwrap();
    fs::remove_file(folder.path().join("usage/1")).unwrap();
    assert_eq!(deliver_all(&mut spool), [(2, 2)]);
    assert_eq!(spool.dropped(), 1);
}

#[test]
fn a_damaged_batch_is_set_aside_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.append(&counts(1)).unwrap();
    spool.append(&counts(2)).unwrap();
    let path = folder.path().join("usage/1");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(spool.first().unwrap().unwrap().number, 2);
    assert_eq!((spool.pending(), spool.dropped()), (1, 1));
    assert!(folder.path().join("usage/1.damaged").exists());
}

#[test]
fn more_than_fits_drops_the_oldest_and_says_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), node(), 1_000).unwrap();
    for calls in 1..=20 {
        spool.append(&counts(calls)).unwrap();
    }
    let kept = spool.pending();
    assert!((1..20).contains(&kept));
    assert_eq!(spool.dropped(), 20 - kept as u64);
    assert_eq!(spool.first().unwrap().unwrap().number, 21 - kept as i64);
    assert_eq!(open(folder.path()).pending(), kept, "what was dropped is gone from the disk");
}
