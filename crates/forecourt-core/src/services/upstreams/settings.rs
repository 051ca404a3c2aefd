//! What an upstream may say beside its targets: balancing, retries, kept connections, TLS, health checks.
//!
//! Invariant: [`UpstreamSettings`] is checked when it is made, and keeps what was given beside what gateways enforce.
//! The objects in here are closed; health checks stand in `checks`. The key of a certificate that nodes are shown is
//! no setting: it never comes here, and so is never answered.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::checks;
use crate::{
    gateway_state::{ActiveCheck, Balancing, HashOn, KeepalivePool, PassiveCheck, UpstreamTls},
    ids::CertificateId,
    members::Members,
    text::Invalid,
};

/// The members that are settings.
pub const MEMBERS: [&str; 6] = ["hash_on", "key", "retries", "keepalive_pool", "tls", "checks"];

/// The settings of an upstream, as given and as gateways enforce them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct UpstreamSettings {
    given: Map<String, Value>,
    hash_on: Option<HashOn>,
    pub(super) retries: Option<u32>,
    pub(super) keepalive: KeepalivePool,
    pub(super) tls: UpstreamTls,
    pub(super) active: Option<ActiveCheck>,
    pub(super) passive: Option<PassiveCheck>,
    client: Option<ClientCertificate>,
}

/// Which certificate an upstream's nodes are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// This chain, PEM (`tls.client_cert`).
    Chain(String),
    /// That of a certificate of the same gateway group (`tls.client_cert_id`).
    Named(CertificateId),
}

impl UpstreamSettings {
    /// Reads the members of [`MEMBERS`]; others, and values of a wrong type or range, are refused.
    pub fn new(mut given: Map<String, Value>) -> Result<Self, Invalid> {
        given.retain(|_, value| !value.is_null());
        let whole = Value::Object(given.clone());
        let members = Members::closed("upstream", &whole, &MEMBERS)?;
        let (active, passive) = checks::parse(&members)?;
        let retries = members.integer("retries", 0..=100)?;
        let (tls, client) = tls(&members)?;
        Ok(Self {
            hash_on: Some(hash_on(&members)?),
            retries: retries.and_then(|retries| u32::try_from(retries).ok()),
            keepalive: keepalive(&members)?,
            tls,
            active,
            passive,
            client,
            given,
        })
    }

    /// The members as they were given.
    pub const fn given(&self) -> &Map<String, Value> {
        &self.given
    }

    /// Which certificate the nodes are shown; `None`: none.
    pub const fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client.as_ref()
    }

    pub(super) fn balancing(&self, kind: &str) -> Balancing {
        match kind {
            "least_conn" => Balancing::LeastConnections,
            "chash" => Balancing::ConsistentHash { on: self.hash_on.clone().unwrap_or(HashOn::Address) },
            _ => Balancing::RoundRobin,
        }
    }
}

impl TryFrom<Map<String, Value>> for UpstreamSettings {
    type Error = Invalid;

    fn try_from(given: Map<String, Value>) -> Result<Self, Invalid> {
        Self::new(given)
    }
}

impl From<UpstreamSettings> for Map<String, Value> {
    fn from(settings: UpstreamSettings) -> Self {
        settings.given
    }
}

/// Checked with every type, since tools send it along with types that need none.
fn hash_on(upstream: &Members<'_>) -> Result<HashOn, Invalid> {
    let key = upstream.text("key")?.filter(|key| !key.is_empty());
    let named = |what: &str| match &key {
        Some(key) if is_name(key) => Ok(key.clone()),
        _ => Err(upstream.invalid("key", format!("must be the name of a {what} with hash_on {what}"))),
    };
    match upstream.text("hash_on")?.as_deref() {
        None | Some("vars") => variable(key.as_deref().unwrap_or("remote_addr")).ok_or_else(|| {
            let known = "remote_addr, uri, request_uri, host, arg_NAME, http_NAME or cookie_NAME";
            upstream.invalid("key", format!("must be {known} with hash_on vars"))
        }),
        Some("header") => Ok(HashOn::Header(named("header")?.to_ascii_lowercase())),
        Some("cookie") => Ok(HashOn::Cookie(named("cookie")?)),
        Some("consumer") => Ok(HashOn::Consumer),
        Some("vars_combinations") => {
            Err(upstream.invalid("hash_on", "vars_combinations is not served; name one variable with vars"))
        }
        Some(_) => Err(upstream.invalid("hash_on", "must be vars, header, cookie or consumer")),
    }
}

/// Whether this can be the name of an argument, a header field or a cookie.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b))
}

fn variable(name: &str) -> Option<HashOn> {
    let named = |prefix: &str| name.strip_prefix(prefix).filter(|name| !name.is_empty() && is_name(name));
    match name {
        "remote_addr" => Some(HashOn::Address),
        "uri" => Some(HashOn::Path),
        "request_uri" => Some(HashOn::Target),
        "host" => Some(HashOn::Host),
        _ => named("arg_")
            .map(|name| HashOn::Argument(name.to_owned()))
            // As in nginx, the variable of a header has its name in lower case, with `_` for `-`.
            .or_else(|| named("http_").map(|name| HashOn::Header(name.to_lowercase().replace('_', "-"))))
            .or_else(|| named("cookie_").map(|name| HashOn::Cookie(name.to_owned()))),
    }
}

fn keepalive(upstream: &Members<'_>) -> Result<KeepalivePool, Invalid> {
    let default = KeepalivePool::default();
    let Some(pool) = upstream.object("keepalive_pool", &["size", "idle_timeout", "requests"])? else {
        return Ok(default);
    };
    let count = |member: &str, most: i64| {
        Ok::<_, Invalid>(pool.integer(member, 1..=most)?.and_then(|count| u32::try_from(count).ok()))
    };
    Ok(KeepalivePool {
        size: count("size", 65_535)?.unwrap_or(default.size),
        // 0 is APISIX's word for no limit of one's own.
        idle_timeout_ms: pool.seconds("idle_timeout", 0.0..=86_400.0)?.filter(|millis| *millis > 0),
        requests: count("requests", 1_000_000_000)?,
    })
}

fn tls(upstream: &Members<'_>) -> Result<(UpstreamTls, Option<ClientCertificate>), Invalid> {
    const KNOWN: [&str; 4] = ["verify", "ca", "client_cert_id", "client_cert"];
    let Some(tls) = upstream.object("tls", &KNOWN)? else { return Ok((UpstreamTls::default(), None)) };
    let text = |member: &str| Ok::<_, Invalid>(tls.text(member)?.filter(|text| !text.is_empty()));
    let ca = text("ca")?;
    if ca.as_deref().is_some_and(|ca| !holds_certificates(ca)) {
        return Err(tls.invalid("ca", "must be one or more certificates in PEM"));
    }
    let client = match (text("client_cert")?, text("client_cert_id")?) {
        (None, None) => None,
        (Some(chain), None) => Some(ClientCertificate::Chain(chain)),
        (None, Some(id)) => {
            let id = CertificateId::parse(&id);
            let problem =
                || tls.invalid("client_cert_id", "must be the id of a certificate of this gateway group");
            Some(ClientCertificate::Named(id.ok_or_else(problem)?))
        }
        (Some(_), Some(_)) => {
            let problem = "stands beside client_cert: give the certificate itself, or the id of one";
            return Err(tls.invalid("client_cert_id", problem));
        }
    };
    // APISIX would verify only where it is told to; who talks to an unknown server should have to say so.
    let verify = tls.bool("verify")?.unwrap_or(true);
    Ok((UpstreamTls { verify, ca, ..UpstreamTls::default() }, client))
}

/// Whether `text` is certificates in PEM (RFC 7468) and nothing else.
fn holds_certificates(text: &str) -> bool {
    let blocks = text.trim().split("-----BEGIN CERTIFICATE-----").collect::<Vec<_>>();
    let Some((before, blocks)) = blocks.split_first() else { return false };
    let is_block = |block: &&str| {
        let body = block.trim_end().strip_suffix("-----END CERTIFICATE-----");
        let body = body.map(|body| body.split_ascii_whitespace().collect::<String>());
        body.is_some_and(|body| body.len() > 100 && STANDARD.decode(body).is_ok())
    };
    before.is_empty() && !blocks.is_empty() && text.len() <= 1_048_576 && blocks.iter().all(is_block)
}
