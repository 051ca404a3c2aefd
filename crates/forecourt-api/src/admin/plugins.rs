//! The plugins that the gateway enforces, and the schemas of their configurations.

use axum::Json;
use forecourt_core::plugins;
use forecourt_http::{callers::AdminCaller, problem::Problem};

use super::{
    answers::{Answer, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::openapi::schemas;

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Plugins")
        .get(
            "/apisix/admin/plugins/list",
            list,
            operations::bare("List plugins").answers(schemas::array(schemas::text())),
        )
        .get(
            "/apisix/admin/plugins/{name}",
            schema,
            operations::one("Get the JSON Schema of a plugin", schemas::object())
                .segment("name", schemas::text().with("minLength", 1.into())),
        )
}

/// A bare array: the one answer without an envelope.
async fn list(_: AdminCaller) -> Json<&'static [&'static str]> {
    Json(plugins::NAMES)
}

/// The JSON Schema of a plugin's configuration; `subsystem` is not looked at, since there is one.
async fn schema(_: AdminCaller, segments: Segments) -> Answer {
    value(plugins::schema(segments.text("name")?).ok_or_else(Problem::not_found)?)
}
