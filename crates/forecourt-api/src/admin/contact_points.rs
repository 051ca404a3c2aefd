//! Contact points: whom products' notifications reach, by e-mail or by webhook.

use axum::extract::State;
use forecourt_app::{access, contact_points};
use forecourt_core::{
    contact_points::{ContactPoint, ContactPointFilter, ContactPointInput, ContactTarget, ContactType},
    ids::ContactPointId,
    permissions::{Action, Target},
    secrets::PlainSecret,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query, times::iso,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::members,
};

pub(super) fn endpoints(table: Table) -> Table {
    let (all, one) = ("/api/contact_points", "/api/contact_points/{id}");
    let made = "`addresses` belong to `email`, `url` to `webhook`. The answer shows the signing secret of a webhook; \
                nothing shows it again.";
    let new = input_schema().required("name", schemas::name()).required("type", types());
    let changes = input_schema().optional("name", schemas::name()).optional("type", types());
    table
        .about("Contact points")
        .get(
            all,
            list,
            operations::list("List contact points", shape_schema())
                .ordered_by_time()
                .searched("name")
                .query("type", types()),
        )
        .post(all, create, operations::send("Create a contact point", new, shape_schema()).notes(made))
        .get(one, contact_point, operations::one("Get a contact point", shape_schema()))
        .put(
            one,
            update,
            operations::send("Update a contact point", changes, shape_schema())
                .notes("Absent members stay as they are. The type is fixed."),
        )
        .delete(
            one,
            delete,
            operations::delete("Delete a contact point").notes("Refused while a product notifies it."),
        )
        .post(
            "/api/forecourt/contact_points/{id}/signing_secret",
            issue_signing_secret,
            operations::one("Issue a signing secret", shape_schema()).notes(
                "For webhooks. The answer shows the secret; nothing shows it again. For 24 hours calls are signed with \
                 the one before too.",
            ),
        )
}

fn types() -> Schema {
    schemas::words(&["email", "webhook"])
}

fn input_schema() -> Schema {
    schemas::object().optional("addresses", schemas::array(schemas::text())).optional("url", schemas::text())
}

fn shape_schema() -> Schema {
    schemas::named("ContactPoint", || {
        input_schema()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("type", types())
            .optional("signing_secret", schemas::text().about("Only in the answer that makes it."))
            .optional(
                "gone_at",
                schemas::time().about("Since when the webhook is not called: it answered 410."),
            )
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
            .example(json!({
                "id": "c7a1", "name": "Operations", "type": "email", "addresses": ["ops@example.com"],
                "created_at": "2026-08-01T00:00:00.000Z", "updated_at": "2026-08-01T00:00:00.000Z",
            }))
    })
}

fn shape(contact_point: &ContactPoint, secret: Option<&PlainSecret>) -> Value {
    let (addresses, url) = match &contact_point.target {
        ContactTarget::Email(addresses) => (Some(json!(addresses)), None),
        ContactTarget::Webhook(url) => (None, Some(json!(url))),
    };
    Value::Object(members([
        ("id", Some(json!(contact_point.id))),
        ("name", Some(json!(contact_point.name))),
        ("type", Some(json!(contact_point.contact_type().name()))),
        ("addresses", addresses),
        ("url", url),
        ("signing_secret", secret.map(|secret| json!(secret.reveal()))),
        ("gone_at", contact_point.gone_at.map(|at| json!(iso(at)))),
        ("created_at", Some(json!(iso(contact_point.created_at)))),
        ("updated_at", Some(json!(iso(contact_point.updated_at)))),
    ]))
}

fn input(body: &Object) -> Result<ContactPointInput, Problem> {
    Ok(ContactPointInput {
        name: body.text("name")?,
        contact_type: body.word("type", ContactType::from_name, "email or webhook")?,
        addresses: body.texts("addresses")?,
        url: body.text("url")?,
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = ContactPointFilter {
        search: query.text("search").map(str::to_owned),
        contact_type: query.word("type", ContactType::from_name, "email or webhook")?,
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = contact_points::list(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|contact_point| shape(&contact_point, None))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::CreateContactPoint, Target::Organization)?;
    let (made, secret) = contact_points::create(&context.app, &caller, input(&body?)?).await?;
    value(shape(&made, secret.as_ref()))
}

async fn contact_point(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(ContactPointId::parse)?;
    value(shape(&contact_points::contact_point(&context.app, &caller, &id).await?, None))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(ContactPointId::parse)?;
    contact_points::permitted(&context.app, &caller, &id, Action::UpdateContactPoint).await?;
    value(shape(&contact_points::update(&context.app, &caller, &id, input(&body?)?).await?, None))
}

async fn issue_signing_secret(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(ContactPointId::parse)?;
    let (changed, secret) = contact_points::issue_signing_secret(&context.app, &caller, &id).await?;
    value(shape(&changed, Some(&secret)))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(ContactPointId::parse)?;
    contact_points::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}
