//! DCR providers: identity providers where OAuth clients are registered, by RFC 7591 or over a bridge.
//!
//! Invariant: the values of headers leave in no answer; whoever shows a provider shows [`MASK`] in their place, and
//! whoever sends the mask back leaves the value as it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::DcrProviderId,
    lists::{Order, Paging, Readable, TimeOrder},
    refusals::{Refusal, RefusalKind},
    secrets::{KeptSecret, PlainSecret},
    text::{self, Invalid},
    time::Timestamp,
};

named! {
    /// How a provider is spoken to.
    pub enum DcrProviderType {
        /// OpenID Connect discovery, RFC 7591 and RFC 7592.
        Oidc = "oidc",
        /// A bridge of the provider's own, over plain JSON.
        HttpBridge = "http_bridge",
    }
}

/// What stands for the value of a header in answers, and for "as it is" in requests.
pub const MASK: &str = "******";

/// How many headers a provider has at most.
const MOST_HEADERS: usize = 50;
/// The longest name of a header, in bytes.
const LONGEST_NAME: usize = 256;
/// The longest value of a header, in bytes.
const LONGEST_VALUE: usize = 8_192;
/// Headers that frame a request or that Forecourt sets itself.
const RESERVED: [&str; 12] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// A DCR provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DcrProvider {
    /// Its id.
    pub id: DcrProviderId,
    /// 1–100 characters, unique over the installation.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// How it is spoken to; fixed after creation.
    pub provider_type: DcrProviderType,
    /// Its issuer, whose tokens gateways verify; empty for a bridge without one.
    pub issuer: String,
    /// Where a bridge is reached; empty for other types.
    pub base_url: String,
    /// Sent with every call about a client, by name; values are sealed once they are stored.
    pub headers: BTreeMap<String, KeptSecret>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or an update gives; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct DcrProviderInput {
    /// Required on create.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Without it, on create: [`DcrProviderType::Oidc`].
    pub provider_type: Option<DcrProviderType>,
    /// Required for `oidc`.
    pub issuer: Option<String>,
    /// Required for `http_bridge`, and for it alone.
    pub base_url: Option<String>,
    /// Replaces all headers; [`MASK`] as a value: the one that is stored under this name.
    pub headers: Option<BTreeMap<String, PlainSecret>>,
}

/// Which providers a list shows.
#[derive(Clone, Debug, Default)]
pub struct DcrProviderFilter {
    /// Case-insensitive substring of name and issuer.
    pub search: Option<String>,
    /// Only those that the caller may read.
    pub readable: Readable,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}

impl DcrProvider {
    /// A new provider. Values of headers are clear in it: they are sealed before it is stored.
    ///
    /// # Errors
    /// When a member breaks a rule, or one that the type needs is absent.
    pub fn new(
        id: DcrProviderId,
        input: DcrProviderInput,
        now: Timestamp,
    ) -> Result<Self, DcrProviderRefusal> {
        if input.name.is_none() {
            return Err(Invalid::new("name", "is required").into());
        }
        let blank = Self {
            id,
            name: String::new(),
            desc: String::new(),
            provider_type: input.provider_type.unwrap_or(DcrProviderType::Oidc),
            issuer: String::new(),
            base_url: String::new(),
            headers: BTreeMap::new(),
            created_at: now,
            updated_at: now,
        };
        blank.changed(input, now)
    }

    /// This provider with what `input` gives. New values of headers are clear in it.
    ///
    /// # Errors
    /// When a member breaks a rule, the type would change, a header is to stay as it is that is not there, or headers that
    /// are kept would go to another server.
    pub fn changed(mut self, input: DcrProviderInput, now: Timestamp) -> Result<Self, DcrProviderRefusal> {
        if input.provider_type.is_some_and(|given| given != self.provider_type) {
            return Err(DcrProviderRefusal::TypeFixed(self.provider_type));
        }
        let before = (self.issuer.clone(), self.base_url.clone());
        if let Some(name) = input.name {
            self.name = text::name("name", &name, text::NAME)?;
        }
        if let Some(desc) = input.desc {
            self.desc = text::free("desc", &desc, text::DESC)?;
        }
        if let Some(issuer) = input.issuer {
            self.issuer = address("issuer", &issuer)?;
        }
        if let Some(base_url) = input.base_url {
            self.base_url = address("base_url", &base_url)?;
        }
        match self.provider_type {
            DcrProviderType::Oidc if self.issuer.is_empty() => {
                return Err(Invalid::new("issuer", "is required for a provider of type oidc").into());
            }
            DcrProviderType::Oidc if !self.base_url.is_empty() => {
                return Err(
                    Invalid::new("base_url", "is a member of providers of type http_bridge only").into()
                );
            }
            DcrProviderType::HttpBridge if self.base_url.is_empty() => {
                return Err(Invalid::new("base_url", "is required for a provider of type http_bridge").into());
            }
            DcrProviderType::Oidc | DcrProviderType::HttpBridge => {}
        }
        let moves = (&self.issuer, &self.base_url) != (&before.0, &before.1);
        let keeps =
            input.headers.as_ref().is_none_or(|given| given.values().any(|value| value.reveal() == MASK));
        if moves && keeps && !self.headers.is_empty() {
            // Whoever may change where a provider is need not be somebody who may know what it is told.
            let problem =
                "must be given again, each with its value: those that are kept were given for another server";
            return Err(Invalid::new("headers", problem).into());
        }
        if let Some(given) = input.headers {
            self.headers = headers(given, &self.headers)?;
        }
        self.updated_at = now;
        Ok(self)
    }
}

/// An address, or empty for none.
fn address(field: &str, given: &str) -> Result<String, Invalid> {
    if given.is_empty() { Ok(String::new()) } else { text::web_address(field, given) }
}

/// The headers that `given` asks for, where `before` are stored.
fn headers(
    given: BTreeMap<String, PlainSecret>,
    before: &BTreeMap<String, KeptSecret>,
) -> Result<BTreeMap<String, KeptSecret>, Invalid> {
    if given.len() > MOST_HEADERS {
        return Err(Invalid::new("headers", format!("must be at most {MOST_HEADERS}")));
    }
    let mut found: BTreeMap<String, KeptSecret> = BTreeMap::new();
    for (name, value) in given {
        check_name(&name)?;
        if found.keys().any(|other| other.eq_ignore_ascii_case(&name)) {
            return Err(Invalid::new("headers", format!("must name {name} once: case does not count")));
        }
        let value = if value.reveal() == MASK {
            let stored = before.iter().find(|(stored, _)| stored.eq_ignore_ascii_case(&name));
            let stored = stored.map(|(_, value)| value.clone());
            let problem = format!("is {MASK}, which means unchanged, but no such header is stored");
            stored.ok_or_else(|| Invalid::new(format!("headers.{name}"), problem))?
        } else {
            check_value(&name, value.reveal())?;
            KeptSecret::Clear(value.reveal().to_owned())
        };
        found.insert(name, value);
    }
    Ok(found)
}

/// A field name of RFC 9110 §5.1 that has no meaning of its own here.
fn check_name(name: &str) -> Result<(), Invalid> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_token) {
        return Err(Invalid::new("headers", "must have header names as members, such as Authorization"));
    }
    match RESERVED.iter().find(|reserved| name.eq_ignore_ascii_case(reserved)) {
        Some(reserved) => {
            Err(Invalid::new("headers", format!("must not name {reserved}: Forecourt sets it itself")))
        }
        None => Ok(()),
    }
}

fn check_value(name: &str, value: &str) -> Result<(), Invalid> {
    let is_visible = |byte: u8| (b' '..=b'~').contains(&byte);
    if value.trim().is_empty() || value.len() > LONGEST_VALUE || !value.bytes().all(is_visible) {
        return Err(Invalid::new(
            format!("headers.{name}"),
            format!("must be 1 to {LONGEST_VALUE} printable characters of ASCII"),
        ));
    }
    Ok(())
}

/// Why a provider cannot be made, changed or deleted so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DcrProviderRefusal {
    /// A member breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Types never change.
    #[error("provider_type is fixed: this DCR provider is {}", .0.name())]
    TypeFixed(DcrProviderType),
    /// Names are unique.
    #[error("name {0:?} is taken by another DCR provider; choose another name")]
    NameTaken(String),
    /// A product accepts its tokens.
    #[error("the API product {0:?} uses this DCR provider; take dcr out of its auth first")]
    InUse(String),
    /// A product verifies tokens against its issuer.
    #[error(
        "issuer is required: the API product {0:?} uses this DCR provider, and gateways verify tokens against it"
    )]
    IssuerInUse(String),
}

impl Refusal for DcrProviderRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) | Self::TypeFixed(_) => RefusalKind::Invalid,
            Self::NameTaken(_) | Self::InUse(_) | Self::IssuerInUse(_) => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_field",
            Self::TypeFixed(_) => "dcr_provider_type_fixed",
            Self::NameTaken(_) => "dcr_provider_name_taken",
            Self::InUse(_) => "dcr_provider_in_use",
            Self::IssuerInUse(_) => "dcr_provider_issuer_in_use",
        }
    }
}

#[cfg(test)]
#[path = "dcr_providers/tests.rs"]
mod tests;
