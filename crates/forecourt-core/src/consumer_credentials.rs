//! Credentials of consumers: further ways in which a consumer proves itself, each with an id of its own.
//!
//! Invariant: a credential holds exactly one way ([`ConsumerAuth`]); see [`crate::consumers`] for what is unique.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use crate::{
    consumers::{
        auth::{ConsumerAuth, OpenAuth},
        no_plugin_of_consumers,
    },
    ids::{ConsumerCredentialId, GatewayGroupId},
    labels::Labels,
    lists::{Order, Paging, TextFilter, TimeOrder},
    plugins,
    text::{self, Invalid},
    time::Timestamp,
};

/// A credential of a consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerCredential {
    /// Its id; unique within the consumer.
    pub id: ConsumerCredentialId,
    /// The consumer's group.
    pub gateway_group_id: GatewayGroupId,
    /// The consumer.
    pub username: String,
    /// At most 1024 characters; empty: none.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// What must be shown.
    pub auth: ConsumerAuth,
    /// Unknown members, as given.
    pub extra: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or a replacement gives. Its plugins hold secrets in clear.
#[derive(Clone, Default)]
pub struct ConsumerCredentialInput {
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Required: exactly one, by plugin name.
    pub plugins: Option<Map<String, Value>>,
    /// Unknown members.
    pub extra: Map<String, Value>,
}

impl fmt::Debug for ConsumerCredentialInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerCredentialInput").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Which credentials of a consumer a list shows.
#[derive(Clone, Debug, Default)]
pub struct ConsumerCredentialFilter {
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}

impl ConsumerCredentialInput {
    /// The one way to prove oneself that is given.
    pub fn auth(&self) -> Result<OpenAuth, Invalid> {
        let mut given = plugins::named(self.plugins.clone().unwrap_or_default())?.into_iter();
        let (Some((name, value)), None) = (given.next(), given.next()) else {
            return Err(Invalid::new("plugins", "must hold exactly one of key-auth, basic-auth, jwt-auth"));
        };
        OpenAuth::parse(&name, &value)?.ok_or_else(|| match no_plugin_of_consumers(&name) {
            unknown if unknown.field.is_empty() => unknown,
            _ => Invalid::new("plugins", "must hold exactly one of key-auth, basic-auth, jwt-auth"),
        })
    }
}

impl ConsumerCredential {
    /// The credential of a consumer that `input` describes, with `auth` as it is kept.
    pub fn new(
        id: ConsumerCredentialId,
        (gateway_group_id, username): (GatewayGroupId, String),
        input: ConsumerCredentialInput,
        auth: ConsumerAuth,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let name = match input.name.unwrap_or_default() {
            empty if empty.is_empty() => empty,
            given => text::name("name", &given, text::GATEWAY_NAME)?,
        };
        Ok(Self {
            id,
            gateway_group_id,
            username,
            name,
            desc: text::free("desc", &input.desc.unwrap_or_default(), text::DESC)?,
            labels: Labels::new(input.labels.unwrap_or_default())?,
            auth,
            extra: input.extra,
            created_at,
            updated_at: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_credential_holds_exactly_one_way() {
        let input = |plugins: Value| ConsumerCredentialInput {
            plugins: plugins.as_object().cloned(),
            ..ConsumerCredentialInput::default()
        };
        assert_eq!(input(json!({ "key-auth": { "key": "k" } })).auth().unwrap().plugin(), "key-auth");
        for (plugins, problem) in [
            (json!(null), "must hold exactly one"),
            (json!({}), "must hold exactly one"),
            (json!({ "key-auth": { "key": "k" }, "jwt-auth": { "key": "k", "secret": "s" } }), "exactly one"),
            (json!({ "consumer-restriction": { "whitelist": ["a"] } }), "exactly one"),
            (json!({ "limit-req": {} }), "unknown plugin limit-req"),
        ] {
            let refused = input(plugins.clone()).auth().unwrap_err().to_string();
            assert!(refused.contains(problem), "{plugins}: {refused}");
        }
    }
}
