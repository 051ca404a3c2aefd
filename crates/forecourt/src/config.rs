//! Settings: the file, the environment over it, and the checks on both. The keys are listed in
//! `docs/configuration.md`.
//!
//! Invariant: [`Settings`] is the only list of keys. A key that it does not have is refused with the nearest that it
//! has; one whose turn has not come yet ([`NOT_YET`]) is refused too, since a setting that does nothing must not look
//! accepted. Reading is in `config/layers.rs`.

mod layers;
mod restrictions;

use std::path::{Path, PathBuf};

use forecourt_http::addresses::Network;
use forecourt_store::Location;
pub use restrictions::IpRestrictionSettings;
use serde::{Deserialize, Serialize};

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
    /// Health and metrics.
    pub status: ListenerSettings,
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
}

/// A part with one listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSettings {
    /// Plain HTTP.
    pub listen: String,
}

/// `gateway:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewaySettings {
    /// Plain HTTP.
    pub listen: String,
    /// The gateway group that it serves.
    pub group: String,
}

/// `bootstrap:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootstrapSettings {
    /// 1 to 128 characters.
    pub admin_username: String,
    /// One-time, at most 128 characters. Empty: a random one is made and printed at the first start, as it is on an
    /// admin listener beyond loopback when nobody sets this.
    pub admin_password: String,
}

/// `security:`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecuritySettings {
    /// Addresses or networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Who may use the Admin API.
    pub ip_restriction: IpRestrictionSettings,
}

/// Settings of the whole plan that this version does not act on.
const NOT_YET: [&str; 5] =
    ["sync", "audit", "gateway.tls_listen", "gateway.max_staleness", "security.ssrf_protection"];

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
    /// The key has no effect yet.
    #[error("setting {key} is not yet in this version: remove it")]
    NotYet {
        /// As it was written.
        key: String,
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
            admin: AdminSettings { listen: "127.0.0.1:7080".into(), tls_listen: "127.0.0.1:7443".into() },
            portal_api: listener("127.0.0.1:4321"),
            site: listener("127.0.0.1:3001"),
            gateway: GatewaySettings { listen: "127.0.0.1:9080".into(), group: "default".into() },
            status: listener("127.0.0.1:7081"),
            bootstrap: BootstrapSettings { admin_username: "admin".into(), admin_password: "admin".into() },
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
        masked.bootstrap.admin_password = match self.bootstrap.admin_password.as_str() {
            "" => "(random, printed at the first start)".into(),
            _ => "******".into(),
        };
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
        require("data_dir", !self.data_dir.is_empty(), "must name a folder")?;
        let url = self.database.url.as_str();
        let known = ["", "postgres://", "postgresql://"];
        let fits = url.is_empty() || known.iter().skip(1).any(|scheme| url.starts_with(scheme));
        require(
            "database.url",
            fits,
            "must be empty (SQLite under data_dir) or postgres://USER:PASSWORD@HOST/NAME",
        )?;
        require(
            "gateway.group",
            !self.gateway.group.is_empty(),
            "must be the id of a gateway group, such as default",
        )?;
        let username = self.bootstrap.admin_username.chars().count();
        require("bootstrap.admin_username", (1..=128).contains(&username), "must be 1 to 128 characters")?;
        let password = self.bootstrap.admin_password.chars().count();
        require("bootstrap.admin_password", password <= 128, "must be at most 128 characters")?;
        for proxy in &self.security.trusted_proxies {
            let fits = Network::parse(proxy).is_some();
            let problem =
                format!("must list addresses or networks, such as 10.0.0.0/8; {proxy:?} is neither");
            require("security.trusted_proxies", fits, &problem)?;
        }
        self.security.ip_restriction.check()
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

/// A database URL that may be shown: its password, wherever it stands, becomes stars.
pub fn mask_password(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
    let shown = match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (who, place))) => {
            let user = who.split_once(':').map_or(who.to_owned(), |(user, _)| format!("{user}:******"));
            format!("{scheme}://{user}@{place}")
        }
        None => url.to_owned(),
    };
    let Some(query) = query else { return shown };
    let pairs: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.to_lowercase().contains("password") => format!("{name}=******"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{shown}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(None, pairs).map_err(|error| error.to_string())
    }

    fn from_file(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecourt.yaml");
        std::fs::write(&path, text).unwrap();
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(Some(&path), pairs)
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        assert_eq!(load(&[("PATH", "/bin"), ("FORECOURT_LOG", "debug")]).unwrap(), Settings::default());
    }

    #[test]
    fn the_file_beats_the_defaults_and_the_environment_beats_the_file() {
        let file = "site: { listen: 127.0.0.1:1 }\nportal_api:\n  listen: 127.0.0.1:2\ngateway:\n";
        let settings = from_file(file, &[("FORECOURT__PORTAL_API__LISTEN", "127.0.0.1:3")]).unwrap();
        assert_eq!(settings.site.listen, "127.0.0.1:1");
        assert_eq!(settings.portal_api.listen, "127.0.0.1:3");
        assert_eq!(settings.gateway, Settings::default().gateway);
    }

    #[test]
    fn a_list_comes_from_the_environment_with_commas() {
        let settings = load(&[("FORECOURT__SECURITY__TRUSTED_PROXIES", "10.0.0.1, fd00::/8")]).unwrap();
        assert_eq!(settings.security.trusted_proxies, ["10.0.0.1", "fd00::/8"]);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let expected = "unknown setting admin.lisen: did you mean admin.listen?";
        assert_eq!(from_file("admin: { lisen: 127.0.0.1:1 }", &[]).unwrap_err(), expected);
        assert_eq!(load(&[("FORECOURT__ADMIN__LISEN", "x")]).unwrap_err(), expected);
        let whole = from_file("gatway: { group: a }", &[]).unwrap_err();
        assert_eq!(whole, "unknown setting gatway.group: did you mean gateway.group?");
    }

    #[test]
    fn a_setting_of_a_later_version_is_refused_and_not_ignored() {
        for (text, key) in [
            ("sync: { listen: 127.0.0.1:7943 }", "sync.listen"),
            ("audit: { retention_days: 60 }", "audit.retention_days"),
            ("gateway: { tls_listen: 127.0.0.1:9443 }", "gateway.tls_listen"),
            ("gateway: { max_staleness: 24h }", "gateway.max_staleness"),
            ("security: { ssrf_protection: { enable: true } }", "security.ssrf_protection.enable"),
        ] {
            let expected = format!("setting {key} is not yet in this version: remove it");
            assert_eq!(from_file(text, &[]).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_with_its_key() {
        let text = from_file("data_dir: [a]", &[]).unwrap_err();
        assert_eq!(text, "setting data_dir must be a text, such as \"./data\"");
        let number = from_file("bootstrap: { admin_password: 12345 }", &[]).unwrap_err();
        assert_eq!(number, "setting bootstrap.admin_password must be a text: put it in quotes");
        let group = from_file("admin: 127.0.0.1:1", &[]).unwrap_err();
        assert_eq!(group, "setting admin must have keys below it, such as admin.listen");
        let list = from_file("security: { trusted_proxies: 10.0.0.1 }", &[]).unwrap_err();
        assert_eq!(list, "setting security.trusted_proxies must be a list of texts");
        let address = load(&[("FORECOURT__SITE__LISTEN", "3001")]).unwrap_err();
        assert!(address.starts_with("setting site.listen must be HOST:PORT"), "{address}");
        let url = load(&[("FORECOURT__DATABASE__URL", "mysql://x")]).unwrap_err();
        assert!(url.starts_with("setting database.url must be empty"), "{url}");
        let proxy = load(&[("FORECOURT__SECURITY__TRUSTED_PROXIES", "10.0.0.0/33")]).unwrap_err();
        assert!(proxy.contains("\"10.0.0.0/33\" is neither"), "{proxy}");
        let code = load(&[("FORECOURT__SECURITY__IP_RESTRICTION__RESPONSE_CODE", "no")]).unwrap_err();
        assert_eq!(code, "setting security.ip_restriction.response_code must be a whole number, such as 403");
        let code = from_file("security: { ip_restriction: { response_code: 200 } }", &[]).unwrap_err();
        assert!(code.contains("must be a status from 400 to 599"), "{code}");
    }

    #[test]
    fn a_file_that_is_no_yaml_or_not_there_is_named() {
        assert!(
            from_file("a: [", &[]).unwrap_err().starts_with("the configuration file FILE is not valid YAML")
        );
        let missing = Settings::load(Some(Path::new("/nowhere/f.yaml")), []).unwrap_err().to_string();
        assert!(missing.starts_with("the configuration file /nowhere/f.yaml cannot be read"), "{missing}");
    }

    #[test]
    fn beyond_loopback_the_first_password_is_random_unless_it_is_set() {
        let open = ("FORECOURT__ADMIN__LISTEN", "0.0.0.0:7080");
        assert_eq!(load(&[open]).unwrap().bootstrap.admin_password, "");
        let chosen = [open, ("FORECOURT__BOOTSTRAP__ADMIN_PASSWORD", "admin")];
        assert_eq!(load(&chosen).unwrap().bootstrap.admin_password, "admin");
        let local = load(&[("FORECOURT__ADMIN__LISTEN", "[::1]:7080")]).unwrap();
        assert_eq!(local.bootstrap.admin_password, "admin");
    }

    #[test]
    fn what_is_printed_holds_no_password() {
        let url = "postgres://ann:s3cret@db.example.com/forecourt?sslmode=require&password=s3cret";
        let settings = load(&[("FORECOURT__DATABASE__URL", url)]).unwrap();
        let printed = settings.masked().to_yaml().unwrap();
        assert!(!printed.contains("s3cret"), "{printed}");
        assert!(printed.contains("ann:******@db.example.com/forecourt"), "{printed}");
        assert!(!printed.contains("admin_password: admin"), "{printed}");
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let printed = Settings::default().to_yaml().unwrap();
        assert_eq!(from_file(&printed, &[]).unwrap(), Settings::default());
    }
}
