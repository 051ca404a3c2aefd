//! Counting, on one node and shared: exact whatever happens at the same time, and at the edges of windows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use forecourt_core::{
    gateway_state::{PlanLimit, PlanState},
    ids::{PlanId, ProductId},
    time::Timestamp,
};

use super::{Plan, QuotaCount, Subject, application_key, local::Local};
use crate::compact_ids::CompactId;

/// 2026-08-07 00:00:00 UTC, the start of a minute, an hour and a day.
const DAY: i64 = 1_786_060_800;

fn plan(limits: &[(u64, u32)]) -> Arc<Plan> {
    let limits = limits.iter().map(|&(count, window_seconds)| PlanLimit { count, window_seconds }).collect();
    let state = PlanState { id: PlanId::known("pln_1"), name: "Bronze".into(), limits, default: true };
    Plan::compile(&state).unwrap()
}

fn ids(application: &str) -> (CompactId, CompactId) {
    (CompactId::pack("app", application), CompactId::pack("prd", "prd_1"))
}

/// Microseconds after [`DAY`].
fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(DAY * 1_000_000 + micros)
}

/// Whether a call of `app_1` passes, so many microseconds after [`DAY`].
fn passes(local: &Local, plan: &Plan, micros: i64) -> bool {
    let (application, product) = ids("app_1");
    local.count(Subject { application: &application, product: &product }, plan, at(micros)).admitted
}

/// How many of `calls` pass at that moment.
fn passed(local: &Local, plan: &Plan, micros: i64, calls: usize) -> usize {
    (0..calls).filter(|_| passes(local, plan, micros)).count()
}

const SECOND: i64 = 1_000_000;

#[test]
fn of_many_calls_at_the_same_time_exactly_as_many_pass_as_there_is_room_for() {
    let (local, plan) = (Local::default(), plan(&[(1_000, 60), (700, 86_400)]));
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| admitted.fetch_add(passed(&local, &plan, 0, 500), Ordering::Relaxed));
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 700);
    // What the second limit refused is not counted in the first either: a wider quota has the other 300.
    let wider = self::plan(&[(1_000, 60), (100_000, 86_400)]);
    assert_eq!(passed(&local, &wider, 0, 500), 300);
}

#[test]
fn no_interval_of_a_short_windows_length_holds_more_calls_than_its_limit() {
    // Bursts at odd moments for a while; then every interval that begins with a passed call is looked at.
    let (local, plan) = (Local::default(), plan(&[(10, 60)]));
    let mut moments = Vec::new();
    let mut now = 59 * SECOND;
    for step in 0..2_000i64 {
        now += (step * 7_919) % 3_000_000;
        moments.extend((0..3).filter(|_| passes(&local, &plan, now)).map(|_| now));
    }
    assert!(moments.len() > 300, "{}", moments.len());
    for (index, first) in moments.iter().enumerate() {
        let within = moments[index..].iter().take_while(|moment| **moment < first + 60 * SECOND).count();
        assert!(within <= 10, "{within} calls within a minute of {first}");
    }
    // And it is no stricter than it says: room comes back within 1/16 of the window.
    let long = (now - 59 * SECOND) / (60 * SECOND);
    assert!(moments.len() as i64 >= long * 10 * 16 / 17, "{} in {long} minutes", moments.len());
}

#[test]
fn at_the_edge_of_a_window_a_short_limit_lets_no_second_burst_pass_and_a_quota_starts_anew() {
    let (local, short) = (Local::default(), plan(&[(5, 60)]));
    assert_eq!(passed(&local, &short, 59 * SECOND + 999_999, 9), 5);
    assert_eq!(passed(&local, &short, 60 * SECOND, 9), 0);
    assert_eq!(passed(&local, &short, 119 * SECOND, 9), 0);
    assert_eq!(passed(&local, &short, (120 + 4) * SECOND, 9), 5);

    let (local, day) = (Local::default(), plan(&[(5, 86_400)]));
    assert_eq!(passed(&local, &day, 86_400 * SECOND - 1, 9), 5);
    assert_eq!(passed(&local, &day, 86_400 * SECOND, 9), 5);
    assert_eq!(passed(&local, &day, 2 * 86_400 * SECOND - 1, 9), 0);
}

#[test]
fn who_comes_back_when_told_finds_room_and_not_before() {
    for limit in [(3, 1), (3, 60), (3, 3_599), (3, 3_600), (3, 86_400)] {
        let (local, plan) = (Local::default(), plan(&[limit]));
        let (application, product) = ids("app_1");
        let subject = Subject { application: &application, product: &product };
        let start = 1_234_567;
        let rooms: Vec<_> = (0..4).map(|_| local.count(subject, &plan, at(start)).rooms[0]).collect();
        assert_eq!(rooms.iter().map(|room| room.remaining).collect::<Vec<_>>(), [2, 1, 0, 0], "{limit:?}");
        let wait = rooms[3].wait;
        assert!(!local.count(subject, &plan, at(start + wait - 1)).admitted, "{limit:?} after {wait} - 1");
        assert!(local.count(subject, &plan, at(start + wait)).admitted, "{limit:?} after {wait}");
    }
}

#[test]
fn a_changed_plan_goes_on_from_what_was_counted() {
    let local = Local::default();
    assert_eq!(passed(&local, &plan(&[(5, 60)]), 0, 9), 5);
    assert_eq!(passed(&local, &plan(&[(8, 60)]), 0, 9), 3, "more room, and what was counted counts");
    assert_eq!(passed(&local, &plan(&[(4, 60)]), 0, 9), 0, "less room than was used already");
    assert_eq!(passed(&local, &plan(&[(2, 1)]), 0, 9), 2, "another window counts by itself");
    assert_eq!(passed(&local, &plan(&[(8, 60)]), 0, 9), 0, "and going there and back forgets nothing");
}

#[test]
fn a_clock_that_is_set_back_gives_nothing_away_and_stops_nobody_for_long() {
    let (local, plan) = (Local::default(), plan(&[(5, 60)]));
    assert_eq!(passed(&local, &plan, 100 * SECOND, 9), 5);
    assert_eq!(passed(&local, &plan, 90 * SECOND, 9), 0);
    assert_eq!(passed(&local, &plan, -3_600 * SECOND, 9), 5, "an hour back: counting starts anew");
}

#[test]
fn applications_are_counted_apart_and_idle_ones_are_forgotten() {
    let (local, plan) = (Local::default(), plan(&[(1, 60), (2, 3_600)]));
    for round in 0..6 {
        let now = at(round * 2 * 3_600 * SECOND);
        for number in 0..5_000 {
            let (application, product) = ids(&format!("app_{round}_{number}"));
            let subject = Subject { application: &application, product: &product };
            assert!(local.count(subject, &plan, now).admitted);
            assert!(!local.count(subject, &plan, now).admitted);
        }
    }
    assert!(local.len() <= 2 * 5_000 + 64 * 64, "{} of 30000 are left", local.len());
}

#[test]
fn quotas_are_given_to_be_kept_and_taken_back_and_short_windows_are_not() {
    let (local, plan) = (Local::default(), plan(&[(100, 60), (5, 86_400)]));
    assert_eq!(passed(&local, &plan, 0, 3), 3);
    let kept = local.quotas(at(SECOND));
    assert_eq!(kept.len(), 1);
    let window = DAY / 86_400;
    assert_eq!((kept[0].window_seconds, kept[0].window, kept[0].used), (86_400, window, 3));
    assert_eq!(kept[0].application_id.as_str(), "app_1");

    let next = Local::default();
    next.restore(&kept);
    next.restore(&kept);
    assert_eq!(passed(&next, &plan, SECOND, 9), 2);
    next.restore(&kept);
    assert_eq!(passed(&next, &plan, SECOND, 9), 0, "what is counted higher stays");
    // A count of yesterday is worth nothing today, and none of a window that slides is taken.
    let late = Local::default();
    late.restore(&kept);
    assert_eq!(passed(&late, &plan, 86_400 * SECOND, 9), 5);
    assert!(local.quotas(at(86_400 * SECOND)).is_empty());
    let forged = QuotaCount { window_seconds: 60, window: DAY / 60, used: 99, ..kept[0].clone() };
    let fresh = Local::default();
    fresh.restore(&[forged]);
    assert_eq!(fresh.len(), 0);
}

#[test]
fn the_kept_form_of_a_count_is_its_own_json() {
    let count = QuotaCount {
        application_id: forecourt_core::ids::ApplicationId::known("app_1"),
        product_id: ProductId::known("prd_1"),
        window_seconds: 86_400,
        window: 20_672,
        used: 7,
    };
    let json = serde_json::to_string(&count).unwrap();
    assert_eq!(serde_json::from_str::<QuotaCount>(&json).unwrap(), count);
    assert_eq!(application_key(&count.application_id).unpack("app"), "app_1");
}
