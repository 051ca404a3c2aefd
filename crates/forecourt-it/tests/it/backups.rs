//! Backups: taken while others write, restored on either engine, refused when anything about them is wrong; and the
//! move from one engine to another.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use forecourt_it::{
    Client, Credential, Forecourt, ForecourtProcess, TestDatabase,
    consistency::Snapshot,
    installations::ADMIN_PASSWORD,
    processes::{Ended, binary, command, run},
};
use forecourt_store::Location;
use serde_json::{Value, json};

use crate::every_read::{Answers, Reads};

/// What changes by itself or with every question, or tells of the process and not of what is stored.
const OF_THE_PROCESS: [&str; 5] =
    ["/healthz", "/api/forecourt/nodes", "/api/oidc/callback", "/api/audit_logs", "/api/audit_logs/export"];

/// What an installation with something of most nouns is asked, and what it answered.
struct Lived {
    answers: BTreeMap<String, Value>,
    key: Credential,
    path: String,
    master_key: PathBuf,
}

/// Every list and every single thing of the Admin API that can be asked for without naming one.
fn questions(portal: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(forecourt_api::admin::document()).unwrap();
    let paths = document["paths"].as_object().expect("paths");
    let asked = paths.iter().filter(|(path, of)| !path.contains('{') && of.get("get").is_some());
    let asked = asked.map(|(path, _)| path.as_str()).filter(|path| !OF_THE_PROCESS.contains(path));
    asked.map(|path| format!("{path}?portal_id={portal}&gateway_group_id=default")).collect()
}

async fn answers(admin: &Client, portal: &str) -> BTreeMap<String, Value> {
    let mut answers = BTreeMap::new();
    for question in questions(portal) {
        let answer = admin.get(&question).await;
        // Where a process listens is its own.
        let told = answer.text().replace(admin.base(), "HERE");
        let body: Value = serde_json::from_str(&told).unwrap_or(Value::String(told));
        answers.insert(question, json!({ "status": answer.status.as_u16(), "body": body }));
    }
    assert!(answers.len() > 30, "the API has its lists");
    answers
}

/// Makes something of most nouns.
async fn live(f: &Forecourt) -> Lived {
    let orders = f.product("Orders").await;
    let waiting = f.product_with("Waiting", json!({ "subscription_auto_approval": false })).await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    application.request(&waiting).await;
    let key = application.key("prod").await;
    let admin = f.admin().await;
    let consumer = json!({ "username": "bob", "plugins": { "key-auth": { "key": "bob's key" } } });
    admin.put("/apisix/admin/consumers?gateway_group_id=default", consumer).await;
    let server = json!({
        "smtp_address": "127.0.0.1:25", "username": "u", "password": "sealed", "from_email": "a@example.com",
        "from_name": "A",
    });
    admin.put("/api/system_settings/smtp_server", server).await;
    let chat = json!({ "name": "Chat", "type": "webhook", "url": "https://chat.example/hook" });
    admin.post("/api/contact_points", chat).await.expect(200);
    admin.post("/api/settings/tokens", json!({ "name": "ci", "expires_at": 0 })).await.expect(200);
    let answers = answers(admin, f.portal_id().await).await;
    Lived { answers, key, path: orders.path.clone(), master_key: f.database().folder().join("master.key") }
}

/// A command on a database, with what else it is asked.
pub(crate) async fn tool(database: &TestDatabase, arguments: &[&str]) -> Ended {
    let command = command(&binary(), arguments, database);
    tokio::task::spawn_blocking(|| run(command)).await.unwrap()
}

pub(crate) fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
pub(crate) fn succeeded(ended: &Ended) -> &str {
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    &ended.stdout
}

#[track_caller]
fn refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part:?} is not in: {}", ended.stderr);
    }
}

/// A database of its own with the master key of another installation.
pub(crate) fn empty_with(master_key: &Path) -> TestDatabase {
    let database = TestDatabase::new();
    std::fs::copy(master_key, database.folder().join("master.key")).unwrap();
    database
}

#[track_caller]
fn same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    assert_eq!(before.len(), after.len());
    for (question, answer) in before {
        assert_eq!(Some(answer), after.get(question), "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_installation_answers_as_the_one_that_was_backed_up() {
    let mut f = Forecourt::start().await;
    let lived = live(&f).await;
    let portal = f.portal_id().await.to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forecourt.backup");
    // While it serves.
    let told = tool(f.database(), &["backup", "--to", shown(&file)]).await;
    assert!(succeeded(&told).contains("rows in"), "{told:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");

    let target = empty_with(&lived.master_key);
    succeeded(&tool(&target, &["restore", "--from", shown(&file)]).await);
    // The chain of the audit log is whole.
    succeeded(&tool(&target, &["audit", "verify"]).await);
    let restored = ForecourtProcess::serve(&target);
    let admin = restored.client("admin").with_basic("admin", ADMIN_PASSWORD);
    same(&lived.answers, &answers(&admin, &portal).await);
    // The upstream of the first still answers, so a key that was given out works as before.
    let caller = restored.client("gateway").with("apikey", &lived.key.key);
    caller.get(&lived.path).await.expect(200);
    restored.client("gateway").get(&lived.path).await.expect(401);
    assert_eq!(restored.stop("TERM").status.code(), Some(0));

    // What was restored is backed up as the same rows.
    let again = folder.path().join("again.backup");
    let second = empty_with(&lived.master_key);
    succeeded(&tool(&target, &["backup", "--to", shown(&again)]).await);
    succeeded(&tool(&second, &["restore", "--from", shown(&again)]).await);
    // The first installation was not touched.
    f.restart().await;
    same(&lived.answers, &answers(f.admin().await, &portal).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_taken_while_writers_write_is_of_one_moment() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let api = ada.api.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let product = orders.id.clone();
    // Each application gets its subscription in a second write; the count of both must fit each other.
    let writing = tokio::spawn(async move {
        let mut made = 0_u32;
        while !stopping.load(Ordering::SeqCst) {
            let application =
                api.post("/api/applications", json!({ "name": format!("a{made}") })).await.expect(201);
            let body = json!({ "applications": [application["id"]], "api_products": [product] });
            api.post("/api/subscriptions", body).await.expect(201);
            made += 1;
        }
        made
    });
    let folder = tempfile::tempdir().unwrap();
    let mut counts = Vec::new();
    for number in 0..3 {
        let file = folder.path().join(format!("{number}.backup"));
        succeeded(&tool(f.database(), &["backup", "--to", shown(&file)]).await);
        let target = empty_with(&f.database().folder().join("master.key"));
        succeeded(&tool(&target, &["restore", "--from", shown(&file)]).await);
        let process = ForecourtProcess::serve(&target);
        let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
        let total = async |path: &str| admin.get(path).await.expect(200)["total"].as_u64().expect("a total");
        let applications = total("/api/forecourt/applications?page=1&page_size=1").await;
        let subscriptions = total("/api/subscriptions?page=1&page_size=1").await;
        assert!(
            applications == subscriptions || applications == subscriptions + 1,
            "{applications} applications and {subscriptions} subscriptions were never there at the same time"
        );
        counts.push(applications);
        assert_eq!(process.stop("TERM").status.code(), Some(0));
    }
    stop.store(true, Ordering::SeqCst);
    let made = writing.await.unwrap();
    assert!(counts.is_sorted() && counts[2] > 0 && counts[2] <= u64::from(made) + 1, "{counts:?} of {made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_refused_where_something_is_stored_or_the_master_key_is_another() {
    let f = Forecourt::start().await;
    f.admin().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forecourt.backup");
    succeeded(&tool(f.database(), &["backup", "--to", shown(&file)]).await);
    let restore = ["restore", "--from", shown(&file)];
    refused(&tool(f.database(), &restore).await, &["it is not empty", "nothing is ever written over"]);
    f.admin().await.get("/api/me").await.expect(200);

    let without = TestDatabase::new();
    refused(&tool(&without, &restore).await, &["are sealed under the master key", "there is none here"]);
    let other = TestDatabase::new();
    std::fs::write(other.folder().join("master.key"), "0a".repeat(32)).unwrap();
    refused(&tool(&other, &restore).await, &["are sealed under the master key", "holds the master key"]);
    // Both are as empty as before.
    for database in [&without, &other] {
        std::fs::copy(f.database().folder().join("master.key"), database.folder().join("master.key"))
            .unwrap();
        succeeded(&tool(database, &restore).await);
    }
    let nothing = TestDatabase::new();
    let backup = tool(&nothing, &["backup", "--to", shown(&file)]).await;
    refused(&backup, &["there is no database of Forecourt's"]);
    assert!(!nothing.folder().join("forecourt.db").exists(), "none was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_moves_to_another_file_only_when_nobody_serves_from_it() {
    let f = Forecourt::start().await;
    let lived = live(&f).await;
    let portal = f.portal_id().await.to_owned();
    let target = TestDatabase::new();
    let to = format!("sqlite:{}", target.folder().join("forecourt.db").display());
    let serving = tool(f.database(), &["migrate", "--to", &to]).await;
    refused(&serving, &["a process serves from", "--while-serving"]);
    let moved = tool(f.database(), &["migrate", "--to", &to, "--while-serving"]).await;
    assert!(succeeded(&moved).contains("each compared"), "{moved:?}");
    refused(&tool(f.database(), &["migrate", "--to", &to, "--while-serving"]).await, &["it is not empty"]);
    std::fs::copy(&lived.master_key, target.folder().join("master.key")).unwrap();
    let process = on_sqlite(&target);
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    same(&lived.answers, &answers(&admin, &portal).await);
    process.client("gateway").with("apikey", &lived.key.key).get(&lived.path).await.expect(200);
    assert_eq!(process.stop("TERM").status.code(), Some(0));
}

/// Both directions, on the machine that has a PostgreSQL: every read of both APIs answers as before.
#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_from_sqlite_to_postgresql_and_back() {
    let postgres = TestDatabase::new();
    if !postgres.is_postgres() {
        return;
    }
    let f = Forecourt::start_with(|settings| settings.database.url = String::new()).await;
    let lived = live(&f).await;
    let portal = f.portal_id().await;
    let tokens = format!("/api/portal/tokens?portal_id={portal}");
    let made = f.admin().await.post(&tokens, json!({ "name": "t" })).await.expect(200);
    let token = made["value"]["token"].as_str().unwrap().to_owned();
    let source = Location::Sqlite(f.database().folder().join("forecourt.db"));
    let reads = Reads::of(&Snapshot::of(&source).await, &token, &lived.key.key);
    // The first time notes that the token was used and the developer active.
    reads.answered(&f.guest(), &f.portal_api_guest()).await;
    let before = reads.answered(&f.guest(), &f.portal_api_guest()).await;
    let mut migrate =
        command(&binary(), &["migrate", "--to", &postgres.url(), "--while-serving"], f.database());
    migrate.env("FORECOURT__DATABASE__URL", "");
    succeeded(&tokio::task::spawn_blocking(|| run(migrate)).await.unwrap());
    std::fs::copy(&lived.master_key, postgres.folder().join("master.key")).unwrap();
    let moved = serves_the_same(ForecourtProcess::serve(&postgres), (&reads, &before)).await;
    let back = TestDatabase::new();
    let to = format!("sqlite:{}", back.folder().join("forecourt.db").display());
    succeeded(&tool(&postgres, &["migrate", "--to", &to]).await);
    std::fs::copy(&lived.master_key, back.folder().join("master.key")).unwrap();
    serves_the_same(on_sqlite(&back), (&reads, &moved)).await;
    for process in [on_sqlite(&back), ForecourtProcess::serve(&postgres)] {
        process.client("gateway").with("apikey", &lived.key.key).get(&lived.path).await.expect(200);
        assert_eq!(process.stop("TERM").status.code(), Some(0));
    }
}

/// Serves from the file in a data folder, also where tests have a PostgreSQL.
fn on_sqlite(database: &TestDatabase) -> ForecourtProcess {
    let mut serve = command(&binary(), &["serve"], database);
    serve.env("FORECOURT__DATABASE__URL", "");
    ForecourtProcess::start(serve)
}

/// Serves from a database that was moved, and compares. What it answers once it was asked everything: by then it knows that
/// the developer was active.
async fn serves_the_same(process: ForecourtProcess, (reads, before): (&Reads, &Answers)) -> Answers {
    let (admin, portal_api) = (process.client("admin"), process.client("portal_api"));
    reads.same(before, &reads.answered(&admin, &portal_api).await);
    let now = reads.answered(&admin, &portal_api).await;
    assert_eq!(process.stop("TERM").status.code(), Some(0));
    now
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_knew_more_than_the_backup_is_told_the_whole_state() {
    // A gateway that follows by revision alone would keep what was granted after the backup.
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forecourt.backup");
    succeeded(&tool(f.database(), &["backup", "--to", shown(&file)]).await);
    let before = revision(&f).await;
    application.key("later").await;
    assert!(revision(&f).await > before);
    let target = empty_with(&f.database().folder().join("master.key"));
    succeeded(&tool(&target, &["restore", "--from", shown(&file)]).await);
    let store = forecourt_store::Store::open(&crate::store::location(&target)).await.unwrap();
    assert_eq!(store.read().revision().await.unwrap(), before, "the line goes on where the backup was taken");
    let own = forecourt_store::Store::open(&crate::store::location(f.database())).await.unwrap();
    let marks = async |store: &forecourt_store::Store, at| store.read().revision_mark(at).await.unwrap();
    assert_eq!(marks(&store, before).await, marks(&own, before).await);
    // What comes next has the same number there and another mark, by which a node tells the lines apart.
    assert_eq!(marks(&store, before + 1).await, None);
    assert!(marks(&own, before + 1).await.is_some());
}

async fn revision(f: &Forecourt) -> i64 {
    let store = forecourt_store::Store::open(&crate::store::location(f.database())).await.unwrap();
    store.read().revision().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_written_leaves_the_one_before() {
    let f = Forecourt::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forecourt.backup");
    succeeded(&tool(f.database(), &["backup", "--to", shown(&file)]).await);
    let before = std::fs::read(&file).unwrap();
    let missing = folder.path().join("missing").join("forecourt.backup");
    refused(&tool(f.database(), &["backup", "--to", shown(&missing)]).await, &[shown(&missing)]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
