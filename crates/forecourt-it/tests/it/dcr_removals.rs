//! What is left behind at providers: lost answers, cascades, providers that are gone, and what administrators see of it.

use std::time::Duration;

use forecourt_it::{Bridge, Forecourt, Trouble, deadlines::eventually, installations::text};
use serde_json::{Value, json};

use super::oauth_clients::register;

const REMOVALS: &str = "/api/forecourt/dcr_removals";

/// Adds `bridge` to the installation, and gives its id.
async fn add(f: &Forecourt, bridge: &Bridge) -> String {
    let body = json!({
        "name": "Bridge", "provider_type": "http_bridge", "base_url": bridge.base_url(),
        "headers": { "X-Key": "of the bridge" },
    });
    let made = f.admin().await.post("/api/dcr_providers", body).await.expect(200);
    text(&made["value"]["id"])
}

async fn left_behind(f: &Forecourt) -> Vec<Value> {
    f.admin().await.get(REMOVALS).await.expect(200)["list"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_bridge_makes_changes_rotates_and_removes_clients() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let id = add(&f, &bridge).await;
    let application = f.developer("ada").await.application("mobile").await;
    let made = register(&application, &id, &["https://a.example/cb"]).await.expect(201);
    assert_eq!(made["oauth"]["client_secret"], "secret-1");
    assert_eq!(made["oauth"]["client_secret_expires_at"], 7);
    assert_eq!(made["oauth"]["dcr_provider"]["issuer"], "");
    let told = &bridge.clients()["client-1"];
    assert_eq!(told["application_id"], application.id);
    assert_eq!(told["developer_id"], "ada");
    assert!(bridge.heads().iter().all(|head| head["x-key"] == "of the bridge"));

    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&made["id"]));
    let asked = bridge.heads().len();
    let preview = format!("{path}/regenerate?dry_run=true");
    let preview = application.api.put(&preview, json!({ "type": "oauth" })).await.expect(200);
    assert_eq!(preview["impact"]["credentials"], 1);
    assert_eq!(bridge.heads().len(), asked, "a preview asks the bridge nothing");
    let rotated = application.api.put(&format!("{path}/regenerate"), json!({ "type": "oauth" })).await;
    let rotated = rotated.expect(200);
    assert_eq!(rotated["oauth"]["client_secret"], "rotated");
    assert_eq!(rotated["oauth"]["client_secret_expires_at"], 9);
    let body = json!({ "type": "oauth", "oauth": { "redirect_uris": [] } });
    application.api.put(&path, body).await.expect(200);
    assert_eq!(bridge.clients()["client-1"]["redirect_uris"], json!([]));
    let listed = application.api.get("/api/credentials?auth_method=oauth").await.expect(200);
    assert_eq!(listed["list"][0]["oauth"]["client_id"], "client-1");
    application.api.delete(&path).await.empty(204);
    eventually("the client is gone", async || bridge.clients().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_refused_registration_leaves_nothing_and_a_lost_one_is_told_until_it_is_dismissed() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let id = add(&f, &bridge).await;
    let application = f.developer("ada").await.application("mobile").await;
    for status in [400, 401, 403, 302, 503] {
        bridge.has(Trouble::Answers(status));
        register(&application, &id, &[]).await.refused(500, "identity provider request failed");
    }
    assert_eq!(left_behind(&f).await, Vec::<Value>::new());
    bridge.has(Trouble::HangsUp);
    register(&application, &id, &[]).await.refused(500, "identity provider request failed");
    let credentials = application.api.get("/api/credentials").await.expect(200);
    assert_eq!(credentials["total"], 0, "nothing is stored");
    assert_eq!(bridge.clients().len(), 1, "and yet it was made");
    let [left] = &left_behind(&f).await[..] else { panic!("one is left") };
    assert_eq!(left["client_name"], "mobile");
    assert!(left.get("client_id").is_none() && left.get("next_attempt_at").is_none(), "{left}");
    assert!(text(&left["last_error"]).contains("remove it there by hand"), "{left}");
    let path = format!("{REMOVALS}/{}", text(&left["id"]));
    f.admin().await.delete(&path).await.expect(200);
    f.admin().await.delete(&path).await.expect(404);
    assert_eq!(left_behind(&f).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_client_that_is_registered_while_its_provider_is_deleted_is_removed_there() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let id = add(&f, &bridge).await;
    let application = f.developer("ada").await.application("mobile").await;
    bridge.has(Trouble::Waits);
    let deleted = async {
        eventually("the bridge has the client", async || (bridge.clients().len() == 1).then_some(())).await;
        f.admin().await.delete(&format!("/api/dcr_providers/{id}")).await.expect(200);
        bridge.has(Trouble::None);
    };
    let (answer, ()) = tokio::join!(register(&application, &id, &[]), deleted);
    answer.refused(400, "dcr_provider_id");
    assert_eq!(application.api.get("/api/credentials").await.expect(200)["total"], 0);
    eventually("the client is gone, and nothing is left", async || {
        (bridge.clients().is_empty() && left_behind(&f).await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(bridge.heads().pop().unwrap()["x-key"], "of the bridge");
}

#[tokio::test]
async fn a_bridge_that_is_away_is_told_the_new_name_of_an_application_when_it_is_back() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let id = add(&f, &bridge).await;
    let application = f.developer("ada").await.application("mobile").await;
    let made = register(&application, &id, &["https://a.example/cb"]).await.expect(201);
    let asked = bridge.heads().len();
    bridge.has(Trouble::Answers(503));
    let path = format!("/api/applications/{}", application.id);
    application.api.put(&path, json!({ "name": "tablet" })).await.expect(200);
    eventually("it was told in vain", async || (bridge.heads().len() > asked).then_some(())).await;
    bridge.has(Trouble::None);
    eventually("it knows the name", async || {
        f.advance(Duration::from_secs(11));
        (bridge.clients()["client-1"]["client_name"] == "tablet").then_some(())
    })
    .await;

    // It changed what it was told to, and nobody here heard so: it is told what stands here.
    bridge.has(Trouble::HangsUp);
    let path = format!("{path}/credentials/{}", text(&made["id"]));
    let body = json!({ "type": "oauth", "oauth": { "redirect_uris": ["https://b.example/cb"] } });
    application.api.put(&path, body).await.refused(500, "identity provider request failed");
    bridge.has(Trouble::None);
    eventually("it has the redirect URIs that stand here", async || {
        f.advance(Duration::from_secs(11));
        (bridge.clients()["client-1"]["redirect_uris"] == json!(["https://a.example/cb"])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_whose_credential_is_deleted_while_it_is_changed_goes_after_the_change() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let id = add(&f, &bridge).await;
    let application = f.developer("ada").await.application("mobile").await;
    let made = register(&application, &id, &[]).await.expect(201);
    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&made["id"]));
    let asked = bridge.heads().len();
    bridge.has(Trouble::Waits);
    let deleted = async {
        eventually("the change runs", async || (bridge.heads().len() > asked).then_some(())).await;
        application.api.delete(&path).await.empty(204);
        // The removal waits for the answer to the change, in which a provider may give another token.
        assert_eq!(left_behind(&f).await[0]["attempts"], 0);
        bridge.has(Trouble::None);
    };
    let body = json!({ "type": "oauth", "oauth": { "redirect_uris": ["https://a.example/cb"] } });
    let (answer, ()) = tokio::join!(application.api.put(&path, body), deleted);
    answer.expect(404);
    eventually("the client is gone", async || {
        (bridge.clients().is_empty() && left_behind(&f).await.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn clients_go_with_their_developer_and_with_their_provider_even_when_that_is_away() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let id = add(&f, &bridge).await;
    let ada = f.developer("ada").await.application("mobile").await;
    let bob = f.developer("bob").await.application("batch").await;
    register(&ada, &id, &[]).await.expect(201);
    register(&bob, &id, &[]).await.expect(201);
    f.portal_api().await.delete("/api/developers/ada").await.empty(204);
    eventually("hers is gone", async || (bridge.clients().len() == 1).then_some(())).await;

    bridge.has(Trouble::Answers(503));
    let path = format!("/api/dcr_providers/{id}");
    f.admin().await.delete(&path).await.expect(200);
    f.admin().await.get(&path).await.expect(404);
    assert_eq!(bob.api.get("/api/credentials").await.expect(200)["total"], 0);
    let left = eventually("the failed attempt is told", async || {
        left_behind(&f).await.into_iter().find(|left| left.get("last_error").is_some())
    })
    .await;
    assert_eq!(left["dcr_provider_name"], "Bridge", "as it was called");
    assert_eq!(left["client_name"], "batch");
    bridge.has(Trouble::None);
    f.advance(Duration::from_secs(11));
    eventually("his is gone too", async || {
        (bridge.clients().is_empty() && left_behind(&f).await.is_empty()).then_some(())
    })
    .await;
    let last = bridge.heads().pop().unwrap();
    assert_eq!(last["x-key"], "of the bridge", "with the headers of the provider that was deleted");
}

#[tokio::test]
async fn a_copy_that_keeps_to_itself_asks_nothing_of_a_provider_and_removes_later_what_was_deleted() {
    let mut f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let id = add(&f, &bridge).await;
    let application = f.developer("ada").await.application("mobile").await;
    let made = register(&application, &id, &["https://a.example/cb"]).await.expect(201);
    let application = format!("/api/applications/{}", application.id);
    let credential = format!("{application}/credentials/{}", text(&made["id"]));
    f.restart_with(|settings| settings.background.outgoing = false).await;
    let ada = f.portal_api().await.with("x-portal-developer-id", "ada");
    let (asked, clients) = (bridge.heads().len(), bridge.clients());

    let why = "background.outgoing is off";
    let oauth = |members: Value| json!({ "type": "oauth", "desc": "drill", "oauth": members });
    let new = oauth(json!({ "dcr_provider_id": id, "redirect_uris": [] }));
    ada.post(&format!("{application}/credentials"), new).await.refused(400, why);
    let elsewhere = oauth(json!({ "redirect_uris": ["https://a.example/other"] }));
    ada.put(&credential, elsewhere).await.refused(400, why);
    ada.put(&format!("{credential}/regenerate"), json!({ "type": "oauth" })).await.refused(400, why);
    let kept = ada.get(&credential).await.expect(200);
    assert_eq!(kept["oauth"]["redirect_uris"], json!(["https://a.example/cb"]));
    assert_eq!(ada.get("/api/credentials").await.expect(200)["total"], 1);
    assert_eq!(left_behind(&f).await, Vec::<Value>::new(), "nothing was begun");
    // What is here alone changes, and what the provider is told of that waits.
    ada.put(&credential, oauth(json!({}))).await.expect(200);
    ada.put(&application, json!({ "name": "tablet" })).await.expect(200);
    ada.delete(&credential).await.empty(204);
    assert_eq!(left_behind(&f).await.len(), 1);
    // A worker would look at once after each act, and every second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((bridge.heads().len(), bridge.clients()), (asked, clients));

    f.restart_with(|settings| settings.background.outgoing = true).await;
    eventually("the client is gone, and nothing is left", async || {
        (bridge.clients().is_empty() && left_behind(&f).await.is_empty()).then_some(())
    })
    .await;
}
