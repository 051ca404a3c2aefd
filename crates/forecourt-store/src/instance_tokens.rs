//! The tokens that let nodes join their group.

use forecourt_core::{
    ids::{GatewayGroupId, InstanceTokenId},
    instance_tokens::{InstanceToken, InstanceTokenFilter},
    lists::{Direction, List},
    secrets::SecretDigest,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, prelude::Expr};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "instance_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub gateway_group_id: String,
        pub digest: String,
        pub last_used_at: Option<i64>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The token with this id.
    pub async fn instance_token(&self, id: &InstanceTokenId) -> Result<Option<InstanceToken>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(token).transpose()
    }

    /// The token whose secret has this digest.
    pub async fn instance_token_by_digest(
        &self,
        digest: &SecretDigest,
    ) -> Result<Option<InstanceToken>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Digest.eq(digest.to_hex()));
        select.one(&self.connection()).await?.map(token).transpose()
    }

    /// The tokens that `filter` wants, newest first.
    pub async fn instance_tokens(
        &self,
        filter: &InstanceTokenFilter,
    ) -> Result<List<InstanceToken>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(group) = &filter.gateway_group_id {
            select = select.filter(Column::GatewayGroupId.eq(group.as_str()));
        }
        let select = dialect::readable(
            rows::backend(&self.connection()),
            select,
            Column::GatewayGroupId,
            &filter.readable,
        );
        let by = Column::CreatedAt;
        let select = rows::sorted(select, Direction::Descending, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, token).await
    }
}

impl Tx {
    /// Adds a token with which a node joins its group.
    pub async fn insert_instance_token(&self, token: &InstanceToken) -> Result<(), StoreError> {
        let row = entity::ActiveModel {
            id: Set(token.id.to_string()),
            gateway_group_id: Set(token.gateway_group_id.to_string()),
            digest: Set(token.digest.to_hex()),
            last_used_at: Set(token.last_used_at.map(Timestamp::micros)),
            created_at: Set(token.created_at.micros()),
        };
        entity::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Notes that a node was let in with a token.
    pub async fn touch_instance_token(&self, id: &InstanceTokenId, at: Timestamp) -> Result<(), StoreError> {
        entity::Entity::update_many()
            .col_expr(entity::Column::LastUsedAt, Expr::value(at.micros()))
            .filter(entity::Column::Id.eq(id.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Removes a token; `false` where there was none.
    pub async fn delete_instance_token(&self, id: &InstanceTokenId) -> Result<bool, StoreError> {
        let gone = entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(gone.rows_affected > 0)
    }
}

fn token(row: entity::Model) -> Result<InstanceToken, StoreError> {
    Ok(InstanceToken {
        id: InstanceTokenId::known(row.id),
        gateway_group_id: GatewayGroupId::known(row.gateway_group_id),
        digest: rows::known("instance token digest", SecretDigest::from_hex(&row.digest))?,
        last_used_at: row.last_used_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
