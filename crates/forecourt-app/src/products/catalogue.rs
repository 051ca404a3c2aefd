//! The catalogue: what developers and guests of a portal see of its products.

use forecourt_core::{
    actors::{Actor, Caller},
    ids::{ApplicationId, PortalId, ProductId},
    lists::{List, Order, Paging, Readable, TextFilter, TimeOrder},
    products::{Product, ProductFilter, ProductStatus, Subscriber, SubscriptionState, Viewer, Visibility},
};

use super::listed;
use crate::{App, Error};

/// Which products are wanted.
#[derive(Clone, Debug, Default)]
pub struct CatalogueFilter {
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Only those in this relation to the caller.
    pub subscription: Option<SubscriptionState>,
    /// Whose relation is meant instead: this application's alone. Text that is no id gives `unsubscribed`.
    pub application: Option<String>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}

/// A product in the catalogue.
#[derive(Clone, Debug)]
pub struct CatalogueProduct {
    /// The product.
    pub product: Product,
    /// Operations over all its documents.
    pub api_count: u64,
    /// The caller's relation to it; `None` for guests.
    pub subscription: Option<SubscriptionState>,
}

/// A product's own page.
#[derive(Clone, Debug)]
pub struct CataloguePage {
    /// The product.
    pub product: Product,
    /// The caller's relation to it; `None` for guests.
    pub subscription: Option<SubscriptionState>,
    /// Its OpenAPI texts; `None` where only subscribers see them.
    pub documents: Option<Vec<String>>,
}

/// Where a visible product's calls go in: one entry a linked service, in the order given.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// Host names that the service answers to; empty: any.
    pub hosts: Vec<String>,
    /// Starts with `/` where there is one.
    pub path_prefix: Option<String>,
    /// The service's OpenAPI text, where one was uploaded.
    pub document: Option<String>,
}

struct Seen<'a> {
    portal: &'a PortalId,
    viewer: Viewer,
    subscriber: Subscriber,
}

/// The visible products that `filter` wants.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: CatalogueFilter,
) -> Result<List<CatalogueProduct>, Error> {
    let seen = seen_by(caller, filter.application.as_deref())?;
    let filter = ProductFilter {
        portal_id: Some(seen.portal.clone()),
        status: Some(ProductStatus::Published),
        product_type: None,
        visibility: (seen.viewer == Viewer::Guest).then_some(Visibility::Public),
        text: filter.text,
        subscription: filter.subscription,
        subscriber: Some(seen.subscriber.clone()),
        order: filter.order,
        paging: filter.paging,
        readable: Readable::All,
    };
    let found = app.read().products(&filter).await?;
    let counts = app.read().operation_counts(&found.rows).await?;
    let ids: Vec<_> = found.rows.iter().map(|product| product.id.clone()).collect();
    let states = app.read().subscription_states(&seen.subscriber, &ids).await?;
    Ok(found.map(|product| {
        let state = states.get(&product.id).copied().unwrap_or(SubscriptionState::Unsubscribed);
        let listed = listed(product, &counts);
        let subscription = (seen.viewer != Viewer::Guest).then_some(state);
        CatalogueProduct { product: listed.product, api_count: listed.api_count, subscription }
    }))
}

/// One visible product.
pub async fn product(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    application: Option<&str>,
) -> Result<CataloguePage, Error> {
    let seen = seen_by(caller, application)?;
    let found = app.read().product(id).await?;
    let visible =
        |product: &Product| product.portal_id == *seen.portal && product.is_visible_to(&seen.viewer);
    let product = found.filter(visible).ok_or_else(Error::not_found)?;
    let states = app.read().subscription_states(&seen.subscriber, std::slice::from_ref(id)).await?;
    let state = states.get(id).copied().unwrap_or(SubscriptionState::Unsubscribed);
    let readable =
        match (product.gateway_offer().is_none_or(|offer| offer.can_view_unsubscribed), &seen.viewer) {
            (true, _) => true,
            (false, Viewer::Guest) => false,
            (false, Viewer::Developer(developer)) => {
                // Any of the developer's applications opens the documents, whichever one is asked about.
                let anyone = Subscriber::Developer(developer.clone());
                let states = app.read().subscription_states(&anyone, std::slice::from_ref(id)).await?;
                states.get(id) == Some(&SubscriptionState::Subscribed)
            }
        };
    let documents = if readable { Some(app.read().product_documents(&product).await?) } else { None };
    Ok(CataloguePage { product, subscription: (seen.viewer != Viewer::Guest).then_some(state), documents })
}

/// The entrances of a visible gateway product; an external one has none.
pub async fn entrances(app: &App, caller: &Caller, id: &ProductId) -> Result<Vec<Entrance>, Error> {
    let seen = seen_by(caller, None)?;
    let found = app.read().product(id).await?;
    let visible =
        |product: &Product| product.portal_id == *seen.portal && product.is_visible_to(&seen.viewer);
    let product = found.filter(visible).ok_or_else(Error::not_found)?;
    let mut entrances = Vec::new();
    for link in product.gateway_offer().map(|offer| offer.services.as_slice()).unwrap_or_default() {
        let Some(service) = app.read().service(&link.service_id).await?.filter(|service| service.enabled)
        else {
            continue;
        };
        let hosts = if link.linked_hosts.is_empty() { service.hosts } else { link.linked_hosts.clone() };
        let document = app.read().service_document(&service.id).await?;
        entrances.push(Entrance { hosts, path_prefix: service.path_prefix, document });
    }
    Ok(entrances)
}

fn seen_by<'a>(caller: &'a Caller, application: Option<&str>) -> Result<Seen<'a>, Error> {
    match &caller.actor {
        Actor::Guest(portal) => Ok(Seen { portal, viewer: Viewer::Guest, subscriber: Subscriber::Nobody }),
        Actor::Developer { portal_id, id, .. } => {
            let subscriber = match application.map(ApplicationId::parse) {
                None => Subscriber::Developer(id.clone()),
                Some(Some(application)) => Subscriber::Application(id.clone(), application),
                Some(None) => Subscriber::Nobody,
            };
            Ok(Seen { portal: portal_id, viewer: Viewer::Developer(id.clone()), subscriber })
        }
        _ => Err(Error::not_found()),
    }
}
