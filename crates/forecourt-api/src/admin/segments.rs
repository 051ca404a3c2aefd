//! The variable parts of a path, and the portal and gateway group that path or query name.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use forecourt_core::ids::{GatewayGroupId, PortalId};
use forecourt_http::{problem::Problem, queries::Query};
use http::request::Parts;

/// The variable parts of a path, decoded. What cannot be decoded names nothing that exists.
#[derive(Debug)]
pub(super) struct Segments(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(named)) => Ok(Self(named)),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

impl Segments {
    /// The part called `name`.
    pub(super) fn text(&self, name: &str) -> Result<&str, Problem> {
        self.0.get(name).map(String::as_str).ok_or_else(Problem::not_found)
    }

    /// The part `{id}` as an id; what cannot be one is not found.
    pub(super) fn id<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Result<T, Problem> {
        self.named("id", parse)
    }

    /// The part called `name` as an id; what cannot be one is not found.
    pub(super) fn named<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Problem> {
        parse(self.text(name)?).ok_or_else(Problem::not_found)
    }

    /// The portal that the path (`{portal}`) or the query (`portal_id`) names; both must name the same one.
    pub(super) fn portal(&self, query: &Query) -> Result<Option<PortalId>, Problem> {
        let parse = |text: &str| PortalId::parse(text).ok_or_else(Problem::not_found);
        let in_path = self.0.get("portal").map(|text| parse(text)).transpose()?;
        let in_query = query.text("portal_id").map(parse).transpose()?;
        match (in_path, in_query) {
            (Some(path), Some(query)) if path != query => Err(Problem::not_found()),
            (path, query) => Ok(path.or(query)),
        }
    }

    /// As [`Segments::portal`], where there must be one.
    pub(super) fn required_portal(&self, query: &Query) -> Result<PortalId, Problem> {
        self.portal(query)?.ok_or_else(|| Problem::bad_request("portal_id is required"))
    }
}

/// The gateway group that the query names; what cannot be an id is not found.
pub(super) fn gateway_group(query: &Query) -> Result<Option<GatewayGroupId>, Problem> {
    let parse = |text: &str| GatewayGroupId::parse(text).ok_or_else(Problem::not_found);
    query.text("gateway_group_id").map(parse).transpose()
}
