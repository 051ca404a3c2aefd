//! Holds by themselves: one at a time, and what a provider gave meanwhile outlives a database that is away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use forecourt_core::{
    actors::Source,
    ids::{ApplicationId, DcrProviderId, DcrRemovalId},
    secrets::PlainSecret,
    time::Timestamp,
};
use forecourt_store::{Location, Store};
use tempfile::TempDir;

use super::*;
use crate::{Config, sealing};

async fn app() -> (App, TempDir) {
    let dir = TempDir::new().unwrap();
    let store = Store::open(&Location::Sqlite(dir.path().join("forecourt.db"))).await.unwrap();
    let clock = Arc::new(|| Timestamp::from_seconds(1_786_060_800));
    (App::open(store, &Config::default(), clock).await.unwrap(), dir)
}

fn token(app: &App, text: &str) -> Option<KeptManagement> {
    let context = sealing::of_oauth_client(&DcrProviderId::known("dcr_1"), "client-1");
    let token = sealing::seal(app, &PlainSecret::presented(text), &context).unwrap();
    Some(KeptManagement { uri: "http://127.0.0.1/client-1".into(), token })
}

#[tokio::test]
async fn a_renewed_token_is_stored_once_a_database_that_was_away_is_back() {
    let (app, _dir) = app().await;
    let caller = Caller::system(Source::Job, app.new_request_id());
    let held = OauthClient {
        credential_id: CredentialId::known("crd_1"),
        provider_id: DcrProviderId::known("dcr_1"),
        client_id: "client-1".into(),
        redirect_uris: Vec::new(),
        secret_expires_at: 0,
        management: token(&app, "first"),
        held_until: None,
        pending_update: None,
    }
    .held(app.now());
    // Its credential was deleted while its provider was called.
    let id = DcrRemovalId::known("rmv_1");
    let application = ApplicationId::known("app_1");
    let removal = DcrRemoval::of_client(id.clone(), held.clone(), application, "mobile".into(), app.now());
    assert_eq!(removal.next_attempt_at, held.held_until, "the removal waits for the call that runs");
    let write = app.begin(&caller).await.unwrap();
    write.insert_dcr_removal(&removal).await.unwrap();
    write.commit().await.unwrap();

    // Who waits for a writer that does not end is refused after 10 seconds.
    let writer = app.begin(&caller).await.unwrap();
    let second = token(&app, "second");
    release(&app, &caller, &held, second.clone(), HoldEnd::Told).await;
    let kept = async || app.read().dcr_removal(&id).await.unwrap().unwrap();
    assert_eq!(kept().await.management, held.management);
    drop(writer);
    let deadline = Instant::now() + Duration::from_secs(30);
    while kept().await.management != second {
        assert!(Instant::now() < deadline, "the renewed token is lost");
        tokio::task::yield_now().await;
    }
    assert_eq!(kept().await.next_attempt_at, Some(app.now()), "and the removal is due");
}
