//! Portal tokens, by the digest of their text.

use forecourt_core::{
    ids::{PortalId, PortalTokenId},
    lists::{List, TimeOrder},
    portal_tokens::{PortalToken, PortalTokenFilter},
    secrets::SecretDigest,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, prelude::Expr};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "portal_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub name: String,
        pub digest: String,
        pub expires_at: Option<i64>,
        pub last_used_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The token with this id.
    pub async fn portal_token(&self, id: &PortalTokenId) -> Result<Option<PortalToken>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(token).transpose()
    }

    /// The token whose text has this digest.
    pub async fn portal_token_by_digest(
        &self,
        digest: &SecretDigest,
    ) -> Result<Option<PortalToken>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Digest.eq(digest.to_hex()));
        select.one(&self.connection()).await?.map(token).transpose()
    }

    /// The tokens that `filter` wants.
    pub async fn portal_tokens(&self, filter: &PortalTokenFilter) -> Result<List<PortalToken>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(portal) = &filter.portal_id {
            select = select.filter(Column::PortalId.eq(portal.as_str()));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::PortalId, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, token).await
    }
}

impl Tx {
    /// Adds a token.
    pub async fn insert_portal_token(&self, token: &PortalToken) -> Result<(), StoreError> {
        entity::Entity::insert(row(token)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed token.
    pub async fn save_portal_token(&self, token: &PortalToken) -> Result<(), StoreError> {
        entity::Entity::update(row(token)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Notes that a token was accepted.
    pub async fn touch_portal_token(&self, id: &PortalTokenId, at: Timestamp) -> Result<(), StoreError> {
        entity::Entity::update_many()
            .col_expr(entity::Column::LastUsedAt, Expr::value(at.micros()))
            .filter(entity::Column::Id.eq(id.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Removes a token.
    pub async fn delete_portal_token(&self, id: &PortalTokenId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(token: &PortalToken) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(token.id.to_string()),
        portal_id: Set(token.portal_id.to_string()),
        name: Set(token.name.clone()),
        digest: Set(token.digest.to_hex()),
        expires_at: Set(token.expires_at.map(Timestamp::micros)),
        last_used_at: Set(token.last_used_at.map(Timestamp::micros)),
        created_at: Set(token.created_at.micros()),
        updated_at: Set(token.updated_at.micros()),
    }
}

fn token(row: entity::Model) -> Result<PortalToken, StoreError> {
    Ok(PortalToken {
        id: PortalTokenId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        name: row.name,
        digest: rows::known("portal token digest", SecretDigest::from_hex(&row.digest))?,
        expires_at: row.expires_at.map(Timestamp::from_micros),
        last_used_at: row.last_used_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
