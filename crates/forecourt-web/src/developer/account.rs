//! The person's own account: profile, password, sessions.

use serde::Serialize;

use crate::{
    display::When,
    forms::Form,
    samples::{Sample, ago},
    templates::View,
};

/// `GET /account`.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// What people call them.
    pub name: String,
    /// The e-mail address; invited persons may have none.
    pub email: Option<String>,
    /// Whether they proved that it is theirs.
    pub email_verified: bool,
    /// Whether a link to prove it can be mailed.
    pub verifies: bool,
    /// The username; self-registered persons have none.
    pub username: Option<String>,
    /// When the account was made.
    pub created_at: When,
    /// Whether the password lives here and can be changed.
    pub has_password: bool,
}

/// `GET` and `POST` `/account/password`. Fields: `current`, `password`, `again`.
#[derive(Clone, Debug, Serialize)]
pub struct PasswordChange {
    /// What was wrong.
    pub form: Form,
    /// Whether the password lives here and can be changed; keeps the tabs the same.
    pub has_password: bool,
}

/// `GET /account/sessions`; each other session posts to `/account/sessions/{session}/end`.
#[derive(Clone, Debug, Serialize)]
pub struct Sessions {
    /// The sessions, this one first.
    pub sessions: Vec<SessionRow>,
    /// Whether the password lives here and can be changed; keeps the tabs the same.
    pub has_password: bool,
}

/// One session.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRow {
    /// Its public id; never its token.
    pub id: String,
    /// Browser and system, as far as known.
    pub agent: String,
    /// The address it was made from.
    pub address: String,
    /// When it began.
    pub created_at: When,
    /// When it ends by itself.
    pub expires_at: When,
    /// Whether it is the one asking.
    pub current: bool,
}

impl View for Account {
    const TEMPLATE: &'static str = "developer/account/profile.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = Self {
            name: "Ada Lovelace".to_owned(),
            email: Some("ada@analytical.example".to_owned()),
            email_verified: true,
            verifies: true,
            username: Some("ada".to_owned()),
            created_at: ago(86_400 * 420),
            has_password: true,
        };
        let linked = Self { has_password: false, username: None, ..full.clone() };
        let unproved = Self { email_verified: false, ..full.clone() };
        vec![
            Sample::developer("full", full),
            Sample::developer("linked", linked),
            Sample::developer("unproved", unproved),
        ]
    }
}

impl View for PasswordChange {
    const TEMPLATE: &'static str = "developer/account/password.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new().refused("current", "This is not your current password.");
        vec![
            Sample::developer("plain", Self { form: Form::new(), has_password: true }),
            Sample::developer("refused", Self { form: refused, has_password: true }),
        ]
    }
}

impl View for Sessions {
    const TEMPLATE: &'static str = "developer/account/sessions.html";

    fn samples() -> Vec<Sample<Self>> {
        let session = |id: &str, agent: &str, address: &str, seconds, current| SessionRow {
            id: id.to_owned(),
            agent: agent.to_owned(),
            address: address.to_owned(),
            created_at: ago(seconds),
            expires_at: ago(seconds - 86_400),
            current,
        };
        let sessions = vec![
            session("s1", "Firefox on Linux", "192.0.2.17", 20, true),
            session("s2", "Safari on iPhone", "2001:db8:85a3:8d3:1319:8a2e:370:7348", 5000, false),
        ];
        vec![Sample::developer("full", Self { sessions, has_password: true })]
    }
}
