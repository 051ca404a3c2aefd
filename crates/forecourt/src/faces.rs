//! The routers of the four faces, put on their listeners: the one place that knows which is where.

use axum::Router;
use forecourt_http::Context;

/// What the pages are told about the world around them.
#[derive(Clone, Debug)]
pub struct Urls {
    /// Where callers reach the gateway; empty where there is none.
    pub gateway: String,
    /// Where developers reach the site; empty where it is off.
    pub site: String,
}

/// The administrators' listener: Admin API, and the console for every other path.
pub fn admin(context: &Context, urls: &Urls, is_tls: bool) -> Router {
    let _pages = (urls, is_tls);
    forecourt_api::admin::router(context.clone())
}

/// The Portal API.
pub fn portal_api(context: &Context) -> Router {
    forecourt_api::portal::router(context.clone())
}

/// The Developer Portal site.
pub fn site(context: &Context, urls: &Urls) -> Router {
    let _pages = (context, urls);
    Router::new()
}
