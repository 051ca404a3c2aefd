//! What the writers of a storm stand on: a portal with two products, one of which asks, and two contact points that are
//! told of everything that becomes of requests to it. And what its callers call: a third product, with a service.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use forecourt::{config::Settings, serve};
use forecourt_core::time::Timestamp;
use forecourt_store::Reader;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Seeded;
use crate::{
    Client, ForecourtProcess, MailSink, TestDatabase, Webhook,
    deadlines::eventually,
    installations::{ADMIN_PASSWORD, text},
};

/// What is called at a gateway.
pub(super) const CALLED: &str = "/called/hello";
/// The developer whose application calls.
const CALLER: &str = "caller";
/// Who is told by mail.
const MAILBOX: &str = "ops@example.com";
/// More than the lease of any attempt of a process that died.
const AHEAD: Duration = Duration::from_secs(600);
/// How long it may take to tell everybody on a busy machine.
const TELLING: Duration = Duration::from_secs(300);

/// The ids of what is there from the start.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The portal.
    pub portal: String,
    /// The product whose subscriptions are in force at once.
    pub automatic: String,
    /// The product whose subscriptions wait for an approval.
    pub asking: String,
    /// How deliveries name those who are told of requests to it.
    pub recipients: [String; 2],
    token: String,
    /// The tokens of the directory of administrators and of that of the portal.
    directories: [String; 2],
    /// The application that calls.
    calling: String,
}

/// The APIs of a process, by somebody who may call them.
#[derive(Clone, Debug)]
pub struct Faces {
    /// The Admin API, by the first administrator.
    pub admin: Client,
    /// The Portal API, by the portal's front end.
    pub front_end: Client,
    /// SCIM for administrators, by their directory.
    pub directory: Client,
    /// SCIM for the people of the portal's site, by theirs.
    pub portal_directory: Client,
    /// The gateway, by whoever calls in this life of the process.
    pub caller: Client,
    /// The id of the key that they show.
    pub key: String,
}

impl Ground {
    /// The APIs of a process, and its gateway with a new key.
    pub async fn faces(&self, process: &ForecourtProcess) -> Faces {
        let [directory, portal_directory] = &self.directories;
        let front_end = process.client("portal_api").with_bearer(&self.token);
        let owner = front_end.with("x-portal-developer-id", CALLER);
        let path = format!("/api/applications/{}/credentials", self.calling);
        let key = json!({ "type": "key-auth", "name": "life" });
        // Others write too, and the database may be busy.
        let made = eventually("the callers have a key", || async {
            let made = owner.post(&path, key.clone()).await;
            (made.status == 201).then(|| made.json())
        })
        .await;
        Faces {
            admin: process.client("admin").with_basic("admin", ADMIN_PASSWORD),
            caller: process.client("gateway").with("apikey", &text(&made["key-auth"]["key"])),
            key: text(&made["id"]),
            front_end,
            directory: process.client("admin").with_bearer(directory),
            portal_directory: process.client("site").with_bearer(portal_directory),
        }
    }
}

/// The APIs of one of the processes that run, once one does; `None`: the storm is over.
pub(super) async fn one_running(
    faces: &watch::Receiver<Vec<Option<Faces>>>,
    stop: &AtomicBool,
    random: &mut Seeded,
) -> Option<Faces> {
    let mut faces = faces.clone();
    let is_known = |all: &Vec<Option<Faces>>| stop.load(Ordering::SeqCst) || all.iter().any(Option::is_some);
    let running: Vec<Faces> = faces.wait_for(is_known).await.ok()?.iter().flatten().cloned().collect();
    if running.is_empty() {
        return None;
    }
    Some(running[random.below(running.len())].clone())
}

/// Makes it; what is called is answered at `upstream`.
pub(super) async fn set_up(
    process: &ForecourtProcess,
    hook: &Webhook,
    sink: &MailSink,
    upstream: SocketAddr,
) -> Ground {
    let one_time = process.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let path = format!("/api/portal/tokens?portal_id={portal}");
    let made = admin.post(&path, json!({ "name": "front end" })).await.expect(200);
    let token = text(&made["value"]["token"]);
    let server = json!({
        "enable": true, "address": sink.address(), "sender_name": "Storm", "sender_address": "storm@example.com",
    });
    admin.put("/api/system_settings/smtp_server", server).await.expect(200);
    let contact_point =
        async |body: Value| text(&admin.post("/api/contact_points", body).await.expect(200)["value"]["id"]);
    let hook = contact_point(json!({ "name": "Chat", "type": "webhook", "url": hook.url() })).await;
    let list = contact_point(json!({ "name": "Ops", "type": "email", "addresses": [MAILBOX] })).await;
    let mut rules = Vec::new();
    for event in ["created", "accepted", "rejected", "cancelled"] {
        for (kind, id) in [("webhook", &hook), ("email", &list)] {
            let event = format!("subscription_approval_{event}");
            rules.push(json!({ "event": event, "type": kind, "contact_point_ids": [id] }));
        }
    }
    let directory = async |path: String| {
        admin.put(&path, json!({ "enable": true })).await.expect(200);
        text(&admin.put(&format!("{path}/token"), json!({})).await.expect(200)["value"]["token"])
    };
    let directories = [
        directory("/api/system_settings/scim".into()).await,
        directory(format!("/api/forecourt/portals/{portal}/scim")).await,
    ];
    let path = format!("/api/api_products?portal_id={portal}");
    let product = async |name: &str, automatic: bool, rules: Vec<Value>, services: Value| {
        let body = json!({
            "type": "gateway", "name": name, "status": "published", "auth": { "key-auth": {} },
            "subscription_auto_approval": automatic, "notifications": rules, "linked_gateway_services": services,
        });
        text(&admin.post(&path, body).await.expect(200)["value"]["id"])
    };
    let called = product("Called", true, Vec::new(), called_service(&admin, upstream).await).await;
    let front_end = process.client("portal_api").with_bearer(&token);
    front_end.post("/api/developers", json!({ "developer_id": CALLER })).await.expect(201);
    let owner = front_end.with("x-portal-developer-id", CALLER);
    let application = json!({ "name": "Calling", "api_products": [called] });
    let calling = text(&owner.post("/api/applications", application).await.expect(201)["id"]);
    Ground {
        automatic: product("Automatic", true, Vec::new(), json!([])).await,
        asking: product("Asking", false, rules, json!([])).await,
        recipients: [format!("webhook:{hook}"), format!("email:{MAILBOX}")],
        portal,
        token,
        directories,
        calling,
    }
}

/// Makes the service that is called, whose requests go to `upstream`; what a product says that is linked to it.
async fn called_service(admin: &Client, upstream: SocketAddr) -> Value {
    let node = json!({ "host": upstream.ip().to_string(), "port": upstream.port(), "weight": 1 });
    let service = json!({
        "name": "Called", "path_prefix": "/called", "upstream": { "name": "default", "nodes": [node] },
    });
    admin.put("/apisix/admin/services/called?gateway_group_id=default", service).await.expect(200);
    let route = json!({ "name": "all", "service_id": "called", "paths": ["/*"] });
    admin.put("/apisix/admin/routes/called?gateway_group_id=default", route).await.expect(200);
    json!([{ "gateway_group_id": "default", "service_id": "called" }])
}

/// Serves from a database that nobody else serves from, with a clock that is ahead of the machine's, until everybody was
/// told who is to be.
pub async fn tell_everything(database: &TestDatabase) {
    let free = || forecourt::config::ListenerSettings { listen: "127.0.0.1:0".into() };
    let mut settings = Settings {
        data_dir: database.folder().display().to_string(),
        database: forecourt::config::DatabaseSettings { url: database.url() },
        portal_api: free(),
        site: free(),
        status: free(),
        ..Settings::default()
    };
    settings.admin.listen = "127.0.0.1:0".into();
    settings.admin.tls_listen = String::new();
    settings.gateway.listen = String::new();
    settings.gateway.tls_listen = String::new();
    settings.sync.listen = "127.0.0.1:0".into();
    let clock: serve::Clock = Arc::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + AHEAD;
        Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap())
    });
    let server = serve::start(&settings, clock).await.unwrap();
    let reader = Reader::open(&database.location()).await.unwrap();
    let (begun, never) = (Instant::now(), Timestamp::from_micros(i64::MAX));
    loop {
        let notices = reader.notices(1).await.unwrap().rows;
        let waiting = reader.due_deliveries(never, &[], 1).await.unwrap().rows;
        if notices.is_empty() && waiting.is_empty() {
            break;
        }
        assert!(begun.elapsed() < TELLING, "not everybody was told in time: {notices:?} {waiting:?}");
        tokio::task::yield_now().await;
    }
    server.stop().await;
}
