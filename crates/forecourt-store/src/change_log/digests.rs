//! What gateways must hold, as a number of rows and a sum for each scope and kind, kept with each commit.
//!
//! Invariant: the sums are those of the live rows at the same commit, so that they can be told for a revision without
//! reading the rows.

use std::collections::BTreeMap;

use forecourt_core::{
    gateway_state::{Digests, Kind, RowsDigest, Scope},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, IntoColumnRef, OnConflict},
};

use super::resources;
use crate::{Reader, StoreError, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_digests")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub scope: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        pub live_rows: i64,
        pub digest_sum: i64,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many rows are read at once where everything is counted anew.
const PAGE: u64 = 10_000;

/// What a commit adds to the sums, and takes from them: sums modulo 2⁶⁴, so the order does not matter.
#[derive(Debug, Default)]
pub(super) struct DigestChanges(BTreeMap<(String, Kind), RowsDigest>);

impl DigestChanges {
    pub(super) fn of(&mut self, scope: String, kind: Kind) -> &mut RowsDigest {
        self.0.entry((scope, kind)).or_default()
    }
}

impl Reader {
    /// What a gateway that needs `scopes` must hold now, and the last revision that changed it: at that revision and
    /// at each one since.
    pub async fn digests(&self, scopes: &[Scope]) -> Result<(Digests, i64), StoreError> {
        let names = scopes.iter().map(Scope::as_text);
        let select = entity::Entity::find().filter(entity::Column::Scope.is_in(names));
        let (mut digests, mut revision) = (Digests::new(), 0);
        for row in select.all(&self.connection()).await? {
            revision = Ord::max(row.revision, revision);
            let kind = kind(&row.kind)?;
            let of_kind = digests.entry(kind).or_default();
            *of_kind = of_kind.with(row.digest());
        }
        digests.retain(|_, digest| digest.rows > 0);
        Ok((digests, revision))
    }
}

impl Tx {
    pub(super) async fn add_to_digests(
        &self,
        changes: DigestChanges,
        revision: i64,
    ) -> Result<(), StoreError> {
        use entity::Column;
        for ((scope, kind), change) in changes.0 {
            let id = (scope.clone(), kind.name().to_owned());
            let before = entity::Entity::find_by_id(id).one(&self.connection()).await?;
            let digest = before.map_or(RowsDigest::default(), |row| row.digest()).with(change);
            let row = entity::ActiveModel {
                scope: Set(scope),
                kind: Set(kind.name().to_owned()),
                live_rows: Set(digest.rows.cast_signed()),
                digest_sum: Set(digest.sum.cast_signed()),
                revision: Set(revision),
            };
            let replace = OnConflict::columns([Column::Scope, Column::Kind])
                .update_columns([Column::LiveRows, Column::DigestSum, Column::Revision])
                .to_owned();
            entity::Entity::insert(row)
                .on_conflict(replace)
                .exec_without_returning(&self.connection())
                .await?;
        }
        Ok(())
    }

    /// Gives the latest revision a mark and counts all rows, where that was not done with the commit: in a database
    /// that an earlier version has written to.
    pub async fn complete_change_log(&self, now: Timestamp) -> Result<(), StoreError> {
        let revision = self.revision().await?;
        if self.revision_mark(revision).await?.is_some() {
            return Ok(());
        }
        entity::Entity::delete_many().exec(&self.connection()).await?;
        let digests = self.counted_anew().await?;
        self.add_to_digests(digests, revision).await?;
        self.insert_revision(revision, now, "").await
    }

    async fn counted_anew(&self) -> Result<DigestChanges, StoreError> {
        use resources::Column;
        let mut digests = DigestChanges::default();
        let (mut kind_before, mut key_before) = (String::new(), String::new());
        loop {
            let place = [Column::Kind, Column::Key].map(|column| Expr::col(column.into_column_ref()));
            let before = [Expr::val(kind_before.as_str()), Expr::val(key_before.as_str())];
            let page: Vec<(String, String, String, i64)> = resources::Entity::find()
                .select_only()
                .columns([Column::Scope, Column::Kind, Column::Key, Column::Revision])
                .filter(Condition::all().add(Expr::expr(Expr::tuple(place)).gt(Expr::tuple(before))))
                .filter(Column::DeletedAt.is_null())
                .order_by_asc(Column::Kind)
                .order_by_asc(Column::Key)
                .limit(PAGE)
                .into_tuple()
                .all(&self.connection())
                .await?;
            let Some((_, last_kind, last_key, _)) = page.last() else { return Ok(digests) };
            (kind_before, key_before) = (last_kind.clone(), last_key.clone());
            for (scope, name, key, revision) in page {
                let kind = kind(&name)?;
                digests.of(scope, kind).add(kind, &key, revision);
            }
        }
    }
}

impl entity::Model {
    const fn digest(&self) -> RowsDigest {
        RowsDigest { rows: self.live_rows.cast_unsigned(), sum: self.digest_sum.cast_unsigned() }
    }
}

fn kind(name: &str) -> Result<Kind, StoreError> {
    Kind::from_name(name)
        .ok_or_else(|| StoreError::Unreadable { what: "kind of a digest", problem: "unknown".into() })
}

#[cfg(test)]
mod tests {
    use forecourt_core::{
        gateway_state::{GrantState, Resource},
        ids::{ApplicationId, PortalId, ProductId},
    };
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::{Location, Store};

    #[tokio::test]
    async fn a_database_that_an_earlier_version_wrote_to_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("forecourt.db"))).await.unwrap();
        let scope = Scope::Portal(PortalId::known("prt_1"));
        let mut tx = store.begin().await.unwrap();
        for application in ["app_1", "app_2"] {
            let (application_id, product_id) = (ApplicationId::known(application), ProductId::known("prd_1"));
            tx.put(scope.clone(), Resource::Grant(GrantState { application_id, product_id, plan_id: None }));
        }
        let now = Timestamp::from_micros(1);
        let revision = tx.commit(now).await.unwrap().revision.unwrap();
        let scopes = [scope];
        let before = store.read().digests(&scopes).await.unwrap();
        assert_eq!(before.0.get(&Kind::Grant).map(|digest| digest.rows), Some(2));
        let forget = "DELETE FROM revisions; DELETE FROM gateway_digests";
        store.writer().execute_unprepared(forget).await.unwrap();
        assert_eq!(store.read().digests(&scopes).await.unwrap(), (Digests::new(), 0));

        let complete = async || {
            let tx = store.begin().await.unwrap();
            tx.complete_change_log(now).await.unwrap();
            tx.commit(now).await.unwrap();
            store.read().revision_mark(revision).await.unwrap().unwrap()
        };
        let mark = complete().await;
        assert_eq!(store.read().digests(&scopes).await.unwrap(), before);
        assert_eq!(complete().await, mark, "done once");
    }
}
