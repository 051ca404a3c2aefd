//! The audit log: entries in one chain, in the order in which writers had their turn; and the marks of both its ends.
//!
//! Invariant: entries are added and, from the oldest on, taken away; nothing changes one. Adding needs the writers' turn,
//! which every [`Tx`] has, so the chain never forks.

mod names;
mod nouns;
mod pages;
mod starts;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use forecourt_core::{
    audit_logs::{
        AuditAnswer, AuditChange, AuditColumns, AuditEntry, AuditFilter, AuditOperator, AuditRecord,
        NumberedEntry, ToldRecord,
        chains::{ChainKey, Link, Mark, MarkName, START},
    },
    ids::AuditRecordId,
    lists::List,
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::OnConflict,
};

pub use pages::{AUDIT_PAGE_BYTES, AuditPage, AuditPlace};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_entries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub kind: String,
        pub record_id: String,
        pub at: i64,
        pub event_type: String,
        pub operator_id: String,
        pub resource_id: String,
        pub gateway_group_id: String,
        pub content: String,
        pub previous: String,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod marks {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_marks")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub number: i64,
        pub hash: String,
        pub seal: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The words of the column `kind`.
const RECORD: &str = "record";

impl Reader {
    /// The records that `filter` wants, each with all that followed.
    pub async fn audit_records(&self, filter: &AuditFilter) -> Result<List<ToldRecord>, StoreError> {
        let order = rows::order(filter.direction);
        let select = wanted(filter)
            .order_by(entity::Column::At, order.clone())
            .order_by(entity::Column::Number, order);
        let found = rows::page(self.connection(), select, filter.paging, Ok).await?;
        Ok(List { rows: self.told(found.rows).await?, total: found.total })
    }

    /// The record with this id, with all that followed.
    pub async fn audit_record(&self, id: &AuditRecordId) -> Result<Option<ToldRecord>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::RecordId.eq(id.as_str()))
            .filter(entity::Column::Kind.eq(RECORD))
            .limit(1);
        let found = select.all(&self.connection()).await?;
        Ok(self.told(found).await?.pop())
    }

    /// `records` with what followed them.
    async fn told(&self, records: Vec<entity::Model>) -> Result<Vec<ToldRecord>, StoreError> {
        use entity::Column;
        let mut followers = Vec::new();
        for ids in records.chunks(rows::CHUNK) {
            let entries = entity::Entity::find()
                .filter(Column::RecordId.is_in(ids.iter().map(|row| row.record_id.as_str())))
                .filter(Column::Kind.ne(RECORD))
                .order_by_asc(Column::Number)
                .all(&self.connection())
                .await?;
            followers.extend(entries);
        }
        Ok(told(records, followers))
    }

    /// The mark with this name, whoever made it.
    pub async fn audit_mark(&self, name: MarkName) -> Result<Option<Mark>, StoreError> {
        let row = marks::Entity::find_by_id(name.name()).one(&self.connection()).await?;
        Ok(row.map(|row| Mark { number: row.number, hash: row.hash, seal: row.seal }))
    }
}

/// `records` with those of `followers`, which are in the log's order, that followed them.
fn told(records: Vec<entity::Model>, followers: Vec<entity::Model>) -> Vec<ToldRecord> {
    let mut followed: HashMap<String, (Vec<AuditChange>, u64, Option<AuditAnswer>)> = HashMap::new();
    for row in followers {
        let (changes, left_out, answer) = followed.entry(row.record_id).or_default();
        match NumberedEntry::read(&row.content).map(|read| read.entry) {
            Some(AuditEntry::Further(further)) => {
                let listed = further.changes.len() as u64;
                *left_out += further.change_count.unwrap_or_default().saturating_sub(listed);
                changes.extend(further.changes);
            }
            Some(AuditEntry::Answer(given)) => {
                answer.get_or_insert(given);
            }
            Some(AuditEntry::Record(_)) | None => {}
        }
    }
    let told = records.into_iter().map(|row| {
        let (further, further_left_out, answer) = followed.remove(&row.record_id).unwrap_or_default();
        ToldRecord { number: row.number, record: record(row), further, further_left_out, answer }
    });
    told.collect()
}

/// The records that `filter` wants, in no order.
fn wanted(filter: &AuditFilter) -> Select<entity::Entity> {
    use entity::Column;
    let mut select = entity::Entity::find().filter(Column::Kind.eq(RECORD));
    for (column, wanted) in [
        (Column::EventType, &filter.event_type),
        (Column::OperatorId, &filter.operator_id),
        (Column::ResourceId, &filter.resource_id),
        (Column::GatewayGroupId, &filter.gateway_group_id),
    ] {
        if let Some(wanted) = wanted {
            select = select.filter(column.eq(wanted.as_str()));
        }
    }
    if let Some(start) = filter.start_at {
        select = select.filter(Column::At.gte(start.micros()));
    }
    if let Some(end) = filter.end_at {
        select = select.filter(Column::At.lt(end.plus_seconds(1).micros()));
    }
    select
}

fn columns(row: &entity::Model) -> AuditColumns {
    AuditColumns {
        kind: row.kind.clone(),
        record_id: row.record_id.clone(),
        at: row.at,
        event_type: row.event_type.clone(),
        operator_id: row.operator_id.clone(),
        resource_id: row.resource_id.clone(),
        gateway_group_id: row.gateway_group_id.clone(),
    }
}

fn link(row: entity::Model) -> Link {
    let columns = columns(&row);
    Link { number: row.number, columns, content: row.content, previous: row.previous, hash: row.hash }
}

/// The record in a row. One that somebody changed beyond reading is told from its columns: it must not hide the others.
fn record(row: entity::Model) -> AuditRecord {
    if let Some(NumberedEntry { entry: AuditEntry::Record(record), .. }) = NumberedEntry::read(&row.content) {
        return *record;
    }
    AuditRecord {
        id: AuditRecordId::known(row.record_id),
        at: Timestamp::from_micros(row.at),
        event_type: row.event_type,
        operator: AuditOperator { id: row.operator_id, ..AuditOperator::default() },
        source: String::new(),
        token_name: None,
        resource_id: row.resource_id,
        gateway_group_id: row.gateway_group_id,
        ip_address: None,
        request_id: String::new(),
        request: None,
        changes: Vec::new(),
        change_count: None,
        error_message: Some("this record cannot be read: somebody changed it".to_owned()),
    }
}

impl Tx {
    /// Adds entries at the log's end.
    pub async fn append_to_audit_log(
        &self,
        key: &ChainKey,
        entries: Vec<AuditEntry>,
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let (mut number, mut previous) = self.audit_end(key).await?;
        let mut added = Vec::with_capacity(entries.len());
        for entry in entries {
            number += 1;
            let columns = entry.columns();
            let content = NumberedEntry { number, entry }.to_text();
            let content = content.map_err(|error| StoreError::Unreadable {
                what: "audit entry",
                problem: error.to_string(),
            })?;
            let hash = key.entry_hash(&previous, &content);
            added.push(row(Link { number, columns, content, previous, hash: hash.clone() }));
            previous = hash;
        }
        // 11 columns a row: 500 rows stay below PostgreSQL's 65535 and SQLite's 32766 bound values.
        for rows in added.chunks(500) {
            entity::Entity::insert_many(rows.to_vec()).exec_without_returning(&self.connection()).await?;
        }
        self.save_audit_mark(MarkName::Head, &key.mark(MarkName::Head, number, &previous)).await
    }

    /// The number and the hash that the next entry follows.
    ///
    /// Where the mark of the end is not ours, somebody changed the log. Writing goes on, and a number is left out, so
    /// that what is written now does not cover it up.
    async fn audit_end(&self, key: &ChainKey) -> Result<(i64, String), StoreError> {
        let head = self.audit_mark(MarkName::Head).await?;
        if let Some(head) = head.as_ref().filter(|head| key.made(MarkName::Head, head)) {
            return Ok((head.number, head.hash.clone()));
        }
        let last: Option<i64> = entity::Entity::find()
            .select_only()
            .column(entity::Column::Number)
            .order_by_desc(entity::Column::Number)
            .limit(1)
            .into_tuple()
            .one(&self.connection())
            .await?;
        let checkpoint = self.audit_mark(MarkName::Checkpoint).await?.map(|mark| mark.number);
        if head.is_none() && last.is_none() && checkpoint.is_none() {
            return Ok((0, START.to_owned()));
        }
        tracing::error!("the end of the audit log was changed; `forecourt audit verify` tells more");
        Ok((last.max(checkpoint).unwrap_or(0).saturating_add(1), START.to_owned()))
    }

    async fn save_audit_mark(&self, name: MarkName, mark: &Mark) -> Result<(), StoreError> {
        use marks::Column;
        let row = marks::ActiveModel {
            name: Set(name.name().to_owned()),
            number: Set(mark.number),
            hash: Set(mark.hash.clone()),
            seal: Set(mark.seal.clone()),
        };
        let replace = OnConflict::column(Column::Name)
            .update_columns([Column::Number, Column::Hash, Column::Seal])
            .to_owned();
        marks::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Takes entries away up to this one, which the checkpoint then stands for.
    pub async fn prune_audit_log(&self, key: &ChainKey, last: &Link) -> Result<(), StoreError> {
        entity::Entity::delete_many()
            .filter(entity::Column::Number.lte(last.number))
            .exec(&self.connection())
            .await?;
        let mark = key.mark(MarkName::Checkpoint, last.number, &last.hash);
        self.save_audit_mark(MarkName::Checkpoint, &mark).await
    }
}

fn row(link: Link) -> entity::ActiveModel {
    let columns = link.columns;
    entity::ActiveModel {
        number: Set(link.number),
        kind: Set(columns.kind),
        record_id: Set(columns.record_id),
        at: Set(columns.at),
        event_type: Set(columns.event_type),
        operator_id: Set(columns.operator_id),
        resource_id: Set(columns.resource_id),
        gateway_group_id: Set(columns.gateway_group_id),
        content: Set(link.content),
        previous: Set(link.previous),
        hash: Set(link.hash),
    }
}
