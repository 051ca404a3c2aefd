//! Every form of the console, sent without its token, with another's, or from another site.

use axum::http::StatusCode;
use forecourt_web::links::provider;

use crate::{browsers::Browser, installations::Installation};

const FOREIGN: [(&str, &str); 5] = [
    ("origin", "https://evil.example"),
    ("origin", "http://console.example.evil.example"),
    ("origin", "http://console.example:81"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
];

const OWN: [&[(&str, &str)]; 4] = [
    &[],
    &[("origin", "http://console.example")],
    &[("origin", "null")],
    &[("origin", "https://renamed.example"), ("sec-fetch-site", "same-origin")],
];

/// The paths of forms: those that take a POST, made up but for the portal, which is looked up before the form is read.
async fn forms(installation: &Installation, browser: &Browser) -> Vec<String> {
    let mut forms = Vec::new();
    for pattern in provider::ALL {
        let segments = pattern.split('/').map(|segment| match segment {
            "{portal}" => installation.portal.as_str(),
            segment if segment.starts_with('{') => "x",
            segment => segment,
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let answer = browser.clone().post_with_token(&path, "", &[]).await;
        if answer.status != StatusCode::METHOD_NOT_ALLOWED {
            forms.push(path);
        }
    }
    assert!(forms.len() >= 80, "most paths have a form: {forms:?}");
    forms
}

#[tokio::test]
async fn no_form_of_the_console_is_taken_without_its_token_or_from_another_site() {
    let installation = Installation::start().await;
    let other = installation.signed_in_without_role().await;
    let ada = installation.signed_in().await;
    assert_ne!(ada.token(), other.token());
    for path in forms(&installation, &ada).await {
        for token in ["", "0", other.token()] {
            let refused = ada.clone().post_with_token(&path, token, &[]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.main());
            assert!(refused.html.contains("out of date"), "{path}: {}", refused.main());
        }
        for (name, value) in FOREIGN {
            let mut elsewhere = ada.clone();
            elsewhere.header(name, value);
            let refused = elsewhere.post(&path, &[]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}, {value}: {}", refused.main());
            assert!(refused.html.contains("out of date"), "{path}, {value}: {}", refused.main());
        }
    }
}

#[tokio::test]
async fn a_form_of_the_console_itself_is_taken_whatever_a_proxy_or_a_referrer_policy_makes_of_its_origin() {
    let installation = Installation::start().await;
    let ada = installation.signed_in().await;
    for headers in OWN {
        let mut browser = ada.clone();
        for (name, value) in headers {
            browser.header(name, value);
        }
        let answer = browser.post("/portals/new", &[("name", "")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{headers:?}: {}", answer.main());
    }
}
