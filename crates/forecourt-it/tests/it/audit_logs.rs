//! The audit log over all faces, and `forecourt audit verify` before and after somebody tampers with it.

use std::time::Duration;

use forecourt_core::audit_logs::chains::ChainKey;
use forecourt_it::{
    Forecourt, ForecourtProcess, TestDatabase,
    installations::text,
    processes::{Ended, binary, command, run},
};
use forecourt_store::Store;
use serde_json::{Value, json};

use crate::store::location;

const LOGS: &str = "/api/audit_logs";

fn verified(database: &TestDatabase, noted: Option<&str>) -> Ended {
    let mut arguments = vec!["audit", "verify"];
    arguments.extend(noted.map(|_| "--noted").into_iter().chain(noted));
    run(command(&binary(), &arguments, database))
}

/// What stands behind `the end is`.
fn end_of(report: &str) -> String {
    let (_, end) = report.split_once("the end is ").expect(report);
    end.split([';', '\n']).next().unwrap().to_owned()
}

/// Takes the first entries away as somebody would who can write the database and does not have the master key.
async fn shorten(database: &TestDatabase) {
    let store = Store::open(&location(database)).await.unwrap();
    let second = store.read().audit_links(1, 1).await.unwrap().remove(0);
    let tx = store.begin().await.unwrap();
    tx.prune_audit_log(&ChainKey::new([0; 32]), &second).await.unwrap();
    tx.commit(Default::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_over_every_face_is_on_record_and_tampering_with_it_is_noticed() {
    let database = TestDatabase::new();
    let process = ForecourtProcess::serve(&database);
    let guest = process.client("admin");
    guest.post("/api/login", json!({ "username": "admin", "password": "planted" })).await.refused(401, "");
    let one_time = guest.with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": "chosen by me" })).await.expect(200);
    let admin = guest.with_basic("admin", "chosen by me");
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let tokens = format!("/api/portal/tokens?portal_id={portal}");
    let token = admin.post(&tokens, json!({ "name": "front end" })).await.expect(200);
    let front_end = process.client("portal_api").with_bearer(&text(&token["value"]["token"]));
    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    let ada = front_end.with("x-portal-developer-id", "ada");
    let application = text(&ada.post("/api/applications", json!({ "name": "demo" })).await.expect(201)["id"]);
    ada.post("/api/applications", json!({ "name": "" })).await.refused(400, "name");
    let credential = json!({ "type": "key-auth", "name": "key" });
    let path = format!("/api/applications/{application}/credentials");
    let key = text(&ada.post(&path, credential).await.expect(201)["key-auth"]["key"]);
    admin.put("/api/system_settings/scim", json!({ "enable": true })).await.expect(200);
    let scim = admin.put("/api/system_settings/scim/token", json!({})).await.expect(200);
    let directory = guest.with_bearer(&text(&scim["value"]["token"]));
    let schema = "urn:ietf:params:scim:schemas:core:2.0:User";
    let user = json!({ "schemas": [schema], "userName": "grace", "active": true });
    directory.post("/api/scim/v2/Users", user).await.expect(201);
    process.client("site").get("/").await;

    // The portal's process answers both APIs here, so that what it answered is written before it is read.
    let list = admin.get(LOGS).await;
    for secret in
        ["planted", "chosen by me", &key, &text(&token["value"]["token"]), &text(&scim["value"]["token"])]
    {
        assert!(!list.text().contains(secret), "{secret}");
    }
    let rows = list.expect(200)["list"].as_array().unwrap().clone();
    let of = |event: &str| -> Vec<&Value> { rows.iter().filter(|row| row["event_type"] == event).collect() };
    assert_eq!(of("Login")[0]["error_message"], "unauthorized");
    let [refused, made] = of("CreateApplication")[..] else { panic!("{rows:?}") };
    assert_eq!((&made["source"], &made["operator"]["id"]), (&json!("portal"), &json!("ada")));
    assert_eq!((&made["resource_id"], &made["token_name"]), (&json!(application), &json!("front end")));
    assert_eq!((&refused["http_response"]["status_code"], &refused["changes"]), (&json!(400), &json!([])));
    assert_eq!(of("CreateCredential")[0]["http_response"]["body"]["key-auth"]["key"], "******");
    let made: Vec<_> = of("CreateUser").into_iter().map(|row| &row["source"]).collect();
    assert_eq!(made, ["api", "command_line"], "the directory's one, and at the start the first of all");

    // Beside the running server, and once more when it has ended.
    let beside = verified(&database, None);
    assert_eq!(beside.status.code(), Some(0), "{}{}", beside.stdout, beside.stderr);
    process.stop("TERM");
    let intact = verified(&database, Some(&end_of(&beside.stdout)));
    assert_eq!(intact.status.code(), Some(0), "{}{}", intact.stdout, intact.stderr);
    let end = end_of(&intact.stdout);
    let replaced = format!("{}:{}", end.split_once(':').unwrap().0, "0".repeat(64));
    assert_eq!(verified(&database, Some(&replaced)).status.code(), Some(1), "another end");

    shorten(&database).await;
    let tampered = verified(&database, None);
    assert_eq!(tampered.status.code(), Some(1), "{}", tampered.stdout);
    assert!(tampered.stdout.contains("the checkpoint"), "{}", tampered.stdout);
    assert!(tampered.stderr.contains("the audit log was changed: 1 finding"), "{}", tampered.stderr);
}

#[tokio::test]
async fn an_id_that_no_database_takes_keeps_no_answer_from_being_written() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    for id in ["a%00b".to_owned(), "%0A".to_owned(), "x".repeat(4_000)] {
        admin.delete(&format!("/api/portals/{id}")).await.refused(404, "not found");
    }
    let list = admin.get(&format!("{LOGS}?event_type=DeletePortal")).await.expect(200);
    let answers: Vec<_> =
        list["list"].as_array().unwrap().iter().map(|row| &row["http_response"]["status_code"]).collect();
    assert_eq!(answers, [404, 404, 404]);
}

#[test]
fn there_is_nothing_to_verify_where_there_is_no_database() {
    let database = TestDatabase::new();
    let ended = verified(&database, None);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stdout);
    assert!(!database.folder().join("forecourt.db").exists(), "and none is made");
}

#[tokio::test]
async fn old_entries_are_taken_away_and_the_rest_still_verifies() {
    let f = Forecourt::start_with(|settings| settings.audit.retention_days = 7).await;
    f.admin().await.post("/api/roles", json!({ "name": "old" })).await.expect(200);
    f.advance(Duration::from_secs(8 * 86_400));
    f.admin().await.post("/api/roles", json!({ "name": "young" })).await.expect(200);
    let total = async |query: &str| {
        let list =
            f.admin().await.get(&format!("{LOGS}?event_type=CreateCustomRole{query}")).await.expect(200);
        list["total"].as_u64().unwrap()
    };
    assert_eq!(total("").await, 2);
    while forecourt_app::audit_logs::prune(&f.app()).await.unwrap() {}
    assert_eq!(total("").await, 1);
    let verified = verified(f.database(), None);
    assert_eq!(verified.status.code(), Some(0), "{}{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("were taken away because they are old"), "{}", verified.stdout);
    // What was taken away cannot be compared any more, and what is there goes on.
    f.admin().await.post("/api/roles", json!({ "name": "younger" })).await.expect(200);
    assert_eq!(total("").await, 2);
}
