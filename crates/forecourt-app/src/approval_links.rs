//! Links in mails with which approvers decide: what one would decide, and the decision.
//!
//! Invariant: whoever shows a token that nobody issued learns nothing, nor does a recipient whom the product no longer
//! tells of requests. A link that was used, is too old, or is about something decided already says so, and decides
//! nothing; nor does any while `notifications.approval_links` is off.

use forecourt_core::{
    actors::{Actor, Caller},
    approval_links::{ApprovalLink, ApprovalLinkRefusal},
    approvals::{Approval, ApprovalSubject, Operator},
    notifications,
    secrets::PlainSecret,
};
use forecourt_store::Reader;

use crate::{
    App, Error, ErrorKind,
    approvals::{self, Verdict},
    authentication,
};

/// What operators of decisions by link are called by id.
const OPERATOR: &str = "approval_link";

/// What a link leads to.
#[derive(Clone, Debug)]
pub struct LinkedApproval {
    /// What it decides.
    pub approval: Approval,
    /// Why it cannot decide it any more; `None`: it can.
    pub refusal: Option<ApprovalLinkRefusal>,
}

/// What the link with this token would decide. Changes nothing, so that programs that follow links in mails decide
/// nothing.
///
/// # Errors
/// Not found for whatever is no token of ours, or of somebody who is not asked any more; `Limit` for an address that
/// shows too many of those.
pub async fn linked(app: &App, caller: &Caller, token: &PlainSecret) -> Result<LinkedApproval, Error> {
    let (link, approval) = shown(app, caller, token).await?;
    let refusal = link.check(&approval, app.now()).and_then(|()| enabled(app)).err();
    Ok(LinkedApproval { approval, refusal })
}

/// Decides as the link with this token may, once. `caller` says through which door; who it is follows from the link.
///
/// # Errors
/// Not found as for [`linked`]; a refusal where the link decides nothing any more.
pub async fn decide(
    app: &App,
    caller: &Caller,
    token: &PlainSecret,
    verdict: Verdict,
    reason: &str,
) -> Result<Approval, Error> {
    let (link, _) = shown(app, caller, token).await?;
    let caller = caller.acting_as(Actor::ApprovalLink(link.approval_id));
    let mut write = app.begin(&caller).await?;
    let (link, approval) = found(&write, token).await?;
    let operator = Operator { id: OPERATOR.to_owned(), name: link.recipient.clone(), metadata: None };
    let used = link.used(&approval, write.now)?;
    enabled(app)?;
    let approval = approvals::settle(&mut write, approval, verdict, operator, reason).await?;
    write.save_approval_link(&used).await?;
    write.commit().await?;
    Ok(approval)
}

/// Whether links decide here: one that was mailed while they did is of no use once the operator has switched them off.
fn enabled(app: &App) -> Result<(), ApprovalLinkRefusal> {
    app.links_approvals().map(drop).ok_or(ApprovalLinkRefusal::Disabled)
}

/// What the token leads to; one that leads nowhere counts against the caller's address.
async fn shown(app: &App, caller: &Caller, token: &PlainSecret) -> Result<(ApprovalLink, Approval), Error> {
    match found(app.read(), token).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(authentication::failed_as(app, caller, error))
        }
        found => found,
    }
}

async fn found(read: &Reader, token: &PlainSecret) -> Result<(ApprovalLink, Approval), Error> {
    let link = read.approval_link(&token.digest()).await?.ok_or_else(Error::not_found)?;
    let approval = read.approval(&link.approval_id).await?.ok_or_else(Error::not_found)?;
    if !is_asked(read, &link, &approval).await? {
        return Err(Error::not_found());
    }
    Ok((link, approval))
}

/// Whether the product, or any product of the portal where somebody registers, tells the link's recipient of requests
/// today; who was taken off a list decides nothing any more.
async fn is_asked(read: &Reader, link: &ApprovalLink, approval: &Approval) -> Result<bool, Error> {
    let rules = match &approval.subject {
        ApprovalSubject::Subscription { product_id, .. } => {
            read.product(product_id).await?.map(|product| product.notifications).unwrap_or_default()
        }
        ApprovalSubject::Registration => {
            notifications::of_registrations(&read.notification_rules(&approval.portal_id).await?)
        }
    };
    for id in ApprovalLink::askers(&rules) {
        if read.contact_point(id).await?.is_some_and(|contact_point| link.is_of(&contact_point)) {
            return Ok(true);
        }
    }
    Ok(false)
}
