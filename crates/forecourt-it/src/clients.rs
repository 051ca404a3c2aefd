//! HTTP clients that know who they are, and answers that say what was asked when they disappoint.

use std::fmt::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_conformity::Document;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

/// A client of one base address, with the headers that it always sends.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
    document: Option<&'static Document>,
}

/// An answer, read whole.
#[derive(Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    request: String,
}

impl Client {
    /// A client of `base`, such as `http://127.0.0.1:7080`, that shows nothing. It follows no redirects and accepts
    /// self-signed certificates.
    pub fn new(base: impl Into<String>) -> Self {
        // The first call of the process counts.
        let _first = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(true)
            .no_proxy()
            .build()
            .unwrap();
        Self { http, base: base.into(), headers: HeaderMap::new(), document: None }
    }

    /// The same client, whose answers must be as `document` says where it speaks of them.
    #[must_use]
    pub const fn held_against(mut self, document: &'static Document) -> Self {
        self.document = Some(document);
        self
    }

    /// The same client sending `name: value` too.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name: HeaderName = name.parse().unwrap();
        client.headers.insert(name, HeaderValue::from_str(value).unwrap());
        client
    }

    /// The same client with a user name and a password.
    #[must_use]
    pub fn with_basic(&self, username: &str, password: &str) -> Self {
        self.with("authorization", &format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
    }

    /// The same client with a token.
    #[must_use]
    pub fn with_bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Where it goes.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Any method, with a JSON body where one is given.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| ("application/json".to_owned(), body.to_string().into_bytes()));
        self.send_bytes(method, path, body).await
    }

    /// Any method, with a body of any kind where one is given.
    ///
    /// # Panics
    /// When there is no answer; [`Self::try_send`] does not.
    pub async fn send_bytes(&self, method: Method, path: &str, body: Option<(String, Vec<u8>)>) -> Answer {
        let told = format!("{method} {}{path}", self.base);
        match self.try_send(method, path, body).await {
            Ok(answer) => answer,
            Err(problem) => panic!("{told} was not answered: {problem}"),
        }
    }

    /// Any method; an error where the other side gives no whole answer.
    ///
    /// # Errors
    /// What was wrong.
    ///
    /// # Panics
    /// When the answer contradicts the document that it is held against.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<(String, Vec<u8>)>,
    ) -> Result<Answer, String> {
        let mut told = format!("{method} {}{path}\n", self.base);
        for (name, value) in &self.headers {
            writeln!(told, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
        }
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.base)).headers(self.headers.clone());
        if let Some((content_type, bytes)) = body {
            writeln!(told, "content-type: {content_type}\n\n{}", shown(&bytes)).unwrap();
            request = request.header("content-type", content_type).body(bytes);
        }
        let response = request.send().await.map_err(|error| format!("{error:?}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| format!("{error:?}"))?.to_vec();
        let answer = forecourt_conformity::Answer {
            method: &method,
            address: path,
            status: status.as_u16(),
            headers: &headers,
            body: &body,
        };
        if let Some(contradiction) = self.document.and_then(|document| document.contradiction(answer)) {
            panic!("the answer is not what its document says: {contradiction}\n---- asked\n{told}");
        }
        Ok(Answer { status, headers, body, request: told })
    }
}

impl Answer {
    /// The JSON of an answer with this status; null for an empty body. No member or item of it is null.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "expected {status}\n{self:?}");
        let body = self.json();
        if let Some(place) = null_within(&body) {
            panic!("{place} is null: what has no value is left out\n{self:?}");
        }
        body
    }

    /// Checks the status and that there is no body.
    #[track_caller]
    pub fn empty(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "expected {status}\n{self:?}");
        assert!(self.body.is_empty(), "expected no body\n{self:?}");
    }

    /// The error of an API with this status, whose text holds `part`; checks its three members.
    #[track_caller]
    pub fn refused(&self, status: u16, part: &str) {
        let body = self.expect(status);
        assert_eq!(body["status"], status, "the member status\n{self:?}");
        let message = body["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "the member message\n{self:?}");
        assert_eq!(body["message"], body["error_msg"], "message and error_msg\n{self:?}");
        assert!(message.contains(part), "expected a message with {part:?}\n{self:?}");
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, where there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "---- asked\n{}", self.request)?;
        writeln!(f, "---- answered\n{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        writeln!(f, "\n{}", shown(&self.body))
    }
}

/// Where in `value` a member or an item is null, as a JSON pointer.
fn null_within(value: &Value) -> Option<String> {
    let child = |(place, value): (String, &Value)| match value {
        Value::Null => Some(format!("/{place}")),
        _ => null_within(value).map(|rest| format!("/{place}{rest}")),
    };
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).find_map(child),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).find_map(child)
        }
        _ => None,
    }
}

/// The first 4 kB of a body as text.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4_096)]).into_owned();
    if bytes.len() > 4_096 { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}
