//! Plugins of services, routes and global rules, compiled for requests (docs/gateway.md §7 to §9).
//!
//! Of each plugin the most specific configuration counts, whole: a route's, else its service's, else a global
//! rule's. Invariant: what did not change is not compiled again, so patterns are compiled once per change. Who
//! asks: `cors.rs`, `verify/consumers.rs`, `verify/restriction.rs`.

use std::sync::Arc;

use forecourt_core::gateway_state::{BasicAuthPlugin, JwtAuthPlugin, KeyAuthPlugin, PluginsState};
use http::{HeaderName, HeaderValue};

use crate::{
    cors::Cors,
    route::{BasicRule, KeyRule},
    verify::restriction::Restriction,
};

/// The plugins that requests of a route meet; at least one is there.
pub(crate) struct Plugins {
    source: PluginsState,
    /// Cross-origin answers.
    pub(crate) cors: Option<Cors>,
    /// Consumers by JWT.
    pub(crate) jwt_auth: Option<JwtPlugin>,
    /// Consumers by user name and password.
    pub(crate) basic_auth: Option<BasicPlugin>,
    /// Consumers by key.
    pub(crate) key_auth: Option<KeyPlugin>,
    /// Who of those known may pass.
    pub(crate) restriction: Option<Restriction>,
}

/// How consumers' tokens are read.
pub(crate) struct JwtPlugin {
    /// The header; `None` where the configured name can be no header's.
    pub(crate) header: Option<HeaderName>,
    /// The query argument.
    pub(crate) query: Box<str>,
    /// The cookie.
    pub(crate) cookie: Box<str>,
    /// The claim that names the credential.
    pub(crate) key_claim_name: Box<str>,
    /// Whether the token is removed, from where it was, after success.
    pub(crate) hide_credentials: bool,
    /// What a refused caller may try.
    pub(crate) challenge: HeaderValue,
}

/// How consumers' passwords are read.
pub(crate) struct BasicPlugin {
    /// As a product's.
    pub(crate) rule: BasicRule,
    /// What a refused caller may try.
    pub(crate) challenge: HeaderValue,
}

/// How consumers' keys are read.
pub(crate) struct KeyPlugin {
    /// As a product's.
    pub(crate) rule: KeyRule,
    /// What a refused caller may try.
    pub(crate) challenge: HeaderValue,
}

impl Plugins {
    /// Compiles these plugins, or takes over `previous` if they are the same; `None`: there are none.
    pub(crate) fn compile(state: PluginsState, previous: Option<&Arc<Self>>) -> Option<Arc<Self>> {
        if let Some(previous) = previous
            && previous.source == state
        {
            return Some(Arc::clone(previous));
        }
        if state == PluginsState::default() {
            return None;
        }
        Some(Arc::new(Self {
            cors: state.cors.as_ref().map(Cors::compile),
            jwt_auth: state.jwt_auth.as_ref().map(jwt),
            basic_auth: state.basic_auth.as_ref().map(basic),
            key_auth: state.key_auth.as_ref().map(key),
            restriction: state.consumer_restriction.as_ref().map(Restriction::compile),
            source: state,
        }))
    }

    /// Whether a consumer must be found before anything is forwarded.
    pub(crate) const fn authenticates(&self) -> bool {
        self.jwt_auth.is_some() || self.basic_auth.is_some() || self.key_auth.is_some()
    }

    /// The challenges of all plugins that authenticate, in their order of work.
    pub(crate) fn challenges(&self) -> Vec<HeaderValue> {
        let jwt = self.jwt_auth.as_ref().map(|plugin| &plugin.challenge);
        let basic = self.basic_auth.as_ref().map(|plugin| &plugin.challenge);
        let key = self.key_auth.as_ref().map(|plugin| &plugin.challenge);
        [jwt, basic, key].into_iter().flatten().cloned().collect()
    }
}

/// What holds where both are configured: each plugin of `above` takes the place of the same one of `below`.
pub(crate) fn over(below: &PluginsState, above: &PluginsState) -> PluginsState {
    PluginsState {
        cors: above.cors.as_ref().or(below.cors.as_ref()).cloned(),
        jwt_auth: above.jwt_auth.as_ref().or(below.jwt_auth.as_ref()).cloned(),
        basic_auth: above.basic_auth.as_ref().or(below.basic_auth.as_ref()).cloned(),
        key_auth: above.key_auth.as_ref().or(below.key_auth.as_ref()).cloned(),
        consumer_restriction: above
            .consumer_restriction
            .as_ref()
            .or(below.consumer_restriction.as_ref())
            .cloned(),
    }
}

fn jwt(state: &JwtAuthPlugin) -> JwtPlugin {
    JwtPlugin {
        header: HeaderName::from_bytes(state.header.as_bytes()).ok(),
        query: state.query.as_str().into(),
        cookie: state.cookie.as_str().into(),
        key_claim_name: state.key_claim_name.as_str().into(),
        hide_credentials: state.hide_credentials,
        challenge: HeaderValue::from_static("Bearer"),
    }
}

fn basic(state: &BasicAuthPlugin) -> BasicPlugin {
    BasicPlugin {
        rule: BasicRule { hide_credentials: state.hide_credentials },
        challenge: challenge("Basic", &state.realm, r#"Basic realm="basic""#),
    }
}

fn key(state: &KeyAuthPlugin) -> KeyPlugin {
    KeyPlugin {
        rule: KeyRule {
            header: HeaderName::from_bytes(state.header.as_bytes()).ok(),
            query: state.query.as_str().into(),
            hide_credentials: state.hide_credentials,
        },
        challenge: challenge("apikey", &state.realm, r#"apikey realm="key""#),
    }
}

/// `SCHEME realm="REALM"`, its quotes escaped (RFC 9110 §5.6.4); the usual one where no header can say the realm.
fn challenge(scheme: &str, realm: &str, usual: &'static str) -> HeaderValue {
    let escaped = realm.replace('\\', r"\\").replace('"', "\\\"");
    HeaderValue::try_from(format!("{scheme} realm=\"{escaped}\""))
        .unwrap_or_else(|_| HeaderValue::from_static(usual))
}

#[cfg(test)]
#[path = "tests/plugins.rs"]
mod tests;
