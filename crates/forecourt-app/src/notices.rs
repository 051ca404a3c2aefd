//! What is to be told, written down with the act that it tells of.
//!
//! Invariant: a notice is committed with its event or not at all, and costs the act some rows: nobody is contacted, and
//! no contact point is looked up, before `deliveries/fan_out.rs` does so in the background. No link is made before either,
//! so that no token is in a notice.

use forecourt_core::{
    approvals::Approval,
    developers::Developer,
    events::EventName,
    ids::PortalId,
    notices::{Notice, NoticeEvent},
    persons::Person,
    portals::Portal,
    subscriptions::Subscription,
};
use serde_json::Value;

use crate::{Error, developers, subscriptions, writes::Write};

/// Records what happened to a subscription, and leaves it to be told. `approval`: what it waits or waited for, as it is
/// now.
pub(crate) async fn of_subscription(
    write: &mut Write<'_>,
    name: EventName,
    subscription: &Subscription,
    approval: Option<&Approval>,
) -> Result<(), Error> {
    let event_id = subscriptions::tell(write, name, subscription);
    let Some(event) = NoticeEvent::of(name) else { return Ok(()) };
    let Some(product) = write.product(&subscription.product_id).await? else { return Ok(()) };
    let is_named = product.notifications.iter().any(|rule| Some(rule.event) == event.of_rules());
    if !is_named && !event.is_for_developers() {
        return Ok(());
    }
    let developer = match (approval, write.application(&subscription.application_id).await?) {
        (Some(approval), _) => write.developer(&approval.developer_id).await?,
        (None, Some(application)) => write.developer(&application.developer_id).await?,
        (None, None) => None,
    };
    let own_name = developer.as_ref().map(|developer| developer.display_name.as_str());
    let applicant = approval.map(|approval| approval.applicant_name.as_str()).or(own_name);
    let address = developer.as_ref().and_then(|developer| developer.email.as_deref());
    let notice = Notice::of_subscription(
        event_id,
        event,
        (subscription, &product),
        (approval, applicant.unwrap_or_default()),
        address,
        write.now,
    );
    leave(write, notice).await
}

/// Records what happened to a registration, and leaves it to be told: to whoever registered where `address` says so, and
/// to those who are told of requests where it waits.
pub(crate) async fn of_registration(
    write: &mut Write<'_>,
    (name, event): (EventName, NoticeEvent),
    developer: &Developer,
    address: Option<&str>,
    approval: Option<&Approval>,
) -> Result<(), Error> {
    let event_id = developers::tell(write, name, developer);
    let decision = approval.and_then(|approval| approval.decision.as_ref());
    let notice = Notice {
        event_id,
        event,
        portal_id: developer.portal_id.clone(),
        approval_id: approval.map(|approval| approval.id.clone()),
        applicant_name: developer.display_name.clone(),
        resource_name: developer.display_name.clone(),
        applied_at: approval.map_or(developer.created_at, |approval| approval.applied_at),
        reason: decision.map(|decision| decision.reason.clone()).unwrap_or_default(),
        rules: Vec::new(),
        developer_address: address.map(str::to_owned),
        person_id: None,
        at: write.now,
    };
    leave(write, Some(notice).filter(Notice::reaches_somebody)).await
}

/// Records what happened to the account of a person of `portal`, or was asked of one that is not there, and leaves it to
/// be told to the person, where there is one whose address is known.
pub(crate) async fn of_account(
    write: &mut Write<'_>,
    (name, event): (EventName, NoticeEvent),
    portal: &PortalId,
    person: Option<&Person>,
    detail: Value,
) -> Result<(), Error> {
    let id = person.map(|person| person.id.as_str()).unwrap_or_default();
    let event_id = write.tell(name, "person", id, Some(portal), detail);
    let Some(portal) = write.portal(portal).await? else { return Ok(()) };
    let Some(person) = person else { return Ok(()) };
    // The portal that is there from the start has no name that anybody chose.
    let resource_name =
        if portal.name == Portal::DEFAULT_NAME { "the developer portal".to_owned() } else { portal.name };
    let notice = Notice {
        event_id,
        event,
        portal_id: portal.id,
        approval_id: None,
        applicant_name: person.name.clone(),
        resource_name,
        applied_at: write.now,
        reason: String::new(),
        rules: Vec::new(),
        developer_address: person.email.clone(),
        person_id: Some(person.id.clone()),
        at: write.now,
    };
    leave(write, Some(notice).filter(Notice::reaches_somebody)).await
}

async fn leave(write: &mut Write<'_>, notice: Option<Notice>) -> Result<(), Error> {
    let Some(notice) = notice else { return Ok(()) };
    write.insert_notice(&notice).await?;
    write.owes_messages = true;
    Ok(())
}
