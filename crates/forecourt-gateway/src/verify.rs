//! The decision (docs/gateway.md §2 to §4): a pure function of state, request head and time.
//!
//! Invariant: a [`Permit`] comes from here and nowhere else, and `forward.rs` demands one. Password hashes are
//! too slow to be computed here; the function says which ones it would need checked, `passwords.rs` checks them,
//! and the function is asked again with what was proven, against the state of that later moment.

mod product;

use std::sync::Arc;

use forecourt_core::time::Timestamp;
use http::HeaderMap;

use crate::{
    applications::ApplicationSlot,
    compact_ids::CompactId,
    presented::Basic,
    rejects::Reject,
    route::{Product, Protection},
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
}

/// What [`verify`] found.
pub(crate) enum Verdict {
    /// The request may pass.
    Permit(Permit),
    /// It may not.
    Reject(Reject),
    /// It may if the password fits one of these.
    NeedsPasswordCheck(PasswordQuestion),
}

/// A password and the hashes it might fit.
pub(crate) struct PasswordQuestion {
    /// User name and password as shown.
    pub(crate) shown: Basic,
    /// Hashes of credentials that could pass, oldest credential first, no two alike. May be empty: then the
    /// answer is no, after the same work.
    pub(crate) hashes: Vec<Arc<str>>,
}

/// The outcome of a [`PasswordQuestion`]: the first hash that the password fits.
pub(crate) struct Proven(pub(crate) Option<Arc<str>>);

impl Permit {
    /// Who is calling; `None` on an open service.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        self.0.as_ref()
    }
}

/// Decides about a request to a service protected like this. `proven` is given when a question was answered.
pub(crate) fn verify(
    state: &State,
    protection: &Protection,
    headers: &HeaderMap,
    query: Option<&str>,
    now: Timestamp,
    proven: Option<&Proven>,
) -> Verdict {
    let product = match protection {
        Protection::Open => return Verdict::Permit(Permit(None)),
        Protection::Product(product) => product,
    };
    product::authenticate(state, product, headers, query, now, proven)
}

#[cfg(test)]
#[path = "tests/verify.rs"]
mod tests;
