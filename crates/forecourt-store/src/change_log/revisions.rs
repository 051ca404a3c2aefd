//! The marks of revisions: what tells one line of revisions from another with the same numbers.

use forecourt_core::time::Timestamp;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, sea_query::Query};

use crate::{Reader, StoreError, Tx, dialect};

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "revisions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i64,
        pub mark: String,
        pub committed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A commit that changed something for gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionMark {
    /// Its revision.
    pub revision: i64,
    /// 16 random hex digits.
    pub mark: String,
    /// When it was committed.
    pub committed_at: Timestamp,
}

impl Reader {
    /// The mark of `revision`, where it is still kept.
    pub async fn revision_mark(&self, revision: i64) -> Result<Option<RevisionMark>, StoreError> {
        let row = entity::Entity::find_by_id(revision).one(&self.connection()).await?;
        Ok(row.map(RevisionMark::from))
    }

    /// The oldest revision whose mark is still kept.
    pub async fn oldest_mark(&self) -> Result<Option<RevisionMark>, StoreError> {
        let oldest = entity::Entity::find().order_by_asc(entity::Column::Revision);
        Ok(oldest.one(&self.connection()).await?.map(RevisionMark::from))
    }
}

impl Tx {
    pub(super) async fn insert_revision(&self, revision: i64, now: Timestamp) -> Result<(), StoreError> {
        use entity::Column;
        let connection = self.connection();
        let mark = dialect::random_mark(connection.get_database_backend());
        let mut insert = Query::insert();
        insert.into_table(entity::Entity).columns([Column::Revision, Column::Mark, Column::CommittedAt]);
        insert.values_panic([revision.into(), mark, now.micros().into()]);
        connection.execute(&insert).await?;
        Ok(())
    }
}

impl From<entity::Model> for RevisionMark {
    fn from(row: entity::Model) -> Self {
        let committed_at = Timestamp::from_micros(row.committed_at);
        Self { revision: row.revision, mark: row.mark, committed_at }
    }
}
