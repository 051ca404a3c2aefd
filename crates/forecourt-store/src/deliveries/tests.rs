//! Deliveries and notices in a real database: rows that cannot be read, and removing what is old.

use forecourt_core::{
    contact_points::ContactType,
    deliveries::{Delivery, DeliveryBacklog, DeliveryFilter, DeliveryState},
    ids::{ContactPointId, DeliveryId, EventId, PortalId},
    notices::{Notice, NoticeEvent},
    time::Timestamp,
};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use crate::{Location, Store};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

async fn opened() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap(), folder)
}

fn delivery(id: &str, state: DeliveryState) -> Delivery {
    Delivery {
        id: DeliveryId::known(id),
        event: NoticeEvent::SubscriptionRequested,
        event_id: EventId::known(id),
        portal_id: PortalId::known("prt_1"),
        approval_id: None,
        contact_point_id: Some(ContactPointId::known("ctp_1")),
        contact_point_name: "Hook".into(),
        contact_type: ContactType::Webhook,
        address: String::new(),
        subject: String::new(),
        content: "{}".into(),
        link: None,
        state,
        attempts: 0,
        begun_after: 0,
        begun_at: NOW,
        last_error: String::new(),
        next_attempt_at: (state == DeliveryState::Waiting).then_some(NOW),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn notice(id: &str) -> Notice {
    Notice {
        event_id: EventId::known(id),
        event: NoticeEvent::SubscriptionRequested,
        portal_id: PortalId::known("prt_1"),
        approval_id: None,
        applicant_name: "Ada".into(),
        resource_name: "Orders".into(),
        applied_at: NOW,
        reason: String::new(),
        rules: Vec::new(),
        developer_address: None,
        person_id: None,
        at: NOW,
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_up_no_other_and_stays() {
    let (store, _folder) = opened().await;
    let tx = store.begin().await.unwrap();
    let ids: Vec<_> = (1..=5).map(|number| format!("row_{number}")).collect();
    let deliveries: Vec<_> = ids.iter().map(|id| delivery(id, DeliveryState::Waiting)).collect();
    tx.insert_deliveries(&deliveries).await.unwrap();
    for id in &ids {
        tx.insert_notice(&notice(id)).await.unwrap();
    }
    tx.commit(NOW).await.unwrap();
    let damaged = "('row_1', 'row_2', 'row_4')";
    for sql in [
        format!("UPDATE deliveries SET event = 'of_a_later_version' WHERE id IN {damaged}"),
        format!("UPDATE notices SET body = '{{' WHERE event_id IN {damaged}"),
    ] {
        store.writer().execute_unprepared(&sql).await.unwrap();
    }
    // However few are asked for, they are found behind the others.
    let one = store.read().due_deliveries(NOW, &[], 1).await.unwrap();
    assert_eq!(one.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["row_3"]);
    let all = store.read().due_deliveries(NOW, &[], 10).await.unwrap();
    assert_eq!(all.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["row_3", "row_5"]);
    let unreadable: Vec<_> = all.unreadable.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(unreadable, ["row_1", "row_2", "row_4"]);
    let one = store.read().notices(1).await.unwrap();
    assert_eq!(one.rows.iter().map(|row| row.event_id.as_str()).collect::<Vec<_>>(), ["row_3"]);
    let all = store.read().notices(10).await.unwrap();
    assert_eq!((all.rows.len(), all.unreadable.len()), (2, 3));
}

#[tokio::test]
async fn as_many_deliveries_begin_anew_as_are_counted_before() {
    let (store, _folder) = opened().await;
    let of_verification = NoticeEvent::VerificationAsked;
    let with_link = Delivery { event: of_verification, ..delivery("dlv_4", DeliveryState::Dead) };
    let rows = [
        delivery("dlv_1", DeliveryState::Dead),
        delivery("dlv_2", DeliveryState::Delivered),
        delivery("dlv_3", DeliveryState::Waiting),
        with_link,
    ];
    let tx = store.begin().await.unwrap();
    tx.insert_deliveries(&rows).await.unwrap();
    tx.commit(NOW).await.unwrap();
    for (state, event, expected) in [
        (DeliveryState::Skipped, None, 0),
        (DeliveryState::Waiting, None, 0),
        (DeliveryState::Delivered, None, 1),
        (DeliveryState::Dead, None, 1),
        (DeliveryState::Dead, Some(of_verification), 1),
        (DeliveryState::Dead, Some(of_verification), 0),
    ] {
        let filter = DeliveryFilter { state: Some(state), event, ..DeliveryFilter::default() };
        let counted = store.read().deliveries_to_begin_anew(&filter).await.unwrap();
        let tx = store.begin().await.unwrap();
        let begun = tx.begin_deliveries_anew(&filter, NOW).await.unwrap();
        tx.commit(NOW).await.unwrap();
        assert_eq!((counted, begun), (expected, expected), "{state:?} {event:?}");
    }
}

#[tokio::test]
async fn what_ended_long_ago_is_removed_some_at_a_time() {
    let (store, _folder) = opened().await;
    let tx = store.begin().await.unwrap();
    let ended: Vec<_> =
        (1..=5).map(|number| delivery(&format!("dlv_{number}"), DeliveryState::Dead)).collect();
    tx.insert_deliveries(&ended).await.unwrap();
    tx.insert_deliveries(&[delivery("dlv_6", DeliveryState::Waiting)]).await.unwrap();
    tx.commit(NOW).await.unwrap();
    let later = NOW.plus_seconds(1);
    for (before, expected) in [(NOW, 0), (later, 2), (later, 2), (later, 1), (later, 0)] {
        let tx = store.begin().await.unwrap();
        assert_eq!(tx.delete_ended_deliveries(before, 2).await.unwrap(), expected);
        tx.commit(NOW).await.unwrap();
    }
    assert!(store.read().delivery(&DeliveryId::known("dlv_6")).await.unwrap().is_some());
}

#[tokio::test]
async fn the_backlog_tells_what_waits_what_was_given_up_and_what_is_due_longest() {
    let (store, _folder) = opened().await;
    let backlog = async |now| store.read().delivery_backlog(now).await.unwrap();
    assert_eq!(backlog(NOW).await, DeliveryBacklog::default());
    let due_at = |id: &str, seconds: i64| Delivery {
        next_attempt_at: Some(NOW.plus_seconds(seconds)),
        ..delivery(id, DeliveryState::Waiting)
    };
    let mut all = vec![due_at("dlv_1", -5), due_at("dlv_2", -7), due_at("dlv_3", 60)];
    all.push(delivery("dlv_4", DeliveryState::Delivered));
    all.extend((5..1_006).map(|number| delivery(&format!("dlv_{number}"), DeliveryState::Dead)));
    let tx = store.begin().await.unwrap();
    tx.insert_deliveries(&all).await.unwrap();
    tx.commit(NOW).await.unwrap();
    let due_since = Some(NOW.plus_seconds(-7));
    assert_eq!(backlog(NOW).await, DeliveryBacklog { waiting: 3, dead: 1_000, due_since });
    assert_eq!(backlog(NOW.plus_seconds(-10)).await.due_since, None);
    // What no delivery was made of yet is due as well.
    let tx = store.begin().await.unwrap();
    tx.insert_notice(&Notice { at: NOW.plus_seconds(-9), ..notice("evt_1") }).await.unwrap();
    tx.commit(NOW).await.unwrap();
    assert_eq!(backlog(NOW).await.due_since, Some(NOW.plus_seconds(-9)));
}
