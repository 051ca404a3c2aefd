//! The decision (docs/gateway.md §2 to §4 and §7): a pure function of state, request head and time. First the
//! product says who may call, then the plugins of the route.
//!
//! Invariant: a [`Permit`] comes from here and nowhere else, and `forward.rs` demands one. Password hashes are
//! too slow to be computed here; the function says which ones it would need checked, `passwords.rs` checks them,
//! and the function is asked again with what was proven, against the state of that later moment.

pub(crate) mod consumer_tokens;
mod consumers;
mod product;
pub(crate) mod restriction;

use std::sync::Arc;

use forecourt_core::time::Timestamp;
use http::{HeaderMap, Method as HttpMethod};

pub(crate) use self::consumers::ConsumerIdentity;
use self::{consumers::Stop, restriction::Subject};

use crate::{
    applications::ApplicationSlot,
    compact_ids::CompactId,
    consumers::Consumers,
    plugins::Plugins,
    presented::Basic,
    rejects::Reject,
    route::{Product, Protection, Route},
    state::State,
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
    /// The same, and the hashes are consumers'.
    NeedsConsumersPasswordCheck(PasswordQuestion),
}

/// What a request shows.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// Its method.
    pub(crate) method: &'a HttpMethod,
    /// Its fields.
    pub(crate) headers: &'a HeaderMap,
    /// Its query, without the question mark.
    pub(crate) query: Option<&'a str>,
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

/// The questions of this request that were answered so far.
#[derive(Default)]
pub(crate) struct Answers {
    /// To [`Verdict::NeedsPasswordCheck`].
    pub(crate) about_application: Option<Proven>,
    /// To [`Verdict::NeedsConsumersPasswordCheck`].
    pub(crate) about_consumer: Option<Proven>,
}

impl Permit {
    /// Leave for an application, as far as its product is concerned.
    const fn of_application(identity: Identity) -> Self {
        Self { application: Some(identity), consumer: None }
    }

    /// The application that calls; `None` where no product protects the service.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        self.application.as_ref()
    }

    /// The consumer who calls; `None` where no plugin asks for one.
    pub(crate) const fn consumer(&self) -> Option<&ConsumerIdentity> {
        self.consumer.as_ref()
    }
}

/// Decides about a request that takes this route.
pub(crate) fn verify(
    state: &State,
    consumers: &Consumers,
    route: &Route,
    shown: &Shown<'_>,
    now: Timestamp,
    answers: &Answers,
) -> Verdict {
    let mut permit = Permit { application: None, consumer: None };
    if let Protection::Product(product) = &route.service.protection {
        let proven = answers.about_application.as_ref();
        match product::authenticate(state, product, shown.headers, shown.query, now, proven) {
            Verdict::Permit(of_application) => permit = of_application,
            stop => return stop,
        }
    }
    let Some(plugins) = &route.plugins else { return Verdict::Permit(permit) };
    let proven = answers.about_consumer.as_ref();
    match consumers::authenticate(consumers, &route.service.group, plugins, shown, now, proven) {
        Ok(consumer) => permit.consumer = consumer,
        Err(Stop::Reject(reject)) => return Verdict::Reject(reject),
        Err(Stop::Ask(question)) => return Verdict::NeedsConsumersPasswordCheck(question),
    }
    match restrict(route, plugins, &permit, shown.method) {
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
