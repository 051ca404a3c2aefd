//! The SMTP server: shown and changed.

use forecourt_app::{ErrorKind, smtp_servers};
use forecourt_core::{
    secrets::PlainSecret,
    smtp_servers::{SmtpSecurity, SmtpServerInput},
};

use super::{Answer, Console};
use crate::{
    forms::Form, handling::Posted, links::provider, page::Tone, provider::smtp_servers::SmtpServerForm,
};

const FIELDS: &[(&str, &str)] = &[
    ("address", "address"),
    ("username", "username"),
    ("password", "password"),
    ("sender_name", "sender_name"),
    ("sender_address", "sender_address"),
    ("security", "security"),
];

pub(super) async fn form(console: Console) -> Answer {
    let server = smtp_servers::server(console.app(), &console.caller).await?;
    let form = Form::new()
        .with("address", server.address)
        .with("security", server.security.name())
        .with("username", server.username)
        .with("sender_name", server.sender_name)
        .with("sender_address", server.sender_address);
    let form = if server.enable { form.with("enable", "true") } else { form };
    console.visit.show(&SmtpServerForm { has_password: server.password.is_some(), form })
}

pub(super) async fn save(console: Console, posted: Posted) -> Answer {
    let typed = |name: &str| Some(posted.text(name).trim().to_owned());
    // One that was left empty stays, unless it is to be removed.
    let removed = posted.ticked("remove_password").then_some("");
    let input = SmtpServerInput {
        enable: Some(posted.ticked("enable")),
        address: typed("address"),
        username: typed("username"),
        password: posted.given("password").or(removed).map(PlainSecret::presented),
        sender_name: typed("sender_name"),
        sender_address: typed("sender_address"),
        security: SmtpSecurity::from_name(posted.text("security")),
    };
    match smtp_servers::update(console.app(), &console.caller, input).await {
        Ok(_) => Ok(console.visit.done(&provider::smtp_server(), &console.say("flash.saved", &[]))),
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            let stored = smtp_servers::server(console.app(), &console.caller).await?;
            console.visit.show_refused(&SmtpServerForm { has_password: stored.password.is_some(), form })
        }
    }
}

/// Sends a mail by the server as it is stored, and comes back with what it said.
pub(super) async fn try_out(console: Console, posted: Posted) -> Answer {
    let to = posted.text("to").trim();
    let tried = smtp_servers::try_out(console.app(), &console.caller, to, SmtpServerInput::default()).await;
    let back = console.visit.go(&provider::smtp_server());
    let (tone, text) = match tried {
        Ok(trial) => {
            // It stands in a cookie until it is shown.
            let said: String = trial.said.chars().take(300).collect();
            match trial.sent {
                true => (Tone::Good, console.say("flash.mail_sent", &[("name", to), ("answer", &said)])),
                false => (Tone::Warning, console.say("flash.mail_not_sent", &[("answer", &said)])),
            }
        }
        Err(error) if error.kind() == ErrorKind::Invalid => {
            (Tone::Warning, console.say("flash.mail_not_sent", &[("answer", &error.to_string())]))
        }
        Err(error) => return Err(error.into()),
    };
    Ok(console.visit.say_then(back, tone, &text))
}
