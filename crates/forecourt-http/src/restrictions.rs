//! From which addresses a face may be called: checked before anybody is asked who they are.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::StatusCode;

use crate::{
    Context,
    addresses::{self, Network},
    problem::Problem,
};

/// Who may call, by address. Empty lists let everyone in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpRestriction {
    /// Where it is not empty, only these.
    pub allow_list: Vec<Network>,
    /// Never these, whatever the other list says.
    pub deny_list: Vec<Network>,
    /// What the others are told; not empty.
    pub message: String,
    /// The status that the others get.
    pub response_code: StatusCode,
}

impl Default for IpRestriction {
    fn default() -> Self {
        Self {
            allow_list: Vec::new(),
            deny_list: Vec::new(),
            message: "Access denied".into(),
            response_code: StatusCode::FORBIDDEN,
        }
    }
}

impl IpRestriction {
    /// Whether a client at `address` may call; one without a known address may only where everyone may.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else { return self.allow_list.is_empty() && self.deny_list.is_empty() };
        let holds = |list: &[Network]| list.iter().any(|network| network.contains(address));
        !holds(&self.deny_list) && (self.allow_list.is_empty() || holds(&self.allow_list))
    }
}

/// Middleware: turns away whom the restriction does not admit, seen through the trusted proxies.
pub async fn check(State(context): State<Context>, request: Request, next: Next) -> Response {
    let restriction = &context.config.ip_restriction;
    let address = addresses::client(request.headers(), request.extensions(), &context.config.trusted_proxies);
    if restriction.admits(address) {
        return next.run(request).await;
    }
    Problem::new(restriction.response_code, restriction.message.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allow: &[&str], deny: &[&str], address: Option<&str>) -> bool {
        let networks = |list: &[&str]| list.iter().map(|text| Network::parse(text).unwrap()).collect();
        let restriction = IpRestriction {
            allow_list: networks(allow),
            deny_list: networks(deny),
            ..IpRestriction::default()
        };
        restriction.admits(address.map(|text| text.parse().unwrap()))
    }

    #[test]
    fn empty_lists_admit_everyone() {
        assert!(admits(&[], &[], Some("203.0.113.7")));
        assert!(admits(&[], &[], None));
    }

    #[test]
    fn a_denied_address_stays_out_even_where_it_is_allowed() {
        assert!(admits(&["10.0.0.0/8"], &["10.1.0.0/16"], Some("10.2.0.1")));
        assert!(!admits(&["10.0.0.0/8"], &["10.1.0.0/16"], Some("10.1.0.1")));
        assert!(!admits(&["10.0.0.0/8"], &[], Some("203.0.113.7")));
        assert!(!admits(&["10.0.0.0/8"], &[], None));
    }
}
