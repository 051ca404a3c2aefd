//! The decision (docs/gateway.md §2 to §4 and §7): a pure function of state, request head and time. First the
//! product says who may call, then the plugins of the route.
//!
//! Invariant: a [`Permit`] comes from here and nowhere else, and `forward.rs` demands one. Password hashes are
//! too slow to be computed here, and keys of issuers too far; the function says what it would need, others find it
//! out (`passwords.rs`, `key_sets.rs`), and the function is asked again with all that was proven so far, against the
//! state of that later moment. The methods of products are in `verify/product.rs` and `verify/tokens.rs`,
//! consumers in `verify/consumers.rs`.

pub(crate) mod consumer_tokens;
mod consumers;
mod product;
mod proven;
pub(crate) mod restriction;
mod tokens;

use std::sync::Arc;

use forecourt_core::time::Timestamp;
use http::{HeaderMap, Method as HttpMethod};

pub(crate) use self::{
    consumers::ConsumerIdentity,
    proven::{PasswordAnswer, PasswordQuestion, Proven},
};
use self::{consumers::Stop, product::Finding, restriction::Subject};
use crate::{
    applications::{ApplicationSlot, PublicName},
    compact_ids::CompactId,
    key_sets::Issuer,
    limits::Plan,
    plugins::Plugins,
    rejects::Reject,
    route::{Product, Protection, Route},
    state::{State, Table},
};

/// Leave to forward a request.
pub(crate) struct Permit {
    application: Option<Identity>,
    consumer: Option<ConsumerIdentity>,
}

/// Who is calling, found by product authentication.
pub(crate) struct Identity {
    /// The product that is called.
    pub(crate) product: Arc<Product>,
    /// The calling application.
    pub(crate) application: Arc<ApplicationSlot>,
    /// Its developer's public id.
    pub(crate) developer_name: PublicName,
    /// The credential that was shown.
    pub(crate) credential: CompactId,
    /// The method that succeeded.
    pub(crate) method: Method,
    /// The plan that its calls are held to; `None`: they are not limited.
    pub(crate) plan: Option<Arc<Plan>>,
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
    /// Its method.
    pub(crate) method: &'a HttpMethod,
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
    /// The application that calls; `None` where no product protects the service.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        self.application.as_ref()
    }

    /// The consumer who calls; `None` where no plugin asks for one.
    pub(crate) const fn consumer(&self) -> Option<&ConsumerIdentity> {
        self.consumer.as_ref()
    }
}

/// Whether somebody must be known to pass here: who that is may not be said from a state that is too old.
pub(crate) fn asks_who_calls(route: &Route) -> bool {
    let is_open = matches!(route.service.protection, Protection::Open);
    !is_open || route.plugins.as_ref().is_some_and(|plugins| plugins.authenticates())
}

/// Decides about a request on a route of this table, with what was proven for it so far.
pub(crate) fn verify(
    state: &State,
    table: &Table,
    route: &Route,
    request: &Request<'_>,
    proven: &Proven,
) -> Verdict {
    let application = match &route.service.protection {
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
    let mut permit = Permit { application, consumer: None };
    let Some(plugins) = &route.plugins else { return Verdict::Permit(permit) };
    match consumers::authenticate(&table.consumers, &route.service.group, plugins, request, proven) {
        Ok(consumer) => permit.consumer = consumer,
        Err(Stop::Reject(reject)) => return Verdict::Reject(reject),
        Err(Stop::Ask(question)) => return Verdict::NeedsPasswordCheck(question),
    }
    match restrict(route, plugins, &permit, request.method) {
        Ok(()) => Verdict::Permit(permit),
        Err(reject) => Verdict::Reject(reject),
    }
}

/// Whether the restriction that holds, the consumer's own or the route's, lets the request pass. Where no plugin
/// asked for a consumer, the application is who is known.
fn restrict(route: &Route, plugins: &Plugins, permit: &Permit, method: &HttpMethod) -> Result<(), Reject> {
    let consumer = permit.consumer.as_ref().map(|identity| &identity.consumer);
    let own = consumer.and_then(|consumer| consumer.restriction.as_ref());
    let Some(restriction) = own.or(plugins.restriction.as_ref()) else { return Ok(()) };
    let application = permit.application.as_ref().map(|identity| identity.application.id_text());
    let name = consumer.map(|consumer| &*consumer.username).or(application.as_deref());
    let (service, route) = (route.service.id.as_str(), route.id.as_str());
    restriction.check(name.map(|name| Subject { name, service, route, method }).as_ref())
}

#[cfg(test)]
#[path = "tests/verify.rs"]
mod tests;
