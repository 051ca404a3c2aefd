//! Login options by type: every default, every spelling, and whom it concerns that a portal's option ends or that
//! an option is pointed at another provider.

use forecourt_app::{
    credentials::{self, NewSecret},
    persons::{self, NewPerson},
};
use forecourt_core::{
    credentials::CredentialInput,
    external_sign_ins::PendingSignIn,
    ids::{AdministratorId, ApplicationId, PortalId, SignInOptionId},
    secrets::{KeptSecret, PlainSecret, SecretDigest},
    sessions::{Session, SessionOwner},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::stage::{START, Stage};

const ADMINISTRATORS: &str = "/api/login_options";

/// Each type with what it must be given and what is answered then; `…` stands for the option's id.
fn every_type() -> [(&'static str, Value, Value); 4] {
    [
        (
            "oidc",
            json!({ "issuer": "https://id.example.com", "client_id": "c", "client_secret": "s3cret", "request_scopes": [] }),
            json!({
                "issuer": "https://id.example.com", "client_id": "c", "request_scopes": [], "ssl_verify": true,
                "attributes": {},
            }),
        ),
        (
            "saml",
            json!({ "idp_metadata_url": "https://id.example.com/m", "sp_root_url": "https://p.example.com" }),
            json!({
                "idp_metadata_url": "https://id.example.com/m", "sp_root_url": "https://p.example.com",
                "sign_request": true, "attributes": {}, "logout_idp_session": false,
                "sp_acs_url": "https://p.example.com/api/saml/…/acs",
                "sp_slo_url": "https://p.example.com/api/saml/…/slo",
                "sp_metadata_url": "https://p.example.com/api/saml/…/metadata",
            }),
        ),
        (
            "ldap",
            json!({ "host": "ldap.example.com", "port": "389", "base_dn": "dc=x", "bind_dn": "cn=x", "identifier": "uid" }),
            json!({
                "host": "ldap.example.com", "port": "389", "base_dn": "dc=x", "bind_dn": "cn=x", "identifier": "uid",
                "attributes": {}, "timeout": 10, "use_ssl": false, "ssl_verify": true,
            }),
        ),
        (
            "cas",
            json!({ "url": "https://cas.example.com" }),
            json!({ "url": "https://cas.example.com", "send_service": true, "ssl_verify": true }),
        ),
    ]
}

#[tokio::test]
async fn every_type_is_answered_with_its_defaults_whichever_name_its_settings_came_under() {
    let stage = Stage::start().await;
    for (provider_type, given, answered) in every_type() {
        let typed = format!("{provider_type}_config");
        for member in [typed.as_str(), "config"] {
            let body = json!({ "name": "x", "provider_type": provider_type, member: given });
            let made = stage.call("POST", ADMINISTRATORS, body).await.value();
            let id = made["id"].as_str().unwrap();
            let wanted: Value = serde_json::from_str(&answered.to_string().replace('…', id)).unwrap();
            let (created, updated) = (made["created_at"].clone(), made["updated_at"].clone());
            let text = created.as_str().unwrap();
            assert!(text.len() == 24 && text.ends_with('Z'), "{text}");
            let whole = json!({
                "id": id, "name": "x", "disable": false, "provider_type": provider_type, typed.as_str(): wanted,
                "created_at": created, "updated_at": updated,
            });
            assert_eq!(made, whole, "{provider_type} {member}");
            assert_eq!(stage.get(&format!("{ADMINISTRATORS}/{id}")).await.value(), whole);
        }
    }
}

#[tokio::test]
async fn every_setting_that_is_given_is_answered_and_what_is_read_only_is_not_taken() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let scope = format!("/api/portals/{portal}/login_options");
    let attributes = json!({ "username": "login", "email": "mail", "name": "cn" });
    for (provider_type, mut given, more, read_only) in [
        (
            "oidc",
            every_type()[0].1.clone(),
            json!({
                "request_scopes": ["openid", "email"], "root_url": "https://r.example", "ssl_verify": false,
                "logout_url": "https://id.example.com/out", "attributes": attributes,
            }),
            json!({ "callback_url": "https://evil.example" }),
        ),
        (
            "saml",
            every_type()[1].1.clone(),
            json!({
                "entity_id": "urn:x", "sign_request": false, "attributes": attributes, "logout_idp_session": true,
            }),
            json!({
                "sp_acs_url": "https://evil.example", "sp_slo_url": "https://evil.example",
                "sp_metadata_url": "https://evil.example",
            }),
        ),
        (
            "ldap",
            every_type()[2].1.clone(),
            json!({ "attributes": attributes, "timeout": 300, "use_ssl": true, "ssl_verify": false }),
            json!({}),
        ),
        ("cas", every_type()[3].1.clone(), json!({ "send_service": false, "ssl_verify": false }), json!({})),
    ] {
        let members = given.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        members.extend(read_only.as_object().unwrap().clone());
        let body =
            json!({ "name": "x", "provider_type": provider_type, "config": given, "logo": "aWNvbg==" });
        let made = stage.call("POST", &scope, body).await;
        assert!(!made.text.contains("evil.example"), "{}", made.text);
        let made = made.value();
        assert_eq!((&made["portal_id"], &made["logo"]), (&json!(portal), &json!("aWNvbg==")));
        let config = &made[format!("{provider_type}_config")];
        for (member, value) in more.as_object().unwrap() {
            assert_eq!(config[member], *value, "{provider_type}.{member}");
        }
        let path = format!("/api/portal/login_options/{}", made["id"].as_str().unwrap());
        let put = stage.call("PUT", &path, json!({ "config": read_only, "logo": "" })).await.value();
        assert_eq!((&put[format!("{provider_type}_config")], put.get("logo")), (config, None));
    }
}

#[tokio::test]
async fn an_option_is_switched_by_either_word_and_answered_by_one() {
    let stage = Stage::start().await;
    let (provider_type, given, _) = every_type()[3].clone();
    for (more, disabled) in [
        (json!({}), false),
        (json!({ "disable": true }), true),
        (json!({ "enabled": false }), true),
        (json!({ "enabled": true }), false),
        (json!({ "enabled": true, "disable": false }), false),
        (json!({ "enabled": null, "disable": null }), false),
    ] {
        let mut body = json!({ "name": "x", "provider_type": provider_type, "config": given });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = stage.call("POST", ADMINISTRATORS, body).await.value();
        assert_eq!((&made["disable"], made.get("enabled")), (&json!(disabled), None), "{more}");
    }
    let at_first = stage.get(ADMINISTRATORS).await.list();
    let built_in: Vec<_> = at_first.iter().filter(|option| option["provider_type"] == "built_in").collect();
    assert_eq!((built_in.len(), &built_in[0]["id"]), (1, &json!("built_in")));
    assert_eq!(built_in[0].get("portal_id"), None);
    for retyped in ["oidc", "built_in", "nonsense"] {
        let id = at_first[0]["id"].as_str().unwrap();
        let put =
            stage.call("PUT", &format!("{ADMINISTRATORS}/{id}"), json!({ "provider_type": retyped })).await;
        assert_eq!(put.refusal().0, 400, "{retyped}");
    }
    // A new portal has its own from its first moment.
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let own = stage.get(&format!("/api/portals/{other}/login_options")).await.list();
    assert_eq!(
        (own.len(), &own[0]["provider_type"], &own[0]["portal_id"]),
        (1, &json!("built_in"), &json!(other))
    );
    let other_type = json!({ "name": "x", "provider_type": "cas", "ldap_config": {}, "cas_config": given });
    let refused = stage.call("POST", ADMINISTRATORS, other_type).await.refusal();
    assert!(refused.0 == 400 && refused.1.starts_with("ldap_config does not belong"), "{}", refused.1);
}

#[tokio::test]
async fn no_path_of_portals_leads_to_an_option_of_the_administrators() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let cas =
        json!({ "name": "CAS", "provider_type": "cas", "config": { "url": "https://cas.example.com" } });
    let id = stage.id_of("POST", ADMINISTRATORS, cas).await;
    for path in [
        format!("/api/portal/login_options/{id}"),
        format!("/api/portal/login_options/{id}?portal_id={portal}"),
        format!("/api/portals/{portal}/login_options/{id}"),
        format!("{ADMINISTRATORS}/{id}?portal_id={portal}"),
    ] {
        for (method, body) in [
            ("GET", Value::Null),
            ("PUT", json!({ "name": "y" })),
            ("PATCH", json!([])),
            ("DELETE", Value::Null),
        ] {
            let refused = stage.call(method, &path, body).await.refusal();
            assert_eq!(refused, (404, "resource not found".into()), "{method} {path}");
        }
    }
    assert_eq!(stage.get(&format!("{ADMINISTRATORS}/{id}")).await.value()["name"], "CAS");
}

/// Notes that the provider of `option` knows `owner`, who is signed in through it; gives the session's digest.
async fn link(stage: &Stage, option: &str, owner: &SessionOwner) -> SecretDigest {
    let option = SignInOptionId::known(option);
    let session = Session {
        digest: PlainSecret::presented(format!("ses-{option}")).digest(),
        owner: owner.clone(),
        option: Some(option.clone()),
        address: String::new(),
        user_agent: String::new(),
        created_at: Timestamp::from_seconds(START),
        expires_at: Timestamp::from_seconds(START + 86_400),
    };
    let tx = stage.store.begin().await.unwrap();
    tx.insert_identity(&option, "wanda", owner, Timestamp::default()).await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.commit(Timestamp::from_seconds(START)).await.unwrap();
    session.digest
}

#[tokio::test]
async fn the_end_of_a_portals_option_signs_people_out_and_leaves_what_they_made() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let scope = format!("/api/portals/{portal}/login_options");
    let built_in = format!("{scope}/{}", stage.get(&scope).await.list()[0]["id"].as_str().unwrap());
    let open = json!({ "config": { "registration_auto_approval": true } });
    stage.call("PUT", &built_in, open).await.value();
    let (_, caller) = stage.developer(&portal, "somebody").await;
    let new = NewPerson {
        name: "Wanda".into(),
        email: "wanda@example.com".into(),
        password: PlainSecret::presented("correct horse battery staple"),
    };
    let portal_id = PortalId::parse(&portal).unwrap();
    let wanda = persons::sign_up(&stage.app, &caller, &portal_id, new, "").await.unwrap().unwrap();
    let known =
        async || persons::by_session(&stage.app, &portal_id, wanda.token.reveal()).await.unwrap().unwrap();
    let acting = caller.acting_as(known().await.actor());
    let product = stage.product(&portal, "Orders").await;
    let application = ApplicationId::known(stage.subscribed(&acting, "mobile", &product).await);
    let input = CredentialInput { name: Some("prod".into()), ..CredentialInput::default() };
    credentials::create(&stage.app, &acting, &application, input, NewSecret::KeyAuth).await.unwrap();

    let cas =
        json!({ "name": "CAS", "provider_type": "cas", "config": { "url": "https://cas.example.com" } });
    let (first, second) =
        (stage.id_of("POST", &scope, cas.clone()).await, stage.id_of("POST", &scope, cas).await);
    let owner = SessionOwner::Person(wanda.owner.clone());
    let through_first = link(&stage, &first, &owner).await;
    let deleted = stage.call("DELETE", &format!("{scope}/{first}"), Value::Null).await;
    assert_eq!(deleted.body, json!({ "value": { "id": first } }), "another option and a password are left");
    assert!(stage.store.read().session(&through_first).await.unwrap().is_none());
    assert_eq!(known().await.person.id, wanda.owner, "who came in by a password stays");

    let through_second = link(&stage, &second, &owner).await;
    stage.call("PUT", &built_in, json!({ "disable": true })).await.value();
    let deleted = stage.call("DELETE", &format!("{scope}/{second}"), Value::Null).await;
    assert_eq!(deleted.body["warning_msg"], "1 person has no way to sign in any more");
    assert!(stage.store.read().session(&through_second).await.unwrap().is_none());
    assert_eq!(stage.get("/api/developers?search=wanda").await.list()[0]["state"], "Active");
    assert_eq!(stage.get("/api/forecourt/applications").await.names(), ["mobile"]);
    assert_eq!(stage.get("/api/subscriptions").await.list().len(), 1);
    assert_eq!(stage.store.read().credentials_of(&application).await.unwrap().len(), 1);
}

/// Notes that somebody is on the way through `option`; gives the digest of the state.
async fn wait(stage: &Stage, option: &SignInOptionId) -> SecretDigest {
    let now = Timestamp::from_seconds(START);
    let pending = PendingSignIn {
        state: PlainSecret::presented("state").digest(),
        option: option.clone(),
        browser: PlainSecret::presented("browser").digest(),
        memo: KeptSecret::Clear("{}".into()),
        next: String::new(),
        expires_at: now.plus_seconds(PendingSignIn::SECONDS),
    };
    let tx = stage.store.begin().await.unwrap();
    tx.insert_pending_sign_in(&pending, PendingSignIn::MOST, now).await.unwrap();
    tx.commit(now).await.unwrap();
    pending.state
}

#[tokio::test]
async fn an_option_that_is_pointed_at_another_provider_forgets_whom_the_one_before_knew() {
    let stage = Stage::start().await;
    let given = json!({ "name": "OpenID", "provider_type": "oidc", "config": every_type()[0].1 });
    let made = stage.call("POST", ADMINISTRATORS, given).await.value();
    let id = made["id"].as_str().unwrap();
    let (option, path) = (SignInOptionId::known(id), format!("{ADMINISTRATORS}/{id}"));
    let invite = json!({ "username": "wanda", "password": "first" });
    let wanda = stage.id_of("POST", "/api/invites", invite).await;
    let owner = SessionOwner::Administrator(AdministratorId::known(wanda));
    let (session, state) = (link(&stage, id, &owner).await, wait(&stage, &option).await);
    let reads = stage.store.read();
    // Whether the identity, the session and the sign-in that waits are there.
    let left = async || {
        let identity = reads.identity_owner(&option, "wanda").await.unwrap().is_some();
        let session = reads.session(&session).await.unwrap().is_some();
        (identity, session, reads.pending_sign_in(&state).await.unwrap().is_some())
    };
    let secrets = async || {
        let mut config = reads.sign_in_option(&option).await.unwrap().unwrap().config;
        config.secrets().into_iter().map(|(_, secret)| secret.clone()).collect::<Vec<_>>()
    };
    let sealed = secrets().await;
    for change in [
        json!({ "name": "Renamed" }),
        json!({ "oidc_config": { "client_id": "other", "request_scopes": ["email"] } }),
        json!({ "oidc_config": { "issuer": "https://id.example.com" } }),
    ] {
        let patched = stage.call("PATCH", &path, change.clone()).await;
        assert!(patched.status == 200 && patched.body.get("warning_msg").is_none(), "{}", patched.body);
        assert_eq!(left().await, (true, true, true), "{change}");
    }

    let moved =
        |issuer: &str| json!({ "oidc_config": { "issuer": issuer, "client_secret": "given for it" } });
    let alone = json!({ "oidc_config": { "issuer": "https://elsewhere.example.com" } });
    let (status, problem) = stage.call("PATCH", &path, alone).await.refusal();
    assert!(
        status == 400 && problem.starts_with("oidc_config.client_secret must be given again"),
        "{problem}"
    );
    assert!(sealed.len() == 1 && secrets().await == sealed && left().await == (true, true, true));
    let elsewhere = moved("https://elsewhere.example.com");
    let patched = stage.call("PATCH", &path, elsewhere.clone()).await;
    assert_eq!(patched.body["warning_msg"], "the provider is another one: 1 person was unlinked");
    assert_eq!(left().await, (false, false, false));
    let now = patched.value();
    assert_eq!((&now["name"], &now["created_at"]), (&json!("Renamed"), &made["created_at"]));
    assert!(secrets().await != sealed, "the secret is the one that was given for it");
    let events = reads.events_of("sign_in_option", id, 10).await.unwrap();
    let told: Vec<_> = events.iter().filter_map(|event| event.detail.get("unlinked")).collect();
    assert_eq!(told, [&json!(1)], "changes within a provider tell of nobody");

    link(&stage, id, &owner).await;
    stage.call("PUT", "/api/login_options/built_in", json!({ "disable": true })).await.value();
    let same = stage.call("PUT", &path, elsewhere).await;
    assert!(same.status == 200 && same.body.get("warning_msg").is_none(), "{}", same.body);
    let put = stage.call("PUT", &path, moved("https://id.example.com")).await;
    assert_eq!(
        put.body["warning_msg"],
        "the provider is another one: 1 person was unlinked; \
         1 person has no way to sign in to their account any more"
    );
    assert_eq!(left().await, (false, false, false));
    let put = stage.call("PUT", &path, moved("https://third.example.com")).await;
    assert!(put.status == 200 && put.body.get("warning_msg").is_none(), "nobody was known: {}", put.body);
}
