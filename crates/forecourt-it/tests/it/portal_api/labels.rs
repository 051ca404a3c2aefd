//! `/api/labels/{resource_type}` and the label filter (portal-api.md §8, README rule 9).

use forecourt_it::{Forecourt, installations::text};
use serde_json::{Value, json};

use super::listed;

#[tokio::test]
async fn labels_in_use_are_a_bare_map_of_distinct_sorted_values() {
    let f = Forecourt::start().await;
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let labels = async |noun: &str| ada.api.get(&format!("/api/labels/{noun}")).await.expect(200);
    for noun in ["developer_application", "developer_credential", "api_product"] {
        assert_eq!(labels(noun).await, json!({}));
    }
    for (name, given) in [
        ("one", json!({ "env": "test", "team": "shop" })),
        ("two", json!({ "env": "prod" })),
        ("three", json!({ "env": "prod" })),
    ] {
        ada.api.post("/api/applications", json!({ "name": name, "labels": given })).await.expect(201);
    }
    let bobs = bob
        .api
        .post("/api/applications", json!({ "name": "b", "labels": { "bobs": "x" } }))
        .await
        .expect(201);
    assert_eq!(labels("developer_application").await, json!({ "env": ["prod", "test"], "team": ["shop"] }));
    assert_eq!(labels("developer_credential").await, json!({}));

    let application = ada.application("plain").await;
    let path = |id: &str| format!("/api/applications/{id}/credentials");
    let key = |labels: Value| json!({ "type": "key-auth", "name": "k", "labels": labels });
    ada.api.post(&path(&application.id), key(json!({ "use": "ci" }))).await.expect(201);
    bob.api.post(&path(&text(&bobs["id"])), key(json!({ "use": "bobs" }))).await.expect(201);
    assert_eq!(labels("developer_credential").await, json!({ "use": ["ci"] }));
    application.delete().await;
    assert_eq!(labels("developer_credential").await, json!({}));
    for unknown in ["portal", "application", "API_PRODUCT", "api_products", "x"] {
        ada.api.get(&format!("/api/labels/{unknown}")).await.refused(400, "resource_type");
    }
    ada.api.get("/api/labels/%ff").await.refused(404, "resource not found");
}

#[tokio::test]
async fn labels_of_products_are_those_of_the_products_that_the_caller_sees() {
    let f = Forecourt::start().await;
    f.product_with("Open", json!({ "labels": { "kind": "open" } })).await;
    f.product_with("Inner", json!({ "labels": { "kind": "inner" }, "visibility": "logged_in" })).await;
    f.product_with("Draft", json!({ "labels": { "kind": "draft" }, "status": "draft" })).await;
    let ada = f.developer("ada").await;
    let path = "/api/labels/api_product";
    assert_eq!(f.portal_api().await.get(path).await.expect(200), json!({ "kind": ["open"] }));
    assert_eq!(ada.api.get(path).await.expect(200), json!({ "kind": ["inner", "open"] }));
}

#[tokio::test]
async fn a_label_filter_is_exact_in_key_and_value_and_several_must_all_hold() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for (name, labels) in [
        ("prod", json!({ "env": "prod", "team": "shop" })),
        ("Prod", json!({ "env": "Prod", "a b/c": "x & y=z" })),
        ("other", json!({ "environment": "prod", "team": "prod" })),
        ("odd", json!({ "a]b": "[c]", "ä": "%" })),
    ] {
        ada.api.post("/api/applications", json!({ "name": name, "labels": labels })).await.expect(201);
    }
    for (query, names) in [
        ("labels[env]=prod", ["prod"].as_slice()),
        ("labels%5Benv%5D=prod", &["prod"]),
        ("labels=labels[env]=prod", &["prod"]),
        ("labels=labels%5Benv%5D%3Dprod", &["prod"]),
        ("labels[env]=Prod", &["Prod"]),
        ("labels[env]=pro", &[]),
        ("labels[en]=prod", &[]),
        ("labels[Env]=prod", &[]),
        ("labels[env]=", &["Prod", "prod"]),
        ("labels[env]", &["Prod", "prod"]),
        ("labels=labels[env]=", &["Prod", "prod"]),
        ("labels[env]=prod&labels[team]=shop", &["prod"]),
        ("labels[env]=prod&labels[team]=prod", &[]),
        ("labels[env]=prod&labels[env]=Prod", &[]),
        ("labels[a+b/c]=x+%26+y%3Dz", &["Prod"]),
        ("labels%5Ba%20b%2Fc%5D=x%20%26%20y%3Dz", &["Prod"]),
        ("labels=labels[a%20b/c]%3Dx%20%26%20y%3Dz", &["Prod"]),
        ("labels[a%5Db]=[c]", &["odd"]),
        ("labels[%C3%A4]=%25", &["odd"]),
        // Neither may a value reach into the next label.
        ("labels[env]=prod%0A", &[]),
        ("labels[env]=prod%0A%0Ateam%1Fshop", &[]),
        ("labels[env%1Fprod]=", &[]),
        ("labels[team]=shop&search=PROD", &["prod"]),
    ] {
        let path = format!("/api/applications?order_by=created_at&{query}");
        assert_eq!(listed(&ada.api, &path, "name").await, names, "{query}");
    }
}

#[tokio::test]
async fn credentials_are_filtered_by_their_own_labels() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let path = format!("/api/applications/{}/credentials", application.id);
    for env in ["prod", "test"] {
        let body = json!({ "type": "key-auth", "name": env, "labels": { "env": env } });
        ada.api.post(&path, body).await.expect(201);
    }
    for list in [path.as_str(), "/api/credentials"] {
        assert_eq!(listed(&ada.api, &format!("{list}?labels[env]=prod"), "name").await, ["prod"]);
        assert_eq!(listed(&ada.api, &format!("{list}?labels[env]=none"), "name").await, Vec::<String>::new());
    }
}
