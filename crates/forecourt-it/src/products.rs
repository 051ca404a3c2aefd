//! Products with a service of their own behind the gateway.

use serde_json::{Value, json};

use crate::{Answer, Forecourt, installations::text};

/// A product of the default portal. Its service has the lower-case name as path prefix and one route for everything.
#[derive(Clone, Debug)]
pub struct Product<'a> {
    /// Its id.
    pub id: String,
    /// Its service's id.
    pub service_id: String,
    /// A path at the gateway that its service answers.
    pub path: String,
    forecourt: &'a Forecourt,
}

impl<'a> Product<'a> {
    pub(crate) async fn make(forecourt: &'a Forecourt, name: &str, members: Value) -> Self {
        let admin = forecourt.admin().await;
        let prefix = format!("/{}", name.to_lowercase().replace(' ', "-"));
        let upstream = forecourt.upstream().address();
        let node = json!({ "host": upstream.ip().to_string(), "port": upstream.port(), "weight": 1 });
        let service = json!({ "name": name, "path_prefix": prefix, "upstream": { "name": "default", "nodes": [node] } });
        let made = admin.post("/apisix/admin/services?gateway_group_id=default", service).await.expect(200);
        let service_id = text(&made["value"]["id"]);
        let route = json!({ "name": "all", "service_id": service_id, "paths": ["/*"] });
        admin.post("/apisix/admin/routes?gateway_group_id=default", route).await.expect(200);
        let mut product = json!({
            "type": "gateway",
            "name": name,
            "status": "published",
            "auth": { "key-auth": {} },
            "subscription_auto_approval": true,
            "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": service_id }],
        });
        for (member, value) in members.as_object().into_iter().flatten() {
            product[member] = value.clone();
        }
        let path = format!("/api/api_products?portal_id={}", forecourt.portal_id().await);
        let made = admin.post(&path, product).await.expect(200);
        Self { id: text(&made["value"]["id"]), service_id, path: format!("{prefix}/hello"), forecourt }
    }

    /// Changes some members.
    pub async fn update(&self, members: Value) -> Answer {
        self.forecourt.admin().await.put(&format!("/api/api_products/{}", self.id), members).await
    }

    /// Publishes it.
    pub async fn publish(&self) {
        self.update(json!({ "status": "published" })).await.expect(200);
    }

    /// Unpublishes it.
    pub async fn unpublish(&self) {
        self.update(json!({ "status": "draft" })).await.expect(200);
    }
}
