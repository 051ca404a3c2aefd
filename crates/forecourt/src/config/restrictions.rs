//! `security.ip_restriction`: who may use the Admin API, by address.

use axum::http::StatusCode;
use forecourt_http::{addresses::Network, restrictions::IpRestriction};
use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// `security.ip_restriction:`; empty lists allow everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpRestrictionSettings {
    /// Where it is not empty, only these addresses or networks.
    pub allow_list: Vec<String>,
    /// Never these.
    pub deny_list: Vec<String>,
    /// What the others are told.
    pub message: String,
    /// The status that the others get, 400 to 599.
    pub response_code: u64,
}

impl Default for IpRestrictionSettings {
    fn default() -> Self {
        let IpRestriction { message, response_code, .. } = IpRestriction::default();
        Self {
            allow_list: Vec::new(),
            deny_list: Vec::new(),
            message,
            response_code: response_code.as_u16().into(),
        }
    }
}

impl IpRestrictionSettings {
    /// The restriction that these settings describe; they were checked when they were read.
    pub fn restriction(&self) -> IpRestriction {
        let networks = |list: &[String]| list.iter().filter_map(|text| Network::parse(text)).collect();
        IpRestriction {
            allow_list: networks(&self.allow_list),
            deny_list: networks(&self.deny_list),
            message: self.message.clone(),
            response_code: u16::try_from(self.response_code)
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok())
                .unwrap_or(StatusCode::FORBIDDEN),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, list) in [("allow_list", &self.allow_list), ("deny_list", &self.deny_list)] {
            for text in list {
                let problem =
                    format!("must list addresses or networks, such as 10.0.0.0/8; {text:?} is neither");
                require(&format!("security.ip_restriction.{key}"), Network::parse(text).is_some(), &problem)?;
            }
        }
        let key = "security.ip_restriction.response_code";
        require(key, (400..600).contains(&self.response_code), "must be a status from 400 to 599")?;
        require("security.ip_restriction.message", !self.message.trim().is_empty(), "must not be empty")
    }
}
