//! Acts that take something away, with all that each does to the rest: one story for each, named after the act.
//!
//! [`Scene`] holds an application that may call in every way there is, and somebody who has nothing to do with it. What
//! a portal, a gateway group and a directory's deactivation take along stands in `deletions.rs` and `provisioning.rs`.

mod applications;
mod developers;
mod products;

use std::collections::BTreeSet;

use forecourt_app::events;
use forecourt_core::{
    events::EventName,
    gateway_state::{JwtAlgorithm, Kind},
    secrets::PlainSecret,
};
use forecourt_identity::tokens::signed;
use forecourt_it::{
    Application, Client, Credential, Developer, Forecourt, OauthProvider, Product, deadlines::eventually,
    installations::text,
};
use serde_json::{Value, json};

use crate::{oauth_clients, sealing, suspension::administrator};

/// Two products and two developers.
struct Scene<'a> {
    f: &'a Forecourt,
    provider: &'a OauthProvider,
    provider_id: String,
    /// Takes every kind of credential, and approves subscriptions by itself.
    orders: Product<'a>,
    /// Takes keys; administrators approve.
    billing: Product<'a>,
    ada: Developer<'a>,
    /// Ada's: subscribed to Orders, waiting for Billing.
    application: Application<'a>,
    /// One credential of each type.
    credentials: Vec<Own>,
    /// Another developer's key for Orders.
    bystander: Credential,
}

/// A credential, and a caller who shows it to the gateway.
struct Own {
    kind: &'static str,
    id: String,
    caller: Client,
}

impl<'a> Scene<'a> {
    async fn set(f: &'a Forecourt, provider: &'a OauthProvider) -> Self {
        let provider_id = oauth_clients::add(f, provider).await;
        let dcr = json!({ "dcr_provider_id": provider_id });
        let auth = json!({ "key-auth": {}, "basic-auth": {}, "jwt-auth": {}, "dcr": dcr });
        let orders = f.product_with("Orders", json!({ "auth": auth })).await;
        let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
        let ada = f.developer("ada").await;
        let application = ada.application("mobile").await.subscribe(&orders).await.subscribe(&billing).await;
        let credentials = credentials(f, provider, &provider_id, &application).await;
        let bob = f.developer("bob").await;
        let bystander = bob.application("other").await.subscribe(&orders).await.key("prod").await;
        Self { f, provider, provider_id, orders, billing, ada, application, credentials, bystander }
    }

    /// The answers of Orders to each of the credentials, and to the bystander.
    async fn statuses(&self) -> [u16; 5] {
        let mut statuses = [0; 5];
        for (place, own) in statuses.iter_mut().zip(&self.credentials) {
            *place = own.caller.get(&self.orders.path).await.status.as_u16();
        }
        statuses[4] = self.f.call(&self.orders, &self.bystander).await.status.as_u16();
        statuses
    }

    /// Path of one of the credentials.
    fn path(&self, own: &Own) -> String {
        format!("/api/applications/{}/credentials/{}", self.application.id, own.id)
    }

    /// Whether gateways hold this of the application, its credentials and its grants.
    async fn at_gateways(&self) -> [usize; 3] {
        let rows = rows(self.f).await;
        let holds = |kind: Kind, key: &str| rows.contains(&(kind, key.to_owned()));
        let grants = [&self.orders.id, &self.billing.id].map(|id| format!("{}/{id}", self.application.id));
        [
            usize::from(holds(Kind::Application, &self.application.id)),
            self.credentials.iter().filter(|own| holds(Kind::Credential, &own.id)).count(),
            grants.iter().filter(|key| holds(Kind::Grant, key)).count(),
        ]
    }

    /// Waits until no client is left at the provider, nor is written down to be.
    async fn no_client_is_left(&self) {
        eventually("no client is left at the provider", async || {
            let left = self.f.admin().await.get("/api/forecourt/dcr_removals").await.expect(200);
            (self.provider.clients().is_empty() && left["total"] == 0).then_some(())
        })
        .await;
    }

    /// The results of the approvals, the newest first; absent where they wait.
    async fn approvals(&self) -> Vec<Option<String>> {
        let list = self.f.portal_api().await.get("/api/approvals").await.expect(200);
        let rows = list["list"].as_array().unwrap().iter();
        rows.map(|row| row["result"].as_str().map(str::to_owned)).collect()
    }

    /// Checks that this is the latest that is told of a thing: through which door it came, from where, in which request.
    async fn told(&self, noun: &str, id: &str, name: EventName, source: &str) {
        let told = events::of_object(&self.f.app(), &administrator(self.f), noun, id).await.unwrap();
        let event = told.first().expect("something is told of it");
        assert_eq!((event.name, event.source.as_str()), (name, source), "{told:?}");
        assert!(event.request_id.starts_with("req_") && event.address.is_some(), "{event:?}");
        assert!(!event.actor_id.is_empty(), "{event:?}");
    }
}

/// One credential of each type, with the caller that shows it.
async fn credentials(
    f: &Forecourt,
    provider: &OauthProvider,
    provider_id: &str,
    application: &Application<'_>,
) -> Vec<Own> {
    let path = format!("/api/applications/{}/credentials", application.id);
    let make = async |body: Value| application.api.post(&path, body).await.expect(201);
    let key = application.key("key").await;
    let pair = json!({ "username": "batch", "password": "p" });
    let basic = make(json!({ "type": "basic-auth", "name": "basic", "basic-auth": pair })).await;
    let token = make(json!({ "type": "jwt-auth", "name": "token" })).await;
    let secret = PlainSecret::presented(text(&token["jwt-auth"]["secret"]));
    let ends = f.clock().now().plus_seconds(600);
    let shown = signed(JwtAlgorithm::Hs256, &text(&token["jwt-auth"]["key"]), &secret, ends).unwrap();
    let oauth = oauth_clients::register(application, provider_id, &[]).await.expect(201);
    let access = oauth_clients::token(provider, &oauth, "read").await;
    let gateway = f.gateway();
    vec![
        Own { kind: "key-auth", id: key.id, caller: gateway.with("apikey", &key.key) },
        Own { kind: "basic-auth", id: text(&basic["id"]), caller: gateway.with_basic("batch", "p") },
        Own { kind: "jwt-auth", id: text(&token["id"]), caller: gateway.with_bearer(shown.reveal()) },
        Own { kind: "oauth", id: text(&oauth["id"]), caller: gateway.with_bearer(&access) },
    ]
}

/// Kinds and keys of all that gateways of the default group hold.
async fn rows(f: &Forecourt) -> BTreeSet<(Kind, String)> {
    sealing::handed(f).await.into_iter().map(|resource| (resource.kind(), resource.key())).collect()
}
