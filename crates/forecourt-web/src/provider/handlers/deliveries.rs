//! Deliveries: the list, one with its attempts, and sending again one, or all of a time that ended alike. Those are
//! counted and asked about first.

use axum::extract::Path;
use forecourt_app::{Error, ErrorKind, contact_points, deliveries};
use forecourt_core::{
    contact_points::ContactPointFilter,
    deliveries::{Delivery, DeliveryAttempt, DeliveryFilter, DeliveryState},
    ids::{ContactPointId, DeliveryId},
    time::Timestamp,
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    confirm::{Act, Confirm},
    developer::products::Choice,
    display::{Impact, ImpactKind, Status, When, minute, moment},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::{Link, provider},
    page::Tone,
    provider::deliveries::{AttemptRow, DeliveryList, DeliveryPage, DeliveryRow, ResendForm},
};

/// What is offered to be sent again together: so many seconds back.
const OFFERED: i64 = 86_400;

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    console.visit.show(&list_view(&console, &asked, None).await?)
}

/// The list that is asked for; `refused` is the form for sending again, where something was wrong with it.
async fn list_view(console: &Console, asked: &Asked, refused: Option<Form>) -> Result<DeliveryList, Failed> {
    let state = DeliveryState::from_name(asked.text("state"));
    let contact_point = asked.given("contact_point").and_then(ContactPointId::parse);
    let filter = DeliveryFilter {
        state,
        contact_point_id: contact_point.clone(),
        paging: asked.paging(PAGE_SIZE),
        ..DeliveryFilter::default()
    };
    let found = deliveries::list(console.app(), &console.caller, &filter).await?;
    let list = provider::deliveries();
    let chosen = state.map_or("", DeliveryState::name);
    let narrowed = contact_point.as_ref().map_or("", ContactPointId::as_str);
    let kept = [("contact_point", narrowed)];
    let chip = |text: String, value| rows::chip(&list, text, ("state", value), chosen, &kept);
    let states = vec![
        chip(console.say("delivery.all", &[]), ""),
        chip(console.say("status.waiting", &[]), DeliveryState::Waiting.name()),
        chip(console.say("status.delivered", &[]), DeliveryState::Delivered.name()),
        chip(console.say("status.given_up", &[]), DeliveryState::Dead.name()),
        chip(console.say("status.skipped", &[]), DeliveryState::Skipped.name()),
    ];
    let has_ended = state.is_some_and(|state| state != DeliveryState::Waiting);
    let resend = if has_ended && (found.total > 0 || refused.is_some()) {
        let form = refused.unwrap_or_else(|| offered(console.app().now(), narrowed));
        let contact_points = recipients(console, narrowed, &found.rows).await?;
        Some(ResendForm { state: chosen, contact_points, form })
    } else {
        None
    };
    let query = [("state", chosen), ("contact_point", narrowed)];
    Ok(DeliveryList {
        states,
        paging: rows::paging(&list, &query, asked.page(), found.total),
        filtered: state.is_some() || contact_point.is_some(),
        resend,
        deliveries: found.rows.into_iter().map(row).collect(),
    })
}

/// The form for sending again as it is offered: for the last day.
fn offered(now: Timestamp, contact_point: &str) -> Form {
    Form::new()
        .with("contact_point", contact_point)
        .with("start_at", minute(now.plus_seconds(-OFFERED)))
        // Those of this minute are in it.
        .with("end_at", minute(now.plus_seconds(60)))
}

/// The contact points to choose from, with the one called `narrowed` also where it is deleted.
async fn recipients(console: &Console, narrowed: &str, shown: &[Delivery]) -> Result<Vec<Choice>, Failed> {
    let filter = ContactPointFilter::default();
    let mut found = contact_points::list(console.app(), &console.caller, &filter).await?.rows;
    found.sort_by_key(|contact_point| contact_point.name.to_lowercase());
    let mut choices: Vec<_> =
        found.into_iter().map(|one| Choice::new(one.id.as_str(), one.name.as_str())).collect();
    if !narrowed.is_empty() && !choices.iter().any(|choice| choice.value == narrowed) {
        let name = shown.first().map_or(narrowed, |delivery| delivery.contact_point_name.as_str());
        choices.push(Choice::new(narrowed, name));
    }
    Ok(choices)
}

fn row(delivery: Delivery) -> DeliveryRow {
    DeliveryRow {
        id: delivery.id.to_string(),
        event: delivery.event.name(),
        status: match delivery.state {
            DeliveryState::Waiting => Status::Waiting,
            DeliveryState::Delivered => Status::Delivered,
            DeliveryState::Dead => Status::GivenUp,
            DeliveryState::Skipped => Status::Skipped,
        },
        contact_point: delivery.contact_point_id.map(|_| delivery.contact_point_name),
        kind: delivery.contact_type.name(),
        address: delivery.address,
        attempts: delivery.attempts,
        last_error: delivery.last_error,
        next_attempt_at: delivery.next_attempt_at.map(When::of),
        created_at: When::of(delivery.created_at),
    }
}

fn attempt_row(attempt: DeliveryAttempt) -> AttemptRow {
    AttemptRow {
        number: attempt.number,
        at: When::of(attempt.at),
        millis: attempt.millis,
        status: attempt.status,
        error: attempt.error,
    }
}

async fn view(console: &Console, id: &DeliveryId, form: Form) -> Result<DeliveryPage, Failed> {
    let (delivery, attempts) = deliveries::delivery(console.app(), &console.caller, id).await?;
    Ok(DeliveryPage {
        subject: delivery.subject.clone(),
        content: delivery.content.clone(),
        attempts: attempts.into_iter().map(attempt_row).collect(),
        ended: delivery.state != DeliveryState::Waiting,
        delivery: row(delivery),
        form,
    })
}

fn known_id(id: &str) -> Result<DeliveryId, Failed> {
    DeliveryId::parse(id).ok_or_else(|| FailureKind::NotFound.into())
}

pub(super) async fn page(console: Console, Path(id): Path<String>) -> Answer {
    console.visit.show(&view(&console, &known_id(&id)?, Form::new()).await?)
}

pub(super) async fn resend(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = known_id(&id)?;
    match deliveries::resend(console.app(), &console.caller, &id).await {
        Ok(_) => {
            let text = console.say("flash.delivery_resent", &[]);
            Ok(console.visit.done(&provider::delivery(id.as_str()), &text))
        }
        Err(error) => {
            let form = posted.refused(error, &[])?;
            console.visit.show_refused(&view(&console, &id, form).await?)
        }
    }
}

/// The query that asks for deliveries to be sent again.
fn range_query(asked: &Asked) -> [(&'static str, &str); 4] {
    ["state", "contact_point", "start_at", "end_at"].map(|name| (name, asked.text(name)))
}

/// Which deliveries are to be sent again, or the form with what is wrong beside its fields.
fn range(console: &Console, asked: &Asked) -> Result<DeliveryFilter, Form> {
    let (start_at, end_at) = (moment(asked.text("start_at")), moment(asked.text("end_at")));
    let given = asked.given("contact_point");
    let contact_point_id = given.and_then(ContactPointId::parse);
    let mut form = typed(asked);
    if given.is_some() && contact_point_id.is_none() {
        form = form.refused("contact_point", console.say("delivery.no_contact_point", &[]));
    }
    for (name, _) in [("start_at", start_at), ("end_at", end_at)].iter().filter(|(_, at)| at.is_none()) {
        form = form.refused(name, console.say("delivery.no_moment", &[]));
    }
    if start_at.zip(end_at).is_some_and(|(start, end)| start >= end) {
        form = form.refused("end_at", console.say("delivery.ends_first", &[]));
    }
    let state = DeliveryState::from_name(asked.text("state"));
    let filter = DeliveryFilter { state, contact_point_id, start_at, end_at, ..DeliveryFilter::default() };
    if form.errors.is_empty() { Ok(filter) } else { Err(form) }
}

/// What was typed into the form for sending again.
fn typed(asked: &Asked) -> Form {
    let fields = range_query(asked).into_iter().filter(|(name, _)| *name != "state");
    fields.fold(Form::new(), |form, (name, value)| form.with(name, value))
}

/// Where the list stands that the form for sending again belongs to.
fn list_of(asked: &Asked) -> Link {
    let [state, contact_point, ..] = range_query(asked);
    provider::deliveries().with_query(&[state, contact_point])
}

async fn refused(console: &Console, asked: &Asked, form: Form) -> Answer {
    console.visit.show_refused(&list_view(console, asked, Some(form)).await?)
}

/// Only a form that was tampered with asks for those that wait, or for no state.
fn turned_down(console: &Console, asked: &Asked, error: Error) -> Answer {
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::Conflict => {
            let visit = &console.visit;
            Ok(visit.say_then(visit.go(&list_of(asked)), Tone::Warning, &error.to_string()))
        }
        _ => Err(error.into()),
    }
}

/// What is to be sent again, in words.
async fn described(console: &Console, filter: &DeliveryFilter) -> Result<String, Failed> {
    let state = match filter.state {
        Some(DeliveryState::Dead) => console.say("status.given_up", &[]),
        Some(DeliveryState::Skipped) => console.say("status.skipped", &[]),
        Some(DeliveryState::Delivered) => console.say("status.delivered", &[]),
        Some(DeliveryState::Waiting) | None => String::new(),
    };
    let text = |at: Option<Timestamp>| at.map(|at| When::of(at).text).unwrap_or_default();
    let (start, end) = (text(filter.start_at), text(filter.end_at));
    let spoken = [("state", state.as_str()), ("start", start.as_str()), ("end", end.as_str())];
    let Some(id) = &filter.contact_point_id else { return Ok(console.say("delivery.chosen", &spoken)) };
    let choices = recipients(console, id.as_str(), &[]).await?;
    let name = choices.iter().find(|choice| choice.value == id.as_str());
    let [state, start, end] = spoken;
    let contact_point = ("contact_point", name.map_or(id.as_str(), |choice| choice.text.as_str()));
    Ok(console.say("delivery.chosen_to", &[state, contact_point, start, end]))
}

pub(super) async fn ask_resend_all(console: Console, asked: Asked) -> Answer {
    let filter = match range(&console, &asked) {
        Ok(filter) => filter,
        Err(form) => return refused(&console, &asked, form).await,
    };
    match deliveries::resendable(console.app(), &console.caller, filter.clone()).await {
        Ok(0) => {
            let form = typed(&asked).failed(console.say("delivery.none_to_resend", &[]));
            refused(&console, &asked, form).await
        }
        Ok(count) => console.visit.show(&Confirm {
            act: Act::ResendDeliveries,
            name: described(&console, &filter).await?,
            impact: vec![Impact { kind: ImpactKind::Deliveries, count }],
            type_name: false,
            action: provider::resend_deliveries().with_query(&range_query(&asked)),
            back: list_of(&asked),
            form: Form::new(),
        }),
        Err(error) => turned_down(&console, &asked, error),
    }
}

pub(super) async fn resend_all(console: Console, asked: Asked, _posted: Posted) -> Answer {
    let filter = match range(&console, &asked) {
        Ok(filter) => filter,
        Err(form) => return refused(&console, &asked, form).await,
    };
    match deliveries::resend_all(console.app(), &console.caller, filter).await {
        Ok(count) => {
            let text = console.say("flash.deliveries_resent", &[("count", &count.to_string())]);
            Ok(console.visit.done(&list_of(&asked), &text))
        }
        Err(error) => turned_down(&console, &asked, error),
    }
}
