//! Permission policies: the list, the page of one with what it says in words, and the form of its document.
//!
//! Deleting one is `confirm.rs`.

use serde::Serialize;

use super::activities::Activity;
use crate::{
    display::{Label, Reference, When},
    forms::Form,
    links::{Link, provider},
    lists::{Paging, Search},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /settings/policies`, with the query `search` and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct PermissionPolicyList {
    /// The search field.
    pub search: Search,
    /// The policies of this page.
    pub policies: Vec<PermissionPolicyRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a search narrows the list.
    pub filtered: bool,
}

/// One policy.
#[derive(Clone, Debug, Serialize)]
pub struct PermissionPolicyRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Whether it came with the installation and stays as it is.
    pub built_in: bool,
    /// How many statements it has.
    pub statements: u64,
    /// When it last changed.
    pub updated_at: When,
}

/// `GET /settings/policies/{policy}`.
#[derive(Clone, Debug, Serialize)]
pub struct PermissionPolicyPage {
    /// The policy.
    pub policy: PermissionPolicyRow,
    /// Its labels.
    pub labels: Vec<Label>,
    /// What it says, in its own order.
    pub statements: Vec<StatementShown>,
    /// Patterns of actions that name no action, and so do nothing.
    pub idle: Vec<String>,
    /// Its document, indented.
    pub document: String,
    /// Roles that have it and may be seen.
    pub roles: Vec<Reference>,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// One statement in words.
#[derive(Clone, Debug, Serialize)]
pub struct StatementShown {
    /// Whether it denies; else it allows.
    pub denies: bool,
    /// What it does so for, by part of the installation.
    pub parts: Vec<ActionsShown>,
    /// On what.
    pub resources: Vec<ResourceShown>,
    /// Only in gateway groups with all of these labels.
    pub labels: Vec<Label>,
    /// Whether it has a condition that is not understood.
    pub unknown_condition: bool,
}

/// The actions of one part of the installation.
#[derive(Clone, Debug, Serialize)]
pub struct ActionsShown {
    /// `gateway`, `iam` or `portal`; texts are `permission_policy.part.*` in the catalogue.
    pub part: &'static str,
    /// Whether they are all that there are.
    pub all: bool,
    /// Their words without the part, such as `GetPortal`.
    pub actions: Vec<&'static str>,
}

/// A pattern of resources.
#[derive(Clone, Debug, Serialize)]
pub struct ResourceShown {
    /// As it is written.
    pub pattern: String,
    /// What it is in words, `permission_policy.resource.*` in the catalogue; `None`: there are none for it.
    pub word: Option<&'static str>,
}

/// `GET` and `POST` `/settings/policies/new` and `/settings/policies/{policy}/edit`. Fields: `name`, `desc`, `labels`
/// (one `key: value` a line), `document` (JSON).
#[derive(Clone, Debug, Serialize)]
pub struct PermissionPolicyForm {
    /// The policy that is edited; `None`: a new one.
    pub policy: Option<Reference>,
    /// What was typed or is stored.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// The words of the catalogue for patterns that many policies have.
pub fn resource_word(pattern: &str) -> Option<&'static str> {
    Some(match pattern.strip_prefix("arn:api7:").unwrap_or(pattern) {
        "<.*>" => "everything",
        "portal:<.*>" => "portal",
        "portal:portal/<.*>" => "portals",
        "portal:dcrprovider/<.*>" => "dcr_providers",
        "gateway:<.*>" => "gateway",
        "gateway:gatewaygroup/<.*>" => "gateway_groups",
        "gateway:gatewaysetting/*" => "gateway_settings",
        "iam:<.*>" => "iam",
        "iam:user/<.*>" => "users",
        "iam:role/<.*>" => "roles",
        "iam:permissionpolicy/<.*>" => "policies",
        "iam:organization/*" => "organization",
        _ => return None,
    })
}

impl View for PermissionPolicyList {
    const TEMPLATE: &'static str = "provider/permission_policies/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let list = provider::permission_policies();
        let page = |n: u64| list.with_query(&[("page", &n.to_string())]);
        let built_in = PermissionPolicyRow {
            id: "super-admin-permission-policy".to_owned(),
            name: "super-admin-permission-policy".to_owned(),
            description: String::new(),
            built_in: true,
            statements: 1,
            updated_at: ago(86_400 * 200),
        };
        let full = Self {
            search: Search::new(list.clone(), "", &[]),
            policies: vec![built_in, sample_row()],
            paging: Paging::new(1, 20, 2, page),
            filtered: false,
        };
        let none = Self {
            policies: Vec::new(),
            paging: Paging::new(1, 20, 0, page),
            filtered: true,
            ..full.clone()
        };
        vec![
            Sample::provider("full", full.clone()),
            Sample::provider("reading", full).reading(),
            Sample::provider("none_found", none),
        ]
    }
}

impl View for PermissionPolicyPage {
    const TEMPLATE: &'static str = "provider/permission_policies/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let resource =
            |pattern: &str| ResourceShown { pattern: pattern.to_owned(), word: resource_word(pattern) };
        let allow = StatementShown {
            denies: false,
            parts: vec![
                ActionsShown {
                    part: "gateway",
                    all: false,
                    actions: vec!["GetCertificate", "UpdateCertificate"],
                },
                ActionsShown { part: "portal", all: true, actions: vec!["GetPortal"] },
            ],
            resources: vec![
                resource("arn:api7:gateway:gatewaygroup/<.*>"),
                resource("arn:api7:portal:portal/prt_0198c0a400017f31b2c95e0d4a6f/apiproduct/<.*>"),
            ],
            labels: vec![Label::new("env", "test")],
            unknown_condition: false,
        };
        let deny = StatementShown {
            denies: true,
            parts: vec![ActionsShown { part: "portal", all: false, actions: vec!["DeleteAPIProduct"] }],
            resources: vec![resource("<.*>")],
            labels: Vec::new(),
            unknown_condition: true,
        };
        let idle = StatementShown { parts: Vec::new(), unknown_condition: false, ..deny.clone() };
        let full = Self {
            policy: sample_row(),
            labels: vec![Label::new("team", "edge")],
            statements: vec![allow, deny, idle],
            idle: vec!["portal:DeleteApiProdukt".to_owned()],
            document: "{\n  \"statement\": [\n    { \"effect\": \"allow\", \"resources\": [\"<.*>\"], \"actions\": [\"portal:Get<.*>\"] }\n  ]\n}".to_owned(),
            roles: vec![Reference::new("Edge operators", provider::role(&id("rol", 1)))],
            activity: vec![Activity::sample("permission_policy_created")],
        };
        let built_in = Self {
            policy: PermissionPolicyRow { built_in: true, ..sample_row() },
            idle: Vec::new(),
            roles: Vec::new(),
            ..full.clone()
        };
        vec![
            Sample::provider("full", full.clone()),
            Sample::provider("reading", full).reading(),
            Sample::provider("built_in", built_in),
        ]
    }
}

impl View for PermissionPolicyForm {
    const TEMPLATE: &'static str = "provider/permission_policies/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let new = Self {
            policy: None,
            form: Form::new().with("document", "{\n  \"statement\": []\n}"),
            action: provider::new_permission_policy(),
        };
        let edit = Self {
            policy: Some(Reference::new(
                "Never deletes products",
                provider::permission_policy(&id("ppl", 2)),
            )),
            form: new
                .form
                .clone()
                .with("name", "Never deletes products")
                .refused("document", "Statement 2: effect must be allow or deny."),
            action: provider::edit_permission_policy(&id("ppl", 2)),
        };
        vec![Sample::provider("new", new), Sample::provider("edit", edit)]
    }
}

fn sample_row() -> PermissionPolicyRow {
    PermissionPolicyRow {
        id: id("ppl", 2),
        name: "Never deletes products".to_owned(),
        description: "For everybody who is not on call".to_owned(),
        built_in: false,
        statements: 3,
        updated_at: ago(86_400 * 3),
    }
}
