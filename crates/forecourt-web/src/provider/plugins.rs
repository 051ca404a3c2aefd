//! Plugins of services, routes and whole gateway groups (global rules). Deleting a rule is `confirm.rs`.

use serde::Serialize;

use crate::{
    display::{Reference, When},
    forms::Form,
    links::{Link, provider},
    samples::{Sample, ago},
    templates::View,
};

/// `GET` and `POST` of a service's or a route's `…/plugins`, `/gateway/groups/{group}/rules/new` and
/// `/gateway/groups/{group}/rules/{rule}/edit`. Fields: `plugins`, a JSON object by plugin name; for rules `name`.
#[derive(Clone, Debug, Serialize)]
pub struct PluginsForm {
    /// Whose plugins.
    pub holder: Holder,
    /// Its name; empty for a new rule.
    pub name: String,
    /// The pages above, the uppermost first.
    pub above: Vec<Reference>,
    /// The plugins that there are.
    pub known: Vec<&'static str>,
    /// Where the form posts to.
    pub action: Link,
    /// Where to go instead.
    pub back: Link,
    /// What was typed or is stored.
    pub form: Form,
}

/// What has plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A service.
    Service,
    /// A route.
    Route,
    /// A global rule that is made.
    NewRule,
    /// A global rule.
    Rule,
}

/// `GET /gateway/groups/{group}/rules`.
#[derive(Clone, Debug, Serialize)]
pub struct RuleList {
    /// The group.
    pub group: Reference,
    /// Its id.
    pub group_id: String,
    /// Its global rules.
    pub rules: Vec<RuleRow>,
}

/// One global rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleRow {
    /// Its id.
    pub id: String,
    /// Its name, else its id.
    pub name: String,
    /// The names of its plugins.
    pub plugins: Vec<String>,
    /// When it was last changed.
    pub updated_at: When,
}

impl View for PluginsForm {
    const TEMPLATE: &'static str = "provider/gateway/plugins.html";

    fn samples() -> Vec<Sample<Self>> {
        let stored = "{\n  \"key-auth\": {\n    \"hide_credentials\": true\n  }\n}";
        let group = Reference::new("default", provider::group("default"));
        let service = Self {
            holder: Holder::Service,
            name: "payments-core".to_owned(),
            above: vec![
                group.clone(),
                Reference::new("payments-core", provider::service("default", "svc_1")),
            ],
            known: vec!["key-auth", "basic-auth", "cors"],
            action: provider::service_plugins("default", "svc_1"),
            back: provider::service("default", "svc_1"),
            form: Form::new().with("plugins", stored),
        };
        let rule = Self {
            holder: Holder::NewRule,
            name: String::new(),
            above: vec![group],
            action: provider::new_rule("default"),
            back: provider::rules("default"),
            form: Form::new().with("plugins", "{").refused("plugins", "This is no JSON object."),
            ..service.clone()
        };
        let edited = Self {
            holder: Holder::Rule,
            name: "everywhere".to_owned(),
            form: Form::new().with("name", "everywhere").with("plugins", stored),
            action: provider::edit_rule("default", "obj_1"),
            ..rule.clone()
        };
        vec![
            Sample::provider("service", service.clone()),
            Sample::provider("route", Self { holder: Holder::Route, ..service }),
            Sample::provider("new_rule", rule),
            Sample::provider("rule", edited),
        ]
    }
}

impl View for RuleList {
    const TEMPLATE: &'static str = "provider/gateway/rules.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = Self {
            group: Reference::new("default", provider::group("default")),
            group_id: "default".to_owned(),
            rules: vec![RuleRow {
                id: "obj_1".to_owned(),
                name: "everywhere".to_owned(),
                plugins: vec!["cors".to_owned(), "consumer-restriction".to_owned()],
                updated_at: ago(86_400),
            }],
        };
        let empty = Self { rules: Vec::new(), ..full.clone() };
        vec![Sample::provider("full", full), Sample::provider("empty", empty)]
    }
}
