//! Consumers of a gateway group. What proves them is in `credentials`; secrets go in and never come out here.

pub(super) mod credentials;

use axum::extract::Path;
use forecourt_app::consumers::{self, ShownConsumer};
use forecourt_core::{
    consumers::{Consumer, ConsumerFilter, ConsumerInput},
    gateway_groups::GatewayGroup,
    gateway_state::group_key,
};

use super::{Answer, Console, PAGE_SIZE, gateway, rows, services::group_reference};
use crate::{
    confirm::{Act, Confirm},
    display::{Reference, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    provider::consumers::{ConsumerForm, ConsumerList, ConsumerPage, ConsumerRow},
};

const FIELDS: &[(&str, &str)] = &[("username", "username"), ("desc", "desc"), ("labels", "labels")];

fn row(consumer: &Consumer) -> ConsumerRow {
    ConsumerRow {
        username: consumer.username.clone(),
        description: consumer.desc.clone(),
        labels: rows::labels(&consumer.labels),
        updated_at: When::of(consumer.updated_at),
    }
}

pub(super) async fn list(console: Console, Path(group): Path<String>, asked: Asked) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let filter = ConsumerFilter {
        gateway_group_id: Some(group.id.clone()),
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = consumers::list(console.app(), &console.caller, filter).await?;
    let link = provider::consumers(group.id.as_str());
    console.visit.show(&ConsumerList {
        group: group_reference(&group),
        group_id: group.id.to_string(),
        consumers: found.rows.iter().map(|shown| row(&shown.consumer)).collect(),
        paging: rows::paging(&link, &[], asked.page(), found.total),
    })
}

fn new_view(group: &GatewayGroup, form: Form) -> ConsumerForm {
    let id = group.id.as_str();
    ConsumerForm {
        group: group_reference(group),
        consumer: None,
        action: provider::new_consumer(id),
        back: provider::consumers(id),
        form,
    }
}

fn edit_view(group: &GatewayGroup, consumer: &Consumer, form: Form) -> ConsumerForm {
    let (id, username) = (group.id.as_str(), consumer.username.as_str());
    let page = provider::consumer(id, username);
    ConsumerForm {
        consumer: Some(Reference::new(username, page.clone())),
        action: provider::edit_consumer(id, username),
        back: page,
        ..new_view(group, form)
    }
}

/// What was typed, or the form that says what is wrong with the labels.
fn input(console: &Console, posted: &Posted) -> Result<ConsumerInput, Form> {
    let labels = rows::read_labels(posted.text("labels")).map_err(|line| {
        rows::refused_field(posted, "labels", console.say("error.label_line", &[("line", &line)]))
    })?;
    Ok(ConsumerInput {
        desc: Some(posted.text("desc").to_owned()),
        labels: Some(labels),
        ..Default::default()
    })
}

pub(super) async fn new_form(console: Console, Path(group): Path<String>) -> Answer {
    let group = gateway::known(&console, &group).await?;
    console.visit.show(&new_view(&group, Form::new()))
}

pub(super) async fn create(console: Console, Path(group): Path<String>, posted: Posted) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let input = match input(&console, &posted) {
        Ok(input) => ConsumerInput { username: Some(posted.text("username").trim().to_owned()), ..input },
        Err(form) => return console.visit.show_refused(&new_view(&group, form)),
    };
    match consumers::create(console.app(), &console.caller, Some(group.id.clone()), input).await {
        Ok(made) => {
            let name = made.consumer.username;
            let text = console.say("flash.consumer_created", &[("name", &name)]);
            Ok(console.visit.done(&provider::consumer(group.id.as_str(), &name), &text))
        }
        Err(error) => console.visit.show_refused(&new_view(&group, posted.refused(error, FIELDS)?)),
    }
}

/// The consumer that a path names, with its group.
async fn known(
    console: &Console,
    group: &str,
    username: &str,
) -> Result<(GatewayGroup, ShownConsumer), Failed> {
    let group = gateway::known(console, group).await?;
    let username = Consumer::username(username).map_err(|_| FailureKind::NotFound)?;
    let asked = Some(group.id.clone());
    let shown = consumers::consumer(console.app(), &console.caller, &username, asked).await?;
    Ok((group, shown))
}

pub(super) async fn page(console: Console, Path((group, username)): Path<(String, String)>) -> Answer {
    let (group, ShownConsumer { consumer, plugins }) = known(&console, &group, &username).await?;
    console.visit.show(&ConsumerPage {
        credentials: credentials::of_consumer(&console, &consumer).await?,
        activity: rows::activity(&console, "consumer", &group_key(&group.id, &consumer.username)).await?,
        group: group_reference(&group),
        group_id: group.id.to_string(),
        consumer: row(&consumer),
        plugins: plugins.masked().into_iter().map(|(name, _)| name).collect(),
    })
}

pub(super) async fn edit_form(console: Console, Path((group, username)): Path<(String, String)>) -> Answer {
    let (group, ShownConsumer { consumer, .. }) = known(&console, &group, &username).await?;
    let form = Form::new().with("desc", &consumer.desc).with("labels", rows::labels_text(&consumer.labels));
    console.visit.show(&edit_view(&group, &consumer, form))
}

pub(super) async fn save(
    console: Console,
    Path((group, username)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, ShownConsumer { consumer, plugins }) = known(&console, &group, &username).await?;
    let input = match input(&console, &posted) {
        Ok(input) => ConsumerInput {
            // Masked secrets stay as they are kept.
            plugins: Some(plugins.masked()),
            extra: consumer.extra.clone(),
            ..input
        },
        Err(form) => return console.visit.show_refused(&edit_view(&group, &consumer, form)),
    };
    let (app, caller, asked) = (console.app(), &console.caller, Some(group.id.clone()));
    match consumers::put(app, caller, &consumer.username, asked, input).await {
        Ok(_) => {
            let link = provider::consumer(group.id.as_str(), &consumer.username);
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            console.visit.show_refused(&edit_view(&group, &consumer, form))
        }
    }
}

fn question(group: &GatewayGroup, consumer: &Consumer) -> Confirm {
    let (id, username) = (group.id.as_str(), consumer.username.as_str());
    Confirm {
        act: Act::DeleteConsumer,
        name: username.to_owned(),
        impact: Vec::new(),
        type_name: true,
        action: provider::delete_consumer(id, username),
        back: provider::consumer(id, username),
        form: Form::new(),
    }
}

pub(super) async fn ask_delete(console: Console, Path((group, username)): Path<(String, String)>) -> Answer {
    let (group, shown) = known(&console, &group, &username).await?;
    console.visit.show(&question(&group, &shown.consumer))
}

pub(super) async fn delete(
    console: Console,
    Path((group, username)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, shown) = known(&console, &group, &username).await?;
    let question = question(&group, &shown.consumer);
    if let Some(again) = rows::wrong_name(&console, &question, &posted) {
        return console.visit.show_refused(&again);
    }
    let (app, caller, name) = (console.app(), &console.caller, &shown.consumer.username);
    consumers::delete(app, caller, name, Some(group.id.clone())).await?;
    let text = console.say("flash.deleted", &[("name", name)]);
    Ok(console.visit.done(&provider::consumers(group.id.as_str()), &text))
}
