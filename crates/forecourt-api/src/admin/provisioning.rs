//! Whether a directory may provision administrators by SCIM, and its token. What it then calls stands in `scim.rs`.

use axum::extract::State;
use forecourt_app::{access, provisioning};
use forecourt_core::{
    permissions::{Action, Target},
    provisioning::ScimSettings,
};
use forecourt_http::{Context, addresses::ReachedAt, bodies::Object, callers::AdminCaller, problem::Problem};
use serde_json::{Value, json};

use super::{
    answers::{Answer, value},
    operations,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    scim,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("SCIM")
        .get(
            "/api/system_settings/scim",
            settings,
            operations::one("Get the settings of SCIM", settings_schema()),
        )
        .put(
            "/api/system_settings/scim",
            enable,
            operations::send(
                "Enable or disable SCIM",
                schemas::object().required("enable", schemas::flag()),
                settings_schema(),
            )
            .notes("While it is disabled, nothing under the endpoint is found. The token stays."),
        )
        .put(
            "/api/system_settings/scim/token",
            issue_token,
            operations::one("Make the token of SCIM", schemas::object().required("token", schemas::text()))
                .notes(
                    "The answer shows the token; nothing shows it again. The earlier one is dead at once.",
                ),
        )
}

fn settings_schema() -> Schema {
    schemas::object()
        .required("enable", schemas::flag())
        .required("endpoint", schemas::text().about("What a directory is told to call."))
}

fn shape(settings: &ScimSettings, ReachedAt(origin): &ReachedAt) -> Value {
    json!({ "enable": settings.enable, "endpoint": format!("{origin}{}", scim::PREFIX) })
}

async fn settings(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    reached: ReachedAt,
) -> Answer {
    value(shape(&provisioning::settings(&context.app, &caller).await?, &reached))
}

async fn enable(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    reached: ReachedAt,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::UpdateScimProvisioning, Target::Organization)?;
    let enable = body?.bool("enable")?.ok_or_else(|| Problem::bad_request("enable is required"))?;
    value(shape(&provisioning::enable(&context.app, &caller, enable).await?, &reached))
}

async fn issue_token(State(context): State<Context>, AdminCaller(caller): AdminCaller) -> Answer {
    let token = provisioning::issue_token(&context.app, &caller).await?;
    value(json!({ "token": token.reveal() }))
}
