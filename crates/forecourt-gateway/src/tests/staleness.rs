//! A gateway that nobody has told anything for too long: who may call is not said any more, open routes go on.

use std::time::Duration;

use super::{
    plugin_rows::{consumer, its_key, key_auth, with_plugins},
    rows::{put, route},
    stage::{Stage, body, status},
};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn past_the_limit_products_and_consumers_are_refused_and_open_routes_are_served() {
    let stage = Stage::protected().await;
    stage.apply(vec![
        put(2, with_plugins(route("r-mine", "open", "/open/mine"), key_auth())),
        put(2, consumer("ada", &[its_key("c", "k-ada")])),
    ]);
    let would_pass = || {
        let head = http::Request::get("/s/x").header("host", "api.example").header("apikey", "k");
        stage.gateway.would_pass(&head.body(()).unwrap())
    };
    for (ago, expected) in [(23 * HOUR, 200), (25 * HOUR, 503), (Duration::ZERO, 200)] {
        stage.gateway.heard(ago);
        let answer = stage.ask("/s/x", &["apikey: k"]).await;
        assert_eq!(status(&answer), expected, "{ago:?}");
        assert_eq!(status(&stage.ask("/open/mine", &["apikey: k-ada"]).await), expected, "{ago:?}");
        assert_eq!(status(&stage.ask("/open/x", &[]).await), 200, "{ago:?}");
        assert_eq!(would_pass(), expected == 200);
        assert_eq!(stage.gateway.is_stale(), expected == 503);
        if expected == 503 {
            assert!(body(&answer).contains("has not heard from its control plane for too long"), "{answer}");
        }
    }
    let stale = stage.gateway.rejected().find(|(label, _)| *label == "stale").unwrap();
    assert_eq!(stale.1, 2);
}
