//! LDAP (RFC 4511): somebody is looked for by the name that they typed, and is them if the directory takes the password
//! for the entry that was found.
//!
//! Invariant: an empty password proves nothing and is never sent, since a directory may take it for an anonymous bind
//! (RFC 4513 §5.1.2). What was typed goes into a filter escaped, and exactly one entry must answer; referrals are not
//! followed. Where none or several do, the directory is asked for the password of an entry that it does not have, so
//! that the number of its answers does not tell which names it knows.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use forecourt_core::{
    external_sign_ins::{Claims, ExternalPerson},
    secrets::PlainSecret,
    sign_in_options::configs::LdapSignIn,
};
use ldap3::{
    DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry,
    SearchOptions, StdStream, ldap_escape,
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use url::Url;

use super::SignInFault;
use crate::{
    outgoing::Outgoing,
    trust::{self, OwnCertificate, Trust},
};

/// What names an entry for ever, also when it is renamed or moved: of OpenLDAP and others (RFC 4530), of Active
/// Directory, of FreeIPA, of 389 Directory Server.
const UNIQUE: [&str; 4] = ["entryUUID", "objectGUID", "ipaUniqueID", "nsUniqueId"];

/// The name, below the base, of an entry that no directory has. What a bind as it is answered means nothing.
const NOBODY: &str = "cn=whom the forecourt did not find";

/// A directory, with its secrets opened.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The settings.
    pub settings: LdapSignIn,
    /// The password of `bind_dn`; `None`: people are looked for anonymously.
    pub bind_password: Option<PlainSecret>,
    /// The key of the certificate that we show.
    pub client_key: Option<PlainSecret>,
}

/// What came of asking a directory.
#[derive(Debug)]
pub struct Asked {
    /// Whom it knows by the name and password. An unknown name and a wrong password are both refused.
    pub person: Result<ExternalPerson, SignInFault>,
    /// Whether the password may have reached it: then the directory has judged it, whatever we heard of that.
    pub password_sent: bool,
}

impl Directory {
    /// Asks whom the directory knows by this name and password.
    ///
    /// Asking ends by the timeout of the settings at the latest, but goes on where nobody waits for it any more; it has
    /// `place` until then, so that whoever gives places out bounds how much of this there is.
    pub async fn sign_in(
        &self,
        outgoing: &Outgoing,
        username: &str,
        password: &PlainSecret,
        place: OwnedSemaphorePermit,
    ) -> Asked {
        if username.trim().is_empty() || password.reveal().is_empty() {
            let refused = SignInFault::Refused("an empty name or password proves nothing".into());
            return Asked { person: Err(refused), password_sent: false };
        }
        let (directory, outgoing) = (self.clone(), outgoing.clone());
        let (username, password) = (username.to_owned(), password.clone());
        let wait = Duration::from_secs(self.settings.timeout.unsigned_abs().max(1));
        // A task of its own: the library gives up on an answer that is no LDAP by a panic, which ends the task alone.
        let sent = Arc::new(AtomicBool::new(false));
        let sending = Arc::clone(&sent);
        let asked = tokio::spawn(async move {
            let asked = timeout(wait, directory.ask(&outgoing, &username, &password, &sending)).await;
            drop(place);
            asked.unwrap_or_else(|_| {
                Err(SignInFault::Unreachable(format!("no whole answer within {} s", wait.as_secs())))
            })
        });
        let person = asked.await;
        let person =
            person.unwrap_or_else(|_| Err(SignInFault::Misconfigured("its answers are no LDAP".into())));
        Asked { person, password_sent: sent.load(Ordering::SeqCst) }
    }

    async fn ask(
        &self,
        outgoing: &Outgoing,
        username: &str,
        password: &PlainSecret,
        sending: &AtomicBool,
    ) -> Result<ExternalPerson, SignInFault> {
        let mut ldap = self.connect(outgoing).await?;
        self.bind_for_search(&mut ldap).await?;
        let found = self.find(&mut ldap, username).await?;
        let dn = match &found {
            Ok(entry) if entry.dn.is_empty() => {
                return Err(SignInFault::Misconfigured("the entry that was found has no name".into()));
            }
            Ok(entry) => entry.dn.clone(),
            Err(_) => format!("{NOBODY},{}", self.settings.base_dn),
        };
        sending.store(true, Ordering::SeqCst);
        let bound = ldap.simple_bind(&dn, password.reveal()).await.map_err(|error| lost(&error))?;
        drop(ldap.unbind().await);
        match (bound.rc, found) {
            // Busy, unavailable, or some other fault of its own.
            (51 | 52 | 80, _) => Err(SignInFault::Unreachable(answered("the sign-in", &bound))),
            (_, Err(nobody)) => Err(SignInFault::Refused(nobody)),
            (0, Ok(entry)) => Ok(ExternalPerson::read(&self.claims(&entry))?),
            (_, Ok(_)) => Err(SignInFault::Refused(answered("the sign-in", &bound))),
        }
    }

    async fn connect(&self, outgoing: &Outgoing) -> Result<Ldap, SignInFault> {
        let LdapSignIn { host, port, use_ssl, .. } = &self.settings;
        let stream = outgoing.connect(host, *port).await;
        let stream = stream.map_err(|error| SignInFault::called("the directory", &error))?;
        let stream = stream.into_std().map_err(|error| SignInFault::Unreachable(error.to_string()))?;
        let mut settings = LdapConnSettings::new().set_std_stream(StdStream::Tcp(stream));
        if *use_ssl {
            settings = settings.set_config(Arc::new(self.tls().await?));
        }
        let named = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let scheme = if *use_ssl { "ldaps" } else { "ldap" };
        let url = Url::parse(&format!("{scheme}://{named}:{port}"))
            .map_err(|_| SignInFault::Misconfigured("the host is none that can be called".into()))?;
        let (connection, ldap) =
            LdapConnAsync::from_url_with_settings(settings, &url).await.map_err(|error| lost(&error))?;
        // Ends when the last handle is dropped, or the connection breaks; whoever waits for an answer hears of both.
        tokio::spawn(async move { connection.drive().await.ok() });
        Ok(ldap)
    }

    async fn tls(&self) -> Result<rustls::ClientConfig, SignInFault> {
        let LdapSignIn { ssl_verify, root_ca_cert, client_cert, .. } = &self.settings;
        let trust = match (*ssl_verify, root_ca_cert.as_str()) {
            (false, _) => Trust::Everybody,
            (true, "") => Trust::Platform,
            (true, pem) => Trust::Authorities(pem.to_owned()),
        };
        let own = match (client_cert.as_str(), &self.client_key) {
            ("", _) => None,
            (_, None) => {
                return Err(SignInFault::Misconfigured("client_cert needs its client_key".into()));
            }
            (chain, Some(key)) => Some(OwnCertificate { chain: chain.to_owned(), key: key.clone() }),
        };
        let read = tokio::task::spawn_blocking(move || trust::client_config(&trust, own.as_ref())).await;
        read.map_err(|_| trust::INTERRUPTED.to_owned()).flatten().map_err(SignInFault::Misconfigured)
    }

    async fn bind_for_search(&self, ldap: &mut Ldap) -> Result<(), SignInFault> {
        let (dn, password) = match &self.bind_password {
            Some(password) => (self.settings.bind_dn.as_str(), password.reveal()),
            None => ("", ""),
        };
        let bound = ldap.simple_bind(dn, password).await.map_err(|error| lost(&error))?;
        match bound.rc {
            0 => Ok(()),
            51 | 52 | 80 => Err(SignInFault::Unreachable(answered("the bind as bind_dn", &bound))),
            _ => Err(SignInFault::Misconfigured(answered("the bind as bind_dn", &bound))),
        }
    }

    /// The one entry whose identifier is `username`, or why there is none.
    async fn find(
        &self,
        ldap: &mut Ldap,
        username: &str,
    ) -> Result<Result<SearchEntry, String>, SignInFault> {
        let LdapSignIn { base_dn, identifier, timeout, .. } = &self.settings;
        let filter = format!("({identifier}={})", ldap_escape(username));
        let seconds = i32::try_from(*timeout).unwrap_or(i32::MAX);
        let options = SearchOptions::new().deref(DerefAliases::Never).sizelimit(2).timelimit(seconds);
        let mut stream = ldap
            .with_search_options(options)
            .streaming_search(base_dn, Scope::Subtree, &filter, self.attributes())
            .await
            .map_err(|error| lost(&error))?;
        let (mut found, mut several) = (None, false);
        // To its end: a bind must not come while the search runs (RFC 4513 §4.2.1).
        while let Some(entry) = stream.next().await.map_err(|error| lost(&error))? {
            if !entry.is_ref() && !entry.is_intermediate() {
                several |= found.replace(SearchEntry::construct(entry)).is_some();
            }
        }
        let done = stream.finish().await;
        match (done.rc, found) {
            (0, Some(entry)) if !several => Ok(Ok(entry)),
            // No such object below the base: the base itself may be hidden from bind_dn.
            (0 | 32, None) => Ok(Err("nobody is known by this name".into())),
            (0 | 4, _) => Ok(Err(format!("several entries have this {identifier}"))),
            (3 | 51 | 52 | 80, _) => Err(SignInFault::Unreachable(answered("the search", &done))),
            _ => Err(SignInFault::Misconfigured(answered("the search", &done))),
        }
    }

    fn attribute<'a>(&'a self, own: &str, usual: &'a str) -> &'a str {
        self.settings.attributes.get(own).map_or(usual, String::as_str)
    }

    /// The attributes that are asked for.
    fn attributes(&self) -> Vec<&str> {
        let identifier = self.settings.identifier.as_str();
        let mut names = vec![
            self.attribute("username", identifier),
            self.attribute("email", "mail"),
            self.attribute("name", "displayName"),
            "givenName",
            "sn",
            "cn",
        ];
        names.extend(UNIQUE);
        names
    }

    fn claims(&self, entry: &SearchEntry) -> Claims {
        let first = |name: &str| value(&entry.attrs, name).and_then(|values| values.first()).cloned();
        let mapped = self.settings.attributes.contains_key("name");
        let (first_name, last_name) = if mapped { (None, None) } else { (first("givenName"), first("sn")) };
        Claims {
            subject: subject(entry),
            username: first(self.attribute("username", &self.settings.identifier)),
            email: first(self.attribute("email", "mail")),
            first_name,
            last_name,
            name: first(self.attribute("name", "displayName")).or_else(|| first("cn")),
        }
    }
}

/// What the directory knows somebody by: what names the entry for ever, else its name.
fn subject(entry: &SearchEntry) -> String {
    for name in UNIQUE {
        let binary = value(&entry.bin_attrs, name).and_then(|values| values.first()).map(Vec::as_slice);
        let text = || value(&entry.attrs, name).and_then(|values| values.first()).map(String::as_bytes);
        let Some(bytes) = binary.or_else(text).filter(|bytes| !bytes.is_empty()) else { continue };
        let is_plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        // 16 arbitrary bytes may happen to be letters: what Active Directory gives is never taken for text.
        if is_plain && name != "objectGUID" {
            return format!("{name}={}", String::from_utf8_lossy(bytes).to_ascii_lowercase());
        }
        return format!("{name}={}", hex::encode(bytes));
    }
    format!("dn={}", entry.dn.to_lowercase())
}

/// The values of an attribute; letter case does not count in its name.
fn value<'a, T>(attributes: &'a HashMap<String, Vec<T>>, name: &str) -> Option<&'a Vec<T>> {
    attributes.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, values)| values)
}

fn lost(error: &LdapError) -> SignInFault {
    let why = match error {
        LdapError::Io { source } => format!("the connection broke: {source}"),
        // What else the library says may quote a name.
        LdapError::Timeout { .. } => "no answer in time".to_owned(),
        _ => "the connection ended without an answer, or its answer is no LDAP".to_owned(),
    };
    SignInFault::Unreachable(why)
}

/// The result code; the directory's own words may quote anything.
fn answered(what: &str, result: &LdapResult) -> String {
    format!("{what}: the directory answered with result code {}", result.rc)
}

#[cfg(test)]
mod tests;
