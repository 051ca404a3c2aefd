//! From the core's nouns to what pages show: statuses, labels, impacts, activities, questions before an act.

use std::collections::BTreeMap;

use forecourt_app::{Error, events};
use forecourt_core::{
    actors::Caller,
    applications::ApplicationStatus,
    developers::{Developer, DeveloperStatus},
    impacts::Impact as Counted,
    labels::Labels,
    products::ProductStatus,
    subscriptions::SubscriptionStatus,
};

use super::Console;
use crate::{
    confirm::Confirm,
    display::{Impact, ImpactKind, Label, Status, When},
    forms::Form,
    handling::{Failed, Posted},
    links::Link,
    lists::{Chip, Paging},
    provider::activities::Activity,
};

pub(super) const fn product_status(status: ProductStatus) -> Status {
    match status {
        ProductStatus::Draft => Status::Draft,
        ProductStatus::Published => Status::Published,
    }
}

pub(super) const fn developer_status(developer: &Developer) -> Status {
    match developer.status {
        _ if developer.on_hold => Status::OnHold,
        DeveloperStatus::Pending => Status::Pending,
        DeveloperStatus::Active => Status::Active,
    }
}

pub(super) const fn application_status(status: ApplicationStatus) -> Status {
    match status {
        ApplicationStatus::Active => Status::Active,
        ApplicationStatus::Suspended => Status::Suspended,
    }
}

pub(super) const fn subscription_status(status: SubscriptionStatus) -> Status {
    match status {
        SubscriptionStatus::WaitForApproval => Status::WaitForApproval,
        SubscriptionStatus::Subscribed => Status::Subscribed,
    }
}

pub(super) fn labels(labels: &Labels) -> Vec<Label> {
    labels.pairs().iter().map(|(key, value)| Label::new(key, value)).collect()
}

/// Labels as the form has them: one a line, `key: value`.
pub(super) fn labels_text(labels: &Labels) -> String {
    labels.pairs().iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join("\n")
}

/// Reads what [`labels_text`] writes; a line without a value is the error.
pub(super) fn read_labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let pair = line.split_once(':').map(|(key, value)| (key.trim(), value.trim()));
            let full = pair.filter(|(key, value)| !key.is_empty() && !value.is_empty());
            full.map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| line.to_owned())
        })
        .collect()
}

/// The lines of a text area that hold something.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What `act` would hit if it were done now. Nothing is done; where it would be refused, the answer to the question
/// itself says so.
pub(super) async fn impact<T>(
    console: &Console,
    act: impl AsyncFnOnce(&Caller) -> Result<T, Error>,
) -> Vec<Impact> {
    let (caller, preview) = console.caller.previewing();
    drop(act(&caller).await);
    impact_lines(preview.impact().unwrap_or_default())
}

/// An impact without what it would not hit.
fn impact_lines(counted: Counted) -> Vec<Impact> {
    let Counted {
        applications,
        subscriptions,
        credentials,
        approvals,
        opened_services,
        gateway_objects,
        people,
        sessions,
        callers,
        calls: _,
    } = counted;
    let all = [
        (ImpactKind::Applications, applications),
        (ImpactKind::Credentials, credentials),
        (ImpactKind::Subscriptions, subscriptions),
        (ImpactKind::Approvals, approvals),
        (ImpactKind::OpenedServices, opened_services),
        (ImpactKind::GatewayObjects, gateway_objects),
        (ImpactKind::People, people),
        (ImpactKind::Sessions, sessions),
        (ImpactKind::Callers, callers),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| Impact { kind, count }).collect()
}

/// The end of an object's page.
pub(super) async fn activity(console: &Console, noun: &str, id: &str) -> Result<Vec<Activity>, Failed> {
    let told = events::told_of_object(console.app(), &console.caller, noun, id).await?;
    let lines = told.into_iter().map(|told| Activity {
        event: told.event.name.name(),
        note: told.event.detail.get("reason").and_then(|reason| reason.as_str()).and_then(filled),
        actor: told.actor_name,
        at: When::of(told.event.at),
    });
    Ok(lines.collect())
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Paging of a list whose links keep `query`.
pub(super) fn paging(list: &Link, query: &[(&str, &str)], page: u64, total: u64) -> Paging {
    Paging::new(page, super::PAGE_SIZE, total, |number| {
        let number = number.to_string();
        let mut pairs = query.to_vec();
        if number != "1" {
            pairs.push(("page", &number));
        }
        list.with_query(&pairs)
    })
}

/// One chip of a filter: `value` of `name`, beside what else the query holds.
pub(super) fn chip(
    list: &Link,
    text: String,
    (name, value): (&str, &str),
    chosen: &str,
    kept: &[(&str, &str)],
) -> Chip {
    let mut pairs = vec![(name, value)];
    pairs.extend_from_slice(kept);
    Chip::new(text, list.with_query(&pairs), value == chosen)
}

/// The question again, where the name that had to be typed is another; `None`: go on.
pub(super) fn wrong_name<const MOST: usize>(
    console: &Console,
    question: &Confirm,
    posted: &Posted<MOST>,
) -> Option<Confirm> {
    let right = !question.type_name || posted.text("confirm").trim() == question.name.trim();
    (!right).then(|| {
        let sentence = console.say("error.confirm_name", &[("name", &question.name)]);
        Confirm { form: posted.form().refused("confirm", sentence), ..question.clone() }
    })
}

/// The question again, with why the act was refused.
pub(super) fn refused_act(
    question: &Confirm,
    posted: &Posted,
    error: forecourt_app::Error,
) -> Result<Confirm, Failed> {
    Ok(Confirm { form: posted.refused(error, &[])?, ..question.clone() })
}

/// A form with one field refused.
pub(super) fn refused_field<const MOST: usize>(posted: &Posted<MOST>, name: &str, sentence: String) -> Form {
    posted.form().refused(name, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_they_are_written() {
        let pairs = BTreeMap::from([
            ("domain".to_owned(), "payments".to_owned()),
            ("url".to_owned(), "https://a:1".to_owned()),
        ]);
        let labels = Labels::new(pairs.clone()).unwrap();
        assert_eq!(read_labels(&labels_text(&labels)), Ok(pairs));
        assert_eq!(read_labels("\n a : b \n"), Ok(BTreeMap::from([("a".to_owned(), "b".to_owned())])));
        assert_eq!(read_labels("a: b\nlonely"), Err("lonely".to_owned()));
        assert_eq!(read_labels("a:"), Err("a:".to_owned()));
    }

    #[test]
    fn an_impact_of_nothing_has_no_lines() {
        assert!(impact_lines(Counted::default()).is_empty());
        let two = impact_lines(Counted { subscriptions: 2, ..Counted::default() });
        assert_eq!(two.iter().map(|line| line.count).collect::<Vec<_>>(), [2]);
    }
}
