//! Gateway routes: which paths and methods of a service are reachable, and under which conditions (`vars`).

pub mod vars;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    gateway_state::{ConditionalPaths, RouteState, RouteTimeouts},
    ids::{GatewayGroupId, RouteId, ServiceId},
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    plugins::Plugins,
    refusals::{Refusal, RefusalKind},
    routes::vars::Vars,
    services::{
        check_path,
        upstreams::{UpstreamTimeout, millis},
    },
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
    /// What its requests must be like beside that.
    pub vars: Vars,
    /// Each takes the place of the service's plugin of the same name.
    pub plugins: Plugins,
    /// One of the service's further upstreams; `None`: its default one.
    pub upstream_id: Option<String>,
    /// Takes the place of the upstream's, member by member; `None`: not given.
    pub timeout: Option<UpstreamTimeout>,
    /// Whether protocol upgrades are passed on; `None`: not given, so they are.
    pub enable_websocket: Option<bool>,
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
    /// What [`Vars::read`] takes; absent: no conditions.
    pub vars: Option<Value>,
    /// By plugin name.
    pub plugins: Option<Map<String, Value>>,
    /// One of the service's upstreams.
    pub upstream_id: Option<String>,
    /// Seconds.
    pub timeout: Option<UpstreamTimeout>,
    /// Default true.
    pub enable_websocket: Option<bool>,
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
    /// Only those of these services: what the caller may read.
    pub readable: Readable,
}

/// The label whose value names scopes, separated by spaces; an empty one asks for none.
const SCOPES_LABEL: &str = "portal:dcr:require_any_scopes";

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
            labels: Labels::with_empty(input.labels.unwrap_or_default(), Some(SCOPES_LABEL))?,
            paths,
            methods,
            priority: input.priority.unwrap_or(0),
            vars: input.vars.map(Vars::read).transpose()?.unwrap_or_default(),
            plugins: Plugins::new(input.plugins.unwrap_or_default())?,
            upstream_id: input.upstream_id.filter(|id| !id.is_empty()),
            timeout: input.timeout.map(|timeout| timeout.checked("timeout")).transpose()?,
            enable_websocket: input.enable_websocket,
            extra: input.extra,
            created_at,
            updated_at: now,
        })
    }

    /// What makes this route as it is: what changes a part of it starts from here.
    pub fn to_input(&self) -> RouteInput {
        RouteInput {
            name: Some(self.name.clone()),
            desc: Some(self.desc.clone()),
            labels: Some(self.labels.pairs().clone()),
            paths: Some(self.paths.clone()),
            methods: Some(self.methods.clone()),
            priority: Some(self.priority),
            vars: Some(Value::Array(self.vars.given().to_vec())),
            plugins: Some(self.plugins.given().clone()),
            upstream_id: self.upstream_id.clone(),
            timeout: self.timeout,
            enable_websocket: self.enable_websocket,
            extra: self.extra.clone(),
        }
    }

    /// What the gateway must know.
    pub fn gateway_state(&self) -> RouteState {
        let paths = self.paths.clone();
        let (paths, conditional) = match self.vars.condition() {
            None => (paths, None),
            Some(when) => (Vec::new(), Some(ConditionalPaths { paths, when: when.clone() })),
        };
        RouteState {
            id: self.id.clone(),
            service_id: self.service_id.clone(),
            paths,
            conditional,
            methods: self.methods.clone(),
            priority: self.priority,
            plugins: self.plugins.state().clone(),
            // The default upstream has its service's id.
            upstream_id: self.upstream_id.clone().filter(|id| id != self.service_id.as_str()),
            timeouts: self.timeouts(),
            websocket: self.enable_websocket.unwrap_or(true),
            required_scopes: self.required_scopes(),
            created_at: self.created_at,
        }
    }

    fn timeouts(&self) -> RouteTimeouts {
        let UpstreamTimeout { connect, send, read } = self.timeout.unwrap_or_default();
        RouteTimeouts {
            connect_ms: connect.map(millis),
            send_ms: send.map(millis),
            read_ms: read.map(millis),
        }
    }

    /// The scopes of the label, of which a token must carry one (section 4 of `docs/gateway.md`).
    fn required_scopes(&self) -> Vec<String> {
        let scopes = self.labels.pairs().iter().find(|(key, _)| key.as_str() == SCOPES_LABEL);
        scopes.map_or_else(Vec::new, |(_, scopes)| scopes.split_whitespace().map(str::to_owned).collect())
    }
}

/// Why a route cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteRefusal {
    /// The service must exist in the group.
    #[error("service_id {0:?} is not a service of this gateway group")]
    UnknownService(String),
    /// It must be one of the service's upstreams.
    #[error("upstream_id {upstream:?} is not an upstream of service {service:?}")]
    UnknownUpstream {
        /// As given.
        upstream: String,
        /// The service's name.
        service: String,
    },
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
            Self::UnknownUpstream { .. } => "unknown_upstream",
            Self::IdTaken(_) => "route_id_taken",
        }
    }
}
