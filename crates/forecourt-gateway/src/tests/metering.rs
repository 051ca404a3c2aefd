//! What is counted, by whom, and that nothing is lost or doubled on the way.

use forecourt_core::time::Timestamp;
use forecourt_wire::usage::UsageCount;

use super::{
    rows::{put, service, upstream},
    stage::Stage,
};

/// `(credential, hour, calls)`, sorted.
fn sums(counts: &[UsageCount]) -> Vec<(String, i64, u64)> {
    let mut sums: Vec<_> = counts
        .iter()
        .map(|count| {
            assert_eq!((count.product_id.as_str(), count.application_id.as_str()), ("prd", "app"));
            assert_eq!(count.last_used_from, "127.0.0.1");
            (count.credential_id.to_string(), count.hour.seconds(), count.calls)
        })
        .collect();
    sums.sort();
    sums
}

#[tokio::test]
async fn each_request_that_passes_counts_once_for_its_credential_and_hour() {
    let stage = Stage::protected().await;
    stage.set_clock(3_600 * 10 + 5);
    for fields in
        [&["apikey: k"][..], &["apikey: k"], &["Authorization: Basic YWRhOnB3"], &["apikey: wrong"], &[]]
    {
        stage.ask("/s/x", fields).await;
    }
    stage.ask("/open/x", &["apikey: k"]).await;
    stage.set_clock(3_600 * 11);
    stage.ask("/s/x", &["apikey: k"]).await;
    let counts = stage.gateway.take_usage();
    let expected = [("crd-key", 36_000, 2), ("crd-key", 39_600, 1), ("crd-user", 36_000, 1)];
    assert_eq!(sums(&counts), expected.map(|(id, hour, calls)| (id.to_owned(), hour, calls)));
    let first = counts.iter().find(|count| count.calls == 2).unwrap();
    assert_eq!(first.last_used_at, Timestamp::from_seconds(36_005));
    assert!(stage.gateway.take_usage().is_empty());
}

#[tokio::test]
async fn a_request_counts_whatever_the_upstream_answers() {
    let stage = Stage::protected().await;
    let mut broken = service("s");
    broken.upstream = Some(upstream(1));
    broken.upstream.as_mut().unwrap().nodes[0].weight = 0;
    stage.apply(vec![put(2, broken)]);
    stage.ask("/s/x", &["apikey: k"]).await;
    assert_eq!(stage.gateway.take_usage()[0].calls, 1);
}
