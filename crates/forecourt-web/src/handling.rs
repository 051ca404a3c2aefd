//! What the handlers of both sites share: the state, the visit, answers, forms that were sent, failures.
//!
//! A site is `served(pages(routes).layer(its own visit middleware))`. Its middleware makes a [`Visit`] for each
//! request and lets [`Visit::finish`] turn what failed into a page; its handlers return
//! `Result<Response, Failed>`. Invariant: what a form holds is reached through [`Posted`] alone, which checks
//! the form's token first.

pub(crate) mod event_types;
mod failures;
mod flashes;
mod posts;
mod questions;
mod references;
mod visits;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::FromRef,
    http::{HeaderName, HeaderValue, Response, header},
    middleware,
    response::IntoResponse,
};
use forecourt_app::App;
use forecourt_http::{Context, callers, request_log};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    assets,
    errors::FailureKind,
    messages::Messages,
    templates::{RenderError, Templates},
};

pub use failures::Failed;
pub use posts::Posted;
pub use questions::Asked;
pub use references::{Reference, References};
pub use visits::{Frame, Visit, same_site_path};

/// How a site is set up.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Templates in this directory replace ours.
    pub theme_dir: Option<PathBuf>,
    /// The gateway's address as callers reach it, `http://127.0.0.1:9080`; without a slash at the end.
    pub gateway_url: String,
    /// The site's own address as people reach it; without a slash at the end.
    pub site_url: String,
    /// The Portal API's address as front ends reach it; without a slash at the end. Empty: unknown.
    pub portal_api_url: String,
    /// Whether cookies are for TLS only; true wherever the site is reached by TLS.
    pub secure_cookies: bool,
}

/// The state of every handler. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Web {
    /// What all HTTP faces share.
    pub context: Context,
    /// The templates.
    pub templates: Arc<Templates>,
    /// How the site is set up.
    pub config: Arc<Config>,
    /// API descriptions that were read.
    pub references: Arc<References>,
    messages: Arc<Messages>,
}

impl Web {
    /// The state of a site.
    ///
    /// # Errors
    /// When the embedded catalogue or templates cannot be read, which a test rules out.
    pub fn new(context: Context, config: Config) -> Result<Self, RenderError> {
        let templates = Templates::new(config.theme_dir.clone())?;
        let messages = Messages::english().map_err(|error| RenderError::new(error.to_string()))?;
        Ok(Self {
            context,
            templates: Arc::new(templates),
            config: Arc::new(config),
            references: Arc::default(),
            messages: Arc::new(messages),
        })
    }

    /// The use cases.
    pub fn app(&self) -> &App {
        &self.context.app
    }

    /// The text `key` of the catalogue with `arguments` filled in.
    pub fn say(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        let arguments =
            arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        // A test compares the keys in the sources with the catalogue, so a release never shows a key.
        self.messages.text(key, &arguments).unwrap_or_else(|| key.to_owned())
    }
}

impl FromRef<Web> for Context {
    fn from_ref(web: &Web) -> Self {
        web.context.clone()
    }
}

/// The routes of a site's pages with what any of them may run into: no such path, no such method, a panic.
pub fn pages(routes: Router<Web>) -> Router<Web> {
    routes
        .fallback(|| async { Failed::from(FailureKind::NotFound) })
        .method_not_allowed_fallback(|| async { Failed::from(FailureKind::MethodNotAllowed) })
        .layer(CatchPanicLayer::custom(|_| Failed::from(FailureKind::Internal).into_response()))
}

/// The whole site: `pages` with its visit middleware, the built files, compression, request ids and the log.
pub fn served(pages: Router<Web>, web: Web) -> Router {
    pages
        .merge(assets::routes())
        .layer(CompressionLayer::new())
        .layer(middleware::map_response(guarded))
        .layer(middleware::from_fn_with_state(web.context.clone(), request_log::log))
        .layer(middleware::from_fn_with_state(web.context.clone(), callers::begin))
        .with_state(web)
}

/// A site that cannot start answers so, instead of not answering.
pub fn broken(error: &RenderError) -> Router {
    tracing::error!(error.message = %error, "the site's templates cannot be read");
    Router::new().fallback(|| async { Failed::from(FailureKind::Internal) })
}

/// Headers of every answer; the content security policy comes with each page, since it names the page's nonce.
pub(crate) async fn guarded(mut response: Response<Body>) -> Response<Body> {
    const ALWAYS: [(HeaderName, &str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Pages whose address is a secret say that it is told to nobody.
    let referrer = HeaderValue::from_static("same-origin");
    response.headers_mut().entry(header::REFERRER_POLICY).or_insert(referrer);
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{
        extract::{Path, Request, State},
        http::StatusCode,
        middleware::Next,
        routing::get,
    };
    use forecourt_http::callers::Call;
    use forecourt_store::{Location, Store};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::{links::developer, page::Site};

    async fn visit(State(web): State<Web>, call: Call, request: Request, next: Next) -> Response<Body> {
        let frame = Frame::bare(Site::Developer);
        let visit = Visit::new(web, call, request.uri(), request.headers(), frame, None);
        visit.finish(next.run(request).await, &developer::sign_in())
    }

    async fn answer(path: &str) -> (StatusCode, String) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let clock = Arc::new(|| forecourt_core::time::Timestamp::from_seconds(1_786_060_800));
        let app = App::open(store, &forecourt_app::Config::default(), clock).await.unwrap();
        let web = Web::new(Context::new(app, forecourt_http::Config::default()), Config::default()).unwrap();
        let routes = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("the secret reason") }))
            .route("/number/{number}", get(async |Path(number): Path<u8>| number.to_string()));
        let site = served(pages(routes).layer(middleware::from_fn_with_state(web.clone(), visit)), web);
        let response = site.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_page_with_the_requests_id_and_without_the_reason() {
        let (status, text) = answer("/panic").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(text.contains("Something broke on our side") && text.contains("<code>req_"), "{text}");
        assert!(!text.contains("secret reason"));
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_read_is_a_page_too() {
        let (status, text) = answer("/number/many").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(text.contains("That could not be read"), "{text}");
    }
}
