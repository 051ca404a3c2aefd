//! From host, path and method to a route: an index compiled from the rows, never a scan over all routes.
//!
//! Exact hosts come before wildcards (longest suffix first) before services without hosts; within a host, exact
//! paths before prefixes, longer before shorter, then higher priority, then older (docs/gateway.md §1). A look-up costs
//! one hash per distinct prefix length of the host, whatever the number of routes.

use std::{cmp::Reverse, sync::Arc};

use forecourt_core::{
    gateway_state::{
        GlobalRuleState, PluginsState, ProductState, RouteState, RouteTimeouts, ServiceState, UpstreamState,
    },
    ids::{DcrProviderId, GatewayGroupId, ProductId, RouteId, ServiceId},
};
use hashbrown::HashMap;
use http::{HeaderName, Method};

use crate::{
    compact_ids::CompactId,
    conditions::Conditions,
    heads::Head,
    key_sets::{Issuer, KeySets},
    limits::Plans,
    path_table::{Entry, PathTable},
    paths,
    plugins::{self, Plugins},
    upstreams::{SystemRoots, Upstream},
};

/// All enabled services with their routes, compiled.
#[derive(Default)]
pub(crate) struct RoutingTable {
    services: HashMap<Box<str>, Arc<Service>>,
    /// Those of routes that have plugins of their own, by route.
    route_plugins: HashMap<Box<str>, Arc<Plugins>>,
    /// Those of routes that have any, by route.
    conditions: HashMap<Box<str>, Arc<Conditions>>,
    exact_hosts: HashMap<Box<str>, PathTable>,
    wildcard_hosts: HashMap<Box<str>, PathTable>,
    any_host: PathTable,
    /// Whom upstreams' certificates are believed from, read once for all tables.
    system_roots: Arc<SystemRoots>,
}

/// A service as a request meets it.
pub(crate) struct Service {
    /// Its id.
    pub(crate) id: ServiceId,
    /// The group that serves it.
    pub(crate) group: GatewayGroupId,
    /// What is removed from the front of the path before forwarding.
    pub(crate) stripped_prefix: Option<Box<str>>,
    /// Who may pass.
    pub(crate) protection: Protection,
    upstream: Option<Arc<Upstream>>,
    /// Those that routes name.
    upstreams: HashMap<Box<str>, Arc<Upstream>>,
    /// What its routes meet that have no plugins of their own.
    plugins: Option<Arc<Plugins>>,
}

/// A route as a request meets it.
pub(crate) struct Route {
    /// Its id.
    pub(crate) id: RouteId,
    /// Its service.
    pub(crate) service: Arc<Service>,
    /// What a request must be like to take it; nearly always anything.
    pub(crate) conditions: Option<Arc<Conditions>>,
    /// What its requests meet beside product authentication; nearly always nothing.
    pub(crate) plugins: Option<Arc<Plugins>>,
    /// Where requests go.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// Timeouts that take the place of the upstream's.
    pub(crate) timeouts: RouteTimeouts,
    /// Whether protocol upgrades are passed on.
    pub(crate) websocket: bool,
    /// Scopes of which a token of `dcr` must carry one; empty: none is asked.
    pub(crate) required_scopes: Box<[Box<str>]>,
}

/// Who may pass a service.
#[derive(Clone)]
pub(crate) enum Protection {
    /// Anybody: no published product links the service.
    Open,
    /// Those who have a grant of this product.
    Product(Arc<Product>),
}

/// A published product, as far as its services' requests are concerned.
pub(crate) struct Product {
    /// Its id.
    pub(crate) id: ProductId,
    /// The gateway's number for it, as grants carry it.
    pub(crate) number: u32,
    /// The gateway's number for its portal.
    pub(crate) portal: u32,
    /// How API keys are read, if they are accepted.
    pub(crate) key_auth: Option<KeyRule>,
    /// How passwords are read, if they are accepted.
    pub(crate) basic_auth: Option<BasicRule>,
    /// How tokens of developers' own making are read, if they are accepted.
    pub(crate) jwt_auth: Option<JwtRule>,
    /// Whose tokens are accepted.
    pub(crate) dcr: Option<DcrRule>,
    /// Its id, as counts of calls carry it.
    pub(crate) compact_id: CompactId,
    /// How often applications may call it.
    pub(crate) plans: Plans,
}

/// How API keys are read.
pub(crate) struct KeyRule {
    /// The header; `None` where the configured name can be no header's.
    pub(crate) header: Option<HeaderName>,
    /// The query argument.
    pub(crate) query: Box<str>,
    /// Whether both are removed after success.
    pub(crate) hide_credentials: bool,
}

/// How passwords are read.
pub(crate) struct BasicRule {
    /// Whether `Authorization` is removed after success.
    pub(crate) hide_credentials: bool,
}

/// How tokens of developers' own making are read.
pub(crate) struct JwtRule {
    /// Whether `Authorization` and the query argument are removed after success.
    pub(crate) hide_credentials: bool,
}

/// Whose tokens are accepted.
pub(crate) struct DcrRule {
    /// The provider, which gave clients their ids.
    pub(crate) provider: DcrProviderId,
    /// Its issuer, with the keys that sign tokens.
    pub(crate) issuer: Arc<Issuer>,
}

/// What other rows say of services: which product protects them, and which plugins their group adds.
#[derive(Default)]
pub(crate) struct Linked {
    by_service: HashMap<Box<str>, Arc<Product>>,
    by_group: HashMap<GatewayGroupId, PluginsState>,
}

impl Linked {
    /// Puts the product's services under it, taking the place of products linked before; `key_sets` keeps its issuer.
    pub(crate) fn link(
        &mut self,
        state: &ProductState,
        (number, portal): (u32, u32),
        plans: Plans,
        key_sets: &KeySets,
    ) {
        let product = Arc::new(Product {
            compact_id: CompactId::pack(ProductId::PREFIX, state.id.as_str()),
            plans,
            id: state.id.clone(),
            number,
            portal,
            key_auth: state.key_auth.as_ref().map(|method| KeyRule {
                header: HeaderName::from_bytes(method.header.as_bytes()).ok(),
                query: method.query.as_str().into(),
                hide_credentials: method.hide_credentials,
            }),
            basic_auth: state
                .basic_auth
                .as_ref()
                .map(|method| BasicRule { hide_credentials: method.hide_credentials }),
            jwt_auth: state
                .jwt_auth
                .as_ref()
                .map(|method| JwtRule { hide_credentials: method.hide_credentials }),
            dcr: state.dcr.as_ref().and_then(|method| {
                let issuer = key_sets.issuer(&method.issuer)?;
                Some(DcrRule { provider: method.provider_id.clone(), issuer })
            }),
        });
        for service in &state.services {
            self.by_service.insert(service.as_str().into(), Arc::clone(&product));
        }
    }

    /// Adds a global rule, whose plugins take the place of those of rules added before.
    pub(crate) fn add_rule(&mut self, rule: &GlobalRuleState) {
        let plugins = self.by_group.entry(rule.gateway_group_id.clone()).or_default();
        *plugins = plugins::over(plugins, &rule.plugins);
    }

    /// The plugins of a service: its own over its group's.
    fn plugins(&self, service: &ServiceState) -> PluginsState {
        match self.by_group.get(&service.gateway_group_id) {
            Some(of_group) => plugins::over(of_group, &service.plugins),
            None => service.plugins.clone(),
        }
    }
}

impl RoutingTable {
    /// Compiles the rows. An upstream that did not change is taken over from `previous`, with its connections.
    pub(crate) fn build<'a>(
        services: impl Iterator<Item = &'a ServiceState>,
        routes: impl Iterator<Item = &'a RouteState>,
        linked: &Linked,
        previous: &Self,
    ) -> Self {
        let mut table = Self { system_roots: Arc::clone(&previous.system_roots), ..Self::default() };
        let mut rows: HashMap<&str, &ServiceState> = HashMap::new();
        for row in services.filter(|row| row.enabled) {
            table.services.insert(row.id.as_str().into(), Arc::new(compile(row, linked, previous)));
            rows.insert(row.id.as_str(), row);
        }
        let mut mixed = Vec::new();
        for route in routes {
            if let Some(row) = rows.get(route.service_id.as_str())
                && let Some(service) = table.services.get(route.service_id.as_str()).cloned()
            {
                let plugins = table.plugins_of(route, row, &service, linked, previous);
                mixed.extend(is_mixture(&service, plugins.as_deref()).then_some(&route.id));
                table.add(route, row, &service, plugins, previous);
            }
        }
        if let Some(route) = mixed.first() {
            tracing::error!(
                route = route.as_str(),
                routes = mixed.len(),
                "a service of a published product carries authentication plugins: both are demanded, and nobody \
                 may hold both credentials; take the plugins away or unlink the service"
            );
        }
        let tables = table.exact_hosts.values_mut().chain(table.wildcard_hosts.values_mut());
        tables.chain([&mut table.any_host]).for_each(PathTable::finish);
        table
    }

    /// The route that such a request takes.
    pub(crate) fn find(&self, head: &Head<'_>) -> Option<&Arc<Route>> {
        if self.exact_hosts.is_empty() && self.wildcard_hosts.is_empty() {
            return self.any_host.find(head);
        }
        let mut lower = [0u8; 255];
        let host = lower_case(head.host, &mut lower)?;
        self.exact_hosts
            .get(host)
            .and_then(|table| table.find(head))
            .or_else(|| {
                let suffixes = host.match_indices('.').filter_map(|(at, _)| host.get(at..));
                suffixes
                    .filter_map(|suffix| self.wildcard_hosts.get(suffix))
                    .find_map(|table| table.find(head))
            })
            .or_else(|| self.any_host.find(head))
    }

    /// The plugins of a route: its own over those of its service. Compiled ones are shared where they can be.
    fn plugins_of(
        &mut self,
        route: &RouteState,
        row: &ServiceState,
        service: &Service,
        linked: &Linked,
        previous: &Self,
    ) -> Option<Arc<Plugins>> {
        if route.plugins == PluginsState::default() {
            return service.plugins.clone();
        }
        let whole = plugins::over(&linked.plugins(row), &route.plugins);
        let compiled = Plugins::compile(whole, previous.route_plugins.get(route.id.as_str()))?;
        self.route_plugins.insert(route.id.as_str().into(), Arc::clone(&compiled));
        Some(compiled)
    }

    /// The paths of a route, and under which conditions they lead there; none where these cannot be read.
    fn conditional_paths<'a>(
        &mut self,
        route: &'a RouteState,
        previous: &Self,
    ) -> (&'a [String], Option<Arc<Conditions>>) {
        let Some(conditional) = &route.conditional else { return (&route.paths, None) };
        let id = route.id.as_str();
        match Conditions::compile(&conditional.when, previous.conditions.get(id)) {
            Ok(conditions) => {
                self.conditions.insert(id.into(), Arc::clone(&conditions));
                (&conditional.paths, Some(conditions))
            }
            Err(problem) => {
                tracing::error!(route = id, problem, "a route's conditions cannot be read: nothing takes it");
                (&[], None)
            }
        }
    }

    fn add(
        &mut self,
        route: &RouteState,
        row: &ServiceState,
        service: &Arc<Service>,
        plugins: Option<Arc<Plugins>>,
        previous: &Self,
    ) {
        let (paths, conditions) = self.conditional_paths(route, previous);
        let methods =
            route.methods.iter().filter_map(|name| Method::from_bytes(name.as_bytes()).ok()).collect();
        let rank = (Reverse(route.priority), route.created_at, row.created_at, route.id.clone());
        let upstream = match &route.upstream_id {
            Some(id) => service.upstreams.get(id.as_str()),
            None => service.upstream.as_ref(),
        };
        let compiled = Route {
            id: route.id.clone(),
            service: Arc::clone(service),
            conditions,
            plugins,
            upstream: upstream.cloned(),
            timeouts: route.timeouts,
            websocket: route.websocket,
            required_scopes: route.required_scopes.iter().map(|scope| scope.as_str().into()).collect(),
        };
        let entry = Entry { route: Arc::new(compiled), methods, rank };
        for path in paths {
            let whole = format!("{}{path}", row.path_prefix.as_deref().unwrap_or_default());
            let (text, is_prefix) =
                whole.strip_suffix('*').map_or((whole.as_str(), false), |text| (text, true));
            let Some(text) = paths::normalise(text) else {
                tracing::warn!(
                    route = route.id.as_str(),
                    path,
                    "a path with a malformed escape matches nothing"
                );
                continue;
            };
            if row.hosts.is_empty() {
                self.any_host.add(&text, is_prefix, entry.clone());
            }
            for host in &row.hosts {
                let host = host.to_ascii_lowercase();
                let table = match host.strip_prefix('*') {
                    Some(suffix) => self.wildcard_hosts.entry(suffix.into()).or_default(),
                    None => self.exact_hosts.entry(host.into()).or_default(),
                };
                table.add(&text, is_prefix, entry.clone());
            }
        }
    }
}

fn compile(row: &ServiceState, linked: &Linked, previous: &RoutingTable) -> Service {
    let before = previous.services.get(row.id.as_str());
    let kept = |wanted: &UpstreamState, before: Option<&Arc<Upstream>>| match before {
        Some(upstream) if upstream.is(wanted) => Arc::clone(upstream),
        _ => Arc::new(Upstream::new(wanted.clone(), &previous.system_roots)),
    };
    let further = row.upstreams.iter().map(|(id, wanted)| {
        let upstream = kept(wanted, before.and_then(|service| service.upstreams.get(id.as_str())));
        (id.as_str().into(), upstream)
    });
    let prefix = row.path_prefix.as_deref().filter(|_| row.strip_path_prefix).and_then(paths::normalise);
    Service {
        id: row.id.clone(),
        group: row.gateway_group_id.clone(),
        plugins: Plugins::compile(linked.plugins(row), before.and_then(|service| service.plugins.as_ref())),
        stripped_prefix: prefix.map(|prefix| prefix.as_ref().into()),
        upstream: row
            .upstream
            .as_ref()
            .map(|wanted| kept(wanted, before.and_then(|service| service.upstream.as_ref()))),
        upstreams: further.collect(),
        protection: linked
            .by_service
            .get(row.id.as_str())
            .map_or(Protection::Open, |product| Protection::Product(Arc::clone(product))),
    }
}

/// Whether a request would have to show a developer's credential and a consumer's (docs/gateway.md §7).
fn is_mixture(service: &Service, plugins: Option<&Plugins>) -> bool {
    matches!(service.protection, Protection::Product(_)) && plugins.is_some_and(Plugins::authenticates)
}

/// `host` in lower case without allocating; `None` if it is longer than a host name can be.
fn lower_case<'a>(host: &'a str, buffer: &'a mut [u8; 255]) -> Option<&'a str> {
    if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(host);
    }
    let lower = buffer.get_mut(..host.len())?;
    lower.copy_from_slice(host.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok()
}

#[cfg(test)]
#[path = "tests/route.rs"]
mod tests;
