//! A backup that is taken in a storm of writes: what was acknowledged before is in it, and what is in it is whole.

use forecourt_it::{
    TestDatabase, WriteStorm,
    consistency::{Snapshot, assert_consistent, assert_none},
};

use crate::backups::{empty_with, shown, succeeded, tool};

/// How many backups are taken, each of another moment.
const BACKUPS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_taken_in_a_storm_holds_every_write_that_was_acknowledged_before() {
    let database = TestDatabase::new();
    let mut storm = WriteStorm::start(&database, 1, 22).await;
    storm.write(4);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..BACKUPS {
        storm.acknowledges(40).await;
        let file = folder.path().join(format!("{round}.backup"));
        let before = storm.noted();
        succeeded(&tool(&database, &["backup", "--to", shown(&file)]).await);
        let both = before.until(&storm.noted());
        // Nobody stood still for it.
        storm.acknowledges(5).await;
        let target = empty_with(&database.folder().join("master.key"));
        succeeded(&tool(&target, &["restore", "--from", shown(&file)]).await);
        assert_consistent(&target, &format!("restored {round}")).await;
        assert!(both.things() > 0, "there was something to lose");
        let lost = both.violations(&Snapshot::of(&target.location()).await);
        assert_none(&lost, &format!("restored {round}, {} acknowledged before", before.acknowledged));
    }
    assert_none(&storm.violations(&database).await, "the one that was backed up");
    assert!(storm.noted().strange.is_empty(), "{:#?}", storm.noted().strange);
}
