//! What a write would take with it, and the counts beside the rows of lists.
//!
//! The counts are for administrators only, and those of the moment: the act itself counts nothing.

mod recorded;

use std::collections::HashMap;

use forecourt_core::{
    actors::{Area, Caller},
    ids::{ApplicationId, DeveloperId, GatewayGroupId, ProductId, ServiceId},
    time::Timestamp,
};
pub use forecourt_store::{NamedOfPortal, ServiceOwner};

pub(crate) use self::recorded::Recorded;
use crate::{App, Error, access};

/// Subscriptions, waiting ones included, of each of `products` that has any.
pub async fn subscriptions_of_products(
    app: &App,
    caller: &Caller,
    products: &[ProductId],
) -> Result<HashMap<ProductId, u64>, Error> {
    access::sees(caller, Area::Portals)?;
    Ok(app.read().subscription_counts_of_products(products).await?)
}

/// Subscriptions, waiting ones included, of each of `applications` that has any.
pub async fn subscriptions_of_applications(
    app: &App,
    caller: &Caller,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, u64>, Error> {
    access::sees(caller, Area::Portals)?;
    Ok(app.read().subscription_counts_of_applications(applications).await?)
}

/// Applications of each of `developers` that has any.
pub async fn applications_of_developers(
    app: &App,
    caller: &Caller,
    developers: &[DeveloperId],
) -> Result<HashMap<DeveloperId, u64>, Error> {
    access::sees(caller, Area::Portals)?;
    Ok(app.read().application_counts_of_developers(developers).await?)
}

/// Services of each of `groups` that has any.
pub async fn services_of_groups(
    app: &App,
    caller: &Caller,
    groups: &[GatewayGroupId],
) -> Result<HashMap<GatewayGroupId, u64>, Error> {
    access::sees(caller, Area::Installation)?;
    Ok(app.read().service_counts_of_groups(groups).await?)
}

/// What people call each of `developers`.
pub async fn names_of_developers(
    app: &App,
    caller: &Caller,
    developers: &[DeveloperId],
) -> Result<HashMap<DeveloperId, String>, Error> {
    access::sees(caller, Area::Portals)?;
    Ok(app.read().developer_names(developers).await?)
}

/// The product of each of `services` that belongs to one.
pub async fn owners_of_services(
    app: &App,
    caller: &Caller,
    services: &[ServiceId],
) -> Result<HashMap<ServiceId, ServiceOwner>, Error> {
    access::sees(caller, Area::Portals)?;
    Ok(app.read().owners_of_services(services).await?)
}

/// What an administrator should look at, before somebody else notices.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// Portal tokens that ended, or end within a week, with their end; the earliest first, at most five.
    pub tokens: Vec<(NamedOfPortal, Timestamp)>,
    /// Published gateway products that no call can reach, at most five.
    pub unreachable_products: Vec<NamedOfPortal>,
}

/// What needs a look over all portals; nothing where the caller may see none.
pub async fn attention(app: &App, caller: &Caller) -> Result<Attention, Error> {
    if !access::lists(caller, Area::Portals)? {
        return Ok(Attention::default());
    }
    let within_a_week = app.now().plus_seconds(7 * 86_400);
    Ok(Attention {
        tokens: app.read().portal_tokens_ending(within_a_week, 5).await?,
        unreachable_products: app.read().products_without_services(5).await?,
    })
}
