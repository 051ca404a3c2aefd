//! Contact points: the list, a new one, a change, and deleting one that no product notifies.

use axum::extract::Path;
use forecourt_app::contact_points;
use forecourt_core::{
    contact_points::{ContactPoint, ContactPointFilter, ContactPointInput, ContactTarget, ContactType},
    ids::ContactPointId,
    secrets::PlainSecret,
};

use super::{Answer, Console, rows};
use crate::{
    confirm::{Act, Confirm},
    developer::credentials::Secret,
    display::When,
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::contact_points::{ContactPointForm, ContactPointList, ContactPointRow, SigningSecretShown},
};

const FIELDS: &[(&str, &str)] =
    &[("name", "name"), ("type", "type"), ("addresses", "addresses"), ("url", "url")];

pub(super) async fn list(console: Console) -> Answer {
    let filter = ContactPointFilter::default();
    let mut found = contact_points::list(console.app(), &console.caller, &filter).await?.rows;
    found.sort_by_key(|contact_point| contact_point.name.to_lowercase());
    let row = |contact_point: ContactPoint| ContactPointRow {
        id: contact_point.id.to_string(),
        kind: contact_point.contact_type().name(),
        target: match &contact_point.target {
            ContactTarget::Email(addresses) => addresses.join(", "),
            ContactTarget::Webhook(url) => url.split('?').next().unwrap_or_default().to_owned(),
        },
        created_at: When::of(contact_point.created_at),
        deliveries: provider::deliveries().with_query(&[("contact_point", contact_point.id.as_str())]),
        name: contact_point.name,
    };
    console.visit.show(&ContactPointList { contact_points: found.into_iter().map(row).collect() })
}

fn new_view(form: Form) -> ContactPointForm {
    ContactPointForm {
        contact_point: None,
        id: None,
        kind: None,
        gone: false,
        form,
        action: provider::new_contact_point(),
    }
}

fn edit_view(found: &ContactPoint, form: Form) -> ContactPointForm {
    ContactPointForm {
        contact_point: Some(found.name.clone()),
        id: Some(found.id.to_string()),
        kind: Some(found.contact_type().name()),
        gone: found.gone_at.is_some(),
        form,
        action: provider::edit_contact_point(found.id.as_str()),
    }
}

fn input(contact_type: Option<ContactType>, posted: &Posted) -> ContactPointInput {
    let lines = posted.text("addresses").lines().map(str::trim).filter(|line| !line.is_empty());
    let addresses = Some(lines.map(str::to_owned).collect());
    let url = Some(posted.text("url").trim().to_owned());
    ContactPointInput {
        name: Some(posted.text("name").trim().to_owned()),
        contact_type,
        addresses: addresses.filter(|_| contact_type == Some(ContactType::Email)),
        url: url.filter(|_| contact_type == Some(ContactType::Webhook)),
    }
}

pub(super) async fn new_form(console: Console) -> Answer {
    console.visit.show(&new_view(Form::new().with("type", ContactType::Email.name())))
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    let input = input(ContactType::from_name(posted.text("type")), &posted);
    match contact_points::create(console.app(), &console.caller, input).await {
        Ok((made, Some(secret))) => console.visit.show(&shown(&console, &made, &secret)),
        Ok((made, None)) => {
            let text = console.say("flash.contact_point_created", &[("name", &made.name)]);
            Ok(console.visit.done(&provider::contact_points(), &text))
        }
        Err(error) => console.visit.show_refused(&new_view(posted.refused(error, FIELDS)?)),
    }
}

fn shown(console: &Console, contact_point: &ContactPoint, secret: &PlainSecret) -> SigningSecretShown {
    let secret = Secret {
        name: console.say("contact_point.secret", &[]),
        env: "WEBHOOK_SECRET".to_owned(),
        value: secret.reveal().to_owned(),
    };
    SigningSecretShown { name: contact_point.name.clone(), secrets: vec![secret] }
}

pub(super) async fn issue_secret(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let found = known(&console, &id).await?;
    match contact_points::issue_signing_secret(console.app(), &console.caller, &found.id).await {
        Ok((changed, secret)) => console.visit.show(&shown(&console, &changed, &secret)),
        Err(error) => console.visit.show_refused(&edit_view(&found, posted.refused(error, FIELDS)?)),
    }
}

async fn known(console: &Console, id: &str) -> Result<ContactPoint, Failed> {
    let id = ContactPointId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(contact_points::contact_point(console.app(), &console.caller, &id).await?)
}

pub(super) async fn edit_form(console: Console, Path(id): Path<String>) -> Answer {
    let found = known(&console, &id).await?;
    let form = Form::new().with("name", found.name.as_str());
    let form = match &found.target {
        ContactTarget::Email(addresses) => form.with("addresses", addresses.join("\n")),
        ContactTarget::Webhook(url) => form.with("url", url.as_str()),
    };
    console.visit.show(&edit_view(&found, form))
}

pub(super) async fn save(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let found = known(&console, &id).await?;
    let input = input(Some(found.contact_type()), &posted);
    match contact_points::update(console.app(), &console.caller, &found.id, input).await {
        Ok(_) => Ok(console.visit.done(&provider::contact_points(), &console.say("flash.saved", &[]))),
        Err(error) => console.visit.show_refused(&edit_view(&found, posted.refused(error, FIELDS)?)),
    }
}

async fn question(console: &Console, id: &str) -> Result<(ContactPointId, Confirm), Failed> {
    let found = known(console, id).await?;
    let products = contact_points::notifying(console.app(), &console.caller, &found.id).await?;
    let form = match products.first() {
        Some(product) => Form::new().failed(console.say("contact_point.in_use", &[("name", product)])),
        None => Form::new(),
    };
    let question = Confirm {
        act: Act::DeleteContactPoint,
        name: found.name,
        impact: Vec::new(),
        type_name: false,
        action: provider::delete_contact_point(found.id.as_str()),
        back: provider::contact_points(),
        form,
    };
    Ok((found.id, question))
}

pub(super) async fn ask_delete(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let (id, question) = question(&console, &id).await?;
    match contact_points::delete(console.app(), &console.caller, &id).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&question.back, &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
