//! Product authentication: which credential, if any, lets a request to a product pass (docs/gateway.md §3 and §4).
//!
//! Invariant: an [`Identity`] comes from [`admit`] alone, so whatever method finds a credential, its application
//! must be active, of the product's portal and granted the product. `verify.rs` makes the permit.

use std::sync::Arc;

use forecourt_core::{secrets::SecretDigest, time::Timestamp};

use super::{
    Identity, Method, Request,
    proven::{PasswordQuestion, Proven},
    tokens,
};
use crate::{
    applications::ApplicationSlot,
    compact_ids::CompactId,
    key_sets::Issuer,
    named_store::NamedStore,
    presented::{self, Basic},
    rejects::AcceptedMethods,
    route::{Product, Route},
    state::State,
};

/// By what name questions about passwords of product authentication are told apart from others.
const ASKER: &str = "product";

/// What product authentication found.
pub(super) enum Finding {
    /// Who is calling.
    Identity(Identity),
    /// Nobody who may pass.
    Nobody,
    /// Somebody, if the password fits.
    NeedsPassword(PasswordQuestion),
    /// Somebody, if a newer key of this issuer signed the token.
    NeedsKeys(Arc<Issuer>),
}

/// Tries the methods of the product in their order; the first success decides.
pub(super) fn authenticate(
    state: &State,
    product: &Arc<Product>,
    route: &Route,
    request: &Request<'_>,
    proven: &Proven,
) -> Finding {
    if let Some(identity) = by_key(state, product, request) {
        return Finding::Identity(identity);
    }
    match by_password(state, product, request, proven) {
        Finding::Nobody => {}
        found => return found,
    }
    if let Some(identity) = tokens::by_jwt(state, product, request) {
        return Finding::Identity(identity);
    }
    tokens::by_provider(state, product, route, request, proven)
}

/// What a refused caller may try.
pub(super) fn accepted_methods(product: &Product) -> AcceptedMethods {
    AcceptedMethods {
        key_auth: product.key_auth.is_some(),
        basic_auth: product.basic_auth.is_some(),
        bearer: product.jwt_auth.is_some() || product.dcr.is_some(),
    }
}

/// The identity that the shown API key leads to: the oldest credential with this key that may pass.
fn by_key(state: &State, product: &Arc<Product>, request: &Request<'_>) -> Option<Identity> {
    let key = presented::key(product.key_auth.as_ref()?, request.headers, request.query)?;
    let mut oldest: Option<(i64, Identity)> = None;
    state.keys.visit(&SecretDigest::of(&key), |record| {
        let older = oldest.as_ref().is_none_or(|(made, _)| record.created_at < *made);
        if older
            && record.valid_until > request.now.micros()
            && let Some(identity) = admit(product, &record.application, &record.credential, Method::Key)
        {
            oldest = Some((record.created_at, identity));
        }
    });
    oldest.map(|(_, identity)| identity)
}

/// The oldest credential of this user name that may pass and whose password is shown.
fn by_password(state: &State, product: &Arc<Product>, request: &Request<'_>, proven: &Proven) -> Finding {
    if product.basic_auth.is_none() {
        return Finding::Nobody;
    }
    let Some(shown) = Basic::read(request.headers) else { return Finding::Nobody };
    let mut candidates = candidates(&state.users, shown.username(), product, Method::Basic, request.now);
    let Some(fitting) = proven.password(ASKER) else {
        let hashes = candidates.map(|candidate| candidate.proof).collect();
        return Finding::NeedsPassword(PasswordQuestion { asker: ASKER, shown, hashes });
    };
    let found = candidates.find(|candidate| fitting.contains(&candidate.proof));
    found.map_or(Finding::Nobody, |candidate| Finding::Identity(candidate.identity))
}

/// A credential that may pass if its proof holds.
pub(super) struct Candidate<P> {
    created_at: i64,
    /// What must be proven.
    pub(super) proof: P,
    /// Who it is then.
    pub(super) identity: Identity,
}

/// The credentials of this name that may pass if their proof holds, oldest first.
pub(super) fn candidates<P: Clone + PartialEq>(
    store: &NamedStore<P>,
    name: &str,
    product: &Arc<Product>,
    method: Method,
    now: Timestamp,
) -> impl Iterator<Item = Candidate<P>> + use<P> {
    let mut found = Vec::new();
    store.visit(name, |record| {
        if record.valid_until > now.micros()
            && let Some(identity) = admit(product, &record.application, &record.credential, method)
        {
            let proof = record.proof.clone();
            found.push(Candidate { created_at: record.created_at, proof, identity });
        }
    });
    found.sort_by_key(|candidate| candidate.created_at);
    found.into_iter()
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
    let plan = if product.plans.is_empty() {
        None
    } else {
        product.plans.of(view.grant(product.number).and_then(|grant| grant.plan())).cloned()
    };
    Some(Identity {
        product: Arc::clone(product),
        application: Arc::clone(application),
        developer_name: live.developer_name.clone(),
        credential: credential.clone(),
        method,
        plan,
    })
}
