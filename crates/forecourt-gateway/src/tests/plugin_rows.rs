//! Consumers and plugins to tell a gateway, in few words.

use forecourt_core::{
    gateway_state::{
        BasicAuthPlugin, ConsumerCredentialState, ConsumerRestriction, ConsumerSecret, ConsumerState,
        CorsPlugin, GlobalRuleState, JwtAlgorithm, JwtAuthPlugin, KeyAuthPlugin, PluginsState,
        RestrictionType, RouteState, TokenSecret,
    },
    ids::GatewayGroupId,
    secrets::{KeptSecret, SecretDigest},
};

use super::rows::{hash, route};

/// A consumer of the default group without `custom_id` or a restriction of its own.
pub(crate) fn consumer(username: &str, credentials: &[ConsumerCredentialState]) -> ConsumerState {
    ConsumerState {
        gateway_group_id: GatewayGroupId::default_group(),
        username: username.into(),
        custom_id: None,
        credentials: credentials.to_vec(),
        restriction: None,
    }
}

/// A credential with id `id`, or one that lies in the consumer itself where that is empty.
fn shown(id: &str, secret: ConsumerSecret) -> ConsumerCredentialState {
    ConsumerCredentialState { id: Some(id.to_owned()).filter(|id| !id.is_empty()), secret }
}

pub(crate) fn its_key(id: &str, key: &str) -> ConsumerCredentialState {
    shown(id, ConsumerSecret::KeyAuth { digest: SecretDigest::of(key.as_bytes()) })
}

pub(crate) fn its_password(id: &str, username: &str, password: &str) -> ConsumerCredentialState {
    let password_hash = hash(password, &format!("{id}/{username}"));
    shown(id, ConsumerSecret::BasicAuth { username: username.into(), password_hash })
}

/// A token signed with HS256 and this secret, that names `key`.
pub(crate) fn its_token(id: &str, key: &str, secret: &str) -> ConsumerCredentialState {
    let secret =
        TokenSecret::Shared { algorithm: JwtAlgorithm::Hs256, secret: KeptSecret::Clear(secret.into()) };
    token_of(id, key, secret)
}

pub(crate) fn token_of(id: &str, key: &str, secret: TokenSecret) -> ConsumerCredentialState {
    shown(id, ConsumerSecret::JwtAuth { key: key.into(), secret })
}

pub(crate) fn global_rule(id: &str, plugins: PluginsState) -> GlobalRuleState {
    GlobalRuleState { id: id.into(), gateway_group_id: GatewayGroupId::default_group(), plugins }
}

pub(crate) fn with_plugins(mut row: RouteState, plugins: PluginsState) -> RouteState {
    row.plugins = plugins;
    row
}

/// Route `r` of service `s`, all paths, with these plugins.
pub(crate) fn guarded(plugins: PluginsState) -> RouteState {
    with_plugins(route("r", "s", "/*"), plugins)
}

pub(crate) fn key_auth() -> PluginsState {
    let plugin = KeyAuthPlugin {
        header: "apikey".into(),
        query: "apikey".into(),
        hide_credentials: false,
        realm: "key".into(),
    };
    PluginsState { key_auth: Some(plugin), ..PluginsState::default() }
}

pub(crate) fn basic_auth() -> PluginsState {
    let plugin = BasicAuthPlugin { hide_credentials: false, realm: "basic".into() };
    PluginsState { basic_auth: Some(plugin), ..PluginsState::default() }
}

pub(crate) fn jwt_auth() -> PluginsState {
    let plugin = JwtAuthPlugin {
        header: "authorization".into(),
        query: "jwt".into(),
        cookie: "jwt".into(),
        key_claim_name: "key".into(),
        hide_credentials: false,
    };
    PluginsState { jwt_auth: Some(plugin), ..PluginsState::default() }
}

/// `cors` as it is configured by `{}`.
pub(crate) fn cors() -> CorsPlugin {
    CorsPlugin {
        allow_origins: vec!["*".into()],
        allow_origins_by_regex: Vec::new(),
        allow_methods: "*".into(),
        allow_headers: "*".into(),
        expose_headers: "*".into(),
        max_age: 5,
        allow_credential: false,
    }
}

pub(crate) fn with_cors(plugin: CorsPlugin) -> PluginsState {
    PluginsState { cors: Some(plugin), ..PluginsState::default() }
}

/// A restriction that lists nothing.
pub(crate) fn restriction() -> ConsumerRestriction {
    ConsumerRestriction {
        by: RestrictionType::ConsumerName,
        whitelist: None,
        blacklist: None,
        allowed_by_methods: Vec::new(),
        rejected_code: 403,
        rejected_msg: None,
    }
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn with_restriction(restriction: ConsumerRestriction) -> PluginsState {
    PluginsState { consumer_restriction: Some(restriction), ..PluginsState::default() }
}
