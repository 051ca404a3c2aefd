//! API products: drafts, publishing, linking; the rules stand in core.

use axum::extract::State;
use forecourt_app::{
    access, portals,
    products::{self, ListedProduct, ProductDetail},
};
use forecourt_core::permissions::{Action, Target};
use forecourt_core::{
    ids::ProductId,
    products::{Offer, Product, ProductFilter, ProductStatus, ProductType, Visibility},
};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::AdminCaller,
    lists,
    problem::Problem,
    queries::Query,
    times::iso,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value, value_with_warning},
    notifications, operations,
    product_bodies::input,
    product_schemas,
    segments::Segments,
    table::Table,
};
use crate::{
    json_patch::{self, Members},
    shapes::{auth, members, non_empty, plans},
};

pub(super) fn endpoints(table: Table) -> Table {
    let collections = ["/api/api_products", "/api/portals/{portal}/api_products"];
    let items = ["/api/api_products/{id}", "/api/portals/{portal}/api_products/{id}"];
    let table = table.about("API products");
    let table = collections.into_iter().fold(table, |table, path| {
        let make = operations::send("Create an API product", product_schemas::new(), product_schemas::one());
        table.get(path, list, product_schemas::listed()).post(path, create, operations::in_portal(make))
    });
    items.into_iter().fold(table, |table, path| {
        let read = operations::one("Get an API product", product_schemas::one());
        let change = operations::send_with_warning(
            "Update an API product",
            product_schemas::changes(),
            product_schemas::one(),
        );
        let notes = "Absent members stay as they are. Its `status` publishes and unpublishes it; while it is \
                     published, `auth` is fixed.";
        let edit = operations::patch_with_warning("Change an API product", product_schemas::one());
        let end = operations::delete("Delete an API product");
        table
            .get(path, product, operations::of_portal(read))
            .put(path, update, operations::of_portal(change.notes(notes)))
            .patch(path, patch, operations::of_portal(edit))
            .delete(path, delete, operations::of_portal(end))
    })
}

fn shape(product: &Product) -> Map<String, Value> {
    let mut shape = members([
        ("id", Some(json!(product.id))),
        ("portal_id", Some(json!(product.portal_id))),
        ("type", Some(json!(product.product_type().name()))),
        ("name", Some(json!(product.name))),
        ("desc", non_empty(&product.desc)),
        ("logo", non_empty(&product.logo)),
        ("labels", Some(json!(product.labels))),
        ("status", Some(json!(product.status.name()))),
        ("visibility", Some(json!(product.visibility.name()))),
    ]);
    shape.extend(match &product.offer {
        Offer::Gateway(offer) => members([
            ("subscription_auto_approval", Some(json!(offer.subscription_auto_approval))),
            ("can_view_unsubscribed", Some(json!(offer.can_view_unsubscribed))),
            ("auth", Some(auth(&offer.auth))),
            ("linked_gateway_services", Some(json!(offer.services))),
            ("plans", Some(plans(&offer.plans))),
        ]),
        Offer::External(offer) => members([
            ("server_urls", Some(json!(offer.server_urls))),
            ("server_url", offer.server_url.as_ref().map(|url| json!(url))),
            ("tags", Some(json!(offer.tags))),
            ("api_desc", non_empty(&offer.api_desc)),
        ]),
    });
    shape.insert("notifications".into(), notifications::shape(&product.notifications));
    shape.insert("created_at".into(), json!(iso(product.created_at)));
    shape.insert("updated_at".into(), json!(iso(product.updated_at)));
    shape
}

fn detail(detail: &ProductDetail) -> Map<String, Value> {
    let mut shape = shape(&detail.product);
    shape.insert("raw_openapis".into(), json!(detail.documents));
    shape
}

fn listed(listed: &ListedProduct) -> Value {
    let mut shape = shape(&listed.product);
    shape.insert("api_count".into(), json!(listed.api_count));
    Value::Object(shape)
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let filter = ProductFilter {
        portal_id: segments.portal(&query)?,
        status: query.word("status", ProductStatus::from_name, "draft or published")?,
        product_type: query.word("type", ProductType::from_name, "gateway or external")?,
        visibility: query.word("visibility", Visibility::from_name, "public or logged_in")?,
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..ProductFilter::default()
    };
    let found = products::list(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|product| listed(&product))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let portal = segments.portal(&query)?;
    let Some(portal) = portal else {
        access::permits_somewhere(&caller, Action::CreateApiProduct)?;
        return Err(Problem::bad_request("portal_id is required"));
    };
    access::permits(&caller, Action::CreateApiProduct, Target::ApiProduct(&portal, None))?;
    portals::must_exist(&context.app, &portal).await?;
    let input = input(body?)?;
    value(detail(&products::create(&context.app, &caller, &portal, input).await?))
}

async fn product(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, portal) = (segments.id(ProductId::parse)?, segments.portal(&query)?);
    value(detail(&products::product(&context.app, &caller, &id, portal.as_ref()).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let (id, portal) = (segments.id(ProductId::parse)?, segments.portal(&query)?);
    products::changeable(&context.app, &caller, &id, portal.as_ref()).await?;
    let input = input(body?)?;
    let updated = products::update(&context.app, &caller, &id, portal.as_ref(), input).await?;
    value_with_warning(detail(&updated.detail), updated.warning)
}

/// What PATCH may do: `raw_openapi` is written in the singular and read as `raw_openapis`.
const MEMBERS: Members = Members {
    optional: &[
        "/desc",
        "/logo",
        "/auth/key-auth",
        "/auth/basic-auth",
        "/auth/jwt-auth",
        "/auth/dcr",
        "/raw_openapi",
        "/server_url",
        "/api_desc",
    ],
    read_only: &["id", "portal_id", "created_at", "updated_at", "raw_openapis", "plans"],
};

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let (id, portal) = (segments.id(ProductId::parse)?, segments.portal(&query)?);
    // Whether it exists is told before whether the body is any good.
    products::changeable(&context.app, &caller, &id, portal.as_ref()).await?;
    let patch = body?.0;
    let cleared = [
        ("desc", json!("")),
        ("logo", json!("")),
        ("labels", json!({})),
        ("auth", json!({})),
        ("subscription_auto_approval", json!(false)),
        ("can_view_unsubscribed", json!(true)),
        ("linked_gateway_services", json!([])),
        ("notifications", json!([])),
        ("tags", json!([])),
        ("api_desc", json!("")),
        ("server_url", json!("")),
        // Those of the OpenAPI text then, where it has any.
        ("server_urls", json!([])),
    ];
    let edit = |product: &ProductDetail| {
        let before = detail(product);
        let after = json_patch::apply(&before, &patch, &MEMBERS)?;
        input(json_patch::changes(&before, after, &cleared)?)
    };
    let updated = products::change(&context.app, &caller, &id, portal.as_ref(), edit).await?;
    value_with_warning(detail(&updated.detail), updated.warning)
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, portal) = (segments.id(ProductId::parse)?, segments.portal(&query)?);
    products::delete(&context.app, &caller, &id, portal.as_ref()).await?;
    deleted(id.as_str())
}
