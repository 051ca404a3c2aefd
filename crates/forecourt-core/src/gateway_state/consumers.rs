//! Consumers: identities that administrators manage, beside developers' applications.

use serde::{Deserialize, Serialize};

use super::{plugins::ConsumerRestriction, tokens::TokenSecret};
use crate::{ids::GatewayGroupId, secrets::SecretDigest};

/// A consumer with all that it may show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerState {
    /// The group; only its own services know this consumer.
    pub gateway_group_id: GatewayGroupId,
    /// Unique within the group; the upstream's `X-Consumer-Username`.
    pub username: String,
    /// The upstream's `X-Consumer-Custom-ID`.
    pub custom_id: Option<String>,
    /// What it may show.
    pub credentials: Vec<ConsumerCredentialState>,
    /// A restriction of its own, in the place of the route's.
    pub restriction: Option<ConsumerRestriction>,
}

/// One thing that a consumer may show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerCredentialState {
    /// The upstream's `X-Credential-Identifier`; `None` where it lies in the consumer itself.
    pub id: Option<String>,
    /// What must be shown.
    pub secret: ConsumerSecret,
}

/// What a consumer shows, in the form that gateways compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ConsumerSecret {
    /// A key.
    KeyAuth {
        /// SHA-256 of the key's bytes.
        digest: SecretDigest,
    },
    /// User name and password.
    BasicAuth {
        /// Unique within the group.
        username: String,
        /// The password's slow hash in PHC string format (argon2id).
        password_hash: String,
    },
    /// A JWT that names `key`.
    JwtAuth {
        /// The claim that names this credential, unique within the group.
        key: String,
        /// What verifies it.
        secret: TokenSecret,
    },
}
