//! Which node gets a request: turns, loads, keys, priorities, health.

use std::{collections::BTreeMap, sync::Arc};

use forecourt_core::gateway_state::{
    ActiveCheck, Balancing, CheckKind, HashOn, HealthyWhen, PassiveCheck, UnhealthyWhen, UpstreamHost,
    UpstreamNode, UpstreamState,
};
use http::HeaderMap;
use proptest::prelude::*;

use super::{Outcome, SystemRoots, Traits, Upstream, key};
use crate::tests::rows;

fn node(port: u16, weight: u32) -> UpstreamNode {
    UpstreamNode { host: "127.0.0.1".into(), port, weight, priority: 0 }
}

fn state(nodes: Vec<UpstreamNode>, balancing: Balancing) -> UpstreamState {
    UpstreamState { nodes, balancing, host: UpstreamHost::Node, ..rows::upstream(1) }
}

fn upstream(weights: &[u32], balancing: Balancing) -> Upstream {
    let nodes = weights.iter().zip(1u16..).map(|(weight, port)| node(port, *weight));
    Upstream::new(state(nodes.collect(), balancing), &SystemRoots::default())
}

fn chosen(upstream: &Upstream, key: u64, tried: &[usize]) -> Option<u16> {
    upstream.choose(key, tried).map(|choice| choice.node.target.port)
}

fn by_address() -> Balancing {
    Balancing::ConsistentHash { on: HashOn::Address }
}

#[test]
fn nodes_take_turns_by_weight_and_without_bursts() {
    let upstream = upstream(&[5, 0, 1, 1], Balancing::RoundRobin);
    let turns: Vec<u16> = (0..14).map(|_| chosen(&upstream, 0, &[]).unwrap()).collect();
    assert_eq!(turns, [1, 1, 3, 1, 4, 1, 1, 1, 1, 3, 1, 4, 1, 1]);
}

#[test]
fn without_a_node_of_positive_weight_there_is_none() {
    for balancing in [Balancing::RoundRobin, Balancing::LeastConnections, by_address()] {
        assert_eq!(chosen(&upstream(&[], balancing.clone()), 0, &[]), None);
        assert_eq!(chosen(&upstream(&[0], balancing), 0, &[]), None);
    }
}

#[test]
fn a_node_that_was_tried_is_not_chosen_again_and_in_the_end_there_is_none() {
    for balancing in [Balancing::RoundRobin, Balancing::LeastConnections, by_address()] {
        let upstream = upstream(&[1, 1, 1], balancing);
        let mut tried = Vec::new();
        let mut ports = Vec::new();
        while let Some(choice) = upstream.choose(7, &tried) {
            tried.push(choice.place);
            ports.push(choice.node.target.port);
        }
        ports.sort_unstable();
        assert_eq!(ports, [1, 2, 3]);
    }
}

#[test]
fn the_node_with_the_fewest_in_flight_for_its_weight_is_next() {
    let upstream = upstream(&[1, 3], Balancing::LeastConnections);
    let mut held: Vec<_> = (0..8).map(|_| upstream.choose(0, &[]).unwrap()).collect();
    let on =
        |held: &[super::Choice<'_>], port| held.iter().filter(|one| one.node.target.port == port).count();
    assert_eq!((on(&held, 1), on(&held, 2)), (2, 6));
    held.retain(|one| one.node.target.port == 1);
    assert_eq!(chosen(&upstream, 0, &[]), Some(2), "its requests have ended");
}

#[test]
fn equally_busy_nodes_take_turns() {
    let upstream = upstream(&[1, 1], Balancing::LeastConnections);
    let mut ports: Vec<_> = (0..2).map(|_| chosen(&upstream, 0, &[]).unwrap()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [1, 2]);
}

#[test]
fn keys_are_shared_out_by_weight() {
    let upstream = upstream(&[100, 100, 200], by_address());
    let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
    for number in 0..20_000 {
        *counts.entry(chosen(&upstream, super::hashing::mix(number), &[]).unwrap()).or_default() += 1;
    }
    for (port, expected) in [(1, 5_000), (2, 5_000), (3, 10_000)] {
        assert!(counts[&port].abs_diff(expected) < 400, "{counts:?}");
    }
}

proptest! {
    #[test]
    fn a_node_that_goes_away_moves_its_own_keys_and_no_others(
        weights in proptest::collection::vec(1u32..500, 2..12),
        gone in any::<proptest::sample::Index>(),
        keys in proptest::collection::vec(any::<u64>(), 64),
    ) {
        let all: Vec<_> = weights.iter().zip(1u16..).map(|(weight, port)| node(port, *weight)).collect();
        let gone = gone.index(all.len());
        let mut fewer = all.clone();
        let gone = fewer.remove(gone).port;
        let roots = SystemRoots::default();
        let before = Upstream::new(state(all, by_address()), &roots);
        let after = Upstream::new(state(fewer, by_address()), &roots);
        for key in keys {
            let was = chosen(&before, key, &[]).unwrap();
            let is = chosen(&after, key, &[]).unwrap();
            prop_assert!(is == was || was == gone, "{key} moved from {was} to {is}");
        }
    }
}

#[test]
fn what_a_request_is_told_apart_by_decides_and_where_it_is_absent_the_address_does() {
    let mut headers = HeaderMap::new();
    headers.insert("host", "a.example".parse().unwrap());
    headers.insert("x-user", "ada".parse().unwrap());
    headers.insert("cookie", "a=1; session=xyz".parse().unwrap());
    let traits = |query, address: &str| {
        let address = address.parse().unwrap();
        key_of(&headers, query, address)
    };
    for on in [
        HashOn::Path,
        HashOn::Target,
        HashOn::Host,
        HashOn::Argument("q 1".into()),
        HashOn::Header("X-User".into()),
        HashOn::Cookie("session".into()),
        HashOn::Consumer,
    ] {
        let one = traits("x&q%201=2", "10.0.0.1")(&on);
        assert_eq!(one, traits("x&q%201=2", "10.0.0.2")(&on), "{on:?} ignores the address");
        assert_ne!(one, traits("x&q%201=2", "10.0.0.1")(&HashOn::Address), "{on:?}");
    }
    for absent in [HashOn::Argument("no".into()), HashOn::Header("no".into()), HashOn::Cookie("no".into())] {
        let address = traits("x", "10.0.0.1")(&HashOn::Address);
        assert_eq!(traits("x", "10.0.0.1")(&absent), address);
    }
    assert_ne!(traits("x", "10.0.0.1")(&HashOn::Address), traits("x", "10.0.0.2")(&HashOn::Address));
    assert_ne!(traits("x", "10.0.0.1")(&HashOn::Target), traits("y", "10.0.0.1")(&HashOn::Target));
    assert_eq!(traits("x", "10.0.0.1")(&HashOn::Path), traits("y", "10.0.0.1")(&HashOn::Path));
}

fn key_of<'a>(
    headers: &'a HeaderMap,
    query: &'a str,
    address: std::net::IpAddr,
) -> impl Fn(&HashOn) -> u64 + 'a {
    move |on| {
        let traits = Traits { address, path: "/p", query: Some(query), headers, consumer: Some("app") };
        key(on, &traits)
    }
}

#[test]
fn a_lower_priority_gets_requests_only_while_no_higher_one_is_usable() {
    let nodes = vec![
        UpstreamNode { priority: -1, ..node(1, 9) },
        UpstreamNode { priority: 5, ..node(2, 1) },
        UpstreamNode { priority: 5, ..node(3, 1) },
    ];
    for balancing in [Balancing::RoundRobin, Balancing::LeastConnections, by_address()] {
        let mut row = state(nodes.clone(), balancing);
        row.passive_check = Some(strict());
        let upstream = Upstream::new(row, &SystemRoots::default());
        for key in 0..20 {
            assert_ne!(chosen(&upstream, key, &[]), Some(1));
        }
        for port in [2, 3] {
            fail(&upstream, port);
        }
        assert_eq!(chosen(&upstream, 0, &[]), Some(1));
        fail(&upstream, 1);
        assert_ne!(chosen(&upstream, 0, &[]), Some(1), "with all of them out, health is no reason to refuse");
    }
}

/// A node is out after one failure.
fn strict() -> PassiveCheck {
    PassiveCheck {
        healthy: HealthyWhen { statuses: vec![200], successes: 1 },
        unhealthy: UnhealthyWhen { statuses: vec![500], http_failures: 1, tcp_failures: 1, timeouts: 1 },
    }
}

fn fail(upstream: &Upstream, port: u16) {
    let node = upstream.nodes.iter().find(|node| node.target.port == port).unwrap();
    upstream.note(node, Outcome::Status(500));
}

#[test]
fn retries_are_as_many_as_the_row_says_and_never_more_than_other_nodes() {
    let retries = |count: usize, most| {
        let mut row = state(vec![node(1, 1); count], Balancing::RoundRobin);
        row.retries = most;
        Upstream::new(row, &SystemRoots::default()).retries()
    };
    assert_eq!((retries(1, None), retries(3, None), retries(9, None)), (0, 2, 3));
    assert_eq!((retries(9, Some(0)), retries(9, Some(5)), retries(2, Some(5))), (0, 5, 1));
}

#[test]
fn the_host_of_a_node_names_its_port_unless_it_is_the_scheme_s_own() {
    let host = |scheme: &str, host: &str, port| {
        let mut row = state(vec![UpstreamNode { host: host.into(), ..node(port, 1) }], Balancing::RoundRobin);
        row.scheme = scheme.into();
        row.tls.verify = false;
        let one = Upstream::new(row, &SystemRoots::default());
        let node = Arc::clone(one.choose(0, &[]).unwrap().node);
        one.host_for(&node).unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(host("http", "127.0.0.1", 1), "127.0.0.1:1");
    assert_eq!(host("http", "a.example", 80), "a.example");
    assert_eq!(host("https", "a.example", 443), "a.example");
    assert_eq!(host("grpcs", "::1", 443), "[::1]");
    assert_eq!(host("grpc", "[::1]", 50_051), "[::1]:50051");
}

#[test]
fn probes_of_rows_that_came_outside_of_a_runtime_begin_with_the_first_request() {
    let mut row = state(vec![node(1, 1)], Balancing::RoundRobin);
    row.active_check = Some(ActiveCheck {
        kind: CheckKind::Tcp,
        path: "/".into(),
        host: None,
        port: None,
        timeout_ms: 1,
        verify: true,
        headers: Vec::new(),
        healthy_interval_ms: 1_000,
        unhealthy_interval_ms: 1_000,
        healthy: strict().healthy,
        unhealthy: strict().unhealthy,
    });
    let upstream = Upstream::new(row, &SystemRoots::default());
    assert!(upstream.probes.get().is_none());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { upstream.begin_probes() });
    assert_eq!(upstream.probes.get().unwrap().len(), 1);
}
