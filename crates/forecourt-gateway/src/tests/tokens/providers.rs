//! Tokens of OAuth providers at products, line by line of docs/gateway.md §12.

use std::sync::Arc;

use forecourt_core::{
    gateway_state::{DcrMethod, Kind},
    ids::{CredentialId, DcrProviderId},
    time::Timestamp,
};
use http::{HeaderMap, HeaderValue, Method as HttpMethod};
use serde_json::{Value, json};

use super::{ISSUER, NOW, bearer, granted, hs256, ours_of, outcome, protected};
use crate::{
    jwks::KeySet,
    state::State,
    tests::{
        rows::{
            batch, client, credential, delete, delete_grant, grant, head, jwt, key, product, put, route,
            service, user,
        },
        signing::Signer,
    },
    verify::{Proven, Request, Verdict, verify},
};

/// The provider's signer, whose keys the issuer of this state has.
pub(super) fn provider(state: &State) -> Signer {
    let signer = Signer::fresh("ES256");
    know(state, ISSUER, &[signer.jwk("one")], NOW);
    signer
}

fn know(state: &State, issuer: &str, keys: &[Value], at: Timestamp) {
    let keys = KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    state.key_sets.issuer(issuer).unwrap().set(keys, at);
}

fn theirs(claims: Value) -> Value {
    let mut whole = json!({ "iss": ISSUER, "azp": "c", "exp": 1_000_100 });
    whole.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    whole
}

pub(super) fn theirs_of(signer: &Signer, claims: Value) -> String {
    signer.token(&json!({ "kid": "one" }), &theirs(claims))
}

#[test]
fn a_token_of_the_products_provider_passes_as_its_client() {
    let state = granted();
    let signer = provider(&state);
    assert_eq!(bearer(&state, &theirs_of(&signer, json!({}))), "crd-client");
    assert_eq!(bearer(&state, &theirs_of(&signer, json!({ "aud": "somebody else" }))), "crd-client");
    let token = theirs_of(&signer, json!({}));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    assert_eq!(bearer(&state, &token), "crd-client");
    assert_eq!(bearer(&state, &token), "crd-client", "and again");
    assert_eq!(bearer(&state, &format!("{signed}.{other}{}", &signature[1..])), "refused", "but not another");
    let by_other_claims = json!({ "iss": ISSUER, "cid": "c", "exp": 1_000_100 });
    assert_eq!(bearer(&state, &signer.token(&json!({ "kid": "one" }), &by_other_claims)), "crd-client");
    let nothing = &Proven::default();
    let query = format!("jwt={}", theirs_of(&signer, json!({})));
    assert_eq!(outcome(&state, None, Some(&query), nothing), "refused", "the query is for jwt-auth alone");
}

#[test]
fn a_providers_token_is_refused_when_any_condition_is_missing() {
    let mut elsewhere = protected();
    elsewhere.dcr = Some(DcrMethod { provider_id: DcrProviderId::known("another"), issuer: ISSUER.into() });
    let mut without = protected();
    without.dcr = None;
    for (why, change) in [
        ("the client was deleted", delete(2, Kind::Credential, "crd-client")),
        ("the client has another id", put(2, credential("crd-client", "app", &[client("provider", "d")]))),
        (
            "the client is of another provider",
            put(2, credential("crd-client", "app", &[client("another", "c")])),
        ),
        (
            "the credential is of another type",
            put(2, credential("crd-client", "app", &[key("c"), jwt("c", "c")])),
        ),
        ("the product is of another provider", put(2, elsewhere)),
        ("the method is not enabled", put(2, without)),
        ("the application is gone", delete(2, Kind::Application, "app")),
        ("the subscription ended", delete_grant(2, "app", "prd")),
    ] {
        let state = granted();
        let signer = provider(&state);
        let token = theirs_of(&signer, json!({}));
        assert_eq!(bearer(&state, &token), "crd-client");
        state.apply(&batch(vec![change]));
        assert_eq!(bearer(&state, &token), "refused", "{why}");
    }
}

#[test]
fn a_providers_token_is_refused_when_a_claim_is_wrong() {
    let state = granted();
    let signer = provider(&state);
    for (why, claims) in [
        ("another issuer", json!({ "iss": "https://issuer.example/" })),
        ("no issuer", json!({ "iss": null })),
        ("another client", json!({ "azp": "d" })),
        ("another client, though a later claim is right", json!({ "azp": "d", "client_id": "c" })),
        ("ended", json!({ "exp": 999_940 })),
        ("an end that is a text", json!({ "exp": "1000100" })),
        ("not begun", json!({ "nbf": 1_000_061 })),
        ("issued in the future", json!({ "iat": 1_000_061 })),
    ] {
        assert_eq!(bearer(&state, &theirs_of(&signer, claims)), "refused", "{why}");
    }
    for claims in [json!({ "exp": 999_941 }), json!({ "nbf": 1_000_060, "iat": 1_000_060 })] {
        assert_eq!(bearer(&state, &theirs_of(&signer, claims.clone())), "crd-client", "{claims}");
    }
}

#[test]
fn the_client_is_named_by_azp_then_client_id_then_cid() {
    let state = granted();
    let signer = provider(&state);
    for (named, expected) in [
        (json!({ "azp": "c", "client_id": "d", "cid": "d" }), "crd-client"),
        (json!({ "azp": "d", "client_id": "c", "cid": "c" }), "refused"),
        (json!({ "client_id": "c", "cid": "d" }), "crd-client"),
        (json!({ "client_id": "d", "cid": "c" }), "refused"),
        (json!({ "client_id": "c" }), "crd-client"),
        (json!({ "cid": "c" }), "crd-client"),
        (json!({ "sub": "c" }), "refused"),
    ] {
        let mut claims = json!({ "iss": ISSUER, "exp": 1_000_100 });
        claims.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
        assert_eq!(bearer(&state, &signer.token(&json!({ "kid": "one" }), &claims)), expected, "{named}");
    }
}

#[test]
fn a_providers_token_is_never_verified_with_a_shared_secret() {
    let state = granted();
    let rsa = Signer::rsa("RS256");
    know(&state, ISSUER, &[rsa.jwk("one"), Signer::shared("HS256", "oct").jwk("two")], NOW);
    assert_eq!(bearer(&state, &theirs_of(&rsa, json!({}))), "crd-client");
    for forger in
        [Signer::shared("HS256", rsa.pem()), Signer::shared("HS256", "oct"), Signer::shared("HS256", "")]
    {
        for kid in ["one", "two"] {
            let token = forger.token(&json!({ "kid": kid }), &theirs(json!({})));
            assert_eq!(bearer(&state, &token), "refused");
        }
    }
    let unsigned = rsa.token_of(r#"{"alg":"none","kid":"one"}"#, &theirs(json!({})).to_string());
    assert_eq!(bearer(&state, &unsigned), "refused");
    let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    assert_eq!(bearer(&state, &unsigned), "refused");
}

#[test]
fn newer_keys_are_asked_for_once_and_only_for_a_client_that_may_pass() {
    let state = granted();
    let (old, new) = (provider(&state), Signer::fresh("ES256"));
    let token = |claims: Value| new.token(&json!({ "kid": "two" }), &theirs(claims));
    assert_eq!(bearer(&state, &token(json!({}))), format!("keys of {ISSUER}?"));
    for (why, claims) in [
        ("another client", json!({ "azp": "d" })),
        ("another issuer", json!({ "iss": "x" })),
        ("ended", json!({ "exp": 1 })),
    ] {
        assert_eq!(bearer(&state, &token(claims)), "refused", "{why}");
    }
    let forged = new.token(&json!({ "kid": "one" }), &theirs(json!({})));
    assert_eq!(bearer(&state, &forged), "refused", "the key is known and did not sign it");
    let shown = format!("Bearer {}", token(json!({})));
    let mut asked = Proven::default();
    asked.add_newest_keys();
    assert_eq!(outcome(&state, Some(&shown), None, &asked), "refused");
    know(&state, ISSUER, &[old.jwk("one"), new.jwk("two")], NOW);
    assert_eq!(outcome(&state, Some(&shown), None, &asked), "crd-client");
}

#[test]
fn keys_are_used_for_a_day_after_they_were_fetched() {
    let state = granted();
    let signer = Signer::fresh("EdDSA");
    let token = theirs_of(&signer, json!({}));
    know(&state, ISSUER, &[signer.jwk("one")], NOW.plus_seconds(1 - 24 * 60 * 60));
    assert_eq!(bearer(&state, &token), "crd-client");
    know(&state, ISSUER, &[signer.jwk("one")], NOW.plus_seconds(-24 * 60 * 60));
    let mut asked = Proven::default();
    asked.add_newest_keys();
    assert_eq!(outcome(&state, Some(&format!("Bearer {token}")), None, &asked), "refused");
}

#[test]
fn a_bearer_token_that_jwt_auth_refuses_is_tried_by_dcr() {
    let state = granted();
    let signer = provider(&state);
    let naming_ours = theirs_of(&signer, json!({ "key": "j" }));
    assert_eq!(bearer(&state, &naming_ours), "crd-client");
    assert_eq!(bearer(&state, &ours_of(&hs256())), "crd-jwt");
}

#[test]
fn two_products_have_two_issuers_at_the_same_time() {
    let state = granted();
    let mut other = product("other", &["s2"]);
    other.dcr =
        Some(DcrMethod { provider_id: DcrProviderId::known("second"), issuer: "http://second".into() });
    state.apply(&batch(vec![
        put(2, service("s2")),
        put(2, route("r2", "s2", "/second")),
        put(2, other),
        put(2, grant("app", "other")),
        put(2, credential("crd-second", "app", &[client("second", "c")])),
    ]));
    let first = provider(&state);
    let second = Signer::fresh("ES256");
    know(&state, "http://second", &[second.jwk("one")], NOW);
    let ask = |path: &str, token: &str| {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let headers: HeaderMap = [(http::header::AUTHORIZATION, value)].into_iter().collect();
        state.consistently(|table| {
            let route = table.find(&head("any", path, &HttpMethod::GET, &headers)).unwrap();
            let request = Request { method: &HttpMethod::GET, headers: &headers, query: None, now: NOW };
            let Verdict::Permit(permit) = verify(&state, table, route, &request, &Proven::default()) else {
                return "refused".to_owned();
            };
            permit.identity().unwrap().credential.unpack(CredentialId::PREFIX)
        })
    };
    let second_claims = json!({ "iss": "http://second" });
    assert_eq!(ask("/x", &theirs_of(&first, json!({}))), "crd-client");
    assert_eq!(ask("/second", &theirs_of(&second, second_claims.clone())), "crd-second");
    assert_eq!(ask("/x", &theirs_of(&second, second_claims.clone())), "refused");
    assert_eq!(ask("/x", &theirs_of(&second, json!({}))), "refused");
    assert_eq!(ask("/second", &theirs_of(&first, second_claims)), "refused");
}

#[test]
fn a_route_with_scopes_wants_one_of_them_from_providers_tokens_alone() {
    let state = granted();
    let signer = provider(&state);
    let mut scoped = route("r", "s", "/*");
    scoped.required_scopes = vec!["orders:read".into(), "orders:write".into()];
    state.apply(&batch(vec![put(2, scoped), put(2, credential("crd-key", "app", &[user("ada", "pw")]))]));
    for (claims, passes) in [
        (json!({}), false),
        (json!({ "scope": "openid" }), false),
        (json!({ "scope": "openid orders:write" }), true),
        (json!({ "scp": ["orders:read"] }), true),
    ] {
        let expected = if passes { "crd-client" } else { "refused" };
        assert_eq!(bearer(&state, &theirs_of(&signer, claims.clone())), expected, "{claims}");
    }
    assert_eq!(bearer(&state, &ours_of(&hs256())), "crd-jwt", "jwt-auth has no scopes");
}

#[test]
fn an_issuer_that_no_product_names_is_forgotten() {
    let state = granted();
    let issuer = state.key_sets.issuer(ISSUER).unwrap();
    state.apply(&batch(vec![put(2, service("s"))]));
    assert!(Arc::ptr_eq(&issuer, &state.key_sets.issuer(ISSUER).unwrap()), "kept over other changes");
    state.apply(&batch(vec![delete(3, Kind::Product, "prd")]));
    assert!(state.key_sets.issuer(ISSUER).is_none());
}
