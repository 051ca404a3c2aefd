//! From host, path and method to a route: an index compiled from the rows, never a scan over all routes.
//!
//! Exact hosts come before wildcards (longest suffix first) before services without hosts; within a host, exact
//! paths before prefixes, longer before shorter, then higher priority, then older (docs/gateway.md §1). A look-up costs
//! one hash per distinct prefix length of the host, whatever the number of routes.

use std::{cmp::Reverse, sync::Arc};

use forecourt_core::{
    gateway_state::{ProductState, RouteState, RouteTimeouts, ServiceState, UpstreamState},
    ids::{ProductId, RouteId, ServiceId},
    time::Timestamp,
};
use hashbrown::HashMap;
use http::{HeaderName, Method};

use crate::{
    paths,
    upstreams::{SystemRoots, Upstream},
};

/// All enabled services with their routes, compiled.
#[derive(Default)]
pub(crate) struct RoutingTable {
    services: HashMap<Box<str>, Arc<Service>>,
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
    /// What is removed from the front of the path before forwarding.
    pub(crate) stripped_prefix: Option<Box<str>>,
    /// Who may pass.
    pub(crate) protection: Protection,
    upstream: Option<Arc<Upstream>>,
    /// Those that routes name.
    upstreams: HashMap<Box<str>, Arc<Upstream>>,
}

/// A route as a request meets it.
pub(crate) struct Route {
    /// Its id.
    pub(crate) id: RouteId,
    /// Its service.
    pub(crate) service: Arc<Service>,
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

/// Which product protects which service.
#[derive(Default)]
pub(crate) struct Linked {
    by_service: HashMap<Box<str>, Arc<Product>>,
}

impl Linked {
    /// Puts the product's services under it, taking the place of products linked before.
    pub(crate) fn link(&mut self, state: &ProductState, number: u32, portal: u32) {
        let product = Arc::new(Product {
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
        });
        for service in &state.services {
            self.by_service.insert(service.as_str().into(), Arc::clone(&product));
        }
    }
}

#[derive(Default)]
struct PathTable {
    exact: HashMap<Box<str>, Vec<Entry>>,
    prefixes: HashMap<Box<str>, Vec<Entry>>,
    /// Distinct lengths of `prefixes`, longest first.
    lengths: Vec<usize>,
}

/// One route under one path; entries of a path are kept in the order in which they are tried.
#[derive(Clone)]
struct Entry {
    route: Arc<Route>,
    methods: Arc<[Method]>,
    rank: (Reverse<i64>, Timestamp, Timestamp, RouteId),
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
        for route in routes {
            if let Some(row) = rows.get(route.service_id.as_str())
                && let Some(service) = table.services.get(route.service_id.as_str()).cloned()
            {
                table.add(route, row, &service);
            }
        }
        let tables = table.exact_hosts.values_mut().chain(table.wildcard_hosts.values_mut());
        tables.chain([&mut table.any_host]).for_each(PathTable::finish);
        table
    }

    /// The route that such a request takes. `host` is without a port, in any case; `path` is normal.
    pub(crate) fn find(&self, host: &str, path: &str, method: &Method) -> Option<&Arc<Route>> {
        if self.exact_hosts.is_empty() && self.wildcard_hosts.is_empty() {
            return self.any_host.find(path, method);
        }
        let mut lower = [0u8; 255];
        let host = lower_case(host, &mut lower)?;
        self.exact_hosts
            .get(host)
            .and_then(|table| table.find(path, method))
            .or_else(|| {
                let suffixes = host.match_indices('.').filter_map(|(at, _)| host.get(at..));
                suffixes
                    .filter_map(|suffix| self.wildcard_hosts.get(suffix))
                    .find_map(|table| table.find(path, method))
            })
            .or_else(|| self.any_host.find(path, method))
    }

    fn add(&mut self, route: &RouteState, row: &ServiceState, service: &Arc<Service>) {
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
            upstream: upstream.cloned(),
            timeouts: route.timeouts,
            websocket: route.websocket,
            required_scopes: route.required_scopes.iter().map(|scope| scope.as_str().into()).collect(),
        };
        let entry = Entry { route: Arc::new(compiled), methods, rank };
        for path in &route.paths {
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

impl PathTable {
    fn add(&mut self, text: &str, is_prefix: bool, entry: Entry) {
        let table = if is_prefix { &mut self.prefixes } else { &mut self.exact };
        table.entry(text.into()).or_default().push(entry);
    }

    fn finish(&mut self) {
        for entries in self.exact.values_mut().chain(self.prefixes.values_mut()) {
            entries.sort_by(|a, b| a.rank.cmp(&b.rank));
        }
        self.lengths = self.prefixes.keys().map(|prefix| prefix.len()).collect();
        self.lengths.sort_unstable_by_key(|length| Reverse(*length));
        self.lengths.dedup();
    }

    fn find(&self, path: &str, method: &Method) -> Option<&Arc<Route>> {
        let exact = self.exact.get(path).and_then(|entries| first_for(entries, method));
        exact.or_else(|| {
            let fitting = self.lengths.iter().filter_map(|length| path.get(..*length));
            fitting
                .filter_map(|prefix| self.prefixes.get(prefix))
                .find_map(|entries| first_for(entries, method))
        })
    }
}

fn first_for<'a>(entries: &'a [Entry], method: &Method) -> Option<&'a Arc<Route>> {
    let fitting = entries.iter().find(|entry| entry.methods.is_empty() || entry.methods.contains(method));
    fitting.map(|entry| &entry.route)
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
