//! Deliveries: what was sent to whom, every attempt, and sending it again.

use axum::extract::State;
use forecourt_app::{access, deliveries};
use forecourt_core::{
    deliveries::{Delivery, DeliveryAttempt, DeliveryFilter, DeliveryState},
    ids::{ContactPointId, DeliveryId},
    notices::NoticeEvent,
    permissions::{Action, Target},
    time::Timestamp,
};
use forecourt_http::{
    Context,
    bodies::Object,
    callers::AdminCaller,
    lists,
    problem::Problem,
    queries::Query,
    times::{self, iso},
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

const STATES: &str = "waiting, delivered, dead or skipped";
const EVENTS: &str = "an event that is told of, such as subscription_approval_created";

pub(super) fn endpoints(table: Table) -> Table {
    let narrowed = operations::list("List deliveries", shape_schema())
        .notes("The newest first.")
        .query("state", states_schema())
        .query("event", events_schema())
        .query("contact_point_id", schemas::id())
        .query("start_at", schemas::time().about("Made at or after this."))
        .query("end_at", schemas::time().about("Made before this."))
        .query("direction", schemas::words(&["asc", "desc"]));
    let span = schemas::object()
        .required("state", schemas::words(&["dead", "skipped", "delivered"]))
        .required("start_at", schemas::time().about("Made at or after this."))
        .required("end_at", schemas::time().about("Made before this."))
        .optional("contact_point_id", schemas::id())
        .optional("event", events_schema());
    let counted = schemas::object().required("resent", schemas::integer());
    table
        .about("Deliveries")
        .get("/api/forecourt/deliveries", list, narrowed)
        .get(
            "/api/forecourt/deliveries/{id}",
            delivery,
            operations::one("Get a delivery with its attempts", whole_schema()),
        )
        .post(
            "/api/forecourt/deliveries/{id}/resend",
            resend,
            operations::one("Send a delivery again", shape_schema())
                .notes("Under the same id, at once, for one that ended. The log goes on."),
        )
        .post(
            "/api/forecourt/deliveries/resend",
            resend_all,
            operations::send("Send deliveries of a time again", span, counted),
        )
}

fn states_schema() -> Schema {
    schemas::words(&DeliveryState::ALL.iter().map(|state| state.name()).collect::<Vec<_>>())
}

fn events_schema() -> Schema {
    schemas::words(&NoticeEvent::ALL.iter().map(|event| event.name()).collect::<Vec<_>>())
}

fn shape_schema() -> Schema {
    schemas::named("Delivery", described)
}

fn described() -> Schema {
    schemas::object()
        .required("id", schemas::id().about("The recipient is told it: `webhook-id`, or in `Message-ID`."))
        .required("event", events_schema())
        .required("state", states_schema())
        .required("type", schemas::words(&["email", "webhook"]))
        .required("portal_id", schemas::id())
        .optional("approval_id", schemas::id())
        .optional("contact_point_id", schemas::id().about("Absent: the developer is told."))
        .optional("contact_point_name", schemas::text())
        .optional("address", schemas::text().about("The mail address."))
        .required("attempts", schemas::integer())
        .optional("last_error", schemas::text())
        .optional("next_attempt_at", schemas::time())
        .required("created_at", schemas::time())
        .required("updated_at", schemas::time())
}

fn whole_schema() -> Schema {
    schemas::named("DeliveryWithLog", || {
        let attempt = schemas::object()
            .required("number", schemas::integer())
            .required("at", schemas::time())
            .required("duration_ms", schemas::integer())
            .optional("status", schemas::integer().about("Of HTTP or SMTP."))
            .optional("error", schemas::text());
        described()
            .optional("subject", schemas::text())
            .required("content", schemas::text().about("Without the link of an approver, which is a secret."))
            .required("log", schemas::array(attempt))
    })
}

fn shape(delivery: &Delivery) -> Value {
    Value::Object(members([
        ("id", Some(json!(delivery.id))),
        ("event", Some(json!(delivery.event.name()))),
        ("state", Some(json!(delivery.state.name()))),
        ("type", Some(json!(delivery.contact_type.name()))),
        ("portal_id", Some(json!(delivery.portal_id))),
        ("approval_id", delivery.approval_id.as_ref().map(|id| json!(id))),
        ("contact_point_id", delivery.contact_point_id.as_ref().map(|id| json!(id))),
        ("contact_point_name", non_empty(&delivery.contact_point_name)),
        ("address", non_empty(&delivery.address)),
        ("attempts", Some(json!(delivery.attempts))),
        ("last_error", non_empty(&delivery.last_error)),
        ("next_attempt_at", delivery.next_attempt_at.map(|at| json!(iso(at)))),
        ("created_at", Some(json!(iso(delivery.created_at)))),
        ("updated_at", Some(json!(iso(delivery.updated_at)))),
    ]))
}

fn attempt_shape(attempt: &DeliveryAttempt) -> Value {
    Value::Object(members([
        ("number", Some(json!(attempt.number))),
        ("at", Some(json!(iso(attempt.at)))),
        ("duration_ms", Some(json!(attempt.millis))),
        ("status", attempt.status.map(|status| json!(status))),
        ("error", non_empty(&attempt.error)),
    ]))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let asked = query.text("contact_point_id");
    let filter = DeliveryFilter {
        state: query.word("state", DeliveryState::from_name, STATES)?,
        contact_point_id: asked.and_then(ContactPointId::parse),
        event: query.word("event", NoticeEvent::from_name, EVENTS)?,
        start_at: query.moment("start_at")?,
        end_at: query.moment("end_at")?,
        direction: query.time_order()?.direction,
        paging: query.paging()?,
    };
    let found = deliveries::list(&context.app, &caller, &filter).await?;
    // What can be no contact point's id matches nothing.
    if asked.is_some() && filter.contact_point_id.is_none() {
        return Ok(lists::whole(Vec::new()));
    }
    Ok(lists::body(found.map(|delivery| shape(&delivery))))
}

async fn delivery(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(DeliveryId::parse)?;
    let (delivery, attempts) = deliveries::delivery(&context.app, &caller, &id).await?;
    let mut whole = shape(&delivery);
    if let Some(own) = whole.as_object_mut() {
        own.extend(members([
            ("subject", non_empty(&delivery.subject)),
            ("content", Some(json!(delivery.content))),
            ("log", Some(attempts.iter().map(attempt_shape).collect())),
        ]));
    }
    value(whole)
}

async fn resend(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(DeliveryId::parse)?;
    value(shape(&deliveries::resend(&context.app, &caller, &id).await?))
}

async fn resend_all(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::UpdateContactPoint, Target::Organization)?;
    let body = body?;
    let contact_point_id = match body.text("contact_point_id")? {
        Some(id) => Some(
            ContactPointId::parse(&id)
                .ok_or_else(|| Problem::bad_request("contact_point_id must be the id of a contact point"))?,
        ),
        None => None,
    };
    let filter = DeliveryFilter {
        state: body.word("state", DeliveryState::from_name, "dead, skipped or delivered")?,
        contact_point_id,
        event: body.word("event", NoticeEvent::from_name, EVENTS)?,
        start_at: moment(&body, "start_at")?,
        end_at: moment(&body, "end_at")?,
        ..DeliveryFilter::default()
    };
    let resent = deliveries::resend_all(&context.app, &caller, filter).await?;
    value(json!({ "resent": resent }))
}

fn moment(body: &Object, member: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = body.text(member)? else { return Ok(None) };
    times::moment(&text).map(Some).ok_or_else(|| {
        Problem::bad_request(format!("{member} must be a time such as 2026-08-07T09:00:00.000Z"))
    })
}
