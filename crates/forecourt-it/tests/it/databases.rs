//! A database that cannot be used: one clear sentence, exit code 1, nothing half done.

use std::{
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use forecourt_it::{
    ForecourtProcess, TestDatabase,
    installations::{ADMIN_PASSWORD, text},
    processes::{Ended, binary, command, environment, run},
};
use forecourt_store::{Location, Store};
use serde_json::json;

/// Refused before it was ready, with a message that holds all `parts`.
#[track_caller]
fn refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part:?} is not in: {}", ended.stderr);
    }
}

/// SQLite whatever the environment says: these are its own troubles.
fn serve_on(folder: &Path, program: &Path, database: &TestDatabase) -> Command {
    let mut serve = command(program, &["serve"], database);
    serve.env("FORECOURT__DATABASE__URL", "").env("FORECOURT__DATA_DIR", folder);
    serve
}

fn is_root() -> bool {
    let probe = tempfile::NamedTempFile::new().unwrap();
    probe.as_file().metadata().unwrap().uid() == 0
}

#[tokio::test]
async fn a_database_that_another_program_holds_is_named() {
    let database = TestDatabase::new();
    let file = database.folder().join("forecourt.db");
    let store = Store::open(&Location::Sqlite(file.clone())).await.unwrap();
    let held = store.begin().await.unwrap();
    let serve = serve_on(database.folder(), &binary(), &database);
    let ended = tokio::task::spawn_blocking(|| run(serve)).await.unwrap();
    refused(&ended, &[&file.display().to_string(), "locked by another process", "stop the other program"]);
    drop(held);
}

#[test]
fn a_folder_that_is_not_there_is_named_and_not_made() {
    let database = TestDatabase::new();
    let folder = database.folder().join("missing").join("data");
    let ended = run(serve_on(&folder, &binary(), &database));
    refused(&ended, &["data_dir", &folder.display().to_string(), "make its parent"]);
    assert!(!database.folder().join("missing").exists());
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_alone() {
    let database = TestDatabase::new();
    let file = database.folder().join("forecourt.db");
    let content = "not a database, but somebody's letters ".repeat(100);
    std::fs::write(&file, &content).unwrap();
    let ended = run(serve_on(database.folder(), &binary(), &database));
    refused(&ended, &[&file.display().to_string(), "file is not a database"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
}

#[test]
fn a_database_that_may_not_be_written_is_named() {
    let database = TestDatabase::new();
    let folder = database.folder().join("data");
    std::fs::create_dir(&folder).unwrap();
    let made = run({
        let mut migrate = command(&binary(), &["migrate"], &database);
        migrate.env("FORECOURT__DATABASE__URL", "").env("FORECOURT__DATA_DIR", &folder);
        migrate
    });
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let file = folder.join("forecourt.db");
    // With its write-ahead log, which is for the same people.
    for beside in std::fs::read_dir(&folder).unwrap() {
        std::fs::set_permissions(beside.unwrap().path(), PermissionsExt::from_mode(0o444)).unwrap();
    }
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
    // With a key from elsewhere, so that the database is what cannot be written.
    let key = "11".repeat(32);
    let ended = if is_root() {
        // Root may write everything: somebody else tries, with a copy of the binary that they can reach.
        let copy = database.folder().join("forecourt");
        std::fs::copy(binary(), &copy).unwrap();
        std::fs::set_permissions(database.folder(), PermissionsExt::from_mode(0o755)).unwrap();
        let mut serve = serve_on(&folder, &copy, &database);
        serve.uid(65_534).current_dir("/").env("FORECOURT__SECURITY__MASTER_KEY", &key);
        run(serve)
    } else {
        let mut serve = serve_on(&folder, &binary(), &database);
        serve.env("FORECOURT__SECURITY__MASTER_KEY", &key);
        run(serve)
    };
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    refused(&ended, &[&file.display().to_string(), "read-only", "let this user write"]);
}

/// A command on a file system of `size` bytes mounted at `folder`, seen by that process alone. `None` where this
/// machine lets nobody mount; then a limit on the size of files takes its place.
fn on_a_small_disk(folder: &Path, size: &str, database: &TestDatabase) -> (Command, bool) {
    std::fs::create_dir_all(folder).unwrap();
    let flags = if is_root() { "-m" } else { "-rm" };
    let script = format!("mount -t tmpfs -o size={size} tmpfs \"$0\" && exec \"$1\" serve");
    let may_mount =
        Command::new("unshare").args([flags, "mount", "-t", "tmpfs", "tmpfs"]).arg(folder).status();
    let may_mount = may_mount.is_ok_and(|status| status.success());
    let mut command = Command::new(if may_mount { "unshare" } else { "sh" });
    if may_mount {
        command.args([flags, "sh", "-c", &script]);
    } else {
        let blocks = size.trim_end_matches('k').parse::<u64>().unwrap() * 2;
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$1\" serve")]);
    }
    command.arg(folder).arg(binary()).envs(environment(database));
    command.env("FORECOURT__DATABASE__URL", "").env("FORECOURT__DATA_DIR", folder);
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    (command, may_mount)
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named() {
    let database = TestDatabase::new();
    let folder = database.folder().join("small");
    let (serve, is_disk) = on_a_small_disk(&folder, "96k", &database);
    let said = if is_disk { "disk is full" } else { "disk" };
    refused(&run(serve), &[&folder.join("forecourt.db").display().to_string(), said]);
}

#[tokio::test]
async fn a_disk_that_fills_up_refuses_writes_whole_and_goes_on_reading() {
    let database = TestDatabase::new();
    let folder = database.folder().join("small");
    let process = ForecourtProcess::start(on_a_small_disk(&folder, "6000k", &database).0);
    let guest = process.client("admin");
    let one_time = guest.with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = guest.with_basic("admin", ADMIN_PASSWORD);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let path = format!("/api/api_products?portal_id={portal}");
    let mut made = 0;
    let refusal = loop {
        assert!(made < 2_000, "the disk never fills");
        let product = json!({ "type": "gateway", "name": format!("p{made}"), "desc": "x".repeat(60_000) });
        let answer = admin.post(&path, product).await;
        if answer.status.is_success() {
            made += 1;
        } else {
            break answer;
        }
    };
    assert!(made > 0);
    refusal.refused(503, "");
    let list = admin.get("/api/api_products?page_size=1").await.expect(200);
    assert_eq!(list["total"], made, "what was answered is there, what was refused is not");
    let ended = process.stop("TERM");
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[test]
fn a_postgresql_that_is_away_is_named_without_its_password() {
    let database = TestDatabase::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut serve = command(&binary(), &["serve"], &database);
    serve.env("FORECOURT__DATABASE__URL", format!("postgres://ann:planted@{closed}/forecourt"));
    let ended = run(serve);
    refused(
        &ended,
        &[&format!("postgres://ann:******@{closed}/forecourt"), "check that PostgreSQL runs there"],
    );
    assert!(!ended.stderr.contains("planted"), "{}", ended.stderr);
}
