//! The requests: what front ends, developers' browsers and administrators ask for, mixed, with one write in twenty.

use std::time::{Duration, Instant};

use forecourt_it::{Client, ForecourtProcess, installations::text};
use serde_json::json;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{APPLICATIONS, APPLICATIONS_EACH, Made, PER_SECOND, admin};

/// Requests before the first one that counts.
const WARM_UP: u64 = 2;
/// What every kind of request must keep, in milliseconds.
const PROMISED: f64 = 10.0;

/// One kind of request.
struct Visit {
    name: &'static str,
    client: Client,
    path: String,
    /// Set for a write.
    body: Option<serde_json::Value>,
    status: u16,
}

/// The kinds, for one of the developers.
struct Kinds {
    front_end: Client,
    admin: Client,
    site: Client,
    portal: String,
    products: Vec<String>,
    /// An application of each developer that takes part.
    applications: Vec<(String, String)>,
}

impl Kinds {
    fn visit(&self, number: usize) -> Visit {
        let (developer, application) = &self.applications[number % self.applications.len()];
        let product = &self.products[number % self.products.len()];
        let own = || self.front_end.with("x-portal-developer-id", developer);
        let get = |name, client: Client, path: String| Visit { name, client, path, body: None, status: 200 };
        match number % 20 {
            0 => Visit {
                name: "Portal API: make an application",
                client: own(),
                path: "/api/applications".to_owned(),
                body: Some(json!({ "name": "made under load" })),
                status: 201,
            },
            1 | 2 => {
                get("Portal API: products, with subscription", own(), "/api/api_products?page=1".to_owned())
            }
            3 => get(
                "Portal API: search of products",
                own(),
                "/api/api_products?search=product&page=1".to_owned(),
            ),
            4 | 5 => get("Portal API: one product", own(), format!("/api/api_products/{product}")),
            6 | 7 => get("Portal API: applications", own(), "/api/applications?page=1".to_owned()),
            8 => get("Portal API: one application", own(), format!("/api/applications/{application}")),
            9 => get(
                "Portal API: subscriptions of one",
                own(),
                format!("/api/subscriptions?application_id={application}"),
            ),
            10 => get("Portal API: credentials", own(), "/api/credentials?page=1".to_owned()),
            11 => get("Portal API: labels", own(), "/api/labels/developer_application".to_owned()),
            12 => get("Portal API: developers", self.front_end.clone(), "/api/developers?page=1".to_owned()),
            13 => get(
                "Admin API: products",
                self.admin.clone(),
                format!("/api/api_products?portal_id={}&page=1", self.portal),
            ),
            14 => get(
                "Admin API: subscriptions of a product",
                self.admin.clone(),
                format!("/api/subscriptions?api_product_id={product}&page=1"),
            ),
            15 => get(
                "Admin API: all applications, searched",
                self.admin.clone(),
                "/api/forecourt/applications?search=application+99&page=1".to_owned(),
            ),
            16 | 17 => get("Site: hub", self.site.clone(), "/hub".to_owned()),
            18 => get("Site: one product", self.site.clone(), format!("/products/{product}")),
            _ => get("Site: sign-in", self.site.clone(), "/sign-in".to_owned()),
        }
    }
}

/// Makes them for so many seconds and prints the table.
pub(crate) async fn make(process: &ForecourtProcess, made: &Made, seconds: u64) {
    let kinds = kinds(process, made).await;
    let (told, mut answers) = mpsc::unbounded_channel();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let all = usize::try_from((seconds + WARM_UP) * u64::from(PER_SECOND)).unwrap();
    let warm_up = usize::try_from(WARM_UP * u64::from(PER_SECOND)).unwrap();
    for number in 0..all {
        let due = ticks.tick().await.into_std();
        let visit = kinds.visit(number);
        let told = told.clone();
        tokio::spawn(async move {
            let answer = match visit.body {
                Some(body) => visit.client.post(&visit.path, body).await,
                None => visit.client.get(&visit.path).await,
            };
            assert_eq!(answer.status.as_u16(), visit.status, "{answer:?}");
            // From when it was due: what waits for its turn here has waited.
            told.send((number, visit.name, Instant::now().duration_since(due))).ok();
        });
    }
    drop(told);
    let mut times: Vec<(&str, Duration)> = Vec::new();
    while let Some((number, name, took)) = answers.recv().await {
        if number >= warm_up {
            times.push((name, took));
        }
    }
    assert_eq!(times.len(), all - warm_up, "every request was answered as it should be");
    table(&times);
}

async fn kinds(process: &ForecourtProcess, made: &Made) -> Kinds {
    let front_end = process.client("portal_api").with_bearer(&made.token);
    let mut applications = Vec::new();
    let developers = APPLICATIONS / APPLICATIONS_EACH;
    for number in (0..developers).step_by(developers / 50) {
        let developer = format!("developer-{number}");
        let own = front_end.with("x-portal-developer-id", &developer);
        let list = own.get("/api/applications?page_size=1").await.expect(200);
        applications.push((developer, text(&list["list"][0]["id"])));
    }
    Kinds {
        front_end,
        admin: admin(process),
        site: process.client("site"),
        portal: made.portal.clone(),
        products: made.products.clone(),
        applications,
    }
}

fn table(times: &[(&str, Duration)]) {
    let mut names: Vec<_> = times.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    println!("\n{PER_SECOND} requests/s; promised: p99 within {PROMISED} ms\n");
    println!("| request | answers | p50 ms | p95 ms | p99 ms | most ms |\n|---|---|---|---|---|---|");
    for name in names {
        line(name, times.iter().filter(|(own, _)| *own == name).map(|(_, took)| *took).collect());
    }
    line("all", times.iter().map(|(_, took)| *took).collect());
}

fn line(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1_000.0;
    println!("| {name} | {} | {:.1} | {:.1} | {:.1} | {:.1} |", times.len(), at(50), at(95), at(99), at(100));
}
