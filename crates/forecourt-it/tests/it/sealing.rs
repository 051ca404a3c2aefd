//! Secrets that must be read back: what gateways are handed, what lies in the database, and whose key opens it.

use forecourt_app::gateway_feed::{Following, Held, News};
use forecourt_core::{
    gateway_state::{
        CertificatePair, CertificateState, ConsumerSecret, ConsumerState, Digests, Kind, Resource, Scope,
        TokenSecret,
    },
    ids::{CertificateId, GatewayGroupId},
    secrets::{KeptSecret, SecretDigest},
};
use forecourt_it::{
    Forecourt, TestDatabase,
    databases::logged,
    processes::{binary, command, run},
};
use forecourt_store::Store;
use forecourt_wire::changes::Change;
use serde_json::{Value, json};

use crate::store::location;

const ADA: &str = "/apisix/admin/consumers/ada";
const GROUP: &str = "?gateway_group_id=default";
/// Secrets that are found wherever they lie in clear.
const SECRETS: [&str; 4] =
    ["key-in-clear-1", "password-in-clear-2", "token-secret-in-clear-3", "key-in-clear-4"];

/// What the gateways of the group `default` are handed from nothing.
pub(crate) async fn handed(f: &Forecourt) -> Vec<Resource> {
    let group = GatewayGroupId::default_group();
    let mut following = Following::begin(&f.app(), &group, Held::default()).await.unwrap();
    told(f, &mut following).await.into_iter().filter_map(|change| change.resource).collect()
}

/// The rows of which a gateway hears next.
async fn told(f: &Forecourt, following: &mut Following) -> Vec<Change> {
    let mut rows = Vec::new();
    loop {
        let told = following.next(&f.app()).await.unwrap();
        if told.is_empty() {
            return rows;
        }
        rows.extend(told.into_iter().flat_map(|news| match news {
            News::Rows(changes) => changes,
            _ => Vec::new(),
        }));
    }
}

async fn handed_consumer(f: &Forecourt) -> ConsumerState {
    let consumer = handed(f).await.into_iter().find_map(|resource| match resource {
        Resource::Consumer(consumer) => Some(*consumer),
        _ => None,
    });
    consumer.unwrap()
}

fn hash_of(consumer: &ConsumerState) -> String {
    let hash = consumer.credentials.iter().find_map(|credential| match &credential.secret {
        ConsumerSecret::BasicAuth { password_hash, .. } => Some(password_hash.clone()),
        _ => None,
    });
    hash.unwrap()
}

fn plugins(password: &str) -> Value {
    json!({ "plugins": {
        "key-auth": { "key": SECRETS[0] },
        "basic-auth": { "username": "ada", "password": password },
        "jwt-auth": { "key": "ada", "secret": SECRETS[2] },
    } })
}

#[tokio::test]
async fn gateways_hear_of_a_consumer_by_digest_hash_and_clear_token_secret() {
    let mut f = Forecourt::start().await;
    f.admin().await.put(&format!("{ADA}{GROUP}"), plugins(SECRETS[1])).await.expect(200);
    let credential = json!({ "plugins": { "key-auth": { "key": SECRETS[3] } } });
    f.admin().await.put(&format!("{ADA}/credentials/one{GROUP}"), credential).await.expect(200);
    f.restart().await;
    let consumer = handed_consumer(&f).await;
    let ids: Vec<_> = consumer.credentials.iter().map(|credential| credential.id.as_deref()).collect();
    assert_eq!(ids, [None, None, None, Some("one")]);
    let digest = |text: &str| ConsumerSecret::KeyAuth { digest: SecretDigest::of(text.as_bytes()) };
    assert_eq!(consumer.credentials[0].secret, digest(SECRETS[0]));
    assert_eq!(consumer.credentials[3].secret, digest(SECRETS[3]));
    let ConsumerSecret::JwtAuth { secret: TokenSecret::Shared { secret, .. }, .. } =
        &consumer.credentials[2].secret
    else {
        panic!("a shared secret")
    };
    assert_eq!(secret.clear(), Some(SECRETS[2]), "opened with the key that the first start made");

    let hash = hash_of(&consumer);
    f.admin().await.put(&format!("{ADA}{GROUP}"), plugins("******")).await.expect(200);
    f.admin().await.put(&format!("{ADA}{GROUP}"), plugins(SECRETS[1])).await.expect(200);
    assert_eq!(hash_of(&handed_consumer(&f).await), hash, "an unchanged password keeps its hash");
    f.admin().await.put(&format!("{ADA}{GROUP}"), plugins("another")).await.expect(200);
    let other = hash_of(&handed_consumer(&f).await);
    assert_ne!(other, hash);
    let salt = |hash: &str| hash.split('$').nth(4).unwrap().to_owned();
    assert_eq!(salt(&other), salt(&hash), "one user name, one salt");

    f.product_with("Orders", json!({ "auth": { "basic-auth": {} } })).await;
    let other_application = async |name: &str| {
        let ada = f.developer(name).await;
        let application = ada.application(name).await;
        let path = format!("/api/applications/{}/credentials", application.id);
        let basic = json!({ "username": "ada", "password": name });
        let body = json!({ "type": "basic-auth", "name": "b", "basic-auth": basic });
        ada.api.post(&path, body).await.expect(201);
    };
    other_application("first").await;
    other_application("second").await;
    let salts: Vec<_> = handed(&f)
        .await
        .iter()
        .filter_map(|resource| match resource {
            Resource::Credential(credential) => serde_json::to_value(credential).ok(),
            _ => None,
        })
        .filter_map(|row| row["versions"][0]["secret"]["password_hash"].as_str().map(salt))
        .collect();
    assert_eq!(salts, [salt(&hash), salt(&hash)], "also for developers' credentials");
}

#[tokio::test]
async fn no_secret_lies_in_clear_in_the_database() {
    let f = Forecourt::start().await;
    f.admin().await.put(&format!("{ADA}{GROUP}"), plugins(SECRETS[1])).await.expect(200);
    let credential = json!({ "plugins": { "key-auth": { "key": SECRETS[3] } } });
    f.admin().await.post(&format!("{ADA}/credentials{GROUP}"), credential).await.expect(200);
    let store = Store::open(&location(f.database())).await.unwrap();
    let group = GatewayGroupId::default_group();
    let stored = store.read().consumer(&group, "ada").await.unwrap().unwrap();
    let stored = serde_json::to_string(&stored.plugins).unwrap();
    let scopes = store.read().scopes_of_group(&group).await.unwrap();
    let logged = logged(&store, &scopes, 0).await;
    let logged: Vec<_> =
        logged.iter().map(|change| serde_json::to_string(&change.resource).unwrap()).collect();
    assert!(stored.contains("sealed") && logged.iter().any(|row| row.contains("sealed")));
    let mut texts = vec![stored, logged.concat()];
    if !f.database().is_postgres() {
        // The whole files, so that no table, index or record of an event is left out.
        for file in ["forecourt.db", "forecourt.db-wal"] {
            let bytes = std::fs::read(f.database().folder().join(file)).unwrap_or_default();
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        assert!(texts.iter().any(|text| text.contains("consumer_created")), "the files are read");
    }
    for secret in SECRETS {
        assert!(!texts.iter().any(|text| text.contains(secret)), "{secret} lies in clear");
    }
}

#[tokio::test]
async fn a_deleted_group_takes_its_consumers_and_certificates_from_gateways() {
    let f = Forecourt::start().await;
    let made = f.admin().await.post("/api/gateway_groups", json!({ "name": "edge" })).await.expect(200);
    let group = GatewayGroupId::known(made["value"]["id"].as_str().unwrap());
    let consumer = format!("{ADA}?gateway_group_id={group}");
    f.admin().await.put(&consumer, plugins(SECRETS[1])).await.expect(200);
    let pair = rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap();
    let body = json!({ "cert": pair.cert.pem(), "key": pair.signing_key.serialize_pem() });
    f.admin().await.put(&format!("/apisix/admin/ssls/one?gateway_group_id={group}"), body).await.expect(200);
    let mut following = Following::begin(&f.app(), &group, Held::default()).await.unwrap();
    let before = told(&f, &mut following).await;
    let key = before.iter().find_map(|change| match &change.resource {
        Some(Resource::Certificate(certificate)) => Some(certificate.pairs[0].key.clone()),
        _ => None,
    });
    assert_eq!(key, Some(KeptSecret::Clear(pair.signing_key.serialize_pem())));
    f.admin().await.delete(&format!("/api/gateway_groups/{group}")).await.expect(200);
    let after = told(&f, &mut following).await;
    for kind in [Kind::Consumer, Kind::Certificate] {
        let gone = after.iter().find(|change| change.kind == kind).unwrap();
        assert!(gone.resource.is_none(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_certificate_whose_key_does_not_open_is_handed_out_without_it_so_that_digests_agree() {
    let f = Forecourt::start().await;
    let group = GatewayGroupId::default_group();
    let store = Store::open(&location(f.database())).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let pair = CertificatePair { chain: "chain".into(), key: KeptSecret::Sealed("by nobody".into()) };
    let row = Resource::Certificate(Box::new(CertificateState {
        id: CertificateId::known("ssl_1"),
        gateway_group_id: group.clone(),
        enabled: true,
        snis: vec!["a.example".into()],
        pairs: vec![pair],
        client_ca: None,
        client_depth: None,
        created_at: f.clock().now(),
    }));
    tx.put(Scope::GatewayGroup(group.clone()), row);
    tx.commit(f.clock().now()).await.unwrap();
    let mut following = Following::begin(&f.app(), &group, Held::default()).await.unwrap();
    let (mut held, mut certificates) = (Digests::new(), Vec::new());
    for change in told(&f, &mut following).await {
        let resource = change.resource.expect("a row that stands is not told as deleted");
        held.entry(change.kind).or_default().add(change.kind, &change.key, change.revision);
        if let Resource::Certificate(certificate) = resource {
            certificates.push(certificate.pairs.len());
        }
    }
    assert_eq!(certificates, [0], "nothing that a caller could be shown");
    assert_eq!(following.checkpoint(&f.app()).await.unwrap().unwrap().digests, held);
}

#[tokio::test]
async fn a_process_with_another_master_key_does_not_start() {
    let database = TestDatabase::new();
    let serve = |key: &str| {
        let mut serve = command(&binary(), &["serve"], &database);
        serve.env("FORECOURT__SECURITY__MASTER_KEY", key);
        serve
    };
    forecourt_it::ForecourtProcess::start(serve(&"0a".repeat(32))).stop("TERM");
    for (wrong, told) in [("0b".repeat(32), "give it the key"), (String::new(), "there is none here")] {
        let ended = run(serve(&wrong));
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("are sealed under the master key"), "{}", ended.stderr);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    assert!(!database.folder().join("master.key").exists(), "no key is made up for sealed secrets");
    forecourt_it::ForecourtProcess::start(serve(&"0A".repeat(32))).stop("TERM");
}
