//! The event table: what happened, in the transaction that made it happen.
//!
//! Events are taken away once they are old and nothing needs them; nothing changes one.

use forecourt_core::{events::Event, ids::EventId, portals::Portal, time::Timestamp};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, sea_query::Expr,
};

use crate::{Reader, StoreError, Tx, deliveries, notices, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub at: i64,
        pub name: String,
        pub actor_kind: String,
        pub actor_id: String,
        pub source: String,
        pub noun: String,
        pub noun_id: String,
        pub portal_id: Option<String>,
        pub detail: String,
        pub request_id: String,
        pub address: Option<String>,
        pub revision: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The latest events about one object, newest first, at most `most`.
    pub async fn events_of(&self, noun: &str, noun_id: &str, most: u64) -> Result<Vec<Event>, StoreError> {
        let rows = entity::Entity::find()
            .filter(entity::Column::Noun.eq(noun))
            .filter(entity::Column::NounId.eq(noun_id))
            .order_by_desc(entity::Column::At)
            .order_by_desc(entity::Column::Id)
            .limit(most)
            .all(&self.connection())
            .await?;
        rows.into_iter().map(event).collect()
    }

    /// The ids of up to `most` events from before this that nothing needs, the oldest first.
    pub async fn unneeded_events(&self, before: Timestamp, most: u64) -> Result<Vec<EventId>, StoreError> {
        let select = entity::Entity::find()
            .select_only()
            .column(entity::Column::Id)
            .filter(unneeded(before))
            .order_by_asc(entity::Column::At)
            .limit(most);
        let ids: Vec<String> = select.into_tuple().all(&self.connection()).await?;
        Ok(ids.into_iter().map(EventId::known).collect())
    }
}

impl Tx {
    /// Removes those of these events, at most 1,000, that are from before this and that nothing needs; tells how many
    /// there were.
    pub async fn delete_unneeded_events(
        &self,
        ids: &[EventId],
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let gone = entity::Entity::delete_many()
            .filter(entity::Column::Id.is_in(ids.iter().map(EventId::as_str)))
            .filter(unneeded(before));
        Ok(gone.exec(&self.connection()).await?.rows_affected)
    }

    pub(crate) async fn insert_events(
        &self,
        events: &[Event],
        revision: Option<i64>,
    ) -> Result<(), StoreError> {
        let rows = events.iter().map(|event| row(event, revision)).collect::<Result<Vec<_>, _>>()?;
        // 13 columns a row: 500 rows stay below PostgreSQL's 65535 and SQLite's 32766 bound values.
        for rows in rows.chunks(500) {
            entity::Entity::insert_many(rows.to_vec()).exec_without_returning(&self.connection()).await?;
        }
        Ok(())
    }
}

/// What happened before this and is needed by nothing: no notice waits that tells of it, no delivery is kept that does,
/// and no start asks for it.
fn unneeded(before: Timestamp) -> Condition {
    use entity::Column;
    let id = (entity::Entity, Column::Id);
    let waits = notices::entity::Entity::find()
        .filter(Expr::col((notices::entity::Entity, notices::entity::Column::EventId)).equals(id));
    let told = deliveries::entity::Entity::find()
        .filter(Expr::col((deliveries::entity::Entity, deliveries::entity::Column::EventId)).equals(id));
    // A start makes the first portal where no event tells that it was made once.
    let asked_for =
        Condition::all().add(Column::Noun.eq("portal")).add(Column::NounId.eq(Portal::DEFAULT_NAME));
    Condition::all()
        .add(Column::At.lt(before.micros()))
        .add(asked_for.not())
        .add(Expr::exists(waits.into_query()).not())
        .add(Expr::exists(told.into_query()).not())
}

fn row(event: &Event, revision: Option<i64>) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(event.id.to_string()),
        at: Set(event.at.micros()),
        name: Set(event.name.name().to_owned()),
        actor_kind: Set(event.actor_kind.clone()),
        actor_id: Set(event.actor_id.clone()),
        source: Set(event.source.clone()),
        noun: Set(event.noun.clone()),
        noun_id: Set(event.noun_id.clone()),
        portal_id: Set(event.portal_id.as_ref().map(ToString::to_string)),
        detail: Set(rows::to_json("event detail", &event.detail)?),
        request_id: Set(event.request_id.clone()),
        address: Set(event.address.clone()),
        revision: Set(revision),
    })
}

fn event(row: entity::Model) -> Result<Event, StoreError> {
    use forecourt_core::{
        events::EventName,
        ids::{EventId, PortalId},
        time::Timestamp,
    };
    Ok(Event {
        id: EventId::known(row.id),
        at: Timestamp::from_micros(row.at),
        name: rows::known("event name", EventName::from_name(&row.name))?,
        actor_kind: row.actor_kind,
        actor_id: row.actor_id,
        source: row.source,
        noun: row.noun,
        noun_id: row.noun_id,
        portal_id: row.portal_id.map(PortalId::known),
        detail: rows::from_json("event detail", &row.detail)?,
        request_id: row.request_id,
        address: row.address,
    })
}
