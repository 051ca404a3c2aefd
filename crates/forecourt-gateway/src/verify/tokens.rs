//! Product authentication by token: `jwt-auth` and `dcr` (docs/gateway.md §10 and §11).
//!
//! Invariants: the credential decides which algorithm counts, never the token; and a name that nobody has costs the
//! verification of a signature too, so that time tells little about which names exist.

use std::sync::Arc;

use super::{
    Identity, Method, Request,
    product::{Finding, candidates},
    proven::Proven,
};
use crate::{
    jwks::Signed,
    jwt::Token,
    presented,
    route::{Product, Route},
    signatures::TokenVerifier,
    state::State,
};

/// The claim of `jwt-auth` that names the credential.
const KEY_CLAIM: &str = "key";
/// The claims of `dcr` that name the client; the first that is present counts.
const CLIENT_CLAIMS: [&str; 3] = ["azp", "client_id", "cid"];
/// How many credentials of one name are tried, oldest first; a shared secret is tried in about a microsecond.
const MOST_SECRETS: usize = 4_096;
/// The same for public keys.
const MOST_PUBLIC_KEYS: usize = 64;

/// The oldest credential of `jwt-auth` that signed the shown token and may pass.
pub(super) fn by_jwt(state: &State, product: &Arc<Product>, request: &Request<'_>) -> Option<Identity> {
    product.jwt_auth.as_ref()?;
    let text = presented::token(request.headers, request.query)?;
    let token = Token::read(&text).filter(|token| token.is_short_lived(request.now))?;
    let named = token.name(KEY_CLAIM).into_iter();
    let found = named.flat_map(|name| candidates(&state.tokens, name, product, Method::Jwt, request.now));
    let mut found = found.filter(|candidate| candidate.proof.accepts(token.algorithm)).peekable();
    if found.peek().is_none() {
        token.spend_verification();
        return None;
    }
    let most = if token.algorithm.is_symmetric() { MOST_SECRETS } else { MOST_PUBLIC_KEYS };
    let mut tried = found.take(most);
    tried.find(|candidate| is_signed(state, &token, &candidate.proof)).map(|candidate| candidate.identity)
}

/// Whether the token was signed for this credential; what public keys signed is remembered.
fn is_signed(state: &State, token: &Token<'_>, verifier: &TokenVerifier) -> bool {
    let Some(mark) = token.mark(verifier.source().as_bytes()) else { return token.is_signed_by(verifier) };
    if state.signed_tokens.recall(&mark).is_some() {
        return true;
    }
    let signed = token.is_signed_by(verifier);
    if signed {
        state.signed_tokens.put(mark, ());
    }
    signed
}

/// The oldest OAuth client that the shown token of the product's provider names and that may pass.
pub(super) fn by_provider(
    state: &State,
    product: &Arc<Product>,
    route: &Route,
    request: &Request<'_>,
    proven: &Proven,
) -> Finding {
    let Some(rule) = &product.dcr else { return Finding::Nobody };
    let token = presented::bearer(request.headers).and_then(Token::read);
    let acceptable = token.filter(|token| {
        !token.algorithm.is_symmetric()
            && token.text("iss") == Some(&*rule.issuer.name)
            && token.is_current(request.now)
            && (route.required_scopes.is_empty() || token.has_scope_of(&route.required_scopes))
    });
    let Some(token) = acceptable else { return Finding::Nobody };
    let signed = rule.issuer.signed(&token, request.now);
    let client = token.first_of(&CLIENT_CLAIMS).and_then(|client| {
        candidates(&state.clients, client, product, Method::Dcr, request.now)
            .find(|candidate| candidate.proof == rule.provider)
    });
    match (signed, client) {
        (Signed::Yes, Some(client)) => Finding::Identity(client.identity),
        // Only for a client that may pass: strangers shall not use up what a rotation needs.
        (Signed::UnknownKey, Some(_)) if !proven.has_newest_keys() => {
            Finding::NeedsKeys(Arc::clone(&rule.issuer))
        }
        _ => Finding::Nobody,
    }
}

#[cfg(test)]
#[path = "../tests/tokens.rs"]
mod tests;
