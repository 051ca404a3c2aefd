//! Holds by themselves: one at a time, and what a provider gave meanwhile outlives a database that is away and a change of
//! the master key.

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
use forecourt_identity::sealing::MasterKey;
use forecourt_store::{Location, Store};
use tempfile::TempDir;

use super::*;
use crate::{
    Config,
    master_keys::{self, Resealed},
    oauth_clients,
};

async fn store() -> (Store, TempDir) {
    let dir = TempDir::new().unwrap();
    (Store::open(&Location::Sqlite(dir.path().join("forecourt.db"))).await.unwrap(), dir)
}

async fn open(store: &Store, config: &Config) -> App {
    let clock = Arc::new(|| Timestamp::from_seconds(1_786_060_800));
    App::open(store.clone(), config, clock).await.unwrap()
}

fn token(app: &App, text: &str) -> Option<KeptManagement> {
    let context = sealing::of_oauth_client(&DcrProviderId::known("dcr_1"), "client-1");
    let token = sealing::seal(app, &PlainSecret::presented(text), &context).unwrap();
    Some(KeptManagement { uri: "http://127.0.0.1/client-1".into(), token })
}

/// A client that is held while its provider is called, and whose credential was deleted meanwhile; the removal waits.
async fn departed(app: &App, caller: &Caller) -> (OauthClient, DcrRemovalId) {
    let held = OauthClient {
        credential_id: CredentialId::known("crd_1"),
        provider_id: DcrProviderId::known("dcr_1"),
        client_id: "client-1".into(),
        redirect_uris: Vec::new(),
        secret_expires_at: 0,
        management: token(app, "first"),
        held_until: None,
        pending_update: None,
    }
    .held(app.now());
    let id = DcrRemovalId::known("rmv_1");
    let application = ApplicationId::known("app_1");
    let removal = DcrRemoval::of_client(id.clone(), held.clone(), application, "mobile".into(), app.now());
    assert_eq!(removal.next_attempt_at, held.held_until, "the removal waits for the call that runs");
    let write = app.begin(caller).await.unwrap();
    write.insert_dcr_removal(&removal).await.unwrap();
    write.commit().await.unwrap();
    (held, id)
}

#[tokio::test]
async fn a_renewed_token_is_stored_once_a_database_that_was_away_is_back() {
    let (store, _dir) = store().await;
    let app = open(&store, &Config::default()).await;
    let caller = Caller::system(Source::Job, app.new_request_id());
    let (held, id) = departed(&app, &caller).await;

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

#[tokio::test]
async fn a_renewed_token_that_waited_while_the_master_key_was_changed_is_stored_under_a_key_that_is_there() {
    let (store, _dir) = store().await;
    let with = |first: &str| Config {
        master_key: MasterKey::from_hex(&first.repeat(32)).unwrap(),
        ..Config::default()
    };
    let (old, new) = (with("0a"), with("0b"));
    let app = open(&store, &old).await;
    let caller = Caller::system(Source::Job, app.new_request_id());
    let (held, id) = departed(&app, &caller).await;
    let second = token(&app, "second");

    let long_ago = Timestamp::from_seconds(1_000_000_000);
    master_keys::rotate(&store, &old.master_key, &new.master_key, long_ago).await.unwrap();
    let mut progress = Resealed::default();
    while master_keys::reseal_some(&app, &mut progress).await.unwrap() {}
    let retired = master_keys::retire(&store, &new.master_key, &old.master_key.id(), app.now()).await;
    assert!(retired.unwrap());
    release(&app, &caller, &held, second, HoldEnd::Told).await;

    let app = open(&store, &new).await;
    let removal = app.read().dcr_removal(&id).await.unwrap().unwrap();
    let known =
        oauth_clients::opened(&app, &held.provider_id, &held.client_id, removal.management.as_ref()).await;
    assert_eq!(known.unwrap().management.unwrap().token.reveal(), "second");
}
