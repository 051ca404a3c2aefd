//! kill -9 in a storm of writes: every acknowledged write is there afterwards, and none is half done.

use std::sync::Arc;

use forecourt_it::{
    Client, ForecourtProcess, TestDatabase,
    deadlines::PATIENCE,
    installations::{ADMIN_PASSWORD, text},
};
use http::Method;
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

/// How often the process is killed.
const KILLS: usize = 20;
/// How many write at the same time.
const WRITERS: usize = 4;

/// What one writer was told.
#[derive(Default)]
struct Acknowledged {
    applications: Vec<String>,
    /// Application and key.
    keys: Vec<(String, String)>,
    /// Applications whose subscriptions, to one product each way, were acknowledged.
    subscribed: Vec<String>,
}

/// Two products: one that approves by itself, one that asks.
struct Products {
    automatic: String,
    asking: String,
    path: String,
}

async fn set_up(process: &ForecourtProcess) -> (String, Products) {
    let guest = process.client("admin");
    let one_time = guest.with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = guest.with_basic("admin", ADMIN_PASSWORD);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let made = admin.post(&format!("/api/portal/tokens?portal_id={portal}"), json!({ "name": "t" })).await;
    let token = text(&made.expect(200)["value"]["token"]);
    // Nobody listens there: a call that passes is answered 502 by the gateway, a refused one 401.
    let upstream = json!({ "name": "default", "nodes": [{ "host": "127.0.0.1", "port": 1, "weight": 1 }] });
    let service = json!({ "name": "s", "upstream": upstream });
    admin.put("/apisix/admin/services/s?gateway_group_id=default", service).await.expect(200);
    let route = json!({ "name": "r", "service_id": "s", "paths": ["/*"] });
    admin.put("/apisix/admin/routes/r?gateway_group_id=default", route).await.expect(200);
    let path = format!("/api/api_products?portal_id={portal}");
    let product = |name: &str, automatic: bool, links: Value| {
        json!({
            "type": "gateway", "name": name, "status": "published", "auth": { "key-auth": {} },
            "subscription_auto_approval": automatic, "linked_gateway_services": links,
        })
    };
    let links = json!([{ "gateway_group_id": "default", "service_id": "s" }]);
    let automatic = admin.post(&path, product("automatic", true, links)).await.expect(200);
    let asking = admin.post(&path, product("asking", false, json!([]))).await.expect(200);
    let api = process.client("portal_api").with_bearer(&token);
    api.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    let products = Products {
        automatic: text(&automatic["value"]["id"]),
        asking: text(&asking["value"]["id"]),
        path: "/call".into(),
    };
    (token, products)
}

/// Writes until nobody answers any more.
async fn write(api: Client, products: Arc<Products>, told: Arc<watch::Sender<usize>>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let post = |path: String, body: Value| {
        let api = api.clone();
        let bytes = body.to_string().into_bytes();
        async move { api.try_send(Method::POST, &path, Some(("application/json".into(), bytes))).await.ok() }
    };
    loop {
        let Some(made) = post("/api/applications".into(), json!({ "name": "storm" })).await else { break };
        let id = text(&made.expect(201)["id"]);
        acknowledged.applications.push(id.clone());
        told.send_modify(|told| *told += 1);
        let credential = json!({ "type": "key-auth", "name": "k" });
        let Some(made) = post(format!("/api/applications/{id}/credentials"), credential).await else { break };
        acknowledged.keys.push((id.clone(), text(&made.expect(201)["key-auth"]["key"])));
        told.send_modify(|told| *told += 1);
        let both = json!({ "applications": [id], "api_products": [products.automatic, products.asking] });
        let Some(made) = post("/api/subscriptions".into(), both).await else { break };
        made.expect(201);
        acknowledged.subscribed.push(id);
        told.send_modify(|told| *told += 1);
    }
    acknowledged
}

/// Ids of `list`'s rows that satisfy `fits`, by `member`.
fn column(list: &Value, member: &str, fits: impl Fn(&Value) -> bool) -> Vec<String> {
    let rows = list["list"].as_array().expect("a list");
    rows.iter().filter(|row| fits(row)).map(|row| text(&row[member])).collect()
}

async fn check(
    process: &ForecourtProcess,
    token: &str,
    products: &Products,
    all: &Acknowledged,
    round: usize,
) {
    let front_end = process.client("portal_api").with_bearer(token);
    let api = front_end.with("x-portal-developer-id", "ada");
    let applications = column(&api.get("/api/applications").await.expect(200), "id", |_| true);
    for id in &all.applications {
        assert!(applications.contains(id), "round {round}: application {id} was acknowledged and is gone");
    }
    let subscriptions = api.get("/api/subscriptions").await.expect(200);
    let of = |product: &str| {
        let mut ids = column(&subscriptions, "application_id", |row| row["api_product_id"] == product);
        ids.sort();
        ids
    };
    let (automatic, asking) = (of(&products.automatic), of(&products.asking));
    assert_eq!(automatic, asking, "round {round}: one request, two subscriptions, or none");
    for id in &all.subscribed {
        assert!(
            automatic.contains(id),
            "round {round}: subscriptions of {id} were acknowledged and are gone"
        );
    }
    let pending = front_end.get("/api/approvals?status=pending").await.expect(200);
    assert_eq!(pending["total"], asking.len(), "round {round}: each waiting subscription has its approval");
    // The newest rows are those nearest to the kill.
    let gateway = process.client("gateway");
    for (application, key) in all.keys.iter().rev().take(2 * WRITERS) {
        let passes = automatic.contains(application);
        let answer = gateway.with("apikey", key).get(&products.path).await;
        assert_eq!(answer.status.as_u16(), if passes { 502 } else { 401 }, "round {round}: {answer:?}");
    }
}

#[tokio::test]
async fn after_kill_9_every_acknowledged_write_is_there_and_none_is_half_done() {
    let database = TestDatabase::new();
    let mut process = ForecourtProcess::serve(&database);
    let (token, products) = set_up(&process).await;
    let products = Arc::new(products);
    let mut all = Acknowledged::default();
    for round in 0..KILLS {
        let told = Arc::new(watch::Sender::new(0));
        let api = process.client("portal_api").with_bearer(&token).with("x-portal-developer-id", "ada");
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| tokio::spawn(write(api.clone(), Arc::clone(&products), Arc::clone(&told))))
            .collect();
        // Another number each time, so that the kill meets every kind of write.
        let mut counted = told.subscribe();
        let enough = timeout(PATIENCE, counted.wait_for(|told| *told >= 10 + round)).await;
        assert!(
            enough.is_ok(),
            "round {round}: the writers were not answered within {} s",
            PATIENCE.as_secs()
        );
        drop(enough);
        process.kill();
        for writer in writers {
            let acknowledged = writer.await.unwrap();
            all.applications.extend(acknowledged.applications);
            all.keys.extend(acknowledged.keys);
            all.subscribed.extend(acknowledged.subscribed);
        }
        process = ForecourtProcess::serve(&database);
        check(&process, &token, &products, &all, round).await;
    }
    assert!(all.subscribed.len() >= KILLS, "too little was written to mean anything");
    assert_eq!(process.stop("TERM").status.code(), Some(0));
}
