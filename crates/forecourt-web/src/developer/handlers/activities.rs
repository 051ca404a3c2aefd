//! What happened to an application, in sentences.

use forecourt_app::{credentials::NamedCredential, events};
use forecourt_core::{
    applications::Application,
    events::{Event, EventName},
    subscriptions::SubscriptionDetail,
};

use super::visitors::Member;
use crate::{developer::applications::Activity, display::When, handling::Failed};

const MOST: u64 = 12;

/// The latest events of `application`, newest first; those that say nothing to its developer are left out.
pub(super) async fn of(
    member: &Member,
    application: &Application,
    subscriptions: &[SubscriptionDetail],
    credentials: &[NamedCredential],
) -> Result<Vec<Activity>, Failed> {
    let app = member.visit.web.app();
    let events = events::of_application(app, &member.caller, &application.id, MOST).await?;
    let lines = events.iter().filter_map(|event| {
        let name = match event.noun.as_str() {
            "credential" => credentials
                .iter()
                .find(|named| named.credential.id.as_str() == event.noun_id)
                .map(|named| named.credential.name.as_str())?,
            "subscription" => subscriptions
                .iter()
                .find(|detail| detail.subscription.id.as_str() == event.noun_id)
                .map(|detail| detail.product_name.as_str())?,
            _ => application.name.as_str(),
        };
        let text = sentence(member, event.name, name)?;
        Some(Activity { text, actor: actor(member, event), at: When::of(event.at) })
    });
    Ok(lines.collect())
}

fn sentence(member: &Member, event: EventName, name: &str) -> Option<String> {
    let web = &member.visit.web;
    let name = [("name", name)];
    Some(match event {
        EventName::ApplicationCreated => web.say("own_activity.application_created", &[]),
        EventName::ApplicationUpdated => web.say("own_activity.application_updated", &[]),
        EventName::ApplicationSuspended => web.say("own_activity.application_suspended", &[]),
        EventName::ApplicationResumed => web.say("own_activity.application_resumed", &[]),
        EventName::CredentialCreated => web.say("own_activity.credential_created", &name),
        EventName::CredentialUpdated => web.say("own_activity.credential_updated", &name),
        EventName::CredentialRegenerated => web.say("own_activity.credential_regenerated", &name),
        EventName::SubscriptionCreated => web.say("own_activity.subscription_created", &name),
        EventName::SubscriptionRequested => web.say("own_activity.subscription_requested", &name),
        EventName::SubscriptionAccepted => web.say("own_activity.subscription_accepted", &name),
        EventName::SubscriptionPlanChanged => web.say("own_activity.subscription_plan_changed", &name),
        _ => return None,
    })
}

/// Who did it, as far as the developer may know.
fn actor(member: &Member, event: &Event) -> String {
    let web = &member.visit.web;
    match event.actor_kind.as_str() {
        "person" if event.actor_id == member.person.person.id.as_str() => web.say("own_activity.you", &[]),
        "person" | "developer" => member.person.organization.name.clone(),
        "administrator" => web.say("own_activity.provider", &[]),
        _ => web.say("own_activity.system", &[]),
    }
}
