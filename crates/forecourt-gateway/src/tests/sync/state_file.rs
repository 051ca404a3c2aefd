//! The state file: what was written comes back, or the file is said to be damaged; nothing else ever comes out.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use forecourt_core::gateway_state::{Kind, Resource};

use super::*;
use crate::{
    sync::compaction,
    tests::rows::{application, credential, delete, grant, key, product, put, route, service},
};

type Rows = BTreeMap<(Kind, String), (i64, Resource)>;

fn node() -> NodeId {
    NodeId::known("nod_1")
}

fn position(revision: i64) -> Position {
    Position { revision, mark: format!("{revision:016x}") }
}

fn extent(position: Position, length: u64, state_length: u64) -> Extent {
    Extent { position, length, state_length, is_of_these_rows: true }
}

fn state() -> Vec<Change> {
    vec![
        put(1, service("s")),
        put(1, route("r", "s", "/s/*")),
        put(2, product("p", &["s"])),
        put(3, application("a")),
        put(4, credential("c", "a", &[key("k")])),
        put(5, grant("a", "p")),
    ]
}

fn changes() -> Vec<(Vec<Change>, i64)> {
    vec![
        (vec![delete(6, Kind::Credential, "c")], 6),
        (vec![put(7, credential("d", "a", &[key("l")])), delete(8, Kind::Grant, "a/p")], 8),
        (Vec::new(), 9),
    ]
}

fn with(rows: &Rows, changes: &[Change]) -> Rows {
    let mut rows = rows.clone();
    for change in changes {
        let at = (change.kind, change.key.clone());
        match &change.resource {
            Some(resource) => rows.insert(at, (change.revision, resource.clone())),
            None => rows.remove(&at),
        };
    }
    rows
}

/// What was written, after each position: every state that may ever come back.
fn written(path: &Path) -> Vec<(Position, u64, Rows)> {
    let mut file = StateFile::create(path, &node()).unwrap();
    let mut rows = with(&Rows::new(), &state());
    // In two pieces, as a large one comes.
    file.write(&row_records(&state()[..2]).unwrap()).unwrap();
    file.write(&row_records(&state()[2..]).unwrap()).unwrap();
    file.write_through(&position_record(&position(5)).unwrap()).unwrap();
    let mut all = vec![(position(5), file.length, rows.clone())];
    for (change, revision) in changes() {
        let mut records = row_records(&change).unwrap();
        records.extend(position_record(&position(revision)).unwrap());
        file.write_through(&records).unwrap();
        rows = with(&rows, &change);
        all.push((position(revision), file.length, rows.clone()));
    }
    all
}

fn read(path: &Path) -> (Loaded, Rows) {
    let mut rows = Rows::new();
    let loaded = load(path, &node(), |changes| rows = with(&rows, &changes)).unwrap();
    (loaded, rows)
}

#[test]
fn what_was_written_is_read_and_only_its_owner_may_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert_eq!(read(&path).0, Loaded::Missing);
    let all = written(&path);
    let (position, length, rows) = all.last().unwrap().clone();
    let (loaded, found) = read(&path);
    assert_eq!(loaded, Loaded::Whole(extent(position, length, all[0].1)));
    assert_eq!(found, rows);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let other = load(&path, &NodeId::known("nod_2"), |_| {}).unwrap();
    assert_eq!(other, Loaded::Damaged("it belongs to the node nod_1".into()));
}

#[test]
fn a_file_cut_off_at_any_byte_goes_back_to_the_last_whole_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let all = written(&path);
    let bytes = fs::read(&path).unwrap();
    for length in 0..=bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let whole = all.iter().rev().find(|(_, end, _)| *end <= length as u64);
        match (read(&path), whole) {
            ((Loaded::Whole(extent), rows), Some((position, end, expected))) => {
                assert_eq!((&extent.position, extent.length), (position, *end), "{length}");
                assert_eq!(rows, *expected, "{length}");
            }
            ((Loaded::Damaged(_), _), None) => {}
            (read, _) => panic!("{length}: {read:?}"),
        }
    }
}

#[test]
fn a_file_with_any_bit_flipped_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    written(&path);
    let bytes = fs::read(&path).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        let (loaded, _) = read(&path);
        assert!(matches!(loaded, Loaded::Damaged(_)), "bit {bit}: {loaded:?}");
    }
}

#[test]
fn a_file_is_continued_behind_what_counts_and_a_torn_end_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let all = written(&path);
    let torn = fs::read(&path).unwrap();
    fs::write(&path, &torn[..torn.len() - 1]).unwrap();
    let (Loaded::Whole(found), _) = read(&path) else { panic!() };
    assert_eq!(found.position, position(8));
    let mut file = StateFile::reopen(&path, found.length).unwrap();
    let mut records = row_records(&[put(10, application("b"))]).unwrap();
    records.extend(position_record(&position(10)).unwrap());
    file.write_through(&records).unwrap();
    let (loaded, rows) = read(&path);
    let expected = with(&all[2].2, &[put(10, application("b"))]);
    assert_eq!(rows, expected);
    assert_eq!(loaded, Loaded::Whole(extent(position(10), file.length, all[0].1)));
}

#[test]
fn a_file_written_anew_holds_what_stands_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (path, compact) = (folder.path().join("state"), folder.path().join("compact"));
    let all = written(&path);
    let (at, length, rows) = all.last().unwrap();
    let file = compaction::compact((&path, *length, at), &compact, &node()).unwrap();
    let mut listed = Vec::new();
    let loaded = load(&compact, &node(), |changes| listed.extend(changes)).unwrap();
    assert_eq!(loaded, Loaded::Whole(extent(at.clone(), file.length, file.length)));
    assert_eq!(listed.len(), rows.len(), "each row once, and none that was deleted");
    assert_eq!(with(&Rows::new(), &listed), *rows);
}
