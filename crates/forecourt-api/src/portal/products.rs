//! `/api/api_products`: the catalogue, as a guest or a developer sees it.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    Error,
    products::catalogue::{self, CatalogueFilter},
};
use forecourt_core::{
    ids::ProductId,
    products::{Offer, Product, SubscriptionState},
};
use forecourt_http::{
    Context, callers::PortalCaller, lists, paths::Path, problem::Problem, queries::Query, times::iso,
};
use serde_json::{Map, Value, json};

use super::operations;
use crate::{
    openapi::{
        operations::Access,
        schemas::{self, Schema},
    },
    shapes::{self, auth, members, non_empty, plans},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("API products")
        .get(
            "/api/api_products",
            list,
            operations::list("List API products", listed_schema())
                .access(Access::Guest)
                .query("subscription_status", shapes::subscription_state_schema())
                .query("application_id", schemas::id().about("Whose `subscription_status` is told."))
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .get(
            "/api/api_products/{id}",
            one,
            operations::one("Get an API product", shape_schema())
                .access(Access::Guest)
                .query("application_id", schemas::id().about("Whose `subscription_status` is told.")),
        )
}

fn members_schema() -> Schema {
    let state = shapes::subscription_state_schema().about("Absent for a guest.");
    shapes::product_schema().optional("subscription_status", state)
}

fn listed_schema() -> Schema {
    schemas::named("ListedApiProduct", || members_schema().required("api_count", schemas::integer().from(0)))
}

fn shape_schema() -> Schema {
    schemas::named("ApiProduct", || {
        let texts = schemas::array(schemas::text()).about("Absent where only subscribers may see them.");
        members_schema().optional("raw_openapis", texts).example(json!({
            "id": "91aa04d3", "type": "external", "name": "Billing", "desc": "Read-only", "labels": {},
            "tags": ["finance"], "server_urls": ["https://billing.example.com"], "status": "published",
            "visibility": "public", "raw_openapis": ["openapi: 3.0.3\n"],
            "created_at": "2026-07-01T00:00:00.000Z", "updated_at": "2026-07-01T00:00:00.000Z",
        }))
    })
}

async fn list(
    context: State<Context>,
    PortalCaller(caller): PortalCaller,
    query: Query,
) -> Result<Response, Problem> {
    let words = "unsubscribed, wait_for_approval or subscribed";
    let filter = CatalogueFilter {
        text: query.text_filter(),
        subscription: query.word("subscription_status", SubscriptionState::from_name, words)?,
        application: query.text("application_id").map(str::to_owned),
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = catalogue::list(&context.app, &caller, filter).await?;
    let rows = found.map(|entry| {
        let mut row = body(&entry.product, entry.subscription);
        row.insert("api_count".into(), json!(entry.api_count));
        row
    });
    Ok(lists::body(rows).into_response())
}

async fn one(
    context: State<Context>,
    PortalCaller(caller): PortalCaller,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    let id = ProductId::parse(&id).ok_or_else(Error::not_found)?;
    let page = catalogue::product(&context.app, &caller, &id, query.text("application_id")).await?;
    let mut shown = body(&page.product, page.subscription);
    if let Some(documents) = page.documents {
        shown.insert("raw_openapis".into(), json!(documents));
    }
    Ok(Json(shown).into_response())
}

fn body(product: &Product, subscription: Option<SubscriptionState>) -> Map<String, Value> {
    let mut shown = members([
        ("id", Some(json!(product.id))),
        ("type", Some(json!(product.product_type().name()))),
        ("name", Some(json!(product.name))),
        ("desc", non_empty(&product.desc)),
        ("logo", non_empty(&product.logo)),
        ("labels", Some(json!(product.labels))),
        ("status", Some(json!(product.status.name()))),
        ("visibility", Some(json!(product.visibility.name()))),
        ("subscription_status", subscription.map(|state| json!(state.name()))),
        ("created_at", Some(json!(iso(product.created_at)))),
        ("updated_at", Some(json!(iso(product.updated_at)))),
    ]);
    shown.extend(match &product.offer {
        Offer::Gateway(offer) => members([
            ("auth", Some(auth(&offer.auth))),
            ("subscription_auto_approval", Some(json!(offer.subscription_auto_approval))),
            ("can_view_unsubscribed", Some(json!(offer.can_view_unsubscribed))),
            ("plans", Some(plans(&offer.plans))),
        ]),
        Offer::External(offer) => members([
            ("server_urls", Some(json!(offer.server_urls))),
            ("server_url", offer.server_url.as_ref().map(|url| json!(url))),
            ("tags", (!offer.tags.is_empty()).then(|| json!(offer.tags))),
            ("api_desc", non_empty(&offer.api_desc)),
        ]),
    });
    shown
}
