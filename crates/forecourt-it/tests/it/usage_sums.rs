//! Counted calls in the store, on either engine: each is added once, to all sums that it belongs to.

use std::collections::BTreeMap;

use forecourt::serve::App;
use forecourt_app::usage;
use forecourt_core::{
    actors::{Caller, Source},
    ids::{ApplicationId, CredentialId, NodeId, ProductId, RouteId},
    time::Timestamp,
    usage::{Grouping, StatusClass, Step, Totals, UsageFilter, UsagePoint, UsageQuery},
};
use forecourt_it::{Forecourt, TestDatabase, postgres};
use forecourt_store::{Location, Store};
use forecourt_wire::usage::{UsageBatch, UsageCount};

use crate::store::location;

/// The hour in which the tests' clock starts.
const HOUR: i64 = 1_786_093_200;

/// An application that a gateway was told of.
async fn application(f: &Forecourt, name: &str) -> ApplicationId {
    let developer = f.developer(name).await;
    ApplicationId::known(developer.application("demo").await.id.as_str())
}

fn count(application: &ApplicationId, at: i64, class: u16, times: &[u64]) -> UsageCount {
    let mut totals = Totals { calls: times.len() as u64, bytes_in: 10, bytes_out: 100, ..Totals::default() };
    totals.errors = if class == 500 { totals.calls } else { 0 };
    times.iter().for_each(|time| totals.times.record(*time));
    UsageCount {
        product_id: ProductId::known("prd_1"),
        application_id: application.clone(),
        credential_id: CredentialId::known("crd_1"),
        route_id: RouteId::known("rte_1"),
        minute: Timestamp::from_seconds(at).minute(),
        status_class: StatusClass::of(class),
        totals,
        last_used_at: Timestamp::from_seconds(at),
        last_used_from: "192.0.2.1".into(),
    }
}

async fn deliver(app: &App, node: &str, number: i64, counts: Vec<UsageCount>) {
    usage::ingest(app, &UsageBatch { node: NodeId::known(node), spool: String::new(), number, counts })
        .await
        .unwrap();
}

async fn points(app: &App, span: (i64, i64), step: Option<Step>, grouping: Grouping) -> Vec<UsagePoint> {
    while usage::add_up(app).await.unwrap() {}
    let filter = UsageFilter {
        start: Timestamp::from_seconds(span.0),
        end: Timestamp::from_seconds(span.1),
        ..UsageFilter::default()
    };
    let caller = Caller::system(Source::Job, app.new_request_id());
    usage::report(app, &caller, UsageQuery { filter, step, grouping }).await.unwrap().points
}

async fn calls(app: &App) -> u64 {
    let span = (HOUR - 86_400, HOUR + 86_400);
    points(app, span, None, Grouping::default()).await.iter().map(|point| point.totals.calls).sum()
}

#[tokio::test]
async fn a_batch_counts_once_however_often_and_in_whatever_order_it_comes() {
    let f = Forecourt::start().await;
    let (app, id) = (f.app(), application(&f, "ada").await);
    let one = || vec![count(&id, HOUR, 200, &[5])];
    deliver(&app, "nod_a", 1, one()).await;
    deliver(&app, "nod_a", 1, one()).await;
    assert_eq!(calls(&app).await, 1, "a batch twice");
    deliver(&app, "nod_b", 1, one()).await;
    assert_eq!(calls(&app).await, 2, "nodes have numbers of their own");
    deliver(&app, "nod_a", 2, one()).await;
    deliver(&app, "nod_a", 1, one()).await;
    assert_eq!(calls(&app).await, 3, "an old batch after a new one");
    deliver(&app, "nod_a", 7, one()).await;
    assert_eq!(calls(&app).await, 4, "a gap is taken, its calls are lost with the node's disk");
    deliver(&app, "nod_a", 5, one()).await;
    assert_eq!(calls(&app).await, 4);
    deliver(&app, "nod_a", 8, vec![count(&id, HOUR - 86_000, 200, &[5, 6])]).await;
    assert_eq!(calls(&app).await, 6, "calls of yesterday find their day");
    deliver(&app, "nod_a", 9, vec![count(&ApplicationId::known("app_x"), HOUR, 200, &[5])]).await;
    assert_eq!(calls(&app).await, 6, "nobody's calls are nobody's");
}

/// Deliveries and workers at the same time, as with several control planes on one database.
#[tokio::test]
async fn adding_up_by_many_at_once_loses_and_doubles_nothing() {
    let f = Forecourt::start().await;
    let (app, id) = (f.app(), application(&f, "ada").await);
    let mut tasks = Vec::new();
    for node in 0..3 {
        let (app, id) = (app.clone(), id.clone());
        tasks.push(tokio::spawn(async move {
            for number in 1..=10 {
                let counts = (0..4).map(|minute| count(&id, HOUR + minute * 60, 200, &[5, 7])).collect();
                deliver(&app, &format!("nod_{node}"), number, counts).await;
                usage::add_up(&app).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(calls(&app).await, 3 * 10 * 4 * 2);
}

/// Counts of both applications that differ in everything, over three hours.
fn various(ids: &[ApplicationId; 2]) -> Vec<UsageCount> {
    let mut all: Vec<UsageCount> = Vec::new();
    for number in 0..240u64 {
        let at = HOUR - 5_400 + i64::try_from(number).unwrap() * 37;
        let class = [200, 201, 302, 404, 500][number as usize % 5];
        let times: Vec<u64> = (0..number % 4 + 1).map(|time| (time + 1) * (number + 13) * 997).collect();
        let mut one = count(&ids[number as usize % 2], at, class, &times);
        one.product_id = ProductId::known(format!("prd_{}", number % 3));
        one.credential_id = CredentialId::known(format!("crd_{}", number % 2));
        one.route_id = RouteId::known(format!("rte_{}", number % 7));
        all.push(one);
    }
    all
}

#[tokio::test]
async fn sums_of_every_grain_and_step_are_the_sums_of_what_was_delivered() {
    let f = Forecourt::start().await;
    let app = f.app();
    let ids = [application(&f, "ada").await, application(&f, "bob").await];
    let all = various(&ids);
    for (number, counts) in (1..).zip(all.chunks(31)) {
        deliver(&app, "nod_a", number, counts.to_vec()).await;
        if number % 3 == 0 {
            usage::add_up(&app).await.unwrap();
        }
    }
    let span = (HOUR - 7_200, HOUR + 7_200);
    for step in Step::ALL {
        for bits in 0u8..32 {
            let grouping = Grouping {
                by_product: bits & 1 > 0,
                by_application: bits & 2 > 0,
                by_credential: bits & 4 > 0,
                by_route: bits & 8 > 0,
                by_status_class: bits & 16 > 0,
            };
            let mut expected: BTreeMap<_, Totals> = BTreeMap::new();
            for count in &all {
                let group = (
                    grouping.by_product.then(|| count.product_id.clone()),
                    grouping.by_application.then(|| count.application_id.clone()),
                    grouping.by_credential.then(|| count.credential_id.clone()),
                    grouping.by_route.then(|| count.route_id.clone()),
                    grouping.by_status_class.then_some(count.status_class),
                );
                let at = step.start(step.number(count.minute));
                expected.entry((at, group)).or_default().add(&count.totals);
            }
            let told: BTreeMap<_, Totals> = points(&app, span, Some(step), grouping)
                .await
                .into_iter()
                .map(|point| {
                    let group = point.group;
                    let group = (
                        group.product_id,
                        group.application_id,
                        group.credential_id,
                        group.route_id,
                        group.status_class,
                    );
                    ((point.at, group), point.totals)
                })
                .collect();
            assert_eq!(told, expected, "{step:?} {grouping:?}");
        }
    }
    // Percentiles of everything, after many sums, are those of all times together.
    let mut whole = Totals::default();
    all.iter().for_each(|count| whole.add(&count.totals));
    let told = points(&app, span, None, Grouping::default()).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].totals, whole);
}

#[tokio::test]
async fn what_is_older_than_is_kept_goes_and_the_rest_stays() {
    let f = Forecourt::start_with(|settings| {
        settings.usage.minutes_kept_days = 1;
        settings.usage.hours_kept_days = 10;
        settings.usage.days_kept_days = 100;
    })
    .await;
    let (app, id) = (f.app(), application(&f, "ada").await);
    let day = 86_400;
    let counts = [0, 5, 50, 500].map(|days| count(&id, HOUR - days * day, 200, &[5])).to_vec();
    deliver(&app, "nod_a", 1, counts).await;
    let kept = async |step| {
        let mut days = Vec::new();
        for ago in [0, 5, 50, 500] {
            let span = (HOUR - ago * day, HOUR - ago * day);
            if !points(&app, span, Some(step), Grouping::default()).await.is_empty() {
                days.push(ago);
            }
        }
        days
    };
    assert_eq!(kept(Step::Minute).await, [0], "what is too old is not even written");
    assert_eq!(kept(Step::Hour).await, [0, 5]);
    assert_eq!(kept(Step::Day).await, [0, 5, 50]);
    f.advance(std::time::Duration::from_secs(20 * 86_400));
    while usage::prune(&app).await.unwrap() {}
    assert_eq!(kept(Step::Minute).await, [0; 0]);
    assert_eq!(kept(Step::Hour).await, [0; 0]);
    assert_eq!(kept(Step::Day).await, [0, 5, 50]);
    f.advance(std::time::Duration::from_secs(400 * 86_400));
    while usage::prune(&app).await.unwrap() {}
    assert_eq!(kept(Step::Day).await, [0; 0]);
    // New calls of a series that was taken away are counted again.
    let now = f.clock().now().seconds();
    deliver(&app, "nod_a", 2, vec![count(&id, now, 200, &[5])]).await;
    let told = points(&app, (now, now), Some(Step::Day), Grouping::default()).await;
    assert_eq!(told[0].totals.calls, 1);
}

#[tokio::test]
async fn a_piece_that_cannot_be_read_loses_itself_and_holds_up_nothing() {
    let f = Forecourt::start().await;
    let (app, id) = (f.app(), application(&f, "ada").await);
    let store = Store::open(&location(f.database())).await.unwrap();
    let tx = store.begin().await.unwrap();
    tx.deliver_usage(3, "[{]".into()).await.unwrap();
    tx.commit(f.clock().now()).await.unwrap();
    deliver(&app, "nod_a", 1, vec![count(&id, HOUR, 200, &[5])]).await;
    assert_eq!(calls(&app).await, 1);
    assert!(store.read().is_usage_inbox_empty().await.unwrap());
}

/// On SQLite the same is shown beside the migrations.
#[tokio::test]
async fn on_postgresql_hours_counted_by_an_earlier_version_are_moved() {
    let database = TestDatabase::new();
    let Location::Postgres(url) = location(&database) else { return };
    drop(Store::open(&location(&database)).await.unwrap());
    let run = |statements: Vec<String>| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || {
            statements.iter().for_each(|statement| {
                postgres::query(&url, statement).unwrap();
            });
        })
    };
    let mut earlier: Vec<String> = ["usage_chunks", "usage_series", "usage_inbox", "usage_names"]
        .iter()
        .map(|table| format!("DROP TABLE {table}"))
        .collect();
    earlier.push("DELETE FROM seaql_migrations WHERE version = '0006_usage'".to_owned());
    earlier.push(format!(
        "INSERT INTO usage_hours VALUES ('prd_1', 'app_1', 'crd_1', {}, 'prt_1', 'dev_1', 'It''s \"Orders\"', 42)",
        HOUR * 1_000_000
    ));
    run(earlier).await.unwrap();
    let store = Store::open(&location(&database)).await.unwrap();
    let pieces = store.read().usage_inbox(10).await.unwrap();
    let counts: Vec<UsageCount> = serde_json::from_str(&pieces[0].body).unwrap();
    assert_eq!((pieces.len(), counts[0].totals.calls, counts[0].minute.seconds()), (1, 42, HOUR));
    let ids = ["prd_1".to_owned()];
    let names = store.read().usage_names(forecourt_store::NamedInUsage::Product, &ids).await.unwrap();
    assert_eq!(names["prd_1"], "It's \"Orders\"");
}
