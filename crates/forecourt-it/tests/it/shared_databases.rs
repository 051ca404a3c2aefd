//! Several processes on one PostgreSQL database, and one whose database is in trouble while calls come in.
//!
//! SQLite has neither: its file is one process's. There these stories have nothing to tell.
//!
//! They block their thread while a process starts, so the installation within this one needs threads of its own: a
//! write that stood still in between would keep the writers' lock from the process that starts.

use std::time::{Duration, Instant};

use forecourt_it::{
    Forecourt, ForecourtProcess, TestDatabase, WriteStorm, consistency::assert_none, deadlines::eventually,
    postgres,
};
use serde_json::json;

/// How long a change may take to a gateway that is connected.
const PROMISED: Duration = Duration::from_secs(1);
/// How often it is measured. A machine that pauses once or twice does not fail the story: the median counts.
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_another_process_is_in_force_within_a_second() {
    let f = Forecourt::start().await;
    if !f.database().is_postgres() {
        return;
    }
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let other = ForecourtProcess::serve(f.database());
    let mut taken = Vec::new();
    for _ in 0..ROUNDS {
        let key = application.key("prod").await;
        let caller = other.client("gateway").with("apikey", &key.key);
        let status_becomes = async |expected: u16| {
            eventually(&format!("the other gateway answers {expected}"), || async {
                (caller.get(&orders.path).await.status == expected).then_some(())
            })
            .await;
        };
        status_becomes(200).await;
        let path = format!("/api/applications/{}/credentials/{}", application.id, key.id);
        application.api.delete(&path).await.expect(204);
        let begun = Instant::now();
        status_becomes(401).await;
        taken.push(begun.elapsed());
    }
    taken.sort();
    assert!(taken[ROUNDS / 2] <= PROMISED, "{taken:?}");
    assert_eq!(other.stop("TERM").status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_data_folder_keep_their_counts_of_quotas_apart() {
    let f = Forecourt::start().await;
    if !f.database().is_postgres() {
        return;
    }
    let orders = f.product("Orders").await;
    let limits = json!([{ "count": 9, "window_seconds": 86_400 }]);
    let plan = json!({ "api_product_id": orders.id, "name": "Bronze", "limits": limits });
    f.admin().await.post("/api/forecourt/plans", plan).await.expect(200);
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let other = ForecourtProcess::serve(f.database());
    other.client("gateway").with("apikey", &key.key).get(&orders.path).await.expect(200);
    assert_eq!(other.stop("TERM").status.code(), Some(0));
    let file = |folder: &str| f.database().folder().join(folder).join("quotas.json");
    let kept = std::fs::read_to_string(file("gateway-2/limits")).unwrap();
    assert!(kept.contains("\"used\":1"), "{kept}");
    assert!(!file("limits").exists(), "the first process has counted nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_change_log_cannot_be_read_goes_on_with_what_it_knows() {
    let f = Forecourt::start().await;
    if !f.database().is_postgres() {
        return;
    }
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let other = ForecourtProcess::serve(f.database());
    let guest = other.client("gateway");
    let caller = guest.with("apikey", &key.key);
    caller.get(&orders.path).await.expect(200);

    let database = f.database().url();
    postgres::query(&database, "ALTER TABLE revision_counter RENAME TO out_of_reach").unwrap();
    // For longer than it takes to look at the log again, as what the process says in the end shows.
    let begun = Instant::now();
    while begun.elapsed() < 2 * PROMISED {
        caller.get(&orders.path).await.expect(200);
        guest.get(&orders.path).await.expect(401);
        guest.with("apikey", "wrong").get(&orders.path).await.expect(401);
    }
    postgres::query(&database, "ALTER TABLE out_of_reach RENAME TO revision_counter").unwrap();

    application.unsubscribe(&orders).await;
    eventually("the other gateway follows again", || async {
        (caller.get(&orders.path).await.status == 401).then_some(())
    })
    .await;
    let ended = other.stop("TERM");
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let said = "the change log cannot be read; the gateway goes on with what it knows";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

/// What a database says that lost its last commits: the counter and the marks of an earlier moment, and rows as new
/// commits made them since.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_went_back_under_a_running_gateway_is_noticed_and_believed() {
    let f = Forecourt::start().await;
    if !f.database().is_postgres() {
        return;
    }
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let other = ForecourtProcess::serve(f.database());
    let caller = other.client("gateway").with("apikey", &key.key);
    caller.get(&orders.path).await.expect(200);

    let latest = "(SELECT value FROM revision_counter WHERE id = 1)";
    let back = format!(
        "UPDATE revision_counter SET value = value - 3 WHERE id = 1; \
         DELETE FROM revisions WHERE revision > {latest}; \
         UPDATE gateway_resources SET revision = {latest} WHERE revision > {latest}"
    );
    postgres::query(&f.database().url(), &back).unwrap();
    // Its revision is one that the gateway believes to have.
    let path = format!("/api/applications/{}/credentials/{}", application.id, key.id);
    application.api.delete(&path).await.expect(204);
    eventually("the revoked key is refused", || async {
        (caller.get(&orders.path).await.status == 401).then_some(())
    })
    .await;
    let ended = other.stop("TERM");
    assert!(ended.stderr.contains("the database is not where it was"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_may_be_killed_at_any_time_and_nothing_is_lost() {
    let database = TestDatabase::new();
    if !database.is_postgres() {
        return;
    }
    let mut storm = WriteStorm::start(&database, 2, 21).await;
    storm.write(4);
    for round in 0..4 {
        let more = 10 + storm.below(20);
        storm.acknowledges(more).await;
        storm.kill(round % 2);
        // The other one goes on alone.
        storm.acknowledges(5).await;
        storm.revive(&database, round % 2).await;
    }
    let (told, violations) = storm.violations_once_told(&database).await;
    assert_none(&violations, "in the end");
    let noted = storm.noted();
    assert!(noted.strange.is_empty(), "{:#?}", noted.strange);
    assert!(told.deliveries > 0, "nobody was told of anything");
}
