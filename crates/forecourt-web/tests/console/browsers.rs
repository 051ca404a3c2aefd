//! A browser without a screen: keeps cookies, sends the token of the form that it saw last.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower::ServiceExt;

/// See the module.
#[derive(Clone)]
pub struct Browser {
    site: Router,
    cookies: BTreeMap<String, String>,
    headers: Vec<(&'static str, &'static str)>,
    token: String,
}

/// What a site answered.
pub struct Page {
    pub status: StatusCode,
    pub html: String,
    headers: HeaderMap,
}

impl Browser {
    pub fn new(site: Router) -> Self {
        Self { site, cookies: BTreeMap::new(), headers: Vec::new(), token: String::new() }
    }

    /// Sends this header with every request from now on.
    pub fn header(&mut self, name: &'static str, value: &'static str) {
        self.headers.push((name, value));
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.request("GET", path).await
    }

    pub async fn request(&mut self, method: &str, path: &str) -> Page {
        self.send(method, path, Body::empty()).await
    }

    /// The token of the form that it saw last.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Posts a form as the page seen last would.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.token.clone();
        self.post_with_token(path, &token, fields).await
    }

    pub async fn post_with_token(&mut self, path: &str, token: &str, fields: &[(&str, &str)]) -> Page {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let with_token = [("csrf", token)];
        let pairs =
            fields.iter().chain(&with_token).map(|(name, value)| format!("{name}={}", encoded(value)));
        self.send("POST", path, pairs.collect::<Vec<_>>().join("&").into()).await
    }

    async fn send(&mut self, method: &str, path: &str, body: Body) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "console.example")
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let answer = self.site.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        for line in parts.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let html = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        // The engine escapes slashes as well; undone, so that tests read as a browser does.
        let html = html.replace("&#x2f;", "/");
        if let Some((_, rest)) = html.split_once("name=\"csrf\" value=\"") {
            self.token = rest.split('"').next().unwrap().to_owned();
        }
        Page { status: parts.status, html, headers: parts.headers }
    }
}

impl Page {
    /// Where the answer sends the browser; panics where it does not.
    pub fn location(&self) -> String {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.main());
        self.header("location").to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The main part, for messages of failed assertions.
    pub fn main(&self) -> &str {
        self.html.split("<main").nth(1).unwrap_or(&self.html)
    }

    /// The action of the first form whose path ends so.
    pub fn action_ending(&self, end: &str) -> String {
        let mut actions = self.html.split(" action=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        actions.find(|action| action.ends_with(end)).unwrap().to_owned()
    }

    /// Where the links of the page lead on this site, each once.
    pub fn links(&self) -> Vec<String> {
        let links = self.html.split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let mut links: Vec<_> = links
            .filter(|link| link.starts_with('/') && !link.starts_with("/assets/"))
            .map(|link| link.replace("&amp;", "&"))
            .collect();
        links.sort();
        links.dedup();
        links
    }

    /// Where the forms of the page post to, the one that signs out left out.
    pub fn changes(&self) -> Vec<String> {
        let forms = self.html.split("<form ").skip(1).map(|rest| rest.split('>').next().unwrap());
        let posts = forms.filter(|form| form.contains("method=\"post\""));
        let actions = posts.map(|form| between(form, "action=\"", "\"").to_owned());
        actions.filter(|action| action != "/sign-out").collect()
    }

    /// The first link that holds `part`.
    pub fn link_holding(&self, part: &str) -> String {
        let mut links = self.main().split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        links.find(|link| link.contains(part)).unwrap().to_owned()
    }
}

/// What stands between `before` and `after`.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0
}
