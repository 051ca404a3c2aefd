//! API products: what a portal offers. A gateway product bundles services behind authentication; an external one
//! is documentation only. Rules of publishing and updating stand in [`crate::products::changes`].

pub mod changes;

use serde::{Deserialize, Serialize};

use crate::{
    gateway_state::{BasicAuthMethod, DcrMethod, JwtAuthMethod, KeyAuthMethod, ProductState},
    ids::{ApplicationId, DcrProviderId, DeveloperId, GatewayGroupId, PortalId, ProductId, ServiceId},
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    notifications::NotificationRule,
    plans::Plan,
    time::Timestamp,
};

named! {
    /// Whether developers see it and the gateway enforces it.
    pub enum ProductStatus {
        /// Neither.
        Draft = "draft",
        /// Both.
        Published = "published",
    }
}

named! {
    /// Who sees a published product.
    pub enum Visibility {
        /// Guests too.
        Public = "public",
        /// Developers only.
        LoggedIn = "logged_in",
    }
}

named! {
    /// What sort of product it is; fixed after creation.
    pub enum ProductType {
        /// Served by a gateway.
        Gateway = "gateway",
        /// Documentation only.
        External = "external",
    }
}

/// An API product.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Whose catalogue it is in.
    pub portal_id: PortalId,
    /// 1–100 characters; need not be unique.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Base64 or data URL; empty: none.
    pub logo: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// Draft or published.
    pub status: ProductStatus,
    /// Who sees it once published.
    pub visibility: Visibility,
    /// What is offered.
    pub offer: Offer,
    /// Whom to tell of its subscriptions, and when.
    pub notifications: Vec<NotificationRule>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What is offered.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// Services behind authentication.
    Gateway(GatewayOffer),
    /// Documentation.
    External(ExternalOffer),
}

/// Services behind authentication.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayOffer {
    /// The accepted methods, with defaults filled in.
    pub auth: ProductAuth,
    /// Whether a subscription is in force at once.
    pub subscription_auto_approval: bool,
    /// Whether those without a subscription see the documents.
    pub can_view_unsubscribed: bool,
    /// The linked services, in the order given.
    pub services: Vec<LinkedService>,
    /// Its plans, the oldest first; they change by [`crate::plans`] alone. Empty: calls are not limited.
    pub plans: Vec<Plan>,
}

/// Documentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExternalOffer {
    /// The OpenAPI document, as given.
    pub document: String,
    /// Where the API is served; at least one.
    pub server_urls: Vec<String>,
    /// The deprecated single member, where it was given.
    pub server_url: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// Free text about the API.
    pub api_desc: String,
}

/// A service in a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedService {
    /// Its gateway group.
    pub gateway_group_id: GatewayGroupId,
    /// The service.
    pub service_id: ServiceId,
    /// Host names that are shown with it; not enforced.
    pub linked_hosts: Vec<String>,
}

/// The accepted authentication methods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductAuth {
    /// API keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_auth: Option<KeyAuthMethod>,
    /// User name and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuthMethod>,
    /// Signed tokens that name a credential.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jwt_auth: Option<JwtAuthMethod>,
    /// Tokens of OAuth clients registered at this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dcr: Option<DcrProviderId>,
}

impl ProductAuth {
    /// Whether no method is accepted.
    pub const fn is_empty(&self) -> bool {
        self.key_auth.is_none() && self.basic_auth.is_none() && self.jwt_auth.is_none() && self.dcr.is_none()
    }
}

/// Who looks at a catalogue, as far as visibility is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Sees published public products.
    Guest,
    /// Sees every published product, and its own subscriptions.
    Developer(DeveloperId),
}

named! {
    /// A viewer's relation to a product.
    pub enum SubscriptionState {
        /// No record.
        Unsubscribed = "unsubscribed",
        /// Pending.
        WaitForApproval = "wait_for_approval",
        /// In force.
        Subscribed = "subscribed",
    }
}

/// Which products a list shows.
#[derive(Clone, Debug, Default)]
pub struct ProductFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Only in this state.
    pub status: Option<ProductStatus>,
    /// Only this type.
    pub product_type: Option<ProductType>,
    /// Only this visibility.
    pub visibility: Option<Visibility>,
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Only those in this relation to `subscriber`.
    pub subscription: Option<SubscriptionState>,
    /// Whose relation [`ProductFilter::subscription`] means, and is computed.
    pub subscriber: Option<Subscriber>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these products: what the caller may read.
    pub readable: Readable,
}

/// Whose subscriptions count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscriber {
    /// The best state of any of this developer's applications.
    Developer(DeveloperId),
    /// This application of this developer and nothing else; another's gives `unsubscribed`.
    Application(DeveloperId, ApplicationId),
    /// Nobody: everything is unsubscribed.
    Nobody,
}

impl Product {
    /// Gateway or external.
    pub const fn product_type(&self) -> ProductType {
        match self.offer {
            Offer::Gateway(_) => ProductType::Gateway,
            Offer::External(_) => ProductType::External,
        }
    }

    /// The gateway offer, where it is one.
    pub const fn gateway_offer(&self) -> Option<&GatewayOffer> {
        match &self.offer {
            Offer::Gateway(offer) => Some(offer),
            Offer::External(_) => None,
        }
    }

    /// Whether `viewer` may know of it.
    pub fn is_visible_to(&self, viewer: &Viewer) -> bool {
        self.status == ProductStatus::Published
            && match viewer {
                Viewer::Guest => self.visibility == Visibility::Public,
                Viewer::Developer(_) => true,
            }
    }

    /// What the gateway must know, where `issuer` is the one of its DCR provider, if it has one; `None` for drafts and
    /// external products, which it does not enforce.
    pub fn gateway_state(&self, issuer: Option<&str>) -> Option<ProductState> {
        let offer = self.gateway_offer().filter(|_| self.status == ProductStatus::Published)?;
        Some(ProductState {
            id: self.id.clone(),
            portal_id: self.portal_id.clone(),
            services: offer.services.iter().map(|link| link.service_id.clone()).collect(),
            key_auth: offer.auth.key_auth.clone(),
            basic_auth: offer.auth.basic_auth.clone(),
            jwt_auth: offer.auth.jwt_auth.clone(),
            dcr: offer.auth.dcr.as_ref().zip(issuer).map(|(provider, issuer)| DcrMethod {
                provider_id: provider.clone(),
                issuer: issuer.to_owned(),
            }),
            plans: offer.plans.iter().map(Plan::gateway_state).collect(),
        })
    }
}
