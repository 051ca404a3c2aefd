//! How many certificates may stand between a caller's and its authority, over real handshakes.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{
    rows::put,
    stage::{Stage, status},
    tls::{Caller, Made, made, row, with_rows},
};

/// An authority with others below it, each vouched for by the one before, and what it takes to add to them.
struct Authorities {
    root: String,
    /// The root's own certificate first.
    chain: Vec<CertificateDer<'static>>,
    last: Issuer<'static, KeyPair>,
}

impl Authorities {
    /// A root with so many authorities below it.
    fn with_below(count: usize) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority("root");
        let root = params.self_signed(&key).unwrap();
        let mut all =
            Self { root: root.pem(), chain: vec![root.der().clone()], last: Issuer::new(params, key) };
        for number in 0..count {
            let key = KeyPair::generate().unwrap();
            let params = authority(&format!("below {number}"));
            let certificate = params.signed_by(&key, &all.last).unwrap();
            all.chain.push(certificate.der().clone());
            all.last = Issuer::new(params, key);
        }
        all
    }

    /// A caller whom the last of them vouches for, who shows the whole way up to the root, and the root too if told.
    fn caller(&self, trusted: &Made, with_root: bool) -> Caller {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["caller".to_owned()]).unwrap();
        let own = own.signed_by(&key, &self.last).unwrap();
        let above = self.chain.iter().skip(usize::from(!with_root)).rev().cloned();
        let chain = std::iter::once(own.der().clone()).chain(above).collect();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Caller::with_identity(&[trusted], Some((chain, key)))
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// Whether a handshake under this name succeeds and a request over it is answered.
async fn passes(caller: &Caller, stage: &Stage) -> bool {
    match caller.ask(stage, "api.example", "api.example").await {
        Ok(answer) => {
            assert_eq!(status(&answer), 200, "{answer}");
            true
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_chain_longer_than_the_depth_is_refused_and_no_shorter_one() {
    let own = made(&["api.example"]);
    let stage = with_rows(Vec::new()).await;
    let mut revision = 2;
    for below in 0..=2_usize {
        let authorities = Authorities::with_below(below);
        let caller = authorities.caller(&own, false);
        for (depth, wanted) in
            [(Some(0), below == 0), (Some(1), below <= 1), (Some(2), true), (Some(100), true), (None, true)]
        {
            let mut closed = row("closed", 1, &own, &["api.example"]);
            closed.client_ca = Some(authorities.root.clone());
            closed.client_depth = depth;
            stage.apply(vec![put(revision, closed)]);
            revision += 1;
            assert_eq!(passes(&caller, &stage).await, wanted, "{below} below the root, depth {depth:?}");
        }
    }
}

#[tokio::test]
async fn certificates_that_are_sent_without_need_do_not_count() {
    let own = made(&["api.example"]);
    let mut closed = row("closed", 1, &own, &["api.example"]);
    let authorities = Authorities::with_below(1);
    closed.client_ca = Some(authorities.root.clone());
    closed.client_depth = Some(1);
    let stage = with_rows(vec![closed.clone()]).await;
    assert!(passes(&authorities.caller(&own, true), &stage).await, "the root itself is sent along");
    closed.client_depth = Some(0);
    stage.apply(vec![put(2, closed)]);
    assert!(!passes(&authorities.caller(&own, true), &stage).await);
}

#[tokio::test]
async fn a_depth_lets_nobody_in_whom_no_authority_vouches_for() {
    let own = made(&["api.example"]);
    let mut closed = row("closed", 1, &own, &["api.example"]);
    closed.client_ca = Some(Authorities::with_below(0).root);
    closed.client_depth = Some(100);
    let stage = with_rows(vec![closed]).await;
    for below in 0..=2 {
        assert!(!passes(&Authorities::with_below(below).caller(&own, true), &stage).await, "{below}");
    }
    assert!(!passes(&Caller::trusting(&[&own]), &stage).await, "nor whoever shows nothing");
}

#[tokio::test]
async fn a_lesser_depth_reaches_open_connections_with_their_next_request() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let own = made(&["api.example"]);
    let authorities = Authorities::with_below(1);
    let mut closed = row("closed", 1, &own, &["api.example"]);
    closed.client_ca = Some(authorities.root.clone());
    closed.client_depth = Some(1);
    let stage = with_rows(vec![closed.clone()]).await;
    let mut open = authorities.caller(&own, false).call(&stage, "api.example").await.unwrap();
    closed.client_depth = Some(0);
    stage.apply(vec![put(2, closed)]);
    open.write_all(b"GET /open/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), 421);
}
