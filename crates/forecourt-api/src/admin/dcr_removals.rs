//! OAuth clients that are left behind at their providers: the report, and taking one off it.

use axum::extract::State;
use forecourt_app::dcr_removals::{self, ListedRemoval};
use forecourt_core::{
    dcr_removals::DcrRemovalFilter,
    ids::{DcrProviderId, DcrRemovalId},
};
use forecourt_http::{Context, callers::AdminCaller, lists, queries::Query, times::iso};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("DCR providers")
        .get(
            "/api/forecourt/dcr_removals",
            list,
            operations::list("List OAuth clients that are left behind at their providers", shape_schema())
                .query("dcr_provider_id", schemas::id()),
        )
        .delete(
            "/api/forecourt/dcr_removals/{id}",
            dismiss,
            operations::delete("Take a client off the list")
                .notes("For one that was removed by hand, or may stay where it is."),
        )
}

fn shape_schema() -> Schema {
    schemas::named("DcrRemoval", || {
        schemas::object()
            .required("id", schemas::id())
            .required("dcr_provider_id", schemas::id())
            .optional("dcr_provider_name", schemas::text())
            .optional("client_id", schemas::text())
            .required("client_name", schemas::text())
            .required("application_id", schemas::id())
            .required("attempts", schemas::integer())
            .optional("last_error", schemas::text())
            .optional("next_attempt_at", schemas::time())
            .required("created_at", schemas::time())
    })
}

fn shape(listed: &ListedRemoval) -> Value {
    let removal = &listed.removal;
    Value::Object(members([
        ("id", Some(json!(removal.id))),
        ("dcr_provider_id", Some(json!(removal.provider_id))),
        ("dcr_provider_name", non_empty(&listed.provider_name)),
        ("client_id", removal.client_id.as_ref().map(|id| json!(id))),
        ("client_name", Some(json!(removal.client_name))),
        ("application_id", Some(json!(removal.application_id))),
        ("attempts", Some(json!(removal.attempts))),
        ("last_error", non_empty(&removal.last_error)),
        ("next_attempt_at", removal.next_attempt_at.map(|at| json!(iso(at)))),
        ("created_at", Some(json!(iso(removal.created_at)))),
    ]))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let asked = query.text("dcr_provider_id");
    let provider_id = asked.and_then(DcrProviderId::parse);
    let filter = DcrRemovalFilter { paging: query.paging()?, provider_id, ..Default::default() };
    let found = dcr_removals::list(&context.app, &caller, &filter).await?;
    // What can be no provider's id matches nothing.
    if asked.is_some() && filter.provider_id.is_none() {
        return Ok(lists::whole(Vec::new()));
    }
    Ok(lists::body(found.map(|removal| shape(&removal))))
}

async fn dismiss(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(DcrRemovalId::parse)?;
    dcr_removals::dismiss(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}
