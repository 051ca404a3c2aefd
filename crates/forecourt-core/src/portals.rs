//! Portals: one audience's catalogue, settings and site each.

use std::collections::BTreeMap;

use crate::{
    ids::PortalId,
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

/// A portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portal {
    /// Its id.
    pub id: PortalId,
    /// Unique over the installation, 1–100 characters.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// Where its site is reached, as a URL.
    pub public_url: Option<String>,
    /// Its site's host name.
    pub domain: Option<String>,
    /// Whether guests see public products on its site.
    pub public_access: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or an update gives; absent members stay as they are, empty texts clear.
#[derive(Clone, Debug, Default)]
pub struct PortalInput {
    /// Required on create.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Replaces all labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Site URL.
    pub public_url: Option<String>,
    /// Site host name.
    pub domain: Option<String>,
}

/// Which portals a list shows.
#[derive(Clone, Debug, Default)]
pub struct PortalFilter {
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these portals: what the caller may read.
    pub readable: Readable,
}

impl Portal {
    /// The name of the portal that exists from the start.
    pub const DEFAULT_NAME: &'static str = "default";

    /// A new portal with public access.
    pub fn new(id: PortalId, input: PortalInput, now: Timestamp) -> Result<Self, Invalid> {
        if input.name.is_none() {
            return Err(Invalid::new("name", "is required"));
        }
        let blank = Self {
            id,
            name: String::new(),
            desc: String::new(),
            labels: Labels::default(),
            public_url: None,
            domain: None,
            public_access: true,
            created_at: now,
            updated_at: now,
        };
        blank.changed(input, now)
    }

    /// This portal with what `input` gives.
    pub fn changed(mut self, input: PortalInput, now: Timestamp) -> Result<Self, Invalid> {
        if let Some(name) = input.name {
            self.name = text::name("name", &name, text::NAME)?;
        }
        if let Some(desc) = input.desc {
            self.desc = text::free("desc", &desc, text::DESC)?;
        }
        if let Some(labels) = input.labels {
            self.labels = Labels::new(labels)?;
        }
        if let Some(url) = input.public_url {
            self.public_url = site_url(&url)?;
        }
        if let Some(domain) = input.domain {
            self.domain = host_name(&domain)?;
        }
        self.updated_at = now;
        Ok(self)
    }

    /// Where its site is reached, without a slash at the end, for links in mails; `None`: nobody said. What a browser
    /// claims to have asked for is not trusted with that.
    pub fn site_root(&self) -> Option<String> {
        let url = self.public_url.as_deref().filter(|url| !url.contains(['?', '#']));
        match (url, self.domain.as_deref()) {
            (Some(url), _) => Some(url.trim_end_matches('/').to_owned()),
            (None, Some(domain)) => Some(format!("https://{domain}")),
            (None, None) => None,
        }
    }

    /// Whether a request for `host` (without port) is for this portal's site.
    pub fn answers_host(&self, host: &str) -> bool {
        let url_host = self.public_url.as_deref().and_then(url_host);
        [self.domain.as_deref(), url_host].into_iter().flatten().any(|own| own.eq_ignore_ascii_case(host))
    }
}

fn site_url(url: &str) -> Result<Option<String>, Invalid> {
    if url.is_empty() {
        return Ok(None);
    }
    if url.len() <= 4_096
        && url_host(url).is_some_and(|host| !host.is_empty())
        && !url.contains(char::is_whitespace)
    {
        return Ok(Some(url.to_owned()));
    }
    Err(Invalid::new("public_url", "must be an http or https URL, such as https://portal.example.com"))
}

fn host_name(domain: &str) -> Result<Option<String>, Invalid> {
    if domain.is_empty() {
        return Ok(None);
    }
    let fits = domain.len() <= 253
        && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        && !domain.starts_with(['-', '.']);
    if fits {
        return Ok(Some(domain.to_ascii_lowercase()));
    }
    Err(Invalid::new("domain", "must be a host name, such as portal.example.com"))
}

/// The host of an http or https URL, without port.
fn url_host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() }
}

/// Why a portal cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortalRefusal {
    /// Names are unique.
    #[error("name {0:?} is taken by another portal; choose another name")]
    NameTaken(String),
    /// Products are left.
    #[error("the portal still has API products; delete them first")]
    HasProducts,
    /// Developers are left.
    #[error("the portal still has developers; delete them first")]
    HasDevelopers,
}

impl Refusal for PortalRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NameTaken(_) => "portal_name_taken",
            Self::HasProducts => "portal_has_products",
            Self::HasDevelopers => "portal_has_developers",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portal(url: &str, domain: &str) -> Result<Portal, Invalid> {
        let input = PortalInput {
            name: Some("shop".into()),
            public_url: Some(url.into()),
            domain: Some(domain.into()),
            ..Default::default()
        };
        Portal::new(PortalId::known("prt_1"), input, Timestamp::default())
    }

    #[test]
    fn a_portal_answers_its_domain_and_the_host_of_its_url_in_any_case() {
        let shop = portal("https://dev.example.com:8443/x", "shop.example.com").unwrap();
        assert!(shop.answers_host("DEV.example.com"));
        assert!(shop.answers_host("shop.example.com"));
        assert!(!shop.answers_host("example.com"));
    }

    #[test]
    fn addresses_that_are_none_are_refused_by_the_member_that_holds_them() {
        assert_eq!(portal("ftp://x", "").unwrap_err().field, "public_url");
        assert_eq!(portal("", "a b").unwrap_err().field, "domain");
    }
}
