//! The audit log over the Admin API: what is on record, what is masked, how it is narrowed, and that nothing changes it.

use std::collections::BTreeSet;

use forecourt_core::permissions::Action;
use serde_json::{Value, json};

use super::{
    permission_rows::DEMANDED,
    stage::{START, Stage},
};
use crate::{
    admin::endpoints,
    event_types::{OF_ADMIN, event_type},
};

const LOGS: &str = "/api/audit_logs";

/// The newest record that `query` finds.
async fn newest(stage: &Stage, query: &str) -> Value {
    stage.get(&format!("{LOGS}?{query}")).await.list()[0].clone()
}

#[tokio::test]
async fn a_changing_call_is_recorded_with_its_request_and_its_answer() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let path = format!("/api/api_products?portal_id={portal}");
    let body = json!({ "type": "gateway", "name": "Orders", "auth": { "key-auth": {} } });
    let headers = [("x-api-key", stage.token.as_str()), ("user-agent", "curl/8")];
    let made = stage.with_headers("POST", &path, &headers, body.clone()).await.value();
    let me = stage.get("/api/me").await.value();
    let record = newest(&stage, "event_type=CreateAPIProduct").await;
    assert!(record["id"].as_str().unwrap().starts_with("aud_"));
    assert!(record["event_time"].as_i64().unwrap() >= START);
    assert_eq!(record["operator"], json!({ "id": me["id"], "username": "admin" }));
    assert_eq!((&record["source"], &record["token_name"]), (&json!("api"), &json!("tests")));
    assert_eq!(record["resource_id"], made["id"]);
    assert_eq!(
        record["http_request"],
        json!({ "method": "POST", "uri": path, "body": body, "user_agent": "curl/8" })
    );
    assert_eq!(record["http_response"]["status_code"], 200);
    assert_eq!(record["http_response"]["body"]["value"]["id"], made["id"]);
    let change = &record["changes"][0];
    assert_eq!((&change["noun"], &change["id"]), (&json!("product"), &made["id"]));
    assert_eq!((change.get("before"), &change["after"]["name"]), (None, &json!("Orders")));
}

#[tokio::test]
async fn an_update_has_a_before_and_an_after_and_a_deletion_no_after() {
    let stage = Stage::start().await;
    let webhook =
        json!({ "name": "Hook", "type": "webhook", "url": "https://hook.example.com/services/T0/planted" });
    let id = stage.id_of("POST", "/api/contact_points", webhook).await;
    let path = format!("/api/contact_points/{id}");
    let renamed =
        json!({ "name": "Other", "type": "webhook", "url": "https://hook.example.com/services/T0/planted" });
    stage.call("PUT", &path, renamed).await.value();
    let record = newest(&stage, "event_type=UpdateContactPoint").await;
    let change = &record["changes"][0];
    assert_eq!((&change["before"]["name"], &change["after"]["name"]), (&json!("Hook"), &json!("Other")));
    assert!(!record.to_string().contains("planted"), "{record}");
    stage.call("DELETE", &path, Value::Null).await.value();
    let record = newest(&stage, &format!("resource_id={id}&event_type=DeleteContactPoint")).await;
    let change = &record["changes"][0];
    assert_eq!((&change["before"]["name"], change.get("after")), (&json!("Other"), None));
}

#[tokio::test]
async fn a_call_that_was_refused_or_found_nothing_is_recorded_with_its_error_message() {
    let stage = Stage::start().await;
    for (method, path, body, event, status) in [
        ("POST", "/api/portals", json!({ "name": "" }), "CreatePortal", 400),
        ("DELETE", "/api/portals/prt_unknown", Value::Null, "DeletePortal", 404),
        (
            "PUT",
            "/api/password",
            json!({ "new_password": "x", "old_password": "wrong" }),
            "UpdatePassword",
            400,
        ),
    ] {
        let refused = stage.call(method, path, body).await;
        assert_eq!(refused.status, status, "{path}: {}", refused.body);
        let record = newest(&stage, &format!("event_type={event}")).await;
        assert_eq!(record["error_message"], refused.body["error_msg"], "{path}");
        assert_eq!(record["http_response"]["status_code"], status, "{path}");
        assert_eq!(record["changes"], json!([]), "{path}");
    }
    let record = newest(&stage, "resource_id=prt_unknown").await;
    assert_eq!(record["event_type"], "DeletePortal");
}

#[tokio::test]
async fn a_refused_call_is_recorded_in_the_gateway_group_that_it_names() {
    let stage = Stage::start().await;
    for (method, path, body, expected) in [
        ("PUT", "/api/gateway_groups/default", json!({ "name": "" }), json!("default")),
        ("DELETE", "/apisix/admin/routes/none?gateway_group_id=default", Value::Null, json!("default")),
        ("DELETE", "/apisix/admin/routes/none?gateway_group_id=unknown", Value::Null, Value::Null),
        ("DELETE", "/api/gateway_groups/unknown", Value::Null, Value::Null),
    ] {
        assert!((400..500).contains(&stage.call(method, path, body).await.status), "{path}");
        let record = stage.get(LOGS).await.list()[0].clone();
        assert_eq!((&record["http_request"]["uri"], &record["gateway_group_id"]), (&json!(path), &expected));
    }
}

#[tokio::test]
async fn a_wrong_pair_in_a_header_is_recorded_whatever_was_asked_for() {
    let stage = Stage::start().await;
    // printf 'eve:planted-password' | base64
    let wrong = [("authorization", "Basic ZXZlOnBsYW50ZWQtcGFzc3dvcmQ=")];
    assert_eq!(stage.with_headers("GET", "/api/portals", &wrong, Value::Null).await.status, 401);
    let record = newest(&stage, "event_type=Login").await;
    assert_eq!(
        (&record["operator"]["username"], &record["error_message"]),
        (&json!("e******"), &json!("unauthorized"))
    );
    assert!(
        !record.to_string().contains("planted-password") && !record.to_string().contains("ZXZlOn"),
        "{record}"
    );
}

#[tokio::test]
async fn a_password_that_was_typed_as_the_name_is_on_record_by_its_first_letter_alone() {
    let stage = Stage::start().await;
    let wrong = json!({ "username": "planted-password", "password": "admin" });
    assert_eq!(stage.with_headers("POST", "/api/login", &[], wrong).await.status, 401);
    let record = newest(&stage, "event_type=Login").await;
    assert_eq!(record["operator"], json!({ "id": "", "username": "p******" }));
    assert_eq!(record["http_request"]["body"], json!({ "username": "******", "password": "******" }));
    assert!(!record.to_string().contains("planted-password"), "{record}");
}

#[tokio::test]
async fn every_sign_in_is_recorded_successful_or_not_and_every_sign_out() {
    let stage = Stage::start().await;
    let wrong = json!({ "username": "admin", "password": "planted-password" });
    assert_eq!(stage.with_headers("POST", "/api/login", &[], wrong).await.status, 401);
    let record = newest(&stage, "event_type=Login").await;
    assert_eq!(record["operator"], json!({ "id": "", "username": "admin" }));
    assert_eq!((&record["source"], &record["error_message"]), (&json!("dashboard"), &json!("unauthorized")));
    assert_eq!(record["http_request"]["body"], json!({ "username": "admin", "password": "******" }));
    assert_eq!(record["http_response"]["status_code"], 401);

    let cookie = stage.sign_in("admin", "changed").await;
    let me = stage.get("/api/me").await.value();
    let record = newest(&stage, "event_type=Login").await;
    assert_eq!((&record["operator"]["id"], record.get("error_message")), (&me["id"], None));
    let out = stage.with_headers("POST", "/api/logout", &[("cookie", &cookie)], Value::Null).await;
    assert_eq!(out.status, 200);
    let record = newest(&stage, "event_type=Logout").await;
    assert_eq!((&record["operator"]["id"], &record["source"]), (&me["id"], &json!("dashboard")));
    assert_eq!(stage.get(&format!("{LOGS}?event_type=Login")).await.body["total"], 2);
}

#[tokio::test]
async fn the_source_is_the_dashboard_for_a_session_and_the_api_for_tokens_and_passwords() {
    let stage = Stage::start().await;
    let names = json!({ "first_name": "Ann", "last_name": "Lee" });
    let cookie = stage.sign_in("admin", "changed").await;
    stage.with_headers("PUT", "/api/me", &[("cookie", &cookie)], names.clone()).await.value();
    let record = newest(&stage, "event_type=UpdateProfile").await;
    assert_eq!((&record["source"], record.get("token_name")), (&json!("dashboard"), None));
    assert_eq!(record["operator"]["first_name"], "Ann");
    stage.basic("PUT", "/api/me", "admin", "changed", names.clone()).await.value();
    let record = newest(&stage, "event_type=UpdateProfile").await;
    assert_eq!((&record["source"], record.get("token_name")), (&json!("api"), None));
    let key = stage.call("PUT", "/api/gateway_groups/default/admin_key", Value::Null).await.value();
    let key = key["key"].as_str().unwrap().to_owned();
    let path = "/apisix/admin/plugin_metadata/cors?gateway_group_id=default";
    stage.with_headers("PUT", path, &[("x-api-key", &key)], json!({})).await.value();
    let record = newest(&stage, "event_type=UpdatePluginMetadata").await;
    assert_eq!((&record["source"], &record["operator"]["id"]), (&json!("api"), &json!("default")));
    assert_eq!(record["gateway_group_id"], "default");
}

#[tokio::test]
async fn secrets_are_masked_in_bodies_answers_query_strings_and_stored_things() {
    let stage = Stage::start().await;
    let planted = "planted-and-never-shown";
    let consumer = json!({ "plugins": {
        "key-auth": { "key": planted }, "basic-auth": { "username": "b", "password": planted },
    } });
    stage.call("PUT", "/apisix/admin/consumers/ada?gateway_group_id=default", consumer).await.value();
    let provider = json!({
        "name": "Staff", "provider_type": "oidc",
        "config": {
            "issuer": "https://id.example.com", "client_id": "f", "client_secret": planted, "request_scopes": [],
        },
    });
    stage.call("POST", "/api/login_options", provider).await.value();
    let smtp = json!({ "enable": false, "password": planted, "username": "mailer" });
    stage.call("PUT", "/api/system_settings/smtp_server", smtp).await;
    stage.call("POST", &format!("/api/portals?token={planted}"), json!({ "name": "" })).await.refusal();
    let token =
        stage.call("POST", "/api/settings/tokens", json!({ "name": "ci", "expires_at": 0 })).await.value();
    let all = stage.get(LOGS).await.text;
    assert!(!all.contains(planted), "{all}");
    for secret in [&stage.token, token["token"].as_str().unwrap()] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    let record = newest(&stage, "event_type=CreateToken").await;
    assert_eq!(record["http_response"]["body"]["value"]["token"], "******");
    let record = newest(&stage, "event_type=CreatePortal").await;
    assert_eq!(record["http_request"]["uri"], "/api/portals?token=******");
}

#[tokio::test]
async fn headers_of_health_checks_are_masked_in_bodies_patches_and_stored_things() {
    let stage = Stage::start().await;
    let planted = "planted-and-never-shown";
    let checks = |line: String| json!({ "active": { "http_path": "/up", "req_headers": [line] } });
    let upstream = json!({
        "nodes": [{ "host": "127.0.0.1", "port": 8080, "weight": 1 }],
        "checks": checks(format!("Authorization: Bearer {planted}")),
    });
    let body = json!({ "name": "orders", "hosts": ["orders.example.com"], "upstream": upstream });
    let id = stage.id_of("POST", "/apisix/admin/services?gateway_group_id=default", body).await;
    let path = format!("/apisix/admin/services/{id}?gateway_group_id=default");
    let lines = "/upstream/checks/active/req_headers";
    for patch in [
        json!([{ "op": "replace", "path": format!("{lines}/0"), "value": format!("X-Custom: {planted}") }]),
        json!([{ "op": "replace", "path": lines, "value": [format!("X-Custom: {planted}-too")] }]),
    ] {
        stage.call("PATCH", &path, patch).await.value();
    }
    let all = stage.get(LOGS).await.text;
    assert!(!all.contains(planted), "{all}");
    let record = newest(&stage, "event_type=UpdatePublishedService").await;
    assert_eq!(record["http_request"]["body"][0]["value"], "******");
}

#[tokio::test]
async fn what_no_column_takes_and_what_is_nested_deeply_is_on_record_all_the_same() {
    let stage = Stage::start().await;
    assert_eq!(stage.call("DELETE", "/api/portals/a%00b", Value::Null).await.status, 404);
    let record = newest(&stage, "event_type=DeletePortal").await;
    assert_eq!((record.get("resource_id"), &record["http_response"]["status_code"]), (None, &json!(404)));
    let deep = (0..120).fold(json!("x"), |inner, _| json!([inner]));
    stage.call("POST", "/api/portals", json!({ "name": "", "deep": deep })).await.refusal();
    let record = newest(&stage, "event_type=CreatePortal").await;
    assert_eq!(record["http_response"]["status_code"], 400, "{record}");
    // Refused for its form: names and no values, and no deeper than the log takes.
    let kept = record["http_request"]["body"]["deep"].to_string();
    assert!(kept.contains("******") && kept.len() < 120, "{record}");
}

#[tokio::test]
async fn records_are_narrowed_by_type_operator_object_group_and_time_and_come_in_pages() {
    let stage = Stage::start().await;
    let me = stage.get("/api/me").await.value()["id"].as_str().unwrap().to_owned();
    let group = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    stage.later(100);
    let role = stage.id_of("POST", "/api/roles", json!({ "name": "one" })).await;
    let total = async |query: &str| stage.get(&format!("{LOGS}?{query}")).await.body["total"].clone();
    assert_eq!(total("event_type=CreateCustomRole").await, 1);
    assert_eq!(total("event_type=CreateCustomRole&operator_id=usr_other").await, 0);
    assert_eq!(total(&format!("operator_id={me}&resource_id={role}")).await, 1);
    assert_eq!(total(&format!("gateway_group_id={group}")).await, 1);
    let at = newest(&stage, &format!("resource_id={role}")).await["event_time"].as_i64().unwrap();
    let all = total("").await.as_u64().unwrap();
    assert_eq!(total(&format!("start_at={at}&end_at={at}")).await, 1);
    assert_eq!(total(&format!("end_at={}", at - 1)).await, all - 1);
    assert_eq!(total(&format!("start_at={}", at + 1)).await, 0);
    let page = stage.get(&format!("{LOGS}?page=1&page_size=1")).await;
    assert_eq!((page.list().len(), &page.body["total"]), (1, &json!(all)));
    assert_eq!(page.list()[0]["resource_id"], role.as_str());
    let oldest = stage.get(&format!("{LOGS}?direction=asc&order_by=event_time&page_size=1")).await;
    assert_eq!(oldest.list()[0]["source"], "command_line", "the first start made the portal");
    for (query, problem) in [
        ("order_by=id", "order_by must be event_time"),
        ("start_at=x", "start_at must be a whole number"),
        ("start_at=2&end_at=1", "end_at must not lie before start_at"),
    ] {
        assert_eq!(stage.get(&format!("{LOGS}?{query}")).await.refusal(), (400, problem.into()));
    }
}

#[tokio::test]
async fn event_types_are_listed_with_their_names() {
    let stage = Stage::start().await;
    let types = stage.get(&format!("{LOGS}/event_types")).await.list();
    assert!(types.contains(&json!({ "key": "CreateAPIProduct", "name": "Create API product" })));
    assert!(types.contains(&json!({ "key": "Login", "name": "Login" })));
    let page = stage.get(&format!("{LOGS}/event_types?page=2&page_size=3")).await;
    assert_eq!(page.list(), types[3..6].to_vec());
    assert_eq!(page.body["total"], types.len());
}

#[tokio::test]
async fn an_export_is_a_bare_array_or_a_table_with_a_header_line() {
    let stage = Stage::start().await;
    for name in ["=cmd()", "+a,b", "plain"] {
        stage.id_of("POST", "/api/roles", json!({ "name": name })).await;
    }
    let query = "event_type=CreateCustomRole&direction=asc";
    let listed = stage.get(&format!("{LOGS}?{query}")).await.list();
    let json = stage.get(&format!("{LOGS}/export?format=json&{query}")).await;
    assert_eq!(json.body, Value::Array(listed.clone()));
    assert!(json.headers["content-disposition"].to_str().unwrap().contains("audit_logs.json"));
    let csv = stage.get(&format!("{LOGS}/export?format=csv&{query}")).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<_> = csv.text.lines().collect();
    assert_eq!(lines.len(), 1 + listed.len());
    assert!(lines[0].starts_with("id,event_time,event_type,operator_id,operator_username,source"));
    assert!(lines[1].starts_with(listed[0]["id"].as_str().unwrap()));
    for (query, problem) in
        [("", "format is required: json or csv"), ("?format=xml", "format must be json or csv")]
    {
        assert_eq!(stage.get(&format!("{LOGS}/export{query}")).await.refusal(), (400, problem.into()));
    }
}

#[tokio::test]
async fn cells_of_a_table_that_begin_like_a_formula_get_an_apostrophe() {
    let stage = Stage::start().await;
    let wrong = json!({ "username": "=cmd|' /C calc'!A0", "password": "x" });
    stage.with_headers("POST", "/api/login", &[("user-agent", "@SUM(1)")], wrong).await;
    let csv = stage.get(&format!("{LOGS}/export?format=csv&event_type=Login")).await.text;
    assert!(csv.contains(",'=******,"), "{csv}");
    assert!(csv.contains(",'@SUM(1),"), "{csv}");
}

#[tokio::test]
async fn a_long_export_holds_every_record_once() {
    let stage = Stage::start().await;
    let refused = json!({ "name": "" });
    for _ in 0..1_100 {
        stage.call("POST", "/api/portals", refused.clone()).await;
    }
    let export = stage.get(&format!("{LOGS}/export?format=json&event_type=CreatePortal")).await.body;
    let ids: BTreeSet<_> = export.as_array().unwrap().iter().map(|row| row["id"].to_string()).collect();
    assert_eq!((export.as_array().unwrap().len(), ids.len()), (1_100, 1_100));
}

#[tokio::test]
async fn previews_reads_and_calls_by_nobody_known_leave_no_record() {
    let stage = Stage::start().await;
    let role = stage.id_of("POST", "/api/roles", json!({ "name": "one" })).await;
    let before = stage.get(LOGS).await.body["total"].clone();
    stage.call("DELETE", &format!("/api/roles/{role}?dry_run=true"), Value::Null).await.value();
    stage.get("/api/portals").await.list();
    stage.with_headers("POST", "/api/portals", &[("x-api-key", "a7ee-wrong")], json!({})).await.refusal();
    let config = json!({ "resource_type": "services", "resource": {} });
    stage.call("POST", "/apisix/admin/configs/validate?gateway_group_id=default", config).await;
    assert_eq!(stage.get(LOGS).await.body["total"], before);
}

#[tokio::test]
async fn records_cannot_be_changed_or_deleted() {
    let stage = Stage::start().await;
    let id = newest(&stage, "").await["id"].as_str().unwrap().to_owned();
    for method in ["PUT", "PATCH", "POST", "DELETE"] {
        assert_eq!(stage.call(method, LOGS, Value::Null).await.status, 405, "{method}");
        assert_eq!(stage.call(method, &format!("{LOGS}/{id}"), Value::Null).await.status, 404, "{method}");
    }
}

#[test]
fn every_changing_endpoint_is_called_by_the_action_that_it_demands() {
    let word = |action: Action| action.name().split(':').nth(1).unwrap();
    for row in endpoints().rows() {
        let (method, path) = (row.method.as_str(), row.path);
        let found = event_type(OF_ADMIN, &row.method, path);
        // Whether such an option is a portal's is known only once it was found, and trying a configuration changes
        // nothing.
        let is_left_out = path == "/api/login_options/{id}" || path.ends_with("/configs/validate");
        if method == "GET" || is_left_out {
            assert_eq!(found, None, "{method} {path}");
            continue;
        }
        let demanded = DEMANDED.iter().find(|(own, known, _)| (*own, *known) == (method, path));
        match demanded {
            Some((_, _, action)) => assert_eq!(found, Some(word(*action)), "{method} {path}"),
            None => assert!(found.is_some(), "{method} {path} has no event type"),
        }
    }
    let named: Vec<_> = OF_ADMIN.iter().flat_map(|(_, endpoints)| *endpoints).collect();
    assert_eq!(named.len(), named.iter().collect::<BTreeSet<_>>().len(), "an endpoint is named twice");
    let table = endpoints();
    for endpoint in named {
        let has = |row: &crate::table::Row| format!("{} {}", row.method, row.path) == **endpoint;
        assert!(table.rows().iter().any(has), "{endpoint} is no endpoint");
    }
}
