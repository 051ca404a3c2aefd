//! `forecourt gateway` as operators run it: the real binary, fed over the sync port, killed and started again.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use forecourt_it::{
    Client, Credential, Forecourt, ForecourtProcess,
    deadlines::eventually,
    installations::text,
    processes::{binary, run},
};
use serde_json::json;

/// Where nobody listens.
pub(crate) const NOWHERE: &str = "https://127.0.0.1:1";

pub(crate) async fn token(f: &Forecourt) -> String {
    let issued =
        f.admin().await.post("/api/gateway_groups/default/instance_token", json!({})).await.expect(200);
    text(&issued["value"]["token_plain_text"])
}

pub(crate) fn sync(f: &Forecourt) -> String {
    f.addresses().sync.clone().expect("the sync port is on")
}

/// The command of a node in this folder, with further arguments.
pub(crate) fn node(control_plane: &str, token: &str, folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["gateway", "--control-plane", control_plane, "--listen", "127.0.0.1:0"]);
    command
        .args(["--status-listen", "127.0.0.1:0", "--name", "edge"])
        .arg("--data-dir")
        .arg(folder)
        .args(more);
    command.env("FORECOURT_GATEWAY_TOKEN", token).env("FORECOURT_LOG", "info");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn gateway(node: &ForecourtProcess) -> Client {
    node.client("gateway")
}

/// The status of a call with this key.
pub(crate) async fn call(node: &ForecourtProcess, path: &str, credential: &Credential) -> u16 {
    gateway(node).with("apikey", &credential.key).get(path).await.status.as_u16()
}

/// Waits until calls with this key are answered so.
pub(crate) async fn becomes(node: &ForecourtProcess, path: &str, credential: &Credential, status: u16) {
    eventually("the node should answer otherwise", || async {
        (call(node, path, credential).await == status).then_some(())
    })
    .await;
}

pub(crate) async fn metric(node: &ForecourtProcess, name: &str) -> f64 {
    let text = node.client("status").get("/metrics").await.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
    assert!(line.is_some(), "no {name} in {text}");
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_refuses_what_was_taken_away_also_when_it_starts_again_without_its_control_plane() {
    let f = Forecourt::start_with(|settings| settings.sync.listen = "127.0.0.1:0".into()).await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let (kept, revoked) = (application.key("kept").await, application.key("revoked").await);
    let folder = tempfile::tempdir().unwrap();
    let token = token(&f).await;

    let edge = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    let id = text(&edge.ready["node"]);
    assert!(id.starts_with("nod_"), "{id}");
    assert_eq!(edge.client("status").get("/readyz").await.expect(200)["jobs"], "ok");
    for job in ["gateway_feed", "usage_delivery", "quota_keeping", "gateway_listener"] {
        assert_eq!(metric(&edge, &format!("forecourt_job_down{{job=\"{job}\"}}")).await, 0.0);
    }
    assert_eq!(call(&edge, &orders.path, &kept).await, 200);
    assert_eq!(call(&edge, &orders.path, &revoked).await, 200);
    let new = application.regenerate(&revoked).await;
    becomes(&edge, &orders.path, &revoked, 401).await;
    becomes(&edge, &orders.path, &new, 200).await;
    // It is acknowledged only once it is on the disk, which outlives the process.
    let wanted = *forecourt_app::gateway_feed::latest(&f.app()).borrow() as f64;
    eventually("the disk should have it", || async {
        (metric(&edge, "forecourt_node_kept_revision").await >= wanted).then_some(())
    })
    .await;
    edge.kill();

    let edge = ForecourtProcess::start(node(NOWHERE, &token, folder.path(), &[]));
    assert_eq!(text(&edge.ready["node"]), id, "the same node");
    assert_eq!(call(&edge, &orders.path, &revoked).await, 401);
    assert_eq!(call(&edge, &orders.path, &kept).await, 200);
    assert_eq!(metric(&edge, "forecourt_node_connected").await, 0.0);
    let ended = edge.stop("TERM");
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "one line, which was read already");
    assert!(ended.stderr.contains("no stream from the control plane"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_state_is_damaged_knows_nothing_until_it_is_sent_again() {
    let f = Forecourt::start_with(|settings| settings.sync.listen = "127.0.0.1:0".into()).await;
    let orders = f.product("Orders").await;
    let key = f.developer("ada").await.application("demo").await.subscribe(&orders).await.key("k").await;
    let folder = tempfile::tempdir().unwrap();
    let token = token(&f).await;
    let edge = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    eventually("the disk should have a state", || async {
        (metric(&edge, "forecourt_node_kept_revision").await > 0.0).then_some(())
    })
    .await;
    edge.kill();
    let state = folder.path().join("state");
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(&state, bytes).unwrap();

    let edge = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    assert_eq!(call(&edge, &orders.path, &key).await, 200);
    assert_eq!(metric(&edge, "forecourt_node_damaged_states_total").await, 1.0);
    assert!(folder.path().join("state.damaged").exists());
    let ended = edge.stop("TERM");
    assert!(ended.stderr.contains("is damaged and was set aside"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_a_node_are_counted_once_though_it_is_killed_and_its_control_plane_is_away() {
    let f = Forecourt::start_with(|settings| settings.sync.listen = "127.0.0.1:0".into()).await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("k").await;
    let folder = tempfile::tempdir().unwrap();
    let token = token(&f).await;
    let edge = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    assert_eq!(call(&edge, &orders.path, &key).await, 200);
    assert!(edge.stop("TERM").status.success());
    // Without the control plane, calls wait on the disk, and a kill does not lose them. Each is seen there before the
    // next, as counts are written once a second, and what was counted since is lost with the process.
    let edge = ForecourtProcess::start(node(NOWHERE, &token, folder.path(), &[]));
    for batches in [1.0, 2.0] {
        assert_eq!(call(&edge, &orders.path, &key).await, 200);
        eventually("the call should wait on the disk", || async {
            (metric(&edge, "forecourt_node_pending_usage_batches").await == batches).then_some(())
        })
        .await;
    }
    edge.kill();
    let waiting = fs::read_dir(folder.path().join("usage")).unwrap().count();
    assert!(waiting > 0);
    let edge = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    eventually("nothing should wait any more", || async {
        (metric(&edge, "forecourt_node_connected").await == 1.0
            && metric(&edge, "forecourt_node_pending_usage_batches").await == 0.0)
            .then_some(())
    })
    .await;
    let counted = || async {
        let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
        let hours = ada.api.get(path).await.expect(200)["list"].as_array().unwrap().clone();
        hours.iter().map(|hour| hour["api_calls"].as_u64().unwrap()).sum::<u64>()
    };
    // What is stored is added up in the background.
    eventually("three calls are counted", || async { (counted().await >= 3).then_some(()) }).await;
    assert!(edge.stop("TERM").status.success());
    assert_eq!(counted().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_staleness_a_node_refuses_products_and_serves_open_routes() {
    let f = Forecourt::start_with(|settings| settings.sync.listen = "127.0.0.1:0".into()).await;
    let orders = f.product("Orders").await;
    let key = f.developer("ada").await.application("demo").await.subscribe(&orders).await.key("k").await;
    let folder = tempfile::tempdir().unwrap();
    let token = token(&f).await;
    let edge = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    assert!(edge.stop("TERM").status.success());
    let edge = ForecourtProcess::start(node(NOWHERE, &token, folder.path(), &["--max-staleness", "0s"]));
    assert_eq!(call(&edge, &orders.path, &key).await, 503);
    assert_eq!(gateway(&edge).get("/nothing/here").await.status.as_u16(), 404);
    edge.client("status").get("/readyz").await.expect(503);
    drop(edge);
    let edge = ForecourtProcess::start(node(NOWHERE, &token, folder.path(), &["--max-staleness", "1h"]));
    assert_eq!(call(&edge, &orders.path, &key).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_serves_one_node_at_a_time_and_wrong_arguments_are_named() {
    let f = Forecourt::start_with(|settings| settings.sync.listen = "127.0.0.1:0".into()).await;
    let folder = tempfile::tempdir().unwrap();
    let token = token(&f).await;
    let first = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    for (command, part) in [
        (node(&sync(&f), &token, folder.path(), &[]), "is in use by another gateway"),
        (node("http://127.0.0.1:1", &token, folder.path(), &[]), "must be https://HOST:PORT"),
        (node(&sync(&f), "a.b", folder.path(), &[]), "a token is SECRET.DIGEST"),
        (node(&sync(&f), &token, folder.path(), &["--ca", "/no/such/file"]), "/no/such/file cannot be read"),
        (node(&sync(&f), &token, folder.path(), &["--max-staleness", "soon"]), "such as 24h"),
    ] {
        let ended = run(command);
        assert!(!ended.status.success() && ended.stderr.contains(part), "{part}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_believes_no_other_authority_than_the_one_its_token_names() {
    let f = Forecourt::start_with(|settings| settings.sync.listen = "127.0.0.1:0".into()).await;
    let token = token(&f).await;
    let (secret, digest) = token.rsplit_once('.').expect("the token names the authority");
    let flipped = if digest.starts_with('0') { "1" } else { "0" };
    let wrong = format!("{secret}.{flipped}{}", &digest[1..]);
    let folder = tempfile::tempdir().unwrap();
    let said = says_in_vain(node(&sync(&f), &wrong, folder.path(), &[])).await;
    assert!(said.contains("no TLS") && !said.contains(secret), "{said}");
}

/// Why a node says that it has no stream, which never becomes ready.
pub(crate) async fn says_in_vain(mut command: Command) -> String {
    let mut child = command.spawn().unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let said = tokio::task::spawn_blocking(move || {
        use std::io::BufRead;
        stderr.lines().map_while(Result::ok).find(|line| line.contains("no stream from the control plane"))
    });
    let said = said.await.unwrap();
    child.kill().unwrap();
    let mut stdout = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut stdout).unwrap();
    child.wait().unwrap();
    assert_eq!(stdout, "", "never ready");
    said.expect("it says why")
}
