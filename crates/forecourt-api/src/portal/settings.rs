//! `/api/system_settings`: what front ends must know of their portal and the installation.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{portals, smtp_servers};
use forecourt_http::{Context, callers::FrontEnd, problem::Problem};
use serde_json::json;

use super::operations;
use crate::{
    openapi::{operations::Access, schemas},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let public = schemas::object().required("portal_public_access", schemas::flag()).closed();
    let mail = schemas::object().required("enable", schemas::flag());
    table
        .about("Settings")
        .get(
            "/api/system_settings/public_access",
            public_access,
            operations::one("Tell whether guests see public products", public).access(Access::FrontEnd),
        )
        .get(
            "/api/system_settings/smtp_server_status",
            smtp_server_status,
            operations::one("Tell whether mail is sent", mail).access(Access::FrontEnd),
        )
}

async fn public_access(context: State<Context>, front_end: FrontEnd) -> Result<Response, Problem> {
    let portal = portals::portal(&context.app, &front_end.caller, &front_end.portal_id).await?;
    Ok(Json(json!({ "portal_public_access": portal.public_access })).into_response())
}

async fn smtp_server_status(context: State<Context>, front_end: FrontEnd) -> Result<Response, Problem> {
    let enabled = smtp_servers::is_enabled(&context.app, &front_end.caller).await?;
    Ok(Json(json!({ "enable": enabled })).into_response())
}
