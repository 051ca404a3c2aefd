//! What may be shown for a caller and where, what of it is told apart, and from which addresses.

use axum::{body::Body, extract::ConnectInfo};
use forecourt_http::{Config, addresses::Network, restrictions::IpRestriction};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::stage::{Reply, Stage};

#[tokio::test]
async fn a_groups_admin_key_is_taken_in_three_places_and_opens_its_own_group_alone() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let key = stage.call("PUT", &format!("/api/gateway_groups/{edge}/admin_key"), Value::Null).await.value();
    let key = key["key"].as_str().unwrap();
    assert!(key.starts_with("a7adm-"));
    let (bearer, cookie) = (format!("Bearer {key}"), format!("X-API-KEY={key}"));
    for headers in [[("x-api-key", key)], [("authorization", bearer.as_str())], [("cookie", cookie.as_str())]]
    {
        let send = async |method: &str, path: &str, body: Value| {
            stage.with_headers(method, path, &headers, body).await
        };
        // Its own group need not be named, and another one is closed to it.
        assert_eq!(send("GET", "/apisix/admin/services", Value::Null).await.status, 200, "{headers:?}");
        let own = format!("/apisix/admin/services?gateway_group_id={edge}");
        assert_eq!(send("POST", &own, json!({ "name": headers[0].0 })).await.status, 200, "{headers:?}");
        let others = "/apisix/admin/services?gateway_group_id=default";
        for (method, path) in
            [("GET", others), ("GET", "/api/portals"), ("GET", "/api/me"), ("POST", "/api/invites")]
        {
            assert_eq!(send(method, path, Value::Null).await.refusal().0, 403, "{headers:?} {method} {path}");
        }
    }
    assert_eq!(stage.get(&format!("/apisix/admin/services?gateway_group_id={edge}")).await.list().len(), 3);
}

#[tokio::test]
async fn whatever_the_first_credential_is_no_other_is_asked_after_it() {
    let stage = Stage::start().await;
    let session = stage.sign_in("admin", "changed").await;
    let (token, bearer) = (stage.token.clone(), format!("Bearer {}", stage.token));
    let (wrong, right) = ("X-API-KEY=a7ee-wrong".to_owned(), format!("X-API-KEY={token}"));
    let basic = |password: &str| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        format!("Basic {}", STANDARD.encode(format!("admin:{password}")))
    };
    let (good, bad) = (basic("changed"), basic("wrong"));
    // In the order in which they count: X-API-KEY, Authorization, the cookie X-API-KEY, the session.
    for (headers, status) in [
        (vec![("x-api-key", token.as_str()), ("authorization", bad.as_str())], 200),
        (vec![("x-api-key", ""), ("authorization", bearer.as_str())], 401),
        (vec![("authorization", good.as_str()), ("cookie", wrong.as_str())], 200),
        (vec![("authorization", bad.as_str()), ("cookie", session.as_str())], 401),
        (vec![("authorization", "Digest x"), ("cookie", session.as_str())], 401),
        (vec![("authorization", "Basic %%%"), ("cookie", session.as_str())], 401),
        (vec![("cookie", wrong.as_str()), ("cookie", session.as_str())], 401),
        (vec![("cookie", session.as_str()), ("cookie", right.as_str())], 200),
        (vec![("cookie", "session=ses-wrong")], 401),
    ] {
        let reply = stage.with_headers("GET", "/api/me", &headers, Value::Null).await;
        assert_eq!(reply.status, status, "{headers:?}");
        if status == 401 {
            assert_eq!(reply.refusal(), (401, "unauthorized".into()), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_cookie_that_holds_a_token_is_no_way_in_from_another_site_either() {
    let stage = Stage::start().await;
    let cookie = format!("X-API-KEY={}", stage.token);
    let names = json!({ "first_name": "Ann", "last_name": "Lee" });
    for method in ["PUT", "POST", "DELETE", "PATCH"] {
        let (path, body) = match method {
            "PUT" => ("/api/me", names.clone()),
            "POST" => ("/api/portals", json!({ "name": "second" })),
            _ => ("/api/portals/prt_x", Value::Null),
        };
        let headers = [("cookie", cookie.as_str()), ("origin", "https://evil.example"), ("host", "a:7080")];
        assert_eq!(stage.with_headers(method, path, &headers, body).await.refusal().0, 403, "{method}");
    }
}

struct Door {
    stage: Stage,
}

impl Door {
    async fn with(allow: &[&str], deny: &[&str], proxies: &[&str]) -> Self {
        let networks = |list: &[&str]| list.iter().map(|text| Network::parse(text).unwrap()).collect();
        let ip_restriction = IpRestriction {
            allow_list: networks(allow),
            deny_list: networks(deny),
            message: "not from there".into(),
            response_code: StatusCode::NOT_FOUND,
        };
        let config = Config { ip_restriction, trusted_proxies: networks(proxies), ..Config::default() };
        Self { stage: Stage::with(config).await }
    }

    async fn from(&self, path: &str, peer: &str, forwarded: &str) -> Reply {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let request = Request::get(path).header("x-forwarded-for", forwarded).extension(ConnectInfo(peer));
        self.stage.send(request.body(Body::empty()).unwrap()).await
    }

    async fn is_open(&self, peer: &str, forwarded: &str) -> bool {
        let reply = self.from("/api/me", peer, forwarded).await.refusal();
        assert!(
            reply == (401, "unauthorized".into()) || reply == (404, "not from there".into()),
            "{reply:?}"
        );
        reply.0 == 401
    }
}

#[tokio::test]
async fn an_address_is_restricted_as_trusted_proxies_tell_it_with_the_message_and_status_that_were_set() {
    let door = Door::with(&["198.51.100.0/24", "2001:db8::/32"], &["198.51.100.66"], &["10.0.0.0/8"]).await;
    for (peer, forwarded, open) in [
        ("198.51.100.7:1", "", true),
        ("198.51.100.66:1", "", false),
        ("203.0.113.7:1", "", false),
        // Only a trusted proxy is believed.
        ("203.0.113.7:1", "198.51.100.7", false),
        ("10.0.0.1:1", "198.51.100.7", true),
        ("10.0.0.1:1", "198.51.100.66", false),
        ("10.0.0.1:1", "198.51.100.7, 203.0.113.7", false),
        ("[2001:db8::7]:1", "", true),
        ("[2001:db9::7]:1", "", false),
        ("[::ffff:198.51.100.7]:1", "", true),
        ("[::ffff:198.51.100.66]:1", "", false),
    ] {
        assert_eq!(door.is_open(peer, forwarded).await, open, "{peer} {forwarded:?}");
    }
    // Whoever is turned away learns nothing: neither which paths there are nor that a sign-in would be right.
    for path in ["/api/nothing", "/api/scim/v2/Users", "/api/users"] {
        let refused = door.from(path, "203.0.113.7:1", "").await.refusal();
        assert_eq!(refused, (404, "not from there".into()), "{path}");
    }
}

#[tokio::test]
async fn failures_of_one_address_are_limited_and_right_credentials_from_there_are_not() {
    let stage = Stage::start().await;
    let peer: std::net::SocketAddr = "203.0.113.7:1".parse().unwrap();
    let shown = async |name: &str, value: &str| {
        let request = Request::get("/api/me").header(name, value).extension(ConnectInfo(peer));
        stage.send(request.body(Body::empty()).unwrap()).await
    };
    for _ in 0..100 {
        assert_eq!(shown("x-api-key", "a7ee-wrong").await.refusal(), (401, "unauthorized".into()));
    }
    for wrong in ["a7ee-wrong", "a7adm-wrong", "a7prt-wrong", "nonsense"] {
        let limited = shown("x-api-key", wrong).await;
        assert_eq!(limited.refusal().0, 429, "{wrong}");
        assert!(limited.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    }
    assert_eq!(shown("x-api-key", &stage.token).await.status, 200);
    assert_eq!(shown("cookie", &stage.sign_in("admin", "changed").await).await.status, 200);
    stage.later(301);
    assert_eq!(shown("x-api-key", "a7ee-wrong").await.refusal().0, 401);
}
