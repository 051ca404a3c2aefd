//! Which providers can be made, and what an update leaves as it is.

use super::*;

fn made(input: DcrProviderInput) -> Result<DcrProvider, String> {
    DcrProvider::new(DcrProviderId::known("dcr_1"), input, Timestamp::default())
        .map_err(|refused| refused.to_string())
}

fn oidc() -> DcrProviderInput {
    DcrProviderInput {
        name: Some("Keycloak".into()),
        issuer: Some("https://id.example.com/realms/dev".into()),
        ..Default::default()
    }
}

fn bridge() -> DcrProviderInput {
    DcrProviderInput {
        name: Some("Bridge".into()),
        provider_type: Some(DcrProviderType::HttpBridge),
        base_url: Some("http://bridge.internal:8080/v1".into()),
        ..Default::default()
    }
}

fn with_headers<const N: usize>(pairs: [(&str, &str); N]) -> DcrProviderInput {
    let headers = pairs.map(|(name, value)| (name.to_owned(), PlainSecret::presented(value)));
    DcrProviderInput { headers: Some(headers.into()), ..Default::default() }
}

#[test]
fn each_type_has_members_that_it_needs() {
    assert_eq!(made(oidc()).unwrap().provider_type, DcrProviderType::Oidc);
    assert_eq!(made(bridge()).unwrap().issuer, "");
    let refused = |input| made(input).unwrap_err();
    assert_eq!(refused(DcrProviderInput { name: None, ..oidc() }), "name is required");
    let without = DcrProviderInput { issuer: None, ..oidc() };
    assert_eq!(refused(without), "issuer is required for a provider of type oidc");
    let without = DcrProviderInput { base_url: Some(String::new()), ..bridge() };
    assert_eq!(refused(without), "base_url is required for a provider of type http_bridge");
    let foreign = DcrProviderInput { base_url: Some("https://a.example".into()), ..oidc() };
    assert_eq!(refused(foreign), "base_url is a member of providers of type http_bridge only");
}

#[test]
fn an_issuer_is_an_address_that_can_be_called() {
    for issuer in [
        "id.example.com",
        "ftp://id.example.com",
        "https://",
        "https://ann:pw@id.example.com",
        "https://id.example.com?tenant=1",
        "https://id.example.com#top",
        "https://id.example.com/a b",
        "https:\\\\id.example.com",
        " https://id.example.com",
        "http://[::1",
    ] {
        let refused = made(DcrProviderInput { issuer: Some(issuer.into()), ..oidc() }).unwrap_err();
        assert!(refused.starts_with("issuer must be an http or https address"), "{issuer}: {refused}");
    }
    for issuer in ["http://127.0.0.1:3000", "https://id.example.com/", "https://[2001:db8::1]/realm"] {
        let provider = made(DcrProviderInput { issuer: Some(issuer.into()), ..oidc() }).unwrap();
        assert_eq!(provider.issuer, issuer, "as given: tokens name it so");
    }
}

#[test]
fn an_update_is_partial_and_the_type_stays() {
    let provider = made(oidc()).unwrap();
    let later = Timestamp::from_seconds(9);
    let renamed = DcrProviderInput { name: Some("Other".into()), ..Default::default() };
    let changed = provider.clone().changed(renamed, later).unwrap();
    assert_eq!(changed, DcrProvider { name: "Other".into(), updated_at: later, ..provider.clone() });
    let retyped = DcrProviderInput { provider_type: Some(DcrProviderType::HttpBridge), ..Default::default() };
    let refused = provider.changed(retyped, later).unwrap_err();
    assert_eq!(refused, DcrProviderRefusal::TypeFixed(DcrProviderType::Oidc));
}

#[test]
fn a_masked_header_stays_as_it_is_and_an_absent_one_goes() {
    let sealed = |text: &str| KeptSecret::Sealed(text.into());
    let mut provider = made(oidc()).unwrap();
    provider.headers = [("Authorization".into(), sealed("one")), ("X-Tenant".into(), sealed("two"))].into();
    let input = with_headers([("authorization", MASK), ("X-New", "value")]);
    let changed = provider.clone().changed(input, Timestamp::default()).unwrap();
    let expected = [
        ("X-New".to_owned(), KeptSecret::Clear("value".into())),
        ("authorization".to_owned(), sealed("one")),
    ];
    assert_eq!(changed.headers, expected.into());
    let unknown = provider.changed(with_headers([("X-Other", MASK)]), Timestamp::default()).unwrap_err();
    assert!(unknown.to_string().contains("no such header is stored"), "{unknown}");
}

#[test]
fn no_server_is_sent_headers_that_were_given_for_another() {
    let at = |issuer: &str| DcrProviderInput { issuer: Some(issuer.into()), ..Default::default() };
    let with =
        |given: DcrProviderInput| DcrProviderInput { headers: given.headers, ..at("https://evil.example") };
    let mut provider = made(oidc()).unwrap();
    let changed = |provider: &DcrProvider, input| provider.clone().changed(input, Timestamp::default());
    assert!(changed(&provider, at("https://other.example")).is_ok(), "there are none");
    provider.headers = [("X-Key".into(), KeptSecret::Sealed("one".into()))].into();
    let kept = with_headers([("X-Key", MASK), ("X-Other", "given")]);
    for input in [at("https://evil.example"), with(kept)] {
        let refused = changed(&provider, input).unwrap_err().to_string();
        assert!(refused.starts_with("headers must be given again"), "{refused}");
    }
    assert!(changed(&provider, at(&provider.issuer)).is_ok(), "it stays where it is");
    assert!(changed(&provider, with(with_headers([("X-Key", "another")]))).is_ok());
    assert!(changed(&provider, with(with_headers([]))).unwrap().headers.is_empty());
}

#[test]
fn a_header_that_cannot_be_sent_is_refused() {
    for pairs in [
        [("", "a")],
        [("X Y", "a")],
        [("Host", "a")],
        [("content-TYPE", "a")],
        [("X", "")],
        [("X", "a\r\nY: b")],
        [("X", "ä")],
    ] {
        let input = DcrProviderInput { headers: with_headers(pairs).headers, ..oidc() };
        assert!(made(input).unwrap_err().starts_with("headers"), "{pairs:?}");
    }
    let twice = with_headers([("X-Tenant", "a"), ("x-tenant", "b")]);
    assert!(made(DcrProviderInput { headers: twice.headers, ..oidc() }).unwrap_err().contains("once"));
}
