//! Approvals: the inbox, and the two ways to decide.

use forecourt_core::{
    actors::{Actor, Caller},
    approvals::{
        Approval, ApprovalFilter, ApprovalResult, ApprovalStatus, ApprovalSubject, Operator,
        PORTAL_ADMINISTRATOR,
    },
    events::EventName,
    ids::{ApprovalId, PortalId, SubscriptionId},
    lists::{List, Paging, Readable},
    permissions::{Action, Target},
};
use forecourt_store::RuledNoun;

use crate::{App, Error, access, developers, notices, subscriptions, writes::Write};

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
    if !narrow(app, caller, &mut filter).await? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    Ok(app.read().approvals(&filter).await?)
}

/// How many approvals wait, in one portal or in all.
pub async fn pending_count(app: &App, caller: &Caller, portal: Option<PortalId>) -> Result<u64, Error> {
    let mut filter = ApprovalFilter {
        portal_id: portal,
        status: Some(ApprovalStatus::Pending),
        paging: Paging::Page { page: 1, size: 1 },
        ..ApprovalFilter::default()
    };
    if !narrow(app, caller, &mut filter).await? {
        return Ok(0);
    }
    if filter.readable_products == Readable::All && filter.readable_developers == Readable::All {
        return Ok(app.read().pending_approval_count(filter.portal_id.as_ref()).await?);
    }
    Ok(app.read().approvals(&filter).await?.total)
}

/// Narrows a list to what the caller may see; `false`: nothing.
async fn narrow(app: &App, caller: &Caller, filter: &mut ApprovalFilter) -> Result<bool, Error> {
    match access::own_portal(caller, filter.portal_id.as_ref()) {
        Some(None) => return Ok(false),
        Some(own) => filter.portal_id = own,
        None => {
            let read = Action::GetApproval;
            filter.readable_products =
                access::readable(app, caller, read, RuledNoun::ProductsInApprovals).await?;
            filter.readable_developers =
                access::readable(app, caller, read, RuledNoun::RegistrationsInApprovals).await?;
            access::known_portal(app, caller, filter.portal_id.as_ref()).await?;
        }
    }
    Ok(true)
}

/// One approval.
pub async fn approval(app: &App, caller: &Caller, id: &ApprovalId) -> Result<Approval, Error> {
    permitted(caller, app.read().approval(id).await?, Action::GetApproval)
}

/// Whether there is such an approval and the caller may decide it. Faces ask before they read a body.
pub async fn decidable(app: &App, caller: &Caller, id: &ApprovalId) -> Result<(), Error> {
    permitted(caller, app.read().approval(id).await?, Action::ProcessApproval).map(drop)
}

fn permitted(caller: &Caller, approval: Option<Approval>, action: Action) -> Result<Approval, Error> {
    let approval = approval.ok_or_else(|| access::missing(caller))?;
    access::permits_in(caller, &approval.portal_id, action, subject(&approval))?;
    Ok(approval)
}

/// What an approval belongs to: the product that it is about, or the developer who registers.
fn subject(approval: &Approval) -> Target<'_> {
    let portal = &approval.portal_id;
    match &approval.subject {
        ApprovalSubject::Subscription { product_id, .. } => Target::ApiProduct(portal, Some(product_id)),
        ApprovalSubject::Registration => Target::Developer(portal, Some(&approval.developer_id)),
    }
}

/// Whether an administrator may decide this approval, for what is offered beside it.
pub fn may_decide(caller: &Caller, approval: &Approval) -> bool {
    access::allows(caller, Action::ProcessApproval, subject(approval))
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
    let approval = permitted(caller, write.approval(id).await?, Action::ProcessApproval)?;
    let reason = input.reason.clone();
    let approval = settle(&mut write, approval, verdict, operator(caller, input), &reason).await?;
    write.commit().await?;
    Ok(approval)
}

/// Decides, and does all that follows from it. Whether the caller may is asked before.
pub(crate) async fn settle(
    write: &mut Write<'_>,
    approval: Approval,
    verdict: Verdict,
    operator: Operator,
    reason: &str,
) -> Result<Approval, Error> {
    let result = match verdict {
        Verdict::Accept => ApprovalResult::Accepted,
        Verdict::Reject => ApprovalResult::Rejected,
    };
    let approval = approval.decided(result, operator, reason, write.now)?;
    write.save_approval(&approval).await?;
    match (&approval.subject, verdict) {
        (ApprovalSubject::Subscription { subscription_id, .. }, verdict) => {
            decide_subscription(write, subscription_id, &approval, verdict).await?;
        }
        (ApprovalSubject::Registration, Verdict::Accept) => developers::activate(write, &approval).await?,
        (ApprovalSubject::Registration, Verdict::Reject) => developers::reject(write, &approval).await?,
    }
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
    approval: &Approval,
    verdict: Verdict,
) -> Result<(), Error> {
    // A subscription that ends cancels its approval in the same write, so a pending approval always has one.
    let subscription = write.subscription(id).await?.ok_or_else(Error::not_found)?;
    match verdict {
        Verdict::Accept => {
            let subscription = subscription.accepted(write.now);
            write.save_subscription(&subscription).await?;
            subscriptions::grant(write, &subscription);
            let accepted = EventName::SubscriptionAccepted;
            notices::of_subscription(write, accepted, &subscription, Some(approval)).await
        }
        Verdict::Reject => {
            write.delete_subscription(id).await?;
            let rejected = EventName::SubscriptionRejected;
            notices::of_subscription(write, rejected, &subscription, Some(approval)).await
        }
    }
}
