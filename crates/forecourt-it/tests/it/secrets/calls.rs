//! Secrets in calls that are refused, and in requests that nobody can read: what is answered repeats none of them.

use forecourt_it::{Client, deadlines::eventually, installations::text};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    developers::Developers,
    installations::{Installation, MARK},
    places::Findings,
    planting::in_group,
};

/// Calls of the gateway with secrets of every place that a caller can put one in, none of which opens anything.
pub(super) async fn through_the_gateway(it: &mut Installation, findings: &mut Findings) {
    let gateway = it.client("gateway");
    let mut answers = Vec::new();
    for path in ["/key-auth/a", "/jwt-auth/a", "/basic-auth/a", "/nowhere", &format!("/{MARK}/a")] {
        let secrets = &mut it.secrets;
        let query = format!(
            "{path}?apikey={}&access_token={}&jwt={}&{MARK}=1",
            secrets.plain("apikey in a query"),
            secrets.plain("access_token in a query"),
            secrets.plain("jwt in a query"),
        );
        let basic = gateway.with_basic("ann", &secrets.given("wrong Basic password"));
        let bearer = gateway.with_bearer(&secrets.given("wrong token"));
        let cookie = format!("jwt={}; session={}", secrets.plain("cookie"), secrets.plain("cookie"));
        let signature = format!("keyId=\"ann\",signature=\"{}\"", secrets.plain("signature of a call"));
        for client in [
            basic,
            bearer,
            gateway.with("cookie", &cookie),
            gateway.with("signature", &signature),
            gateway.with("authorization", &format!("Signature {signature}")),
            gateway.with("x-hmac-signature", &secrets.plain("signature of a call")),
            gateway.with("proxy-authorization", &format!("Bearer {}", secrets.plain("wrong token"))),
            gateway.with("apikey", &secrets.given("wrong key")),
            gateway.with("x-custom-secret", &secrets.given("header of the caller's own")),
        ] {
            let answer = client.get(&query).await;
            assert_ne!(answer.status, 200, "{path}");
            answers.push(format!("{} {:?} {}", answer.status, answer.headers, answer.text()));
        }
    }
    let secrets = &it.secrets;
    findings.look(secrets, "refusals of the gateway", answers.join("\n").as_bytes(), "message", &[]);
}

/// Calls that are let through and whose upstream is away: that is told, and not what was called.
pub(super) async fn whose_upstream_is_away(it: &mut Installation, admin: &Client, findings: &mut Findings) {
    let nodes = json!([{ "host": "127.0.0.1", "port": 1, "weight": 1 }]);
    let upstream = json!({ "name": "default", "nodes": nodes });
    let service = json!({ "name": "away", "path_prefix": "/away", "upstream": upstream });
    admin.put(&in_group("services/away"), service).await.expect(200);
    let route = json!({ "name": "all", "service_id": "away", "paths": ["/*"] });
    admin.put(&in_group("routes/away"), route).await.expect(200);
    let secrets = &mut it.secrets;
    let path = format!("/away/{}?apikey={}", secrets.plain("path"), secrets.plain("apikey in a query"));
    let bearer = secrets.given("token for an upstream");
    let caller = it.process.client("gateway").with_bearer(&bearer);
    let answer = eventually("the gateway says that the upstream is away", || async {
        Some(caller.get(&path).await).filter(|answer| answer.status.is_server_error())
    })
    .await;
    let told = format!("{} {:?} {}", answer.status, answer.headers, answer.text());
    findings.look(&it.secrets, "answer for an upstream", told.as_bytes(), "message", &[]);
}

/// Requests that no HTTP server can read, with a secret in each.
pub(super) async fn that_are_no_http(it: &mut Installation, findings: &mut Findings) {
    let mut answers = String::new();
    for part in ["gateway", "admin", "portal_api", "site", "status"] {
        let key = it.secrets.plain("apikey in a query");
        let token = it.secrets.plain("Authorization of a request that nobody can read");
        for request in [
            format!("GET /a?apikey={key} HTTP/9.9\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"),
            format!(
                "GET /a?apikey={key} HTTP/1.1\r\nHost: a\r\nHost: b\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
            format!("GET /a?apikey={key} b HTTP/1.1\r\nHost: a\r\nCookie: a={token}\r\n\r\n"),
            format!("GET /a HTTP/1.1\r\nHost: {token}@a\r\nConnection: close\r\n\r\n"),
            format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {token}\r\n\r\n"),
        ] {
            let mut stream = TcpStream::connect(it.authority(part)).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
            let mut answer = Vec::new();
            let read = timeout(forecourt_it::deadlines::PATIENCE, stream.read_to_end(&mut answer)).await;
            assert!(read.is_ok(), "{part} keeps a connection open that says nothing more");
            answers.push_str(&String::from_utf8_lossy(&answer));
        }
    }
    // The console leads whoever is unknown to its sign-in, and from there back to what they asked for, query and all.
    let back = ["apikey in a query"];
    findings.look(&it.secrets, "answers to what is no HTTP", answers.as_bytes(), "HTTP/1.1 400", &back);
}

/// Bodies that are refused, with secrets in them: not JSON, of a wrong type, in a wrong member, within an address.
pub(super) async fn that_are_refused(
    it: &mut Installation,
    admin: &Client,
    developers: &Developers,
    findings: &mut Findings,
) {
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let application = format!("/api/applications/{}/credentials", developers.application);
    let ada = &developers.ada;
    let targets = [
        (admin, Method::POST, "/api/login".to_owned(), "password"),
        (admin, Method::PUT, "/api/password".to_owned(), "new_password"),
        (admin, Method::POST, "/api/invites".to_owned(), "password"),
        (admin, Method::PUT, "/api/system_settings/smtp_server".to_owned(), "password"),
        (admin, Method::POST, "/api/dcr_providers".to_owned(), "headers"),
        (admin, Method::POST, "/api/contact_points".to_owned(), "url"),
        (admin, Method::POST, "/api/login_options".to_owned(), "oidc_config"),
        (admin, Method::POST, format!("/api/developers/invites?portal_id={portal}"), "password"),
        (admin, Method::PUT, in_group("ssls/bad"), "key"),
        (admin, Method::PUT, in_group("consumers/bad"), "plugins"),
        (admin, Method::PUT, in_group("services/bad"), "upstream"),
        (ada, Method::POST, application, "key-auth"),
    ];
    let mut answers = String::new();
    for (client, method, path, member) in targets {
        let secret = it.secrets.given("secret in a body that is refused");
        let json = "application/json".to_owned();
        let broken = format!("{{\"{member}\": {}, \"rest\": ", Value::from(secret.as_str()));
        let bare = format!("{{\"{member}\": {secret}}}");
        let of_no_type = json!([{ member: secret }]).to_string();
        let wrong =
            json!({ "name": MARK, "username": MARK, member: [{ "value": secret, "password": secret }] });
        for (content_type, body) in [
            (json.clone(), broken),
            (json.clone(), bare),
            (json.clone(), of_no_type.clone()),
            ("text/plain".to_owned(), of_no_type),
            (json, wrong.to_string()),
        ] {
            let answer =
                client.send_bytes(method.clone(), &path, Some((content_type, body.into_bytes()))).await;
            assert!(answer.status.is_client_error(), "{path}: {answer:?}");
            answers.push_str(&answer.text());
        }
    }
    for (path, body) in with_users_in_addresses(it, &portal) {
        let answer = admin.post(&path, body).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        answers.push_str(&answer.text());
    }
    for path in
        ["/api/portals?order_by", "/api/audit_logs?start_at", "/api/approvals?status", "/api/users?page"]
    {
        let answer =
            admin.get(&format!("{path}={}", it.secrets.plain("secret in a query that is refused"))).await;
        answers.push_str(&answer.text());
    }
    findings.look(&it.secrets, "refusals of the APIs", answers.as_bytes(), "error_msg", &[]);
}

/// Addresses with a user's password in them, in every member that takes an address to call.
fn with_users_in_addresses(it: &mut Installation, portal: &str) -> Vec<(String, Value)> {
    let mut address =
        || format!("https://ann:{}@id.example.com/a", it.secrets.plain("password in an address"));
    let named = |more: Value| {
        let mut body = json!({ "name": MARK });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let oidc = json!({
        "issuer": address(), "client_id": "a", "client_secret": "kept nowhere", "request_scopes": ["openid"],
    });
    let saml = json!({ "idp_metadata_url": address(), "sp_root_url": "https://admin.example.com" });
    let nodes = json!([{ "host": address(), "port": 443, "weight": 1 }]);
    let upstream = json!({ "name": "default", "nodes": nodes });
    let group = "?gateway_group_id=default";
    let options = "/api/login_options".to_owned();
    vec![
        ("/api/contact_points".to_owned(), named(json!({ "type": "webhook", "url": address() }))),
        ("/api/dcr_providers".to_owned(), named(json!({ "issuer": address() }))),
        (
            "/api/dcr_providers".to_owned(),
            named(json!({ "provider_type": "http_bridge", "base_url": address() })),
        ),
        (options.clone(), named(json!({ "provider_type": "oidc", "oidc_config": oidc }))),
        (options.clone(), named(json!({ "provider_type": "saml", "saml_config": saml }))),
        (options, named(json!({ "provider_type": "cas", "cas_config": { "url": address() } }))),
        (
            format!("/api/login_options?portal_id={portal}"),
            named(json!({ "provider_type": "cas", "cas_config": { "url": address() } })),
        ),
        (format!("/apisix/admin/services{group}"), named(json!({ "upstream": upstream }))),
    ]
}
