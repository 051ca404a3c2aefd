//! Who of those known may pass a route: `consumer-restriction` (docs/gateway.md §7).
//!
//! Invariant: where a restriction holds, nobody unknown passes. Configured on a service, a route or a global rule,
//! or in a consumer, whose own takes the place of the route's.

use forecourt_core::gateway_state::{ConsumerRestriction, RestrictionType};
use hashbrown::{HashMap, HashSet};
use http::{Method, StatusCode};

use crate::rejects::Reject;

/// The plugin, compiled.
pub(crate) struct Restriction {
    by: RestrictionType,
    whitelist: Option<HashSet<Box<str>>>,
    blacklist: HashSet<Box<str>>,
    allowed_by_methods: HashMap<Box<str>, Vec<Box<str>>>,
    rejected_code: StatusCode,
    rejected_msg: Option<Box<str>>,
}

/// Of whom, and of what, the lists may speak.
pub(crate) struct Subject<'a> {
    /// The consumer's user name or the application's id.
    pub(crate) name: &'a str,
    /// The service that is called.
    pub(crate) service: &'a str,
    /// The route that is taken.
    pub(crate) route: &'a str,
    /// The request's method.
    pub(crate) method: &'a Method,
}

impl Restriction {
    /// Compiles the row.
    pub(crate) fn compile(row: &ConsumerRestriction) -> Self {
        let set = |names: &[String]| names.iter().map(|name| name.as_str().into()).collect();
        let mut allowed_by_methods: HashMap<Box<str>, Vec<Box<str>>> = HashMap::new();
        for allowed in &row.allowed_by_methods {
            let methods = allowed_by_methods.entry(allowed.user.as_str().into()).or_default();
            methods.extend(allowed.methods.iter().map(|method| method.as_str().into()));
        }
        Self {
            by: row.by,
            whitelist: row.whitelist.as_deref().map(set),
            blacklist: row.blacklist.as_deref().map(set).unwrap_or_default(),
            allowed_by_methods,
            rejected_code: final_status(row.rejected_code),
            rejected_msg: row.rejected_msg.as_deref().map(Into::into),
        }
    }

    /// Whether this subject may pass; an error says what to answer.
    pub(super) fn check(&self, subject: Option<&Subject<'_>>) -> Result<(), Reject> {
        let Some(subject) = subject else {
            return Err(Reject::Unidentified(self.by));
        };
        let name = match self.by {
            RestrictionType::ConsumerName => subject.name,
            RestrictionType::ServiceId => subject.service,
            RestrictionType::RouteId => subject.route,
        };
        let is_whitelisted = match &self.whitelist {
            Some(whitelist) if whitelist.contains(name) => true,
            Some(_) => return Err(self.refusal()),
            None => false,
        };
        let may_use_method = is_whitelisted
            || self.allowed_by_methods.get(name).is_none_or(|methods| {
                methods.iter().any(|method| method.as_ref() == subject.method.as_str())
            });
        if self.blacklist.contains(name) || !may_use_method {
            return Err(self.refusal());
        }
        Ok(())
    }

    fn refusal(&self) -> Reject {
        let message = match &self.rejected_msg {
            Some(message) => message.to_string(),
            None => format!("The {} is forbidden.", self.by.name()),
        };
        Reject::Restricted(self.rejected_code, message)
    }
}

/// The configured status, if it can end an answer with a body; else 403.
fn final_status(code: u16) -> StatusCode {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::FORBIDDEN);
    let has_no_body =
        matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    if (200..600).contains(&code) && !has_no_body { status } else { StatusCode::FORBIDDEN }
}

#[cfg(test)]
#[path = "../tests/restriction.rs"]
mod tests;
