//! Whether a directory may provision accounts by SCIM, and its token: administrators, or the people of one portal's site.
//! What it then calls stands in `scim.rs`.

use axum::extract::State;
use forecourt_app::{portals, provisioning};
use forecourt_core::{
    ids::PortalId,
    provisioning::{Accounts, ScimSettings},
};
use forecourt_http::{Context, addresses::ReachedAt, bodies::Object, callers::AdminCaller, problem::Problem};
use serde_json::{Value, json};

use super::{
    answers::{Answer, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::{
        operations::Operation,
        schemas::{self, Schema},
    },
    scim,
    shapes::members,
};

pub(super) fn endpoints(table: Table) -> Table {
    let of_administrators = ["/api/system_settings/scim", "/api/system_settings/scim/token"];
    let of_portals = ["/api/forecourt/portals/{id}/scim", "/api/forecourt/portals/{id}/scim/token"];
    let [settings_path, token_path] = of_administrators;
    let table = table
        .about("SCIM")
        .get(
            settings_path,
            settings,
            operations::one("Get the settings of SCIM", settings_schema().required("endpoint", endpoint())),
        )
        .put(
            settings_path,
            enable,
            enabled("Enable or disable SCIM", settings_schema().required("endpoint", endpoint())),
        )
        .put(token_path, issue_token, token_made("Make the token of SCIM"));
    let [settings_path, token_path] = of_portals;
    let known = || {
        let about = "What a directory is told to call; absent while the portal has no public_url.";
        settings_schema().optional("endpoint", schemas::text().about(about))
    };
    table
        .get(
            settings_path,
            settings_of_portal,
            operations::one("Get the settings of a portal's SCIM", known()),
        )
        .put(settings_path, enable_of_portal, enabled("Enable or disable a portal's SCIM", known()))
        .put(token_path, issue_token_of_portal, token_made("Make the token of a portal's SCIM"))
}

fn enabled(summary: &'static str, answer: Schema) -> Operation {
    operations::send(summary, schemas::object().required("enable", schemas::flag()), answer)
        .notes("While it is disabled, nothing under the endpoint is found. The token stays.")
}

fn token_made(summary: &'static str) -> Operation {
    operations::one(summary, schemas::object().required("token", schemas::text()))
        .notes("The answer shows the token; nothing shows it again. The earlier one is dead at once.")
}

fn settings_schema() -> Schema {
    schemas::object().required("enable", schemas::flag())
}

fn endpoint() -> Schema {
    schemas::text().about("What a directory is told to call.")
}

fn shape(settings: &ScimSettings, endpoint: Option<String>) -> Value {
    Value::Object(members([
        ("enable", Some(json!(settings.enable))),
        ("endpoint", endpoint.map(|endpoint| json!(endpoint))),
    ]))
}

fn for_administrators(ReachedAt(origin): &ReachedAt) -> Option<String> {
    Some(format!("{origin}{}", scim::PREFIX))
}

/// The endpoint of a portal's own service, as far as it is known where its site is.
async fn for_portal(context: &Context, portal: &PortalId) -> Result<Option<String>, Problem> {
    let site = portals::site_url(&context.app, portal).await?;
    Ok(site.map(|site| format!("{site}{}", scim::SITE_PREFIX)))
}

async fn settings(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    reached: ReachedAt,
) -> Answer {
    let settings = provisioning::settings(&context.app, &caller, &Accounts::Administrators).await?;
    value(shape(&settings, for_administrators(&reached)))
}

async fn enable(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    reached: ReachedAt,
    body: Result<Object, Problem>,
) -> Answer {
    let accounts = Accounts::Administrators;
    provisioning::permits(&caller, &accounts, true)?;
    let settings = provisioning::enable(&context.app, &caller, &accounts, wanted(&body?)?).await?;
    value(shape(&settings, for_administrators(&reached)))
}

async fn issue_token(State(context): State<Context>, AdminCaller(caller): AdminCaller) -> Answer {
    let token = provisioning::issue_token(&context.app, &caller, &Accounts::Administrators).await?;
    value(json!({ "token": token.reveal() }))
}

async fn settings_of_portal(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let portal = segments.id(PortalId::parse)?;
    let settings = provisioning::settings(&context.app, &caller, &Accounts::Portal(portal.clone())).await?;
    value(shape(&settings, for_portal(&context, &portal).await?))
}

async fn enable_of_portal(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let portal = segments.id(PortalId::parse)?;
    portals::changeable(&context.app, &caller, &portal).await?;
    let accounts = Accounts::Portal(portal.clone());
    let settings = provisioning::enable(&context.app, &caller, &accounts, wanted(&body?)?).await?;
    value(shape(&settings, for_portal(&context, &portal).await?))
}

async fn issue_token_of_portal(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let accounts = Accounts::Portal(segments.id(PortalId::parse)?);
    let token = provisioning::issue_token(&context.app, &caller, &accounts).await?;
    value(json!({ "token": token.reveal() }))
}

fn wanted(body: &Object) -> Result<bool, Problem> {
    body.bool("enable")?.ok_or_else(|| Problem::bad_request("enable is required"))
}
