//! What somebody does who holds a genuine response, another identity provider, or a key of their own.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_it::{Browser, PageForm};

use super::{
    super::{path, somebody},
    Stage,
};

const REFUSED: &str = "/sign-in?failed=refused";

/// Tries the form in the browser that it is of; nobody is signed in.
async fn refused(stage: &Stage, browser: &Browser, form: &PageForm, what: &str) {
    let taken = browser.posts_from_elsewhere(form).await;
    assert_eq!((taken.status.as_u16(), path(&taken).as_str()), (303, REFUSED), "{what}: {taken:?}");
    assert!(somebody(&stage.f, browser).await.is_none(), "{what}");
}

/// What an attacker does, and how a text looks after it.
type Forging = (&'static str, fn(&str) -> String);

fn xml(form: &PageForm) -> String {
    String::from_utf8(STANDARD.decode(form.field("SAMLResponse")).unwrap()).unwrap()
}

fn with_xml(form: &PageForm, xml: &str) -> PageForm {
    form.with("SAMLResponse", &STANDARD.encode(xml))
}

/// The first stretch of `text` from `start` to the end of `end`.
fn part<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).expect("it begins somewhere");
    let within = from + start.len();
    let length = text[within..].find(end).expect("it ends somewhere");
    &text[from..within + length + end.len()]
}

fn assertion(xml: &str) -> &str {
    part(xml, "<saml:Assertion", "</saml:Assertion>")
}

fn signature(xml: &str) -> &str {
    part(xml, "<Signature", "</Signature>")
}

fn id(element: &str) -> &str {
    part(element, " ID=\"", "\"").trim_start_matches(" ID=\"").trim_end_matches('"')
}

/// An assertion that nobody signed, which says of `admin` what the genuine one says of ada.
fn forged(assertion: &str) -> String {
    let unsigned = assertion.replace(signature(assertion), "").replace(id(assertion), "_forged");
    let forged = unsigned.replace(">ada<", ">admin<");
    assert_ne!(forged, unsigned);
    forged
}

#[tokio::test]
async fn what_the_identity_provider_says_to_somebody_else_or_with_another_key_is_refused() {
    let stage = Stage::plain().await;
    for parameters in [
        "&audience=https://other.example",
        "&recipient=https://other.example/acs",
        "&destination=https://other.example/acs&signs=both",
        "&answers=_another_request",
        "&issuer=https://other.example",
        "&lifetime=-120",
        "&signs=none",
        "&key=other",
        "&key=other&shown=own",
        "&key=other&signs=response",
        "&algorithm=rsa-sha1",
        "&digest=sha1",
        "&format=urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
    ] {
        let browser = Browser::new();
        let form = stage.asked(&browser, parameters).await;
        refused(&stage, &browser, &form, parameters).await;
    }
    assert_eq!(stage.f.admin().await.get("/api/users").await.expect(200)["total"], 1, "nobody was made");
}

#[tokio::test]
async fn a_response_that_was_changed_on_its_way_is_refused() {
    let stage = Stage::plain().await;
    let changes: [Forging; 8] = [
        ("a changed value", |xml| xml.replace(">ada<", ">admin<")),
        ("a signature removed", |xml| xml.replace(signature(xml), "")),
        ("a signature of nothing", |xml| {
            let value = part(xml, "<SignatureValue>", "</SignatureValue>");
            xml.replace(value, "<SignatureValue></SignatureValue>")
        }),
        ("a changed audience", |xml| {
            let audience = part(xml, "<saml:Audience>", "</saml:Audience>");
            xml.replace(audience, "<saml:Audience>https://other.example</saml:Audience>")
        }),
        ("a longer life", |xml| {
            let end = part(xml, "NotOnOrAfter=\"", "\"");
            xml.replace(end, "NotOnOrAfter=\"2036-01-01T00:00:00.000Z\"")
        }),
        ("a document type", |xml| format!("<!DOCTYPE x [<!ENTITY who \"admin\">]>{xml}")),
        ("an entity", |xml| {
            format!("<!DOCTYPE x [<!ENTITY who \"ada\">]>{}", xml.replace(">ada<", ">&who;<"))
        }),
        ("half of it", |xml| xml[..xml.len() / 2].to_owned()),
    ];
    for (what, change) in changes {
        let browser = Browser::new();
        let form = stage.asked(&browser, "").await;
        let (genuine, changed) = (xml(&form), change(&xml(&form)));
        assert_ne!(genuine, changed, "{what}");
        refused(&stage, &browser, &with_xml(&form, &changed), what).await;
    }
}

#[tokio::test]
async fn a_genuine_assertion_wrapped_around_or_beside_a_forged_one_proves_nobody() {
    let stage = Stage::plain().await;
    let wraps: [Forging; 8] = [
        ("the forged one first", |xml| {
            xml.replace(assertion(xml), &format!("{}{}", forged(assertion(xml)), assertion(xml)))
        }),
        ("the forged one last", |xml| {
            xml.replace(assertion(xml), &format!("{}{}", assertion(xml), forged(assertion(xml))))
        }),
        ("the genuine one in the advice of the forged one", |xml| {
            let (own, forged) = (assertion(xml), forged(assertion(xml)));
            let advised = format!("<saml:Advice>{own}</saml:Advice></saml:Assertion>");
            xml.replace(own, &forged.replace("</saml:Assertion>", &advised))
        }),
        ("the genuine one in an object of the signature of the forged one", |xml| {
            let (own, forged) = (assertion(xml), forged(assertion(xml)));
            let bare = own.replace(signature(own), "");
            let object = format!("<Object>{bare}</Object></Signature>");
            let signed = signature(own).replace("</Signature>", &object);
            xml.replace(own, &forged.replace("</saml:Issuer>", &format!("</saml:Issuer>{signed}")))
        }),
        ("the signature of the genuine one on the forged one", |xml| {
            let (own, forged) = (assertion(xml), forged(assertion(xml)));
            let moved = forged.replace("</saml:Issuer>", &format!("</saml:Issuer>{}", signature(own)));
            xml.replace(own, &format!("{moved}{}", own.replace(signature(own), "")))
        }),
        ("two with the same name", |xml| {
            let own = assertion(xml);
            xml.replace(own, &format!("{}{own}", forged(own).replace("_forged", id(own))))
        }),
        ("the genuine one in an extension", |xml| {
            let (own, forged) = (assertion(xml), forged(assertion(xml)));
            let extended = format!("<samlp:Extensions>{own}</samlp:Extensions><samlp:Status>");
            xml.replace(own, &forged).replace("<samlp:Status>", &extended)
        }),
        ("the genuine one as confirmation of the forged one", |xml| {
            let (own, forged) = (assertion(xml), forged(assertion(xml)));
            let data = part(&forged, "<saml:SubjectConfirmationData", ">").to_owned();
            let open = format!("{}>{own}</saml:SubjectConfirmationData>", data.trim_end_matches(['/', '>']));
            xml.replace(own, &forged.replace(&data, &open))
        }),
    ];
    for (what, wrap) in wraps {
        let browser = Browser::new();
        let form = stage.asked(&browser, "").await;
        let (genuine, wrapped) = (xml(&form), wrap(&xml(&form)));
        assert!(wrapped.contains(">admin<") && wrapped != genuine, "{what}");
        refused(&stage, &browser, &with_xml(&form, &wrapped), what).await;
    }
}

#[tokio::test]
async fn a_genuine_response_wrapped_in_a_forged_one_proves_nobody() {
    let stage = Stage::plain().await;
    let wraps: [Forging; 3] = [
        ("in an object of the moved signature", |xml| {
            let (own, bare) = (signature(xml), xml.replace(signature(xml), ""));
            let object = own.replace("</Signature>", &format!("<Object>{bare}</Object></Signature>"));
            let renamed = forged_response(xml);
            renamed.replacen("</saml:Issuer>", &format!("</saml:Issuer>{object}"), 1)
        }),
        ("in an extension", |xml| {
            let extended = format!("<samlp:Extensions>{xml}</samlp:Extensions><samlp:Status>");
            forged_response(xml).replace("<samlp:Status>", &extended)
        }),
        ("at the end", |xml| {
            forged_response(xml).replace("</samlp:Response>", &format!("{xml}</samlp:Response>"))
        }),
    ];
    for (what, wrap) in wraps {
        let browser = Browser::new();
        let form = stage.asked(&browser, "&signs=response").await;
        let wrapped = wrap(&xml(&form));
        assert!(wrapped.contains(">admin<"), "{what}");
        refused(&stage, &browser, &with_xml(&form, &wrapped), what).await;
    }
}

/// A response that nobody signed, of another name, which speaks of `admin`.
fn forged_response(xml: &str) -> String {
    let bare = xml.replace(signature(xml), "");
    bare.replacen(id(xml), "_forged", 1).replace(">ada<", ">admin<")
}

#[tokio::test]
async fn a_comment_within_a_name_does_not_cut_it() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    let form = stage.asked(&browser, "&user=admin.of.nothing").await;
    let commented = xml(&form).replace(">admin.of.nothing<", ">admin<!-- -->.of.nothing<");
    let arrived = stage.brought(&browser, &with_xml(&form, &commented)).await;
    // Signatures do not cover comments: either the whole name counts, or nobody is let in.
    let username = somebody(&stage.f, &browser).await.map(|me| me["username"].clone());
    assert!(username.is_none_or(|name| name == "admin.of.nothing"), "{arrived:?}");
}

#[tokio::test]
async fn a_response_counts_once_for_its_own_request_and_in_its_own_browser() {
    let stage = Stage::plain().await;
    let (ada, eve) = (Browser::new(), Browser::new());
    let (own, other) = (stage.asked(&ada, "").await, stage.asked(&eve, "&user=eve").await);
    // Eve's answer with the state of Ada's request, and the other way round.
    let crossed = own.with("SAMLResponse", other.field("SAMLResponse"));
    refused(&stage, &ada, &crossed, "another request's response").await;
    refused(&stage, &ada, &own, "the request was taken").await;
    refused(&stage, &ada, &own.with("RelayState", "made up"), "a state that never was").await;
    refused(&stage, &ada, &own.with("RelayState", ""), "no state").await;

    // Eve's genuine response in Ada's browser: she would work in Eve's account without knowing.
    let arrived = stage.brought(&ada, &other).await;
    assert_eq!(path(&arrived), REFUSED);
    assert!(somebody(&stage.f, &ada).await.is_none());

    let form = stage.asked(&ada, "").await;
    let taken = ada.posts_from_elsewhere(&form).await;
    let finish = taken.next().unwrap();
    // The response again, before and after the browser has come for its session.
    assert_eq!(path(&eve.posts_from_elsewhere(&form).await), REFUSED);
    assert_eq!(path(&ada.opens(finish.as_str()).await), "/");
    assert_eq!(path(&ada.opens(finish.as_str()).await), REFUSED);
    assert_eq!(path(&ada.posts_from_elsewhere(&form).await), REFUSED);
}

#[tokio::test]
async fn somebody_who_is_proven_in_a_round_that_another_began_lets_neither_of_them_in() {
    let stage = Stage::plain().await;
    let without_held: [Forging; 2] = [
        ("the state alone", |state| format!("finish?state={state}")),
        ("the state twice", |state| format!("finish?state={state}&held={state}")),
    ];
    for (what, query) in without_held {
        let (eve, ada) = (Browser::new(), Browser::new());
        // Eve begins, and has Ada open the address of the identity provider, which knows Ada.
        let sent = eve.opens(&stage.url("login")).await.next().unwrap();
        let form = PageForm::on(&ada.opens(sent.as_str()).await);
        let finish = ada.posts_from_elsewhere(&form).await.next().unwrap();
        let held = finish.query_pairs().find(|(name, _)| name == "held").unwrap().1.into_owned();
        assert_ne!(held, form.field("RelayState"));
        // Eve has the cookie and the state, Ada the secret that holds her.
        let arrived = eve.opens(&stage.url(&query(form.field("RelayState")))).await;
        assert_eq!(path(&arrived), REFUSED, "{what}");
        assert_eq!(path(&eve.posts_from_elsewhere(&form).await), REFUSED, "it was answered");
        assert_eq!(path(&ada.opens(finish.as_str()).await), REFUSED, "Ada did not begin");
        let late = form.with("RelayState", &held);
        assert_eq!(path(&ada.posts_from_elsewhere(&late).await), REFUSED, "what holds her is no state");
        for browser in [&eve, &ada] {
            assert!(somebody(&stage.f, browser).await.is_none(), "{what}");
        }
    }
    assert_eq!(stage.f.admin().await.get("/api/users").await.expect(200)["total"], 1, "nobody was made");
}

#[tokio::test]
async fn a_response_expires_before_its_request_does() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    // Good for five minutes, and one more for clocks that differ.
    let form = stage.asked(&browser, "").await;
    stage.f.advance(Duration::from_secs(361));
    refused(&stage, &browser, &form, "expired").await;
}

#[tokio::test]
async fn a_body_that_is_no_form_or_too_large_is_refused_as_such() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    let form = stage.asked(&browser, "").await;
    let large = form.with("SAMLResponse", &"A".repeat(600_000));
    assert_eq!(browser.posts_from_elsewhere(&large).await.status, 413);
    let path = format!("/api/saml/{}/acs", stage.option);
    let json = ("application/json".to_owned(), b"{}".to_vec());
    let answer = stage.f.guest().send_bytes(http::Method::POST, &path, Some(json)).await;
    answer.refused(400, "Content-Type");
}
