//! Where the log must begin: what stands before its start, and since when the database tells that there is a log.

use forecourt_core::time::Timestamp;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};

use super::entity;
use crate::{Reader, StoreError};

impl Reader {
    /// The numbers of entries above `after` and up to `start`, at which the log begins, at most `most`: where somebody
    /// else put them.
    pub async fn audit_strays(
        &self,
        after: Option<i64>,
        start: i64,
        most: u64,
    ) -> Result<Vec<i64>, StoreError> {
        use entity::Column;
        let mut select =
            entity::Entity::find().select_only().column(Column::Number).filter(Column::Number.lte(start));
        if let Some(after) = after {
            select = select.filter(Column::Number.gt(after));
        }
        let select = select.order_by_asc(Column::Number).limit(most);
        Ok(select.into_tuple().all(&self.connection()).await?)
    }

    /// The oldest date of the entries above this number, microseconds; `None`: there are none.
    pub async fn oldest_audit_date_after(&self, number: i64) -> Result<Option<i64>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Number.gt(number)).select_only();
        let found = select.column_as(entity::Column::At.min(), "oldest").into_tuple::<Option<i64>>();
        Ok(found.one(&self.connection()).await?.flatten())
    }

    /// When the oldest record that is there was written.
    pub async fn oldest_audit_record(&self) -> Result<Option<Timestamp>, StoreError> {
        use entity::Column;
        let select = entity::Entity::find()
            .select_only()
            .column(Column::At)
            .filter(Column::Kind.eq(super::RECORD))
            .order_by_asc(Column::At)
            .limit(1);
        let at: Option<i64> = select.into_tuple().one(&self.connection()).await?;
        Ok(at.map(Timestamp::from_micros))
    }

    /// When the oldest administrator was made of those who were made since there is a data key, and so a log too: each of
    /// them is on record.
    pub async fn audited_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let connection = self.connection();
        let sql = "SELECT MIN(created_at) FROM administrators \
                   WHERE created_at >= (SELECT MIN(created_at) FROM data_keys)";
        let told = Statement::from_string(connection.get_database_backend(), sql);
        let Some(row) = connection.query_one_raw(told).await? else { return Ok(None) };
        Ok(row.try_get_by_index::<Option<i64>>(0)?.map(Timestamp::from_micros))
    }
}
