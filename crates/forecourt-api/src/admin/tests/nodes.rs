//! Nodes and the tokens that let them in.

use forecourt_app::{
    ErrorKind,
    gateway_feed::{Following, Held, News},
    nodes::{self, Standing},
};
use forecourt_core::{
    gateway_state::Kind,
    ids::{GatewayGroupId, NodeId},
};
use forecourt_wire::sync::{Acknowledgement, Hello, Position, SnapshotReason};
use serde_json::{Value, json};

use super::stage::{Stage, hello};

fn refused(outcome: Result<nodes::Admitted, forecourt_app::Error>) -> ErrorKind {
    outcome.unwrap_err().kind()
}

#[tokio::test]
async fn a_node_is_listed_with_how_far_it_is_and_whether_it_hears_of_changes() {
    let stage = Stage::start().await;
    assert_eq!(stage.get("/api/forecourt/nodes").await.list(), Vec::<Value>::new());
    let (_, token) = stage.instance_token("default").await;
    let id = stage.node(&token, "one").await;
    stage.service("orders").await;
    stage.later(5);
    let path = format!("/api/forecourt/nodes/{id}");
    let behind = stage.get(&path).await.value();
    for (member, wanted) in [
        ("id", json!(id)),
        ("name", json!("one")),
        ("gateway_group_id", json!("default")),
        ("version", json!("1.0.0")),
        ("address", json!("http://one.example:9080")),
        ("state", json!("connected")),
        ("revision", json!(0)),
        ("drift", json!([])),
        ("duplicated", json!(false)),
    ] {
        assert_eq!(behind[member], wanted, "{behind}");
    }
    let lag = behind["lag_ms"].as_i64().unwrap();
    assert!((5_000..6_000).contains(&lag), "since the commit that it has not applied: {behind}");
    assert!(behind["last_contact_at"].as_str().unwrap().ends_with('Z'), "{behind}");

    let revision = 1;
    stage.acknowledge(&id, revision, &[Kind::Route]).await.unwrap();
    // Told is shown at once, written down or not.
    for _ in 0..2 {
        let told = stage.get(&path).await.value();
        assert_eq!((&told["revision"], &told["lag_ms"]), (&json!(1), &json!(0)), "{told}");
        assert_eq!(told["drift"], json!(["route"]), "{told}");
        nodes::write_down(&stage.app).await.unwrap();
    }
    // Late and repeated acknowledgements take nothing back; one that cannot be is refused.
    stage.acknowledge(&id, 0, &[]).await.unwrap();
    assert_eq!(stage.get(&path).await.value()["revision"], 1);
    for unknown in [2, -1] {
        let refused = stage.acknowledge(&id, unknown, &[]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{unknown}");
    }

    nodes::disconnected(&stage.app, &id, "one");
    for written in [false, true] {
        assert_eq!(stage.get(&path).await.value()["state"], "disconnected", "{written}");
        let with = |state: &str| format!("/api/forecourt/nodes?state={state}&gateway_group_id=default");
        assert_eq!(stage.get(&with("disconnected")).await.names(), ["one"], "{written}");
        assert!(stage.get(&with("connected")).await.names().is_empty(), "{written}");
        nodes::write_down(&stage.app).await.unwrap();
    }
    assert_eq!(stage.get("/api/forecourt/nodes?state=lost").await.refusal().0, 400);
    assert_eq!(stage.get("/api/forecourt/nodes/nod_unknown").await.refusal().0, 404);
}

#[tokio::test]
async fn a_node_that_opens_another_stream_stays_connected_when_the_old_one_ends() {
    let stage = Stage::start().await;
    let (_, token) = stage.instance_token("default").await;
    let id = stage.node(&token, "one").await;
    stage.node(&token, "one").await;
    nodes::disconnected(&stage.app, &id, "one");
    let path = format!("/api/forecourt/nodes/{id}");
    assert_eq!(stage.get(&path).await.value()["state"], "connected");
    nodes::disconnected(&stage.app, &id, "one");
    assert_eq!(stage.get(&path).await.value()["state"], "disconnected");
}

#[tokio::test]
async fn a_node_whose_stream_is_about_to_open_is_not_forgotten_while_news_of_others_are_written() {
    let stage = Stage::start().await;
    let (_, token) = stage.instance_token("default").await;
    let other = stage.node(&token, "other").await;
    let admitted = nodes::admit(&stage.app, &token, &hello("one")).await.unwrap();
    stage.acknowledge(&other, 0, &[Kind::Route]).await.unwrap();
    nodes::write_down(&stage.app).await.unwrap();
    stage.later(60);
    nodes::connected(&stage.app, &admitted.node);
    let path = format!("/api/forecourt/nodes/{}", admitted.node);
    assert_eq!(stage.get(&path).await.value()["state"], "connected");
}

#[tokio::test]
async fn only_a_live_token_of_its_own_group_lets_a_node_in() {
    let stage = Stage::start().await;
    let (app, edge) = (&stage.app, json!({ "name": "edge" }));
    let edge = stage.id_of("POST", "/api/gateway_groups", edge).await;
    let (_, of_default) = stage.instance_token("default").await;
    let (_, of_edge) = stage.instance_token(&edge).await;
    let admitted = nodes::admit(app, &of_default, &hello("one")).await.unwrap();
    assert_eq!(admitted.group.as_str(), "default");
    // What the node pins its control plane by is no part of the secret.
    let (secret, authority) = of_default.split_once('.').unwrap();
    assert_eq!(authority.len(), 64);
    nodes::admit(app, secret, &hello("one")).await.unwrap();

    for token in ["", "a7dp-", "a7dp-wrong", &of_default[1..], &secret[..secret.len() - 1]] {
        assert_eq!(
            refused(nodes::admit(app, token, &hello("two")).await),
            ErrorKind::Unauthenticated,
            "{token}"
        );
    }
    assert_eq!(refused(nodes::admit(app, &of_edge, &hello("one")).await), ErrorKind::Forbidden);
    let by_edge = nodes::recognise(app, &of_edge, &admitted.node).await;
    assert_eq!(refused(by_edge), ErrorKind::Forbidden);
    for token in [secret, &of_default] {
        assert_eq!(nodes::recognise(app, token, &admitted.node).await.unwrap(), admitted);
    }
    for wrong in ["nod", "nod_a/b", "nod_", "per_1"] {
        let hello = Hello { node: NodeId::known(wrong), ..hello("one") };
        assert_eq!(refused(nodes::admit(app, &of_default, &hello).await), ErrorKind::Invalid, "{wrong}");
    }
    let nameless = Hello { name: "\n".into(), ..hello("three") };
    assert_eq!(refused(nodes::admit(app, &of_default, &nameless).await), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_id_of_a_gateway_inside_a_control_plane_is_nobody_elses() {
    let stage = Stage::start().await;
    let embedded = nodes::EmbeddedNode {
        id: NodeId::known("nod_inside"),
        instance: "inside".into(),
        name: "inside".into(),
        version: "1.0.0".into(),
        address: String::new(),
        group: forecourt_core::ids::GatewayGroupId::default_group(),
    };
    nodes::register_embedded(&stage.app, &embedded).await.unwrap();
    let (_, token) = stage.instance_token("default").await;
    assert_eq!(refused(nodes::admit(&stage.app, &token, &hello("inside")).await), ErrorKind::Forbidden);

    let path = "/api/forecourt/nodes/nod_inside";
    assert_eq!(stage.get(path).await.value()["state"], "connected");
    let refusal = stage.call("DELETE", path, Value::Null).await.refusal();
    assert!(refusal.0 == 400 && refusal.1.contains("gateway.listen"), "{refusal:?}");
    nodes::disconnected(&stage.app, &NodeId::known("nod_inside"), "inside");
    stage.call("DELETE", path, Value::Null).await.value();
    assert_eq!(stage.get(path).await.refusal().0, 404);
}

#[tokio::test]
async fn a_removed_node_takes_the_token_that_it_joined_with_along() {
    let stage = Stage::start().await;
    let (id, token) = stage.instance_token("default").await;
    let (other, _) = stage.instance_token("default").await;
    let node = stage.node(&token, "one").await;
    let admitted = nodes::recognise(&stage.app, &token, &node).await.unwrap();
    let tokens = "/api/forecourt/instance_tokens?gateway_group_id=default";
    let listed = stage.get(tokens).await.list();
    let used = listed.iter().find(|row| row["id"] == json!(id)).unwrap();
    assert!(used["last_used_at"].is_string() && !used.to_string().contains(&token[..20]), "{used}");
    let unused = listed.iter().find(|row| row["id"] == json!(other)).unwrap();
    assert!(unused.get("last_used_at").is_none() && unused["created_at"].is_string(), "{unused}");

    let mut removals = nodes::removals(&stage.app);
    assert_eq!(nodes::standing(&stage.app, &admitted).await.unwrap(), Standing::Admitted);
    let removed = stage.call("DELETE", &format!("/api/forecourt/nodes/{node}"), Value::Null).await.value();
    assert_eq!(removed, json!({ "id": node }));
    assert!(removals.has_changed().unwrap(), "whoever holds the stream is woken");
    removals.mark_unchanged();
    assert_eq!(nodes::standing(&stage.app, &admitted).await.unwrap(), Standing::Removed);
    assert_eq!(refused(nodes::recognise(&stage.app, &token, &node).await), ErrorKind::Unauthenticated);
    assert_eq!(refused(nodes::admit(&stage.app, &token, &hello("one")).await), ErrorKind::Unauthenticated);
    assert_eq!(stage.acknowledge(&node, 0, &[]).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(stage.get("/api/forecourt/nodes").await.list(), Vec::<Value>::new());
    let left: Vec<_> = stage.get(tokens).await.list().iter().map(|row| row["id"].clone()).collect();
    assert_eq!(left, [json!(other)]);
}

#[tokio::test]
async fn a_deleted_token_shuts_its_nodes_out_and_leaves_them_in_the_list() {
    let stage = Stage::start().await;
    let (id, token) = stage.instance_token("default").await;
    let node = stage.node(&token, "one").await;
    let admitted = nodes::recognise(&stage.app, &token, &node).await.unwrap();
    let removals = nodes::removals(&stage.app);
    let path = format!("/api/forecourt/instance_tokens/{id}");
    stage.call("DELETE", &path, Value::Null).await.value();
    assert!(removals.has_changed().unwrap());
    assert_eq!(nodes::standing(&stage.app, &admitted).await.unwrap(), Standing::Removed);
    assert_eq!(refused(nodes::recognise(&stage.app, &token, &node).await), ErrorKind::Unauthenticated);
    nodes::disconnected(&stage.app, &node, "one");
    assert_eq!(stage.get(&format!("/api/forecourt/nodes/{node}")).await.value()["state"], "disconnected");
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 404);
    // With another token of the group it is the same node again.
    let (_, next) = stage.instance_token("default").await;
    assert_eq!(stage.node(&next, "one").await, node);
    assert_eq!(stage.get("/api/forecourt/nodes").await.names(), ["one"]);
}

/// Another start of the node's process, which says the same.
fn started_as(instance: &str) -> Hello {
    Hello { instance: instance.into(), ..hello("one") }
}

#[tokio::test]
async fn a_copied_node_is_shown_and_neither_copy_speaks_for_the_other() {
    let stage = Stage::start().await;
    let (_, token) = stage.instance_token("default").await;
    let first = nodes::admit(&stage.app, &token, &started_as("one")).await.unwrap();
    nodes::connected(&stage.app, &first.node);
    stage.service("orders").await;
    stage.acknowledge(&first.node, 1, &[]).await.unwrap();
    let complete =
        async || stage.get("/api/forecourt/receipts/1").await.value()["complete"].as_bool().unwrap();
    let path = format!("/api/forecourt/nodes/{}", first.node);
    let duplicated = async || stage.get(&path).await.value()["duplicated"].as_bool().unwrap();
    assert!(complete().await);

    // What looks like a restart whose old stream has not ended yet: it takes over, and nothing of what the other told
    // counts for it.
    let second = nodes::admit(&stage.app, &token, &started_as("two")).await.unwrap();
    nodes::connected(&stage.app, &second.node);
    assert!(!complete().await, "the second process has nothing yet");
    assert_eq!(nodes::standing(&stage.app, &first).await.unwrap(), Standing::Replaced);
    assert_eq!(nodes::standing(&stage.app, &second).await.unwrap(), Standing::Admitted);
    let late = stage.acknowledge(&first.node, 1, &[]).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Forbidden);
    assert!(!complete().await && !duplicated().await);

    // The first runs still, so there are two: it is refused, and what the second has says nothing of it.
    let refusal = nodes::admit(&stage.app, &token, &started_as("one")).await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Forbidden);
    assert!(refusal.to_string().contains("data folder copied"), "{refusal}");
    assert!(duplicated().await);
    let position = reached(&stage).await;
    let told = Acknowledgement { node: second.node.clone(), instance: "two".into(), position, drift: vec![] };
    nodes::acknowledge(&stage.app, &told).await.unwrap();
    for _ in 0..2 {
        assert!(!complete().await, "as long as the other one was heard of");
        nodes::write_down(&stage.app).await.unwrap();
    }
    stage.later(61);
    assert!(complete().await && !duplicated().await);

    // Once the second has ended, the first may come back, and is no restart either.
    nodes::disconnected(&stage.app, &second.node, "two");
    nodes::admit(&stage.app, &token, &started_as("one")).await.unwrap();
    assert!(duplicated().await && !complete().await);
}

#[tokio::test]
async fn the_late_end_of_a_replaced_process_leaves_the_one_in_its_place_connected() {
    let stage = Stage::start().await;
    let (_, token) = stage.instance_token("default").await;
    let first = nodes::admit(&stage.app, &token, &started_as("one")).await.unwrap();
    nodes::connected(&stage.app, &first.node);
    let second = nodes::admit(&stage.app, &token, &started_as("two")).await.unwrap();
    nodes::connected(&stage.app, &second.node);
    let path = format!("/api/forecourt/nodes/{}", first.node);
    for (instance, state) in [("one", "connected"), ("two", "disconnected")] {
        nodes::disconnected(&stage.app, &first.node, instance);
        assert_eq!(stage.get(&path).await.value()["state"], state, "{instance} ended");
    }
}

#[tokio::test]
async fn what_was_told_of_another_line_of_revisions_does_not_count() {
    let stage = Stage::start().await;
    let (_, token) = stage.instance_token("default").await;
    let node = stage.node(&token, "one").await;
    stage.service("orders").await;
    let right = reached(&stage).await;
    for mark in ["", "0123456789abcdef", "0123456789abcdef.01234567"] {
        let position = Position { revision: right.revision, mark: mark.into() };
        let told = Acknowledgement { node: node.clone(), instance: "one".into(), position, drift: vec![] };
        let refusal = nodes::acknowledge(&stage.app, &told).await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::Invalid, "{mark}");
        assert_eq!(stage.get("/api/forecourt/receipts/1").await.value()["complete"], false, "{mark}");
    }
    let told = Acknowledgement { node, instance: "one".into(), position: right, drift: vec![] };
    nodes::acknowledge(&stage.app, &told).await.unwrap();
    assert_eq!(stage.get("/api/forecourt/receipts/1").await.value()["complete"], true);
}

#[tokio::test]
async fn a_node_with_something_of_another_line_in_force_is_sent_everything() {
    let stage = Stage::start().await;
    stage.service("orders").await;
    let kept = reached(&stage).await;
    stage.service("payments").await;
    let group = GatewayGroupId::default_group();
    let latest = reached(&stage).await;
    let first_news = async |in_force: Position| {
        let hello = Hello { position: Some(kept.clone()), in_force: Some(in_force), ..hello("one") };
        let mut following = Following::begin(&stage.app, &group, &hello).await.unwrap();
        following.next(&stage.app).await.unwrap().remove(0)
    };
    assert!(
        matches!(first_news(latest.clone()).await, News::Rows(_)),
        "of this line, it goes on from its disk"
    );
    let other = Position { mark: "0123456789abcdef.01234567".into(), ..latest };
    assert_eq!(first_news(other.clone()).await, News::Snapshot(SnapshotReason::Diverged));
    let ahead = Position { revision: 9, ..other };
    assert_eq!(first_news(ahead).await, News::Snapshot(SnapshotReason::Diverged));
}

#[tokio::test]
async fn a_stream_ends_when_the_database_under_it_is_another() {
    let (stage, other) = (Stage::start().await, Stage::start().await);
    let group = GatewayGroupId::default_group();
    stage.service("orders").await;
    for name in ["orders", "payments"] {
        other.service(name).await;
    }
    let hello = Hello { position: Some(reached(&stage).await), ..hello("one") };
    let mut following = Following::begin(&stage.app, &group, &hello).await.unwrap();
    assert_eq!(following.next(&stage.app).await.unwrap(), []);
    // The other one stands for a backup that was put back and has gone on past what the node has.
    let refusal = following.next(&other.app).await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Unavailable);
    let held = Held { position: Some(reached(&stage).await), ..Held::default() };
    let mut again = Following::begin(&other.app, &group, held).await.unwrap();
    assert_eq!(again.next(&other.app).await.unwrap(), [News::Snapshot(SnapshotReason::Diverged)]);
}

/// The position of whoever has heard everything.
async fn reached(stage: &Stage) -> Position {
    let group = GatewayGroupId::default_group();
    let mut following = Following::begin(&stage.app, &group, &hello("anybody")).await.unwrap();
    loop {
        for news in following.next(&stage.app).await.unwrap() {
            if let News::Reached(position) = news {
                return position;
            }
        }
    }
}

#[tokio::test]
async fn a_node_that_lost_what_it_had_must_tell_it_anew() {
    let stage = Stage::start().await;
    let (_, token) = stage.instance_token("default").await;
    let id = stage.node(&token, "one").await;
    stage.service("orders").await;
    let one = reached(&stage).await;
    stage.service("payments").await;
    let two = reached(&stage).await;
    for revision in [1, 2] {
        stage.acknowledge(&id, revision, &[]).await.unwrap();
    }
    let revision =
        async || stage.get(&format!("/api/forecourt/nodes/{id}")).await.value()["revision"].clone();
    let other = Position { revision: 1, mark: two.mark.clone() };
    for (position, wanted) in [
        (Some(two.clone()), 2),
        (Some(one.clone()), 1),
        (Some(two), 1),
        (Some(other), 0),
        (Some(one), 0),
        (None, 0),
    ] {
        let hello = Hello { position, ..hello("one") };
        nodes::admit(&stage.app, &token, &hello).await.unwrap();
        nodes::write_down(&stage.app).await.unwrap();
        assert_eq!(revision().await, wanted, "{hello:?}");
    }
    let receipt = stage.get("/api/forecourt/receipts/1").await.value();
    assert_eq!(receipt["complete"], false, "{receipt}");
}
