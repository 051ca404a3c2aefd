//! What a gateway node on another machine is told over the sync port, spoken to as the protocol says.

use forecourt_app::{gateway_feed, instance_tokens, nodes, sync_authority};
use forecourt_core::{
    actors::{Caller, Source},
    gateway_state::Kind,
    ids::{InstanceTokenId, NodeId},
    nodes::{Node, NodeFilter},
};
use forecourt_it::{
    Client, Forecourt,
    clients::Answer,
    deadlines::{PATIENCE, eventually},
    installations::ADMIN_PASSWORD,
    nodes::{SyncConnection, WatchedStream, hello},
};
use forecourt_wire::sync::{
    ACKNOWLEDGEMENTS, Checkpoint, GoodbyeReason, Hello, Message, Position, SnapshotReason, USAGE, WATCH,
};
use serde_json::{Value, json};
use tokio::time::timeout;

/// A gateway group's token: its id and its text.
struct Token {
    id: InstanceTokenId,
    text: String,
}

async fn token(f: &Forecourt, group: &str) -> Token {
    let path = format!("/api/gateway_groups/{group}/instance_token");
    let issued = f.admin().await.post(&path, json!({})).await.expect(200);
    let member = |name: &str| issued["value"][name].as_str().unwrap().to_owned();
    Token { id: InstanceTokenId::known(member("id")), text: member("token_plain_text") }
}

async fn connect(f: &Forecourt) -> SyncConnection {
    let pem = sync_authority::certificate_pem(&f.app()).to_owned();
    SyncConnection::open(f.addresses().sync.as_deref().unwrap(), &pem, None).await.unwrap()
}

fn node(name: &str) -> NodeId {
    NodeId::known(format!("nod_{name}"))
}

fn system(f: &Forecourt) -> Caller {
    Caller::system(Source::CommandLine, f.app().new_request_id())
}

/// The revision that an answer's change came with.
fn revision(answer: &Answer) -> i64 {
    answer.header("x-forecourt-revision").expect("a change for gateways").parse().unwrap()
}

async fn put_consumer(f: &Forecourt, name: &str) -> i64 {
    put_consumer_by(f.admin().await, name).await
}

async fn put_consumer_by(admin: &Client, name: &str) -> i64 {
    let path = format!("/apisix/admin/consumers/{name}?gateway_group_id=default");
    let answer = admin.put(&path, json!({ "plugins": { "key-auth": { "key": name } } })).await;
    answer.expect(200);
    revision(&answer)
}

async fn delete_consumer(f: &Forecourt, name: &str) -> i64 {
    let path = format!("/apisix/admin/consumers/{name}?gateway_group_id=default");
    let answer = f.admin().await.delete(&path).await;
    answer.expect(200);
    revision(&answer)
}

async fn next_checkpoint(stream: &mut WatchedStream) -> Checkpoint {
    let checkpoint = |message: &Message| match message {
        Message::Heartbeat { checkpoint, .. } => checkpoint.clone(),
        _ => None,
    };
    stream.until("a checkpoint", checkpoint).await
}

async fn goodbye(stream: &mut WatchedStream) -> GoodbyeReason {
    let goodbye = |message: &Message| match message {
        Message::Goodbye { reason } => Some(*reason),
        _ => None,
    };
    let reason = stream.until("a goodbye", goodbye).await;
    assert_eq!(stream.next().await, None, "nothing comes after a goodbye");
    reason
}

/// A Forecourt whose nodes are told what they must hold every 1.5 s.
async fn start() -> Forecourt {
    Forecourt::start_with(|settings| settings.sync.heartbeat_ms = 100).await
}

#[tokio::test]
async fn a_node_is_told_everything_then_each_change_and_what_it_must_hold() {
    let f = start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    let first = put_consumer(&f, "ada").await;
    let token = token(&f, "default").await;
    let connection = connect(&f).await;
    let mut stream = connection.watch(&token.text, &node("1"), None).await;
    assert!(matches!(stream.next().await, Some(Message::Welcome { heartbeat_ms: 100, .. })));
    stream.reach(first).await;
    assert_eq!(stream.snapshots, [SnapshotReason::First]);
    let checkpoint = next_checkpoint(&mut stream).await;
    assert_eq!(Some(&checkpoint.position), stream.position.as_ref());
    assert_eq!(checkpoint.digests, stream.digests());
    for kind in [Kind::Service, Kind::Consumer, Kind::Application, Kind::Credential, Kind::Grant] {
        assert!(checkpoint.digests.contains_key(&kind), "{kind:?}");
    }

    let second = put_consumer(&f, "bob").await;
    stream.reach(second).await;
    assert!(stream.rows.contains_key(&(Kind::Consumer, "default/bob".into())), "{:?}", stream.rows.keys());
    let third = delete_consumer(&f, "ada").await;
    stream.reach(third).await;
    assert!(!stream.rows.contains_key(&(Kind::Consumer, "default/ada".into())));
    assert_eq!(stream.snapshots.len(), 1, "changes come as changes");
    let checkpoint = next_checkpoint(&mut stream).await;
    assert_eq!(checkpoint.position.revision, third);
    assert_eq!(checkpoint.digests, stream.digests());
}

#[tokio::test]
async fn a_node_that_comes_back_hears_what_changed_and_one_of_another_line_hears_everything() {
    let mut f = start().await;
    let gone = put_consumer(&f, "ada").await;
    let token = token(&f, "default").await;
    let mut stream = connect(&f).await.watch(&token.text, &node("1"), None).await;
    let at = stream.reach(gone).await;
    drop(stream);
    f.restart().await;
    let latest = delete_consumer(&f, "ada").await;
    let connection = connect(&f).await;

    let mut back = connection.watch(&token.text, &node("1"), Some(at.clone())).await;
    let changes = |message: &Message| match message {
        Message::Rows { changes } => Some(changes.clone()),
        _ => None,
    };
    let changes = back.until("rows", changes).await;
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].kind, changes[0].resource.is_none()), (Kind::Consumer, true));
    assert_eq!(back.reach(latest).await.revision, latest);
    assert_eq!(back.snapshots, []);

    let other_mark = Position { mark: "0123456789abcdef".into(), ..at.clone() };
    let beyond = Position { revision: latest + 1_000, ..at.clone() };
    for position in [other_mark, beyond] {
        let mut stream = connection.watch(&token.text, &node("1"), Some(position)).await;
        let reached = stream.until("a state", |message| match message {
            Message::Reached { position, .. } => Some(position.clone()),
            _ => None,
        });
        assert_eq!(reached.await.revision, latest);
        assert_eq!(stream.snapshots, [SnapshotReason::Diverged]);
        assert_eq!(stream.digests(), next_checkpoint(&mut stream).await.digests);
    }
    assert_eq!(gateway_feed::diverged(&f.app()), 2);
}

#[tokio::test]
async fn a_node_that_found_itself_to_differ_is_sent_everything() {
    let f = start().await;
    let latest = put_consumer(&f, "ada").await;
    let token = token(&f, "default").await;
    let connection = connect(&f).await;
    let mut stream = connection.watch(&token.text, &node("1"), None).await;
    let at = stream.reach(latest).await;
    let hello = Hello { drift: vec![Kind::Consumer], ..hello(&node("1"), Some(at)) };
    let mut again = connection.watch_as(&token.text, hello).await;
    again.reach(latest).await;
    assert_eq!(again.snapshots, [SnapshotReason::Drift]);
    assert_eq!(next_checkpoint(&mut again).await.digests, again.digests());
    assert_eq!(goodbye(&mut stream).await, GoodbyeReason::Replaced, "one stream a node");
}

#[tokio::test]
async fn only_the_holder_of_a_live_token_of_its_group_is_answered() {
    let f = start().await;
    let token_of_default = token(&f, "default").await;
    let other = f.admin().await.post("/api/gateway_groups", json!({ "name": "other" })).await.expect(200);
    let other = token(&f, other["value"]["id"].as_str().unwrap()).await;
    let connection = connect(&f).await;
    let hello = json!(hello(&node("1"), None));
    let acknowledgement = json!({ "node": "nod_1", "revision": 0, "mark": "" });
    let usage = json!({ "node": "nod_1", "number": 1, "counts": [] });
    for (path, body) in [(WATCH, &hello), (ACKNOWLEDGEMENTS, &acknowledgement), (USAGE, &usage)] {
        let (status, text) = connection.ask(path, None, body).await;
        assert_eq!(status, 401, "{path}: {text}");
        assert!(text.contains("Authorization: Bearer TOKEN"), "{text}");
        let (status, text) = connection.ask(path, Some("a7dp-wrong"), body).await;
        assert_eq!(status, 401, "{path}: {text}");
        assert!(text.contains("this instance token is unknown or was deleted"), "{text}");
    }
    let _stream = connection.watch(&token_of_default.text, &node("1"), None).await;
    for (path, body) in [(WATCH, &hello), (ACKNOWLEDGEMENTS, &acknowledgement), (USAGE, &usage)] {
        let (status, text) = connection.ask(path, Some(&other.text), body).await;
        assert_eq!(status, 403, "{path}: a node of another group: {text}");
    }
    let text = token_of_default.text.as_str();
    let (status, told) = connection.ask(WATCH, Some(text), &json!({ "node": "nod_1" })).await;
    assert_eq!(status, 400);
    assert!(told.contains("missing field `name`"), "{told}");
    let beyond = json!({ "node": "nod_1", "instance": "started", "revision": 1_000_000, "mark": "" });
    let (status, told) = connection.ask(ACKNOWLEDGEMENTS, Some(text), &beyond).await;
    assert_eq!(status, 400, "{told}");
    assert_eq!(connection.ask("/sync/v1/no", Some(text), &json!({})).await.0, 404);
}

#[tokio::test]
async fn a_deleted_token_ends_the_stream_and_a_stop_says_so() {
    let mut f = start().await;
    let (token_1, token_2) = (token(&f, "default").await, token(&f, "default").await);
    let connection = connect(&f).await;
    let mut first = connection.watch(&token_1.text, &node("1"), None).await;
    let mut second = connection.watch(&token_2.text, &node("2"), None).await;
    next_checkpoint(&mut first).await;
    instance_tokens::delete(&f.app(), &system(&f), &token_1.id).await.unwrap();
    assert_eq!(goodbye(&mut first).await, GoodbyeReason::Removed);
    let (status, _) = connection.ask(WATCH, Some(&token_1.text), &json!(hello(&node("1"), None))).await;
    assert_eq!(status, 401);

    let (_, said) = tokio::join!(f.restart(), goodbye(&mut second));
    assert_eq!(said, GoodbyeReason::Stopping);
}

#[tokio::test]
async fn an_acknowledged_revision_is_known_and_a_batch_of_calls_is_stored_once() {
    let f = start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    application.key("prod").await;
    let token = token(&f, "default").await;
    let connection = connect(&f).await;
    let mut stream = connection.watch(&token.text, &node("1"), None).await;
    let at = stream.reach(1).await;
    let told = json!({ "node": "nod_1", "instance": "started", "revision": at.revision, "mark": at.mark });
    assert_eq!(connection.ask(ACKNOWLEDGEMENTS, Some(&token.text), &told).await.0, 204);
    let known = nodes::list(&f.app(), &system(&f), NodeFilter::default()).await.unwrap();
    let own = known.rows.iter().find(|known| known.id == node("1")).unwrap();
    assert_eq!(own.revision, at.revision);

    let credential = stream.rows.keys().find(|(kind, _)| *kind == Kind::Credential).unwrap().1.clone();
    let owner = stream.rows.keys().find(|(kind, _)| *kind == Kind::Application).unwrap().1.clone();
    let now = f.app().now().micros();
    let count = json!({
        "product_id": orders.id, "application_id": owner, "credential_id": credential,
        "minute": now - now.rem_euclid(60_000_000), "totals": { "calls": 7 }, "last_used_at": now, "last_used_from": "192.0.2.1",
    });
    // Those of a process that did not say what it calls itself, and then of another, which counts from one as well.
    for (spool, number) in [("", 1), ("", 1), ("", 2), ("", 1), ("other", 1), ("other", 1)] {
        let batch = json!({ "node": "nod_1", "spool": spool, "number": number, "counts": [&count] });
        let (status, answer) = connection.ask(USAGE, Some(&token.text), &batch).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), json!({ "number": number }));
    }
    // They are added up soon after, in order: once the last batch is there, so is all of the first.
    let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
    let calls = eventually("the second batch is added up", || async {
        let rows = ada.api.get(path).await.expect(200)["list"].clone();
        let calls = rows.as_array().unwrap().iter().map(|row| row["api_calls"].as_u64().unwrap());
        Some(calls.sum::<u64>()).filter(|calls| *calls > 14)
    });
    assert_eq!(calls.await, 21, "three batches of seven, each once");
}

#[tokio::test]
async fn a_group_that_gets_a_product_of_another_portal_is_told_that_portals_rows() {
    let f = start().await;
    let token = token(&f, "default").await;
    let mut stream = connect(&f).await.watch(&token.text, &node("1"), None).await;
    next_checkpoint(&mut stream).await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    let latest = put_consumer(&f, "ada").await;
    stream.reach(latest).await;
    assert!(stream.snapshots.contains(&SnapshotReason::Scopes), "{:?}", stream.snapshots);
    assert!(stream.rows.keys().any(|(kind, _)| *kind == Kind::Credential));
    assert_eq!(next_checkpoint(&mut stream).await.digests, stream.digests());
}

#[tokio::test]
async fn nodes_must_show_a_certificate_where_a_client_authority_is_set() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut own = rcgen::CertificateParams::new(Vec::new()).unwrap();
    own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = own.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(own, key);
    let client_key = rcgen::KeyPair::generate().unwrap();
    let client = rcgen::CertificateParams::new(vec!["node".to_owned()]).unwrap();
    let client = client.signed_by(&client_key, &issuer).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let f =
        Forecourt::start_with(|settings| settings.sync.client_ca = file.path().display().to_string()).await;
    let token = token(&f, "default").await;
    let pem = sync_authority::certificate_pem(&f.app()).to_owned();
    let url = f.addresses().sync.clone().unwrap();

    let hello = json!(hello(&node("1"), None));
    let refused = match SyncConnection::open(&url, &pem, None).await {
        Ok(connection) => connection.post(WATCH, Some(&token.text), &hello).await.map(|_| ()),
        Err(error) => Err(error),
    };
    refused.expect_err("a node without a certificate");
    let shown = (client.pem(), client_key.serialize_pem());
    let connection = SyncConnection::open(&url, &pem, Some((&shown.0, &shown.1))).await.unwrap();
    let mut stream = connection.watch(&token.text, &node("1"), None).await;
    assert!(matches!(stream.next().await, Some(Message::Welcome { .. })));
}

/// The only node that is known.
async fn only(f: &Forecourt) -> Node {
    let known = nodes::list(&f.app(), &system(f), NodeFilter::default()).await.unwrap();
    assert_eq!(known.total, 1, "{known:?}");
    known.rows[0].clone()
}

#[tokio::test]
async fn the_gateway_of_a_process_is_one_node_over_restarts() {
    let mut f = start().await;
    let latest = put_consumer(&f, "ada").await;
    let is_told = || async { Some(only(&f).await).filter(|node| node.revision >= latest) };
    let before = eventually("the gateway has acknowledged", is_told).await;
    f.restart().await;
    let after = only(&f).await;
    assert_eq!((after.id, after.token_id), (before.id, None));
}

#[tokio::test]
async fn two_processes_on_one_postgresql_are_one_control_plane() {
    let one = start().await;
    let url = one.database().url();
    if url.is_empty() {
        // On SQLite one process writes.
        return;
    }
    let key = std::fs::read_to_string(one.database().folder().join("master.key")).unwrap();
    let other = Forecourt::start_with(|settings| {
        settings.database.url = url;
        settings.security.master_key = key.trim().to_owned();
        settings.sync.heartbeat_ms = 100;
    })
    .await;
    assert_eq!(sync_authority::digest(&one.app()), sync_authority::digest(&other.app()));
    let token = token(&one, "default").await;
    let mut stream = connect(&other).await.watch(&token.text, &node("1"), None).await;
    next_checkpoint(&mut stream).await;
    // The other process neither commits nor looks for this: it is told.
    let mut heard = gateway_feed::latest(&other.app());
    let latest = put_consumer(&one, "ada").await;
    timeout(PATIENCE, heard.wait_for(|heard| *heard >= latest)).await.unwrap().unwrap();
    let at = stream.reach(latest).await;
    // What one process told, the other one goes on from.
    let admin = other.guest().with_basic("admin", ADMIN_PASSWORD);
    let later = put_consumer_by(&admin, "bob").await;
    let mut moved = connect(&one).await.watch(&token.text, &node("1"), Some(at)).await;
    moved.reach(later).await;
    assert_eq!(moved.snapshots, []);
    instance_tokens::delete(&other.app(), &system(&other), &token.id).await.unwrap();
    assert_eq!(goodbye(&mut moved).await, GoodbyeReason::Removed);
}
