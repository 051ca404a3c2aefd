//! The upstreams of a service.

use serde_json::{Value, json};

use super::{
    certificates::{SSLS, body, pair, with},
    stage::Stage,
};

fn blue() -> Value {
    json!({ "name": "blue", "nodes": [{ "host": "b", "port": 1, "weight": 1 }] })
}

#[tokio::test]
async fn the_default_upstream_has_its_services_id() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}/upstreams");
    let rows = stage.get(&path).await.list();
    assert_eq!((rows.len(), &rows[0]["id"], &rows[0]["name"]), (1, &json!(service), &json!("default")));
    let item = format!("{path}/{service}");
    assert_eq!(stage.get(&item).await.value(), rows[0]);
    let replaced = stage.call("PUT", &item, blue()).await.value();
    assert_eq!((&replaced["name"], &replaced["id"]), (&json!("blue"), &json!(service)));
    let read = stage.get(&format!("/apisix/admin/services/{service}")).await.value();
    assert_eq!((&read["upstream"]["name"], &read["hosts"]), (&json!("blue"), &json!(["orders.example.com"])));
    let (status, message) = stage.call("DELETE", &item, Value::Null).await.refusal();
    assert!(status == 400 && message.contains("cannot be deleted alone"), "{message}");
    assert_eq!(stage.get("/apisix/admin/services/none/upstreams").await.refusal().0, 404);
}

#[tokio::test]
async fn the_first_upstream_of_a_service_without_one_is_its_default() {
    let stage = Stage::start().await;
    let services = "/apisix/admin/services?gateway_group_id=default";
    let service = stage.id_of("POST", services, json!({ "name": "bare" })).await;
    let path = format!("/apisix/admin/services/{service}/upstreams");
    assert!(stage.get(&path).await.list().is_empty());
    assert_eq!(stage.get(&format!("{path}/{service}")).await.refusal().0, 404);
    assert_eq!(stage.call("POST", &path, blue()).await.value()["id"], json!(service));
    assert_ne!(stage.call("POST", &path, blue()).await.value()["id"], json!(service));
}

#[tokio::test]
async fn further_upstreams_outlive_their_services_replacement_until_no_route_names_them() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}/upstreams");
    let made = stage.call("PUT", &format!("{path}/blue"), blue()).await.value();
    assert_eq!((&made["id"], &made["service_id"]), (&json!("blue"), &json!(service)));
    assert_eq!(stage.get(&format!("{path}/blue")).await.value(), made);
    let issued = stage.id_of("POST", &path, blue()).await;
    assert_eq!(stage.get(&path).await.list().len(), 3);
    let oldest = format!("{path}?order_by=created_at&direction=asc&page=1&page_size=2");
    let reply = stage.get(&oldest).await;
    assert_eq!((reply.names(), &reply.body["total"]), (vec!["default".into(), "blue".into()], &json!(3)));
    assert_eq!(stage.get(&format!("{oldest}&page=2")).await.list()[0]["id"], json!(issued));
    assert_eq!(stage.get(&format!("{path}?search=DEF")).await.names(), ["default"]);
    assert_eq!(stage.get(&format!("{path}?order_by=name")).await.refusal().0, 400);
    let whole = format!("/apisix/admin/services/{service}?gateway_group_id=default");
    stage.call("PUT", &whole, json!({ "name": "orders" })).await.value();
    assert_eq!(stage.get(&path).await.list().len(), 2);
    let route = json!({ "name": "r", "service_id": service, "paths": ["/"], "upstream_id": "blue" });
    let route = stage.id_of("POST", "/apisix/admin/routes?gateway_group_id=default", route).await;
    let blue = format!("{path}/blue");
    let (status, message) = stage.call("DELETE", &blue, Value::Null).await.refusal();
    assert!(status == 400 && message.contains("used by the route \"r\""), "{message}");
    stage
        .call("PATCH", &format!("/apisix/admin/routes/{route}"), json!({ "upstream_id": null }))
        .await
        .value();
    assert_eq!(stage.call("DELETE", &blue, Value::Null).await.value(), json!({ "id": "blue" }));
    assert_eq!(stage.call("DELETE", &blue, Value::Null).await.refusal().0, 404);
    assert_eq!(stage.call("DELETE", &format!("{path}/{issued}"), Value::Null).await.status, 200);
    assert_eq!(stage.call("PUT", &format!("{path}/a%20b"), Value::Null).await.refusal().0, 404);
}

#[tokio::test]
async fn upstreams_are_found_by_name_description_and_labels_like_everything_else() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}/upstreams");
    for (id, more) in [
        ("one", json!({ "desc": "50% of it", "labels": { "team": "Shop" } })),
        ("two", json!({ "labels": { "team": "depot", "a b/c": "x" } })),
        ("odd", json!({ "desc": 7, "labels": "team" })),
    ] {
        let body = with(&with(&blue(), &json!({ "name": id })), &more);
        let made = stage.call("PUT", &format!("{path}/{id}"), body.clone()).await.value();
        assert_eq!((&made["desc"], &made["labels"]), (&body["desc"], &body["labels"]), "kept as given");
    }
    for (query, found) in [
        ("search=ON", ["one"].as_slice()),
        ("search=0%25", &["one"]),
        ("search=SHO", &["one"]),
        ("search=team", &["two", "one"]),
        ("search=b/C", &["two"]),
        ("search=_", &[]),
        ("labels[team]=Shop", &["one"]),
        ("labels[team]=shop", &[]),
        ("labels[team]=", &["two", "one"]),
        ("labels[team]=depot&labels[a+b/c]=x", &["two"]),
        ("labels[team]=Shop&search=two", &[]),
        ("search=o&direction=asc", &["one", "two", "odd"]),
    ] {
        let reply = stage.get(&format!("{path}?{query}")).await;
        assert_eq!(reply.names(), found, "{query}");
        assert_eq!(reply.body["total"], found.len(), "{query}");
    }
}

#[tokio::test]
async fn an_upstream_is_answered_as_it_was_given() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}/upstreams/blue");
    let given = json!({
        "name": "blue", "scheme": "grpcs", "type": "chash", "hash_on": "header", "key": "X-User",
        "nodes": [{ "host": "a", "port": 1, "weight": 1 }, { "host": "b", "port": 2, "weight": 0, "priority": -1 }],
        "timeout": { "connect": 1 }, "pass_host": "node", "retries": 1,
        "keepalive_pool": { "size": 3, "idle_timeout": 5, "requests": 7 }, "tls": { "verify": false },
        "checks": { "active": { "http_path": "/up", "concurrency": 10 }, "passive": {} }, "x-own": 1,
    });
    let mut made = stage.call("PUT", &path, given.clone()).await.value();
    let members = made.as_object_mut().unwrap();
    members.retain(|member, _| given.get(member).is_some());
    assert_eq!(made, given);
    let map = json!({ "name": "map", "nodes": { "10.0.0.1:80": 2, "[::1]:81": 1 } });
    let nodes =
        json!([{ "host": "10.0.0.1", "port": 80, "weight": 2 }, { "host": "::1", "port": 81, "weight": 1 }]);
    assert_eq!(stage.call("PUT", &path, map).await.value()["nodes"], nodes);
    for (more, problem) in [
        (json!({ "name": null }), "name is required"),
        (json!({ "nodes": { "a": 1 } }), "upstream.nodes: \"a\" must be"),
        (json!({ "nodes": { "a:80": "x" } }), "upstream.nodes: \"a:80\" must be"),
        (
            json!({ "nodes": [{ "host": "a", "port": 1, "weight": 1, "zone": "x" }] }),
            "nodes[0].zone is not a member",
        ),
        (json!({ "nodes": 1 }), "nodes must be an array"),
        (json!({ "timeout": { "connect": 0 } }), "upstream.timeout.connect must be"),
        (json!({ "type": "ewma" }), "upstream.type ewma is not served"),
        (json!({ "scheme": "udp" }), "upstream.scheme must be http, https, grpc, grpcs or tcp"),
        (json!({ "retries": "1" }), "upstream.retries must be a whole number"),
        (json!({ "checks": { "active": { "timeout": "x" } } }), "upstream.checks.active.timeout must be"),
    ] {
        let mut body = blue();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, message) = stage.call("PUT", &path, body).await.refusal();
        assert!(status == 400 && message.starts_with(problem), "{more}: {message}");
    }
}

#[tokio::test]
async fn tcp_upstreams_are_kept_and_answered_on_services_of_both_types() {
    let stage = Stage::start().await;
    let path = "/apisix/admin/services/s?gateway_group_id=default";
    for kind in ["stream", "http"] {
        let given = json!({ "name": "s", "type": kind, "upstream": { "scheme": "tcp" } });
        let put = stage.call("PUT", path, given).await.value();
        assert_eq!((&put["type"], &put["upstream"]["scheme"]), (&json!(kind), &json!("tcp")));
        let further = "/apisix/admin/services/s/upstreams/t";
        let put = stage.call("PUT", further, json!({ "name": "t", "scheme": "tcp" })).await.value();
        assert_eq!(put["scheme"], "tcp", "{kind}");
        assert_eq!(stage.get(further).await.value(), put);
    }
}

#[tokio::test]
async fn a_certificate_for_upstreams_comes_with_its_key_or_by_its_id_and_not_otherwise() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}/upstreams/blue");
    let (own, other) = (body(&["a.example"]), body(&["a.example"]));
    let (expired, expired_key) = pair(&["a.example"], (2026, 8, 1));
    stage.call("POST", SSLS, with(&own, &json!({ "id": "ignored" }))).await.value();
    let at = |id: &str, group: &str| format!("/apisix/admin/ssls/{id}?gateway_group_id={group}");
    stage.call("PUT", &at("off", "default"), with(&own, &json!({ "status": 0 }))).await.value();
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    stage.call("PUT", &at("theirs", &edge), own.clone()).await.value();
    stage.call("PUT", &at("ours", "default"), own.clone()).await.value();
    let upstream = |tls: Value| with(&blue(), &json!({ "scheme": "https", "tls": tls }));
    let (cert, key) = (&own["cert"], &own["key"]);
    for (tls, problem) in [
        (json!({ "client_cert": cert }), "upstream.tls.client_key is required with client_cert"),
        (json!({ "client_key": key }), "upstream.tls.client_key needs client_cert"),
        (json!({ "client_cert": cert, "client_key": 1 }), "upstream.tls.client_key must be a string"),
        (
            json!({ "client_cert": cert, "client_key": "x" }),
            "upstream.tls.client_key must be one unencrypted",
        ),
        (json!({ "client_cert": "x", "client_key": key }), "upstream.tls.client_cert must be certificates"),
        (json!({ "client_cert": cert, "client_key": other["key"] }), "upstream.tls.client_key does not fit"),
        (
            json!({ "client_cert": expired, "client_key": expired_key }),
            "upstream.tls.client_cert has expired",
        ),
        (
            json!({ "client_cert": cert, "client_cert_id": "ours" }),
            "upstream.tls.client_cert_id stands beside",
        ),
        (json!({ "client_key": key, "client_cert_id": "ours" }), "upstream.tls.client_key stands beside"),
        (json!({ "client_cert_id": "none" }), "upstream.tls.client_cert_id must be the id of a certificate"),
        (
            json!({ "client_cert_id": "theirs" }),
            "upstream.tls.client_cert_id must be the id of a certificate",
        ),
        (json!({ "client_cert_id": "off" }), "upstream.tls.client_cert_id names the certificate"),
    ] {
        let (status, message) = stage.call("PUT", &path, upstream(tls.clone())).await.refusal();
        assert!(status == 400 && message.starts_with(problem), "{tls}: {message}");
        let inline = json!({ "services": [{ "name": "s", "upstream": upstream(tls) }] });
        let reply = stage.call("POST", "/apisix/admin/configs/validate", inline).await;
        assert!(
            reply.status == 400 && reply.body["message"].as_str().unwrap().contains(problem),
            "{problem}"
        );
    }
    let given = json!({ "client_cert": cert, "client_key": key });
    let made = stage.call("PUT", &path, upstream(given)).await.value();
    assert_eq!(made["tls"], json!({ "client_cert": cert }));
    let newer = json!({ "client_cert": other["cert"] });
    let (_, message) = stage.call("PUT", &path, upstream(newer)).await.refusal();
    assert!(
        message.starts_with("upstream.tls.client_key does not fit"),
        "the kept key is another's: {message}"
    );
    let named = stage.call("PUT", &path, upstream(json!({ "client_cert_id": "ours" }))).await.value();
    assert_eq!(named["tls"], json!({ "client_cert_id": "ours" }));
    let borrowed = upstream(json!({ "client_cert": cert }));
    let (_, message) = stage.call("PUT", &path, borrowed).await.refusal();
    assert!(message.starts_with("upstream.tls.client_key is required"), "keys are not lent: {message}");
}

#[tokio::test]
async fn a_configuration_may_bring_the_certificate_that_its_upstreams_name() {
    let stage = Stage::start().await;
    let upstream = with(&blue(), &json!({ "scheme": "https", "tls": { "client_cert_id": "own" } }));
    let ssl = with(&body(&["a.example"]), &json!({ "id": "own", "type": "client" }));
    let config = json!({ "services": [{ "name": "s", "upstream": upstream }], "ssls": [ssl] });
    assert_eq!(stage.call("POST", "/apisix/admin/configs/validate", config).await.value(), json!({}));
}

#[tokio::test]
async fn a_patch_reaches_the_key_although_nobody_is_shown_it() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}");
    let (first, second) = (body(&["a.example"]), body(&["a.example"]));
    let given = json!({ "client_cert": first["cert"], "client_key": first["key"] });
    stage.call("PATCH", &path, json!({ "upstream": { "tls": given } })).await.value();
    let replace = |member: &str, value: &Value| json!({ "op": "replace", "path": format!("/upstream/tls/{member}"), "value": value });
    let alone = json!([replace("client_cert", &second["cert"])]);
    assert_eq!(stage.call("PATCH", &path, alone).await.refusal().0, 400);
    let both = json!([replace("client_cert", &second["cert"]), replace("client_key", &second["key"])]);
    let after = stage.call("PATCH", &path, both).await.value();
    assert_eq!(after["upstream"]["tls"], json!({ "client_cert": second["cert"] }));
    let gone = stage.call("PATCH", &path, json!({ "upstream": { "tls": { "client_cert": null } } })).await;
    assert_eq!(gone.value()["upstream"]["tls"], json!({}));
}
