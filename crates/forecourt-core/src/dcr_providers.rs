//! DCR providers: identity providers where OAuth clients are registered.

use crate::{
    ids::DcrProviderId,
    lists::{Order, Paging, TimeOrder},
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

/// A DCR provider, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DcrProvider {
    /// Its id.
    pub id: DcrProviderId,
    /// Unique over the installation.
    pub name: String,
    /// How it is spoken to.
    pub provider_type: DcrProviderType,
    /// Its issuer; empty for a bridge without one.
    pub issuer: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which providers a list shows.
#[derive(Clone, Debug, Default)]
pub struct DcrProviderFilter {
    /// Case-insensitive substring of name and issuer.
    pub search: Option<String>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}
