//! Load by wrk and h2load against the real binary for minutes, while routes, certificates and credentials change.
//!
//! `cargo xtask soak [MINUTES]` runs it. It fails when a caller met anything but 200, when a connection broke, or
//! when the process grew; it prints the memory as it went. The figures stand in `docs/bench.md`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a run that goes wrong ends loudly, and it tells what it sees"
)]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use forecourt_it::{
    Client, ForecourtProcess, TestDatabase,
    installations::{ADMIN_PASSWORD, text},
    processes,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

/// The name on the certificates.
const HOST: &str = "soak.example.test";
/// Changes are made one after the other, with this pause.
const PACE: Duration = Duration::from_millis(20);
/// How much of the run is over before memory counts: pools and maps have their sizes then.
const SETTLED: f64 = 0.4;
/// By how much memory may grow after that.
const MOST_GROWTH: f64 = 1.10;

#[tokio::main]
async fn main() {
    let minutes: f64 = std::env::args().nth(1).map_or(10.0, |text| text.parse().expect("minutes"));
    let length = Duration::from_secs_f64(minutes * 60.0);
    let upstreams = [Nginx::start(), Nginx::start()];
    let database = TestDatabase::new();
    let mut command = processes::command(&processes::binary(), &["serve"], &database);
    command.env("FORECOURT__GATEWAY__TLS_LISTEN", "127.0.0.1:0");
    let process = ForecourtProcess::start(command);
    let stage = Arc::new(Stage::set(&process, upstreams.each_ref().map(|upstream| upstream.port)).await);

    let stop = Arc::new(AtomicBool::new(false));
    let changes = Arc::new(AtomicU64::new(0));
    let changer = tokio::spawn(change(Arc::clone(&stage), Arc::clone(&stop), Arc::clone(&changes)));
    let fresh = tokio::spawn(connect_anew(Arc::clone(&stage), text(&process.ready["gateway_tls"]), length));
    let loads = stage.loads(&process, length);
    let loads: Vec<_> = loads.into_iter().map(|load| std::thread::spawn(move || load.run())).collect();

    let begun = Instant::now();
    let mut settled = None;
    while begun.elapsed() < length {
        sleep(Duration::from_secs_f64((minutes * 60.0 / 20.0).min(15.0))).await;
        let (resident, part) = (resident(process.id()), begun.elapsed().as_secs_f64() / length.as_secs_f64());
        println!(
            "{:5.0} s  {resident} kB resident, {} changes",
            begun.elapsed().as_secs_f64(),
            changes.load(Ordering::Relaxed)
        );
        if part >= SETTLED && settled.is_none() {
            settled = Some(resident);
        }
    }
    let mut reports: Vec<Report> = loads.into_iter().map(|load| load.join().expect("a load")).collect();
    reports.push(fresh.await.expect("fresh connections"));
    stop.store(true, Ordering::Relaxed);
    changer.await.expect("the changer");
    let resident = resident(process.id());
    for report in &reports {
        println!("{report:?}");
    }
    let bad: Vec<_> =
        reports.iter().filter(|report| report.trouble.is_some() || report.requests == 0).collect();
    assert!(bad.is_empty(), "callers met errors: {bad:#?}");
    let before = settled.expect("the run is long enough");
    let growth = resident as f64 / before as f64;
    println!("{} changes; memory grew by a factor of {growth:.3}", changes.load(Ordering::Relaxed));
    assert!(growth <= MOST_GROWTH, "memory grew from {before} kB to {resident} kB");
    let ended = process.stop("TERM");
    assert!(ended.status.success(), "{ended:?}");
}

/// An installation with one product, a key, and what changes.
struct Stage {
    admin: Client,
    api: Client,
    application: String,
    key: String,
    certificates: [(String, String); 2],
    ports: [u16; 2],
}

impl Stage {
    async fn set(process: &ForecourtProcess, ports: [u16; 2]) -> Self {
        let guest = process.client("admin");
        let one_time = guest.with_basic("admin", "admin");
        one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
        let admin = guest.with_basic("admin", ADMIN_PASSWORD);
        let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
        let tokens = format!("/api/portal/tokens?portal_id={portal}");
        let token = text(&admin.post(&tokens, json!({ "name": "t" })).await.expect(200)["value"]["token"]);
        admin.put(&service(), service_body(ports, 60)).await.expect(200);
        admin.put(&route("calls"), route_body("/*", 0)).await.expect(200);
        let product = json!({
            "type": "gateway", "name": "Soak", "status": "published", "auth": { "key-auth": {} },
            "subscription_auto_approval": true,
            "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": "soak" }],
        });
        let made = admin.post(&format!("/api/api_products?portal_id={portal}"), product).await.expect(200);
        let front_end = process.client("portal_api").with_bearer(&token);
        front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
        let api = front_end.with("x-portal-developer-id", "ada");
        let application =
            text(&api.post("/api/applications", json!({ "name": "a" })).await.expect(201)["id"]);
        let both = json!({ "applications": [application], "api_products": [made["value"]["id"]] });
        api.post("/api/subscriptions", both).await.expect(201);
        let mut stage = Self {
            admin,
            api,
            application,
            key: String::new(),
            certificates: [certificate(), certificate()],
            ports,
        };
        let credential = json!({ "type": "key-auth", "name": "the caller's" });
        let made = stage.api.post(&stage.credentials(), credential).await.expect(201);
        stage.key = text(&made["key-auth"]["key"]);
        stage.put_certificate(0).await;
        stage
    }

    fn credentials(&self) -> String {
        format!("/api/applications/{}/credentials", self.application)
    }

    async fn put_certificate(&self, turn: usize) {
        let (cert, key) = &self.certificates[turn % 2];
        let body = json!({ "cert": cert, "key": key });
        self.admin.put("/apisix/admin/ssls/soak?gateway_group_id=default", body).await.expect(200);
    }

    /// Callers over HTTP/1.1, over TLS, and over HTTP/2.
    fn loads(&self, process: &ForecourtProcess, length: Duration) -> Vec<Load> {
        let plain = text(&process.ready["gateway"]);
        let tls = text(&process.ready["gateway_tls"]);
        let seconds = length.as_secs();
        let key = format!("apikey: {}", self.key);
        let port = tls.rsplit(':').next().expect("a port").to_owned();
        let wrk = |url: String| {
            let words = ["-t1", "-c16", &format!("-d{seconds}s"), "-H", &key, &url].map(str::to_owned);
            Load { program: "wrk", words: words.into(), read: wrk_report }
        };
        let h2load = ["-c4", "-m16", "-t1", &format!("--duration={seconds}"), "-H", &key];
        let mut h2load: Vec<String> = h2load.map(str::to_owned).into();
        h2load.push(format!("--connect-to=127.0.0.1:{port}"));
        h2load.push(format!("https://{HOST}:{port}/call"));
        vec![wrk(format!("{plain}/call")), Load { program: "h2load", words: h2load, read: h2load_report }]
    }
}

fn service() -> String {
    "/apisix/admin/services/soak?gateway_group_id=default".into()
}

fn route(id: &str) -> String {
    format!("/apisix/admin/routes/{id}?gateway_group_id=default")
}

fn service_body(ports: [u16; 2], read: u64) -> Value {
    let nodes = ports.map(|port| json!({ "host": "127.0.0.1", "port": port, "weight": 1 }));
    json!({ "name": "soak", "upstream": { "name": "default", "nodes": nodes, "timeout": { "read": read } } })
}

fn route_body(path: &str, priority: u64) -> Value {
    json!({ "name": "r", "service_id": "soak", "paths": [path], "priority": priority })
}

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Changes everything in turn that can change under callers, and nothing that takes their access away.
async fn change(stage: Arc<Stage>, stop: Arc<AtomicBool>, changes: Arc<AtomicU64>) {
    let mut turn: usize = 0;
    while !stop.load(Ordering::Relaxed) {
        let number = turn as u64;
        match turn % 6 {
            0 => {
                stage.admin.put(&service(), service_body(stage.ports, 30 + number % 7)).await.expect(200);
            }
            1 => {
                stage.admin.put(&route("calls"), route_body("/*", number % 5)).await.expect(200);
            }
            2 => {
                stage.admin.put(&route("other"), route_body("/elsewhere/*", 0)).await.expect(200);
            }
            3 => stage.put_certificate(turn / 6).await,
            4 => {
                let body = json!({ "type": "key-auth", "name": "short-lived" });
                let made = stage.api.post(&stage.credentials(), body).await.expect(201);
                let one = format!("{}/{}", stage.credentials(), text(&made["id"]));
                stage.api.delete(&one).await.empty(204);
            }
            _ => {
                stage.admin.delete(&route("other")).await.expect(200);
            }
        }
        turn += 1;
        changes.fetch_add(1, Ordering::Relaxed);
        sleep(PACE).await;
    }
}

/// A program that makes load.
struct Load {
    program: &'static str,
    words: Vec<String>,
    read: fn(&str) -> (u64, Option<String>),
}

/// What it met.
#[derive(Debug)]
#[expect(dead_code, reason = "shown by Debug, in the report")]
struct Report {
    program: &'static str,
    requests: u64,
    trouble: Option<String>,
}

impl Load {
    fn run(self) -> Report {
        let output = Command::new(self.program).args(&self.words).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.program));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let trouble = Some(format!("{said}{}", String::from_utf8_lossy(&output.stderr)));
            return Report { program: self.program, requests: 0, trouble };
        }
        let (requests, trouble) = (self.read)(&said);
        Report { program: self.program, requests, trouble }
    }
}

/// Calls over a new TLS connection each time, so that every certificate is met while it changes.
async fn connect_anew(stage: Arc<Stage>, base: String, length: Duration) -> Report {
    let port: u16 = base.rsplit(':').next().expect("a port").parse().expect("a number");
    let begun = Instant::now();
    let (mut requests, mut trouble) = (0, None);
    while begun.elapsed() < length {
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .resolve(HOST, ([127, 0, 0, 1], port).into())
            .no_proxy()
            .build()
            .expect("a client");
        let call = client.get(format!("https://{HOST}:{port}/call")).header("apikey", &stage.key);
        match call.send().await {
            Ok(answer) if answer.status() == 200 => requests += 1,
            Ok(answer) => trouble = Some(format!("after {requests} calls: {}", answer.status())),
            Err(error) => trouble = Some(format!("after {requests} calls: {error:?}")),
        }
        sleep(PACE).await;
    }
    Report { program: "fresh connections", requests, trouble }
}

/// nginx as an upstream, in a folder of its own; dropping it stops it.
struct Nginx {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Nginx {
    fn start() -> Self {
        // Free a moment ago; should another take it first, nginx says so and the run ends.
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let folder = TempDir::new().expect("a folder");
        let (file, path) = (folder.path().join("nginx.conf"), folder.path().display());
        let settings = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr crit;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 1000000000;\n\
             client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c;\n\
             uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ return 200 'here\\n'; }} }} }}\n"
        );
        fs::write(&file, settings).expect("the settings");
        let process = Command::new("nginx")
            .args(["-e", "stderr", "-c", &file.display().to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx");
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            std::thread::yield_now();
        }
        Self { process, port, _folder: folder }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Requests, and the lines that tell of anything but 200.
fn wrk_report(said: &str) -> (u64, Option<String>) {
    let line = said.lines().find(|line| line.contains(" requests in "));
    let requests = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let bad: Vec<_> =
        said.lines().filter(|line| line.contains("Socket errors") || line.contains("Non-2xx")).collect();
    (requests, (!bad.is_empty()).then(|| bad.join("; ")))
}

/// The same of `requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout` and
/// `status codes: 9 2xx, 0 3xx, 0 4xx, 0 5xx`.
fn h2load_report(said: &str) -> (u64, Option<String>) {
    let count = |line: &str, word: &str| {
        let part = line.split([',', ':']).find(|part| part.trim().ends_with(word))?;
        part.split_whitespace().next()?.parse::<u64>().ok()
    };
    let line = |start: &str| said.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    let (requests, statuses) = (line("requests:"), line("status codes:"));
    let done = count(requests, "succeeded").unwrap_or(0);
    let bad = ["failed", "errored", "timeout"].into_iter().any(|word| count(requests, word) != Some(0))
        || ["3xx", "4xx", "5xx"].into_iter().any(|word| count(statuses, word) != Some(0));
    (done, bad.then(|| format!("{requests}; {statuses}")))
}

/// Resident memory in kB (proc(5), `status`).
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).expect("a figure").parse().expect("a number")
}
