//! A disk that takes nothing any more: what is refused, what goes on, and that everything is as before once there is
//! room. A limit on the size of files stands for the disk; a signal that would end the process is ignored.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use forecourt_it::{
    Answer, Client, ForecourtProcess, TestDatabase, Upstream,
    deadlines::eventually,
    installations::{ADMIN_PASSWORD, text},
    processes::{Ended, binary, command, run},
};
use serde_json::json;

/// Calls that were counted are written to the disk every second.
const UNTIL_WRITTEN: Duration = Duration::from_secs(3);

/// `forecourt` with these arguments, whose files may have so many blocks of 512 bytes: 0, or `unlimited`.
fn limited(blocks: &str, arguments: &[&str], database: &TestDatabase) -> Command {
    let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
    let program = binary();
    let before = ["-c", script.as_str(), program.to_str().unwrap()];
    command(Path::new("sh"), &[&before[..], arguments].concat(), database)
}

/// Takes the room away from a running process, or gives it back.
fn give(process: &ForecourtProcess, bytes: &str) {
    let mut limit = Command::new("prlimit");
    limit.args(["--pid", &process.id().to_string(), &format!("--fsize={bytes}:")]);
    let status = limit.stdin(Stdio::null()).status().expect("prlimit, of util-linux");
    assert!(status.success(), "the limit cannot be set");
}

#[track_caller]
fn refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part:?} is not in: {}", ended.stderr);
    }
}

/// What a story asks of a process with one product, and somebody who calls it.
struct Shop {
    admin: Client,
    ada: Client,
    caller: Client,
    application: String,
}

/// Where its product is called.
const PATH: &str = "/orders";

async fn shop(process: &ForecourtProcess, upstream: &Upstream) -> Shop {
    let one_time = process.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let made = admin.post(&format!("/api/portal/tokens?portal_id={portal}"), json!({ "name": "t" })).await;
    let token = text(&made.expect(200)["value"]["token"]);
    let node = json!({ "host": upstream.address().ip().to_string(), "port": upstream.address().port(), "weight": 1 });
    let service = json!({ "name": "s", "upstream": { "name": "default", "nodes": [node] } });
    admin.put("/apisix/admin/services/s?gateway_group_id=default", service).await.expect(200);
    let route = json!({ "name": "r", "service_id": "s", "paths": ["/*"] });
    admin.put("/apisix/admin/routes/r?gateway_group_id=default", route).await.expect(200);
    let product = json!({
        "type": "gateway", "name": "Orders", "status": "published", "auth": { "key-auth": {} },
        "subscription_auto_approval": true,
        "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": "s" }],
    });
    let made = admin.post(&format!("/api/api_products?portal_id={portal}"), product).await.expect(200);
    let product = text(&made["value"]["id"]);
    let front_end = process.client("portal_api").with_bearer(&token);
    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    let ada = front_end.with("x-portal-developer-id", "ada");
    let made = ada.post("/api/applications", json!({ "name": "demo" })).await.expect(201);
    let application = text(&made["id"]);
    let both = json!({ "applications": [application], "api_products": [product] });
    ada.post("/api/subscriptions", both).await.expect(201);
    let credential = json!({ "type": "key-auth", "name": "k" });
    let made = ada.post(&format!("/api/applications/{application}/credentials"), credential).await;
    let key = text(&made.expect(201)["key-auth"]["key"]);
    let caller = process.client("gateway").with("apikey", &key);
    eventually("the gateway knows the key", || async {
        (caller.get(PATH).await.status == 200).then_some(())
    })
    .await;
    Shop { admin, ada, caller, application }
}

impl Shop {
    async fn make(&self, name: &str) -> Answer {
        self.ada.post("/api/applications", json!({ "name": name })).await
    }

    async fn names(&self) -> Vec<String> {
        let list = self.ada.get("/api/applications").await.expect(200);
        let mut names: Vec<_> =
            list["list"].as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
        names.sort();
        names
    }

    async fn counted(&self) -> u64 {
        let path = "/api/applications/api_calls?start_at=1700000000&end_at=2000000000";
        let rows = self.ada.get(path).await.expect(200)["list"].as_array().unwrap().clone();
        rows.iter().map(|row| row["api_calls"].as_u64().unwrap()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_writes_are_refused_reads_and_calls_go_on_and_room_mends_it_without_a_restart() {
    let database = TestDatabase::new();
    if database.is_postgres() {
        // There the database has a disk of its own; the next story tells of the process's.
        return;
    }
    let upstream = Upstream::start().await;
    let process = ForecourtProcess::start(limited("unlimited", &["serve"], &database));
    let status = process.client("status");
    let shop = shop(&process, &upstream).await;

    give(&process, "0");
    for number in 0..5 {
        let answer = shop.make(&format!("lost {number}")).await;
        answer.refused(503, "unavailable for a moment");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        shop.caller.get(PATH).await.expect(200);
        assert_eq!(shop.names().await, ["demo"], "nothing is half written");
    }
    shop.admin.get("/api/portals").await.expect(200);
    eventually("it is told", || async {
        let ready = status.get("/readyz").await;
        let told = ready.json()["writes"].as_str().unwrap_or_default().contains("disk");
        (ready.status == 503 && told).then_some(())
    })
    .await;
    status.get("/readyz/gateway").await.expect(200);

    give(&process, "unlimited");
    eventually("it is well again", || async { (status.get("/readyz").await.status == 200).then_some(()) })
        .await;
    shop.make("kept").await.expect(201);
    // One that is undone on purpose takes nothing with it that comes after it.
    let preview = format!("/api/applications/{}?dry_run=true", shop.application);
    shop.ada.delete(&preview).await.expect(200);
    shop.make("kept too").await.expect(201);
    assert_eq!(shop.names().await, ["demo", "kept", "kept too"]);
    let upstream_heard = upstream.arrived().len() as u64;
    eventually("every call is counted", || async { (shop.counted().await >= upstream_heard).then_some(()) })
        .await;
    assert_eq!(shop.counted().await, upstream_heard, "and counted once");
    let ended = process.stop("TERM");
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    for said in ["the database takes no writes", "database_disk", "a quota or a limit"] {
        assert!(ended.stderr.contains(said), "{said:?} is not in: {}", ended.stderr);
    }
    outlives(&database, &["demo", "kept", "kept too"]).await;
}

/// What was acknowledged is in the file, and not in the memory of the process that was.
async fn outlives(database: &TestDatabase, names: &[&str]) {
    let process = ForecourtProcess::serve(database);
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    let list = admin.get("/api/forecourt/applications").await.expect(200);
    let mut found: Vec<_> = list["list"].as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
    found.sort();
    assert_eq!(found, names);
    assert_eq!(process.stop("TERM").status.code(), Some(0));
    let verified = run(command(&binary(), &["audit", "verify"], database));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_once_though_the_disk_of_the_gateway_took_nothing_for_a_while() {
    let database = TestDatabase::new();
    let upstream = Upstream::start().await;
    let process = ForecourtProcess::start(limited("unlimited", &["serve"], &database));
    let shop = shop(&process, &upstream).await;
    let before = upstream.arrived().len() as u64;
    eventually("the first calls are counted", || async { (shop.counted().await == before).then_some(()) })
        .await;
    give(&process, "0");
    // For longer than it takes until they are written down, as what the process says in the end shows.
    let (begun, mut called) = (Instant::now(), 0);
    while begun.elapsed() < UNTIL_WRITTEN {
        shop.caller.get(PATH).await.expect(200);
        called += 1;
    }
    give(&process, "unlimited");
    eventually("all are counted", || async { (shop.counted().await >= before + called).then_some(()) }).await;
    assert_eq!(shop.counted().await, before + called);
    let ended = process.stop("TERM");
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("counted calls cannot be written to the disk"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_the_disk_does_not_take_is_refused_and_leaves_the_one_before_and_no_part() {
    let database = TestDatabase::new();
    let process = ForecourtProcess::serve(&database);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forecourt.backup");
    let arguments = ["backup", "--to", file.to_str().unwrap()];
    refused(&run(limited("0", &arguments, &database)), &[file.to_str().unwrap(), "it cannot be used"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no part is left");

    let taken = run(limited("unlimited", &arguments, &database));
    assert_eq!(taken.status.code(), Some(0), "{taken:?}");
    let whole = std::fs::read(&file).unwrap();
    refused(&run(limited("0", &arguments, &database)), &[file.to_str().unwrap(), "it cannot be used"]);
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
    assert_eq!(process.stop("TERM").status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_on_a_full_disk_is_refused_with_what_is_full_and_leaves_no_half_a_key() {
    let database = TestDatabase::new();
    let key = database.folder().join("master.key");
    let named = if database.is_postgres() { key.clone() } else { database.folder().join("forecourt.db") };
    refused(&run(limited("0", &["serve"], &database)), &[named.to_str().unwrap()]);
    assert!(!key.exists());
    let left: Vec<_> =
        std::fs::read_dir(database.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(
        left.iter().all(|path| !path.to_string_lossy().contains("master.key")),
        "a part of a key is left: {left:?}"
    );
    // Once there is room, the same folder is as good as a new one.
    let process = ForecourtProcess::serve(&database);
    assert_eq!(process.stop("TERM").status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&key).unwrap().trim().len(), 64);
}

/// A path below a file can be made by nobody, whoever they are.
#[test]
fn a_place_that_nobody_can_write_is_named() {
    let database = TestDatabase::new();
    let file = database.folder().join("file");
    std::fs::write(&file, "somebody's").unwrap();
    let below = file.join("data");
    let mut serve = command(&binary(), &["serve"], &database);
    serve.env("FORECOURT__DATABASE__URL", "").env("FORECOURT__DATA_DIR", &below);
    refused(&run(serve), &["data_dir", below.to_str().unwrap(), "name another"]);

    // A folder where the database should be.
    let folder = database.folder().join("data");
    std::fs::create_dir_all(folder.join("forecourt.db")).unwrap();
    let mut serve = command(&binary(), &["serve"], &database);
    serve.env("FORECOURT__DATABASE__URL", "").env("FORECOURT__DATA_DIR", &folder);
    let named = folder.join("forecourt.db");
    refused(&run(serve), &[named.to_str().unwrap(), "check that its folder exists"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "somebody's");
}
