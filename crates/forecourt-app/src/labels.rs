//! Labels in use, for people who filter by them.

use std::collections::BTreeMap;

use forecourt_core::{
    actors::{Actor, Area, Caller},
    ids::{GatewayGroupId, PortalId},
    products::Viewer,
};
use forecourt_store::LabelledNoun;

use crate::{App, Error, access};

/// Whose labels a developer or guest of a portal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogueLabels {
    /// Of the products that the caller sees.
    Products,
    /// Of the caller's applications.
    Applications,
    /// Of the caller's credentials.
    Credentials,
}

/// Whose labels an administrator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdministeredLabels {
    /// Gateway groups.
    GatewayGroups,
    /// Services, of one group or all.
    Services(Option<GatewayGroupId>),
    /// Routes, of one group or all.
    Routes(Option<GatewayGroupId>),
    /// Certificates, of one group or all.
    Certificates(Option<GatewayGroupId>),
    /// Consumers, of one group or all.
    Consumers(Option<GatewayGroupId>),
    /// Portals.
    Portals,
    /// Products, of one portal or all.
    Products(Option<PortalId>),
}

/// Values in use by key, distinct and sorted, of what the caller sees in the catalogue.
pub async fn of_catalogue(
    app: &App,
    caller: &Caller,
    noun: CatalogueLabels,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let labelled = match (noun, &caller.actor) {
        (CatalogueLabels::Products, Actor::Guest(portal)) => {
            LabelledNoun::VisibleProducts(portal.clone(), Viewer::Guest)
        }
        (CatalogueLabels::Products, _) => {
            let developer = access::developer(caller)?;
            LabelledNoun::VisibleProducts(
                developer.portal_id.clone(),
                Viewer::Developer(developer.id.clone()),
            )
        }
        (CatalogueLabels::Applications, _) => {
            LabelledNoun::Applications(access::developer(caller)?.id.clone())
        }
        (CatalogueLabels::Credentials, _) => LabelledNoun::Credentials(access::developer(caller)?.id.clone()),
    };
    Ok(app.read().labels_of(&labelled).await?)
}

/// Values in use by key, distinct and sorted, of what the caller administers.
pub async fn administered(
    app: &App,
    caller: &Caller,
    noun: AdministeredLabels,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let own = match &caller.actor {
        Actor::GatewayGroupKey(group) => Some(group.clone()),
        _ => None,
    };
    let narrowed = |asked: Option<GatewayGroupId>| match (&own, asked) {
        (Some(own), Some(asked)) if *own != asked => {
            Err(Error::forbidden("a gateway group's admin key acts on its own group only"))
        }
        (Some(own), _) => Ok(Some(own.clone())),
        (None, asked) => Ok(asked),
    };
    let (area_is_open, labelled) = match noun {
        AdministeredLabels::Portals => (access::lists(caller, Area::Portals)?, LabelledNoun::Portals),
        AdministeredLabels::Products(portal) => {
            (access::lists(caller, Area::Portals)?, LabelledNoun::Products(portal))
        }
        AdministeredLabels::GatewayGroups => (gateway_is_open(caller), LabelledNoun::GatewayGroups(own)),
        AdministeredLabels::Services(group) => {
            (gateway_is_open(caller), LabelledNoun::Services(narrowed(group)?))
        }
        AdministeredLabels::Routes(group) => {
            (gateway_is_open(caller), LabelledNoun::Routes(narrowed(group)?))
        }
        AdministeredLabels::Certificates(group) => {
            (gateway_is_open(caller), LabelledNoun::Certificates(narrowed(group)?))
        }
        AdministeredLabels::Consumers(group) => {
            (gateway_is_open(caller), LabelledNoun::Consumers(narrowed(group)?))
        }
    };
    if !area_is_open {
        return Ok(BTreeMap::new());
    }
    Ok(app.read().labels_of(&labelled).await?)
}

fn gateway_is_open(caller: &Caller) -> bool {
    matches!(caller.actor, Actor::GatewayGroupKey(_)) || caller.actor.administers(Area::Portals)
}
