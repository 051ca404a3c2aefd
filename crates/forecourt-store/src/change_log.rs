//! The change log: what gateways must enforce, as rows by revision (`docs/adr/0002-…`).
//!
//! Invariant: revisions grow by one with each commit that changes something for gateways, in commit order, because
//! writers take turns. A deleted row stays as a tombstone, so that a reader behind hears of it. Marks of revisions are
//! in `revisions.rs`, pages in `pages.rs`, digests in `digests.rs`, what is forgotten in `upkeep.rs`.

use forecourt_core::{
    gateway_state::{ApplicationState, Kind, Resource, Scope},
    ids::{ApplicationId, GatewayGroupId, PortalId},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Expr,
    sea_query::OnConflict,
};

use self::digests::DigestChanges;
use crate::{Reader, StoreError, Tx, dialect, rows};

mod digests;
mod pages;
mod revisions;
mod upkeep;

pub use pages::PagePlace;
pub use revisions::RevisionMark;

pub(crate) mod resources {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_resources")]
    pub struct Model {
        pub scope: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub body: String,
        pub revision: i64,
        pub deleted_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod counter {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "revision_counter")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub value: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The counter of the latest revision. Its type is that of the column: PostgreSQL would take a statement for both
/// counters by the type of the first that it saw.
const LATEST: i64 = 1;

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision that gateways will acknowledge; `None` where nothing changed for them.
    pub revision: Option<i64>,
}

/// A row of the log as readers get it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedChange {
    /// The revision that made it.
    pub revision: i64,
    /// What kind of row.
    pub kind: Kind,
    /// Its key.
    pub key: String,
    /// How it stands; `None`: deleted.
    pub resource: Option<Resource>,
}

#[derive(Debug)]
pub(crate) struct PendingChange {
    pub(crate) scope: Scope,
    pub(crate) kind: Kind,
    pub(crate) key: String,
    pub(crate) resource: Option<Resource>,
}

impl Reader {
    /// The latest revision; 0 before the first.
    pub async fn revision(&self) -> Result<i64, StoreError> {
        let row = counter::Entity::find_by_id(LATEST).one(&self.connection()).await?;
        Ok(row.map_or(0, |row| row.value))
    }

    /// What gateways last heard of an application, also after its deletion.
    pub async fn last_application_state(
        &self,
        id: &ApplicationId,
    ) -> Result<Option<ApplicationState>, StoreError> {
        let key = (Kind::Application.name().to_owned(), id.to_string());
        let Some(row) = resources::Entity::find_by_id(key).one(&self.connection()).await? else {
            return Ok(None);
        };
        match rows::from_json("gateway resource", &row.body)? {
            Resource::Application(state) => Ok(Some(state)),
            _ => Ok(None),
        }
    }

    /// The oldest revision above `after` that changed a row of `scopes` as it stands now.
    pub async fn oldest_change(&self, scopes: &[Scope], after: i64) -> Result<Option<i64>, StoreError> {
        let names = scopes.iter().map(Scope::as_text);
        let oldest = resources::Entity::find()
            .select_only()
            .column(resources::Column::Revision)
            .filter(resources::Column::Scope.is_in(names))
            .filter(resources::Column::Revision.gt(after))
            .order_by_asc(resources::Column::Revision)
            .into_tuple()
            .one(&self.connection())
            .await?;
        Ok(oldest)
    }

    /// The scopes that gateways of `group` need: the group's own, and each portal with a product linked in it.
    pub async fn scopes_of_group(&self, group: &GatewayGroupId) -> Result<Vec<Scope>, StoreError> {
        let portals: Vec<String> = crate::products::links::Entity::find()
            .select_only()
            .column(crate::products::entity::Column::PortalId)
            .distinct()
            .inner_join(crate::products::entity::Entity)
            .filter(crate::products::links::Column::GatewayGroupId.eq(group.as_str()))
            .order_by_asc(crate::products::entity::Column::PortalId)
            .into_tuple()
            .all(&self.connection())
            .await?;
        let portals = portals.into_iter().map(|portal| Scope::Portal(PortalId::known(portal)));
        Ok(std::iter::once(Scope::GatewayGroup(group.clone())).chain(portals).collect())
    }
}

impl Tx {
    pub(crate) async fn write_changes(
        &self,
        changes: Vec<PendingChange>,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        if changes.is_empty() {
            return Ok(None);
        }
        let revision = self.revision().await? + 1;
        counter::Entity::update_many()
            .col_expr(counter::Column::Value, Expr::value(revision))
            .filter(counter::Column::Id.eq(LATEST))
            .exec(&self.connection())
            .await?;
        let scopes = revisions::concerned(&changes);
        let mut digests = DigestChanges::default();
        for change in changes {
            self.write_change(change, revision, now, &mut digests).await?;
        }
        self.add_to_digests(digests, revision).await?;
        self.insert_revision(revision, now, &scopes).await?;
        dialect::tell_others(&self.connection(), revision).await?;
        Ok(Some(revision))
    }

    async fn write_change(
        &self,
        change: PendingChange,
        revision: i64,
        now: Timestamp,
        digests: &mut DigestChanges,
    ) -> Result<(), StoreError> {
        use resources::Column;
        let before = self.live_row(change.kind, &change.key).await?;
        if let Some((scope, since)) = before {
            digests.of(scope, change.kind).remove(change.kind, &change.key, since);
        }
        let Some(resource) = &change.resource else {
            // The body stays: it tells whose the row was to those who hear of its last deeds late.
            resources::Entity::update_many()
                .col_expr(Column::Revision, Expr::value(revision))
                .col_expr(Column::DeletedAt, Expr::value(now.micros()))
                .filter(Column::Kind.eq(change.kind.name()))
                .filter(Column::Key.eq(change.key))
                .exec(&self.connection())
                .await?;
            return Ok(());
        };
        let scope = change.scope.as_text();
        digests.of(scope.clone(), change.kind).add(change.kind, &change.key, revision);
        let row = resources::ActiveModel {
            scope: Set(scope),
            kind: Set(change.kind.name().to_owned()),
            key: Set(change.key),
            body: Set(rows::to_json("gateway resource", resource)?),
            revision: Set(revision),
            deleted_at: Set(None),
        };
        let replace = OnConflict::columns([Column::Kind, Column::Key])
            .update_columns([Column::Scope, Column::Body, Column::Revision, Column::DeletedAt])
            .to_owned();
        resources::Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(&self.connection())
            .await?;
        Ok(())
    }

    /// The scope of a row that is there and not deleted, and since which revision it stands so.
    async fn live_row(&self, kind: Kind, key: &str) -> Result<Option<(String, i64)>, StoreError> {
        use resources::Column;
        let found = resources::Entity::find()
            .select_only()
            .columns([Column::Scope, Column::Revision])
            .filter(Column::Kind.eq(kind.name()))
            .filter(Column::Key.eq(key))
            .filter(Column::DeletedAt.is_null())
            .into_tuple()
            .one(&self.connection())
            .await?;
        Ok(found)
    }
}
