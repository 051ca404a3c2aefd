//! API products, as administrators see them; what developers and guests see of them stands in [`catalogue`].

pub mod catalogue;

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    events::EventName,
    gateway_state::{Kind, Resource, Scope},
    ids::{PortalId, ProductId},
    lists::List,
    permissions::{Action, Target},
    products::{
        LinkedService, Product, ProductFilter, ProductStatus,
        changes::{ProductChange, ProductInput, ProductRefusal},
    },
};
use forecourt_store::{NamedInUsage, RuledNoun};
use serde_json::json;

use crate::{App, Error, access, contact_points, plugins, random::OsRandom, subscriptions, writes::Write};

/// A product with what its page shows beside it.
#[derive(Clone, Debug)]
pub struct ProductDetail {
    /// The product.
    pub product: Product,
    /// Its OpenAPI texts, byte for byte.
    pub documents: Vec<String>,
}

/// Products with how many operations each describes.
#[derive(Clone, Debug)]
pub struct ListedProduct {
    /// The product.
    pub product: Product,
    /// Operations over all its documents.
    pub api_count: u64,
}

/// What an update did, for the caller to be told.
#[derive(Clone, Debug)]
pub struct UpdatedProduct {
    /// The product with its documents.
    pub detail: ProductDetail,
    /// What else it did, in a sentence.
    pub warning: Option<String>,
}

/// The products that `filter` wants, drafts included; none where the caller may see none.
pub async fn list(app: &App, caller: &Caller, filter: &ProductFilter) -> Result<List<ListedProduct>, Error> {
    let readable = access::readable(app, caller, Action::GetApiProduct, RuledNoun::Products).await?;
    access::known_portal(app, caller, filter.portal_id.as_ref()).await?;
    let found = app.read().products(&ProductFilter { readable, ..filter.clone() }).await?;
    let counts = app.read().operation_counts(&found.rows).await?;
    Ok(found.map(|product| listed(product, &counts)))
}

pub(crate) fn listed(product: Product, counts: &HashMap<ProductId, u64>) -> ListedProduct {
    ListedProduct { api_count: counts.get(&product.id).copied().unwrap_or(0), product }
}

/// One product; a portal that is named must be its own.
pub async fn product(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    portal: Option<&PortalId>,
) -> Result<ProductDetail, Error> {
    let product = permitted(caller, app.read().product(id).await?, portal, Action::GetApiProduct)?;
    let documents = app.read().product_documents(&product).await?;
    Ok(ProductDetail { product, documents })
}

/// Whether there is such a product and the caller may change it. Faces ask before they read a body.
pub async fn changeable(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    portal: Option<&PortalId>,
) -> Result<ProductDetail, Error> {
    let product = permitted(caller, app.read().product(id).await?, portal, Action::UpdateApiProduct)?;
    let documents = app.read().product_documents(&product).await?;
    Ok(ProductDetail { product, documents })
}

/// The product, of the named portal, where the caller may do `action` to it.
pub(crate) fn permitted(
    caller: &Caller,
    product: Option<Product>,
    portal: Option<&PortalId>,
    action: Action,
) -> Result<Product, Error> {
    let product = product.filter(|product| portal.is_none_or(|portal| *portal == product.portal_id));
    let product = product.ok_or_else(|| access::missing(caller))?;
    access::permits(caller, action, Target::ApiProduct(&product.portal_id, Some(&product.id)))?;
    Ok(product)
}

/// Makes a product, published at once where `input` says so.
pub async fn create(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    input: ProductInput,
) -> Result<ProductDetail, Error> {
    access::permits(caller, Action::CreateApiProduct, Target::ApiProduct(portal, None))?;
    let mut write = app.begin(caller).await?;
    write.portal(portal).await?.ok_or_else(Error::not_found)?;
    let id = ProductId::issue(write.now, &mut OsRandom);
    let product = Product::new(id, portal.clone(), input, write.now)?;
    check_links(&write, caller, &product, None).await?;
    check_dcr(&write, &product).await?;
    contact_points::check_rules(&write, &product.notifications, &[]).await?;
    write.insert_product(&product).await?;
    tell(&mut write, EventName::ProductCreated, &product);
    if product.status == ProductStatus::Published && product.gateway_offer().is_some() {
        tell_gateways(&mut write, &product).await?;
        tell(&mut write, EventName::ProductPublished, &product);
    }
    let documents = write.product_documents(&product).await?;
    write.commit().await?;
    Ok(ProductDetail { product, documents })
}

/// Changes what `input` gives: publishes, unpublishes, links and unlinks among it.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    portal: Option<&PortalId>,
    input: ProductInput,
) -> Result<UpdatedProduct, Error> {
    let mut write = app.begin(caller).await?;
    let before = permitted(caller, write.product(id).await?, portal, Action::UpdateApiProduct)?;
    let updated = update_in(&mut write, caller, before, input).await?;
    write.commit().await?;
    Ok(updated)
}

/// As [`update`], with what `edit` gives for the product as it is, between reading and writing without a gap.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    portal: Option<&PortalId>,
    edit: impl FnOnce(&ProductDetail) -> Result<ProductInput, E>,
) -> Result<UpdatedProduct, E> {
    let mut write = app.begin(caller).await?;
    let found = write.product(id).await.map_err(Error::from)?;
    let product = permitted(caller, found, portal, Action::UpdateApiProduct)?;
    let documents = write.product_documents(&product).await.map_err(Error::from)?;
    let before = ProductDetail { product, documents };
    let input = edit(&before)?;
    let updated = update_in(&mut write, caller, before.product, input).await?;
    write.commit().await?;
    Ok(updated)
}

async fn update_in(
    write: &mut Write<'_>,
    caller: &Caller,
    before: Product,
    input: ProductInput,
) -> Result<UpdatedProduct, Error> {
    let id = before.id.clone();
    let notified = before.notifications.clone();
    let renamed = input.name.as_ref().is_some_and(|name| *name != before.name);
    let linked = before.gateway_offer().map(|offer| offer.services.clone()).unwrap_or_default();
    let change = before.changed(input, write.now)?;
    check_links(write, caller, &change.product, Some(&linked)).await?;
    check_dcr(write, &change.product).await?;
    contact_points::check_rules(write, &change.product.notifications, &notified).await?;
    let product = &change.product;
    let ended = if change.unpublished { subscriptions::end_all_of_product(write, product).await? } else { 0 };
    write.save_product(product).await?;
    if renamed {
        write.rename_product_in_approvals(&id, &product.name).await?;
        write.rename_in_usage(NamedInUsage::Product, id.as_str(), &product.name).await?;
    }
    tell_gateways(write, product).await?;
    let name = match (change.published, change.unpublished) {
        (true, _) => EventName::ProductPublished,
        (_, true) => EventName::ProductUnpublished,
        _ => EventName::ProductUpdated,
    };
    tell(write, name, product);
    let documents = write.product_documents(product).await?;
    let warning = warning(&change, ended);
    Ok(UpdatedProduct { detail: ProductDetail { product: change.product, documents }, warning })
}

fn warning(change: &ProductChange, ended: u64) -> Option<String> {
    let linked = change.product.gateway_offer().is_some_and(|offer| !offer.services.is_empty());
    let ended = match ended {
        1 => "1 subscription was ended".to_owned(),
        ended => format!("{ended} subscriptions were ended"),
    };
    if change.unpublished && linked {
        return Some(format!("{ended}, and the linked services are open to everyone now"));
    }
    if change.unpublished {
        return Some(ended);
    }
    let opened: Vec<_> = change.opened.iter().map(|link| link.service_id.as_str()).collect();
    (!opened.is_empty()).then(|| format!("these services are open to everyone now: {}", opened.join(", ")))
}

/// Deletes a product with its subscriptions; its linked services are open from then on.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    portal: Option<&PortalId>,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let product = permitted(caller, write.product(id).await?, portal, Action::DeleteApiProduct)?;
    subscriptions::end_all_of_product(&mut write, &product).await?;
    write.delete(scope(&product), Kind::Product, id.to_string());
    write.delete_product(id).await?;
    tell(&mut write, EventName::ProductDeleted, &product);
    write.commit().await
}

/// Tells gateways how the product stands now, with the issuer of its DCR provider.
pub(crate) async fn tell_gateways(write: &mut Write<'_>, product: &Product) -> Result<(), Error> {
    let provider = match product.gateway_offer().and_then(|offer| offer.auth.dcr.as_ref()) {
        Some(provider) => write.dcr_provider(provider).await?,
        None => None,
    };
    match product.gateway_state(provider.as_ref().map(|provider| provider.issuer.as_str())) {
        Some(state) => write.put(scope(product), Resource::Product(Box::new(state))),
        None => write.delete(scope(product), Kind::Product, product.id.to_string()),
    }
    Ok(())
}

fn scope(product: &Product) -> Scope {
    Scope::Portal(product.portal_id.clone())
}

/// Checks what `product` is linked to. A service that it was not `linked` to before must be there for the caller: to one
/// that may not be seen nothing is linked, and nothing is learned of it.
async fn check_links(
    write: &Write<'_>,
    caller: &Caller,
    product: &Product,
    linked: Option<&[LinkedService]>,
) -> Result<(), Error> {
    let links = product.gateway_offer().map(|offer| offer.services.as_slice()).unwrap_or_default();
    for link in links {
        let (group, service) = (&link.gateway_group_id, &link.service_id);
        let was_linked = linked.unwrap_or_default().iter().any(|before| before.service_id == *service);
        let target = Target::PublishedService(group, Some(service));
        if !was_linked && !access::allows(caller, Action::GetPublishedService, target) {
            let (service, group) = (service.to_string(), group.to_string());
            return Err(ProductRefusal::UnknownService { service, group }.into());
        }
        check_link(write, product, link).await?;
    }
    Ok(())
}

async fn check_link(write: &Write<'_>, product: &Product, link: &LinkedService) -> Result<(), Error> {
    let found = write.service(&link.service_id).await?;
    let found = found.filter(|service| service.gateway_group_id == link.gateway_group_id);
    let service = found.ok_or_else(|| ProductRefusal::UnknownService {
        service: link.service_id.to_string(),
        group: link.gateway_group_id.to_string(),
    })?;
    if let Some(other) = write.product_of_service(&service.id).await?.filter(|other| other.id != product.id) {
        return Err(ProductRefusal::ServiceTaken { service: service.name, product: other.name }.into());
    }
    plugins::refuse_carried(write, product, &service).await?;
    match link.linked_hosts.iter().find(|host| !service.serves_host(host)) {
        Some(host) => Err(ProductRefusal::HostNotServed { host: host.clone(), service: service.name }.into()),
        None => Ok(()),
    }
}

async fn check_dcr(write: &Write<'_>, product: &Product) -> Result<(), Error> {
    let Some(provider) = product.gateway_offer().and_then(|offer| offer.auth.dcr.as_ref()) else {
        return Ok(());
    };
    match write.dcr_provider(provider).await? {
        Some(found) if found.issuer.is_empty() => Err(ProductRefusal::DcrWithoutIssuer(found.name).into()),
        Some(_) => Ok(()),
        None => Err(ProductRefusal::UnknownDcrProvider(provider.to_string()).into()),
    }
}

fn tell(write: &mut Write<'_>, name: EventName, product: &Product) {
    let services =
        product.gateway_offer().map(|offer| offer.services.iter().map(|link| link.service_id.clone()));
    let detail = json!({
        "name": product.name,
        "status": product.status,
        "visibility": product.visibility,
        "services": services.map(Iterator::collect::<Vec<_>>),
        "notifications": product.notifications.len(),
    });
    write.tell(name, "product", product.id.as_str(), Some(&product.portal_id), detail);
}
