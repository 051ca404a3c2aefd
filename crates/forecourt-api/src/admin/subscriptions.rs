//! Subscriptions of all portals.

use axum::extract::State;
use forecourt_app::subscriptions;
use forecourt_core::{
    actors::Caller,
    ids::{ApplicationId, DeveloperName, ProductId, SubscriptionId},
    subscriptions::{SubscriptionDetail, SubscriptionFilter, SubscriptionOrder, SubscriptionStatus},
};
use forecourt_http::{Context, callers::AdminCaller, lists, problem::Problem, queries::Query};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::{
        operations::Operation,
        schemas::{self, Schema},
    },
    shapes,
};

pub(super) fn endpoints(table: Table) -> Table {
    let of_product = "/api/portals/{portal}/api_products/{id}/subscriptions";
    let listed = || operations::of_portal(operations::list("List subscriptions", shape_schema()));
    table
        .about("Subscriptions")
        .get("/api/subscriptions", list, filtered(listed().query("api_product_id", schemas::id())))
        .get(of_product, self::of_product, filtered(listed()))
        .delete("/api/subscriptions/{id}", delete, operations::delete("Delete a subscription"))
}

fn filtered(listed: Operation) -> Operation {
    listed
        .query("developer_id", schemas::id())
        .query("application_id", schemas::id())
        .query("status", schemas::array(schemas::words(&["subscribed", "wait_for_approval", "unsubscribed"])))
        .ordered(&["subscribed_at", "developer_name"])
        .searched("the names of developer, application and product")
}

/// A subscription as the Admin API describes it.
pub(super) fn shape_schema() -> Schema {
    schemas::named("Subscription", || shapes::subscription_schema().required("portal_id", schemas::id()))
}

fn filter(query: &Query, segments: &Segments) -> Result<SubscriptionFilter, Problem> {
    let order = |word: &str| match word {
        "subscribed_at" => Some(SubscriptionOrder::SubscribedAt),
        "developer_name" => Some(SubscriptionOrder::DeveloperName),
        _ => None,
    };
    // Text that cannot be an id is compared all the same: it fits no row.
    Ok(SubscriptionFilter {
        portal_id: segments.portal(query)?,
        developer_public_id: query.text("developer_id").map(DeveloperName::known),
        application_id: query.text("application_id").map(ApplicationId::known),
        product_id: query.text("api_product_id").map(ProductId::known),
        statuses: statuses(query)?,
        search: query.text("search").map(str::to_owned),
        search_developer: true,
        order: query.order(order, "subscribed_at or developer_name")?,
        paging: query.paging()?,
        ..SubscriptionFilter::default()
    })
}

/// The states asked for; `unsubscribed` is one of the words, but no record has it.
fn statuses(query: &Query) -> Result<Option<Vec<SubscriptionStatus>>, Problem> {
    let words = query.texts("status");
    if words.is_empty() {
        return Ok(None);
    }
    let mut statuses = Vec::new();
    for word in words {
        match (SubscriptionStatus::from_name(word), word) {
            (Some(status), _) => statuses.push(status),
            (None, "unsubscribed") => {}
            _ => {
                let words = "status must be subscribed, wait_for_approval or unsubscribed";
                return Err(Problem::bad_request(words));
            }
        }
    }
    Ok(Some(statuses))
}

async fn answer(context: &Context, caller: &Caller, filter: SubscriptionFilter) -> ListAnswer {
    let found = subscriptions::list(&context.app, caller, filter).await?;
    Ok(lists::body(found.map(|detail| Value::Object(shape(&detail)))))
}

/// A subscription as the Admin API shows it.
pub(super) fn shape(detail: &SubscriptionDetail) -> Map<String, Value> {
    let mut shape = shapes::subscription(detail);
    shape.insert("portal_id".into(), json!(detail.subscription.portal_id));
    shape
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    answer(&context, &caller, filter(&query, &segments)?).await
}

async fn of_product(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let filter = filter(&query, &segments)?;
    let id = segments.id(ProductId::parse)?;
    subscriptions::of_product(&context.app, &caller, &id, filter.portal_id.as_ref()).await?;
    answer(&context, &caller, SubscriptionFilter { product_id: Some(id), ..filter }).await
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(SubscriptionId::parse)?;
    subscriptions::cancel(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}
