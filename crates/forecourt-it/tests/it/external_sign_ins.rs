//! Administrators' sign-in by way of real providers: OpenID Connect, a directory, SAML and CAS.

mod cas;
mod ldap;
mod oidc;
mod saml;

use forecourt_core::{
    external_sign_ins::PendingSignIn,
    ids::SignInOptionId,
    secrets::{KeptSecret, PlainSecret, SecretDigest},
    sign_in_options::SignInOption,
    time::Timestamp,
};
use forecourt_it::{Answer, Browser, Forecourt, Page, TestDatabase, installations::text};
use forecourt_store::Store;
use serde_json::Value;

use crate::store::location;

/// What the console calls itself, where a browser finds it.
fn console(f: &Forecourt) -> String {
    f.guest().base().to_owned()
}

/// Adds an option of the administrators and gives its id.
async fn add(f: &Forecourt, option: Value) -> String {
    let made = f.admin().await.post("/api/login_options", option).await.expect(200);
    text(&made["value"]["id"])
}

/// The administrators' built-in option.
async fn disable_passwords(f: &Forecourt) {
    let admin = f.admin().await.with_bearer(&token(f).await);
    let options = admin.get("/api/login_options?order_by=created_at&direction=asc").await.expect(200);
    let path = format!("/api/login_options/{}", text(&options["list"][0]["id"]));
    admin.put(&path, serde_json::json!({ "disable": true })).await.expect(200);
}

/// An access token of the first administrator, which goes on when passwords do not.
async fn token(f: &Forecourt) -> String {
    let body = serde_json::json!({ "name": "story", "expires_at": 0 });
    let made = f.admin().await.post("/api/settings/tokens", body).await.expect(200);
    text(&made["value"]["token"])
}

/// What the Admin API says to whoever has this session.
async fn me(f: &Forecourt, session: Option<String>) -> Answer {
    f.guest().with("cookie", &format!("session={}", session.unwrap_or_default())).get("/api/me").await
}

async fn me_of(f: &Forecourt, browser: &Browser) -> Value {
    me(f, browser.cookie("session")).await.expect(200)["value"].clone()
}

/// Who the browser is here, where it is somebody.
async fn somebody(f: &Forecourt, browser: &Browser) -> Option<Value> {
    let answer = me(f, Some(browser.cookie("session")?)).await;
    (answer.status == 200).then(|| answer.expect(200)["value"].clone())
}

/// Where a page leads to, with its query; empty: nowhere.
fn path(page: &Page) -> String {
    let Some(url) = page.next() else { return String::new() };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", url.path())
}

fn digest(text: &str) -> SecretDigest {
    PlainSecret::presented(text).digest()
}

fn pending(state: &str, expires: i64) -> PendingSignIn {
    PendingSignIn {
        state: digest(state),
        option: SignInOptionId::known("sio_1"),
        browser: digest("browser"),
        memo: KeptSecret::Sealed("memo".into()),
        next: "/portals".into(),
        expires_at: Timestamp::from_seconds(expires),
    }
}

#[tokio::test]
async fn a_sign_in_that_waits_is_taken_once_by_one_of_several_processes_and_not_for_ever() {
    let database = TestDatabase::new();
    let (one, other) =
        (Store::open(&location(&database)).await.unwrap(), Store::open(&location(&database)).await.unwrap());
    let now = Timestamp::from_seconds(100);
    let tx = one.begin().await.unwrap();
    let option = SignInOption::built_in(SignInOptionId::known("sio_1"), None, now);
    tx.insert_sign_in_option(&option).await.unwrap();
    tx.commit(now).await.unwrap();
    let add = async |state: &str, expires: i64, now: i64| {
        let tx = one.begin().await.unwrap();
        let now = Timestamp::from_seconds(now);
        tx.insert_pending_sign_in(&pending(state, expires), 3, now).await.unwrap();
        tx.commit(now).await.unwrap();
    };
    add("a", 200, 100).await;
    let take = async |store: &Store| {
        let tx = store.begin().await.unwrap();
        let taken = tx.take_pending_sign_in(&digest("a")).await.unwrap();
        tx.commit(now).await.unwrap();
        taken
    };
    let (first, second) = tokio::join!(take(&one), take(&other));
    let taken: Vec<_> = [first, second].into_iter().flatten().collect();
    assert_eq!(taken, [pending("a", 200)]);

    for (state, expires) in [("b", 201), ("c", 202), ("d", 203), ("e", 204)] {
        add(state, expires, 100).await;
    }
    let waits = async |state: &str| one.read().pending_sign_in(&digest(state)).await.unwrap().is_some();
    assert!(!waits("b").await && waits("c").await && waits("e").await, "the oldest went");
    add("f", 300, 203).await;
    assert!(!waits("d").await && waits("e").await && waits("f").await, "what expired went");
    let tx = one.begin().await.unwrap();
    tx.delete_sign_in_option(&option.id).await.unwrap();
    tx.commit(now).await.unwrap();
    assert!(!waits("e").await, "they go with their option");
}

#[tokio::test]
async fn somebody_who_was_proven_is_not_forgotten_for_those_who_begin() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let now = Timestamp::from_seconds(100);
    let tx = store.begin().await.unwrap();
    let option = SignInOption::built_in(SignInOptionId::known("sio_1"), None, now);
    tx.insert_sign_in_option(&option).await.unwrap();
    // They end before everybody else.
    tx.insert_held_sign_in(&pending("proven", 160), now).await.unwrap();
    for (state, expires) in [("a", 700), ("b", 701), ("c", 702)] {
        tx.insert_pending_sign_in(&pending(state, expires), 2, now).await.unwrap();
    }
    tx.commit(now).await.unwrap();
    let waits = async |state: &str| store.read().pending_sign_in(&digest(state)).await.unwrap().is_some();
    assert!(waits("proven").await);
    assert!(!waits("a").await && waits("b").await && waits("c").await, "the oldest that was begun went");
    let later = Timestamp::from_seconds(160);
    let tx = store.begin().await.unwrap();
    tx.insert_held_sign_in(&pending("another", 220), later).await.unwrap();
    tx.commit(later).await.unwrap();
    assert!(!waits("proven").await && waits("another").await && waits("b").await, "what expired went");
}
