//! Answers to questions about usage: the chunks that may hold them, and what these add up to.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use forecourt_core::{
    ids::{ApplicationId, CredentialId, ProductId, RouteId},
    time::Timestamp,
    usage::{Grouping, StatusClass, Totals, UsageGroup, UsagePoint, UsageQuery},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::{
    adding::entity as chunk_rows,
    chunks,
    series::{self, Grain},
};
use crate::{Reader, StoreError};

/// What was read for a question, not yet added up: that takes a while and asks nobody.
#[derive(Debug)]
pub struct UsageRows {
    query: UsageQuery,
    series: HashMap<i64, UsageGroup>,
    /// Series, number and cells of each chunk.
    chunks: Vec<(i64, i64, Vec<u8>)>,
}

impl Reader {
    /// Reads what answers `query`.
    pub async fn usage(&self, query: &UsageQuery) -> Result<UsageRows, StoreError> {
        let grain = Grain::answering(query);
        let step = query.level();
        let (first, _) = chunks::place(step, query.filter.start);
        let (last, _) = chunks::place(step, query.filter.end);
        let series = series::matching(grain, &query.filter).all(&self.connection()).await?;
        let grouping = query.grouping;
        let series = series.into_iter().map(|row| (row.id, group(row, grouping))).collect();
        use chunk_rows::{Column, Entity};
        let named = series::matching(grain, &query.filter)
            .select_only()
            .column(series::entity::Column::Id)
            .into_query();
        let select = Entity::find()
            .select_only()
            .columns([Column::Series, Column::Chunk, Column::Cells])
            .filter(Column::Series.in_subquery(named))
            .filter(Column::Step.eq(chunks::number(step)))
            .filter(Column::Chunk.between(first, last));
        let chunks = select.into_tuple().all(&self.connection()).await?;
        Ok(UsageRows { query: query.clone(), series, chunks })
    }
}

/// What the sums of a series are of, as far as the question tells it apart.
fn group(row: series::entity::Model, by: Grouping) -> UsageGroup {
    UsageGroup {
        product_id: by.by_product.then(|| ProductId::known(row.product_id)),
        application_id: by.by_application.then(|| ApplicationId::known(row.application_id)),
        credential_id: by.by_credential.then(|| CredentialId::known(row.credential_id)),
        route_id: by.by_route.then(|| RouteId::known(row.route_id)),
        status_class: None,
    }
}

impl UsageRows {
    /// The sums, ascending by time, then group. `None`: there are more than `most`.
    ///
    /// # Errors
    /// When a stored chunk cannot be read.
    pub fn points(self, most: usize) -> Result<Option<Vec<UsagePoint>>, StoreError> {
        let step = self.query.level();
        let (first, last) = (self.query.filter.start, self.query.filter.end);
        let (first, last) = (step.start(step.number(first)), step.start(step.number(last)));
        let is_whole = self.query.step.is_none();
        // Groups are many times the same: they are numbered once, and sums are found by number.
        let mut groups: Vec<&UsageGroup> = self.series.values().collect();
        groups.sort_unstable();
        groups.dedup();
        let numbers: HashMap<i64, usize> = self
            .series
            .iter()
            .filter_map(|(id, group)| Some((*id, groups.binary_search(&group).ok()?)))
            .collect();
        let by_class = self.query.grouping.by_status_class;
        let mut sums: BTreeMap<(Timestamp, usize, Option<StatusClass>), Totals> = BTreeMap::new();
        let mut sum = chunks::Sum::default();
        for (series, chunk, cells) in &self.chunks {
            // A series that was made after the first query: its calls came after the question.
            let Some(group) = numbers.get(series) else { continue };
            let key = |place: u8, class: StatusClass| {
                let at = chunks::start(step, *chunk, place);
                let is_asked = at >= first && at <= last;
                is_asked.then(|| (if is_whole { first } else { at }, *group, by_class.then_some(class)))
            };
            chunks::add_up(cells, &mut sum, key, |key, totals| match sums.entry(key) {
                Entry::Vacant(place) => drop(place.insert(totals)),
                Entry::Occupied(mut known) => known.get_mut().add(&totals),
            })?;
            if sums.len() > most {
                return Ok(None);
            }
        }
        let points = sums.into_iter().map(|((at, group, status_class), totals)| {
            let group = groups.get(group).copied().cloned().unwrap_or_default();
            UsagePoint { at, group: UsageGroup { status_class, ..group }, totals }
        });
        Ok(Some(points.collect()))
    }
}
