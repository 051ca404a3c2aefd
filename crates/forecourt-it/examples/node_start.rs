//! A gateway node with very many credentials: how long it takes to hear of them, and to start again from its disk with
//! no control plane running. `cargo xtask bench start [CREDENTIALS]` runs it, with 1,000,000 unless told.
//!
//! Each credential has an application of its own that is subscribed to the product, so a node holds three rows for each.
//! The rows are put into the change log as the use cases would have, without the tables behind it, which no node reads.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a run that goes wrong ends loudly, and it tells what it sees"
)]

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use forecourt_core::{
    gateway_state::{
        ApplicationState, CredentialSecret, CredentialState, CredentialVersionState, GrantState, Resource,
        Scope,
    },
    ids::{
        ApplicationId, CredentialId, CredentialVersionId, DeveloperId, DeveloperName, PortalId, ProductId,
    },
    secrets::SecretDigest,
    time::Timestamp,
};
use forecourt_it::{
    Client, ForecourtProcess, TestDatabase, Upstream,
    installations::{ADMIN_PASSWORD, text},
    processes,
};
use forecourt_store::{Location, Store};
use serde_json::json;

/// Applications of one write.
const AT_ONCE: u64 = 2_000;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() {
    let count: u64 =
        std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("CREDENTIALS is a number"));
    let database = TestDatabase::new();
    let upstream = Upstream::start().await;
    let first = serve(&database);
    let (portal, product, token) = set_up(&first, upstream.address().port()).await;
    first.stop("TERM");
    let begun = Instant::now();
    fill(&database, &portal, &product, count).await;
    println!("{count} credentials, written in {:.0} s", begun.elapsed().as_secs_f64());

    let folder = tempfile::tempdir().unwrap();
    let plane = serve(&database);
    let last = key(count - 1);
    let told = started(&plane, folder.path(), &token, &last).await;
    println!("| start | ready after s | resident MB |\n|---|---|---|");
    println!(
        "| told everything by the control plane | {:.2} | {} |",
        told.after.as_secs_f64(),
        told.resident
    );
    let sync = text(&plane.ready["sync"]);
    told.process.stop("TERM");
    plane.stop("TERM");
    for _ in 0..3 {
        let begun = started_at(&sync, folder.path(), &token, &last).await;
        println!("| from disk, no control plane | {:.2} | {} |", begun.after.as_secs_f64(), begun.resident);
        begun.process.stop("TERM");
    }
    let bytes: u64 = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|file| file.len())
        .sum();
    println!("its folder holds {} MB", bytes / 1_000_000);
}

/// A node that serves the last credential.
struct Started {
    process: ForecourtProcess,
    after: Duration,
    resident: u64,
}

async fn started(plane: &ForecourtProcess, folder: &Path, token: &str, key: &str) -> Started {
    started_at(&text(&plane.ready["sync"]), folder, token, key).await
}

/// Starts a node on this folder, and waits until it lets the owner of `key` pass.
async fn started_at(sync: &str, folder: &Path, token: &str, key: &str) -> Started {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(processes::binary());
    command
        .args(["gateway", "--control-plane", sync, "--data-dir"])
        .arg(folder)
        .args(["--listen", &format!("127.0.0.1:{port}"), "--status-listen", "127.0.0.1:0"])
        .env("FORECOURT_GATEWAY_TOKEN", token)
        .env("FORECOURT_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let begun = Instant::now();
    let process = tokio::task::spawn_blocking(|| ForecourtProcess::start(command)).await.unwrap();
    let client = Client::new(format!("http://127.0.0.1:{port}")).with("apikey", key);
    while client.get("/call").await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "the node does not serve the last credential");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let after = begun.elapsed();
    let resident = process.resident_megabytes();
    Started { process, after, resident }
}

fn serve(database: &TestDatabase) -> ForecourtProcess {
    let mut command = processes::command(&processes::binary(), &["serve"], database);
    // Its own gateway would take all of it too.
    command.env("FORECOURT__GATEWAY__LISTEN", "");
    ForecourtProcess::start(command)
}

/// The portal, the product that asks for keys, and a token for the node.
async fn set_up(plane: &ForecourtProcess, upstream_port: u16) -> (PortalId, ProductId, String) {
    let one_time = plane.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = plane.client("admin").with_basic("admin", ADMIN_PASSWORD);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let node = json!({ "host": "127.0.0.1", "port": upstream_port, "weight": 1 });
    let service = json!({ "name": "s", "upstream": { "name": "default", "nodes": [node] } });
    admin.put("/apisix/admin/services/s?gateway_group_id=default", service).await.expect(200);
    let route = json!({ "name": "r", "service_id": "s", "paths": ["/*"] });
    admin.put("/apisix/admin/routes/r?gateway_group_id=default", route).await.expect(200);
    let product = json!({
        "type": "gateway", "name": "Many", "status": "published", "auth": { "key-auth": {} },
        "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": "s" }],
    });
    let made = admin.post(&format!("/api/api_products?portal_id={portal}"), product).await.expect(200);
    let token = admin.post("/api/gateway_groups/default/instance_token", json!({})).await;
    let token = text(&token.expect(200)["value"]["token_plain_text"]);
    (PortalId::known(portal), ProductId::known(text(&made["value"]["id"])), token)
}

fn key(number: u64) -> String {
    format!("bench-key-{number:08}")
}

async fn fill(database: &TestDatabase, portal: &PortalId, product: &ProductId, count: u64) {
    let location = match database.url() {
        url if url.is_empty() => Location::Sqlite(database.folder().join("forecourt.db")),
        url => Location::Postgres(url),
    };
    let store = Store::open(&location).await.unwrap();
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = Timestamp::from_seconds(i64::try_from(seconds).unwrap());
    let scope = Scope::Portal(portal.clone());
    for first in (0..count).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let mut tx = store.begin().await.unwrap();
        for number in first..count.min(first + AT_ONCE) {
            // As ids are issued: time first, then what looks random.
            let id = |prefix: &str| {
                format!("{prefix}_0198c0{:010x}{:016x}", number, number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            };
            let application = ApplicationId::known(id("app"));
            let state = ApplicationState {
                id: application.clone(),
                portal_id: portal.clone(),
                developer_id: DeveloperId::known(id("dev")),
                developer_name: DeveloperName::known(format!("org-{number}")),
                active: true,
            };
            tx.put(scope.clone(), Resource::Application(state));
            let digest = SecretDigest::of(key(number).as_bytes());
            let version = CredentialVersionState {
                id: CredentialVersionId::known(id("crv")),
                valid_until: None,
                secret: CredentialSecret::KeyAuth { digest },
            };
            let credential = CredentialState {
                id: CredentialId::known(id("crd")),
                application_id: application.clone(),
                created_at: now,
                versions: vec![version],
            };
            tx.put(scope.clone(), Resource::Credential(credential));
            let grant =
                GrantState { application_id: application, product_id: product.clone(), plan_id: None };
            tx.put(scope.clone(), Resource::Grant(grant));
        }
        tx.commit(now).await.unwrap();
    }
}
