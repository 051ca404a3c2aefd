//! What upstream settings accept, and what gateways get of them.

use serde_json::{Value, json};

use super::super::{Upstream, UpstreamInput};
use crate::{
    gateway_state::{Balancing, CheckKind, HashOn, UpstreamState},
    services::upstreams::UpstreamNodeInput,
};

fn state(kind: &str, settings: Value) -> Result<UpstreamState, String> {
    let Value::Object(settings) = settings else { unreachable!() };
    let nodes = vec![UpstreamNodeInput { host: "a".into(), port: 80, weight: 1, priority: -1 }];
    let input = UpstreamInput { kind: Some(kind.into()), nodes, settings, ..Default::default() };
    let upstream = Upstream::new(input).map_err(|invalid| invalid.to_string())?;
    let stored: Upstream = serde_json::from_str(&serde_json::to_string(&upstream).unwrap()).unwrap();
    assert_eq!(stored, upstream, "what is stored comes back whole");
    Ok(upstream.gateway_state())
}

#[test]
fn a_hash_is_taken_of_what_hash_on_and_key_name() {
    for (settings, wanted) in [
        (json!({}), HashOn::Address),
        (json!({ "hash_on": "vars", "key": "remote_addr" }), HashOn::Address),
        (json!({ "key": "uri" }), HashOn::Path),
        (json!({ "key": "request_uri" }), HashOn::Target),
        (json!({ "key": "host" }), HashOn::Host),
        (json!({ "key": "arg_user" }), HashOn::Argument("user".into())),
        (json!({ "key": "http_x_user" }), HashOn::Header("x-user".into())),
        (json!({ "key": "cookie_sid" }), HashOn::Cookie("sid".into())),
        (json!({ "hash_on": "header", "key": "X-User" }), HashOn::Header("x-user".into())),
        (json!({ "hash_on": "cookie", "key": "sid" }), HashOn::Cookie("sid".into())),
        (json!({ "hash_on": "consumer" }), HashOn::Consumer),
    ] {
        let balancing = state("chash", settings.clone()).unwrap().balancing;
        assert_eq!(balancing, Balancing::ConsistentHash { on: wanted }, "{settings}");
    }
    assert_eq!(state("least_conn", json!({})).unwrap().balancing, Balancing::LeastConnections);
    assert_eq!(state("roundrobin", json!({ "hash_on": "vars" })).unwrap().balancing, Balancing::RoundRobin);
}

#[test]
fn settings_of_tls_are_refused_by_their_path() {
    for (settings, problem) in [
        (json!({ "tls": { "verify": "no" } }), "upstream.tls.verify must be true or false"),
        (json!({ "tls": { "ca": "x" } }), "upstream.tls.ca must be one or more certificates"),
        (json!({ "tls": { "client_key": "x" } }), "upstream.tls.client_key is not a member here"),
        (json!({ "tls": { "client_cert_id": "a b" } }), "upstream.tls.client_cert_id must be the id"),
        (
            json!({ "tls": { "client_cert": "x", "client_cert_id": "one" } }),
            "upstream.tls.client_cert_id stands beside client_cert",
        ),
        (json!({ "tls": { "sni": "x" } }), "upstream.tls.sni is not a member here"),
    ] {
        let message = state("chash", settings.clone()).unwrap_err();
        assert!(message.starts_with(problem), "{settings}: {message}");
    }
}

#[test]
fn settings_that_nobody_would_enforce_are_refused_by_their_path() {
    for (settings, problem) in [
        (json!({ "hash_on": "vars_combinations" }), "upstream.hash_on vars_combinations is not served"),
        (json!({ "hash_on": "x" }), "upstream.hash_on must be"),
        (json!({ "hash_on": "header" }), "upstream.key must be the name of a header"),
        (json!({ "key": "server_port" }), "upstream.key must be remote_addr"),
        (json!({ "key": "arg_" }), "upstream.key must be remote_addr"),
        (json!({ "retries": -1 }), "upstream.retries must be"),
        (json!({ "keepalive_pool": { "size": 0 } }), "upstream.keepalive_pool.size must be"),
        (json!({ "keepalive_pool": { "idle_timeout": -1 } }), "upstream.keepalive_pool.idle_timeout must be"),
        (json!({ "keepalive_pool": { "more": 1 } }), "upstream.keepalive_pool.more is not a member here"),
        (json!({ "checks": {} }), "upstream.checks needs active, passive or both"),
        (json!({ "checks": { "active": { "type": "udp" } } }), "upstream.checks.active.type must be"),
        (json!({ "checks": { "active": { "http_path": "x" } } }), "upstream.checks.active.http_path must"),
        (json!({ "checks": { "active": { "port": 0 } } }), "upstream.checks.active.port must be"),
        (json!({ "checks": { "active": { "timeout": 0 } } }), "upstream.checks.active.timeout must be"),
        (json!({ "checks": { "active": { "host": "a b" } } }), "upstream.checks.active.host must be"),
        (
            json!({ "checks": { "active": { "http_method": "PUT" } } }),
            "upstream.checks.active.http_method is not",
        ),
        (
            json!({ "checks": { "active": { "req_headers": ["x"] } } }),
            "upstream.checks.active.req_headers[0] must",
        ),
        (
            json!({ "checks": { "active": { "req_headers": ["A: b", "Host: x"] } } }),
            "upstream.checks.active.req_headers[1]",
        ),
        (
            json!({ "checks": { "active": { "healthy": { "interval": 0 } } } }),
            "upstream.checks.active.healthy.interval",
        ),
        (
            json!({ "checks": { "active": { "healthy": { "timeouts": 1 } } } }),
            "upstream.checks.active.healthy.timeouts is not",
        ),
        (
            json!({ "checks": { "active": { "unhealthy": { "http_statuses": [99] } } } }),
            "upstream.checks.active.unhealthy.http_statuses",
        ),
        (
            json!({ "checks": { "passive": { "unhealthy": { "interval": 1 } } } }),
            "upstream.checks.passive.unhealthy.interval is not",
        ),
        (
            json!({ "checks": { "passive": { "unhealthy": { "http_failures": 255 } } } }),
            "upstream.checks.passive.unhealthy.http_failures",
        ),
    ] {
        let message = state("chash", settings.clone()).unwrap_err();
        assert!(message.starts_with(problem), "{settings}: {message}");
    }
    assert!(state("ewma", json!({})).unwrap_err().starts_with("upstream.type ewma is not served"));
}

#[test]
fn checks_have_the_well_known_defaults() {
    let checked = state("roundrobin", json!({ "checks": { "active": {}, "passive": {} } })).unwrap();
    let active = checked.active_check.unwrap();
    assert_eq!((active.kind, active.path.as_str(), active.timeout_ms), (CheckKind::Http, "/", 1_000));
    assert_eq!((active.healthy_interval_ms, active.unhealthy_interval_ms), (1_000, 1_000));
    assert_eq!((active.healthy.statuses, active.healthy.successes, active.verify), (vec![200, 302], 2, true));
    let unhealthy = active.unhealthy;
    assert_eq!((unhealthy.http_failures, unhealthy.tcp_failures, unhealthy.timeouts), (5, 2, 3));
    let passive = checked.passive_check.unwrap();
    assert_eq!((passive.unhealthy.statuses, passive.unhealthy.timeouts), (vec![429, 500, 503], 7));
    assert_eq!(passive.healthy.successes, 5);
}

#[test]
fn settings_reach_the_gateway_as_they_were_given() {
    let given = json!({
        "retries": 0, "tls": { "verify": false },
        "keepalive_pool": { "size": 7, "idle_timeout": 1.5, "requests": 9 },
        "checks": {
            "active": {
                "type": "https", "host": "h:1", "port": 81, "http_path": "/up?x=1", "timeout": 0.5, "concurrency": 3,
                "https_verify_certificate": false, "req_headers": ["X-A: b: c"],
                "healthy": { "interval": 2, "http_statuses": [204], "successes": 1 },
                "unhealthy": { "interval": 3, "http_statuses": [500], "http_failures": 1, "tcp_failures": 4, "timeouts": 6 },
            },
            "passive": { "type": "tcp", "unhealthy": { "http_failures": 3, "tcp_failures": 1 } },
        },
    });
    let state = state("roundrobin", given).unwrap();
    assert_eq!((state.retries, state.tls.verify, state.nodes[0].priority), (Some(0), false, -1));
    assert_eq!(
        (state.keepalive.size, state.keepalive.idle_timeout_ms, state.keepalive.requests),
        (7, Some(1_500), Some(9))
    );
    let active = state.active_check.unwrap();
    assert_eq!((active.kind, active.host.as_deref(), active.port), (CheckKind::Https, Some("h:1"), Some(81)));
    assert_eq!((active.path.as_str(), active.timeout_ms, active.verify), ("/up?x=1", 500, false));
    assert_eq!(active.headers, [("X-A".to_owned(), "b: c".to_owned())]);
    assert_eq!((active.healthy_interval_ms, active.unhealthy_interval_ms), (2_000, 3_000));
    assert_eq!((active.unhealthy.tcp_failures, active.unhealthy.timeouts), (4, 6));
    let passive = state.passive_check.unwrap();
    assert_eq!((passive.unhealthy.http_failures, passive.unhealthy.tcp_failures), (0, 1));
}

#[test]
fn an_authority_is_given_in_pem() {
    let body = "A".repeat(120);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let two = format!("{pem}{pem}");
    assert_eq!(state("chash", json!({ "tls": { "ca": two.clone() } })).unwrap().tls.ca, Some(two));
    for bad in [format!("x{pem}"), pem.replace("END", "END OF"), pem.replace("AAA", "A!A")] {
        assert!(state("chash", json!({ "tls": { "ca": bad } })).is_err());
    }
}

#[test]
fn an_upstream_that_lost_the_certificate_that_it_shows_reaches_gateways_as_one_that_cannot_be_used() {
    let tls = state("roundrobin", json!({ "tls": { "client_cert_id": "one" } })).unwrap().tls;
    assert!(tls.client_chain.is_some() && tls.client_key.is_none(), "never as one that shows none");
    let tls = state("roundrobin", json!({ "tls": { "verify": true, "client_cert": "" } })).unwrap().tls;
    assert_eq!((tls.client_chain, tls.client_key), (None, None));
}
