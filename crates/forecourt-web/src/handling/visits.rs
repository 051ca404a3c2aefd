//! One request for a page: who is behind it as far as the frame shows it, and the answers it can get.

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header, request::Parts},
    response::IntoResponse,
};
use forecourt_http::{callers::Call, cookies, forms};

use super::{Failed, Web, failures::Lacking, flashes};
use crate::{
    csp::content_security_policy,
    errors::{Failure, FailureKind},
    links::{Link, provider},
    page::{Page, Portal, Site, Tone, Viewer},
    permissions::Permissions,
    templates::View,
};

/// The cookie that form tokens are bound to before sign-in.
const FORM_COOKIE: &str = "form";
const FORM_COOKIE_SECONDS: i64 = 24 * 60 * 60;

/// What a site's middleware knows of a page's frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The site.
    pub site: Site,
    /// The portal shown.
    pub portal: Portal,
    /// The other portals of the console's switcher.
    pub portals: Vec<Portal>,
    /// Who is signed in.
    pub viewer: Option<Viewer>,
    /// What they may do in the console.
    pub permissions: Permissions,
    /// Whether guests may make an account.
    pub sign_up_open: bool,
    /// Approvals that wait.
    pub pending_approvals: u64,
}

impl Frame {
    /// The frame of a site of which nothing is known, for its failure pages.
    pub fn bare(site: Site) -> Self {
        let portal = Portal { id: String::new(), name: "Forecourt".to_owned(), logo: None, colour: None };
        Self {
            site,
            portal,
            portals: Vec::new(),
            viewer: None,
            permissions: Permissions::default(),
            sign_up_open: false,
            pending_approvals: 0,
        }
    }
}

/// One request for a page. Handlers extract their own copy and may change its frame.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The site's state.
    pub web: Web,
    /// The request's id and address.
    pub call: Call,
    /// The page's frame.
    pub page: Page,
    /// The revision that the act before this page made for gateways.
    pub told_revision: Option<i64>,
    form_cookie: String,
    is_new: bool,
    is_fragment: bool,
}

impl Visit {
    /// A visit with what its request carries; `session` is the session's cookie where it proved somebody.
    pub fn new(
        web: Web,
        call: Call,
        uri: &Uri,
        headers: &HeaderMap,
        frame: Frame,
        session: Option<&str>,
    ) -> Self {
        let proof = session.or_else(|| cookies::read(headers, FORM_COOKIE)).map(str::to_owned);
        let is_new = proof.is_none();
        let form_cookie = proof.unwrap_or_else(|| web.app().random_hex(16));
        let is_fragment = headers.contains_key("hx-request");
        let carried = flashes::carried(headers).filter(|_| !is_fragment);
        let (flash, told_revision) =
            carried.map_or((None, None), |(flash, revision)| (Some(flash), revision));
        let page = Page {
            site: frame.site,
            portal: frame.portal,
            portals: frame.portals,
            viewer: frame.viewer,
            permissions: frame.permissions,
            sign_up_open: frame.sign_up_open,
            pending_approvals: frame.pending_approvals,
            flash,
            csrf: forms::token(web.app().csrf_key(), &form_cookie),
            nonce: web.app().random_hex(16),
            path: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        };
        Self { web, call, page, told_revision, form_cookie, is_new, is_fragment }
    }

    pub(super) fn form_cookie(&self) -> &str {
        &self.form_cookie
    }

    /// The page with `view` in it.
    ///
    /// # Errors
    /// When the template does not fit; a theme's may not.
    pub fn show<V: View>(&self, view: &V) -> Result<Response<Body>, Failed> {
        self.show_as(StatusCode::OK, view)
    }

    /// The page of a form that was refused: 422, with what was typed.
    ///
    /// # Errors
    /// As [`show`](Self::show).
    pub fn show_refused<V: View>(&self, view: &V) -> Result<Response<Body>, Failed> {
        self.show_as(StatusCode::UNPROCESSABLE_ENTITY, view)
    }

    /// The page with `view` in it and this status.
    ///
    /// # Errors
    /// As [`show`](Self::show).
    pub fn show_as<V: View>(&self, status: StatusCode, view: &V) -> Result<Response<Body>, Failed> {
        let html = self.web.templates.render(&self.page, view)?;
        let mut response = (status, html).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Ok(policy) = HeaderValue::try_from(content_security_policy(&self.page.nonce)) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        let is_secret = is_secret(&self.page.path);
        if is_secret {
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        let is_kept = self.page.viewer.is_none() && !is_secret;
        let caching = if is_kept { "private, no-cache" } else { "no-store" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        // What fragments and whole pages of one address hold is the same but for the flash message.
        headers.insert(header::VARY, HeaderValue::from_static("Cookie, HX-Request"));
        let secure = self.is_secure();
        if self.is_new {
            let cookie = cookies::set(FORM_COOKIE, &self.form_cookie, FORM_COOKIE_SECONDS, secure);
            add_cookie(headers, cookie);
        }
        if self.page.flash.is_some() && !self.is_fragment {
            add_cookie(headers, flashes::said(secure));
        }
        Ok(response)
    }

    /// Sends the browser on to `link` with GET.
    pub fn go(&self, link: &Link) -> Response<Body> {
        self.go_path(link.as_str())
    }

    /// Sends the browser on to `path`, which [`same_site_path`] let through.
    pub fn go_path(&self, path: &str) -> Response<Body> {
        let mut response = StatusCode::SEE_OTHER.into_response();
        if let Ok(location) = HeaderValue::try_from(path) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Sends the browser on to `link`, where `text` is said once.
    pub fn done(&self, link: &Link, text: &str) -> Response<Body> {
        self.say_then(self.go(link), Tone::Good, text)
    }

    /// The answer with a message for the page after it.
    pub fn say_then(&self, mut response: Response<Body>, tone: Tone, text: &str) -> Response<Body> {
        let cookie = flashes::kept(tone, text, self.call.receipt.revision(), self.is_secure());
        add_cookie(response.headers_mut(), cookie);
        response
    }

    /// Whether cookies are for TLS alone: where the site is served by it, here or by a trusted proxy.
    fn is_secure(&self) -> bool {
        self.web.config.secure_cookies || self.call.is_secure()
    }

    /// The answer with the cookie `name` set for `seconds`; 0 removes it.
    pub fn with_cookie(
        &self,
        mut response: Response<Body>,
        name: &str,
        value: &str,
        seconds: i64,
    ) -> Response<Body> {
        let cookie = cookies::set(name, value, seconds, self.is_secure());
        add_cookie(response.headers_mut(), cookie);
        response
    }

    /// The answer as the browser gets it: where a handler failed, the page that says so, or the way to `sign_in`.
    pub fn finish(&self, mut response: Response<Body>, sign_in: &Link) -> Response<Body> {
        let kind = match response.extensions_mut().remove::<Lacking>() {
            // Only extractors of paths and the like answer 400 by themselves, in plain text.
            None if response.status() == StatusCode::BAD_REQUEST => FailureKind::Unreadable,
            None => return response,
            Some(Lacking::SignIn) => return self.go(sign_in),
            Some(Lacking::Page(kind)) => kind,
        };
        let told = matches!(kind, FailureKind::Internal | FailureKind::Unavailable);
        let request_id = told.then(|| self.call.request_id.to_string());
        let (status, kept) = (response.status(), response.headers().clone());
        let mut page = match self.show_as(status, &Failure { kind, request_id }) {
            Ok(page) => page,
            Err(failed) => {
                // Even the failure page fails with a broken theme: the log says why.
                let _ = failed.into_response();
                (status, "Something broke on our side; it was logged.\n").into_response()
            }
        };
        for name in [header::RETRY_AFTER, header::ALLOW] {
            if let Some(value) = kept.get(&name) {
                page.headers_mut().insert(name, value.clone());
            }
        }
        page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        page
    }
}

/// Whether the address of a page is one of a link in a mail, which whoever has it may use.
fn is_secret(path: &str) -> bool {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let of_approvals = provider::APPROVAL_LINK.split('{').next().unwrap_or_default();
    path.starts_with(of_approvals) || query.split('&').any(|pair| pair.starts_with("token="))
}

fn add_cookie(headers: &mut HeaderMap, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failed> {
        // Only a route outside its site's middleware has no visit: a fault of ours.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| FailureKind::Internal.into())
    }
}

/// `path` where it is a path of this same site, and nothing else: browsers read `//host` and `/\host` as
/// addresses of other sites and drop tabs and line breaks.
pub fn same_site_path(path: &str) -> Option<&str> {
    forecourt_core::external_sign_ins::own_page(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_site_is_gone_on_to() {
        assert_eq!(same_site_path("/hub?search=a%20b#list"), Some("/hub?search=a%20b#list"));
        for path in [
            "",
            "hub",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "/\t/evil",
            "/é",
        ] {
            assert_eq!(same_site_path(path), None, "{path:?}");
        }
    }
}
