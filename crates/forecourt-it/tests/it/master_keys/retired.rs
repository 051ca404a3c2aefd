//! An old master key: until when it starts a process, and which backups it opens.

use std::path::Path;

use forecourt_app::master_keys;
use forecourt_core::time::Timestamp;
use forecourt_it::{
    ForecourtProcess, TestDatabase,
    installations::ADMIN_PASSWORD,
    processes::{Ended, run},
};
use forecourt_store::Store;
use serde_json::{Value, json};

use super::{master, new, old, refused, with};
use crate::store::location;

pub(super) const ADA: &str = "/apisix/admin/consumers/ada?gateway_group_id=default";

/// A database with something sealed under the old key, and what is answered of it.
pub(super) async fn lived(database: &TestDatabase) -> Value {
    let process = ForecourtProcess::start(with(&old(), &["serve"], database));
    let one_time = process.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    admin.put(ADA, json!({ "plugins": { "key-auth": { "key": "ada's key" } } })).await.expect(200);
    let shown = admin.get(ADA).await.expect(200);
    assert!(shown.to_string().contains("ada's key"), "{shown}");
    process.stop("TERM");
    shown
}

/// A change that was begun long ago: nobody has to wait until it is settled.
pub(super) async fn begin(database: &TestDatabase) {
    let store = Store::open(&location(database)).await.unwrap();
    let long_ago = Timestamp::from_seconds(1_000_000_000);
    master_keys::rotate(&store, &master(&old()), &master(&new()), long_ago).await.unwrap();
}

pub(super) fn finish(database: &TestDatabase) {
    let file = database.folder().join("next");
    std::fs::write(&file, new()).unwrap();
    let rotate = ["master-key", "rotate", "--new-key-file", file.to_str().unwrap()];
    let ended = run(with(&old(), &rotate, database));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

fn retire(database: &TestDatabase) -> Ended {
    run(with(&new(), &["master-key", "retire", &master(&old()).id()], database))
}

pub(super) async fn serves(key: &str, database: &TestDatabase, shown: &Value) {
    let process = ForecourtProcess::start(with(key, &["serve"], database));
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    assert_eq!(&admin.get(ADA).await.expect(200), shown);
    process.stop("TERM");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_starts_a_process_until_it_is_retired_and_never_after() {
    let database = TestDatabase::new();
    let shown = lived(&database).await;
    begin(&database).await;
    refused(&retire(&database), &["are still sealed under the data key"]);
    serves(&old(), &database, &shown).await;
    finish(&database);
    serves(&old(), &database, &shown).await;
    let ended = retire(&database);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    for file in ["forecourt.db", "forecourt.db-wal"].map(|name| database.folder().join(name)) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let wrapped = format!("w1.{}", master(&old()).id());
        let holds = bytes.windows(wrapped.len()).any(|part| part == wrapped.as_bytes());
        assert!(!holds, "{} holds what the old key opens", file.display());
    }
    let ids = [master(&new()).id(), master(&old()).id()];
    let parts = [ids[0].as_str(), ids[1].as_str(), "are sealed under the master key"];
    refused(&run(with(&old(), &["serve"], &database)), &parts);
    serves(&new(), &database, &shown).await;
    let verified = run(with(&new(), &["audit", "verify"], &database));
    assert_eq!(verified.status.code(), Some(0), "the change did not break the chain: {verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_not_retired_right_after_the_change() {
    let database = TestDatabase::new();
    lived(&database).await;
    finish(&database);
    refused(&retire(&database), &["less than 30 seconds ago"]);
}

fn restored(key: &str, file: &Path) -> (TestDatabase, Ended) {
    let target = TestDatabase::new();
    let ended = run(with(key, &["restore", "--from", file.to_str().unwrap()], &target));
    (target, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_opens_with_the_keys_that_were_valid_when_it_was_taken() {
    let database = TestDatabase::new();
    let shown = lived(&database).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = |name: &str, key: &str| {
        let file = folder.path().join(name);
        let ended = run(with(key, &["backup", "--to", file.to_str().unwrap()], &database));
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        file
    };
    let before = backup("before", &old());
    begin(&database).await;
    let during = backup("during", &old());
    finish(&database);
    assert_eq!(retire(&database).status.code(), Some(0));
    let after = backup("after", &new());
    let third = "0c".repeat(32);
    for (file, right, wrong) in [
        (&before, vec![old()], vec![new(), third.clone()]),
        (&during, vec![old(), new()], vec![third.clone()]),
        (&after, vec![new()], vec![old(), third.clone()]),
    ] {
        for key in right {
            let (target, ended) = restored(&key, file);
            assert_eq!(ended.status.code(), Some(0), "{} {ended:?}", file.display());
            serves(&key, &target, &shown).await;
        }
        for key in wrong {
            let (_target, ended) = restored(&key, file);
            refused(&ended, &["master key"]);
        }
    }
}
