//! Secrets of front ends and developers, and of what they ask for: planted over the Portal API, the site and mail.

use forecourt::serve::system_clock;
use forecourt_core::{gateway_state::JwtAlgorithm, secrets::PlainSecret};
use forecourt_identity::tokens::signed;
use forecourt_it::{
    Browser, Client, PageForm, deadlines::eventually, installations::text,
    oauth_providers::INITIAL_ACCESS_TOKEN,
};
use serde_json::{Value, json};

use super::{
    installations::{Installation, MARK},
    planting,
};

/// Those who use the Portal API, and the site in a browser.
pub(super) struct Developers {
    pub(super) front_end: Client,
    pub(super) ada: Client,
    pub(super) site: Browser,
    pub(super) application: String,
    /// What opens the product.
    pub(super) key: String,
}

pub(super) async fn developers(it: &mut Installation, admin: &Client) -> Developers {
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let tokens = format!("/api/portal/tokens?portal_id={portal}");
    let made = admin.post(&tokens, json!({ "name": MARK })).await.expect(200);
    let old = it.secrets.issued("PortalToken.token", &made["value"]["token"]);
    let again = format!("/api/portal/tokens/{}/regenerate", text(&made["value"]["id"]));
    let made = admin.put(&again, json!({})).await.expect(200);
    let token = it.secrets.issued("PortalToken.token", &made["value"]["token"]);
    let guest = it.client("portal_api");
    for wrong in [old, it.secrets.given("wrong token")] {
        guest.with_bearer(&wrong).get("/api/developers").await.refused(401, "unauthorized");
    }
    let front_end = guest.with_bearer(&token);
    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    let ada = front_end.with("x-portal-developer-id", "ada");
    let made = ada.post("/api/applications", json!({ "name": MARK })).await.expect(201);
    let application = text(&made["id"]);
    let site = on_site(it, admin, &portal).await;
    let mut developers = Developers { front_end, ada, site, application, key: String::new() };
    developers.key = product(it, admin, &developers, &portal).await;
    clients_of_providers(it, admin, &developers).await;
    developers
}

/// Two people who are invited; one of them gets a new password, signs in at the site and chooses another.
async fn on_site(it: &mut Installation, admin: &Client, portal: &str) -> Browser {
    let secrets = &mut it.secrets;
    let grace =
        json!({ "username": "grace", "password": secrets.given("POST /api/developers/invites.password") });
    let made = admin.post(&format!("/api/developers/invites?portal_id={portal}"), grace).await.expect(200);
    let password = secrets.given("POST /api/portals/{portal}/developers/invites.password");
    let alan = json!({ "username": MARK, "password": password });
    admin.post(&format!("/api/portals/{portal}/developers/invites"), alan).await.expect(200);
    let first = secrets.given("PUT /api/forecourt/developers/{id}/password_reset.password");
    let path = format!("/api/forecourt/developers/{}/password_reset", text(&made["value"]["developer_id"]));
    admin.put(&path, json!({ "password": first })).await.expect(200);

    let base = it.process.client("site").base().to_owned();
    let browser = Browser::new();
    let form = PageForm::on(&browser.opens(&format!("{base}/sign-in")).await);
    secrets.keep("csrf token", form.field("csrf"));
    let wrong = form.with("username", "grace").with("password", &secrets.given("password typed at the site"));
    assert_eq!(browser.posts_form(&wrong).await.status, 422);
    let form = PageForm::on(&browser.opens(&format!("{base}/sign-in")).await);
    let done = browser.posts_form(&form.with("username", "grace").with("password", &first)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let form = PageForm::on(&browser.opens(&format!("{base}/sign-in/password")).await);
    let chosen = secrets.given("password chosen at the site");
    let done = browser.posts_form(&form.with("password", &chosen).with("again", &chosen)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let session = browser.cookie_names().into_iter().find(|name| name.contains("session")).unwrap();
    secrets.keep("session of a developer", &browser.cookie(&session).unwrap());
    browser
}

/// A product that asks for approvals and tells of them by mail and webhook; ada's credentials open it in the end. Gives
/// her key.
async fn product(it: &mut Installation, admin: &Client, developers: &Developers, portal: &str) -> String {
    let (mail, hook) = planting::contact_points(it, admin).await;
    let rules: Vec<Value> = [("email", &mail), ("webhook", &hook)]
        .into_iter()
        .flat_map(|(kind, id)| {
            ["created", "accepted"].map(|event| {
                let event = format!("subscription_approval_{event}");
                json!({ "event": event, "type": kind, "contact_point_ids": [id] })
            })
        })
        .collect();
    let product = json!({
        "type": "gateway", "name": MARK, "status": "published", "subscription_auto_approval": false,
        "auth": { "key-auth": {}, "basic-auth": {}, "jwt-auth": {} }, "notifications": rules,
        "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": MARK }],
    });
    let made = admin.post(&format!("/api/api_products?portal_id={portal}"), product).await.expect(200);
    let asked = json!({ "applications": [developers.application], "api_products": [made["value"]["id"]] });
    developers.ada.post("/api/subscriptions", asked).await.expect(201);
    let link = eventually("a mail with a link arrives", || async {
        let mails = it.mails.mails();
        mails.iter().find_map(|mail| {
            let (_, rest) = mail.text.split_once("https://admin.example.com/approvals/links/")?;
            rest.split_whitespace().next().map(str::to_owned)
        })
    })
    .await;
    it.secrets.keep(LINK, &link);
    let console = Browser::new();
    let page = console.opens(&format!("{}/approvals/links/{link}", it.client("admin").base())).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let pending = admin.get("/api/approvals?status=pending").await.expect(200);
    let path = format!("/api/approvals/{}/accept", text(&pending["list"][0]["id"]));
    admin.post(&path, json!({})).await.expect(200);
    it.hook.has_heard(2).await;
    let (key, shown) = credentials(it, developers).await;
    for client in shown {
        eventually("the gateway lets an application through", || async {
            (client.get(&format!("/{MARK}/a")).await.status == 200).then_some(())
        })
        .await;
    }
    key
}

/// What a link in a mail carries.
pub(super) const LINK: &str = "token of a link in a mail";

/// Credentials of every type; the key, and the gateway's clients that show each.
async fn credentials(it: &mut Installation, developers: &Developers) -> (String, Vec<Client>) {
    let (gateway, secrets, ada) = (it.process.client("gateway"), &mut it.secrets, &developers.ada);
    let path = format!("/api/applications/{}/credentials", developers.application);
    let again = |made: &Value| format!("{path}/{}/regenerate", text(&made["id"]));
    let made = ada.post(&path, json!({ "type": "key-auth", "name": MARK })).await.expect(201);
    secrets.issued("Credential.key-auth.key", &made["key-auth"]["key"]);
    let made = ada.put(&again(&made), json!({ "type": "key-auth" })).await.expect(200);
    let key = secrets.issued("Credential.key-auth.key", &made["key-auth"]["key"]);
    let chosen =
        json!({ "type": "key-auth", "name": "key", "key-auth": { "key": secrets.given("chosen key") } });
    let refused = ada.post(&path, chosen).await;
    refused.refused(400, "key");
    assert!(secrets.found_in(&refused.body, &[]).is_empty(), "a refusal repeats no secret");

    let first = secrets.given("POST /api/applications/{id}/credentials.basic-auth.password");
    let basic = json!({ "username": "mobile", "password": first });
    let body = json!({ "type": "basic-auth", "name": "basic", "basic-auth": basic });
    let made = ada.post(&path, body).await.expect(201);
    secrets.issued("Credential.basic-auth.password", &made["basic-auth"]["password"]);
    let kind = "PUT /api/applications/{id}/credentials/{credential_id}/regenerate.basic-auth.password";
    let password = secrets.given(kind);
    let basic = json!({ "username": "mobile", "password": password });
    ada.put(&again(&made), json!({ "type": "basic-auth", "basic-auth": basic })).await.expect(200);

    let made = ada.post(&path, json!({ "type": "jwt-auth", "name": "token" })).await.expect(201);
    let secret = secrets.issued("Credential.jwt-auth.secret", &made["jwt-auth"]["secret"]);
    // It may end within a day.
    let ends = system_clock()().plus_seconds(3_600);
    let names = text(&made["jwt-auth"]["key"]);
    let token = signed(JwtAlgorithm::Hs256, &names, &PlainSecret::presented(secret), ends).unwrap();
    secrets.keep("token that a caller signed", token.reveal());
    let shown = vec![
        gateway.with("apikey", &key),
        gateway.with_basic("mobile", &password),
        gateway.with_bearer(token.reveal()),
    ];
    (key, shown)
}

/// A client at a real OpenID provider: its secret, and the token with which it is changed.
async fn clients_of_providers(it: &mut Installation, admin: &Client, developers: &Developers) {
    let initial = format!("Bearer {INITIAL_ACCESS_TOKEN}");
    it.secrets.keep("headers of a provider", INITIAL_ACCESS_TOKEN);
    let headers =
        json!({ "Authorization": initial, "X-Tenant-Key": it.secrets.given("headers of a provider") });
    let provider = json!({ "name": MARK, "issuer": it.provider.issuer(), "headers": headers });
    let made = admin.post("/api/dcr_providers", provider).await.expect(200);
    let oauth = json!({ "dcr_provider_id": made["value"]["id"], "redirect_uris": [] });
    let path = format!("/api/applications/{}/credentials", developers.application);
    let body = json!({ "type": "oauth", "desc": MARK, "oauth": oauth });
    let made = developers.ada.post(&path, body).await.expect(201);
    it.secrets.issued("client_secret of an OAuth client", &made["oauth"]["client_secret"]);
    let tokens = it.provider.registration_tokens();
    assert!(!tokens.is_empty(), "the provider gave a token with the client");
    for token in tokens {
        it.secrets.keep("registration_access_token of an OAuth client", &token);
    }
}
