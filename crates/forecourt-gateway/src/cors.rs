//! Cross-origin answers: which origins may read what a route answers (docs/gateway.md §8).
//!
//! Invariants: where the plugin is configured, its fields and no others of this protocol reach the caller, the
//! upstream's own included; an origin that is not allowed gets none; `*` never goes with credentials.

use forecourt_core::gateway_state::CorsPlugin;
use hashbrown::HashSet;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use regex::{Regex, RegexBuilder};

const PROTOCOL: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];
/// What `**` stands for among methods: browsers take `*` literally where credentials are sent.
const ALL_METHODS: &str = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE";
/// Bytes that one compiled pattern may take.
const PATTERN_BYTES: usize = 256 * 1_024;

/// The plugin, compiled.
pub(crate) struct Cors {
    origins: Origins,
    allow_methods: Option<HeaderValue>,
    allow_headers: AllowedHeaders,
    expose_headers: Option<HeaderValue>,
    max_age: HeaderValue,
    allow_credential: bool,
}

/// Which origins are allowed.
enum Origins {
    /// Any, told as `*`.
    Any,
    /// Any, told by its own name, so that credentials may be allowed.
    AnyByName,
    /// These and those that a pattern fits.
    Listed(HashSet<Box<str>>, Vec<Regex>),
}

enum AllowedHeaders {
    Fixed(Option<HeaderValue>),
    /// Whatever the preflight asks for.
    Requested,
}

/// What an answer says to one origin.
pub(crate) struct Fields {
    allowed: Vec<(HeaderName, HeaderValue)>,
    depends_on_origin: bool,
}

/// The method that a preflight asks about; `None`: the request is no preflight (Fetch standard, §3.2.2).
pub(crate) fn requested_method(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if *method != Method::OPTIONS || !headers.contains_key(ORIGIN) {
        return None;
    }
    Method::from_bytes(headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

impl Cors {
    /// Compiles the row. A pattern that cannot be compiled is logged and fits nothing.
    pub(crate) fn compile(row: &CorsPlugin) -> Self {
        let allow_headers = if row.allow_headers == "**" {
            AllowedHeaders::Requested
        } else {
            AllowedHeaders::Fixed(field("allow_headers", &row.allow_headers))
        };
        let methods = if row.allow_methods == "**" { ALL_METHODS } else { &row.allow_methods };
        Self {
            origins: Origins::compile(row),
            allow_methods: field("allow_methods", methods),
            allow_headers,
            expose_headers: field("expose_headers", &row.expose_headers),
            max_age: HeaderValue::from(row.max_age),
            allow_credential: row.allow_credential,
        }
    }

    /// What the answer to a request with these headers says.
    pub(crate) fn fields(&self, request: &HeaderMap) -> Fields {
        let depends_on_origin = !matches!(self.origins, Origins::Any);
        let Some(origin) = self.origins.allowed(request.get(ORIGIN)) else {
            return Fields { allowed: Vec::new(), depends_on_origin };
        };
        let headers = match &self.allow_headers {
            AllowedHeaders::Fixed(value) => value.as_ref(),
            AllowedHeaders::Requested => request.get(ACCESS_CONTROL_REQUEST_HEADERS),
        };
        let with_credentials = self.allow_credential && origin != "*";
        let credentials = with_credentials.then(|| HeaderValue::from_static("true"));
        let fields = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, Some(origin)),
            (ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods.clone()),
            (ACCESS_CONTROL_ALLOW_HEADERS, headers.cloned()),
            (ACCESS_CONTROL_EXPOSE_HEADERS, self.expose_headers.clone()),
            (ACCESS_CONTROL_MAX_AGE, Some(self.max_age.clone())),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials),
        ];
        let allowed = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Fields { allowed, depends_on_origin }
    }
}

impl Origins {
    /// Where patterns are given, `*` and `**` mean nothing: the list's default would make them pointless.
    fn compile(row: &CorsPlugin) -> Self {
        let lists = |name: &str| row.allow_origins.iter().any(|origin| origin.trim() == name);
        if row.allow_origins_by_regex.is_empty() {
            if lists("**") {
                return Self::AnyByName;
            }
            if lists("*") {
                return Self::Any;
            }
        }
        let listed = row.allow_origins.iter().map(|origin| origin.trim()).filter(|origin| !origin.is_empty());
        let patterns = row.allow_origins_by_regex.iter().filter_map(|pattern| {
            let compiled =
                RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
            compiled
                .inspect_err(|error| {
                    tracing::error!(pattern, %error, "a pattern of allow_origins_by_regex fits nothing");
                })
                .ok()
        });
        Self::Listed(listed.map(Into::into).collect(), patterns.collect())
    }

    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::AnyByName => Some(origin.cloned().unwrap_or_else(|| HeaderValue::from_static("*"))),
            Self::Listed(listed, patterns) => {
                let text = origin?.to_str().ok()?;
                let fits = listed.contains(text) || patterns.iter().any(|pattern| pattern.is_match(text));
                fits.then(|| origin.cloned()).flatten()
            }
        }
    }
}

impl Fields {
    /// Puts them on an answer, in the place of any that are there.
    pub(crate) fn put_on(&self, answer: &mut HeaderMap) {
        for name in PROTOCOL {
            answer.remove(name);
        }
        for (name, value) in &self.allowed {
            answer.insert(name.clone(), value.clone());
        }
        if self.depends_on_origin && !varies_by_origin(answer) {
            answer.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

fn varies_by_origin(answer: &HeaderMap) -> bool {
    let names = answer.get_all(VARY).into_iter().filter_map(|value| value.to_str().ok());
    names.flat_map(|value| value.split(',')).any(|name| matches!(name.trim(), "*") || is_origin(name.trim()))
}

const fn is_origin(name: &str) -> bool {
    name.eq_ignore_ascii_case("origin")
}

/// The field's value; `None` where it is empty or cannot be one.
fn field(member: &str, text: &str) -> Option<HeaderValue> {
    if text.is_empty() {
        return None;
    }
    HeaderValue::from_str(text)
        .inspect_err(|_| tracing::error!(member, "cors: a value that can be no header's is left out"))
        .ok()
}

#[cfg(test)]
#[path = "tests/cors.rs"]
mod tests;
