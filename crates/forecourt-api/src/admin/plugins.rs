//! The plugins that the gateway enforces.

use axum::Json;
use forecourt_core::services::PLUGINS;
use forecourt_http::{callers::AdminCaller, problem::Problem};

use super::table::Table;

pub(super) fn endpoints(table: Table) -> Table {
    table.get("/apisix/admin/plugins/list", list).get("/apisix/admin/plugins/{name}", schema)
}

/// A bare array: the one answer without an envelope.
async fn list(_: AdminCaller) -> Json<&'static [&'static str]> {
    Json(PLUGINS)
}

/// The JSON Schema of a plugin; none is enforced in this version, so none is found.
async fn schema(_: AdminCaller) -> Problem {
    Problem::not_found()
}
