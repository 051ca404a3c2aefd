//! An installation on a store of its own, with what a test needs made through use cases.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use forecourt_app::{
    App, Config, SignInLimits, administrators, applications, authentication, developers,
    gateway_feed::{Following, Held, News},
    instance_tokens, nodes, permission_policies, portals, products, roles, services, subscriptions,
};
use forecourt_core::{
    actors::{Actor, Caller, Source},
    applications::ApplicationInput,
    developers::Developer,
    gateway_state::KeyAuthMethod,
    ids::{ApplicationId, GatewayGroupId, NodeId, PortalId},
    permission_policies::PermissionPolicyInput,
    portals::PortalFilter,
    products::{ProductAuth, ProductStatus, ProductType, SubscriptionState, changes::ProductInput},
    roles::{AssignedRole, RoleInput},
    services::ServiceInput,
    time::Timestamp,
};
use forecourt_http::Context;
use forecourt_store::{Location, Store};
use forecourt_wire::sync::{Acknowledgement, Hello};
use serde_json::json;

use crate::browsers::Browser;

/// The administrator's password once it is changed.
pub const PASSWORD: &str = "correct horse battery";

pub struct Installation {
    pub app: App,
    pub portal: PortalId,
    folder: tempfile::TempDir,
}

impl Installation {
    /// With the administrator `admin`, whose one-time password is `admin`; the third failed sign-in is refused.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = open(folder.path()).await;
        let found = portals::list(&app, &system(&app), &PortalFilter::default()).await.unwrap();
        Self { portal: found.rows.first().unwrap().id.clone(), app, folder }
    }

    pub fn browser(&self) -> Browser {
        let context = Context::new(self.app.clone(), forecourt_http::Config::default());
        let config = forecourt_web::Config {
            portal_api_url: "http://portal-api.example".to_owned(),
            ..Default::default()
        };
        Browser::new(forecourt_web::provider::router(context, config))
    }

    /// The same store once more, for what no use case makes.
    pub async fn store(&self) -> Store {
        Store::open(&Location::Sqlite(self.folder.path().join("forecourt.db"))).await.unwrap()
    }

    /// A browser whose administrator has a password of their own.
    pub async fn signed_in(&self) -> Browser {
        let mut browser = self.signed_in_as("admin", "admin").await;
        browser.get("/portals").await;
        browser
    }

    /// A browser of an invited administrator to whom nobody gave a role.
    pub async fn signed_in_without_role(&self) -> Browser {
        administrators::invite(&self.app, &system(&self.app), "grace", "one-time").await.unwrap();
        self.signed_in_as("grace", "one-time").await
    }

    /// A browser of an administrator called `username`, whose only role has this policy.
    pub async fn signed_in_with(&self, username: &str, resources: &str, actions: &[&str]) -> Browser {
        let (app, caller) = (&self.app, &system(&self.app));
        let statement = json!({ "effect": "allow", "resources": [resources], "actions": actions });
        let input = PermissionPolicyInput {
            name: Some(format!("{username}'s policy")),
            document: Some(json!({ "statement": [statement] })),
            ..Default::default()
        };
        let policy = permission_policies::create(app, caller, input).await.unwrap().id.to_string();
        let input = RoleInput { name: Some(format!("{username}'s role")), ..Default::default() };
        let role_id = roles::create(app, caller, input).await.unwrap().id;
        roles::attach(app, caller, &role_id, &[policy]).await.unwrap();
        let invited = administrators::invite(app, caller, username, "one-time").await.unwrap();
        let assigned = AssignedRole { role_id, scopes: Default::default() };
        administrators::assign_roles(app, caller, &invited.id, &[assigned]).await.unwrap();
        self.signed_in_as(username, "one-time").await
    }

    pub async fn signed_in_as(&self, username: &str, password: &str) -> Browser {
        let mut browser = self.browser();
        browser.get("/sign-in").await;
        browser.post("/sign-in", &[("username", username), ("password", password)]).await.location();
        browser.get("/sign-in/password").await;
        browser.post("/sign-in/password", &[("password", PASSWORD), ("again", PASSWORD)]).await.location();
        browser
    }

    /// A service of the default group; its id.
    pub async fn service(&self, name: &str) -> String {
        let input = ServiceInput { name: Some(name.to_owned()), ..Default::default() };
        let group = Some(GatewayGroupId::default_group());
        services::create(&self.app, &system(&self.app), group, input).await.unwrap().id.to_string()
    }

    /// A published product whose subscriptions wait for approval; its id.
    pub async fn published_product(&self, name: &str) -> String {
        let key_auth = KeyAuthMethod {
            header: "apikey".to_owned(),
            query: "apikey".to_owned(),
            hide_credentials: false,
        };
        let input = ProductInput {
            product_type: Some(ProductType::Gateway),
            name: Some(name.to_owned()),
            status: Some(ProductStatus::Published),
            auth: Some(ProductAuth { key_auth: Some(key_auth), ..Default::default() }),
            ..Default::default()
        };
        let made = products::create(&self.app, &system(&self.app), &self.portal, input).await;
        made.unwrap().product.id.to_string()
    }

    /// An application of a developer of its own that has asked for `product`; its id.
    pub async fn subscribed(&self, application: &str, product: &str) -> String {
        let front_end = self.caller(Actor::PortalFrontEnd(self.portal.clone()));
        let name = format!("dev-{}", self.app.random_hex(4));
        let developer: Developer = developers::create(&self.app, &front_end, &name).await.unwrap();
        let caller = self.caller(authentication::acting(&developer, None));
        let input = ApplicationInput { name: Some(application.to_owned()), ..Default::default() };
        let made = applications::create(&self.app, &caller, input, &[]).await.unwrap().id.to_string();
        let products = [product.to_owned()];
        subscriptions::request(&self.app, &caller, std::slice::from_ref(&made), &products, None)
            .await
            .unwrap();
        made
    }

    /// A gateway node of the default group, with a token of its own.
    pub async fn node(&self, name: &str) -> NodeId {
        let group = GatewayGroupId::default_group();
        let issued = instance_tokens::issue(&self.app, &system(&self.app), &group).await.unwrap();
        self.node_with(issued.text.reveal(), name).await
    }

    /// A gateway node that joins with this token.
    pub async fn node_with(&self, token: &str, name: &str) -> NodeId {
        let hello = Hello {
            node: NodeId::known(format!("nod_{name}")),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            address: format!("http://{name}.example:9080"),
            instance: name.to_owned(),
            position: None,
            in_force: None,
            drift: Vec::new(),
        };
        nodes::admit(&self.app, token, &hello).await.unwrap().node
    }

    /// The node tells that it has everything so far.
    pub async fn acknowledge_all(&self, node: &NodeId) {
        let name = node.as_str().trim_start_matches("nod_");
        let group = GatewayGroupId::default_group();
        let mut following = Following::begin(&self.app, &group, Held::default()).await.unwrap();
        let position = loop {
            let reached = following.next(&self.app).await.unwrap().into_iter().find_map(|news| match news {
                News::Reached(position) => Some(position),
                _ => None,
            });
            if let Some(position) = reached {
                break position;
            }
        };
        let told =
            Acknowledgement { node: node.clone(), instance: name.to_owned(), position, drift: Vec::new() };
        nodes::acknowledge(&self.app, &told).await.unwrap();
    }

    /// What `application` has to `product`.
    pub async fn state(&self, application: &str, product: &str) -> SubscriptionState {
        let id = ApplicationId::known(application);
        let found = applications::administered_one(&self.app, &system(&self.app), &id).await.unwrap();
        let states = applications::subscription_states(&self.app, &[found], product).await.unwrap();
        states.first().copied().unwrap()
    }

    pub async fn accepts_portal_token(&self, token: &str) -> bool {
        authentication::by_portal_token(&self.app, None, token).await.is_ok()
    }

    fn caller(&self, actor: Actor) -> Caller {
        system(&self.app).acting_as(actor)
    }
}

async fn open(folder: &Path) -> App {
    let store = Store::open(&Location::Sqlite(folder.join("forecourt.db"))).await.unwrap();
    let limits = SignInLimits { per_account: 3, ..Default::default() };
    let config = Config { sign_in_limits: limits, ..Default::default() };
    let ticks = AtomicI64::new(1_786_060_800_000_000);
    // Each look at the clock is a moment later, so that what came first sorts first.
    let clock = move || Timestamp::from_micros(ticks.fetch_add(1_000, Ordering::Relaxed));
    App::open(store, &config, Arc::new(clock)).await.unwrap()
}

fn system(app: &App) -> Caller {
    Caller::system(Source::Job, app.new_request_id())
}
