//! The administrators' way in.

use serde::Serialize;

use crate::{forms::Form, samples::Sample, templates::View};

/// `GET` and `POST` `/sign-in`. Fields: `username`, `password`, `next`.
#[derive(Clone, Debug, Serialize)]
pub struct SignIn {
    /// What was typed; `next` is kept as a hidden field.
    pub form: Form,
    /// Whether the person has just signed out.
    pub signed_out: bool,
    /// Whether administrators may sign in with a password.
    pub built_in: bool,
}

/// What an administrator without a role sees instead of every page.
#[derive(Clone, Debug, Serialize)]
pub struct NoRole {
    /// Their user name.
    pub username: String,
}

impl View for NoRole {
    const TEMPLATE: &'static str = "provider/no_role.html";

    fn samples() -> Vec<Sample<Self>> {
        vec![Sample::provider("plain", Self { username: "grace".to_owned() }).guest()]
    }
}

impl View for SignIn {
    const TEMPLATE: &'static str = "provider/sign_in.html";

    fn samples() -> Vec<Sample<Self>> {
        let failed = Form::new()
            .with("username", "admin")
            .failed("This combination of username and password is not right.");
        vec![
            Sample::provider("plain", Self { form: Form::new(), signed_out: false, built_in: true }).guest(),
            Sample::provider("failed", Self { form: failed, signed_out: false, built_in: true }).guest(),
            Sample::provider("signed_out", Self { form: Form::new(), signed_out: true, built_in: true })
                .guest(),
            Sample::provider("closed", Self { form: Form::new(), signed_out: false, built_in: false })
                .guest(),
        ]
    }
}
