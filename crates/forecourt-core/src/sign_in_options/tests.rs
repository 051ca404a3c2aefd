//! What is taken as the settings of a sign-in option, and what becomes of them.

use serde_json::{Value, json};

use super::*;
use crate::secrets::KeptSecret;

fn given(config: Value) -> Option<GivenConfig> {
    let Value::Object(members) = config else { panic!("an object") };
    Some(GivenConfig { members, whole: false })
}

fn new(provider_type: SignInType, config: Value) -> Result<SignInOption, SignInOptionRefusal> {
    let input = SignInOptionInput {
        name: Some("Company".into()),
        provider_type: Some(provider_type),
        config: given(config),
        ..SignInOptionInput::default()
    };
    SignInOption::new(SignInOptionId::known("sio_1"), None, input, Timestamp::default())
}

fn changed(option: SignInOption, config: Value) -> Result<SignInOption, SignInOptionRefusal> {
    let input = SignInOptionInput { config: given(config), ..SignInOptionInput::default() };
    option.changed(input, Timestamp::from_seconds(1))
}

fn oidc() -> Value {
    json!({ "issuer": "https://id.example.com", "client_id": "forecourt", "client_secret": "s3cret",
        "request_scopes": ["openid", "email"] })
}

fn ldap() -> Value {
    json!({ "host": "ldap.example.com", "port": "636", "base_dn": "dc=example", "bind_dn": "cn=admin",
        "identifier": "uid", "bind_password": "s3cret" })
}

fn saml() -> Value {
    json!({ "idp_metadata_url": "https://id.example.com/metadata?app=1", "sp_root_url": "https://p.example/" })
}

#[test]
fn every_required_setting_is_asked_for_by_its_name() {
    let cas = json!({ "url": "https://cas.example.com" });
    let types = [
        (SignInType::Oidc, oidc(), &["issuer", "client_id", "client_secret", "request_scopes"][..]),
        (SignInType::Ldap, ldap(), &["host", "port", "base_dn", "bind_dn", "identifier"]),
        (SignInType::Saml, saml(), &["idp_metadata_url", "sp_root_url"]),
        (SignInType::Cas, cas, &["url"]),
    ];
    for (provider_type, full, required) in types {
        assert!(new(provider_type, full.clone()).is_ok(), "{}", provider_type.name());
        for member in required {
            for missing in [None, Some(Value::Null)] {
                let mut without = full.clone();
                without.as_object_mut().unwrap().remove(*member);
                if let Some(null) = missing {
                    without[*member] = null;
                }
                let refused = new(provider_type, without).unwrap_err().to_string();
                assert_eq!(refused, format!("{}.{member} is required", provider_type.config_member()));
            }
        }
    }
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_name() {
    let long = "x".repeat(1_000_000);
    for (provider_type, mut full, member, wrong) in [
        (SignInType::Oidc, oidc(), "issuer", json!("id.example.com")),
        (SignInType::Oidc, oidc(), "issuer", json!("https://user:pw@id.example.com")),
        (SignInType::Oidc, oidc(), "issuer", json!(7)),
        (SignInType::Oidc, oidc(), "client_id", json!(long)),
        (SignInType::Oidc, oidc(), "client_secret", json!(long)),
        (SignInType::Oidc, oidc(), "client_secret", json!("")),
        (SignInType::Oidc, oidc(), "client_secret", json!(["x"])),
        (SignInType::Oidc, oidc(), "request_scopes", json!("openid")),
        (SignInType::Oidc, oidc(), "request_scopes", json!(["two words"])),
        (SignInType::Oidc, oidc(), "ssl_verify", json!("true")),
        (SignInType::Oidc, oidc(), "logout_url", json!("javascript:alert(1)")),
        (SignInType::Oidc, oidc(), "attributes", json!({ "email": 1 })),
        (SignInType::Oidc, oidc(), "attributes", json!(["email"])),
        (SignInType::Ldap, ldap(), "port", json!(389)),
        (SignInType::Ldap, ldap(), "port", json!("0")),
        (SignInType::Ldap, ldap(), "port", json!("65536")),
        (SignInType::Ldap, ldap(), "port", json!("+389")),
        (SignInType::Ldap, ldap(), "host", json!("ldap.example.com:389")),
        (SignInType::Ldap, ldap(), "host", json!("ldap://ldap.example.com")),
        (SignInType::Ldap, ldap(), "identifier", json!("uid)(|(uid=*")),
        (SignInType::Ldap, ldap(), "timeout", json!(0)),
        (SignInType::Ldap, ldap(), "timeout", json!("10")),
        (SignInType::Ldap, ldap(), "root_ca_cert", json!("no certificate")),
        (SignInType::Ldap, ldap(), "client_key", json!("no key")),
        (SignInType::Ldap, ldap(), "bind_dn", json!("cn=admin\u{0}")),
        (SignInType::Saml, saml(), "idp_metadata_url", json!("https://id.example.com/#part")),
        (SignInType::Saml, saml(), "sp_root_url", json!("ftp://p.example")),
    ] {
        full[member] = wrong;
        let refused = new(provider_type, full).unwrap_err().to_string();
        let path = format!("{}.{member}", provider_type.config_member());
        assert!(refused.starts_with(&path) && refused.len() < 300, "{refused}");
    }
}

#[test]
fn settings_that_are_not_known_are_ignored() {
    let mut full = oidc();
    full["no_such_setting"] = json!({ "a": 1 });
    assert_eq!(new(SignInType::Oidc, full).unwrap(), new(SignInType::Oidc, oidc()).unwrap());
}

#[test]
fn a_secret_stays_until_it_is_named_and_an_empty_one_is_removed() {
    let option = changed(new(SignInType::Ldap, ldap()).unwrap(), json!({ "timeout": 20 })).unwrap();
    let SignInConfig::Ldap(config) = &option.config else { panic!("ldap") };
    assert_eq!((config.timeout, &config.bind_password), (20, &Some(KeptSecret::Clear("s3cret".into()))));
    let option = changed(option, json!({ "bind_password": "" })).unwrap();
    let SignInConfig::Ldap(config) = &option.config else { panic!("ldap") };
    assert_eq!((config.timeout, &config.bind_password), (20, &None));
    assert!(changed(option, json!({ "port": "10389" })).is_ok(), "there is none that could be told");
}

#[test]
fn no_server_is_told_a_secret_that_was_given_for_another_or_for_a_better_protection() {
    let mut tls = ldap();
    tls["use_ssl"] = json!(true);
    for (provider_type, full, change, member) in [
        (SignInType::Oidc, oidc(), json!({ "issuer": "https://evil.example" }), "oidc_config.client_secret"),
        (SignInType::Oidc, oidc(), json!({ "issuer": "http://id.example.com" }), "oidc_config.client_secret"),
        (SignInType::Oidc, oidc(), json!({ "ssl_verify": false }), "oidc_config.client_secret"),
        (SignInType::Ldap, tls.clone(), json!({ "host": "evil.example" }), "ldap_config.bind_password"),
        (SignInType::Ldap, tls.clone(), json!({ "port": "10389" }), "ldap_config.bind_password"),
        (SignInType::Ldap, tls.clone(), json!({ "use_ssl": false }), "ldap_config.bind_password"),
        (SignInType::Ldap, tls, json!({ "ssl_verify": false }), "ldap_config.bind_password"),
    ] {
        let option = || new(provider_type, full.clone()).unwrap();
        let (_, secret) = member.split_once('.').unwrap();
        let refused = changed(option(), change.clone()).unwrap_err().to_string();
        assert!(refused.contains(member) && refused.contains("must be given again"), "{change}: {refused}");
        let mut with = change.clone();
        with[secret] = json!("another");
        assert!(changed(option(), with).is_ok(), "{change} with it");
        let mut without = change;
        without[secret] = json!(null);
        assert!(changed(option(), without).is_err(), "null is absent");
    }
}

#[test]
fn settings_given_as_a_whole_take_defaults_for_what_is_absent_but_keep_secrets() {
    let mut full = oidc();
    full["logout_url"] = json!("https://id.example.com/out?x=1");
    full["ssl_verify"] = json!(false);
    let option = new(SignInType::Oidc, full).unwrap();
    let mut without = oidc();
    without.as_object_mut().unwrap().remove("client_secret");
    let whole = given(without).map(|given| GivenConfig { whole: true, ..given });
    let input = SignInOptionInput { config: whole, ..SignInOptionInput::default() };
    let option = option.changed(input, Timestamp::default()).unwrap();
    assert_eq!(option.config, new(SignInType::Oidc, oidc()).unwrap().config);
}

#[test]
fn another_address_is_another_provider_and_no_other_setting_makes_one() {
    let cas = json!({ "url": "https://cas.example.com" });
    for (provider_type, full, change, is_another) in [
        (
            SignInType::Oidc,
            oidc(),
            json!({ "issuer": "https://other.example.com", "client_secret": "x" }),
            true,
        ),
        (SignInType::Oidc, oidc(), json!({ "issuer": "https://id.example.com" }), false),
        (SignInType::Oidc, oidc(), json!({ "client_id": "other", "client_secret": "other" }), false),
        (
            SignInType::Oidc,
            oidc(),
            json!({ "root_url": "https://p.example", "ssl_verify": false, "client_secret": "x" }),
            false,
        ),
        (SignInType::Saml, saml(), json!({ "idp_metadata_url": "https://id.example.com/metadata" }), true),
        (
            SignInType::Saml,
            saml(),
            json!({ "sp_root_url": "https://q.example", "entity_id": "urn:x" }),
            false,
        ),
        (SignInType::Ldap, ldap(), json!({ "host": "other.example.com", "bind_password": "x" }), true),
        (SignInType::Ldap, ldap(), json!({ "port": "389", "bind_password": "x" }), true),
        (SignInType::Ldap, ldap(), json!({ "base_dn": "dc=other" }), true),
        (SignInType::Ldap, ldap(), json!({ "identifier": "mail" }), true),
        (
            SignInType::Ldap,
            ldap(),
            json!({ "bind_dn": "cn=other", "bind_password": "x", "timeout": 1 }),
            false,
        ),
        (SignInType::Cas, cas.clone(), json!({ "url": "https://other.example.com" }), true),
        (SignInType::Cas, cas, json!({ "send_service": false, "ssl_verify": false }), false),
    ] {
        let before = new(provider_type, full).unwrap();
        let after = changed(before.clone(), change.clone()).unwrap();
        assert_eq!(after.config.is_another_provider(&before.config), is_another, "{change}");
    }
}

#[test]
fn types_are_fixed_and_a_second_built_in_option_is_refused() {
    assert_eq!(new(SignInType::BuiltIn, json!({})).unwrap_err(), SignInOptionRefusal::OneBuiltIn);
    let other = SignInOptionInput { provider_type: Some(SignInType::Saml), ..SignInOptionInput::default() };
    let option = new(SignInType::Oidc, oidc()).unwrap();
    assert_eq!(
        option.changed(other, Timestamp::default()).unwrap_err(),
        SignInOptionRefusal::TypeFixed(SignInType::Oidc)
    );
}

#[test]
fn addresses_that_providers_are_told_follow_the_root_that_is_known() {
    let mut option = new(SignInType::Oidc, oidc()).unwrap();
    assert_eq!(option.callback_url(None), None);
    assert_eq!(
        option.callback_url(Some("https://a.example/")).unwrap(),
        "https://a.example/api/oidc/callback"
    );
    option = changed(option, json!({ "root_url": "https://b.example" })).unwrap();
    option.portal_id = Some(PortalId::known("prt_1"));
    let own = option.callback_url(Some("https://a.example")).unwrap();
    assert_eq!(own, "https://b.example/sign-in/oidc/callback");
    let option = new(SignInType::Saml, saml()).unwrap();
    assert_eq!(option.saml_url("acs").unwrap(), "https://p.example/api/saml/sio_1/acs");
}
