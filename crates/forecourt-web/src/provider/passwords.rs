//! Administrators' passwords: the first one, and a change.

use serde::Serialize;

use crate::{forms::Form, samples::Sample, templates::View};

/// `GET` and `POST` `/sign-in/password`: the one-time password must be replaced. Fields: `password`, `again`.
#[derive(Clone, Debug, Serialize)]
pub struct FirstPassword {
    /// What was wrong.
    pub form: Form,
}

/// `GET` and `POST` `/settings/password`. Fields: `current`, `password`, `again`.
#[derive(Clone, Debug, Serialize)]
pub struct PasswordChange {
    /// What was wrong.
    pub form: Form,
}

impl View for FirstPassword {
    const TEMPLATE: &'static str = "provider/first_password.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new().refused("again", "The two passwords differ.");
        vec![
            Sample::provider("plain", Self { form: Form::new() }).guest(),
            Sample::provider("refused", Self { form: refused }).guest(),
        ]
    }
}

impl View for PasswordChange {
    const TEMPLATE: &'static str = "provider/password.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new().refused("current", "This is not your current password.");
        vec![
            Sample::provider("plain", Self { form: Form::new() }),
            Sample::provider("refused", Self { form: refused }),
        ]
    }
}
