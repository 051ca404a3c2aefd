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

use super::{created_empty, gone};
use crate::shapes;

pub(super) async fn list(
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

pub(super) async fn create(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    given: Object,
) -> Result<Response, Problem> {
    let applications = given.texts("applications")?.unwrap_or_default();
    let products = given.texts("api_products")?.unwrap_or_default();
    subscriptions::request(&context.app, &caller, &applications, &products, plan(&given)?.as_ref()).await?;
    Ok(created_empty())
}

pub(super) async fn create_for_product(
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
pub(super) async fn change_plan(
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

pub(super) async fn remove(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = SubscriptionId::parse(&id).ok_or_else(Error::not_found)?;
    subscriptions::cancel(&context.app, &caller, &id).await?;
    Ok(gone())
}
