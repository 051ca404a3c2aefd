//! What links in mails to persons lead to: the proof of an address, and a new password for a forgotten one.
//!
//! Looking at these pages changes nothing, so that programs that follow links in mails use none up. None of them says
//! whether there is such an account.

use serde::Serialize;

use crate::{forms::Form, samples::Sample, templates::View};

/// `GET /verify` without a token, and `POST /verify/again`: a mail was sent, or can be sent again. Field: `email`.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingForMail {
    /// What was typed.
    pub form: Form,
    /// Whether another one was just asked for.
    pub sent: bool,
}

/// `GET` and `POST` `/verify?token=…`: asks once more, by `POST`. Fields: `token`, `password`.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The address that is proved.
    pub email: String,
    /// The link's token.
    pub token: String,
    /// Whether the account's password is to be typed: it has one.
    pub asks_password: bool,
    /// What was wrong.
    pub form: Form,
}

/// `GET` and `POST` `/reset`. Field: `email`.
#[derive(Clone, Debug, Serialize)]
pub struct ResetRequest {
    /// What was typed.
    pub form: Form,
    /// Whether a mail was just asked for.
    pub sent: bool,
}

/// `GET /reset/new?token=…` and `POST /reset/new`. Fields: `token`, `password`, `again`.
#[derive(Clone, Debug, Serialize)]
pub struct NewPassword {
    /// What was wrong.
    pub form: Form,
    /// The link's token.
    pub token: String,
    /// Whose password it is.
    pub email: String,
}

/// What is shown for a link that does not work, for whatever reason.
#[derive(Clone, Debug, Serialize)]
pub struct UnknownLink {
    /// Whether it was to choose a password.
    pub resets: bool,
}

impl View for WaitingForMail {
    const TEMPLATE: &'static str = "developer/person_links/waiting.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new().with("email", "ada@").refused("email", "This must be an e-mail address.");
        vec![
            Sample::developer("plain", Self { form: Form::new(), sent: false }).guest(),
            Sample::developer("sent", Self { form: Form::new(), sent: true }).guest(),
            Sample::developer("refused", Self { form: refused, sent: false }).guest(),
        ]
    }
}

impl View for Verification {
    const TEMPLATE: &'static str = "developer/person_links/verify.html";

    fn samples() -> Vec<Sample<Self>> {
        let plain = Self {
            email: "ada@analytical.example".to_owned(),
            token: "sample-token".to_owned(),
            asks_password: true,
            form: Form::new(),
        };
        let refused = Form::new().refused("password", "This is wrong.");
        vec![
            Sample::developer("plain", plain.clone()).guest(),
            Sample::developer("refused", Self { form: refused, ..plain.clone() }).guest(),
            Sample::developer("without", Self { asks_password: false, ..plain }).guest(),
        ]
    }
}

impl View for ResetRequest {
    const TEMPLATE: &'static str = "developer/person_links/reset.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new().with("email", "ada@").refused("email", "This must be an e-mail address.");
        vec![
            Sample::developer("plain", Self { form: Form::new(), sent: false }).guest(),
            Sample::developer("sent", Self { form: Form::new(), sent: true }).guest(),
            Sample::developer("refused", Self { form: refused, sent: false }).guest(),
        ]
    }
}

impl View for NewPassword {
    const TEMPLATE: &'static str = "developer/person_links/password.html";

    fn samples() -> Vec<Sample<Self>> {
        let plain = Self {
            form: Form::new(),
            token: "sample-token".to_owned(),
            email: "ada@analytical.example".to_owned(),
        };
        let refused = Form::new().refused("again", "The two passwords differ.");
        vec![
            Sample::developer("plain", plain.clone()).guest(),
            Sample::developer("refused", Self { form: refused, ..plain }).guest(),
        ]
    }
}

impl View for UnknownLink {
    const TEMPLATE: &'static str = "developer/person_links/unknown.html";

    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::developer("verify", Self { resets: false }).guest(),
            Sample::developer("reset", Self { resets: true }).guest(),
        ]
    }
}
