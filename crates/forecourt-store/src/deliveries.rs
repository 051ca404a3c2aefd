//! Deliveries: messages to one recipient each, and the log of the attempts.

use forecourt_core::{
    contact_points::ContactType,
    deliveries::{Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryFilter, DeliveryState},
    ids::{ApprovalId, ContactPointId, DeliveryId, EventId, PortalId},
    lists::List,
    notices::NoticeEvent,
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, prelude::Expr,
};

use crate::{Legible, Reader, StoreError, Tx, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "deliveries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub event: String,
        pub event_id: String,
        pub recipient: String,
        pub lane: String,
        pub portal_id: String,
        pub approval_id: Option<String>,
        pub contact_point_id: Option<String>,
        pub contact_point_name: String,
        pub contact_type: String,
        pub address: String,
        pub subject: String,
        pub content: String,
        pub link: Option<String>,
        pub state: String,
        pub attempts: i64,
        pub begun_after: i64,
        pub begun_at: i64,
        pub last_error: String,
        pub next_attempt_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod attempts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "delivery_attempts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub delivery_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub at: i64,
        pub millis: i64,
        pub status: Option<i64>,
        pub error: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(test)]
mod tests;

const LINK: &str = "link of a delivery";
/// Up to how many deliveries of a state are counted for metrics.
const COUNTED: u64 = 1_000;

impl Reader {
    /// The delivery with this id.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(delivery).transpose()
    }

    /// The deliveries that `filter` wants.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<List<Delivery>, StoreError> {
        let select = entity::Entity::find().filter(conditions(filter));
        let by = entity::Column::CreatedAt;
        let select =
            rows::sorted(select, filter.direction, by, entity::Column::CreatedAt, entity::Column::Id);
        rows::page(self.connection(), select, filter.paging, delivery).await
    }

    /// How many deliveries [`Tx::begin_deliveries_anew`] begins anew with this filter.
    pub async fn deliveries_to_begin_anew(&self, filter: &DeliveryFilter) -> Result<u64, StoreError> {
        Ok(entity::Entity::find().filter(to_begin_anew(filter)).count(&self.connection()).await?)
    }

    /// The attempts of a delivery, the first one first.
    pub async fn delivery_attempts(&self, id: &DeliveryId) -> Result<Vec<DeliveryAttempt>, StoreError> {
        let select = attempts::Entity::find().filter(attempts::Column::DeliveryId.eq(id.as_str()));
        let found = select.order_by_asc(attempts::Column::Number).all(&self.connection()).await?;
        Ok(found.into_iter().map(attempt).collect())
    }

    /// Up to `most` deliveries that are due and in none of these lanes: those that were tried least, so that what
    /// fails again and again holds up nothing new; of these the longest due.
    pub async fn due_deliveries(
        &self,
        now: Timestamp,
        full_lanes: &[String],
        most: u64,
    ) -> Result<Legible<Delivery>, StoreError> {
        let mut select = entity::Entity::find().filter(entity::Column::NextAttemptAt.lte(now.micros()));
        if !full_lanes.is_empty() {
            select = select.filter(entity::Column::Lane.is_not_in(full_lanes.iter().map(String::as_str)));
        }
        let select = select
            .order_by_asc(entity::Column::Attempts)
            .order_by_asc(entity::Column::NextAttemptAt)
            .order_by_asc(entity::Column::Id);
        let id_of = |row: &entity::Model| row.id.clone();
        rows::legible(self.connection(), select, most, id_of, delivery).await
    }

    /// How much is to be delivered and what was given up, by four looks at indexes.
    pub async fn delivery_backlog(&self, now: Timestamp) -> Result<DeliveryBacklog, StoreError> {
        let due_since: Option<i64> = entity::Entity::find()
            .select_only()
            .column(entity::Column::NextAttemptAt)
            .filter(entity::Column::NextAttemptAt.lte(now.micros()))
            .order_by_asc(entity::Column::NextAttemptAt)
            .limit(1)
            .into_tuple()
            .one(&self.connection())
            .await?;
        let noticed_at = self.oldest_notice_at().await?.filter(|at| *at <= now);
        Ok(DeliveryBacklog {
            waiting: self.counted_deliveries(DeliveryState::Waiting).await?,
            dead: self.counted_deliveries(DeliveryState::Dead).await?,
            due_since: due_since.map(Timestamp::from_micros).into_iter().chain(noticed_at).min(),
        })
    }

    async fn counted_deliveries(&self, state: DeliveryState) -> Result<usize, StoreError> {
        let ids: Vec<String> = entity::Entity::find()
            .select_only()
            .column(entity::Column::Id)
            .filter(entity::Column::State.eq(state.name()))
            .limit(COUNTED)
            .into_tuple()
            .all(&self.connection())
            .await?;
        Ok(ids.len())
    }
}

impl Tx {
    /// Adds deliveries.
    pub async fn insert_deliveries(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let rows = deliveries.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        // 22 columns a row: 500 rows stay below both engines' limits on bound values.
        for rows in rows.chunks(500) {
            entity::Entity::insert_many(rows.to_vec()).exec_without_returning(&self.connection()).await?;
        }
        Ok(())
    }

    /// Stores a changed delivery.
    pub async fn save_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        entity::Entity::update(row(delivery)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Adds an attempt to the log of a delivery.
    pub async fn insert_delivery_attempt(
        &self,
        id: &DeliveryId,
        attempt: &DeliveryAttempt,
    ) -> Result<(), StoreError> {
        let row = attempts::ActiveModel {
            delivery_id: Set(id.to_string()),
            number: Set(attempt.number),
            at: Set(attempt.at.micros()),
            millis: Set(attempt.millis),
            status: Set(attempt.status.map(i64::from)),
            error: Set(attempt.error.clone()),
        };
        attempts::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Begins anew whatever `filter` wants and does not wait, without regard to its page; tells how many there were. Mails
    /// with a link to one person's account, which is too old by then, only where `filter` names their event.
    /// Keeps to the rule of [`Delivery::again`].
    pub async fn begin_deliveries_anew(
        &self,
        filter: &DeliveryFilter,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        use entity::Column;
        let changed = entity::Entity::update_many()
            .col_expr(Column::State, Expr::value(DeliveryState::Waiting.name()))
            .col_expr(Column::BegunAfter, Expr::col(Column::Attempts))
            .col_expr(Column::BegunAt, Expr::value(now.micros()))
            .col_expr(Column::NextAttemptAt, Expr::value(now.micros()))
            .col_expr(Column::UpdatedAt, Expr::value(now.micros()))
            .filter(to_begin_anew(filter));
        Ok(changed.exec(&self.connection()).await?.rows_affected)
    }

    /// Makes everything due `at` that waits for a time after `latest`; tells how many there were.
    pub async fn advance_deliveries(&self, latest: Timestamp, at: Timestamp) -> Result<u64, StoreError> {
        use entity::Column;
        let stranded = entity::Entity::update_many()
            .filter(Column::State.eq(DeliveryState::Waiting.name()))
            .filter(Column::NextAttemptAt.gt(latest.micros()))
            .col_expr(Column::NextAttemptAt, Expr::value(at.micros()));
        Ok(stranded.exec(&self.connection()).await?.rows_affected)
    }

    /// Removes up to `most` deliveries that ended before this, the oldest first, with their logs; tells how many there
    /// were.
    pub async fn delete_ended_deliveries(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        use entity::Column;
        let ended = entity::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::State.ne(DeliveryState::Waiting.name()))
            .filter(Column::CreatedAt.lt(before.micros()))
            .filter(Column::UpdatedAt.lt(before.micros()))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(most);
        let gone = entity::Entity::delete_many().filter(Column::Id.in_subquery(ended.into_query()));
        Ok(gone.exec(&self.connection()).await?.rows_affected)
    }
}

fn conditions(filter: &DeliveryFilter) -> Condition {
    use entity::Column;
    Condition::all()
        .add_option(filter.state.map(|state| Column::State.eq(state.name())))
        .add_option(filter.contact_point_id.as_ref().map(|id| Column::ContactPointId.eq(id.as_str())))
        .add_option(filter.event.map(|event| Column::Event.eq(event.name())))
        .add_option(filter.start_at.map(|at| Column::CreatedAt.gte(at.micros())))
        .add_option(filter.end_at.map(|at| Column::CreatedAt.lt(at.micros())))
}

/// What [`Tx::begin_deliveries_anew`] is about.
fn to_begin_anew(filter: &DeliveryFilter) -> Condition {
    use entity::Column;
    let ended = conditions(filter).add(Column::State.ne(DeliveryState::Waiting.name()));
    let with_links = NoticeEvent::ALL.iter().filter(|event| event.link_purpose().is_some());
    match filter.event {
        Some(_) => ended,
        None => ended.add(Column::Event.is_not_in(with_links.map(|event| event.name()))),
    }
}

fn row(delivery: &Delivery) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(delivery.id.to_string()),
        event: Set(delivery.event.name().to_owned()),
        event_id: Set(delivery.event_id.to_string()),
        recipient: Set(delivery.recipient()),
        lane: Set(delivery.lane()),
        portal_id: Set(delivery.portal_id.to_string()),
        approval_id: Set(delivery.approval_id.as_ref().map(ToString::to_string)),
        contact_point_id: Set(delivery.contact_point_id.as_ref().map(ToString::to_string)),
        contact_point_name: Set(delivery.contact_point_name.clone()),
        contact_type: Set(delivery.contact_type.name().to_owned()),
        address: Set(delivery.address.clone()),
        subject: Set(delivery.subject.clone()),
        content: Set(delivery.content.clone()),
        link: Set(delivery.link.as_ref().map(|link| rows::to_json(LINK, link)).transpose()?),
        state: Set(delivery.state.name().to_owned()),
        attempts: Set(delivery.attempts),
        begun_after: Set(delivery.begun_after),
        begun_at: Set(delivery.begun_at.micros()),
        last_error: Set(delivery.last_error.clone()),
        next_attempt_at: Set(delivery.next_attempt_at.map(Timestamp::micros)),
        created_at: Set(delivery.created_at.micros()),
        updated_at: Set(delivery.updated_at.micros()),
    })
}

fn delivery(row: entity::Model) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId::known(row.id),
        event: rows::known("event of a delivery", NoticeEvent::from_name(&row.event))?,
        event_id: EventId::known(row.event_id),
        portal_id: PortalId::known(row.portal_id),
        approval_id: row.approval_id.map(ApprovalId::known),
        contact_point_id: row.contact_point_id.map(ContactPointId::known),
        contact_point_name: row.contact_point_name,
        contact_type: rows::known("type of a delivery", ContactType::from_name(&row.contact_type))?,
        address: row.address,
        subject: row.subject,
        content: row.content,
        link: row.link.as_deref().map(|link| rows::from_json(LINK, link)).transpose()?,
        state: rows::known("state of a delivery", DeliveryState::from_name(&row.state))?,
        attempts: row.attempts,
        begun_after: row.begun_after,
        begun_at: Timestamp::from_micros(row.begun_at),
        last_error: row.last_error,
        next_attempt_at: row.next_attempt_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

fn attempt(row: attempts::Model) -> DeliveryAttempt {
    DeliveryAttempt {
        number: row.number,
        at: Timestamp::from_micros(row.at),
        millis: row.millis,
        status: row.status.and_then(|status| u16::try_from(status).ok()),
        error: row.error,
    }
}
