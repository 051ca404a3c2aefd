//! Products that are linked, shown, unlinked and withdrawn, as callers of the gateway notice it.

use forecourt_it::{Forecourt, Product};
use serde_json::{Value, json};

use crate::services::admin_path;

/// A link to the product's own service, with `hosts` shown.
fn link(product: &Product<'_>, hosts: &[&str]) -> Value {
    let linked = json!({
        "gateway_group_id": "default", "service_id": product.service_id, "linked_hosts": hosts,
    });
    json!({ "linked_gateway_services": [linked] })
}

#[tokio::test]
async fn linked_hosts_narrow_nothing() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let hosts = ["one.example", "two.example"];
    let service = admin_path(&format!("services/{}", orders.service_id));
    f.admin().await.patch(&service, json!({ "hosts": hosts })).await.expect(200);
    orders.update(link(&orders, &hosts[..1])).await.expect(200);
    let shown = f.admin().await.get(&format!("/api/api_products/{}", orders.id)).await.expect(200);
    assert_eq!(shown["value"]["linked_gateway_services"][0]["linked_hosts"], json!(["one.example"]));

    let key = f.developer("ada").await.application("demo").await.subscribe(&orders).await.key("prod").await;
    for host in hosts {
        let caller = f.gateway().with("host", host);
        caller.get(&orders.path).await.expect(401);
        caller.with("apikey", &key.key).get(&orders.path).await.expect(200);
    }
}

#[tokio::test]
async fn what_the_catalogue_shows_changes_nothing_at_the_gateway() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let subscribed = ada.application("one").await.subscribe(&orders).await.key("prod").await;
    let stranger = ada.application("two").await.key("prod").await;
    let check = async |when: &str| {
        let calls = [
            f.gateway().get(&orders.path).await,
            f.call(&orders, &stranger).await,
            f.call(&orders, &subscribed).await,
        ];
        assert_eq!(calls.map(|answer| answer.status.as_u16()), [401, 401, 200], "{when}");
    };
    check("at first").await;
    for change in [
        json!({ "visibility": "logged_in" }),
        json!({ "can_view_unsubscribed": false }),
        json!({ "visibility": "public" }),
        json!({ "can_view_unsubscribed": true }),
    ] {
        let after = orders.update(change.clone()).await.expect(200);
        for (member, value) in change.as_object().unwrap() {
            assert_eq!(after["value"][member], *value);
        }
        check(&change.to_string()).await;
    }
    let path = format!("/api/portal/system_settings/public_access?portal_id={}", f.portal_id().await);
    for public in [false, true] {
        admin.put(&path, json!({ "portal_public_access": public })).await.expect(200);
        check(&format!("with public access {public}")).await;
    }
}

#[tokio::test]
async fn a_service_is_open_exactly_while_no_published_product_has_it() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let guest = f.gateway();
    guest.get(&orders.path).await.expect(401);

    orders.update(json!({ "linked_gateway_services": [] })).await.expect(200);
    guest.get(&orders.path).await.expect(200);
    orders.update(link(&orders, &[])).await.expect(200);
    guest.get(&orders.path).await.expect(401);
    f.call(&orders, &key).await.expect(200);

    orders.unpublish().await;
    guest.get(&orders.path).await.expect(200);
    orders.publish().await;
    guest.get(&orders.path).await.expect(401);
    // Its subscription ended when the product was withdrawn.
    f.call(&orders, &key).await.expect(401);
    application.request(&orders).await;
    f.call(&orders, &key).await.expect(200);
}
