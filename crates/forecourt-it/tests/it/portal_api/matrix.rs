//! Who may call what: every endpoint of the Portal API by every kind of caller, compared with the router's own table.

use std::collections::BTreeSet;

use forecourt_it::{Client, Forecourt, installations::text};
use http::Method;
use serde_json::{Value, json};

/// What a caller class is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Anybody.
    Open,
    /// The front end, for its portal; the developer header is ignored.
    Portal,
    /// Guests and developers.
    Guest,
    /// Developers; another one than the owner sees the collection as empty.
    Developer,
    /// Developers; the object is not there for another one than its owner.
    Owner,
    /// Developers; naming another one's object in a body is refused.
    Named,
}

use Class::{Developer, Guest, Named, Open, Owner, Portal};

/// Every endpoint, its class, what is sent, and the status for whom it is meant.
fn matrix() -> Vec<(Method, &'static str, Class, Value, u16)> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let key = json!({ "type": "key-auth", "name": "n" });
    let application = "/api/applications/{id}";
    let credentials = "/api/applications/{id}/credentials";
    let credential = "/api/applications/{id}/credentials/{credential_id}";
    vec![
        (get.clone(), "/healthz", Open, Value::Null, 200),
        (get.clone(), "/openapi.json", Open, Value::Null, 200),
        (get.clone(), "/api/developers", Portal, Value::Null, 200),
        (post.clone(), "/api/developers", Portal, json!({ "developer_id": "{fresh}" }), 201),
        (get.clone(), "/api/approvals", Portal, Value::Null, 200),
        (post.clone(), "/api/approvals/{id}/accept", Portal, json!({}), 200),
        (post.clone(), "/api/approvals/{id}/reject", Portal, json!({}), 200),
        (get.clone(), "/api/system_settings/public_access", Portal, Value::Null, 200),
        (get.clone(), "/api/system_settings/smtp_server_status", Portal, Value::Null, 200),
        (get.clone(), "/api/forecourt/receipts/{revision}", Portal, Value::Null, 200),
        (get.clone(), "/api/api_products", Guest, Value::Null, 200),
        (get.clone(), "/api/api_products/{id}", Guest, Value::Null, 200),
        (get.clone(), "/api/dcr_providers", Guest, Value::Null, 200),
        (get.clone(), "/api/labels/{resource_type}", Developer, Value::Null, 200),
        (get.clone(), "/api/applications", Developer, Value::Null, 200),
        (post.clone(), "/api/applications", Developer, json!({ "name": "n" }), 201),
        (get.clone(), "/api/applications/api_calls", Developer, Value::Null, 200),
        (get.clone(), "/api/forecourt/usage", Developer, Value::Null, 200),
        (get.clone(), application, Owner, Value::Null, 200),
        (put.clone(), application, Owner, json!({ "name": "n" }), 200),
        (get.clone(), credentials, Owner, Value::Null, 200),
        (post.clone(), credentials, Owner, key.clone(), 201),
        (get.clone(), credential, Owner, Value::Null, 200),
        (put.clone(), credential, Owner, key, 200),
        // Its owner is told that the plans of a product that asks for approval are its administrators' to change.
        (put.clone(), "/api/forecourt/subscriptions/{id}/plan", Owner, json!({ "plan_id": "pln_none" }), 400),
        (
            put,
            "/api/applications/{id}/credentials/{credential_id}/regenerate",
            Owner,
            json!({ "type": "key-auth" }),
            200,
        ),
        (get.clone(), "/api/credentials", Developer, Value::Null, 200),
        (get, "/api/subscriptions", Developer, Value::Null, 200),
        (
            post.clone(),
            "/api/subscriptions",
            Named,
            json!({ "applications": ["{application}"], "api_products": ["{product}"] }),
            201,
        ),
        (
            post,
            "/api/api_products/{id}/subscriptions",
            Named,
            json!({ "application_id": "{application}" }),
            201,
        ),
        (delete.clone(), "/api/subscriptions/{id}", Owner, Value::Null, 204),
        (delete.clone(), credential, Owner, Value::Null, 204),
        (delete.clone(), application, Owner, Value::Null, 204),
        (delete, "/api/developers/{developer_id}", Portal, Value::Null, 204),
    ]
}

/// What every call of the matrix is about: all of it is ada's.
struct Objects {
    product: String,
    application: String,
    credential: String,
    subscription: String,
    approval: String,
}

impl Objects {
    /// Fresh ones, since the calls that are let through change and delete them.
    async fn make(f: &Forecourt, ada: &Client, product: &str) -> Self {
        let made = ada.post("/api/applications", json!({ "name": "demo" })).await.expect(201);
        let application = text(&made["id"]);
        let path = format!("/api/applications/{application}/credentials");
        let made = ada.post(&path, json!({ "type": "key-auth", "name": "prod" })).await.expect(201);
        let credential = text(&made["id"]);
        let body = json!({ "applications": [application], "api_products": [product] });
        ada.post("/api/subscriptions", body).await.expect(201);
        let path = format!("/api/subscriptions?application_id={application}");
        let subscription = text(&ada.get(&path).await.expect(200)["list"][0]["id"]);
        let approvals = f.portal_api().await.get("/api/approvals?status=pending").await.expect(200);
        let approval = text(&approvals["list"][0]["id"]);
        Self { product: product.to_owned(), application, credential, subscription, approval }
    }

    fn path(&self, template: &str) -> String {
        let id = match template.split('/').nth(2) {
            Some("api_products") => &self.product,
            Some("subscriptions") => &self.subscription,
            Some("approvals") => &self.approval,
            Some("forecourt") => &self.subscription,
            _ => &self.application,
        };
        let path = template.replace("{id}", id).replace("{credential_id}", &self.credential);
        let path =
            path.replace("{developer_id}", "doomed").replace("{resource_type}", "developer_application");
        let path = path.replace("{revision}", "1");
        if path.ends_with("/api_calls") || path.ends_with("/usage") {
            path + "?start_at=1&end_at=2"
        } else {
            path
        }
    }

    fn body(&self, template: &Value, fresh: usize) -> Value {
        let text = template.to_string().replace("{application}", &self.application);
        let text = text.replace("{product}", &self.product).replace("{fresh}", &format!("fresh-{fresh}"));
        serde_json::from_str(&text).unwrap()
    }
}

/// Who calls, by what they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    NoToken,
    Garbage,
    AdminToken,
    GuestOfPortal,
    UnknownDeveloper,
    OtherDeveloper,
    Owner,
}

const EVERYBODY: [Who; 7] = [
    Who::NoToken,
    Who::Garbage,
    Who::AdminToken,
    Who::GuestOfPortal,
    Who::UnknownDeveloper,
    Who::OtherDeveloper,
    Who::Owner,
];

/// The status that `who` gets for a call of `class` that is meant to be answered with `meant`.
fn expected(class: Class, who: Who, meant: u16) -> u16 {
    let token = !matches!(who, Who::NoToken | Who::Garbage | Who::AdminToken);
    match class {
        Open => meant,
        _ if !token => 401,
        Portal => meant,
        Guest if who == Who::UnknownDeveloper => 401,
        Guest => meant,
        _ if matches!(who, Who::GuestOfPortal | Who::UnknownDeveloper) => 401,
        Owner if who == Who::OtherDeveloper => 404,
        Named if who == Who::OtherDeveloper => 400,
        _ => meant,
    }
}

#[test]
fn the_matrix_names_every_endpoint_of_the_router_and_no_other() {
    let told = |method: &Method, path: &str| format!("{method} {path}");
    let routed: BTreeSet<_> =
        forecourt_api::portal::endpoints().iter().map(|(method, path)| told(method, path)).collect();
    let listed: BTreeSet<_> = matrix().iter().map(|(method, path, ..)| told(method, path)).collect();
    assert_eq!(listed, routed);
    assert_eq!(matrix().len(), listed.len(), "each endpoint stands in the matrix once");
}

#[tokio::test]
async fn every_endpoint_answers_every_kind_of_caller_as_its_class_says() {
    let f = Forecourt::start().await;
    let product = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let front_end = f.portal_api().await;
    let made = f
        .admin()
        .await
        .post("/api/settings/tokens", json!({ "name": "script", "expires_at": 0 }))
        .await
        .expect(200);
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let client = |who: Who| match who {
        Who::NoToken => f.portal_api_guest().with("x-portal-developer-id", "ada"),
        Who::Garbage => f.portal_api_guest().with_bearer("garbage").with("x-portal-developer-id", "ada"),
        Who::AdminToken => f.portal_api_guest().with_bearer(&text(&made["value"]["token"])),
        Who::GuestOfPortal => front_end.clone(),
        Who::UnknownDeveloper => front_end.with("x-portal-developer-id", "nobody"),
        Who::OtherDeveloper => bob.api.clone(),
        Who::Owner => ada.api.clone(),
    };
    let mut wrong = Vec::new();
    for (row, (method, template, class, body, meant)) in matrix().into_iter().enumerate() {
        let mut objects = Objects::make(&f, &ada.api, &product.id).await;
        for (column, who) in EVERYBODY.into_iter().enumerate() {
            if template.contains("{developer_id}") && expected(class, who, meant) == 204 {
                front_end.post("/api/developers", json!({ "developer_id": "doomed" })).await.expect(201);
            }
            let expected = expected(class, who, meant);
            let body = (!body.is_null()).then(|| objects.body(&body, row * EVERYBODY.len() + column));
            let answer = client(who).send(method.clone(), &objects.path(template), body).await;
            if answer.status != expected {
                wrong.push(format!("{method} {template} by {who:?}: {} for {expected}", answer.status));
            }
            if expected >= 400 {
                answer.refused(answer.status.as_u16(), "");
            }
            if template.starts_with("/api/approvals/") && expected == 200 {
                objects = Objects::make(&f, &ada.api, &product.id).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn another_method_on_a_known_path_is_405_and_an_unknown_path_404_whoever_asks() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let endpoints = forecourt_api::portal::endpoints();
    let paths: BTreeSet<_> = endpoints.iter().map(|(_, path)| *path).collect();
    for path in paths {
        let routed = |method: &Method| endpoints.contains(&(method.clone(), path));
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS]
        {
            // A fixed segment beside a parameter leaves the other's methods to itself.
            if routed(&method) {
                continue;
            }
            for client in [f.portal_api_guest(), ada.api.clone()] {
                let concrete = path.replace(['{', '}'], "");
                // Nothing in the query makes it another call.
                for query in ["", "?dry_run=true", "?dry_run=x", "?page=%ff"] {
                    let answer = client.send(method.clone(), &format!("{concrete}{query}"), None).await;
                    answer.refused(405, "method not allowed");
                }
            }
        }
    }
    for path in ["/", "/api", "/api/", "/api/nothing", "/api/developers/", "/api/approvals/a/b", "/healthz/x"]
    {
        for client in [f.portal_api_guest(), ada.api.clone()] {
            client.get(path).await.refused(404, "resource not found");
            client.post(path, json!({})).await.refused(404, "resource not found");
        }
    }
}
