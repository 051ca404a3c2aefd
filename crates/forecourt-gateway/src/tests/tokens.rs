//! Tokens at products, line by line of docs/gateway.md §3, §4 and §10; those of providers are in `tokens/providers.rs`,
//! the order of the methods in `tokens/order.rs`.

#[path = "tokens/order.rs"]
mod order;
#[path = "tokens/providers.rs"]
mod providers;

use forecourt_core::{
    gateway_state::{DcrMethod, JwtAlgorithm, JwtAuthMethod, Kind, ProductState},
    ids::{CredentialId, DcrProviderId, PortalId},
    time::Timestamp,
};
use forecourt_wire::changes::Change;
use http::{HeaderMap, HeaderValue, Method as HttpMethod};
use serde_json::{Value, json};

use crate::{
    state::State,
    tests::{
        rows::{
            application, batch, client, credential, delete, delete_grant, grant, head, jwt, jwt_of, key,
            product, put, route, service, user,
        },
        signing::Signer,
    },
    verify::{Proven, Request, Verdict, verify},
};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
const ISSUER: &str = "https://issuer.example";

fn protected() -> ProductState {
    let mut row = product("prd", &["s"]);
    row.jwt_auth = Some(JwtAuthMethod { hide_credentials: false });
    row.dcr = Some(DcrMethod { provider_id: DcrProviderId::known("provider"), issuer: ISSUER.into() });
    row
}

/// Application `app` may call product `prd` with tokens of `j` by secret `secret`, and as client `c` of `provider`.
fn granted() -> State {
    let state = State::empty([3, 5]);
    state.apply(&batch(vec![
        put(1, service("s")),
        put(1, route("r", "s", "/*")),
        put(1, protected()),
        put(1, application("app")),
        put(1, credential("crd-jwt", "app", &[jwt("j", "secret")])),
        put(1, credential("crd-client", "app", &[client("provider", "c")])),
        put(1, grant("app", "prd")),
    ]));
    state
}

fn after(change: Change) -> State {
    let state = granted();
    state.apply(&batch(vec![change]));
    state
}

/// The credential that passes, `refused`, or what is asked.
fn outcome(state: &State, authorization: Option<&str>, query: Option<&str>, proven: &Proven) -> String {
    let headers: HeaderMap = authorization
        .map(|value| (http::header::AUTHORIZATION, HeaderValue::from_str(value).unwrap()))
        .into_iter()
        .collect();
    state.consistently(|table| {
        let route = table.find(&head("any", "/x", &HttpMethod::GET, &headers)).unwrap();
        match verify(
            state,
            table,
            route,
            &Request { method: &HttpMethod::GET, headers: &headers, query, now: NOW },
            proven,
        ) {
            Verdict::Permit(permit) => permit
                .identity()
                .map_or("open".into(), |identity| identity.credential.unpack(CredentialId::PREFIX)),
            Verdict::Reject(_) => "refused".into(),
            Verdict::NeedsPasswordCheck(_) => "password?".into(),
            Verdict::NeedsNewerKeys(issuer) => format!("keys of {}?", issuer.name),
        }
    })
}

fn bearer(state: &State, token: &str) -> String {
    outcome(state, Some(&format!("Bearer {token}")), None, &Proven::default())
}

fn ours(claims: &Value) -> Value {
    let mut whole = json!({ "key": "j", "exp": 1_000_100 });
    whole.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    whole
}

fn ours_of(signer: &Signer) -> String {
    signer.token(&json!({ "typ": "JWT" }), &ours(&json!({})))
}

fn hs256() -> Signer {
    Signer::shared("HS256", "secret")
}

#[test]
fn a_token_of_jwt_auth_passes_by_bearer_in_any_case_or_by_query() {
    let state = granted();
    let token = ours_of(&hs256());
    let nothing = &Proven::default();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(outcome(&state, Some(&format!("{scheme} {token}")), None, nothing), "crd-jwt");
    }
    let query = format!("a=1&jwt={token}");
    assert_eq!(outcome(&state, None, Some(&query), nothing), "crd-jwt");
    assert_eq!(outcome(&state, Some("Basic broken"), Some(&query), nothing), "crd-jwt");
    assert_eq!(outcome(&state, Some("Bearer wrong"), Some(&query), nothing), "refused", "the header wins");
    assert_eq!(outcome(&state, None, Some(&format!("JWT={token}")), nothing), "refused");
    assert_eq!(outcome(&state, None, Some("jwt=%ff&x"), nothing), "refused");
    assert_eq!(outcome(&state, Some(&token), None, nothing), "refused", "without a scheme");
}

#[test]
fn the_kid_names_the_credential_where_no_claim_does() {
    let state = granted();
    let token = |header: Value, claims: Value| hs256().token(&header, &claims);
    assert_eq!(bearer(&state, &token(json!({ "kid": "j" }), json!({ "exp": 1_000_100 }))), "crd-jwt");
    assert_eq!(bearer(&state, &token(json!({ "kid": "x" }), ours(&json!({})))), "crd-jwt");
    assert_eq!(bearer(&state, &token(json!({ "kid": "j" }), ours(&json!({ "key": "x" })))), "refused");
    assert_eq!(bearer(&state, &token(json!({}), json!({ "exp": 1_000_100 }))), "refused");
}

#[test]
fn each_algorithm_of_a_credential_is_verified_and_no_other_than_its_own() {
    let rsa = Signer::rsa("RS256");
    let (p256, ed25519) = (Signer::fresh("ES256"), Signer::fresh("EdDSA"));
    let rows = [
        (Signer::shared("HS384", "s"), jwt_of("j", JwtAlgorithm::Hs384, "s")),
        (Signer::shared("HS512", "s"), jwt_of("j", JwtAlgorithm::Hs512, "s")),
        (Signer::rsa("RS256"), jwt_of("j", JwtAlgorithm::Rs256, &rsa.pem())),
        (Signer::rsa("RS256"), jwt_of("j", JwtAlgorithm::Rs256, &rsa.pem())),
        (Signer::shared("HS256", "secret"), jwt("j", "secret")),
    ];
    for (signer, secret) in rows {
        let state = after(put(2, credential("crd-jwt", "app", &[secret])));
        assert_eq!(bearer(&state, &ours_of(&signer)), "crd-jwt", "{}", signer.algorithm);
        for other in [
            Signer::shared("HS256", rsa.pem()),
            Signer::shared("HS256", "s"),
            Signer::rsa("PS256"),
            Signer::rsa("RS512"),
            Signer::fresh("ES256"),
        ] {
            assert_eq!(
                bearer(&state, &ours_of(&other)),
                "refused",
                "{} {}",
                signer.algorithm,
                other.algorithm
            );
        }
    }
    for (signer, algorithm) in [(p256, JwtAlgorithm::Es256), (ed25519, JwtAlgorithm::EdDsa)] {
        let state = after(put(2, credential("crd-jwt", "app", &[jwt_of("j", algorithm, &signer.pem())])));
        let token = ours_of(&signer);
        assert_eq!(bearer(&state, &token), "crd-jwt");
        assert_eq!(bearer(&state, &token), "crd-jwt", "and again");
        assert_eq!(state.signed_tokens.len(), 1);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{signed}.{other}{}", &signature[1..]);
        assert_eq!(bearer(&state, &forged), "refused", "what was proven is the whole token");
        let anothers = Signer::fresh(signer.algorithm);
        assert_eq!(bearer(&state, &ours_of(&anothers)), "refused", "another's key");
        let replaced = credential("crd-jwt", "app", &[jwt_of("j", algorithm, &anothers.pem())]);
        state.apply(&batch(vec![put(3, replaced)]));
        assert_eq!(bearer(&state, &token), "refused", "what was proven is about the old key");
    }
}

#[test]
fn a_token_of_jwt_auth_is_refused_when_any_condition_is_missing() {
    let token = ours_of(&hs256());
    let mut suspended = application("app");
    suspended.active = false;
    let mut elsewhere = application("app");
    elsewhere.portal_id = PortalId::known("q");
    let mut without = protected();
    without.jwt_auth = None;
    let mut ended = credential("crd-jwt", "app", &[jwt("j", "secret")]);
    ended.versions[0].valid_until = Some(NOW);
    for (why, change) in [
        ("the credential was deleted", delete(2, Kind::Credential, "crd-jwt")),
        ("the secret was regenerated", put(2, credential("crd-jwt", "app", &[jwt("j", "new")]))),
        (
            "the algorithm was changed",
            put(2, credential("crd-jwt", "app", &[jwt_of("j", JwtAlgorithm::Hs512, "secret")])),
        ),
        ("the key was changed", put(2, credential("crd-jwt", "app", &[jwt("i", "secret")]))),
        (
            "the credential is of another type",
            put(2, credential("crd-jwt", "app", &[key("j"), user("j", "secret")])),
        ),
        ("the version ended", put(2, ended)),
        ("the application is gone", delete(2, Kind::Application, "app")),
        ("the application or its developer is not active", put(2, suspended)),
        ("the application is of another portal", put(2, elsewhere)),
        ("the subscription ended", delete_grant(2, "app", "prd")),
        ("the method is not enabled", put(2, without)),
    ] {
        assert_eq!(bearer(&after(change), &token), "refused", "{why}");
    }
    assert_eq!(bearer(&granted(), &token), "crd-jwt");
}

#[test]
fn a_token_of_jwt_auth_must_end_within_a_day_and_have_begun() {
    let state = granted();
    for (why, claims, passes) in [
        ("without end", json!({ "key": "j" }), false),
        ("ended", ours(&json!({ "exp": 1_000_000 })), false),
        ("in a day", ours(&json!({ "exp": 1_086_400 })), true),
        ("in more than a day", ours(&json!({ "exp": 1_086_401 })), false),
        ("in 9999", ours(&json!({ "exp": 253_402_300_799_i64 })), false),
        ("as text", ours(&json!({ "exp": "1000100" })), false),
        ("negative", ours(&json!({ "exp": -1_000_100 })), false),
        ("a fraction", ours(&json!({ "exp": 1_000_100.5 })), true),
        ("not begun", ours(&json!({ "nbf": 1_000_061 })), false),
        ("begun within the leeway", ours(&json!({ "nbf": 1_000_060 })), true),
    ] {
        let expected = if passes { "crd-jwt" } else { "refused" };
        assert_eq!(bearer(&state, &hs256().token(&json!({}), &claims)), expected, "{why}");
    }
}

#[test]
fn namesakes_neither_lock_the_right_one_out_nor_are_taken_for_it() {
    let state = granted();
    let others = (0..2_000).map(|n| {
        let mut row = credential(&format!("c{n}"), "app", &[jwt("j", &format!("secret {n}"))]);
        row.created_at = Timestamp::from_seconds(-1);
        put(2, row)
    });
    state.apply(&batch(others.collect()));
    assert_eq!(bearer(&state, &ours_of(&hs256())), "crd-jwt");
    assert_eq!(bearer(&state, &ours_of(&Signer::shared("HS256", "secret 77"))), "c77");
    assert_eq!(bearer(&state, &ours_of(&Signer::shared("HS256", "secret x"))), "refused");
}
