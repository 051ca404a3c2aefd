//! Where the master key comes from, and that it is changed while everything goes on.
//!
//! Who calls meanwhile is in `serving.rs`, who is killed in `killed.rs`, whose time is over in `retired.rs`, who goes back
//! in `abandoned.rs`, and which columns there are in `columns.rs`.

mod abandoned;
mod columns;
mod killed;
mod retired;
mod serving;

use std::process::Command;

use forecourt_identity::sealing::MasterKey;
use forecourt_it::{
    ForecourtProcess, TestDatabase,
    installations::ADMIN_PASSWORD,
    processes::{Ended, binary, command, run},
};
use forecourt_store::{Cell, Location, Original};
use serde_json::json;

use crate::store::location;

fn old() -> String {
    "0a".repeat(32)
}

fn new() -> String {
    "0b".repeat(32)
}

fn master(key: &str) -> MasterKey {
    MasterKey::from_hex(key).unwrap()
}

fn with(key: &str, arguments: &[&str], database: &TestDatabase) -> Command {
    let mut command = command(&binary(), arguments, database);
    command.env("FORECOURT__SECURITY__MASTER_KEY", key);
    command
}

#[track_caller]
fn refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part:?} is not in: {}", ended.stderr);
    }
}

/// The sealed texts of every column of every table, each with where it stands.
async fn sealed(location: &Location) -> Vec<(String, String)> {
    let original = Original::open(location).await.unwrap();
    let mut found = Vec::new();
    for table in &original.schema().tables {
        let mut rows = original.rows(table);
        loop {
            let page = rows.next().await.unwrap();
            if page.is_empty() {
                break;
            }
            for (column, cell) in page.iter().flat_map(|row| table.columns.iter().zip(row)) {
                let Cell::Text(text) = cell else { continue };
                let ids = text.split("\"v1.").skip(1).filter_map(|rest| rest.get(..8));
                found.extend(ids.map(|id| (format!("{}.{}", table.name, column.name), id.to_owned())));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_source_of_the_master_key_starts_a_process_and_two_are_refused() {
    let database = TestDatabase::new();
    let file = database.folder().join("mounted");
    std::fs::write(&file, old()).unwrap();
    let file = file.display().to_string();
    ForecourtProcess::start(with(&old(), &["serve"], &database)).stop("TERM");
    let from = |key: &str, value: &str| {
        let mut serve = command(&binary(), &["serve"], &database);
        serve.env(key, value);
        serve
    };
    ForecourtProcess::start(from("FORECOURT__SECURITY__MASTER_KEY_FILE", &file)).stop("TERM");
    let program = format!("cat,{file}");
    ForecourtProcess::start(from("FORECOURT__SECURITY__MASTER_KEY_COMMAND", &program)).stop("TERM");
    let mut both = from("FORECOURT__SECURITY__MASTER_KEY_FILE", &file);
    both.env("FORECOURT__SECURITY__MASTER_KEY", old());
    refused(&run(both), &["security.master_key_file", "security.master_key:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_changed_while_a_process_serves_and_is_killed_meanwhile() {
    let database = TestDatabase::new();
    let process = ForecourtProcess::start(with(&old(), &["serve"], &database));
    let guest = process.client("admin");
    let one_time = guest.with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = guest.with_basic("admin", ADMIN_PASSWORD);
    let ada = "/apisix/admin/consumers/ada?gateway_group_id=default";
    let plugins = json!({ "plugins": {
        "key-auth": { "key": "ada's key" }, "jwt-auth": { "key": "ada", "secret": "ada's secret" },
    } });
    admin.put(ada, plugins).await.expect(200);
    let shown = admin.get(ada).await.expect(200);
    let at = location(&database);
    let before = sealed(&at).await;
    let was = before.first().map(|(_, id)| id.clone()).expect("something is sealed");
    assert!(before.iter().all(|(_, id)| *id == was), "{before:?}");
    for place in ["consumers.plugins", "gateway_resources.body", "settings.value"] {
        assert!(before.iter().any(|(column, _)| column == place), "{place} of {before:?}");
    }
    let file = database.folder().join("next");
    std::fs::write(&file, new()).unwrap();
    let file = file.display().to_string();
    let rotate = ["master-key", "rotate", "--new-key-file", &file];
    let ended = run(with(&old(), &rotate, &database));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let after = sealed(&at).await;
    assert!(after.iter().all(|(_, id)| *id != was), "a column was forgotten: {after:?}");
    assert_eq!(after.len(), before.len());
    assert_eq!(admin.get(ada).await.expect(200), shown, "the process that serves opens it");
    // Again, as whoever was ended in the middle does.
    assert_eq!(run(with(&old(), &rotate, &database)).status.code(), Some(0));
    process.kill();
    for key in [old(), new()] {
        let process = ForecourtProcess::start(with(&key, &["serve"], &database));
        let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
        assert_eq!(admin.get(ada).await.expect(200), shown);
        process.stop("TERM");
    }
    let status = run(with(&old(), &["master-key", "status"], &database)).stdout;
    assert!(status.contains("sealed under it: nothing"), "{status}");
    let id = status.lines().find_map(|line| line.split_once("  old: ")).map(|(head, _)| head.to_owned());
    let id =
        id.and_then(|head| head.strip_prefix("master key ").map(str::to_owned)).expect("an old master key");
    let retire = ["master-key", "retire", &id];
    refused(&run(with(&old(), &retire, &database)), &["the settings still give"]);
}
