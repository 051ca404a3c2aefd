//! The caller's own access tokens; their text is shown once.

use axum::extract::State;
use forecourt_app::{admin_tokens, administrators};
use forecourt_core::{
    admin_tokens::{AdminToken, AdminTokenFilter, AdminTokenOrder},
    administrators::Administrator,
    ids::AdminTokenId,
    secrets::PlainSecret,
    time::Timestamp,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
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
    table
        .about("Access tokens")
        .get(
            "/api/settings/tokens",
            list,
            operations::list("List own access tokens", shape_schema())
                .ordered(&["created_at", "updated_at", "expires_at"])
                .searched("the name"),
        )
        .post(
            "/api/settings/tokens",
            create,
            operations::send(
                "Create an access token",
                input_schema().required("expires_at", expiry_schema()),
                shape_schema(),
            )
            .notes("The answer shows the token; nothing shows it again."),
        )
        .get(
            "/api/settings/tokens/check_name",
            check_name,
            operations::one(
                "Tell whether a token name is taken",
                schemas::object().required("exist", schemas::flag()),
            )
            .required_query("name", schemas::text()),
        )
        .get("/api/settings/tokens/{id}", token, operations::one("Get an access token", shape_schema()))
        .put(
            "/api/settings/tokens/{id}",
            rename,
            operations::send("Rename an access token", input_schema(), shape_schema()),
        )
        .delete("/api/settings/tokens/{id}", delete, operations::delete("Delete an access token"))
        .put(
            "/api/settings/tokens/{id}/regenerate",
            regenerate,
            operations::send(
                "Regenerate an access token",
                schemas::object().required("expires_at", expiry_schema()),
                shape_schema(),
            )
            .notes("The answer shows the new token; the old one is dead at once."),
        )
}

fn expiry_schema() -> Schema {
    schemas::integer().about("Unix seconds; 0 is never.")
}

fn input_schema() -> Schema {
    schemas::object().required("name", schemas::text().long(1, 40))
}

fn shape_schema() -> Schema {
    schemas::named("AccessToken", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .optional("token", schemas::text().about("Only in the answer that makes it."))
            .required("user_id", schemas::id())
            .required("user_name", schemas::text())
            .required("expires_at", expiry_schema())
            .optional("last_used_at", schemas::seconds())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
            .example(json!({
                "id": "77d1", "name": "ci", "user_id": "0b6e", "user_name": "ann", "expires_at": 0,
                "created_at": 1_786_060_800, "updated_at": 1_786_060_800,
            }))
    })
}

fn shape(token: &AdminToken, owner: &Administrator, text: Option<&PlainSecret>) -> Value {
    Value::Object(members([
        ("id", Some(json!(token.id))),
        ("name", Some(json!(token.name))),
        ("token", text.map(|text| json!(text.reveal()))),
        ("user_id", Some(json!(token.administrator_id))),
        ("user_name", Some(json!(owner.username))),
        ("expires_at", Some(json!(token.expires_at.map_or(0, Timestamp::seconds)))),
        ("last_used_at", token.last_used_at.map(|at| json!(at.seconds()))),
        ("created_at", Some(json!(token.created_at.seconds()))),
        ("updated_at", Some(json!(token.updated_at.seconds()))),
    ]))
}

/// `expires_at`, which callers must say: 0 is never.
fn expiry(body: &Object) -> Result<i64, Problem> {
    body.integer("expires_at")?
        .ok_or_else(|| Problem::bad_request("expires_at is required: Unix seconds, or 0 for never"))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let owner = administrators::me(&context.app, &caller).await?;
    let order = |word: &str| match word {
        "created_at" => Some(AdminTokenOrder::CreatedAt),
        "updated_at" => Some(AdminTokenOrder::UpdatedAt),
        "expires_at" => Some(AdminTokenOrder::ExpiresAt),
        _ => None,
    };
    let filter = AdminTokenFilter {
        search: query.text("search").map(str::to_owned),
        order: query.order(order, "created_at, updated_at or expires_at")?,
        paging: query.paging()?,
    };
    let found = admin_tokens::list(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|token| shape(&token, &owner, None))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    let owner = administrators::me(&context.app, &caller).await?;
    let body = body?;
    let (name, expires_at) = (body.required_text("name")?, expiry(&body)?);
    let issued = admin_tokens::create(&context.app, &caller, &name, expires_at).await?;
    value(shape(&issued.token, &owner, Some(&issued.text)))
}

async fn check_name(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
) -> Answer {
    administrators::me(&context.app, &caller).await?;
    let name = query.text("name").ok_or_else(|| Problem::bad_request("name is required"))?;
    value(json!({ "exist": admin_tokens::name_exists(&context.app, &caller, name).await? }))
}

async fn token(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let owner = administrators::me(&context.app, &caller).await?;
    let id = segments.id(AdminTokenId::parse)?;
    value(shape(&admin_tokens::token(&context.app, &caller, &id).await?, &owner, None))
}

async fn rename(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let owner = administrators::me(&context.app, &caller).await?;
    let id = segments.id(AdminTokenId::parse)?;
    admin_tokens::token(&context.app, &caller, &id).await?;
    let name = body?.required_text("name")?;
    value(shape(&admin_tokens::rename(&context.app, &caller, &id, &name).await?, &owner, None))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(AdminTokenId::parse)?;
    admin_tokens::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}

async fn regenerate(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let owner = administrators::me(&context.app, &caller).await?;
    let id = segments.id(AdminTokenId::parse)?;
    admin_tokens::token(&context.app, &caller, &id).await?;
    let expires_at = expiry(&body?)?;
    let issued = admin_tokens::regenerate(&context.app, &caller, &id, expires_at).await?;
    value(shape(&issued.token, &owner, Some(&issued.text)))
}
