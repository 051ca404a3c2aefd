//! The query of a page. People edit addresses: what cannot be read counts as not asked, never as an error.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use forecourt_core::lists::Paging;
use forecourt_http::queries::Query;

/// A page's query.
#[derive(Clone, Debug, Default)]
pub struct Asked(Query);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Query::parse(parts.uri.query().unwrap_or_default()).unwrap_or_default()))
    }
}

impl Asked {
    /// The value of `name`; empty where it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.text(name).unwrap_or_default()
    }

    /// The value of `name`, or nothing where it is absent or empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.text(name)
    }

    /// All values of `name` and `name[]` that are not empty.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.0.texts(name)
    }

    /// The page asked for, from 1.
    pub fn page(&self) -> u64 {
        self.0.text("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0).unwrap_or(1)
    }

    /// The page asked for, of `size` rows.
    pub fn paging(&self, size: u64) -> Paging {
        Paging::Page { page: self.page(), size }
    }
}
