//! The store's promises to gateways and to use cases, on either engine, with several writers at once.

use std::collections::BTreeSet;

use forecourt_core::{
    actors::{Caller, Source},
    events::{Event, EventName},
    gateway_state::{GrantState, Kind, Resource, Scope, grant_key},
    ids::{ApplicationId, EventId, PortalId, ProductId, RequestId},
    random::Random,
    time::Timestamp,
};
use forecourt_it::{MovedClock, TestDatabase, databases::logged};
use forecourt_store::{Location, Store};

/// Writers at the same time, and how often each writes.
const WRITERS: usize = 6;
const WRITES: usize = 20;

/// Ids need not differ here.
struct Sevens;

impl Random for Sevens {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

pub(crate) fn location(database: &TestDatabase) -> Location {
    database.location()
}

fn scope() -> Scope {
    Scope::Portal(PortalId::known("prt_1"))
}

fn now() -> Timestamp {
    MovedClock::new().now()
}

fn product() -> ProductId {
    ProductId::known("prd_1")
}

fn grant(application: &str) -> Resource {
    let application_id = ApplicationId::known(application);
    Resource::Grant(GrantState { application_id, product_id: product(), plan_id: None })
}

async fn put(store: &Store, application: &str) -> i64 {
    let mut tx = store.begin().await.unwrap();
    tx.put(scope(), grant(application));
    tx.commit(now()).await.unwrap().revision.unwrap()
}

async fn take_away(store: &Store, application: &str) -> i64 {
    let mut tx = store.begin().await.unwrap();
    tx.delete(scope(), Kind::Grant, grant_key(&ApplicationId::known(application), &product()));
    tx.commit(now()).await.unwrap().revision.unwrap()
}

#[tokio::test]
async fn what_was_deleted_stays_as_a_tombstone_with_the_higher_revision() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let given = put(&store, "app_1").await;
    put(&store, "app_2").await;
    let taken = take_away(&store, "app_1").await;
    assert!(taken > given);

    // Who starts from nothing need not hear of what is no more.
    let everything = logged(&store, &[scope()], 0).await;
    assert_eq!(everything.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(), ["app_2/prd_1"]);
    let since = logged(&store, &[scope()], given).await;
    let first = since.iter().find(|change| change.key == "app_1/prd_1").unwrap();
    assert_eq!((first.revision, first.resource.is_none()), (taken, true));
    // A reader that had heard of the put hears of the end of it, and of nothing else.
    let news = logged(&store, &[scope()], taken - 1).await;
    assert_eq!(news.iter().map(|change| change.revision).collect::<Vec<_>>(), [taken]);

    let again = put(&store, "app_1").await;
    assert!(again > taken, "what comes back does so with a revision of its own");
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_neither_rows_nor_events_nor_a_revision() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let before = put(&store, "app_1").await;
    let mut tx = store.begin().await.unwrap();
    tx.put(scope(), grant("app_2"));
    let caller = Caller::system(Source::Job, RequestId::issue(now(), &mut Sevens));
    let id = EventId::issue(now(), &mut Sevens);
    tx.record(Event::new(id, now(), &caller, EventName::PortalCreated, "portal", "prt_dropped"));
    tx.save_csrf_key("dropped".into()).await.unwrap();
    drop(tx);

    assert_eq!(store.read().revision().await.unwrap(), before);
    assert_eq!(logged(&store, &[scope()], before).await.len(), 0);
    assert!(store.read().events_of("portal", "prt_dropped", 1).await.unwrap().is_empty());
    assert_eq!(store.read().csrf_key().await.unwrap(), None);
    // The next writer is not held up by it.
    assert_eq!(put(&store, "app_3").await, before + 1);
}

#[tokio::test]
async fn a_write_that_changes_nothing_for_gateways_takes_no_revision() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let tx = store.begin().await.unwrap();
    tx.save_csrf_key("kept".into()).await.unwrap();
    assert_eq!(tx.commit(now()).await.unwrap().revision, None);
    assert_eq!(store.read().csrf_key().await.unwrap().as_deref(), Some("kept"));
    assert_eq!(store.read().revision().await.unwrap(), 0);
}

/// Two stores on one database are two processes, as far as the database can tell.
#[tokio::test]
async fn revisions_have_no_gap_and_a_reader_that_goes_by_them_misses_nothing() {
    let database = TestDatabase::new();
    let stores =
        [Store::open(&location(&database)).await.unwrap(), Store::open(&location(&database)).await.unwrap()];
    let reader = stores[0].clone();
    let reading = tokio::spawn(async move {
        let (mut position, mut heard) = (0, Vec::new());
        while heard.len() < WRITERS * WRITES {
            let latest = reader.read().revision().await.unwrap();
            let news = logged(&reader, &[scope()], position).await;
            position = news.last().map_or(latest, |change| change.revision.max(latest));
            heard.extend(news.into_iter().map(|change| change.revision));
        }
        heard
    });
    let writing: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = stores[writer % 2].clone();
            tokio::spawn(async move {
                let mut revisions = Vec::new();
                for number in 0..WRITES {
                    revisions.push(put(&store, &format!("app_{writer}_{number}")).await);
                }
                revisions
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for writer in writing {
        let revisions = writer.await.unwrap();
        assert!(revisions.is_sorted(), "each writer's own revisions grow");
        all.extend(revisions);
    }
    let last = i64::try_from(WRITERS * WRITES).unwrap();
    assert_eq!(all, (1..=last).collect());
    let heard = tokio::time::timeout(forecourt_it::deadlines::PATIENCE, reading).await;
    assert_eq!(heard.expect("the reader heard of every change").unwrap(), (1..=last).collect::<Vec<_>>());
}
