//! API products as acts change them: what an update leaves as it is, publishing, linking and deleting.

use serde_json::{Value, json};

use super::stage::Stage;

async fn put(stage: &Stage, id: &str, body: Value) -> super::stage::Reply {
    stage.call("PUT", &format!("/api/api_products/{id}"), body).await
}

async fn draft(stage: &Stage, portal: &str, name: &str) -> String {
    let body = json!({ "type": "gateway", "name": name });
    stage.id_of("POST", &format!("/api/api_products?portal_id={portal}"), body).await
}

fn link(service: &str, hosts: &[&str]) -> Value {
    json!([{ "gateway_group_id": "default", "service_id": service, "linked_hosts": hosts }])
}

async fn service(stage: &Stage, name: &str, hosts: Value) -> String {
    let body = json!({ "name": name, "hosts": hosts });
    stage.id_of("POST", "/apisix/admin/services?gateway_group_id=default", body).await
}

#[tokio::test]
async fn an_update_leaves_absent_members_and_replaces_given_ones_whole() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let (one, two) = (service(&stage, "one", json!([])).await, service(&stage, "two", json!([])).await);
    let body = json!({
        "type": "gateway", "name": "Orders", "desc": "x", "labels": { "a": "1", "b": "2" }, "visibility": "logged_in",
        "auth": { "key-auth": { "header": "x-key" }, "basic-auth": {} }, "subscription_auto_approval": true,
        "can_view_unsubscribed": false, "linked_gateway_services": link(&one, &[]),
    });
    let made = stage.call("POST", &format!("/api/portals/{portal}/api_products"), body).await.value();
    let id = made["id"].as_str().unwrap();
    for nothing in
        [json!({}), Value::Null, json!({ "name": null, "labels": null, "auth": null, "desc": null })]
    {
        let mut same = put(&stage, id, nothing).await.value();
        assert_ne!(same["updated_at"], made["updated_at"]);
        same["updated_at"] = made["updated_at"].clone();
        assert_eq!(same, made);
    }
    let given = json!({
        "labels": { "b": "3" }, "auth": { "basic-auth": {} }, "linked_gateway_services": link(&two, &[]),
    });
    let changed = put(&stage, id, given).await.value();
    assert_eq!(changed["labels"], json!({ "b": "3" }));
    assert_eq!(changed["auth"], json!({ "basic-auth": { "hide_credentials": false } }));
    assert_eq!(changed["linked_gateway_services"], link(&two, &[]));
    for kept in
        ["name", "desc", "visibility", "status", "subscription_auto_approval", "can_view_unsubscribed"]
    {
        assert_eq!(changed[kept], made[kept], "{kept}");
    }
}

#[tokio::test]
async fn publishing_asks_for_auth_alone_whichever_call_it_comes_with() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let collection = format!("/api/api_products?portal_id={portal}");
    let at_once = json!({ "type": "gateway", "name": "Orders", "status": "published" });
    assert_eq!(stage.call("POST", &collection, at_once).await.refusal().0, 400);
    let id = draft(&stage, &portal, "Orders").await;
    let publish = json!({ "status": "published" });
    assert_eq!(put(&stage, &id, publish.clone()).await.refusal().0, 400);
    let patch = json!([{ "op": "replace", "path": "/status", "value": "published" }]);
    let path = format!("/api/api_products/{id}");
    assert_eq!(stage.call("PATCH", &path, patch.clone()).await.refusal().0, 400);
    // Neither a route nor a text nor a linked service is demanded.
    for method in ["key-auth", "basic-auth", "jwt-auth"] {
        let mut body = publish.clone();
        body["auth"] = json!({ method: {} });
        assert_eq!(put(&stage, &id, body).await.value()["status"], "published", "{method}");
        let withdrawn = put(&stage, &id, json!({ "status": "draft" })).await;
        assert_eq!(withdrawn.value()["status"], "draft");
    }
    assert_eq!(stage.call("PATCH", &path, patch).await.value()["status"], "published");
    let empty = put(&stage, &id, json!({ "auth": {} })).await.refusal();
    assert!(empty.0 == 400 && empty.1.starts_with("auth cannot change while"), "{}", empty.1);
}

#[tokio::test]
async fn withdrawing_a_product_says_which_subscriptions_end_and_that_its_services_are_open() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let service = service(&stage, "orders", json!([])).await;
    let id = stage.product(&portal, "Orders").await;
    assert_eq!(put(&stage, &id, json!({ "linked_gateway_services": link(&service, &[]) })).await.status, 200);
    let (_, ada) = stage.developer(&portal, "ada").await;
    stage.subscribed(&ada, "one", &id).await;
    stage.subscribed(&ada, "two", &id).await;
    let again = put(&stage, &id, json!({ "status": "published" })).await;
    assert!(again.body.get("warning_msg").is_none(), "it was published before: {}", again.body);
    let withdrawn = put(&stage, &id, json!({ "status": "draft" })).await;
    assert_eq!(
        withdrawn.body["warning_msg"],
        "2 subscriptions were ended, and the linked services are open to everyone now"
    );
    assert_eq!(stage.get("/api/subscriptions").await.list().len(), 0);
    let again = put(&stage, &id, json!({ "status": "draft" })).await;
    assert!(again.body.get("warning_msg").is_none(), "it was a draft before: {}", again.body);
    let unlinked = put(&stage, &id, json!({ "linked_gateway_services": [] })).await;
    assert!(unlinked.body.get("warning_msg").is_none(), "a draft protects nothing: {}", unlinked.body);
}

#[tokio::test]
async fn a_link_names_a_known_service_once_that_no_product_of_any_portal_has() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let service = service(&stage, "orders", json!([])).await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let owner = draft(&stage, &other, "Owner").await;
    let wanted = draft(&stage, &portal, "Wanted").await;
    let twice = json!([link(&service, &[])[0], link(&service, &["a.example"])[0]]);
    for (links, part) in [
        (twice, format!("service {service:?} is listed twice")),
        (
            json!([{ "gateway_group_id": "no_group", "service_id": service }]),
            "does not exist in gateway group \"no_group\"".into(),
        ),
        (
            json!([{ "gateway_group_id": edge, "service_id": service }]),
            format!("does not exist in gateway group {edge:?}"),
        ),
        (link("svc_unknown", &[]), "service \"svc_unknown\" does not exist".into()),
        (link("no id", &[]), "service \"no id\" does not exist".into()),
        (json!([{ "gateway_group_id": "default" }]), "service_id is required".into()),
    ] {
        let (status, message) =
            put(&stage, &wanted, json!({ "linked_gateway_services": links })).await.refusal();
        assert!(status == 400 && message.contains(&part), "{links}: {message}");
    }
    // A draft has it as much as a published product does, in whatever portal.
    put(&stage, &owner, json!({ "linked_gateway_services": link(&service, &[]) })).await.value();
    let taken = json!({ "linked_gateway_services": link(&service, &[]) });
    let words = "linked_gateway_services: service \"orders\" already belongs to the API product \"Owner\"";
    assert_eq!(put(&stage, &wanted, taken.clone()).await.refusal(), (400, words.into()));
    let mut new = taken.clone();
    new["type"] = json!("gateway");
    new["name"] = json!("New");
    let made = stage.call("POST", &format!("/api/api_products?portal_id={portal}"), new).await;
    assert_eq!(made.refusal(), (400, words.into()));
    // Deleting a published product frees its services.
    let publish = json!({ "auth": { "key-auth": {} }, "status": "published" });
    put(&stage, &owner, publish).await.value();
    stage.call("DELETE", &format!("/api/api_products/{owner}"), Value::Null).await.value();
    put(&stage, &wanted, taken).await.value();
}

#[tokio::test]
async fn linked_hosts_match_those_of_the_service_where_it_has_any() {
    let stage = Stage::start().await;
    let id = draft(&stage, &stage.default_portal().await, "Orders").await;
    let anywhere = service(&stage, "anywhere", json!([])).await;
    let named = service(&stage, "named", json!(["api.example.com", "*.wild.example"])).await;
    for (service, hosts, fits) in [
        (&anywhere, vec!["whatever.example"], true),
        (&named, vec![], true),
        (&named, vec!["API.example.com", "a.wild.example", "*.wild.example"], true),
        (&named, vec!["api.example.com", "example.com"], false),
        (&named, vec!["wild.example"], false),
        (&named, vec!["a.wild.example.com"], false),
    ] {
        let answer = put(&stage, &id, json!({ "linked_gateway_services": link(service, &hosts) })).await;
        if fits {
            assert_eq!(answer.value()["linked_gateway_services"], link(service, &hosts));
        } else {
            assert!(answer.refusal().1.contains("is not served by service \"named\""), "{hosts:?}");
        }
    }
}

/// Alpha, published, and Beta_2 in the default portal, Gamma in another one, whose id it gives.
async fn three_products(stage: &Stage) -> String {
    let portal = stage.default_portal().await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let text =
        "openapi: 3.0.3\ninfo: {title: T, version: '1'}\nservers: [{url: https://a.example}]\npaths: {}\n";
    let alpha = json!({
        "type": "gateway", "name": "Alpha", "desc": "100% of Orders", "auth": { "key-auth": {} },
        "status": "published", "labels": { "team": "Shop", "tier": "gold" },
    });
    let beta = json!({
        "type": "gateway", "name": "Beta_2", "labels": { "team": "Shop" }, "visibility": "logged_in",
    });
    let gamma = json!({
        "type": "external", "name": "Gamma", "raw_openapi": text, "labels": { "Kind of": "x" },
    });
    for (portal, body) in [(&portal, alpha), (&portal, beta), (&other, gamma)] {
        stage.call("POST", &format!("/api/api_products?portal_id={portal}"), body).await.value();
    }
    other
}

#[tokio::test]
async fn products_are_listed_with_drafts_searched_filtered_and_sorted() {
    let stage = Stage::start().await;
    let other = three_products(&stage).await;
    for (query, names) in [
        ("", "Gamma Beta_2 Alpha"),
        ("direction=asc", "Alpha Beta_2 Gamma"),
        ("order_by=created_at", "Gamma Beta_2 Alpha"),
        ("search=ALPHA", "Alpha"),
        ("search=orders", "Alpha"),
        ("search=0%25+o", "Alpha"),
        ("search=_", "Beta_2"),
        ("search=%25", "Alpha"),
        ("search=tier", "Alpha"),
        ("search=gOLD", "Alpha"),
        ("search=kind+OF", "Gamma"),
        ("search=", "Gamma Beta_2 Alpha"),
        ("labels[team]=Shop", "Beta_2 Alpha"),
        ("labels[team]=shop", ""),
        ("labels[team]=Shop&labels[tier]=gold", "Alpha"),
        ("labels[tier]=", "Alpha"),
        ("status=published", "Alpha"),
        ("status=draft", "Gamma Beta_2"),
        ("type=external", "Gamma"),
        ("visibility=logged_in", "Beta_2"),
        ("visibility=public&type=gateway", "Alpha"),
        ("page=2&page_size=2", "Alpha"),
        ("page_size=1", "Gamma"),
        ("page=7", ""),
    ] {
        let list = stage.get(&format!("/api/api_products?{query}")).await;
        assert_eq!(list.names().join(" "), names, "{query}");
        for row in list.list() {
            assert!(row["api_count"].is_u64() && row.get("raw_openapis").is_none(), "{row}");
        }
    }
    assert_eq!(stage.get(&format!("/api/portals/{other}/api_products")).await.names(), ["Gamma"]);
    // What changed last is first.
    let alpha = stage.get("/api/api_products?search=alpha").await.list()[0]["id"].clone();
    put(&stage, alpha.as_str().unwrap(), json!({ "desc": "y" })).await.value();
    assert_eq!(stage.get("/api/api_products?page=1&page_size=1").await.names(), ["Alpha"]);
    assert_eq!(stage.get("/api/api_products?order_by=created_at&page_size=1").await.names(), ["Gamma"]);
    for query in ["status=live", "type=x", "order_by=name", "direction=up", "page=0", "page_size=-1"] {
        assert_eq!(stage.get(&format!("/api/api_products?{query}")).await.refusal().0, 400, "{query}");
    }
}
