//! Deliveries: the list, one with its attempts, and sending again one or all that ended alike.

use axum::extract::Path;
use forecourt_app::{ErrorKind, deliveries};
use forecourt_core::{
    deliveries::{Delivery, DeliveryAttempt, DeliveryFilter, DeliveryState},
    ids::{ContactPointId, DeliveryId},
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    display::{Status, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    page::Tone,
    provider::deliveries::{AttemptRow, DeliveryList, DeliveryPage, DeliveryRow},
};

/// How far back deliveries are sent again together, days; they are kept no longer.
const DAYS: [i64; 3] = [1, 7, 30];

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
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
    let ended = matches!(state, Some(DeliveryState::Dead | DeliveryState::Skipped));
    let query = [("state", chosen), ("contact_point", narrowed)];
    console.visit.show(&DeliveryList {
        states,
        paging: rows::paging(&list, &query, asked.page(), found.total),
        filtered: state.is_some() || contact_point.is_some(),
        // All of a state are sent again, so they are offered where nothing else narrows the list.
        resendable: (ended && contact_point.is_none() && found.total > 0).then_some(chosen),
        deliveries: found.rows.into_iter().map(row).collect(),
    })
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

pub(super) async fn resend_all(console: Console, posted: Posted) -> Answer {
    let days = posted.text("days").parse().ok().filter(|days| DAYS.contains(days)).unwrap_or(1);
    let now = console.app().now();
    let state = DeliveryState::from_name(posted.text("state"));
    let filter = DeliveryFilter {
        state,
        start_at: Some(now.plus_seconds(-days * 86_400)),
        end_at: Some(now.plus_seconds(1)),
        ..DeliveryFilter::default()
    };
    let back = provider::deliveries().with_query(&[("state", state.map_or("", DeliveryState::name))]);
    match deliveries::resend_all(console.app(), &console.caller, filter).await {
        Ok(count) => {
            let text = console.say("flash.deliveries_resent", &[("count", &count.to_string())]);
            Ok(console.visit.done(&back, &text))
        }
        // Only a form that was tampered with asks for those that wait.
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) => {
            Ok(console.visit.say_then(console.visit.go(&back), Tone::Warning, &error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}
