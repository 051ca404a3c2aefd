//! ID tokens (OpenID Connect Core 1.0 §3.1.3.7).

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use forecourt_core::time::Timestamp;
use openidconnect::{
    ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError,
    core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm},
};
use serde_json::{Map, Value};

use crate::sign_ins::SignInFault;

/// By how many seconds the issuer's clock and ours may differ.
const SKEW: i64 = 60;
/// The longest token.
const LONGEST: usize = 64 * 1024;

/// Those of public keys: with any other, who holds the client's secret, or nothing at all, could sign.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The claims of `token`, once it is known to be what `issuer`, whose keys are `keys` (JSON), says to `client_id` in the
/// sign-in with `nonce`.
pub(super) fn verified(
    token: &str,
    keys: &[u8],
    issuer: &str,
    client_id: &str,
    nonce: &str,
    now: Timestamp,
) -> Result<Map<String, Value>, SignInFault> {
    if token.is_empty() || token.len() > LONGEST {
        return Err(refused("the provider sent no ID token, or one that is too long"));
    }
    let misconfigured = |why: &str| SignInFault::Misconfigured(why.to_owned());
    let keys: CoreJsonWebKeySet =
        serde_json::from_slice(keys).map_err(|_| misconfigured("the issuer's keys are no JWK set"))?;
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| misconfigured("the issuer is no address"))?;
    let parsed =
        CoreIdToken::from_str(token).map_err(|_| refused("the ID token is not what the standard says"))?;
    let moment = |seconds: i64| DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
    let (past, future) = (moment(now.seconds() - SKEW), moment(now.seconds() + SKEW));
    // As for a client without a secret: tokens that are signed with one are refused then, whatever they say.
    let verifier = CoreIdTokenVerifier::new_public_client(ClientId::new(client_id.to_owned()), issuer, keys)
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || past)
        .set_issue_time_verifier_fn(move |issued| match issued <= future {
            true => Ok(()),
            false => Err("it was issued in the future".to_owned()),
        });
    let claims = parsed
        .claims(&verifier, &Nonce::new(nonce.to_owned()))
        .map_err(|error| refused(&format!("the ID token proves nothing: {}", flaw(&error))))?;
    if claims.authorized_party().is_some_and(|party| party.as_str() != client_id) {
        return Err(refused("the ID token was made for another client"));
    }
    // Read again as it was signed: mapped claims may have any name and any form.
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    serde_json::from_slice(&payload).map_err(|_| refused("the ID token holds no claims"))
}

fn refused(why: &str) -> SignInFault {
    SignInFault::Refused(why.to_owned())
}

/// What is wrong with a token, without what it says.
const fn flaw(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "it is over",
        ClaimsVerificationError::InvalidAudience(_) => "it is for another client",
        ClaimsVerificationError::InvalidIssuer(_) => "it is of another issuer",
        ClaimsVerificationError::InvalidNonce(_) => "it is of another sign-in",
        ClaimsVerificationError::SignatureVerification(error) => match error {
            SignatureVerificationError::DisallowedAlg(_) | SignatureVerificationError::UnsupportedAlg(_) => {
                "its algorithm is not one of public keys"
            }
            SignatureVerificationError::NoMatchingKey => "the issuer has no key that it names",
            SignatureVerificationError::NoSignature => "it is not signed",
            _ => "its signature is wrong",
        },
        _ => "it breaks a rule of the standard",
    }
}
