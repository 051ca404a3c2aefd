//! Developers.

use forecourt_core::{
    developers::{Developer, DeveloperFilter, DeveloperOrder, DeveloperProvider, DeveloperStatus},
    ids::{DeveloperId, DeveloperName, PortalId},
    lists::List,
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, prelude::Expr,
    sea_query::Func,
};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "developers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub name: String,
        pub display_name: String,
        pub username: Option<String>,
        pub email: Option<String>,
        pub email_verified: bool,
        pub status: String,
        pub on_hold: bool,
        pub provider: String,
        pub search_text: String,
        pub last_active_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The developer with this id of ours.
    pub async fn developer(&self, id: &DeveloperId) -> Result<Option<Developer>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(developer).transpose()
    }

    /// The portal's developer with this public id.
    pub async fn developer_by_name(
        &self,
        portal: &PortalId,
        name: &DeveloperName,
    ) -> Result<Option<Developer>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::PortalId.eq(portal.as_str()))
            .filter(entity::Column::Name.eq(name.as_str()));
        select.one(&self.connection()).await?.map(developer).transpose()
    }

    /// The developers of all portals with this public id, oldest first.
    pub async fn developers_named(&self, name: &DeveloperName) -> Result<Vec<Developer>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Name.eq(name.as_str()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(developer)
            .collect()
    }

    /// How many developers a portal has.
    pub async fn developer_count(&self, portal: &PortalId) -> Result<u64, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::PortalId.eq(portal.as_str()));
        Ok(select.count(&self.connection()).await?)
    }

    /// The developers that `filter` wants.
    pub async fn developers(&self, filter: &DeveloperFilter) -> Result<List<Developer>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(portal) = &filter.portal_id {
            select = select.filter(Column::PortalId.eq(portal.as_str()));
        }
        if let Some(status) = filter.status {
            select = select.filter(Column::Status.eq(status.name()));
        }
        if let Some(search) = &filter.search {
            let backend = rows::backend(&self.connection());
            select = select.filter(dialect::contains(backend, Column::SearchText, &dialect::fold(search)));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::Id, &filter.readable);
        let by = match filter.order.by {
            DeveloperOrder::LastActiveAt => {
                Expr::expr(Func::coalesce([Expr::col(Column::LastActiveAt), Expr::col(Column::CreatedAt)]))
            }
            DeveloperOrder::CreatedAt => Expr::col(Column::CreatedAt),
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, developer).await
    }
}

impl Tx {
    /// Adds a developer.
    pub async fn insert_developer(&self, developer: &Developer) -> Result<(), StoreError> {
        entity::Entity::insert(row(developer)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed developer.
    pub async fn save_developer(&self, developer: &Developer) -> Result<(), StoreError> {
        entity::Entity::update(row(developer)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Notes that a developer acted.
    pub async fn touch_developer(&self, id: &DeveloperId, at: Timestamp) -> Result<(), StoreError> {
        entity::Entity::update_many()
            .col_expr(entity::Column::LastActiveAt, Expr::value(at.micros()))
            .filter(entity::Column::Id.eq(id.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Removes a developer with its organization, applications, credentials and subscriptions.
    pub async fn delete_developer(&self, id: &DeveloperId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(developer: &Developer) -> entity::ActiveModel {
    let username = developer.username.as_deref().unwrap_or_default();
    let email = developer.email.as_deref().unwrap_or_default();
    let searched = [developer.name.as_str(), &developer.display_name, username, email];
    entity::ActiveModel {
        id: Set(developer.id.to_string()),
        portal_id: Set(developer.portal_id.to_string()),
        name: Set(developer.name.to_string()),
        display_name: Set(developer.display_name.clone()),
        username: Set(developer.username.clone()),
        email: Set(developer.email.clone()),
        email_verified: Set(developer.email_verified),
        status: Set(developer.status.name().to_owned()),
        on_hold: Set(developer.on_hold),
        provider: Set(developer.provider.name().to_owned()),
        search_text: Set(dialect::search_text(&searched, None)),
        last_active_at: Set(developer.last_active_at.map(Timestamp::micros)),
        created_at: Set(developer.created_at.micros()),
        updated_at: Set(developer.updated_at.micros()),
    }
}

pub(crate) fn developer(row: entity::Model) -> Result<Developer, StoreError> {
    Ok(Developer {
        id: DeveloperId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        name: DeveloperName::known(row.name),
        display_name: row.display_name,
        username: row.username,
        email: row.email,
        email_verified: row.email_verified,
        status: rows::known("developer status", DeveloperStatus::from_name(&row.status))?,
        on_hold: row.on_hold,
        provider: rows::known("developer provider", DeveloperProvider::from_name(&row.provider))?,
        last_active_at: row.last_active_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
