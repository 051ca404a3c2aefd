//! Gateway services: where requests enter, and the upstream where they go.
//!
//! Members that this version does not know are kept and given back ([`Service::extra`]); a plugin that the gateway
//! does not enforce is refused ([`crate::plugins`]), since configuration that nobody enforces must not look accepted.

mod inputs;
pub mod upstreams;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    gateway_state::ServiceState,
    ids::{GatewayGroupId, ServiceId},
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    plugins::Plugins,
    refusals::{Refusal, RefusalKind},
    services::upstreams::{FurtherUpstream, Upstream, UpstreamInput},
    text::{self, Invalid},
    time::Timestamp,
};

/// The most further upstreams of a service.
const MOST_UPSTREAMS: usize = 100;

/// A published service of a gateway group.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its id; unique over the installation.
    pub id: ServiceId,
    /// The group that serves it.
    pub gateway_group_id: GatewayGroupId,
    /// 1–1024 characters.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// `http` is served, `stream` is only stored.
    pub stream: bool,
    /// False: status 0, matches nothing.
    pub enabled: bool,
    /// Host names as they were given; letter case does not count. Empty: any.
    pub hosts: Vec<String>,
    /// Starts with `/` where given; slashes at its end do not count.
    pub path_prefix: Option<String>,
    /// Whether the prefix is removed before forwarding.
    pub strip_path_prefix: bool,
    /// What its requests meet beside product authentication.
    pub plugins: Plugins,
    /// Where requests go.
    pub upstream: Option<Upstream>,
    /// Further upstreams by id, for routes that name one.
    pub upstreams: BTreeMap<String, FurtherUpstream>,
    /// Unknown members, as given.
    pub extra: Map<String, Value>,
    /// Whether an OpenAPI document was uploaded.
    pub has_openapi: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or a replacement gives.
#[derive(Clone, Debug, Default)]
pub struct ServiceInput {
    /// Required.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// `http` (default) or `stream`.
    pub kind: Option<String>,
    /// 1 (default) or 0.
    pub status: Option<i64>,
    /// Host names.
    pub hosts: Option<Vec<String>>,
    /// Path prefix.
    pub path_prefix: Option<String>,
    /// Default true.
    pub strip_path_prefix: Option<bool>,
    /// By plugin name.
    pub plugins: Option<Map<String, Value>>,
    /// Upstream.
    pub upstream: Option<UpstreamInput>,
    /// Unknown members.
    pub extra: Map<String, Value>,
}

/// Which services a list shows.
#[derive(Clone, Debug, Default)]
pub struct ServiceFilter {
    /// Only this group's.
    pub gateway_group_id: Option<GatewayGroupId>,
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these services: what the caller may read.
    pub readable: Readable,
}

impl Service {
    /// The service that `input` describes, made at `created_at` and changed `now`.
    pub fn new(
        id: ServiceId,
        gateway_group_id: GatewayGroupId,
        input: ServiceInput,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let stream = match input.kind.as_deref() {
            None | Some("http") => false,
            Some("stream") => true,
            Some(_) => return Err(Invalid::new("type", "must be http or stream")),
        };
        let enabled = match input.status {
            None | Some(1) => true,
            Some(0) => false,
            Some(_) => return Err(Invalid::new("status", "must be 1 or 0")),
        };
        let hosts = input.hosts.unwrap_or_default();
        hosts.iter().enumerate().try_for_each(|(index, host)| check_host(index, host))?;
        let path_prefix = input.path_prefix.filter(|prefix| !prefix.is_empty());
        if let Some(prefix) = &path_prefix {
            check_path("path_prefix", prefix)?;
        }
        Ok(Self {
            id,
            gateway_group_id,
            name: text::name("name", &input.name.unwrap_or_default(), text::GATEWAY_NAME)?,
            desc: text::free("desc", &input.desc.unwrap_or_default(), text::DESC)?,
            labels: Labels::new(input.labels.unwrap_or_default())?,
            stream,
            enabled,
            hosts,
            path_prefix,
            strip_path_prefix: input.strip_path_prefix.unwrap_or(true),
            plugins: Plugins::new(input.plugins.unwrap_or_default())?,
            upstream: input.upstream.map(Upstream::new).transpose()?,
            upstreams: BTreeMap::new(),
            extra: input.extra,
            has_openapi: false,
            created_at,
            updated_at: now,
        })
    }

    /// Takes over what a replacement leaves alone: the OpenAPI document and the further upstreams of `old`.
    pub fn keep(&mut self, old: &Self) {
        self.has_openapi = old.has_openapi;
        self.upstreams = old.upstreams.clone();
    }

    /// What the gateway must know; `None` for a stream service, which is not served.
    pub fn gateway_state(&self) -> Option<ServiceState> {
        (!self.stream).then(|| ServiceState {
            id: self.id.clone(),
            gateway_group_id: self.gateway_group_id.clone(),
            enabled: self.enabled,
            hosts: self.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            path_prefix: self.path_prefix.as_deref().map(normal_prefix),
            strip_path_prefix: self.strip_path_prefix,
            upstream: self.upstream.as_ref().map(Upstream::gateway_state),
            upstreams: self
                .upstreams
                .iter()
                .map(|(id, further)| (id.clone(), further.upstream.gateway_state()))
                .collect(),
            plugins: self.plugins.state().clone(),
            created_at: self.created_at,
        })
    }

    /// Whether `id` names one of its upstreams; the default one has the service's id.
    pub fn has_upstream(&self, id: &str) -> bool {
        id == self.id.as_str() && self.upstream.is_some() || self.upstreams.contains_key(id)
    }

    /// Its upstream with this id; the default one has the service's id.
    pub fn upstream(&self, id: &str) -> Option<&Upstream> {
        if id == self.id.as_str() {
            return self.upstream.as_ref();
        }
        self.upstreams.get(id).map(|further| &further.upstream)
    }

    /// As [`Self::upstream`], to be changed.
    pub fn upstream_mut(&mut self, id: &str) -> Option<&mut Upstream> {
        if id == self.id.as_str() {
            return self.upstream.as_mut();
        }
        self.upstreams.get_mut(id).map(|further| &mut further.upstream)
    }

    /// All of its upstreams, to be changed.
    pub fn every_upstream(&mut self) -> impl Iterator<Item = &mut Upstream> {
        self.upstream.iter_mut().chain(self.upstreams.values_mut().map(|further| &mut further.upstream))
    }

    /// Makes or replaces the further upstream `id`, now.
    pub fn put_upstream(
        &mut self,
        id: &str,
        input: UpstreamInput,
        now: Timestamp,
    ) -> Result<(), ServiceRefusal> {
        let upstream = Upstream::new(input)?;
        if !self.upstreams.contains_key(id) && self.upstreams.len() >= MOST_UPSTREAMS {
            return Err(ServiceRefusal::TooManyUpstreams(self.name.clone()));
        }
        let created_at = self.upstreams.get(id).map_or(now, |further| further.created_at);
        self.upstreams.insert(id.to_owned(), FurtherUpstream { upstream, created_at, updated_at: now });
        self.updated_at = now;
        Ok(())
    }

    /// Replaces the default upstream, now.
    pub fn put_default_upstream(&mut self, input: UpstreamInput, now: Timestamp) -> Result<(), Invalid> {
        self.upstream = Some(Upstream::new(input)?);
        self.updated_at = now;
        Ok(())
    }

    /// Whether `host` is one that this service answers.
    pub fn serves_host(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| host_fits(pattern, host))
    }
}

/// Whether `host` fits `pattern`: equal in any case, or below a `*.` wildcard.
pub fn host_fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .len()
            .checked_sub(parent.len() + 1)
            .filter(|label| *label > 0)
            .and_then(|label| host.split_at_checked(label))
            .is_some_and(|(_, end)| {
                end.starts_with('.') && end.trim_start_matches('.').eq_ignore_ascii_case(parent)
            }),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

fn check_host(index: usize, host: &str) -> Result<(), Invalid> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let fits = (1..=253).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        && !name.starts_with('.');
    if fits {
        return Ok(());
    }
    Err(Invalid::new(
        format!("hosts[{index}]"),
        "must be a host name without port, or one that starts with *.",
    ))
}

/// The prefix without slashes at its end.
fn normal_prefix(prefix: &str) -> String {
    let trimmed = prefix.trim_end_matches('/');
    if trimmed.is_empty() { "/".into() } else { trimmed.into() }
}

/// A path starts with `/` and holds neither white space nor control characters, `?` nor `#`.
pub(crate) fn check_path(field: &str, path: &str) -> Result<(), Invalid> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
    if path.starts_with('/') && path.len() <= 4_096 && !path.contains(bad) {
        return Ok(());
    }
    Err(Invalid::new(field, "must start with / and be at most 4096 bytes without white space, ? and #"))
}

/// Why a service cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceRefusal {
    /// A product needs it.
    #[error("service {service:?} is linked to the API product {product:?}; unlink it first")]
    Linked {
        /// The service's name.
        service: String,
        /// The product's name.
        product: String,
    },
    /// Ids are unique over the installation.
    #[error("id {0:?} is taken by a service of another gateway group; choose another id")]
    IdTaken(ServiceId),
    /// A member of an upstream breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It has as many further upstreams as it may.
    #[error("service {0:?} has {MOST_UPSTREAMS} further upstreams, which is the most; delete one first")]
    TooManyUpstreams(String),
    /// The default upstream is part of its service.
    #[error("the default upstream cannot be deleted alone; delete its service")]
    DefaultUpstream,
    /// A route sends its requests there.
    #[error("upstream {upstream:?} is used by the route {route:?}; give the route another one first")]
    UpstreamUsed {
        /// The upstream's id.
        upstream: String,
        /// The route's name.
        route: String,
    },
}

impl Refusal for ServiceRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) => RefusalKind::Invalid,
            _ => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Linked { .. } => "service_linked",
            Self::IdTaken(_) => "service_id_taken",
            Self::Invalid(_) => "invalid_field",
            Self::TooManyUpstreams(_) => "too_many_upstreams",
            Self::DefaultUpstream => "default_upstream",
            Self::UpstreamUsed { .. } => "upstream_used",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_host_fits_names_below_it_only() {
        assert!(host_fits("*.example.com", "a.example.com"));
        assert!(host_fits("*.example.com", "a.b.EXAMPLE.com"));
        for host in ["example.com", "aexample.com", ".example.com"] {
            assert!(!host_fits("*.example.com", host), "{host}");
        }
    }

    #[test]
    fn a_plugin_that_nobody_enforces_is_refused_by_name() {
        let mut plugins = Map::new();
        plugins.insert("limit-req".into(), Value::Object(Map::new()));
        let input = ServiceInput { name: Some("x".into()), plugins: Some(plugins), ..Default::default() };
        let now = Timestamp::default();
        let refused = Service::new(ServiceId::known("s"), GatewayGroupId::default_group(), input, now, now)
            .unwrap_err();
        assert!(refused.to_string().starts_with("unknown plugin limit-req"));
    }

    #[test]
    fn hosts_and_prefix_are_kept_as_they_were_given_and_served_in_their_one_form() {
        let state = |prefix: &str| {
            let input = ServiceInput {
                name: Some("x".into()),
                hosts: Some(vec!["Api.Example".into(), "*.EU.example".into()]),
                path_prefix: Some(prefix.into()),
                ..Default::default()
            };
            let now = Timestamp::default();
            let service =
                Service::new(ServiceId::known("s"), GatewayGroupId::default_group(), input, now, now);
            let service = service.unwrap();
            assert_eq!(service.hosts, ["Api.Example", "*.EU.example"]);
            assert_eq!(service.path_prefix.as_deref(), Some(prefix));
            assert!(service.serves_host("api.example") && service.serves_host("a.eu.Example"));
            service.gateway_state().unwrap()
        };
        for (given, served) in [("/a/", "/a"), ("/a//", "/a"), ("/", "/"), ("/a/b", "/a/b")] {
            let state = state(given);
            assert_eq!(state.path_prefix.as_deref(), Some(served), "{given}");
            assert_eq!(state.hosts, ["api.example", "*.eu.example"]);
        }
    }

    #[test]
    fn limits_that_are_not_given_are_a_minute_each_and_no_gateway_hears_of_a_stream_service() {
        let service = |kind: &str| {
            let (name, kind, upstream) =
                (Some("x".into()), Some(kind.into()), Some(UpstreamInput::default()));
            let input = ServiceInput { name, kind, upstream, ..Default::default() };
            let now = Timestamp::default();
            Service::new(ServiceId::known("s"), GatewayGroupId::default_group(), input, now, now).unwrap()
        };
        let upstream = service("http").gateway_state().unwrap().upstream.unwrap();
        let limits = [upstream.connect_timeout_ms, upstream.send_timeout_ms, upstream.read_timeout_ms];
        assert_eq!(limits, [60_000; 3]);
        assert_eq!(service("stream").gateway_state(), None);
    }
}
