//! SCIM: whether a directory provisions accounts, and its token. The question before a new one is `confirm.rs`.

use serde::Serialize;

use crate::{
    developer::credentials::Secret,
    forms::Form,
    links::{Link, provider},
    samples::Sample,
    templates::View,
};

/// `GET` and `POST` `/settings/scim` and `/portals/{portal}/scim`. Field: `enable`.
#[derive(Clone, Debug, Serialize)]
pub struct ScimSettings {
    /// The portal whose people are provisioned; `None`: administrators are.
    pub portal: Option<String>,
    /// What is ticked.
    pub form: Form,
    /// What a directory is told to call; `None`: it is not known where the portal's site is.
    pub endpoint: Option<String>,
    /// Whether there is a token.
    pub has_token: bool,
    /// Where the form posts to.
    pub action: Link,
    /// Where a token is made.
    pub token: Link,
}

/// The answer to a new token: the token, this once. Never cached.
#[derive(Clone, Debug, Serialize)]
pub struct ScimTokenShown {
    /// The portal whose people are provisioned; `None`: administrators are.
    pub portal: Option<String>,
    /// What a directory is told to call; `None`: it is not known where the portal's site is.
    pub endpoint: Option<String>,
    /// The token.
    pub secrets: Vec<Secret>,
    /// The settings.
    pub back: Link,
}

impl View for ScimSettings {
    const TEMPLATE: &'static str = "provider/provisioning/settings.html";

    fn samples() -> Vec<Sample<Self>> {
        let fresh = Self {
            portal: None,
            form: Form::new(),
            endpoint: Some("https://admin.example.com/api/scim/v2".to_owned()),
            has_token: false,
            action: provider::scim(),
            token: provider::scim_token(),
        };
        let on = Self { form: Form::new().with("enable", "true"), has_token: true, ..fresh.clone() };
        let of_portal = Self {
            portal: Some("default".to_owned()),
            action: provider::portal_scim("default"),
            token: provider::portal_scim_token("default"),
            endpoint: Some("https://developers.example.com/scim/v2".to_owned()),
            ..on.clone()
        };
        let nowhere = Self { endpoint: None, has_token: false, form: Form::new(), ..of_portal.clone() };
        vec![
            Sample::provider("on", on),
            Sample::provider("fresh", fresh),
            Sample::provider("portal", of_portal),
            Sample::provider("portal_unknown", nowhere),
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
        let endpoint = Some("https://admin.example.com/api/scim/v2".to_owned());
        let plain = Self { portal: None, endpoint, secrets, back: provider::scim() };
        let of_portal = Self {
            portal: Some("default".to_owned()),
            endpoint: None,
            back: provider::portal_scim("default"),
            ..plain.clone()
        };
        vec![Sample::provider("plain", plain), Sample::provider("portal", of_portal)]
    }
}
