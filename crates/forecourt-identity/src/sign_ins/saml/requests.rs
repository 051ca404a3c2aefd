//! Requests to sign somebody in (`AuthnRequest`, saml-core §3.4.1) by HTTP-Redirect (saml-bindings §3.4).
//!
//! They are written and signed here: risaml takes the time from the system, and signs only where the identity provider's
//! metadata asks for it. The signature covers the query as it is sent.

use std::io::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use forecourt_core::{random::Random, time::Timestamp};
use quick_xml::escape::escape;
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use url::form_urlencoded::byte_serialize;

use super::{IdentityProvider, ServiceProvider, SignInFault, instant};

const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const HTTP_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/// A request that somebody is to carry to the identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Where they are sent.
    pub url: String,
    /// What the response must say that it answers.
    pub request_id: String,
}

impl ServiceProvider {
    /// Asks `provider` to sign somebody in. `state`, at most 80 bytes, comes back with the response.
    ///
    /// # Errors
    /// [`SignInFault::Misconfigured`] where requests are to be signed and no key of ours can do that.
    pub fn begin(
        &self,
        provider: &IdentityProvider,
        state: &str,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<Begun, SignInFault> {
        let mut drawn = [0; 16];
        random.fill(&mut drawn);
        // An xs:ID begins with no digit.
        let request_id = format!("_{}", hex::encode(drawn));
        let xml = self.authn_request(&request_id, provider.sign_on_url.as_str(), now);
        let packed = deflated(&xml).map_err(|error| SignInFault::Misconfigured(error.to_string()))?;
        let mut query = format!("SAMLRequest={}&RelayState={}", encoded(&packed), encoded(state));
        if self.sign_request {
            query = format!("{query}&SigAlg={}", encoded(RSA_SHA256));
            let signature = STANDARD.encode(self.signature(query.as_bytes())?);
            query = format!("{query}&Signature={}", encoded(&signature));
        }
        let mut url = provider.sign_on_url.clone();
        let own = url.query().filter(|own| !own.is_empty()).map(|own| format!("{own}&{query}"));
        url.set_query(Some(&own.unwrap_or(query)));
        Ok(Begun { url: url.into(), request_id })
    }

    fn authn_request(&self, id: &str, destination: &str, now: Timestamp) -> String {
        let (issued, destination) = (instant(now), escape(destination));
        let (acs, issuer) = (escape(self.acs_url.as_str()), escape(self.entity_id.as_str()));
        format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" \
             IssueInstant=\"{issued}\" Destination=\"{destination}\" ProtocolBinding=\"{HTTP_POST}\" \
             AssertionConsumerServiceURL=\"{acs}\"><saml:Issuer>{issuer}</saml:Issuer>\
             <samlp:NameIDPolicy AllowCreate=\"true\"/></samlp:AuthnRequest>"
        )
    }

    /// RSA with SHA-256 over `query`, by ring, which takes the same time for every message.
    fn signature(&self, query: &[u8]) -> Result<Vec<u8>, SignInFault> {
        let misconfigured = |why: &str| SignInFault::Misconfigured(why.to_owned());
        let key = self.key.as_ref().ok_or_else(|| {
            misconfigured(
                "requests are to be signed, and no private_key is set: set one, or sign_request to false",
            )
        })?;
        let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes()).ok();
        let key = key.and_then(|der| any_supported_type(&der).ok());
        let signer = key.and_then(|key| key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]));
        let signer = signer.ok_or_else(|| {
            misconfigured("private_key must be an unencrypted RSA key of 2048 to 4096 bits to sign requests")
        })?;
        signer.sign(query).map_err(|_| misconfigured("private_key cannot sign a request"))
    }
}

/// DEFLATE without a header, in base64 (saml-bindings §3.4.4.1).
fn deflated(xml: &str) -> io::Result<String> {
    let mut packing = DeflateEncoder::new(Vec::new(), Compression::default());
    packing.write_all(xml.as_bytes())?;
    Ok(STANDARD.encode(packing.finish()?))
}

fn encoded(value: &str) -> String {
    byte_serialize(value.as_bytes()).collect()
}
