//! Gateway groups and their admin keys.

use forecourt_core::{
    gateway_groups::{GatewayGroup, GatewayGroupFilter},
    ids::GatewayGroupId,
    lists::{List, TimeOrder},
    secrets::SecretDigest,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_groups")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub admin_key_digest: Option<String>,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The group with this id.
    pub async fn gateway_group(&self, id: &GatewayGroupId) -> Result<Option<GatewayGroup>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(group).transpose()
    }

    /// The group with exactly this name.
    pub async fn gateway_group_by_name(&self, name: &str) -> Result<Option<GatewayGroup>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Name.eq(name));
        select.one(&self.connection()).await?.map(group).transpose()
    }

    /// The group whose admin key has this digest.
    pub async fn gateway_group_by_admin_key(
        &self,
        digest: &SecretDigest,
    ) -> Result<Option<GatewayGroup>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::AdminKeyDigest.eq(digest.to_hex()));
        select.one(&self.connection()).await?.map(group).transpose()
    }

    /// The groups that `filter` wants.
    pub async fn gateway_groups(
        &self,
        filter: &GatewayGroupFilter,
    ) -> Result<List<GatewayGroup>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        if let Some(name) = &filter.name {
            select = select.filter(Column::Name.eq(name));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::Id, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, group).await
    }
}

impl Tx {
    /// Adds a group.
    pub async fn insert_gateway_group(&self, group: &GatewayGroup) -> Result<(), StoreError> {
        entity::Entity::insert(row(group)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed group.
    pub async fn save_gateway_group(&self, group: &GatewayGroup) -> Result<(), StoreError> {
        entity::Entity::update(row(group)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a group with all that belongs to it: services, routes, certificates, consumers, instance tokens.
    pub async fn delete_gateway_group(&self, id: &GatewayGroupId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(group: &GatewayGroup) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(group.id.to_string()),
        name: Set(group.name.clone()),
        desc: Set(group.desc.clone()),
        labels: Set(rows::to_json("gateway group labels", &group.labels)?),
        label_index: Set(dialect::label_index(&group.labels)),
        search_text: Set(dialect::search_text(&[&group.name, &group.desc], Some(&group.labels))),
        admin_key_digest: Set(group.admin_key.as_ref().map(SecretDigest::to_hex)),
        created_at: Set(group.created_at.micros()),
        updated_at: Set(group.updated_at.micros()),
    })
}

fn group(row: entity::Model) -> Result<GatewayGroup, StoreError> {
    Ok(GatewayGroup {
        id: GatewayGroupId::known(row.id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("gateway group labels", &row.labels)?,
        admin_key: row.admin_key_digest.as_deref().and_then(SecretDigest::from_hex),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
