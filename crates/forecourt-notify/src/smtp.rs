//! One mail handed to an SMTP server (RFC 5321) over a connection that somebody else made.
//!
//! Each mail has one recipient and a connection of its own, so that an address that is refused or stalls takes nobody
//! with it. With `starttls` nothing is said before the connection is protected, and what was said before is forgotten.
//! A failure says what follows: a refusal of the recipient or the mail is for good; everything else, a refusal of the
//! sender or of the password among them, may be mended by an administrator and is tried again.

mod dialogues;

use std::{sync::Arc, time::Duration};

use dialogues::{Dialogue, Reply};
use forecourt_core::{
    deliveries::{Failure, Outlook},
    secrets::PlainSecret,
    smtp_servers::SmtpSecurity,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A server, and who we are to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name, which its certificate must have; an IPv6 address in brackets.
    pub host: String,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// User name and password; `None`: nobody signs in.
    pub credentials: Option<(String, PlainSecret)>,
    /// Whose certificates are believed.
    pub tls: Arc<ClientConfig>,
}

/// From whom to whom.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The sender's address.
    pub from: &'a str,
    /// The recipient's address.
    pub to: &'a str,
}

/// Hands over `mail`, and what the server said at the end. `limit` bounds each step; three of them the whole.
///
/// # Errors
/// See the module.
pub async fn send(
    stream: TcpStream,
    server: &Server,
    envelope: Envelope<'_>,
    mail: &[u8],
    limit: Duration,
) -> Result<String, Failure> {
    match timeout(limit * 3, talk(stream, server, envelope, mail, limit)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::later("the mail server took too long")),
    }
}

async fn talk(
    stream: TcpStream,
    server: &Server,
    envelope: Envelope<'_>,
    mail: &[u8],
    limit: Duration,
) -> Result<String, Failure> {
    let own_address = stream.local_addr().map_err(|error| Failure::later(error.to_string()))?.ip();
    // RFC 5321 §4.1.3: a client without a name says its address.
    let own =
        if own_address.is_ipv4() { format!("[{own_address}]") } else { format!("[IPv6:{own_address}]") };
    match server.security {
        SmtpSecurity::None => {
            let mut dialogue = Dialogue::new(stream, limit);
            dialogue.greeting().await?;
            hand_over(&mut dialogue, &own, server, envelope, mail).await
        }
        SmtpSecurity::Tls => {
            let mut dialogue = Dialogue::new(protected(stream, server, limit).await?, limit);
            dialogue.greeting().await?;
            hand_over(&mut dialogue, &own, server, envelope, mail).await
        }
        SmtpSecurity::StartTls => {
            let mut dialogue = Dialogue::new(stream, limit);
            dialogue.greeting().await?;
            if !hello(&mut dialogue, &own).await?.offers("STARTTLS") {
                return Err(Failure::later("the mail server does not offer STARTTLS; nothing was sent"));
            }
            expected(dialogue.command("STARTTLS").await?, "STARTTLS", 220)?;
            let mut dialogue = Dialogue::new(protected(dialogue.into_stream()?, server, limit).await?, limit);
            hand_over(&mut dialogue, &own, server, envelope, mail).await
        }
    }
}

async fn protected(
    stream: TcpStream,
    server: &Server,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, Failure> {
    let host = server.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|_| Failure::later("the mail server's name is none"))?;
    let connecting = TlsConnector::from(Arc::clone(&server.tls)).connect(name, stream);
    match timeout(limit, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::later(format!("no TLS with the mail server: {error}"))),
        Err(_) => Err(Failure::later("no TLS with the mail server in time")),
    }
}

async fn hello<S>(dialogue: &mut Dialogue<S>, own: &str) -> Result<Reply, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    expected(dialogue.command(&format!("EHLO {own}")).await?, "EHLO", 250)
}

async fn hand_over<S>(
    dialogue: &mut Dialogue<S>,
    own: &str,
    server: &Server,
    envelope: Envelope<'_>,
    mail: &[u8],
) -> Result<String, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let offered = hello(dialogue, own).await?;
    if let Some((username, password)) = &server.credentials {
        dialogue.sign_in(&offered, username, password).await?;
    }
    let is_ascii = envelope.from.is_ascii() && envelope.to.is_ascii();
    if !is_ascii && !offered.offers("SMTPUTF8") {
        return Err(Failure::never("the mail server takes addresses in ASCII alone"));
    }
    let utf8 = if is_ascii { "" } else { " SMTPUTF8" };
    expected(dialogue.command(&format!("MAIL FROM:<{}>{utf8}", envelope.from)).await?, "MAIL FROM", 250)?;
    let taken = dialogue.command(&format!("RCPT TO:<{}>", envelope.to)).await?;
    if !matches!(taken.code, 250 | 251) {
        return Err(taken.refusal("RCPT TO"));
    }
    let ready = dialogue.command("DATA").await?;
    if ready.code != 354 {
        return Err(ready.refusal("DATA"));
    }
    let taken = dialogue.content(mail).await?;
    if taken.code != 250 {
        return Err(taken.refusal("the mail"));
    }
    dialogue.goodbye().await;
    Ok(taken.text())
}

/// `reply`, where it is the one that goes on. A refusal is of the sender or of our ways, so it is tried again.
fn expected(reply: Reply, step: &str, code: u16) -> Result<Reply, Failure> {
    if reply.code == code {
        return Ok(reply);
    }
    Err(Failure { outlook: Outlook::Later(None), ..reply.refusal(step) })
}
