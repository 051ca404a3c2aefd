//! Credentials of type `oauth` at a real OpenID provider: registered, called with, changed, removed.

use std::time::Duration;

use forecourt_it::{
    Answer, Application, Forecourt, OauthProvider, Product, deadlines::eventually, installations::text,
    oauth_providers::INITIAL_ACCESS_TOKEN,
};
use serde_json::{Value, json};

/// Adds `provider` to the installation, and gives its id.
pub(crate) async fn add(f: &Forecourt, provider: &OauthProvider) -> String {
    let body = json!({
        "name": "OpenID",
        "issuer": provider.issuer(),
        "headers": { "Authorization": format!("Bearer {INITIAL_ACCESS_TOKEN}") },
    });
    let made = f.admin().await.post("/api/dcr_providers", body).await.expect(200);
    text(&made["value"]["id"])
}

async fn product<'a>(f: &'a Forecourt, name: &str, provider: &str) -> Product<'a> {
    f.product_with(name, json!({ "auth": { "dcr": { "dcr_provider_id": provider } } })).await
}

pub(crate) async fn register(application: &Application<'_>, provider: &str, uris: &[&str]) -> Answer {
    let oauth = json!({ "dcr_provider_id": provider, "redirect_uris": uris });
    let path = format!("/api/applications/{}/credentials", application.id);
    application.api.post(&path, json!({ "type": "oauth", "desc": "batch", "oauth": oauth })).await
}

pub(crate) async fn token(provider: &OauthProvider, made: &Value, scope: &str) -> String {
    let (id, secret) = (text(&made["oauth"]["client_id"]), text(&made["oauth"]["client_secret"]));
    text(&provider.ask_token(&id, &secret, scope).await.expect(200)["access_token"])
}

async fn call(f: &Forecourt, product: &Product<'_>, token: &str) -> Answer {
    f.gateway().with_bearer(token).get(&product.path).await
}

async fn left_behind(f: &Forecourt) -> Vec<Value> {
    let list = f.admin().await.get("/api/forecourt/dcr_removals").await.expect(200);
    list["list"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_client_of_a_real_provider_calls_until_its_credential_is_gone() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let id = add(&f, &provider).await;
    let orders = product(&f, "Orders", &id).await;
    let application = f.developer("ada").await.application("mobile").await;
    let made = register(&application, &id, &[]).await.expect(201);
    assert_eq!(made["type"], "oauth");
    assert!(made.get("name").is_none(), "{made}");
    assert_eq!(made["oauth"]["dcr_provider"]["name"], "OpenID");
    assert_eq!(made["oauth"]["redirect_uris"], json!([]));
    let kept = &provider.clients()[0];
    assert_eq!(kept["client_name"], "mobile");
    assert_eq!(kept["grant_types"], json!(["client_credentials"]));

    let access = token(&provider, &made, "read").await;
    call(&f, &orders, &access).await.expect(401);
    application.request(&orders).await;
    call(&f, &orders, &access).await.expect(200);
    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&made["id"]));
    let shown = application.api.get(&path).await.expect(200);
    assert!(shown["oauth"].get("client_secret").is_none(), "{shown}");
    let regenerate = application.api.put(&format!("{path}/regenerate"), json!({ "type": "oauth" })).await;
    regenerate.refused(400, "type oidc cannot be regenerated");

    application.unsubscribe(&orders).await;
    call(&f, &orders, &access).await.expect(401);
    application.request(&orders).await;
    call(&f, &orders, &access).await.expect(200);
    application.api.delete(&path).await.empty(204);
    call(&f, &orders, &access).await.expect(401);
    eventually("the client is gone at the provider", async || {
        (provider.clients().is_empty() && left_behind(&f).await.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn redirect_uris_change_at_the_provider_and_the_token_that_it_renews_is_kept() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let id = add(&f, &provider).await;
    let application = f.developer("ada").await.application("web").await;
    let made = register(&application, &id, &["https://app.example/cb"]).await.expect(201);
    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&made["id"]));
    let body = |members: Value| json!({ "type": "oauth", "desc": "new", "oauth": members });
    // The provider gives another token with every update: the second would fail with the first token.
    for uri in ["https://app.example/second", "https://app.example/third"] {
        let updated = application.api.put(&path, body(json!({ "redirect_uris": [uri] }))).await.expect(200);
        assert_eq!(updated["oauth"]["redirect_uris"], json!([uri]));
        assert_eq!(updated["desc"], "new");
        assert_eq!(provider.clients()[0]["redirect_uris"], json!([uri]));
    }
    let same = application.api.put(&path, body(json!({}))).await.expect(200);
    assert_eq!(same["oauth"]["redirect_uris"], json!(["https://app.example/third"]));
    for (wrong, part) in [
        (json!({ "type": "oauth" }), "oauth is required"),
        (json!({ "type": "oauth", "name": "x", "oauth": {} }), "name is not a member here"),
        (body(json!({ "client_secret": "x" })), "oauth.client_secret is not a member here"),
        (body(json!({ "redirect_uris": "https://a.example" })), "must be an array of strings"),
        (body(json!({ "redirect_uris": ["/cb"] })), "oauth.redirect_uris[0] must be an absolute URI"),
        (json!({ "type": "key-auth", "name": "x" }), "type must be oauth"),
    ] {
        application.api.put(&path, wrong).await.refused(400, part);
    }
    let ada = f.portal_api().await.with("x-portal-developer-id", "ada");
    ada.delete(&format!("/api/applications/{}", application.id)).await.empty(204);
    eventually("the client goes with its application", async || provider.clients().is_empty().then_some(()))
        .await;
}

#[tokio::test]
async fn renaming_an_application_renames_its_clients_at_their_provider() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let id = add(&f, &provider).await;
    let application = f.developer("ada").await.application("mobile").await;
    let made = register(&application, &id, &["https://app.example/cb"]).await.expect(201);
    let path = format!("/api/applications/{}", application.id);
    // The provider gives another token with every answer: each change needs the one of the change before.
    for name in ["tablet", "watch"] {
        application.api.put(&path, json!({ "name": name })).await.expect(200);
        eventually("the client has the name", async || {
            (provider.clients()[0]["client_name"] == name).then_some(())
        })
        .await;
        assert_eq!(provider.clients()[0]["redirect_uris"], json!(["https://app.example/cb"]));
    }
    let path = format!("{path}/credentials/{}", text(&made["id"]));
    let body = json!({ "type": "oauth", "oauth": { "redirect_uris": [] } });
    application.api.put(&path, body).await.expect(200);
    application.api.delete(&path).await.empty(204);
    eventually("the client is gone", async || provider.clients().is_empty().then_some(())).await;
}

#[tokio::test]
async fn changes_of_one_client_at_the_same_time_are_made_one_after_the_other() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let id = add(&f, &provider).await;
    let application = f.developer("ada").await.application("web").await;
    let made = register(&application, &id, &[]).await.expect(201);
    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&made["id"]));
    // Each answer of the provider makes the token worthless that the others would have shown.
    let change = async |uri: &str| {
        let body = json!({ "type": "oauth", "oauth": { "redirect_uris": [uri] } });
        application.api.put(&path, body).await.expect(200)
    };
    let uris = ["https://a.example", "https://b.example", "https://c.example", "https://d.example"];
    tokio::join!(change(uris[0]), change(uris[1]), change(uris[2]), change(uris[3]));
    let kept = application.api.get(&path).await.expect(200)["oauth"]["redirect_uris"].clone();
    assert_eq!(provider.clients()[0]["redirect_uris"], kept, "both have the last");
    application.api.delete(&path).await.empty(204);
    eventually("the client is gone", async || {
        (provider.clients().is_empty() && left_behind(&f).await.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_asked_again_until_the_client_is_gone() {
    let f = Forecourt::start().await;
    let mut provider = OauthProvider::start(f.clock());
    let id = add(&f, &provider).await;
    let orders = product(&f, "Orders", &id).await;
    let application = f.developer("ada").await.application("mobile").await.subscribe(&orders).await;
    let made = register(&application, &id, &[]).await.expect(201);
    let access = token(&provider, &made, "read").await;
    call(&f, &orders, &access).await.expect(200);

    provider.stop();
    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&made["id"]));
    application.api.delete(&path).await.empty(204);
    call(&f, &orders, &access).await.expect(401);
    register(&application, &id, &[]).await.refused(500, "identity provider request failed");
    let left = eventually("the failed attempt is told", async || {
        left_behind(&f)
            .await
            .into_iter()
            .find(|left| left["attempts"] == 1 && left.get("last_error").is_some())
    })
    .await;
    assert_eq!(left["dcr_provider_name"], "OpenID");
    assert_eq!(left["client_id"], made["oauth"]["client_id"]);
    assert_eq!(left_behind(&f).await.len(), 1, "what was never registered is not left behind");

    provider.resume();
    assert_eq!(provider.clients().len(), 1);
    f.advance(Duration::from_secs(11));
    eventually("the client is gone after all", async || {
        (provider.clients().is_empty() && left_behind(&f).await.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_route_may_ask_for_scopes_and_an_empty_label_asks_for_none() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let id = add(&f, &provider).await;
    let orders = product(&f, "Orders", &id).await;
    let application = f.developer("ada").await.application("mobile").await.subscribe(&orders).await;
    let made = register(&application, &id, &[]).await.expect(201);
    let access = token(&provider, &made, "read").await;
    let label = async |scopes: &str| {
        let route = json!({
            "name": "all", "service_id": orders.service_id, "paths": ["/*"],
            "labels": { "portal:dcr:require_any_scopes": scopes },
        });
        let path = "/apisix/admin/routes?gateway_group_id=default";
        let found =
            f.admin().await.get(&format!("{path}&service_id={}", orders.service_id)).await.expect(200);
        let route_id = text(&found["list"][0]["id"]);
        let path = format!("/apisix/admin/routes/{route_id}?gateway_group_id=default");
        f.admin().await.put(&path, route).await.expect(200);
    };
    label("write admin").await;
    call(&f, &orders, &access).await.expect(401);
    let writes = token(&provider, &made, "write").await;
    call(&f, &orders, &writes).await.expect(200);
    label("").await;
    call(&f, &orders, &access).await.expect(200);
}

#[tokio::test]
async fn gateways_hear_of_another_issuer_and_of_a_suspension() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let id = add(&f, &provider).await;
    let orders = product(&f, "Orders", &id).await;
    let application = f.developer("ada").await.application("mobile").await.subscribe(&orders).await;
    let made = register(&application, &id, &[]).await.expect(201);
    let access = token(&provider, &made, "read").await;
    call(&f, &orders, &access).await.expect(200);
    let suspend = format!("/api/forecourt/applications/{}/suspend", application.id);
    f.admin().await.post(&suspend, json!({ "reason": "a test" })).await.expect(200);
    call(&f, &orders, &access).await.expect(401);
    let resume = format!("/api/forecourt/applications/{}/resume", application.id);
    f.admin().await.post(&resume, json!({})).await.expect(200);
    call(&f, &orders, &access).await.expect(200);
    let path = format!("/api/dcr_providers/{id}");
    let elsewhere = json!({ "issuer": "http://127.0.0.1:1/other", "headers": {} });
    f.admin().await.put(&path, elsewhere).await.expect(200);
    call(&f, &orders, &access).await.expect(401);
    f.admin().await.put(&path, json!({ "issuer": provider.issuer() })).await.expect(200);
    eventually("the issuer counts again", async || {
        (call(&f, &orders, &access).await.status == 200).then_some(())
    })
    .await;
}
