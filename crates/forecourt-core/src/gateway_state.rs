//! What a gateway must know, as rows: one change of one thing sends one row.
//!
//! A row is put or deleted at a revision; revisions grow by one with each committed change, in commit order,
//! so a late put can never revive what was deleted. The serialised form of [`Resource`] is what the change log
//! stores and what nodes receive: members may be added, none may change its meaning.

mod certificates;
mod conditions;
mod consumers;
mod digests;
mod plans;
mod plugins;
mod tokens;
mod upstreams;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    certificates::{CertificatePair, CertificateState},
    conditions::{
        ConditionalPaths, Operand, RequestVariable, RouteCondition, VariableCheck, compiled_pattern,
    },
    consumers::{ConsumerCredentialState, ConsumerSecret, ConsumerState},
    digests::{Digests, RowsDigest, differing},
    plans::{GrantState, PlanLimit, PlanState},
    plugins::{
        AllowedMethods, BasicAuthPlugin, ConsumerRestriction, CorsPlugin, GlobalRuleState, JwtAuthPlugin,
        KeyAuthPlugin, PluginsState, RestrictionType,
    },
    tokens::{JwtAlgorithm, TokenSecret},
    upstreams::{
        ActiveCheck, Balancing, CheckKind, HashOn, HealthyWhen, KeepalivePool, PassiveCheck, UnhealthyWhen,
        UpstreamHost, UpstreamNode, UpstreamState, UpstreamTls,
    },
};
use crate::{
    ids::{
        ApplicationId, CredentialId, CredentialVersionId, DcrProviderId, DeveloperId, DeveloperName,
        GatewayGroupId, PortalId, ProductId, RouteId, ServiceId,
    },
    secrets::SecretDigest,
    time::Timestamp,
};

/// Which gateways need a row: those of one group, or those that serve a product of one portal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Services and routes of a group.
    GatewayGroup(GatewayGroupId),
    /// Products, applications, credentials and grants of a portal.
    Portal(PortalId),
}

impl Scope {
    /// The stored form: `group:ID` or `portal:ID`.
    pub fn as_text(&self) -> String {
        match self {
            Self::GatewayGroup(id) => format!("group:{id}"),
            Self::Portal(id) => format!("portal:{id}"),
        }
    }
}

/// What a row describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A [`ServiceState`].
    Service,
    /// A [`RouteState`].
    Route,
    /// A [`CertificateState`].
    Certificate,
    /// A [`ConsumerState`].
    Consumer,
    /// A [`GlobalRuleState`].
    GlobalRule,
    /// A [`ProductState`].
    Product,
    /// An [`ApplicationState`].
    Application,
    /// A [`CredentialState`].
    Credential,
    /// A [`GrantState`].
    Grant,
}

impl Kind {
    /// All kinds, in the order in which a snapshot lists them.
    pub const ALL: [Self; 9] = [
        Self::Service,
        Self::Route,
        Self::Certificate,
        Self::Consumer,
        Self::GlobalRule,
        Self::Product,
        Self::Application,
        Self::Credential,
        Self::Grant,
    ];

    /// The stored and transmitted name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Route => "route",
            Self::Certificate => "certificate",
            Self::Consumer => "consumer",
            Self::GlobalRule => "global_rule",
            Self::Product => "product",
            Self::Application => "application",
            Self::Credential => "credential",
            Self::Grant => "grant",
        }
    }

    /// The kind with this stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The body of a row. What there are few of lies behind a pointer: a service takes 1 kB, and rows of applications,
/// credentials and grants, of which there may be a million, are moved and held in pieces of that length otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resource {
    /// A published service of the gateway group.
    Service(Box<ServiceState>),
    /// A route of a service.
    Route(Box<RouteState>),
    /// A certificate that the group's gateways show, or demand.
    Certificate(Box<CertificateState>),
    /// A consumer of the group with its credentials.
    Consumer(Box<ConsumerState>),
    /// Plugins of all routes of the group.
    GlobalRule(Box<GlobalRuleState>),
    /// A published product that asks for credentials.
    Product(Box<ProductState>),
    /// An application of the portal, with whether it may call at all.
    Application(ApplicationState),
    /// A credential of an application.
    Credential(CredentialState),
    /// An active subscription.
    Grant(GrantState),
}

impl Resource {
    /// What this row describes.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Service(_) => Kind::Service,
            Self::Route(_) => Kind::Route,
            Self::Certificate(_) => Kind::Certificate,
            Self::Consumer(_) => Kind::Consumer,
            Self::GlobalRule(_) => Kind::GlobalRule,
            Self::Product(_) => Kind::Product,
            Self::Application(_) => Kind::Application,
            Self::Credential(_) => Kind::Credential,
            Self::Grant(_) => Kind::Grant,
        }
    }

    /// The row's key: unique within its kind over the whole installation.
    pub fn key(&self) -> String {
        match self {
            Self::Service(service) => service.id.to_string(),
            Self::Route(route) => route.id.to_string(),
            Self::Certificate(certificate) => certificate.id.to_string(),
            Self::Consumer(consumer) => group_key(&consumer.gateway_group_id, &consumer.username),
            Self::GlobalRule(rule) => group_key(&rule.gateway_group_id, &rule.id),
            Self::Product(product) => product.id.to_string(),
            Self::Application(application) => application.id.to_string(),
            Self::Credential(credential) => credential.id.to_string(),
            Self::Grant(grant) => grant_key(&grant.application_id, &grant.product_id),
        }
    }
}

/// The key of a grant's row: one application and one product.
pub fn grant_key(application: &ApplicationId, product: &ProductId) -> String {
    format!("{application}/{product}")
}

/// The key of a row whose name is unique within its gateway group only: `GROUP/NAME`.
pub fn group_key(group: &GatewayGroupId, name: &str) -> String {
    format!("{group}/{name}")
}

/// A service: where requests enter and where they go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceState {
    /// Its id.
    pub id: ServiceId,
    /// The group that serves it.
    pub gateway_group_id: GatewayGroupId,
    /// False: status 0, matches nothing.
    pub enabled: bool,
    /// Host names, lower case, exact or `*.` prefix wildcard; empty means any host.
    pub hosts: Vec<String>,
    /// Starts with `/` where given; a request path is this followed by a route's path.
    pub path_prefix: Option<String>,
    /// Whether the prefix is removed before forwarding.
    pub strip_path_prefix: bool,
    /// Where requests go; without it they are answered 503.
    pub upstream: Option<UpstreamState>,
    /// Further upstreams by id, for routes that name one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub upstreams: BTreeMap<String, UpstreamState>,
    /// What its requests meet beside product authentication.
    #[serde(default)]
    pub plugins: PluginsState,
    /// When the service was made; older wins between equals.
    pub created_at: Timestamp,
}

/// A route of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteState {
    /// Its id.
    pub id: RouteId,
    /// Its service.
    pub service_id: ServiceId,
    /// Paths that start with `/`; a trailing `*` makes one a prefix. At least one, but none beside `conditional`.
    pub paths: Vec<String>,
    /// Paths that are reachable under a condition alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditional: Option<ConditionalPaths>,
    /// Upper-case methods; empty means all.
    pub methods: Vec<String>,
    /// Higher wins between equally specific paths.
    pub priority: i64,
    /// Each takes the place of the service's plugin of the same name.
    #[serde(default)]
    pub plugins: PluginsState,
    /// Names one of the service's further upstreams; `None`: its default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<String>,
    /// Timeouts that take the place of the upstream's.
    #[serde(default)]
    pub timeouts: RouteTimeouts,
    /// False: protocol upgrades are not passed on.
    #[serde(default = "yes")]
    pub websocket: bool,
    /// Scopes of which a `dcr` token must carry one; empty: none is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_scopes: Vec<String>,
    /// When the route was made; older wins between equals.
    pub created_at: Timestamp,
}

const fn yes() -> bool {
    true
}

/// A route's own timeouts in milliseconds, at least 1; absent ones are the upstream's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTimeouts {
    /// On establishing a connection.
    pub connect_ms: Option<u64>,
    /// Between two successive writes of the request.
    pub send_ms: Option<u64>,
    /// Between two successive reads of the answer.
    pub read_ms: Option<u64>,
}

/// A published gateway product: its linked services need a credential on every request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductState {
    /// Its id.
    pub id: ProductId,
    /// Its portal; credentials of another portal never fit.
    pub portal_id: PortalId,
    /// The linked services. A service is in at most one product.
    pub services: Vec<ServiceId>,
    /// Set when API keys are accepted.
    pub key_auth: Option<KeyAuthMethod>,
    /// Set when user name and password are accepted.
    pub basic_auth: Option<BasicAuthMethod>,
    /// Set when JWTs of `jwt-auth` credentials are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt_auth: Option<JwtAuthMethod>,
    /// Set when tokens of a DCR provider's clients are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dcr: Option<DcrMethod>,
    /// Its plans; empty: calls are not limited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanState>,
}

/// How API keys are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAuthMethod {
    /// Header name, compared in any case.
    pub header: String,
    /// Query argument, compared exactly.
    pub query: String,
    /// Remove header and query argument before forwarding.
    pub hide_credentials: bool,
}

/// How basic credentials are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicAuthMethod {
    /// Remove `Authorization` before forwarding.
    pub hide_credentials: bool,
}

/// How JWTs are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtAuthMethod {
    /// Remove `Authorization` and the query argument `jwt` before forwarding.
    pub hide_credentials: bool,
}

/// Whose tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DcrMethod {
    /// The provider; only `oauth` credentials of this one fit.
    pub provider_id: DcrProviderId,
    /// Its issuer, whose key set is found by discovery and whose name tokens carry as `iss`.
    pub issuer: String,
}

/// An application, as far as a gateway cares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApplicationState {
    /// Its id.
    pub id: ApplicationId,
    /// Its portal.
    pub portal_id: PortalId,
    /// Its developer, as we know it.
    pub developer_id: DeveloperId,
    /// Its developer's public id: the upstream's `X-Consumer-Custom-ID`.
    pub developer_name: DeveloperName,
    /// True while both the application and its developer are active.
    pub active: bool,
}

/// A credential with its live versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CredentialState {
    /// Its id.
    pub id: CredentialId,
    /// The application it belongs to.
    pub application_id: ApplicationId,
    /// When it was made; the oldest fitting one decides the identity.
    pub created_at: Timestamp,
    /// Its live secrets: one, or two while a rotation runs.
    pub versions: Vec<CredentialVersionState>,
}

/// One live secret of a credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CredentialVersionState {
    /// Its id.
    pub id: CredentialVersionId,
    /// From this moment on it is refused; `None`: no end.
    pub valid_until: Option<Timestamp>,
    /// What a caller must show.
    pub secret: CredentialSecret,
}

/// What a caller must show, in the form that gateways compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum CredentialSecret {
    /// An API key: the digest of exactly this key.
    KeyAuth {
        /// SHA-256 of the key's bytes.
        digest: SecretDigest,
    },
    /// A user name and a password.
    BasicAuth {
        /// The user name; need not be unique.
        username: String,
        /// The password's slow hash in PHC string format (argon2id).
        password_hash: String,
    },
    /// A JWT that names `key` and is signed with `secret`.
    JwtAuth {
        /// The claim `key` (else header `kid`) that names this credential.
        key: String,
        /// The one algorithm that is accepted, and what it is verified with.
        secret: TokenSecret,
    },
    /// A token that this OAuth client was given by its provider.
    Oauth {
        /// The provider.
        provider_id: DcrProviderId,
        /// The client's id there.
        client_id: String,
    },
}
