//! What an act would take with it, counted before it is asked for; and the counts beside the rows of lists.
//!
//! For administrators only. The numbers are those of the moment: the act itself counts nothing.

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    applications::ApplicationFilter,
    credentials::CredentialFilter,
    ids::{ApplicationId, DeveloperId, GatewayGroupId, PortalId, ProductId, ServiceId},
    lists::{Paging, Readable},
    permissions::{Action, Target},
    subscriptions::{SubscriptionFilter, SubscriptionStatus},
    time::Timestamp,
};
use forecourt_store::RuledNoun;
pub use forecourt_store::{NamedOfPortal, ServiceOwner};

use crate::{App, Error, access, applications, developers, products};

/// What an act would hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Applications that go, or lose access.
    pub applications: u64,
    /// Credentials that stop working.
    pub credentials: u64,
    /// Subscriptions in force that end.
    pub subscriptions: u64,
    /// Requests that are withdrawn.
    pub approvals: u64,
}

/// One row is enough where only the total is wanted.
const COUNT: Paging = Paging::Page { page: 1, size: 1 };

/// What unpublishing or deleting a product would hit.
pub async fn of_product(app: &App, caller: &Caller, id: &ProductId) -> Result<Impact, Error> {
    products::permitted(caller, app.read().product(id).await?, None, Action::GetApiProduct)?;
    let (mut impact, mut applications) = (Impact::default(), Vec::new());
    for subscription in app.read().subscriptions_to(id).await? {
        if subscription.is_active() {
            impact.subscriptions += 1;
            applications.push(subscription.application_id);
        } else {
            impact.approvals += 1;
        }
    }
    applications.sort();
    applications.dedup();
    Ok(Impact { applications: applications.len() as u64, ..impact })
}

/// What deleting a developer would hit.
pub async fn of_developer(app: &App, caller: &Caller, id: &DeveloperId) -> Result<Impact, Error> {
    developers::developer_by_id(app, caller, id).await?;
    let applications =
        ApplicationFilter { developer_id: Some(id.clone()), paging: COUNT, ..Default::default() };
    let credentials =
        CredentialFilter { developer_id: Some(id.clone()), paging: COUNT, ..Default::default() };
    let subscriptions = SubscriptionFilter {
        developer_id: Some(id.clone()),
        statuses: Some(vec![SubscriptionStatus::Subscribed]),
        paging: COUNT,
        ..Default::default()
    };
    Ok(Impact {
        applications: app.read().applications(&applications).await?.total,
        credentials: app.read().credentials(&credentials).await?.total,
        subscriptions: app.read().subscriptions(&subscriptions).await?.total,
        approvals: app.read().pending_approvals_by(id).await?.len() as u64,
    })
}

/// What suspending an application would hit: nothing is lost, but this stops working.
pub async fn of_application(app: &App, caller: &Caller, id: &ApplicationId) -> Result<Impact, Error> {
    applications::administered_one(app, caller, id).await?;
    Ok(Impact { credentials: app.read().credentials_of(id).await?.len() as u64, ..Impact::default() })
}

/// Subscriptions, waiting ones included, of each of `products` that has any.
pub async fn subscriptions_of_products(
    app: &App,
    caller: &Caller,
    products: &[ProductId],
) -> Result<HashMap<ProductId, u64>, Error> {
    if access::permits_somewhere(caller, Action::GetApiProduct).is_err() {
        return Ok(HashMap::new());
    }
    Ok(app.read().subscription_counts_of_products(products).await?)
}

/// Subscriptions, waiting ones included, of each of `applications` that has any.
pub async fn subscriptions_of_applications(
    app: &App,
    caller: &Caller,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, u64>, Error> {
    if access::permits_somewhere(caller, Action::GetApplication).is_err() {
        return Ok(HashMap::new());
    }
    Ok(app.read().subscription_counts_of_applications(applications).await?)
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
