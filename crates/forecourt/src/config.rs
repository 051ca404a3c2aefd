//! Settings: the file, the environment over it, and the checks on both. The keys are listed in
//! `docs/configuration.md`.
//!
//! Invariant: [`Settings`] is the only list of keys. A key that it does not have is refused with the nearest that it
//! has. Reading is in `config/layers.rs`.

mod administrators;
mod audit;
mod background;
#[cfg(test)]
mod deploy_tests;
mod gateway;
mod layers;
mod notifications;
mod outgoing;
mod redis;
#[cfg(test)]
mod reference_tests;
mod restrictions;
mod sign_ins;
mod sync;
mod telemetry;
#[cfg(test)]
mod tests;
mod usage;

use std::path::{Path, PathBuf};

pub use audit::AuditSettings;
pub use background::BackgroundSettings;
use forecourt_http::addresses::Network;
use forecourt_identity::sealing::MasterKey;
use forecourt_store::Location;
pub use gateway::{GatewaySettings, LimitSettings};
pub use notifications::NotificationSettings;
pub use outgoing::SsrfProtectionSettings;
pub use redis::RedisSettings;
pub use restrictions::IpRestrictionSettings;
use serde::{Deserialize, Serialize};
pub use sign_ins::FailedSignInSettings;
pub use sync::SyncSettings;
pub use telemetry::TelemetrySettings;
pub use usage::UsageSettings;

/// Everything that can be set. Addresses are `HOST:PORT`, port 0 takes a free one, empty switches a listener off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The folder of the SQLite file and of generated certificates; made where it is missing.
    pub data_dir: String,
    /// Where the data lies.
    pub database: DatabaseSettings,
    /// Provider console and Admin API.
    pub admin: AdminSettings,
    /// The Portal API.
    pub portal_api: ListenerSettings,
    /// The Developer Portal site.
    pub site: ListenerSettings,
    /// The embedded gateway.
    pub gateway: GatewaySettings,
    /// Gateway nodes on other machines.
    pub sync: SyncSettings,
    /// Health and metrics.
    pub status: ListenerSettings,
    /// Where spans go.
    pub telemetry: TelemetrySettings,
    /// Counted calls.
    pub usage: UsageSettings,
    /// The audit log.
    pub audit: AuditSettings,
    /// Mails and webhooks.
    pub notifications: NotificationSettings,
    /// The work that nobody waits for.
    pub background: BackgroundSettings,
    /// The first administrator.
    pub bootstrap: BootstrapSettings,
    /// Who is trusted with what.
    pub security: SecuritySettings,
}

/// `database:`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSettings {
    /// Empty: SQLite under `data_dir`; or `postgres://USER:PASSWORD@HOST/NAME`.
    pub url: String,
}

/// `admin:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminSettings {
    /// Plain HTTP.
    pub listen: String,
    /// HTTPS with a self-signed certificate.
    pub tls_listen: String,
    /// Where people reach it, such as `https://admin.example.com`; empty: not said.
    pub public_url: String,
}

/// A part with one listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSettings {
    /// Plain HTTP.
    pub listen: String,
}

/// `bootstrap:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootstrapSettings {
    /// 1 to 128 characters.
    pub admin_username: String,
    /// One-time, at most 128 characters. Empty: a random one is made and printed at the first start, as it is on an
    /// admin listener beyond loopback when nobody sets this.
    pub admin_password: String,
    /// Enables the administrators' built-in sign-in option at each start, for whoever locked themselves out.
    pub enable_passwords: bool,
}

/// `security:`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecuritySettings {
    /// 64 hex digits under which kept secrets are sealed. Empty: those of the file `data_dir/master.key`.
    pub master_key: String,
    /// A file that holds them, such as a mounted secret. Empty: none.
    pub master_key_file: String,
    /// A program with its arguments that prints them. Empty: none.
    pub master_key_command: Vec<String>,
    /// Addresses or networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// For how long browsers are told to come by TLS alone; 0: they are not told.
    pub hsts_seconds: u32,
    /// How often signing in may fail.
    pub failed_sign_ins: FailedSignInSettings,
    /// Who may use the Admin API.
    pub ip_restriction: IpRestrictionSettings,
    /// Where calls of our own may go.
    pub ssrf_protection: SsrfProtectionSettings,
}

/// What is wrong with the settings, in a sentence that names the key and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("the configuration file {} is not valid YAML: {problem}", .path.display())]
    Yaml {
        /// Which.
        path: PathBuf,
        /// Where and why.
        problem: String,
    },
    /// There is no such key.
    #[error("unknown setting {key}: did you mean {nearest}?")]
    Unknown {
        /// As it was written.
        key: String,
        /// The known key that looks most like it.
        nearest: String,
    },
    /// The value is not what the key takes.
    #[error("setting {key} {problem}")]
    Value {
        /// Which key.
        key: String,
        /// What would be right.
        problem: String,
    },
}

impl Default for Settings {
    fn default() -> Self {
        let listener = |address: &str| ListenerSettings { listen: address.into() };
        Self {
            data_dir: "./data".into(),
            database: DatabaseSettings::default(),
            admin: AdminSettings {
                listen: "127.0.0.1:7080".into(),
                tls_listen: "127.0.0.1:7443".into(),
                public_url: String::new(),
            },
            portal_api: listener("127.0.0.1:4321"),
            site: listener("127.0.0.1:3001"),
            gateway: GatewaySettings::default(),
            sync: SyncSettings::default(),
            status: listener("127.0.0.1:7081"),
            telemetry: TelemetrySettings::default(),
            usage: UsageSettings::default(),
            audit: AuditSettings::default(),
            notifications: NotificationSettings::default(),
            background: BackgroundSettings::default(),
            bootstrap: BootstrapSettings {
                admin_username: "admin".into(),
                admin_password: "admin".into(),
                enable_passwords: false,
            },
            security: SecuritySettings::default(),
        }
    }
}

impl Settings {
    /// The settings of `file` (the defaults without one) with `environment` over them.
    ///
    /// A name in the environment is `FORECOURT__` and the key's parts in capitals joined by `__`.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = layers::read(file, environment)?;
        if !settings.password_is_chosen && settings.merged.listens_beyond_loopback() {
            settings.merged.bootstrap.admin_password = String::new();
        }
        let settings = settings.merged;
        settings.check()?;
        Ok(settings)
    }

    /// Where the data lies.
    pub fn location(&self) -> Location {
        match self.database.url.as_str() {
            "" => Location::Sqlite(self.data_folder().join("forecourt.db")),
            url => Location::Postgres(url.to_owned()),
        }
    }

    /// The data folder as a path.
    pub fn data_folder(&self) -> PathBuf {
        PathBuf::from(&self.data_dir)
    }

    /// The proxies that are believed.
    pub fn trusted_proxies(&self) -> Vec<Network> {
        self.security.trusted_proxies.iter().filter_map(|proxy| Network::parse(proxy)).collect()
    }

    /// The same with secrets replaced by stars.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        masked.database.url = mask_password(&self.database.url);
        masked.gateway.redis.url = mask_password(&self.gateway.redis.url);
        masked.bootstrap.admin_password = match self.bootstrap.admin_password.as_str() {
            "" => "(random, printed at the first start)".into(),
            _ => "******".into(),
        };
        if !self.security.master_key.is_empty() {
            masked.security.master_key = "******".into();
        }
        // Arguments may hold what opens a vault.
        masked.security.master_key_command.iter_mut().skip(1).for_each(|part| *part = "******".into());
        masked
    }

    /// The settings as a configuration file would have them.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_saphyr::to_string(self).map_err(|error| ConfigError::Value {
            key: "configuration".into(),
            problem: format!("cannot be written as YAML: {error}"),
        })
    }

    fn listens_beyond_loopback(&self) -> bool {
        [&self.admin.listen, &self.admin.tls_listen]
            .into_iter()
            .filter(|address| !address.is_empty())
            .any(|address| !is_loopback(address))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let listeners = [
            ("admin.listen", &self.admin.listen),
            ("admin.tls_listen", &self.admin.tls_listen),
            ("portal_api.listen", &self.portal_api.listen),
            ("site.listen", &self.site.listen),
            ("gateway.listen", &self.gateway.listen),
            ("gateway.tls_listen", &self.gateway.tls_listen),
            ("sync.listen", &self.sync.listen),
            ("status.listen", &self.status.listen),
        ];
        for (key, address) in listeners {
            if !address.is_empty() && host_and_port(address).is_none() {
                let problem = format!(
                    "must be HOST:PORT, such as 127.0.0.1:7080, or \"\" to switch it off; it is {address:?}"
                );
                return Err(ConfigError::Value { key: key.into(), problem });
            }
        }
        self.admin.check()?;
        require("data_dir", !self.data_dir.is_empty(), "must name a folder")?;
        let url = self.database.url.as_str();
        let known = ["", "postgres://", "postgresql://"];
        let fits = url.is_empty() || known.iter().skip(1).any(|scheme| url.starts_with(scheme));
        require(
            "database.url",
            fits,
            "must be empty (SQLite under data_dir) or postgres://USER:PASSWORD@HOST/NAME",
        )?;
        self.gateway.check()?;
        self.sync.check()?;
        self.telemetry.check()?;
        self.usage.check()?;
        self.audit.check()?;
        self.notifications.check()?;
        let username = self.bootstrap.admin_username.chars().count();
        require("bootstrap.admin_username", (1..=128).contains(&username), "must be 1 to 128 characters")?;
        let password = self.bootstrap.admin_password.chars().count();
        require("bootstrap.admin_password", password <= 128, "must be at most 128 characters")?;
        let key = self.security.master_key.as_str();
        let fits = key.is_empty() || MasterKey::from_hex(key).is_some();
        let problem =
            "must be 64 hex digits, such as openssl rand -hex 32 prints, or empty for data_dir/master.key";
        require("security.master_key", fits, problem)?;
        self.security.check_one_master_key()?;
        for proxy in &self.security.trusted_proxies {
            let fits = Network::parse(proxy).is_some();
            let problem =
                format!("must list addresses or networks, such as 10.0.0.0/8; {proxy:?} is neither");
            require("security.trusted_proxies", fits, &problem)?;
        }
        self.security.failed_sign_ins.check()?;
        self.security.ip_restriction.check()?;
        self.security.ssrf_protection.check()
    }
}

impl SecuritySettings {
    /// The master key comes from one place.
    fn check_one_master_key(&self) -> Result<(), ConfigError> {
        let given = [
            ("security.master_key", !self.master_key.is_empty()),
            ("security.master_key_file", !self.master_key_file.is_empty()),
            ("security.master_key_command", !self.master_key_command.is_empty()),
        ];
        let mut given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key);
        match (given.next(), given.next()) {
            (Some(first), Some(second)) => {
                let problem = format!(
                    "is set, and so is {first}: the master key comes from one place, unset the other"
                );
                Err(ConfigError::Value { key: second.into(), problem })
            }
            _ => Ok(()),
        }
    }
}

fn require(key: &str, fits: bool, problem: &str) -> Result<(), ConfigError> {
    if fits { Ok(()) } else { Err(ConfigError::Value { key: key.into(), problem: problem.into() }) }
}

fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if bare.is_empty() || (bare.contains(':') && !bracketed) || bare.contains(char::is_whitespace) {
        return None;
    }
    Some((bare, port.parse().ok()?))
}

/// Whether only this machine can reach `address`. A name other than `localhost` might be reached from anywhere.
fn is_loopback(address: &str) -> bool {
    host_and_port(address).is_some_and(|(host, _)| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// A database URL that may be shown: its password, wherever it stands, becomes stars. Of one that is malformed rather too
/// much is hidden than too little.
pub fn mask_password(url: &str) -> String {
    let url = match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (who, place))) => {
            let user = who.split_once(':').map_or(who.to_owned(), |(user, _)| format!("{user}:******"));
            format!("{scheme}://{user}@{place}")
        }
        None => url.to_owned(),
    };
    let pieces = url.split_inclusive(['?', '&']).map(|piece| match piece.split_once('=') {
        Some((name, value)) if name.to_lowercase().contains("password") => {
            let end = value.rfind(['?', '&']).map_or("", |at| &value[at..]);
            format!("{name}=******{end}")
        }
        _ => piece.to_owned(),
    });
    pieces.collect()
}
