//! Certificates of a gateway group: what its gateways show to callers, and what they show to upstreams.
//!
//! Invariant: every key fits its chain, and keys are kept sealed. Reading X.509 is not done here: what a chain says
//! arrives as [`LeafFacts`] (`forecourt_identity::certificates`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    gateway_state::{CertificatePair, CertificateState},
    ids::{CertificateId, GatewayGroupId},
    labels::Labels,
    lists::{Order, Paging, TextFilter, TimeOrder},
    refusals::{Refusal, RefusalKind},
    secrets::PlainSecret,
    text::Invalid,
    time::Timestamp,
};

/// The most chains of one certificate: one for each type of key, with room to spare.
const MOST_PAIRS: usize = 8;
/// How many certificates may stand between a caller's and its authority where nothing is said, as in Apache APISIX.
const USUAL_DEPTH: u32 = 1;
/// The most that may be allowed of them.
const MOST_DEPTH: u32 = 100;

named! {
    /// Who is shown a certificate.
    pub enum CertificateType {
        /// Callers of the gateway.
        Server = "server",
        /// Upstreams that ask for one.
        Client = "client",
    }
}

/// A certificate with its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// Its id; unique over the installation.
    pub id: CertificateId,
    /// The group that serves it.
    pub gateway_group_id: GatewayGroupId,
    /// Who is shown it.
    pub certificate_type: CertificateType,
    /// False: status 0, not served.
    pub enabled: bool,
    /// Server names, lower case, exact or with a `*.` prefix.
    pub snis: Vec<String>,
    /// At least one chain with its sealed key.
    pub pairs: Vec<CertificatePair>,
    /// PEM of the authorities of which callers must show a certificate.
    pub client_ca: Option<String>,
    /// Beside that: how many certificates may stand between a caller's and its authority, 0 to 100.
    pub client_depth: Option<u32>,
    /// Marks to filter by.
    pub labels: Labels,
    /// Unknown members, as given.
    pub extra: Map<String, Value>,
    /// From when on the first chain's leaf is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or a replacement gives.
#[derive(Clone, Debug, Default)]
pub struct CertificateInput {
    /// `server` (default) or `client`.
    pub certificate_type: Option<String>,
    /// The first chain, PEM.
    pub cert: Option<String>,
    /// Its key, PEM.
    pub key: Option<PlainSecret>,
    /// Further chains.
    pub certs: Option<Vec<String>>,
    /// Their keys, in the same order.
    pub keys: Option<Vec<PlainSecret>>,
    /// Server names; absent or empty: those of the certificate.
    pub snis: Option<Vec<String>>,
    /// What is asked of callers.
    pub client: Option<ClientInput>,
    /// 1 (default) or 0.
    pub status: Option<i64>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Unknown members.
    pub extra: Map<String, Value>,
}

/// What callers must show.
#[derive(Clone, Debug, Default)]
pub struct ClientInput {
    /// PEM of the authorities.
    pub ca: String,
    /// How many certificates may stand between a caller's and its authority, 0 to 100; absent: 1.
    pub depth: Option<i64>,
}

impl ClientInput {
    fn checked_depth(&self) -> Result<u32, Invalid> {
        let Some(given) = self.depth else { return Ok(USUAL_DEPTH) };
        let depth = u32::try_from(given).ok().filter(|depth| *depth <= MOST_DEPTH);
        let problem = format!("must be a whole number from 0 to {MOST_DEPTH}");
        depth.ok_or_else(|| Invalid::new("client.depth", problem))
    }
}

/// A chain with its key as it is given; `None`: the kept key stays.
#[derive(Clone, Debug)]
pub struct GivenPair {
    /// PEM, leaf first.
    pub chain: String,
    /// PEM of the key.
    pub key: Option<PlainSecret>,
    /// The name of the member that holds the chain, for refusals.
    pub chain_member: String,
    /// The name of the member that holds the key.
    pub key_member: String,
}

/// What a chain's first certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafFacts {
    /// Host names: the alternative names, or without any the common name. As they stand there.
    pub names: Vec<String>,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The same to be read by people.
    pub not_after_text: String,
}

/// Which certificates a list shows.
#[derive(Clone, Debug, Default)]
pub struct CertificateFilter {
    /// Only this group's.
    pub gateway_group_id: Option<GatewayGroupId>,
    /// Search covers server names and labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}

impl CertificateInput {
    /// The chains with their keys, the first one first.
    pub fn pairs(&self) -> Result<Vec<GivenPair>, Invalid> {
        let chain = self.cert.clone().filter(|cert| !cert.is_empty());
        let chain = chain.ok_or_else(|| Invalid::new("cert", "is required"))?;
        let further = self.certs.clone().unwrap_or_default();
        if further.len() >= MOST_PAIRS {
            return Err(Invalid::new("certs", "must hold at most 7 further chains"));
        }
        if self.keys.as_ref().is_some_and(|keys| keys.len() != further.len()) {
            return Err(Invalid::new("keys", "must hold one key for each of certs, in the same order"));
        }
        let mut pairs = vec![GivenPair {
            chain,
            key: self.key.clone(),
            chain_member: "cert".into(),
            key_member: "key".into(),
        }];
        pairs.extend(further.into_iter().enumerate().map(|(n, chain)| GivenPair {
            chain,
            key: self.keys.as_ref().and_then(|keys| keys.get(n)).cloned(),
            chain_member: format!("certs[{n}]"),
            key_member: format!("keys[{n}]"),
        }));
        Ok(pairs)
    }
}

impl Certificate {
    /// The certificate that `input` describes, whose chains and sealed keys are `pairs` and whose first leaf says
    /// `facts`. An expired one is taken with status 0 only: nobody would accept it.
    pub fn new(
        (id, gateway_group_id): (CertificateId, GatewayGroupId),
        input: CertificateInput,
        pairs: Vec<CertificatePair>,
        facts: LeafFacts,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let certificate_type = match input.certificate_type.as_deref() {
            None => CertificateType::Server,
            Some(word) => CertificateType::from_name(word)
                .ok_or_else(|| Invalid::new("type", "must be server or client"))?,
        };
        if certificate_type == CertificateType::Client && input.client.is_some() {
            return Err(Invalid::new("client", "belongs to a certificate of type server"));
        }
        let enabled = match input.status {
            None | Some(1) => true,
            Some(0) => false,
            Some(_) => return Err(Invalid::new("status", "must be 1 or 0")),
        };
        if enabled && facts.not_after <= now {
            let problem =
                format!("has expired on {}: give one that is valid, or status 0", facts.not_after_text);
            return Err(Invalid::new("cert", problem));
        }
        let client_depth = input.client.as_ref().map(ClientInput::checked_depth).transpose()?;
        Ok(Self {
            id,
            gateway_group_id,
            certificate_type,
            enabled,
            snis: server_names(certificate_type, input.snis.unwrap_or_default(), facts.names)?,
            pairs,
            client_ca: input.client.map(|client| client.ca),
            client_depth,
            labels: Labels::new(input.labels.unwrap_or_default())?,
            extra: input.extra,
            not_before: facts.not_before,
            not_after: facts.not_after,
            created_at,
            updated_at: now,
        })
    }

    /// What the gateway must know; `None` for type client, which upstreams bring along themselves.
    pub fn gateway_state(&self) -> Option<CertificateState> {
        (self.certificate_type == CertificateType::Server).then(|| CertificateState {
            id: self.id.clone(),
            gateway_group_id: self.gateway_group_id.clone(),
            enabled: self.enabled,
            snis: self.snis.clone(),
            pairs: self.pairs.clone(),
            client_ca: self.client_ca.clone(),
            client_depth: self.client_depth,
            created_at: self.created_at,
        })
    }
}

/// The given names, or else those of the certificate that a caller can ask for.
fn server_names(
    certificate_type: CertificateType,
    given: Vec<String>,
    of_leaf: Vec<String>,
) -> Result<Vec<String>, Invalid> {
    if let Some(index) = given.iter().position(|name| !is_server_name(name)) {
        return Err(Invalid::new(
            format!("snis[{index}]"),
            "must be a host name without port, or one that starts with *.",
        ));
    }
    let names = if given.is_empty() {
        of_leaf.into_iter().filter(|name| is_server_name(name)).collect()
    } else {
        given
    };
    if names.is_empty() && certificate_type == CertificateType::Server {
        return Err(Invalid::new("snis", "is required: the certificate names no host"));
    }
    Ok(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
}

/// A host name that a TLS client may ask for (RFC 6066 §3), or a wildcard for one label.
fn is_server_name(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Why a certificate cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefusal {
    /// Ids are unique over the installation.
    #[error("id {0:?} is taken by a certificate of another gateway group; choose another id")]
    IdTaken(CertificateId),
    /// There is no key that could stay.
    #[error("{0} is required")]
    KeyMissing(String),
    /// The certificate or its key is not what it should be.
    #[error("{member} {problem}")]
    Unusable {
        /// The member that is wrong.
        member: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// An upstream shows it to its nodes.
    #[error("the certificate is used by an upstream of the service {0:?}; take it out there first")]
    InUse(String),
}

impl Refusal for CertificateRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::IdTaken(_) | Self::InUse(_) => RefusalKind::Conflict,
            Self::KeyMissing(_) | Self::Unusable { .. } => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::IdTaken(_) => "certificate_id_taken",
            Self::KeyMissing(_) => "certificate_key_missing",
            Self::Unusable { .. } => "certificate_unusable",
            Self::InUse(_) => "certificate_in_use",
        }
    }
}
