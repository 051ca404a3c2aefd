//! The processes: control planes on one database, nodes with a disk of their own, wires in between.

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use forecourt_it::{
    Client, ForecourtProcess, TestDatabase,
    installations::{ADMIN_PASSWORD, text},
    processes,
    wires::Wire,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::{MAX_STALENESS, NODES, outages::Outage};

/// How long anything may take to come back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that runs.
pub(crate) struct Cluster {
    pub(crate) database: TestDatabase,
    planes: Vec<Plane>,
    pub(crate) nodes: Vec<NodeSlot>,
    portal_token: String,
    product: String,
}

struct Plane {
    ports: Ports,
    process: Mutex<Option<ForecourtProcess>>,
}

#[derive(Clone, Copy)]
struct Ports {
    admin: u16,
    portal_api: u16,
    sync: u16,
}

/// A node's place: its port, its disk and its wires stay when the process dies.
pub(crate) struct NodeSlot {
    /// Where callers reach it.
    pub(crate) base: String,
    /// Where it says how it is.
    pub(crate) status: String,
    /// Its id, once it said it.
    pub(crate) id: Mutex<String>,
    /// One wire to each control plane.
    pub(crate) wires: Vec<Wire>,
    /// What it goes through.
    pub(crate) outage: Mutex<Outage>,
    port: u16,
    status_port: u16,
    folder: TempDir,
    token: String,
    process: Mutex<Option<ForecourtProcess>>,
}

impl Cluster {
    /// Starts everything, with one published product and its portal.
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::new();
        let count = if database.is_postgres() { 2 } else { 1 };
        let planes: Vec<Plane> = (0..count)
            .map(|_| {
                let ports = Ports { admin: free_port(), portal_api: free_port(), sync: free_port() };
                let process = Mutex::new(Some(start_plane(&database, ports)));
                Plane { ports, process }
            })
            .collect();
        let upstream = upstream().await;
        let first = planes[0].ports;
        let (portal_token, product) = set_up(first, upstream).await;
        let admin = admin(first);
        let mut nodes = Vec::new();
        for number in 1..=NODES {
            let made = admin.post("/api/gateway_groups/default/instance_token", json!({})).await;
            let token = text(&made.expect(200)["value"]["token_plain_text"]);
            let mut wires = Vec::new();
            for plane in &planes {
                wires.push(Wire::to(SocketAddr::from(([127, 0, 0, 1], plane.ports.sync))).await);
            }
            let (port, status_port) = (free_port(), free_port());
            let folder = tempfile::Builder::new().prefix(&format!("storm-node-{number}-")).tempdir().unwrap();
            let base = format!("http://127.0.0.1:{port}");
            let slot = NodeSlot {
                base,
                status: format!("http://127.0.0.1:{status_port}"),
                id: Mutex::default(),
                wires,
                outage: Mutex::default(),
                port,
                status_port,
                folder,
                token,
                process: Mutex::default(),
            };
            slot.start();
            nodes.push(slot);
        }
        Self { database, planes, nodes, portal_token, product }
    }

    /// How many control planes there are.
    pub(crate) const fn plane_count(&self) -> usize {
        self.planes.len()
    }

    /// kill -9 of a control plane.
    pub(crate) fn kill_plane(&self, number: usize) {
        if let Some(process) = locked(&self.planes[number].process).take() {
            process.kill();
        }
    }

    /// Starts it again; the database may be on its way back, so it may take some attempts.
    pub(crate) fn start_plane(&self, number: usize) {
        let plane = &self.planes[number];
        *locked(&plane.process) = Some(start_plane(&self.database, plane.ports));
    }

    /// Clients of the Portal API, one a control plane, for an application's owner.
    pub(crate) fn owners(&self) -> Vec<Client> {
        let client = |plane: &Plane| {
            Client::new(format!("http://127.0.0.1:{}", plane.ports.portal_api))
                .with_bearer(&self.portal_token)
                .with("x-portal-developer-id", "ada")
        };
        self.planes.iter().map(client).collect()
    }

    /// Clients of the Admin API, one a control plane.
    pub(crate) fn admins(&self) -> Vec<Client> {
        self.planes.iter().map(|plane| admin(plane.ports)).collect()
    }

    /// An application with a subscription; answers its id.
    pub(crate) async fn application(&self, name: &str) -> String {
        let owner = &self.owners()[0];
        let id = text(&owner.post("/api/applications", json!({ "name": name })).await.expect(201)["id"]);
        let both = json!({ "applications": [id], "api_products": [self.product] });
        owner.post("/api/subscriptions", both).await.expect(201);
        id
    }

    /// The calls that the control plane counted for the application named `load`, once they are `answered` or have
    /// stopped growing for some seconds.
    pub(crate) async fn counted_calls(&self, answered: u64) -> u64 {
        let owner = &self.owners()[0];
        let now = i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
        )
        .unwrap();
        let listed = owner.get("/api/applications").await.expect(200);
        let load = listed["list"].as_array().unwrap().iter().find(|one| one["name"] == "load").unwrap();
        let path = format!(
            "/api/applications/api_calls?start_at={}&end_at={}&application_id={}",
            now - 86_400,
            now + 3_600,
            text(&load["id"]),
        );
        let (mut counted, mut since) = (0, Instant::now());
        while since.elapsed() < Duration::from_secs(12) {
            let hours = owner.get(&path).await.expect(200);
            let found: u64 = sum_of_calls(&hours);
            if found != counted {
                (counted, since) = (found, Instant::now());
            }
            if counted > answered {
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
        counted
    }
}

impl NodeSlot {
    /// kill -9.
    pub(crate) fn kill(&self) {
        if let Some(process) = locked(&self.process).take() {
            process.kill();
        }
    }

    /// Starts it on its disk, and waits until it is ready.
    pub(crate) fn start(&self) {
        let planes: Vec<_> = self.wires.iter().map(|wire| format!("https://{}", wire.address)).collect();
        let staleness = format!("{}s", MAX_STALENESS.as_secs());
        let mut command = std::process::Command::new(processes::binary());
        command
            .args(["gateway", "--control-plane", &planes.join(","), "--data-dir"])
            .arg(self.folder.path())
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--max-staleness", &staleness])
            .args(["--status-listen", &format!("127.0.0.1:{}", self.status_port)])
            .env("FORECOURT_GATEWAY_TOKEN", &self.token)
            .env("FORECOURT_LOG", "error")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let process = ForecourtProcess::start(command);
        *locked(&self.id) = text(&process.ready["node"]);
        *locked(&self.process) = Some(process);
    }
}

/// What a lock guards, also when another thread broke off.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every `api_calls` member within, added up.
fn sum_of_calls(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(sum_of_calls).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match (name.as_str(), value.as_u64()) {
                ("api_calls", Some(calls)) => calls,
                _ => sum_of_calls(value),
            })
            .sum(),
        _ => 0,
    }
}

fn start_plane(database: &TestDatabase, ports: Ports) -> ForecourtProcess {
    let mut command = processes::command(&processes::binary(), &["serve"], database);
    let at = |port: u16| format!("127.0.0.1:{port}");
    command
        .env("FORECOURT__ADMIN__LISTEN", at(ports.admin))
        .env("FORECOURT__PORTAL_API__LISTEN", at(ports.portal_api))
        .env("FORECOURT__SYNC__LISTEN", at(ports.sync))
        .env("FORECOURT__GATEWAY__LISTEN", "")
        .env("FORECOURT__GATEWAY__TLS_LISTEN", "")
        .env("FORECOURT__SITE__LISTEN", "")
        .env("FORECOURT_LOG", "error");
    ForecourtProcess::start(command)
}

fn admin(ports: Ports) -> Client {
    Client::new(format!("http://127.0.0.1:{}", ports.admin)).with_basic("admin", ADMIN_PASSWORD)
}

/// The token of the portal's front end, and the id of a product that approves by itself.
async fn set_up(ports: Ports, upstream: SocketAddr) -> (String, String) {
    let one_time = Client::new(format!("http://127.0.0.1:{}", ports.admin)).with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = admin(ports);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let made = admin.post(&format!("/api/portal/tokens?portal_id={portal}"), json!({ "name": "t" })).await;
    let token = text(&made.expect(200)["value"]["token"]);
    let node = json!({ "host": "127.0.0.1", "port": upstream.port(), "weight": 1 });
    let service = json!({ "name": "s", "upstream": { "name": "default", "nodes": [node] } });
    admin.put("/apisix/admin/services/s?gateway_group_id=default", service).await.expect(200);
    let route = json!({ "name": "r", "service_id": "s", "paths": ["/*"] });
    admin.put("/apisix/admin/routes/r?gateway_group_id=default", route).await.expect(200);
    let product = json!({
        "type": "gateway", "name": "Storm", "status": "published", "auth": { "key-auth": {} },
        "subscription_auto_approval": true,
        "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": "s" }],
    });
    let made = admin.post(&format!("/api/api_products?portal_id={portal}"), product).await.expect(200);
    let front_end = Client::new(format!("http://127.0.0.1:{}", ports.portal_api)).with_bearer(&token);
    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    (token, text(&made["value"]["id"]))
}

/// An upstream that answers 200 to everything and remembers nothing.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream));
        }
    });
    address
}

/// Requests without bodies, one after the other.
async fn answer_all(mut stream: TcpStream) {
    let (mut head, mut buffer) = (Vec::new(), [0; 4_096]);
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        head.extend_from_slice(&buffer[..read]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                return;
            }
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
