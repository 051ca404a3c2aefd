//! The SMTP server: through what mail is sent.

use serde::Serialize;

use crate::{forms::Form, samples::Sample, templates::View};

/// `GET` and `POST` `/settings/mail`. Fields: `enable` (`true`), `address`, `security`, `username`, `password`,
/// `remove_password` (`true`), `sender_name`, `sender_address`.
#[derive(Clone, Debug, Serialize)]
pub struct SmtpServerForm {
    /// Whether a password is stored, which stays where none is typed.
    pub has_password: bool,
    /// What was typed or is stored; never the password.
    pub form: Form,
}

impl View for SmtpServerForm {
    const TEMPLATE: &'static str = "provider/smtp_servers/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let form = Form::new()
            .with("enable", "true")
            .with("address", "mail.nordwind.example:587")
            .with("security", "starttls")
            .with("username", "portal")
            .with("sender_name", "Nordwind APIs")
            .with("sender_address", "apis@nordwind.example");
        let full = Self { has_password: true, form };
        let none = Form::new().with("security", "none");
        let refused = none
            .clone()
            .with("enable", "true")
            .refused("address", "This is required to enable the SMTP server.");
        vec![
            Sample::provider("full", full),
            Sample::provider("empty", Self { has_password: false, form: none }),
            Sample::provider("refused", Self { has_password: false, form: refused }),
        ]
    }
}
