//! Plans of products and of subscriptions, as the Admin API makes and changes them.

use forecourt_app::gateway_feed::{Following, Held, News};
use forecourt_core::{
    gateway_state::{GrantState, ProductState, Resource},
    ids::GatewayGroupId,
};
use forecourt_wire::changes::Change;
use serde_json::{Value, json};

use super::stage::Stage;

const PLANS: &str = "/api/forecourt/plans";

/// A published product that subscribes at once, with one subscriber.
struct Offered {
    stage: Stage,
    product: String,
    subscription: String,
}

impl Offered {
    async fn start() -> Self {
        let stage = Stage::start().await;
        let portal = stage.default_portal().await;
        let service = stage.service("orders").await;
        let product = json!({
            "type": "gateway", "name": "Orders", "auth": { "key-auth": {} }, "status": "published",
            "subscription_auto_approval": true,
            "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": service }],
        });
        let product = stage.id_of("POST", &format!("/api/api_products?portal_id={portal}"), product).await;
        let (_, ada) = stage.developer(&portal, "ada").await;
        stage.subscribed(&ada, "mobile", &product).await;
        let found = stage.get("/api/subscriptions").await.list().pop().unwrap();
        assert_eq!(found["plan_id"], Value::Null, "a product without plans gives none");
        Self { subscription: found["id"].as_str().unwrap().to_owned(), stage, product }
    }

    fn body(&self, name: &str, count: u64) -> Value {
        json!({
            "api_product_id": self.product, "name": name,
            "limits": [{ "count": count, "window_seconds": 60 }],
        })
    }

    async fn plan(&self, name: &str, count: u64) -> String {
        self.stage.id_of("POST", PLANS, self.body(name, count)).await
    }

    async fn subscribed_plan(&self) -> Value {
        self.stage.get("/api/subscriptions").await.list()[0]["plan_id"].clone()
    }

    /// What gateways hear of the product and its grant, from the beginning.
    async fn heard(&self) -> (ProductState, GrantState) {
        let group = GatewayGroupId::default_group();
        let mut following = Following::begin(&self.stage.app, &group, Held::default()).await.unwrap();
        let told = self.told(&mut following).await;
        let rows: Vec<_> = told.into_iter().filter_map(|change| change.resource).collect();
        let product = rows.iter().find_map(|row| match row {
            Resource::Product(product) => Some((**product).clone()),
            _ => None,
        });
        let grant = rows.iter().find_map(|row| match row {
            Resource::Grant(grant) => Some(grant.clone()),
            _ => None,
        });
        (product.unwrap(), grant.unwrap())
    }

    /// What gateways hear of next.
    async fn told(&self, following: &mut Following) -> Vec<Change> {
        let mut rows = Vec::new();
        loop {
            let told = following.next(&self.stage.app).await.unwrap();
            if told.is_empty() {
                return rows;
            }
            rows.extend(told.into_iter().flat_map(|news| match news {
                News::Rows(changes) => changes,
                _ => Vec::new(),
            }));
        }
    }
}

#[tokio::test]
async fn the_first_plan_of_a_product_is_its_default_and_is_given_to_whoever_is_subscribed() {
    let offered = Offered::start().await;
    let bronze = offered.plan("Bronze", 5).await;
    assert_eq!(offered.subscribed_plan().await, json!(bronze));
    let gold = offered.plan("Gold", 500).await;
    assert_eq!(offered.subscribed_plan().await, json!(bronze), "a second plan is given to nobody");
    let product = offered.stage.get(&format!("/api/api_products/{}", offered.product)).await.value();
    assert_eq!(
        product["plans"],
        json!([
            { "id": bronze, "name": "Bronze", "limits": [{ "count": 5, "window_seconds": 60 }], "default": true },
            { "id": gold, "name": "Gold", "limits": [{ "count": 500, "window_seconds": 60 }], "default": false },
        ])
    );
    let (product, grant) = offered.heard().await;
    let names: Vec<_> = product.plans.iter().map(|plan| (plan.name.as_str(), plan.default)).collect();
    assert_eq!(names, [("Bronze", true), ("Gold", false)]);
    assert_eq!(grant.plan_id.unwrap().as_str(), bronze);
}

#[tokio::test]
async fn a_plans_limits_change_in_one_row_and_its_default_moves() {
    let offered = Offered::start().await;
    let (bronze, gold) = (offered.plan("Bronze", 5).await, offered.plan("Gold", 500).await);
    let group = GatewayGroupId::default_group();
    let mut following = Following::begin(&offered.stage.app, &group, Held::default()).await.unwrap();
    offered.told(&mut following).await;
    let path = format!("{PLANS}/{bronze}");
    let change =
        json!({ "limits": [{ "count": 6, "window_seconds": 1 }, { "count": 9, "window_seconds": 86400 }] });
    let changed = offered.stage.call("PUT", &path, change).await.value();
    assert_eq!(changed["name"], "Bronze", "what is absent stays");
    assert_eq!(changed["limits"][1], json!({ "count": 9, "window_seconds": 86400 }));
    assert_eq!(offered.told(&mut following).await.len(), 1, "only the product's row tells of it");
    let moved =
        offered.stage.call("PUT", &format!("{PLANS}/{gold}"), json!({ "default": true })).await.value();
    assert_eq!(moved["default"], true);
    assert_eq!(offered.stage.get(&path).await.value()["default"], false);
    let refused = offered.stage.call("PUT", &format!("{PLANS}/{gold}"), json!({ "default": false })).await;
    assert!(refused.refusal().1.contains("another plan of the API product the default first"));
}

#[tokio::test]
async fn an_administrator_changes_the_plan_of_a_subscription_and_a_plan_in_use_stays() {
    let offered = Offered::start().await;
    let (bronze, gold) = (offered.plan("Bronze", 5).await, offered.plan("Gold", 500).await);
    let path = format!("/api/forecourt/subscriptions/{}/plan", offered.subscription);
    let changed = offered.stage.call("PUT", &path, json!({ "plan_id": gold })).await.value();
    assert_eq!((&changed["id"], &changed["plan_id"]), (&json!(offered.subscription), &json!(gold)));
    assert_eq!(offered.heard().await.1.plan_id.unwrap().as_str(), gold);
    let used = offered.stage.call("DELETE", &format!("{PLANS}/{gold}"), Value::Null).await.refusal();
    assert_eq!(
        used,
        (400, r#"plan "Gold" is in use by 1 subscriptions: give them another plan first"#.into())
    );
    let default = offered.stage.call("DELETE", &format!("{PLANS}/{bronze}"), Value::Null).await.refusal();
    assert_eq!(default.0, 400, "{default:?}");
    offered.stage.call("PUT", &path, json!({ "plan_id": bronze })).await.value();
    let deleted = offered.stage.call("DELETE", &format!("{PLANS}/{gold}"), Value::Null).await.value();
    assert_eq!(deleted, json!({ "id": gold }));
    assert_eq!(offered.stage.get(&format!("{PLANS}/{gold}")).await.refusal().0, 404);
    assert_eq!(offered.stage.get(PLANS).await.names(), ["Bronze"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_plan_is_said_by_its_member() {
    let offered = Offered::start().await;
    offered.plan("Bronze", 5).await;
    let product = json!(offered.product);
    let limits = |limit: Value| json!({ "api_product_id": product, "name": "P", "limits": [limit] });
    for (body, expected) in [
        (json!({ "name": "P", "limits": [] }), "api_product_id is required"),
        (json!({ "api_product_id": "prd_x", "name": "P", "limits": [] }), "\"prd_x\" is not an API product"),
        (json!({ "api_product_id": product, "limits": [] }), "name is required"),
        (
            json!({ "api_product_id": product, "name": "P" }),
            "limits is required; [] is a plan without limits",
        ),
        (offered.body("Bronze", 5), "the API product has a plan \"Bronze\" already"),
        (offered.body("P", 0), "limits[0].count must be a whole number from 1 to 1000000000"),
        (
            limits(json!({ "count": 1, "window_seconds": -1 })),
            "limits[0].window_seconds must be a whole number",
        ),
        (limits(json!({ "count": "1", "window_seconds": 1 })), "limits[0].count must be a whole number"),
        (limits(json!({ "count": 1, "window": 1 })), "limits[0].window is not a member here"),
    ] {
        let (status, message) = offered.stage.call("POST", PLANS, body).await.refusal();
        assert!(status == 400 && message.contains(expected), "{status} {message} for {expected}");
    }
    let path = format!("/api/forecourt/subscriptions/{}/plan", offered.subscription);
    for (plan, expected) in
        [(json!({}), "plan_id is required"), (json!({ "plan_id": "pln_x" }), "\"pln_x\" is not a plan of")]
    {
        let (status, message) = offered.stage.call("PUT", &path, plan).await.refusal();
        assert!(status == 400 && message.contains(expected), "{status} {message}");
    }
}

#[tokio::test]
async fn plans_are_listed_by_product_and_go_with_it() {
    let offered = Offered::start().await;
    offered.plan("Bronze", 5).await;
    offered.plan("Gold", 5).await;
    let of_product = format!("{PLANS}?api_product_id={}", offered.product);
    assert_eq!(offered.stage.get(&of_product).await.names(), ["Bronze", "Gold"]);
    let paged = offered.stage.get(&format!("{of_product}&page=2&page_size=1")).await.body;
    assert_eq!((&paged["list"][0]["name"], &paged["total"]), (&json!("Gold"), &json!(2)));
    assert!(offered.stage.get(&format!("{PLANS}?api_product_id=prd_x")).await.list().is_empty());
    offered
        .stage
        .call("DELETE", &format!("/api/api_products/{}", offered.product), Value::Null)
        .await
        .value();
    assert!(offered.stage.get(PLANS).await.list().is_empty());
}
