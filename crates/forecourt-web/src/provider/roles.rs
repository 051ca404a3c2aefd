//! Roles of administrators: the list, the page of one, and its forms. Deleting and detaching are `confirm.rs`.

use serde::Serialize;

use super::activities::Activity;
use crate::{
    developer::products::Choice,
    display::{Label, Reference, When},
    forms::Form,
    links::{Link, provider},
    lists::{Paging, Search},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /settings/roles`, with the query `search` and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct RoleList {
    /// The search field.
    pub search: Search,
    /// The roles of this page.
    pub roles: Vec<RoleRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a search narrows the list.
    pub filtered: bool,
}

/// One role.
#[derive(Clone, Debug, Serialize)]
pub struct RoleRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Whether it came with the installation and stays as it is.
    pub built_in: bool,
    /// How many policies it has.
    pub policies: u64,
    /// How many administrators hold it.
    pub holders: u64,
    /// When it last changed.
    pub updated_at: When,
}

/// `GET /settings/roles/{role}`.
#[derive(Clone, Debug, Serialize)]
pub struct RolePage {
    /// The role.
    pub role: RoleRow,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Its policies that may be seen, in the order in which they were attached.
    pub policies: Vec<AttachedPolicy>,
    /// How many more it has.
    pub hidden_policies: u64,
    /// Administrators who hold it and may be seen, up to twenty.
    pub holders: Vec<Reference>,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// A policy of the role shown.
#[derive(Clone, Debug, Serialize)]
pub struct AttachedPolicy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
}

/// `GET` and `POST` `/settings/roles/new` and `/settings/roles/{role}/edit`. Fields: `name`, `desc`, `labels` (one
/// `key: value` a line).
#[derive(Clone, Debug, Serialize)]
pub struct RoleForm {
    /// The role that is edited; `None`: a new one.
    pub role: Option<Reference>,
    /// What was typed or is stored.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// `GET` and `POST` `/settings/roles/{role}/policies`. Field: `policies` (several), which are attached to those that
/// the role has.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyAttachment {
    /// The role.
    pub role: Reference,
    /// Policies that it does not have.
    pub policies: Vec<Choice>,
    /// What was chosen.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

impl View for RoleList {
    const TEMPLATE: &'static str = "provider/roles/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let list = provider::roles();
        let page = |n: u64| list.with_query(&[("page", &n.to_string())]);
        let full = Self {
            search: Search::new(list.clone(), "", &[]),
            roles: vec![super_admin(), sample_role()],
            paging: Paging::new(1, 20, 2, page),
            filtered: false,
        };
        let none =
            Self { roles: Vec::new(), paging: Paging::new(1, 20, 0, page), filtered: true, ..full.clone() };
        vec![
            Sample::provider("full", full.clone()),
            Sample::provider("reading", full).reading(),
            Sample::provider("none_found", none),
        ]
    }
}

impl View for RolePage {
    const TEMPLATE: &'static str = "provider/roles/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let policy = |number, name: &str| AttachedPolicy {
            id: id("ppl", number),
            name: name.to_owned(),
            description: "What the edge team needs from day to day".to_owned(),
        };
        let full = Self {
            role: sample_role(),
            labels: vec![Label::new("team", "edge")],
            policies: vec![policy(1, "Edge routes and certificates"), policy(2, "Never deletes products")],
            hidden_policies: 1,
            holders: vec![Reference::new("Ann Lee", provider::administrator(&id("usr", 2)))],
            activity: vec![Activity::sample("role_updated"), Activity::sample("role_created")],
        };
        let fresh = Self {
            policies: Vec::new(),
            hidden_policies: 0,
            holders: Vec::new(),
            labels: Vec::new(),
            role: RoleRow { holders: 0, policies: 0, ..sample_role() },
            ..full.clone()
        };
        let built_in = Self {
            role: super_admin(),
            policies: vec![AttachedPolicy {
                id: "super-admin-permission-policy".to_owned(),
                name: "Super Admin".to_owned(),
                description: String::new(),
            }],
            hidden_policies: 0,
            ..fresh.clone()
        };
        vec![
            Sample::provider("full", full.clone()),
            Sample::provider("reading", full).reading(),
            Sample::provider("fresh", fresh),
            Sample::provider("built_in", built_in),
        ]
    }
}

impl View for RoleForm {
    const TEMPLATE: &'static str = "provider/roles/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let new = Self { role: None, form: Form::new(), action: provider::new_role() };
        let edit = Self {
            role: Some(Reference::new("Edge operators", provider::role(&id("rol", 1)))),
            form: Form::new().with("name", "").refused("name", "This must be 1 to 100 characters."),
            action: provider::edit_role(&id("rol", 1)),
        };
        vec![Sample::provider("new", new), Sample::provider("edit", edit)]
    }
}

impl View for PolicyAttachment {
    const TEMPLATE: &'static str = "provider/roles/policies.html";

    fn samples() -> Vec<Sample<Self>> {
        let view = Self {
            role: Reference::new("Edge operators", provider::role(&id("rol", 1))),
            policies: vec![
                Choice::new(id("ppl", 3), "Reads everything").hint("Sees every portal and gateway"),
                Choice::new(id("ppl", 4), "Approvals of Partners Europe"),
            ],
            form: Form::new().with("policies", id("ppl", 3)),
            action: provider::attach_policies(&id("rol", 1)),
        };
        let none = Self { policies: Vec::new(), form: Form::new(), ..view.clone() };
        vec![Sample::provider("choices", view), Sample::provider("none_left", none)]
    }
}

fn sample_role() -> RoleRow {
    RoleRow {
        id: id("rol", 1),
        name: "Edge operators".to_owned(),
        description: "Routes and certificates of the edge gateways".to_owned(),
        built_in: false,
        policies: 3,
        holders: 1,
        updated_at: ago(86_400 * 3),
    }
}

fn super_admin() -> RoleRow {
    RoleRow {
        id: "super-admin".to_owned(),
        name: "Super Admin".to_owned(),
        description: "Everything".to_owned(),
        built_in: true,
        policies: 1,
        holders: 1,
        updated_at: ago(86_400 * 200),
    }
}
