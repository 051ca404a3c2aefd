//! The way in and out: sign-in, sign-up, the first password, waiting, signed out.
//!
//! A failed sign-in never says which of the two was wrong. `next` is a path on this site, checked by the
//! handler.

use serde::Serialize;

use crate::{display::Reference, forms::Form, links::developer, samples::Sample, templates::View};

/// `GET` and `POST` `/sign-in`. Fields: `username` (or e-mail address), `password`, `next`.
#[derive(Clone, Debug, Serialize)]
pub struct SignIn {
    /// What was typed; `next` is kept as a hidden field.
    pub form: Form,
    /// Whether username and password are offered.
    pub built_in: bool,
    /// Whether a new password is mailed to whoever forgot theirs.
    pub resets: bool,
    /// Other sign-in options: name and start.
    pub options: Vec<Reference>,
}

/// `GET` and `POST` `/sign-up`. Fields: `name`, `email`, `password`.
#[derive(Clone, Debug, Serialize)]
pub struct SignUp {
    /// What was typed.
    pub form: Form,
    /// Whether an administrator decides.
    pub needs_approval: bool,
}

/// `GET` and `POST` `/sign-in/password`: the one-time password must be replaced. Fields: `password`, `again`.
#[derive(Clone, Debug, Serialize)]
pub struct FirstPassword {
    /// What was wrong.
    pub form: Form,
}

/// `GET /sign-in/pending`: the account waits for approval.
#[derive(Clone, Debug, Serialize)]
pub struct Pending {
    /// The address, or the name, of the account.
    pub email: String,
    /// Whether the portal lets them look at public products meanwhile.
    pub may_look: bool,
}

/// `GET /sign-out` after the fact.
#[derive(Clone, Debug, Serialize)]
pub struct SignedOut {}

impl View for SignIn {
    const TEMPLATE: &'static str = "developer/sign_in/sign_in.html";

    fn samples() -> Vec<Sample<Self>> {
        let form = Form::new().with("next", "/hub");
        let plain = Self { form, built_in: true, resets: true, options: Vec::new() };
        let failed = Form::new()
            .with("username", "ada@analytical.example")
            .failed("This combination of username and password is not right.");
        let options = vec![
            Reference::new("Nordwind staff", developer::sign_in().with_query(&[("option", "sio_1")])),
            Reference::new("Partner directory", developer::sign_in().with_query(&[("option", "sio_2")])),
        ];
        vec![
            Sample::developer("plain", plain.clone()).guest(),
            Sample::developer("failed", Self { form: failed, ..plain.clone() }).guest(),
            Sample::developer("options", Self { options: options.clone(), ..plain.clone() })
                .guest()
                .branded("#b45309"),
            Sample::developer("options_only", Self { options, built_in: false, ..plain.clone() }).guest(),
            Sample::developer("closed", Self { built_in: false, ..plain }).guest(),
        ]
    }
}

impl View for SignUp {
    const TEMPLATE: &'static str = "developer/sign_in/sign_up.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new()
            .with("name", "Ada Lovelace")
            .with("email", "ada@")
            .refused("email", "This is no e-mail address; it would look like ada@example.org.")
            .refused("password", "A password has at least 12 characters.");
        vec![
            Sample::developer("plain", Self { form: Form::new(), needs_approval: true }).guest(),
            Sample::developer("refused", Self { form: refused, needs_approval: false }).guest(),
        ]
    }
}

impl View for FirstPassword {
    const TEMPLATE: &'static str = "developer/sign_in/password.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new().refused("again", "The two passwords differ.");
        vec![
            Sample::developer("plain", Self { form: Form::new() }).guest(),
            Sample::developer("refused", Self { form: refused }).guest(),
        ]
    }
}

impl View for Pending {
    const TEMPLATE: &'static str = "developer/sign_in/pending.html";

    fn samples() -> Vec<Sample<Self>> {
        let plain = Self { email: "ada@analytical.example".to_owned(), may_look: true };
        let closed = Self { may_look: false, ..plain.clone() };
        vec![
            Sample::developer("plain", plain).pending(),
            Sample::developer("closed_portal", closed).pending(),
        ]
    }
}

impl View for SignedOut {
    const TEMPLATE: &'static str = "developer/sign_in/signed_out.html";

    fn samples() -> Vec<Sample<Self>> {
        vec![Sample::developer("plain", Self {}).guest()]
    }
}
