//! What the disk is said to have is there after the process is gone, whatever the disk does meanwhile.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::tests::rows::{application, put};

fn node() -> NodeId {
    NodeId::known("nod_1")
}

fn position(revision: i64) -> Position {
    Position { revision, mark: "m".into() }
}

fn load(folder: &Path) -> (Option<Extent>, usize) {
    let mut rows = 0;
    let loaded = state_file::load(&folder.join(STATE), &node(), |changes| rows += changes.len()).unwrap();
    match loaded {
        state_file::Loaded::Whole(extent) => (Some(extent), rows),
        _ => (None, 0),
    }
}

async fn reaches(keeper: &Keeper, revision: i64) -> Kept {
    let mut kept = keeper.kept();
    let reached =
        kept.wait_for(|kept| kept.position.as_ref().is_some_and(|at| at.revision == revision)).await;
    reached.unwrap().clone()
}

#[tokio::test]
async fn a_state_and_its_changes_are_kept_and_a_restart_continues_them() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(folder.path(), &node(), None).unwrap();
    assert_eq!(keeper.begin_stream(1).await, None);
    keeper.begin_state();
    keeper.state_rows(&[put(1, application("a"))]);
    assert_eq!(load(folder.path()).0, None, "half a state does not take the place of anything");
    keeper.end_state(&position(1));
    keeper.change(&[put(2, application("b"))], &position(2));
    let kept = reaches(&keeper, 2).await;
    assert_eq!(kept.stream, 1);
    drop(keeper);
    let (extent, rows) = load(folder.path());
    assert_eq!(rows, 2);
    let keeper = Keeper::start(folder.path(), &node(), extent).unwrap();
    assert_eq!(keeper.begin_stream(1).await, Some(position(2)));
    assert_eq!(keeper.kept().borrow().stream, 0, "not confirmed by this stream");
    keeper.confirmed();
    keeper.change(&[put(3, application("c"))], &position(3));
    drop(keeper);
    assert_eq!(load(folder.path()).0.unwrap().position, position(3));
}

#[tokio::test]
async fn a_state_that_was_cut_off_leaves_the_one_before_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(folder.path(), &node(), None).unwrap();
    keeper.begin_stream(1).await;
    keeper.begin_state();
    keeper.end_state(&position(5));
    reaches(&keeper, 5).await;
    keeper.begin_state();
    keeper.state_rows(&[put(9, application("a"))]);
    assert_eq!(keeper.begin_stream(2).await, Some(position(5)));
    keeper.change(&[put(6, application("b"))], &position(6));
    reaches(&keeper, 6).await;
    drop(keeper);
    let (extent, rows) = load(folder.path());
    assert_eq!((extent.unwrap().position, rows), (position(6), 1));
}

#[tokio::test]
async fn an_older_state_of_another_line_is_not_taken_for_one_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(folder.path(), &node(), None).unwrap();
    keeper.begin_stream(1).await;
    keeper.begin_state();
    keeper.end_state(&position(50));
    reaches(&keeper, 50).await;
    keeper.contact(Timestamp::from_seconds(100), 7);
    keeper.begin_state();
    keeper.end_state(&position(20));
    reaches(&keeper, 20).await;
    drop(keeper);
    let contact = Contact::read(folder.path()).unwrap();
    assert_eq!(contact, Contact { at: Timestamp::from_seconds(100), offset: 7, acknowledged: 0 });
}

/// A folder in which nothing can be made stands for a full disk; root may write everywhere, so it is a missing one.
#[tokio::test]
async fn while_the_disk_takes_nothing_nothing_is_said_to_be_kept() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    fs::create_dir(&folder).unwrap();
    let keeper = Keeper::start(&folder, &node(), None).unwrap();
    keeper.begin_stream(1).await;
    fs::remove_dir(&folder).unwrap();
    keeper.begin_state();
    keeper.state_rows(&[put(1, application("a"))]);
    keeper.end_state(&position(1));
    keeper.change(&[put(2, application("b"))], &position(2));
    let mut told = keeper.kept();
    let kept = told.wait_for(|kept| kept.lost == Some(1)).await.unwrap().clone();
    assert_eq!(kept.position, None);
    assert!(kept.is_failing && kept.failures > 0);
    // The disk has room again, and the next stream brings everything anew.
    fs::create_dir(&folder).unwrap();
    assert_eq!(keeper.begin_stream(2).await, None);
    keeper.begin_state();
    keeper.state_rows(&[put(1, application("a"))]);
    keeper.end_state(&position(2));
    let kept = reaches(&keeper, 2).await;
    assert_eq!((kept.lost, kept.is_failing, kept.stream), (None, false, 2));
    let mode = fs::metadata(folder.join(STATE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
