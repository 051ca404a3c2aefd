//! Acts on products, the services behind them and the providers of their tokens.

use forecourt_core::{events::EventName, gateway_state::Kind};
use forecourt_it::{Forecourt, OauthProvider, installations::text};
use serde_json::json;

use super::{Scene, rows};
use crate::services::admin_path;

#[tokio::test]
async fn unpublishing_a_product_hides_it_ends_what_was_subscribed_and_opens_its_service() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    let (orders, billing) = (&scene.orders, &scene.billing);
    let shown = format!("/api/api_products/{}", orders.id);
    scene.ada.api.get(&shown).await.expect(200);
    for product in [orders, billing] {
        product.unpublish().await;
        scene.told("product", &product.id, EventName::ProductUnpublished, "admin_api").await;
    }
    scene.ada.api.get(&shown).await.refused(404, "resource not found");
    assert_eq!(scene.ada.api.get("/api/api_products").await.expect(200)["total"], 0);
    assert!(scene.application.subscriptions().await.is_empty());
    assert_eq!(scene.approvals().await, [Some("cancelled".to_owned())]);
    // Neither its rules nor any grant are at gateways: the service is open to everybody.
    assert!(!rows(&f).await.contains(&(Kind::Product, orders.id.clone())));
    assert_eq!(scene.at_gateways().await, [1, 4, 0]);
    f.gateway().get(&orders.path).await.expect(200);

    orders.publish().await;
    scene.ada.api.get(&shown).await.expect(200);
    assert_eq!(scene.statuses().await, [401; 5], "what ended does not come back");
    scene.application.request(orders).await;
    assert_eq!(scene.statuses().await, [200, 200, 200, 200, 401]);
    assert_eq!(provider.clients().len(), 1, "credentials outlive a product");
}

#[tokio::test]
async fn deleting_a_product_takes_what_unpublishing_takes_and_its_rules() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    let admin = f.admin().await;
    let mail = json!({ "name": "Operations", "type": "email", "addresses": ["ops@example.com"] });
    let mail = text(&admin.post("/api/contact_points", mail).await.expect(200)["value"]["id"]);
    let rule = json!({ "event": "subscription_approval_created", "type": "email", "contact_point_ids": [mail],
        "subject": "s", "content": "c" });
    scene.orders.update(json!({ "notifications": [rule] })).await.expect(200);
    let contact_point = format!("/api/contact_points/{mail}");
    admin.delete(&contact_point).await.refused(400, "Orders");
    for product in [&scene.orders, &scene.billing] {
        let path = format!("/api/api_products/{}", product.id);
        let gone = admin.delete(&path).await;
        gone.expect(200);
        assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
        admin.get(&path).await.refused(404, "resource not found");
        scene.ada.api.get(&path).await.refused(404, "resource not found");
        scene.told("product", &product.id, EventName::ProductDeleted, "admin_api").await;
        f.gateway().get(&product.path).await.expect(200);
    }
    assert!(scene.application.subscriptions().await.is_empty());
    assert_eq!(scene.approvals().await, [Some("cancelled".to_owned())]);
    assert_eq!(scene.at_gateways().await, [0, 0, 0], "no gateway hears of a portal without products");
    assert!(!rows(&f).await.iter().any(|(kind, _)| *kind == Kind::Product));
    assert_eq!(scene.ada.api.get("/api/credentials").await.expect(200)["total"], 4, "they stay");
    admin.delete(&contact_point).await.expect(200);
    admin.delete(&format!("/api/dcr_providers/{}", scene.provider_id)).await.expect(200);
    assert_eq!(scene.ada.api.get("/api/credentials").await.expect(200)["total"], 3);
}

#[tokio::test]
async fn deleting_a_service_is_refused_while_a_product_links_it_and_then_takes_its_routes() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let orders = f.product("Orders").await;
    let service = admin_path(&format!("services/{}", orders.service_id));
    admin.delete(&service).await.refused(400, "Orders");
    f.gateway().get(&orders.path).await.expect(401);
    orders.unpublish().await;
    admin.delete(&service).await.refused(400, "Orders");
    orders.update(json!({ "linked_gateway_services": [] })).await.expect(200);
    let gone = admin.delete(&service).await;
    gone.expect(200);
    assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
    f.gateway().get(&orders.path).await.expect(404);
    let left = rows(&f).await;
    assert!(!left.iter().any(|(kind, _)| matches!(kind, Kind::Service | Kind::Route)), "{left:?}");
    let path = format!("/apisix/admin/routes?gateway_group_id=default&service_id={}", orders.service_id);
    let routes = admin.get(&path).await;
    assert!(routes.status == 404 || routes.expect(200)["total"] == 0, "{routes:?}");
}

#[tokio::test]
async fn deleting_a_dcr_provider_is_refused_while_a_product_uses_it_and_then_takes_its_clients() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    let admin = f.admin().await;
    let path = format!("/api/dcr_providers/{}", scene.provider_id);
    admin.delete(&path).await.refused(400, "the API product \"Orders\" uses this DCR provider");
    assert_eq!(scene.statuses().await, [200; 5]);
    scene.orders.unpublish().await;
    let auth = json!({ "key-auth": {}, "basic-auth": {}, "jwt-auth": {} });
    scene.orders.update(json!({ "auth": auth })).await.expect(200);
    scene.orders.publish().await;
    scene.application.request(&scene.orders).await;
    let gone = admin.delete(&path).await;
    gone.expect(200);
    assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
    admin.get(&path).await.refused(404, "resource not found");
    assert_eq!(scene.statuses().await, [200, 200, 200, 401, 401]);
    assert_eq!(scene.at_gateways().await, [1, 3, 1]);
    let own = &scene.credentials[3];
    scene.application.api.get(&scene.path(own)).await.refused(404, "resource not found");
    scene.told("credential", &own.id, EventName::CredentialDeleted, "admin_api").await;
    scene.told("dcr_provider", &scene.provider_id, EventName::DcrProviderDeleted, "admin_api").await;
    scene.no_client_is_left().await;
}
