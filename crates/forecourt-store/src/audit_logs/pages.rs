//! Going through the log page by page, where one entry may be as large as hundreds of others.
//!
//! Invariant: the sizes are read first, and then no more than was measured: a page has [`AUDIT_PAGE_BYTES`] at most, or
//! is of one record, or one entry, that is larger. Entries never change, so what was measured is what is read; what is
//! taken away in between is missing, and what is added belongs to a later page or, for an answer, to nobody's.

use std::collections::HashMap;

use forecourt_core::{
    audit_logs::{AuditFilter, ToldRecord, chains::Link},
    lists::Direction,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Func, SimpleExpr},
};

use super::{RECORD, entity, link, told, wanted};
use crate::{Reader, StoreError, rows};

/// How many bytes of entries are read at a time by whoever goes through the log.
pub const AUDIT_PAGE_BYTES: u64 = 1 << 20;

/// Where a reader that goes through records one by one is: behind this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPlace {
    /// Its time, microseconds.
    pub at: i64,
    /// Its number.
    pub number: i64,
}

/// Some records, and where the next ones stand.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The records, each with what followed it; none where those of the page were taken away while it was read.
    pub rows: Vec<ToldRecord>,
    /// Where the page ends; `None`: nothing is behind the place that was asked for.
    pub end: Option<AuditPlace>,
}

impl Reader {
    /// The next records that `filter` wants behind `place`, at most `most`, and no more than [`AUDIT_PAGE_BYTES`] of
    /// them but at least one; its paging is left out.
    pub async fn audit_records_behind(
        &self,
        filter: &AuditFilter,
        place: Option<AuditPlace>,
        most: u64,
    ) -> Result<AuditPage, StoreError> {
        use entity::Column;
        let mut select = wanted(filter);
        if let Some(AuditPlace { at, number }) = place {
            let (later, same_moment) = match filter.direction {
                Direction::Ascending => (Column::At.gt(at), Column::Number.gt(number)),
                Direction::Descending => (Column::At.lt(at), Column::Number.lt(number)),
            };
            let same_moment = Condition::all().add(Column::At.eq(at)).add(same_moment);
            select = select.filter(Condition::any().add(later).add(same_moment));
        }
        let order = rows::order(filter.direction);
        let records: Vec<(i64, i64, String, i64)> = select
            .order_by(Column::At, order.clone())
            .order_by(Column::Number, order)
            .limit(most)
            .select_only()
            .column(Column::At)
            .column(Column::Number)
            .column(Column::RecordId)
            .expr_as(size(), "size")
            .into_tuple()
            .all(&self.connection())
            .await?;
        let followers = self.audit_followers(&records).await?;
        let (mut bytes, mut end, mut numbers) = (0, None, Vec::new());
        for (at, number, id, size) in records {
            let following = followers.get(&id).map(Vec::as_slice).unwrap_or_default();
            bytes += measured(size) + following.iter().map(|(_, size)| measured(*size)).sum::<u64>();
            if end.is_some() && bytes > AUDIT_PAGE_BYTES {
                break;
            }
            end = Some(AuditPlace { at, number });
            numbers.push(number);
            numbers.extend(following.iter().map(|(number, _)| *number));
        }
        let entries = self.audit_entries(&numbers).await?;
        let (mut records, followers): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.kind == RECORD);
        records.sort_by_key(|record| (record.at, record.number));
        if filter.direction == Direction::Descending {
            records.reverse();
        }
        Ok(AuditPage { rows: told(records, followers), end })
    }

    /// The number and the size of what followed each of these records, by the record's id.
    async fn audit_followers(
        &self,
        records: &[(i64, i64, String, i64)],
    ) -> Result<HashMap<String, Vec<(i64, i64)>>, StoreError> {
        use entity::Column;
        let mut followers: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
        for records in records.chunks(rows::CHUNK) {
            let found: Vec<(String, i64, i64)> = entity::Entity::find()
                .filter(Column::RecordId.is_in(records.iter().map(|(_, _, id, _)| id.as_str())))
                .filter(Column::Kind.ne(RECORD))
                .select_only()
                .column(Column::RecordId)
                .column(Column::Number)
                .expr_as(size(), "size")
                .into_tuple()
                .all(&self.connection())
                .await?;
            for (id, number, size) in found {
                followers.entry(id).or_default().push((number, size));
            }
        }
        Ok(followers)
    }

    /// The entries with these numbers that are there yet, in the log's order.
    async fn audit_entries(&self, numbers: &[i64]) -> Result<Vec<entity::Model>, StoreError> {
        let mut found = Vec::with_capacity(numbers.len());
        for numbers in numbers.chunks(rows::CHUNK) {
            let select = entity::Entity::find().filter(entity::Column::Number.is_in(numbers.iter().copied()));
            found.extend(select.all(&self.connection()).await?);
        }
        found.sort_by_key(|entry| entry.number);
        Ok(found)
    }

    /// Entries with a number above `number`, in their order, at most `most`, and no more than [`AUDIT_PAGE_BYTES`] of
    /// them but at least one. Fewer than `most` does not mean that these are all.
    pub async fn audit_links(&self, number: i64, most: u64) -> Result<Vec<Link>, StoreError> {
        use entity::Column;
        let sizes: Vec<(i64, i64)> = entity::Entity::find()
            .filter(Column::Number.gt(number))
            .order_by_asc(Column::Number)
            .limit(most)
            .select_only()
            .column(Column::Number)
            .expr_as(size(), "size")
            .into_tuple()
            .all(&self.connection())
            .await?;
        let mut bytes = 0;
        let fitting = sizes.iter().enumerate().take_while(|(index, (_, size))| {
            bytes += measured(*size);
            *index == 0 || bytes <= AUDIT_PAGE_BYTES
        });
        let Some((_, (last, _))) = fitting.last() else { return Ok(Vec::new()) };
        let select = entity::Entity::find()
            .filter(Column::Number.gt(number))
            .filter(Column::Number.lte(*last))
            .order_by_asc(Column::Number);
        Ok(select.all(&self.connection()).await?.into_iter().map(link).collect())
    }
}

/// How many bytes the text of an entry has, which neither engine reads the text for.
fn size() -> SimpleExpr {
    let length = Func::cust("octet_length").arg(Expr::col(entity::Column::Content));
    Func::cast_as(length, "bigint").into()
}

fn measured(size: i64) -> u64 {
    u64::try_from(size).unwrap_or_default()
}
