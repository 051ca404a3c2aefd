//! The rule between products and plugins: where a product asks callers for credentials, no plugin asks them too
//! (section 13 of `docs/gateway.md`).
//!
//! Invariant: everything here reads within the write that it guards. Writers take turns, so of two administrators at
//! once the second meets what the first has done.

use forecourt_core::{
    group_objects::{GroupObjectFilter, GroupObjectKind},
    ids::{GatewayGroupId, ServiceId},
    lists::{Order, Paging, TextFilter},
    plugins::{PluginRefusal, Plugins},
    products::Product,
    services::Service,
};

use crate::{Error, writes::Write};

/// Whether the product asks callers for credentials, once it is published.
fn asks(product: &Product) -> bool {
    product.gateway_offer().is_some_and(|offer| !offer.auth.is_empty())
}

/// Refuses authenticating `plugins` on a service that belongs to a product with `auth`, or on a route of it.
pub(crate) async fn refuse_beside_product(
    write: &Write<'_>,
    plugins: &Plugins,
    service: &ServiceId,
    name: &str,
) -> Result<(), Error> {
    let Some(plugin) = plugins.authenticating() else { return Ok(()) };
    match write.product_of_service(service).await?.filter(asks) {
        Some(product) => {
            let (service, product) = (name.to_owned(), product.name);
            Err(PluginRefusal::ServiceLinked { plugin, service, product }.into())
        }
        None => Ok(()),
    }
}

/// Refuses authenticating `plugins` in a global rule while a service of the group belongs to a product with `auth`.
pub(crate) async fn refuse_beside_products(
    write: &Write<'_>,
    plugins: &Plugins,
    group: &GatewayGroupId,
) -> Result<(), Error> {
    let Some(plugin) = plugins.authenticating() else { return Ok(()) };
    let Some((service, product)) = write.protected_service_of_group(group).await? else { return Ok(()) };
    let service = write.service(&service).await?.map_or_else(|| service.to_string(), |service| service.name);
    Err(PluginRefusal::GroupLinked { plugin, service, product: product.name }.into())
}

/// Refuses to link `service` to `product` where both would ask callers for credentials.
pub(crate) async fn refuse_carried(
    write: &Write<'_>,
    product: &Product,
    service: &Service,
) -> Result<(), Error> {
    if !asks(product) {
        return Ok(());
    }
    let carried = |plugin: &'static str, place: String| {
        Err(PluginRefusal::Carried { plugin, service: service.name.clone(), place }.into())
    };
    if let Some(plugin) = service.plugins.authenticating() {
        return carried(plugin, "itself".into());
    }
    for route in write.routes_of_service(&service.id).await? {
        if let Some(plugin) = route.plugins.authenticating() {
            return carried(plugin, format!("route {:?}", route.name));
        }
    }
    for rule in write.group_objects(&rules(&service.gateway_group_id)).await?.rows {
        if let Some(plugin) = rule.plugins.authenticating() {
            return carried(plugin, format!("global rule {:?}", rule.id));
        }
    }
    Ok(())
}

/// Every global rule of a group.
pub(crate) fn rules(group: &GatewayGroupId) -> GroupObjectFilter {
    GroupObjectFilter {
        kind: GroupObjectKind::GlobalRule,
        gateway_group_id: group.clone(),
        text: TextFilter::default(),
        order: Order::default(),
        paging: Paging::All,
    }
}
