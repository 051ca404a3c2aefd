//! Login options of both scopes: what is taken, what is kept, what is never shown, and who stays able to sign in.

use forecourt_core::{
    ids::{AdministratorId, SignInOptionId},
    secrets::{PlainSecret, SecretDigest},
    sessions::{Session, SessionOwner},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::stage::{START, Stage};

const ADMINISTRATORS: &str = "/api/login_options";

fn oidc(name: &str) -> Value {
    json!({
        "name": name, "provider_type": "oidc",
        "oidc_config": {
            "issuer": "https://id.example.com", "client_id": "forecourt", "client_secret": "s3cret-oidc",
            "request_scopes": ["openid", "email"],
        },
    })
}

fn every_kind() -> [Value; 4] {
    let key = "-----BEGIN PRIVATE KEY-----\ns3cret-key\n-----END PRIVATE KEY-----";
    [
        oidc("OpenID"),
        json!({ "name": "SAML", "provider_type": "saml", "config": {
            "idp_metadata_url": "https://id.example.com/metadata?app=1", "sp_root_url": "https://p.example.com",
            "private_key": key,
        } }),
        json!({ "name": "LDAP", "provider_type": "ldap", "ldap_config": {
            "host": "ldap.example.com", "port": "636", "base_dn": "dc=example", "bind_dn": "cn=admin",
            "bind_password": "s3cret-bind", "identifier": "uid", "client_key": key, "attributes": { "email": "mail" },
        } }),
        json!({ "name": "CAS", "provider_type": "cas", "cas_config": { "url": "https://cas.example.com" } }),
    ]
}

#[tokio::test]
async fn every_kind_is_stored_in_both_scopes_and_no_answer_shows_a_secret() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    for scope in [ADMINISTRATORS.to_owned(), format!("/api/portals/{portal}/login_options")] {
        for body in every_kind() {
            let made = stage.call("POST", &scope, body.clone()).await;
            assert!(!made.text.contains("s3cret"), "{}", made.text);
            let made = made.value();
            let path = format!("{ADMINISTRATORS}/{}", made["id"].as_str().unwrap());
            let put = stage.call("PUT", &path, json!({ "name": "Renamed", "enabled": false })).await;
            assert!(!put.text.contains("s3cret"), "{}", put.text);
            let put = put.value();
            assert_eq!((&put["name"], &put["disable"]), (&json!("Renamed"), &json!(true)));
            let config = format!("{}_config", body["provider_type"].as_str().unwrap());
            assert_eq!(put[&config], made[&config], "absent members stay");
            assert_eq!(stage.get(&path).await.value(), put);
        }
        let list = stage.get(&scope).await;
        assert!(!list.text.contains("s3cret") && list.list().len() == 5, "{}", list.text);
    }
    assert_eq!(
        stage.get("/api/portal/login_options").await.list().len(),
        5,
        "the administrators' are no portal's"
    );
    let page =
        stage.get(&format!("{ADMINISTRATORS}?page=2&page_size=2&order_by=created_at&direction=asc")).await;
    assert_eq!((page.list().len(), &page.body["total"]), (2, &json!(5)));
}

#[tokio::test]
async fn defaults_and_addresses_that_follow_are_answered() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    stage
        .call("PUT", &format!("/api/portals/{portal}"), json!({ "public_url": "https://site.example.com" }))
        .await
        .value();
    let collection = format!("/api/portal/login_options?portal_id={portal}");
    let made = stage.call("POST", &collection, oidc("OpenID")).await.value();
    assert_eq!(
        made["oidc_config"],
        json!({
            "issuer": "https://id.example.com", "client_id": "forecourt", "request_scopes": ["openid", "email"],
            "ssl_verify": true, "callback_url": "https://site.example.com/sign-in/oidc/callback", "attributes": {},
        })
    );
    let [_, saml, ldap, cas] = every_kind();
    let made = stage.call("POST", ADMINISTRATORS, saml).await.value();
    let own = |endpoint: &str| {
        json!(format!("https://p.example.com/api/saml/{}/{endpoint}", made["id"].as_str().unwrap()))
    };
    let config = &made["saml_config"];
    assert_eq!((&config["sp_acs_url"], &config["sp_metadata_url"]), (&own("acs"), &own("metadata")));
    assert_eq!((&config["sign_request"], &config["logout_idp_session"]), (&json!(true), &json!(false)));
    let made = stage.call("POST", ADMINISTRATORS, ldap).await.value();
    let config = &made["ldap_config"];
    assert_eq!(
        (&config["port"], &config["timeout"], &config["use_ssl"]),
        (&json!("636"), &json!(10), &json!(false))
    );
    let made = stage.call("POST", ADMINISTRATORS, cas).await.value();
    let config = json!({ "url": "https://cas.example.com", "send_service": true, "ssl_verify": true });
    assert_eq!(made["cas_config"], config);
}

#[tokio::test]
async fn what_cannot_be_an_option_is_refused_and_nothing_is_stored() {
    let stage = Stage::start().await;
    let big = "x".repeat(1024 * 1024);
    let with = |member: &str, value: Value| {
        let mut body = oidc("x");
        body["oidc_config"][member] = value;
        body
    };
    let mut both = oidc("x");
    both["config"] = json!({});
    let mut foreign = oidc("x");
    foreign["ldap_config"] = json!({});
    for (body, part) in [
        (json!({}), "name is required"),
        (json!({ "name": "x" }), "provider_type is required"),
        (json!({ "name": "x", "provider_type": "ftp" }), "provider_type must be"),
        (json!({ "name": "x", "provider_type": 7 }), "provider_type must be a string"),
        (json!({ "name": "x", "provider_type": "built_in" }), "only one"),
        (json!({ "name": "x", "provider_type": "oidc" }), "oidc_config.issuer is required"),
        (json!({ "name": "x", "provider_type": "cas", "cas_config": "y" }), "cas_config must be an object"),
        (
            json!({ "name": big, "provider_type": "cas", "config": { "url": "https://c.example" } }),
            "name must be",
        ),
        (with("issuer", json!("not an address")), "oidc_config.issuer must be"),
        (with("issuer", json!(format!("https://{big}"))), "oidc_config.issuer must be"),
        (with("client_secret", json!(big)), "oidc_config.client_secret must be"),
        (with("client_secret", Value::Null), "oidc_config.client_secret is required"),
        (with("request_scopes", json!("openid")), "oidc_config.request_scopes must be"),
        (with("ssl_verify", json!(1)), "oidc_config.ssl_verify must be"),
        (both, "are the same member"),
        (foreign, "ldap_config does not belong"),
    ] {
        let (status, message) = stage.call("POST", ADMINISTRATORS, body).await.refusal();
        assert!(status == 400 && message.contains(part) && message.len() < 400, "{part}: {message}");
    }
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let [.., mut ldap, _] = every_kind();
    ldap["ldap_config"]["root_ca_cert"] = json!(pem);
    let refused = stage.call("POST", ADMINISTRATORS, ldap).await.refusal();
    assert!(refused.1.starts_with("ldap_config.root_ca_cert must be certificates"), "{}", refused.1);
    assert_eq!(stage.get(ADMINISTRATORS).await.list().len(), 1);
    assert_eq!(
        stage.call("POST", "/api/portal/login_options", oidc("x")).await.refusal(),
        (400, "portal_id is required".into())
    );
    assert_eq!(stage.call("POST", "/api/login_options?portal_id=prt_x", oidc("x")).await.refusal().0, 404);
}

#[tokio::test]
async fn a_patch_changes_clears_and_adds_settings_but_neither_loses_secrets_nor_moves_addresses() {
    let stage = Stage::start().await;
    let mut body = oidc("OpenID");
    body["oidc_config"]["root_url"] = json!("https://admin.example.com");
    body["oidc_config"]["ssl_verify"] = json!(false);
    let id = stage.id_of("POST", ADMINISTRATORS, body).await;
    let path = format!("{ADMINISTRATORS}/{id}");
    let sealed = async || {
        stage.store.read().sign_in_option(&SignInOptionId::known(id.as_str())).await.unwrap().unwrap().config
    };
    let before = sealed().await;
    let patch = json!([
        { "op": "replace", "path": "/oidc_config/logout_url", "value": "https://id.example.com/out?x=1" },
        { "op": "remove", "path": "/oidc_config/ssl_verify" },
    ]);
    let patched = stage.call("PATCH", &path, patch).await.value();
    assert_eq!(patched["oidc_config"]["ssl_verify"], true, "what is taken away is as if never given");
    assert_eq!(patched["oidc_config"]["logout_url"], "https://id.example.com/out?x=1");
    let secrets = |mut config: forecourt_core::sign_in_options::SignInConfig| {
        config.secrets().into_iter().map(|(_, secret)| secret.clone()).collect::<Vec<_>>()
    };
    assert_eq!(secrets(sealed().await), secrets(before.clone()));
    let replaced = json!([{ "op": "add", "path": "/oidc_config/client_secret", "value": "s3cret-other" }]);
    let replaced = stage.call("PATCH", &path, replaced).await;
    assert!(replaced.status == 200 && !replaced.text.contains("s3cret"), "{}", replaced.text);
    assert_ne!(secrets(sealed().await), secrets(before));
    let merged = stage
        .call("PATCH", &path, json!({ "oidc_config": { "logout_url": null, "client_id": "other" } }))
        .await
        .value();
    assert_eq!(
        (merged["oidc_config"].get("logout_url"), &merged["oidc_config"]["client_id"]),
        (None, &json!("other"))
    );
    for patch in [
        json!([{ "op": "replace", "path": "/oidc_config/callback_url", "value": "https://evil.example" }]),
        json!([{ "op": "replace", "path": "/provider_type", "value": "cas" }]),
        json!([{ "op": "remove", "path": "/oidc_config/issuer" }]),
        json!([{ "op": "remove", "path": "/oidc_config" }]),
        json!([{ "op": "add", "path": "/cas_config", "value": {} }]),
        json!({ "oidc_config": 7 }),
    ] {
        assert_eq!(stage.call("PATCH", &path, patch.clone()).await.refusal().0, 400, "{patch}");
        assert_eq!(stage.get(&path).await.value(), merged);
    }
}

#[tokio::test]
async fn secrets_are_sealed_where_they_are_stored() {
    let stage = Stage::start().await;
    for body in every_kind() {
        let id = stage.id_of("POST", ADMINISTRATORS, body).await;
        let option = stage.store.read().sign_in_option(&SignInOptionId::known(id)).await.unwrap().unwrap();
        let stored = serde_json::to_string(&option.config).unwrap();
        assert!(!stored.contains("s3cret"), "{stored}");
    }
    let events = stage.store.read().events_of("sign_in_option", "built_in", 10).await.unwrap();
    assert!(events.is_empty(), "nothing happened to the built-in option");
}

#[tokio::test]
async fn deleting_an_option_ends_its_sessions_and_counts_who_cannot_sign_in_any_more() {
    let stage = Stage::start().await;
    let id = stage.id_of("POST", ADMINISTRATORS, oidc("OpenID")).await;
    let option = SignInOptionId::known(id.as_str());
    let invite = json!({ "username": "ann", "password": "first" });
    let ann = stage.id_of("POST", "/api/invites", invite).await;
    let owner = SessionOwner::Administrator(AdministratorId::known(ann.as_str()));
    let digest: SecretDigest = PlainSecret::presented("ses-x").digest();
    let tx = stage.store.begin().await.unwrap();
    tx.insert_identity(&option, "ann@id", &owner, Timestamp::default()).await.unwrap();
    let session = Session {
        digest,
        owner: owner.clone(),
        option: Some(option.clone()),
        address: String::new(),
        user_agent: String::new(),
        created_at: Timestamp::from_seconds(START),
        expires_at: Timestamp::from_seconds(START + 86_400),
    };
    tx.insert_session(&session).await.unwrap();
    tx.commit(Timestamp::from_seconds(START)).await.unwrap();
    let path = format!("{ADMINISTRATORS}/{id}");
    let reads = stage.store.read();
    assert_eq!(
        reads.left_without_sign_in(&reads.sign_in_option(&option).await.unwrap().unwrap()).await.unwrap(),
        0,
        "a password is a way"
    );
    // Once passwords are off, the provider was the only way.
    stage.call("PUT", "/api/login_options/built_in", json!({ "disable": true })).await.value();
    let last = stage.call("DELETE", &path, Value::Null).await.refusal();
    assert!(last.0 == 400 && last.1.contains("last enabled"), "{}", last.1);
    assert!(reads.session(&digest).await.unwrap().is_some(), "nothing happened");
    let other = stage.id_of("POST", ADMINISTRATORS, oidc("Other")).await;
    let preview = stage.call("DELETE", &format!("{path}?dry_run=true"), Value::Null).await.value();
    let impact = &preview["impact"];
    assert_eq!((&impact["people_without_sign_in"], &impact["sessions"]), (&json!(1), &json!(1)), "{preview}");
    assert!(reads.session(&digest).await.unwrap().is_some(), "a preview changes nothing");
    let deleted = stage.call("DELETE", &path, Value::Null).await;
    assert_eq!(
        deleted.body,
        json!({ "value": { "id": id }, "warning_msg": "1 person has no way to sign in any more" })
    );
    assert!(reads.session(&digest).await.unwrap().is_none());
    assert_eq!(stage.get(&path).await.refusal().0, 404);
    let tokens = stage.get(&format!("{ADMINISTRATORS}/{other}")).await;
    assert_eq!(tokens.status, 200, "access tokens go on");
}

#[tokio::test]
async fn a_disabled_built_in_option_lets_no_administrator_in_by_password() {
    let stage = Stage::start().await;
    let path = "/api/login_options/built_in";
    let refused = stage.call("PUT", path, json!({ "disable": true })).await.refusal();
    assert!(refused.0 == 400 && refused.1.contains("last enabled"), "{}", refused.1);
    assert_eq!(stage.call("DELETE", path, Value::Null).await.refusal().0, 400);
    let session = stage.sign_in("admin", "changed").await;
    stage.id_of("POST", ADMINISTRATORS, oidc("OpenID")).await;
    stage.call("PUT", path, json!({ "disable": true })).await.value();
    let pair = json!({ "username": "admin", "password": "changed" });
    let refused = stage.with_headers("POST", "/api/login", &[], pair.clone()).await.refusal();
    assert_eq!(refused, (401, "unauthorized".into()));
    assert_eq!(stage.basic("GET", "/api/me", "admin", "changed", Value::Null).await.status, 401);
    assert_eq!(stage.with_headers("GET", "/api/me", &[("cookie", &session)], Value::Null).await.status, 200);
    stage.call("PUT", path, json!({ "enabled": true, "name": "Password" })).await.value();
    assert_eq!(
        stage.with_headers("POST", "/api/login", &[], pair).await.value()["login_option"]["name"],
        "Password"
    );
    assert_eq!(stage.get("/api/users?login_option_name=Password").await.list().len(), 1);
}

#[tokio::test]
async fn of_two_that_would_disable_the_last_two_options_one_is_refused() {
    let stage = Stage::start().await;
    for _ in 0..5 {
        let other = stage.id_of("POST", ADMINISTRATORS, oidc("OpenID")).await;
        let path = format!("{ADMINISTRATORS}/{other}");
        let (one, two) = tokio::join!(
            stage.call("PUT", "/api/login_options/built_in", json!({ "disable": true })),
            stage.call("DELETE", &path, Value::Null),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
        stage.call("PUT", "/api/login_options/built_in", json!({ "disable": false })).await.value();
        stage.call("DELETE", &path, Value::Null).await;
    }
    let body = oidc("Twice");
    let (one, two) = tokio::join!(
        stage.call("POST", ADMINISTRATORS, body.clone()),
        stage.call("POST", ADMINISTRATORS, body)
    );
    assert_ne!(one.value()["id"], two.value()["id"], "names need not be unique");
}

#[tokio::test]
async fn each_portal_has_one_built_in_option_that_can_be_changed_but_not_deleted() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let mut options = Vec::new();
    for path in [
        format!("/api/portal/login_options?portal_id={portal}"),
        format!("/api/portals/{portal}/login_options"),
        format!("/api/login_options?portal_id={portal}"),
    ] {
        options.extend(stage.get(&path).await.list());
    }
    assert!(options.len() == 3 && options.iter().all(|option| *option == options[0]));
    assert_eq!(options[0]["provider_type"], "built_in");
    assert_eq!(
        options[0]["builtin_config"],
        json!({ "enable_self_registration": true, "registration_auto_approval": false, "login_with_email": true })
    );
    let path = format!("/api/portal/login_options/{}", options[0]["id"].as_str().unwrap());
    let given = json!({ "enabled": false, "config": { "registration_auto_approval": true } });
    let changed = stage.call("PUT", &path, given).await.value();
    assert_eq!(changed["disable"], true);
    assert_eq!(
        changed["builtin_config"],
        json!({ "enable_self_registration": true, "registration_auto_approval": true, "login_with_email": true })
    );
    let patch = json!([
        { "op": "replace", "path": "/builtin_config/enable_self_registration", "value": false },
        { "op": "replace", "path": "/disable", "value": false },
    ]);
    let patched = stage.call("PATCH", &path, patch).await.value();
    assert_eq!(
        (&patched["disable"], &patched["builtin_config"]["enable_self_registration"]),
        (&json!(false), &json!(false))
    );
    for body in [
        json!({ "provider_type": "oidc" }),
        json!({ "oidc_config": {} }),
        json!({ "config": {}, "builtin_config": {} }),
        json!({ "disable": true, "enabled": true }),
        json!({ "builtin_config": { "login_with_email": "yes" } }),
    ] {
        assert_eq!(stage.call("PUT", &path, body.clone()).await.refusal().0, 400, "{body}");
    }
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 400);
    let collection = format!("/api/portal/login_options?portal_id={portal}");
    for provider in ["built_in", "nonsense"] {
        let body = json!({ "name": "x", "provider_type": provider });
        assert_eq!(stage.call("POST", &collection, body).await.refusal().0, 400, "{provider}");
    }
}
