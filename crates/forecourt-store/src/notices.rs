//! Notices: what is to be told of, until deliveries are made of it.

use forecourt_core::{ids::EventId, notices::Notice, time::Timestamp};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{Legible, Reader, StoreError, Tx, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "notices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: String,
        pub body: String,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The oldest notices, at most `most`.
    pub async fn notices(&self, most: u64) -> Result<Legible<Notice>, StoreError> {
        let select = entity::Entity::find()
            .order_by_asc(entity::Column::CreatedAt)
            .order_by_asc(entity::Column::EventId);
        let id_of = |row: &entity::Model| row.event_id.clone();
        let read = |row: entity::Model| rows::from_json("notice", &row.body);
        rows::legible(self.connection(), select, most, id_of, read).await
    }

    /// When the oldest notice was made.
    pub(crate) async fn oldest_notice_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let oldest: Option<i64> = entity::Entity::find()
            .select_only()
            .column(entity::Column::CreatedAt)
            .order_by_asc(entity::Column::CreatedAt)
            .limit(1)
            .into_tuple()
            .one(&self.connection())
            .await?;
        Ok(oldest.map(Timestamp::from_micros))
    }
}

impl Tx {
    /// Adds a notice.
    pub async fn insert_notice(&self, notice: &Notice) -> Result<(), StoreError> {
        let row = entity::ActiveModel {
            event_id: Set(notice.event_id.to_string()),
            body: Set(rows::to_json("notice", notice)?),
            created_at: Set(notice.at.micros()),
        };
        entity::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Removes a notice; whether it was there.
    pub async fn delete_notice(&self, event: &EventId) -> Result<bool, StoreError> {
        let gone = entity::Entity::delete_many().filter(entity::Column::EventId.eq(event.as_str()));
        Ok(gone.exec(&self.connection()).await?.rows_affected > 0)
    }
}
