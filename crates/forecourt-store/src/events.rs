//! The event table: what happened, in the transaction that made it happen.

use forecourt_core::events::Event;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{Reader, StoreError, Tx, rows};

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
}

impl Tx {
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
