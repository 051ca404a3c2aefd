//! The change log's promises to nodes: marks, digests, pages, and what may be forgotten, on either engine.

use std::collections::BTreeMap;

use forecourt_app::{
    App, Config,
    gateway_feed::{self, Following, News},
};
use forecourt_core::{
    gateway_state::{Digests, GrantState, Kind, Resource, Scope, grant_key},
    ids::{ApplicationId, GatewayGroupId, NodeId, PortalId, ProductId},
    nodes::{Instances, Node, NodeConnection},
    time::Timestamp,
};
use forecourt_it::{MovedClock, TestDatabase, databases::logged, nodes::hello};
use forecourt_store::{Alive, Applied, NodeNews, PagePlace, Store};
use forecourt_wire::sync::{MOST_ROWS, Position, SnapshotReason};

use crate::store::location;

fn scope(portal: &str) -> Scope {
    Scope::Portal(PortalId::known(portal))
}

fn group() -> Scope {
    Scope::GatewayGroup(GatewayGroupId::default_group())
}

fn grant(application: &str) -> Resource {
    let (application_id, product_id) = (ApplicationId::known(application), ProductId::known("prd_1"));
    Resource::Grant(GrantState { application_id, product_id, plan_id: None })
}

fn key(application: &str) -> String {
    grant_key(&ApplicationId::known(application), &ProductId::known("prd_1"))
}

/// One commit at `at` that puts and takes away these grants.
async fn commit(store: &Store, at: Timestamp, scope: &Scope, put: &[&str], delete: &[&str]) -> i64 {
    let mut tx = store.begin().await.unwrap();
    for application in put {
        tx.put(scope.clone(), grant(application));
    }
    for application in delete {
        tx.delete(scope.clone(), Kind::Grant, key(application));
    }
    tx.commit(at).await.unwrap().revision.unwrap()
}

/// What the rows of `scopes` come to, counted one by one.
async fn counted(store: &Store, scopes: &[Scope]) -> Digests {
    let mut digests = Digests::new();
    for row in logged(store, scopes, 0).await {
        digests.entry(row.kind).or_default().add(row.kind, &row.key, row.revision);
    }
    digests
}

#[tokio::test]
async fn digests_are_those_of_the_live_rows_after_every_kind_of_change() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let now = MovedClock::new().now();
    let (one, other) = (scope("prt_1"), scope("prt_2"));
    let steps: [(&Scope, &[&str], &[&str]); 7] = [
        (&one, &["app_1", "app_2", "app_3"], &[]),
        (&one, &["app_1"], &["app_2"]),
        (&one, &["app_4"], &["app_4", "app_no"]),
        (&one, &[], &["app_2"]),
        (&one, &["app_2"], &[]),
        // The row moves to another scope.
        (&other, &["app_3"], &[]),
        (&other, &[], &["app_3"]),
    ];
    for (step, (scope, put, delete)) in steps.into_iter().enumerate() {
        let revision = commit(&store, now, scope, put, delete).await;
        for scopes in [vec![one.clone()], vec![other.clone()], vec![one.clone(), other.clone()]] {
            let (digests, since) = store.read().digests(&scopes).await.unwrap();
            assert_eq!(digests, counted(&store, &scopes).await, "step {step}, {scopes:?}");
            assert!(since <= revision);
        }
    }
    let (digests, _) = store.read().digests(&[one, other]).await.unwrap();
    assert_eq!(digests.get(&Kind::Grant).map(|digest| digest.rows), Some(2), "app_1 and app_2 are left");
}

#[tokio::test]
async fn every_revision_has_a_mark_of_its_own() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let now = MovedClock::new().now();
    let first = commit(&store, now, &scope("prt_1"), &["app_1"], &[]).await;
    let second = commit(&store, now, &scope("prt_1"), &["app_2"], &[]).await;
    let one = store.read().revision_mark(first).await.unwrap().unwrap();
    let other = store.read().revision_mark(second).await.unwrap().unwrap();
    assert_eq!((one.mark.len(), one.committed_at), (16, now));
    assert!(one.mark.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", one.mark);
    assert_ne!(one.mark, other.mark);
    assert_eq!(store.read().revision_mark(second + 1).await.unwrap(), None);
}

#[tokio::test]
async fn pages_end_where_the_next_one_begins_also_within_one_revision() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let now = MovedClock::new().now();
    let (own, foreign) = (scope("prt_1"), scope("prt_2"));
    commit(&store, now, &own, &["app_1", "app_2", "app_3", "app_4", "app_5"], &[]).await;
    commit(&store, now, &foreign, &["app_foreign"], &[]).await;
    let last = commit(&store, now, &own, &["app_6"], &["app_2"]).await;
    let (mut place, mut keys) = (PagePlace::default(), Vec::new());
    loop {
        let page = store.read().page_of_changes(std::slice::from_ref(&own), &place, 0, 2).await.unwrap();
        assert!(page.len() <= 2);
        keys.extend(page.iter().map(|row| row.key.clone()));
        let Some(end) = page.last() else { break };
        place = PagePlace::after(end);
    }
    let expected = ["app_1", "app_3", "app_4", "app_5", "app_2", "app_6"];
    assert_eq!(keys, expected.map(key), "by revision, then by key; the deleted one at its end");
    let whole = store.read().page_of_changes(&[own], &PagePlace::default(), last, 100).await.unwrap();
    assert!(whole.iter().all(|row| row.resource.is_some()), "a whole state has no deleted rows");
}

/// Rows as a node keeps them.
#[derive(Default)]
struct Replica {
    rows: BTreeMap<(Kind, String), i64>,
    position: Option<Position>,
}

impl Replica {
    fn take(&mut self, news: Vec<News>) {
        for news in news {
            match news {
                News::Snapshot(_) => self.rows.clear(),
                News::Rows(changes) => {
                    assert!(changes.len() <= MOST_ROWS);
                    for change in changes {
                        let key = (change.kind, change.key);
                        match change.resource {
                            Some(_) => self.rows.insert(key, change.revision),
                            None => self.rows.remove(&key),
                        };
                    }
                }
                News::Reached(position) => self.position = Some(position),
            }
        }
    }

    fn digests(&self) -> Digests {
        let mut digests = Digests::new();
        for ((kind, key), revision) in &self.rows {
            digests.entry(*kind).or_default().add(*kind, key, *revision);
        }
        digests
    }
}

async fn app(store: &Store, clock: &MovedClock) -> App {
    App::open(store.clone(), &Config::default(), clock.as_argument()).await.unwrap()
}

#[tokio::test]
async fn what_changes_while_a_large_state_is_told_is_neither_lost_nor_kept() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let clock = MovedClock::new();
    let app = app(&store, &clock).await;
    let names: Vec<String> = (0..2_500).map(|number| format!("app_{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for names in names.chunks(500) {
        commit(&store, clock.now(), &group(), names, &[]).await;
    }
    let default = GatewayGroupId::default_group();
    let mut following =
        Following::begin(&app, &default, &hello(&NodeId::known("nod_1"), None)).await.unwrap();
    let mut replica = Replica::default();
    let first = following.next(&app).await.unwrap();
    assert_eq!(first, [News::Snapshot(SnapshotReason::First)]);
    replica.take(first);
    replica.take(following.next(&app).await.unwrap());
    assert!(replica.rows.len() >= 900 && replica.position.is_none(), "one page and no more");
    assert_eq!(following.checkpoint(&app).await.unwrap(), None, "nothing to compare in between");
    // One that was told, one that was not, one that is put again, one that is new.
    commit(&store, clock.now(), &group(), &["app_0003", "app_new"], &["app_0001", "app_2400"]).await;
    loop {
        let news = following.next(&app).await.unwrap();
        if news.is_empty() {
            break;
        }
        replica.take(news);
    }
    let checkpoint = following.checkpoint(&app).await.unwrap().unwrap();
    assert_eq!(Some(&checkpoint.position), replica.position.as_ref());
    assert_eq!(checkpoint.digests, replica.digests());
    assert_eq!(replica.digests(), counted(&store, &[group()]).await);
    assert!(!replica.rows.contains_key(&(Kind::Grant, key("app_0001"))), "it was told, then deleted");

    commit(&store, clock.now(), &group(), &["app_later"], &[]).await;
    assert_eq!(following.checkpoint(&app).await.unwrap(), None, "the state has moved on");
    replica.take(following.next(&app).await.unwrap());
    assert_eq!(following.checkpoint(&app).await.unwrap().unwrap().digests, replica.digests());
}

#[tokio::test]
async fn a_node_that_missed_a_forgotten_deletion_is_sent_everything() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let clock = MovedClock::new();
    let app = app(&store, &clock).await;
    let default = GatewayGroupId::default_group();
    let reason = async |position: &Position| {
        let mut following =
            Following::begin(&app, &default, &hello(&NodeId::known("nod_1"), Some(position.clone())))
                .await
                .unwrap();
        match following.next(&app).await.unwrap().as_slice() {
            [News::Snapshot(reason)] => Some(*reason),
            _ => None,
        }
    };
    commit(&store, clock.now(), &group(), &["app_1"], &[]).await;
    let mut following =
        Following::begin(&app, &default, &hello(&NodeId::known("nod_1"), None)).await.unwrap();
    let mut replica = Replica::default();
    for _ in 0..3 {
        replica.take(following.next(&app).await.unwrap());
    }
    let position = replica.position.unwrap();
    commit(&store, clock.now(), &group(), &[], &["app_1"]).await;
    gateway_feed::forget(&app).await.unwrap();
    assert_eq!(reason(&position).await, None, "deleted less than a day ago");

    clock.advance(std::time::Duration::from_secs(25 * 3_600));
    gateway_feed::forget(&app).await.unwrap();
    assert_eq!(reason(&position).await, Some(SnapshotReason::TooOld));
    let rows = store.read().page_of_changes(&[group()], &PagePlace::default(), 0, 100).await.unwrap();
    assert!(rows.iter().all(|row| row.key != key("app_1")), "the deleted row is gone for good");
}

/// A node of the default group, by one process, as it is at first.
fn joined(now: Timestamp) -> Node {
    Node {
        id: NodeId::known("nod_1"),
        name: "one".into(),
        gateway_group_id: GatewayGroupId::default_group(),
        token_id: None,
        version: "1.0.0".into(),
        address: String::new(),
        connection: NodeConnection::Connected,
        revision: 0,
        applied_at: now,
        last_contact_at: now,
        drift: Vec::new(),
        created_at: now,
        instances: Instances { present: "first".into(), ..Instances::default() },
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_the_database_was_put_back_is_not_written_down_after() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let clock = MovedClock::new();
    let _groups = app(&store, &clock).await;
    let first = commit(&store, clock.now(), &group(), &["app_1"], &[]).await;
    let second = commit(&store, clock.now(), &group(), &["app_2"], &[]).await;
    let mark = store.read().revision_mark(first).await.unwrap().unwrap().mark;
    let node = joined(clock.now());
    let tx = store.begin().await.unwrap();
    tx.save_node(&node, "process").await.unwrap();
    let applied = |revision, mark: &str| Applied { revision, mark: mark.to_owned(), at: clock.now() };
    let news = NodeNews {
        id: node.id.clone(),
        instance: "first".into(),
        held: true,
        last_contact_at: clock.now(),
        drift: Vec::new(),
        applied: vec![applied(first, &mark), applied(second, "0123456789abcdef"), applied(second + 1, &mark)],
    };
    assert!(tx.note_node(&news, "process").await.unwrap());
    let other = NodeNews { instance: "second".into(), ..news };
    assert!(!tx.note_node(&other, "process").await.unwrap(), "another process does not speak for the node");
    tx.commit(clock.now()).await.unwrap();
    let known = store.read().node(&node.id, &Alive::default()).await.unwrap().unwrap();
    assert_eq!(known.revision, first);
    assert_eq!(store.read().acknowledged_at(&node.id, second).await.unwrap(), None);
}

#[tokio::test]
async fn what_one_process_writes_down_late_takes_nothing_back_that_another_has_heard_since() {
    let database = TestDatabase::new();
    let store = Store::open(&location(&database)).await.unwrap();
    let clock = MovedClock::new();
    let _groups = app(&store, &clock).await;
    let first = commit(&store, clock.now(), &group(), &["app_1"], &[]).await;
    let second = commit(&store, clock.now(), &group(), &["app_2"], &[]).await;
    let (early, late) = (clock.now(), clock.now().plus_seconds(5));
    let node = joined(early);
    let mut news = Vec::new();
    for (revision, at, drift) in [(first, early, vec![Kind::Route]), (second, late, Vec::new())] {
        let mark = store.read().revision_mark(revision).await.unwrap().unwrap().mark;
        let (id, instance) = (node.id.clone(), "first".to_owned());
        let applied = vec![Applied { revision, mark, at }];
        news.push(NodeNews { id, instance, held: true, last_contact_at: at, drift, applied });
    }
    let tx = store.begin().await.unwrap();
    tx.save_node(&node, "one").await.unwrap();
    assert!(tx.note_node(&news[1], "two").await.unwrap());
    assert!(tx.note_node(&news[0], "one").await.unwrap(), "what it acknowledged is news all the same");
    tx.commit(clock.now()).await.unwrap();
    let known = store.read().node(&node.id, &Alive::default()).await.unwrap().unwrap();
    assert_eq!((known.revision, known.applied_at), (second, late));
    assert_eq!((known.last_contact_at, known.drift), (late, Vec::new()));
    assert_eq!(store.read().acknowledged_at(&node.id, first).await.unwrap(), Some(early));
}
