//! A change of the master key that is given up: which key starts a process afterwards, what it opens, and what lies in the
//! file of the key.

use forecourt_app::master_keys;
use forecourt_core::time::Timestamp;
use forecourt_identity::sealing::MasterKey;
use forecourt_it::{
    ForecourtProcess, TestDatabase,
    installations::ADMIN_PASSWORD,
    processes::{Ended, binary, command, run},
};
use forecourt_store::Store;
use serde_json::json;

use super::{
    master, new, old, refused,
    retired::{ADA, begin, finish, lived, serves},
    sealed, with,
};
use crate::store::location;

fn abandon(key: &str, id: &str, database: &TestDatabase) -> Ended {
    run(with(key, &["master-key", "abandon", id], database))
}

#[track_caller]
fn succeeded(ended: &Ended, told: &str) {
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains(told), "{told:?} is not in: {}", ended.stdout);
}

fn consumer(name: &str) -> String {
    format!("/apisix/admin/consumers/{name}?gateway_group_id=default")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_given_up_while_a_process_serves_with_the_new_key_and_the_old_one_opens_everything() {
    let database = TestDatabase::new();
    let shown = lived(&database).await;
    let (old_id, new_id) = (master(&old()).id(), master(&new()).id());
    refused(&abandon(&old(), &old_id, &database), &["no change of the master key is going on"]);
    finish(&database);
    let process = ForecourtProcess::start(with(&new(), &["serve"], &database));
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    let plugins = |key: &str| json!({ "plugins": { "key-auth": { "key": key } } });
    admin.put(&consumer("bob"), plugins("bob's key")).await.expect(200);

    let parts = ["the settings give the master key", old_id.as_str(), new_id.as_str()];
    refused(&abandon(&new(), &new_id, &database), &parts);
    refused(&abandon(&old(), &old_id, &database), &["forecourt master-key retire", new_id.as_str()]);
    refused(&abandon(&"0c".repeat(32), &new_id, &database), &["are sealed under the master key"]);
    succeeded(&abandon(&old(), "00000000", &database), "opens nothing here; what is sealed opens with");
    let status = run(with(&old(), &["master-key", "status"], &database));
    succeeded(&status, &format!("forecourt master-key abandon {new_id}"));

    succeeded(&abandon(&old(), &new_id, &database), &format!("{old_id} opens everything"));
    // Again, as whoever was ended before it said so does.
    succeeded(&abandon(&old(), &new_id, &database), "opens nothing here");
    assert_eq!(admin.get(ADA).await.expect(200), shown, "the process that serves goes on");
    admin.put(&consumer("carl"), plugins("carl's key")).await.expect(200);
    assert_eq!(process.stop("TERM").status.code(), Some(0));

    let parts = [old_id.as_str(), new_id.as_str(), "its change was abandoned"];
    refused(&run(with(&new(), &["serve"], &database)), &parts);
    serves(&old(), &database, &shown).await;
    let process = ForecourtProcess::start(with(&old(), &["serve"], &database));
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    for (name, key) in [("bob", "bob's key"), ("carl", "carl's key")] {
        let read = admin.get(&consumer(name)).await.expect(200).to_string();
        assert!(read.contains(key), "{name}: {read}");
    }
    process.stop("TERM");
    let verified = run(with(&old(), &["audit", "verify"], &database));
    assert_eq!(verified.status.code(), Some(0), "the chain goes on: {verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_given_up_half_done_or_done_and_the_same_key_may_be_taken_up_again() {
    let database = TestDatabase::new();
    let shown = lived(&database).await;
    let (old_id, new_id) = (master(&old()).id(), master(&new()).id());
    for is_finished in [false, true] {
        begin(&database).await;
        if is_finished {
            finish(&database);
        }
        succeeded(&abandon(&old(), &new_id, &database), &format!("{old_id} opens everything"));
        refused(&run(with(&new(), &["serve"], &database)), &[&old_id, &new_id]);
        serves(&old(), &database, &shown).await;
    }
    let status = run(with(&old(), &["master-key", "status"], &database));
    assert!(!status.stdout.contains(&new_id), "{status:?}");
    let verified = run(with(&old(), &["audit", "verify"], &database));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_was_given_up_the_next_one_seals_anew_what_both_older_keys_sealed() {
    let database = TestDatabase::new();
    let shown = lived(&database).await;
    let file = database.folder().join("third");
    std::fs::write(&file, "0c".repeat(32)).unwrap();
    let rotate = ["master-key", "rotate", "--new-key-file", file.to_str().unwrap()];
    let third = master(&"0c".repeat(32)).id();
    succeeded(&run(with(&old(), &rotate, &database)), &format!("master-key abandon {third}"));
    succeeded(&abandon(&old(), &third, &database), "opens everything");
    // At once, before anybody could tell that nothing is sealed under the first data key any more.
    finish(&database);
    let store = Store::open(&location(&database)).await.unwrap();
    assert_eq!(store.read().data_keys().await.unwrap().len(), 3);
    let newest = store.read().data_keys().await.unwrap().pop().unwrap();
    let found = sealed(&location(&database)).await;
    assert!(!found.is_empty() && found.iter().all(|(_, id)| *id == newest.id), "{found:?}");
    serves(&old(), &database, &shown).await;
    serves(&new(), &database, &shown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_the_old_key_is_in_its_place_again_once_a_change_was_given_up() {
    let database = TestDatabase::new();
    let master_key = |arguments: &[&str]| {
        let arguments = [&["master-key"][..], arguments].concat();
        run(command(&binary(), &arguments, &database))
    };
    let read = |name: &str| {
        let text = std::fs::read_to_string(database.folder().join(name)).ok()?;
        Some(MasterKey::from_hex(&text).expect("a key, whole"))
    };
    let id_in = |name: &str| read(name).map(|key| key.id());
    ForecourtProcess::serve(&database).stop("TERM");
    let first = id_in("master.key").unwrap();
    succeeded(&master_key(&["rotate"]), "master-key abandon");
    let second = id_in("master.key").unwrap();
    assert_ne!(second, first);
    assert_eq!(id_in(&format!("master.key.{first}")), Some(first.clone()));

    succeeded(&master_key(&["abandon", &second]), &format!("{first} opens everything"));
    assert_eq!(id_in("master.key"), Some(first.clone()));
    assert_eq!(id_in(&format!("master.key.{second}")), Some(second.clone()), "backups may need it");
    succeeded(&master_key(&["abandon", &second]), "opens nothing here");
    assert_eq!(id_in("master.key"), Some(first.clone()));
    ForecourtProcess::serve(&database).stop("TERM");

    // Killed right after the commit: the draft of the new key has not taken the file's place yet.
    std::fs::write(database.folder().join("master.key.new"), new()).unwrap();
    let store = Store::open(&location(&database)).await.unwrap();
    let own = read("master.key").unwrap();
    let now = Timestamp::from_seconds(1_000_000_000);
    master_keys::rotate(&store, &own, &master(&new()), now).await.unwrap();
    let third = master(&new()).id();
    let taken = database.folder().join(format!("master.key.{third}"));
    std::fs::write(&taken, old()).unwrap();
    refused(&master_key(&["abandon", &third]), &["does not hold the master key"]);
    assert_eq!(store.read().master_key_ids().await.unwrap().len(), 2, "nothing goes before the draft did");
    std::fs::remove_file(&taken).unwrap();
    succeeded(&master_key(&["abandon", &third]), &format!("{first} opens everything"));
    assert_eq!(id_in("master.key.new"), None, "the next change is to another key");
    succeeded(&master_key(&["rotate"]), "master-key abandon");
    assert!(id_in("master.key").is_some_and(|id| id != third && id != first));
    ForecourtProcess::serve(&database).stop("TERM");
}
