//! What answers say to other origins, setting by setting (docs/gateway.md §8).

use forecourt_core::gateway_state::CorsPlugin;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Cors, requested_method};
use crate::tests::plugin_rows::{cors, names};

const ORIGIN: &str = "https://shop.example";

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// The answer's fields after those of the plugin were put on, sorted, without the common `access-control-`.
fn told(
    row: &CorsPlugin,
    request: &[(&'static str, &str)],
    upstream: &[(&'static str, &str)],
) -> Vec<String> {
    let mut answer = fields(upstream);
    Cors::compile(row).fields(&fields(request)).put_on(&mut answer);
    let mut lines: Vec<_> = answer
        .iter()
        .map(|(name, value)| {
            format!("{}: {}", name.as_str().trim_start_matches("access-control-"), value.to_str().unwrap())
        })
        .collect();
    lines.sort();
    lines
}

fn told_to(row: &CorsPlugin, origin: &str) -> Vec<String> {
    told(row, &[("origin", origin)], &[])
}

fn allows(row: &CorsPlugin, origin: &str) -> bool {
    told_to(row, origin).contains(&format!("allow-origin: {origin}"))
}

#[test]
fn without_settings_every_origin_is_allowed_without_credentials() {
    let all = ["allow-headers: *", "allow-methods: *", "allow-origin: *", "expose-headers: *", "max-age: 5"];
    assert_eq!(told_to(&cors(), ORIGIN), all);
    assert_eq!(told(&cors(), &[], &[]), all, "nothing depends on the origin");
}

#[test]
fn listed_origins_are_told_their_own_name_and_others_nothing() {
    let row = CorsPlugin {
        allow_origins: names(&[ORIGIN, " https://b.example "]),
        allow_methods: "GET,PUT".into(),
        allow_headers: "x-a,x-b".into(),
        expose_headers: String::new(),
        max_age: 600,
        allow_credential: true,
        ..cors()
    };
    assert_eq!(
        told_to(&row, ORIGIN),
        [
            "allow-credentials: true",
            "allow-headers: x-a,x-b",
            "allow-methods: GET,PUT",
            "allow-origin: https://shop.example",
            "max-age: 600",
            "vary: Origin",
        ]
    );
    assert!(allows(&row, "https://b.example"));
    for other in ["https://evil.example", "http://shop.example", "https://shop.example:444", "null", "*", ""]
    {
        assert_eq!(told_to(&row, other), ["vary: Origin"], "{other}");
    }
    assert_eq!(told(&row, &[], &[]), ["vary: Origin"]);
}

#[test]
fn two_stars_allow_everybody_by_name_so_that_credentials_may_go_along() {
    let row = CorsPlugin {
        allow_origins: names(&["**"]),
        allow_methods: "**".into(),
        allow_headers: "**".into(),
        expose_headers: String::new(),
        allow_credential: true,
        ..cors()
    };
    let asking = [("origin", ORIGIN), ("access-control-request-headers", "x-a, x-b")];
    assert_eq!(
        told(&row, &asking, &[]),
        [
            "allow-credentials: true",
            "allow-headers: x-a, x-b",
            "allow-methods: GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE",
            "allow-origin: https://shop.example",
            "max-age: 5",
            "vary: Origin",
        ]
    );
    assert!(told(&row, &[], &[]).contains(&"allow-origin: *".to_owned()));
}

#[test]
fn one_star_never_goes_with_credentials() {
    let row = CorsPlugin { allow_credential: true, ..cors() };
    assert!(!told_to(&row, ORIGIN).iter().any(|line| line.starts_with("allow-credentials")));
    let row = CorsPlugin { allow_origins: names(&["**"]), ..row };
    assert!(!told(&row, &[], &[]).iter().any(|line| line.starts_with("allow-credentials")));
}

#[test]
fn patterns_allow_beside_the_list_whose_stars_mean_nothing_then() {
    let row = CorsPlugin {
        allow_origins: names(&["*", "**", "https://listed.test"]),
        allow_origins_by_regex: names(&["(", r"^https://[a-z]+\.example$", r"\.b\.test"]),
        ..cors()
    };
    assert!(allows(&row, ORIGIN) && allows(&row, "https://listed.test"));
    assert!(allows(&row, "https://x.b.test.evil"), "a pattern without anchors fits anywhere");
    for other in ["https://shop.example.evil", "https://sh0p.example", "https://other.test"] {
        assert!(!allows(&row, other), "{other}");
    }
    let broken = CorsPlugin { allow_origins_by_regex: names(&["("]), ..cors() };
    assert!(!allows(&broken, ORIGIN), "a pattern that cannot be compiled opens nothing");
    let huge = CorsPlugin { allow_origins_by_regex: names(&["(a{1000}){1000}"]), ..cors() };
    assert!(!allows(&huge, "a"));
}

#[test]
fn what_the_upstream_says_to_other_origins_is_replaced() {
    let upstream = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-private-network", "true"),
        ("access-control-expose-headers", "x-secret"),
        ("vary", "accept-encoding"),
        ("x-other", "stays"),
    ];
    let row = CorsPlugin { allow_origins: names(&[ORIGIN]), expose_headers: String::new(), ..cors() };
    let refused = told(&row, &[("origin", "https://evil.example")], &upstream);
    assert_eq!(refused, ["vary: Origin", "vary: accept-encoding", "x-other: stays"]);
    let allowed = told(&row, &[("origin", ORIGIN)], &upstream);
    assert!(allowed.contains(&format!("allow-origin: {ORIGIN}")));
    assert!(!allowed.iter().any(|line| line.contains("secret") || line.contains("credentials")));
}

#[test]
fn an_answer_says_once_that_it_varies_by_origin() {
    let row = CorsPlugin { allow_origins: names(&[ORIGIN]), ..cors() };
    for vary in ["origin", "accept, Origin", "*"] {
        let told = told(&row, &[], &[("vary", vary)]);
        assert_eq!(told, [format!("vary: {vary}")]);
    }
}

#[test]
fn settings_that_no_field_can_carry_are_left_out() {
    let row = CorsPlugin { allow_methods: "GET\r\nX: y".into(), allow_headers: "\u{7f}".into(), ..cors() };
    assert_eq!(told_to(&row, ORIGIN), ["allow-origin: *", "expose-headers: *", "max-age: 5"]);
}

#[test]
fn a_preflight_is_options_with_an_origin_and_the_method_that_it_asks_about() {
    let whole = [("origin", ORIGIN), ("access-control-request-method", "PUT")];
    assert_eq!(requested_method(&Method::OPTIONS, &fields(&whole)), Some(Method::PUT));
    assert_eq!(requested_method(&Method::GET, &fields(&whole)), None);
    assert_eq!(requested_method(&Method::OPTIONS, &fields(&whole[..1])), None);
    assert_eq!(requested_method(&Method::OPTIONS, &fields(&whole[1..])), None);
    let no_method = [("origin", ORIGIN), ("access-control-request-method", "a b")];
    assert_eq!(requested_method(&Method::OPTIONS, &fields(&no_method)), None);
}
