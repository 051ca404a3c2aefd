//! Providers over real connections: discovery, rotation, absence, and what their junk costs.

#[path = "key_sets/outgoing.rs"]
mod outgoing;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use forecourt_core::{
    gateway_state::{DcrMethod, Kind, ProductState},
    ids::DcrProviderId,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    time::timeout,
};

use crate::{
    Config,
    tests::{
        rows::{client, credential, delete, product, put, route},
        signing::Signer,
        stage::{PATIENCE, Stage, acting, body, echo, protected_by, read_until, status},
    },
};

/// When the stage begins.
const NOW: i64 = 1_000_000;

/// What a provider answers now: to discovery, and as its key set. `None`: it closes the connection.
#[derive(Default)]
struct Answers {
    discovery: Option<String>,
    keys: Option<String>,
}

struct Provider {
    issuer: String,
    answers: Arc<Mutex<Answers>>,
    /// How often the key set was asked for.
    asked: watch::Receiver<usize>,
    /// Key sets are answered only while this is true.
    open: watch::Sender<bool>,
}

impl Provider {
    async fn with(keys: &[Value]) -> Self {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let (counting, asked) = watch::channel(0);
        let (open, opened) = watch::channel(true);
        let counting = Arc::new(counting);
        let shared = Arc::clone(&answers);
        let port = acting(move |mut stream| {
            let (answers, counting, mut opened) =
                (Arc::clone(&shared), Arc::clone(&counting), opened.clone());
            async move {
                let head = read_until(&mut stream, "\r\n\r\n").await;
                let is_discovery = head.starts_with("GET /realm/.well-known/openid-configuration ");
                if !is_discovery {
                    counting.send_modify(|count| *count += 1);
                    let _ = opened.wait_for(|open| *open).await;
                }
                let text = {
                    let answers = answers.lock().unwrap();
                    if is_discovery { answers.discovery.clone() } else { answers.keys.clone() }
                };
                if let Some(text) = text {
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                    let _ = stream.write_all((head + &text).as_bytes()).await;
                }
            }
        })
        .await;
        let issuer = format!("http://127.0.0.1:{port}/realm");
        let provider = Self { issuer, answers, asked, open };
        provider.discovers(&json!({
            "issuer": provider.issuer,
            "jwks_uri": format!("http://127.0.0.1:{port}/keys"),
        }));
        provider.has(keys);
        provider
    }

    fn discovers(&self, document: &Value) {
        self.answers.lock().unwrap().discovery = Some(document.to_string());
    }

    fn has(&self, keys: &[Value]) {
        self.answers.lock().unwrap().keys = Some(json!({ "keys": keys }).to_string());
    }

    fn goes_away(&self) {
        *self.answers.lock().unwrap() = Answers::default();
    }

    fn count(&self) -> usize {
        *self.asked.borrow()
    }

    /// Waits until the key set was asked for this often.
    async fn asked_for(&mut self, times: usize) {
        let waiting = timeout(PATIENCE, self.asked.wait_for(|count| *count >= times));
        assert_eq!(*waiting.await.expect("the keys should have been asked for").unwrap(), times);
    }

    fn product(&self) -> ProductState {
        let mut row = product("prd", &["s"]);
        row.dcr =
            Some(DcrMethod { provider_id: DcrProviderId::known("provider"), issuer: self.issuer.clone() });
        row
    }

    /// A gateway whose application `app` may call `/s/x` as client `c` of this provider.
    async fn stage(&self) -> Stage {
        self.stage_with(Config::default()).await
    }

    async fn stage_with(&self, config: Config) -> Stage {
        let mut changes = protected_by(echo().await);
        changes.push(put(2, self.product()));
        changes.push(put(2, credential("crd-client", "app", &[client("provider", "c")])));
        Stage::with(config, changes).await
    }

    fn token(&self, signer: &Signer, kid: &str) -> String {
        let claims = json!({ "iss": self.issuer, "azp": "c", "exp": NOW + 1_000_000 });
        signer.token(&json!({ "kid": kid }), &claims)
    }
}

async fn ask(stage: &Stage, token: &str) -> u16 {
    status(&stage.ask("/s/x", &[&format!("Authorization: Bearer {token}")]).await)
}

#[tokio::test]
async fn a_token_passes_with_keys_that_are_found_by_discovery() {
    let signer = Signer::rsa("RS256");
    let mut provider = Provider::with(&[signer.jwk("one")]).await;
    let stage = provider.stage().await;
    let token = provider.token(&signer, "one");
    let answer = stage.ask("/s/x", &[&format!("Authorization: Bearer {token}")]).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let echoed = body(&answer).to_ascii_lowercase();
    assert!(echoed.contains("x-consumer-username: app\n"), "{echoed}");
    assert!(echoed.contains("x-credential-identifier: crd-client\n"), "{echoed}");
    assert!(echoed.contains("x-consumer-custom-id: developer-of-app\n"), "{echoed}");
    assert!(body(&answer).contains(&token), "dcr never removes Authorization");
    for _ in 0..5 {
        assert_eq!(ask(&stage, &token).await, 200);
    }
    provider.asked_for(1).await;
    assert_eq!(stage.gateway.take_usage().iter().map(|entry| entry.totals.calls).sum::<u64>(), 6);
    stage.apply(vec![delete(3, Kind::Credential, "crd-client")]);
    assert_eq!(ask(&stage, &token).await, 401, "deleting the client refuses its tokens at once");
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn keys_are_fetched_when_a_product_with_the_issuer_appears() {
    let mut provider = Provider::with(&[]).await;
    let stage = Stage::protected().await;
    stage.apply(vec![put(2, provider.product())]);
    provider.asked_for(1).await;
    let mut renamed = provider.product();
    renamed.services.clear();
    stage.apply(vec![put(3, renamed)]);
    stage.set_clock(NOW + 600);
    provider.asked_for(2).await;
}

#[tokio::test]
async fn a_rotation_costs_no_refusal_and_all_who_wait_share_one_fetch() {
    let (old, new) = (Signer::fresh("ES256"), Signer::fresh("EdDSA"));
    let mut provider = Provider::with(&[old.jwk("one")]).await;
    let stage = provider.stage().await;
    assert_eq!(ask(&stage, &provider.token(&old, "one")).await, 200);
    provider.has(&[old.jwk("one"), new.jwk("two")]);
    provider.open.send_replace(false);
    let token = provider.token(&new, "two");
    let waiting = futures_of(8, || ask(&stage, &token));
    let opening = async {
        provider.asked_for(2).await;
        provider.open.send_replace(true);
    };
    let (answers, ()) = tokio::join!(waiting, opening);
    assert_eq!(answers, [200; 8]);
    assert_eq!(provider.count(), 2);
}

async fn futures_of<F: Future<Output = u16>>(count: usize, make: impl Fn() -> F) -> Vec<u16> {
    let mut pending: Vec<_> = (0..count).map(|_| Box::pin(make())).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(status) => {
                done.push(status);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn unknown_keys_cause_a_fetch_every_thirty_seconds_at_most() {
    let (known, unknown) = (Signer::fresh("ES256"), Signer::fresh("ES256"));
    let mut provider = Provider::with(&[known.jwk("one")]).await;
    let stage = provider.stage().await;
    assert_eq!(ask(&stage, &provider.token(&known, "one")).await, 200);
    let stranger = provider.token(&unknown, "two");
    for (at, fetches) in [(NOW, 2), (NOW + 29, 2), (NOW + 30, 3), (NOW + 59, 3), (NOW + 60, 4)] {
        stage.set_clock(at);
        for _ in 0..3 {
            assert_eq!(ask(&stage, &stranger).await, 401);
        }
        assert_eq!(provider.count(), fetches, "{}", at - NOW);
        assert_eq!(ask(&stage, &provider.token(&known, "one")).await, 200);
    }
    provider.has(&[unknown.jwk("two")]);
    stage.set_clock(NOW + 90);
    assert_eq!(ask(&stage, &stranger).await, 200, "and the next one finds it");
    assert_eq!(ask(&stage, &provider.token(&known, "one")).await, 401, "what the provider withdrew is gone");
    provider.asked_for(5).await;
}

#[tokio::test]
async fn keys_are_fetched_anew_every_ten_minutes_and_sooner_after_a_failure() {
    let signer = Signer::fresh("ES256");
    let mut provider = Provider::with(&[signer.jwk("one")]).await;
    let stage = provider.stage().await;
    provider.asked_for(1).await;
    assert_eq!(ask(&stage, &provider.token(&signer, "one")).await, 200);
    stage.set_clock(NOW + 600);
    provider.asked_for(2).await;
    provider.answers.lock().unwrap().keys = None;
    stage.set_clock(NOW + 1_200);
    provider.asked_for(3).await;
    assert_eq!(ask(&stage, &provider.token(&signer, "one")).await, 200, "while the provider is away");
    stage.set_clock(NOW + 1_230);
    provider.asked_for(4).await;
}

#[tokio::test]
async fn keys_stay_fresh_when_one_of_two_listeners_is_closed() {
    let mut provider = Provider::with(&[]).await;
    let mut stage = provider.stage().await;
    provider.asked_for(1).await;
    let second = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = stage.gateway.clone();
    let other = tokio::spawn(async move { gateway.serve(second, std::future::pending()).await });
    stage.stop.take().unwrap().send(()).unwrap();
    timeout(PATIENCE, &mut stage.serving).await.expect("the first should have stopped").unwrap();
    stage.set_clock(NOW + 600);
    provider.asked_for(2).await;
    other.abort();
}

#[tokio::test]
async fn keys_of_a_provider_that_is_away_serve_for_a_day() {
    let signer = Signer::fresh("ES256");
    let mut provider = Provider::with(&[signer.jwk("one")]).await;
    let stage = provider.stage().await;
    let token = provider.token(&signer, "one");
    assert_eq!(ask(&stage, &token).await, 200);
    provider.asked_for(1).await;
    provider.goes_away();
    let day = 24 * 60 * 60;
    for (at, expected) in [(day - 1, 200), (day, 401)] {
        stage.set_clock(NOW + at);
        assert_eq!(ask(&stage, &token).await, expected, "after {at} s");
    }
}

#[tokio::test]
async fn without_any_key_the_method_fails_and_the_others_go_on() {
    let signer = Signer::fresh("ES256");
    let provider = Provider::with(&[]).await;
    provider.goes_away();
    let stage = provider.stage().await;
    let token = provider.token(&signer, "one");
    let shown = format!("Authorization: Bearer {token}");
    let refused = stage.ask("/s/x", &[&shown]).await;
    assert_eq!((status(&refused), body(&refused)), (401, r#"{"message":"Authorization Failed"}"#));
    assert_eq!(refused.matches("www-authenticate: Bearer\r\n").count(), 1, "{refused}");
    assert_eq!(status(&stage.ask("/s/x", &[&shown, "apikey: k"]).await), 200);
}

#[tokio::test]
async fn junk_of_a_provider_is_no_key_set_and_spoils_none_that_is_there() {
    let signer = Signer::fresh("ES256");
    let right = json!({ "keys": [signer.jwk("one")] }).to_string();
    let provider = Provider::with(&[signer.jwk("one")]).await;
    let good = provider.answers.lock().unwrap().discovery.clone().unwrap();
    let with = |member: &str, value: Value| {
        let mut document: Value = serde_json::from_str(&good).unwrap();
        document[member] = value;
        document.to_string()
    };
    let endpoint = serde_json::from_str::<Value>(&good).unwrap()["jwks_uri"].as_str().unwrap().to_owned();
    let nested = "[".repeat(200_000);
    for (why, discovery, keys) in [
        ("discovery is no JSON", "<html>".to_owned(), right.clone()),
        ("discovery is deep", nested.clone(), right.clone()),
        ("another issuer", with("issuer", "http://issuer.example".into()), right.clone()),
        ("an issuer with a slash", with("issuer", format!("{}/", provider.issuer).into()), right.clone()),
        ("no issuer", with("issuer", Value::Null), right.clone()),
        ("no key set", with("jwks_uri", Value::Null), right.clone()),
        ("a key set at no address", with("jwks_uri", "keys".into()), right.clone()),
        ("a key set in a file", with("jwks_uri", "file:///etc/passwd".into()), right.clone()),
        (
            "a key set at a link-local address",
            with("jwks_uri", "http://169.254.169.254/".into()),
            right.clone(),
        ),
        (
            "a key set with a password",
            with("jwks_uri", endpoint.replace("http://", "http://a:b@").into()),
            right.clone(),
        ),
        ("a key set that is no JSON", good.clone(), "{".into()),
        ("a deep key set", good.clone(), format!(r#"{{"keys":{nested}"#)),
        ("a key set without keys", good.clone(), "{}".into()),
        ("a huge key set", good.clone(), format!("{right}{}", " ".repeat(1 << 20))),
    ] {
        let answers = Answers { discovery: Some(discovery), keys: Some(keys) };
        *provider.answers.lock().unwrap() = answers;
        let stage = provider.stage().await;
        assert_eq!(ask(&stage, &provider.token(&signer, "one")).await, 401, "{why}");
        *provider.answers.lock().unwrap() =
            Answers { discovery: Some(good.clone()), keys: Some(right.clone()) };
        stage.set_clock(NOW + 30);
        assert_eq!(ask(&stage, &provider.token(&signer, "one")).await, 200, "{why}");
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_holds_up_its_own_callers_alone() {
    let held = Arc::new(AtomicUsize::new(0));
    let holding = Arc::clone(&held);
    let port = acting(move |mut stream| {
        holding.fetch_add(1, Ordering::SeqCst);
        async move {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let signer = Signer::fresh("ES256");
    let mut provider = Provider::with(&[signer.jwk("one")]).await;
    let answering = provider.stage().await;
    provider.asked_for(1).await;
    let mut slow = product("slow", &["open"]);
    let issuer = format!("http://127.0.0.1:{port}");
    slow.dcr = Some(DcrMethod { provider_id: DcrProviderId::known("slow"), issuer: issuer.clone() });
    answering.apply(vec![
        put(3, slow),
        put(3, crate::tests::rows::grant("app", "slow")),
        put(3, credential("crd-slow", "app", &[client("slow", "c")])),
    ]);
    let claims = json!({ "iss": issuer, "azp": "c", "exp": NOW + 100 });
    let shown = format!("Authorization: Bearer {}", signer.token(&json!({ "kid": "one" }), &claims));
    let fields = [&*shown];
    let waits = answering.ask("/open/x", &fields);
    let passes = async { ask(&answering, &provider.token(&signer, "one")).await };
    let begun = tokio::time::Instant::now();
    let (refused, passed) = tokio::join!(waits, passes);
    assert_eq!((status(&refused), passed), (401, 200));
    assert!(begun.elapsed() < PATIENCE / 2, "the wait is bounded");
    assert_eq!(held.load(Ordering::SeqCst), 1, "one call for all");
}

#[tokio::test]
async fn a_scope_that_is_missing_is_refused_like_everything_else() {
    let signer = Signer::fresh("ES256");
    let provider = Provider::with(&[signer.jwk("one")]).await;
    let stage = provider.stage().await;
    let mut scoped = route("r-s", "s", "/s/*");
    scoped.required_scopes = vec!["orders".into()];
    stage.apply(vec![put(3, scoped)]);
    let refused =
        stage.ask("/s/x", &[&format!("Authorization: Bearer {}", provider.token(&signer, "one"))]).await;
    assert_eq!((status(&refused), body(&refused)), (401, r#"{"message":"Authorization Failed"}"#));
    assert_eq!(status(&stage.ask("/s/x", &["apikey: k"]).await), 200);
    assert_eq!(status(&stage.ask("/s/x", &["Authorization: Basic YWRhOnB3"]).await), 200);
}
