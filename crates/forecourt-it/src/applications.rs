//! Applications with their subscriptions and credentials.

use serde_json::{Value, json};

use crate::{Client, Developer, Forecourt, Product, installations::text};

/// An application.
#[derive(Clone, Debug)]
pub struct Application<'a> {
    /// Its id.
    pub id: String,
    /// The Portal API as its developer calls it.
    pub api: Client,
    forecourt: &'a Forecourt,
}

/// A key, seen in the one answer that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// The key itself.
    pub key: String,
}

impl<'a> Application<'a> {
    pub(crate) async fn make(developer: &Developer<'a>, name: &str) -> Self {
        let made = developer.api.post("/api/applications", json!({ "name": name })).await.expect(201);
        Self { id: text(&made["id"]), api: developer.api.clone(), forecourt: developer.forecourt }
    }

    /// Subscribes to `product`, at once or after an approval, as the product says.
    #[must_use]
    pub async fn subscribe(self, product: &Product<'_>) -> Self {
        self.request(product).await;
        self
    }

    /// Asks for a subscription to `product`.
    pub async fn request(&self, product: &Product<'_>) {
        let body = json!({ "applications": [self.id], "api_products": [product.id] });
        self.api.post("/api/subscriptions", body).await.expect(201);
    }

    /// Its subscriptions.
    pub async fn subscriptions(&self) -> Vec<Value> {
        let path = format!("/api/subscriptions?application_id={}", self.id);
        self.api.get(&path).await.expect(200)["list"].as_array().cloned().unwrap_or_default()
    }

    /// Ends its subscription to `product`.
    pub async fn unsubscribe(&self, product: &Product<'_>) {
        let subscriptions = self.subscriptions().await;
        let own = subscriptions.iter().find(|subscription| subscription["api_product_id"] == product.id);
        let id = text(&own.expect("a subscription to end")["id"]);
        self.api.delete(&format!("/api/subscriptions/{id}")).await.expect(204);
    }

    /// A new key.
    pub async fn key(&self, name: &str) -> Credential {
        let path = format!("/api/applications/{}/credentials", self.id);
        let made = self.api.post(&path, json!({ "type": "key-auth", "name": name })).await.expect(201);
        Credential { id: text(&made["id"]), key: text(&made["key-auth"]["key"]) }
    }

    /// Replaces the key of a credential.
    pub async fn regenerate(&self, credential: &Credential) -> Credential {
        let path = format!("/api/applications/{}/credentials/{}/regenerate", self.id, credential.id);
        let made = self.api.put(&path, json!({ "type": "key-auth" })).await.expect(200);
        Credential { id: text(&made["id"]), key: text(&made["key-auth"]["key"]) }
    }

    /// Deletes it.
    pub async fn delete(&self) {
        self.api.delete(&format!("/api/applications/{}", self.id)).await.expect(204);
    }

    /// The installation that it is in.
    pub const fn forecourt(&self) -> &'a Forecourt {
        self.forecourt
    }
}
