//! What decisions about permissions need: the names of all things of one kind, what an administrator was given, and
//! the mark that changes with it.

use std::collections::HashMap;

use forecourt_core::{
    ids::{GatewayGroupId, PermissionPolicyId},
    labels::Labels,
    permissions::PolicyDocument,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::{
    Reader, StoreError, administrators, approvals, consumers, dcr_providers, developers, dialect,
    gateway_groups, permission_policies, portals, products, roles, rows, services,
};

/// The things of one kind, each of which somebody may or may not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuledNoun<'a> {
    /// Portals.
    Portals,
    /// Products, with their portals.
    Products,
    /// Developers, with their portals.
    Developers,
    /// Products that approvals are about, also deleted ones, with their portals.
    ProductsInApprovals,
    /// Developers whose registration an approval is about, also deleted ones, with their portals.
    RegistrationsInApprovals,
    /// Gateway groups.
    GatewayGroups,
    /// Services of a group or of all, with their groups.
    Services(Option<&'a GatewayGroupId>),
    /// Consumers of a group or of all, with their groups.
    Consumers(Option<&'a GatewayGroupId>),
    /// Administrators.
    Administrators,
    /// Roles.
    Roles,
    /// Permission policies.
    PermissionPolicies,
    /// DCR providers.
    DcrProviders,
}

impl Reader {
    /// The id of everything of a kind, with the id of what it belongs to (empty: nothing).
    pub async fn ruled_ids(&self, noun: RuledNoun<'_>) -> Result<Vec<(String, String)>, StoreError> {
        match noun {
            RuledNoun::Portals => self.ids::<portals::entity::Entity>(portals::entity::Column::Id).await,
            RuledNoun::GatewayGroups => {
                self.ids::<gateway_groups::entity::Entity>(gateway_groups::entity::Column::Id).await
            }
            RuledNoun::Administrators => {
                self.ids::<administrators::entity::Entity>(administrators::entity::Column::Id).await
            }
            RuledNoun::Roles => self.ids::<roles::entity::Entity>(roles::entity::Column::Id).await,
            RuledNoun::PermissionPolicies => {
                self.ids::<permission_policies::entity::Entity>(permission_policies::entity::Column::Id).await
            }
            RuledNoun::DcrProviders => {
                self.ids::<dcr_providers::entity::Entity>(dcr_providers::entity::Column::Id).await
            }
            RuledNoun::Products => {
                use products::entity::{Column, Entity};
                self.pairs(Entity::find(), Column::PortalId, Column::Id).await
            }
            RuledNoun::Developers => {
                use developers::entity::{Column, Entity};
                self.pairs(Entity::find(), Column::PortalId, Column::Id).await
            }
            RuledNoun::ProductsInApprovals => {
                use approvals::entity::{Column, Entity};
                let about = Entity::find().filter(Column::ProductId.is_not_null());
                self.pairs(about, Column::PortalId, Column::ProductId).await
            }
            RuledNoun::RegistrationsInApprovals => {
                use approvals::entity::{Column, Entity};
                let about = Entity::find().filter(Column::ProductId.is_null());
                self.pairs(about, Column::PortalId, Column::DeveloperId).await
            }
            RuledNoun::Services(group) => {
                use services::entity::{Column, Entity};
                let select = within(Entity::find(), Column::GatewayGroupId, group);
                self.pairs(select, Column::GatewayGroupId, Column::Id).await
            }
            RuledNoun::Consumers(group) => {
                use consumers::entity::{Column, Entity};
                let select = within(Entity::find(), Column::GatewayGroupId, group);
                self.pairs(select, Column::GatewayGroupId, Column::Username).await
            }
        }
    }

    async fn ids<E: EntityTrait>(&self, id: E::Column) -> Result<Vec<(String, String)>, StoreError> {
        let ids: Vec<String> =
            E::find().select_only().column(id).into_tuple().all(&self.connection()).await?;
        Ok(ids.into_iter().map(|id| (String::new(), id)).collect())
    }

    async fn pairs<E: EntityTrait>(
        &self,
        select: Select<E>,
        of: E::Column,
        id: E::Column,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let select = select.select_only().column(of).column(id).distinct();
        Ok(select.into_tuple().all(&self.connection()).await?)
    }

    /// The documents of these policies.
    pub async fn policy_documents(
        &self,
        policies: &[PermissionPolicyId],
    ) -> Result<HashMap<PermissionPolicyId, PolicyDocument>, StoreError> {
        use permission_policies::entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let ids: Vec<_> = policies.iter().map(ToString::to_string).collect();
        let select = Entity::find().select_only().column(Column::Id).column(Column::Document);
        let select = select.filter(dialect::is_one_of(backend, Column::Id, &ids));
        let found: Vec<(String, String)> = select.into_tuple().all(&self.connection()).await?;
        let read = |(id, text): (String, String)| {
            let document = PolicyDocument::known(rows::from_json("policy document", &text)?);
            Ok((PermissionPolicyId::known(id), document))
        };
        found.into_iter().map(read).collect()
    }

    /// The labels of every gateway group.
    pub async fn gateway_group_labels(&self) -> Result<HashMap<GatewayGroupId, Labels>, StoreError> {
        use gateway_groups::entity::{Column, Entity};
        let select = Entity::find().select_only().column(Column::Id).column(Column::Labels);
        let found: Vec<(String, String)> = select.into_tuple().all(&self.connection()).await?;
        let read = |(id, text): (String, String)| {
            Ok((GatewayGroupId::known(id), rows::from_json("gateway group labels", &text)?))
        };
        found.into_iter().map(read).collect()
    }
}

fn within<E: EntityTrait>(select: Select<E>, column: E::Column, group: Option<&GatewayGroupId>) -> Select<E> {
    match group {
        Some(group) => select.filter(column.eq(group.as_str())),
        None => select,
    }
}
