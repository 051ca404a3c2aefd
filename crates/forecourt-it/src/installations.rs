//! A whole Forecourt in this process, as `forecourt serve` would start it.

use std::{sync::LazyLock, time::Duration};

use forecourt::{
    config::Settings,
    serve::{self, Addresses, Server},
};
use forecourt_conformity::Document;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{Answer, Client, Credential, Developer, MovedClock, Product, TestDatabase, Upstream};

/// The password that [`Forecourt::admin`] gives the first administrator.
pub const ADMIN_PASSWORD: &str = "a password of the tests";

// They follow from the program alone.
static ADMIN_API: LazyLock<Document> = LazyLock::new(|| Document::new(forecourt_api::admin::document()));
static PORTAL_API: LazyLock<Document> = LazyLock::new(|| Document::new(forecourt_api::portal::document()));

/// A running Forecourt with an upstream behind its gateway.
#[derive(Debug)]
pub struct Forecourt {
    server: Option<Server>,
    addresses: Addresses,
    settings: Settings,
    clock: MovedClock,
    upstream: Upstream,
    admin: OnceCell<Client>,
    portal_token: OnceCell<String>,
    portal: OnceCell<String>,
    database: TestDatabase,
}

impl Forecourt {
    /// Starts one on an empty database.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts one with `change` made to its settings.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_on(TestDatabase::new(), change).await
    }

    /// Starts one on what lies in `database`, with `change` made to its settings.
    pub async fn start_on(database: TestDatabase, change: impl FnOnce(&mut Settings)) -> Self {
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
        settings.gateway.listen = "127.0.0.1:0".into();
        settings.gateway.tls_listen = String::new();
        settings.sync.listen = "127.0.0.1:0".into();
        change(&mut settings);
        let clock = MovedClock::new();
        let server = serve::start(&settings, clock.as_argument()).await.unwrap();
        Self {
            addresses: server.addresses.clone(),
            server: Some(server),
            settings,
            clock,
            upstream: Upstream::start().await,
            admin: OnceCell::new(),
            portal_token: OnceCell::new(),
            portal: OnceCell::new(),
            database,
        }
    }

    /// Stops it as SIGTERM does and starts it on the same data, on other ports, with `change` made to its settings.
    pub async fn restart_with(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.restart().await;
    }

    /// Stops it as SIGTERM does and starts it on the same data, on other ports.
    pub async fn restart(&mut self) {
        self.server.take().expect("it runs").stop().await;
        let server = serve::start(&self.settings, self.clock.as_argument()).await.unwrap();
        self.addresses = server.addresses.clone();
        self.server = Some(server);
        if self.admin.initialized() {
            self.admin = OnceCell::new_with(Some(self.guest().with_basic("admin", ADMIN_PASSWORD)));
        }
    }

    /// Moves its clock.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Its clock.
    pub const fn clock(&self) -> &MovedClock {
        &self.clock
    }

    /// Where its parts listen.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Its use cases.
    pub fn app(&self) -> forecourt::serve::App {
        self.server.as_ref().expect("it runs").app.clone()
    }

    /// Its database.
    pub const fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// What its services forward to.
    pub const fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The Admin API and the console, by somebody who shows nothing.
    pub fn guest(&self) -> Client {
        Client::new(self.addresses.admin.clone().expect("the admin listener is on")).held_against(&ADMIN_API)
    }

    /// The Admin API, by the first administrator, whose one-time password is changed at the first call.
    pub async fn admin(&self) -> &Client {
        self.admin
            .get_or_init(|| async {
                let one_time = self.guest().with_basic("admin", "admin");
                one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
                self.guest().with_basic("admin", ADMIN_PASSWORD)
            })
            .await
    }

    /// The Portal API, by somebody who shows nothing.
    pub fn portal_api_guest(&self) -> Client {
        Client::new(self.addresses.portal_api.clone().expect("the portal API is on"))
            .held_against(&PORTAL_API)
    }

    /// The Portal API, by a front end of the default portal.
    pub async fn portal_api(&self) -> Client {
        let token = self
            .portal_token
            .get_or_init(|| async {
                let path = format!("/api/portal/tokens?portal_id={}", self.portal_id().await);
                let made = self.admin().await.post(&path, json!({ "name": "front end" })).await.expect(200);
                text(&made["value"]["token"])
            })
            .await;
        self.portal_api_guest().with_bearer(token)
    }

    /// The Developer Portal site, by somebody who is not signed in.
    pub fn site(&self) -> Client {
        Client::new(self.addresses.site.clone().expect("the site is on"))
    }

    /// The gateway, by a caller who shows nothing.
    pub fn gateway(&self) -> Client {
        Client::new(self.addresses.gateway.clone().expect("the gateway is on"))
    }

    /// The status listener.
    pub fn status(&self) -> Client {
        Client::new(self.addresses.status.clone().expect("the status listener is on"))
    }

    /// The id of the portal that exists from the start.
    pub async fn portal_id(&self) -> &str {
        self.portal
            .get_or_init(|| async {
                let oldest = "/api/portals?order_by=created_at&direction=asc&page=1&page_size=1";
                let list = self.admin().await.get(oldest).await.expect(200);
                text(&list["list"][0]["id"])
            })
            .await
    }

    /// A published product that asks for a key and approves subscriptions by itself; see [`Product`].
    pub async fn product(&self, name: &str) -> Product<'_> {
        self.product_with(name, json!({})).await
    }

    /// A product as [`Self::product`] makes it, but for `members`.
    pub async fn product_with(&self, name: &str, members: Value) -> Product<'_> {
        Product::make(self, name, members).await
    }

    /// A developer of the default portal, made through the Portal API.
    pub async fn developer(&self, name: &str) -> Developer<'_> {
        Developer::make(self, name).await
    }

    /// Calls the product's service through the gateway with a key.
    pub async fn call(&self, product: &Product<'_>, credential: &Credential) -> Answer {
        self.gateway().with("apikey", &credential.key).get(&product.path).await
    }

    /// Says yes to every approval that waits, and how many there were.
    pub async fn accept_all(&self) -> usize {
        let pending = self.admin().await.get("/api/approvals?status=pending").await.expect(200);
        let rows = pending["list"].as_array().expect("a list").clone();
        for approval in &rows {
            let path = format!("/api/approvals/{}/accept", text(&approval["id"]));
            self.admin().await.post(&path, json!({})).await.expect(200);
        }
        rows.len()
    }
}

/// A JSON text, or a test that fails.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("expected a text, found {value}")).to_owned()
}
