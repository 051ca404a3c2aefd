//! Calls of all applications, as far as the caller may read: `/api/forecourt/usage`.

use axum::{Json, extract::State};
use forecourt_app::{access, usage};
use forecourt_core::permissions::Action;
use forecourt_core::{actors::Actor, lists::List};
use forecourt_http::{
    Context,
    callers::AdminCaller,
    lists::{self, ListBody},
    problem::Problem,
    queries::Query,
};

use super::{operations, segments::Segments, table::Table};
use crate::{
    openapi::schemas,
    usage::{UsageRow, described, question, row_schema, shape},
};

pub(super) fn endpoints(table: Table) -> Table {
    let listed = operations::bare("List usage").answers(schemas::list(row_schema()));
    table.about("Usage").get("/api/forecourt/usage", list, described(operations::of_portal(listed)))
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Result<Json<ListBody<UsageRow>>, Problem> {
    if let Err(error) = access::permits_somewhere(&caller, Action::GetApiProduct) {
        return match caller.actor {
            Actor::Administrator { .. } => Ok(lists::body(List { rows: Vec::new(), total: 0 })),
            _ => Err(error.into()),
        };
    }
    let portal = segments.portal(&query)?;
    let mut question = question(&query)?;
    question.filter.portal_id = portal;
    let report = usage::report(&context.app, &caller, question).await?;
    Ok(shape(&report))
}
