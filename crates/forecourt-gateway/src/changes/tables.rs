//! Compiling the tables that requests read whole, from the rows that the writer holds.
//!
//! Invariant: all tables of a batch are published by one store of one pointer, so no request sees the routes of one
//! state and the consumers of another (the reason is in `state.rs`).

use std::sync::Arc;

use super::Writer;
use crate::{
    certificates::Certificates,
    limits::Plans,
    route::{Linked, RoutingTable},
    state::{State, Table},
};

/// Which of the compiled tables a batch concerns.
#[derive(Default)]
pub(super) struct Changed {
    /// Services, routes, products or global rules.
    pub(super) routing: bool,
    /// Consumers.
    pub(super) consumers: bool,
    /// Certificates, which are read before there is a request.
    pub(super) certificates: bool,
}

impl Writer {
    /// Publishes the tables that rows of a batch concern, all at once.
    pub(super) fn rebuild_tables(&mut self, state: &State, changed: &Changed) {
        if changed.certificates {
            let rows = self.certificates.values().filter_map(|row| row.state.clone());
            let table = Certificates::build(rows, &state.certificates.load());
            state.certificates.store(Arc::new(table));
        }
        if !changed.routing && !changed.consumers {
            return;
        }
        let before = state.table.load();
        let routing = if changed.routing {
            Arc::new(self.compile_routing(state, &before.routing))
        } else {
            Arc::clone(&before.routing)
        };
        let consumers = if changed.consumers {
            Arc::new(self.consumer_index.clone())
        } else {
            Arc::clone(&before.consumers)
        };
        state.table.store(Arc::new(Table { routing, consumers }));
    }

    fn compile_routing(&mut self, state: &State, before: &RoutingTable) -> RoutingTable {
        let mut linked = Linked::default();
        let mut products: Vec<_> =
            self.products.values().filter_map(|row| Some((row.revision, row.state.as_ref()?))).collect();
        // Should two products claim one service, the one that was changed last has the word.
        products.sort_by_key(|(revision, product)| (*revision, product.id.clone()));
        let providers = products.iter().filter_map(|(_, product)| product.dcr.as_ref());
        state.key_sets.keep(providers.map(|provider| provider.issuer.as_str()));
        for (_, product) in products {
            let number = self.products_by_number.of(product.id.as_str());
            let portal = self.portals.of(product.portal_id.as_str());
            let plans = Plans::compile(&product.plans, |plan| self.plans.of(plan));
            linked.link(product, (number, portal), plans, &state.key_sets);
        }
        let mut rules: Vec<_> = self.global_rules.values().filter_map(|row| row.state.as_deref()).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules.into_iter().for_each(|rule| linked.add_rule(rule));
        let services = self.services.values().filter_map(|row| row.state.as_deref());
        let routes = self.routes.values().filter_map(|row| row.state.as_deref());
        RoutingTable::build(services, routes, &linked, before)
    }
}
