//! `security.ssrf_protection`: where calls of our own may go, to addresses that others chose.

use forecourt_core::addresses::{Destination, OutgoingRules};
use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// `security.ssrf_protection:`; link-local addresses are refused whatever it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SsrfProtectionSettings {
    /// Whether addresses inside networks are refused.
    pub enable: bool,
    /// Addresses, networks or host names that are allowed all the same.
    pub allow_list: Vec<String>,
    /// Addresses, networks or host names that are never called; it wins over `allow_list`, and holds without
    /// `enable`.
    pub deny_list: Vec<String>,
}

impl SsrfProtectionSettings {
    /// The rules that these settings describe; they were checked when they were read.
    pub fn rules(&self) -> OutgoingRules {
        let list = |list: &[String]| list.iter().filter_map(|text| Destination::parse(text)).collect();
        OutgoingRules {
            enable: self.enable,
            allow_list: list(&self.allow_list),
            deny_list: list(&self.deny_list),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, list) in [("allow_list", &self.allow_list), ("deny_list", &self.deny_list)] {
            for text in list {
                let problem = format!(
                    "must list addresses, networks or host names, such as 10.0.0.0/8 or *.example.com; {text:?} is none"
                );
                let key = format!("security.ssrf_protection.{key}");
                require(&key, Destination::parse(text).is_some(), &problem)?;
            }
        }
        Ok(())
    }
}
