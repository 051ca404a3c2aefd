//! `/metrics` as it is told: everything that the list has, nothing that it has not, in a form that Prometheus reads.

use std::{collections::BTreeMap, time::Duration};

use forecourt::metrics::{ALL, Kind, Metric};
use forecourt_it::{Forecourt, HookAnswer, Webhook, deadlines::eventually, installations::text};
use serde_json::json;

use crate::notifications::{asks, telling};

/// The families of a text: name, type, and each line's labels with its value.
fn families(text: &str) -> BTreeMap<String, (String, Vec<(String, f64)>)> {
    let mut families: BTreeMap<String, (String, Vec<(String, f64)>)> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.split_once(' ').is_some_and(|(_, help)| !help.is_empty()), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            last = name.to_owned();
            assert!(
                families.insert(last.clone(), (kind.to_owned(), Vec::new())).is_none(),
                "{name} comes twice"
            );
        } else {
            let (name, value) = line.rsplit_once(' ').expect(line);
            assert!(name.starts_with(&last), "{line} is not of {last}");
            let value = value.parse().expect(line);
            families.get_mut(&last).expect("a family").1.push((name[last.len()..].to_owned(), value));
        }
    }
    families
}

/// What is missing in the text, and what it has that the list has not.
fn differences(text: &str, expected: impl Fn(&Metric) -> bool) -> Vec<String> {
    let told = families(text);
    let missing = ALL.iter().filter(|metric| expected(metric) && !told.contains_key(metric.name));
    let mut differences: Vec<_> = missing.map(|metric| format!("{} is missing", metric.name)).collect();
    for (name, (kind, samples)) in &told {
        let Some(metric) = ALL.iter().find(|metric| metric.name == name) else {
            differences.push(format!("{name} is not listed"));
            continue;
        };
        if format!("{:?}", metric.kind).to_lowercase() != *kind {
            differences.push(format!("{name} is a {kind}"));
        }
        for (labels, value) in samples {
            let has_all = metric.labels.iter().all(|label| labels.contains(&format!("{label}=\"")));
            let expected = metric.labels.len() + usize::from(labels.contains("le=\""));
            if !has_all || labels.matches("=\"").count() != expected {
                differences.push(format!("{name}{labels} should have {:?}", metric.labels));
            }
            if metric.kind != Kind::Gauge && *value < 0.0 {
                differences.push(format!("{name} is below 0"));
            }
        }
    }
    differences
}

#[tokio::test]
async fn a_process_that_serves_tells_every_metric_of_the_list_and_no_other() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    f.gateway().get(&orders.path).await.expect(401);
    f.guest().with_basic("admin", "wrong").get("/api/me").await.expect(401);
    f.site().get("/").await;
    let text = f.status().get("/metrics").await.text();
    // Without Redis there is nothing to say of it; the rest is a node's.
    let expected = |metric: &Metric| {
        metric.name != "forecourt_gateway_limits_shared" && !metric.name.starts_with("forecourt_node_")
    };
    assert_eq!(differences(&text, expected), Vec::<String>::new(), "{text}");
}

#[tokio::test]
async fn requests_of_each_face_are_counted_by_pattern_method_and_class() {
    let f = Forecourt::start().await;
    let portal = f.portal_id().await.to_owned();
    for _ in 0..3 {
        f.admin().await.get(&format!("/api/portals/{portal}")).await.expect(200);
    }
    f.admin().await.get("/api/portals/prt_none").await.expect(404);
    f.portal_api_guest().get("/api/applications").await.expect(401);
    let text = f.status().get("/metrics").await.text();
    let requests = &families(&text)["forecourt_http_requests_total"].1;
    let count = |parts: &[&str]| -> f64 {
        let fitting = requests.iter().filter(|(labels, _)| parts.iter().all(|part| labels.contains(part)));
        fitting.map(|(_, value)| value).sum()
    };
    let one = ["face=\"admin\"", "method=\"GET\"", "route=\"/api/portals/{"];
    let with = |status: &'static str| [one[0], one[1], one[2], status];
    assert_eq!(count(&with("status=\"2xx\"")), 3.0, "{text}");
    assert_eq!(count(&with("status=\"4xx\"")), 1.0, "{text}");
    assert_eq!(count(&["face=\"portal_api\"", "status=\"4xx\""]), 1.0, "{text}");
    assert!(!text.contains(&portal), "no id is a label: {text}");
}

#[tokio::test]
async fn failed_sign_ins_and_refused_ones_are_counted() {
    let f = Forecourt::start_with(|settings| {
        settings.security.failed_sign_ins.per_account = 2;
    })
    .await;
    for expected in [401, 401, 429] {
        f.guest().with_basic("nobody", "wrong").get("/api/me").await.expect(expected);
    }
    let told = families(&f.status().get("/metrics").await.text());
    assert!(told["forecourt_sign_in_failures_total"].1[0].1 >= 2.0, "{told:?}");
    assert!(told["forecourt_sign_in_refusals_total"].1[0].1 >= 1.0, "{told:?}");
}

#[tokio::test]
async fn jobs_are_counted_and_nothing_waits_in_the_end() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    eventually("counted calls are delivered and added up", || async {
        let told = families(&f.status().get("/metrics").await.text());
        let runs = |job: &str| {
            let runs = &told["forecourt_job_runs_total"].1;
            runs.iter().find(|(labels, _)| labels.contains(job)).map_or(0.0, |(_, value)| *value)
        };
        let is_empty = told["forecourt_usage_inbox_pieces"].1[0].1 == 0.0;
        (runs("usage_delivery") > 1.0 && runs("usage_keeping") > 1.0 && is_empty).then_some(())
    })
    .await;
    let told = families(&f.status().get("/metrics").await.text());
    let failures: f64 = told["forecourt_job_failures_total"].1.iter().map(|(_, value)| value).sum();
    assert_eq!(failures, 0.0);
    let lag = told["forecourt_nodes_lag_revisions"].1[0].1;
    assert!((0.0..10.0).contains(&lag), "{lag}");
    let answered = &told["forecourt_gateway_answered_total"].1;
    assert!(answered.iter().any(|(labels, value)| labels.contains("2xx") && *value >= 1.0), "{answered:?}");
}

/// Waits until these values are told, each by its metric and a part of its labels.
async fn tells(f: &Forecourt, wanted: &[(&str, &str, f64)]) {
    eventually(&format!("{wanted:?} is told"), || async {
        let told = families(&f.status().get("/metrics").await.text());
        let is_told = |(name, labels, wanted): &(&str, &str, f64)| {
            let mut samples = told.get(*name).into_iter().flat_map(|(_, samples)| samples);
            samples.any(|(found, value)| found.contains(labels) && value == wanted)
        };
        wanted.iter().all(is_told).then_some(())
    })
    .await;
}

/// A contact point that calls this hook: its id.
async fn calling(f: &Forecourt, hook: &Webhook) -> String {
    let body = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    text(&f.admin().await.post("/api/contact_points", body).await.expect(200)["value"]["id"])
}

#[tokio::test]
async fn notifications_that_wait_and_that_were_given_up_are_told_and_attempts_by_their_outcome() {
    let f = Forecourt::start().await;
    let (well, ill) = (Webhook::start().await, Webhook::start().await);
    ill.answers(HookAnswer::Status(500));
    let ids = [calling(&f, &well).await, calling(&f, &ill).await];
    asks(&f, &telling(&f, "webhook", &[&ids[0], &ids[1]]).await).await;
    let attempts = "forecourt_delivery_attempts_total";
    let before = [
        (attempts, "type=\"webhook\",outcome=\"delivered\"", 1.0),
        (attempts, "type=\"webhook\",outcome=\"retried\"", 1.0),
        (attempts, "type=\"email\",outcome=\"delivered\"", 0.0),
        ("forecourt_deliveries_waiting", "", 1.0),
        ("forecourt_deliveries_overdue_seconds", "", 0.0),
        ("forecourt_deliveries_dead", "", 0.0),
    ];
    tells(&f, &before).await;
    ill.answers(HookAnswer::Status(410));
    f.advance(Duration::from_secs(30));
    let after = [
        (attempts, "type=\"webhook\",outcome=\"dead\"", 1.0),
        (attempts, "type=\"webhook\",outcome=\"retried\"", 1.0),
        ("forecourt_deliveries_waiting", "", 0.0),
        ("forecourt_deliveries_dead", "", 1.0),
    ];
    tells(&f, &after).await;
}

#[tokio::test]
async fn what_nobody_sends_is_told_with_its_age() {
    let f = Forecourt::start_with(|settings| settings.background.outgoing = false).await;
    let hook = Webhook::start().await;
    let id = calling(&f, &hook).await;
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    f.advance(Duration::from_secs(600));
    let told = families(&f.status().get("/metrics").await.text());
    let overdue = told["forecourt_deliveries_overdue_seconds"].1[0].1;
    assert!((600.0..700.0).contains(&overdue), "{overdue}");
}
