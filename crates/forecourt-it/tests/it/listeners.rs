//! The listeners themselves: health, TLS, and what is on which port.

use forecourt_it::{Client, Forecourt};

#[tokio::test]
async fn every_part_answers_on_its_own_listener() {
    let f = Forecourt::start().await;
    f.guest().get("/healthz").await.expect(200);
    f.portal_api_guest().get("/healthz").await.expect(200);
    f.status().get("/healthz").await.expect(200);
    let ready = f.status().get("/readyz").await.expect(200);
    assert_eq!(ready["database"], "ok");
    assert!(ready["gateway_revision"].is_i64(), "{ready}");
    // A gateway without services knows no path.
    f.gateway().get("/anything").await.expect(404);
}

#[tokio::test]
async fn the_admin_api_and_the_portal_api_do_not_answer_for_each_other() {
    let f = Forecourt::start().await;
    f.portal_api().await.get("/api/portals").await.expect(404);
    f.admin().await.get("/api/applications").await.expect(404);
}

#[tokio::test]
async fn metrics_tell_what_the_gateway_refused_and_how_far_it_is() {
    let f = Forecourt::start().await;
    f.gateway().get("/anything").await.expect(404);
    let orders = f.product("Orders").await;
    f.gateway().get(&orders.path).await.expect(401);
    let text = f.status().get("/metrics").await.text();
    let refused: u64 = text
        .lines()
        .filter(|line| line.starts_with("forecourt_gateway_rejected_total{"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert_eq!(refused, 2, "{text}");
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(value("forecourt_committed_revision"), value("forecourt_gateway_applied_revision"));
}

#[tokio::test]
async fn the_admin_api_speaks_tls_with_a_certificate_that_stays_the_same() {
    let mut f = Forecourt::start_with(|settings| settings.admin.tls_listen = "127.0.0.1:0".into()).await;
    let healthy = |address: Option<String>| async move {
        let address = address.expect("the TLS listener is on");
        assert!(address.starts_with("https://"), "{address}");
        Client::new(address).get("/healthz").await.expect(200);
    };
    healthy(f.addresses().admin_tls.clone()).await;
    let file = f.database().folder().join("tls/admin.crt");
    let certificate = std::fs::read(&file).unwrap();
    f.restart().await;
    healthy(f.addresses().admin_tls.clone()).await;
    assert_eq!(std::fs::read(&file).unwrap(), certificate);
}

#[tokio::test]
async fn a_listener_that_is_switched_off_is_not_announced() {
    let f = Forecourt::start_with(|settings| {
        settings.site.listen = String::new();
        settings.gateway.listen = String::new();
        settings.gateway.tls_listen = String::new();
    })
    .await;
    assert_eq!(f.addresses().site, None);
    assert_eq!(f.addresses().gateway, None);
    let ready = f.status().get("/readyz").await.expect(200);
    assert!(ready.get("gateway_revision").is_none_or(serde_json::Value::is_null), "{ready}");
}

#[tokio::test]
async fn the_gateway_s_tls_listener_is_announced_and_closed_to_names_without_a_certificate() {
    let f = Forecourt::start_with(|settings| settings.gateway.tls_listen = "127.0.0.1:0".into()).await;
    let address = f.addresses().gateway_tls.clone().expect("the TLS listener is on");
    let authority = address.strip_prefix("https://").unwrap().to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(authority).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    let answer = answer.await.unwrap();
    // An alert, which is no HTTP.
    assert!(answer.first().is_none_or(|byte| *byte == 21), "{answer:?}");
    let text = f.status().get("/metrics").await.text();
    assert!(text.contains("\nforecourt_gateway_refused_connections_total 0\n"), "{text}");
}

#[tokio::test]
async fn browsers_are_told_to_come_by_tls_alone_over_tls_and_where_it_is_set() {
    const FIELD: &str = "strict-transport-security";
    let f = Forecourt::start_with(|settings| {
        settings.admin.tls_listen = "127.0.0.1:0".into();
        settings.security.trusted_proxies = vec!["127.0.0.1".into()];
        settings.security.hsts_seconds = 600;
    })
    .await;
    let at = |address: &Option<String>| Client::new(address.clone().expect("it listens"));
    let plain = [at(&f.addresses().admin), at(&f.addresses().portal_api), at(&f.addresses().site)];
    for path in ["/sign-in", "/docs", "/api/me", "/nothing", "/assets/nothing"] {
        let answer = at(&f.addresses().admin_tls).get(path).await;
        assert_eq!(answer.header(FIELD), Some("max-age=600"), "{path}");
        for client in &plain {
            let proxied = client.with("x-forwarded-proto", "https").get(path).await;
            assert_eq!(proxied.header(FIELD), Some("max-age=600"), "{path} at {}", client.base());
            assert_eq!(client.get(path).await.header(FIELD), None, "{path} at {}", client.base());
        }
    }
    let f = Forecourt::start_with(|settings| settings.admin.tls_listen = "127.0.0.1:0".into()).await;
    assert_eq!(at(&f.addresses().admin_tls).get("/sign-in").await.header(FIELD), None);
}
