//! Only the authority that the token names is believed, and only for the right name.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.certificate()).into()
    }

    fn server(&self, name: &str) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.signed_by(&KeyPair::generate().unwrap(), &self.0).unwrap().der().clone()
    }
}

fn believes(digest: [u8; 32], leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> bool {
    let pinned = Pinned { digest, provider: Arc::new(ring::default_provider()) };
    let name = ServerName::try_from("control.example").unwrap();
    pinned.verify_server_cert(leaf, others, &name, &[], UnixTime::now()).is_ok()
}

#[test]
fn a_server_is_believed_by_the_authority_in_its_chain_that_has_the_digest() {
    let (own, other) = (Authority::new(), Authority::new());
    let server = own.server("control.example");
    assert!(believes(own.digest(), &server, &[own.certificate()]));
    assert!(believes(own.digest(), &server, &[other.certificate(), own.certificate()]));
    assert!(!believes(own.digest(), &server, &[]), "it must be shown");
    assert!(!believes(other.digest(), &server, &[own.certificate()]), "another authority's digest");
    // Showing the right authority beside a certificate that it did not sign is what an impostor could do.
    let impostor = other.server("control.example");
    assert!(!believes(own.digest(), &impostor, &[own.certificate()]));
    assert!(!believes(own.digest(), &impostor, &[other.certificate(), own.certificate()]));
    assert!(
        !believes(own.digest(), &own.server("elsewhere.example"), &[own.certificate()]),
        "the name counts"
    );
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let config = |tls: NodeTls| client_config(&tls, Some([0; 32])).map(|_| ());
    assert!(config(NodeTls::default()).is_ok());
    let bad = NodeTls { authorities: Some(b"no".to_vec()), client: None };
    assert_eq!(config(bad).unwrap_err(), "the file of the certificate authority has no certificate in PEM");
    let bad = NodeTls { authorities: None, client: Some((b"no".to_vec(), b"no".to_vec())) };
    assert_eq!(config(bad).unwrap_err(), "the file of the node's certificate has no certificate in PEM");
}
