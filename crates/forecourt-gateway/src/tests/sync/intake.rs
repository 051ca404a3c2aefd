//! Whatever happens on the way from the control plane to the disk and back, a node ends in the state that a fresh
//! snapshot gives, and nobody passes whom that state refuses.

mod world;

use std::{fs, path::Path, sync::atomic::AtomicU64};

use forecourt_core::{gateway_state::RowsDigest, time::Timestamp};
use proptest::{prelude::*, sample::Index};

use self::world::{Act, World, now};
use super::*;
use crate::{
    Config,
    sync::{contact::Contact, folder::Folder, keeper::STATE, load},
};

/// A node whose process can end and start again.
struct Site {
    folder: Folder,
    gateway: Gateway,
    intake: Intake,
    keeper: Keeper,
    set_aside: AtomicU64,
}

impl Site {
    fn start(path: &Path) -> Self {
        let folder = Folder::take(path, now()).unwrap();
        let clock = CorrectedClock::new(std::sync::Arc::new(now), 0);
        let gateway = Gateway::new(Config::default(), clock.as_clock()).unwrap();
        let set_aside = AtomicU64::new(0);
        let extent = load(&folder, &gateway, Contact::read(path).as_ref(), &set_aside).unwrap();
        let intake = Intake::new(gateway.clone(), clock, extent.as_ref());
        let keeper = Keeper::start(path, folder.node(), extent).unwrap();
        Self { folder, gateway, intake, keeper, set_aside }
    }

    /// Ends the process; `cut` bytes of a write that was under way are on the disk.
    fn restart(self, cut: usize) -> Self {
        let path = self.folder.path().to_owned();
        drop(self);
        let file = path.join(STATE);
        if let Ok(mut bytes) = fs::read(&file) {
            let mut torn = Vec::new();
            crate::sync::records::append(&mut torn, b"R[[\"credential\"");
            bytes.extend(&torn[..cut % torn.len()]);
            fs::write(&file, bytes).unwrap();
        }
        Self::start(&path)
    }

    fn take(&mut self, message: Message) -> Outcome {
        self.intake.take(message, &self.keeper).unwrap()
    }

    fn rows(&mut self, changes: &[Change]) {
        for piece in changes.chunks(3) {
            assert_eq!(self.take(Message::Rows { changes: piece.to_vec() }), Outcome::GoOn);
        }
    }

    fn reached(&mut self, revision: i64) -> Outcome {
        self.take(Message::Reached { position: position(revision), at: now() })
    }

    /// A stream from where the disk is to the end of this history, with what a control plane would say.
    async fn catch_up(&mut self, world: &World) {
        let Begun { position: from, drift, .. } = self.intake.begin(&self.keeper).await;
        match from {
            Some(from) if drift.is_empty() => self.rows(world.after(from.revision)),
            from => {
                let reason = if from.is_none() { SnapshotReason::First } else { SnapshotReason::Drift };
                self.take(Message::Snapshot { reason });
                self.rows(&world.snapshot(world.revision()));
            }
        }
        self.reached(world.revision());
    }
}

fn position(revision: i64) -> Position {
    Position { revision, mark: "one".into() }
}

fn fresh(world: &World) -> Gateway {
    let gateway = Gateway::new(Config::default(), std::sync::Arc::new(now)).unwrap();
    let (revision, changes) = (world.revision(), world.snapshot(world.revision()));
    gateway.apply(&ChangeBatch { revision, snapshot: true, changes });
    gateway
}

/// What happens to a node next.
#[derive(Clone, Debug)]
enum Step {
    /// The stream goes on to here.
    Deltas(Index),
    /// Changes that were sent already come once more, and then the stream goes on from where it was.
    Repeated(Index, Index),
    /// Rows come, and the stream is cut before they are whole.
    Lost(Index),
    /// The stream is opened again, and continued from what is kept.
    Reconnect,
    /// A whole state comes.
    Snapshot,
    /// A whole state begins and is cut.
    HalfSnapshot(Index),
    /// The process ends in the middle of a write, and starts again.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<Index>;
    prop_oneof![
        4 => at().prop_map(Step::Deltas),
        2 => (at(), at()).prop_map(|(from, to)| Step::Repeated(from, to)),
        2 => at().prop_map(Step::Lost),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Snapshot),
        1 => at().prop_map(Step::HalfSnapshot),
        2 => any::<usize>().prop_map(Step::Restart),
    ]
}

/// The stream as the test leads it: how far it was said to be.
async fn play(site: Site, world: &World, step: &Step, said: &mut i64) -> Site {
    let mut site = site;
    let last = world.revision();
    // A revision from what was said on.
    let pick = |at: &Index, from: i64| from + at.index(usize::try_from(last - from).unwrap() + 1) as i64;
    match step {
        Step::Deltas(at) => {
            let to = pick(at, *said);
            site.rows(world.between(*said, to));
            site.reached(to);
            *said = to;
        }
        Step::Repeated(from, to) => {
            let (from, to) = (from.index(usize::try_from(*said).unwrap() + 1) as i64, pick(to, *said));
            site.rows(world.between(from, to));
            site.reached(to);
            *said = to;
        }
        Step::Lost(at) => {
            site.rows(world.between(*said, pick(at, *said)));
            *said = begin(&mut site, world).await;
        }
        Step::Reconnect => *said = begin(&mut site, world).await,
        Step::Snapshot => {
            site.take(Message::Snapshot { reason: SnapshotReason::TooOld });
            site.rows(&world.snapshot(last));
            site.reached(last);
            *said = last;
        }
        Step::HalfSnapshot(at) => {
            site.take(Message::Snapshot { reason: SnapshotReason::Scopes });
            let rows = world.snapshot(last);
            site.rows(&rows[..at.index(rows.len() + 1)]);
            *said = begin(&mut site, world).await;
        }
        Step::Restart(cut) => {
            site = site.restart(*cut);
            *said = begin(&mut site, world).await;
        }
    }
    site
}

/// Opens a stream; a node that has nothing is sent what was said last.
async fn begin(site: &mut Site, world: &World) -> i64 {
    let from = site.intake.begin(&site.keeper).await.position;
    match from {
        Some(from) => from.revision,
        None => {
            let first = world.first();
            site.take(Message::Snapshot { reason: SnapshotReason::First });
            site.rows(&world.snapshot(first));
            site.reached(first);
            first
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_way_of_hearing_a_history_ends_in_the_state_of_a_fresh_snapshot_and_nothing_revoked_passes(
        acts in prop::collection::vec(any::<Act>(), 1..40),
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let world = World::of(&acts);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut site = Site::start(folder.path());
            let mut said = begin(&mut site, &world).await;
            // What was ever in force may be repeated, but nothing gone comes back: the highest that was heard counts.
            let mut heard = said;
            for step in &steps {
                site = play(site, &world, step, &mut said).await;
                heard = heard.max(said);
                let at = match site.intake.in_force() {
                    Some(at) => at.revision,
                    None => panic!("a state that was there is gone"),
                };
                prop_assert!(at <= heard && at >= said, "{step:?}: {at} of {said} to {heard}");
                world.agrees(&site.gateway, at)?;
            }
            site.catch_up(&world).await;
            world.agrees(&site.gateway, world.revision())?;
            prop_assert_eq!(site.gateway.digests(), fresh(&world).digests());
            let site = site.restart(5);
            world.agrees(&site.gateway, world.revision())?;
            prop_assert_eq!(site.gateway.digests(), fresh(&world).digests());
            prop_assert_eq!(site.set_aside.load(std::sync::atomic::Ordering::Relaxed), 0);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn an_older_state_of_another_line_is_taken_and_everything_of_the_first_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::start(folder.path());
    let long = World::of(&[Act::Create(0), Act::Create(1), Act::Revoke(0), Act::Rotate(1), Act::Create(2)]);
    site.catch_up(&long).await;
    // The backup knows of less, and what it knows by the same revisions may be something else.
    let backup = World::of(&[Act::Create(2), Act::Create(0)]);
    assert!(backup.revision() < long.revision());
    let from = site.intake.begin(&site.keeper).await.position;
    assert_eq!(from, Some(position(long.revision())));
    site.take(Message::Snapshot { reason: SnapshotReason::Diverged });
    site.rows(&backup.snapshot(backup.revision()));
    assert!(long.agrees(&site.gateway, long.revision()).is_ok(), "until it is whole, the old state holds");
    let at = Position { revision: backup.revision(), mark: "two".into() };
    assert_eq!(site.take(Message::Reached { position: at.clone(), at: now() }), Outcome::Reached(at.clone()));
    backup.agrees(&site.gateway, backup.revision()).unwrap();
    assert_eq!(site.gateway.digests(), fresh(&backup).digests());
    // A key that the first line revoked at a higher revision is good in the second.
    let site = site.restart(3);
    assert_eq!(site.intake.in_force(), Some(&at));
    backup.agrees(&site.gateway, backup.revision()).unwrap();
}

#[tokio::test]
async fn a_difference_at_a_checkpoint_is_told_and_repaired_by_a_whole_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::start(folder.path());
    let world = World::of(&[Act::Create(0), Act::Create(1)]);
    site.catch_up(&world).await;
    let checkpoint = |digests| Message::Heartbeat {
        at: now(),
        checkpoint: Some(Checkpoint { position: position(world.revision()), digests }),
    };
    let right = fresh(&world).digests();
    assert_eq!(site.take(checkpoint(right.clone())), Outcome::GoOn);
    let mut wrong = right.clone();
    wrong.insert(Kind::Grant, RowsDigest { rows: 9, sum: 9 });
    let elsewhere = Message::Heartbeat {
        at: now(),
        checkpoint: Some(Checkpoint { position: position(world.revision() - 1), digests: wrong.clone() }),
    };
    assert_eq!(site.take(elsewhere), Outcome::GoOn, "only where both are at the same position");
    assert_eq!(site.take(checkpoint(wrong)), Outcome::Differs(vec![Kind::Grant]));
    let drift = site.intake.begin(&site.keeper).await.drift;
    assert_eq!(drift, [Kind::Grant]);
    site.take(Message::Snapshot { reason: SnapshotReason::Drift });
    site.rows(&world.snapshot(world.revision()));
    site.reached(world.revision());
    assert!(site.intake.drift().is_empty());
    assert_eq!(site.take(checkpoint(right)), Outcome::GoOn);
}

#[tokio::test]
async fn a_damaged_state_is_set_aside_and_a_shortened_one_too() {
    for damage in
        [|bytes: &mut Vec<u8>| bytes[40] ^= 1, |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::start(folder.path());
        let world = World::of(&[Act::Create(0), Act::Create(1), Act::Revoke(0)]);
        let first = world.first();
        begin(&mut site, &world).await;
        site.rows(world.after(first));
        site.reached(world.revision());
        site.keeper.contact(Timestamp::from_seconds(1), 0);
        drop(site);
        let path = folder.path().join(STATE);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let mut site = Site::start(folder.path());
        assert_eq!(site.intake.in_force(), None);
        assert_eq!(site.set_aside.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(site.gateway.digests().is_empty(), "nothing of it is in force");
        assert!(folder.path().join("state.damaged").exists());
        site.catch_up(&world).await;
        world.agrees(&site.gateway, world.revision()).unwrap();
    }
}

#[tokio::test]
async fn a_node_whose_disk_failed_tells_what_is_in_force_beside_what_is_kept() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let mut site = Site::start(&folder);
    let world = World::of(&[Act::Create(0), Act::Create(1), Act::Revoke(0)]);
    let first = begin(&mut site, &world).await;
    let begun = site.intake.begin(&site.keeper).await;
    assert_eq!(
        (begun.position, begun.in_force),
        (Some(position(first)), None),
        "the disk has what is in force"
    );
    // A whole state that cannot be kept, since there is nowhere to put it.
    fs::remove_dir_all(&folder).unwrap();
    site.take(Message::Snapshot { reason: SnapshotReason::TooOld });
    site.rows(&world.snapshot(world.revision()));
    site.reached(world.revision());
    let begun = site.intake.begin(&site.keeper).await;
    assert_eq!(begun.position, Some(position(first)));
    assert_eq!(begun.in_force, Some(position(world.revision())));
}

/// Makes of a state file one that a program wrote which knew of no version of rows.
fn of_an_earlier_program(path: &Path) {
    use crate::sync::records::{self, Found};
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let Found::Body(head) = records::read(&mut rest).unwrap() else { panic!("no beginning") };
    let mut owner: serde_json::Value = serde_json::from_slice(&head[1..]).unwrap();
    owner.as_object_mut().unwrap().remove("rows").unwrap();
    let mut written = Vec::new();
    records::append(&mut written, format!("H{owner}").as_bytes());
    written.extend(rest);
    fs::write(path, written).unwrap();
}

#[tokio::test]
async fn rows_of_another_version_are_served_until_the_whole_state_came_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::start(folder.path());
    let world = World::of(&[Act::Create(0), Act::Create(1), Act::Revoke(0)]);
    site.catch_up(&world).await;
    drop(site);
    of_an_earlier_program(&folder.path().join(STATE));
    let mut site = Site::start(folder.path());
    assert_eq!(site.set_aside.load(std::sync::atomic::Ordering::Relaxed), 0);
    for _ in 0..2 {
        // Until it came, however often the stream breaks.
        let begun = site.intake.begin(&site.keeper).await;
        assert_eq!((begun.position, begun.in_force), (None, Some(position(world.revision()))));
        world.agrees(&site.gateway, world.revision()).unwrap();
        site.take(Message::Snapshot { reason: SnapshotReason::First });
        world.agrees(&site.gateway, world.revision()).unwrap();
    }
    site.catch_up(&world).await;
    world.agrees(&site.gateway, world.revision()).unwrap();
    let begun = site.intake.begin(&site.keeper).await;
    assert_eq!((begun.position, begun.in_force), (Some(position(world.revision())), None));
    let mut site = site.restart(0);
    assert_eq!(site.intake.begin(&site.keeper).await.position, Some(position(world.revision())));
}
