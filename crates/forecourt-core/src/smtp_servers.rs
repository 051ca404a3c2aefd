//! The SMTP server: through what mail is sent, once that is enabled.
//!
//! Invariant: an enabled one has an address and a sender. Its password leaves in no answer; one that is not named stays,
//! and an empty one is removed. No server is told a password that was given for another: whoever names another address
//! gives the password again.

use serde::{Deserialize, Serialize};

use crate::{
    persons,
    secrets::{KeptSecret, PlainSecret},
    text::{self, Invalid},
};

named! {
    /// How the connection is protected.
    pub enum SmtpSecurity {
        /// It is not.
        None = "none",
        /// By STARTTLS, without which nothing is sent.
        StartTls = "starttls",
        /// By TLS from the first byte on.
        Tls = "tls",
    }
}

impl SmtpSecurity {
    /// The more, the better it is protected.
    const fn strength(self) -> u8 {
        match self {
            Self::None => 0,
            Self::StartTls => 1,
            Self::Tls => 2,
        }
    }
}

/// The port of SMTP (RFC 5321 §4.5.4.2).
const PORT: u16 = 25;
/// The port of SMTP over TLS (RFC 8314 §7.3).
const TLS_PORT: u16 = 465;
/// The longest user name, in characters.
const USERNAME: usize = 320;
/// The longest password, in characters.
const PASSWORD: usize = 4_096;

/// Through what mail is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpServer {
    /// Whether mail is sent.
    pub enable: bool,
    /// Host, or host and port; empty: none.
    pub address: String,
    /// Empty: nobody signs in.
    pub username: String,
    /// The password of `username`.
    pub password: Option<KeptSecret>,
    /// What senders are called; empty: by their address alone.
    pub sender_name: String,
    /// Whom mail is from; empty: nobody.
    pub sender_address: String,
    /// How the connection is protected.
    pub security: SmtpSecurity,
}

/// What an update gives; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct SmtpServerInput {
    /// Whether mail is sent.
    pub enable: Option<bool>,
    /// Host, or host and port.
    pub address: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Password; empty: none.
    pub password: Option<PlainSecret>,
    /// What senders are called.
    pub sender_name: Option<String>,
    /// Whom mail is from.
    pub sender_address: Option<String>,
    /// How the connection is protected.
    pub security: Option<SmtpSecurity>,
}

impl Default for SmtpServer {
    fn default() -> Self {
        Self {
            enable: false,
            address: String::new(),
            username: String::new(),
            password: None,
            sender_name: String::new(),
            sender_address: String::new(),
            security: SmtpSecurity::None,
        }
    }
}

impl SmtpServer {
    /// This server with what `input` gives. A new password is clear in it.
    ///
    /// # Errors
    /// When a member breaks a rule, it would be enabled without an address or a sender, or the password that is kept would
    /// go to another server, or less protected.
    pub fn changed(self, input: SmtpServerInput) -> Result<Self, Invalid> {
        let keeps = self.password.is_some() && input.password.is_none();
        let strength = self.security.strength();
        let server = self.given(input)?;
        if keeps && server.security.strength() < strength { Err(again()) } else { Ok(server) }
    }

    fn given(mut self, input: SmtpServerInput) -> Result<Self, Invalid> {
        let keeps = self.password.is_some() && input.password.is_none();
        let moves = input.address.as_ref().is_some_and(|given| !given.is_empty() && *given != self.address);
        self.enable = input.enable.unwrap_or(self.enable);
        self.security = input.security.unwrap_or(self.security);
        if let Some(address) = input.address {
            self.address = address;
        }
        if !self.address.is_empty() {
            host_and_port(&self.address, self.security)?;
        }
        if let Some(username) = input.username {
            self.username = or_none("username", &username, |field, text| text::name(field, text, USERNAME))?;
        }
        if let Some(password) = input.password {
            let text = text::free("password", password.reveal(), PASSWORD)?;
            self.password = (!text.is_empty()).then_some(KeptSecret::Clear(text));
        }
        if let Some(name) = input.sender_name {
            self.sender_name =
                or_none("sender_name", &name, |field, text| text::name(field, text, text::NAME))?;
        }
        if let Some(address) = input.sender_address {
            self.sender_address = or_none("sender_address", &address, persons::email)?;
        }
        let needed = [("address", &self.address), ("sender_address", &self.sender_address)];
        let missing = needed.into_iter().find(|(_, text)| self.enable && text.is_empty());
        match missing.map(|(member, _)| member) {
            Some(member) => Err(Invalid::new(member, "is required to enable the SMTP server")),
            None if keeps && moves => Err(again()),
            None => Ok(self),
        }
    }

    /// This server with what `input` gives, complete as if it were enabled, to be tried out at once.
    ///
    /// # Errors
    /// As [`SmtpServer::changed`], and when the password that is kept would go out under another user name, or less
    /// protected.
    pub fn to_try(self, input: SmtpServerInput) -> Result<Self, Invalid> {
        let keeps = self.password.is_some() && input.password.is_none();
        let (username, security) = (self.username.clone(), self.security);
        let server = self.given(SmtpServerInput { enable: Some(true), ..input })?;
        let differs = server.username != username || server.security.strength() < security.strength();
        if keeps && differs && !server.username.is_empty() { Err(again()) } else { Ok(server) }
    }

    /// Host and port to connect to.
    ///
    /// # Errors
    /// When there is no address.
    pub fn host_and_port(&self) -> Result<(String, u16), Invalid> {
        host_and_port(&self.address, self.security)
    }
}

fn again() -> Invalid {
    Invalid::new(
        "password",
        "must be given again: the one that is kept was given for another server, user name or protection",
    )
}

fn or_none(
    field: &str,
    text: &str,
    check: impl Fn(&str, &str) -> Result<String, Invalid>,
) -> Result<String, Invalid> {
    if text.is_empty() { Ok(String::new()) } else { check(field, text) }
}

/// An IPv6 address stands in brackets, as in URLs.
fn host_and_port(address: &str, security: SmtpSecurity) -> Result<(String, u16), Invalid> {
    let wrong = || {
        Invalid::new(
            "address",
            "must be a host or host:port, such as mail.example.com or mail.example.com:587",
        )
    };
    let default = if security == SmtpSecurity::Tls { TLS_PORT } else { PORT };
    let (host, port) = match address.rsplit_once(':').filter(|_| !address.ends_with(']')) {
        Some((host, port)) => {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            (host, port.parse().ok().filter(|port| digits && *port > 0).ok_or_else(wrong)?)
        }
        None => (address, default),
    };
    if host.is_empty() || host.len() > 255 || url::Host::parse(host).is_err() {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(server: SmtpServer, address: &str, security: SmtpSecurity) -> Result<SmtpServer, Invalid> {
        server.changed(SmtpServerInput {
            address: Some(address.into()),
            security: Some(security),
            ..SmtpServerInput::default()
        })
    }

    #[test]
    fn an_address_may_leave_out_the_port_that_goes_with_its_protection() {
        for (address, security, host, port) in [
            ("mail.example.com", SmtpSecurity::None, "mail.example.com", 25),
            ("mail.example.com", SmtpSecurity::StartTls, "mail.example.com", 25),
            ("mail.example.com", SmtpSecurity::Tls, "mail.example.com", 465),
            ("127.0.0.1:1025", SmtpSecurity::None, "127.0.0.1", 1025),
            ("[::1]:587", SmtpSecurity::Tls, "[::1]", 587),
            ("[::1]", SmtpSecurity::None, "[::1]", 25),
        ] {
            let server = changed(SmtpServer::default(), address, security).unwrap();
            assert_eq!(server.host_and_port().unwrap(), (host.to_owned(), port), "{address}");
        }
        let long = "x".repeat(1_000_000);
        for wrong in [":25", "a b", "mail:0", "mail:65536", "mail:+25", "::1", "smtp://mail", "mail:", &long]
        {
            let refused = changed(SmtpServer::default(), wrong, SmtpSecurity::None).unwrap_err();
            assert_eq!(refused.field, "address", "{refused}");
        }
    }

    #[test]
    fn it_is_enabled_only_with_an_address_and_a_sender() {
        let enable = || SmtpServerInput { enable: Some(true), ..SmtpServerInput::default() };
        assert_eq!(SmtpServer::default().changed(enable()).unwrap_err().field, "address");
        let server = changed(SmtpServer::default(), "mail.example.com", SmtpSecurity::None).unwrap();
        assert_eq!(server.clone().changed(enable()).unwrap_err().field, "sender_address");
        let sender = Some("portal@example.com".to_owned());
        let server = server.changed(SmtpServerInput { sender_address: sender, ..enable() }).unwrap();
        let without = SmtpServerInput { address: Some(String::new()), ..SmtpServerInput::default() };
        assert_eq!(server.changed(without).unwrap_err().field, "address");
    }

    #[test]
    fn a_password_stays_until_it_is_named() {
        let password = |text: &str| SmtpServerInput {
            password: Some(PlainSecret::presented(text)),
            ..SmtpServerInput::default()
        };
        let server = SmtpServer::default().changed(password("s3cret")).unwrap();
        let server = server.changed(SmtpServerInput::default()).unwrap();
        assert_eq!(server.password, Some(KeptSecret::Clear("s3cret".into())));
        assert_eq!(server.changed(password("")).unwrap().password, None);
    }

    #[test]
    fn no_server_gets_the_password_of_another() {
        let given = |address: &str, password: Option<&str>| SmtpServerInput {
            address: Some(address.into()),
            username: Some("portal".into()),
            password: password.map(PlainSecret::presented),
            sender_address: Some("portal@example.com".into()),
            security: Some(SmtpSecurity::StartTls),
            ..SmtpServerInput::default()
        };
        let server = SmtpServer::default().changed(given("mail.example.com", Some("s3cret"))).unwrap();
        let refused = |input: SmtpServerInput| {
            server.clone().to_try(input).is_err_and(|invalid| invalid.field == "password")
        };
        assert!(refused(given("other.example.com", None)));
        assert!(server.clone().changed(given("other.example.com", None)).is_err());
        // Nor by way of no address.
        let emptied = server.clone().changed(given("", None)).unwrap();
        assert!(emptied.changed(given("other.example.com", None)).is_err());
        assert!(refused(SmtpServerInput { username: Some("eve".into()), ..SmtpServerInput::default() }));
        let bare = SmtpServerInput { security: Some(SmtpSecurity::None), ..SmtpServerInput::default() };
        assert!(refused(bare.clone()));
        assert!(
            server.clone().changed(bare.clone()).is_err(),
            "it would go out in the clear with the next mail"
        );
        // What protects it as well, asks for nobody, or comes with a password is tried.
        let nobody = SmtpServerInput { username: Some(String::new()), ..bare };
        for input in [given("mail.example.com", None), given("other.example.com", Some("new")), nobody] {
            assert!(!refused(input));
        }
        let better = SmtpServerInput { security: Some(SmtpSecurity::Tls), ..SmtpServerInput::default() };
        assert!(!refused(better));
    }
}
