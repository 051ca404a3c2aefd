//! Every column that may hold a sealed text is one that a change of the master key seals anew: all are filled by acts, and
//! what lies in any other column is looked at.

use std::collections::BTreeSet;

use forecourt_app::master_keys;
use forecourt_it::{
    Application, Forecourt, MailSink, OauthProvider, Webhook, deadlines::eventually, installations::text,
};
use forecourt_store::{SEALED_COLUMNS, Store};
use serde_json::{Value, json};

use super::{master, new, old, sealed};
use crate::{
    certificates::{pair, ssl},
    notifications::{asks, mailing_list, telling},
    oauth_clients::{add, register},
    services::{admin_path, put_consumer, put_credential, put_service},
    store::location,
};

/// What the group of a gateway holds.
async fn of_the_gateway(f: &Forecourt) {
    let admin = f.admin().await;
    admin.put(&admin_path("ssls/one"), ssl(&pair("a.example"))).await.expect(200);
    let shown = pair("gateway.example");
    let tls = json!({ "client_cert": shown.cert.pem(), "client_key": shown.signing_key.serialize_pem() });
    let nodes = json!([{ "host": "127.0.0.1", "port": 1, "weight": 1 }]);
    let upstream = |name: &str| json!({ "name": name, "scheme": "https", "tls": tls, "nodes": nodes });
    put_service(f, "tls", json!({ "upstream": upstream("default") })).await;
    admin.put("/apisix/admin/services/tls/upstreams/blue", upstream("blue")).await.expect(200);
    let token = json!({ "jwt-auth": { "key": "ada", "secret": "a secret of thirty-two bytes, and more" } });
    put_consumer(f, "ada", json!({ "plugins": token })).await;
    put_credential(f, "ada", "one", json!({ "key-auth": { "key": "ada-key" } })).await;
}

/// What is mailed and called.
async fn of_messages(f: &Forecourt, sink: &MailSink, hook: &Webhook) {
    let admin = f.admin().await;
    let server = json!({
        "enable": true, "address": sink.address(), "sender_name": "Nordwind", "sender_address": "apis@nordwind.example",
        "username": "mailer", "password": "of the mailer",
    });
    admin.put("/api/system_settings/smtp_server", server).await.expect(200);
    let chat = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    admin.post("/api/contact_points", chat).await.expect(200);
}

/// A way to sign in, which somebody is on, and a provider of OAuth clients.
async fn of_providers(f: &Forecourt, provider: &OauthProvider) -> String {
    let callback = format!("{}/api/oidc/callback", f.guest().base());
    let (id, secret) = provider.sign_in_client(&callback, "client_secret_basic").await;
    let config = json!({
        "issuer": provider.issuer(), "client_id": id, "client_secret": secret, "request_scopes": ["openid"],
    });
    let option = json!({ "name": "Staff", "provider_type": "oidc", "oidc_config": config });
    let made = f.admin().await.post("/api/login_options", option).await.expect(200);
    let begun = f.guest().get(&format!("/api/oidc/{}/login", text(&made["value"]["id"]))).await;
    assert!(begun.status.is_redirection(), "{begun:?}");
    add(f, provider).await
}

/// Credentials of a developer's application: one whose token is signed, and one at a provider.
async fn of_developers(application: &Application<'_>, provider: &str) -> Value {
    let path = format!("/api/applications/{}/credentials", application.id);
    application.api.post(&path, json!({ "type": "jwt-auth", "name": "token" })).await.expect(201);
    register(application, provider, &[]).await.expect(201)
}

/// Where sealed texts stand now.
async fn columns(f: &Forecourt) -> BTreeSet<String> {
    sealed(&location(f.database())).await.into_iter().map(|(column, _)| column).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_with_a_sealed_text_is_sealed_anew_and_there_is_none_beside() {
    let f = Forecourt::start_with(|settings| {
        settings.security.master_key = old();
        settings.admin.public_url = "https://admin.example.com".into();
        settings.notifications.approval_links = true;
    })
    .await;
    let (sink, hook) = (MailSink::start().await, Webhook::start().await);
    let mut provider = OauthProvider::start(f.clock());
    of_the_gateway(&f).await;
    of_messages(&f, &sink, &hook).await;
    let provider_id = of_providers(&f, &provider).await;
    let list = mailing_list(&f, &["ops@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    let application = asks(&f, &product).await;
    let client = of_developers(&application, &provider_id).await;
    let mut seen = eventually("a mail with a link waits or was sent", || async {
        Some(columns(&f).await).filter(|found| found.contains("deliveries.link"))
    })
    .await;

    // What is left behind at a provider that is away, and then gone here.
    provider.stop();
    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&client["id"]));
    application.api.delete(&path).await.empty(204);
    f.admin().await.delete(&format!("/api/dcr_providers/{provider_id}")).await.expect(200);
    seen.extend(columns(&f).await);
    let listed: BTreeSet<_> =
        SEALED_COLUMNS.iter().map(|column| format!("{}.{}", column.table, column.column)).collect();
    assert_eq!(seen, listed, "what is sealed is listed, and what is listed was filled");

    let store = Store::open(&location(f.database())).await.unwrap();
    master_keys::rotate(&store, &master(&old()), &master(&new()), f.clock().now()).await.unwrap();
    let keys = store.read().data_keys().await.unwrap();
    eventually("every text is sealed anew", || async {
        let found = sealed(&location(f.database())).await;
        found.iter().all(|(_, id)| *id == keys[1].id).then_some(())
    })
    .await;
}
