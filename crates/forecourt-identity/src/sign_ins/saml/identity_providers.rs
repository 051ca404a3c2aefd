//! Identity providers by their metadata, which is fetched from where an option says.
//!
//! Invariant: what is remembered is bounded in number and age, what could not be fetched included, so that nobody who
//! begins sign-ins makes us ask more often than that.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use forecourt_core::time::Timestamp;
use risaml::{
    IdpDescriptor, MetadataTrustPolicy,
    constants::{Binding, CertUse},
};
use url::Url;

use super::{SignInFault, shown};
use crate::outgoing::{Call, Method, Outgoing, header::HeaderMap};

/// For how long metadata is believed, in seconds.
const AGE: i64 = 600;
/// For how long an identity provider that could not be read is left alone, in seconds.
const REST: i64 = 10;
/// How many are remembered; then all are forgotten, and fetched anew when they are asked for.
const REMEMBERED: usize = 64;

/// What an identity provider says about itself.
#[derive(Debug)]
pub struct IdentityProvider {
    pub(super) descriptor: IdpDescriptor,
    pub(super) sign_on_url: Url,
}

impl IdentityProvider {
    /// Reads metadata (saml-metadata-2.0-os): one `EntityDescriptor`.
    ///
    /// It is believed because of the address that it came from; a signature of it is not looked at.
    ///
    /// # Errors
    /// [`SignInFault::Misconfigured`] where it names no certificate that signs, or nowhere to send people to.
    pub fn read(xml: &str) -> Result<Self, SignInFault> {
        let unusable = |why: &str| SignInFault::Misconfigured(format!("the metadata {why}"));
        let read = IdpDescriptor::from_metadata_xml(xml, MetadataTrustPolicy::UnsignedForCompatibility);
        let descriptor = read.map_err(|error| unusable(&format!("cannot be used: {}", shown(&error))))?;
        let metadata = descriptor.metadata();
        if metadata.x509_certificates(CertUse::Signing).is_empty() {
            return Err(unusable("names no certificate that signs"));
        }
        let Some(location) = metadata.get_single_sign_on_service(Binding::Redirect) else {
            return Err(unusable("offers no SingleSignOnService by HTTP-Redirect"));
        };
        let sign_on_url = Url::parse(&location).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let sign_on_url =
            sign_on_url.ok_or_else(|| unusable("has a SingleSignOnService at no web address"))?;
        Ok(Self { descriptor, sign_on_url })
    }
}

/// The identity providers that were asked for, by the addresses of their metadata.
#[derive(Default)]
pub struct IdentityProviders(Mutex<HashMap<String, Slot>>);

/// Whoever comes first fetches; others wait for that.
type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

struct Known {
    at: Timestamp,
    found: Result<Arc<IdentityProvider>, SignInFault>,
}

impl fmt::Debug for IdentityProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProviders").finish_non_exhaustive()
    }
}

impl IdentityProviders {
    /// The one whose metadata is at `url`, as it was less than ten minutes ago.
    ///
    /// # Errors
    /// [`SignInFault::Unreachable`] where it does not answer, [`SignInFault::Misconfigured`] where it answers something
    /// else; both are remembered for ten seconds.
    pub async fn described_at(
        &self,
        url: &str,
        outgoing: &Outgoing,
        now: Timestamp,
    ) -> Result<Arc<IdentityProvider>, SignInFault> {
        let slot = self.slot(url);
        let mut known = slot.lock().await;
        if let Some(known) = known.as_ref() {
            let age = if known.found.is_ok() { AGE } else { REST };
            if now < known.at.plus_seconds(age) {
                return known.found.clone();
            }
        }
        let found = fetched(url, outgoing).await.map(Arc::new);
        *known = Some(Known { at: now, found: found.clone() });
        found
    }

    fn slot(&self, url: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= REMEMBERED && !slots.contains_key(url) {
            slots.clear();
        }
        Arc::clone(slots.entry(url.to_owned()).or_default())
    }
}

async fn fetched(url: &str, outgoing: &Outgoing) -> Result<IdentityProvider, SignInFault> {
    let url = Url::parse(url)
        .map_err(|error| SignInFault::Misconfigured(format!("idp_metadata_url is no address: {error}")))?;
    let call = Call { method: Method::GET, url, headers: HeaderMap::new(), body: Vec::new() };
    let answer = outgoing.call(call).await.map_err(|error| SignInFault::called("metadata", &error))?;
    if !answer.status.is_success() {
        let status = answer.status.as_u16();
        return Err(SignInFault::Unreachable(format!("the metadata was answered with status {status}")));
    }
    let xml = String::from_utf8(answer.body)
        .map_err(|_| SignInFault::Misconfigured("the metadata is no text in UTF-8".into()))?;
    IdentityProvider::read(&xml)
}
