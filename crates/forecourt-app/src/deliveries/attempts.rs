//! One attempt at one delivery: a mail handed over, or a webhook called.
//!
//! Invariant: it goes only where outgoing calls may go, follows no redirect, and ends in bounded time. What a failure
//! says is shown to administrators: it holds neither a secret nor the address of a webhook, which may be one.

use forecourt_core::{
    contact_points::ContactTarget,
    deliveries::{Delivery, Failure, Outlook},
    ids::ContactPointId,
    secrets::PlainSecret,
    smtp_servers::SmtpServer,
};
use forecourt_identity::outgoing::{
    Call, CallError, Method,
    header::{HeaderMap, HeaderValue},
};
use forecourt_notify::{
    mails::{self, Mail},
    messages, smtp, webhooks,
};

use super::{credentials, fan_out::NO_MAIL, signing_secrets};
use crate::{App, Error, sealing};

/// Why a webhook is not called any more.
pub(super) const GONE: &str =
    "the webhook answered 410 Gone; change the contact point to have it called again";

/// Why it is called once more.
pub(super) const MOVED: &str =
    "the webhook answered 410 Gone at an address that the contact point has no longer";

/// Why nobody is told.
const DELETED: &str = "the contact point was deleted";
const NOT_LISTED: &str = "the contact point has this address no longer";

/// Why a mail with a link of a person's own is not sent.
const NO_SITE: &str =
    "the portal has neither a public_url nor a domain, so that a link to its site cannot be made";

/// How an attempt ended well.
#[derive(Debug)]
pub(super) struct Taken {
    /// The status of the answer.
    pub(super) status: u16,
}

/// Why an attempt did not end well.
#[derive(Debug)]
pub(super) enum Problem {
    /// The recipient, the way there, or a setting.
    Failure(Failure),
    /// The recipient is gone for good: this contact point is not called again where it has this address yet.
    Gone {
        /// The contact point.
        id: ContactPointId,
        /// The address that was called.
        url: String,
    },
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Problem {
    /// A fault of ours, such as a database that is away.
    fn from(error: Error) -> Self {
        Self::Failure(Failure::later(error.to_string()))
    }
}

/// Tries it.
pub(super) async fn attempt(app: &App, delivery: &Delivery) -> Result<Taken, Problem> {
    match &delivery.contact_point_id {
        Some(id) if delivery.address.is_empty() => call(app, delivery, id).await,
        _ => {
            if let Some(id) = &delivery.contact_point_id {
                is_listed(app, id, &delivery.address).await?;
            }
            let server = app.read().smtp_server().await.map_err(Error::from)?;
            if !server.enable {
                return Err(Failure { outlook: Outlook::Skip, ..Failure::later(NO_MAIL) }.into());
            }
            let token = token(app, delivery).await?;
            let text = text(app, delivery, token.as_ref()).await?;
            let mail = Mail {
                sender_name: &server.sender_name,
                sender: &server.sender_address,
                recipient: &delivery.address,
                subject: &delivery.subject,
                text: &text,
                id: delivery.id.as_str(),
                at: delivery.created_at,
            };
            match (self::mail(app, &server, &mail).await, &token) {
                (Ok(_), _) => Ok(Taken { status: 250 }),
                (Err(failure), None) => Err(failure.into()),
                // Servers quote what they refuse, and whoever reads the log is not who was asked.
                (Err(failure), Some(token)) => {
                    let text = messages::without_token(&failure.text, token.reveal());
                    Err(Failure { text, ..failure }.into())
                }
            }
        }
    }
}

/// Whether the contact point still has this address: who was taken off a list is told nothing more, whatever waits.
async fn is_listed(app: &App, id: &ContactPointId, address: &str) -> Result<(), Problem> {
    let found = app.read().contact_point(id).await.map_err(Error::from)?;
    let contact_point = found.ok_or_else(|| Failure::never(DELETED))?;
    match &contact_point.target {
        ContactTarget::Email(addresses) if addresses.iter().any(|known| known == address) => Ok(()),
        _ => Err(Failure::never(NOT_LISTED).into()),
    }
}

/// Whether the link with this token still decides something: one that is too old, or about what is decided meanwhile, is
/// left out, also where the mail is sent again.
async fn decides(app: &App, token: &PlainSecret) -> Result<bool, Error> {
    let Some(link) = app.read().approval_link(&token.digest()).await? else { return Ok(false) };
    let approval = app.read().approval(&link.approval_id).await?;
    Ok(approval.is_some_and(|approval| link.check(&approval, app.now()).is_ok()))
}

/// The token of a mail's link, where it has one that is of use.
async fn token(app: &App, delivery: &Delivery) -> Result<Option<PlainSecret>, Problem> {
    // Links of persons lead to the portal's site; no setting takes them out of mails that are of no use without.
    let has_link = delivery.event.link_purpose().is_some() || app.links_approvals().is_some();
    let Some(kept) = delivery.link.as_ref().filter(|_| has_link) else {
        return Ok(None);
    };
    let token = app.opened(kept, &sealing::of_delivery(&delivery.id)).await?;
    let is_of_use = delivery.event.link_purpose().is_some() || decides(app, &token).await?;
    Ok(is_of_use.then_some(token))
}

/// The text of a mail, with its link where it has one.
async fn text(app: &App, delivery: &Delivery, token: Option<&PlainSecret>) -> Result<String, Problem> {
    let Some(token) = token else { return Ok(delivery.content.clone()) };
    if let Some(purpose) = delivery.event.link_purpose() {
        let portal = app.read().portal(&delivery.portal_id).await.map_err(Error::from)?;
        let root = portal.and_then(|portal| portal.site_root());
        let root = root.ok_or_else(|| Failure::later(NO_SITE))?;
        return Ok(messages::with_own_link(&delivery.content, &root, purpose, token.reveal()));
    }
    let Some(root) = app.links_approvals() else { return Ok(delivery.content.clone()) };
    let url = format!("{root}/approvals/links/{}", token.reveal());
    Ok(messages::with_link(&delivery.content, &url))
}

/// Hands over one mail by `server`, whether it is enabled or not; what the server said at the end.
pub(crate) async fn mail(app: &App, server: &SmtpServer, mail: &Mail<'_>) -> Result<String, Failure> {
    let wrong =
        |problem: &dyn std::fmt::Display| Failure::later(format!("the SMTP server's settings: {problem}"));
    let (host, port) = server.host_and_port().map_err(|invalid| wrong(&invalid))?;
    let credentials = credentials(app, server).await.map_err(|error| wrong(&error))?;
    let written = mails::written(mail)?;
    let unreachable = |error: CallError| Failure::later(format!("the mail server: {error}"));
    let tls = app.messenger().tls().await.map_err(unreachable)?;
    let stream = app.messenger().connect(&host, port).await.map_err(unreachable)?;
    let server = smtp::Server { host, security: server.security, credentials, tls };
    let envelope = smtp::Envelope { from: mail.sender, to: mail.recipient };
    smtp::send(stream, &server, envelope, &written, app.message_time()).await
}

async fn call(app: &App, delivery: &Delivery, id: &ContactPointId) -> Result<Taken, Problem> {
    let found = app.read().contact_point(id).await.map_err(Error::from)?;
    let contact_point = found.ok_or_else(|| Failure::never(DELETED))?;
    let ContactTarget::Webhook(address) = &contact_point.target else {
        return Err(Failure::never("the contact point is no webhook").into());
    };
    if contact_point.gone_at.is_some() {
        return Err(Failure { outlook: Outlook::Skip, ..Failure::later(GONE) }.into());
    }
    let now = app.now();
    let secrets = signing_secrets(app, &contact_point, now).await?;
    let mut headers = HeaderMap::new();
    let body = delivery.content.as_bytes();
    let signed = webhooks::head(delivery.id.as_str(), now, body, &secrets);
    for (name, value) in
        [("content-type", webhooks::content_type(&delivery.content).to_owned())].into_iter().chain(signed)
    {
        let value = value.parse::<HeaderValue>().map_err(|_| Failure::never("the call cannot be written"))?;
        headers.insert(name, value);
    }
    let url = address.parse().map_err(|_| Failure::never("the address of the webhook is none"))?;
    let call = Call { method: Method::POST, url, headers, body: body.to_vec() };
    let answer = app.messenger().tell(call).await.map_err(|error| Failure::later(error.to_string()))?;
    let status = answer.status;
    if status.is_success() {
        return Ok(Taken { status: status.as_u16() });
    }
    if status.as_u16() == 410 {
        return Err(Problem::Gone { id: id.clone(), url: address.clone() });
    }
    // RFC 9110 §10.2.3 lets a redirect ask for a pause too, but none is followed.
    let asks = matches!(status.as_u16(), 429 | 503);
    let asked = answer.headers.get("retry-after").filter(|_| asks).and_then(|value| value.to_str().ok());
    let more = if status.is_redirection() { "; redirects are not followed" } else { "" };
    Err(Problem::Failure(Failure {
        text: format!("the webhook answered {status}{more}"),
        status: Some(status.as_u16()),
        outlook: Outlook::Later(asked.and_then(|value| webhooks::retry_after(value, now))),
    }))
}
