//! The routing table against the rules of precedence, case by case.

use forecourt_core::{gateway_state::RouteState, time::Timestamp};
use http::{HeaderMap, Method};

use super::{Linked, RoutingTable};
use crate::tests::rows::{head, route, service};

/// `(service, hosts, prefix, route path, methods, priority, route's age in seconds)`
type Given =
    (&'static str, &'static [&'static str], &'static str, &'static str, &'static [&'static str], i64, i64);

const GIVEN: &[Given] = &[
    ("any", &[], "", "/*", &[], 0, 1),
    ("orders", &[], "/shop", "/orders/*", &[], 0, 1),
    ("order-list", &[], "/shop", "/orders/list", &[], 0, 1),
    ("deep", &[], "/shop", "/orders/deep/*", &["GET"], 0, 1),
    ("exact-host", &["api.example"], "", "/here", &[], 0, 1),
    ("wild", &["*.example"], "", "/here*", &[], 0, 1),
    ("wilder", &["*.deep.example"], "", "/here", &[], 0, 1),
    ("mixed-case", &["UPPER.example"], "", "/x", &[], 0, 1),
    ("low", &[], "", "/equal", &[], 1, 1),
    ("high", &[], "", "/equal", &[], 2, 9),
    ("young", &[], "", "/aged", &[], 0, 9),
    ("old", &[], "", "/aged", &[], 0, 2),
    ("reader", &[], "", "/rw", &["GET", "HEAD"], 0, 1),
    ("writer", &[], "", "/rw", &["POST"], 0, 1),
    ("doubled", &[], "/twice/", "/over", &[], 0, 1),
    ("escaped", &[], "", "/caf%c3%a9%7e", &[], 0, 1),
];

fn table(disabled: &[&str]) -> RoutingTable {
    table_of(GIVEN, disabled)
}

fn table_of(given: &[Given], disabled: &[&str]) -> RoutingTable {
    let services: Vec<_> = given
        .iter()
        .map(|(id, hosts, prefix, ..)| {
            let mut row = service(id);
            row.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            row.path_prefix = Some((*prefix).to_owned()).filter(|prefix| !prefix.is_empty());
            row.enabled = !disabled.contains(id);
            row
        })
        .collect();
    let routes: Vec<_> = given
        .iter()
        .map(|(id, _, _, path, methods, priority, age)| RouteState {
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            priority: *priority,
            created_at: Timestamp::from_seconds(*age),
            ..route(&format!("route-of-{id}"), id, path)
        })
        .collect();
    RoutingTable::build(services.iter(), routes.iter(), &Linked::default(), &RoutingTable::default())
}

fn found<'a>(table: &'a RoutingTable, method: &Method, host: &str, path: &str) -> Option<&'a str> {
    table.find(&head(host, path, method, &HeaderMap::new())).map(|route| route.service.id.as_str())
}

#[test]
fn each_request_finds_the_most_specific_route() {
    let table = table(&[]);
    for (method, host, path, expected) in [
        ("GET", "other", "/nowhere", "any"),
        ("GET", "other", "/shop/orders/", "orders"),
        ("GET", "other", "/shop/orders", "any"),
        ("GET", "other", "/shop/orders/7", "orders"),
        ("GET", "other", "/shop/orders/list", "order-list"),
        ("GET", "other", "/shop/orders/list/", "orders"),
        ("GET", "other", "/shop/orders/deep/1", "deep"),
        ("POST", "other", "/shop/orders/deep/1", "orders"),
        ("GET", "api.example", "/here", "exact-host"),
        ("GET", "API.Example", "/here", "exact-host"),
        ("GET", "api.example", "/here/too", "wild"),
        ("GET", "www.example", "/here", "wild"),
        ("GET", "a.b.example", "/here", "wild"),
        ("GET", "a.deep.example", "/here", "wilder"),
        ("GET", "a.deep.example", "/here/too", "wild"),
        ("GET", "example", "/here", "any"),
        ("GET", "upper.example", "/x", "mixed-case"),
        ("GET", "www.example", "/nowhere", "any"),
        ("GET", "other", "/equal", "high"),
        ("GET", "other", "/aged", "old"),
        ("HEAD", "other", "/rw", "reader"),
        ("POST", "other", "/rw", "writer"),
        ("PUT", "other", "/rw", "any"),
        ("GET", "other", "/twice/over", "doubled"),
        ("GET", "other", "/caf%C3%A9~", "escaped"),
    ] {
        let method: Method = method.parse().unwrap();
        assert_eq!(found(&table, &method, host, path), Some(expected), "{method} {host} {path}");
    }
}

#[test]
fn the_host_decides_before_the_path() {
    let table = table_of(
        &[
            ("exact-wide", &["one.example"], "", "/p*", &[], 0, 1),
            ("wild-narrow", &["*.example"], "", "/p/x", &[], 0, 1),
            ("any-narrow", &[], "", "/p/x", &[], 0, 1),
        ],
        &[],
    );
    let get = |host| found(&table, &Method::GET, host, "/p/x");
    assert_eq!(get("one.example"), Some("exact-wide"));
    assert_eq!(get("two.example"), Some("wild-narrow"));
    assert_eq!(get("else"), Some("any-narrow"));
}

#[test]
fn priority_never_beats_a_more_specific_path() {
    let table = table_of(
        &[
            ("any", &[], "", "/*", &[], 99, 1),
            ("orders", &[], "/shop", "/orders/*", &[], 9, 1),
            ("order-list", &[], "/shop", "/orders/list", &[], 0, 1),
            ("deep", &[], "/shop", "/orders/deep/*", &[], 0, 1),
            ("urgent", &[], "/shop", "/orders/deep/*", &[], 1, 9),
        ],
        &[],
    );
    for (path, expected) in [
        ("/shop/orders/list", "order-list"),
        ("/shop/orders/7", "orders"),
        ("/shop/orders/deep/1", "urgent"),
        ("/shop", "any"),
    ] {
        assert_eq!(found(&table, &Method::GET, "other", path), Some(expected), "{path}");
    }
}

#[test]
fn a_disabled_service_matches_nothing_and_uncovers_what_is_behind_it() {
    let table = table(&["order-list", "any"]);
    assert_eq!(found(&table, &Method::GET, "other", "/shop/orders/list"), Some("orders"));
    assert_eq!(found(&table, &Method::GET, "other", "/nowhere"), None);
}

#[test]
fn without_rows_nothing_is_found() {
    assert_eq!(found(&RoutingTable::default(), &Method::GET, "any", "/"), None);
    assert_eq!(found(&RoutingTable::default(), &Method::OPTIONS, "any", "*"), None);
}

#[test]
fn a_host_longer_than_any_name_finds_nothing_rather_than_failing() {
    assert_eq!(found(&table(&[]), &Method::GET, &"A".repeat(300), "/"), None);
}
