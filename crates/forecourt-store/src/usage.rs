//! Counted calls: batches as they come in, the sums that they add up to, and what is read from those.
//!
//! A batch is put down as it is (`usage_inbox`), once per node, spool and number, and added up a little later, a piece
//! at a time: into chunks (`chunks.rs`) of the series (`series.rs`) that it belongs to (`adding.rs`). A piece leaves the
//! inbox in the transaction that adds it, so each call is in exactly one of the two. See
//! `docs/adr/0012-usage-in-chunks.md`. Questions are answered from the coarsest series that hold them (`reading.rs`).

mod adding;
mod chunks;
mod names;
mod reading;
mod routes;
mod series;

use forecourt_core::{
    ids::{ApplicationId, CredentialId, DeveloperId, NodeId, PortalId, ProductId, RouteId},
    time::Timestamp,
    usage::{StatusClass, Step, Totals},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};

pub use self::{names::NamedInUsage, reading::UsageRows};
use crate::{Reader, StoreError, Tx};

mod spools {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_spools")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub node: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub spool: String,
        pub last_number: i64,
        pub stored_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod inbox {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_inbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub counts: i64,
        pub body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Calls that have everything in common, with what must outlive their owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedCalls {
    /// The product.
    pub product_id: ProductId,
    /// The application.
    pub application_id: ApplicationId,
    /// The credential.
    pub credential_id: CredentialId,
    /// The route; empty: not known.
    pub route_id: RouteId,
    /// The portal.
    pub portal_id: PortalId,
    /// The application's developer.
    pub developer_id: DeveloperId,
    /// A moment of the minute in which they ended.
    pub minute: Timestamp,
    /// The kind of answer.
    pub status_class: StatusClass,
    /// What they amount to.
    pub totals: Totals,
}

/// A piece of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its number there.
    pub number: i64,
    /// How many counts it holds.
    pub counts: u64,
    /// The counts, as they were put down.
    pub body: String,
}

/// How far back sums of each length are kept: those that end at or before these moments are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSteps {
    /// By minute.
    pub minutes_from: Timestamp,
    /// By hour.
    pub hours_from: Timestamp,
    /// By day.
    pub days_from: Timestamp,
}

impl KeptSteps {
    /// The number of the first chunk that may hold something kept.
    fn first_chunk(&self, step: Step) -> i64 {
        let from = match step {
            Step::Minute => self.minutes_from,
            Step::Hour => self.hours_from,
            Step::Day => self.days_from,
        };
        chunks::place(step, from).0
    }
}

/// How many pieces of the inbox are looked at together.
const PIECES: u64 = 256;

impl Reader {
    /// The number of the last batch of this spool that was added; 0 before the first.
    pub async fn last_usage_batch(&self, node: &NodeId, spool: &str) -> Result<i64, StoreError> {
        let key = (node.to_string(), spool.to_owned());
        let row = spools::Entity::find_by_id(key).one(&self.connection()).await?;
        Ok(row.map_or(0, |row| row.last_number))
    }

    /// The oldest pieces of the inbox that hold `most` counts together; one at least, if there is one.
    pub async fn usage_inbox(&self, most: u64) -> Result<Vec<Delivered>, StoreError> {
        let select = inbox::Entity::find().order_by_asc(inbox::Column::Number).limit(PIECES);
        let mut sum = 0;
        let mut pieces = Vec::new();
        for row in select.all(&self.connection()).await? {
            let counts = u64::try_from(row.counts).unwrap_or(0);
            sum += counts;
            if sum > most && !pieces.is_empty() {
                break;
            }
            pieces.push(Delivered { number: row.number, counts, body: row.body });
        }
        Ok(pieces)
    }

    /// Whether nothing waits to be added up.
    pub async fn is_usage_inbox_empty(&self) -> Result<bool, StoreError> {
        let select = inbox::Entity::find().select_only().column(inbox::Column::Number).limit(1);
        Ok(select.into_tuple::<i64>().one(&self.connection()).await?.is_none())
    }

    /// How many pieces of delivered counts wait to be added up.
    pub async fn usage_inbox_size(&self) -> Result<u64, StoreError> {
        Ok(inbox::Entity::find().count(&self.connection()).await?)
    }
}

impl Tx {
    /// Notes that the batch `number` of this spool is stored.
    pub async fn save_usage_batch(
        &self,
        node: &NodeId,
        spool: &str,
        number: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        use spools::Column;
        let row = spools::ActiveModel {
            node: Set(node.to_string()),
            spool: Set(spool.to_owned()),
            last_number: Set(number),
            stored_at: Set(now.micros()),
        };
        let replace = OnConflict::columns([Column::Node, Column::Spool])
            .update_columns([Column::LastNumber, Column::StoredAt])
            .to_owned();
        spools::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Forgets which batches of those spools are stored that brought none since `before`.
    pub async fn forget_usage_spools(&self, before: Timestamp) -> Result<u64, StoreError> {
        use spools::Column;
        let forgotten = spools::Entity::delete_many()
            .filter(Column::StoredAt.lt(before.micros()))
            .filter(Column::Spool.ne(""))
            .exec(&self.connection())
            .await?;
        Ok(forgotten.rows_affected)
    }

    /// Puts a piece of so many counts into the inbox.
    pub async fn deliver_usage(&self, counts: u64, body: String) -> Result<(), StoreError> {
        let last: Option<i64> = inbox::Entity::find()
            .select_only()
            .column(inbox::Column::Number)
            .order_by_desc(inbox::Column::Number)
            .limit(1)
            .into_tuple()
            .one(&self.connection())
            .await?;
        let row = inbox::ActiveModel {
            number: Set(last.unwrap_or(0).saturating_add(1)),
            counts: Set(i64::try_from(counts).unwrap_or(i64::MAX)),
            body: Set(body),
        };
        inbox::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Takes these pieces out of the inbox.
    pub async fn take_usage(&self, pieces: &[Delivered]) -> Result<(), StoreError> {
        let numbers = pieces.iter().map(|piece| piece.number);
        inbox::Entity::delete_many()
            .filter(inbox::Column::Number.is_in(numbers))
            .exec(&self.connection())
            .await?;
        Ok(())
    }
}
