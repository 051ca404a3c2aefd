//! A portal of 10,000 applications under 200 requests a second: `cargo xtask bench portal [SECONDS]`.
//!
//! The installation is a process of its own, on one core where the machine has `taskset`; the requests come from this
//! one, at fixed moments whether or not earlier ones were answered, so that a slow answer is not hidden by waiting.
//! On PostgreSQL where `FORECOURT_TEST_DATABASE` names a server. With `idle` in place of SECONDS nothing is asked for, and
//! what the installation holds then is told (`idle.rs`). The figures stand in `docs/bench.md`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a run that goes wrong ends loudly, and it tells what it sees"
)]

mod filling;
mod idle;
mod visits;

use forecourt_it::{Client, ForecourtProcess, TestDatabase, installations::text, processes};
use serde_json::json;

/// The applications, each of which is subscribed to this many products.
const APPLICATIONS: usize = 10_000;
const SUBSCRIPTIONS_EACH: usize = 10;
/// How many applications a developer has, and how many products the portal.
const APPLICATIONS_EACH: usize = 10;
const PRODUCTS: usize = 20;
/// How many requests are made a second, and for how long unless told.
const PER_SECOND: u32 = 200;
const SECONDS: u64 = 30;
const PASSWORD: &str = "a password for the bench";

#[tokio::main]
async fn main() {
    let argument = std::env::args().nth(1);
    let is_idle = argument.as_deref() == Some("idle");
    let seconds = argument.filter(|_| !is_idle);
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("SECONDS is a number"));
    let database = TestDatabase::new();
    let engine = if database.is_postgres() { "PostgreSQL" } else { "SQLite" };
    let first = serve(&database, false);
    let made = set_up(&first).await;
    first.stop("TERM");
    let begun = std::time::Instant::now();
    filling::fill(&database, &made).await;
    println!(
        "{engine}: {APPLICATIONS} applications, {} subscriptions, {} developers, {PRODUCTS} products, written in {:.0} s",
        APPLICATIONS * SUBSCRIPTIONS_EACH,
        APPLICATIONS / APPLICATIONS_EACH,
        begun.elapsed().as_secs_f64(),
    );
    if is_idle {
        idle::measure(&database, engine);
        return;
    }
    let begun = std::time::Instant::now();
    let process = serve(&database, true);
    println!(
        "ready after {:.2} s, {} MB resident",
        begun.elapsed().as_secs_f64(),
        process.resident_megabytes()
    );
    visits::make(&process, &made, seconds).await;
    println!("afterwards {} MB resident", process.resident_megabytes());
    process.stop("TERM");
}

/// What the installation begins with.
pub(crate) struct Made {
    /// The portal.
    pub(crate) portal: String,
    /// The token of its front end.
    pub(crate) token: String,
    /// Its products.
    pub(crate) products: Vec<String>,
}

fn serve(database: &TestDatabase, pinned: bool) -> ForecourtProcess {
    let binary = processes::binary();
    let command = if pinned && std::process::Command::new("taskset").arg("-V").output().is_ok() {
        let mut command = processes::command(std::path::Path::new("taskset"), &["-c", "1"], database);
        command.arg(&binary).arg("serve");
        command
    } else {
        processes::command(&binary, &["serve"], database)
    };
    ForecourtProcess::start(command)
}

async fn set_up(process: &ForecourtProcess) -> Made {
    let one_time = process.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": PASSWORD })).await.expect(200);
    let admin = admin(process);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let made =
        admin.post(&format!("/api/portal/tokens?portal_id={portal}"), json!({ "name": "bench" })).await;
    let token = text(&made.expect(200)["value"]["token"]);
    let mut products = Vec::new();
    for number in 0..PRODUCTS {
        let service = format!("s{number}");
        let body = json!({
            "name": service, "path_prefix": format!("/{service}"),
            "upstream": { "name": "default", "nodes": [{ "host": "127.0.0.1", "port": 9, "weight": 1 }] },
        });
        admin
            .put(&format!("/apisix/admin/services/{service}?gateway_group_id=default"), body)
            .await
            .expect(200);
        let oas = json!({ "raw_openapi": document(number) });
        admin.put(&format!("/api/gateway_groups/default/services/{service}/oas"), oas).await.expect(200);
        let product = json!({
            "type": "gateway", "name": format!("Product {number}"), "status": "published",
            "auth": { "key-auth": {} }, "subscription_auto_approval": number % 2 == 0,
            "labels": { "team": format!("team {}", number % 5) },
            "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": service }],
        });
        let made = admin.post(&format!("/api/api_products?portal_id={portal}"), product).await.expect(200);
        products.push(text(&made["value"]["id"]));
    }
    Made { portal, token, products }
}

/// An OpenAPI document of 20 operations.
fn document(number: usize) -> String {
    let paths: serde_json::Map<_, _> = (0..10)
        .map(|path| {
            let answer = json!({ "responses": { "200": { "description": "It worked" } } });
            (format!("/things/{path}"), json!({ "get": answer, "post": answer }))
        })
        .collect();
    let info = json!({ "title": format!("API {number}"), "version": "1" });
    json!({ "openapi": "3.0.3", "info": info, "paths": paths }).to_string()
}

/// The Admin API as its administrator.
pub(crate) fn admin(process: &ForecourtProcess) -> Client {
    process.client("admin").with_basic("admin", PASSWORD)
}
