//! Certificates that gateways show to callers, or demand of them.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{CertificateId, GatewayGroupId},
    secrets::KeptSecret,
    time::Timestamp,
};

/// A certificate with its key, or the authorities that callers' own certificates must come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateState {
    /// Its id.
    pub id: CertificateId,
    /// The group that serves it.
    pub gateway_group_id: GatewayGroupId,
    /// False: status 0, not served.
    pub enabled: bool,
    /// Server names that it answers, lower case, exact or with a `*.` prefix for one label.
    pub snis: Vec<String>,
    /// Certificate chains with their keys, of different key types; at least one.
    pub pairs: Vec<CertificatePair>,
    /// PEM of the authorities of which callers must show a certificate; `None`: none is asked.
    pub client_ca: Option<String>,
    /// How many certificates may stand between a caller's and its authority; `None`: as many as can be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_depth: Option<u32>,
    /// When it was made; newer wins between equal names.
    pub created_at: Timestamp,
}

/// A certificate chain and the key of its first certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificatePair {
    /// PEM, leaf first.
    pub chain: String,
    /// PEM of the private key.
    pub key: KeptSecret,
}
