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
    operations,
    table::Table,
};
use crate::openapi::schemas::{self, Schema};

/// The level of the interface that this API claims, not Forecourt's own version.
const INTERFACE: &str = "3.10.5";

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Installation")
        .get("/api/license", licence, operations::one("Get the licence", licence_schema()))
        .put(
            "/api/license",
            replace_licence,
            operations::send(
                "Replace the licence",
                schemas::object().required("data", schemas::text().with("minLength", json!(1))),
                licence_schema(),
            )
            .notes("The text is neither checked nor kept."),
        )
        .get("/api/version", version, operations::one("Get the level of the interface", schemas::text()))
        .get("/api/system_settings", system, operations::one("Get the system settings", system_schema()))
        .put(
            "/api/system_settings",
            replace_system,
            operations::send("Replace the system settings", system_schema(), system_schema()),
        )
}

fn licence_schema() -> Schema {
    schemas::named("Licence", || {
        schemas::object()
            .required("customer", schemas::text())
            .required("effective_at", schemas::seconds())
            .required("expired_at", schemas::seconds())
            .required("max_dp_cores", schemas::integer())
            .required("status", schemas::text())
            .required("runtime", schemas::object().required("status", schemas::text()))
    })
}

fn system_schema() -> Schema {
    let addresses = schemas::array(schemas::text()).about("Where gateway nodes reach the control plane.");
    schemas::object().required("dp_manager_address", addresses)
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
