//! Gateway groups, their keys, their services and documents.

use serde_json::{Value, json};

use super::stage::Stage;

#[tokio::test]
async fn the_group_default_exists_and_stays() {
    let stage = Stage::start().await;
    let group = stage.get("/api/gateway_groups/default").await.value();
    let at = group["created_at"].clone();
    assert!(at.is_i64());
    let wanted = json!({
        "id": "default", "name": "default", "type": "api7_gateway", "labels": {}, "created_at": at, "updated_at": at,
    });
    assert_eq!(group, wanted);
    let refused = stage.call("DELETE", "/api/gateway_groups/default", Value::Null).await.refusal();
    assert_eq!(refused, (400, "the gateway group default cannot be deleted".into()));
}

#[tokio::test]
async fn a_group_is_made_changed_listed_and_deleted_with_its_services() {
    let stage = Stage::start().await;
    let given =
        json!({ "name": "edge", "description": "x", "type": "api7_gateway", "labels": { "zone": "a" } });
    let made = stage.call("POST", "/api/gateway_groups", given).await.value();
    assert_eq!(made["desc"], "x");
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/gateway_groups/{id}");
    assert_eq!(stage.call("PUT", &path, json!({ "desc": "y" })).await.value()["name"], "edge");
    for query in ["?name=edge", "?search=EDGE", "?labels[zone]=a"] {
        assert_eq!(stage.get(&format!("/api/gateway_groups{query}")).await.names(), ["edge"], "{query}");
    }
    for (body, problem) in [
        (json!({}), "name is required"),
        (json!({ "name": "edge" }), "name \"edge\" is taken by another gateway group; choose another name"),
        (json!({ "name": "a", "type": "kong" }), "type must be api7_gateway"),
        (
            json!({ "name": "a", "desc": "x", "description": "x" }),
            "description and desc are the same member: give one of them",
        ),
    ] {
        assert_eq!(stage.call("POST", "/api/gateway_groups", body).await.refusal(), (400, problem.into()));
    }
    let services = format!("/apisix/admin/services?gateway_group_id={id}");
    let service = stage.id_of("POST", &services, json!({ "name": "orders" })).await;
    let product = stage.product(&stage.default_portal().await, "Orders").await;
    let link = json!({ "linked_gateway_services": [{ "gateway_group_id": id, "service_id": service }] });
    stage.call("PUT", &format!("/api/api_products/{product}"), link).await.value();
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 400);
    stage.call("DELETE", &format!("/api/api_products/{product}"), Value::Null).await.value();
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": id }));
    assert_eq!(stage.get(&path).await.refusal().0, 404);
    assert_eq!(stage.get(&format!("/apisix/admin/services/{service}")).await.refusal().0, 404);
}

#[tokio::test]
async fn a_groups_key_acts_on_its_own_group_alone_and_dies_with_the_next_one() {
    let stage = Stage::start().await;
    let group = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let path = format!("/api/gateway_groups/{group}/admin_key");
    let key = stage.call("PUT", &path, Value::Null).await.value()["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("a7adm-"));
    let by = async |method: &str, path: &str, body: Value| {
        stage.with_headers(method, path, &[("authorization", &format!("Bearer {key}"))], body).await
    };
    let made = by("POST", "/apisix/admin/services", json!({ "name": "own" })).await.value();
    assert_eq!(by("GET", "/apisix/admin/services", Value::Null).await.names(), ["own"]);
    let own = format!("/apisix/admin/services/{}", made["id"].as_str().unwrap());
    assert_eq!(by("PUT", &own, json!({ "name": "next" })).await.value()["name"], "next");
    assert_eq!(by("GET", "/api/gateway_groups", Value::Null).await.names(), ["edge"]);
    for (method, path) in [
        ("GET", "/apisix/admin/services?gateway_group_id=default"),
        ("POST", "/apisix/admin/services?gateway_group_id=default"),
        ("GET", "/api/gateway_groups/default"),
        ("GET", "/api/portals"),
        ("POST", "/api/portals"),
        ("GET", "/api/me"),
        ("PUT", "/api/password"),
        ("GET", "/api/settings/tokens"),
    ] {
        assert_eq!(by(method, path, Value::Null).await.refusal().0, 403, "{method} {path}");
    }
    stage.call("PUT", &path, Value::Null).await.value();
    assert_eq!(by("GET", "/apisix/admin/services", Value::Null).await.refusal().0, 401);
}

#[tokio::test]
async fn an_instance_token_is_shown_once() {
    let stage = Stage::start().await;
    let path = "/api/gateway_groups/default/instance_token?only_token=true";
    let token = stage.call("POST", path, Value::Null).await.value();
    assert!(token["token_plain_text"].as_str().unwrap().starts_with("a7dp-"));
    assert_eq!(token.as_object().unwrap().len(), 2);
    assert_eq!(
        stage.call("POST", "/api/gateway_groups/x/instance_token", Value::Null).await.refusal().0,
        404
    );
}

#[tokio::test]
async fn published_services_and_their_documents_are_reached_through_the_group() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/api/gateway_groups/default/services/{service}");
    let read = stage.get(&path).await.value();
    assert_eq!(
        (&read["gateway_group_id"], &read["gateway_group_name"]),
        (&json!("default"), &json!("default"))
    );
    assert_eq!(stage.get("/api/gateway_groups/default/services").await.list(), [read]);
    let oas = format!("{path}/oas");
    assert_eq!(stage.get(&oas).await.value(), json!({ "raw_openapi": "" }));
    let text = "openapi: 3.1.0  # kept byte for byte\r\npaths: {}\n";
    let kept = stage.call("PUT", &oas, json!({ "raw_openapi": text })).await.value();
    assert_eq!(kept, json!({ "raw_openapi": text }));
    assert_eq!(stage.get(&oas).await.value(), kept);
    for body in [
        json!({}),
        json!({ "raw_openapi": "a: 1" }),
        json!({ "raw_openapi": "{" }),
        json!({ "raw_openapi": 1 }),
    ] {
        assert_eq!(stage.call("PUT", &oas, body.clone()).await.refusal().0, 400, "{body}");
    }
    stage.call("PUT", &oas, json!({ "raw_openapi": "" })).await.value();
    assert_eq!(stage.get(&oas).await.value(), json!({ "raw_openapi": "" }));
    assert_eq!(stage.get("/api/gateway_groups/default/services/x/oas").await.refusal().0, 404);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": service }));
    assert_eq!(stage.get(&path).await.refusal().0, 404);
}

#[tokio::test]
async fn groups_are_found_by_their_exact_name_by_text_and_by_labels_and_are_sorted_and_paged() {
    let stage = Stage::start().await;
    for (name, desc, zone) in [("edge", "First one", "A"), ("edge-2", "50% of it", "a")] {
        let group = json!({ "name": name, "desc": desc, "labels": { "zone": zone } });
        stage.call("POST", "/api/gateway_groups", group).await.value();
    }
    stage.call("PUT", "/api/gateway_groups/default", json!({ "labels": {} })).await.value();
    for (query, wanted, total) in [
        ("", ["default", "edge-2", "edge"].as_slice(), 3),
        ("order_by=updated_at&direction=asc", &["edge", "edge-2", "default"], 3),
        ("order_by=created_at", &["edge-2", "edge", "default"], 3),
        ("page=2&page_size=1&order_by=created_at", &["edge"], 3),
        ("page=4&page_size=1", &[], 3),
        ("name=edge", &["edge"], 1),
        ("name=EDGE", &[], 0),
        ("name=edg", &[], 0),
        ("name=", &["default", "edge-2", "edge"], 3),
        ("search=EDG", &["edge-2", "edge"], 2),
        ("search=first", &["edge"], 1),
        ("search=0%25", &["edge-2"], 1),
        ("search=ZONE", &["edge-2", "edge"], 2),
        ("search=grp_", &[], 0),
        ("labels[zone]=a", &["edge-2"], 1),
        ("labels[zone]=", &["edge-2", "edge"], 2),
        ("name=edge&labels[zone]=a", &[], 0),
    ] {
        let reply = stage.get(&format!("/api/gateway_groups?{query}")).await;
        assert_eq!(
            (reply.names().as_slice(), &reply.body["total"]),
            (&*owned(wanted), &json!(total)),
            "{query}"
        );
    }
    for query in ["order_by=name", "direction=up", "page=0"] {
        assert_eq!(stage.get(&format!("/api/gateway_groups?{query}")).await.refusal().0, 400, "{query}");
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_groups_name_is_its_own_and_at_most_1024_characters() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "ä".repeat(1_024) })).await;
    let path = format!("/api/gateway_groups/{edge}");
    for (body, problem) in [
        (json!({ "name": "ä".repeat(1_025) }), "name must be 1 to 1024 characters"),
        (json!({ "name": "" }), "name is required"),
        (json!({ "name": "  " }), "name is required"),
        (
            json!({ "name": "default" }),
            "name \"default\" is taken by another gateway group; choose another name",
        ),
        (json!({ "type": "kong" }), "type must be api7_gateway"),
        (json!({ "labels": { "a": 1 } }), "labels must be an object of strings"),
    ] {
        let mut whole = json!({ "name": "fresh" });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        assert_eq!(stage.call("POST", "/api/gateway_groups", whole).await.refusal(), (400, problem.into()));
        assert_eq!(stage.call("PUT", &path, body).await.refusal(), (400, problem.into()));
    }
    let given =
        json!({ "name": "edge", "type": "api7_gateway", "description": "x", "labels": { "a b/c": "y" } });
    let put = stage.call("PUT", &path, given).await.value();
    assert_eq!(
        (&put["name"], &put["desc"], &put["labels"]),
        (&json!("edge"), &json!("x"), &json!({ "a b/c": "y" }))
    );
    assert_eq!(stage.call("PUT", &path, json!({ "name": "edge" })).await.value()["name"], "edge", "its own");
    assert!(put.get("description").is_none());
    assert_eq!(stage.get(&path).await.value()["desc"], "x");
    assert_eq!(stage.get("/api/gateway_groups").await.list().len(), 2, "nothing is left of a refused one");
}

#[tokio::test]
async fn everything_of_a_deleted_group_is_gone_and_its_ids_are_free_for_others() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let objects = [
        ("services/s", json!({ "name": "s" })),
        ("routes/r", json!({ "name": "r", "service_id": "s", "paths": ["/"] })),
        ("consumers/ada", json!({ "plugins": { "key-auth": { "key": "k" } } })),
        ("ssls/t", super::certificates::body(&["a.example"])),
        ("global_rules/g", json!({ "plugins": { "cors": {} } })),
        ("stream_routes/f", json!({ "service_id": "s" })),
    ];
    let put = async |group: &str| {
        for (object, body) in &objects {
            let path = format!("/apisix/admin/{object}?gateway_group_id={group}");
            stage.call("PUT", &path, body.clone()).await.value();
        }
    };
    put(&edge).await;
    let deleted = stage.call("DELETE", &format!("/api/gateway_groups/{edge}"), Value::Null).await.value();
    assert_eq!(deleted, json!({ "id": edge }));
    for (object, _) in &objects {
        assert_eq!(stage.get(&format!("/apisix/admin/{object}")).await.refusal().0, 404, "{object}");
    }
    assert_eq!(
        stage.call("DELETE", &format!("/api/gateway_groups/{edge}"), Value::Null).await.refusal().0,
        404
    );
    put("default").await;
}

#[tokio::test]
async fn a_linked_service_stays_and_an_unlinked_one_takes_all_that_is_its_own_along() {
    let stage = Stage::start().await;
    let put = async |noun: &str, body: Value| {
        stage.call("PUT", &format!("/apisix/admin/{noun}?gateway_group_id=default"), body).await.value();
    };
    let build = async || {
        put("services/s", json!({ "name": "orders", "upstream": { "nodes": [] } })).await;
        put("services/s/upstreams/blue", json!({ "name": "blue" })).await;
    };
    build().await;
    put("routes/r", json!({ "name": "r", "service_id": "s", "paths": ["/"], "upstream_id": "blue" })).await;
    let document = "/api/gateway_groups/default/services/s/oas";
    stage.call("PUT", document, json!({ "raw_openapi": r#"{"swagger":"2.0"}"# })).await.value();
    let product = stage.product(&stage.default_portal().await, "Orders").await;
    let product = format!("/api/api_products/{product}");
    let links = |links: Value| json!({ "linked_gateway_services": links });
    let link = json!([{ "gateway_group_id": "default", "service_id": "s" }]);
    stage.call("PUT", &product, links(link)).await.value();
    let paths = ["/apisix/admin/services/s", "/api/gateway_groups/default/services/s"];
    for path in paths {
        let refused = stage.call("DELETE", path, Value::Null).await.refusal();
        let wanted = "service \"orders\" is linked to the API product \"Orders\"; unlink it first";
        assert_eq!(refused, (400, wanted.into()), "{path}");
    }
    assert_eq!(stage.get("/apisix/admin/routes/r").await.status, 200);
    stage.call("PUT", &product, links(json!([]))).await.value();
    for path in paths {
        assert_eq!(stage.call("DELETE", path, Value::Null).await.value(), json!({ "id": "s" }), "{path}");
        assert_eq!(stage.get("/apisix/admin/routes/r").await.refusal().0, 404);
        assert_eq!(stage.get("/apisix/admin/services/s/upstreams").await.refusal().0, 404);
        assert_eq!(stage.get(document).await.refusal().0, 404);
        put("services/s", json!({ "name": "again" })).await;
        assert!(stage.get("/apisix/admin/services/s/upstreams").await.list().is_empty());
        assert_eq!(stage.get(document).await.value(), json!({ "raw_openapi": "" }));
        build().await;
    }
}

#[tokio::test]
async fn a_document_is_yaml_or_json_of_openapi_or_swagger_and_kept_byte_for_byte() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/api/gateway_groups/default/services/{service}/oas");
    for text in [
        "swagger: '2.0'\n",
        "\n\n  openapi: 3.0.3 # ä\r\n\r\n",
        r#"{ "swagger" : "2.0" ,"paths":{} }"#,
        "{\"openapi\":\"3.1.0\",\n\"servers\":[{\"url\":\"https://inner\"}]}\n",
    ] {
        let kept = stage.call("PUT", &path, json!({ "raw_openapi": text })).await.value();
        assert_eq!(kept, json!({ "raw_openapi": text }));
        assert_eq!(stage.get(&path).await.value(), kept);
    }
    let kept = stage.get(&path).await.value();
    for text in
        ["openapi", "- openapi: 3.0.3", "a: [", "{\"openapi\": }", "{\"info\": {\"openapi\": 1}}", "\t"]
    {
        let (status, message) = stage.call("PUT", &path, json!({ "raw_openapi": text })).await.refusal();
        assert!(status == 400 && message.starts_with("raw_openapi "), "{text:?}: {message}");
    }
    let refused = stage.call("PUT", &path, json!({ "raw_openapi": null })).await.refusal();
    assert!(refused.0 == 400 && refused.1.starts_with("raw_openapi is required"), "{refused:?}");
    assert_eq!(stage.get(&path).await.value(), kept);
}

#[tokio::test]
async fn the_services_of_a_group_are_searched_filtered_and_paged_and_those_of_others_not_there() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    for (name, team) in [("one", "shop"), ("two", "depot"), ("three", "shop")] {
        let service = json!({ "name": name, "labels": { "team": team } });
        stage.call("POST", &format!("/apisix/admin/services?gateway_group_id={edge}"), service).await.value();
    }
    let other = stage.service("other").await;
    let all = format!("/api/gateway_groups/{edge}/services");
    for (query, wanted, total) in [
        ("", ["three", "two", "one"].as_slice(), 3),
        ("order_by=created_at&direction=asc", &["one", "two", "three"], 3),
        ("page=2&page_size=2", &["one"], 3),
        ("search=TW", &["two"], 1),
        ("labels[team]=shop", &["three", "one"], 2),
    ] {
        let reply = stage.get(&format!("{all}?{query}")).await;
        assert_eq!(
            (reply.names().as_slice(), &reply.body["total"]),
            (&*owned(wanted), &json!(total)),
            "{query}"
        );
        for row in reply.list() {
            assert_eq!(
                (&row["gateway_group_id"], &row["gateway_group_name"]),
                (&json!(edge), &json!("edge"))
            );
        }
    }
    for (method, path) in [
        ("GET", format!("{all}/{other}")),
        ("DELETE", format!("{all}/{other}")),
        ("GET", format!("{all}/{other}/oas")),
        ("GET", "/api/gateway_groups/none/services".into()),
    ] {
        assert_eq!(stage.call(method, &path, Value::Null).await.refusal().0, 404, "{method} {path}");
    }
}
