//! Chains and keys of each type, in order and out of it. The RSA key was made for these tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};

use super::*;

pub(crate) const RSA_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCUJXkW9Qh/p/ih
Yc79ScHyY3s1nWAyvOSdFv8XJODOJTvuBtTD7TF9sGtUbvZCryU40Vt6OOJtnm0L
66h+6butcNA4OT6TozVck0pT5KMMuf/3zkMAuMbR78HlWjxYmrX17XRQ4WHs6Lip
RZXY5dVW1Ik2ZeTYf/9+sfJW/IC+hjS4Sjfc00hs+JN5f29gNoPy8TOBGxqk4xv1
Sm9NXVFdxpm/pNP3KqzonUuz544oB+hc0h6q54U5qeP/fSdE949xwgxVOrwTvtP4
1iVHJ6zxSJZyekDxvMnfKNakWmX3qpopEYzrt6hugwNtUfHOf/a/vVWkl8W3Bvvy
llmDxybJAgMBAAECggEACks/n+k/LG5LAp0NvsrZElMi9LrukXKk/gdi3+7850YY
unWODjPVQbMNr4HAVH+KuhPODpmU84ypGMVzYVIza3NQfJT5tKoyuIU238pzdpxs
CAI0j1XHjD85KAso8KKGF0RnKyw7W4oLiXOKMdaSiDnfc5YJR0PpncTr88BlimzP
eb6F42Cs6Cd4tj/1MS75/sR//Lwj6imCscmAsWOHtbsg2nysmRftGpj4iAXRe/Kn
95ou5miUMzXivGaVvIAN8Nso4fK+5EyJg8oO8LdRO0HJsr781YkM+Znc3Lx6mlo9
OPQA+OA9dUu1XVOmPOGMwcQmuUTE2VyxvqW0BS/6mwKBgQDIvbCvhKO9Chy/75tB
7CH+Xh7Ua4hhZub4gM5sgmva8p4KdlwHG7MPZVTZjgagO3wIZjEFW5LcpgomHx5a
pG/5HlAdwQU5z/WXrzc7B2p07XqsQPj1OXe0v2mMyIt8ATEm6tuLL5N7gxKxtjPd
RBSsX7hLrboNFSp1rzBWUg3ApwKBgQC87WrFmQl/g+4dEQtwRwNk1LioJwCeQo+2
7AR3yP2/6otiI1Y2YQ4C12zitlXGVS0Igky+/j1g+muRCYMUTFRLB3aE1tioYufk
rLxI2ICEdwcxRIiBdhwSdF8RHxIZ/Yw9r6SUR279c8qj+gOi3DA6O4pY5Yh7MJU+
1wQokMbbDwKBgQC9LyiJAfRegF0/9kzX//a5h3J+tyk8woICyUHBudhz7BtNuOZa
PJywcctZjSRpdiYatFSWvArYsBL4gnNU8Ywlt4/Butt19Kt8XMEsfHyz3euy0zjN
w28xhQOwjoAGSglMqCJoNlpEGO9RVGnkqfjhywQhLoUdN0lgx85CS+pyGQKBgCTm
OfRd73z4R4llytYjCIapBWfSNkyys18GudiraOQS6yY/wJbeXd4wNRQSiK4z9Je0
20hyX4qRXnD1aqSMQ+pjisJnM+mvZ5tCIYQYxQEaPk1hFUgzyUfRcr/lUaPB4aIq
q/pJ+WOHOgzMx+kHGGRHPL4gFof49S1Q0X8ax7wBAoGAUBFDSEkjCBEaEipvA+PL
RfrOaBrRal42GiVBe9Qir9RIF79n9a7VnulEykMwUIZ6q8/HnDdda0Mmum5ha8pj
dOvNeFdPdnXlVs7vvOFCv/vfrS/af7rdm2m0H1oN5O/ZB2vuDnO3yOlwCFjT9hYs
OOtBGz9S5Tal+MIk+oH/mIY=
-----END PRIVATE KEY-----
";

fn key(pem: &str) -> PlainSecret {
    PlainSecret::presented(pem)
}

fn self_signed(pair: &KeyPair, names: &[&str]) -> String {
    let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
    CertificateParams::new(names).unwrap().self_signed(pair).unwrap().pem()
}

#[test]
fn a_key_of_each_type_fits_its_own_certificate_and_no_other() {
    let pairs = [
        KeyPair::from_pem(RSA_KEY).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::generate_for(&PKCS_ED25519).unwrap(),
    ];
    for (n, own) in pairs.iter().enumerate() {
        let chain = self_signed(own, &["a.example", "*.b.example"]);
        for (other, pair) in pairs.iter().enumerate() {
            let found = read(&chain, &key(&pair.serialize_pem()));
            let expected = if n == other { None } else { Some(CertificateProblem::Fit) };
            assert_eq!(found.err(), expected, "{n} {other}");
        }
    }
    let same_type = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let chain = self_signed(&pairs[3], &["a.example"]);
    assert_eq!(read(&chain, &key(&same_type.serialize_pem())).unwrap_err(), CertificateProblem::Fit);
}

#[test]
fn without_alternative_names_the_subject_names_the_host() {
    let pair = KeyPair::generate().unwrap();
    let names = |chain: &str| read(chain, &key(&pair.serialize_pem())).unwrap().names;
    let chain = self_signed(&pair, &["a.example", "*.b.example", "127.0.0.1"]);
    assert_eq!(names(&chain), ["a.example", "*.b.example"]);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "c.example");
    assert_eq!(names(&params.self_signed(&pair).unwrap().pem()), ["c.example"]);
}

#[test]
fn a_chain_must_lead_from_the_leaf_to_who_issued_it() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "an authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let pair = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["a.example".into()]).unwrap();
    let leaf = leaf.signed_by(&pair, &authority).unwrap().pem();
    let read = |chain: String| read(&chain, &key(&pair.serialize_pem())).map(|facts| facts.names);
    assert_eq!(read(format!("{leaf}{}", authority.pem())).unwrap(), ["a.example"]);
    assert_eq!(read(format!("{}{leaf}", authority.pem())).unwrap_err(), CertificateProblem::Order);
    let strange = self_signed(&KeyPair::generate().unwrap(), &["b.example"]);
    assert_eq!(read(format!("{leaf}{strange}")).unwrap_err(), CertificateProblem::Order);
    assert!(are_authorities(&authority.pem()));
    assert!(!are_authorities(""));
    assert!(!are_authorities(&pair.serialize_pem()));
}

#[test]
fn what_is_no_certificate_or_key_is_refused() {
    let pair = KeyPair::generate().unwrap();
    let (chain, own) = (self_signed(&pair, &["a.example"]), pair.serialize_pem());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for wrong in ["", "x", &own, broken, &format!("{chain}{broken}")] {
        assert_eq!(read(wrong, &key(&own)).unwrap_err(), CertificateProblem::Chain, "{wrong}");
    }
    for wrong in ["", "x", &chain, &format!("{own}{own}"), &own.replace("PRIVATE", "ENCRYPTED PRIVATE")] {
        let problem = read(&chain, &key(wrong)).unwrap_err();
        assert_eq!(problem, CertificateProblem::Key);
        assert!(problem.is_of_key());
    }
}

#[test]
fn validity_is_told_in_seconds_and_in_words() {
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["a.example".into()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 8, 7);
    let chain = params.self_signed(&pair).unwrap().pem();
    let facts = read(&chain, &key(&pair.serialize_pem())).unwrap();
    assert_eq!((facts.not_before.seconds(), facts.not_after.seconds()), (1_767_225_600, 1_786_060_800));
    assert!(facts.not_after_text.starts_with("Aug"), "{}", facts.not_after_text);
}
