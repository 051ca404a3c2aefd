//! The marks of revisions: what tells one line of revisions from another with the same numbers.

use std::collections::{BTreeSet, HashMap};

use forecourt_core::{gateway_state::Kind, time::Timestamp};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query,
};

use crate::{Reader, StoreError, Tx, change_log::PendingChange, dialect};

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "revisions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i64,
        pub mark: String,
        pub committed_at: i64,
        pub scopes: String,
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
    /// The scopes that it changed, as [`forecourt_core::gateway_state::Scope::as_text`] writes them; `None`: any.
    pub scopes: Option<Vec<String>>,
}

/// What stands for every scope.
const ALL: &str = "*";

impl Reader {
    /// The mark of `revision`, where it is still kept.
    pub async fn revision_mark(&self, revision: i64) -> Result<Option<RevisionMark>, StoreError> {
        let row = entity::Entity::find_by_id(revision).one(&self.connection()).await?;
        Ok(row.map(RevisionMark::from))
    }

    /// The marks of those of `revisions` whose mark is still kept.
    pub async fn marks_of(&self, revisions: &BTreeSet<i64>) -> Result<HashMap<i64, String>, StoreError> {
        use entity::{Column, Entity};
        let revisions: Vec<_> = revisions.iter().copied().collect();
        let mut marks = HashMap::with_capacity(revisions.len());
        for some in revisions.chunks(1_000) {
            let found: Vec<(i64, String)> = Entity::find()
                .select_only()
                .columns([Column::Revision, Column::Mark])
                .filter(Column::Revision.is_in(some.iter().copied()))
                .into_tuple()
                .all(&self.connection())
                .await?;
            marks.extend(found);
        }
        Ok(marks)
    }

    /// The oldest revision whose mark is still kept.
    pub async fn oldest_mark(&self) -> Result<Option<RevisionMark>, StoreError> {
        let oldest = entity::Entity::find().order_by_asc(entity::Column::Revision);
        Ok(oldest.one(&self.connection()).await?.map(RevisionMark::from))
    }
}

impl Tx {
    /// `scopes`: as [`concerned`] gives them, empty where that is not known.
    pub(super) async fn insert_revision(
        &self,
        revision: i64,
        now: Timestamp,
        scopes: &str,
    ) -> Result<(), StoreError> {
        use entity::Column;
        let connection = self.connection();
        let mark = dialect::random_mark(connection.get_database_backend());
        let mut insert = Query::insert();
        let columns = [Column::Revision, Column::Mark, Column::CommittedAt, Column::Scopes];
        insert.into_table(entity::Entity).columns(columns);
        insert.values_panic([revision.into(), mark, now.micros().into(), scopes.into()]);
        connection.execute(&insert).await?;
        Ok(())
    }
}

/// The scopes that a commit of `changes` concerns, as they are kept.
///
/// A product that comes, goes or changes may change which groups need its portal's rows, so it concerns all of them.
pub(super) fn concerned(changes: &[PendingChange]) -> String {
    if changes.iter().any(|change| change.kind == Kind::Product) {
        return ALL.to_owned();
    }
    let scopes: BTreeSet<_> = changes.iter().map(|change| change.scope.as_text()).collect();
    scopes.into_iter().collect::<Vec<_>>().join(" ")
}

impl From<entity::Model> for RevisionMark {
    fn from(row: entity::Model) -> Self {
        let committed_at = Timestamp::from_micros(row.committed_at);
        let known = !row.scopes.is_empty() && row.scopes != ALL;
        let scopes = known.then(|| row.scopes.split(' ').map(str::to_owned).collect());
        Self { revision: row.revision, mark: row.mark, committed_at, scopes }
    }
}
