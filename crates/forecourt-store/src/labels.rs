//! Which labels are in use, for people who filter by them.

use std::collections::{BTreeMap, BTreeSet};

use forecourt_core::{
    ids::{DeveloperId, GatewayGroupId, PortalId},
    labels::Labels,
    products::{ProductStatus, Viewer, Visibility},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use crate::{
    Reader, StoreError, applications, certificates, consumers, credentials, gateway_groups, portals,
    products, routes, rows, services,
};

/// Whose labels are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelledNoun {
    /// Portals.
    Portals,
    /// Gateway groups, or only this one.
    GatewayGroups(Option<GatewayGroupId>),
    /// Services, of one group or all.
    Services(Option<GatewayGroupId>),
    /// Routes, of one group or all.
    Routes(Option<GatewayGroupId>),
    /// Certificates, of one group or all.
    Certificates(Option<GatewayGroupId>),
    /// Consumers, of one group or all.
    Consumers(Option<GatewayGroupId>),
    /// Products, of one portal or all, drafts included.
    Products(Option<PortalId>),
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
        let texts = match noun {
            LabelledNoun::Portals => {
                use portals::entity::{Column, Entity};
                self.label_texts(Entity::find().select_only().column(Column::Labels)).await?
            }
            LabelledNoun::GatewayGroups(group) => {
                use gateway_groups::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(within(select, Column::Id, group.as_ref().map(GatewayGroupId::as_str)))
                    .await?
            }
            LabelledNoun::Services(group) => {
                use services::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(within(
                    select,
                    Column::GatewayGroupId,
                    group.as_ref().map(GatewayGroupId::as_str),
                ))
                .await?
            }
            LabelledNoun::Routes(group) => {
                use routes::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(within(
                    select,
                    Column::GatewayGroupId,
                    group.as_ref().map(GatewayGroupId::as_str),
                ))
                .await?
            }
            LabelledNoun::Certificates(group) => {
                use certificates::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                let group = group.as_ref().map(GatewayGroupId::as_str);
                self.label_texts(within(select, Column::GatewayGroupId, group)).await?
            }
            LabelledNoun::Consumers(group) => {
                use consumers::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                let group = group.as_ref().map(GatewayGroupId::as_str);
                self.label_texts(within(select, Column::GatewayGroupId, group)).await?
            }
            LabelledNoun::Products(portal) => {
                use products::entity::{Column, Entity};
                let select = Entity::find().select_only().column(Column::Labels);
                self.label_texts(within(select, Column::PortalId, portal.as_ref().map(PortalId::as_str)))
                    .await?
            }
            LabelledNoun::VisibleProducts(portal, viewer) => {
                self.label_texts(visible(portal, viewer)).await?
            }
            LabelledNoun::Applications(developer) => self.label_texts(own_applications(developer)).await?,
            LabelledNoun::Credentials(developer) => self.label_texts(own_credentials(developer)).await?,
        };
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for text in texts {
            let labels: Labels = rows::from_json("labels", &text)?;
            for (key, value) in labels.pairs() {
                values.entry(key.clone()).or_default().insert(value.clone());
            }
        }
        Ok(values.into_iter().map(|(key, values)| (key, values.into_iter().collect())).collect())
    }

    async fn label_texts<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<String>, StoreError> {
        Ok(select.distinct().into_tuple().all(&self.connection()).await?)
    }
}

fn within<E: EntityTrait>(select: Select<E>, column: E::Column, value: Option<&str>) -> Select<E> {
    match value {
        Some(value) => select.filter(column.eq(value)),
        None => select,
    }
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
