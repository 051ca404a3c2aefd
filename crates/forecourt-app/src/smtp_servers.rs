//! The SMTP server of the installation: what administrators set, and whether mail is sent.

use forecourt_core::{
    actors::{Actor, Caller},
    events::EventName,
    permissions::{Action, Target},
    secrets::{KeptSecret, PlainSecret},
    smtp_servers::{SmtpServer, SmtpServerInput},
};
use serde_json::json;

use crate::{App, Error, access, sealing};

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
