//! What is refused: files that are cut, changed or continued, and versions that do not fit.

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use forecourt_app::{App, Config};
use forecourt_identity::sealing::MasterKey;
use forecourt_store::Store;
use tempfile::TempDir;

use super::*;
use crate::serve;

/// An installation as its first start leaves it, and a backup of it.
struct Installed {
    folder: TempDir,
    settings: Settings,
    file: PathBuf,
}

fn settings(folder: &TempDir) -> Settings {
    let mut settings = Settings { data_dir: folder.path().display().to_string(), ..Settings::default() };
    settings.security.master_key = "0a".repeat(32);
    settings
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

async fn installed() -> Installed {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let store = serve::open_store(&settings).await.unwrap();
    let master_key = master_key::of(&settings, &[]).unwrap();
    let config = Config { master_key, ..Config::default() };
    App::open(store, &config, serve::system_clock()).await.unwrap();
    let file = folder.path().join("backup");
    backup(&settings, &file, now()).await.unwrap();
    Installed { folder, settings, file }
}

/// Tries to restore `bytes` into nothing: why not, where nothing was begun; `None`: it was restored.
async fn attempt(bytes: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup");
    fs::write(&file, bytes).unwrap();
    let settings = settings(&folder);
    let refused = restore(&settings, &file).await.err()?.to_string();
    assert!(!folder.path().join("forecourt.db").exists(), "{refused}");
    Some(refused)
}

/// Why `bytes` are not restored.
async fn refusal(bytes: &[u8]) -> String {
    attempt(bytes).await.expect("it is refused")
}

/// What a backup's compressed stream holds.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut lines).unwrap();
    lines
}

fn packed(lines: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(lines).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn a_file_that_is_cut_changed_or_continued_is_refused_before_anything_is_begun() {
    let installed = installed().await;
    let whole = fs::read(&installed.file).unwrap();
    for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let refused = refusal(&whole[..length]).await;
        assert!(["cut off", "no backup", "damaged"].iter().any(|word| refused.contains(word)), "{refused}");
    }
    assert!(refusal(&whole[..whole.len() - 20]).await.contains("cut off"));
    let lines = unpacked(&whole);
    for place in (10..whole.len()).step_by(53) {
        let mut changed = whole.clone();
        changed[place] ^= 0x10;
        // A bit of a compressed stream may mean nothing, or name another place where the same bytes stand.
        if attempt(&changed).await.is_none() {
            assert!(unpacked(&changed) == lines, "byte {place} changed what is restored, and nobody noticed");
        }
    }
    for place in (0..lines.len()).step_by(211).chain(lines.len() - 120..lines.len()) {
        let mut changed = lines.clone();
        changed[place] ^= 0x10;
        assert!(!refusal(&packed(&changed)).await.is_empty());
    }
    assert!(refusal(&[whole.as_slice(), b"x"].concat()).await.contains("something follows"));
    assert!(refusal(&[whole.clone(), whole.clone()].concat()).await.contains("something follows"));
    assert!(refusal(b"-- a dump of another program\n").await.contains("no backup of Forecourt's"));
}

#[tokio::test]
async fn a_whole_file_is_restored_with_every_row() {
    let installed = installed().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let restored = restore(&settings, &installed.file).await.unwrap();
    assert!(restored.tables > 30 && restored.rows > 5, "{restored:?}");
    let again = folder.path().join("again");
    assert_eq!(backup(&settings, &again, now()).await.unwrap(), restored);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&installed.file).unwrap(), "the same rows, byte by byte");
    drop(installed.folder);
}

#[tokio::test]
async fn nothing_is_written_over() {
    let installed = installed().await;
    let refused = restore(&installed.settings, &installed.file).await.unwrap_err().to_string();
    assert!(refused.contains("it is not empty"), "{refused}");
}

#[tokio::test]
async fn a_restore_that_was_broken_off_can_be_begun_again() {
    let installed = installed().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let version = Original::open(&installed.settings.location()).await.unwrap().schema().version.clone();
    drop(Filling::begin(&settings.location(), &version).await.unwrap());
    restore(&settings, &installed.file).await.unwrap();
}

/// A file with this head and these lines in the tables of these names.
fn written(path: &Path, head: &Head, rows: &[(&str, &str)]) {
    let mut writer = Writer::create(path, head).unwrap();
    for table in &head.tables {
        let mut digest = Digest::default();
        for (_, line) in rows.iter().filter(|(name, _)| *name == table.name) {
            digest.add(line);
            writer.line(line).unwrap();
        }
        writer.end_of_table(&table.name, digest).unwrap();
    }
    writer.finish(head.tables.len()).unwrap();
}

fn head(schema: &str, tables: Vec<forecourt_store::Table>) -> Head {
    Head {
        forecourt_backup: 1,
        forecourt: "9.9.9".into(),
        schema: schema.into(),
        made_at: 0,
        master_key: None,
        master_keys: Vec::new(),
        tables,
    }
}

#[tokio::test]
async fn a_backup_of_a_newer_version_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("newer");
    written(&file, &head("9999_later", Vec::new()), &[]);
    let refused = restore(&settings(&folder), &file).await.unwrap_err().to_string();
    for part in ["Forecourt 9.9.9", "9999_later", VERSION] {
        assert!(refused.contains(part), "{refused}");
    }
    let form = Head { forecourt_backup: 2, ..head("0018_subscription_order", Vec::new()) };
    written(&file, &form, &[]);
    let refused = restore(&settings(&folder), &file).await.unwrap_err().to_string();
    assert!(refused.contains("form 2"), "{refused}");
}

#[tokio::test]
async fn a_backup_of_an_earlier_version_is_brought_to_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = Location::Sqlite(folder.path().join("earlier.db"));
    let tables = Filling::begin(&earlier, "0010_dcr").await.unwrap().schema().tables.clone();
    let file = folder.path().join("earlier");
    let rows = [
        ("revision_counter", "[1,7]"),
        ("revision_counter", "[2,0]"),
        ("administrators", r#"["usr_1","ada","","","","",false,true,true,true,"ada",20,20]"#),
    ];
    written(&file, &head("0010_dcr", tables), &rows);
    let settings = settings(&folder);
    assert_eq!(restore(&settings, &file).await.unwrap().rows, 3);
    let store = Store::open(&settings.location()).await.unwrap();
    assert_eq!(store.read().revision().await.unwrap(), 7);
    // A later step gives the role to whoever was a super administrator.
    let original = Original::open(&settings.location()).await.unwrap();
    let held = original.schema().tables.iter().find(|table| table.name == "administrator_roles").unwrap();
    let held = original.rows(held).next().await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(lines::of_row(&held[0]), r#"["usr_1","super-admin","[]",0]"#);
}

#[tokio::test]
async fn tables_that_are_not_those_of_the_named_schema_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd");
    written(&file, &head("0010_dcr", Vec::new()), &[]);
    let refused = restore(&settings(&folder), &file).await.unwrap_err().to_string();
    assert!(refused.contains("are not those of the schema 0010_dcr"), "{refused}");
}

#[tokio::test]
async fn a_key_that_has_the_right_name_alone_is_found_out() {
    let installed = installed().await;
    let (head, keys) = checked(&installed.file).unwrap();
    let key = MasterKey::from_hex(&"0a".repeat(32)).unwrap();
    assert_eq!(head.needed_keys(), [key.id()]);
    keys.open_with(&key).unwrap();
    let other = MasterKey::from_hex(&"0b".repeat(32)).unwrap();
    let refused = keys.open_with(&other).unwrap_err().to_string();
    assert!(refused.contains("does not open"), "{refused}");
}

#[tokio::test]
async fn the_part_of_a_backup_is_a_new_file_that_only_its_owner_reads_and_goes_where_it_fails() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let installed = installed().await;
    let head = Backup::open(&installed.file).unwrap().head().clone();
    let path = folder.path().join("backup");
    let writers = [Writer::create(&path, &head).unwrap(), Writer::create(&path, &head).unwrap()];
    let parts: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|part| part.unwrap()).collect();
    assert_eq!(parts.len(), 2, "each has one of its own: {parts:?}");
    for part in &parts {
        assert_eq!(part.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(writers);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_a_backup_takes_the_place_of_a_backup() {
    let installed = installed().await;
    let place = |name: &str| installed.folder.path().join(name);
    fs::write(place("notes"), "not ours").unwrap();
    fs::write(place("packed"), packed(b"not ours, and long enough to be read")).unwrap();
    fs::create_dir(place("folder")).unwrap();
    for name in ["forecourt.db", "notes", "packed", "folder"] {
        let refused = backup(&installed.settings, &place(name), now()).await.unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains("is not written over"), "{refused}");
    }
    assert!(fs::read(place("forecourt.db")).unwrap().starts_with(b"SQLite format 3"));
    assert_eq!(fs::read(place("notes")).unwrap(), b"not ours");
    fs::write(place("empty"), "").unwrap();
    for name in ["empty", "backup", "new"] {
        backup(&installed.settings, &place(name), now()).await.unwrap();
        checked(&place(name)).unwrap();
    }
}
