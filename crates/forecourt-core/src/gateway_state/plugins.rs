//! Plugins of services, routes and global rules, in the form that gateways enforce.

use serde::{Deserialize, Serialize};

use crate::ids::GatewayGroupId;

/// What requests meet beside product authentication. A plugin that is absent does nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginsState {
    /// Cross-origin answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<CorsPlugin>,
    /// Consumers by JWT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_auth: Option<JwtAuthPlugin>,
    /// Consumers by user name and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuthPlugin>,
    /// Consumers by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_auth: Option<KeyAuthPlugin>,
    /// Who of those known may pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_restriction: Option<ConsumerRestriction>,
}

/// Plugins of every route of the group, unless its service or it has the plugin itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlobalRuleState {
    /// Unique within the group.
    pub id: String,
    /// The group.
    pub gateway_group_id: GatewayGroupId,
    /// What it adds.
    pub plugins: PluginsState,
}

/// `cors`: answers preflights and marks answers (Fetch standard, CORS protocol).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsPlugin {
    /// Allowed origins; `*` any, `**` any and also with credentials.
    pub allow_origins: Vec<String>,
    /// Patterns of allowed origins, beside the list.
    pub allow_origins_by_regex: Vec<String>,
    /// Allowed methods; `*` any, `**` any and also with credentials.
    pub allow_methods: String,
    /// Allowed request headers; `*` any, `**` any and also with credentials.
    pub allow_headers: String,
    /// Answer headers that scripts may read.
    pub expose_headers: String,
    /// Seconds for which a preflight's answer holds.
    pub max_age: i64,
    /// Whether credentials may be sent.
    pub allow_credential: bool,
}

/// `jwt-auth` of consumers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtAuthPlugin {
    /// Header that carries the token, with or without `Bearer`.
    pub header: String,
    /// Query argument that carries it.
    pub query: String,
    /// Cookie that carries it.
    pub cookie: String,
    /// The claim that names the credential.
    pub key_claim_name: String,
    /// Remove it before forwarding.
    pub hide_credentials: bool,
}

/// `basic-auth` of consumers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicAuthPlugin {
    /// Remove `Authorization` before forwarding.
    pub hide_credentials: bool,
    /// The realm of the challenge.
    pub realm: String,
}

/// `key-auth` of consumers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAuthPlugin {
    /// Header name, compared in any case.
    pub header: String,
    /// Query argument, compared exactly.
    pub query: String,
    /// Remove both before forwarding.
    pub hide_credentials: bool,
    /// The realm of the challenge.
    pub realm: String,
}

named! {
    /// What a restriction lists.
    pub enum RestrictionType {
        /// Names of consumers.
        ConsumerName = "consumer_name",
        /// Ids of services.
        ServiceId = "service_id",
        /// Ids of routes.
        RouteId = "route_id",
    }
}

/// `consumer-restriction`: who of those known may pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerRestriction {
    /// What the lists name.
    pub by: RestrictionType,
    /// Only these pass; `None`: no such list.
    pub whitelist: Option<Vec<String>>,
    /// These never pass; looked at first.
    pub blacklist: Option<Vec<String>>,
    /// Methods that those named may use, where the whitelist does not name them.
    pub allowed_by_methods: Vec<AllowedMethods>,
    /// Status of a refusal, 200 to 599.
    pub rejected_code: u16,
    /// Message of a refusal; `None`: the plugin's own.
    pub rejected_msg: Option<String>,
}

/// Methods that somebody may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedMethods {
    /// Who.
    pub user: String,
    /// Upper-case methods.
    pub methods: Vec<String>,
}
