//! Clients registered, changed and removed at providers who keep to the protocols, and at providers who do not.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use forecourt_core::addresses::OutgoingRules;

use super::*;
use crate::tests::peers::Peer;

fn outgoing() -> Outgoing {
    Outgoing::with_time(OutgoingRules::default(), Duration::from_secs(2))
}

fn registrar(provider_type: DcrProviderType, address: &str) -> Registrar {
    let token = PlainSecret::presented("Bearer initial");
    Registrar {
        provider_type,
        issuer: address.to_owned(),
        base_url: address.to_owned(),
        headers: [("Authorization".to_owned(), token)].into(),
    }
}

fn new_client(redirect_uris: &[&str]) -> NewClient {
    NewClient {
        client_name: "mobile".into(),
        redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
        application_id: "app_1".into(),
        developer_id: "ada".into(),
    }
}

fn known(management: Option<(&str, &str)>) -> KnownClient {
    let management = management
        .map(|(uri, token)| Management { uri: uri.to_owned(), token: PlainSecret::presented(token) });
    KnownClient { client_id: "c 1/2".into(), management }
}

/// A provider whose discovery names itself, and that answers everything else so.
async fn provider(status: &'static str, body: &'static str) -> Peer {
    let own = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&own);
    let peer = Peer::routing(move |line, _| {
        let own = seen.lock().unwrap().clone();
        if line.contains("openid-configuration") {
            let found = json_text(&[("issuer", &own), ("registration_endpoint", &format!("{own}/reg"))]);
            return ("200 OK".into(), found);
        }
        (status.to_owned(), body.replace("OWN", &own))
    })
    .await;
    *own.lock().unwrap() = peer.url("/realm");
    peer
}

fn json_text(pairs: &[(&str, &str)]) -> String {
    let members: Map<String, Value> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    Value::Object(members).to_string()
}

fn body_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_client_is_registered_with_what_it_may_do() {
    let answer = r#"{"client_id":"c1","client_secret":"s","client_secret_expires_at":77,
        "registration_client_uri":"OWN/reg/c1","registration_access_token":"t"}"#;
    let peer = provider("201 Created", answer).await;
    let registrar = registrar(DcrProviderType::Oidc, &peer.url("/realm"));
    let made = registrar.register(&outgoing(), &new_client(&[])).await.unwrap();
    assert_eq!(made.client_id, "c1");
    assert_eq!(made.secret, Some(IssuedSecret { secret: PlainSecret::presented("s"), expires_at: 77 }));
    let token = PlainSecret::presented("t");
    assert_eq!(made.management, Some(Management { uri: peer.url("/realm/reg/c1"), token }));
    let [discovery, registration] = &peer.heard()[..] else { panic!("{:?}", peer.heard()) };
    assert!(discovery.starts_with("GET /realm/.well-known/openid-configuration "), "{discovery}");
    assert!(!discovery.contains("initial"), "discovery needs no token: {discovery}");
    assert!(registration.contains("authorization: Bearer initial"), "{registration}");
    let expected = serde_json::json!({
        "client_name": "mobile", "redirect_uris": [], "grant_types": ["client_credentials"],
        "response_types": [], "token_endpoint_auth_method": "client_secret_basic",
    });
    assert_eq!(body_of(registration), expected);
    registrar.register(&outgoing(), &new_client(&["https://app.example/cb"])).await.unwrap();
    let grants = body_of(&peer.heard()[3])["grant_types"].clone();
    assert_eq!(grants, serde_json::json!(["client_credentials", "authorization_code", "refresh_token"]));
}

#[tokio::test]
async fn discovery_that_names_another_issuer_or_no_endpoint_registers_nothing() {
    for (found, problem) in [
        (json_text(&[("issuer", "https://other.example")]), "another issuer"),
        ("[]".into(), "no JSON object"),
        ("<html>".into(), "no JSON object"),
    ] {
        let peer = Peer::answering("200 OK", &found).await;
        let registrar = registrar(DcrProviderType::Oidc, &peer.url(""));
        let refused = registrar.register(&outgoing(), &new_client(&[])).await.unwrap_err();
        assert!(refused.to_string().contains(problem), "{refused}");
        assert!(!refused.may_have_arrived());
        assert_eq!(peer.heard().len(), 1);
    }
}

#[tokio::test]
async fn the_registration_endpoint_may_be_on_another_host() {
    let elsewhere = Peer::answering("201 Created", r#"{"client_id":"c1"}"#).await;
    let own = Arc::new(Mutex::new(String::new()));
    let (seen, endpoint) = (Arc::clone(&own), elsewhere.url("/reg"));
    let peer = Peer::routing(move |_, _| {
        let own = seen.lock().unwrap().clone();
        ("200 OK".into(), json_text(&[("issuer", &own), ("registration_endpoint", &endpoint)]))
    })
    .await;
    *own.lock().unwrap() = peer.url("");
    let registrar = registrar(DcrProviderType::Oidc, &peer.url(""));
    let made = registrar.register(&outgoing(), &new_client(&[])).await.unwrap();
    assert_eq!((made.client_id.as_str(), made.secret, made.management), ("c1", None, None));
    assert_eq!(elsewhere.heard().len(), 1);
}

#[tokio::test]
async fn an_issuer_over_tls_moves_no_client_to_a_plain_address() {
    let answer = r#"{"registration_client_uri":"http://127.0.0.1:1/c","registration_access_token":"second"}"#;
    let peer = provider("200 OK", answer).await;
    let secure = registrar(DcrProviderType::Oidc, "https://id.example.com");
    let uri = peer.url("/reg/c");
    let renewed = secure.update(&outgoing(), &known(Some((&uri, "first"))), "mobile", &[]).await.unwrap();
    assert_eq!(renewed, known(Some((&uri, "second"))).management, "the address stays, the token is new");
}

#[tokio::test]
async fn a_refusal_is_told_from_an_answer_that_was_lost() {
    for (status, body, may_have_arrived, told) in [
        (
            "401 Unauthorized",
            r#"{"error":"invalid_token"}"#,
            false,
            "answered 401 Unauthorized (invalid_token)",
        ),
        ("400 Bad Request", r#"{"error":"a b <script>"}"#, false, "answered 400 Bad Request"),
        ("302 Found\r\nLocation: /other", "", false, "answered 302 Found"),
        ("503 Service Unavailable", "", false, "answered 503"),
        ("502 Bad Gateway", "", true, "answered 502"),
        ("500 Internal Server Error", "", true, "answered 500"),
        ("201 Created", "junk", true, "no JSON object"),
        ("201 Created", "{}", true, "no client_id"),
        ("201 Created", r#"{"client_id":7}"#, true, "no client_id"),
        ("201 Created", "{\"client_id\":\"a\\u0000\"}", true, "no client_id"),
    ] {
        let peer = provider(status, body).await;
        let registrar = registrar(DcrProviderType::Oidc, &peer.url("/realm"));
        let error = registrar.register(&outgoing(), &new_client(&[])).await.unwrap_err();
        assert_eq!(error.may_have_arrived(), may_have_arrived, "{status} {body}: {error}");
        assert!(error.to_string().ends_with(told) || error.to_string().contains(told), "{error}");
        assert!(!error.to_string().contains("script"), "{error}");
    }
}

#[tokio::test]
async fn an_update_takes_the_token_that_the_provider_sends_anew() {
    let peer = provider("200 OK", r#"{"client_id":"c 1/2","registration_access_token":"second"}"#).await;
    let registrar = registrar(DcrProviderType::Oidc, &peer.url("/realm"));
    let uri = peer.url("/reg/c");
    let uris = ["https://app.example/cb".to_owned()];
    let renewed =
        registrar.update(&outgoing(), &known(Some((&uri, "first"))), "mobile", &uris).await.unwrap();
    assert_eq!(renewed, known(Some((&uri, "second"))).management);
    let heard = peer.heard();
    assert!(heard[0].starts_with("PUT /reg/c HTTP/1.1"), "{heard:?}");
    assert!(heard[0].contains("authorization: Bearer first") && !heard[0].contains("initial"), "{heard:?}");
    assert_eq!(body_of(&heard[0])["client_id"], "c 1/2");
    let unmanaged = registrar.update(&outgoing(), &known(None), "mobile", &uris).await.unwrap_err();
    assert!(matches!(unmanaged, RegistrationError::Unsupported(_)));
}

#[tokio::test]
async fn a_client_that_is_gone_already_is_gone() {
    for (status, maybe_gone, expected) in [
        ("204 No Content", false, Some(Removed::Now)),
        ("404 Not Found", false, Some(Removed::Before)),
        ("410 Gone", false, Some(Removed::Before)),
        ("401 Unauthorized", true, Some(Removed::Before)),
        ("401 Unauthorized", false, None),
        ("500 Internal Server Error", true, None),
    ] {
        let peer = provider(status, "").await;
        let registrar = registrar(DcrProviderType::Oidc, &peer.url("/realm"));
        let uri = peer.url("/reg/c");
        let removed = registrar.remove(&outgoing(), &known(Some((&uri, "t"))), maybe_gone).await;
        assert_eq!(removed.ok(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_bridge_is_spoken_to_in_json_and_its_ids_are_escaped() {
    let answer = r#"{"client_id":"c1","client_secret":"s","client_secret_expires_at":9}"#;
    let peer = Peer::answering("200 OK", answer).await;
    let registrar = registrar(DcrProviderType::HttpBridge, &peer.url("/v1/"));
    let made = registrar.register(&outgoing(), &new_client(&["https://a.example"])).await.unwrap();
    assert_eq!((made.client_id.as_str(), made.management), ("c1", None));
    let uris = ["https://b.example".to_owned()];
    assert_eq!(registrar.update(&outgoing(), &known(None), "new", &uris).await.unwrap(), None);
    let rotated = registrar.rotate_secret(&outgoing(), &known(None)).await.unwrap();
    assert_eq!(rotated.expires_at, 9);
    assert_eq!(registrar.remove(&outgoing(), &known(None), false).await.unwrap(), Removed::Now);
    let heard = peer.heard();
    let lines: Vec<_> = heard.iter().map(|request| request.lines().next().unwrap()).collect();
    let expected = [
        "POST /v1/clients HTTP/1.1",
        "PUT /v1/clients/c%201%2F2 HTTP/1.1",
        "POST /v1/clients/c%201%2F2/rotate-secret HTTP/1.1",
        "DELETE /v1/clients/c%201%2F2 HTTP/1.1",
    ];
    assert_eq!(lines, expected);
    let body = serde_json::json!({
        "client_name": "mobile", "redirect_uris": ["https://a.example"],
        "application_id": "app_1", "developer_id": "ada",
    });
    assert_eq!(body_of(&heard[0]), body);
    assert!(heard.iter().all(|request| request.contains("authorization: Bearer initial")));
    let dots = KnownClient { client_id: "..".into(), management: None };
    assert!(registrar.remove(&outgoing(), &dots, false).await.is_err());
    assert_eq!(peer.heard().len(), 4, "a path of dots is not called");
}

#[tokio::test]
async fn a_bridge_hears_no_more_than_each_call_needs_and_its_secrets_may_last_for_ever() {
    for (answer, secret) in [
        (r#"{"client_id":"c1"}"#, None),
        (r#"{"client_id":"c1","client_secret":"s"}"#, Some(0)),
        (r#"{"client_id":"c1","client_secret":"s","client_secret_expires_at":9}"#, Some(9)),
    ] {
        let peer = Peer::answering("202 Accepted", answer).await;
        let registrar = registrar(DcrProviderType::HttpBridge, &peer.url("/v1"));
        let made = registrar.register(&outgoing(), &new_client(&[])).await.unwrap();
        assert_eq!(made.secret.map(|secret| secret.expires_at), secret, "{answer}");
        registrar.update(&outgoing(), &known(None), "new", &[]).await.unwrap();
        let rotated = registrar.rotate_secret(&outgoing(), &known(None)).await;
        assert_eq!(
            rotated.ok().map(|secret| secret.expires_at),
            secret,
            "a rotation brings a secret: {answer}"
        );
        registrar.remove(&outgoing(), &known(None), false).await.unwrap();
        let heard = peer.heard();
        let told = serde_json::json!({ "client_name": "new", "redirect_uris": [] });
        assert_eq!(body_of(&heard[1]), told);
        for bare in &heard[2..] {
            assert!(bare.ends_with("\r\n\r\n"), "no body: {bare}");
        }
    }
}
