//! Notifications of a product: what its page shows of them, and the form of all.
//!
//! A contact point that the administrator may not see is not shown, and stays where it was.

use std::collections::HashMap;

use axum::extract::Path;
use forecourt_app::{contact_points, products};
use forecourt_core::{
    contact_points::{ContactPoint, ContactPointFilter, ContactType},
    ids::ProductId,
    notifications::{NotificationEvent, NotificationRule, NotificationRuleInput},
    products::{Product, changes::ProductInput},
};

use super::{Answer, Console};
use crate::{
    developer::products::Choice,
    display::Reference,
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::notifications::{NotificationForm, NotificationShown},
};

/// The rules of `product`, for its page.
pub(super) async fn shown(console: &Console, product: &Product) -> Result<Vec<NotificationShown>, Failed> {
    if product.notifications.is_empty() {
        return Ok(Vec::new());
    }
    let seen = seen(console).await?;
    let names: HashMap<_, _> = seen.into_iter().map(|point| (point.id, point.name)).collect();
    let rule = |rule: &NotificationRule| NotificationShown {
        event: rule.event.name(),
        contacts: rule
            .contact_point_ids
            .iter()
            .map(|id| names.get(id).cloned().unwrap_or_else(|| id.to_string()))
            .collect(),
    };
    Ok(product.notifications.iter().map(rule).collect())
}

async fn seen(console: &Console) -> Result<Vec<ContactPoint>, Failed> {
    let filter = ContactPointFilter::default();
    let mut found = contact_points::list(console.app(), &console.caller, &filter).await?.rows;
    found.sort_by_key(|point| point.name.to_lowercase());
    Ok(found)
}

async fn known(console: &Console, id: &str) -> Result<Product, Failed> {
    let id = ProductId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(products::changeable(console.app(), &console.caller, &id, Some(console.portal()?)).await?.product)
}

fn view(console: &Console, product: &Product, seen: &[ContactPoint], form: Form) -> NotificationForm {
    let (portal, id) = (product.portal_id.as_str(), product.id.as_str());
    let choice = |point: &ContactPoint| Choice {
        value: point.id.to_string(),
        text: point.name.clone(),
        hint: Some(console.say(&format!("contact_point.kind.{}", point.contact_type().name()), &[])),
    };
    let typed = (0..).take_while(|place| form.values.contains_key(&format!("event_{place}"))).count();
    NotificationForm {
        product: Reference::new(product.name.as_str(), provider::product(portal, id)),
        places: (0..typed.max(product.notifications.len() + 1)).collect(),
        events: NotificationEvent::ALL.iter().map(|event| event.name()).collect(),
        contacts: seen.iter().map(choice).collect(),
        form,
        action: provider::notifications(portal, id),
    }
}

pub(super) async fn form(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let product = known(&console, &id).await?;
    let mut form = Form::new();
    for (place, rule) in product.notifications.iter().enumerate() {
        form = form.with(&format!("event_{place}"), rule.event.name());
        for contact in &rule.contact_point_ids {
            form = form.with(&format!("contacts_{place}"), contact.as_str());
        }
        let words = [("subject", &rule.subject), ("content", &rule.content)];
        for (name, template) in words {
            let source = template.as_ref().map(|template| template.source()).unwrap_or_default();
            form = form.with(&format!("{name}_{place}"), source);
        }
    }
    let seen = seen(&console).await?;
    console.visit.show(&view(&console, &product, &seen, form))
}

pub(super) async fn save(console: Console, Path((_, id)): Path<(String, String)>, posted: Posted) -> Answer {
    let product = known(&console, &id).await?;
    let seen = seen(&console).await?;
    let rules = typed(&product, &seen, &posted);
    let given = rules.iter().map(|(_, rule)| rule.clone()).collect();
    let input = ProductInput { notifications: Some(given), ..ProductInput::default() };
    let portal = Some(&product.portal_id);
    match products::update(console.app(), &console.caller, &product.id, portal, input).await {
        Ok(_) => {
            let page = provider::product(product.portal_id.as_str(), product.id.as_str());
            Ok(console.visit.done(&page, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = refused(&rules, &posted, error)?;
            console.visit.show_refused(&view(&console, &product, &seen, form))
        }
    }
}

/// The rules that were typed, each with its place on the form. One that tells both by mail and by webhook is two.
fn typed(product: &Product, seen: &[ContactPoint], posted: &Posted) -> Vec<(usize, NotificationRuleInput)> {
    let mut rules = Vec::new();
    let most = product.notifications.len() + 1;
    for place in (0..).take_while(|place| *place < most || posted.given(&format!("event_{place}")).is_some())
    {
        let Some(event) = NotificationEvent::from_name(posted.text(&format!("event_{place}"))) else {
            continue;
        };
        let chosen = posted.texts(&format!("contacts_{place}"));
        let before = product.notifications.get(place);
        for contact_type in ContactType::ALL.iter().copied() {
            let of_type = |point: &&ContactPoint| point.contact_type() == contact_type;
            let visible = seen.iter().filter(of_type).map(|point| point.id.to_string());
            let mut ids: Vec<_> = visible.filter(|id| chosen.contains(id)).collect();
            let unseen = before.filter(|rule| rule.contact_type == contact_type).into_iter();
            let unseen = unseen.flat_map(|rule| &rule.contact_point_ids);
            ids.extend(
                unseen.filter(|id| seen.iter().all(|point| point.id != **id)).map(ToString::to_string),
            );
            if ids.is_empty() {
                continue;
            }
            let words = |name: &str| posted.given(&format!("{name}_{place}")).map(str::to_owned);
            rules.push((
                place,
                NotificationRuleInput {
                    event: Some(event),
                    contact_type: Some(contact_type),
                    contact_point_ids: ids,
                    subject: words("subject"),
                    content: words("content").map(|text| text.replace("\r\n", "\n")),
                },
            ));
        }
    }
    rules
}

/// The form again, with what was refused beside the field of the rule that it is about.
fn refused(
    rules: &[(usize, NotificationRuleInput)],
    posted: &Posted,
    error: forecourt_app::Error,
) -> Result<Form, Failed> {
    let mut fields = Vec::new();
    for (index, (place, _)) in rules.iter().enumerate() {
        for (member, field) in
            [("subject", "subject"), ("content", "content"), ("contact_point_ids", "contacts")]
        {
            fields.push((format!("notifications[{index}].{member}"), format!("{field}_{place}")));
        }
    }
    let fields: Vec<_> = fields.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
    posted.refused(error, &fields)
}
