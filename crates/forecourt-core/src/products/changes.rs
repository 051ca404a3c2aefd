//! How products come to be and change: creation, partial updates, publishing, the auth lock.
//!
//! What needs other objects (do the services exist, are they linked elsewhere, do their hosts fit) is decided by the
//! use case, with [`ProductRefusal`] as its words.

use std::collections::BTreeMap;

use super::{
    ExternalOffer, GatewayOffer, LinkedService, Offer, Product, ProductAuth, ProductStatus, ProductType,
    Visibility,
};
use crate::{
    ids::{PortalId, ProductId},
    labels::Labels,
    notifications::{self, NotificationRuleInput},
    openapi::Document,
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

/// What a create or an update gives; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct ProductInput {
    /// Required on create, fixed afterwards.
    pub product_type: Option<ProductType>,
    /// Required on create.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Base64 or data URL.
    pub logo: Option<String>,
    /// Replaces all labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Publishes or unpublishes.
    pub status: Option<ProductStatus>,
    /// Who sees it.
    pub visibility: Option<Visibility>,
    /// Gateway only; replaces all methods.
    pub auth: Option<ProductAuth>,
    /// Gateway only.
    pub subscription_auto_approval: Option<bool>,
    /// Gateway only.
    pub can_view_unsubscribed: Option<bool>,
    /// Gateway only; replaces all links.
    pub services: Option<Vec<LinkedService>>,
    /// External only; required on create.
    pub document: Option<String>,
    /// External only.
    pub server_urls: Option<Vec<String>>,
    /// External only, deprecated.
    pub server_url: Option<String>,
    /// External only.
    pub tags: Option<Vec<String>>,
    /// External only.
    pub api_desc: Option<String>,
    /// Replaces all rules.
    pub notifications: Option<Vec<NotificationRuleInput>>,
}

/// An updated product, and what the update did to its state.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductChange {
    /// The product as it is now.
    pub product: Product,
    /// It went from draft to published.
    pub published: bool,
    /// It went from published to draft: subscriptions end, the gateway stops enforcing.
    pub unpublished: bool,
    /// Services that left a product that stays published: they are open from now on.
    pub opened: Vec<LinkedService>,
}

impl Product {
    /// A new product; published at once where `input` says so and the rules allow it.
    pub fn new(
        id: ProductId,
        portal_id: PortalId,
        input: ProductInput,
        now: Timestamp,
    ) -> Result<Self, ProductRefusal> {
        let product_type =
            input.product_type.ok_or_else(|| Invalid::new("type", "is required: gateway or external"))?;
        if input.name.is_none() {
            return Err(Invalid::new("name", "is required").into());
        }
        if product_type == ProductType::External && input.document.is_none() {
            return Err(Invalid::new("raw_openapi", "is required on external products").into());
        }
        let offer = match product_type {
            ProductType::Gateway => Offer::Gateway(GatewayOffer {
                auth: ProductAuth::default(),
                subscription_auto_approval: false,
                can_view_unsubscribed: true,
                services: Vec::new(),
                plans: Vec::new(),
            }),
            ProductType::External => Offer::External(ExternalOffer::default()),
        };
        let blank = Self {
            id,
            portal_id,
            name: String::new(),
            desc: String::new(),
            logo: String::new(),
            labels: Labels::default(),
            status: ProductStatus::Draft,
            visibility: Visibility::Public,
            offer,
            notifications: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        blank.changed(input, now).map(|change| change.product)
    }

    /// This product with what `input` gives, wholly or not at all.
    pub fn changed(self, mut input: ProductInput, now: Timestamp) -> Result<ProductChange, ProductRefusal> {
        if input.product_type.is_some_and(|given| given != self.product_type()) {
            return Err(ProductRefusal::TypeFixed(self.product_type()));
        }
        let before = self.clone();
        let mut product = self;
        if let Some(name) = &input.name {
            product.name = text::name("name", name, text::NAME)?;
        }
        if let Some(desc) = &input.desc {
            product.desc = text::free("desc", desc, text::DESC)?;
        }
        if let Some(logo) = &input.logo {
            product.logo = text::image("logo", logo)?;
        }
        if let Some(labels) = &input.labels {
            product.labels = Labels::new(labels.clone())?;
        }
        product.visibility = input.visibility.unwrap_or(product.visibility);
        product.status = input.status.unwrap_or(product.status);
        if let Some(given) = input.notifications.take() {
            product.notifications = notifications::rules(given)?;
        }
        match &mut product.offer {
            Offer::Gateway(offer) => offer.change(input)?,
            Offer::External(offer) => offer.change(input)?,
        }
        product.updated_at = now;
        product.check_publishable(&before)?;
        let was = before.status == ProductStatus::Published;
        let is = product.status == ProductStatus::Published;
        let opened = if was && is { removed_links(&before, &product) } else { Vec::new() };
        Ok(ProductChange { published: is && !was, unpublished: was && !is, opened, product })
    }

    fn check_publishable(&self, before: &Self) -> Result<(), ProductRefusal> {
        let (Offer::Gateway(now), Offer::Gateway(then)) = (&self.offer, &before.offer) else { return Ok(()) };
        if self.status != ProductStatus::Published {
            return Ok(());
        }
        if before.status == ProductStatus::Published && now.auth != then.auth {
            return Err(ProductRefusal::AuthLocked);
        }
        if now.auth.is_empty() {
            return Err(ProductRefusal::NoAuth);
        }
        Ok(())
    }
}

fn removed_links(before: &Product, after: &Product) -> Vec<LinkedService> {
    let links =
        |product: &Product| product.gateway_offer().map(|offer| offer.services.clone()).unwrap_or_default();
    let kept = links(after);
    links(before)
        .into_iter()
        .filter(|link| kept.iter().all(|other| other.service_id != link.service_id))
        .collect()
}

impl GatewayOffer {
    fn change(&mut self, input: ProductInput) -> Result<(), ProductRefusal> {
        let foreign = [
            ("raw_openapi", input.document.is_some()),
            ("server_urls", input.server_urls.is_some()),
            ("server_url", input.server_url.is_some()),
            ("tags", input.tags.is_some()),
            ("api_desc", input.api_desc.is_some()),
        ];
        refuse_foreign(&foreign, "is a member of external products only")?;
        if let Some(auth) = input.auth {
            self.auth = auth;
        }
        if let Some(services) = input.services {
            refuse_doubles(&services)?;
            self.services = services;
        }
        self.subscription_auto_approval =
            input.subscription_auto_approval.unwrap_or(self.subscription_auto_approval);
        self.can_view_unsubscribed = input.can_view_unsubscribed.unwrap_or(self.can_view_unsubscribed);
        Ok(())
    }
}

impl ExternalOffer {
    fn change(&mut self, input: ProductInput) -> Result<(), ProductRefusal> {
        let foreign = [
            ("auth", input.auth.is_some()),
            ("subscription_auto_approval", input.subscription_auto_approval.is_some()),
            ("can_view_unsubscribed", input.can_view_unsubscribed.is_some()),
            ("linked_gateway_services", input.services.is_some()),
        ];
        refuse_foreign(
            &foreign,
            "is a member of gateway products only: external products are documentation",
        )?;
        let mut own_servers = None;
        if let Some(document) = input.document {
            own_servers = Some(Document::read("raw_openapi", &document)?.server_urls());
            self.document = document;
        }
        if let Some(tags) = input.tags {
            self.tags =
                tags.iter().map(|tag| text::name("tags", tag, text::NAME)).collect::<Result<_, _>>()?;
        }
        if let Some(desc) = input.api_desc {
            self.api_desc = text::free("api_desc", &desc, text::DESC)?;
        }
        self.change_servers(input.server_urls, input.server_url, own_servers)?;
        self.check_servers()
    }

    /// Takes the servers that are given, else those that are there, else those of the text; `of_text` where it was read.
    fn change_servers(
        &mut self,
        several: Option<Vec<String>>,
        single: Option<String>,
        of_text: Option<Vec<String>>,
    ) -> Result<(), ProductRefusal> {
        // An empty text takes it away; servers that were taken from it stay.
        if let Some(url) = &single {
            self.server_url = Some(url.clone()).filter(|url| !url.is_empty());
        }
        let single = single.filter(|url| !url.is_empty());
        // An empty list gives none.
        let cleared = several.as_ref().is_some_and(Vec::is_empty);
        let given = several.filter(|urls| !urls.is_empty()).or_else(|| single.map(|url| vec![url]));
        if let Some(urls) = given {
            self.server_urls = urls;
        } else if cleared || self.server_urls.is_empty() {
            self.server_urls = match of_text {
                Some(servers) => servers,
                None => Document::read("raw_openapi", &self.document)?.server_urls(),
            };
        }
        Ok(())
    }

    fn check_servers(&self) -> Result<(), ProductRefusal> {
        if self.server_urls.is_empty() {
            return Err(
                Invalid::new("server_urls", "is required, since the OpenAPI text names no servers").into()
            );
        }
        let is_bad = |url: &String| !(1..=4_096).contains(&url.chars().count()) || text::has_control(url);
        let place = self.server_urls.iter().position(is_bad).map(|index| format!("server_urls[{index}]"));
        let place = place
            .or_else(|| self.server_url.as_ref().filter(|url| is_bad(url)).map(|_| "server_url".to_owned()));
        match place {
            Some(place) => Err(Invalid::new(place, "must be 1 to 4096 characters").into()),
            None => Ok(()),
        }
    }
}

fn refuse_foreign(members: &[(&str, bool)], problem: &str) -> Result<(), Invalid> {
    match members.iter().find(|(_, given)| *given) {
        Some((member, _)) => Err(Invalid::new(*member, problem)),
        None => Ok(()),
    }
}

fn refuse_doubles(services: &[LinkedService]) -> Result<(), ProductRefusal> {
    for (index, link) in services.iter().enumerate() {
        if services.iter().take(index).any(|earlier| earlier.service_id == link.service_id) {
            return Err(ProductRefusal::ServiceTwice(link.service_id.to_string()));
        }
    }
    Ok(())
}

/// Why a product cannot be made or changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductRefusal {
    /// A member breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Types never change.
    #[error("type is fixed: this API product is {}", .0.name())]
    TypeFixed(ProductType),
    /// Authentication is locked while published.
    #[error(
        "auth cannot change while the API product is published; set it to draft first (this ends its subscriptions)"
    )]
    AuthLocked,
    /// A published product must ask for something.
    #[error(
        "auth must enable at least one method (key-auth, basic-auth, jwt-auth or dcr) before the API product can be published"
    )]
    NoAuth,
    /// Listed twice.
    #[error("linked_gateway_services: service {0:?} is listed twice")]
    ServiceTwice(String),
    /// No such service in that group.
    #[error("linked_gateway_services: service {service:?} does not exist in gateway group {group:?}")]
    UnknownService {
        /// The service as given.
        service: String,
        /// The group as given.
        group: String,
    },
    /// A service belongs to at most one product.
    #[error("linked_gateway_services: service {service:?} already belongs to the API product {product:?}")]
    ServiceTaken {
        /// The service's name.
        service: String,
        /// The product that has it.
        product: String,
    },
    /// A linked host that the service does not serve.
    #[error("linked_gateway_services: host {host:?} is not served by service {service:?}")]
    HostNotServed {
        /// The host.
        host: String,
        /// The service's name.
        service: String,
    },
    /// No such provider.
    #[error("auth.dcr.dcr_provider_id {0:?} is not a DCR provider")]
    UnknownDcrProvider(String),
    /// Gateways could not verify its tokens.
    #[error(
        "auth.dcr.dcr_provider_id: the DCR provider {0:?} has no issuer, against which gateways verify tokens; give it one first"
    )]
    DcrWithoutIssuer(String),
}

impl Refusal for ProductRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::AuthLocked | Self::NoAuth | Self::ServiceTaken { .. } | Self::DcrWithoutIssuer(_) => {
                RefusalKind::Conflict
            }
            _ => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_field",
            Self::TypeFixed(_) => "product_type_fixed",
            Self::AuthLocked => "product_auth_locked",
            Self::NoAuth => "product_without_auth",
            Self::ServiceTwice(_) => "service_listed_twice",
            Self::UnknownService { .. } => "unknown_service",
            Self::ServiceTaken { .. } => "service_taken",
            Self::HostNotServed { .. } => "host_not_served",
            Self::UnknownDcrProvider(_) => "unknown_dcr_provider",
            Self::DcrWithoutIssuer(_) => "dcr_provider_without_issuer",
        }
    }
}

#[cfg(test)]
#[path = "changes/tests.rs"]
mod tests;
