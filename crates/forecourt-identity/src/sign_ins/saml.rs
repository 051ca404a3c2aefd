//! SAML 2.0, profile Web Browser SSO, as a service provider: requests go by HTTP-Redirect, responses come by HTTP-POST.
//!
//! Invariant: risaml is named in this file and its folder alone ([ADR 20](../../../../docs/adr/0020-saml-by-risaml.md)).
//! Nobody is known by a response that no certificate of the identity provider's metadata signed, or that answers
//! another request than the one it is held against. That a request is answered once is for callers to see to.

mod identity_providers;
mod name_ids;
mod requests;
mod responses;

use std::{collections::BTreeMap, fmt};

use forecourt_core::{secrets::PlainSecret, sign_in_options::configs::SamlSignIn, time::Timestamp};
use risaml::{
    AcsEndpoint, AssertionSignaturePolicy, AuthnRequestSigningPolicy, CertificatePem, Credentials, EntityId,
    PrivateKeyPem, Saml, SamlError, Sp, SpConfig, SpValidationPolicy,
};

pub use identity_providers::{IdentityProvider, IdentityProviders};
pub use requests::Begun;

use super::SignInFault;

/// We, as the identity provider of one option knows us.
pub struct ServiceProvider {
    entity_id: String,
    acs_url: String,
    /// PEM; empty: none.
    certificate: String,
    key: Option<PlainSecret>,
    sign_request: bool,
    attributes: BTreeMap<String, String>,
}

impl fmt::Debug for ServiceProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceProvider").field("entity_id", &self.entity_id).finish_non_exhaustive()
    }
}

impl ServiceProvider {
    /// What `config` says, with the address that responses come to, that of our metadata, and the private key in clear.
    pub fn new(config: &SamlSignIn, acs_url: &str, metadata_url: &str, key: Option<PlainSecret>) -> Self {
        let own = Some(config.entity_id.as_str()).filter(|name| !name.is_empty());
        Self {
            entity_id: own.unwrap_or(metadata_url).to_owned(),
            acs_url: acs_url.to_owned(),
            certificate: config.certificate.clone(),
            key,
            sign_request: config.sign_request,
            attributes: config.attributes.clone(),
        }
    }

    /// What we tell identity providers about ourselves, as XML.
    ///
    /// # Errors
    /// [`SignInFault::Misconfigured`] where the settings make no metadata.
    pub fn metadata(&self) -> Result<String, SignInFault> {
        let signs = self.sign_request && self.key.is_some() && !self.certificate.is_empty();
        let facade = self.facade(signs).map_err(|error| SignInFault::Misconfigured(shown(&error)))?;
        Ok(facade.metadata_xml().to_owned())
    }

    /// Ourselves as risaml takes us. `signs` concerns what our metadata tells alone: requests are signed by `requests`,
    /// since risaml would refuse identity providers whose metadata do not ask for that.
    fn facade(&self, signs: bool) -> Result<Saml<Sp>, SamlError> {
        let authn_requests = match signs {
            true => AuthnRequestSigningPolicy::Sign,
            false => AuthnRequestSigningPolicy::DoNotSignForCompatibility,
        };
        let mut credentials = Credentials::default();
        if signs {
            credentials.signing_key = self.key.as_ref().map(|key| PrivateKeyPem::new(key.reveal()));
            credentials.signing_certificate = Some(CertificatePem::new(self.certificate.as_str()));
        }
        let validation = SpValidationPolicy {
            // Not "unsigned assertions": a signature of the whole response does as well. One of both is required.
            assertions: AssertionSignaturePolicy::AllowUnsignedForCompatibility,
            authn_requests,
            ..SpValidationPolicy::strict()
        };
        let config = SpConfig::builder(EntityId::try_new(self.entity_id.as_str())?)
            .acs_endpoint(AcsEndpoint::post(self.acs_url.as_str())?)
            .credentials(credentials)
            .validation(validation)
            .build()?;
        Saml::sp(config)
    }
}

/// A time as SAML writes it, in whole seconds.
fn instant(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.seconds()).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// An error in words for operators. It may quote what the other side sent: what that could do to a line is taken out.
fn shown(error: &SamlError) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
#[path = "../tests/saml.rs"]
mod tests;
