//! What we ask identity providers, what they may say of themselves, and responses that nobody has to sign for us to
//! refuse them. What a real one signs, and what becomes of that under attack, is told by stories.

use std::{io::Read, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::DeflateDecoder;
use forecourt_core::{addresses::OutgoingRules, random::Random};
use url::Url;

use super::*;
use crate::{outgoing::Outgoing, tests::peers::Peer};

const ACS: &str = "https://us.example/api/saml/lop_1/acs";
const METADATA: &str = "https://us.example/api/saml/lop_1/metadata";
const NOW: Timestamp = Timestamp::from_seconds(1_786_093_200);
const OURS: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

/// Draws the same bytes always.
struct Ones;

impl Random for Ones {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(1);
    }
}

fn settings() -> SamlSignIn {
    SamlSignIn { sign_request: false, ..SamlSignIn::default() }
}

fn us(config: &SamlSignIn, key: Option<&str>) -> ServiceProvider {
    ServiceProvider::new(config, ACS, METADATA, key.map(PlainSecret::presented))
}

fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    (STANDARD.encode(certificate.der()), key.serialize_pem())
}

fn described(certificate: &str, services: &str) -> String {
    format!(
        "<EntityDescriptor entityID=\"https://idp.example\" xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\">\
         <IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><KeyDescriptor use=\"signing\">\
         <KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>{certificate}</X509Certificate>\
         </X509Data></KeyInfo></KeyDescriptor>{services}</IDPSSODescriptor></EntityDescriptor>"
    )
}

fn service(binding: &str, location: &str) -> String {
    format!("<SingleSignOnService Binding=\"{binding}\" Location=\"{location}\"/>")
}

fn provider() -> IdentityProvider {
    let (certificate, _) = certificate();
    IdentityProvider::read(&described(&certificate, &service(OURS, "https://idp.example/sso?realm=a")))
        .unwrap()
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

#[test]
fn a_request_says_who_asks_whom_and_where_the_answer_goes() {
    let config = SamlSignIn { entity_id: "us & \"them\"".into(), ..settings() };
    let begun = us(&config, None).begin(&provider(), "a state", NOW, &mut Ones).unwrap();
    assert_eq!(begun.request_id, format!("_{}", "01".repeat(16)));
    assert!(begun.url.starts_with("https://idp.example/sso?realm=a&SAMLRequest="), "{}", begun.url);
    assert_eq!(parameter(&begun.url, "RelayState").as_deref(), Some("a state"));
    assert_eq!((parameter(&begun.url, "SigAlg"), parameter(&begun.url, "Signature")), (None, None));
    let packed = STANDARD.decode(parameter(&begun.url, "SAMLRequest").unwrap()).unwrap();
    let mut xml = String::new();
    DeflateDecoder::new(packed.as_slice()).read_to_string(&mut xml).unwrap();
    for part in [
        "IssueInstant=\"2026-08-07T09:00:00Z\"",
        "Destination=\"https://idp.example/sso?realm=a\"",
        "AssertionConsumerServiceURL=\"https://us.example/api/saml/lop_1/acs\"",
        "<saml:Issuer>us &amp; &quot;them&quot;</saml:Issuer>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
}

#[test]
fn a_request_that_is_to_be_signed_is_not_sent_unsigned() {
    let config = SamlSignIn { sign_request: true, ..settings() };
    let (_, elliptic) = certificate();
    for key in [None, Some(elliptic.as_str()), Some("no key")] {
        let fault = us(&config, key).begin(&provider(), "state", NOW, &mut Ones).unwrap_err();
        let SignInFault::Misconfigured(why) = fault else { panic!("{fault:?}") };
        assert!(why.contains("private_key") && !why.contains("no key"), "{why}");
    }
}

#[test]
fn we_are_called_by_the_address_of_our_metadata_unless_the_option_says_otherwise() {
    let named = |entity_id: &str| {
        let config = SamlSignIn { entity_id: entity_id.into(), ..settings() };
        us(&config, None).metadata().unwrap()
    };
    let own = named("");
    assert!(own.contains(&format!("entityID=\"{METADATA}\"")), "{own}");
    assert!(own.contains(&format!("Location=\"{ACS}\"")) && own.contains("HTTP-POST"), "{own}");
    assert!(named("urn:us").contains("entityID=\"urn:us\""));
}

#[test]
fn metadata_that_nobody_can_be_known_by_is_told_as_a_fault_of_the_settings() {
    let (certificate, _) = certificate();
    let post = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
    let good = described(&certificate, &service(OURS, "https://idp.example/sso"));
    assert!(IdentityProvider::read(&good).is_ok());
    for (broken, part) in [
        (String::new(), "cannot be used"),
        ("<html></html>".into(), "cannot be used"),
        (format!("<EntitiesDescriptor>{good}</EntitiesDescriptor>"), "cannot be used"),
        (format!("<!DOCTYPE a []>{good}"), "cannot be used"),
        (good.replace("use=\"signing\"", "use=\"encryption\""), "no certificate"),
        (described(&certificate, &service(post, "https://idp.example/sso")), "HTTP-Redirect"),
        (described(&certificate, &service(OURS, "javascript:alert(1)")), "web address"),
    ] {
        let fault = IdentityProvider::read(&broken).expect_err(&broken);
        let SignInFault::Misconfigured(why) = fault else { panic!("{fault:?}") };
        assert!(why.contains(part), "{part} in {why}");
    }
}

#[tokio::test]
async fn metadata_is_asked_for_once_in_ten_minutes_and_after_a_failure_once_in_ten_seconds() {
    let (certificate, _) = certificate();
    let good = described(&certificate, &service(OURS, "https://idp.example/sso"));
    let outgoing = Outgoing::with_time(OutgoingRules::default(), Duration::from_secs(2));
    let providers = IdentityProviders::default();
    for (status, body, seconds) in
        [("200 OK", good.as_str(), 600), ("503 Away", "", 10), ("200 OK", "junk", 10)]
    {
        let peer = Peer::answering(status, body).await;
        for (later, asked) in [(0, 1), (seconds - 1, 1), (seconds, 2)] {
            let now = NOW.plus_seconds(later);
            let found = providers.described_at(&peer.url("/metadata"), &outgoing, now).await;
            assert_eq!(found.is_ok(), body == good, "{found:?}");
            assert_eq!(peer.heard().len(), asked, "{status} {later} s later");
        }
    }
}

fn response(assertion: &str) -> String {
    format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"_r\" Version=\"2.0\" IssueInstant=\"2026-08-07T09:00:00Z\" Destination=\"{ACS}\" InResponseTo=\"_1\">\
         <saml:Issuer>https://idp.example</saml:Issuer><samlp:Status>\
         <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status>{assertion}</samlp:Response>"
    )
}

fn refusal(xml: &str) -> String {
    let fault =
        us(&settings(), None).finish(&provider(), "_1", "state", &STANDARD.encode(xml), NOW).unwrap_err();
    let SignInFault::Refused(why) = fault else { panic!("{fault:?}") };
    why
}

#[test]
fn what_nobody_signed_proves_nobody() {
    let assertion = "<saml:Assertion ID=\"_a\" Version=\"2.0\" IssueInstant=\"2026-08-07T09:00:00Z\">\
                     <saml:Issuer>https://idp.example</saml:Issuer><saml:Subject><saml:NameID>ada</saml:NameID></saml:Subject>\
                     </saml:Assertion>";
    assert!(refusal(&response(assertion)).contains("signature"), "{}", refusal(&response(assertion)));
}

#[test]
fn what_is_signed_by_an_algorithm_that_others_can_copy_is_refused_unread() {
    let method = |name: &str, algorithm: &str| {
        response(&format!(
            "<ds:{name} xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Algorithm=\"{algorithm}\"/>"
        ))
    };
    for xml in [
        method("SignatureMethod", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        method("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        method("SignatureMethod", ""),
        method("DigestMethod", "http://www.w3.org/2000/09/xmldsig#sha1"),
        method("SignatureMethod", "x").replace(" Algorithm=\"x\"", ""),
    ] {
        assert!(refusal(&xml).contains("algorithm"), "{xml}");
    }
    let fine = method("DigestMethod", "http://www.w3.org/2001/04/xmlenc#sha256");
    assert!(!refusal(&fine).contains("algorithm"));
}

#[test]
fn junk_is_refused_and_none_of_it_is_repeated() {
    let finish = |response: &str| us(&settings(), None).finish(&provider(), "_1", "state", response, NOW);
    let entity = "<!DOCTYPE a [<!ENTITY b \"planted\">]>";
    for junk in [
        String::new(),
        "planted".into(),
        STANDARD.encode([0xff, 0xfe, 0x00]),
        STANDARD.encode("planted"),
        STANDARD.encode(format!("{entity}{}", response("&b;"))),
        STANDARD.encode(response("<planted>")),
        STANDARD.encode("<a>".repeat(20_000)),
    ] {
        let fault = finish(&junk).expect_err(&junk);
        assert!(matches!(fault, SignInFault::Refused(_)), "{fault:?}");
        let told = fault.to_string();
        assert!(!told.contains("planted") && told.chars().count() <= 300, "{told}");
    }
}
