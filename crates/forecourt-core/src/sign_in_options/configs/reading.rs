//! Settings of sign-in options out of JSON, member by member.
//!
//! A member that is absent, or null, stays; a secret that is empty is removed. What is not known is ignored, so that
//! clients of other versions are not turned away.

use std::collections::BTreeMap;

use super::{BuiltInSignIn, CasSignIn, GivenConfig, LdapSignIn, OidcSignIn, SamlSignIn, SignInConfig};
use crate::{
    members::Members,
    secrets::KeptSecret,
    text::{self, Invalid},
};

/// The longest single-line setting, in characters.
const LINE: usize = 1_024;
/// The longest secret that is no key in PEM, in characters.
const SECRET: usize = 4_096;
/// The longest text in PEM, in characters.
const PEM: usize = 65_536;
/// How many scopes or attributes an option names at most.
const MOST: usize = 50;
/// For how long a directory may be waited for at most, in seconds.
const LONGEST_WAIT: i64 = 300;

/// Why a secret that is kept is asked for.
const AGAIN: &str = "must be given again: the one that is kept was given for another server or protection";

/// A check of a text: the field it is called, and the text.
type Check = fn(&str, &str) -> Result<String, Invalid>;

/// The members that a caller gave.
struct Given<'a> {
    members: Members<'a>,
    whole: bool,
}

impl SignInConfig {
    /// These settings with what `given` says. New secrets are clear in them.
    ///
    /// # Errors
    /// When a member breaks a rule, or one that the type needs is missing.
    pub(in crate::sign_in_options) fn changed(self, given: &GivenConfig) -> Result<Self, Invalid> {
        let members = Members::open(self.provider_type().config_member(), &given.members);
        let read = Given { members, whole: given.whole };
        let before = self.clone();
        let changed = match if given.whole { self.reset() } else { self } {
            Self::BuiltIn(config) => Self::BuiltIn(config.changed(&read)?),
            Self::Oidc(config) => Self::Oidc(config.changed(&read)?),
            Self::Saml(config) => Self::Saml(config.changed(&read)?),
            Self::Ldap(config) => Self::Ldap(config.changed(&read)?),
            Self::Cas(config) => Self::Cas(config.changed(&read)?),
        };
        match changed.told_elsewhere(&before) {
            Some(member) if !read.members.has(member) => Err(read.members.invalid(member, AGAIN)),
            _ => Ok(changed),
        }
    }

    /// The secret of `before` that would be told to another server now, or over a connection that is less protected: whoever
    /// may change where an option leads need not be somebody who may know it.
    fn told_elsewhere(&self, before: &Self) -> Option<&'static str> {
        match (self, before) {
            (Self::Oidc(new), Self::Oidc(old)) => {
                let moves = new.issuer != old.issuer || (old.ssl_verify && !new.ssl_verify);
                (moves && old.client_secret.is_some()).then_some("client_secret")
            }
            (Self::Ldap(new), Self::Ldap(old)) => {
                let moves =
                    (&new.host, new.port, &new.root_ca_cert) != (&old.host, old.port, &old.root_ca_cert);
                let weakens = (old.use_ssl && !new.use_ssl) || (old.ssl_verify && !new.ssl_verify);
                ((moves || weakens) && old.bind_password.is_some()).then_some("bind_password")
            }
            _ => None,
        }
    }
}

impl BuiltInSignIn {
    fn changed(mut self, given: &Given<'_>) -> Result<Self, Invalid> {
        given.flag("enable_self_registration", &mut self.enable_self_registration)?;
        given.flag("registration_auto_approval", &mut self.registration_auto_approval)?;
        given.flag("login_with_email", &mut self.login_with_email)?;
        Ok(self)
    }
}

impl OidcSignIn {
    fn changed(mut self, given: &Given<'_>) -> Result<Self, Invalid> {
        given.required("issuer", &mut self.issuer, text::web_address)?;
        given.required("client_id", &mut self.client_id, line)?;
        given.secret("client_secret", &mut self.client_secret, secret)?;
        if self.client_secret.is_none() {
            return Err(given.members.invalid("client_secret", "is required"));
        }
        match given.members.texts("request_scopes")? {
            Some(scopes) => self.request_scopes = given.scopes(scopes)?,
            None if given.whole => return Err(given.members.invalid("request_scopes", "is required")),
            None => {}
        }
        given.optional("root_url", &mut self.root_url, text::web_address)?;
        given.flag("ssl_verify", &mut self.ssl_verify)?;
        given.optional("logout_url", &mut self.logout_url, text::web_link)?;
        given.attributes(&mut self.attributes)?;
        Ok(self)
    }
}

impl SamlSignIn {
    fn changed(mut self, given: &Given<'_>) -> Result<Self, Invalid> {
        given.required("idp_metadata_url", &mut self.idp_metadata_url, text::web_link)?;
        given.required("sp_root_url", &mut self.sp_root_url, text::web_address)?;
        given.optional("entity_id", &mut self.entity_id, line)?;
        given.flag("sign_request", &mut self.sign_request)?;
        given.optional("certificate", &mut self.certificate, pem)?;
        given.secret("private_key", &mut self.private_key, private_key)?;
        given.attributes(&mut self.attributes)?;
        given.flag("logout_idp_session", &mut self.logout_idp_session)?;
        Ok(self)
    }
}

impl LdapSignIn {
    fn changed(mut self, given: &Given<'_>) -> Result<Self, Invalid> {
        given.required("host", &mut self.host, host)?;
        match given.members.text("port")? {
            Some(text) => self.port = given.port(&text)?,
            None if self.port == 0 => return Err(given.members.invalid("port", "is required")),
            None => {}
        }
        given.required("base_dn", &mut self.base_dn, line)?;
        given.required("bind_dn", &mut self.bind_dn, line)?;
        given.secret("bind_password", &mut self.bind_password, secret)?;
        given.required("identifier", &mut self.identifier, attribute_description)?;
        given.attributes(&mut self.attributes)?;
        let seconds = given.members.integer("timeout", 1..=LONGEST_WAIT)?;
        self.timeout = seconds.unwrap_or(self.timeout);
        given.flag("use_ssl", &mut self.use_ssl)?;
        given.flag("ssl_verify", &mut self.ssl_verify)?;
        given.optional("root_ca_cert", &mut self.root_ca_cert, pem)?;
        given.optional("client_cert", &mut self.client_cert, pem)?;
        given.secret("client_key", &mut self.client_key, private_key)?;
        Ok(self)
    }
}

impl CasSignIn {
    fn changed(mut self, given: &Given<'_>) -> Result<Self, Invalid> {
        given.required("url", &mut self.url, text::web_address)?;
        given.flag("send_service", &mut self.send_service)?;
        given.flag("ssl_verify", &mut self.ssl_verify)?;
        Ok(self)
    }
}

impl Given<'_> {
    fn flag(&self, member: &str, own: &mut bool) -> Result<(), Invalid> {
        *own = self.members.bool(member)?.unwrap_or(*own);
        Ok(())
    }

    /// A text that must not be missing afterwards.
    fn required(&self, member: &str, own: &mut String, check: Check) -> Result<(), Invalid> {
        self.optional(member, own, check)?;
        if own.is_empty() { Err(self.members.invalid(member, "is required")) } else { Ok(()) }
    }

    /// A text that may be empty: none.
    fn optional(&self, member: &str, own: &mut String, check: Check) -> Result<(), Invalid> {
        if let Some(text) = self.members.text(member)? {
            *own = match text.as_str() {
                "" => String::new(),
                text => check(&self.members.path_of(member), text)?,
            };
        }
        Ok(())
    }

    fn secret(&self, member: &str, own: &mut Option<KeptSecret>, check: Check) -> Result<(), Invalid> {
        let mut text = String::new();
        if self.members.has(member) {
            self.optional(member, &mut text, check)?;
            *own = (!text.is_empty()).then_some(KeptSecret::Clear(text));
        }
        Ok(())
    }

    /// Scope tokens of RFC 6749 §3.3.
    fn scopes(&self, scopes: Vec<String>) -> Result<Vec<String>, Invalid> {
        let is_token = |text: &String| {
            text.bytes().all(|b| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~')) && !text.is_empty()
        };
        if scopes.len() > MOST || !scopes.iter().all(|scope| scope.len() <= LINE && is_token(scope)) {
            let problem =
                format!("must be at most {MOST} scopes such as openid or email, each without white space");
            return Err(self.members.invalid("request_scopes", problem));
        }
        Ok(scopes)
    }

    fn port(&self, text: &str) -> Result<u16, Invalid> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let port = text.parse().ok().filter(|port| digits && *port > 0);
        port.ok_or_else(|| self.members.invalid("port", "must be a port as text, \"1\" to \"65535\""))
    }

    /// The names that a provider has for ours; an empty one is none.
    fn attributes(&self, own: &mut BTreeMap<String, String>) -> Result<(), Invalid> {
        let Some(given) = self.members.text_map("attributes")? else { return Ok(()) };
        let path = self.members.path_of("attributes");
        if given.len() > MOST {
            return Err(Invalid::new(path, format!("must be at most {MOST}")));
        }
        let mut attributes = BTreeMap::new();
        for (name, value) in given {
            let name = text::name(&path, &name, text::NAME)?;
            if !value.is_empty() {
                attributes.insert(name.clone(), line(&format!("{path}.{name}"), &value)?);
            }
        }
        *own = attributes;
        Ok(())
    }
}

fn line(field: &str, given: &str) -> Result<String, Invalid> {
    text::name(field, given, LINE)
}

fn secret(field: &str, given: &str) -> Result<String, Invalid> {
    text::free(field, given, SECRET)
}

fn pem(field: &str, given: &str) -> Result<String, Invalid> {
    if given.trim_start().starts_with("-----BEGIN CERTIFICATE-----") {
        return text::free(field, given, PEM);
    }
    Err(Invalid::new(field, "must be a certificate in PEM"))
}

fn private_key(field: &str, given: &str) -> Result<String, Invalid> {
    let given = given.trim_start();
    if given.starts_with("-----BEGIN ") && given.contains("PRIVATE KEY-----") {
        return text::free(field, given, PEM);
    }
    Err(Invalid::new(field, "must be a private key in PEM"))
}

/// A host name or an IP address, without a port.
fn host(field: &str, given: &str) -> Result<String, Invalid> {
    let parsed = url::Host::parse(given);
    // An IPv6 address stands without brackets here, since the port has a member of its own.
    let fits = parsed.is_ok() && !given.starts_with('[') || given.parse::<core::net::Ipv6Addr>().is_ok();
    if fits && given.len() <= 255 {
        return Ok(given.to_owned());
    }
    Err(Invalid::new(field, "must be a host name or an IP address, such as ldap.example.com"))
}

/// An attribute description of RFC 4512 §2.5, which goes into search filters unescaped.
fn attribute_description(field: &str, given: &str) -> Result<String, Invalid> {
    let fits = given.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b';'));
    if fits && given.len() <= 255 {
        return Ok(given.to_owned());
    }
    Err(Invalid::new(field, "must be the name of an attribute, such as uid"))
}
