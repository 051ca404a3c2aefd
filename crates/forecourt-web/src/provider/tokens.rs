//! Portal tokens: with one a front end speaks for a portal. Deleting is `confirm.rs`.

use serde::Serialize;

use crate::{
    developer::credentials::Secret,
    display::{Status, When},
    forms::Form,
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /portals/{portal}/tokens`.
#[derive(Clone, Debug, Serialize)]
pub struct TokenList {
    /// The tokens.
    pub tokens: Vec<TokenRow>,
}

/// One token. Never its text.
#[derive(Clone, Debug, Serialize)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Active or expired.
    pub status: Status,
    /// When it was made.
    pub created_at: When,
    /// When it ends, if ever.
    pub expires_at: Option<When>,
}

/// `GET` and `POST` `/portals/{portal}/tokens/new`. Fields: `name`, `days` (`30`, `90`, `365` or empty for no
/// end).
#[derive(Clone, Debug, Serialize)]
pub struct NewToken {
    /// What was typed.
    pub form: Form,
}

/// The answer to a create: the token, this once. Never cached.
#[derive(Clone, Debug, Serialize)]
pub struct TokenShown {
    /// Its name.
    pub name: String,
    /// The token.
    pub secrets: Vec<Secret>,
    /// A line that works in a shell, where the Portal API's address is known.
    pub curl: Option<String>,
}

impl View for TokenList {
    const TEMPLATE: &'static str = "provider/tokens/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |number: u32, name: &str, status, expires_at| TokenRow {
            id: id("ptk", number),
            name: name.to_owned(),
            status,
            created_at: ago(86_400 * 30),
            expires_at,
        };
        let tokens = vec![
            row(1, "Partner front end", Status::Active, Some(ago(-86_400 * 3))),
            row(2, "Nightly export", Status::Active, None),
            row(3, "Old site", Status::Expired, Some(ago(86_400 * 3))),
        ];
        vec![
            Sample::provider("full", Self { tokens }),
            Sample::provider("empty", Self { tokens: Vec::new() }),
        ]
    }
}

impl View for NewToken {
    const TEMPLATE: &'static str = "provider/tokens/new.html";

    fn samples() -> Vec<Sample<Self>> {
        vec![Sample::provider("plain", Self { form: Form::new().with("days", "90") })]
    }
}

impl View for TokenShown {
    const TEMPLATE: &'static str = "provider/tokens/shown.html";

    fn samples() -> Vec<Sample<Self>> {
        let token = "a7prt-sample-not-a-real-token-but-as-long-as-one-0123456789abcdef";
        let secrets = vec![Secret {
            name: "Portal token".to_owned(),
            env: "PORTAL_TOKEN".to_owned(),
            value: token.to_owned(),
        }];
        let curl =
            Some(format!("curl -H 'Authorization: Bearer {token}' http://127.0.0.1:4321/api/api_products"));
        vec![Sample::provider("plain", Self { name: "Partner front end".to_owned(), secrets, curl })]
    }
}
