//! Product authentication: which credential, if any, lets a request to a product pass (docs/gateway.md §3 and §4).
//!
//! Invariant: an [`Identity`] comes from [`admit`] alone, so whatever method finds a credential, its application
//! must be active, of the product's portal and granted the product. `verify.rs` makes the permit.

use std::sync::Arc;

use forecourt_core::{secrets::SecretDigest, time::Timestamp};
use http::HeaderMap;

use super::{Identity, Method, PasswordQuestion, Permit, Proven, Verdict};
use crate::{
    applications::ApplicationSlot,
    compact_ids::CompactId,
    presented::{self, Basic},
    rejects::{AcceptedMethods, Reject},
    route::Product,
    state::State,
};

/// How many passwords one request may cause to be checked, so that namesakes cannot multiply the work.
const MOST_CANDIDATES: usize = 8;

/// Tries the methods of the product in their order.
pub(super) fn authenticate(
    state: &State,
    product: &Arc<Product>,
    headers: &HeaderMap,
    query: Option<&str>,
    now: Timestamp,
    proven: Option<&Proven>,
) -> Verdict {
    if let Some(identity) = by_key(state, product, headers, query, now) {
        return Verdict::Permit(Permit::of_application(identity));
    }
    if product.basic_auth.is_some()
        && let Some(shown) = Basic::read(headers)
    {
        match (proven, candidates(state, product, shown.username(), now)) {
            (None, candidates) => {
                let hashes = distinct_hashes(&candidates);
                return Verdict::NeedsPasswordCheck(PasswordQuestion { shown, hashes });
            }
            (Some(Proven(Some(hash))), candidates) => {
                if let Some(found) = candidates.into_iter().find(|candidate| candidate.password_hash == *hash)
                {
                    return Verdict::Permit(Permit::of_application(found.identity));
                }
            }
            (Some(Proven(None)), _) => {}
        }
    }
    Verdict::Reject(Reject::Unauthorized(AcceptedMethods {
        key_auth: product.key_auth.is_some(),
        basic_auth: product.basic_auth.is_some(),
    }))
}

/// The identity that the shown API key leads to: the oldest credential with this key that may pass.
fn by_key(
    state: &State,
    product: &Arc<Product>,
    headers: &HeaderMap,
    query: Option<&str>,
    now: Timestamp,
) -> Option<Identity> {
    let key = presented::key(product.key_auth.as_ref()?, headers, query)?;
    let mut oldest: Option<(i64, Identity)> = None;
    state.keys.visit(&SecretDigest::of(&key), |record| {
        let older = oldest.as_ref().is_none_or(|(made, _)| record.created_at < *made);
        if older
            && record.valid_until > now.micros()
            && let Some(identity) = admit(product, &record.application, &record.credential, Method::Key)
        {
            oldest = Some((record.created_at, identity));
        }
    });
    oldest.map(|(_, identity)| identity)
}

struct Candidate {
    created_at: i64,
    password_hash: Arc<str>,
    identity: Identity,
}

/// The credentials of this user name that may pass if the password fits, oldest first.
fn candidates(state: &State, product: &Arc<Product>, username: &str, now: Timestamp) -> Vec<Candidate> {
    let mut found = Vec::new();
    state.users.visit(username, |record| {
        if record.valid_until > now.micros()
            && let Some(identity) = admit(product, &record.application, &record.credential, Method::Basic)
        {
            let password_hash = Arc::clone(&record.password_hash);
            found.push(Candidate { created_at: record.created_at, password_hash, identity });
        }
    });
    found.sort_by_key(|candidate| candidate.created_at);
    found
}

fn distinct_hashes(candidates: &[Candidate]) -> Vec<Arc<str>> {
    let mut hashes: Vec<Arc<str>> = Vec::with_capacity(candidates.len().min(MOST_CANDIDATES));
    for candidate in candidates {
        if hashes.len() < MOST_CANDIDATES && !hashes.contains(&candidate.password_hash) {
            hashes.push(Arc::clone(&candidate.password_hash));
        }
    }
    hashes
}

/// The application's part of docs/gateway.md §4.
fn admit(
    product: &Arc<Product>,
    application: &Arc<ApplicationSlot>,
    credential: &CompactId,
    method: Method,
) -> Option<Identity> {
    let view = application.view();
    let live = view.admitted_to(product.number, product.portal)?;
    Some(Identity {
        product: Arc::clone(product),
        application: Arc::clone(application),
        developer_name: Arc::clone(&live.developer_name),
        credential: credential.clone(),
        method,
    })
}
