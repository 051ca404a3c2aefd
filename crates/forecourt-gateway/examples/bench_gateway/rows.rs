//! What the measured gateway is told: two services, a product, and any number of subscribed applications.

use std::{collections::BTreeMap, ops::Range};

use argon2::{Argon2, PasswordHasher};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use forecourt_core::{
    gateway_state::{
        ApplicationState, Balancing, BasicAuthMethod, CredentialSecret, CredentialState,
        CredentialVersionState, GrantState, JwtAlgorithm, JwtAuthMethod, KeepalivePool, KeyAuthMethod,
        PlanLimit, PlanState, PluginsState, ProductState, Resource, RouteState, RouteTimeouts, ServiceState,
        TokenSecret, UpstreamHost, UpstreamNode, UpstreamState, UpstreamTls,
    },
    ids::{
        ApplicationId, CredentialId, CredentialVersionId, DeveloperId, DeveloperName, GatewayGroupId, PlanId,
        PortalId, ProductId, RouteId, ServiceId,
    },
    secrets::{KeptSecret, SecretDigest},
    time::Timestamp,
};
use forecourt_wire::changes::{Change, ChangeBatch};
use ring::hmac;

/// When everything of the measurement was made.
const MADE: Timestamp = Timestamp::from_seconds(1_767_225_600);
const PASSWORD: &str = "bench-password";
/// How long the callers' tokens are good for, in seconds.
const TOKEN_LIFE: i64 = 12 * 3_600;

/// How callers prove themselves.
enum Method {
    Key,
    Basic { password_hash: String },
    Jwt { expires_at: i64 },
}

/// Everything that a measured gateway knows.
pub(crate) struct Installation {
    method: Method,
    upstream: UpstreamNode,
    plans: Vec<PlanState>,
}

impl Installation {
    /// An installation whose product takes credentials of one kind, before the upstream at `HOST:PORT`.
    pub(crate) fn new(method: &str, upstream: &str, now: Timestamp) -> Result<Self, String> {
        let (host, port) = upstream.split_once(':').ok_or("--upstream must be HOST:PORT")?;
        let port = port.parse().map_err(|_| "--upstream must end in a port")?;
        let method = match method {
            "key-auth" => Method::Key,
            "basic-auth" => {
                // One for all: a million slow hashes would take hours, and what is measured is finding them.
                let hash =
                    Argon2::default().hash_password_with_salt(PASSWORD.as_bytes(), b"bench-salt-bench");
                Method::Basic { password_hash: hash.map_err(|error| error.to_string())?.to_string() }
            }
            "jwt-auth" => Method::Jwt { expires_at: now.seconds() + TOKEN_LIFE },
            other => return Err(format!("--method {other} is not measured")),
        };
        Ok(Self {
            method,
            upstream: UpstreamNode { host: host.to_owned(), port, weight: 1, priority: 0 },
            plans: Vec::new(),
        })
    }

    /// The same with calls limited to a number that is not reached: a minute's and a day's.
    #[must_use]
    pub(crate) fn limited(mut self) -> Self {
        let limits = [60, 86_400].map(|window_seconds| PlanLimit { count: 1_000_000_000, window_seconds });
        let plan = PlanState {
            id: PlanId::known("pln_bench"),
            name: "bench".into(),
            limits: limits.to_vec(),
            default: true,
        };
        self.plans = vec![plan];
        self
    }

    /// The services, their routes, and the product.
    pub(crate) fn services(&self) -> ChangeBatch {
        let mut resources = Vec::new();
        for name in ["open", "checked"] {
            resources.push(Resource::Service(Box::new(service(name, &self.upstream))));
            resources.push(Resource::Route(Box::new(route(name))));
        }
        resources.push(Resource::Product(Box::new(ProductState {
            id: ProductId::known("prd_bench"),
            portal_id: PortalId::known("default"),
            services: vec![ServiceId::known("checked")],
            key_auth: matches!(self.method, Method::Key).then(|| KeyAuthMethod {
                header: "apikey".to_owned(),
                query: "apikey".to_owned(),
                hide_credentials: false,
            }),
            basic_auth: matches!(self.method, Method::Basic { .. })
                .then_some(BasicAuthMethod { hide_credentials: false }),
            jwt_auth: matches!(self.method, Method::Jwt { .. })
                .then_some(JwtAuthMethod { hide_credentials: false }),
            dcr: None,
            plans: self.plans.clone(),
        })));
        batch(resources, 1, true)
    }

    /// The applications with these numbers, each with its credential and its subscription.
    pub(crate) fn applications(&self, numbers: Range<usize>, revision: i64) -> ChangeBatch {
        batch(numbers.flat_map(|number| self.subscriber(number)).collect(), revision, false)
    }

    /// What the caller with this number shows: the value of `apikey` or of `Authorization`.
    pub(crate) fn shown(&self, number: usize) -> String {
        match &self.method {
            Method::Key => key(number),
            Method::Basic { .. } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{PASSWORD}", user(number))))
            }
            Method::Jwt { expires_at } => {
                let part = |json: String| BASE64_URL_SAFE_NO_PAD.encode(json);
                let head = part(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned());
                let claims = part(format!(r#"{{"key":"{}","exp":{expires_at}}}"#, token_key(number)));
                let signed = format!("{head}.{claims}");
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret(number).as_bytes());
                let signature = hmac::sign(&secret, signed.as_bytes());
                format!("Bearer {signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
            }
        }
    }

    fn subscriber(&self, number: usize) -> [Resource; 3] {
        let application_id = ApplicationId::known(id("app", number));
        let secret = match &self.method {
            Method::Key => CredentialSecret::KeyAuth { digest: SecretDigest::of(key(number).as_bytes()) },
            Method::Basic { password_hash } => {
                CredentialSecret::BasicAuth { username: user(number), password_hash: password_hash.clone() }
            }
            Method::Jwt { .. } => CredentialSecret::JwtAuth {
                key: token_key(number),
                secret: TokenSecret::Shared {
                    algorithm: JwtAlgorithm::Hs256,
                    secret: KeptSecret::Clear(secret(number)),
                },
            },
        };
        [
            Resource::Application(ApplicationState {
                id: application_id.clone(),
                portal_id: PortalId::known("default"),
                developer_id: DeveloperId::known(id("dev", number)),
                developer_name: DeveloperName::known(id("org", number)),
                active: true,
            }),
            Resource::Credential(CredentialState {
                id: CredentialId::known(id("crd", number)),
                application_id: application_id.clone(),
                created_at: MADE,
                versions: vec![CredentialVersionState {
                    id: CredentialVersionId::known(id("cvr", number)),
                    valid_until: None,
                    secret,
                }],
            }),
            Resource::Grant(GrantState {
                application_id,
                product_id: ProductId::known("prd_bench"),
                plan_id: None,
            }),
        ]
    }
}

/// An id as the portal issues it: a prefix and a UUIDv7.
fn id(prefix: &str, number: usize) -> String {
    format!("{prefix}_0198c0a57c00{:020x}", 0x7000_8000_0000_0000_0000_u128 + number as u128)
}

fn key(number: usize) -> String {
    format!("bench-key-{number:08}")
}

fn user(number: usize) -> String {
    format!("bench-user-{number:08}")
}

fn token_key(number: usize) -> String {
    format!("bench-token-key-{number:08}")
}

fn secret(number: usize) -> String {
    format!("bench-secret-of-256-bits-{number:08}")
}

fn batch(resources: Vec<Resource>, revision: i64, snapshot: bool) -> ChangeBatch {
    let changes = resources.into_iter().map(|resource| Change {
        revision,
        kind: resource.kind(),
        key: resource.key(),
        resource: Some(resource),
    });
    ChangeBatch { revision, snapshot, changes: changes.collect() }
}

fn service(name: &str, node: &UpstreamNode) -> ServiceState {
    ServiceState {
        id: ServiceId::known(name),
        gateway_group_id: GatewayGroupId::known("default"),
        enabled: true,
        hosts: Vec::new(),
        path_prefix: None,
        strip_path_prefix: false,
        upstreams: BTreeMap::new(),
        plugins: PluginsState::default(),
        upstream: Some(UpstreamState {
            scheme: "http".to_owned(),
            balancing: Balancing::RoundRobin,
            retries: None,
            tls: UpstreamTls::default(),
            active_check: None,
            passive_check: None,
            keepalive: KeepalivePool::default(),
            nodes: vec![node.clone()],
            connect_timeout_ms: 60_000,
            send_timeout_ms: 60_000,
            read_timeout_ms: 60_000,
            host: UpstreamHost::Pass,
        }),
        created_at: MADE,
    }
}

fn route(name: &str) -> RouteState {
    RouteState {
        id: RouteId::known(name),
        service_id: ServiceId::known(name),
        paths: vec![format!("/{name}")],
        conditional: None,
        methods: Vec::new(),
        priority: 0,
        plugins: PluginsState::default(),
        upstream_id: None,
        timeouts: RouteTimeouts::default(),
        websocket: true,
        required_scopes: Vec::new(),
        created_at: MADE,
    }
}
