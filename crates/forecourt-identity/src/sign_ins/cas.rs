//! CAS 3.0 (and 2.0, where a server knows no other): people are sent to the server and come back with a ticket, which
//! the server tells us whose it is.
//!
//! Invariant: a ticket counts for the service that it was issued for, which the server checks; what it answers is read
//! without DTD and entities, and by the places where things stand, never by searching.

use forecourt_core::{
    external_sign_ins::{Claims, ExternalPerson},
    sign_in_options::configs::CasSignIn,
};
use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};
use url::Url;

use super::{SignInFault, word};
use crate::outgoing::{Answer, Call, Method, Outgoing, StatusCode, header::HeaderMap};

/// The longest ticket, in bytes (the protocol recommends to accept 256).
const TICKET: usize = 512;
/// How deep an answer may be nested.
const DEPTH: usize = 16;
/// The most text of one element, in bytes.
const TEXT: usize = 8_192;

/// Where an answer names the user.
const USER: [&str; 3] = ["serviceResponse", "authenticationSuccess", "user"];
/// Where an answer tells more of them.
const ATTRIBUTES: [&str; 3] = ["serviceResponse", "authenticationSuccess", "attributes"];
const EMAILS: [&str; 3] = ["email", "mail", "emailAddress"];
const FIRST_NAMES: [&str; 4] = ["first_name", "firstName", "givenName", "given_name"];
const LAST_NAMES: [&str; 5] = ["last_name", "lastName", "sn", "family_name", "surname"];
const NAMES: [&str; 4] = ["displayName", "display_name", "cn", "name"];

/// Where people sign in, and whereto they come back.
///
/// # Errors
/// [`SignInFault::Misconfigured`] where the server's address is none.
pub fn login_url(config: &CasSignIn, service: &str) -> Result<String, SignInFault> {
    let mut url = endpoint(config, "login")?;
    if config.send_service {
        url.query_pairs_mut().append_pair("service", service);
    }
    Ok(url.into())
}

/// Whose ticket this is, where the server issued it for `service`. A ticket is good for one call.
///
/// # Errors
/// [`SignInFault::Refused`] where the server does not know it, [`SignInFault::Unreachable`] where it does not answer.
pub async fn validate(
    config: &CasSignIn,
    outgoing: &Outgoing,
    service: &str,
    ticket: &str,
) -> Result<ExternalPerson, SignInFault> {
    if ticket.is_empty() || ticket.len() > TICKET || !ticket.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SignInFault::Refused("there is no ticket, or none that a CAS server issues".into()));
    }
    let mut answer = ask(config, outgoing, "p3/serviceValidate", service, ticket).await?;
    if answer.status == StatusCode::NOT_FOUND {
        // CAS 2.0, which has no attributes. Whoever does not know the path has not used up the ticket.
        answer = ask(config, outgoing, "serviceValidate", service, ticket).await?;
    }
    if answer.status != StatusCode::OK {
        let status = answer.status.as_u16();
        return Err(SignInFault::Unreachable(format!("the CAS server answered with status {status}")));
    }
    let claims = read(&answer.body).map_err(SignInFault::Refused)?;
    Ok(ExternalPerson::read(&claims)?)
}

async fn ask(
    config: &CasSignIn,
    outgoing: &Outgoing,
    path: &str,
    service: &str,
    ticket: &str,
) -> Result<Answer, SignInFault> {
    let mut url = endpoint(config, path)?;
    url.query_pairs_mut().append_pair("service", service).append_pair("ticket", ticket);
    let call = Call { method: Method::GET, url, headers: HeaderMap::new(), body: Vec::new() };
    outgoing.call(call).await.map_err(|error| SignInFault::called("validation of the ticket", &error))
}

fn endpoint(config: &CasSignIn, path: &str) -> Result<Url, SignInFault> {
    let url = format!("{}/{path}", config.url.trim_end_matches('/'));
    Url::parse(&url).map_err(|error| SignInFault::Misconfigured(format!("url is no address: {error}")))
}

/// What a server says of the ticket, or why it proves nobody.
fn read(body: &[u8]) -> Result<Claims, String> {
    let mut told = Told::default();
    let text = std::str::from_utf8(body).map_err(|_| "the answer is no text in UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    loop {
        let broken = |error: &dyn std::fmt::Display| format!("the answer is no XML: {error}");
        match reader.read_event().map_err(|error| broken(&error))? {
            Event::Start(element) => {
                let code = element.try_get_attribute("code").ok().flatten();
                let code = code.map(|code| String::from_utf8_lossy(&code.value).into_owned());
                told.begin(&String::from_utf8_lossy(element.local_name().as_ref()), code)?;
            }
            Event::Empty(element) => {
                told.begin(&String::from_utf8_lossy(element.local_name().as_ref()), None)?;
                told.end()?;
            }
            Event::End(_) => told.end()?,
            Event::Text(text) => told.add(&text.decode().map_err(|error| broken(&error))?)?,
            Event::CData(text) => told.add(&text.decode().map_err(|error| broken(&error))?)?,
            Event::GeneralRef(reference) => told.add(&resolved(&reference)?)?,
            Event::DocType(_) => return Err("the answer has a document type".into()),
            Event::Eof => return told.claims(),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, String> {
    let unknown = || "the answer has an entity that XML does not define".to_owned();
    if let Some(character) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(|_| unknown())?;
    resolve_predefined_entity(&name).map(str::to_owned).ok_or_else(unknown)
}

/// What was read so far, and where the reading stands.
#[derive(Default)]
struct Told {
    path: Vec<String>,
    text: String,
    user: Option<String>,
    attributes: Vec<(String, String)>,
    /// The code of a failure.
    failure: Option<String>,
}

impl Told {
    fn begin(&mut self, name: &str, code: Option<String>) -> Result<(), String> {
        if self.path.len() >= DEPTH {
            return Err(format!("the answer is nested deeper than {DEPTH} elements"));
        }
        if self.stands_at(&USER) {
            return Err("the answer has elements within the user".into());
        }
        self.path.push(name.to_owned());
        self.text.clear();
        if self.stands_at(&["serviceResponse", "authenticationFailure"]) {
            self.failure = Some(code.unwrap_or_default());
        }
        Ok(())
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        if self.text.len() + text.len() > TEXT {
            return Err(format!("the answer has a text longer than {TEXT} bytes"));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let text = std::mem::take(&mut self.text).trim().to_owned();
        if self.stands_at(&USER) {
            if self.user.replace(text).is_some() {
                return Err("the answer names two users".into());
            }
            self.path.pop();
            return Ok(());
        }
        let name = self.path.pop().unwrap_or_default();
        if self.stands_at(&ATTRIBUTES) {
            self.attributes.push((name, text));
        }
        Ok(())
    }

    fn stands_at(&self, path: &[&str]) -> bool {
        self.path.iter().map(String::as_str).eq(path.iter().copied())
    }

    fn claims(self) -> Result<Claims, String> {
        if let Some(code) = self.failure {
            return Err(format!("the CAS server does not accept the ticket: {}", word(&code)));
        }
        if !self.path.is_empty() {
            return Err("the answer ends before its last element".into());
        }
        let user = self.user.ok_or_else(|| "the answer names no user".to_owned())?;
        let told = |names: &[&str]| {
            let value = |name: &&str| self.attributes.iter().find(|(own, _)| own == name);
            names.iter().find_map(value).map(|(_, value)| value.clone())
        };
        Ok(Claims {
            subject: user.clone(),
            username: Some(user),
            email: told(&EMAILS),
            first_name: told(&FIRST_NAMES),
            last_name: told(&LAST_NAMES),
            name: told(&NAMES),
        })
    }
}

#[cfg(test)]
#[path = "../tests/cas.rs"]
mod tests;
