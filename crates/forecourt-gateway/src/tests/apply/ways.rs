//! The ways in which a credential of a history can be shown: as a key, as a token of its own, by its provider.

use std::sync::LazyLock;

use forecourt_core::{
    gateway_state::{CredentialSecret, DcrMethod, JwtAuthMethod, ProductState},
    ids::DcrProviderId,
    time::Timestamp,
};
use http::HeaderValue;
use serde_json::json;

use super::KEYS;
use crate::{
    jwks::KeySet,
    state::State,
    tests::{
        rows::{self, client, jwt, key},
        signing::Signer,
    },
};

const ISSUER: &str = "http://issuer";
pub(super) const NOW: Timestamp = Timestamp::from_seconds(100);

/// The ways of showing that one is meant by a name of [`KEYS`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Key,
    Jwt,
    Client,
}

/// A header field.
type Shown = (&'static str, HeaderValue);

pub(super) const WAYS: [Way; 3] = [Way::Key, Way::Jwt, Way::Client];

impl Way {
    pub(super) fn secret(self, name: &str) -> CredentialSecret {
        match self {
            Self::Key => key(name),
            Self::Jwt => jwt(name, "secret"),
            Self::Client => client("provider", name),
        }
    }

    fn shown(self, name: &str) -> Shown {
        let text = match self {
            Self::Key => return ("apikey", HeaderValue::from_str(name).unwrap()),
            Self::Jwt => {
                Signer::shared("HS256", "secret").token(&json!({}), &json!({ "key": name, "exp": 200 }))
            }
            Self::Client => {
                let claims = json!({ "iss": ISSUER, "azp": name, "exp": 200 });
                Signer::rsa("RS256").token(&json!({ "kid": "k" }), &claims)
            }
        };
        ("authorization", HeaderValue::from_str(&format!("Bearer {text}")).unwrap())
    }
}

/// All that can be shown, made once.
pub(super) fn all_shown() -> &'static [(Way, &'static str, Shown)] {
    static ALL: LazyLock<Vec<(Way, &str, Shown)>> = LazyLock::new(|| {
        WAYS.into_iter().flat_map(|way| KEYS.map(|name| (way, name, way.shown(name)))).collect()
    });
    &ALL
}

/// A product that takes all that can be shown.
pub(super) fn product(id: &str, services: &[&str]) -> ProductState {
    let mut row = rows::product(id, services);
    row.jwt_auth = Some(JwtAuthMethod { hide_credentials: false });
    row.dcr = Some(DcrMethod { provider_id: DcrProviderId::known("provider"), issuer: ISSUER.into() });
    row
}

/// Gives the issuer its keys, where a product names it.
pub(super) fn know_keys(state: &State) {
    static KEYS: LazyLock<String> =
        LazyLock::new(|| json!({ "keys": [Signer::rsa("RS256").jwk("k")] }).to_string());
    if let Some(issuer) = state.key_sets.issuer(ISSUER) {
        issuer.set(KeySet::read(KEYS.as_bytes()).unwrap(), NOW);
    }
}
