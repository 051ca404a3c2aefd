//! Developers of the default portal, who act through the Portal API.

use serde_json::json;

use crate::{Application, Client, Forecourt};

/// A developer.
#[derive(Clone, Debug)]
pub struct Developer<'a> {
    /// The public id.
    pub id: String,
    /// The Portal API as this developer calls it.
    pub api: Client,
    pub(crate) forecourt: &'a Forecourt,
}

impl<'a> Developer<'a> {
    pub(crate) async fn make(forecourt: &'a Forecourt, name: &str) -> Self {
        let front_end = forecourt.portal_api().await;
        front_end.post("/api/developers", json!({ "developer_id": name })).await.expect(201);
        let api = front_end.with("x-portal-developer-id", name);
        Self { id: name.to_owned(), api, forecourt }
    }

    /// A new application.
    pub async fn application(&self, name: &str) -> Application<'a> {
        Application::make(self, name).await
    }
}
