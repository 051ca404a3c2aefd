//! Changes of the master key on a database with more rows than one transaction re-seals, by a clock that is moved. Those
//! that are given up are in `tests/abandoned.rs`.

mod abandoned;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use forecourt_core::{
    audit_logs::AuditFilter,
    dcr_removals::DcrRemoval,
    ids::{ApplicationId, CredentialId, DcrProviderId, DcrRemovalId},
    oauth_clients::{KeptManagement, OauthClient},
    secrets::KeptSecret,
};
use forecourt_identity::authority;
use forecourt_store::{Location, StoredAuthority};
use tempfile::TempDir;

use super::*;
use crate::{Clock, Config, oauth_clients, sealing, sync_authority};

/// More than two transactions re-seal.
const ROWS: usize = 250;

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct Moved(Arc<AtomicI64>);

impl Moved {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_786_060_800)))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn as_argument(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

async fn store() -> (Store, TempDir) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&Location::Sqlite(folder.path().join("forecourt.db"))).await.unwrap();
    (store, folder)
}

fn master(first: &str) -> MasterKey {
    MasterKey::from_hex(&first.repeat(32)).unwrap()
}

async fn open(store: &Store, key: &MasterKey, clock: &Moved) -> Result<App, Error> {
    let config = Config { master_key: key.clone(), ..Config::default() };
    App::open(store.clone(), &config, clock.as_argument()).await
}

fn provider() -> DcrProviderId {
    DcrProviderId::known("dcr_1")
}

fn removal_id(n: usize) -> DcrRemovalId {
    DcrRemovalId::known(format!("rmv_{n:04}"))
}

/// What a client is managed with, sealed by `sealer`.
fn management(sealer: &Sealer, n: usize) -> KeptManagement {
    let place = sealing::of_oauth_client(&provider(), &format!("client-{n}"));
    let token = PlainSecret::presented(format!("token-{n}"));
    let token = sealer.seal(&token, &place, &mut OsRandom).unwrap();
    KeptManagement { uri: format!("http://127.0.0.1/{n}"), token }
}

async fn leave(tx: &Tx, sealer: &Sealer, n: usize, now: Timestamp) {
    let client = OauthClient {
        credential_id: CredentialId::known(format!("crd_{n}")),
        provider_id: provider(),
        client_id: format!("client-{n}"),
        redirect_uris: Vec::new(),
        secret_expires_at: 0,
        management: Some(management(sealer, n)),
        held_until: None,
        pending_update: None,
    };
    let application = ApplicationId::known("app_1");
    let removal = DcrRemoval::of_client(removal_id(n), client, application, "mobile".into(), now);
    tx.insert_dcr_removal(&removal).await.unwrap();
}

/// Leaves rows that are sealed as `app` seals now.
async fn fill(app: &App) {
    let tx = app.store().begin().await.unwrap();
    for n in 0..ROWS {
        leave(&tx, app.sealer(), n, app.now()).await;
    }
    tx.commit(app.now()).await.unwrap();
}

async fn token_of(app: &App, n: usize) -> String {
    let removal = app.read().dcr_removal(&removal_id(n)).await.unwrap().unwrap();
    let client_id = format!("client-{n}");
    let client = oauth_clients::opened(app, &provider(), &client_id, removal.management.as_ref()).await;
    client.unwrap().management.unwrap().token.reveal().to_owned()
}

/// How many rows name a data key that no longer seals.
async fn left(store: &Store) -> u64 {
    let keys = status(store.read()).await.unwrap().data_keys;
    keys.iter().filter(|key| !key.seals).flat_map(|key| &key.named_by).map(|(_, rows)| *rows).sum()
}

async fn reseal_all(store: &Store, key: &MasterKey, now: Timestamp) -> u64 {
    let sealer = opened(store.read(), key).await.unwrap();
    let mut progress = Resealed::default();
    while reseal(store, &sealer, &mut progress, now).await.unwrap() {}
    progress.rows
}

#[tokio::test]
async fn after_a_rotation_both_keys_open_and_whoever_knew_nothing_of_it_opens_at_once() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    let (one, other) = (open(&store, &old, &clock).await.unwrap(), open(&store, &old, &clock).await.unwrap());
    fill(&one).await;
    let first = one.sealer().key_id();
    assert_eq!(rotate(&store, &old, &new, clock.now()).await.unwrap(), Rotation::Begun);
    assert_eq!(rotate(&store, &old, &new, clock.now()).await.unwrap(), Rotation::GoesOn);
    let third = rotate(&store, &old, &master("0c"), clock.now()).await.unwrap_err();
    assert_eq!(third.code(), "master_key_rotation", "{third}");

    assert!(reseal_all(&store, &new, clock.now()).await >= ROWS as u64);
    assert_eq!(left(&store).await, 0);
    assert_eq!(other.sealer().key_id(), first, "it has not looked since");
    assert_eq!(token_of(&other, 7).await, "token-7");
    assert_ne!(other.sealer().key_id(), first, "and learned the key with the first that it did not know");

    // What is written next is under the fresh key, by whoever writes.
    let caller = Caller::system(Source::Job, one.new_request_id());
    let write = one.begin(&caller).await.unwrap();
    assert_eq!(one.sealer().key_id(), other.sealer().key_id());
    drop(write);
    for key in [&old, &new] {
        let again = open(&store, key, &clock).await.unwrap();
        assert_eq!(token_of(&again, 249).await, "token-249");
        assert_eq!(again.sealer().salt_of("ada"), one.sealer().salt_of("ada"), "salts stay");
    }
    assert_eq!(open(&store, &master("0c"), &clock).await.unwrap_err().code(), "other_master_key");
}

#[tokio::test]
async fn what_was_ended_in_the_middle_goes_on_where_rows_are_left() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    fill(&open(&store, &old, &clock).await.unwrap()).await;
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    let all = left(&store).await;
    let sealer = opened(store.read(), &new).await.unwrap();
    let mut progress = Resealed::default();
    while progress.rows < 100 {
        assert!(reseal(&store, &sealer, &mut progress, clock.now()).await.unwrap());
    }
    let some = left(&store).await;
    assert!(0 < some && some < all, "{some} of {all}");

    // Another process with either key goes on, and knows nothing of how far the first was.
    let again = open(&store, &old, &clock).await.unwrap();
    let mut anew = Resealed::default();
    while reseal_some(&again, &mut anew).await.unwrap() {}
    assert_eq!((anew.rows, left(&store).await), (some, 0));
    for n in [0, 99, 100, 249] {
        assert_eq!(token_of(&again, n).await, format!("token-{n}"));
    }
}

#[tokio::test]
async fn what_was_sealed_before_a_rotation_and_committed_behind_the_pass_is_sealed_anew_too() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    open(&store, &old, &clock).await.unwrap();
    let before = opened(store.read(), &old).await.unwrap();
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    let app = open(&store, &new, &clock).await.unwrap();
    let mut progress = Resealed::default();
    while reseal_some(&app, &mut progress).await.unwrap() {}
    let tx = store.begin().await.unwrap();
    leave(&tx, &before, 1, clock.now()).await;
    tx.commit(clock.now()).await.unwrap();
    assert!(!reseal_some(&app, &mut progress).await.unwrap(), "nothing is settled yet");
    clock.advance(SETTLING_SECONDS);
    while reseal_some(&app, &mut progress).await.unwrap() {}
    assert_eq!(left(&store).await, 0);
    assert_eq!(token_of(&app, 1).await, "token-1");
    let keys = store.read().data_keys().await.unwrap();
    assert!(keys[0].unused_since.is_some(), "and from now on nobody looks");
    assert!(retire(&store, &new, &old.id(), clock.now()).await.unwrap());
}

#[tokio::test]
async fn an_old_key_goes_once_nothing_needs_it_and_opens_nothing_then() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    let serving = open(&store, &old, &clock).await.unwrap();
    fill(&serving).await;
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    let refused = async |own: &MasterKey, id: &str| {
        let error = retire(&store, own, id, clock.now()).await.unwrap_err();
        assert_eq!(error.code(), "master_key_retirement");
        error.to_string()
    };
    assert!(!retire(&store, &new, "00000000", clock.now()).await.unwrap(), "it opens nothing");
    assert!(refused(&new, &new.id()).await.contains("in use"));
    assert!(refused(&old, &old.id()).await.contains("the settings still give"));
    clock.advance(SETTLING_SECONDS - 1);
    assert!(refused(&new, &old.id()).await.contains("less than 30 seconds ago"));
    clock.advance(1);
    assert!(refused(&new, &old.id()).await.contains("are still sealed under the data key"));
    reseal_all(&store, &new, clock.now()).await;
    assert!(retire(&store, &new, &old.id(), clock.now()).await.unwrap());
    assert!(!retire(&store, &new, &old.id(), clock.now()).await.unwrap(), "once");

    assert_eq!(store.read().data_keys().await.unwrap().len(), 1);
    assert_eq!(store.read().master_key_ids().await.unwrap(), [new.id()]);
    let error = open(&store, &old, &clock).await.unwrap_err();
    assert!(error.to_string().contains(&new.id()) && error.to_string().contains(&old.id()), "{error}");
    assert_eq!(token_of(&open(&store, &new, &clock).await.unwrap(), 5).await, "token-5");
    assert_eq!(rotate(&store, &new, &old, clock.now()).await.unwrap(), Rotation::Begun, "and back");
}

#[tokio::test]
async fn a_change_and_a_retirement_are_in_the_audit_log_by_the_command_line_without_a_key() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    open(&store, &old, &clock).await.unwrap();
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    clock.advance(SETTLING_SECONDS);
    reseal_all(&store, &new, clock.now()).await;
    retire(&store, &new, &old.id(), clock.now()).await.unwrap();
    for (event_type, id) in [("RotateMasterKey", new.id()), ("RetireMasterKey", old.id())] {
        let filter = AuditFilter { event_type: Some(event_type.into()), ..AuditFilter::default() };
        let found = store.read().audit_records(&filter).await.unwrap();
        assert_eq!(found.total, 1, "{event_type}");
        let record = &found.rows[0].record;
        assert_eq!((record.source.as_str(), record.resource_id.as_str()), ("command_line", id.as_str()));
        let told = format!("{record:?}");
        let wrapped = store.read().key_wrappings().await.unwrap();
        assert!(!told.contains("0a0a0a") && !told.contains("0b0b0b"), "{told}");
        assert!(wrapped.iter().all(|wrapping| !told.contains(&wrapping.wrapped)), "{told}");
    }
    let verified = audit_logs::verify(store.read(), &new, |finding| panic!("{finding}")).await.unwrap();
    assert!(verified.checked >= 2, "the chain goes on over both");
}

/// As versions did that knew of no data keys: the texts are sealed under the master key itself, and nothing else is kept.
#[tokio::test]
async fn an_older_database_opens_as_it_is_and_its_key_can_be_changed() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    let direct = Sealer::new(&old);
    let tx = store.begin().await.unwrap();
    tx.save_master_key_id(&old.id()).await.unwrap();
    let made = authority::make().unwrap();
    let key = direct.seal(&made.key, sync_authority::PLACE, &mut OsRandom).unwrap();
    tx.save_sync_authority(&StoredAuthority { certificate: made.chain, key: key.clone() }).await.unwrap();
    leave(&tx, &direct, 1, clock.now()).await;
    tx.commit(clock.now()).await.unwrap();

    let wrong = open(&store, &new, &clock).await.unwrap_err();
    assert_eq!(wrong.code(), "other_master_key");
    assert!(store.read().data_keys().await.unwrap().is_empty(), "a refusal changes nothing");
    let app = open(&store, &old, &clock).await.unwrap();
    assert_eq!(token_of(&app, 1).await, "token-1");
    assert_eq!(app.sealer().salt_of("ada"), direct.salt_of("ada"), "hashes of passwords stay valid");
    assert_eq!(app.sealer().key_id(), old.id(), "what it sealed with is its first data key");
    let kept = store.read().sync_authority().await.unwrap().unwrap();
    assert_eq!(kept.key, key, "nothing is sealed anew by the upgrade");

    rotate(&store, &old, &new, clock.now()).await.unwrap();
    reseal_all(&store, &new, clock.now()).await;
    clock.advance(SETTLING_SECONDS);
    retire(&store, &new, &old.id(), clock.now()).await.unwrap();
    let app = open(&store, &new, &clock).await.unwrap();
    assert_eq!(token_of(&app, 1).await, "token-1");
    assert_eq!(app.sealer().salt_of("ada"), direct.salt_of("ada"));
    let kept = store.read().sync_authority().await.unwrap().unwrap();
    assert!(matches!(&kept.key, KeptSecret::Sealed(text) if !text.contains(&old.id())));
    sync_authority::issue_server(&app, &["localhost".to_owned()]).unwrap();
}

/// A use case that opened by the sealer itself would fail for a second after each rotation elsewhere.
#[test]
fn use_cases_open_by_the_application_alone() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut found = Vec::new();
    // What is opened there was opened, under the same keys, when the process started.
    let excepted = ["sync_authority.rs", "tests.rs"];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !excepted.iter().any(|name| path.ends_with(name)) {
                let text = std::fs::read_to_string(&path).unwrap();
                if text.contains("sealer().open(") {
                    found.push(path);
                }
            }
        }
    }
    assert!(found.is_empty(), "open by `App::opened`: {found:?}");
}
