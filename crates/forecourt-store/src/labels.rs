//! Which labels are in use, for people who filter by them.

use std::collections::{BTreeMap, BTreeSet};

use forecourt_core::{
    ids::{DeveloperId, GatewayGroupId, PortalId},
    labels::Labels,
    lists::Readable,
    products::{ProductStatus, Viewer, Visibility},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use crate::{
    Reader, StoreError, applications, certificates, consumers, credentials, dialect, gateway_groups,
    permission_policies, portals, products, roles, routes, rows, services,
};

/// Whose labels are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelledNoun {
    /// Portals.
    Portals(Readable),
    /// Roles.
    Roles(Readable),
    /// Permission policies.
    PermissionPolicies(Readable),
    /// Gateway groups.
    GatewayGroups(Readable),
    /// Services, of one group or all.
    Services(Option<GatewayGroupId>, Readable),
    /// Routes, of one group or all, of services that can be read.
    Routes(Option<GatewayGroupId>, Readable),
    /// Certificates, of one group or all, of groups whose certificates can be read.
    Certificates(Option<GatewayGroupId>, Readable),
    /// Consumers, of one group or all, by group and user name.
    Consumers(Option<GatewayGroupId>, Readable),
    /// Products, of one portal or all, drafts included.
    Products(Option<PortalId>, Readable),
    /// Products of a portal that a viewer sees.
    VisibleProducts(PortalId, Viewer),
    /// A developer's applications.
    Applications(DeveloperId),
    /// Credentials of a developer's applications.
    Credentials(DeveloperId),
}

impl Reader {
    /// The values in use by key, distinct and sorted.
    pub async fn labels_of(&self, noun: &LabelledNoun) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let backend = rows::backend(&self.connection());
        let texts = match noun {
            LabelledNoun::Portals(readable) => {
                use portals::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(dialect::readable(backend, select, Column::Id, readable)).await?
            }
            LabelledNoun::Roles(readable) => {
                use roles::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(dialect::readable(backend, select, Column::Id, readable)).await?
            }
            LabelledNoun::PermissionPolicies(readable) => {
                use permission_policies::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(dialect::readable(backend, select, Column::Id, readable)).await?
            }
            LabelledNoun::GatewayGroups(readable) => {
                use gateway_groups::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(dialect::readable(backend, select, Column::Id, readable)).await?
            }
            LabelledNoun::Services(group, readable) => {
                use services::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                let select = of_group(select, Column::GatewayGroupId, group.as_ref());
                self.label_texts(dialect::readable(backend, select, Column::Id, readable)).await?
            }
            LabelledNoun::Routes(group, readable) => {
                use routes::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                let select = of_group(select, Column::GatewayGroupId, group.as_ref());
                self.label_texts(dialect::readable(backend, select, Column::ServiceId, readable)).await?
            }
            LabelledNoun::Certificates(group, readable) => {
                use certificates::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                let select = of_group(select, Column::GatewayGroupId, group.as_ref());
                self.label_texts(dialect::readable(backend, select, Column::GatewayGroupId, readable)).await?
            }
            LabelledNoun::Consumers(group, readable) => {
                use consumers::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                let select = of_group(select, Column::GatewayGroupId, group.as_ref());
                self.label_texts(dialect::readable(backend, select, Column::Key, readable)).await?
            }
            LabelledNoun::Products(portal, readable) => {
                use products::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                let select = within(select, Column::PortalId, portal.as_ref().map(PortalId::as_str));
                self.label_texts(dialect::readable(backend, select, Column::Id, readable)).await?
            }
            LabelledNoun::VisibleProducts(portal, viewer) => {
                self.label_texts(visible(portal, viewer)).await?
            }
            LabelledNoun::Applications(developer) => self.label_texts(own_applications(developer)).await?,
            LabelledNoun::Credentials(developer) => self.label_texts(own_credentials(developer)).await?,
        };
        by_key(&texts)
    }

    async fn label_texts<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<String>, StoreError> {
        Ok(select.distinct().into_tuple().all(&self.connection()).await?)
    }
}

/// The values of stored labels by key.
fn by_key(texts: &[String]) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for text in texts {
        let labels: Labels = rows::from_json("labels", text)?;
        for (key, value) in labels.pairs() {
            values.entry(key.clone()).or_default().insert(value.clone());
        }
    }
    Ok(values.into_iter().map(|(key, values)| (key, values.into_iter().collect())).collect())
}

fn within<E: EntityTrait>(select: Select<E>, column: E::Column, value: Option<&str>) -> Select<E> {
    match value {
        Some(value) => select.filter(column.eq(value)),
        None => select,
    }
}

fn of_group<E: EntityTrait>(
    select: Select<E>,
    column: E::Column,
    group: Option<&GatewayGroupId>,
) -> Select<E> {
    within(select, column, group.map(GatewayGroupId::as_str))
}

fn visible(portal: &PortalId, viewer: &Viewer) -> Select<products::entity::Entity> {
    use products::entity::{Column, Entity};
    let select = Entity::find()
        .select_only()
        .column(Column::Labels)
        .filter(Column::PortalId.eq(portal.as_str()))
        .filter(Column::Status.eq(ProductStatus::Published.name()));
    match viewer {
        Viewer::Guest => select.filter(Column::Visibility.eq(Visibility::Public.name())),
        Viewer::Developer(_) => select,
    }
}

fn own_applications(developer: &DeveloperId) -> Select<applications::entity::Entity> {
    use applications::entity::{Column, Entity};
    Entity::find().select_only().column(Column::Labels).filter(Column::DeveloperId.eq(developer.as_str()))
}

fn own_credentials(developer: &DeveloperId) -> Select<credentials::entity::Entity> {
    use credentials::entity::{Column, Entity};
    let own = applications::entity::Entity::find()
        .select_only()
        .column(applications::entity::Column::Id)
        .filter(applications::entity::Column::DeveloperId.eq(developer.as_str()));
    Entity::find()
        .select_only()
        .column(Column::Labels)
        .filter(Column::ApplicationId.in_subquery(own.into_query()))
}
