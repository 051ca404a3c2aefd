//! What a gateway must know, as rows: one change of one thing sends one row.
//!
//! A row is put or deleted at a revision; revisions grow by one with each committed change, in commit order,
//! so a late put can never revive what was deleted. The serialised form of [`Resource`] is what the change log
//! stores and what nodes receive: members may be added, none may change its meaning.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{
        ApplicationId, CredentialId, CredentialVersionId, DeveloperId, DeveloperName, GatewayGroupId,
        PortalId, ProductId, RouteId, ServiceId,
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
    pub const ALL: [Self; 6] =
        [Self::Service, Self::Route, Self::Product, Self::Application, Self::Credential, Self::Grant];

    /// The stored and transmitted name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Route => "route",
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

/// The body of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resource {
    /// A published service of the gateway group.
    Service(ServiceState),
    /// A route of a service.
    Route(RouteState),
    /// A published product that asks for credentials.
    Product(ProductState),
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
    /// When the service was made; older wins between equals.
    pub created_at: Timestamp,
}

/// A service's upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamState {
    /// `http` or `https`.
    pub scheme: String,
    /// Targets; those of weight 0 get nothing.
    pub nodes: Vec<UpstreamNode>,
    /// Limit on establishing a connection, milliseconds, at least 1.
    pub connect_timeout_ms: u64,
    /// Limit between two successive writes of the request, milliseconds, at least 1.
    pub send_timeout_ms: u64,
    /// Limit between two successive reads of the answer, milliseconds, at least 1.
    pub read_timeout_ms: u64,
    /// Which `Host` the upstream sees.
    pub host: UpstreamHost,
}

/// Which `Host` an upstream sees (`pass_host` of the Admin API).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamHost {
    /// The caller's.
    Pass,
    /// The chosen node's host and port.
    Node,
    /// This text.
    Rewrite(String),
}

/// One upstream target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamNode {
    /// Host name or address.
    pub host: String,
    /// Port, 1 to 65535.
    pub port: u16,
    /// Share of requests relative to the other nodes' weights.
    pub weight: u32,
}

/// A route of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteState {
    /// Its id.
    pub id: RouteId,
    /// Its service.
    pub service_id: ServiceId,
    /// Paths that start with `/`; a trailing `*` makes one a prefix. At least one.
    pub paths: Vec<String>,
    /// Upper-case methods; empty means all.
    pub methods: Vec<String>,
    /// Higher wins between equally specific paths.
    pub priority: i64,
    /// When the route was made; older wins between equals.
    pub created_at: Timestamp,
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
}

/// An active subscription: this application may call this product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrantState {
    /// The application.
    pub application_id: ApplicationId,
    /// The product.
    pub product_id: ProductId,
}
