//! What the collections under `/apisix/admin` have in common: their group, their lists, their limits.

use serde_json::{Value, json};

use super::{certificates, stage::Stage};

/// The collections whose objects have an id, or a user name, in their path. Routes stand after the services that they
/// need.
const COLLECTIONS: [&str; 6] = ["services", "routes", "ssls", "consumers", "global_rules", "stream_routes"];

/// What a collection takes for an object of this name; routes belong to the service `service`.
fn body(noun: &str, name: &str, service: &str) -> Value {
    match noun {
        "routes" => json!({ "name": name, "service_id": service, "paths": ["/a"] }),
        "ssls" => certificates::body(&[&format!("{name}.example")]),
        "consumers" => json!({ "username": name }),
        _ => json!({ "name": name }),
    }
}

fn path(noun: &str, id: &str, group: &str) -> String {
    format!("/apisix/admin/{noun}/{id}?gateway_group_id={group}")
}

/// Puts an object with these members more into the group `default`.
async fn put(stage: &Stage, noun: &str, name: &str, more: Value) -> Value {
    let mut body = body(noun, name, "alpha");
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    stage.call("PUT", &path(noun, name, "default"), body).await.value()
}

/// What an object is called in answers.
fn name(row: &Value) -> String {
    let name = row.get("username").or(row.get("name")).unwrap_or(&row["snis"][0]).as_str().unwrap();
    name.trim_end_matches(".example").to_owned()
}

#[tokio::test]
async fn every_collection_and_every_put_asks_for_a_gateway_group_that_exists() {
    let stage = Stage::start().await;
    let missing = (400, "gateway_group_id is required".to_owned());
    let unknown = (404, "resource not found".to_owned());
    let check = async |method: &str, path: &str, body: Value| {
        for query in ["", "?gateway_group_id="] {
            let refused = stage.call(method, &format!("{path}{query}"), body.clone()).await.refusal();
            assert_eq!(refused, missing, "{method} {path}{query}");
        }
        for group in ["none", "a%20b"] {
            let asked = format!("{path}?gateway_group_id={group}");
            let refused = stage.call(method, &asked, body.clone()).await.refusal();
            assert_eq!(refused, unknown, "{method} {asked}");
        }
    };
    for noun in COLLECTIONS {
        let all = format!("/apisix/admin/{noun}");
        check("GET", &all, Value::Null).await;
        check("POST", &all, json!({ "name": 1 })).await;
        check("PUT", &format!("{all}/one"), json!({ "name": 1 })).await;
    }
    check("GET", "/apisix/admin/plugin_metadata", Value::Null).await;
    check("PUT", "/apisix/admin/plugin_metadata/cors", json!({})).await;
}

#[tokio::test]
async fn an_item_is_found_without_its_group_and_under_no_other_one() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    for noun in COLLECTIONS {
        put(&stage, noun, "alpha", json!({})).await;
    }
    // What belongs to a service goes before it does.
    for noun in COLLECTIONS.into_iter().rev() {
        let bare = format!("/apisix/admin/{noun}/alpha");
        let found = stage.get(&bare).await.value();
        assert_eq!(stage.get(&path(noun, "alpha", "default")).await.value(), found, "{noun}");
        for group in [edge.as_str(), "none"] {
            let other = path(noun, "alpha", group);
            for (method, body) in [("GET", Value::Null), ("PATCH", json!({})), ("DELETE", Value::Null)] {
                let refused = stage.call(method, &other, body).await.refusal();
                assert_eq!(refused, (404, "resource not found".into()), "{method} {other}");
            }
        }
        assert_eq!(stage.call("PATCH", &bare, json!({})).await.status, 200, "{noun}");
        assert_eq!(stage.call("DELETE", &bare, Value::Null).await.value(), json!({ "id": "alpha" }));
        assert_eq!(stage.get(&bare).await.refusal().0, 404, "{noun}");
    }
}

#[tokio::test]
async fn a_groups_own_key_may_leave_its_group_out_everywhere() {
    let stage = Stage::start().await;
    let group = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let key = stage.call("PUT", &format!("/api/gateway_groups/{group}/admin_key"), Value::Null).await.value();
    let key = key["key"].as_str().unwrap().to_owned();
    let by = async |method: &str, path: &str, body: Value| {
        stage.with_headers(method, path, &[("x-api-key", &key)], body).await
    };
    for noun in COLLECTIONS {
        let all = format!("/apisix/admin/{noun}");
        let one = format!("{all}/alpha");
        by("PUT", &one, body(noun, "alpha", "alpha")).await.value();
        by("POST", &all, body(noun, "beta", "alpha")).await.value();
        assert_eq!(by("GET", &all, Value::Null).await.list().len(), 2, "{noun}");
        assert_eq!(name(&by("GET", &one, Value::Null).await.value()), "alpha");
        by("PATCH", &one, json!({ "labels": { "a": "b" } })).await.value();
        assert!(stage.get(&format!("{all}?gateway_group_id=default")).await.list().is_empty(), "{noun}");
    }
    let credentials = "/apisix/admin/consumers/alpha/credentials";
    let secret = json!({ "plugins": { "key-auth": { "key": "k" } } });
    by("POST", credentials, secret).await.value();
    assert_eq!(by("GET", credentials, Value::Null).await.list().len(), 1);
    by("PUT", "/apisix/admin/plugin_metadata/cors", json!({ "a": 1 })).await.value();
    let metadata = by("GET", "/apisix/admin/plugin_metadata", Value::Null).await.value();
    assert_eq!(metadata, json!({ "cors": { "a": 1 } }));
    assert_eq!(by("POST", "/apisix/admin/configs/validate", json!({})).await.value(), json!({}));
    for noun in COLLECTIONS.into_iter().rev() {
        by("DELETE", &format!("/apisix/admin/{noun}/alpha"), Value::Null).await.value();
    }
}

#[tokio::test]
async fn every_list_is_searched_filtered_sorted_and_paged() {
    let stage = Stage::start().await;
    for noun in COLLECTIONS {
        let labels = |labels: Value, desc: &str| match noun {
            "ssls" => json!({ "labels": labels }),
            _ => json!({ "labels": labels, "desc": desc }),
        };
        put(&stage, noun, "alpha", labels(json!({ "team": "Shop" }), "First one")).await;
        put(&stage, noun, "beta", labels(json!({ "team": "shop" }), "50% of it")).await;
        put(&stage, noun, "gamma", labels(json!({ "env": "a b/c" }), "third")).await;
        stage.call("PATCH", &path(noun, "alpha", "default"), json!({})).await.value();
        let all = format!("/apisix/admin/{noun}?gateway_group_id=default");
        for (query, wanted, total) in [
            ("", ["alpha", "gamma", "beta"].as_slice(), 3),
            ("direction=asc", &["beta", "gamma", "alpha"], 3),
            ("order_by=updated_at", &["alpha", "gamma", "beta"], 3),
            ("order_by=created_at", &["gamma", "beta", "alpha"], 3),
            ("order_by=created_at&direction=asc", &["alpha", "beta", "gamma"], 3),
            ("page=2&page_size=2", &["beta"], 3),
            ("page=9", &[], 3),
            ("page_size=1", &["alpha"], 3),
            ("search=ALPH", &["alpha"], 1),
            ("search=team", &["alpha", "beta"], 2),
            ("search=SHOP", &["alpha", "beta"], 2),
            ("search=b/C", &["gamma"], 1),
            ("search=_", &[], 0),
            ("search=", &["alpha", "gamma", "beta"], 3),
            ("labels[team]=shop", &["beta"], 1),
            ("labels%5Bteam%5D=Shop", &["alpha"], 1),
            ("labels[team]=", &["alpha", "beta"], 2),
            ("labels[team]=sho", &[], 0),
            ("labels[env]=a+b/c", &["gamma"], 1),
            ("labels=labels%5Benv%5D%3Da%20b/c", &["gamma"], 1),
            ("labels[team]=shop&labels[env]=", &[], 0),
        ] {
            let reply = stage.get(&format!("{all}&{query}")).await;
            let names: Vec<_> = reply.list().iter().map(name).collect();
            assert_eq!(names, wanted, "{noun} {query}");
            assert_eq!(reply.body["total"], total, "{noun} {query}");
        }
        if noun != "ssls" {
            let described = stage.get(&format!("{all}&search=50%25")).await.list();
            assert_eq!(described.iter().map(name).collect::<Vec<_>>(), ["beta"], "{noun}");
        }
        for query in ["page=0", "page_size=x", "direction=up", "order_by=name", "search=%ff"] {
            assert_eq!(stage.get(&format!("{all}&{query}")).await.refusal().0, 400, "{noun} {query}");
        }
    }
}

#[tokio::test]
async fn names_descriptions_and_labels_have_the_limits_of_gateway_objects() {
    let stage = Stage::start().await;
    stage.call("PUT", &path("services", "alpha", "default"), json!({ "name": "alpha" })).await.value();
    let text = |length: usize| "ä".repeat(length);
    for noun in ["services", "routes", "services/alpha/upstreams", "global_rules", "stream_routes"] {
        let with_name = |name: &str| body(noun, name, "alpha");
        let one = path(noun, "long", "default");
        let made = stage.call("PUT", &one, with_name(&text(1_024))).await.value();
        assert_eq!(made["name"], text(1_024), "{noun}");
        let (status, message) = stage.call("PUT", &one, with_name(&text(1_025))).await.refusal();
        assert!(status == 400 && message.ends_with("name must be 1 to 1024 characters"), "{noun}: {message}");
        let (status, message) = stage.call("PUT", &one, with_name(" \t")).await.refusal();
        assert!(status == 400 && message.ends_with("name is required"), "{noun}: {message}");
    }
    for noun in COLLECTIONS {
        let described = match noun {
            "ssls" => json!({ "labels": { "a b/c": text(65_536) } }),
            _ => json!({ "labels": { "a b/c": text(65_536) }, "desc": text(65_536) }),
        };
        let made = put(&stage, noun, "alpha", described.clone()).await;
        assert_eq!((&made["labels"], made.get("desc")), (&described["labels"], described.get("desc")));
        let mut wrong = vec![
            json!({ "labels": { "a": text(65_537) } }),
            json!({ "labels": { "a": "" } }),
            json!({ "labels": { "a": "b\nc" } }),
            json!({ "labels": { "": "b" } }),
            json!({ "labels": ["a"] }),
        ];
        if noun != "ssls" {
            wrong.push(json!({ "desc": text(65_537) }));
            wrong.push(json!({ "desc": 1 }));
        }
        for more in wrong {
            let member = more.as_object().unwrap().keys().next().unwrap().clone();
            let (status, message) =
                stage.call("PATCH", &path(noun, "alpha", "default"), more).await.refusal();
            assert!(status == 400 && message.starts_with(&member), "{noun}: {message}");
        }
        assert_eq!(stage.get(&path(noun, "alpha", "default")).await.value(), made, "{noun}");
    }
}

#[tokio::test]
async fn members_that_nobody_knows_are_kept_and_given_back_and_null_ones_are_none() {
    let stage = Stage::start().await;
    for noun in COLLECTIONS {
        let more =
            json!({ "x-own": { "a": [1, { "b": "c" }] }, "x-null": null, "desc": null, "labels": null });
        let made = put(&stage, noun, "alpha", more).await;
        assert_eq!(made["x-own"], json!({ "a": [1, { "b": "c" }] }), "{noun}");
        assert_eq!(
            (made.get("x-null"), made.get("desc"), &made["labels"]),
            (None, None, &json!({})),
            "{noun}"
        );
        let one = path(noun, "alpha", "default");
        assert_eq!(stage.get(&one).await.value(), made, "{noun}");
        let patch = json!([{ "op": "add", "path": "/x-own/a/0", "value": 0 }]);
        let patched = stage.call("PATCH", &one, patch).await.value();
        assert_eq!(patched["x-own"], json!({ "a": [0, 1, { "b": "c" }] }), "{noun}");
        assert!(put(&stage, noun, "alpha", json!({})).await.get("x-own").is_none(), "{noun}: replaced");
    }
}
