//! From path and method to a route of one host: exact paths before prefixes, longer before shorter, then higher
//! priority, then older (docs/gateway.md §1). A route whose conditions a request does not meet is passed over.
//!
//! Invariant: after `finish`, a look-up costs one hash per distinct prefix length, whatever the number of routes.
//! Hosts are in `route.rs`.

use std::{cmp::Reverse, sync::Arc};

use forecourt_core::{ids::RouteId, time::Timestamp};
use hashbrown::HashMap;
use http::Method;

use crate::{heads::Head, route::Route};

/// The routes of one host, by path.
#[derive(Default)]
pub(crate) struct PathTable {
    exact: HashMap<Box<str>, Vec<Entry>>,
    prefixes: HashMap<Box<str>, Vec<Entry>>,
    /// Distinct lengths of `prefixes`, longest first.
    lengths: Vec<usize>,
}

/// One route under one path; entries of a path are kept in the order in which they are tried.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The route.
    pub(crate) route: Arc<Route>,
    /// Its methods; none: all.
    pub(crate) methods: Arc<[Method]>,
    /// Lower comes first: higher priority, then older.
    pub(crate) rank: (Reverse<i64>, Timestamp, Timestamp, RouteId),
}

impl PathTable {
    /// Adds a route under a path, or under all that begin with it.
    pub(crate) fn add(&mut self, text: &str, is_prefix: bool, entry: Entry) {
        let table = if is_prefix { &mut self.prefixes } else { &mut self.exact };
        table.entry(text.into()).or_default().push(entry);
    }

    /// Puts everything in the order of trial, once all routes are added.
    pub(crate) fn finish(&mut self) {
        for entries in self.exact.values_mut().chain(self.prefixes.values_mut()) {
            entries.sort_by(|a, b| a.rank.cmp(&b.rank));
        }
        self.lengths = self.prefixes.keys().map(|prefix| prefix.len()).collect();
        self.lengths.sort_unstable_by_key(|length| Reverse(*length));
        self.lengths.dedup();
    }

    /// The route that such a request takes.
    pub(crate) fn find(&self, head: &Head<'_>) -> Option<&Arc<Route>> {
        let exact = self.exact.get(head.path).and_then(|entries| first_for(entries, head));
        exact.or_else(|| {
            let fitting = self.lengths.iter().filter_map(|length| head.path.get(..*length));
            fitting
                .filter_map(|prefix| self.prefixes.get(prefix))
                .find_map(|entries| first_for(entries, head))
        })
    }
}

fn first_for<'a>(entries: &'a [Entry], head: &Head<'_>) -> Option<&'a Arc<Route>> {
    let fits = |entry: &&Entry| {
        let conditions = entry.route.conditions.as_ref();
        (entry.methods.is_empty() || entry.methods.contains(head.method))
            && conditions.is_none_or(|conditions| conditions.hold(head))
    };
    entries.iter().find(fits).map(|entry| &entry.route)
}
