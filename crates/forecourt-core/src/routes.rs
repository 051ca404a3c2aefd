//! Gateway routes: which paths and methods of a service are reachable.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    gateway_state::{PluginsState, RouteState, RouteTimeouts},
    ids::{GatewayGroupId, RouteId, ServiceId},
    labels::Labels,
    lists::{Order, Paging, TextFilter, TimeOrder},
    refusals::{Refusal, RefusalKind},
    services::{check_path, check_plugins},
    text::{self, Invalid},
    time::Timestamp,
};

/// A route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its id; unique over the installation.
    pub id: RouteId,
    /// Its service.
    pub service_id: ServiceId,
    /// Its service's group.
    pub gateway_group_id: GatewayGroupId,
    /// 1–1024 characters.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// At least one; each starts with `/`, a trailing `*` makes a prefix.
    pub paths: Vec<String>,
    /// Upper case; empty: all.
    pub methods: Vec<String>,
    /// Higher wins between equally specific paths.
    pub priority: i64,
    /// Unknown members, as given.
    pub extra: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or a replacement gives.
#[derive(Clone, Debug, Default)]
pub struct RouteInput {
    /// Required.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Required, at least one.
    pub paths: Option<Vec<String>>,
    /// Absent or empty: all.
    pub methods: Option<Vec<String>>,
    /// Default 0.
    pub priority: Option<i64>,
    /// By plugin name.
    pub plugins: Option<Map<String, Value>>,
    /// Unknown members.
    pub extra: Map<String, Value>,
}

/// Which routes a list shows.
#[derive(Clone, Debug, Default)]
pub struct RouteFilter {
    /// Only this group's.
    pub gateway_group_id: Option<GatewayGroupId>,
    /// Only this service's.
    pub service_id: Option<ServiceId>,
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}

/// The methods that a route may name.
pub const METHODS: [&str; 9] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];

impl Route {
    /// The route that `input` describes, of a service in `gateway_group_id`.
    pub fn new(
        id: RouteId,
        service_id: ServiceId,
        gateway_group_id: GatewayGroupId,
        input: RouteInput,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        check_plugins(input.plugins.as_ref())?;
        let paths = input.paths.unwrap_or_default();
        if paths.is_empty() {
            return Err(Invalid::new("paths", "is required and holds at least one path"));
        }
        for (index, path) in paths.iter().enumerate() {
            check_path(&format!("paths[{index}]"), path)?;
            if path.trim_end_matches('*').len() + 1 < path.len() || path.trim_end_matches('*').contains('*') {
                return Err(Invalid::new(format!("paths[{index}]"), "may hold one *, at its end"));
            }
        }
        let methods = input.methods.unwrap_or_default();
        if let Some(index) = methods.iter().position(|method| !METHODS.contains(&method.as_str())) {
            return Err(Invalid::new(
                format!("methods[{index}]"),
                format!("must be one of {}", METHODS.join(", ")),
            ));
        }
        Ok(Self {
            id,
            service_id,
            gateway_group_id,
            name: text::name("name", &input.name.unwrap_or_default(), text::GATEWAY_NAME)?,
            desc: text::free("desc", &input.desc.unwrap_or_default(), text::DESC)?,
            labels: Labels::new(input.labels.unwrap_or_default())?,
            paths,
            methods,
            priority: input.priority.unwrap_or(0),
            extra: input.extra,
            created_at,
            updated_at: now,
        })
    }

    /// What the gateway must know.
    pub fn gateway_state(&self) -> RouteState {
        RouteState {
            id: self.id.clone(),
            service_id: self.service_id.clone(),
            paths: self.paths.clone(),
            methods: self.methods.clone(),
            priority: self.priority,
            plugins: PluginsState::default(),
            upstream_id: None,
            timeouts: RouteTimeouts::default(),
            websocket: true,
            required_scopes: Vec::new(),
            created_at: self.created_at,
        }
    }
}

/// Why a route cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteRefusal {
    /// The service must exist in the group.
    #[error("service_id {0:?} is not a service of this gateway group")]
    UnknownService(String),
    /// Ids are unique over the installation.
    #[error("id {0:?} is taken by a route of another gateway group; choose another id")]
    IdTaken(RouteId),
}

impl Refusal for RouteRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownService(_) => "unknown_service",
            Self::IdTaken(_) => "route_id_taken",
        }
    }
}
