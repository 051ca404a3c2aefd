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

use crate::shapes::{auth, members, non_empty, plans};

pub(super) async fn list(
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

pub(super) async fn one(
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
