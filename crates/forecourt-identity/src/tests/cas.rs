//! What CAS servers answer, and what nobody should be known by.

use std::time::Duration;

use forecourt_core::addresses::OutgoingRules;

use super::*;
use crate::tests::peers::Peer;

fn config(url: String) -> CasSignIn {
    CasSignIn { url, ..CasSignIn::default() }
}

fn success(inner: &str) -> String {
    format!(
        "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\"><cas:authenticationSuccess>{inner}\
         </cas:authenticationSuccess></cas:serviceResponse>"
    )
}

async fn validated(peer: &Peer) -> Result<ExternalPerson, SignInFault> {
    let outgoing = Outgoing::with_time(OutgoingRules::default(), Duration::from_secs(2));
    validate(&config(peer.url("/cas/")), &outgoing, "https://us.example/back?state=a b", "ST-1").await
}

/// What becomes of an answer with this body.
async fn answered(body: &str) -> Result<ExternalPerson, SignInFault> {
    validated(&Peer::answering("200 OK", body).await).await
}

#[test]
fn people_are_sent_to_the_login_page_with_the_service_where_that_is_wished() {
    let config = config("https://cas.example/cas".into());
    let url = login_url(&config, "https://us.example/back?state=a&b").unwrap();
    assert_eq!(url, "https://cas.example/cas/login?service=https%3A%2F%2Fus.example%2Fback%3Fstate%3Da%26b");
    let silent = CasSignIn { send_service: false, ..config };
    assert_eq!(login_url(&silent, "https://us.example").unwrap(), "https://cas.example/cas/login");
}

#[tokio::test]
async fn a_ticket_is_validated_for_its_service_and_tells_who_it_is() {
    let body = success(
        "<cas:user>ada</cas:user><cas:attributes><cas:mail>Ada@Example.com</cas:mail>\
         <cas:givenName>Ada</cas:givenName><cas:sn>&lt;King&gt; &#76;ovelace</cas:sn></cas:attributes>",
    );
    let peer = Peer::answering("200 OK", &body).await;
    let person = validated(&peer).await.unwrap();
    assert_eq!((person.subject.as_str(), person.username.as_deref()), ("ada", Some("ada")));
    assert_eq!(person.email.as_deref(), Some("ada@example.com"));
    assert_eq!(person.last_name.as_deref(), Some("<King> Lovelace"));
    let heard = peer.heard();
    assert_eq!(heard.len(), 1);
    let asked =
        "GET /cas/p3/serviceValidate?service=https%3A%2F%2Fus.example%2Fback%3Fstate%3Da+b&ticket=ST-1 ";
    assert!(heard[0].starts_with(asked), "{heard:?}");
}

#[tokio::test]
async fn a_server_of_version_2_is_asked_at_its_own_path() {
    let body = success("<cas:user>ada</cas:user>");
    let peer = Peer::routing(move |line, _| match line.contains("/p3/") {
        true => ("404 Not Found".into(), String::new()),
        false => ("200 OK".into(), body.clone()),
    })
    .await;
    assert_eq!(validated(&peer).await.unwrap().subject, "ada");
}

#[tokio::test]
async fn a_ticket_that_the_server_refuses_is_refused_with_its_code_alone() {
    let refused = |code: &str| {
        format!(
            "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\"><cas:authenticationFailure code=\"{code}\">\
             some words</cas:authenticationFailure></cas:serviceResponse>"
        )
    };
    let fault = answered(&refused("INVALID_TICKET")).await.unwrap_err();
    let told = "the CAS server does not accept the ticket: INVALID_TICKET";
    assert_eq!(fault, SignInFault::Refused(told.into()));
    let odd = answered(&refused("a b")).await.unwrap_err().to_string();
    assert!(!odd.contains("a b"), "{odd}");
}

#[tokio::test]
async fn an_answer_that_is_not_plain_is_refused() {
    let user = "<cas:user>ada</cas:user>";
    let entity = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]>";
    let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
    for body in [
        String::new(),
        "no XML at all".into(),
        "<html><body>Sign in</body></html>".into(),
        "{\"serviceResponse\":{}}".into(),
        success(""),
        success("<cas:user></cas:user>"),
        success(&user.repeat(2)),
        success("<cas:user>a<b/>da</cas:user>"),
        success(&format!("<cas:x>{user}</cas:x>")),
        success("<cas:user>&ada;</cas:user>"),
        format!("{entity}{}", success("<cas:user>&c;</cas:user>")),
        format!("{entity}{}", success(user)),
        success(user).replace("</cas:serviceResponse>", ""),
        success(&format!("{user}{deep}")),
        success(&format!("<cas:user>{}</cas:user>", "a".repeat(9_000))),
        format!("<other>{}</other>", success(user)),
    ] {
        let fault = answered(&body).await.expect_err(&body);
        assert!(!matches!(fault, SignInFault::Unreachable(_)), "{fault:?} for {body}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_or_out_of_order_is_told_apart_from_one_that_refuses() {
    for peer in [Peer::answering("500 Oh", "").await, Peer::answering("302 Found\r\nLocation: /", "").await] {
        assert!(matches!(validated(&peer).await, Err(SignInFault::Unreachable(_))));
    }
}

#[tokio::test]
async fn what_cannot_be_a_ticket_is_not_sent_anywhere() {
    let peer = Peer::answering("200 OK", &success("<cas:user>ada</cas:user>")).await;
    let outgoing = Outgoing::new(OutgoingRules::default());
    let config = config(peer.url(""));
    for ticket in ["", "ST 1", "ST\n1", &"x".repeat(TICKET + 1)] {
        let fault = validate(&config, &outgoing, "https://us.example", ticket).await.unwrap_err();
        assert!(matches!(fault, SignInFault::Refused(_)));
    }
    assert_eq!(peer.heard().len(), 0);
}
