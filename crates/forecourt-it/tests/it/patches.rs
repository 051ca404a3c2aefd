//! PATCH by several at the same time: each works on what the others have left, and nothing is lost.

use forecourt_it::{Forecourt, installations::text};
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};

use crate::services::{admin_path, put_consumer, put_credential, put_service};

/// How many change one thing at the same time, and how often.
const WRITERS: usize = 5;
const ROUNDS: usize = 3;

/// Has each of some writers set a label of its own by a merge patch, all at once, and checks that all labels are there.
async fn keeps_all_labels(f: &Forecourt, path: &str) {
    let admin = f.admin().await;
    for round in 0..ROUNDS {
        let label = |writer: usize| format!("by-{writer}");
        let patches = (0..WRITERS).map(|writer| {
            let mut labels = json!({});
            labels[label(writer)] = json!(format!("round-{round}"));
            let admin = admin.clone();
            let path = path.to_owned();
            tokio::spawn(async move { admin.patch(&path, json!({ "labels": labels })).await.expect(200) })
        });
        for patched in patches.collect::<Vec<_>>() {
            patched.await.unwrap();
        }
        let shown = admin.get(path).await.expect(200);
        for writer in 0..WRITERS {
            let own = &shown["value"]["labels"][label(writer)];
            assert_eq!(*own, json!(format!("round-{round}")), "{path} lost what one writer set: {shown}");
        }
    }
}

#[tokio::test]
async fn labels_that_several_patch_at_once_are_all_kept_on_every_noun() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({})).await;
    put_consumer(&f, "ada", json!({ "plugins": { "key-auth": { "key": "one" } } })).await;
    put_credential(&f, "ada", "two", json!({ "key-auth": { "key": "ada-key" } })).await;
    let pair = generate_simple_self_signed(vec!["shop.example".to_owned()]).unwrap();
    let ssl = json!({ "cert": pair.cert.pem(), "key": pair.signing_key.serialize_pem() });
    f.admin().await.put(&admin_path("ssls/own"), ssl).await.expect(200);
    let orders = f.product("Orders").await;
    for path in [
        format!("/api/portals/{}", f.portal_id().await),
        format!("/api/api_products/{}", orders.id),
        admin_path("services/shop"),
        admin_path("routes/shop-all"),
        admin_path("ssls/own"),
        admin_path("consumers/ada"),
        admin_path("consumers/ada/credentials/two"),
    ] {
        keeps_all_labels(&f, &path).await;
    }
}

#[tokio::test]
async fn two_patches_of_a_sign_in_option_at_once_never_join_one_s_address_with_the_other_s_secret() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let option = json!({
        "name": "Directory", "provider_type": "oidc",
        "oidc_config": {
            "issuer": "https://op.example", "client_id": "first", "client_secret": "s", "request_scopes": ["openid"],
        },
    });
    let path = format!("/api/login_options?portal_id={}", f.portal_id().await);
    let made = admin.post(&path, option).await.expect(200);
    let path = format!("/api/login_options/{}", text(&made["value"]["id"]));
    for round in 0..2 * ROUNDS {
        let changes: [Value; 4] = [
            json!({ "oidc_config": { "issuer": format!("https://op-{round}.example"), "client_secret": "t" } }),
            json!({ "oidc_config": { "client_id": format!("client-{round}"), "client_secret": "t" } }),
            json!([{ "op": "add", "path": "/oidc_config/logout_url", "value": format!("https://out-{round}.example") }]),
            json!({ "name": format!("Directory {round}") }),
        ];
        let patches = changes.map(|change| {
            let (admin, path) = (admin.clone(), path.clone());
            tokio::spawn(async move { admin.patch(&path, change).await.expect(200) })
        });
        for patched in patches {
            patched.await.unwrap();
        }
        let shown = admin.get(&path).await.expect(200)["value"].clone();
        let config = &shown["oidc_config"];
        let found = [&config["issuer"], &config["client_id"], &config["logout_url"], &shown["name"]];
        let last = [
            format!("https://op-{round}.example"),
            format!("client-{round}"),
            format!("https://out-{round}.example"),
            format!("Directory {round}"),
        ];
        assert_eq!(found.map(text), last, "what one set is undone by another: {shown}");
    }
}
