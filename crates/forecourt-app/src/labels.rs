//! Labels in use, for people who filter by them.

use std::collections::BTreeMap;

use forecourt_core::{
    actors::{Actor, Caller},
    ids::{GatewayGroupId, PortalId},
    permissions::Action,
    products::Viewer,
};
use forecourt_store::{LabelledNoun, RuledNoun};

use crate::{App, Error, access, services};

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
    /// Roles.
    Roles,
    /// Permission policies.
    PermissionPolicies,
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

/// Values in use by key, distinct and sorted, of what the caller may read. An unknown portal or group is not found by
/// whoever may see it.
pub async fn administered(
    app: &App,
    caller: &Caller,
    noun: AdministeredLabels,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let read = async |action, noun: RuledNoun<'_>| access::readable(app, caller, action, noun).await;
    let labelled = match noun {
        AdministeredLabels::Portals => {
            LabelledNoun::Portals(read(Action::GetPortal, RuledNoun::Portals).await?)
        }
        AdministeredLabels::Products(portal) => {
            access::known_portal(app, caller, portal.as_ref()).await?;
            LabelledNoun::Products(portal, read(Action::GetApiProduct, RuledNoun::Products).await?)
        }
        AdministeredLabels::Roles => LabelledNoun::Roles(read(Action::GetRole, RuledNoun::Roles).await?),
        AdministeredLabels::PermissionPolicies => LabelledNoun::PermissionPolicies(
            read(Action::GetPermissionPolicy, RuledNoun::PermissionPolicies).await?,
        ),
        AdministeredLabels::GatewayGroups => {
            LabelledNoun::GatewayGroups(read(Action::GetGatewayGroup, RuledNoun::GatewayGroups).await?)
        }
        AdministeredLabels::Services(group) => {
            let group = narrowed(app, caller, group).await?;
            let noun = RuledNoun::Services(group.as_ref());
            let readable = read(Action::GetPublishedService, noun).await?;
            LabelledNoun::Services(group, readable)
        }
        AdministeredLabels::Routes(group) => {
            let group = narrowed(app, caller, group).await?;
            let noun = RuledNoun::Services(group.as_ref());
            let readable = read(Action::GetPublishedService, noun).await?;
            LabelledNoun::Routes(group, readable)
        }
        AdministeredLabels::Certificates(group) => {
            let group = narrowed(app, caller, group).await?;
            let readable = read(Action::GetCertificate, RuledNoun::GatewayGroups).await?;
            LabelledNoun::Certificates(group, readable)
        }
        AdministeredLabels::Consumers(group) => {
            let group = narrowed(app, caller, group).await?;
            let readable = read(Action::GetConsumer, RuledNoun::Consumers(group.as_ref())).await?;
            LabelledNoun::Consumers(group, readable)
        }
    };
    Ok(app.read().labels_of(&labelled).await?)
}

/// The asked group, or the one that the caller's key is bound to.
async fn narrowed(
    app: &App,
    caller: &Caller,
    asked: Option<GatewayGroupId>,
) -> Result<Option<GatewayGroupId>, Error> {
    match (&caller.actor, asked) {
        (Actor::GatewayGroupKey(own), Some(asked)) if *own != asked => Err(access::elsewhere()),
        (Actor::GatewayGroupKey(own), _) => Ok(Some(own.clone())),
        (_, Some(asked)) => services::listed_group(app, caller, Some(asked)).await.map(Some),
        (_, None) => Ok(None),
    }
}
