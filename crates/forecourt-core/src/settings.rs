//! Settings of the whole installation that administrators change at run time.

use serde::{Deserialize, Serialize};

use crate::text::Invalid;

/// Settings of the installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemSettings {
    /// Where gateway nodes find the control plane: `https://HOST:PORT` each.
    #[serde(default)]
    pub dp_manager_address: Vec<String>,
}

impl SystemSettings {
    /// Checks each address: an http or https URL of at most 4096 characters.
    pub fn new(addresses: Vec<String>) -> Result<Self, Invalid> {
        for (index, address) in addresses.iter().enumerate() {
            let is_url = address
                .strip_prefix("https://")
                .or_else(|| address.strip_prefix("http://"))
                .is_some_and(|rest| !rest.is_empty());
            if !is_url
                || address.len() > 4_096
                || address.contains(char::is_whitespace)
                || address.contains('\0')
            {
                return Err(Invalid::new(
                    format!("dp_manager_address[{index}]"),
                    "must be an http or https URL, such as https://dp-manager:7943",
                ));
            }
        }
        Ok(Self { dp_manager_address: addresses })
    }
}
