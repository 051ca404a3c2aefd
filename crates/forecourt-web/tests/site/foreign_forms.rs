//! Every form of the site, sent without its token, with another's, or from another site.

use axum::http::StatusCode;
use forecourt_web::links::developer;

use crate::harness::{Answer, Browser, Site};

const FOREIGN: [(&str, &str); 4] = [
    ("origin", "https://evil.example"),
    ("origin", "http://portal.test:81"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
];

/// The paths of forms: those that take a POST, with made-up ids.
async fn forms(browser: &Browser) -> Vec<String> {
    let mut forms = Vec::new();
    for pattern in developer::ALL {
        let filled = |segment: &'static str| if segment.starts_with('{') { "x" } else { segment };
        let path = pattern.split('/').map(filled).collect::<Vec<_>>().join("/");
        if browser.clone().post(&path, &[]).await.status != StatusCode::METHOD_NOT_ALLOWED {
            forms.push(path);
        }
    }
    assert!(forms.len() >= 21, "all forms are found: {forms:?}");
    forms
}

#[track_caller]
fn is_refused(answer: &Answer, path: &str, by: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}, {by}: {}", answer.text);
    assert!(answer.holds("out of date"), "{path}, {by}: {}", answer.text);
}

#[tokio::test]
async fn no_form_of_the_site_is_taken_without_its_token_or_from_another_site() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let mut bob = site.member("Bob").await;
    let own = ada.get("/applications/new").await.csrf().to_owned();
    let foreign = bob.get("/applications/new").await.csrf().to_owned();
    for path in forms(&ada).await {
        for token in ["", "0", foreign.as_str()] {
            is_refused(&ada.clone().post(&path, &[("csrf", token)]).await, &path, token);
        }
        for field in FOREIGN {
            is_refused(&ada.clone().post_with(&path, field, &own).await, &path, field.1);
        }
    }
    for field in [("origin", "http://portal.test"), ("origin", "null"), ("sec-fetch-site", "same-origin")] {
        let answer = ada.clone().post_with("/applications/new", field, &own).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field:?}: {}", answer.text);
    }
}
