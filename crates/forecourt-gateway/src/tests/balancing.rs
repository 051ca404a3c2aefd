//! Which node callers meet, over sockets (docs/gateway.md §10); the rules themselves are tested in `upstreams.rs`.

use std::sync::Arc;

use forecourt_core::gateway_state::{Balancing, HashOn, ServiceState, UpstreamNode, UpstreamState};
use tokio::{
    io::AsyncWriteExt,
    sync::{Notify, mpsc},
    time::timeout,
};

use super::{
    rows::{put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, read_to_end, read_until, status},
};
use crate::Config;

/// An upstream that answers with its name; `GET /wait` only when it is released.
async fn named(
    name: &'static str,
    arrived: mpsc::UnboundedSender<&'static str>,
    release: &Arc<Notify>,
) -> u16 {
    let release = Arc::clone(release);
    acting(move |mut stream| {
        let (arrived, release) = (arrived.clone(), Arc::clone(&release));
        async move {
            loop {
                let head = read_until(&mut stream, "\r\n\r\n").await;
                if head.starts_with("GET /wait") {
                    let released = release.notified();
                    arrived.send(name).unwrap();
                    released.await;
                }
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

async fn stage(ports: &[u16], balancing: Balancing) -> Stage {
    let node = |port: &u16| UpstreamNode { host: "127.0.0.1".into(), port: *port, weight: 1, priority: 0 };
    let upstream = UpstreamState { nodes: ports.iter().map(node).collect(), balancing, ..upstream(1) };
    let service = ServiceState { upstream: Some(upstream), ..service("s") };
    Stage::with(Config::default(), vec![put(1, service), put(1, route("r", "s", "/*"))]).await
}

#[tokio::test]
async fn a_node_that_is_busy_gets_no_more_until_its_requests_have_ended() {
    let (arrived, mut wait_arrived) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let ports = [named("a", arrived.clone(), &release).await, named("b", arrived.clone(), &release).await];
    let stage = stage(&ports, Balancing::LeastConnections).await;
    let mut waiting = stage.connect().await;
    waiting.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let busy = timeout(PATIENCE, wait_arrived.recv()).await.unwrap().unwrap();
    for _ in 0..6 {
        assert_ne!(body(&stage.ask("/", &[]).await), busy);
    }
    release.notify_waiters();
    assert_eq!(body(&read_to_end(&mut waiting).await), busy);
    let mut seen = [body(&stage.ask("/", &[]).await).to_owned(), body(&stage.ask("/", &[]).await).to_owned()];
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b"]);
}

#[tokio::test]
async fn equal_requests_meet_the_same_node_and_different_ones_are_spread() {
    let (arrived, _wait) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let ports = [
        named("a", arrived.clone(), &release).await,
        named("b", arrived.clone(), &release).await,
        named("c", arrived.clone(), &release).await,
    ];
    let stage = stage(&ports, Balancing::ConsistentHash { on: HashOn::Header("x-user".into()) }).await;
    let mut seen = Vec::new();
    for user in 0..40 {
        let field = format!("X-User: {user}");
        let first = stage.ask("/", &[&field]).await;
        assert_eq!(status(&first), 200);
        assert_eq!(body(&first), body(&stage.ask("/other?x", &[&field]).await));
        seen.push(body(&first).to_owned());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["a", "b", "c"]);
}
