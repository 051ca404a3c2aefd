//! Objects of whole gateway groups: global rules, stream routes, metadata of plugins.

use forecourt_core::{
    group_objects::{GroupObject, GroupObjectFilter, GroupObjectKind},
    ids::{GatewayGroupId, ServiceId},
    lists::{List, TimeOrder},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::OnConflict};

use crate::{Reader, StoreError, Tx, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "group_objects")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub gateway_group_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub service_id: Option<String>,
        pub plugins: String,
        pub extra: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn key(group: &GatewayGroupId, kind: GroupObjectKind, id: &str) -> (String, String, String) {
    (group.to_string(), kind.name().to_owned(), id.to_owned())
}

impl Reader {
    /// The object of this sort and id in a group.
    pub async fn group_object(
        &self,
        group: &GatewayGroupId,
        kind: GroupObjectKind,
        id: &str,
    ) -> Result<Option<GroupObject>, StoreError> {
        let row = entity::Entity::find_by_id(key(group, kind, id)).one(&self.connection()).await?;
        row.map(object).transpose()
    }

    /// The groups that have an object of this sort and id; ids are unique within a group only.
    pub async fn groups_with_object(
        &self,
        kind: GroupObjectKind,
        id: &str,
    ) -> Result<Vec<GatewayGroupId>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::Kind.eq(kind.name()))
            .filter(entity::Column::Id.eq(id));
        let rows = select.all(&self.connection()).await?;
        Ok(rows.into_iter().map(|row| GatewayGroupId::known(row.gateway_group_id)).collect())
    }

    /// The objects that `filter` wants.
    pub async fn group_objects(&self, filter: &GroupObjectFilter) -> Result<List<GroupObject>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex)
                .filter(Column::GatewayGroupId.eq(filter.gateway_group_id.as_str()))
                .filter(Column::Kind.eq(filter.kind.name()));
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, object).await
    }
}

impl Tx {
    /// Adds an object, or stores a changed one.
    pub async fn put_group_object(&self, object: &GroupObject) -> Result<(), StoreError> {
        use entity::Column;
        let replace = OnConflict::columns([Column::GatewayGroupId, Column::Kind, Column::Id])
            .update_columns([
                Column::Name,
                Column::Desc,
                Column::Labels,
                Column::LabelIndex,
                Column::SearchText,
                Column::ServiceId,
                Column::Plugins,
                Column::Extra,
                Column::UpdatedAt,
            ])
            .to_owned();
        entity::Entity::insert(row(object)?)
            .on_conflict(replace)
            .exec_without_returning(&self.connection())
            .await?;
        Ok(())
    }

    /// Removes an object.
    pub async fn delete_group_object(
        &self,
        group: &GatewayGroupId,
        kind: GroupObjectKind,
        id: &str,
    ) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(key(group, kind, id)).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(object: &GroupObject) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        gateway_group_id: Set(object.gateway_group_id.to_string()),
        kind: Set(object.kind.name().to_owned()),
        id: Set(object.id.clone()),
        name: Set(object.name.clone()),
        desc: Set(object.desc.clone()),
        labels: Set(rows::to_json("group object labels", &object.labels)?),
        label_index: Set(dialect::label_index(&object.labels)),
        search_text: Set(dialect::search_text(&[&object.name, &object.desc], Some(&object.labels))),
        service_id: Set(object.service_id.as_ref().map(ToString::to_string)),
        plugins: Set(rows::to_json("group object plugins", &object.plugins)?),
        extra: Set(rows::to_json("group object members", &object.extra)?),
        created_at: Set(object.created_at.micros()),
        updated_at: Set(object.updated_at.micros()),
    })
}

fn object(row: entity::Model) -> Result<GroupObject, StoreError> {
    Ok(GroupObject {
        kind: rows::known("group object kind", GroupObjectKind::from_name(&row.kind))?,
        gateway_group_id: GatewayGroupId::known(row.gateway_group_id),
        id: row.id,
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("group object labels", &row.labels)?,
        service_id: row.service_id.map(ServiceId::known),
        plugins: rows::from_json("group object plugins", &row.plugins)?,
        extra: rows::from_json("group object members", &row.extra)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
