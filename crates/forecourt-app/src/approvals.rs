//! Approvals: the inbox, and the two ways to decide.

use forecourt_core::{
    actors::{Actor, Caller},
    approvals::{Approval, ApprovalFilter, ApprovalResult, ApprovalSubject, Operator, PORTAL_ADMINISTRATOR},
    events::EventName,
    ids::{ApprovalId, PortalId, SubscriptionId},
    lists::List,
};

use crate::{App, Error, access, developers, subscriptions, writes::Write};

/// What the caller decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Accept,
    /// No.
    Reject,
}

/// What a decision says beside yes or no.
#[derive(Clone, Debug, Default)]
pub struct DecisionInput {
    /// Opaque text of a front end about its own operator, at most 65536 characters; kept verbatim.
    pub metadata: Option<String>,
    /// The operator's name within it.
    pub operator_name: Option<String>,
    /// Why.
    pub reason: String,
}

/// The approvals that `filter` wants; none where the caller may see none.
pub async fn list(app: &App, caller: &Caller, mut filter: ApprovalFilter) -> Result<List<Approval>, Error> {
    match access::listed_known_portal(app, caller, filter.portal_id.take()).await? {
        Some(portal) => filter.portal_id = portal,
        None => return Ok(List { rows: Vec::new(), total: 0 }),
    }
    Ok(app.read().approvals(&filter).await?)
}

/// How many approvals wait, in one portal or in all.
pub async fn pending_count(app: &App, caller: &Caller, portal: Option<PortalId>) -> Result<u64, Error> {
    match access::listed_portal(caller, portal)? {
        Some(portal) => Ok(app.read().pending_approval_count(portal.as_ref()).await?),
        None => Ok(0),
    }
}

/// One approval.
pub async fn approval(app: &App, caller: &Caller, id: &ApprovalId) -> Result<Approval, Error> {
    visible(caller, app.read().approval(id).await?)
}

fn visible(caller: &Caller, approval: Option<Approval>) -> Result<Approval, Error> {
    let approval = approval.ok_or_else(Error::not_found)?;
    access::sees_portal(caller, &approval.portal_id)?;
    Ok(approval)
}

/// Decides a pending approval, with all that follows from it. Of two decisions at once exactly one wins.
pub async fn decide(
    app: &App,
    caller: &Caller,
    id: &ApprovalId,
    verdict: Verdict,
    input: DecisionInput,
) -> Result<Approval, Error> {
    let mut write = app.begin(caller).await?;
    let approval = visible(caller, write.approval(id).await?)?;
    let result = match verdict {
        Verdict::Accept => ApprovalResult::Accepted,
        Verdict::Reject => ApprovalResult::Rejected,
    };
    let reason = input.reason.clone();
    let approval = approval.decided(result, operator(caller, input), &reason, write.now)?;
    write.save_approval(&approval).await?;
    match (&approval.subject, verdict) {
        (ApprovalSubject::Subscription { subscription_id, .. }, verdict) => {
            decide_subscription(&mut write, subscription_id, verdict).await?;
        }
        (ApprovalSubject::Registration, Verdict::Accept) => {
            developers::activate(&mut write, &approval.developer_id).await?;
        }
        (ApprovalSubject::Registration, Verdict::Reject) => {
            developers::reject(&mut write, &approval.developer_id).await?;
        }
    }
    write.commit().await?;
    Ok(approval)
}

fn operator(caller: &Caller, input: DecisionInput) -> Operator {
    match &caller.actor {
        Actor::Administrator { id, username, .. } => {
            Operator { id: id.to_string(), name: username.clone(), metadata: None }
        }
        _ => Operator {
            id: PORTAL_ADMINISTRATOR.into(),
            name: input.operator_name.unwrap_or_else(|| PORTAL_ADMINISTRATOR.into()),
            metadata: input.metadata,
        },
    }
}

async fn decide_subscription(
    write: &mut Write<'_>,
    id: &SubscriptionId,
    verdict: Verdict,
) -> Result<(), Error> {
    // A subscription that ends cancels its approval in the same write, so a pending approval always has one.
    let subscription = write.subscription(id).await?.ok_or_else(Error::not_found)?;
    match verdict {
        Verdict::Accept => {
            let subscription = subscription.accepted(write.now);
            write.save_subscription(&subscription).await?;
            subscriptions::grant(write, &subscription);
            subscriptions::tell(write, EventName::SubscriptionAccepted, &subscription);
        }
        Verdict::Reject => {
            write.delete_subscription(id).await?;
            subscriptions::tell(write, EventName::SubscriptionRejected, &subscription);
        }
    }
    Ok(())
}
