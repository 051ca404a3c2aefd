//! `sync:` where gateway nodes on other machines find this control plane.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// `sync:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncSettings {
    /// HTTPS, with a certificate of Forecourt's own authority.
    pub listen: String,
    /// Further host names and addresses that nodes reach it by, for its certificate.
    pub names: Vec<String>,
    /// A file of certificates in PEM; not empty: nodes must show a certificate that one of these signed.
    pub client_ca: String,
    /// The longest silence towards a node, in milliseconds.
    pub heartbeat_ms: u64,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7943".into(),
            names: Vec::new(),
            client_ca: String::new(),
            heartbeat_ms: 2_000,
        }
    }
}

impl SyncSettings {
    /// The file of [`Self::client_ca`], where there is one.
    pub fn client_ca_file(&self) -> Option<PathBuf> {
        (!self.client_ca.is_empty()).then(|| PathBuf::from(&self.client_ca))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for name in &self.names {
            let fits = rustls::pki_types::ServerName::try_from(name.as_str()).is_ok();
            let problem = format!(
                "must list host names or addresses without scheme and port, such as cp.example.com; {name:?} is neither"
            );
            require("sync.names", fits, &problem)?;
        }
        let problem = "must be 100 to 60000";
        require("sync.heartbeat_ms", (100..=60_000).contains(&self.heartbeat_ms), problem)
    }
}
