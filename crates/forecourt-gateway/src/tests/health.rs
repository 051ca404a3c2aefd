//! Nodes that fail get no requests while another does not, and what survives a change of configuration.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use forecourt_core::gateway_state::{
    ActiveCheck, CheckKind, HealthyWhen, PassiveCheck, ServiceState, UnhealthyWhen, UpstreamNode,
    UpstreamState,
};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, sleep},
};

use super::{
    peers::{Authority, acceptor, tls_acting},
    rows::{put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, read_until, status},
};
use crate::Config;

/// An upstream that answers with its name, 500 while it is broken; and counts probes (`GET /health`).
async fn named(name: &'static str, is_broken: &Arc<AtomicBool>, probes: &Arc<AtomicUsize>) -> u16 {
    let (is_broken, probes) = (Arc::clone(is_broken), Arc::clone(probes));
    acting(move |mut stream| {
        let (is_broken, probes) = (Arc::clone(&is_broken), Arc::clone(&probes));
        async move {
            loop {
                let head = read_until(&mut stream, "\r\n\r\n").await;
                if head.starts_with("GET /health?deep HTTP/1.1\r\n") {
                    assert!(
                        head.contains("\r\nHost: probe.example\r\n") && head.contains("\r\nX-Probe: 1\r\n"),
                        "{head}"
                    );
                    probes.fetch_add(1, Ordering::SeqCst);
                }
                let code = if is_broken.load(Ordering::SeqCst) { "500 No" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {code}\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

fn among(ports: &[u16]) -> UpstreamState {
    let node = |port: &u16| UpstreamNode { host: "127.0.0.1".into(), port: *port, weight: 1, priority: 0 };
    UpstreamState { nodes: ports.iter().map(node).collect(), ..upstream(1) }
}

fn healthy() -> HealthyWhen {
    HealthyWhen { statuses: vec![200], successes: 2 }
}

fn unhealthy() -> UnhealthyWhen {
    UnhealthyWhen { statuses: vec![500], http_failures: 2, tcp_failures: 2, timeouts: 2 }
}

fn active(kind: CheckKind) -> ActiveCheck {
    ActiveCheck {
        kind,
        path: "/health?deep".into(),
        host: Some("probe.example".into()),
        port: None,
        timeout_ms: 5_000,
        verify: false,
        headers: vec![("X-Probe".into(), "1".into()), ("X-Bad".into(), "1\r\nEvil: 1".into())],
        healthy_interval_ms: 5,
        unhealthy_interval_ms: 5,
        healthy: healthy(),
        unhealthy: unhealthy(),
    }
}

fn rows(upstream: UpstreamState) -> Vec<forecourt_wire::changes::Change> {
    let service = ServiceState { upstream: Some(upstream), ..service("s") };
    vec![put(1, service), put(1, route("r", "s", "/*"))]
}

/// Asks until six answers in a row come from these and no others.
async fn until_only(stage: &Stage, names: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut seen = Vec::new();
        for _ in 0..6 {
            let name = body(&stage.ask("/", &[]).await).to_owned();
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        seen.sort_unstable();
        if seen == names {
            return;
        }
        assert!(Instant::now() < deadline, "{names:?} were expected, {seen:?} answer");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_node_that_callers_find_broken_gets_no_requests_while_another_works() {
    let (fine, broken, probes) = (Arc::default(), Arc::new(AtomicBool::new(true)), Arc::default());
    let (a, b) = (named("a", &fine, &probes).await, named("b", &broken, &probes).await);
    let mut row = among(&[a, b]);
    row.passive_check = Some(PassiveCheck { healthy: healthy(), unhealthy: unhealthy() });
    let stage = Stage::with(Config::default(), rows(row)).await;
    let mut failures = 0;
    for _ in 0..20 {
        failures += usize::from(status(&stage.ask("/", &[]).await) == 500);
    }
    assert_eq!(failures, 2);
    // A change elsewhere is none of the upstream's business: what is known of its nodes is kept.
    stage.apply(vec![put(2, route("r", "s", "/*")), put(2, route("r2", "s", "/other"))]);
    for _ in 0..4 {
        assert_eq!(status(&stage.ask("/", &[]).await), 200);
    }
    fine.store(true, Ordering::SeqCst);
    for _ in 0..6 {
        assert_eq!(status(&stage.ask("/", &[]).await), 500, "with all nodes out, all are used");
    }
}

#[tokio::test]
async fn probes_take_a_broken_node_out_and_bring_it_back() {
    let (fine, broken, probes) = (Arc::default(), Arc::new(AtomicBool::new(false)), Arc::default());
    let (a, b) = (named("a", &fine, &probes).await, named("b", &broken, &probes).await);
    let stage = Stage::with(
        Config::default(),
        rows(UpstreamState { active_check: Some(active(CheckKind::Http)), ..among(&[a, b]) }),
    )
    .await;
    until_only(&stage, &["a", "b"]).await;
    broken.store(true, Ordering::SeqCst);
    until_only(&stage, &["a"]).await;
    broken.store(false, Ordering::SeqCst);
    until_only(&stage, &["a", "b"]).await;
    assert!(probes.load(Ordering::SeqCst) > 4);
}

#[tokio::test]
async fn a_node_is_probed_over_tls_and_by_its_connection_alone() {
    let (fine, probes) = (Arc::default(), Arc::default());
    let (a, b) = (named("a", &fine, &probes).await, named("b", &fine, &probes).await);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let authority = Authority::new();
    let secure = tls_acting(acceptor(&authority.issue("127.0.0.1"), &[], None), |mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    });
    let secure = secure.await;
    // Each check looks at another port than callers use, which is what makes the difference.
    for (kind, port, verify, expected) in [
        (CheckKind::Tcp, closed, false, &["a", "b"][..]),
        (CheckKind::Https, secure, false, &["a", "b"]),
        (CheckKind::Https, secure, true, &["a", "b"]),
    ] {
        let mut row = among(&[a, b]);
        row.nodes[0].priority = 1;
        row.active_check = Some(ActiveCheck { port: Some(port), verify, ..active(kind) });
        let upstream =
            Arc::new(crate::upstreams::Upstream::new(row, &crate::upstreams::SystemRoots::default()));
        let is_bad = kind == CheckKind::Tcp || verify;
        let deadline = Instant::now() + PATIENCE;
        while upstream.is_out(0) != is_bad {
            assert!(Instant::now() < deadline, "{kind:?} {verify} {expected:?}");
            sleep(Duration::from_millis(5)).await;
        }
        let node = Arc::downgrade(upstream.choose(0, &[]).unwrap().node);
        drop(upstream);
        while node.upgrade().is_some() {
            assert!(Instant::now() < deadline, "the probes go on after their upstream");
            tokio::task::yield_now().await;
        }
    }
}
