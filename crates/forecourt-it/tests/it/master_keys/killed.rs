//! kill -9 while rows are sealed anew: what is left is done by whoever comes next.

use std::sync::Arc;

use forecourt_app::{App, Config, master_keys, sealing};
use forecourt_core::{
    dcr_removals::DcrRemoval,
    ids::{ApplicationId, CredentialId, DcrProviderId, DcrRemovalId},
    oauth_clients::{KeptManagement, OauthClient},
    random::Random,
    secrets::PlainSecret,
    time::Timestamp,
};
use forecourt_identity::sealing::Sealer;
use forecourt_it::{ForecourtProcess, TestDatabase, deadlines::eventually, processes::run};
use forecourt_store::Store;

use super::{master, new, old, with};
use crate::store::location;

/// So many that nobody is done with them before they are killed.
const ROWS: usize = 8_000;

/// Nonces that differ.
struct Counting(u64);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        for (place, byte) in bytes.iter_mut().zip(self.0.to_le_bytes().into_iter().cycle()) {
            *place = byte;
        }
    }
}

fn id(n: usize) -> DcrRemovalId {
    DcrRemovalId::known(format!("rmv_{n:05}"))
}

fn place(n: usize) -> String {
    sealing::of_oauth_client(&DcrProviderId::known("dcr_1"), &format!("client-{n}"))
}

async fn fill(store: &Store, sealer: &Sealer, now: Timestamp) {
    let random = &mut Counting(0);
    let tx = store.begin().await.unwrap();
    for n in 0..ROWS {
        let token = sealer.seal(&PlainSecret::presented(format!("token-{n}")), &place(n), random).unwrap();
        let client = OauthClient {
            credential_id: CredentialId::known(format!("crd_{n}")),
            provider_id: DcrProviderId::known("dcr_1"),
            client_id: format!("client-{n}"),
            redirect_uris: Vec::new(),
            secret_expires_at: 0,
            management: Some(KeptManagement { uri: "http://127.0.0.1/".into(), token }),
            held_until: None,
            pending_update: None,
        };
        let application = ApplicationId::known("app_1");
        let removal = DcrRemoval::of_client(id(n), client, application, "mobile".into(), now);
        tx.insert_dcr_removal(&removal).await.unwrap();
    }
    tx.commit(now).await.unwrap();
}

/// How many rows name a data key that no longer seals.
async fn left(store: &Store) -> u64 {
    let keys = master_keys::status(store.read()).await.unwrap().data_keys;
    keys.iter().filter(|key| !key.seals).flat_map(|key| &key.named_by).map(|(_, rows)| *rows).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_while_rows_are_sealed_anew_leaves_nothing_that_does_not_open() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    // In the future, so that nobody tries to remove anything.
    let now = Timestamp::from_seconds(4_000_000_000);
    let config = Config { master_key: master(&old()), ..Config::default() };
    drop(App::open(store.clone(), &config, Arc::new(move || now)).await.unwrap());
    let sealer = master_keys::opened(store.read(), &master(&old())).await.unwrap();
    fill(&store, &sealer, now).await;
    let file = database.folder().join("next");
    std::fs::write(&file, new()).unwrap();
    let rotate = ["master-key", "rotate", "--new-key-file", file.to_str().unwrap()];

    let mut command = with(&old(), &rotate, &database).spawn().unwrap();
    let some = eventually("some rows are sealed anew and some are not", || async {
        let left = left(&store).await;
        (0 < left && left < ROWS as u64).then_some(left)
    })
    .await;
    command.kill().unwrap();
    command.wait().unwrap();
    let after = left(&store).await;
    assert!(0 < after && after <= some, "it was killed in the middle: {after} of {some}");

    // A process that serves goes on by itself, and is killed too.
    let mut serve = with(&old(), &["serve"], &database);
    serve.env("FORECOURT__BACKGROUND__OUTGOING", "false");
    let serving = ForecourtProcess::start(serve);
    eventually("whoever serves goes on", || async { (left(&store).await < after).then_some(()) }).await;
    serving.kill();

    let ended = run(with(&old(), &rotate, &database));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(left(&store).await, 0);
    for key in [old(), new()] {
        let sealer = master_keys::opened(store.read(), &master(&key)).await.unwrap();
        for n in 0..ROWS {
            let removal = store.read().dcr_removal(&id(n)).await.unwrap().unwrap();
            let token = sealer.open(&removal.management.unwrap().token, &place(n)).unwrap();
            assert_eq!(token.reveal(), format!("token-{n}"));
        }
    }
}
