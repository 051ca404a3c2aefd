//! Cross-origin requests over real connections (docs/gateway.md §8).

use forecourt_core::gateway_state::{CorsPlugin, PluginsState};

use super::{
    plugin_rows::{
        consumer, cors, its_key, key_auth, names, restriction, with_cors, with_plugins, with_restriction,
    },
    rows::{put, route, service, upstream},
    stage::{Stage, body, echo, protected_by, status},
};
use crate::{Config, plugins::over};

const PREFLIGHT: &[&str] = &["Origin: https://a.example", "Access-Control-Request-Method: POST"];

/// As [`Stage::protected`], and service and product `s` also answer other origins as `plugin` says.
async fn stage(plugin: CorsPlugin) -> Stage {
    let stage = Stage::with(Config::default(), protected_by(echo().await)).await;
    stage.apply(vec![put(2, with_plugins(route("r-s", "s", "/s/*"), with_cors(plugin)))]);
    stage
}

async fn options(stage: &Stage, path: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let head = format!("OPTIONS {path} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n{fields}\r\n");
    stage.exchange(head).await
}

fn has(answer: &str, line: &str) -> bool {
    answer.lines().any(|other| other.eq_ignore_ascii_case(line))
}

#[tokio::test]
async fn a_preflight_is_answered_without_credential_upstream_or_count() {
    let stage = stage(cors()).await;
    let mut nowhere = service("s");
    nowhere.upstream = Some(upstream(1));
    stage.apply(vec![put(3, nowhere)]);
    let answer = options(&stage, "/s/x", PREFLIGHT).await;
    assert_eq!((status(&answer), body(&answer)), (200, ""), "{answer}");
    for line in [
        "content-length: 0",
        "access-control-allow-origin: *",
        "access-control-allow-methods: *",
        "access-control-allow-headers: *",
        "access-control-max-age: 5",
    ] {
        assert!(has(&answer, line), "{line} in {answer}");
    }
    options(&stage, "/s/x", &[PREFLIGHT, &["apikey: k"]].concat()).await;
    assert!(stage.gateway.take_usage().is_empty());
}

#[tokio::test]
async fn a_preflight_of_a_foreign_origin_is_answered_without_any_leave() {
    let stage = stage(CorsPlugin { allow_origins: names(&["https://b.example"]), ..cors() }).await;
    let answer = options(&stage, "/s/x", PREFLIGHT).await;
    assert_eq!(status(&answer), 200);
    assert!(!answer.to_lowercase().contains("access-control-") && has(&answer, "vary: origin"), "{answer}");
}

#[tokio::test]
async fn without_the_plugin_a_preflight_is_a_request_like_others() {
    let stage = Stage::protected().await;
    assert_eq!(status(&options(&stage, "/s/x", PREFLIGHT).await), 401);
    assert!(body(&options(&stage, "/open/x", PREFLIGHT).await).starts_with("OPTIONS /open/x"));
}

#[tokio::test]
async fn options_that_is_no_preflight_needs_a_credential_and_reaches_the_upstream() {
    let stage = stage(cors()).await;
    for fields in [&[][..], &PREFLIGHT[..1], &PREFLIGHT[1..]] {
        assert_eq!(status(&options(&stage, "/s/x", fields).await), 401, "{fields:?}");
        let answer = options(&stage, "/s/x", &[fields, &["apikey: k"]].concat()).await;
        assert!(body(&answer).starts_with("OPTIONS /s/x"), "{answer}");
    }
}

#[tokio::test]
async fn a_preflight_passes_consumers_plugins_too() {
    let stage = Stage::protected().await;
    let mut only_eve = restriction();
    only_eve.whitelist = Some(names(&["eve"]));
    let plugins = over(&over(&with_cors(cors()), &key_auth()), &with_restriction(only_eve));
    stage.apply(vec![
        put(2, with_plugins(route("r-open", "open", "/open/*"), plugins)),
        put(2, consumer("ada", &[its_key("c", "k-ada")])),
    ]);
    for fields in [PREFLIGHT.to_vec(), [PREFLIGHT, &["apikey: k-ada"]].concat()] {
        let answer = options(&stage, "/open/x", &fields).await;
        assert_eq!((status(&answer), body(&answer)), (200, ""), "{answer}");
        assert!(has(&answer, "access-control-allow-origin: *"), "{answer}");
    }
    assert_eq!(status(&options(&stage, "/open/x", &[]).await), 401, "what is no preflight must show a key");
    assert_eq!(status(&options(&stage, "/open/x", &["apikey: k-ada"]).await), 403, "of somebody listed");
}

/// `/s/x` for GET, POST and OPTIONS by routes of their own, with these plugins.
async fn by_method(get: PluginsState, post: PluginsState, options: PluginsState) -> Stage {
    let stage = Stage::with(Config::default(), protected_by(echo().await)).await;
    let rows = [("GET", get), ("POST", post), ("OPTIONS", options)].map(|(method, plugins)| {
        let mut row = with_plugins(route(&format!("r-{method}"), "open", "/open/by-method"), plugins);
        row.methods = names(&[method]);
        put(2, row)
    });
    stage.apply(rows.to_vec());
    stage
}

#[tokio::test]
async fn the_route_of_the_requested_method_answers_a_preflight() {
    let none = PluginsState::default;
    let for_origin = |origin: &str| with_cors(CorsPlugin { allow_origins: names(&[origin]), ..cors() });
    let allowed = "access-control-allow-origin: https://a.example";
    let path = "/open/by-method";

    let stage = by_method(for_origin("https://b.example"), for_origin("https://a.example"), none()).await;
    assert!(has(&options(&stage, path, PREFLIGHT).await, allowed));
    let for_get = &[PREFLIGHT[0], "Access-Control-Request-Method: GET"];
    let answer = options(&stage, path, for_get).await;
    assert!(status(&answer) == 200 && body(&answer).is_empty() && !has(&answer, allowed), "{answer}");

    let stage = by_method(none(), for_origin("https://a.example"), for_origin("https://b.example")).await;
    assert!(has(&options(&stage, path, PREFLIGHT).await, allowed), "also where the other one could answer");

    let stage = by_method(none(), none(), for_origin("https://a.example")).await;
    assert!(has(&options(&stage, path, PREFLIGHT).await, allowed), "else the route that takes OPTIONS");

    let stage = by_method(for_origin("https://a.example"), none(), none()).await;
    let answer = options(&stage, path, PREFLIGHT).await;
    assert!(body(&answer).starts_with("OPTIONS"), "the route of another method has no say: {answer}");
}

#[tokio::test]
async fn a_preflight_to_a_path_that_only_takes_other_methods_is_not_found() {
    let stage = Stage::with(Config::default(), protected_by(echo().await)).await;
    let mut only_post = with_plugins(route("r-post", "s", "/post-only"), with_cors(cors()));
    only_post.methods = names(&["POST"]);
    stage.apply(vec![put(2, only_post)]);
    assert_eq!(status(&options(&stage, "/post-only", PREFLIGHT).await), 200);
    let for_put = &[PREFLIGHT[0], "Access-Control-Request-Method: PUT"];
    let answer = options(&stage, "/post-only", for_put).await;
    assert_eq!(status(&answer), 404);
    assert!(!answer.to_lowercase().contains("access-control-"));
}

#[tokio::test]
async fn refusals_and_answers_carry_the_fields_too() {
    let stage = stage(CorsPlugin { allow_origins: names(&["https://a.example"]), ..cors() }).await;
    let allowed = "access-control-allow-origin: https://a.example";
    let refused = stage.ask("/s/x", PREFLIGHT).await;
    assert!(status(&refused) == 401 && has(&refused, allowed) && has(&refused, "vary: Origin"), "{refused}");
    let passed = stage.ask("/s/x", &["Origin: https://a.example", "apikey: k"]).await;
    assert!(status(&passed) == 200 && has(&passed, allowed), "{passed}");
    let foreign = stage.ask("/s/x", &["Origin: https://evil.example", "apikey: k"]).await;
    assert!(status(&foreign) == 200 && !foreign.to_lowercase().contains("access-control-"), "{foreign}");

    let mut only_eve = restriction();
    only_eve.whitelist = Some(names(&["eve"]));
    let plugins = over(&over(&with_cors(cors()), &key_auth()), &with_restriction(only_eve));
    stage.apply(vec![
        put(3, with_plugins(route("r-open", "open", "/open/*"), plugins)),
        put(3, consumer("ada", &[its_key("c", "k-ada")])),
    ]);
    for (fields, expected) in [(&[][..], 401), (&["apikey: k-ada"], 403)] {
        let answer = stage.ask("/open/x", fields).await;
        assert_eq!(status(&answer), expected);
        assert!(has(&answer, "access-control-allow-origin: *"), "{answer}");
    }
    let mut nowhere = service("open");
    nowhere.upstream = None;
    stage.apply(vec![
        put(4, nowhere),
        put(4, with_plugins(route("r-open", "open", "/open/*"), with_cors(cors()))),
    ]);
    let answer = stage.ask("/open/x", &[]).await;
    assert!(status(&answer) == 503 && has(&answer, "access-control-allow-origin: *"), "{answer}");
}
