//! Licence, interface level, and the settings of the installation.
//!
//! Forecourt is free software: the licence is a constant that clients of the dialect expect. Reading it and the version
//! takes any credential, also a gateway group's admin key, since declarative tools ask before they do anything.

use axum::extract::State;
use forecourt_app::{access, settings};
use forecourt_core::permissions::{Action, Target};
use forecourt_core::settings::SystemSettings;
use forecourt_http::{Context, bodies::Object, callers::AdminCaller, problem::Problem};
use serde_json::{Value, json};

use super::{
    answers::{Answer, value},
    table::Table,
};

/// The level of the interface that this API claims, not Forecourt's own version.
const INTERFACE: &str = "3.10.5";

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/api/license", licence)
        .put("/api/license", replace_licence)
        .get("/api/version", version)
        .get("/api/system_settings", system)
        .put("/api/system_settings", replace_system)
}

fn licence_shape() -> Value {
    json!({
        "customer": "Forecourt", "effective_at": 0, "expired_at": 4_102_444_800_i64, "max_dp_cores": 100_000,
        "status": "normal", "runtime": { "status": "normal" },
    })
}

async fn licence(_: AdminCaller) -> Answer {
    value(licence_shape())
}

async fn replace_licence(AdminCaller(caller): AdminCaller, body: Result<Object, Problem>) -> Answer {
    access::permits(&caller, Action::UpdateLicense, Target::Organization)?;
    body?.required_text("data")?;
    value(licence_shape())
}

async fn version(_: AdminCaller) -> Answer {
    value(INTERFACE)
}

fn system_shape(settings: &SystemSettings) -> Value {
    json!({ "dp_manager_address": settings.dp_manager_address })
}

async fn system(State(context): State<Context>, AdminCaller(caller): AdminCaller) -> Answer {
    value(system_shape(&settings::system(&context.app, &caller).await?))
}

async fn replace_system(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::UpdateDeploymentSetting, Target::GatewaySetting)?;
    let body = body?.hyphened(&[("control_plane_address", "dp_manager_address")])?;
    let addresses = body
        .texts("dp_manager_address")?
        .ok_or_else(|| Problem::bad_request("dp_manager_address is required"))?;
    value(system_shape(&settings::replace_system(&context.app, &caller, addresses).await?))
}
