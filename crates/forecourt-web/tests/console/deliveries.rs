//! Deliveries in the console: sending those of a time again, which is asked first.

use axum::http::StatusCode;
use forecourt_core::{
    contact_points::ContactType,
    deliveries::{Delivery, DeliveryFilter, DeliveryState},
    ids::{ContactPointId, DeliveryId, EventId, PortalId},
    lists::Direction,
    notices::NoticeEvent,
    time::Timestamp,
};

use crate::{
    browsers::{Browser, Page},
    installations::Installation,
};

/// 7 August 2026, where the clock begins.
const START: Timestamp = Timestamp::from_seconds(1_786_060_800);
const DAY: i64 = 86_400;
const RESEND: &str = "/settings/deliveries/resend";

/// An installation with the contact points *Hook* and *Team*, of whose deliveries some were given up, each at another time.
struct Scene {
    installation: Installation,
    browser: Browser,
    hook: String,
}

impl Scene {
    async fn set() -> Self {
        let installation = Installation::start().await;
        let mut browser = installation.signed_in().await;
        let hook = contact_point(&mut browser, "Hook").await;
        let team = contact_point(&mut browser, "Team").await;
        let rows = [
            given_up("dlv_1", &hook, START.plus_seconds(-3 * DAY)),
            given_up("dlv_2", &hook, START.plus_seconds(-2 * DAY)),
            given_up("dlv_3", &team, START.plus_seconds(-2 * DAY)),
            given_up("dlv_4", &hook, START.plus_seconds(-DAY)),
        ];
        let store = installation.store().await;
        let tx = store.begin().await.unwrap();
        tx.insert_deliveries(&rows).await.unwrap();
        tx.commit(START).await.unwrap();
        Self { installation, browser, hook }
    }

    /// The ids of those that wait to be sent, the oldest first.
    async fn waiting(&self) -> Vec<String> {
        let filter = DeliveryFilter {
            state: Some(DeliveryState::Waiting),
            direction: Direction::Ascending,
            ..DeliveryFilter::default()
        };
        let store = self.installation.store().await;
        let found = store.read().deliveries(&filter).await.unwrap();
        found.rows.iter().map(|row| row.id.to_string()).collect()
    }

    /// The question for those of `contact_point` that were given up between these times.
    async fn asks(&mut self, contact_point: &str, start_at: &str, end_at: &str) -> Page {
        self.browser.get(&question(contact_point, start_at, end_at)).await
    }
}

fn question(contact_point: &str, start_at: &str, end_at: &str) -> String {
    format!("{RESEND}?state=dead&contact_point={contact_point}&start_at={start_at}&end_at={end_at}")
}

/// Makes a contact point and tells its id.
async fn contact_point(browser: &mut Browser, name: &str) -> String {
    let (list, new) = ("/settings/contact-points", "/settings/contact-points/new");
    browser.get(new).await;
    let fields = [("name", name), ("type", "email"), ("addresses", "ops@example.com")];
    assert_eq!(browser.post(new, &fields).await.location(), list);
    let listed = browser.get(list).await;
    let row = listed.html.split("<tr>").find(|row| row.contains(&format!(">{name}<"))).unwrap();
    let id = row.split('/').find(|part| part.starts_with("ctp_")).unwrap();
    id.split('"').next().unwrap().to_owned()
}

fn given_up(id: &str, contact_point: &str, at: Timestamp) -> Delivery {
    Delivery {
        id: DeliveryId::known(id),
        event: NoticeEvent::SubscriptionRequested,
        event_id: EventId::known(id),
        portal_id: PortalId::known("prt_1"),
        approval_id: None,
        contact_point_id: Some(ContactPointId::known(contact_point)),
        contact_point_name: "Once called so".to_owned(),
        contact_type: ContactType::Webhook,
        address: String::new(),
        subject: String::new(),
        content: "{}".to_owned(),
        link: None,
        state: DeliveryState::Dead,
        attempts: 2,
        begun_after: 0,
        begun_at: at,
        last_error: "the webhook answered 500 Internal Server Error".to_owned(),
        next_attempt_at: None,
        created_at: at,
        updated_at: at,
    }
}

#[tokio::test]
async fn deliveries_of_a_time_and_a_contact_point_are_counted_before_they_are_sent_again() {
    let mut scene = Scene::set().await;
    let list = scene.browser.get("/settings/deliveries?state=dead").await;
    for offered in ["value=\"2026-08-06T00:00\"", "value=\"2026-08-07T00:01\"", ">Hook<", ">Team<", "(UTC)"] {
        assert!(list.html.contains(offered), "{offered}: {}", list.main());
    }
    let hook = scene.hook.clone();
    let (start, end) = ("2026-08-04T00:01", "2026-08-06T00:01");
    let asked = scene.asks(&hook, start, end).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.main());
    for part in ["2 deliveries are sent again", "to Hook", "4 Aug 2026, 00:01 UTC", "6 Aug 2026, 00:01 UTC"] {
        assert!(asked.html.contains(part), "{part}: {}", asked.main());
    }
    assert!(scene.waiting().await.is_empty(), "a question sends nothing");
    let done = scene.browser.post(&question(&hook, start, end), &[]).await;
    let back = format!("/settings/deliveries?state=dead&contact_point={hook}");
    assert_eq!(done.location(), back);
    assert_eq!(scene.waiting().await, ["dlv_2", "dlv_4"]);
    assert!(scene.browser.get(&back).await.html.contains("2 deliveries are sent again."));
    let everybody = scene.asks("", "2026-08-01T00:00", "2026-08-07T00:00").await;
    assert!(everybody.html.contains("2 deliveries are sent again"), "{}", everybody.main());
}

#[tokio::test]
async fn what_is_wrong_with_a_time_stands_beside_its_field_and_what_was_typed_is_kept() {
    let mut scene = Scene::set().await;
    let hook = scene.hook.clone();
    let right = "2026-08-05T00:00";
    for (start, end, wrong) in [
        ("nonsense", right, vec!["start_at"]),
        ("", "2026-08-05", vec!["start_at", "end_at"]),
        (right, right, vec!["end_at"]),
        (right, "2026-08-04T00:00", vec!["end_at"]),
    ] {
        let asked = scene.asks(&hook, start, end).await;
        let sent = scene.browser.post(&question(&hook, start, end), &[]).await;
        for refused in [asked, sent] {
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{start} {end}");
            for name in ["start_at", "end_at", "contact_point"] {
                let has_error = refused.html.contains(&format!("id=\"{name}-error\""));
                assert_eq!(has_error, wrong.contains(&name), "{start} {end}: {}", refused.main());
            }
            let kept = format!("value=\"{hook}\" selected");
            for kept in [format!("value=\"{start}\""), format!("value=\"{end}\""), kept] {
                assert!(refused.html.contains(&kept), "{kept}: {}", refused.main());
            }
        }
    }
    let none = scene.asks(&hook, "2026-07-01T00:00", "2026-07-02T00:00").await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.html.contains("Nothing of this time can be sent again"), "{}", none.main());
    let unknown = scene.asks("%20", right, "2026-08-06T00:00").await;
    assert!(unknown.html.contains("id=\"contact_point-error\""), "{}", unknown.main());
    let waiting = format!("{RESEND}?state=waiting&start_at={right}&end_at=2026-08-06T00:00");
    assert_eq!(scene.browser.get(&waiting).await.location(), "/settings/deliveries?state=waiting");
    assert!(scene.waiting().await.is_empty());
}

#[tokio::test]
async fn sending_again_is_neither_offered_to_nor_answered_for_whoever_may_only_look() {
    let scene = Scene::set().await;
    let allowed = ["iam:GetContactPoint", "portal:GetPortal"];
    let mut reader = scene.installation.signed_in_with("reader", "<.*>", &allowed).await;
    let list = reader.get("/settings/deliveries?state=dead").await;
    assert!(list.html.contains("dlv_1") && !list.html.contains(RESEND), "{}", list.main());
    let path = question("", "2026-08-01T00:00", "2026-08-07T00:00");
    assert_eq!(reader.get(&path).await.status, StatusCode::FORBIDDEN);
    assert_eq!(reader.post(&path, &[]).await.status, StatusCode::FORBIDDEN);
    assert!(scene.waiting().await.is_empty());
}
