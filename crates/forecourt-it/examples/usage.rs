//! Usage of 90 days: calls by the million go in the way that gateways deliver them, then questions are asked over HTTP.
//!
//! `cargo xtask bench usage [MILLIONS]` runs it, with 100 million calls unless told; on PostgreSQL where
//! `FORECOURT_TEST_DATABASE` names a server. The figures stand in `docs/bench.md`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a run that goes wrong ends loudly, and it tells what it sees"
)]

use std::time::{Duration, Instant};

use forecourt_app::usage;
use forecourt_core::{
    gateway_state::{ApplicationState, Resource, Scope},
    ids::{ApplicationId, CredentialId, DeveloperId, DeveloperName, NodeId, PortalId, ProductId, RouteId},
    time::Timestamp,
    usage::{StatusClass, Totals},
};
use forecourt_it::Forecourt;
use forecourt_store::{Location, Store};
use forecourt_wire::usage::{MOST_COUNTS, UsageBatch, UsageCount};

const DAYS: i64 = 90;
const DAY: i64 = 86_400;
const APPLICATIONS: u64 = 200;
const PRODUCTS: u64 = 3;
const ROUTES: u64 = 2;
/// How often each question is asked.
const TIMES: usize = 100;

/// Numbers that look random and are the same in each run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A response time in microseconds: most of 4 to 30 ms, some much longer.
    fn time(&mut self) -> u64 {
        let base = 4_000 + self.roll() % 8_000;
        match self.roll() % 100 {
            0..80 => base,
            80..98 => base * (2 + self.roll() % 3),
            _ => base * (10 + self.roll() % 40),
        }
    }
}

fn main() {
    let millions = std::env::args().nth(1).map_or(100, |text| text.parse().expect("MILLIONS is a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(millions));
}

async fn run(millions: u64) {
    let f = Forecourt::start().await;
    let engine = if f.database().is_postgres() { "PostgreSQL" } else { "SQLite" };
    let portal = PortalId::known(f.portal_id().await);
    announce(&f, &portal).await;
    let begun = Instant::now();
    let (calls, counts) = fill(&f, millions * 1_000_000).await;
    let took = begun.elapsed();
    println!(
        "{engine}: {calls} calls in {counts} counts over {DAYS} days, delivered and added up in {:.0} s \
         ({:.0} µs a count)",
        took.as_secs_f64(),
        took.as_micros() as f64 / counts as f64
    );
    if !f.database().is_postgres() {
        let size =
            |name: &str| std::fs::metadata(f.database().folder().join(name)).map_or(0, |file| file.len());
        println!("the file holds {} MB", size("forecourt.db") / 1_000_000);
    }
    println!("\n| question | rows | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|");
    for (name, query) in questions(f.clock().now().seconds()) {
        ask(&f, name, &query).await;
    }
}

/// Applications as gateways were told of them, which is all that counting needs.
async fn announce(f: &Forecourt, portal: &PortalId) {
    let location = match f.database().url() {
        url if url.is_empty() => Location::Sqlite(f.database().folder().join("forecourt.db")),
        url => Location::Postgres(url),
    };
    let store = Store::open(&location).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for number in 0..APPLICATIONS {
        let state = ApplicationState {
            id: application(number),
            portal_id: portal.clone(),
            developer_id: DeveloperId::known(format!("dev_{}", number / 4)),
            developer_name: DeveloperName::known(format!("developer-{}", number / 4)),
            active: true,
        };
        tx.put(Scope::Portal(portal.clone()), Resource::Application(state));
    }
    tx.commit(f.clock().now()).await.unwrap();
}

fn application(number: u64) -> ApplicationId {
    ApplicationId::known(format!("app_{number:032x}"))
}

/// Delivers so many calls, the same number each hour, and waits until they are added up.
async fn fill(f: &Forecourt, calls: u64) -> (u64, u64) {
    let app = f.app();
    let now = f.clock().now();
    let first = now.hour().seconds() - DAYS * DAY;
    let node = NodeId::known("nod_bench");
    let per_count = calls / (APPLICATIONS * PRODUCTS * ROUTES * 24 * DAYS as u64);
    let mut dice = Dice(0x5eed);
    let (mut number, mut sent, mut counts_sent) = (0, 0, 0);
    for day in 0..DAYS {
        for application_number in 0..APPLICATIONS {
            let mut counts = Vec::new();
            for hour in 0..24 {
                let at = first + day * DAY + hour * 3_600 + (dice.roll() % 60) as i64 * 60;
                for product in 0..PRODUCTS {
                    for route in 0..ROUTES {
                        let subject = (application_number, product, route);
                        add_counts(&mut counts, subject, at, per_count, &mut dice);
                    }
                }
            }
            sent += counts.iter().map(|count| count.totals.calls).sum::<u64>();
            counts_sent += counts.len() as u64;
            for counts in counts.chunks(MOST_COUNTS) {
                number += 1;
                let batch =
                    UsageBatch { node: node.clone(), spool: String::new(), number, counts: counts.to_vec() };
                usage::ingest(&app, &batch).await.unwrap();
            }
            while usage::add_up(&app).await.unwrap() {}
        }
    }
    (sent, counts_sent)
}

/// One hour of one route: most calls succeed, one count in eight is of another kind.
fn add_counts(
    counts: &mut Vec<UsageCount>,
    (application_number, product, route): (u64, u64, u64),
    at: i64,
    calls: u64,
    dice: &mut Dice,
) {
    let failed = if dice.roll().is_multiple_of(8) { calls.min(1 + dice.roll() % 4) } else { 0 };
    for (class, calls) in [(200, calls - failed), ([404, 500][(dice.roll() % 2) as usize], failed)] {
        if calls == 0 {
            continue;
        }
        let mut totals =
            Totals { calls, bytes_in: calls * 300, bytes_out: calls * 2_000, ..Totals::default() };
        totals.errors = if class == 500 { calls } else { 0 };
        (0..calls).for_each(|_| totals.times.record(dice.time()));
        counts.push(UsageCount {
            product_id: ProductId::known(format!("prd_{product:032x}")),
            application_id: application(application_number),
            credential_id: CredentialId::known(format!("crd_{application_number:032x}")),
            route_id: RouteId::known(format!("rte_{:032x}", product * ROUTES + route)),
            minute: Timestamp::from_seconds(at),
            status_class: StatusClass::of(class),
            totals,
            last_used_at: Timestamp::from_seconds(at),
            last_used_from: "192.0.2.1".to_owned(),
        });
    }
}

fn questions(now: i64) -> Vec<(&'static str, String)> {
    let days = |days: i64, rest: &str| format!("start_at={}&end_at={now}&{rest}", now - days * DAY);
    let one = format!("application_id={}", application(17));
    vec![
        ("90 days in one", days(90, "")),
        ("90 days by day", days(90, "step=day")),
        ("90 days by day and kind of answer", days(90, "step=day&group_by=status_class")),
        ("90 days by day and product", days(90, "step=day&group_by=api_product")),
        ("90 days by application", days(90, "group_by=application")),
        ("90 days by day and application", days(89, "step=day&group_by=application")),
        ("90 days by product and route", days(90, "group_by=api_product,route")),
        ("90 days by hour", days(90, "step=hour")),
        ("90 days by hour, one application", days(90, &format!("step=hour&{one}"))),
        ("90 days by day, one application, by route", days(90, &format!("step=day&group_by=route&{one}"))),
        ("30 days by hour, one application, by product", {
            days(30, &format!("step=hour&group_by=api_product&{one}"))
        }),
        ("last hour by minute", format!("start_at={}&end_at={now}&step=minute", now - 3_600)),
    ]
}

async fn ask(f: &Forecourt, name: &str, query: &str) {
    let path = format!("/api/forecourt/usage?{query}");
    let admin = f.admin().await;
    // The first answer tells how many rows there are; it counts for no percentile.
    let rows = admin.get(&path).await.expect(200)["total"].as_u64().unwrap();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let answer = admin.get(&path).await;
        times.push(begun.elapsed());
        assert_eq!(answer.status, 200);
    }
    times.sort();
    let told = |share: usize| times[(TIMES - 1) * share / 100].as_secs_f64() * 1_000.0;
    println!("| {name} | {rows} | {:.1} | {:.1} | {:.1} |", told(50), told(95), told(99));
}
