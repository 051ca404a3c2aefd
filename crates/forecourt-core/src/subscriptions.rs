//! Subscriptions: the right of one application to call one product. At most one record a pair.

use crate::{
    applications::Application,
    gateway_state::GrantState,
    ids::{ApplicationId, DeveloperId, DeveloperName, PlanId, PortalId, ProductId, SubscriptionId},
    lists::{Order, Paging, Readable},
    plans::PlanRefusal,
    products::{Offer, Product, ProductStatus},
    refusals::{Refusal, RefusalKind},
    time::Timestamp,
};

named! {
    /// How far a subscription is. `unsubscribed` on the wire means that there is no record.
    pub enum SubscriptionStatus {
        /// Asked for, not yet decided.
        WaitForApproval = "wait_for_approval",
        /// In force.
        Subscribed = "subscribed",
    }
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Its portal.
    pub portal_id: PortalId,
    /// Who calls.
    pub application_id: ApplicationId,
    /// What is called.
    pub product_id: ProductId,
    /// The plan of the product that its calls are held to; `None` where the product has none.
    pub plan_id: Option<PlanId>,
    /// How far it is.
    pub status: SubscriptionStatus,
    /// Since when it is in force.
    pub subscribed_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A subscription with the names that lists show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionDetail {
    /// The subscription.
    pub subscription: Subscription,
    /// Its application's name.
    pub application_name: String,
    /// Its product's name.
    pub product_name: String,
    /// Its plan's name, where it has one.
    pub plan_name: Option<String>,
    /// Its developer, as we know it.
    pub developer_id: DeveloperId,
    /// Its developer's public id.
    pub developer_public_id: DeveloperName,
    /// What people call its developer.
    pub developer_name: String,
}

/// What a list of subscriptions is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubscriptionOrder {
    /// By start; creation stands in where there is none.
    #[default]
    SubscribedAt,
    /// By the developer's name.
    DeveloperName,
}

/// Which subscriptions a list shows.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Only those of this developer's applications.
    pub developer_id: Option<DeveloperId>,
    /// Only those of the developer with this public id.
    pub developer_public_id: Option<DeveloperName>,
    /// Only this application's.
    pub application_id: Option<ApplicationId>,
    /// Only those to this product.
    pub product_id: Option<ProductId>,
    /// Only these states; `None`: all; empty: nothing matches.
    pub statuses: Option<Vec<SubscriptionStatus>>,
    /// Case-insensitive substring of product and application name.
    pub search: Option<String>,
    /// Whether `search` covers the developer's name too.
    pub search_developer: bool,
    /// Order.
    pub order: Order<SubscriptionOrder>,
    /// Page.
    pub paging: Paging,
    /// Only those to these products: what the caller may read.
    pub readable: Readable,
}

impl Subscription {
    /// What a request for a subscription leads to: in force at once, or waiting for an approval.
    ///
    /// Refused unless the product is published, a gateway product, and of the application's portal. Asking for no
    /// plan means the default one, where the product has plans.
    pub fn request(
        id: SubscriptionId,
        application: &Application,
        product: &Product,
        plan: Option<&PlanId>,
        now: Timestamp,
    ) -> Result<Self, SubscriptionRefusal> {
        let Offer::Gateway(offer) = &product.offer else {
            return Err(SubscriptionRefusal::ExternalProduct(product.name.clone()));
        };
        if product.status != ProductStatus::Published || product.portal_id != application.portal_id {
            return Err(SubscriptionRefusal::UnknownProduct(product.id.to_string()));
        }
        let plan_id = product.plan(plan)?.map(|plan| plan.id.clone());
        let at_once = offer.subscription_auto_approval;
        Ok(Self {
            id,
            portal_id: application.portal_id.clone(),
            application_id: application.id.clone(),
            product_id: product.id.clone(),
            plan_id,
            status: if at_once {
                SubscriptionStatus::Subscribed
            } else {
                SubscriptionStatus::WaitForApproval
            },
            subscribed_at: at_once.then_some(now),
            created_at: now,
        })
    }

    /// This subscription in force from `now` on.
    pub fn accepted(mut self, now: Timestamp) -> Self {
        self.status = SubscriptionStatus::Subscribed;
        self.subscribed_at = Some(now);
        self
    }

    /// This subscription to `product` with another of its plans.
    ///
    /// Where subscriptions are approved, so is their plan: there only administrators change it.
    pub fn with_plan(
        mut self,
        product: &Product,
        plan: &PlanId,
        is_administrator: bool,
    ) -> Result<Self, PlanRefusal> {
        let needs_approval = product.gateway_offer().is_none_or(|offer| !offer.subscription_auto_approval);
        if needs_approval && !is_administrator {
            return Err(PlanRefusal::NeedsApproval(product.name.clone()));
        }
        self.plan_id = product.plan(Some(plan))?.map(|plan| plan.id.clone());
        Ok(self)
    }

    /// Whether it is in force.
    pub fn is_active(&self) -> bool {
        self.status == SubscriptionStatus::Subscribed
    }

    /// What the gateway must know once it is in force.
    pub fn grant(&self) -> GrantState {
        GrantState {
            application_id: self.application_id.clone(),
            product_id: self.product_id.clone(),
            plan_id: self.plan_id.clone(),
        }
    }
}

/// Why a subscription cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionRefusal {
    /// Documentation only.
    #[error("API product {0:?} is external: it is documentation only and cannot be subscribed to")]
    ExternalProduct(String),
    /// Not there, or not visible.
    #[error("api_products: {0:?} is not a product that you can subscribe to")]
    UnknownProduct(String),
    /// Not there, or somebody else's.
    #[error("applications: {0:?} is not one of your applications")]
    UnknownApplication(String),
    /// The plan that is asked for cannot be had.
    #[error(transparent)]
    Plan(#[from] PlanRefusal),
    /// Both lists hold at least one id.
    #[error("{0} must hold at least one id")]
    Empty(&'static str),
}

impl Refusal for SubscriptionRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn code(&self) -> &'static str {
        match self {
            Self::ExternalProduct(_) => "external_product",
            Self::UnknownProduct(_) => "unknown_product",
            Self::UnknownApplication(_) => "unknown_application",
            Self::Plan(refusal) => refusal.code(),
            Self::Empty(_) => "empty_list",
        }
    }
}
