//! Change batches: order, repetition and loss do not matter, nothing deleted passes again, and no request sees
//! half a batch. What must hold is computed by a model that knows only the final rows.

mod ways;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use forecourt_core::{
    gateway_state::{Kind, Resource, differing},
    ids::{CredentialId, PortalId},
    secrets::SecretDigest,
    time::Timestamp,
};
use forecourt_wire::changes::{Change, ChangeBatch};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::{prelude::*, sample::Index};

use self::ways::{NOW, WAYS, Way, all_shown, know_keys, product};
use super::rows::{
    application, batch, credential, delete, delete_grant, grant, head, key, put, route, service,
};
use crate::{
    state::State,
    verify::{Proven, Request, Verdict, verify},
};

const SERVICES: [&str; 2] = ["s0", "s1"];
const PRODUCTS: [&str; 2] = ["p0", "p1"];
const APPLICATIONS: [&str; 2] = ["a0", "a1"];
const CREDENTIALS: [&str; 3] = ["c0", "c1", "c2"];
const KEYS: [&str; 3] = ["k0", "k1", "k2"];

/// `404`, `open`, `401`, or the credential that passes.
fn outcome(state: &State, service: &str, shown: &str) -> String {
    outcome_of(state, service, &("apikey", HeaderValue::from_str(shown).unwrap()))
}

fn outcome_of(state: &State, service: &str, shown: &(&'static str, HeaderValue)) -> String {
    let headers: HeaderMap = [(HeaderName::from_static(shown.0), shown.1.clone())].into_iter().collect();
    let now = NOW;
    state.consistently(|table| {
        let Some(route) = table.find(&head("any", &format!("/{service}"), &Method::GET, &headers)) else {
            return "404".into();
        };
        match verify(
            state,
            table,
            route,
            &Request { method: &Method::GET, headers: &headers, query: None, now },
            &Proven::default(),
        ) {
            Verdict::Permit(permit) => permit
                .identity()
                .map_or("open".into(), |identity| identity.credential.unpack(CredentialId::PREFIX)),
            _ => "401".into(),
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

/// The contract, said again in the plainest way.
fn expected(rows: &Rows, service: &str, way: Way, shown: &str) -> String {
    let Some(Resource::Service(found)) = rows.get(&(Kind::Service, service.into())) else {
        return "404".into();
    };
    if !found.enabled || !rows.contains_key(&(Kind::Route, format!("r-{service}"))) {
        return "404".into();
    }
    let linked = rows.values().find_map(|row| match row {
        Resource::Product(product) if product.services.iter().any(|id| id.as_str() == service) => {
            Some(product)
        }
        _ => None,
    });
    let Some(product) = linked else { return "open".into() };
    let mut passing: Vec<_> = rows
        .values()
        .filter_map(|row| if let Resource::Credential(row) = row { Some(row) } else { None })
        .filter(|row| {
            row.versions.iter().any(|version| {
                version.secret == way.secret(shown) && version.valid_until.is_none_or(|end| end > NOW)
            })
        })
        .filter(|row| rows.contains_key(&(Kind::Grant, format!("{}/{}", row.application_id, product.id))))
        .filter(|row| {
            matches!(rows.get(&(Kind::Application, row.application_id.to_string())),
                Some(Resource::Application(found)) if found.active && found.portal_id == product.portal_id)
        })
        .collect();
    passing.sort_by_key(|row| row.created_at);
    passing.first().map_or("401".into(), |row| row.id.to_string())
}

fn agrees(state: &State, rows: &Rows) -> Result<(), TestCaseError> {
    know_keys(state);
    for service in SERVICES {
        for (way, name, shown) in all_shown() {
            prop_assert_eq!(
                outcome_of(state, service, shown),
                expected(rows, service, *way, name),
                "{} {:?} {}",
                service,
                way,
                name
            );
        }
    }
    Ok(())
}

fn pick(at: &Index, names: &[&'static str]) -> &'static str {
    names[at.index(names.len())]
}

/// One act of a history, its revision still to be given.
fn act() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<bool>()).prop_map(|(at, enabled)| {
            let mut row = service(pick(&at, &SERVICES));
            row.enabled = enabled;
            put(0, row)
        }),
        at().prop_map(|at| {
            let id = pick(&at, &SERVICES);
            put(0, route(&format!("r-{id}"), id, &format!("/{id}")))
        }),
        at().prop_map(|at| {
            // Each service is linked by its own product only, as the control plane guarantees.
            let at = at.index(2);
            put(0, product(PRODUCTS[at], &SERVICES[at..=at]))
        }),
        (at(), any::<bool>(), 0u8..4).prop_map(|(at, active, portal)| {
            let mut row = application(pick(&at, &APPLICATIONS));
            row.active = active;
            row.portal_id = PortalId::known(if portal == 0 { "q" } else { "p" });
            put(0, row)
        }),
        (at(), at(), at(), at(), at(), at(), 0u8..3).prop_map(
            |(id, owner, first, second, way, other, shape)| {
                let (way, other) = (WAYS[way.index(3)], WAYS[other.index(3)]);
                let first = way.secret(pick(&first, &KEYS));
                let secrets =
                    if shape == 0 { vec![first] } else { vec![first, other.secret(pick(&second, &KEYS))] };
                let at = id.index(CREDENTIALS.len());
                let mut row = credential(CREDENTIALS[at], pick(&owner, &APPLICATIONS), &secrets);
                row.created_at = Timestamp::from_seconds(10 - i64::try_from(at).unwrap());
                if shape == 2 {
                    row.versions[0].valid_until = Some(Timestamp::from_seconds(50));
                }
                row.versions.dedup_by(|a, b| a.secret == b.secret);
                put(0, row)
            }
        ),
        (at(), at()).prop_map(|(a, p)| put(0, grant(pick(&a, &APPLICATIONS), pick(&p, &PRODUCTS)))),
        (at(), at()).prop_map(|(a, p)| delete_grant(0, pick(&a, &APPLICATIONS), pick(&p, &PRODUCTS))),
        at().prop_map(|at| delete(0, Kind::Service, pick(&at, &SERVICES))),
        at().prop_map(|at| delete(0, Kind::Route, &format!("r-{}", pick(&at, &SERVICES)))),
        at().prop_map(|at| delete(0, Kind::Product, pick(&at, &PRODUCTS))),
        at().prop_map(|at| delete(0, Kind::Application, pick(&at, &APPLICATIONS))),
        at().prop_map(|at| delete(0, Kind::Credential, pick(&at, &CREDENTIALS))),
    ]
}

/// What all histories start from, so that many of them let somebody pass.
fn beginning() -> Vec<Change> {
    let mut changes = Vec::new();
    for (service_id, product_id) in SERVICES.into_iter().zip(PRODUCTS) {
        changes.push(put(0, service(service_id)));
        changes.push(put(0, route(&format!("r-{service_id}"), service_id, &format!("/{service_id}"))));
        changes.push(put(0, product(product_id, &[service_id])));
        changes.push(put(0, grant(APPLICATIONS[0], product_id)));
    }
    changes.push(put(0, application(APPLICATIONS[0])));
    changes.push(put(0, credential(CREDENTIALS[0], APPLICATIONS[0], &[key(KEYS[0])])));
    changes
}

fn history() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(act(), 0..40).prop_map(|acts| {
        let mut changes: Vec<_> = beginning().into_iter().chain(acts).collect();
        changes.iter_mut().zip(1..).for_each(|(change, revision)| change.revision = revision);
        changes
    })
}

/// The history cut into batches at these places.
fn batches(history: &[Change], cuts: &[Index]) -> Vec<ChangeBatch> {
    let mut ends: Vec<_> =
        cuts.iter().map(|cut| cut.index(history.len())).chain([0, history.len()]).collect();
    ends.sort_unstable();
    ends.windows(2).map(|ends| batch(history[ends[0]..ends[1]].to_vec())).collect()
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
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn each_batch_in_order_gives_the_state_of_its_last_row(history in history(), cuts: [Index; 6]) {
        let state = State::empty([3, 5]);
        let mut done = 0;
        for batch in batches(&history, &cuts) {
            done += batch.changes.len();
            state.apply(&batch);
            agrees(&state, &final_rows(&history[..done]))?;
        }
    }

    #[test]
    fn order_repetition_and_loss_with_resending_do_not_matter(
        history in history(),
        cuts: [Index; 6],
        order in prop::collection::vec(any::<Index>(), 0..30),
        resent in Just((0..7usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let state = State::empty([3, 5]);
        let batches = batches(&history, &cuts);
        order.iter().for_each(|at| { state.apply(at.get(&batches)); });
        let rows = final_rows(&history);
        resent.iter().for_each(|at| { state.apply(&batches[*at]); });
        agrees(&state, &rows)?;
        order.iter().for_each(|at| { state.apply(at.get(&batches)); });
        agrees(&state, &rows)?;
    }

    #[test]
    fn a_snapshot_in_the_middle_replaces_everything_and_old_changes_stay_dead(
        history in history(),
        cuts: [Index; 6],
        order in prop::collection::vec(any::<Index>(), 0..10),
        at: Index,
    ) {
        let state = State::empty([3, 5]);
        let batches = batches(&history, &cuts);
        order.iter().for_each(|at| { state.apply(at.get(&batches)); });
        let known = &history[..=at.index(history.len())];
        let rows = final_rows(known);
        let before = state.apply(&batch(Vec::new()));
        let snapshot = snapshot(known);
        let applied = state.apply(&snapshot);
        if before <= snapshot.revision {
            prop_assert_eq!(applied, snapshot.revision);
            agrees(&state, &rows)?;
            known.iter().rev().for_each(|change| { state.apply(&batch(vec![change.clone()])); });
            agrees(&state, &rows)?;
        } else {
            prop_assert_eq!(applied, before, "a snapshot from the past is ignored");
        }
        history.iter().for_each(|change| { state.apply(&batch(vec![change.clone()])); });
        agrees(&state, &final_rows(&history))?;
    }

    #[test]
    fn forgotten_deletions_stay_dead(history in history()) {
        let state = State::empty([3, 5]);
        state.apply(&batch(history.clone()));
        state.forget_deleted(i64::MAX);
        history.iter().for_each(|change| { state.apply(&batch(vec![change.clone()])); });
        agrees(&state, &final_rows(&history))?;
    }
}

#[test]
fn a_snapshot_may_bring_back_rows_that_an_earlier_one_left_out() {
    let state = State::empty([3, 5]);
    let routing = [put(1, service("s0")), put(1, route("r-s0", "s0", "/s0")), put(1, product("p0", &["s0"]))];
    let portal =
        [put(2, application("a")), put(3, credential("c", "a", &[key("k")])), put(4, grant("a", "p0"))];
    let snapshot = |revision: i64, with_portal: bool| {
        let portal = portal.iter().filter(|_| with_portal);
        ChangeBatch { revision, snapshot: true, changes: routing.iter().chain(portal).cloned().collect() }
    };
    let mut in_use = None;
    for (revision, with_portal, expected) in
        [(10, false, "401"), (11, true, "c"), (12, true, "c"), (13, false, "401"), (14, true, "c")]
    {
        assert_eq!(state.apply(&snapshot(revision, with_portal)), revision);
        assert_eq!(outcome(&state, "s0", "k"), expected, "revision {revision}");
        // Requests and counters may still hold the application when the next snapshot comes.
        state.keys.visit(&SecretDigest::of(b"k"), |record| in_use = Some(Arc::clone(&record.application)));
    }
    assert!(in_use.is_some());
    portal.iter().for_each(|change| {
        state.apply(&snapshot(15, false));
        state.apply(&batch(vec![change.clone()]));
        assert_eq!(outcome(&state, "s0", "k"), "401", "a delta from before the snapshot stays dead");
    });
}

#[test]
fn a_row_that_a_whole_state_itself_says_is_deleted_leaves_the_digest_once() {
    let state = State::empty([3, 5]);
    let kept = put(1, application("a"));
    state.apply(&batch(vec![kept.clone(), put(2, service("s0"))]));
    // It was deleted while the pages of the state were on their way.
    let changes = vec![kept.clone(), delete(4, Kind::Service, "s0")];
    state.apply(&ChangeBatch { revision: 4, snapshot: true, changes });
    let fresh = State::empty([3, 5]);
    fresh.apply(&batch(vec![kept]));
    assert_eq!(differing(&state.digests(), &fresh.digests()), []);
}

/// By turns: the service belongs to one product and the grant is for the other. Neither lets anybody pass, and
/// no mixture may either. Namesakes of the key make a decision slow enough for changes to fall into it.
#[test]
fn no_request_sees_half_a_batch() {
    let state = Arc::new(State::empty([3, 5]));
    let turn = |revision: i64| {
        let (linked, granted) = if revision % 2 == 0 { ("p0", "p1") } else { ("p1", "p0") };
        batch(vec![
            put(revision, product(linked, &["s0"])),
            put(revision, product(granted, &[])),
            put(revision, grant("a", granted)),
            delete_grant(revision, "a", linked),
        ])
    };
    let namesakes = (0..2_000).map(|n| put(1, credential(&format!("n{n}"), "b", &[key("k")])));
    let rows = [
        put(1, service("s0")),
        put(1, route("r", "s0", "/s0")),
        put(1, application("a")),
        put(1, application("b")),
    ];
    state.apply(&batch(rows.into_iter().chain(namesakes).collect()));
    state.apply(&batch(vec![put(2, credential("c", "a", &[key("k")]))]));
    state.apply(&turn(3));
    let finished = Arc::new(AtomicBool::new(false));
    let readings = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (state, finished, readings) =
                (Arc::clone(&state), Arc::clone(&finished), Arc::clone(&readings));
            thread::spawn(move || {
                while !finished.load(Ordering::Relaxed) {
                    assert_eq!(outcome(&state, "s0", "k"), "401");
                    readings.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut revision = 4;
    while readings.load(Ordering::Relaxed) < 1_000 && readers.iter().all(|reader| !reader.is_finished()) {
        state.apply(&turn(revision));
        revision += 1;
        // Readers start over when a change falls into their decision; let some finish.
        if revision % 8 == 0 {
            thread::yield_now();
        }
    }
    finished.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    state.apply(&batch(vec![put(revision, grant("a", "p0")), put(revision, grant("a", "p1"))]));
    assert_eq!(outcome(&state, "s0", "k"), "c", "the probe does notice who may pass");
}
