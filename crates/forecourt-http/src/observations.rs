//! What the faces answered and how long it took, counted for metrics by route.
//!
//! Invariant: routes are patterns of ours, and methods are those of a short list, so that no caller can make the counts
//! grow without end. Nothing here is on a gateway's way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use forecourt_core::{
    histograms::{Histogram, HistogramReading},
    traces::Tracing,
};
use http::{Method, StatusCode};

/// The first digits of statuses, as metrics tell them.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The faces whose requests are turned away while the database is away.
const TURNED_AWAY: [&str; 5] = ["admin", "console", "portal_api", "scim", "site"];

/// Everything that was counted in this process. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Observations(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    routes: RwLock<BTreeMap<ObservedRoute, Arc<Observed>>>,
    turned_away: [AtomicU64; TURNED_AWAY.len()],
}

/// An extension of requests: which face they came to, and where they are counted.
#[derive(Clone, Debug)]
pub struct ObservedFace {
    /// `admin`, `console`, `portal_api`, `scim` or `site`.
    pub face: &'static str,
    /// Where they are counted.
    pub observations: Observations,
    /// Where they are told of as spans; `None`: nowhere.
    pub tracing: Option<Tracing>,
}

/// What tells requests apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedRoute {
    /// The face.
    pub face: &'static str,
    /// The pattern of the path; `none` where none fits.
    pub route: String,
    /// The method; `other` for an unusual one.
    pub method: &'static str,
}

/// What was answered on one route.
#[derive(Debug, Default)]
pub struct Observed {
    classes: [AtomicU64; CLASSES.len()],
    durations: Histogram,
}

impl ObservedFace {
    /// Counts an answer.
    pub fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, duration: Duration) {
        let route = ObservedRoute {
            face: self.face,
            route: route.unwrap_or("none").to_owned(),
            method: known(method),
        };
        let observed = self.observations.observed(route);
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = observed.classes.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        observed.durations.count(duration);
    }

    /// Counts a request that is turned away because the database is away.
    pub fn count_turned_away(&self) {
        let place = TURNED_AWAY.iter().position(|face| *face == self.face);
        if let Some(count) = place.and_then(|place| self.observations.0.turned_away.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Observed {
    /// How many answers there were by class of status, those that there were.
    pub fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.classes.iter().map(|count| count.load(Ordering::Relaxed));
        CLASSES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }
}

impl Observations {
    /// What was answered, by route.
    pub fn routes(&self) -> Vec<(ObservedRoute, Arc<Observed>)> {
        let routes = self.0.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.iter().map(|(route, observed)| (route.clone(), Arc::clone(observed))).collect()
    }

    /// How long it took, by face and pattern, whatever the method.
    pub fn durations(&self) -> BTreeMap<(&'static str, String), HistogramReading> {
        let mut durations: BTreeMap<_, HistogramReading> = BTreeMap::new();
        for (of, observed) in self.routes() {
            let more = observed.durations.read();
            let reading = durations.entry((of.face, of.route)).or_insert_with(|| HistogramReading {
                at_most: vec![0; more.at_most.len()],
                count: 0,
                sum: 0.0,
            });
            reading.at_most.iter_mut().zip(more.at_most).for_each(|(sum, count)| *sum += count);
            reading.count += more.count;
            reading.sum += more.sum;
        }
        durations
    }

    /// How many requests each face turned away.
    pub fn turned_away(&self) -> Vec<(&'static str, &AtomicU64)> {
        TURNED_AWAY.into_iter().zip(&self.0.turned_away).collect()
    }

    fn observed(&self, route: ObservedRoute) -> Arc<Observed> {
        let routes = self.0.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(observed) = routes.get(&route) {
            return Arc::clone(observed);
        }
        drop(routes);
        let mut routes = self.0.routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(route).or_default())
    }
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_face_route_method_and_class() {
        let observations = Observations::default();
        let face = ObservedFace { face: "admin", observations: observations.clone(), tracing: None };
        let millis = Duration::from_millis(3);
        face.count(&Method::GET, Some("/api/portals"), StatusCode::OK, millis);
        face.count(&Method::GET, Some("/api/portals"), StatusCode::FORBIDDEN, millis);
        face.count(&Method::POST, Some("/api/portals"), StatusCode::OK, millis);
        face.count(&Method::from_bytes(b"ODD").unwrap(), None, StatusCode::NOT_FOUND, millis);
        let routes = observations.routes();
        let told: Vec<_> = routes
            .iter()
            .map(|(of, observed)| (of.route.as_str(), of.method, observed.answers().collect::<Vec<_>>()))
            .collect();
        assert_eq!(
            told,
            [
                ("/api/portals", "GET", vec![("2xx", 1), ("4xx", 1)]),
                ("/api/portals", "POST", vec![("2xx", 1)]),
                ("none", "other", vec![("4xx", 1)]),
            ]
        );
        let durations = observations.durations();
        assert_eq!(durations[&("admin", "/api/portals".to_owned())].count, 3);
    }
}
