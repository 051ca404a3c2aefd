//! The routers of the four faces, put on their listeners: the one place that knows which is where.

use axum::{Extension, Router, extract::Request, middleware::from_fn_with_state};
use forecourt_core::traces::Tracing;
use forecourt_http::{
    Context, Tls,
    availability::{self, Availability},
    observations::{Observations, ObservedFace},
    restrictions, transport,
};
use forecourt_web::api_references;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::serve::Addresses;

/// What the pages are told about the world around them.
#[derive(Clone, Debug)]
pub struct Urls {
    /// Where callers reach the gateway; empty where there is none.
    pub gateway: String,
    /// Where developers reach the site; empty where it is off.
    pub site: String,
    /// Where front ends reach the Portal API; empty where it is off.
    pub portal_api: String,
}

impl Urls {
    /// Those of a process that listens there.
    pub fn of(addresses: &Addresses) -> Self {
        Self {
            gateway: addresses.gateway.clone().unwrap_or_default(),
            site: addresses.site.clone().unwrap_or_default(),
            portal_api: addresses.portal_api.clone().unwrap_or_default(),
        }
    }
}

/// What goes on around the faces: whether the database is away, and where their requests are counted.
#[derive(Clone, Debug)]
pub struct Watching {
    /// Becomes true when the database is away, and false when it is back.
    pub is_away: watch::Receiver<bool>,
    /// The counts.
    pub observations: Observations,
    /// Where they are told of as spans; `None`: nowhere.
    pub tracing: Option<Tracing>,
}

impl Watching {
    /// `router` as a face of this name: counted, and closed while the database is away.
    fn over(&self, router: Router, face: &'static str, is_api: bool) -> Router {
        let (observations, tracing) = (self.observations.clone(), self.tracing.clone());
        let face = ObservedFace { face, observations, tracing };
        let availability = Availability { is_away: self.is_away.clone(), is_api, face: face.clone() };
        router.layer(Extension(face)).layer(from_fn_with_state(availability, availability::check))
    }
}

/// The administrators' listener: the Admin API under its own prefixes, the console for every other path.
///
/// What is under a prefix of the API never becomes a page, not even where there is no such path. `/docs` shows the
/// API's document to everybody whose address is admitted.
pub fn admin(context: &Context, urls: &Urls, watching: &Watching, is_tls: bool) -> Router {
    let api = watching.over(forecourt_api::admin::router(context.clone()), "admin", true);
    let console =
        console(context, urls, is_tls).layer(from_fn_with_state(context.clone(), restrictions::check));
    let console = watching.over(console, "console", false);
    let docs = api_references::router(context, forecourt_api::admin::document)
        .layer(from_fn_with_state(context.clone(), restrictions::check));
    let both = Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let face = match request.uri().path() {
            path if is_api(path) => api.clone(),
            api_references::PATH => docs.clone(),
            _ => console.clone(),
        };
        face.oneshot(request)
    }));
    let both = both.layer(from_fn_with_state(context.clone(), transport::tell));
    if is_tls { both.layer(Extension(Tls)) } else { both }
}

fn is_api(path: &str) -> bool {
    ["/api", "/apisix/admin", "/healthz", "/openapi.json"].into_iter().any(|prefix| is_under(prefix, path))
}

/// Whether `path` begins with the whole segments of `prefix`.
fn is_under(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The Portal API, with its document as a page at `/docs`.
pub fn portal_api(context: &Context, watching: &Watching) -> Router {
    let api = watching.over(forecourt_api::portal::router(context.clone()), "portal_api", true);
    let docs = api_references::router(context, forecourt_api::portal::document);
    let both = Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let path = request.uri().path();
        let is_page = path == api_references::PATH || path.starts_with("/assets/");
        let face = if is_page { docs.clone() } else { api.clone() };
        face.oneshot(request)
    }));
    both.layer(from_fn_with_state(context.clone(), transport::tell))
}

fn console(context: &Context, urls: &Urls, is_tls: bool) -> Router {
    forecourt_web::provider::router(context.clone(), pages(urls, is_tls))
}

/// The Developer Portal site, and what portals' directories call under their own prefix of it.
pub fn site(context: &Context, urls: &Urls, watching: &Watching) -> Router {
    let pages = forecourt_web::developer::router(context.clone(), pages(urls, false));
    let pages = watching.over(pages, "site", false);
    let scim = watching.over(forecourt_api::scim::site_router(context.clone()), "scim", true);
    let both = Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let is_scim = is_under(forecourt_api::scim::SITE_PREFIX, request.uri().path());
        let face = if is_scim { scim.clone() } else { pages.clone() };
        face.oneshot(request)
    }));
    both.layer(from_fn_with_state(context.clone(), transport::tell))
}

fn pages(urls: &Urls, is_tls: bool) -> forecourt_web::Config {
    forecourt_web::Config {
        theme_dir: None,
        gateway_url: urls.gateway.clone(),
        site_url: urls.site.clone(),
        portal_api_url: urls.portal_api.clone(),
        secure_cookies: is_tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_segments_belong_to_the_api() {
        for path in
            ["/api", "/api/portals", "/apisix/admin/services", "/healthz", "/openapi.json", "/api/no/such"]
        {
            assert!(is_api(path), "{path}");
        }
        for path in ["/", "/apis", "/portals", "/apisix", "/apisix/administrators", "/healthzz"] {
            assert!(!is_api(path), "{path}");
        }
    }
}
