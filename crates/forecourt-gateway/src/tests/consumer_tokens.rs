//! Consumers' tokens, line by line of docs/gateway.md §7.

use forecourt_core::{
    gateway_state::{JwtAlgorithm, PluginsState, TokenSecret},
    ids::GatewayGroupId,
    secrets::KeptSecret,
};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{
    super::consumers::tests::{ADA, NOW, asked},
    remove_cookie,
};
use crate::{
    plugins::over,
    state::State,
    tests::{
        plugin_rows::{
            basic_auth, consumer, guarded, its_key, its_password, its_token, jwt_auth, key_auth, token_of,
        },
        rows::{batch, put, service},
        signing::Signer,
    },
};

const MISSING: &str = "401 Missing JWT token in request; Bearer";
const INVALID: &str = "401 JWT token invalid; Bearer";
const SECRET: &str = "a secret of ada";

/// Service `s` with route `r`, whose plugins are these; consumers `ada` (token key `t-ada`, HS256 with [`SECRET`])
/// and `eve` (token key `t-eve`).
fn guarded_by(plugins: PluginsState) -> State {
    let state = State::empty([3, 5]);
    let ada = [
        its_token("c-token", "t-ada", SECRET),
        its_key("c-key", "k-ada"),
        its_password("c-user", "ada", "pw"),
    ];
    state.apply(&batch(vec![
        put(1, service("s")),
        put(1, guarded(plugins)),
        put(1, consumer("ada", &ada)),
        put(1, consumer("eve", &[its_token("c-eve", "t-eve", "another"), its_key("c-eve-key", "k-eve")])),
    ]));
    state
}

/// A token of `ada`, valid for a minute, with these claims beside the usual ones.
fn token(claims: &Value) -> String {
    let mut whole = json!({ "key": "t-ada", "exp": NOW + 60 });
    whole.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    Signer::shared("HS256", SECRET).token(&json!({}), &whole)
}

fn by_bearer(state: &State, token: &str) -> String {
    asked(state, &[("authorization", &format!("Bearer {token}"))], None)
}

#[test]
fn a_token_is_read_from_header_query_or_cookie_in_this_order() {
    let state = guarded_by(jwt_auth());
    let good = token(&json!({}));
    let (bearer, lower, cookie) =
        (format!("Bearer {good}"), format!("bearer  {good} "), format!("a=1; jwt={good}"));
    let quoted = format!("jwt=\"{good}\"");
    let (query, wrong_query) = (format!("a=1&jwt={good}"), "jwt=wrong".to_owned());
    let ada = "ada/c-token";
    for (fields, query, expected) in [
        (vec![], None, MISSING),
        (vec![("authorization", &*bearer)], None, ada),
        (vec![("authorization", &*lower)], None, ada),
        (vec![("authorization", &*good)], None, ada),
        (vec![], Some(&query), ada),
        (vec![("cookie", &*cookie)], None, ada),
        (vec![("cookie", "b=2"), ("cookie", &*quoted)], None, ada),
        (vec![("authorization", "")], Some(&query), ada),
        (vec![("authorization", "Bearer ")], Some(&query), ada),
        (vec![("authorization", "Bearer wrong"), ("cookie", &*cookie)], Some(&query), INVALID),
        (vec![("cookie", &*cookie)], Some(&wrong_query), INVALID),
        (vec![("cookie", "jwt=")], None, MISSING),
        (vec![("cookie", "jwt")], None, MISSING),
        (vec![ADA], None, MISSING),
        (vec![ADA], Some(&query), ada),
    ] {
        assert_eq!(asked(&state, &fields, query.map(String::as_str)), expected, "{fields:?} {query:?}");
    }
}

#[test]
fn the_configured_header_query_cookie_and_claim_are_used() {
    let mut plugins = jwt_auth();
    let plugin = plugins.jwt_auth.as_mut().unwrap();
    (plugin.header, plugin.query, plugin.cookie) = ("X-Token".into(), "t".into(), "c".into());
    plugin.key_claim_name = "iss".into();
    let state = guarded_by(plugins);
    let good = Signer::shared("HS256", SECRET).token(&json!({}), &json!({ "iss": "t-ada" }));
    assert_eq!(asked(&state, &[("x-token", &good)], None), "ada/c-token");
    assert_eq!(asked(&state, &[], Some(&format!("t={good}"))), "ada/c-token");
    assert_eq!(asked(&state, &[("cookie", &format!("c={good}"))], None), "ada/c-token");
    assert_eq!(by_bearer(&state, &good), MISSING);
    assert_eq!(
        asked(&state, &[("x-token", &token(&json!({})))], None),
        INVALID,
        "the claim key says nothing here"
    );
}

#[test]
fn anything_wrong_with_a_token_is_one_answer() {
    let state = guarded_by(jwt_auth());
    let ada = Signer::shared("HS256", SECRET);
    let claims = json!({ "key": "t-ada", "exp": NOW + 60 });
    let good = ada.token(&json!({}), &claims);
    assert_eq!(by_bearer(&state, &good), "ada/c-token");
    let (signed, _) = good.rsplit_once('.').unwrap();
    for wrong in [
        "x".to_owned(),
        "a.b.c".to_owned(),
        format!("{signed}."),
        format!("{good}.x"),
        Signer::shared("HS256", "another").token(&json!({}), &claims),
        Signer::shared("HS512", SECRET).token(&json!({}), &claims),
        ada.token(&json!({ "alg": "none" }), &claims),
        ada.token(&json!({}), &json!({ "key": "t-eve" })),
        ada.token(&json!({}), &json!({ "key": "nobody" })),
        ada.token(&json!({}), &json!({ "key": 7 })),
        ada.token(&json!({}), &json!({ "sub": "t-ada" })),
        ada.token(&json!({ "kid": "t-ada" }), &json!({})),
        ada.token(&json!({}), &json!({ "key": "t".repeat(10_000) })),
    ] {
        assert_eq!(by_bearer(&state, &wrong), INVALID, "{wrong}");
    }
}

#[test]
fn times_are_honoured_where_they_are_given() {
    let state = guarded_by(jwt_auth());
    let without_end = Signer::shared("HS256", SECRET).token(&json!({}), &json!({ "key": "t-ada" }));
    assert_eq!(by_bearer(&state, &without_end), "ada/c-token");
    let ten_years = 10 * 365 * 86_400;
    for (claims, expected) in [
        (json!({ "exp": NOW + 1 }), "ada/c-token"),
        (json!({ "exp": NOW + ten_years }), "ada/c-token"),
        (json!({ "exp": NOW }), INVALID),
        (json!({ "exp": "tomorrow" }), INVALID),
        (json!({ "nbf": NOW + 60 }), "ada/c-token"),
        (json!({ "nbf": NOW + 61 }), INVALID),
    ] {
        assert_eq!(by_bearer(&state, &token(&claims)), expected, "{claims}");
    }
}

#[test]
fn the_credential_chooses_the_algorithm_and_public_keys_are_accepted() {
    let signer = Signer::fresh("EdDSA");
    let public_key = signer.pem();
    let secret = TokenSecret::Public { algorithm: JwtAlgorithm::EdDsa, public_key: public_key.clone() };
    let state = guarded_by(jwt_auth());
    state.apply(&batch(vec![put(2, consumer("bob", &[token_of("c-bob", "t-bob", secret)]))]));
    let claims = json!({ "key": "t-bob" });
    assert_eq!(by_bearer(&state, &signer.token(&json!({}), &claims)), "bob/c-bob");
    let confused = Signer::shared("HS256", &public_key).token(&json!({}), &claims);
    assert_eq!(by_bearer(&state, &confused), INVALID, "a public key is no secret");
}

#[test]
fn a_sealed_secret_opens_nothing() {
    let sealed = KeptSecret::Sealed(SECRET.into());
    let secret = TokenSecret::Shared { algorithm: JwtAlgorithm::Hs256, secret: sealed };
    let state = guarded_by(jwt_auth());
    state.apply(&batch(vec![put(2, consumer("ada", &[token_of("c", "t-ada", secret)]))]));
    assert_eq!(by_bearer(&state, &token(&json!({}))), INVALID);
}

#[test]
fn tokens_of_another_groups_consumers_do_not_count() {
    let mut stranger = consumer("stranger", &[its_token("c", "t-stranger", "s")]);
    stranger.gateway_group_id = GatewayGroupId::known("elsewhere");
    let state = guarded_by(jwt_auth());
    state.apply(&batch(vec![put(2, stranger)]));
    let theirs = Signer::shared("HS256", "s").token(&json!({}), &json!({ "key": "t-stranger" }));
    assert_eq!(by_bearer(&state, &theirs), INVALID);
}

#[test]
fn tokens_work_before_passwords_and_keys_and_must_name_the_same_consumer() {
    let state = guarded_by(over(&over(&jwt_auth(), &basic_auth()), &key_auth()));
    let query = format!("jwt={}", token(&json!({})));
    let (ada, eve) = (("apikey", "k-ada"), ("apikey", "k-eve"));
    assert_eq!(asked(&state, &[ADA, ada], Some(&query)), "ada/c-token");
    assert_eq!(asked(&state, &[ADA, ada], None), MISSING);
    assert!(asked(&state, &[ada], Some(&query)).starts_with("401 Missing authorization"));
    assert!(asked(&state, &[ADA], Some(&query)).starts_with("401 Missing API key"));
    assert_eq!(
        asked(&state, &[ADA, eve], Some(&query)),
        r#"401 Invalid user authorization; Bearer; Basic realm="basic"; apikey realm="key""#
    );
}

#[test]
fn hiding_a_cookie_leaves_the_others() {
    for (fields, left) in [
        (&["jwt=t"][..], &[][..]),
        (&["a=1; jwt=t; b=2"], &["a=1; b=2"]),
        (&["jwt=t; a=1"], &["a=1"]),
        (&["a=1;b=2", "jwt=t;jwt=u"], &["a=1;b=2"]),
        (&["jwtx=1; xjwt=2; JWT=3"], &["jwtx=1; xjwt=2; JWT=3"]),
        (&["jwt"], &[]),
    ] {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append("cookie", HeaderValue::from_static(field));
        }
        remove_cookie(&mut headers, "jwt");
        let kept: Vec<_> = headers.get_all("cookie").iter().map(|field| field.to_str().unwrap()).collect();
        assert_eq!(kept, left, "{fields:?}");
    }
}
