//! `/api/api_products`: what guests and developers see of a catalogue (portal-api.md §3).

use std::time::Duration;

use forecourt_it::{Forecourt, Product, installations::text};
use serde_json::{Value, json};

use super::{is_time, listed, members};

const DOCUMENT: &str = "openapi: 3.0.3\r\n# as uploaded \ninfo: {title: T, version: '1'}\nservers: [{url: 'https://upstream'}]\n\
                        paths:\n  /a: {get: {responses: {}}, post: {responses: {}}, parameters: []}\n  /b: {delete: {responses: {}}}\n\n";

async fn external(f: &Forecourt, members: Value) -> String {
    let mut product = json!({
        "type": "external", "name": "Legacy", "desc": "Read-only", "status": "published", "tags": ["finance"],
        "raw_openapi": DOCUMENT, "server_urls": ["https://billing.example.com"],
    });
    for (member, value) in members.as_object().unwrap() {
        product[member] = value.clone();
    }
    let path = format!("/api/api_products?portal_id={}", f.portal_id().await);
    text(&f.admin().await.post(&path, product).await.expect(200)["value"]["id"])
}

async fn upload(f: &Forecourt, product: &Product<'_>, document: &str) {
    let path = format!("/api/gateway_groups/default/services/{}/oas", product.service_id);
    f.admin().await.put(&path, json!({ "raw_openapi": document })).await.expect(200);
}

/// What a gateway product shows in a list, in order.
const MEMBERS: [&str; 16] = [
    "api_count",
    "auth",
    "can_view_unsubscribed",
    "created_at",
    "desc",
    "id",
    "labels",
    "logo",
    "name",
    "plans",
    "status",
    "subscription_auto_approval",
    "subscription_status",
    "type",
    "updated_at",
    "visibility",
];

#[tokio::test]
async fn a_gateway_product_shows_its_methods_with_defaults_and_nothing_of_its_services() {
    let f = Forecourt::start().await;
    let given = json!({
        "desc": "Order intake", "logo": "data:image/png;base64,iVBOR", "labels": { "team": "shop" },
        "auth": { "key-auth": {}, "basic_auth": {} }, "subscription_auto_approval": false,
    });
    let orders = f.product_with("Orders", given).await;
    upload(&f, &orders, DOCUMENT).await;
    let ada = f.developer("ada").await;
    let list = ada.api.get("/api/api_products").await.expect(200);
    let row = &list["list"][0];
    assert_eq!(members(row), MEMBERS);
    let auth = json!({
        "key-auth": { "header": "apikey", "query": "apikey", "hide_credentials": false },
        "basic-auth": { "hide_credentials": false },
    });
    for (member, value) in [
        ("id", json!(orders.id)),
        ("type", json!("gateway")),
        ("name", json!("Orders")),
        ("desc", json!("Order intake")),
        ("logo", json!("data:image/png;base64,iVBOR")),
        ("labels", json!({ "team": "shop" })),
        ("auth", auth),
        ("status", json!("published")),
        ("visibility", json!("public")),
        ("subscription_auto_approval", json!(false)),
        ("can_view_unsubscribed", json!(true)),
        ("subscription_status", json!("unsubscribed")),
        ("api_count", json!(3)),
    ] {
        assert_eq!(row[member], value, "{member}");
    }
    assert!(is_time(&row["created_at"]) && is_time(&row["updated_at"]), "{row}");
    let mut expected = row.clone();
    expected.as_object_mut().unwrap().remove("api_count");
    expected["raw_openapis"] = json!([DOCUMENT]);
    let path = format!("/api/api_products/{}", orders.id);
    assert_eq!(ada.api.get(&path).await.expect(200), expected, "one product: byte for byte as uploaded");
    upload(&f, &orders, "").await;
    assert_eq!(ada.api.get(&path).await.expect(200)["raw_openapis"], json!([]));
    assert_eq!(ada.api.get("/api/api_products").await.expect(200)["list"][0]["api_count"], 0);
}

#[tokio::test]
async fn an_external_product_shows_its_servers_and_text_has_no_auth_and_is_always_unsubscribed() {
    let f = Forecourt::start().await;
    let id = external(&f, json!({})).await;
    let ada = f.developer("ada").await;
    let row = ada.api.get("/api/api_products").await.expect(200)["list"][0].clone();
    for (member, value) in [
        ("type", json!("external")),
        ("tags", json!(["finance"])),
        ("labels", json!({})),
        ("server_urls", json!(["https://billing.example.com"])),
        ("subscription_status", json!("unsubscribed")),
        ("api_count", json!(3)),
    ] {
        assert_eq!(row[member], value, "{member}");
    }
    for absent in ["auth", "server_url", "subscription_auto_approval", "can_view_unsubscribed"] {
        assert!(row.get(absent).is_none(), "{absent}: {row}");
    }
    let one = ada.api.get(&format!("/api/api_products/{id}")).await.expect(200);
    assert_eq!(one["raw_openapis"], json!([DOCUMENT]));
    let subscribed = listed(&ada.api, "/api/api_products?subscription_status=unsubscribed", "id").await;
    assert_eq!(subscribed, [id]);
    let deprecated = json!({ "name": "Older", "server_urls": null, "server_url": "https://one.example.com" });
    let id = external(&f, deprecated).await;
    let one = f.portal_api().await.get(&format!("/api/api_products/{id}")).await.expect(200);
    assert_eq!(one["server_url"], "https://one.example.com");
    assert_eq!(one["server_urls"], json!(["https://one.example.com"]), "always an array");
}

#[tokio::test]
async fn guests_see_public_products_developers_all_published_ones_and_nobody_a_draft() {
    let f = Forecourt::start().await;
    let open = f.product("Open").await;
    let inner = f.product_with("Inner", json!({ "visibility": "logged_in" })).await;
    let draft = f.product_with("Draft", json!({ "status": "draft" })).await;
    let ada = f.developer("ada").await;
    let guest = f.portal_api().await;
    let by_age = "/api/api_products?order_by=created_at&direction=asc";
    assert_eq!(listed(&guest, by_age, "id").await, std::slice::from_ref(&open.id));
    assert_eq!(listed(&ada.api, by_age, "id").await, [open.id.clone(), inner.id.clone()]);
    let paged = guest.get("/api/api_products?page=1&page_size=1").await.expect(200);
    assert_eq!(paged["total"], 1, "what is not visible counts in no total");
    for (client, id, status) in [
        (&guest, &open.id, 200),
        (&guest, &inner.id, 404),
        (&guest, &draft.id, 404),
        (&ada.api, &inner.id, 200),
        (&ada.api, &draft.id, 404),
    ] {
        client.get(&format!("/api/api_products/{id}")).await.expect(status);
    }
    for id in ["prd_unknown", "a%20b", "%ff"] {
        ada.api.get(&format!("/api/api_products/{id}")).await.refused(404, "resource not found");
    }
    draft.publish().await;
    guest.get(&format!("/api/api_products/{}", draft.id)).await.expect(200);
    draft.unpublish().await;
    guest.get(&format!("/api/api_products/{}", draft.id)).await.refused(404, "resource not found");
}

#[tokio::test]
async fn products_are_searched_by_name_description_and_labels_and_sorted_by_their_times() {
    let f = Forecourt::start().await;
    let orders =
        f.product_with("Orders", json!({ "desc": "Ünïcode 50%", "labels": { "Team": "Shop" } })).await;
    f.advance(Duration::from_secs(1));
    f.product_with("Billing", json!({ "desc": "invoices" })).await;
    f.advance(Duration::from_secs(1));
    orders.update(json!({ "labels": { "Team": "Shop" } })).await.expect(200);
    let guest = f.portal_api().await;
    let names = async |query: &str| listed(&guest, &format!("/api/api_products?{query}"), "name").await;
    assert_eq!(names("").await, ["Orders", "Billing"]);
    assert_eq!(names("order_by=created_at").await, ["Billing", "Orders"]);
    assert_eq!(names("direction=asc").await, ["Billing", "Orders"]);
    for (search, found) in [
        ("ORD", ["Orders"].as_slice()),
        ("%C3%BCN%C3%8F", &["Orders"]),
        ("50%25", &["Orders"]),
        ("team", &["Orders"]),
        ("shop", &["Orders"]),
        ("_", &[]),
        ("i", &["Billing"]),
        ("prd_", &[]),
    ] {
        assert_eq!(names(&format!("search={search}")).await, found, "{search}");
    }
    assert_eq!(names("labels[Team]=Shop").await, ["Orders"]);
    // Names need not be unique.
    external(&f, json!({ "name": "Orders" })).await;
    assert_eq!(names("search=orders").await.len(), 2);
    assert_eq!(guest.get("/api/dcr_providers").await.expect(200), json!({ "list": [], "total": 0 }));
}

#[tokio::test]
async fn texts_come_in_the_order_of_the_links_and_their_operations_add_up() {
    let f = Forecourt::start().await;
    let (first, second) = (f.product("First").await, f.product("Second").await);
    upload(&f, &first, DOCUMENT).await;
    upload(&f, &second, r#"{"openapi":"3.1.0","paths":{"/c":{"get":{}}}}"#).await;
    let link = |service: &str| json!({ "gateway_group_id": "default", "service_id": service });
    second.update(json!({ "linked_gateway_services": [] })).await.expect(200);
    let links = json!([link(&second.service_id), link(&first.service_id)]);
    first.update(json!({ "linked_gateway_services": links })).await.expect(200);
    let guest = f.portal_api().await;
    let one = guest.get(&format!("/api/api_products/{}", first.id)).await.expect(200);
    assert_eq!(one["raw_openapis"], json!([r#"{"openapi":"3.1.0","paths":{"/c":{"get":{}}}}"#, DOCUMENT]));
    let list = guest.get("/api/api_products?search=first").await.expect(200);
    assert_eq!(list["list"][0]["api_count"], 4);
    let list = guest.get("/api/api_products?search=second").await.expect(200);
    assert_eq!(list["list"][0]["api_count"], 0);
}

#[tokio::test]
async fn neither_links_nor_notifications_are_shown_and_linked_hosts_rewrite_no_text() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let mail = json!({ "name": "Operations", "type": "email", "addresses": ["ops@example.com"] });
    let mail = text(&admin.post("/api/contact_points", mail).await.expect(200)["value"]["id"]);
    let rule =
        json!({ "event": "subscription_approval_created", "type": "email", "contact_point_ids": [mail] });
    let orders = f.product("Orders").await;
    upload(&f, &orders, DOCUMENT).await;
    let hosts = json!({ "hosts": ["one.example", "two.example"] });
    admin.patch(&format!("/apisix/admin/services/{}", orders.service_id), hosts).await.expect(200);
    let link = json!({
        "gateway_group_id": "default", "service_id": orders.service_id, "linked_hosts": ["one.example"],
    });
    orders.update(json!({ "notifications": [rule], "linked_gateway_services": [link] })).await.expect(200);
    external(&f, json!({ "notifications": [] })).await;
    let ada = f.developer("ada").await;
    let list = ada.api.get("/api/api_products?order_by=created_at&direction=asc").await.expect(200);
    assert_eq!(
        members(&list["list"][1]),
        [
            "api_count",
            "created_at",
            "desc",
            "id",
            "labels",
            "name",
            "server_urls",
            "status",
            "subscription_status",
            "tags",
            "type",
            "updated_at",
            "visibility",
        ]
    );
    for row in list["list"].as_array().unwrap() {
        let one = ada.api.get(&format!("/api/api_products/{}", text(&row["id"]))).await.expect(200);
        for hidden in ["linked_gateway_services", "notifications"] {
            assert!(row.get(hidden).is_none() && one.get(hidden).is_none(), "{hidden}: {one}");
        }
        assert_eq!(one["raw_openapis"], json!([DOCUMENT]));
    }
}
