//! Databases of earlier versions under this one: they are brought up to date by themselves, with every row, also when
//! that is broken off.
//!
//! An earlier database is made of what an installation holds today, at an earlier step of the schema: the tables and the
//! columns that there were then.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use forecourt_core::time::Timestamp;
use forecourt_identity::sealing::MasterKey;
use forecourt_it::{
    Credential, Forecourt, ForecourtProcess, TestDatabase,
    deadlines::{PATIENCE, eventually},
    installations::ADMIN_PASSWORD,
    postgres,
    processes::{Ended, binary, command, run},
};
use forecourt_store::{Cell, Filling, Original, Schema, Store, Table, schema_steps};
use serde_json::json;

use crate::store::location;

/// The first step that a release may have stopped at.
const FIRST: &str = "0012_sign_in_options";

/// Rows that an earlier step did not have though it has their table: the step that they came with, the table, a column,
/// and its text in them.
const LATER: [(&str, &str, &str, &str); 3] = [
    ("0024_data_keys", "settings", "key", "username_salts"),
    ("0024_data_keys", "settings", "key", "audit_chain"),
    ("0024_data_keys", "settings", "key", "data_key_list"),
];

/// What was stored: each table with its rows, by its name.
type Stored = BTreeMap<String, (Table, Vec<Vec<Cell>>)>;

/// An installation with something of most nouns, which runs on: its upstream answers.
struct Lived {
    f: Forecourt,
    stored: Stored,
    key: Credential,
    path: String,
    portal: String,
}

async fn stored(database: &TestDatabase) -> (Schema, Stored) {
    let original = Original::open(&location(database)).await.unwrap();
    let mut stored = Stored::new();
    for table in &original.schema().tables {
        let mut rows = original.rows(table);
        let mut all = Vec::new();
        loop {
            let page = rows.next().await.unwrap();
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        stored.insert(table.name.clone(), (table.clone(), all));
    }
    (original.schema().clone(), stored)
}

/// A database of an installation that seals under its master key, as all did before there were data keys: the audit log
/// is chained, and user names are salted, with what follows from that key. It keeps to them for good.
async fn of_an_older_installation() -> TestDatabase {
    let (database, key) = (TestDatabase::new(), "0a".repeat(32));
    std::fs::write(master_key(&database), &key).unwrap();
    let store = Store::open(&location(&database)).await.unwrap();
    let tx = store.begin().await.unwrap();
    tx.save_master_key_id(&MasterKey::from_hex(&key).unwrap().id()).await.unwrap();
    tx.commit(Timestamp::default()).await.unwrap();
    database
}

/// Each data key is called as the master key is, and so has its bytes.
#[track_caller]
fn is_sealed_as_before(stored: &Stored, database: &TestDatabase) {
    let key = std::fs::read_to_string(master_key(database)).unwrap();
    let own = Cell::Text(MasterKey::from_hex(&key).unwrap().id());
    assert_eq!(column(stored, "data_keys", "id"), [&own]);
}

fn place(table: &Table, column: &str) -> usize {
    table.columns.iter().position(|own| own.name == column).unwrap()
}

/// A column of each row.
fn column<'a>(stored: &'a Stored, table: &str, column: &str) -> Vec<&'a Cell> {
    let (table, rows) = &stored[table];
    let place = place(table, column);
    rows.iter().map(|row| &row[place]).collect()
}

async fn lived() -> Lived {
    let f = Forecourt::start_on(of_an_older_installation().await, |_| {}).await;
    let orders = f.product("Orders").await;
    let waiting = f.product_with("Waiting", json!({ "subscription_auto_approval": false })).await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    application.request(&waiting).await;
    let key = application.key("prod").await;
    let admin = f.admin().await;
    let consumer = json!({ "plugins": { "key-auth": { "key": "bob's key" } } });
    admin.put("/apisix/admin/consumers/bob?gateway_group_id=default", consumer).await.expect(200);
    let contact = json!({ "name": "Operations", "type": "email", "addresses": ["ops@example.com"] });
    admin.post("/api/contact_points", contact).await.expect(200);
    let (path, portal) = (orders.path.clone(), f.portal_id().await.to_owned());
    let (_, mut stored) = stored(f.database()).await;
    // What no step before this one knows of a developer, and none could keep.
    let (table, rows) = stored.get_mut("developers").unwrap();
    let proved = place(table, "email_verified");
    for row in rows {
        row[proved] = Cell::Boolean(true);
    }
    is_sealed_as_before(&stored, f.database());
    let rows = |table: &str| stored[table].1.len();
    for table in ["products", "applications", "credentials", "subscriptions", "approvals", "consumers"] {
        assert!(rows(table) > 0, "{table} holds nothing");
    }
    Lived { stored, key, path, portal, f }
}

/// The cells of `row`, which is of the table `from`, that the columns of `to` ask for.
fn cells(from: &Table, row: &[Cell], to: &Table) -> Vec<Cell> {
    let place = |name: &str| from.columns.iter().position(|column| column.name == name);
    let cell = |name: &str| place(name).map_or(Cell::Null, |place| row[place].clone());
    to.columns.iter().map(|column| cell(&column.name)).collect()
}

/// Whether the step `step` had rows such as this one.
fn knows(step: &str, table: &Table, row: &[Cell]) -> bool {
    let holds = |name: &str, text: &str| {
        let mut cells = table.columns.iter().zip(row);
        cells.any(|(column, cell)| column.name == name && *cell == Cell::Text(text.to_owned()))
    };
    !LATER.iter().any(|&(since, of, column, text)| step < since && table.name == of && holds(column, text))
}

/// The rows of `stored` as the tables of `schema` hold them.
fn as_of(stored: &Stored, schema: &Schema) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let held = schema.tables.iter().filter_map(|table| {
        let (own, rows) = stored.get(&table.name)?;
        let known = rows.iter().filter(|row| knows(&schema.version, own, row));
        Some((table.name.clone(), known.map(|row| cells(own, row, table)).collect()))
    });
    held.collect()
}

/// A database at an earlier step, and its schema.
async fn earlier(lived: &Lived, step: &str) -> (TestDatabase, Schema) {
    let database = TestDatabase::new();
    let filling = Filling::begin(&location(&database), step).await.unwrap();
    let schema = filling.schema().clone();
    let rows = as_of(&lived.stored, &schema);
    for table in &schema.tables {
        if let Some(rows) = rows.get(&table.name) {
            filling.insert(table, rows).await.unwrap();
        }
    }
    filling.keep().await.unwrap();
    std::fs::copy(master_key(lived.f.database()), master_key(&database)).unwrap();
    (database, schema)
}

fn master_key(database: &TestDatabase) -> PathBuf {
    database.folder().join("master.key")
}

#[track_caller]
fn succeeded(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

/// Holds what a process says and does against what was there before.
async fn is_as_before(process: &ForecourtProcess, lived: &Lived) {
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    for (path, count) in [
        (format!("/api/api_products?portal_id={}", lived.portal), 2),
        ("/api/forecourt/applications".into(), 1),
        ("/api/subscriptions".into(), 2),
        ("/api/approvals?status=pending".into(), 1),
    ] {
        let list = admin.get(&path).await.expect(200);
        assert_eq!(list["total"], count, "{path}: {list}");
    }
    admin.get("/apisix/admin/consumers/bob?gateway_group_id=default").await.expect(200);
    process.client("gateway").with("apikey", &lived.key.key).get(&lived.path).await.expect(200);
    process.client("gateway").get(&lived.path).await.expect(401);
    // It takes writes too.
    admin.post("/api/settings/tokens", json!({ "name": "later", "expires_at": 0 })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_every_earlier_step_is_brought_to_this_version_with_every_row() {
    let lived = lived().await;
    let steps: Vec<_> = schema_steps().skip_while(|step| *step != FIRST).collect();
    assert!(steps.len() > 10, "{steps:?}");
    for step in steps {
        let (database, schema) = earlier(&lived, step).await;
        let before = as_of(&lived.stored, &schema);
        succeeded(&run(command(&binary(), &["migrate"], &database)));
        let (now, stored) = stored(&database).await;
        assert_eq!(Some(now.version.as_str()), schema_steps().last());
        for table in &schema.tables {
            let Some((own, rows)) = stored.get(&table.name) else { panic!("{step}: {} is gone", table.name) };
            let rows: Vec<_> = rows.iter().map(|row| cells(own, row, table)).collect();
            assert_eq!(before.get(&table.name), Some(&rows), "{step}: {}", table.name);
        }
        let proved = Cell::Boolean(step >= "0025_person_links");
        assert_eq!(column(&stored, "developers", "email_verified"), [&proved], "{step}");
        let process = ForecourtProcess::serve(&database);
        is_as_before(&process, &lived).await;
        let ended = process.stop("TERM");
        assert_eq!(ended.status.code(), Some(0), "{step}: {}", ended.stderr);
        succeeded(&run(command(&binary(), &["audit", "verify"], &database)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_on_an_earlier_database_bring_it_up_to_date_once() {
    let lived = lived().await;
    let (database, _) = earlier(&lived, FIRST).await;
    // A SQLite file is one process's.
    let processes = if database.is_postgres() { 3 } else { 1 };
    let starts: Vec<_> = (0..processes)
        .map(|_| {
            let serve = command(&binary(), &["serve"], &database);
            tokio::task::spawn_blocking(move || ForecourtProcess::start(serve))
        })
        .collect();
    for start in starts {
        let process = start.await.unwrap();
        process.client("gateway").with("apikey", &lived.key.key).get(&lived.path).await.expect(200);
        assert_eq!(process.stop("TERM").status.code(), Some(0));
    }
    let process = ForecourtProcess::serve(&database);
    is_as_before(&process, &lived).await;
    assert_eq!(process.stop("TERM").status.code(), Some(0));
}

/// How much of the schema is made: on PostgreSQL in steps, on SQLite by the size of its files.
fn progress(database: &TestDatabase) -> u64 {
    if database.is_postgres() {
        let steps = postgres::query(&database.url(), "SELECT count(*) FROM seaql_migrations");
        return steps.ok().and_then(|rows| rows.first()?.first()?.parse().ok()).unwrap_or(0);
    }
    let files = ["forecourt.db", "forecourt.db-wal"].map(|name| database.folder().join(name));
    let bytes: u64 = files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.len())).sum();
    bytes / 32_768
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_whose_making_was_killed_anywhere_is_made_by_the_next_start() {
    let whole = TestDatabase::new();
    succeeded(&run(command(&binary(), &["migrate"], &whole)));
    let (expected, _) = stored(&whole).await;
    for enough in [1, 3, 6, 12, 20] {
        let database = TestDatabase::new();
        let mut making = command(&binary(), &["migrate"], &database).spawn().unwrap();
        let begun = Instant::now();
        while progress(&database) < enough && making.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it comes to no end");
            std::thread::yield_now();
        }
        // One that was faster has ended well.
        making.kill().ok();
        making.wait().unwrap();
        let process = ForecourtProcess::serve(&database);
        let admin = process.client("admin").with_basic("admin", "admin");
        admin.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
        assert_eq!(process.stop("TERM").status.code(), Some(0));
        assert_eq!(stored(&database).await.0, expected, "killed at {enough}");
    }
}

/// Somebody reads a table, as a backup does; the step that changes the table waits, and is killed in its middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_was_killed_in_its_middle_is_run_again_with_every_row_in_place() {
    let lived = lived().await;
    let (database, before) = earlier(&lived, "0022_audit_logs").await;
    if !database.is_postgres() {
        // There nobody waits in the middle of a step: it begins when nobody else writes.
        return;
    }
    let held = Original::open(&location(&database)).await.unwrap();
    let table = before.tables.iter().find(|table| table.name == "contact_points").unwrap();
    held.rows(table).next().await.unwrap();
    let mut making = command(&binary(), &["migrate"], &database).spawn().unwrap();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("it waits for the table", || async {
        let rows = postgres::query(&database.url(), waiting).unwrap();
        (rows[0][0] != "0").then_some(())
    })
    .await;
    making.kill().unwrap();
    making.wait().unwrap();
    let last = postgres::query(&database.url(), "SELECT max(version) FROM seaql_migrations").unwrap();
    assert_eq!(last[0][0], before.version);
    drop(held);
    let process = ForecourtProcess::serve(&database);
    is_as_before(&process, &lived).await;
    assert_eq!(process.stop("TERM").status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_an_earlier_database_is_restored_and_brought_to_this_version() {
    let lived = lived().await;
    let (database, schema) = earlier(&lived, FIRST).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("earlier.backup");
    let file = file.to_str().unwrap();
    succeeded(&run(command(&binary(), &["backup", "--to", file], &database)));
    // The backup left it as it was.
    assert_eq!(stored(&database).await.0, schema);
    let target = TestDatabase::new();
    std::fs::copy(master_key(&database), master_key(&target)).unwrap();
    succeeded(&run(command(&binary(), &["restore", "--from", file], &target)));
    let process = ForecourtProcess::serve(&target);
    is_as_before(&process, &lived).await;
    assert_eq!(process.stop("TERM").status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_later_version_is_left_alone_and_both_versions_are_named() {
    let database = TestDatabase::new();
    if !database.is_postgres() {
        // The store's own tests do the same to a file.
        return;
    }
    succeeded(&run(command(&binary(), &["migrate"], &database)));
    let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('9999_later', 0)";
    postgres::query(&database.url(), later).unwrap();
    for name in ["serve", "migrate"] {
        let ended = run(command(&binary(), &[name], &database));
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        for part in ["9999_later", schema_steps().last().unwrap(), "or a later one"] {
            assert!(ended.stderr.contains(part), "{name}: {part:?} is not in: {}", ended.stderr);
        }
    }
}
