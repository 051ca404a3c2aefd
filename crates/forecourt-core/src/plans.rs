//! Plans of API products: how often an application may call. A product without plans is not limited; a product with
//! plans has exactly one default, which subscriptions get that ask for none.

use crate::{
    gateway_state::{PlanLimit, PlanState},
    ids::{PlanId, ProductId},
    products::{GatewayOffer, Offer, Product},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

/// The most plans of one product: they travel to gateways in its one row.
pub const MOST_PLANS: usize = 50;
/// The most limits of one plan.
pub const MOST_LIMITS: usize = 5;
/// The highest count of a limit.
pub const MOST_CALLS: u64 = 1_000_000_000;
/// The longest window of a limit: 365 days.
pub const LONGEST_WINDOW: u32 = 31_536_000;

/// A plan of an API product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Its product.
    pub product_id: ProductId,
    /// 1–100 characters, unique within the product.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// All of them must have room for a call; empty: no limit.
    pub limits: Vec<PlanLimit>,
    /// Whether it is what subscriptions get that ask for none.
    pub is_default: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or an update gives; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct PlanInput {
    /// Required on create.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Required on create; replaces all limits. Empty: no limit.
    pub limits: Option<Vec<PlanLimit>>,
    /// True makes it the default in the place of another; false is refused on the default.
    pub is_default: Option<bool>,
}

/// A plan as it is to be stored, with what follows for the others of its product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// The plan.
    pub plan: Plan,
    /// The plan that was the default and is so no more.
    pub former_default: Option<Plan>,
}

impl Plan {
    /// A new plan of `product`; the first one is the default.
    pub fn create(
        id: PlanId,
        product: &Product,
        input: PlanInput,
        now: Timestamp,
    ) -> Result<PlanChange, PlanRefusal> {
        let plans = &offer(product)?.plans;
        if plans.len() >= MOST_PLANS {
            return Err(PlanRefusal::TooMany);
        }
        if input.name.is_none() {
            return Err(Invalid::new("name", "is required").into());
        }
        if input.limits.is_none() {
            return Err(Invalid::new("limits", "is required; [] is a plan without limits").into());
        }
        let blank = Self {
            id,
            product_id: product.id.clone(),
            name: String::new(),
            desc: String::new(),
            limits: Vec::new(),
            is_default: plans.is_empty(),
            created_at: now,
            updated_at: now,
        };
        // Whether the first one is asked to be the default or not, it is: there is no other.
        let is_default = input.is_default.filter(|_| !plans.is_empty());
        blank.changed(product, PlanInput { is_default, ..input }, now)
    }

    /// This plan of `product` with what `input` gives.
    pub fn changed(
        mut self,
        product: &Product,
        input: PlanInput,
        now: Timestamp,
    ) -> Result<PlanChange, PlanRefusal> {
        let others = || product.plans().iter().filter(|other| other.id != self.id);
        let mut former_default = None;
        match input.is_default {
            Some(true) if !self.is_default => {
                former_default = others().find(|other| other.is_default).cloned();
                if let Some(former) = &mut former_default {
                    former.is_default = false;
                    former.updated_at = now;
                }
            }
            Some(false) if self.is_default => return Err(PlanRefusal::DefaultStays),
            _ => {}
        }
        if let Some(name) = &input.name {
            let name = text::name("name", name, text::NAME)?;
            if others().any(|other| other.name == name) {
                return Err(PlanRefusal::NameTaken(name));
            }
            self.name = name;
        }
        if let Some(desc) = &input.desc {
            self.desc = text::free("desc", desc, text::DESC)?;
        }
        if let Some(limits) = input.limits {
            check(&limits)?;
            self.limits = limits;
        }
        self.is_default |= input.is_default == Some(true);
        self.updated_at = now;
        Ok(PlanChange { plan: self, former_default })
    }

    /// Whether it may go from `product`, where `subscriptions` of any state have it.
    pub fn check_deletable(&self, product: &Product, subscriptions: u64) -> Result<(), PlanRefusal> {
        if subscriptions > 0 {
            return Err(PlanRefusal::InUse { name: self.name.clone(), subscriptions });
        }
        if self.is_default && product.plans().len() > 1 {
            return Err(PlanRefusal::DefaultStays);
        }
        Ok(())
    }

    /// What gateways must know.
    pub fn gateway_state(&self) -> PlanState {
        PlanState {
            id: self.id.clone(),
            name: self.name.clone(),
            limits: self.limits.clone(),
            default: self.is_default,
        }
    }
}

impl Product {
    /// Its plans, the oldest first.
    pub fn plans(&self) -> &[Plan] {
        self.gateway_offer().map(|offer| offer.plans.as_slice()).unwrap_or_default()
    }

    /// The plan of a subscription that asks for `wanted`, or for none: then the default one, where there are plans.
    pub fn plan(&self, wanted: Option<&PlanId>) -> Result<Option<&Plan>, PlanRefusal> {
        match wanted {
            None => Ok(self.plans().iter().find(|plan| plan.is_default)),
            Some(id) => match self.plans().iter().find(|plan| plan.id == *id) {
                Some(plan) => Ok(Some(plan)),
                None if self.plans().is_empty() => Err(PlanRefusal::NoPlans(self.name.clone())),
                None => Err(PlanRefusal::Unknown { plan: id.to_string(), product: self.name.clone() }),
            },
        }
    }
}

fn offer(product: &Product) -> Result<&GatewayOffer, PlanRefusal> {
    match &product.offer {
        Offer::Gateway(offer) => Ok(offer),
        Offer::External(_) => Err(PlanRefusal::ExternalProduct(product.name.clone())),
    }
}

fn check(limits: &[PlanLimit]) -> Result<(), Invalid> {
    if limits.len() > MOST_LIMITS {
        return Err(Invalid::new("limits", format!("must hold at most {MOST_LIMITS} limits")));
    }
    for (index, limit) in limits.iter().enumerate() {
        let invalid =
            |member: &str, problem: String| Err(Invalid::new(format!("limits[{index}].{member}"), problem));
        if !(1..=MOST_CALLS).contains(&limit.count) {
            return invalid("count", format!("must be a whole number from 1 to {MOST_CALLS}"));
        }
        if !(1..=LONGEST_WINDOW).contains(&limit.window_seconds) {
            let problem = format!("must be a whole number from 1 to {LONGEST_WINDOW} (365 days)");
            return invalid("window_seconds", problem);
        }
        if limits.iter().take(index).any(|earlier| earlier.window_seconds == limit.window_seconds) {
            return invalid(
                "window_seconds",
                "is the same as another limit's: the lower one is enough".into(),
            );
        }
    }
    Ok(())
}

/// Why a plan cannot be made, changed, chosen or deleted so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefusal {
    /// A member breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Documentation only.
    #[error("API product {0:?} is external: it is documentation only and has no plans")]
    ExternalProduct(String),
    /// No such product.
    #[error("api_product_id: {0:?} is not an API product")]
    UnknownProduct(String),
    /// More than one product can carry.
    #[error("an API product has at most {MOST_PLANS} plans")]
    TooMany,
    /// Names are unique within a product.
    #[error("name: the API product has a plan {0:?} already")]
    NameTaken(String),
    /// A product with plans has a default.
    #[error("this is the default plan: make another plan of the API product the default first")]
    DefaultStays,
    /// Subscriptions have it.
    #[error("plan {name:?} is in use by {subscriptions} subscriptions: give them another plan first")]
    InUse {
        /// Its name.
        name: String,
        /// How many have it.
        subscriptions: u64,
    },
    /// The product has none.
    #[error("plan_id: API product {0:?} has no plans: leave plan_id out")]
    NoPlans(String),
    /// Of another product, or not there.
    #[error("plan_id: {plan:?} is not a plan of API product {product:?}")]
    Unknown {
        /// As given.
        plan: String,
        /// The product's name.
        product: String,
    },
    /// One plan belongs to one product.
    #[error("plan_id: a plan belongs to one API product: ask for one at a time, or leave plan_id out")]
    SeveralProducts,
    /// What an administrator approves stays as approved.
    #[error(
        "subscriptions to API product {0:?} are approved by its administrators, and so is their plan: ask an \
         administrator to change it, or end the subscription and ask again with the other plan"
    )]
    NeedsApproval(String),
}

impl Refusal for PlanRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::TooMany | Self::NameTaken(_) | Self::DefaultStays | Self::InUse { .. } => {
                RefusalKind::Conflict
            }
            _ => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_field",
            Self::ExternalProduct(_) => "external_product",
            Self::UnknownProduct(_) => "unknown_product",
            Self::TooMany => "too_many_plans",
            Self::NameTaken(_) => "plan_name_taken",
            Self::DefaultStays => "default_plan",
            Self::InUse { .. } => "plan_in_use",
            Self::NoPlans(_) => "no_plans",
            Self::Unknown { .. } => "unknown_plan",
            Self::SeveralProducts => "plan_of_one_product",
            Self::NeedsApproval(_) => "plan_needs_approval",
        }
    }
}

#[cfg(test)]
mod tests;
