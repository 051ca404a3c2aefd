//! API products as the document describes them; what they are made of stands in `products` and `product_bodies`.

use serde_json::json;

use super::{notifications, operations};
use crate::{
    openapi::{
        operations::Operation,
        schemas::{self, Schema},
    },
    shapes,
};

/// `GET /api/api_products`.
pub(super) fn listed() -> Operation {
    operations::of_portal(operations::list("List API products", row()))
        .notes("Drafts too.")
        .query("status", schemas::words(&["draft", "published"]))
        .query("type", schemas::words(&["gateway", "external"]))
        .query("visibility", schemas::words(&["public", "logged_in"]))
        .ordered_by_time()
        .searched("name, description and labels")
        .labelled()
}

/// The body of a create.
pub(super) fn new() -> Schema {
    schemas::named("NewApiProduct", || {
        body()
            .required("type", schemas::words(&["gateway", "external"]).about("Fixed from then on."))
            .required("name", schemas::name())
    })
}

/// The body of an update.
pub(super) fn changes() -> Schema {
    schemas::named("ApiProductChanges", || body().optional("name", schemas::name()))
}

fn body() -> Schema {
    let link = schemas::object()
        .required("gateway_group_id", schemas::id())
        .required("service_id", schemas::id())
        .optional("linked_hosts", schemas::array(schemas::text()));
    let server = || schemas::text().long(1, 4096);
    schemas::object()
        .optional("desc", schemas::desc())
        .optional("logo", schemas::text().about("Base64 or a data URL."))
        .optional("labels", schemas::labels())
        .optional("status", schemas::words(&["draft", "published"]).or("draft"))
        .optional("visibility", schemas::words(&["public", "logged_in"]).or("public"))
        .optional("auth", shapes::auth_schema())
        .optional("subscription_auto_approval", schemas::flag().or(false))
        .optional("can_view_unsubscribed", schemas::flag().or(true))
        .optional("linked_gateway_services", schemas::array(link))
        .optional("raw_openapi", schemas::text().about("An external product's OpenAPI text."))
        .optional("server_urls", schemas::array(server()))
        .optional("server_url", server().with("deprecated", json!(true)))
        .optional("tags", schemas::array(schemas::text()))
        .optional("api_desc", schemas::desc())
        .optional("notifications", schemas::array(notifications::schema()))
}

/// A product by itself.
pub(super) fn one() -> Schema {
    schemas::named("ApiProduct", || {
        members().required("raw_openapis", schemas::array(schemas::text())).example(json!({
            "id": "7f0c", "portal_id": "3f0a", "type": "gateway", "name": "Orders", "desc": "Order intake",
            "labels": {}, "status": "published", "visibility": "public",
            "subscription_auto_approval": false, "can_view_unsubscribed": true,
            "auth": { "key-auth": { "header": "apikey", "query": "apikey", "hide_credentials": false } },
            "linked_gateway_services": [
                { "gateway_group_id": "default", "service_id": "5b1d", "linked_hosts": ["orders.example.com"] },
            ],
            "plans": [], "notifications": [], "raw_openapis": [],
            "created_at": "2026-08-01T00:00:00.000Z", "updated_at": "2026-08-02T00:00:00.000Z",
        }))
    })
}

fn row() -> Schema {
    schemas::named("ListedApiProduct", || members().required("api_count", schemas::integer().from(0)))
}

fn members() -> Schema {
    let link = schemas::object()
        .required("gateway_group_id", schemas::id())
        .required("service_id", schemas::id())
        .required("linked_hosts", schemas::array(schemas::text()));
    schemas::object()
        .required("portal_id", schemas::id())
        .and(shapes::product_schema())
        .optional("linked_gateway_services", schemas::array(link))
        .required("notifications", schemas::array(notifications::schema()))
}
