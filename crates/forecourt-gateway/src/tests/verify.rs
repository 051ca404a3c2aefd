//! The decision, line by line of docs/gateway.md §2 to §4.

use std::sync::Arc;

use forecourt_core::{
    gateway_state::{CredentialState, KeyAuthMethod, Kind},
    ids::{CredentialId, PortalId},
    time::Timestamp,
};
use forecourt_wire::changes::Change;
use http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod};

use super::{PasswordAnswer, Proven, Request, Verdict, verify};
use crate::{
    rejects::{AcceptedMethods, Reject},
    state::State,
    tests::rows::{
        application, batch, credential, delete, delete_grant, grant, hash, head, key, product, put, route,
        service, user,
    },
};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

/// Service `s` under product `prd`; application `app` is granted, with key `k` and user `ada`, password `pw`.
fn granted() -> State {
    let state = State::empty([3, 5]);
    state.apply(&batch(vec![
        put(1, service("s")),
        put(1, route("r", "s", "/*")),
        put(1, product("prd", &["s"])),
        put(1, application("app")),
        put(1, credential("crd-key", "app", &[key("k")])),
        put(1, credential("crd-user", "app", &[user("ada", "pw")])),
        put(1, grant("app", "prd")),
    ]));
    state
}

fn after(change: Change) -> State {
    let state = granted();
    state.apply(&batch(vec![change]));
    state
}

fn request(state: &State, fields: &[(&'static str, &str)], query: Option<&str>, proven: &Proven) -> Verdict {
    let headers: HeaderMap = fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    state.consistently(|table| {
        let route = table.find(&head("any", "/x", &HttpMethod::GET, &headers)).unwrap();
        verify(
            state,
            table,
            route,
            &Request { method: &HttpMethod::GET, headers: &headers, query, now: NOW },
            proven,
        )
    })
}

/// `open`, the credential that passes, `question` with a number of hashes, or `refused`.
fn outcome(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Permit(permit) => match permit.identity() {
            None => "open".into(),
            Some(identity) => identity.credential.unpack(CredentialId::PREFIX),
        },
        Verdict::Reject(Reject::Unauthorized(_)) => "refused".into(),
        Verdict::Reject(other) => format!("{other:?}"),
        Verdict::NeedsPasswordCheck(question) => format!("question of {}", question.hashes.len()),
        Verdict::NeedsNewerKeys(issuer) => format!("keys of {}", issuer.name),
    }
}

fn by_key(state: &State) -> String {
    outcome(&request(state, &[("apikey", "k")], None, &Proven::default()))
}

fn basic(name: &str, password: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

fn answered(fitting: Vec<Arc<str>>) -> Proven {
    let mut proven = Proven::default();
    proven.add_password(PasswordAnswer { asker: "product", fitting: fitting.into() });
    proven
}

fn proof(password: &str, salt: &str) -> Proven {
    answered(vec![hash(password, salt).into()])
}

#[test]
fn a_granted_key_passes_and_names_who_calls() {
    let verdict = request(&granted(), &[("apikey", "k")], None, &Proven::default());
    let Verdict::Permit(permit) = verdict else { panic!("refused") };
    let identity = permit.identity().unwrap();
    assert_eq!(identity.application.id_text(), "app");
    assert_eq!(identity.credential.unpack(CredentialId::PREFIX), "crd-key");
    assert_eq!(identity.developer_name.text(), "developer-of-app");
    assert_eq!(identity.product.id.as_str(), "prd");
}

#[test]
fn a_key_is_refused_when_any_condition_is_missing() {
    let mut other_portal = application("app");
    other_portal.portal_id = PortalId::known("q");
    let mut suspended = application("app");
    suspended.active = false;
    for (why, change) in [
        ("the credential was deleted", delete(2, Kind::Credential, "crd-key")),
        ("the credential was regenerated", put(2, credential("crd-key", "app", &[key("new")]))),
        ("the credential is of another type", put(2, credential("crd-key", "app", &[user("k", "k")]))),
        (
            "the credential belongs to another application",
            put(2, credential("crd-key", "other", &[key("k")])),
        ),
        ("the application is gone", delete(2, Kind::Application, "app")),
        ("the application or its developer is not active", put(2, suspended)),
        ("the application is of another portal", put(2, other_portal)),
        ("the subscription ended", delete_grant(2, "app", "prd")),
    ] {
        assert_eq!(by_key(&after(change)), "refused", "{why}");
    }
    assert_eq!(by_key(&granted()), "crd-key");
}

#[test]
fn a_subscription_to_another_product_does_not_do() {
    let state = after(delete_grant(2, "app", "prd"));
    state.apply(&batch(vec![put(3, product("other", &["t"])), put(3, grant("app", "other"))]));
    assert_eq!(by_key(&state), "refused");
}

#[test]
fn a_method_that_the_product_does_not_name_is_not_looked_at() {
    let mut without_keys = product("prd", &["s"]);
    without_keys.key_auth = None;
    let state = after(put(2, without_keys));
    assert_eq!(by_key(&state), "refused");
    let mut without_passwords = product("prd", &["s"]);
    without_passwords.basic_auth = None;
    let state = after(put(2, without_passwords));
    assert_eq!(
        outcome(&request(&state, &[("authorization", &basic("ada", "pw"))], None, &Proven::default())),
        "refused"
    );
    let verdict = request(&state, &[], None, &Proven::default());
    let expected = AcceptedMethods { key_auth: true, basic_auth: false, bearer: false };
    assert!(matches!(verdict, Verdict::Reject(Reject::Unauthorized(methods)) if methods == expected));
}

#[test]
fn a_product_without_any_method_refuses_everybody() {
    let mut closed = product("prd", &["s"]);
    closed.key_auth = None;
    closed.basic_auth = None;
    assert_eq!(by_key(&after(put(2, closed))), "refused");
}

#[test]
fn a_service_without_a_published_product_is_open() {
    assert_eq!(
        outcome(&request(&after(delete(2, Kind::Product, "prd")), &[], None, &Proven::default())),
        "open"
    );
    assert_eq!(
        outcome(&request(&after(put(2, product("prd", &["other"]))), &[], None, &Proven::default())),
        "open"
    );
}

#[test]
fn the_header_wins_over_the_query() {
    let state = granted();
    assert_eq!(outcome(&request(&state, &[], Some("apikey=k"), &Proven::default())), "crd-key");
    assert_eq!(outcome(&request(&state, &[("apikey", "")], Some("apikey=k"), &Proven::default())), "crd-key");
    assert_eq!(
        outcome(&request(&state, &[("apikey", "wrong")], Some("apikey=k"), &Proven::default())),
        "refused"
    );
    assert_eq!(outcome(&request(&state, &[], Some("APIKEY=k"), &Proven::default())), "refused");
    assert_eq!(outcome(&request(&state, &[], None, &Proven::default())), "refused");
}

#[test]
fn a_product_has_names_of_its_own_for_header_and_query() {
    let mut named = product("prd", &["s"]);
    named.key_auth =
        Some(KeyAuthMethod { header: "X-Key".into(), query: "k e y".into(), hide_credentials: false });
    let state = after(put(2, named));
    let asked =
        |fields: &[(&'static str, &str)], query| outcome(&request(&state, fields, query, &Proven::default()));
    for query in ["k+e+y=k", "k%20e%20y=k", "a=1&k+e+y=k"] {
        assert_eq!(asked(&[], Some(query)), "crd-key", "{query}");
    }
    for query in ["apikey=k", "X-Key=k", "K+e+y=k", "key=k"] {
        assert_eq!(asked(&[], Some(query)), "refused", "{query}");
    }
    assert_eq!(asked(&[("x-key", "k")], None), "crd-key");
    assert_eq!(asked(&[("apikey", "k")], None), "refused");
}

#[test]
fn a_version_is_refused_from_its_end_on() {
    let with_end = |end: Timestamp| -> CredentialState {
        let mut row = credential("crd-key", "app", &[key("old"), key("k")]);
        row.versions[1].valid_until = Some(end);
        row
    };
    let ends_later = after(put(2, with_end(NOW.plus_seconds(1))));
    assert_eq!(by_key(&ends_later), "crd-key");
    assert_eq!(by_key(&after(put(2, with_end(NOW)))), "refused");
    assert_eq!(
        outcome(&request(&ends_later, &[("apikey", "old")], None, &Proven::default())),
        "crd-key",
        "both are live"
    );
}

#[test]
fn the_oldest_of_several_credentials_with_one_key_that_may_pass_is_the_identity() {
    let state = granted();
    let twin = |id: &str, application: &str, age: i64| {
        let mut row = credential(id, application, &[key("k")]);
        row.created_at = Timestamp::from_seconds(age);
        row
    };
    state.apply(&batch(vec![
        put(2, application("other")),
        put(2, twin("older-but-not-granted", "other", -9)),
        put(2, twin("older", "app", -5)),
        put(2, twin("younger", "app", 5)),
    ]));
    assert_eq!(by_key(&state), "older");
    state.apply(&batch(vec![delete(3, Kind::Credential, "older")]));
    assert_eq!(by_key(&state), "crd-key");
}

#[test]
fn a_password_is_asked_about_only_for_credentials_that_could_pass() {
    let ask = |state: &State| {
        outcome(&request(state, &[("authorization", &basic("ada", "?"))], None, &Proven::default()))
    };
    assert_eq!(ask(&granted()), "question of 1");
    assert_eq!(ask(&after(delete_grant(2, "app", "prd"))), "question of 0");
    assert_eq!(ask(&after(put(2, credential("same", "app", &[user("ada", "pw")])))), "question of 2");
    assert_eq!(ask(&after(put(2, credential("namesake", "app", &[user("ada", "other")])))), "question of 2");
    let namesakes: Vec<_> = (0..20)
        .map(|n| put(2, credential(&format!("c{n}"), "app", &[user("ada", &n.to_string())])))
        .collect();
    let crowded = granted();
    crowded.apply(&batch(namesakes));
    assert_eq!(ask(&crowded), "question of 21", "all namesakes count");
}

#[test]
fn a_proven_password_passes_as_the_oldest_credential_that_it_fits() {
    let state = granted();
    let shown = [("authorization", &*basic("ada", "pw"))];
    assert_eq!(outcome(&request(&state, &shown, None, &proof("pw", "ada"))), "crd-user");
    assert_eq!(outcome(&request(&state, &shown, None, &answered(Vec::new()))), "refused");
    let mut older = credential("older", "app", &[user("ada", "pw")]);
    older.created_at = Timestamp::from_seconds(-1);
    state.apply(&batch(vec![put(2, older)]));
    assert_eq!(outcome(&request(&state, &shown, None, &proof("pw", "ada"))), "older");
}

#[test]
fn a_proof_is_worth_nothing_once_the_state_has_moved_on() {
    let state = granted();
    state.apply(&batch(vec![put(2, credential("crd-user", "app", &[user("ada", "changed")]))]));
    let shown = [("authorization", &*basic("ada", "pw"))];
    assert_eq!(outcome(&request(&state, &shown, None, &proof("pw", "ada"))), "refused");
}

#[test]
fn a_wrong_credential_of_one_method_does_not_spoil_a_right_one_of_another() {
    let state = granted();
    let both = [("apikey", "wrong"), ("authorization", &*basic("ada", "pw"))];
    assert_eq!(outcome(&request(&state, &both, None, &Proven::default())), "question of 1");
    assert_eq!(outcome(&request(&state, &both, None, &proof("pw", "ada"))), "crd-user");
    let reversed = [("apikey", "k"), ("authorization", &*basic("ada", "wrong"))];
    assert_eq!(outcome(&request(&state, &reversed, None, &Proven::default())), "crd-key");
}
