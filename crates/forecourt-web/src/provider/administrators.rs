//! Administrators: the list, the page of one, an invitation, and the forms of what they may do.
//!
//! Deleting and resetting a password are `confirm.rs`.

use serde::Serialize;

use super::activities::Activity;
use crate::{
    developer::{credentials::Secret, products::Choice},
    display::{Reference, Status, When},
    forms::Form,
    links::{Link, provider},
    lists::{Chip, Paging, Search},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /settings/administrators`, with the query `search`, `role` and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct AdministratorList {
    /// The search field.
    pub search: Search,
    /// Filters by role.
    pub roles: Vec<Chip>,
    /// The administrators of this page.
    pub administrators: Vec<AdministratorRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a filter or search narrows the list.
    pub filtered: bool,
}

/// One administrator.
#[derive(Clone, Debug, Serialize)]
pub struct AdministratorRow {
    /// Their id.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// With what they sign in.
    pub username: String,
    /// Their e-mail address; may be empty.
    pub email: String,
    /// Active, or invited while a one-time password is in force.
    pub status: Status,
    /// The roles that they hold.
    pub roles: Vec<RoleHeld>,
    /// When they were invited.
    pub created_at: When,
}

/// A role that somebody holds.
#[derive(Clone, Debug, Serialize)]
pub struct RoleHeld {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The names of the gateway groups to which it is narrowed; empty: it is not.
    pub groups: Vec<String>,
}

/// `GET /settings/administrators/{administrator}`.
#[derive(Clone, Debug, Serialize)]
pub struct AdministratorPage {
    /// The administrator.
    pub administrator: AdministratorRow,
    /// Whether they are the first one, who keeps the role `super-admin` and stays.
    pub initial: bool,
    /// Whether they are who is looking.
    pub own: bool,
    /// The policy that bounds their roles.
    pub boundary: Option<Boundary>,
    /// What happened to them, newest first.
    pub activity: Vec<Activity>,
}

/// A permission boundary.
#[derive(Clone, Debug, Serialize)]
pub struct Boundary {
    /// The policy's id.
    pub id: String,
    /// Its name, or its id where it may not be seen.
    pub name: String,
}

/// `GET` and `POST` `/settings/administrators/invite`. Field: `username`.
#[derive(Clone, Debug, Serialize)]
pub struct InviteAdministrator {
    /// What was typed.
    pub form: Form,
}

/// The answer to an invitation or a reset: a one-time password, this once. Never cached.
#[derive(Clone, Debug, Serialize)]
pub struct OneTimePassword {
    /// The administrator.
    pub administrator: Reference,
    /// Whether they were there before.
    pub reset: bool,
    /// Username and one-time password.
    pub secrets: Vec<Secret>,
    /// Where roles are assigned; `None` where that is not allowed or they have some.
    pub next: Option<Link>,
}

/// `GET` and `POST` `/settings/administrators/{administrator}/roles`. Fields: `roles` (several), and for each role
/// `scopes-ROLE` (several gateway groups; none: all).
#[derive(Clone, Debug, Serialize)]
pub struct RoleAssignment {
    /// The administrator.
    pub administrator: Reference,
    /// Every role that can be chosen, and those that are held.
    pub roles: Vec<Choice>,
    /// Every gateway group that can be chosen, and those that are.
    pub groups: Vec<Choice>,
    /// What is held, or was chosen.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// `GET` and `POST` `/settings/administrators/{administrator}/boundary`. Field: `policy` (empty: none).
#[derive(Clone, Debug, Serialize)]
pub struct BoundaryForm {
    /// The administrator.
    pub administrator: Reference,
    /// Every policy that can be chosen.
    pub policies: Vec<Choice>,
    /// What is set, or was chosen.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

impl View for AdministratorList {
    const TEMPLATE: &'static str = "provider/administrators/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let list = provider::administrators();
        let page = |n: u64| list.with_query(&[("page", &n.to_string())]);
        let chip =
            |text: &str, role: &str| Chip::new(text, list.with_query(&[("role", role)]), role.is_empty());
        let full = Self {
            search: Search::new(list.clone(), "", &[]),
            roles: vec![
                chip("All", ""),
                chip("Super Admin", "super-admin"),
                chip("Edge operators", &id("rol", 1)),
            ],
            administrators: sample_rows(),
            paging: Paging::new(1, 20, 3, page),
            filtered: false,
        };
        let none = Self {
            administrators: Vec::new(),
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

impl View for AdministratorPage {
    const TEMPLATE: &'static str = "provider/administrators/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let mut rows = sample_rows().into_iter();
        let full = |administrator, initial, own| Self {
            administrator,
            initial,
            own,
            boundary: (!initial)
                .then(|| Boundary { id: id("ppl", 2), name: "Never deletes products".to_owned() }),
            activity: vec![
                Activity::sample("administrator_roles_assigned"),
                Activity::sample("administrator_invited"),
            ],
        };
        let first = rows.next().map(|row| Sample::provider("initial", full(row, true, true)));
        let second = rows.next().map(|row| full(row, false, false));
        let reading = second.clone().map(|view| Sample::provider("reading", view).reading());
        let bare = rows.next().map(|row| Self { boundary: None, ..full(row, false, false) });
        let second = second.map(|view| Sample::provider("scoped", view));
        [first, second, reading, bare.map(|view| Sample::provider("no_role", view))]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl View for InviteAdministrator {
    const TEMPLATE: &'static str = "provider/administrators/invite.html";

    fn samples() -> Vec<Sample<Self>> {
        let taken =
            Form::new().with("username", "ann").refused("username", "\"ann\" is taken; choose another.");
        vec![
            Sample::provider("plain", Self { form: Form::new() }),
            Sample::provider("taken", Self { form: taken }),
        ]
    }
}

impl View for OneTimePassword {
    const TEMPLATE: &'static str = "provider/administrators/password.html";

    fn samples() -> Vec<Sample<Self>> {
        let secret = |name: &str, env: &str, value: &str| Secret {
            name: name.to_owned(),
            env: env.to_owned(),
            value: value.to_owned(),
        };
        let invited = Self {
            administrator: Reference::new("ann", provider::administrator(&id("usr", 2))),
            reset: false,
            secrets: vec![
                secret("Username", "CONSOLE_USERNAME", "ann"),
                secret("One-time password", "CONSOLE_PASSWORD", "5f0c1-a94de-77b02-1c3d8"),
            ],
            next: Some(provider::assign_roles(&id("usr", 2))),
        };
        let reset = Self { reset: true, next: None, ..invited.clone() };
        vec![Sample::provider("invited", invited), Sample::provider("reset", reset)]
    }
}

impl View for RoleAssignment {
    const TEMPLATE: &'static str = "provider/administrators/roles.html";

    fn samples() -> Vec<Sample<Self>> {
        let role = id("rol", 1);
        let view = Self {
            administrator: Reference::new("Ann Lee", provider::administrator(&id("usr", 2))),
            roles: vec![
                Choice::new("super-admin", "Super Admin").hint("Everything"),
                Choice::new(role.as_str(), "Edge operators")
                    .hint("Routes and certificates of the edge gateways"),
            ],
            groups: vec![Choice::new("default", "default"), Choice::new(id("grp", 2), "edge-singapore")],
            form: Form::new().with("roles", role.as_str()).with(&format!("scopes-{role}"), id("grp", 2)),
            action: provider::assign_roles(&id("usr", 2)),
        };
        let refused = Self {
            form: view.form.clone().failed("The initial administrator keeps the role super-admin."),
            groups: Vec::new(),
            ..view.clone()
        };
        vec![Sample::provider("scoped", view), Sample::provider("refused", refused)]
    }
}

impl View for BoundaryForm {
    const TEMPLATE: &'static str = "provider/administrators/boundary.html";

    fn samples() -> Vec<Sample<Self>> {
        let view = Self {
            administrator: Reference::new("Ann Lee", provider::administrator(&id("usr", 2))),
            policies: vec![Choice::new(id("ppl", 2), "Never deletes products")],
            form: Form::new().with("policy", id("ppl", 2)),
            action: provider::boundary(&id("usr", 2)),
        };
        vec![Sample::provider("plain", view)]
    }
}

fn sample_rows() -> Vec<AdministratorRow> {
    let held = |id: &str, name: &str, groups: &[&str]| RoleHeld {
        id: id.to_owned(),
        name: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let first = AdministratorRow {
        id: id("usr", 1),
        name: "admin".to_owned(),
        username: "admin".to_owned(),
        email: String::new(),
        status: Status::Active,
        roles: vec![held("super-admin", "Super Admin", &[])],
        created_at: ago(86_400 * 200),
    };
    let scoped = AdministratorRow {
        id: id("usr", 2),
        name: "Ann-Katharina Lee-Vandersloot".to_owned(),
        username: "ann-katharina.lee-vandersloot@partners.nordwind.example".to_owned(),
        email: "ann@nordwind.example".to_owned(),
        roles: vec![
            held(&id("rol", 1), "Edge operators", &["default", "edge-singapore"]),
            held(&id("rol", 2), "Readers of everything", &[]),
        ],
        created_at: ago(86_400 * 20),
        ..first.clone()
    };
    let invited = AdministratorRow {
        id: id("usr", 3),
        name: "bo".to_owned(),
        username: "bo".to_owned(),
        status: Status::Invited,
        roles: Vec::new(),
        created_at: ago(600),
        ..first.clone()
    };
    vec![first, scoped, invited]
}
