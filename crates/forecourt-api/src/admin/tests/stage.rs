//! What the tests stand on: an installation on a temporary database, and requests to its router.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{Router, body::Body};
use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_app::{App, Config, Error, applications, developers, nodes, subscriptions};
use forecourt_conformity::Answer;
use forecourt_core::{
    actors::{Actor, Caller, Receipt, Source},
    applications::ApplicationInput,
    audit_logs::Journal,
    developers::Developer,
    gateway_state::Kind,
    ids::{NodeId, PortalId, RequestId},
    time::Timestamp,
};
use forecourt_http::Context;
use forecourt_store::{Location, Store};
use forecourt_wire::sync::{Acknowledgement, Hello, Position};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::openapi;

pub(super) const START: i64 = 1_786_060_800;

/// Where gateway nodes would reach it.
pub(super) const SYNC_URL: &str = "https://127.0.0.1:7943";

pub(super) struct Stage {
    pub(super) app: App,
    pub(super) router: Router,
    /// A super administrator's access token.
    pub(super) token: String,
    /// The same database, for what no use case does.
    pub(super) store: Store,
    clock: Arc<AtomicI64>,
    _dir: TempDir,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// The body as JSON; null where it is none.
    pub(super) body: Value,
    pub(super) text: String,
}

impl Reply {
    /// The message of a refusal, after checking that all three members are there and agree.
    pub(super) fn refusal(&self) -> (u16, String) {
        let message = self.body["message"].as_str().unwrap_or_else(|| panic!("no message: {}", self.body));
        assert_eq!(self.body, json!({ "status": self.status, "message": message, "error_msg": message }));
        assert!(!message.is_empty());
        (self.status, message.to_owned())
    }

    /// The envelope's value, after checking status and envelope.
    pub(super) fn value(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        let members: Vec<_> = self.body.as_object().unwrap().keys().collect();
        assert!(members == ["value"] || members == ["value", "warning_msg"], "{members:?}");
        self.body["value"].clone()
    }

    /// The list's rows, after checking status, shape and that an unpaged list counts its rows.
    pub(super) fn list(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.body.as_object().unwrap().len(), 2);
        assert!(self.body["total"].is_u64());
        self.body["list"].as_array().unwrap().clone()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.list().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}

impl Stage {
    /// An installation at its very first start: `admin` with the one-time password `admin`.
    pub(super) async fn fresh() -> Self {
        let sync_url = SYNC_URL.into();
        Self::with(forecourt_http::Config { sync_url, ..Default::default() }).await
    }

    pub(super) async fn with(config: forecourt_http::Config) -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::open(&Location::Sqlite(dir.path().join("forecourt.db"))).await.unwrap();
        let clock = Arc::new(AtomicI64::new(START * 1_000_000));
        let reading = clock.clone();
        // Each reading is a little later, so that nothing is as old as anything else.
        let now = move || Timestamp::from_micros(reading.fetch_add(1_000, Ordering::Relaxed));
        let app = App::open(store.clone(), &Config::default(), Arc::new(now)).await.unwrap();
        let router = crate::admin::router(Context::new(app.clone(), config));
        Self { app, router, token: String::new(), store, clock, _dir: dir }
    }

    /// An installation whose administrator has changed the password to `changed`, with a token at hand.
    pub(super) async fn start() -> Self {
        let mut stage = Self::fresh().await;
        let changed =
            stage.basic("PUT", "/api/password", "admin", "admin", json!({ "new_password": "changed" }));
        assert_eq!(changed.await.status, 200);
        let token = json!({ "name": "tests", "expires_at": 0 });
        let token = stage.basic("POST", "/api/settings/tokens", "admin", "changed", token).await;
        stage.token = token.value()["token"].as_str().unwrap().to_owned();
        stage
    }

    pub(super) fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// A call as the super administrator; a null body is none.
    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.with_headers(method, path, &[("x-api-key", &self.token)], body).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub(super) async fn basic(
        &self,
        method: &str,
        path: &str,
        name: &str,
        password: &str,
        body: Value,
    ) -> Reply {
        let value = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        self.with_headers(method, path, &[("authorization", &value)], body).await
    }

    pub(super) async fn with_headers(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Reply {
        self.send(request(method, path, headers, body)).await
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        send(&self.router, request).await
    }

    /// Signs in and returns the `Cookie` header to send from then on.
    pub(super) async fn sign_in(&self, username: &str, password: &str) -> String {
        let body = json!({ "username": username, "password": password });
        let reply = self.with_headers("POST", "/api/login", &[], body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let cookie = reply.headers["set-cookie"].to_str().unwrap().to_owned();
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(super) async fn id_of(&self, method: &str, path: &str, body: Value) -> String {
        self.call(method, path, body).await.value()["id"].as_str().unwrap().to_owned()
    }

    /// A fresh instance token of a group: its id and its text.
    pub(super) async fn instance_token(&self, group: &str) -> (String, String) {
        let path = format!("/api/gateway_groups/{group}/instance_token");
        let token = self.call("POST", &path, Value::Null).await.value();
        let text = |member: &str| token[member].as_str().unwrap().to_owned();
        (text("id"), text("token_plain_text"))
    }

    /// A node that joined with a token, and holds a stream.
    pub(super) async fn node(&self, token: &str, name: &str) -> NodeId {
        let hello = hello(name);
        let admitted = nodes::admit(&self.app, token, &hello).await.unwrap();
        nodes::connected(&self.app, &admitted.node);
        admitted.node
    }

    /// The node, as [`Self::node`] made it, tells that it has `revision`.
    pub(super) async fn acknowledge(
        &self,
        node: &NodeId,
        revision: i64,
        drift: &[Kind],
    ) -> Result<(), Error> {
        let mark = self.store.read().revision_mark(revision).await.unwrap().map(|known| known.mark);
        let told = Acknowledgement {
            node: node.clone(),
            instance: node.as_str().trim_start_matches("nod_").into(),
            position: Position { revision, mark: mark.unwrap_or_default() },
            drift: drift.to_vec(),
        };
        nodes::acknowledge(&self.app, &told).await
    }

    pub(super) async fn default_portal(&self) -> String {
        self.get("/api/portals").await.list()[0]["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn service(&self, name: &str) -> String {
        let upstream = json!({ "nodes": [{ "host": "127.0.0.1", "port": 8080, "weight": 1 }] });
        let service = json!({ "name": name, "hosts": ["orders.example.com"], "upstream": upstream });
        self.id_of("POST", "/apisix/admin/services?gateway_group_id=default", service).await
    }

    /// A published product that asks for keys.
    pub(super) async fn product(&self, portal: &str, name: &str) -> String {
        let product =
            json!({ "type": "gateway", "name": name, "auth": { "key-auth": {} }, "status": "published" });
        self.id_of("POST", &format!("/api/api_products?portal_id={portal}"), product).await
    }

    /// A developer made through the Portal API, and whoever acts as it.
    pub(super) async fn developer(&self, portal: &str, name: &str) -> (Developer, Caller) {
        let portal = PortalId::parse(portal).unwrap();
        let caller = Caller {
            actor: Actor::PortalFrontEnd(portal.clone()),
            source: Source::PortalApi,
            request_id: RequestId::parse("req_test").unwrap(),
            address: None,
            receipt: Receipt::default(),
            preview: None,
            journal: Journal::default(),
        };
        let developer = developers::create(&self.app, &caller, name).await.unwrap();
        let actor = Actor::Developer {
            portal_id: portal,
            id: developer.id.clone(),
            name: developer.name.clone(),
            person_id: None,
        };
        (developer, caller.acting_as(actor))
    }

    /// An application of `developer` that asked for `product`; gives its id.
    pub(super) async fn subscribed(&self, developer: &Caller, name: &str, product: &str) -> String {
        let input = ApplicationInput { name: Some(name.into()), ..ApplicationInput::default() };
        let application = applications::create(&self.app, developer, input, &[]).await.unwrap();
        let (id, product) = (application.id.to_string(), product.to_owned());
        subscriptions::request(&self.app, developer, std::slice::from_ref(&id), &[product], None)
            .await
            .unwrap();
        id
    }
}

/// What a node called `name` says at its first start.
pub(super) fn hello(name: &str) -> Hello {
    Hello {
        node: NodeId::known(format!("nod_{name}")),
        name: name.into(),
        version: "1.0.0".into(),
        address: format!("http://{name}.example:9080"),
        instance: name.into(),
        position: None,
        in_force: None,
        drift: Vec::new(),
    }
}

/// A request; a null body is none.
pub(super) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Request<Body> {
    let mut request = Request::builder().method(Method::try_from(method).unwrap()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = match body {
        Value::Null => request.body(Body::empty()),
        body => request.header("content-type", "application/json").body(Body::from(body.to_string())),
    };
    request.unwrap()
}

/// What `router` answers, held against the document where that speaks of it.
pub(super) async fn send(router: &Router, request: Request<Body>) -> Reply {
    let (method, address) = (request.method().clone(), request.uri().to_string());
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    openapi::tests::conforms(Answer {
        method: &method,
        address: &address,
        status: parts.status.as_u16(),
        headers: &parts.headers,
        body: &bytes,
    });
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Reply { status: parts.status.as_u16(), headers: parts.headers, body, text }
}
