//! Signing in and out, one-time passwords, what every answer has in common.

use axum::body::Body;
use forecourt_http::{Config, Tls, addresses::Network, restrictions::IpRestriction};
use http::Request;
use serde_json::{Value, json};

use super::stage::Stage;

fn pair(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

#[tokio::test]
async fn a_one_time_password_opens_nothing_but_its_own_change() {
    let stage = Stage::fresh().await;
    let signed_in = stage.with_headers("POST", "/api/login", &[], pair("admin", "admin")).await;
    assert_eq!(signed_in.body["warning_msg"], "change the initial password");
    assert_eq!(signed_in.value()["username"], "admin");
    let cookie = stage.sign_in("admin", "admin").await;
    let other = stage.sign_in("admin", "admin").await;
    for (method, path) in [("GET", "/api/me"), ("GET", "/api/portals"), ("GET", "/api/license")] {
        let refused = stage.with_headers(method, path, &[("cookie", &cookie)], Value::Null).await;
        assert_eq!(refused.refusal(), (403, "password change required".into()), "{path}");
    }
    let change = json!({ "new_password": "changed" });
    let changed = stage.with_headers("PUT", "/api/password", &[("cookie", &cookie)], change).await;
    assert_eq!(changed.value()["state"], "Active");
    let me =
        async |cookie: &str| stage.with_headers("GET", "/api/me", &[("cookie", cookie)], Value::Null).await;
    assert_eq!(me(&cookie).await.value()["username"], "admin");
    assert_eq!(me(&other).await.refusal(), (401, "unauthorized".into()));
    let old = stage.with_headers("POST", "/api/login", &[], pair("admin", "admin")).await;
    assert_eq!(old.refusal(), (401, "unauthorized".into()));
    let new = stage.with_headers("POST", "/api/login", &[], pair("admin", "changed")).await;
    assert!(new.body.get("warning_msg").is_none());
}

#[tokio::test]
async fn a_password_changes_only_with_the_old_one_and_to_another() {
    let stage = Stage::start().await;
    for (body, problem) in [
        (json!({ "new_password": "next" }), "old_password is required and must be the current password"),
        (
            json!({ "new_password": "next", "old_password": "wrong" }),
            "old_password is required and must be the current password",
        ),
        (
            json!({ "new_password": "changed", "old_password": "changed" }),
            "new_password must differ from the current password",
        ),
        (json!({ "old_password": "changed" }), "new_password is required"),
        (
            json!({ "new_password": "x".repeat(129), "old_password": "changed" }),
            "new_password must be at most 128 characters",
        ),
    ] {
        assert_eq!(stage.call("PUT", "/api/password", body).await.refusal(), (400, problem.into()));
    }
    let body = json!({ "new_password": "next", "old_password": "changed" });
    assert_eq!(stage.call("PUT", "/api/password", body).await.status, 200);
}

#[tokio::test]
async fn a_token_cannot_stand_in_for_a_one_time_password() {
    let stage = Stage::start().await;
    let ann = stage.id_of("POST", "/api/invites", pair("ann", "first")).await;
    stage.basic("PUT", "/api/password", "ann", "first", json!({ "new_password": "second" })).await.value();
    let token = json!({ "name": "ci", "expires_at": 0 });
    let token = stage.basic("POST", "/api/settings/tokens", "ann", "second", token).await.value();
    let token = token["token"].as_str().unwrap();
    stage
        .call("PUT", &format!("/api/users/{ann}/password_reset"), json!({ "password": "third" }))
        .await
        .value();
    let body = json!({ "new_password": "stolen" });
    let refused = stage.with_headers("PUT", "/api/password", &[("x-api-key", token)], body).await;
    assert_eq!(refused.refusal(), (403, "password change required".into()));
}

#[tokio::test]
async fn the_session_cookie_is_locked_down_and_secure_on_the_tls_port_alone() {
    let stage = Stage::start().await;
    let plain = stage.with_headers("POST", "/api/login", &[], pair("admin", "changed")).await;
    let cookie = plain.headers["set-cookie"].to_str().unwrap();
    let (start, rest) = cookie.split_once(';').unwrap();
    assert!(start.starts_with("session=ses-"), "{cookie}");
    assert_eq!(rest, " HttpOnly; SameSite=Lax; Path=/; Max-Age=86400");
    let request = Request::post("/api/login").header("content-type", "application/json").extension(Tls);
    let request = request.body(Body::from(pair("admin", "changed").to_string())).unwrap();
    let tls = stage.send(request).await;
    assert!(tls.headers["set-cookie"].to_str().unwrap().ends_with("; Max-Age=86400; Secure"));
}

#[tokio::test]
async fn signing_out_ends_the_session_and_works_without_one() {
    let stage = Stage::start().await;
    let cookie = stage.sign_in("admin", "changed").await;
    let out = stage.with_headers("POST", "/api/logout", &[("cookie", &cookie)], Value::Null).await;
    assert_eq!(out.value(), json!({}));
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let me = stage.with_headers("GET", "/api/me", &[("cookie", &cookie)], Value::Null).await;
    assert_eq!(me.refusal().0, 401);
    assert_eq!(stage.with_headers("POST", "/api/logout", &[], Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_wrong_user_and_a_wrong_password_read_the_same_and_are_limited() {
    let stage = Stage::start().await;
    let sign_in = async |name: &str, password: &str| {
        stage.with_headers("POST", "/api/login", &[], pair(name, password)).await
    };
    assert_eq!(sign_in("nobody", "changed").await.refusal(), (401, "unauthorized".into()));
    for _ in 0..20 {
        assert_eq!(sign_in("admin", "wrong").await.refusal(), (401, "unauthorized".into()));
    }
    let limited = sign_in("admin", "wrong").await;
    assert_eq!(limited.status, 429);
    assert!(limited.headers.contains_key("retry-after"));
    stage.later(301);
    assert_eq!(sign_in("admin", "changed").await.status, 200);
    assert_eq!(sign_in("", "changed").await.refusal(), (400, "username is required".into()));
}

#[tokio::test]
async fn the_first_credential_decides_without_a_fall_back() {
    let stage = Stage::start().await;
    let cookie = stage.sign_in("admin", "changed").await;
    let both = format!("{cookie}; X-API-KEY={}", stage.token);
    let bearer = format!("Bearer {}", stage.token);
    for (headers, status) in [
        (vec![("x-api-key", "a7ee-wrong"), ("authorization", bearer.as_str())], 401),
        (vec![("authorization", "Bearer a7ee-wrong"), ("cookie", cookie.as_str())], 401),
        (vec![("cookie", "X-API-KEY=a7ee-wrong; session=x")], 401),
        (vec![("x-api-key", "a7prt-wrong")], 401),
        (vec![("authorization", bearer.as_str())], 200),
        (vec![("cookie", both.as_str())], 200),
        (vec![("cookie", cookie.as_str())], 200),
        (vec![], 401),
    ] {
        assert_eq!(
            stage.with_headers("GET", "/api/me", &headers, Value::Null).await.status,
            status,
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn a_cookie_from_another_site_changes_nothing() {
    let stage = Stage::start().await;
    let cookie = stage.sign_in("admin", "changed").await;
    let names = json!({ "first_name": "Ann", "last_name": "Lee" });
    for evidence in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let headers = [("cookie", cookie.as_str()), ("host", "127.0.0.1:7080"), evidence];
        let refused = stage.with_headers("PUT", "/api/me", &headers, names.clone()).await;
        assert_eq!(refused.refusal().0, 403, "{evidence:?}");
        assert_eq!(stage.with_headers("POST", "/api/logout", &headers, Value::Null).await.status, 403);
        assert_eq!(stage.with_headers("GET", "/api/me", &headers, Value::Null).await.status, 200);
        let by_token = [("x-api-key", stage.token.as_str()), evidence];
        assert_eq!(stage.with_headers("PUT", "/api/me", &by_token, names.clone()).await.status, 200);
    }
    let own = [("cookie", cookie.as_str()), ("host", "a:7080"), ("origin", "http://a:7080")];
    assert_eq!(stage.with_headers("PUT", "/api/me", &own, names).await.value()["last_name"], "Lee");
}

#[tokio::test]
async fn a_cookie_from_another_site_gets_no_script_with_a_fresh_token() {
    let stage = Stage::start().await;
    let cookie = stage.sign_in("admin", "changed").await;
    let path = "/api/gateway_groups/default/deployment/docker";
    let tokens = async || stage.get("/api/forecourt/instance_tokens").await.list().len();
    let asked = async |method: &str, evidence: (&str, &str)| {
        let headers = [("cookie", cookie.as_str()), ("host", "127.0.0.1:7080"), evidence];
        stage.with_headers(method, path, &headers, Value::Null).await.status
    };
    for evidence in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        assert_eq!(asked("GET", evidence).await, 403, "{evidence:?}");
        asked("HEAD", evidence).await;
        assert_eq!(tokens().await, 0, "{evidence:?}");
    }
    for (own, count) in [("same-origin", 1), ("none", 2)] {
        assert_eq!(asked("GET", ("sec-fetch-site", own)).await, 200, "{own}");
        assert_eq!(tokens().await, count);
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_answer_alike_signed_in_or_not() {
    let stage = Stage::start().await;
    for key in [stage.token.as_str(), "a7ee-wrong"] {
        let send = async |method: &str, path: &str| {
            stage.with_headers(method, path, &[("x-api-key", key)], Value::Null).await.refusal()
        };
        assert_eq!(send("GET", "/api/nothing").await, (404, "resource not found".into()));
        assert_eq!(send("GET", "/apisix/admin/upstreams").await.0, 404);
        assert_eq!(send("DELETE", "/api/portals").await, (405, "method not allowed".into()));
        assert_eq!(send("PATCH", "/api/license").await.0, 405);
    }
    assert_eq!(stage.with_headers("GET", "/healthz", &[], Value::Null).await.status, 200);
}

#[tokio::test]
async fn every_answer_names_request_version_and_the_revision_it_made() {
    let stage = Stage::with(Config { version: "0.1.0", ..Config::default() }).await;
    let answer = stage.with_headers("GET", "/api/nothing", &[], Value::Null).await;
    assert!(answer.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(answer.headers["x-forecourt-version"], "0.1.0");
    let stage = Stage::start().await;
    let made =
        stage.call("POST", "/apisix/admin/services?gateway_group_id=default", json!({ "name": "a" })).await;
    assert!(made.headers["x-forecourt-revision"].to_str().unwrap().parse::<i64>().unwrap() > 0);
    assert!(!stage.get("/api/portals").await.headers.contains_key("x-forecourt-revision"));
}

#[tokio::test]
async fn an_address_that_is_not_admitted_is_turned_away_before_anything_else() {
    let ip_restriction =
        IpRestriction { allow_list: vec![Network::parse("10.0.0.0/8").unwrap()], ..IpRestriction::default() };
    let stage = Stage::with(Config { ip_restriction, ..Config::default() }).await;
    let from = async |address: &str| {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let request = Request::get("/api/me").extension(axum::extract::ConnectInfo(address));
        stage.send(request.body(Body::empty()).unwrap()).await.refusal()
    };
    assert_eq!(from("203.0.113.7:1").await, (403, "Access denied".into()));
    assert_eq!(from("10.1.2.3:1").await, (401, "unauthorized".into()));
}

#[tokio::test]
async fn a_sign_in_makes_a_session_of_its_own_and_ends_the_one_that_the_browser_had() {
    let stage = Stage::start().await;
    let sign_in = async |shown: &str| {
        let answer =
            stage.with_headers("POST", "/api/login", &[("cookie", shown)], pair("admin", "changed")).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
        cookie.split(';').next().unwrap().to_owned()
    };
    let me = async |cookie: &str| {
        stage.with_headers("GET", "/api/me", &[("cookie", cookie)], Value::Null).await.status
    };
    let planted = "session=ses-planted";
    let first = sign_in(planted).await;
    assert_ne!(first, planted);
    assert_eq!((me(planted).await, me(&first).await), (401, 200));
    let second = sign_in(&first).await;
    assert_ne!(second, first);
    assert_eq!((me(&first).await, me(&second).await), (401, 200));
}

#[tokio::test]
async fn behind_a_trusted_proxy_that_speaks_tls_the_session_cookie_is_for_tls_alone() {
    let trusted_proxies = vec![Network::parse("10.0.0.0/8").unwrap()];
    let stage = Stage::with(Config { trusted_proxies, ..Config::default() }).await;
    for (peer, is_secure) in [("10.0.0.1:1", true), ("203.0.113.7:1", false)] {
        let address: std::net::SocketAddr = peer.parse().unwrap();
        let request = Request::post("/api/login")
            .header("content-type", "application/json")
            .header("x-forwarded-proto", "https")
            .extension(axum::extract::ConnectInfo(address));
        let body = Body::from(pair("admin", "admin").to_string());
        let answer = stage.send(request.body(body).unwrap()).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert_eq!(cookie.ends_with("; Secure"), is_secure, "{peer}: {cookie}");
    }
}

#[tokio::test]
async fn no_answer_is_kept_by_anybody_or_read_as_what_it_is_not() {
    let stage = Stage::start().await;
    for path in ["/api/me", "/api/portals", "/api/nothing", "/healthz"] {
        for answer in [stage.get(path).await, stage.with_headers("GET", path, &[], Value::Null).await] {
            assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        }
    }
}
