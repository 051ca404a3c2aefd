//! Rows to tell a gateway, in few words.

use std::collections::BTreeMap;

use forecourt_core::{
    gateway_state::{
        ApplicationState, Balancing, BasicAuthMethod, CertificateState, ConditionalPaths, ConsumerState,
        CredentialSecret, CredentialState, CredentialVersionState, GlobalRuleState, GrantState, JwtAlgorithm,
        KeepalivePool, KeyAuthMethod, Kind, PluginsState, ProductState, Resource, RouteCondition, RouteState,
        RouteTimeouts, ServiceState, TokenSecret, UpstreamHost, UpstreamNode, UpstreamState, UpstreamTls,
        grant_key,
    },
    ids::{
        ApplicationId, CredentialId, CredentialVersionId, DcrProviderId, DeveloperId, DeveloperName,
        GatewayGroupId, PortalId, ProductId, RouteId, ServiceId,
    },
    secrets::{KeptSecret, SecretDigest},
    time::Timestamp,
};
use forecourt_wire::changes::{Change, ChangeBatch};
use http::{HeaderMap, Method};

use crate::heads::Head;

pub(crate) fn service(id: &str) -> ServiceState {
    ServiceState {
        id: ServiceId::known(id),
        gateway_group_id: GatewayGroupId::default_group(),
        enabled: true,
        hosts: Vec::new(),
        path_prefix: None,
        strip_path_prefix: false,
        upstreams: BTreeMap::new(),
        plugins: PluginsState::default(),
        upstream: None,
        created_at: Timestamp::from_seconds(1),
    }
}

pub(crate) fn upstream(port: u16) -> UpstreamState {
    UpstreamState {
        scheme: "http".into(),
        balancing: Balancing::RoundRobin,
        retries: None,
        tls: UpstreamTls::default(),
        active_check: None,
        passive_check: None,
        keepalive: KeepalivePool::default(),
        nodes: vec![UpstreamNode { host: "127.0.0.1".into(), port, weight: 1, priority: 0 }],
        connect_timeout_ms: 10_000,
        send_timeout_ms: 10_000,
        read_timeout_ms: 10_000,
        host: UpstreamHost::Pass,
    }
}

pub(crate) fn route(id: &str, service: &str, path: &str) -> RouteState {
    RouteState {
        id: RouteId::known(id),
        service_id: ServiceId::known(service),
        paths: vec![path.into()],
        conditional: None,
        methods: Vec::new(),
        priority: 0,
        plugins: PluginsState::default(),
        upstream_id: None,
        timeouts: RouteTimeouts::default(),
        websocket: true,
        required_scopes: Vec::new(),
        created_at: Timestamp::from_seconds(1),
    }
}

/// The same route for requests that meet this alone.
pub(crate) fn under(when: RouteCondition, mut row: RouteState) -> RouteState {
    row.conditional = Some(ConditionalPaths { paths: std::mem::take(&mut row.paths), when });
    row
}

/// The head of a request without a query.
pub(crate) fn head<'a>(host: &'a str, path: &'a str, method: &'a Method, headers: &'a HeaderMap) -> Head<'a> {
    Head { host, path, query: None, method, headers, way: None }
}

/// A product of portal `p` that takes API keys and passwords.
pub(crate) fn product(id: &str, services: &[&str]) -> ProductState {
    ProductState {
        id: ProductId::known(id),
        portal_id: PortalId::known("p"),
        services: services.iter().map(|id| ServiceId::known(*id)).collect(),
        key_auth: Some(KeyAuthMethod {
            header: "apikey".into(),
            query: "apikey".into(),
            hide_credentials: false,
        }),
        basic_auth: Some(BasicAuthMethod { hide_credentials: false }),
        jwt_auth: None,
        dcr: None,
        plans: Vec::new(),
    }
}

pub(crate) fn application(id: &str) -> ApplicationState {
    ApplicationState {
        id: ApplicationId::known(id),
        portal_id: PortalId::known("p"),
        developer_id: DeveloperId::known("dev"),
        developer_name: DeveloperName::known(format!("developer-of-{id}")),
        active: true,
    }
}

pub(crate) fn grant(application: &str, product: &str) -> GrantState {
    GrantState {
        application_id: ApplicationId::known(application),
        product_id: ProductId::known(product),
        plan_id: None,
    }
}

/// A credential that its secrets belong to without end.
pub(crate) fn credential(id: &str, application: &str, secrets: &[CredentialSecret]) -> CredentialState {
    CredentialState {
        id: CredentialId::known(id),
        application_id: ApplicationId::known(application),
        created_at: Timestamp::from_seconds(1),
        versions: secrets
            .iter()
            .map(|secret| CredentialVersionState {
                id: CredentialVersionId::known("v"),
                valid_until: None,
                secret: secret.clone(),
            })
            .collect(),
    }
}

pub(crate) fn key(text: &str) -> CredentialSecret {
    CredentialSecret::KeyAuth { digest: SecretDigest::of(text.as_bytes()) }
}

/// A user whose hash costs next to nothing; the checker reads the cost from the hash.
pub(crate) fn user(name: &str, password: &str) -> CredentialSecret {
    CredentialSecret::BasicAuth { username: name.into(), password_hash: hash(password, name) }
}

/// Tokens that name `key`, by HS256 with this secret.
pub(crate) fn jwt(key: &str, secret: &str) -> CredentialSecret {
    jwt_of(key, JwtAlgorithm::Hs256, secret)
}

/// Tokens that name `key`; the secret is a PEM where the algorithm wants a public key.
pub(crate) fn jwt_of(key: &str, algorithm: JwtAlgorithm, secret: &str) -> CredentialSecret {
    let secret = if algorithm.is_symmetric() {
        TokenSecret::Shared { algorithm, secret: KeptSecret::Clear(secret.into()) }
    } else {
        TokenSecret::Public { algorithm, public_key: secret.into() }
    };
    CredentialSecret::JwtAuth { key: key.into(), secret }
}

pub(crate) fn client(provider: &str, client_id: &str) -> CredentialSecret {
    CredentialSecret::Oauth { provider_id: DcrProviderId::known(provider), client_id: client_id.into() }
}

pub(crate) fn hash(password: &str, salt: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let salt = SecretDigest::of(salt.as_bytes());
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    cheap.hash_password_with_salt(password.as_bytes(), &salt.as_bytes()[..16]).unwrap().to_string()
}

pub(crate) fn put(revision: i64, resource: impl Into<Row>) -> Change {
    let resource = resource.into().0;
    Change { revision, kind: resource.kind(), key: resource.key(), resource: Some(resource) }
}

pub(crate) fn delete(revision: i64, kind: Kind, key: &str) -> Change {
    Change { revision, kind, key: key.into(), resource: None }
}

pub(crate) fn delete_grant(revision: i64, application: &str, product: &str) -> Change {
    let key = grant_key(&ApplicationId::known(application), &ProductId::known(product));
    delete(revision, Kind::Grant, &key)
}

pub(crate) fn batch(changes: Vec<Change>) -> ChangeBatch {
    let revision = changes.iter().map(|change| change.revision).max().unwrap_or(0);
    ChangeBatch { revision, snapshot: false, changes }
}

pub(crate) struct Row(Resource);

macro_rules! rows {
    ($($state:ident $kind:ident)*) => {$(
        impl From<$state> for Row {
            fn from(state: $state) -> Self {
                Self(Resource::$kind(state.into()))
            }
        }
    )*};
}

rows! {
    ServiceState Service
    RouteState Route
    ProductState Product
    ApplicationState Application
    CertificateState Certificate
    CredentialState Credential
    GrantState Grant
    ConsumerState Consumer
    GlobalRuleState GlobalRule
}
