//! What a write would take with it, and the counts beside the rows of lists.
//!
//! The counts are for administrators only, and those of the moment: the act itself counts nothing.

mod recorded;

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    ids::{ApplicationId, DeveloperId, GatewayGroupId, PortalId, ProductId, ServiceId},
    lists::{Paging, Readable},
    permissions::{Action, Target},
    subscriptions::SubscriptionFilter,
    time::Timestamp,
};
use forecourt_store::RuledNoun;
pub use forecourt_store::{NamedOfPortal, ServiceOwner};

pub(crate) use self::recorded::Recorded;
use crate::{App, Error, access};

/// Subscriptions, waiting ones included, of each of `products` that has any, and whose subscriptions the caller may see.
pub async fn subscriptions_of_products(
    app: &App,
    caller: &Caller,
    products: &[ProductId],
) -> Result<HashMap<ProductId, u64>, Error> {
    let readable = access::readable(app, caller, Action::GetSubscription, RuledNoun::Products).await?;
    let seen: Vec<_> = match readable {
        Readable::All => products.to_vec(),
        Readable::Only(ids) => {
            products.iter().filter(|product| ids.iter().any(|id| id == product.as_str())).cloned().collect()
        }
    };
    Ok(app.read().subscription_counts_of_products(&seen).await?)
}

/// Subscriptions, waiting ones included, of each of `applications` that has any; those that the caller may see.
pub async fn subscriptions_of_applications(
    app: &App,
    caller: &Caller,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, u64>, Error> {
    let readable = access::readable(app, caller, Action::GetSubscription, RuledNoun::Products).await?;
    if readable == Readable::All {
        return Ok(app.read().subscription_counts_of_applications(applications).await?);
    }
    let mut counts = HashMap::new();
    // A page of a list has few applications, and few administrators see the subscriptions of some products only.
    for application in applications {
        let filter = SubscriptionFilter {
            application_id: Some(application.clone()),
            readable: readable.clone(),
            paging: Paging::Page { page: 1, size: 1 },
            ..Default::default()
        };
        let found = app.read().subscriptions(&filter).await?.total;
        counts.extend((found > 0).then(|| (application.clone(), found)));
    }
    Ok(counts)
}

/// Applications of each of `developers` that has any.
pub async fn applications_of_developers(
    app: &App,
    caller: &Caller,
    developers: &[DeveloperId],
) -> Result<HashMap<DeveloperId, u64>, Error> {
    if access::permits_somewhere(caller, Action::GetDeveloper).is_err() {
        return Ok(HashMap::new());
    }
    Ok(app.read().application_counts_of_developers(developers).await?)
}

/// Services of each of `groups` that has any.
pub async fn services_of_groups(
    app: &App,
    caller: &Caller,
    groups: &[GatewayGroupId],
) -> Result<HashMap<GatewayGroupId, u64>, Error> {
    if access::permits_somewhere(caller, Action::GetGatewayGroup).is_err() {
        return Ok(HashMap::new());
    }
    Ok(app.read().service_counts_of_groups(groups).await?)
}

/// What people call each of `developers`.
pub async fn names_of_developers(
    app: &App,
    caller: &Caller,
    developers: &[DeveloperId],
) -> Result<HashMap<DeveloperId, String>, Error> {
    let mut names = app.read().developer_names(developers).await?;
    let readable = access::readable(app, caller, Action::GetDeveloper, RuledNoun::Developers).await?;
    if let Readable::Only(ids) = readable {
        names.retain(|developer, _| ids.iter().any(|id| id == developer.as_str()));
    }
    Ok(names)
}

/// The product of each of `services` that belongs to one.
pub async fn owners_of_services(
    app: &App,
    caller: &Caller,
    services: &[ServiceId],
) -> Result<HashMap<ServiceId, ServiceOwner>, Error> {
    let mut owners = app.read().owners_of_services(services).await?;
    owners.retain(|_, owner| sees_product(caller, &owner.portal_id, &owner.product_id));
    Ok(owners)
}

/// What an administrator should look at, before somebody else notices.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// Portal tokens that ended, or end within a week, with their end; the earliest first, at most five.
    pub tokens: Vec<(NamedOfPortal, Timestamp)>,
    /// Published gateway products that no call can reach, at most five.
    pub unreachable_products: Vec<NamedOfPortal>,
}

/// How many things are looked through for those that the caller may see.
const LOOKED_THROUGH: u64 = 1_000;
/// How many are shown.
const SHOWN: usize = 5;

/// What needs a look over all portals, as far as the caller may see it.
pub async fn attention(app: &App, caller: &Caller) -> Result<Attention, Error> {
    let within_a_week = app.now().plus_seconds(7 * 86_400);
    let mut tokens = app.read().portal_tokens_ending(within_a_week, LOOKED_THROUGH).await?;
    tokens.retain(|(token, _)| {
        access::allows(caller, Action::GetPortalToken, Target::Portal(Some(&token.portal_id)))
    });
    tokens.truncate(SHOWN);
    let mut unreachable_products = app.read().products_without_services(LOOKED_THROUGH).await?;
    unreachable_products
        .retain(|product| sees_product(caller, &product.portal_id, &ProductId::known(product.id.as_str())));
    unreachable_products.truncate(SHOWN);
    Ok(Attention { tokens, unreachable_products })
}

fn sees_product(caller: &Caller, portal: &PortalId, product: &ProductId) -> bool {
    access::allows(caller, Action::GetApiProduct, Target::ApiProduct(portal, Some(product)))
}
