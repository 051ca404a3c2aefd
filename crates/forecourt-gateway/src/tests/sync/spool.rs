//! Batches of counted calls on the disk: none lost, none numbered twice.

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
    spool.delivered(1).unwrap();
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!(spool.first().unwrap().unwrap().number, 2);
    spool.delivered(3).unwrap();
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!(spool.pending(), 0);
    assert_eq!(spool.append(&counts(1)).unwrap(), 4, "no number is used again");
}

#[test]
fn a_batch_that_was_noted_as_delivered_is_not_sent_again_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.append(&counts(1)).unwrap();
    let batch = fs::read(folder.path().join("usage/1")).unwrap();
    spool.delivered(1).unwrap();
    // As if the process had ended between the note and the removal.
    fs::write(folder.path().join("usage/1"), batch).unwrap();
    // And as if it had ended while it wrote the next.
    fs::write(folder.path().join("usage/coming"), "half").unwrap();
    let mut spool = open(folder.path());
    assert_eq!(spool.first().unwrap(), None);
    assert_eq!(spool.append(&counts(2)).unwrap(), 2);
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

#[test]
fn a_disk_that_was_put_back_numbers_on_behind_what_the_control_plane_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    for calls in 1..=3 {
        spool.append(&counts(calls)).unwrap();
    }
    // The control plane has had batches 1 and 2 of this node before: other ones.
    spool.continue_after(2).unwrap();
    let mut found = Vec::new();
    while let Some(batch) = spool.first().unwrap() {
        found.push((batch.number, batch.counts));
        spool.delivered(batch.number).unwrap();
    }
    assert_eq!(found, [(3, counts(3)), (4, counts(1)), (5, counts(2))]);
    assert_eq!(open(folder.path()).append(&counts(1)).unwrap(), 6);
}
