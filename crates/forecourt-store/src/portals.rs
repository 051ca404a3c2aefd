//! Portals.

use forecourt_core::{
    ids::PortalId,
    lists::{List, TimeOrder},
    portals::{Portal, PortalFilter},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "portals")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub public_url: Option<String>,
        pub domain: Option<String>,
        pub public_access: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The portal with this id.
    pub async fn portal(&self, id: &PortalId) -> Result<Option<Portal>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(portal).transpose()
    }

    /// The portal with exactly this name.
    pub async fn portal_by_name(&self, name: &str) -> Result<Option<Portal>, StoreError> {
        let found =
            entity::Entity::find().filter(entity::Column::Name.eq(name)).one(&self.connection()).await?;
        found.map(portal).transpose()
    }

    /// The portals that `filter` wants.
    pub async fn portals(&self, filter: &PortalFilter) -> Result<List<Portal>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::Id, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, portal).await
    }

    /// Every portal, oldest first.
    pub async fn all_portals(&self) -> Result<Vec<Portal>, StoreError> {
        let rows = entity::Entity::find().order_by_asc(entity::Column::Id).all(&self.connection()).await?;
        rows.into_iter().map(portal).collect()
    }
}

impl Tx {
    /// Adds a portal.
    pub async fn insert_portal(&self, portal: &Portal) -> Result<(), StoreError> {
        entity::Entity::insert(row(portal)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed portal.
    pub async fn save_portal(&self, portal: &Portal) -> Result<(), StoreError> {
        entity::Entity::update(row(portal)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a portal with its tokens, sign-in option and persons.
    pub async fn delete_portal(&self, id: &PortalId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(portal: &Portal) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(portal.id.to_string()),
        name: Set(portal.name.clone()),
        desc: Set(portal.desc.clone()),
        labels: Set(rows::to_json("portal labels", &portal.labels)?),
        label_index: Set(dialect::label_index(&portal.labels)),
        search_text: Set(dialect::search_text(&[&portal.name, &portal.desc], Some(&portal.labels))),
        public_url: Set(portal.public_url.clone()),
        domain: Set(portal.domain.clone()),
        public_access: Set(portal.public_access),
        created_at: Set(portal.created_at.micros()),
        updated_at: Set(portal.updated_at.micros()),
    })
}

fn portal(row: entity::Model) -> Result<Portal, StoreError> {
    Ok(Portal {
        id: PortalId::known(row.id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("portal labels", &row.labels)?,
        public_url: row.public_url,
        domain: row.domain,
        public_access: row.public_access,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
