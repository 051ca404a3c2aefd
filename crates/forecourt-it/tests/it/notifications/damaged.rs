//! Rows that cannot be read hold up nobody else's messages.

use forecourt_it::{
    Client, Forecourt, HookAnswer, TestDatabase, Webhook,
    consistency::{Row, Snapshot, copied_with},
    deadlines::eventually,
    installations::{ADMIN_PASSWORD, text},
};
use forecourt_store::Cell;
use serde_json::{Value, json};

use super::{DELIVERIES, asks, telling};

/// More than are looked at at once.
const MANY: usize = 25;

async fn hook(f: &Forecourt, name: &str, webhook: &Webhook) -> String {
    let body = json!({ "name": name, "type": "webhook", "url": webhook.url() });
    text(&f.admin().await.post("/api/contact_points", body).await.expect(200)["value"]["id"])
}

fn set(rows: &mut Snapshot, (table, id): (&str, &str), column: &str, value: &str) {
    let row = rows.rows_mut(table).iter_mut().find(|row| row.text("id") == id).unwrap();
    row.set(column, Cell::Text(value.into()));
}

/// The notice of `approval` so many times, each older than every other notice.
fn repeated(rows: &mut Snapshot, approval: &str) {
    let notices = rows.rows_mut("notices");
    let found = notices.iter().find(|row| row.text("body").contains(approval)).unwrap().clone();
    let event = found.text("event_id").to_owned();
    notices.extend((1..MANY).map(|number| {
        let mut copy: Row = found.clone();
        let own = format!("{event}{number}");
        copy.set("body", Cell::Text(found.text("body").replace(&event, &own)));
        copy.set("event_id", Cell::Text(own));
        copy.set("created_at", Cell::Integer(number.try_into().unwrap()));
        copy
    }));
}

async fn list(admin: &Client, path: &str) -> Vec<Value> {
    admin.get(path).await.expect(200)["list"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_holds_up_what_is_about_it_alone() {
    let f = Forecourt::start_with(|settings| settings.background.outgoing = false).await;
    let (webhook, unknown) = (Webhook::start().await, Webhook::start().await);
    let (good, bad) = (hook(&f, "Chat", &webhook).await, hook(&f, "Pager", &unknown).await);
    let product = telling(&f, "webhook", &[&bad, &good]).await;
    f.developer("bob").await.application("mobile").await.request(&product).await;
    let approvals = list(f.admin().await, "/api/approvals").await;
    let broken = text(&approvals[0]["id"]);
    asks(&f, &product).await;

    let copy = TestDatabase::new();
    std::fs::copy(f.database().folder().join("master.key"), copy.folder().join("master.key")).unwrap();
    copied_with(&f.database().location(), &copy.location(), |rows| {
        set(rows, ("contact_points", &bad), "signing", "{");
        set(rows, ("approvals", &broken), "event", "of another version");
        repeated(rows, &broken);
    })
    .await;
    drop(f);

    let f = Forecourt::start_on(copy, |_| ()).await;
    // The notices of the approval that cannot be read come first, and as many as are looked at at once.
    let calls = webhook.has_heard(1).await;
    assert_eq!(calls.len(), 1);
    let admin = f.guest().with_basic("admin", ADMIN_PASSWORD);
    let failing = eventually("the one that cannot be read is tried", || async {
        let found = list(&admin, &format!("{DELIVERIES}?state=waiting")).await;
        found.into_iter().find(|delivery| delivery["last_error"].is_string())
    })
    .await;
    assert_eq!(failing["contact_point_id"], json!(bad), "{failing}");
    assert!(text(&failing["last_error"]).contains("cannot be read"), "{failing}");
    assert_eq!(list(&admin, &format!("{DELIVERIES}?state=delivered")).await.len(), 1);
    assert!(unknown.arrived().is_empty());
    let left = Snapshot::of(&f.database().location()).await.rows("notices").len();
    assert_eq!(left, MANY, "what is about the approval waits until it can be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clock_that_was_ahead_put_off_for_years_is_tried_after_the_start() {
    let f = Forecourt::start().await;
    let webhook = Webhook::start().await;
    webhook.answers(HookAnswer::Status(500));
    let id = hook(&f, "Chat", &webhook).await;
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    webhook.has_heard(1).await;
    let copy = eventually("the failure is written down", || async {
        let snapshot = Snapshot::of(&f.database().location()).await;
        snapshot
            .rows("deliveries")
            .iter()
            .any(|row| !row.text("last_error").is_empty())
            .then(TestDatabase::new)
    })
    .await;
    std::fs::copy(f.database().folder().join("master.key"), copy.folder().join("master.key")).unwrap();
    copied_with(&f.database().location(), &copy.location(), |rows| {
        for row in rows.rows_mut("deliveries").iter_mut() {
            let due = row.number("next_attempt_at").unwrap();
            row.set("next_attempt_at", Cell::Integer(due + 10 * 365 * 86_400 * 1_000_000));
        }
    })
    .await;
    drop(f);
    webhook.answers(HookAnswer::Status(200));
    let _f = Forecourt::start_on(copy, |_| ()).await;
    let calls = webhook.has_heard(2).await;
    assert_eq!(calls[0].headers["webhook-id"], calls[1].headers["webhook-id"]);
}
