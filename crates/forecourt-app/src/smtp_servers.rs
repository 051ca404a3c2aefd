//! The SMTP server of the installation: what administrators set, and whether mail is sent.

use forecourt_core::{
    actors::{Actor, Caller},
    events::EventName,
    ids::DeliveryId,
    permissions::{Action, Target},
    persons,
    secrets::{KeptSecret, PlainSecret},
    smtp_servers::{SmtpServer, SmtpServerInput},
};
use forecourt_notify::mails::Mail;
use serde_json::json;

use crate::{App, Error, access, deliveries, random::OsRandom, sealing};

/// The server as it is set; what a new installation has before it ever was.
pub async fn server(app: &App, caller: &Caller) -> Result<SmtpServer, Error> {
    access::permits(caller, Action::GetSmtpServer, Target::Organization)?;
    Ok(app.read().smtp_server().await?)
}

/// Whether mail is sent, for administrators and for front ends of any portal.
pub async fn is_enabled(app: &App, caller: &Caller) -> Result<bool, Error> {
    if !matches!(caller.actor, Actor::PortalFrontEnd(_)) {
        access::permits(caller, Action::GetSmtpServer, Target::Organization)?;
    }
    Ok(app.read().smtp_server().await?.enable)
}

/// How an attempt to send a mail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Whether the server took it.
    pub sent: bool,
    /// What the server said, or what was wrong.
    pub said: String,
    /// The status of the server's last answer, where it was a refusal.
    pub status: Option<u16>,
}

/// Sends a mail to `to` now, by the server as it is stored with what `input` gives, enabled or not; nothing of it is
/// stored.
///
/// # Errors
/// When a member breaks a rule, or another server would be told the password that is kept. That the mail was not taken
/// is an answer.
pub async fn try_out(app: &App, caller: &Caller, to: &str, input: SmtpServerInput) -> Result<Trial, Error> {
    access::permits(caller, Action::UpdateSmtpServer, Target::Organization)?;
    let to = persons::email("to", to)?;
    let stored = app.read().smtp_server().await?;
    let server = stored.to_try(input)?;
    let mut write = app.begin(caller).await?;
    let id = DeliveryId::issue(write.now, &mut OsRandom);
    let mail = Mail {
        sender_name: &server.sender_name,
        sender: &server.sender_address,
        recipient: &to,
        subject: "Forecourt can send mail",
        text: "An administrator of Forecourt tried whether mail arrives. It does.\n",
        id: id.as_str(),
        at: write.now,
    };
    let detail = json!({ "address": server.address, "security": server.security });
    write.tell(EventName::SmtpServerTried, "smtp_server", "smtp_server", None, detail);
    write.commit().await?;
    Ok(match deliveries::send_mail(app, &server, &mail).await {
        Ok(said) => Trial { sent: true, said, status: None },
        Err(failure) => Trial { sent: false, said: failure.text, status: failure.status },
    })
}

/// Changes what `input` gives. Nobody is contacted.
pub async fn update(app: &App, caller: &Caller, input: SmtpServerInput) -> Result<SmtpServer, Error> {
    access::permits(caller, Action::UpdateSmtpServer, Target::Organization)?;
    let mut write = app.begin(caller).await?;
    let mut server = write.smtp_server().await?.changed(input)?;
    if let Some(KeptSecret::Clear(text)) = &server.password {
        let password = PlainSecret::presented(text.as_str());
        server.password = Some(sealing::seal(app, &password, sealing::OF_SMTP_SERVER)?);
    }
    write.save_smtp_server(&server).await?;
    let detail = json!({
        "enable": server.enable,
        "address": server.address,
        "username": server.username,
        "has_password": server.password.is_some(),
        "sender_name": server.sender_name,
        "sender_address": server.sender_address,
        "security": server.security,
    });
    write.tell(EventName::SmtpServerChanged, "smtp_server", "smtp_server", None, detail);
    write.commit().await?;
    Ok(server)
}
