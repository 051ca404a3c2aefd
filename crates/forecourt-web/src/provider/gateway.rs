//! Gateway groups, and their services with routes.

use serde::Serialize;

use super::activities::Activity;
use crate::{
    display::{Reference, When},
    forms::Form,
    links::{Link, provider},
    lists::Paging,
    samples::{Sample, ago},
    templates::View,
};

/// `GET /gateway`.
#[derive(Clone, Debug, Serialize)]
pub struct GroupList {
    /// The groups.
    pub groups: Vec<GroupRow>,
}

/// One gateway group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its services.
    pub services: u64,
    /// When it was made.
    pub created_at: When,
}

/// `GET` and `POST` `/gateway/groups/new`. Fields: `name`, `desc`.
#[derive(Clone, Debug, Serialize)]
pub struct NewGroup {
    /// What was typed.
    pub form: Form,
}

/// `GET /gateway/groups/{group}`, with the query `page`.
#[derive(Clone, Debug, Serialize)]
pub struct GroupPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its services of this page.
    pub services: Vec<ServiceRow>,
    /// The paging.
    pub paging: Paging,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// One service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its hosts; empty for any.
    pub hosts: Vec<String>,
    /// Its path prefix, if any.
    pub path_prefix: Option<String>,
    /// Its upstream nodes, `host:port`.
    pub upstreams: Vec<String>,
    /// The product that has it.
    pub product: Option<Reference>,
}

/// `GET` and `POST` `/gateway/groups/{group}/services/new` and `…/services/{service}/edit`. Fields: `name`, `hosts` (one a line), `path_prefix`,
/// `scheme` (`http`, `https`, `grpc` or `grpcs`), `upstreams` (`host:port`, maybe a weight, maybe a priority, one a
/// line), `strip_path_prefix` and, where it is edited, `enabled` (`true`).
#[derive(Clone, Debug, Serialize)]
pub struct NewService {
    /// The group.
    pub group: Reference,
    /// Its id.
    pub group_id: String,
    /// The service that is edited; `None`: a new one.
    pub service: Option<Reference>,
    /// Where the form posts to.
    pub action: Link,
    /// What was typed or is stored.
    pub form: Form,
}

/// `GET /gateway/groups/{group}/services/{service}`.
#[derive(Clone, Debug, Serialize)]
pub struct ServicePage {
    /// The group.
    pub group: Reference,
    /// Its id.
    pub group_id: String,
    /// The service.
    pub service: ServiceRow,
    /// Its routes.
    pub routes: Vec<RouteRow>,
    /// Whether it carries an OpenAPI document.
    pub documented: bool,
    /// When it was last changed.
    pub updated_at: When,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// `GET` and `POST` `/gateway/groups/{group}/services/{service}/document`. Field: `document`, the OpenAPI text;
/// empty removes it.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceDocument {
    /// The group's id.
    pub group_id: String,
    /// The service.
    pub service: Reference,
    /// Its id.
    pub service_id: String,
    /// What is stored or was typed.
    pub form: Form,
}

/// One route.
#[derive(Clone, Debug, Serialize)]
pub struct RouteRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its methods in capitals; empty for any.
    pub methods: Vec<String>,
    /// Its paths.
    pub paths: Vec<String>,
}

/// `GET` and `POST` `/gateway/groups/{group}/services/{service}/routes/new` and `…/routes/{route}/edit`. Fields:
/// `name`, `methods` (several), `paths` (one a line), `vars` (JSON).
#[derive(Clone, Debug, Serialize)]
pub struct NewRoute {
    /// The group's id.
    pub group_id: String,
    /// The service.
    pub service: Reference,
    /// The name of the route that is edited; `None`: a new one.
    pub route: Option<String>,
    /// Where the form posts to.
    pub action: Link,
    /// What was typed or is stored.
    pub form: Form,
}

impl View for GroupList {
    const TEMPLATE: &'static str = "provider/gateway/groups.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |id: &str, name: &str, services| GroupRow {
            id: id.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            services,
            created_at: ago(86_400 * 40),
        };
        let groups = vec![row("default", "default", 12), row("grp_2", "edge-singapore", 0)];
        vec![Sample::provider("full", Self { groups })]
    }
}

impl View for NewGroup {
    const TEMPLATE: &'static str = "provider/gateway/new_group.html";

    fn samples() -> Vec<Sample<Self>> {
        vec![Sample::provider("plain", Self { form: Form::new() })]
    }
}

impl View for GroupPage {
    const TEMPLATE: &'static str = "provider/gateway/group.html";

    fn samples() -> Vec<Sample<Self>> {
        let other = ServiceRow {
            id: "svc_3".to_owned(),
            name: "legacy-soap".to_owned(),
            product: None,
            hosts: Vec::new(),
            path_prefix: None,
            ..sample_service()
        };
        let page = |n: u64| provider::group("default").with_query(&[("page", &n.to_string())]);
        let full = Self {
            id: "default".to_owned(),
            name: "default".to_owned(),
            description: "Runs beside the control plane.".to_owned(),
            services: vec![sample_service(), other],
            paging: Paging::new(1, 20, 2, page),
            activity: vec![Activity::sample("gateway_group_updated")],
        };
        let empty = Self { services: Vec::new(), paging: Paging::new(1, 20, 0, page), ..full.clone() };
        vec![Sample::provider("full", full), Sample::provider("empty", empty)]
    }
}

impl View for NewService {
    const TEMPLATE: &'static str = "provider/gateway/new_service.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new()
            .with("name", "payments-core")
            .with("upstreams", "10.0.0.7")
            .refused("upstreams", "“10.0.0.7” has no port; it would look like 10.0.0.7:8080.");
        let view = |form| Self {
            group: sample_group(),
            group_id: "default".to_owned(),
            service: None,
            action: provider::new_service("default"),
            form,
        };
        let stored = Form::new()
            .with("name", "payments-core")
            .with("upstreams", "10.0.0.7:8080\n10.0.0.8:8080 3")
            .with("scheme", "https")
            .with("enabled", "true");
        let edited = Self {
            service: Some(Reference::new("payments-core", provider::service("default", "svc_1"))),
            action: provider::edit_service("default", "svc_1"),
            ..view(stored)
        };
        vec![
            Sample::provider("plain", view(Form::new().with("scheme", "http"))),
            Sample::provider("refused", view(refused)),
            Sample::provider("edited", edited),
        ]
    }
}

impl View for ServicePage {
    const TEMPLATE: &'static str = "provider/gateway/service.html";

    fn samples() -> Vec<Sample<Self>> {
        let route = |number: u32, name: &str, methods: &[&str], path: &str| RouteRow {
            id: format!("rte_{number}"),
            name: name.to_owned(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            paths: vec![path.to_owned()],
        };
        let full = Self {
            group: sample_group(),
            group_id: "default".to_owned(),
            service: sample_service(),
            routes: vec![
                route(1, "list", &["GET"], "/v2/payments"),
                route(2, "everything else", &[], "/v2/*"),
            ],
            documented: true,
            updated_at: ago(86_400),
            activity: vec![Activity::sample("service_created")],
        };
        let bare = Self {
            routes: Vec::new(),
            documented: false,
            service: ServiceRow { product: None, hosts: Vec::new(), path_prefix: None, ..sample_service() },
            ..full.clone()
        };
        vec![Sample::provider("full", full), Sample::provider("bare", bare)]
    }
}

impl View for NewRoute {
    const TEMPLATE: &'static str = "provider/gateway/new_route.html";

    fn samples() -> Vec<Sample<Self>> {
        let view = Self {
            group_id: "default".to_owned(),
            service: Reference::new("payments-core", provider::service("default", "svc_1")),
            route: None,
            action: provider::new_route("default", "svc_1"),
            form: Form::new(),
        };
        let edited = Self {
            route: Some("list".to_owned()),
            action: provider::edit_route("default", "svc_1", "rte_1"),
            form: Form::new()
                .with("name", "list")
                .with("methods", "GET")
                .with("paths", "/v2/payments")
                .with("vars", r#"[["arg_version", "==", "2"]]"#),
            ..view.clone()
        };
        vec![Sample::provider("plain", view), Sample::provider("edited", edited)]
    }
}

impl View for ServiceDocument {
    const TEMPLATE: &'static str = "provider/gateway/document.html";

    fn samples() -> Vec<Sample<Self>> {
        let view = |form| Self {
            group_id: "default".to_owned(),
            service: Reference::new("payments-core", provider::service("default", "svc_1")),
            service_id: "svc_1".to_owned(),
            form,
        };
        let refused = Form::new()
            .with("document", "openapi: 7")
            .refused("document", "This is neither OpenAPI 3.1 or 3.0 nor Swagger 2.");
        vec![Sample::provider("plain", view(Form::new())), Sample::provider("refused", view(refused))]
    }
}

fn sample_group() -> Reference {
    Reference::new("default", provider::group("default"))
}

fn sample_service() -> ServiceRow {
    ServiceRow {
        id: "svc_1".to_owned(),
        name: "payments-core".to_owned(),
        hosts: vec!["api.nordwind.example".to_owned(), "api.eu.nordwind.example".to_owned()],
        path_prefix: Some("/payments".to_owned()),
        upstreams: vec!["10.0.0.7:8080".to_owned(), "10.0.0.8:8080".to_owned()],
        product: Some(Reference::new("Payments", provider::product("default", "prd_1"))),
    }
}
