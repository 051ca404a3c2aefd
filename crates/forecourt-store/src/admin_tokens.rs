//! Access tokens of administrators, by the digest of their text.

use forecourt_core::{
    admin_tokens::{AdminToken, AdminTokenFilter, AdminTokenOrder},
    ids::{AdminTokenId, AdministratorId},
    lists::List,
    secrets::SecretDigest,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, prelude::Expr, sea_query::Func};

use crate::{Reader, StoreError, Tx, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "admin_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub administrator_id: String,
        pub name: String,
        pub digest: String,
        pub expires_at: Option<i64>,
        pub last_used_at: Option<i64>,
        pub search_text: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The token with this id.
    pub async fn admin_token(&self, id: &AdminTokenId) -> Result<Option<AdminToken>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(token).transpose()
    }

    /// The token whose text has this digest.
    pub async fn admin_token_by_digest(
        &self,
        digest: &SecretDigest,
    ) -> Result<Option<AdminToken>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Digest.eq(digest.to_hex()));
        select.one(&self.connection()).await?.map(token).transpose()
    }

    /// The administrator's token with exactly this name.
    pub async fn admin_token_by_name(
        &self,
        owner: &AdministratorId,
        name: &str,
    ) -> Result<Option<AdminToken>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::AdministratorId.eq(owner.as_str()))
            .filter(entity::Column::Name.eq(name));
        select.one(&self.connection()).await?.map(token).transpose()
    }

    /// The administrator's tokens that `filter` wants.
    pub async fn admin_tokens(
        &self,
        owner: &AdministratorId,
        filter: &AdminTokenFilter,
    ) -> Result<List<AdminToken>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find().filter(Column::AdministratorId.eq(owner.as_str()));
        if let Some(search) = &filter.search {
            let backend = rows::backend(&self.connection());
            select = select.filter(dialect::contains(backend, Column::SearchText, &dialect::fold(search)));
        }
        let by = match filter.order.by {
            AdminTokenOrder::CreatedAt => Expr::col(Column::CreatedAt),
            AdminTokenOrder::UpdatedAt => Expr::col(Column::UpdatedAt),
            AdminTokenOrder::ExpiresAt => {
                Expr::expr(Func::coalesce([Expr::col(Column::ExpiresAt), Expr::val(i64::MAX)]))
            }
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, token).await
    }
}

impl Tx {
    /// Adds a token.
    pub async fn insert_admin_token(&self, token: &AdminToken) -> Result<(), StoreError> {
        entity::Entity::insert(row(token)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed token.
    pub async fn save_admin_token(&self, token: &AdminToken) -> Result<(), StoreError> {
        entity::Entity::update(row(token)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Notes that a token was accepted.
    pub async fn touch_admin_token(&self, id: &AdminTokenId, at: Timestamp) -> Result<(), StoreError> {
        entity::Entity::update_many()
            .col_expr(entity::Column::LastUsedAt, Expr::value(at.micros()))
            .filter(entity::Column::Id.eq(id.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Removes all tokens of an administrator; tells how many there were.
    pub async fn delete_admin_tokens_of(&self, owner: &AdministratorId) -> Result<u64, StoreError> {
        let own = entity::Entity::delete_many().filter(entity::Column::AdministratorId.eq(owner.as_str()));
        Ok(own.exec(&self.connection()).await?.rows_affected)
    }

    /// Removes a token.
    pub async fn delete_admin_token(&self, id: &AdminTokenId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(token: &AdminToken) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(token.id.to_string()),
        administrator_id: Set(token.administrator_id.to_string()),
        name: Set(token.name.clone()),
        digest: Set(token.digest.to_hex()),
        expires_at: Set(token.expires_at.map(Timestamp::micros)),
        last_used_at: Set(token.last_used_at.map(Timestamp::micros)),
        search_text: Set(dialect::search_text(&[&token.name], None)),
        created_at: Set(token.created_at.micros()),
        updated_at: Set(token.updated_at.micros()),
    }
}

fn token(row: entity::Model) -> Result<AdminToken, StoreError> {
    Ok(AdminToken {
        id: AdminTokenId::known(row.id),
        administrator_id: AdministratorId::known(row.administrator_id),
        name: row.name,
        digest: rows::known("admin token digest", SecretDigest::from_hex(&row.digest))?,
        expires_at: row.expires_at.map(Timestamp::from_micros),
        last_used_at: row.last_used_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
