//! `security.ssrf_protection`: where calls of our own may go, to addresses that others chose.

use clap::{ArgAction, Args};
use forecourt_core::addresses::{Destination, OutgoingRules};
use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// `security.ssrf_protection:`, and the same on the command line of a node; link-local addresses are refused whatever it
/// says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct SsrfProtectionSettings {
    /// Whether addresses inside networks are refused.
    #[arg(long = "ssrf-protection-enable", env = "FORECOURT_GATEWAY_SSRF_PROTECTION_ENABLE", value_name = "BOOL",
        action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub enable: bool,
    /// Addresses, networks or host names that are allowed all the same.
    #[arg(long = "ssrf-protection-allow-list", env = "FORECOURT_GATEWAY_SSRF_PROTECTION_ALLOW_LIST",
        value_name = "DESTINATION", value_delimiter = ',', value_parser = destination)]
    pub allow_list: Vec<String>,
    /// Addresses, networks or host names that are never called; it wins over `allow_list`, and holds without
    /// `enable`.
    #[arg(long = "ssrf-protection-deny-list", env = "FORECOURT_GATEWAY_SSRF_PROTECTION_DENY_LIST",
        value_name = "DESTINATION", value_delimiter = ',', value_parser = destination)]
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
                let key = format!("security.ssrf_protection.{key}");
                require(&key, Destination::parse(text).is_some(), &problem(text))?;
            }
        }
        Ok(())
    }
}

/// One entry of a list on the command line; an empty one, of a variable that is set to nothing, is no entry.
fn destination(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = text.is_empty() || Destination::parse(text).is_some();
    if fits { Ok(text.to_owned()) } else { Err(problem(text)) }
}

fn problem(text: &str) -> String {
    format!(
        "must list addresses, networks or host names, such as 10.0.0.0/8 or *.example.com; {text:?} is none"
    )
}
