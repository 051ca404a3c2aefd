//! The binary as an operator meets it: what it prints, what it refuses, how it ends.

use forecourt_it::{
    ForecourtProcess, TestDatabase,
    processes::{binary, command, run},
};

#[test]
fn serve_prints_one_ready_line_and_a_signal_ends_it_with_code_0() {
    for signal in ["TERM", "INT"] {
        let database = TestDatabase::new();
        let process = ForecourtProcess::serve(&database);
        for part in ["admin", "portal_api", "site", "gateway", "status"] {
            assert!(
                process.ready[part].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")),
                "{part}"
            );
        }
        let ended = process.stop(signal);
        assert_eq!(ended.status.code(), Some(0), "{signal}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{signal}: nothing follows the ready line");
    }
}

#[test]
fn an_address_that_is_taken_is_named_with_its_setting() {
    let database = TestDatabase::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut serve = command(&binary(), &["serve"], &database);
    serve.env("FORECOURT__SITE__LISTEN", &address);
    let ended = run(serve);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stdout, "");
    let expected = format!("forecourt: site.listen: cannot listen on {address}");
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert!(!database.folder().join("forecourt.db").exists(), "nothing was begun");
}

#[test]
fn an_unknown_setting_ends_every_command_with_the_nearest_known_one() {
    let database = TestDatabase::new();
    let file = database.folder().join("forecourt.yaml");
    std::fs::write(&file, "portal_api: { lisen: 127.0.0.1:0 }\n").unwrap();
    for name in ["serve", "demo", "migrate", "config"] {
        let ended = run(command(&binary(), &[name, "--config", &file.display().to_string()], &database));
        assert_eq!(ended.status.code(), Some(1), "{name}");
        let expected = "unknown setting portal_api.lisen: did you mean portal_api.listen?";
        assert!(ended.stderr.contains(expected), "{name}: {}", ended.stderr);
    }
}

#[test]
fn config_prints_what_is_in_force_without_secrets() {
    let database = TestDatabase::new();
    let file = database.folder().join("forecourt.yaml");
    std::fs::write(&file, "bootstrap: { admin_password: planted-1 }\nsite: { listen: 127.0.0.1:1 }\n")
        .unwrap();
    let mut config = command(&binary(), &["config", "--config", &file.display().to_string()], &database);
    config.env("FORECOURT__DATABASE__URL", "postgres://ann:planted-2@db.example.com/forecourt");
    let ended = run(config);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("postgres://ann:******@db.example.com/forecourt"), "{}", ended.stdout);
    // The environment wins over the file.
    assert!(
        ended.stdout.contains("listen: 127.0.0.1:0") && !ended.stdout.contains("127.0.0.1:1\n"),
        "{}",
        ended.stdout
    );
    for output in [&ended.stdout, &ended.stderr] {
        assert!(!output.contains("planted"), "{output}");
    }
}

#[test]
fn migrate_makes_the_database_and_ends() {
    let database = TestDatabase::new();
    for _ in 0..2 {
        let ended = run(command(&binary(), &["migrate"], &database));
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains("is up to date"), "{}", ended.stdout);
    }
    let process = ForecourtProcess::serve(&database);
    assert_eq!(process.stop("TERM").status.code(), Some(0));
}

#[tokio::test]
async fn beyond_loopback_the_first_password_is_random_and_told_once() {
    let database = TestDatabase::new();
    let serve = || {
        let mut serve = command(&binary(), &["serve"], &database);
        serve.env("FORECOURT__ADMIN__LISTEN", "0.0.0.0:0");
        ForecourtProcess::start(serve)
    };
    let process = serve();
    let guest = process.client("admin");
    guest.with_basic("admin", "admin").get("/api/me").await.expect(401);
    let told = process.stop("TERM").stderr;
    let (_, password) = told.split_once("with the one-time password ").expect(&told);
    let password = password.split_whitespace().next().unwrap();
    assert!(password.len() >= 20, "{told}");

    let process = serve();
    let admin = process.client("admin").with_basic("admin", password);
    admin.put("/api/password", serde_json::json!({ "new_password": "chosen by me" })).await.expect(200);
    assert!(!process.stop("TERM").stderr.contains("one-time password"), "told at the first start alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_password_is_told_also_where_the_start_fails_after_it_holds() {
    let database = TestDatabase::new();
    let serve = |client_ca: &str| {
        let mut serve = command(&binary(), &["serve"], &database);
        serve.env("FORECOURT__ADMIN__LISTEN", "0.0.0.0:0").env("FORECOURT__SYNC__LISTEN", "127.0.0.1:0");
        serve.env("FORECOURT__SYNC__CLIENT_CA", client_ca);
        serve
    };
    let missing = database.folder().join("missing.pem");
    let failed = run(serve(missing.to_str().unwrap()));
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let (_, password) = failed.stderr.split_once("with the one-time password ").expect(&failed.stderr);
    let password = password.split_whitespace().next().unwrap();
    let process = ForecourtProcess::start(serve(""));
    let admin = process.client("admin").with_basic("admin", password);
    admin.put("/api/password", serde_json::json!({ "new_password": "chosen by me" })).await.expect(200);
    process.stop("TERM");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_machine_opens_the_console_again_where_the_only_password_is_lost() {
    let database = TestDatabase::new();
    let reset = |name: &str| run(command(&binary(), &["administrator", "reset-password", name], &database));
    let early = reset("admin");
    assert_eq!(early.status.code(), Some(1), "there is nobody yet: {early:?}");
    let process = ForecourtProcess::serve(&database);
    let as_admin = |password: &str| process.client("admin").with_basic("admin", password);
    let chosen = serde_json::json!({ "new_password": "chosen and forgotten" });
    as_admin("admin").put("/api/password", chosen).await.expect(200);
    let guest = process.client("admin");
    let pair = serde_json::json!({ "username": "admin", "password": "chosen and forgotten" });
    let signed_in = guest.post("/api/login", pair).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let in_session = guest.with("cookie", &cookie);
    in_session.get("/api/me").await.expect(200);

    let unknown = reset("Admin");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("\"Admin\" is no administrator's user name"), "{unknown:?}");
    let done = reset("admin");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let (_, password) = done.stdout.split_once("the one-time password ").expect(&done.stdout);
    let password = password.split(',').next().unwrap();
    in_session.get("/api/me").await.expect(401);
    as_admin("chosen and forgotten").get("/api/me").await.expect(401);
    let fresh = as_admin(password);
    fresh.put("/api/password", serde_json::json!({ "new_password": "chosen again" })).await.expect(200);
    let logs = as_admin("chosen again").get("/api/audit_logs?event_type=ResetPassword").await.expect(200);
    assert!(logs.to_string().contains("command_line") && !logs.to_string().contains(password), "{logs}");
    process.stop("TERM");
    let verified = run(command(&binary(), &["audit", "verify"], &database));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}
