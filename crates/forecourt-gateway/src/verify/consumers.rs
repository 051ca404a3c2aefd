//! Consumers' authentication: the plugins of a route, each of which must pass, and all name one consumer
//! (docs/gateway.md §7).
//!
//! Invariants: a [`ConsumerIdentity`] is a consumer of the service's own group; a developer's credential is never
//! a consumer's, since other stores are asked. `verify.rs` makes the permit, `restriction.rs` says who may pass.

use std::sync::Arc;

use forecourt_core::{ids::GatewayGroupId, secrets::SecretDigest};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::{
    PasswordQuestion, Proven, Request,
    consumer_tokens::{TokenPlace, by_token},
};
use crate::{
    consumers::{Consumer, Consumers, Entry},
    plugins::{BasicPlugin, KeyPlugin, Plugins},
    presented::{self, Basic},
    rejects::Reject,
};

/// By what name questions about consumers' passwords are told apart from others.
const ASKER: &str = "consumers";

/// Who is calling, found by the plugins of a route.
pub(crate) struct ConsumerIdentity {
    /// The consumer.
    pub(crate) consumer: Arc<Consumer>,
    /// The credential that was shown first in the order of work; `None` where it lies in the consumer itself.
    pub(crate) credential: Option<Arc<str>>,
    /// The plugins that passed, which say what is hidden.
    pub(crate) plugins: Arc<Plugins>,
    /// Where the token was, if one was asked for.
    pub(crate) token_place: Option<TokenPlace>,
}

/// Why there is no consumer, or none yet.
pub(super) enum Stop {
    /// The request may not pass.
    Reject(Reject),
    /// It may if the password fits.
    Ask(PasswordQuestion),
}

/// Whom the plugins name; `None`: none of them authenticates.
pub(super) fn authenticate(
    consumers: &Consumers,
    group: &GatewayGroupId,
    plugins: &Arc<Plugins>,
    request: &Request<'_>,
    proven: &Proven,
) -> Result<Option<ConsumerIdentity>, Stop> {
    let mut known = Known { plugins, token_place: None, identity: None };
    if let Some(plugin) = &plugins.jwt_auth {
        let (found, place) = by_token(consumers, group, plugin, request)?;
        known.must_be(found)?;
        known.token_place = Some(place);
    }
    if let Some(plugin) = &plugins.basic_auth {
        known.must_be(by_password(consumers, group, plugin, request.headers, proven)?)?;
    }
    if let Some(plugin) = &plugins.key_auth {
        known.must_be(by_key(consumers, group, plugin, request)?)?;
    }
    let place = known.token_place;
    Ok(known.identity.map(|identity| ConsumerIdentity { token_place: place, ..identity }))
}

/// Whom the plugins named so far.
struct Known<'a> {
    plugins: &'a Arc<Plugins>,
    token_place: Option<TokenPlace>,
    identity: Option<ConsumerIdentity>,
}

impl Known<'_> {
    /// Takes note of what one more plugin found; another consumer than before is a refusal.
    fn must_be<S>(&mut self, found: &Entry<S>) -> Result<(), Stop> {
        match &self.identity {
            None => {
                self.identity = Some(ConsumerIdentity {
                    consumer: Arc::clone(&found.consumer),
                    credential: found.credential.clone(),
                    plugins: Arc::clone(self.plugins),
                    token_place: None,
                });
                Ok(())
            }
            Some(known) if Arc::ptr_eq(&known.consumer, &found.consumer) => Ok(()),
            Some(_) => {
                let challenges = self.plugins.challenges();
                Err(Stop::Reject(Reject::ConsumerUnknown("Invalid user authorization", challenges)))
            }
        }
    }
}

fn by_password<'a>(
    consumers: &'a Consumers,
    group: &'a GatewayGroupId,
    plugin: &BasicPlugin,
    headers: &HeaderMap,
    proven: &Proven,
) -> Result<&'a Entry<Arc<str>>, Stop> {
    let refuse = |message| unknown(message, &plugin.challenge);
    if headers.get(AUTHORIZATION).is_none_or(HeaderValue::is_empty) {
        return Err(refuse("Missing authorization in request"));
    }
    let shown = Basic::read(headers).ok_or_else(|| refuse("Invalid authorization in request"))?;
    let mut candidates = consumers.by_user(group, shown.username());
    let Some(fitting) = proven.password(ASKER) else {
        let hashes = candidates.map(|entry| Arc::clone(&entry.secret)).collect();
        return Err(Stop::Ask(PasswordQuestion { asker: ASKER, shown, hashes }));
    };
    let found = candidates.find(|entry| fitting.contains(&entry.secret));
    found.ok_or_else(|| refuse("Invalid user authorization"))
}

fn by_key<'a>(
    consumers: &'a Consumers,
    group: &'a GatewayGroupId,
    plugin: &KeyPlugin,
    request: &Request<'_>,
) -> Result<&'a Entry<()>, Stop> {
    let key = presented::key(&plugin.rule, request.headers, request.query)
        .ok_or_else(|| unknown("Missing API key in request", &plugin.challenge))?;
    let found = consumers.by_key(group, &SecretDigest::of(&key));
    found.ok_or_else(|| unknown("Invalid API key in request", &plugin.challenge))
}

pub(super) fn unknown(message: &'static str, challenge: &HeaderValue) -> Stop {
    Stop::Reject(Reject::ConsumerUnknown(message, vec![challenge.clone()]))
}

#[cfg(test)]
#[path = "../tests/consumer_plugins.rs"]
pub(super) mod tests;
