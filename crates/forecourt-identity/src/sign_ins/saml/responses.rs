//! Responses of identity providers (saml-core §3.3.3, saml-profiles §4.1.4): who they say that somebody is.
//!
//! risaml checks the signature by the certificates of the metadata, that what is read is what was signed, issuer,
//! status, audience, recipient, request and time, and refuses documents with a DTD. Here algorithms are refused that
//! prove nothing any more, and names that mean somebody else next time.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_core::{
    external_sign_ins::{Claims, ExternalPerson},
    time::Timestamp,
};
use quick_xml::{Reader, events::Event};
use risaml::{
    AcsEndpoint, BrowserInput, ClockSkew, FormField, MessageId, NameIdFormat, PendingAuthnRequest,
    RelayStateParam, ReplayCache, ReplayKey, ReplayPolicy, SamlError, SamlInstant, SamlValidationContext,
    SsoResponse, SsoResponseBinding, SsoSession,
};

use super::{IdentityProvider, ServiceProvider, SignInFault, instant, name_ids, shown};

/// How far the identity provider's clock may be from ours, in milliseconds.
const SKEW: i64 = 60_000;

/// The algorithms that a signature may have (xmldsig-core1 §6.4, RFC 9231), without those on SHA-1 and shared keys.
const SIGNATURES: [&[u8]; 9] = [
    b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
    b"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
    b"http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1",
    b"http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1",
];
/// The digests that what is signed may have.
const DIGESTS: [&[u8]; 3] = [
    b"http://www.w3.org/2001/04/xmlenc#sha256",
    b"http://www.w3.org/2001/04/xmldsig-more#sha384",
    b"http://www.w3.org/2001/04/xmlenc#sha512",
];

/// What attributes are called where an option does not say: plainly, by object identifier (as Shibboleth does), and as
/// a claim (as AD FS and Entra ID do).
const USERNAMES: [&str; 3] = ["username", "uid", "urn:oid:0.9.2342.19200300.100.1.1"];
const EMAILS: [&str; 4] = [
    "email",
    "mail",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
];
const FIRST_NAMES: [&str; 4] = [
    "first_name",
    "givenName",
    "urn:oid:2.5.4.42",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
];
const LAST_NAMES: [&str; 4] =
    ["last_name", "sn", "urn:oid:2.5.4.4", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"];
const NAMES: [&str; 4] = [
    "name",
    "displayName",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
];

impl ServiceProvider {
    /// Whom `response`, the member `SAMLResponse` of the form, speaks of: the answer of `provider` to the request with
    /// this id that was sent with this state.
    ///
    /// The caller has taken the request from where it was kept, so that it is answered once.
    ///
    /// # Errors
    /// [`SignInFault::Refused`] where it proves nobody.
    pub fn finish(
        &self,
        provider: &IdentityProvider,
        request_id: &str,
        state: &str,
        response: &str,
        now: Timestamp,
    ) -> Result<ExternalPerson, SignInFault> {
        refuse_weak_algorithms(response)?;
        let session = self.session(provider, request_id, state, response, now);
        let session = session.map_err(|error| SignInFault::Refused(shown(&error)))?;
        Ok(ExternalPerson::read(&self.claims(&session)?)?)
    }

    fn session(
        &self,
        provider: &IdentityProvider,
        request_id: &str,
        state: &str,
        response: &str,
        now: Timestamp,
    ) -> Result<SsoSession, SamlError> {
        let relay_state = RelayStateParam::try_from_option(Some(state))?;
        let pending = PendingAuthnRequest::try_new(
            MessageId::try_new(request_id)?,
            relay_state,
            AcsEndpoint::post(self.acs_url.as_str())?,
            SsoResponseBinding::Post,
            provider.descriptor.entity_id().clone(),
        )?
        .with_issue_instant(SamlInstant::try_new(instant(now))?)
        // The caller has seen to the real one; risaml wants one that lies ahead.
        .with_expiration(SamlInstant::try_new(instant(now.plus_seconds(60)))?);
        let fields = vec![FormField::new("SAMLResponse", response), FormField::new("RelayState", state)];
        let mut answered = AnsweredOnce;
        let context = SamlValidationContext::new(system_time(now), ReplayPolicy::RequireCache(&mut answered))
            .with_clock_skew(ClockSkew::from_millis(-SKEW, SKEW))
            .with_replay_retention(Duration::from_secs(60));
        let input = BrowserInput::<SsoResponse>::post(fields);
        self.facade(false)?.finish_sso(&provider.descriptor, &pending, input, context)
    }

    fn claims(&self, session: &SsoSession) -> Result<Claims, SignInFault> {
        let name_id = session.name_id();
        if name_id.format() == Some(&NameIdFormat::Transient) {
            let why = "the NameID is transient, so that everybody would be somebody new each time: \
                       let the identity provider send a persistent one";
            return Err(SignInFault::Refused(why.into()));
        }
        let unreadable =
            || SignInFault::Refused("the NameID is empty, has control characters, or cannot be read".into());
        let subject = name_ids::subject(session).ok_or_else(unreadable)?;
        let told = |member: &str, usual: &[&str]| {
            let own = self.attributes.get(member).map(String::as_str);
            let names = own.as_ref().map_or(usual, std::slice::from_ref);
            let found = names.iter().find_map(|name| session.attributes().get(name));
            found.and_then(|attribute| attribute.values().first()).map(|value| value.as_str().to_owned())
        };
        let named_as = |format: NameIdFormat| {
            Some(name_id.value().to_owned()).filter(|_| name_id.format() == Some(&format))
        };
        let plain = || match name_id.format() {
            None => Some(name_id.value().to_owned()),
            Some(_) => named_as(NameIdFormat::Unspecified),
        };
        // An option that maps the whole name means that one, and not the parts that happen to be told as well.
        let (maps_name, none): (bool, &[&str]) = (self.attributes.contains_key("name"), &[]);
        let usual = |names: &'static [&'static str]| if maps_name { none } else { names };
        Ok(Claims {
            subject,
            username: told("username", &USERNAMES).or_else(plain),
            email: told("email", &EMAILS).or_else(|| named_as(NameIdFormat::EmailAddress)),
            first_name: told("first_name", usual(&FIRST_NAMES)),
            last_name: told("last_name", usual(&LAST_NAMES)),
            name: told("name", &NAMES),
        })
    }
}

/// Remembers nothing: a response counts for the one request that it names, and that request was taken from the store
/// before the response is looked at.
struct AnsweredOnce;

impl ReplayCache for AnsweredOnce {
    fn check_and_store(&mut self, _: ReplayKey, _: SystemTime) -> Result<(), SamlError> {
        Ok(())
    }
}

/// Refuses what is signed, or digested, in a way that others can copy.
fn refuse_weak_algorithms(response: &str) -> Result<(), SignInFault> {
    let refused = |why: &str| SignInFault::Refused(why.to_owned());
    let packed: String = response.split_ascii_whitespace().collect();
    let xml = STANDARD.decode(packed).map_err(|_| refused("the response is no base64"))?;
    let xml = String::from_utf8(xml).map_err(|_| refused("the response is no text in UTF-8"))?;
    let mut reader = Reader::from_str(&xml);
    loop {
        let element = match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => element,
            Ok(Event::Eof) => return Ok(()),
            Ok(Event::DocType(_)) => return Err(refused("the response has a document type")),
            Ok(_) => continue,
            Err(_) => return Err(refused("the response is no XML")),
        };
        let allowed: &[&[u8]] = match element.local_name().as_ref() {
            b"SignatureMethod" => &SIGNATURES,
            b"DigestMethod" => &DIGESTS,
            _ => continue,
        };
        let algorithm = element.try_get_attribute("Algorithm").ok().flatten();
        if !algorithm.is_some_and(|algorithm| allowed.contains(&algorithm.value.as_ref())) {
            return Err(refused(
                "the response is signed with an algorithm that is not accepted, such as SHA-1",
            ));
        }
    }
}

fn system_time(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.micros()).unwrap_or_default())
}
