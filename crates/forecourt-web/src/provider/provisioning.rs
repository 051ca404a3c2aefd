//! SCIM: whether a directory provisions administrators, and its token. The question before a new one is `confirm.rs`.

use serde::Serialize;

use crate::{developer::credentials::Secret, forms::Form, samples::Sample, templates::View};

/// `GET` and `POST` `/settings/scim`. Field: `enable`.
#[derive(Clone, Debug, Serialize)]
pub struct ScimSettings {
    /// What is ticked.
    pub form: Form,
    /// What a directory is told to call.
    pub endpoint: String,
    /// Whether there is a token.
    pub has_token: bool,
}

/// The answer to a new token: the token, this once. Never cached.
#[derive(Clone, Debug, Serialize)]
pub struct ScimTokenShown {
    /// What a directory is told to call.
    pub endpoint: String,
    /// The token.
    pub secrets: Vec<Secret>,
}

impl View for ScimSettings {
    const TEMPLATE: &'static str = "provider/provisioning/settings.html";

    fn samples() -> Vec<Sample<Self>> {
        let endpoint = || "https://admin.example.com/api/scim/v2".to_owned();
        let on = Form::new().with("enable", "true");
        vec![
            Sample::provider("on", Self { form: on, endpoint: endpoint(), has_token: true }),
            Sample::provider("fresh", Self { form: Form::new(), endpoint: endpoint(), has_token: false }),
        ]
    }
}

impl View for ScimTokenShown {
    const TEMPLATE: &'static str = "provider/provisioning/token.html";

    fn samples() -> Vec<Sample<Self>> {
        let secrets = vec![Secret {
            name: "SCIM token".to_owned(),
            env: "SCIM_TOKEN".to_owned(),
            value: "a7scim-sample-not-a-real-token-0123456789abcdef".to_owned(),
        }];
        let endpoint = "https://admin.example.com/api/scim/v2".to_owned();
        vec![Sample::provider("plain", Self { endpoint, secrets })]
    }
}
