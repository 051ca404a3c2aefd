//! Consumers: identities that administrators manage for plugins of services and routes, beside developers.
//!
//! Invariant: whatever lies in a consumer's plugins is enforced: ways to prove itself ([`auth`]) and a restriction of
//! its own. Within a gateway group one key, one user name and one token key belong to one place only.
//! Further credentials: [`crate::consumer_credentials`].

pub mod auth;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::auth::{ConsumerAuth, OpenAuth};
use crate::{
    gateway_state::{ConsumerCredentialState, ConsumerState},
    ids::{ConsumerCredentialId, GatewayGroupId},
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    plugins::{self, Plugins},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

/// The longest user name, characters.
const USERNAME: usize = 100;
/// The plugin that may stand in a consumer beside its authentication.
const RESTRICTION: &str = "consumer-restriction";
/// The label whose value upstreams get as `X-Consumer-Custom-ID`.
const CUSTOM_ID: &str = "custom_id";

/// A consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct Consumer {
    /// Its group; only this group's services know it.
    pub gateway_group_id: GatewayGroupId,
    /// Unique within the group: `[a-zA-Z0-9-_.]`, 1–100 characters.
    pub username: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by; `custom_id` is told to upstreams.
    pub labels: Labels,
    /// What lies in the consumer itself.
    pub plugins: ConsumerPlugins,
    /// Unknown members, as given.
    pub extra: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Plugins of a consumer itself, as they are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConsumerPlugins {
    /// At most one of each kind.
    pub auth: Vec<ConsumerAuth>,
    /// A restriction of its own, or nothing.
    pub other: Plugins,
}

/// Plugins of a consumer as they are given and answered: secrets in clear, or masked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenPlugins {
    /// At most one of each kind.
    pub auth: Vec<OpenAuth>,
    /// A restriction of its own, or nothing.
    pub other: Plugins,
}

/// What a create or a replacement gives. Its plugins hold secrets in clear.
#[derive(Clone, Default)]
pub struct ConsumerInput {
    /// Required in a create; in a replacement it must be the consumer's own where it is given.
    pub username: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// By plugin name.
    pub plugins: Option<Map<String, Value>>,
    /// Unknown members.
    pub extra: Map<String, Value>,
}

impl fmt::Debug for ConsumerInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerInput").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Which consumers a list shows.
#[derive(Clone, Debug, Default)]
pub struct ConsumerFilter {
    /// Only this group's.
    pub gateway_group_id: Option<GatewayGroupId>,
    /// Search covers user name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only those with these keys of group and user name: what the caller may read.
    pub readable: Readable,
}

impl OpenPlugins {
    /// The plugins of a consumer by name. Refused: what is unknown, and what does nothing on a consumer.
    pub fn new(given: Map<String, Value>) -> Result<Self, Invalid> {
        let mut auth = Vec::new();
        let mut other = Map::new();
        for (name, value) in plugins::named(given)? {
            match OpenAuth::parse(&name, &value)? {
                Some(found) => auth.push(found),
                None if name == RESTRICTION => {
                    other.insert(name, value);
                }
                None => return Err(no_plugin_of_consumers(&name)),
            }
        }
        Ok(Self { auth, other: Plugins::new(other)? })
    }
}

impl OpenPlugins {
    /// The same by name, with every secret masked: given back, it changes nothing.
    pub fn masked(&self) -> Map<String, Value> {
        let auth = self.auth.iter().map(OpenAuth::masked);
        auth.chain(self.other.given().clone()).collect()
    }
}

/// Why `name` is no plugin of a consumer.
pub(crate) fn no_plugin_of_consumers(name: &str) -> Invalid {
    match plugins::check_name(name) {
        Ok(()) => Invalid::new(
            format!("plugins.{name}"),
            "does nothing on a consumer: put it on a service or route",
        ),
        Err(unknown) => unknown,
    }
}

impl Consumer {
    /// The user name that `text` is.
    pub fn username(text: &str) -> Result<String, Invalid> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        match text.len() {
            0 => Err(Invalid::new("username", "is required")),
            1..=USERNAME if text.bytes().all(fits) => Ok(text.to_owned()),
            _ => Err(Invalid::new("username", "must be 1 to 100 characters of a-z, A-Z, 0-9, - _ and .")),
        }
    }

    /// The consumer `username` that `input` describes, with `plugins` as they are kept.
    pub fn new(
        gateway_group_id: GatewayGroupId,
        username: &str,
        input: ConsumerInput,
        plugins: ConsumerPlugins,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        Ok(Self {
            gateway_group_id,
            username: Self::username(username)?,
            desc: text::free("desc", &input.desc.unwrap_or_default(), text::DESC)?,
            labels: Labels::new(input.labels.unwrap_or_default())?,
            plugins,
            extra: input.extra,
            created_at,
            updated_at: now,
        })
    }

    /// What the gateway must know, with `credentials` beside what lies in the consumer itself.
    pub fn gateway_state(&self, credentials: Vec<(ConsumerCredentialId, ConsumerAuth)>) -> ConsumerState {
        let own = self.plugins.auth.iter().map(|auth| (None, auth.gateway_state()));
        let further = credentials.into_iter().map(|(id, auth)| (Some(id.to_string()), auth.gateway_state()));
        ConsumerState {
            gateway_group_id: self.gateway_group_id.clone(),
            username: self.username.clone(),
            custom_id: self.labels.pairs().get(CUSTOM_ID).cloned(),
            credentials: own
                .chain(further)
                .map(|(id, secret)| ConsumerCredentialState { id, secret })
                .collect(),
            restriction: self.plugins.other.state().consumer_restriction.clone(),
        }
    }
}

/// Why a consumer or its credential cannot be as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerRefusal {
    /// User names are unique within a group.
    #[error("username {0:?} is taken by another consumer of this gateway group; choose another one")]
    UsernameTaken(String),
    /// A consumer cannot be renamed.
    #[error("username must be {0:?}, the consumer's own, or be left out")]
    OtherUsername(String),
    /// What is shown must tell who shows it.
    #[error(
        "{member} is already used by the consumer {consumer:?} of this gateway group; choose another one"
    )]
    SecretTaken {
        /// The member that names who calls.
        member: &'static str,
        /// Whose it is.
        consumer: String,
    },
    /// There is no earlier secret that could stay.
    #[error("{0} must be given: ****** stands for the one that is kept, and none is kept here")]
    NothingKept(&'static str),
    /// What was to stay was changed by another call.
    #[error("the consumer was changed by another call at the same time; look again")]
    ChangedMeanwhile,
}

impl Refusal for ConsumerRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::OtherUsername(_) | Self::NothingKept(_) => RefusalKind::Invalid,
            Self::UsernameTaken(_) | Self::SecretTaken { .. } | Self::ChangedMeanwhile => {
                RefusalKind::Conflict
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UsernameTaken(_) => "consumer_username_taken",
            Self::OtherUsername(_) => "consumer_username_fixed",
            Self::SecretTaken { .. } => "consumer_secret_taken",
            Self::NothingKept(_) => "consumer_secret_missing",
            Self::ChangedMeanwhile => "consumer_changed_meanwhile",
        }
    }
}

#[cfg(test)]
mod tests;
