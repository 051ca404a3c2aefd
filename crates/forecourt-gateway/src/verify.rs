//! The decision (docs/gateway.md §2 to §4): a pure function of state, request head and time.
//!
//! Invariant: a [`Permit`] comes from here and nowhere else, and `forward.rs` demands one. Password hashes are
//! too slow to be computed here, and keys of issuers too far; the function says what it would need, others find it
//! out (`passwords.rs`, `key_sets.rs`), and the function is asked again with all that was proven so far, against the
//! state of that later moment. The methods of products are in `verify/product.rs` and `verify/tokens.rs`.

mod product;
mod proven;
mod tokens;

use std::sync::Arc;

use forecourt_core::time::Timestamp;
use http::HeaderMap;

use self::product::Finding;
pub(crate) use self::proven::{PasswordAnswer, PasswordQuestion, Proven};
use crate::{
    applications::ApplicationSlot,
    compact_ids::CompactId,
    key_sets::Issuer,
    rejects::Reject,
    route::{Product, Protection, Route},
    state::State,
};

/// Leave to forward a request.
pub(crate) struct Permit(Option<Identity>);

/// Who is calling, found by product authentication.
pub(crate) struct Identity {
    /// The product that is called.
    pub(crate) product: Arc<Product>,
    /// The calling application.
    pub(crate) application: Arc<ApplicationSlot>,
    /// Its developer's public id.
    pub(crate) developer_name: Arc<str>,
    /// The credential that was shown.
    pub(crate) credential: CompactId,
    /// The method that succeeded.
    pub(crate) method: Method,
}

/// A method of product authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `key-auth`.
    Key,
    /// `basic-auth`.
    Basic,
    /// `jwt-auth`.
    Jwt,
    /// `dcr`.
    Dcr,
}

/// What a request shows, and when.
pub(crate) struct Request<'a> {
    /// Its header fields.
    pub(crate) headers: &'a HeaderMap,
    /// Its query as it was sent.
    pub(crate) query: Option<&'a str>,
    /// Now.
    pub(crate) now: Timestamp,
}

/// What [`verify`] found.
pub(crate) enum Verdict {
    /// The request may pass.
    Permit(Permit),
    /// It may not.
    Reject(Reject),
    /// It may if the password fits one of these.
    NeedsPasswordCheck(PasswordQuestion),
    /// It may if a newer key of this issuer signed its token.
    NeedsNewerKeys(Arc<Issuer>),
}

impl Permit {
    /// Who is calling; `None` on an open service.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        self.0.as_ref()
    }
}

/// Decides about a request on a route, with what was proven for it so far.
pub(crate) fn verify(state: &State, route: &Route, request: &Request<'_>, proven: &Proven) -> Verdict {
    let identity = match &route.service.protection {
        Protection::Open => None,
        Protection::Product(product) => match product::authenticate(state, product, route, request, proven) {
            Finding::Identity(identity) => Some(identity),
            Finding::Nobody => {
                return Verdict::Reject(Reject::Unauthorized(product::accepted_methods(product)));
            }
            Finding::NeedsPassword(question) => return Verdict::NeedsPasswordCheck(question),
            Finding::NeedsKeys(issuer) => return Verdict::NeedsNewerKeys(issuer),
        },
    };
    Verdict::Permit(Permit(identity))
}

#[cfg(test)]
#[path = "tests/verify.rs"]
mod tests;
