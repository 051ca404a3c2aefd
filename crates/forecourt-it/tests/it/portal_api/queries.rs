//! Pages, orders and decoding, the same on every list (README rules 3 and 8).

use std::{collections::BTreeSet, time::Duration};

use forecourt_it::{Client, Forecourt};
use serde_json::json;

use super::{column, listed};

/// Every list that pages, with the words of its `order_by`.
const LISTS: [(&str, &[&str]); 7] = [
    ("/api/developers", &["last_active_at", "created_at"]),
    ("/api/api_products", &["updated_at", "created_at"]),
    ("/api/applications", &["updated_at", "created_at"]),
    ("/api/credentials", &["updated_at", "created_at", "name"]),
    ("/api/subscriptions", &["subscribed_at", "developer_name"]),
    ("/api/dcr_providers", &["updated_at", "created_at"]),
    ("/api/approvals", &["applied_at", "resource_name", "operated_at"]),
];

#[tokio::test]
async fn every_list_refuses_pages_orders_and_directions_that_are_none_and_takes_empty_ones_as_absent() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let nested = format!("/api/applications/{}/credentials", application.id);
    let lists = LISTS.into_iter().chain([(nested.as_str(), LISTS[3].1)]);
    for (path, orders) in lists {
        for query in
            ["page=0", "page=-1", "page=x", "page=1.5", "page=%2B1", "page=1e3", "page=%201", "page=0x1"]
        {
            ada.api.get(&format!("{path}?{query}")).await.refused(400, "page");
            ada.api
                .get(&format!("{path}?page=1&{}", query.replace("page", "page_size")))
                .await
                .refused(400, "page_size");
        }
        // More digits than a machine's word holds are no page that exists.
        ada.api.get(&format!("{path}?page=99999999999999999999")).await.refused(400, "page");
        for query in ["direction=up", "direction=ASC", "direction=asc%20"] {
            ada.api.get(&format!("{path}?{query}")).await.refused(400, "direction");
        }
        for query in ["order_by=id", "order_by=nothing", "order_by=created_at%20desc"] {
            ada.api.get(&format!("{path}?{query}")).await.refused(400, "order_by");
        }
        for query in [
            "page=&page_size=",
            "order_by=&direction=",
            "search=",
            "unknown=1&page_sizes=0",
            "page=0&page=1",
            "direction=up&direction=asc",
            "page=18446744073709551615&page_size=18446744073709551615",
            "page=2&page_size=9223372036854775807",
            "&&",
        ] {
            let list = ada.api.get(&format!("{path}?{query}")).await.expect(200);
            assert!(list["list"].is_array() && list["total"].is_u64(), "{path}?{query}: {list}");
        }
        for order in orders {
            for direction in ["asc", "desc"] {
                ada.api.get(&format!("{path}?order_by={order}&direction={direction}")).await.expect(200);
            }
        }
    }
}

#[tokio::test]
async fn without_page_and_page_size_all_rows_come_and_either_alone_brings_the_others_default() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for number in 0..12 {
        ada.application(&format!("app {number}")).await;
    }
    let sizes = async |query: &str| {
        let list = ada.api.get(&format!("/api/applications{query}")).await.expect(200);
        assert_eq!(list["total"], 12, "{query}");
        list["list"].as_array().unwrap().len()
    };
    assert_eq!(sizes("").await, 12);
    assert_eq!(sizes("?page=1").await, 10);
    assert_eq!(sizes("?page=2").await, 2);
    assert_eq!(sizes("?page=3").await, 0);
    assert_eq!(sizes("?page_size=5").await, 5);
    assert_eq!(sizes("?page=3&page_size=5").await, 2);
    assert_eq!(sizes("?page=&page_size=5").await, 5);
    assert_eq!(sizes("?page=1&page_size=1000000").await, 12);
    let filtered = ada.api.get("/api/applications?search=app%201&page_size=1").await.expect(200);
    assert_eq!(filtered["total"], 3, "app 1, app 10, app 11: the total follows the filter");
}

async fn all_pages(api: &Client, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for page in 1.. {
        let list = api.get(&format!("{path}&page={page}&page_size=3")).await.expect(200);
        let rows = column(&list, "id");
        if rows.is_empty() {
            break;
        }
        ids.extend(rows);
    }
    ids
}

#[tokio::test]
async fn pages_of_equal_rows_never_overlap_and_miss_nothing() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let mut applications = Vec::new();
    for _ in 0..8 {
        let application = ada.application("same name").await;
        application.key("same name").await;
        applications.push(application.id);
    }
    // One write: every record and every approval carries the same moment.
    let body = json!({ "applications": applications, "api_products": [orders.id] });
    ada.api.post("/api/subscriptions", body).await.expect(201);
    for path in [
        "/api/applications?order_by=created_at",
        "/api/credentials?order_by=name",
        "/api/subscriptions?order_by=subscribed_at",
        "/api/subscriptions?order_by=developer_name",
        "/api/approvals?order_by=applied_at",
        "/api/approvals?order_by=resource_name",
        "/api/approvals?order_by=operated_at",
    ] {
        for direction in ["asc", "desc"] {
            let path = format!("{path}&direction={direction}");
            let paged = all_pages(&ada.api, &path).await;
            assert_eq!(paged, listed(&ada.api, &path, "id").await, "{path}");
            assert_eq!(paged.iter().collect::<BTreeSet<_>>().len(), 8, "{path}");
            let mut reversed = paged;
            reversed.reverse();
            let opposite = if direction == "asc" { "desc" } else { "asc" };
            let back = path.replace(&format!("direction={direction}"), &format!("direction={opposite}"));
            assert_eq!(reversed, listed(&ada.api, &back, "id").await, "{back}");
        }
    }
}

#[tokio::test]
async fn rows_are_sorted_by_the_time_asked_for_and_newest_first_by_default() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let mut made = Vec::new();
    for name in ["one", "two", "three"] {
        made.push(ada.application(name).await);
        f.advance(Duration::from_millis(3));
    }
    ada.api.put(&format!("/api/applications/{}", made[0].id), json!({ "name": "one" })).await.expect(200);
    let names = async |query: &str| listed(&ada.api, &format!("/api/applications{query}"), "name").await;
    assert_eq!(names("").await, ["one", "three", "two"]);
    assert_eq!(names("?direction=asc").await, ["two", "three", "one"]);
    assert_eq!(names("?order_by=updated_at").await, ["one", "three", "two"]);
    assert_eq!(names("?order_by=created_at").await, ["three", "two", "one"]);
    assert_eq!(names("?order_by=created_at&direction=asc").await, ["one", "two", "three"]);
}

#[tokio::test]
async fn broken_escapes_and_bytes_that_are_no_text_are_refused_in_queries_and_not_found_in_paths() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    for query in ["search=%zz", "search=%", "search=%2", "search=%ff", "search=%00", "%ff=1", "a=%c3%28"] {
        for (path, _) in LISTS {
            ada.api.get(&format!("{path}?{query}")).await.refused(400, "query");
        }
    }
    for id in ["%zz", "%ff", "%00", "%", "%2", "a%2Fb", "%20", "%C3%A4", "app_1%00"] {
        for path in [
            format!("/api/applications/{id}"),
            format!("/api/applications/{}/credentials/{id}", application.id),
            format!("/api/api_products/{id}"),
        ] {
            ada.api.get(&path).await.refused(404, "resource not found");
        }
        ada.api.delete(&format!("/api/subscriptions/{id}")).await.refused(404, "resource not found");
        let approval = format!("/api/approvals/{id}/accept");
        ada.api.post(&approval, json!({})).await.refused(404, "resource not found");
    }
}

#[tokio::test]
async fn values_are_decoded_the_last_of_a_repeated_one_wins_and_arrays_come_in_both_spellings() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let mut ids = Vec::new();
    for name in ["a b", "a$b,c:d", "a+b"] {
        let application = ada.application(name).await;
        application.key(name).await;
        ids.push(application.id);
    }
    let names = async |query: &str| listed(&ada.api, &format!("/api/applications?{query}"), "name").await;
    assert_eq!(names("search=a+b").await, ["a b"]);
    assert_eq!(names("search=a%20b").await, ["a b"]);
    assert_eq!(names("search=a%2Bb").await, ["a+b"]);
    assert_eq!(names("search=a$b,c:d").await, ["a$b,c:d"]);
    assert_eq!(names("search=nothing&search=a%20b").await, ["a b"]);
    let (one, two) = (&ids[0], &ids[1]);
    for query in [
        format!("application_id={one}&application_id={two}"),
        format!("application_id[]={one}&application_id[]={two}"),
        format!("application_id%5B%5D={one}&application_id={two}"),
        format!("application_id={one}&application_id={two}&application_id=unknown&application_id=no%20id"),
    ] {
        let path = format!("/api/credentials?order_by=name&direction=asc&{query}");
        assert_eq!(listed(&ada.api, &path, "name").await, ["a b", "a$b,c:d"], "{query}");
    }
    assert_eq!(listed(&ada.api, "/api/credentials?application_id=", "name").await.len(), 3);
    for query in ["application_id=unknown", "application_id=no%20id", "application_id[]=no%20id"] {
        assert!(listed(&ada.api, &format!("/api/credentials?{query}"), "name").await.is_empty(), "{query}");
    }
    // Nothing is answered to a query that is wrong elsewhere, even where nothing could match.
    for query in ["application_id=no%20id&page=0", "auth_method=oauth&page=0", "auth_method=oauth&order_by=x"]
    {
        ada.api.get(&format!("/api/credentials?{query}")).await.refused(400, "");
    }
}
