//! What writers do: each kind of write that a portal lives of, one after the other, on things of their own. Everything that
//! they ask for is right, so that only a lost write can make an answer a refusal. What is written of gateways, plans and
//! directories stands in files of its own.

mod directories;
mod gateways;
mod plans;

use forecourt_core::secrets::SecretDigest;
use http::Method;
use serde_json::{Value, json};

use super::{
    Step,
    ledgers::{Key, Noun},
    writers::{Call, Face, Writer},
};
use crate::installations::text;

/// Events that the contact points are told of.
const REQUESTED: &str = "subscription_approval_created";
const ACCEPTED: &str = "subscription_approval_accepted";
const REJECTED: &str = "subscription_approval_rejected";
const CANCELLED: &str = "subscription_approval_cancelled";

/// An application with its developer.
struct Owned {
    developer: Key,
    application: Key,
    id: String,
    face: Face,
}

impl Owned {
    /// Its subscription to a product, by name.
    fn subscription(&self, product: &str) -> Key {
        (Noun::Subscription, format!("{}/{product}", self.application.1))
    }
}

impl Writer {
    /// A developer's application from its beginning to its end, with its keys.
    pub(super) async fn develop(&mut self) -> Option<()> {
        let owned = self.application(true).await?;
        let both = [owned.subscription("Automatic"), owned.subscription("Asking")];
        let mut keys = vec![owned.application.clone()];
        keys.extend(both);
        self.promises(REQUESTED, &owned.id);
        let credential = self.credential(&owned).await?;
        let item = format!("/api/applications/{}", owned.id);
        let changed = json!({ "name": owned.application.1, "desc": "changed", "labels": { "round": "two" } });
        let steps = vec![
            Step::Change(owned.application.clone(), "desc", Some("changed".into())),
            Step::Change(owned.application.clone(), "labels", Some(json!({ "round": "two" }).to_string())),
        ];
        self.write(Call::new(owned.face.clone(), Method::PUT, &item).with(changed), steps).await?;
        self.suspend(&owned).await?;
        let item_of_key = format!("{item}/credentials/{}", credential.1);
        if self.one_in(2) {
            let call = Call::new(owned.face.clone(), Method::DELETE, item_of_key);
            self.write(call, vec![Step::Remove(vec![credential.0])]).await?;
        } else {
            keys.push(credential.0);
        }
        match self.random.below(3) {
            0 => {
                let call = Call::new(owned.face, Method::DELETE, item);
                self.write(call, vec![Step::Remove(keys)]).await?;
            }
            1 => {
                let path = format!("/api/developers/{}", owned.developer.1);
                keys.push(owned.developer);
                let call = Call::new(Face::FrontEnd, Method::DELETE, path);
                self.write(call, vec![Step::Remove(keys)]).await?;
            }
            _ => {}
        }
        Some(())
    }

    /// A request that is accepted, rejected or taken back.
    pub(super) async fn ask_and_decide(&mut self) -> Option<()> {
        let owned = self.application(false).await?;
        let (automatic, asking) = (owned.subscription("Automatic"), owned.subscription("Asking"));
        let body = json!({
            "applications": [owned.id], "api_products": [self.ground.automatic, self.ground.asking],
        });
        let both = Step::Make(vec![automatic, asking.clone()]);
        self.write(Call::new(owned.face.clone(), Method::POST, "/api/subscriptions").with(body), vec![both])
            .await?;
        self.promises(REQUESTED, &owned.id);
        self.holds(&asking, "status", "wait_for_approval");
        let pending = format!("/api/approvals?status=pending&applicant_name={}", owned.developer.1);
        let approvals = self.read(Face::FrontEnd, &pending).await?;
        let approval = format!("/api/approvals/{}", text(&approvals["list"][0]["id"]));
        let decider = if self.one_in(2) { Face::Admin } else { Face::FrontEnd };
        let decide = |verdict: &str| {
            Call::new(decider, Method::POST, format!("{approval}/{verdict}"))
                .with(json!({ "reason": "storm" }))
        };
        match self.random.below(4) {
            0 => {
                let steps = vec![Step::Change(asking, "status", Some("subscribed".into()))];
                self.write(decide("accept"), steps).await?;
                self.promises(ACCEPTED, &owned.id);
            }
            1 => {
                self.write(decide("reject"), vec![Step::Remove(vec![asking])]).await?;
                self.promises(REJECTED, &owned.id);
            }
            2 => {
                let list = format!(
                    "/api/subscriptions?application_id={}&api_product_id={}",
                    owned.id, self.ground.asking
                );
                let found = self.read(owned.face.clone(), &list).await?;
                let path = format!("/api/subscriptions/{}", text(&found["list"][0]["id"]));
                let call = Call::new(owned.face, Method::DELETE, path);
                self.write(call, vec![Step::Remove(vec![asking])]).await?;
                self.promises(CANCELLED, &owned.id);
            }
            _ => {}
        }
        Some(())
    }

    /// A product that is published, subscribed to, unpublished and perhaps deleted.
    pub(super) async fn publish(&mut self) -> Option<()> {
        let name = self.name();
        let product = (Noun::Product, name.clone());
        let path = format!("/api/api_products?portal_id={}", self.ground.portal);
        let draft = json!({
            "type": "gateway", "name": name, "status": "draft", "auth": { "key-auth": {} },
            "subscription_auto_approval": true,
        });
        let made = self.make(&product, Face::Admin, path, draft).await?;
        let id = text(&made["value"]["id"]);
        self.holds(&product, "status", "draft");
        let item = format!("/api/api_products/{id}");
        let status = |word: &str| {
            let call = Call::new(Face::Admin, Method::PUT, &item).with(json!({ "status": word }));
            (call, Step::Change(product.clone(), "status", Some(word.to_owned())))
        };
        let (call, change) = status("published");
        self.write(call, vec![change]).await?;
        let owned = self.application(false).await?;
        let subscription = owned.subscription(&name);
        let path = format!("/api/api_products/{id}/subscriptions");
        let call = Call::new(owned.face, Method::POST, path).with(json!({ "application_id": owned.id }));
        self.write(call, vec![Step::Make(vec![subscription.clone()])]).await?;
        if self.one_in(3) {
            return Some(());
        }
        let (call, change) = status("draft");
        self.write(call, vec![change, Step::Remove(vec![subscription])]).await?;
        if self.one_in(2) {
            let call = Call::new(Face::Admin, Method::DELETE, item.clone());
            self.write(call, vec![Step::Remove(vec![product.clone()])]).await?;
        }
        Some(())
    }

    /// What only administrators see: a role, both kinds of tokens, a contact point.
    pub(super) async fn administrate(&mut self) -> Option<()> {
        let tokens = format!("/api/portal/tokens?portal_id={}", self.ground.portal);
        let contact = |name: &str, url: &str| json!({ "name": name, "type": "webhook", "url": url });
        let role = (Noun::Role, self.name());
        let made = self.make(&role, Face::Admin, "/api/roles".into(), json!({ "name": role.1 })).await?;
        self.holds(&role, "desc", "");
        let role_item = format!("/api/roles/{}", text(&made["value"]["id"]));
        let changed = json!({ "name": role.1, "desc": "changed" });
        let steps = vec![Step::Change(role.clone(), "desc", Some("changed".into()))];
        self.write(Call::new(Face::Admin, Method::PUT, &role_item).with(changed), steps).await?;
        self.perhaps_remove(role, role_item).await?;

        let token = (Noun::AdminToken, self.name());
        let body = json!({ "name": token.1, "expires_at": 0 });
        let made = self.make(&token, Face::Admin, "/api/settings/tokens".into(), body).await?;
        let item = format!("/api/settings/tokens/{}", text(&made["value"]["id"]));
        self.perhaps_remove(token, item).await?;

        let token = (Noun::PortalToken, self.name());
        let made = self.make(&token, Face::Admin, tokens, json!({ "name": token.1 })).await?;
        let (id, portal) = (text(&made["value"]["id"]), self.ground.portal.clone());
        self.perhaps_remove(token, format!("/api/portal/tokens/{id}?portal_id={portal}")).await?;

        let point = (Noun::ContactPoint, self.name());
        let body = contact(&point.1, "https://one.example/hook");
        let made = self.make(&point, Face::Admin, "/api/contact_points".into(), body).await?;
        self.holds(&point, "url", "https://one.example/hook");
        let item = format!("/api/contact_points/{}", text(&made["value"]["id"]));
        let changed = contact(&point.1, "https://two.example/hook");
        let steps = vec![Step::Change(point.clone(), "url", Some("https://two.example/hook".into()))];
        self.write(Call::new(Face::Admin, Method::PUT, &item).with(changed), steps).await?;
        self.perhaps_remove(point, item).await
    }

    /// A new developer with an application, in one call with subscriptions to both products where that is asked.
    async fn application(&mut self, with_products: bool) -> Option<Owned> {
        let developer = (Noun::Developer, self.name());
        let body = json!({ "developer_id": developer.1 });
        self.make(&developer, Face::FrontEnd, "/api/developers".into(), body).await?;
        let face = Face::Developer(developer.1.clone());
        let application = (Noun::Application, self.name());
        let mut owned = Owned { developer, application, id: String::new(), face };
        let mut body = json!({ "name": owned.application.1, "labels": { "round": "one" } });
        let mut keys = vec![owned.application.clone()];
        if with_products {
            body["api_products"] = json!([self.ground.automatic, self.ground.asking]);
            keys.extend([owned.subscription("Automatic"), owned.subscription("Asking")]);
        }
        let call = Call::new(owned.face.clone(), Method::POST, "/api/applications").with(body);
        let made = self.write(call, vec![Step::Make(keys)]).await?;
        owned.id = text(&made["id"]);
        self.holds(&owned.application, "desc", "");
        self.holds(&owned.application, "labels", json!({ "round": "one" }).to_string());
        self.holds(&owned.application, "status", "active");
        Some(owned)
    }

    /// A key that was replaced once: its name here, and its id.
    async fn credential(&mut self, owned: &Owned) -> Option<(Key, String)> {
        let key = (Noun::Credential, self.name());
        let path = format!("/api/applications/{}/credentials", owned.id);
        let body = json!({ "type": "key-auth", "name": key.1 });
        let made = self.make(&key, owned.face.clone(), path.clone(), body).await?;
        self.holds(&key, "secret", digest(&made));
        let id = text(&made["id"]);
        let call = Call::new(owned.face.clone(), Method::PUT, format!("{path}/{id}/regenerate"));
        let steps = vec![Step::Change(key.clone(), "secret", None)];
        let made = self.write(call.with(json!({ "type": "key-auth" })), steps).await?;
        self.holds(&key, "secret", digest(&made));
        Some((key, id))
    }

    async fn suspend(&mut self, owned: &Owned) -> Option<()> {
        for (verb, status) in [("suspend", "suspended"), ("resume", "active")] {
            if self.one_in(2) {
                break;
            }
            let path = format!("/api/forecourt/applications/{}/{verb}", owned.id);
            let steps = vec![Step::Change(owned.application.clone(), "status", Some(status.into()))];
            self.write(Call::new(Face::Admin, Method::POST, path).with(json!({})), steps).await?;
        }
        Some(())
    }

    async fn make(&mut self, key: &Key, face: Face, path: String, body: Value) -> Option<Value> {
        let call = Call::new(face, Method::POST, path).with(body);
        self.write(call, vec![Step::Make(vec![key.clone()])]).await
    }

    /// Deletes it every other time.
    async fn perhaps_remove(&mut self, key: Key, path: String) -> Option<()> {
        if self.one_in(2) { self.remove(key, path).await } else { Some(()) }
    }

    async fn remove(&mut self, key: Key, path: String) -> Option<()> {
        let call = Call::new(Face::Admin, Method::DELETE, path);
        self.write(call, vec![Step::Remove(vec![key])]).await.map(drop)
    }
}

/// What is kept of the key that an answer tells.
fn digest(answer: &Value) -> String {
    SecretDigest::of(text(&answer["key-auth"]["key"]).as_bytes()).to_hex()
}
