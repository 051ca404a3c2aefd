//! Change batches of consumers, plugins and global rules: order, repetition and loss do not matter, and no request
//! sees half a batch. What must hold is computed by a model that knows only the final rows.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use forecourt_core::{
    gateway_state::{ConsumerRestriction, ConsumerState, Kind, PluginsState, Resource},
    time::Timestamp,
};
use forecourt_wire::changes::{Change, ChangeBatch};
use http::{HeaderMap, HeaderValue, Method};
use proptest::{prelude::*, sample::Index};

use super::{
    plugin_rows::{consumer, global_rule, guarded, its_key, key_auth, names, restriction, with_restriction},
    rows::{batch, delete, head, put, service},
};
use crate::{
    plugins::over,
    state::State,
    verify::{Proven, Request, Verdict, verify},
};

const CONSUMERS: [&str; 2] = ["ada", "eve"];
const KEYS: [&str; 3] = ["k0", "k1", "k2"];
const RULES: [&str; 2] = ["1", "2"];

/// `open`, the consumer that passes, or the status of the refusal.
fn outcome(state: &State, shown: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert("apikey", HeaderValue::from_str(shown).unwrap());
    state.consistently(|table| {
        let Some(route) = table.find(&head("any", "/x", &Method::GET, &headers)) else { return "404".into() };
        let now = Timestamp::from_seconds(100);
        let request = Request { method: &Method::GET, headers: &headers, query: None, now };
        match verify(state, table, route, &request, &Proven::default()) {
            Verdict::Permit(permit) => {
                permit.consumer().map_or("open".into(), |identity| identity.consumer.username.to_string())
            }
            Verdict::Reject(reject) => reject.response(|_| ()).status().as_u16().to_string(),
            _ => "a question".into(),
        }
    })
}

type Rows = BTreeMap<(Kind, String), Resource>;

fn final_rows(history: &[Change]) -> Rows {
    let mut rows = Rows::new();
    for change in history {
        let at = (change.kind, change.key.clone());
        match &change.resource {
            Some(resource) => rows.insert(at, resource.clone()),
            None => rows.remove(&at),
        };
    }
    rows
}

/// docs/gateway.md §7, said again in the plainest way, as far as these histories go.
fn expected(rows: &Rows, shown: &str) -> String {
    let Some(Resource::Service(of_service)) = rows.get(&(Kind::Service, "s".into())) else {
        return "404".into();
    };
    let Some(Resource::Route(of_route)) = rows.get(&(Kind::Route, "r".into())) else {
        return "404".into();
    };
    let rules = rows.values().filter_map(|row| match row {
        Resource::GlobalRule(rule) => Some(&rule.plugins),
        _ => None,
    });
    let layers: Vec<_> = rules.chain([&of_service.plugins, &of_route.plugins]).collect();
    let asks_for_key = layers.iter().any(|layer| layer.key_auth.is_some());
    let restriction = layers.iter().rev().find_map(|layer| layer.consumer_restriction.as_ref());
    let key = its_key("c", shown);
    let known = rows.values().find_map(|row| match row {
        Resource::Consumer(row) if asks_for_key && row.credentials.contains(&key) => Some(row),
        _ => None,
    });
    match (known, known.and_then(|known| known.restriction.as_ref()).or(restriction)) {
        (None, _) if asks_for_key => "401".into(),
        (None, Some(_)) => "401".into(),
        (None, None) => "open".into(),
        (Some(known), Some(restriction)) if !whitelists(restriction, known) => "403".into(),
        (Some(known), _) => known.username.clone(),
    }
}

fn whitelists(restriction: &ConsumerRestriction, consumer: &ConsumerState) -> bool {
    restriction.whitelist.as_ref().is_none_or(|list| list.contains(&consumer.username))
}

fn agrees(state: &State, rows: &Rows) -> Result<(), TestCaseError> {
    for shown in KEYS {
        prop_assert_eq!(outcome(state, shown), expected(rows, shown), "{}", shown);
    }
    Ok(())
}

fn pick(at: &Index, names: &[&'static str]) -> &'static str {
    names[at.index(names.len())]
}

fn only(name: &str) -> ConsumerRestriction {
    ConsumerRestriction { whitelist: Some(names(&[name])), ..restriction() }
}

fn some_plugins() -> impl Strategy<Value = PluginsState> {
    prop_oneof![
        Just(PluginsState::default()),
        Just(key_auth()),
        Just(with_restriction(only("ada"))),
        Just(with_restriction(only("eve"))),
        Just(over(&key_auth(), &with_restriction(only("eve")))),
    ]
}

/// One act of a history, its revision still to be given.
fn act() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let some_consumer = (at(), at(), any::<bool>()).prop_map(|(name, key, restricted)| {
        let mut row = consumer(pick(&name, &CONSUMERS), &[its_key("c", pick(&key, &KEYS))]);
        row.restriction = restricted.then(|| only("ada"));
        put(0, row)
    });
    prop_oneof![
        3 => some_consumer,
        1 => some_plugins().prop_map(|plugins| {
            let mut row = service("s");
            row.plugins = plugins;
            put(0, row)
        }),
        2 => some_plugins().prop_map(|plugins| put(0, guarded(plugins))),
        2 => (at(), some_plugins()).prop_map(|(id, plugins)| put(0, global_rule(pick(&id, &RULES), plugins))),
        1 => at().prop_map(|name| delete(0, Kind::Consumer, &format!("default/{}", pick(&name, &CONSUMERS)))),
        1 => at().prop_map(|id| delete(0, Kind::GlobalRule, &format!("default/{}", pick(&id, &RULES)))),
        1 => prop_oneof![Just(delete(0, Kind::Service, "s")), Just(delete(0, Kind::Route, "r"))],
    ]
}

fn history() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(act(), 0..40).prop_map(|acts| {
        let beginning = [put(0, service("s")), put(0, guarded(key_auth()))];
        let mut changes: Vec<_> = beginning.into_iter().chain(acts).collect();
        changes.iter_mut().zip(1..).for_each(|(change, revision)| change.revision = revision);
        changes
    })
}

fn snapshot(history: &[Change]) -> ChangeBatch {
    let mut last: BTreeMap<(Kind, &str), &Change> = BTreeMap::new();
    for change in history {
        last.insert((change.kind, &change.key), change);
    }
    ChangeBatch {
        revision: history.last().map_or(0, |change| change.revision),
        snapshot: true,
        changes: last.into_values().filter(|change| change.resource.is_some()).cloned().collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_change_of_consumers_and_plugins_gives_the_state_of_its_last_row(history in history()) {
        let state = State::empty([3, 5]);
        for (at, change) in history.iter().enumerate() {
            state.apply(&batch(vec![change.clone()]));
            agrees(&state, &final_rows(&history[..=at]))?;
        }
    }

    #[test]
    fn order_and_repetition_of_consumers_and_plugins_do_not_matter(
        history in history(),
        order in prop::collection::vec(any::<Index>(), 0..30),
        reversed: bool,
    ) {
        let state = State::empty([3, 5]);
        order.iter().for_each(|at| { state.apply(&batch(vec![at.get(&history).clone()])); });
        let mut resent = history.clone();
        if reversed {
            resent.reverse();
        }
        resent.into_iter().for_each(|change| { state.apply(&batch(vec![change])); });
        agrees(&state, &final_rows(&history))?;
        state.forget_deleted(i64::MAX);
        history.iter().for_each(|change| { state.apply(&batch(vec![change.clone()])); });
        agrees(&state, &final_rows(&history))?;
    }

    #[test]
    fn a_snapshot_replaces_all_consumers_and_plugins(
        history in history(),
        order in prop::collection::vec(any::<Index>(), 0..10),
        at: Index,
    ) {
        let state = State::empty([3, 5]);
        let known = &history[..=at.index(history.len())];
        order.iter().for_each(|at| { state.apply(&batch(vec![at.get(known).clone()])); });
        state.apply(&snapshot(known));
        agrees(&state, &final_rows(known))?;
        state.apply(&batch(history.clone()));
        agrees(&state, &final_rows(&history))?;
    }
}

/// By turns: the key belongs to one consumer and the other may pass. No state lets anybody pass, and no mixture of
/// a consumer and a route may either.
#[test]
fn no_request_sees_half_a_batch_of_consumers_and_plugins() {
    let state = Arc::new(State::empty([3, 5]));
    let turn = |revision: i64| {
        let (owner, other) = if revision % 2 == 0 { ("ada", "eve") } else { ("eve", "ada") };
        batch(vec![
            put(revision, consumer(owner, &[its_key("c", "k")])),
            put(revision, consumer(other, &[])),
            put(revision, guarded(over(&key_auth(), &with_restriction(only(other))))),
        ])
    };
    state.apply(&batch(vec![put(1, service("s"))]));
    state.apply(&turn(2));
    let (finished, readings) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = {
        let (state, finished, readings) = (Arc::clone(&state), Arc::clone(&finished), Arc::clone(&readings));
        thread::spawn(move || {
            while !finished.load(Ordering::Relaxed) {
                assert_eq!(outcome(&state, "k"), "403");
                readings.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let mut revision = 3;
    while (revision < 2_000 || readings.load(Ordering::Relaxed) < 1_000) && !reader.is_finished() {
        state.apply(&turn(revision));
        revision += 1;
        if revision % 8 == 0 {
            thread::yield_now();
        }
    }
    finished.store(true, Ordering::Relaxed);
    reader.join().unwrap();
    state.apply(&batch(vec![put(revision, guarded(key_auth()))]));
    assert!(CONSUMERS.contains(&outcome(&state, "k").as_str()), "the probe does notice who may pass");
}
