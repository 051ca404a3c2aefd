//! Certificates by server name, and what TLS changes for callers (docs/gateway.md §14).

use std::sync::Arc;

use forecourt_core::{
    gateway_state::{CertificatePair, CertificateState, Kind},
    ids::{CertificateId, GatewayGroupId},
    secrets::KeptSecret,
    time::Timestamp,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    rows::{delete, put},
    stage::{PATIENCE, Stage, acting, body, echo, open_by, read_to_end, read_until, status},
};
use crate::Config;

/// A certificate made for a test, with its key, and the authorities of a caller's.
pub(crate) struct Made {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

pub(crate) fn made(names: &[&str]) -> Made {
    made_with(names, KeyPair::generate().unwrap())
}

fn made_with(names: &[&str], key: KeyPair) -> Made {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    Made { der: certificate.der().clone(), pem: certificate.pem(), key }
}

/// The row of this certificate; its id tells how old it is.
pub(crate) fn row(id: &str, created: i64, made: &Made, snis: &[&str]) -> CertificateState {
    CertificateState {
        id: CertificateId::known(id),
        gateway_group_id: GatewayGroupId::default_group(),
        enabled: true,
        snis: snis.iter().map(|name| (*name).to_owned()).collect(),
        pairs: vec![pair(made)],
        client_ca: None,
        client_depth: None,
        created_at: Timestamp::from_seconds(created),
    }
}

fn pair(made: &Made) -> CertificatePair {
    CertificatePair { chain: made.pem.clone(), key: KeptSecret::Clear(made.key.serialize_pem()) }
}

/// A caller that trusts these certificates and speaks these protocols.
pub(crate) struct Caller(ClientConfig);

impl Caller {
    pub(crate) fn trusting(all: &[&Made]) -> Self {
        Self::with_identity(all, None)
    }

    /// The same caller, who shows this chain with its key.
    pub(crate) fn with_identity(
        all: &[&Made],
        own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        all.iter().for_each(|made| roots.add(made.der.clone()).unwrap());
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Self(match own {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        })
    }

    pub(crate) fn speaking(mut self, protocols: &[&str]) -> Self {
        self.0.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    pub(crate) async fn call(&self, stage: &Stage, name: &str) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(stage.tls_address).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::new(self.0.clone()));
        let shaken = timeout(PATIENCE, connector.connect(name, stream)).await.expect("a handshake hangs");
        shaken.map_err(|error| error.to_string())
    }

    /// The certificate that is shown for this name.
    async fn shown(&self, stage: &Stage, name: &str) -> Result<CertificateDer<'static>, String> {
        let stream = self.call(stage, name).await?;
        Ok(stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned())
    }

    pub(crate) async fn ask(&self, stage: &Stage, name: &str, host: &str) -> Result<String, String> {
        let mut stream = self.call(stage, name).await?;
        let head = format!("GET /open/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer hangs");
        read.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer).unwrap())
    }
}

pub(crate) async fn with_rows(rows: Vec<CertificateState>) -> Stage {
    let mut changes = open_by(echo().await);
    changes.extend(rows.into_iter().map(|row| put(1, row)));
    Stage::with(Config::default(), changes).await
}

#[tokio::test]
async fn a_request_over_tls_is_served_and_its_upstream_learns_so() {
    let own = made(&["api.example"]);
    let stage = with_rows(vec![row("a", 1, &own, &["api.example"])]).await;
    let answer = Caller::trusting(&[&own]).ask(&stage, "api.example", "api.example").await.unwrap();
    assert_eq!(status(&answer), 200);
    assert!(body(&answer).contains("x-forwarded-proto: https\n"), "{answer}");
    assert!(body(&answer).contains(&format!("x-forwarded-port: {}\n", stage.tls_address.port())), "{answer}");
    assert!(body(&answer).contains("forwarded: for=127.0.0.1;host=api.example;proto=https\n"), "{answer}");
}

#[tokio::test]
async fn the_name_chooses_exact_before_wildcard_and_new_before_old() {
    let [exact, wild, old, any] = [(); 4].map(|()| made(&["a.example", "b.example", "other.test"]));
    let mut off = row("off", 9, &made(&["a.example"]), &["a.example"]);
    off.enabled = false;
    let stage = with_rows(vec![
        row("wild", 5, &wild, &["*.example"]),
        row("old", 1, &old, &["A.example", "b.example"]),
        row("exact", 2, &exact, &["a.example"]),
        row("any", 3, &any, &["*"]),
        off,
    ])
    .await;
    let caller = Caller::trusting(&[&exact, &wild, &old, &any]);
    assert_eq!(caller.shown(&stage, "a.example").await.unwrap(), exact.der);
    assert_eq!(caller.shown(&stage, "b.example").await.unwrap(), old.der);
    assert_eq!(caller.shown(&stage, "other.test").await.unwrap(), any.der);
    stage.apply(vec![delete(2, Kind::Certificate, "old")]);
    assert!(caller.shown(&stage, "b.example").await.unwrap() == wild.der, "one label below a wildcard");
}

#[tokio::test]
async fn a_wildcard_stands_for_one_label_and_a_name_without_certificate_is_unrecognised() {
    let own = made(&["a.example", "a.b.example", "example", "127.0.0.1"]);
    let stage = with_rows(vec![row("wild", 1, &own, &["*.example"])]).await;
    let caller = Caller::trusting(&[&own]);
    assert!(caller.shown(&stage, "a.example").await.is_ok());
    for name in ["a.b.example", "example", "127.0.0.1"] {
        let error = caller.shown(&stage, name).await.unwrap_err();
        assert!(error.to_lowercase().contains("unrecogni"), "{name}: {error}");
    }
    stage.apply(vec![put(2, row("any", 1, &own, &["*"]))]);
    for name in ["a.b.example", "127.0.0.1"] {
        assert!(caller.shown(&stage, name).await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn a_change_meets_the_next_handshake_and_leaves_open_connections_alone() {
    let [first, second] = [(); 2].map(|()| made(&["api.example"]));
    let stage = with_rows(vec![row("a", 1, &first, &["api.example"])]).await;
    let caller = Caller::trusting(&[&first, &second]);
    let mut open = caller.call(&stage, "api.example").await.unwrap();
    stage.apply(vec![put(2, row("a", 1, &second, &["api.example"]))]);
    assert_eq!(caller.shown(&stage, "api.example").await.unwrap(), second.der);
    stage.apply(vec![delete(3, Kind::Certificate, "a")]);
    assert!(caller.shown(&stage, "api.example").await.is_err());
    open.write_all(b"GET /open/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, open.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(status(&answer), 200);
}

#[tokio::test]
async fn a_row_that_cannot_be_used_is_left_out_and_the_others_served() {
    let [good, other] = [(); 2].map(|()| made(&["a.example", "b.example"]));
    let mut sealed = row("sealed", 8, &other, &["a.example"]);
    sealed.pairs[0].key = KeptSecret::Sealed("v1.0.0".into());
    let mut unfit = row("unfit", 9, &other, &["a.example"]);
    unfit.pairs[0].key = KeptSecret::Clear(good.key.serialize_pem());
    let mut garbage = row("garbage", 9, &other, &["a.example"]);
    garbage.pairs[0].chain = "no certificate".into();
    let mut empty = row("empty", 9, &other, &["a.example"]);
    empty.pairs.clear();
    // One of two pairs is usable: the row is.
    let mut half = row("half", 9, &other, &["b.example"]);
    half.pairs.insert(0, sealed.pairs[0].clone());
    let stage =
        with_rows(vec![sealed, unfit, garbage, empty, half, row("good", 1, &good, &["a.example"])]).await;
    let caller = Caller::trusting(&[&good, &other]);
    assert_eq!(caller.shown(&stage, "a.example").await.unwrap(), good.der);
    assert_eq!(caller.shown(&stage, "b.example").await.unwrap(), other.der);
}

#[tokio::test]
async fn of_several_key_types_the_caller_gets_one_that_it_can_verify() {
    let ecdsa = made(&["api.example"]);
    let ed = made_with(&["api.example"], KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    let mut both = row("both", 1, &ed, &["api.example"]);
    both.pairs.push(pair(&ecdsa));
    let stage = with_rows(vec![both]).await;
    let caller = Caller::trusting(&[&ecdsa, &ed]);
    assert_eq!(caller.shown(&stage, "api.example").await.unwrap(), ed.der);
    // A caller that knows no Ed25519.
    let mut provider = ring::default_provider();
    let only = provider.signature_verification_algorithms.mapping;
    let only: Vec<_> =
        only.iter().filter(|(scheme, _)| *scheme != rustls::SignatureScheme::ED25519).copied().collect();
    provider.signature_verification_algorithms.mapping = Vec::leak(only);
    let mut roots = RootCertStore::empty();
    roots.add(ecdsa.der.clone()).unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let plain = Caller(config.unwrap().with_root_certificates(roots).with_no_client_auth());
    assert_eq!(plain.shown(&stage, "api.example").await.unwrap(), ecdsa.der);
}

#[tokio::test]
async fn tls_1_2_is_spoken_too() {
    let own = made(&["api.example"]);
    let stage = with_rows(vec![row("a", 1, &own, &["api.example"])]).await;
    let mut roots = RootCertStore::empty();
    roots.add(own.der.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap();
    let old = Caller(config.with_root_certificates(roots).with_no_client_auth());
    assert_eq!(status(&old.ask(&stage, "api.example", "api.example").await.unwrap()), 200);
}

/// An authority, and the certificate and key of a caller that it vouches for.
fn authority() -> (String, CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let callers =
        CertificateParams::new(vec!["caller".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    (certificate.pem(), callers.der().clone(), PrivateKeyDer::try_from(own.serialize_der()).unwrap())
}

#[tokio::test]
async fn a_name_may_demand_a_certificate_of_its_callers_and_no_other_way_leads_there() {
    let own = made(&["closed.example", "open.example"]);
    let (ca, certificate, key) = authority();
    let (_, stranger, strangers_key) = authority();
    let mut closed = row("closed", 1, &own, &["closed.example"]);
    closed.client_ca = Some(ca);
    let stage = with_rows(vec![closed.clone(), row("open", 1, &own, &["open.example"])]).await;
    let known = Caller::with_identity(&[&own], Some((vec![certificate], key)));
    let unknown = Caller::trusting(&[&own]);
    let strange = Caller::with_identity(&[&own], Some((vec![stranger], strangers_key)));
    assert_eq!(status(&known.ask(&stage, "closed.example", "closed.example").await.unwrap()), 200);
    assert_eq!(status(&known.ask(&stage, "closed.example", "open.example").await.unwrap()), 200);
    assert_eq!(status(&unknown.ask(&stage, "open.example", "open.example").await.unwrap()), 200);
    assert!(unknown.ask(&stage, "closed.example", "closed.example").await.is_err());
    assert!(strange.ask(&stage, "closed.example", "closed.example").await.is_err());
    // Another name's connection, whatever it shows, and the plain port.
    for caller in [&unknown, &known, &strange] {
        let answer = caller.ask(&stage, "open.example", "Closed.Example:443").await.unwrap();
        assert_eq!(status(&answer), 421, "{answer}");
    }
    let plain = "GET /open/x HTTP/1.1\r\nHost: closed.example\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&stage.exchange(plain).await), 421);
    // A connection from before the demand shows nothing either.
    let mut early = unknown.call(&stage, "open.example").await.unwrap();
    let mut now_closed = row("open", 1, &own, &["open.example"]);
    now_closed.client_ca = closed.client_ca;
    stage.apply(vec![put(2, now_closed)]);
    early
        .write_all(b"GET /open/x HTTP/1.1\r\nHost: open.example\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, early.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(status(&answer), 421);
}

#[tokio::test]
async fn what_a_wildcard_demands_no_deeper_name_leads_around() {
    let own = made(&["*.closed.example", "open.example"]);
    let mut closed = row("closed", 1, &own, &["*.closed.example"]);
    closed.client_ca = Some(authority().0);
    let stage = with_rows(vec![closed, row("open", 1, &own, &["open.example"])]).await;
    let unknown = Caller::trusting(&[&own]);
    for host in ["a.closed.example", "a.b.closed.example"] {
        let plain = format!("GET /open/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&stage.exchange(&plain).await), 421, "{host}");
        assert_eq!(status(&unknown.ask(&stage, "open.example", host).await.unwrap()), 421, "{host}");
    }
}

#[tokio::test]
async fn a_row_that_demands_certificates_and_cannot_be_used_closes_its_names() {
    let own = made(&["a.example"]);
    let mut broken = row("broken", 9, &own, &["a.example"]);
    broken.client_ca = Some("no authority".into());
    let stage = with_rows(vec![broken, row("older", 1, &own, &["a.example"])]).await;
    assert!(Caller::trusting(&[&own]).shown(&stage, "a.example").await.is_err());
    let plain = "GET /open/x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&stage.exchange(plain).await), 421);
}

#[tokio::test]
async fn a_second_connection_resumes_the_session_of_the_first() {
    let own = made(&["api.example"]);
    let stage = with_rows(vec![row("a", 1, &own, &["api.example"])]).await;
    let caller = Caller::trusting(&[&own]);
    caller.ask(&stage, "api.example", "api.example").await.unwrap();
    let second = caller.call(&stage, "api.example").await.unwrap();
    assert_eq!(second.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn garbage_and_handshakes_that_never_end_are_cut_off() {
    let own = made(&["api.example"]);
    let mut changes = open_by(echo().await);
    changes.push(put(1, row("a", 1, &own, &["api.example"])));
    let config = Config { header_timeout: std::time::Duration::from_millis(300), ..Config::default() };
    let stage = Stage::with(config, changes).await;
    let plain = b"GET /open/x HTTP/1.1\r\nHost: api.example\r\n\r\n";
    let hello_begun = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    for sent in [&plain[..], &[0xff; 64], &hello_begun, b""] {
        let mut stream = TcpStream::connect(stage.tls_address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(!answer.contains("HTTP"), "{answer:?}");
    }
    let answer = Caller::trusting(&[&own]).ask(&stage, "api.example", "api.example").await.unwrap();
    assert_eq!(status(&answer), 200);
}

#[tokio::test]
async fn an_absolute_target_over_tls_names_https() {
    let own = made(&["api.example"]);
    let stage = with_rows(vec![row("a", 1, &own, &["api.example"])]).await;
    let caller = Caller::trusting(&[&own]);
    for (scheme, expected) in [("https", 200), ("http", 400)] {
        let mut stream = caller.call(&stage, "api.example").await.unwrap();
        let head = format!(
            "GET {scheme}://api.example/open/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert_eq!(status(&answer), expected);
    }
}

#[tokio::test]
async fn a_caller_over_tls_who_does_not_read_is_cut_off() {
    let own = made(&["api.example"]);
    let flood = |mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    };
    let mut changes = open_by(acting(flood).await);
    changes.push(put(1, row("a", 1, &own, &["api.example"])));
    let config = Config { body_idle_timeout: std::time::Duration::from_millis(100), ..Config::default() };
    let mut stage = Stage::with(config, changes).await;
    let mut stream = Caller::trusting(&[&own]).call(&stage, "api.example").await.unwrap();
    stream.write_all(b"GET /open/x HTTP/1.1\r\nHost: api.example\r\n\r\n").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'H');
    // The drain ends only once the connection is gone, which nobody but the gateway ends here.
    stage.stop.take();
    timeout(PATIENCE, &mut stage.serving).await.expect("the caller should have been cut off").unwrap();
    drop(stream);
}
