//! Issuers who say the right thing, and everything else.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use forecourt_core::addresses::OutgoingRules;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::json;

use super::*;
use crate::tests::peers::Peer;

const NOW: i64 = 1_786_093_200;
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An issuer that answers each path with what stands here.
struct Issuer {
    answers: Arc<Mutex<HashMap<String, (String, String)>>>,
    peer: Peer,
    key: EcdsaKeyPair,
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap()
}

fn jwk(key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
    json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one",
        "x": coordinate(1), "y": coordinate(33) })
}

fn signed(key: &EcdsaKeyPair, head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(head), part(claims));
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

impl Issuer {
    async fn start() -> Self {
        let answers: Arc<Mutex<HashMap<String, (String, String)>>> = Arc::default();
        let known = Arc::clone(&answers);
        let peer = Peer::routing(move |line, _| {
            let path = line.split(' ').nth(1).unwrap_or_default();
            let missing = || ("404 Not Found".to_owned(), String::new());
            known.lock().unwrap().get(path).cloned().unwrap_or_else(missing)
        })
        .await;
        let issuer = Self { answers, peer, key: key() };
        issuer.says(DISCOVERY, &issuer.metadata());
        issuer.says("/jwks", &json!({ "keys": [jwk(&issuer.key)] }));
        issuer.tells(&issuer.claims());
        issuer
    }

    fn metadata(&self) -> Value {
        let url = |path: &str| self.peer.url(path);
        json!({
            "issuer": url(""), "authorization_endpoint": url("/authorize?theme=dark"),
            "token_endpoint": url("/token"), "jwks_uri": url("/jwks"), "userinfo_endpoint": url("/me"),
        })
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.peer.url(""), "aud": "forecourt", "sub": "ann-7", "nonce": "the-nonce",
            "iat": NOW, "exp": NOW + 300, "preferred_username": "ann", "email": "ann@example.com",
            "name": "Ann Lee",
        })
    }

    fn head() -> Value {
        json!({ "alg": "ES256", "kid": "one", "typ": "JWT" })
    }

    fn says(&self, path: &str, body: &Value) {
        self.answers(path, "200 OK", &body.to_string());
    }

    fn answers(&self, path: &str, status: &str, body: &str) {
        self.answers.lock().unwrap().insert(path.into(), (status.into(), body.into()));
    }

    /// Has the token endpoint answer with a sound signature on these claims.
    fn tells(&self, claims: &Value) {
        self.hands_out(&signed(&self.key, &Self::head(), claims));
    }

    fn hands_out(&self, token: &str) {
        self.says("/token", &json!({ "id_token": token, "access_token": "access", "token_type": "Bearer" }));
    }

    fn settings(&self) -> OidcSignIn {
        OidcSignIn {
            issuer: self.peer.url(""),
            client_id: "forecourt".into(),
            request_scopes: vec!["email".into(), "openid".into()],
            ..OidcSignIn::default()
        }
    }

    async fn arrive(&self) -> Result<ExternalPerson, SignInFault> {
        self.arrive_with(&self.settings(), &reply()).await
    }

    async fn arrive_with(
        &self,
        settings: &OidcSignIn,
        reply: &OidcReply,
    ) -> Result<ExternalPerson, SignInFault> {
        let client = OidcClient { settings, secret: PlainSecret::presented("s3cret:&") };
        arrive(&outgoing(), &client, &memo(), reply, Timestamp::from_seconds(NOW)).await
    }
}

fn outgoing() -> Outgoing {
    Outgoing::new(OutgoingRules::default())
}

fn memo() -> OidcMemo {
    OidcMemo {
        nonce: "the-nonce".into(),
        verifier: "the-verifier".into(),
        redirect_uri: "https://console.example/api/oidc/callback".into(),
    }
}

fn reply() -> OidcReply {
    OidcReply { code: Some("the-code".into()), ..OidcReply::default() }
}

fn is_refused(outcome: &Result<ExternalPerson, SignInFault>) -> bool {
    matches!(outcome, Err(SignInFault::Refused(_)))
}

#[tokio::test]
async fn a_browser_is_sent_to_the_issuer_with_all_that_makes_its_return_its_own() {
    let issuer = Issuer::start().await;
    let settings = issuer.settings();
    let client = OidcClient { settings: &settings, secret: PlainSecret::presented("s3cret") };
    let url = Url::parse(&depart(&outgoing(), &client, &memo(), "the-state").await.unwrap()).unwrap();
    assert!(url.as_str().starts_with(&issuer.peer.url("/authorize?theme=dark&")), "{url}");
    let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let asked = |name: &str| query[name].as_str();
    assert_eq!((asked("response_type"), asked("client_id")), ("code", "forecourt"));
    assert_eq!(asked("redirect_uri"), "https://console.example/api/oidc/callback");
    assert_eq!((asked("scope"), asked("state"), asked("nonce")), ("openid email", "the-state", "the-nonce"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(b"the-verifier"));
    assert_eq!((asked("code_challenge"), asked("code_challenge_method")), (challenge.as_str(), "S256"));
    assert!(!url.as_str().contains("s3cret") && !url.as_str().contains("the-verifier"));
}

#[tokio::test]
async fn whom_a_sound_token_names_is_known_and_the_code_is_exchanged_with_its_verifier() {
    let issuer = Issuer::start().await;
    let person = issuer.arrive().await.unwrap();
    assert_eq!((person.subject.as_str(), person.username.as_deref()), ("ann-7", Some("ann")));
    assert_eq!((person.first_name.as_deref(), person.last_name.as_deref()), (Some("Ann"), Some("Lee")));
    let heard = issuer.peer.heard();
    let exchange = heard.iter().find(|request| request.starts_with("POST /token")).unwrap();
    assert!(exchange.contains("code=the-code&") && exchange.contains("code_verifier=the-verifier"));
    let pair = STANDARD.encode("forecourt:s3cret%3A%26");
    assert!(exchange.to_lowercase().contains(&format!("authorization: basic {pair}").to_lowercase()));
    assert!(!heard.iter().any(|request| request.starts_with("GET /me")), "nothing more need be asked");
}

#[tokio::test]
async fn a_token_that_proves_anything_else_proves_nothing() {
    let issuer = Issuer::start().await;
    let foreign = issuer.peer.url("/other");
    for (claim, value) in [
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("iss", json!(foreign)),
        ("aud", json!("another")),
        ("aud", json!(["forecourt", "another"])),
        ("azp", json!("another")),
        ("exp", json!(NOW - 61)),
        ("iat", json!(NOW + 61)),
        ("sub", Value::Null),
        ("sub", json!("a\u{0}b")),
    ] {
        let mut claims = issuer.claims();
        claims[claim] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        }
        issuer.tells(&claims);
        let outcome = issuer.arrive().await;
        assert!(outcome.is_err(), "{claim}: {value}: {outcome:?}");
    }
    let mut late = issuer.claims();
    (late["exp"], late["iat"]) = (json!(NOW - 59), json!(NOW + 59));
    issuer.tells(&late);
    assert!(issuer.arrive().await.is_ok(), "clocks that differ by less than a minute");
}

#[tokio::test]
async fn only_a_key_of_the_issuer_signs_and_never_with_an_algorithm_of_secrets() {
    let issuer = Issuer::start().await;
    let claims = issuer.claims();
    issuer.hands_out(&signed(&key(), &Issuer::head(), &claims));
    assert!(is_refused(&issuer.arrive().await), "another key of the same name");
    let unsigned = |algorithm: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({ "alg": algorithm, "kid": "one" })), part(&claims))
    };
    for algorithm in ["none", "None", "HS256", "ES256", "RS256", "unheard-of"] {
        issuer.hands_out(&unsigned(algorithm));
        assert!(is_refused(&issuer.arrive().await), "{algorithm}");
    }
    // The public key taken for a shared secret, and the client's own secret taken for one.
    for secret in [jwk(&issuer.key).to_string(), "s3cret:&".to_owned()] {
        use hmac::{Hmac, KeyInit, Mac};
        let text = unsigned("HS256").trim_end_matches('.').to_owned();
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        issuer.hands_out(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())));
        assert!(is_refused(&issuer.arrive().await), "HS256");
    }
    for token in ["", "a.b.c", "e30.e30.e30", &"x".repeat(100_000)] {
        issuer.hands_out(token);
        assert!(is_refused(&issuer.arrive().await));
    }
}

#[tokio::test]
async fn junk_in_the_place_of_keys_or_configuration_is_told_as_such() {
    let issuer = Issuer::start().await;
    let sound = [(DISCOVERY, issuer.metadata()), ("/jwks", json!({ "keys": [jwk(&issuer.key)] }))];
    for (path, status, body) in [
        ("/jwks", "200 OK", "<html>"),
        ("/jwks", "200 OK", "{}"),
        ("/jwks", "404 Not Found", ""),
        (DISCOVERY, "200 OK", "<html>"),
        (DISCOVERY, "200 OK", "{}"),
        (DISCOVERY, "302 Found", ""),
        ("/token", "200 OK", "[]"),
        ("/token", "401 Unauthorized", r#"{"error":"invalid_client"}"#),
    ] {
        issuer.answers(path, status, body);
        let outcome = issuer.arrive().await;
        assert!(matches!(outcome, Err(SignInFault::Misconfigured(_))), "{path} {status} {body}: {outcome:?}");
        sound.iter().for_each(|(path, body)| issuer.says(path, body));
        issuer.tells(&issuer.claims());
    }
    issuer.says("/jwks", &json!({ "keys": [] }));
    assert!(is_refused(&issuer.arrive().await), "no key at all");
    let junk = json!({ "kty": "nonsense", "kid": 7 });
    issuer.says("/jwks", &json!({ "keys": [junk, { "kty": "EC" }, jwk(&issuer.key)] }));
    issuer.arrive().await.expect("keys of other kinds disturb nobody");
}

#[tokio::test]
async fn an_issuer_that_names_another_or_sends_calls_elsewhere_is_not_followed() {
    let issuer = Issuer::start().await;
    let mut metadata = issuer.metadata();
    metadata["issuer"] = json!("https://id.example.com");
    issuer.says(DISCOVERY, &metadata);
    let Err(SignInFault::Misconfigured(why)) = issuer.arrive().await else { panic!("another issuer") };
    assert!(why.contains("another issuer"), "{why}");
    for address in ["http://169.254.169.254/latest", "file:///etc/passwd", "http://user:pw@id.example.com/"] {
        let mut metadata = issuer.metadata();
        metadata["jwks_uri"] = json!(address);
        issuer.says(DISCOVERY, &metadata);
        assert!(matches!(issuer.arrive().await, Err(SignInFault::Misconfigured(_))), "{address}");
    }
    let mut metadata = issuer.metadata();
    metadata["authorization_endpoint"] = json!("javascript:alert(1)");
    issuer.says(DISCOVERY, &metadata);
    let settings = issuer.settings();
    let client = OidcClient { settings: &settings, secret: PlainSecret::presented("s3cret") };
    assert!(depart(&outgoing(), &client, &memo(), "s").await.is_err());
}

#[tokio::test]
async fn a_refusal_and_an_answer_of_another_issuer_end_the_sign_in() {
    let issuer = Issuer::start().await;
    let settings = issuer.settings();
    for refused in [
        OidcReply { error: Some("access_denied".into()), ..reply() },
        OidcReply { code: None, ..reply() },
        OidcReply { issuer: Some("https://id.example.com".into()), ..reply() },
    ] {
        assert!(is_refused(&issuer.arrive_with(&settings, &refused).await), "{refused:?}");
    }
    let own = OidcReply { issuer: Some(issuer.peer.url("")), ..reply() };
    assert!(issuer.arrive_with(&settings, &own).await.is_ok());
    let mut metadata = issuer.metadata();
    metadata["authorization_response_iss_parameter_supported"] = json!(true);
    issuer.says(DISCOVERY, &metadata);
    assert!(is_refused(&issuer.arrive().await), "who always says who answers did not");
    issuer.says(DISCOVERY, &issuer.metadata());
    issuer.answers("/token", "400 Bad Request", r#"{"error":"invalid_grant"}"#);
    assert!(is_refused(&issuer.arrive().await), "a code that is spent");
    issuer.answers("/token", "503 Service Unavailable", "");
    assert!(matches!(issuer.arrive().await, Err(SignInFault::Unreachable(_))));
}

#[tokio::test]
async fn claims_go_by_other_names_where_the_settings_say_so_and_the_userinfo_adds_what_is_missing() {
    let issuer = Issuer::start().await;
    let mut claims = issuer.claims();
    claims
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !["name", "preferred_username"].contains(&name.as_str()));
    issuer.tells(&claims);
    issuer.says(
        "/me",
        &json!({ "sub": "ann-7", "login": "lee", "full": "Ann B. Lee", "email": "no@example.com" }),
    );
    let attributes = [("username", "login"), ("name", "full")];
    let attributes = attributes.map(|(own, theirs)| (own.to_owned(), theirs.to_owned())).into();
    let settings = OidcSignIn { attributes, ..issuer.settings() };
    let person = issuer.arrive_with(&settings, &reply()).await.unwrap();
    assert_eq!((person.username.as_deref(), person.last_name.as_deref()), (Some("lee"), Some("Lee")));
    assert_eq!(person.email.as_deref(), Some("ann@example.com"), "the token wins");
    issuer.says("/me", &json!({ "sub": "eve", "login": "lee" }));
    assert!(is_refused(&issuer.arrive_with(&settings, &reply()).await), "the userinfo of somebody else");
    issuer.answers("/me", "500 Internal Server Error", "");
    let person = issuer.arrive_with(&settings, &reply()).await.unwrap();
    assert_eq!((person.username, person.subject.as_str()), (None, "ann-7"), "it is not needed");
    claims["email_verified"] = json!(false);
    issuer.tells(&claims);
    assert_eq!(issuer.arrive().await.unwrap().email, None, "an address that the issuer does not believe");
}

#[test]
fn an_issuer_over_tls_names_no_address_in_clear() {
    let plain = |member: &str| {
        let mut told = json!({
            "issuer": "https://id.example", "authorization_endpoint": "https://id.example/a",
            "token_endpoint": "https://tokens.example/t", "jwks_uri": "HTTPS://id.example/k",
            "userinfo_endpoint": "https://id.example/u", "end_session_endpoint": "https://id.example/e",
        });
        if !member.is_empty() {
            told[member] = json!("http://id.example/plain");
        }
        serde_json::from_value::<Metadata>(told).unwrap().unprotected()
    };
    assert_eq!(plain(""), None);
    for member in
        ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"]
    {
        assert_eq!(plain(member), Some(member));
    }
}
