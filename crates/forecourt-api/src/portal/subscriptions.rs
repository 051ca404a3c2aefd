//! `/api/subscriptions`: asked for one by one or as a cross product, listed, ended.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{Error, subscriptions};
use forecourt_core::{
    ids::{ApplicationId, PlanId, ProductId, SubscriptionId},
    lists::Order,
    products::SubscriptionState,
    subscriptions::{SubscriptionFilter, SubscriptionOrder, SubscriptionStatus},
};
use forecourt_http::{
    Context, bodies::Object, callers::DeveloperCaller, lists, paths::Path, problem::Problem, queries::Query,
};
use serde_json::json;

use super::{created_empty, gone, operations};
use crate::{
    openapi::schemas::{self, Schema},
    shapes,
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let ids = || schemas::array(schemas::id()).with("minItems", json!(1));
    let many = schemas::object()
        .required("applications", ids())
        .required("api_products", ids())
        .optional("plan_id", schemas::id());
    let one = schemas::object().required("application_id", schemas::id()).optional("plan_id", schemas::id());
    let plan = schemas::object().required("plan_id", schemas::id());
    table
        .about("Subscriptions")
        .post(
            "/api/api_products/{id}/subscriptions",
            create_for_product,
            operations::create_untold("Subscribe an application to an API product", one),
        )
        .get(
            "/api/subscriptions",
            list,
            operations::list("List subscriptions", shape_schema())
                .query("api_product_id", schemas::id())
                .query("application_id", schemas::id())
                .query("status", schemas::array(shapes::subscription_state_schema()))
                .ordered(&["subscribed_at", "developer_name"])
                .searched("the names of product and application"),
        )
        .post(
            "/api/subscriptions",
            create,
            operations::create_untold("Subscribe applications to API products", many).notes(
                "Every application to every product; what is subscribed or pending already is skipped.",
            ),
        )
        .delete("/api/subscriptions/{id}", remove, operations::delete("Delete a subscription"))
        .put(
            "/api/forecourt/subscriptions/{id}/plan",
            change_plan,
            operations::send("Change the plan of a subscription", plan, shape_schema()),
        )
}

fn shape_schema() -> Schema {
    schemas::named("Subscription", || {
        shapes::subscription_schema().example(json!({
            "id": "5b7e", "developer_id": "org-k4Tz9", "developer_name": "org-k4Tz9", "application_id": "0d9b",
            "application_name": "mobile app", "api_product_id": "7f0c", "api_product_name": "Orders",
            "status": "subscribed", "subscribed_at": "2026-08-04T07:30:00.000Z",
        }))
    })
}

async fn list(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    query: Query,
) -> Result<Response, Problem> {
    // An id that cannot be one matches nothing, just as an unknown one.
    let application =
        query.text("application_id").map(|id| ApplicationId::parse(id).unwrap_or(ApplicationId::known("-")));
    let product =
        query.text("api_product_id").map(|id| ProductId::parse(id).unwrap_or(ProductId::known("-")));
    let filter = SubscriptionFilter {
        application_id: application,
        product_id: product,
        statuses: statuses(&query)?,
        search: query.text("search").map(str::to_owned),
        order: order(&query)?,
        paging: query.paging()?,
        ..Default::default()
    };
    let found = subscriptions::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|detail| shapes::subscription(&detail))).into_response())
}

fn statuses(query: &Query) -> Result<Option<Vec<SubscriptionStatus>>, Problem> {
    let words = query.texts("status");
    if words.is_empty() {
        return Ok(None);
    }
    let mut statuses = Vec::new();
    for word in words {
        match SubscriptionState::from_name(word) {
            Some(SubscriptionState::Subscribed) => statuses.push(SubscriptionStatus::Subscribed),
            Some(SubscriptionState::WaitForApproval) => statuses.push(SubscriptionStatus::WaitForApproval),
            // There is no record of what is not subscribed.
            Some(SubscriptionState::Unsubscribed) => {}
            None => {
                return Err(Problem::bad_request(
                    "status must be unsubscribed, wait_for_approval or subscribed",
                ));
            }
        }
    }
    Ok(Some(statuses))
}

fn order(query: &Query) -> Result<Order<SubscriptionOrder>, Problem> {
    let read = |word: &str| match word {
        "subscribed_at" => Some(SubscriptionOrder::SubscribedAt),
        "developer_name" => Some(SubscriptionOrder::DeveloperName),
        _ => None,
    };
    query.order(read, "subscribed_at or developer_name")
}

async fn create(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    given: Object,
) -> Result<Response, Problem> {
    let applications = given.texts("applications")?.unwrap_or_default();
    let products = given.texts("api_products")?.unwrap_or_default();
    subscriptions::request(&context.app, &caller, &applications, &products, plan(&given)?.as_ref()).await?;
    Ok(created_empty())
}

async fn create_for_product(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(product): Path<String>,
    given: Object,
) -> Result<Response, Problem> {
    let application = given.required_text("application_id")?;
    subscriptions::request(&context.app, &caller, &[application], &[product], plan(&given)?.as_ref()).await?;
    Ok(created_empty())
}

/// The plan that a body asks for.
fn plan(given: &Object) -> Result<Option<PlanId>, Problem> {
    let Some(text) = given.text("plan_id")? else { return Ok(None) };
    let id = PlanId::parse(&text);
    id.map(Some).ok_or_else(|| Problem::bad_request(format!("plan_id: {text:?} is not a plan")))
}

/// `PUT /api/forecourt/subscriptions/{id}/plan`.
async fn change_plan(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
    given: Object,
) -> Result<Response, Problem> {
    let id = SubscriptionId::parse(&id).ok_or_else(Error::not_found)?;
    let plan = plan(&given)?.ok_or_else(|| Problem::bad_request("plan_id is required"))?;
    let changed = subscriptions::change_plan(&context.app, &caller, &id, &plan).await?;
    Ok(Json(shapes::subscription(&changed)).into_response())
}

async fn remove(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = SubscriptionId::parse(&id).ok_or_else(Error::not_found)?;
    subscriptions::cancel(&context.app, &caller, &id).await?;
    Ok(gone())
}
