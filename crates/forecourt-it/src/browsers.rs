//! Browsers: they keep cookies and follow redirects from one site to another, and show where they have been.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, Method, StatusCode};
use reqwest::RequestBuilder;
use url::Url;

use crate::PageForm;

/// As many redirects as a browser follows before it gives up.
const MOST: usize = 20;

/// A browser with a jar of its own. It accepts self-signed certificates.
pub struct Browser {
    http: reqwest::Client,
    /// By name, each with its value and the path that it is for. Ports do not part cookies, and all is on one host here.
    cookies: Mutex<BTreeMap<String, (String, String)>>,
}

/// A page that a browser came to in the end.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Where it is.
    pub url: Url,
    /// Its body as text.
    pub text: String,
    /// Every address on the way, the first and the last included, each with its status.
    pub way: Vec<(Url, StatusCode)>,
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// One that has been nowhere yet.
    pub fn new() -> Self {
        // The first call of the process counts.
        let _first = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(true)
            .no_proxy()
            .build()
            .unwrap();
        Self { http, cookies: Mutex::default() }
    }

    /// Goes to `url` and wherever it is sent from there, but not to an address for which `stops` is true.
    pub async fn goes_until(&self, url: &str, stops: impl Fn(&Url) -> bool) -> Page {
        let mut page = self.asks(Method::GET, &Url::parse(url).unwrap(), None).await;
        while let Some(next) = page.next() {
            assert!(page.way.len() < MOST, "a browser is sent in circles: {:?}", page.way);
            if stops(&next) {
                break;
            }
            let mut on = self.asks(Method::GET, &next, None).await;
            on.way.splice(0..0, page.way);
            page = on;
        }
        page
    }

    /// Goes to `url` and wherever it is sent from there.
    pub async fn goes(&self, url: &str) -> Page {
        self.goes_until(url, |_| false).await
    }

    /// Posts a form to `url`, and is not sent on.
    pub async fn posts(&self, url: &str, fields: &[(&str, &str)]) -> Page {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.asks(Method::POST, &Url::parse(url).unwrap(), Some(form)).await
    }

    /// Opens `url`, and is not sent on.
    pub async fn opens(&self, url: &str) -> Page {
        self.asks(Method::GET, &Url::parse(url).unwrap(), None).await
    }

    /// Posts the form of a page to the site that it is of, and is not sent on.
    pub async fn posts_form(&self, form: &PageForm) -> Page {
        self.asks(Method::POST, &form.action, Some(form.body())).await
    }

    /// Posts a form that another site shows, and is not sent on: no cookie with `SameSite=Lax` goes along, as ours are.
    pub async fn posts_from_elsewhere(&self, form: &PageForm) -> Page {
        let request = self.http.post(form.action.clone()).header("origin", "http://elsewhere.example");
        let request = request.header("sec-fetch-site", "cross-site");
        self.answer(&form.action, with_form(request, form.body())).await
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.get(name).map(|(value, _)| value.clone())
    }

    /// The names of all cookies.
    pub fn cookie_names(&self) -> Vec<String> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    async fn asks(&self, method: Method, url: &Url, form: Option<String>) -> Page {
        let mut request = self.http.request(method, url.clone());
        let shown = self.shown_at(url.path());
        if !shown.is_empty() {
            request = request.header("cookie", shown);
        }
        if let Some(form) = form {
            request = with_form(request, form);
        }
        self.answer(url, request).await
    }

    async fn answer(&self, url: &Url, request: RequestBuilder) -> Page {
        let response = request.send().await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        self.keep(&headers);
        // Templates write the slashes of values so, which browsers read as slashes.
        let text = response.text().await.unwrap().replace("&#x2f;", "/");
        Page { status, headers, url: url.clone(), text, way: vec![(url.clone(), status)] }
    }

    fn shown_at(&self, path: &str) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |own: &str| path == own || path.starts_with(&format!("{}/", own.trim_end_matches('/')));
        let pairs = cookies.iter().filter(|(_, (_, own))| fits(own));
        pairs.map(|(name, (value, _))| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for line in headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()) {
            let mut parts = line.split(';').map(str::trim);
            let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap_or_default();
            let attributes: Vec<_> = parts.map(str::to_ascii_lowercase).collect();
            let past = |part: &String| part == "max-age=0" || part.starts_with("expires=thu, 01 jan 1970");
            if attributes.iter().any(past) {
                cookies.remove(name);
                continue;
            }
            let path = line.split(';').map(str::trim).find_map(|part| {
                let (key, path) = part.split_once('=')?;
                key.eq_ignore_ascii_case("path").then(|| path.to_owned())
            });
            cookies.insert(name.to_owned(), (value.to_owned(), path.unwrap_or_else(|| "/".to_owned())));
        }
    }
}

fn with_form(request: RequestBuilder, form: String) -> RequestBuilder {
    request.header("content-type", "application/x-www-form-urlencoded").body(form)
}

impl Page {
    /// Where it sends browsers on to.
    pub fn next(&self) -> Option<Url> {
        let location = self.headers.get("location").filter(|_| self.status.is_redirection())?;
        Some(self.url.join(location.to_str().unwrap()).unwrap())
    }
}
