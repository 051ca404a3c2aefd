//! What lies between a node and its control plane, with the real binary: certificates of both sides, a connection that
//! is cut, and streams that the control plane ends.

use std::{path::Path, process::Command};

use forecourt_app::sync_authority;
use forecourt_core::{
    gateway_state::{GrantState, Resource, Scope},
    ids::{ApplicationId, GatewayGroupId, ProductId},
};
use forecourt_it::{Forecourt, ForecourtProcess, deadlines::eventually, installations::text, wires::Wire};
use forecourt_store::Store;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::{
    gateway_node::{call, metric, node, says_in_vain, sync, token},
    store::location,
};

/// An authority with a certificate that it signed, PEM.
struct Signed {
    authority: String,
    certificate: String,
    key: String,
}

fn signed() -> Signed {
    let key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::new(Vec::new()).unwrap();
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = own.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(own, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["node".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap().pem();
    Signed { authority, certificate, key: key.serialize_pem() }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_let_in_with_the_right_client_certificate_and_with_no_other() {
    let (right, wrong) = (signed(), signed());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let client_ca = write(path, "authority", &right.authority);
    let f = Forecourt::start_with(|settings| settings.sync.client_ca = client_ca).await;
    let token = token(&f).await;
    let shown = |signed: &Signed, name: &str| {
        let certificate = write(path, &format!("{name}.crt"), &signed.certificate);
        let key = write(path, &format!("{name}.key"), &signed.key);
        ["--client-cert".to_owned(), certificate, "--client-key".to_owned(), key]
    };
    let with = |arguments: &[String]| {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        node(&sync(&f), &token, &path.join("data"), &arguments)
    };
    let edge = ForecourtProcess::start(with(&shown(&right, "right")));
    eventually("the stream is open", || async {
        (metric(&edge, "forecourt_node_connected").await == 1.0).then_some(())
    })
    .await;
    drop(edge);
    std::fs::remove_dir_all(path.join("data")).unwrap();
    says_in_vain(with(&[])).await;
    says_in_vain(with(&shown(&wrong, "wrong"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_whom_to_believe_believes_nobody_else() {
    let f = Forecourt::start().await;
    let token = token(&f).await;
    // Without the part that names the authority, so that the file alone tells.
    let secret = token.split('.').next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let own = write(folder.path(), "own", sync_authority::certificate_pem(&f.app()));
    let other = write(folder.path(), "other", &signed().authority);
    let believing = |token: &str, authority: &str| -> Command {
        node(&sync(&f), token, &folder.path().join("data"), &["--ca", authority])
    };
    let said = says_in_vain(believing(&token, &other)).await;
    assert!(said.contains("no TLS"), "{said}");
    let edge = ForecourtProcess::start(believing(secret, &own));
    assert!(edge.stop("TERM").status.success());
}

/// So many rows make a whole state of about half a megabyte.
const ROWS: usize = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_connection_is_cut_in_the_middle_of_a_state_ends_with_the_whole_state() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let first = application.key("first").await;
    let store = Store::open(&location(f.database())).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for number in 0..ROWS {
        let (application, product) = (format!("app_{number}"), ProductId::known("prd_1"));
        let application_id = ApplicationId::known(application);
        let row = GrantState { application_id, product_id: product, plan_id: None };
        tx.put(Scope::GatewayGroup(GatewayGroupId::default_group()), Resource::Grant(row));
    }
    tx.commit(f.clock().now()).await.unwrap();
    let last = application.key("last").await;
    let place = sync(&f).trim_start_matches("https://").parse().unwrap();
    let wire = Wire::to(place).await;
    wire.cut_next_after(200_000);
    let folder = tempfile::tempdir().unwrap();
    let address = format!("https://{}", wire.address);
    let edge = ForecourtProcess::start(node(&address, &token(&f).await, folder.path(), &[]));
    assert_eq!(wire.cut_within(), 1, "the first connection was cut within the state");
    for key in [&first, &last] {
        assert_eq!(call(&edge, &orders.path, key).await, 200);
    }
    let id = text(&edge.ready["node"]);
    let path = format!("/api/forecourt/nodes/{id}");
    eventually("it is told, and has acknowledged, everything", || async {
        let node = f.admin().await.get(&path).await.expect(200)["value"].clone();
        (node["lag_ms"] == 0 && node["revision"].as_i64() > Some(0)).then_some(())
    })
    .await;
    assert_eq!(metric(&edge, "forecourt_node_drift").await, 0.0);
    let ended = edge.stop("TERM");
    assert!(ended.stderr.contains("no stream from the control plane"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_told_why_its_stream_ends() {
    let mut f = Forecourt::start().await;
    let token = token(&f).await;
    let tokens = f.admin().await.get("/api/forecourt/instance_tokens").await.expect(200);
    let id = text(&tokens["list"][0]["id"]);
    let folder = tempfile::tempdir().unwrap();
    let start = |f: &Forecourt, name: &str| {
        let edge = ForecourtProcess::start(node(&sync(f), &token, &folder.path().join(name), &[]));
        assert!(text(&edge.ready["node"]).starts_with("nod_"));
        edge
    };
    let connected = async |edge: &ForecourtProcess, wanted: f64| {
        eventually("the stream is open or not", || async {
            (metric(edge, "forecourt_node_connected").await == wanted).then_some(())
        })
        .await;
    };
    let edge = start(&f, "one");
    connected(&edge, 1.0).await;
    f.restart().await;
    connected(&edge, 0.0).await;
    let ended = edge.stop("TERM");
    assert!(ended.stderr.contains(r#""reason":"Stopping""#), "{}", ended.stderr);

    let edge = start(&f, "one");
    connected(&edge, 1.0).await;
    let path = format!("/api/forecourt/instance_tokens/{id}");
    f.admin().await.delete(&path).await.expect(200);
    eventually("it knows that it was turned away", || async {
        (metric(&edge, "forecourt_node_turned_away").await == 1.0).then_some(())
    })
    .await;
    let ended = edge.stop("TERM");
    assert!(ended.stderr.contains(r#""reason":"Removed""#), "{}", ended.stderr);
    assert!(ended.stderr.contains("the node or its token was removed"), "{}", ended.stderr);
}
