//! When a delivery is tried again, and when it is given up.

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn delivery() -> Delivery {
    Delivery {
        id: DeliveryId::known("dlv_1"),
        event: NoticeEvent::SubscriptionRequested,
        event_id: EventId::known("evt_1"),
        portal_id: PortalId::known("prt_1"),
        approval_id: None,
        contact_point_id: Some(ContactPointId::known("ctp_1")),
        contact_point_name: "Operations".into(),
        contact_type: ContactType::Email,
        address: "ops@example.com".into(),
        subject: "Subject".into(),
        content: "Content".into(),
        link: None,
        state: DeliveryState::Waiting,
        attempts: 0,
        begun_after: 0,
        begun_at: NOW,
        last_error: String::new(),
        next_attempt_at: Some(NOW),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// The pauses until it is given up, and the delivery then.
fn tried_in_vain(mut delivery: Delivery, failure: &Failure, chance: u16) -> (Vec<i64>, Delivery) {
    let mut pauses = Vec::new();
    while let Some(now) = delivery.next_attempt_at {
        delivery = delivery.leased(now, 60).failed(failure, chance, now);
        pauses.extend(delivery.next_attempt_at.map(|next| next.seconds() - now.seconds()));
    }
    (pauses, delivery)
}

#[test]
fn pauses_double_up_to_twelve_hours_and_it_is_given_up_after_five_days() {
    let (pauses, dead) = tried_in_vain(delivery(), &Failure::later("away"), 500);
    assert_eq!(pauses[..6], [10, 20, 40, 80, 160, 320]);
    assert_eq!(pauses.last(), Some(&43_200));
    assert_eq!(dead.state, DeliveryState::Dead);
    assert_eq!(dead.last_error, "away");
    let total: i64 = pauses.iter().sum();
    assert!((4 * 86_400..=5 * 86_400).contains(&total), "{total}");
    assert_eq!(dead.attempts, i64::try_from(pauses.len()).unwrap() + 1);
}

#[test]
fn chance_moves_a_pause_by_a_fifth_at_most() {
    let pause = |chance| {
        let mut delivery = Delivery { attempts: 9, ..delivery() }.leased(NOW, 60);
        delivery = delivery.failed(&Failure::later("away"), chance, NOW);
        delivery.next_attempt_at.unwrap().seconds() - NOW.seconds()
    };
    assert_eq!((pause(0), pause(500), pause(999)), (4_096, 5_120, 6_138));
    assert_eq!(pause(u16::MAX), pause(999));
}

#[test]
fn a_pause_that_the_recipient_asks_for_is_kept_where_it_is_longer_and_sane() {
    let next = |seconds| {
        let asked = Failure { outlook: Outlook::Later(Some(seconds)), ..Failure::later("busy") };
        let failed = delivery().leased(NOW, 60).failed(&asked, 500, NOW);
        failed.next_attempt_at.unwrap().seconds() - NOW.seconds()
    };
    assert_eq!(next(3), 10, "shorter than ours");
    assert_eq!(next(700), 700);
    assert_eq!(next(-5), 10);
    assert_eq!(next(i64::MAX), 86_400, "at most a day");
}

#[test]
fn a_refusal_for_good_is_not_tried_again() {
    let bounced = delivery().leased(NOW, 60).failed(&Failure::never("no such mailbox"), 0, NOW);
    assert_eq!((bounced.state, bounced.next_attempt_at), (DeliveryState::Dead, None));
    let off = Failure { outlook: Outlook::Skip, ..Failure::later("no mail is sent") };
    assert_eq!(delivery().leased(NOW, 60).failed(&off, 0, NOW).state, DeliveryState::Skipped);
}

#[test]
fn one_that_ended_is_begun_anew_with_short_pauses_and_five_more_days() {
    assert_eq!(delivery().again(NOW), Err(DeliveryRefusal::StillWaiting));
    let (_, dead) = tried_in_vain(delivery(), &Failure::later("away"), 500);
    let later = NOW.plus_seconds(100 * 86_400);
    let tried = dead.attempts;
    let (pauses, dead) = tried_in_vain(dead.again(later).unwrap(), &Failure::later("away"), 500);
    assert_eq!(pauses[..3], [10, 20, 40]);
    assert_eq!(dead.attempts, tried * 2, "the log goes on");
}

#[test]
fn a_lease_keeps_others_off_for_a_while() {
    let leased = delivery().leased(NOW, 60);
    assert_eq!((leased.attempts, leased.next_attempt_at), (1, Some(NOW.plus_seconds(60))));
    assert_eq!(leased.state, DeliveryState::Waiting);
}

#[test]
fn long_errors_are_cut_between_characters() {
    let failed = delivery().leased(NOW, 60).failed(&Failure::later("ä".repeat(10_000)), 0, NOW);
    assert_eq!(failed.last_error.chars().count(), ERROR);
}

#[test]
fn what_a_server_says_is_kept_without_what_no_database_takes() {
    let said = Failure::later("550 no\0 such\r\nmailbox \u{9b}1m");
    let failed = delivery().leased(NOW, 60).failed(&said, 0, NOW);
    assert_eq!(failed.last_error, "550 no  such  mailbox  1m");
    assert_eq!(said.kept(), failed.last_error);
}

#[test]
fn a_webhook_has_a_lane_of_its_own_and_mail_shares_one() {
    let webhook = Delivery { contact_type: ContactType::Webhook, ..delivery() };
    assert_eq!((webhook.lane(), webhook.recipient()), ("ctp_1".into(), "webhook:ctp_1".into()));
    assert_eq!((delivery().lane(), delivery().recipient()), ("mail".into(), "email:ops@example.com".into()));
    let developer = Delivery { contact_point_id: None, ..delivery() };
    assert_eq!(
        (developer.lane(), developer.recipient()),
        ("mail".into(), "developer:ops@example.com".into())
    );
}

#[test]
fn what_is_sent_again_is_named_by_state_and_time() {
    let filter = DeliveryFilter {
        state: Some(DeliveryState::Dead),
        start_at: Some(NOW),
        end_at: Some(NOW.plus_seconds(1)),
        ..DeliveryFilter::default()
    };
    assert!(filter.clone().checked_for_resending().is_ok());
    for (wrong, field) in [
        (DeliveryFilter { state: None, ..filter.clone() }, "state"),
        (DeliveryFilter { start_at: None, ..filter.clone() }, "start_at"),
        (DeliveryFilter { end_at: None, ..filter.clone() }, "end_at"),
        (DeliveryFilter { end_at: Some(NOW), ..filter.clone() }, "end_at"),
    ] {
        match wrong.checked_for_resending() {
            Err(DeliveryRefusal::Invalid(invalid)) => assert_eq!(invalid.field, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let waiting = DeliveryFilter { state: Some(DeliveryState::Waiting), ..filter };
    assert_eq!(waiting.checked_for_resending(), Err(DeliveryRefusal::StillWaiting));
}
