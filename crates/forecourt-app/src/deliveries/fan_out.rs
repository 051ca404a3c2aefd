//! Deliveries are made of what happened: one for each recipient.
//!
//! Invariant: a notice becomes deliveries in the transaction that takes it away, so it does so once, whoever does it and
//! wherever that ends.

use forecourt_core::{
    actors::Caller,
    approval_links::ApprovalLink,
    contact_points::{ContactPoint, ContactType},
    deliveries::{Delivery, DeliveryState},
    ids::{ContactPointId, DeliveryId},
    notices::{Addressee, Notice, NoticeEvent},
    notifications,
    person_links::PersonLink,
    secrets,
};
use forecourt_notify::messages::{self, Words};
use forecourt_store::StoreError;

use crate::{App, Error, random::OsRandom, sealing, writes::Write};

/// Why a mail is not sent.
pub(super) const NO_MAIL: &str = "no mail is sent: the SMTP server is not enabled";

/// Makes deliveries of `notice`, unless somebody else did.
///
/// # Errors
/// When the database cannot be read or written, or holds something that this is about and that cannot be read.
pub(super) async fn told(app: &App, caller: &Caller, notice: &Notice) -> Result<(), Error> {
    let write = app.begin(caller).await?;
    // Somebody else may have been faster.
    if write.delete_notice(&notice.event_id).await? {
        if notice.event.is_for_portals() {
            let rules = write.notification_rules(&notice.portal_id).await?;
            let rules = notifications::of_registrations(&rules);
            spread(app, &write, &Notice { rules, ..notice.clone() }).await?;
        } else {
            spread(app, &write, notice).await?;
        }
    }
    let now = write.now;
    write.into_tx().commit(now).await?;
    Ok(())
}

async fn spread(app: &App, write: &Write<'_>, notice: &Notice) -> Result<(), Error> {
    let mut ids: Vec<_> = notice.rules.iter().flat_map(|rule| &rule.contact_point_ids).collect();
    ids.sort();
    ids.dedup();
    let mut contact_points = Vec::with_capacity(ids.len());
    let mut unreadable = Vec::new();
    for id in ids {
        match write.contact_point(id).await {
            Ok(found) => contact_points.extend(found),
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(error.cause = %error, row.id = %id, "a contact point cannot be read; the others are told");
                unreadable.push(id);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let sends_mail = write.smtp_server().await?.enable;
    let asks = notice.event.asks() && is_open(write, notice).await?;
    let mut made: Vec<Delivery> = Vec::new();
    let mut links = Vec::new();
    for addressee in notice.addressees(&contact_points) {
        let mut delivery = to_contact_point(app, write, notice, addressee);
        if delivery.contact_type == ContactType::Email && asks {
            links.extend(linked(app, write, &mut delivery)?);
        }
        made.push(delivery);
    }
    made.extend(unreadable.into_iter().filter_map(|id| to_unreadable(write, notice, id)));
    if let (Some(address), Some(words)) = (&notice.developer_address, messages::developer_mail(notice)) {
        let delivery = new(write, notice, None, Some(address), words);
        made.extend(to_developer(app, write, notice, delivery).await?);
    }
    for delivery in made.iter_mut().filter(|made| made.contact_type == ContactType::Email && !sends_mail) {
        skip(delivery, NO_MAIL);
    }
    write.insert_deliveries(&made).await?;
    write.insert_approval_links(&links).await?;
    Ok(())
}

/// Whether it still can be decided; somebody may have been faster than the mail.
async fn is_open(write: &Write<'_>, notice: &Notice) -> Result<bool, Error> {
    Ok(match &notice.approval_id {
        Some(id) => write.approval(id).await?.is_some_and(|approval| approval.decision.is_none()),
        None => false,
    })
}

/// The mail to a developer, with a fresh link where it needs one; `None` where whoever it is about is gone, has
/// another address now, or was mailed such a link a moment ago.
async fn to_developer(
    app: &App,
    write: &Write<'_>,
    notice: &Notice,
    mut delivery: Delivery,
) -> Result<Option<Delivery>, Error> {
    if notice.event == NoticeEvent::RegistrationRepeated
        && let Some(root) = write.portal(&notice.portal_id).await?.and_then(|portal| portal.site_root())
    {
        delivery.content.push_str(&messages::ways_in(&root));
    }
    let Some(purpose) = notice.event.link_purpose() else { return Ok(Some(delivery)) };
    let Some(id) = &notice.person_id else { return Ok(None) };
    let token = secrets::issue_link_token(&mut OsRandom);
    let link = PersonLink::new(token.digest(), id.clone(), purpose, delivery.address.clone(), write.now);
    let person = write.person(id).await?;
    if !person.is_some_and(|person| link.works(purpose, &person, write.now)) {
        return Ok(None);
    }
    write.delete_old_person_links(write.now).await?;
    let live = write.person_links_for(id, purpose).await?;
    // One has just been mailed. Whoever asks once more, perhaps to have its reader flooded, has no other sent.
    if live.first().is_some_and(|newest| newest.is_fresh(&delivery.address, write.now)) {
        return Ok(None);
    }
    for old in live.iter().skip(PersonLink::KEPT - 1) {
        write.delete_person_link(&old.digest).await?;
    }
    write.insert_person_link(&link).await?;
    delivery.link = Some(sealing::seal(app, &token, &sealing::of_delivery(&delivery.id))?);
    Ok(Some(delivery))
}

fn to_contact_point(app: &App, write: &Write<'_>, notice: &Notice, addressee: Addressee<'_>) -> Delivery {
    let Addressee { rule, contact_point, address } = addressee;
    if address.is_some() {
        let mut words = messages::mail(notice, rule);
        // Words of the rule's own stay as they are.
        if let (Some(root), true, None) = (app.public_url(), notice.event.asks(), &rule.content) {
            words.text.push_str(&messages::inbox(root));
        }
        return new(write, notice, Some(contact_point), address, words);
    }
    let words = Words { subject: String::new(), text: messages::webhook(notice, rule) };
    let mut delivery = new(write, notice, Some(contact_point), None, words);
    if contact_point.gone_at.is_some() {
        skip(&mut delivery, super::attempts::GONE);
    }
    delivery
}

/// What is told to a contact point of which nobody knows who it is, as if it were a webhook: it is tried, fails and is
/// listed, until the contact point is mended or it is given up.
fn to_unreadable(write: &Write<'_>, notice: &Notice, id: &ContactPointId) -> Option<Delivery> {
    let rule = notice.rules.iter().find(|rule| rule.contact_point_ids.contains(id))?;
    let words = Words { subject: String::new(), text: messages::webhook(notice, rule) };
    Some(Delivery { contact_point_id: Some(id.clone()), ..new(write, notice, None, None, words) })
}

fn new(
    write: &Write<'_>,
    notice: &Notice,
    contact_point: Option<&ContactPoint>,
    address: Option<&str>,
    words: Words,
) -> Delivery {
    Delivery {
        id: DeliveryId::issue(write.now, &mut OsRandom),
        event: notice.event,
        event_id: notice.event_id.clone(),
        portal_id: notice.portal_id.clone(),
        approval_id: notice.approval_id.clone(),
        contact_point_id: contact_point.map(|contact_point| contact_point.id.clone()),
        contact_point_name: contact_point.map(|contact_point| contact_point.name.clone()).unwrap_or_default(),
        contact_type: if address.is_some() { ContactType::Email } else { ContactType::Webhook },
        address: address.unwrap_or_default().to_owned(),
        subject: words.subject,
        content: words.text,
        link: None,
        state: DeliveryState::Waiting,
        attempts: 0,
        begun_after: 0,
        begun_at: write.now,
        last_error: String::new(),
        next_attempt_at: Some(write.now),
        created_at: write.now,
        updated_at: write.now,
    }
}

fn skip(delivery: &mut Delivery, why: &str) {
    delivery.state = DeliveryState::Skipped;
    delivery.next_attempt_at = None;
    why.clone_into(&mut delivery.last_error);
}

/// Gives a mail a link with which its recipient decides, where mails may have one.
fn linked(app: &App, write: &Write<'_>, delivery: &mut Delivery) -> Result<Option<ApprovalLink>, Error> {
    let (Some(_), Some(approval_id)) = (app.links_approvals(), delivery.approval_id.clone()) else {
        return Ok(None);
    };
    let token = secrets::issue_link_token(&mut OsRandom);
    delivery.link = Some(sealing::seal(app, &token, &sealing::of_delivery(&delivery.id))?);
    Ok(Some(ApprovalLink::new(token.digest(), approval_id, delivery.address.clone(), write.now)))
}
