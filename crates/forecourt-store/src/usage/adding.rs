//! Adding calls to the chunks of all series that they belong to, and taking away what is older than is kept.
//!
//! Chunks are read, added to and written back. Writers take turns, so nothing is added in between.

use std::collections::{BTreeMap, HashMap, HashSet};

use forecourt_core::usage::Step;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, OnConflict},
};

use super::{
    CountedCalls, KeptSteps,
    chunks::{self, Cells},
    series::{self, Grain},
};
use crate::{StoreError, Tx};

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_chunks")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub series: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub step: i16,
        #[sea_orm(primary_key, auto_increment = false)]
        pub chunk: i64,
        pub cells: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many values one statement binds at most is bounded on both engines; so many rows of ours stay far below.
const ROWS: usize = 1_000;

/// Sums to be added, by series, step and number of the chunk.
pub(super) type Additions = BTreeMap<(i64, i16, i64), Cells>;

impl Tx {
    /// Adds calls to every sum that they belong to and that is kept.
    pub async fn add_calls(&self, counted: &[CountedCalls], kept: &KeptSteps) -> Result<(), StoreError> {
        let numbers = self.series_of(counted).await?;
        let mut additions = Additions::new();
        for calls in counted {
            for grain in Grain::ALL {
                let Some(series) = numbers.get(&grain.series(calls).subject) else { continue };
                for step in Step::ALL {
                    let (chunk, place) = chunks::place(step, calls.minute);
                    if chunk < kept.first_chunk(step) {
                        continue;
                    }
                    let cells = additions.entry((*series, chunks::number(step), chunk)).or_default();
                    cells.entry((place, calls.status_class)).or_default().add(&calls.totals);
                }
            }
        }
        self.add_stored(&mut additions).await?;
        self.save_chunks(&additions).await
    }

    /// The numbers of the series that calls belong to, by subject; new ones are made.
    async fn series_of(&self, counted: &[CountedCalls]) -> Result<HashMap<String, i64>, StoreError> {
        use series::entity::{ActiveModel, Column, Entity, Model};
        let wanted: HashSet<Model> =
            counted.iter().flat_map(|calls| Grain::ALL.map(|grain| grain.series(calls))).collect();
        let subjects: Vec<&str> = wanted.iter().map(|series| series.subject.as_str()).collect();
        let mut numbers = HashMap::new();
        for subjects in subjects.chunks(ROWS) {
            let select = Entity::find().select_only().columns([Column::Subject, Column::Id]);
            let known = select.filter(Column::Subject.is_in(subjects.iter().copied()));
            numbers.extend(known.into_tuple::<(String, i64)>().all(&self.connection()).await?);
        }
        let mut unknown: Vec<Model> =
            wanted.into_iter().filter(|series| !numbers.contains_key(&series.subject)).collect();
        if unknown.is_empty() {
            return Ok(numbers);
        }
        unknown.sort_by(|a, b| a.subject.cmp(&b.subject));
        let last = Entity::find().select_only().column(Column::Id).order_by_desc(Column::Id).limit(1);
        let last: i64 = last.into_tuple().one(&self.connection()).await?.unwrap_or(0);
        for (number, series) in (last + 1..).zip(&mut unknown) {
            series.id = number;
            numbers.insert(series.subject.clone(), number);
        }
        for rows in unknown.chunks(ROWS) {
            let rows = rows.iter().cloned().map(ActiveModel::from);
            Entity::insert_many(rows).exec_without_returning(&self.connection()).await?;
        }
        for series in unknown.iter().filter(|series| series.grain == Grain::Route.number()) {
            self.begin_route(series).await?;
        }
        Ok(numbers)
    }

    /// Adds what the chunks hold already.
    async fn add_stored(&self, additions: &mut Additions) -> Result<(), StoreError> {
        use entity::{Column, Entity};
        for step in Step::ALL.map(chunks::number) {
            let keys: Vec<(i64, i64)> = additions
                .keys()
                .filter(|(_, own, _)| *own == step)
                .map(|(series, _, chunk)| (*series, *chunk))
                .collect();
            for keys in keys.chunks(ROWS) {
                // More than is wanted where series and chunks cross; calls of one piece lie close together.
                let series: HashSet<i64> = keys.iter().map(|(series, _)| *series).collect();
                let places: HashSet<i64> = keys.iter().map(|(_, chunk)| *chunk).collect();
                let stored = Entity::find()
                    .filter(Column::Series.is_in(series))
                    .filter(Column::Step.eq(step))
                    .filter(Column::Chunk.is_in(places))
                    .all(&self.connection())
                    .await?;
                for row in stored {
                    let Some(cells) = additions.get_mut(&(row.series, step, row.chunk)) else { continue };
                    chunks::unpack(&row.cells, |place, class, totals| {
                        cells.entry((place, class)).or_default().add(&totals);
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Writes chunks as they are now.
    pub(super) async fn save_chunks(&self, additions: &Additions) -> Result<(), StoreError> {
        use entity::{ActiveModel, Column, Entity};
        let mut rows = additions.iter().map(|((series, step, chunk), cells)| ActiveModel {
            series: Set(*series),
            step: Set(*step),
            chunk: Set(*chunk),
            cells: Set(chunks::pack(cells)),
        });
        let replace = OnConflict::columns([Column::Series, Column::Step, Column::Chunk])
            .update_column(Column::Cells)
            .to_owned();
        loop {
            let some: Vec<_> = rows.by_ref().take(ROWS).collect();
            if some.is_empty() {
                return Ok(());
            }
            let insert = Entity::insert_many(some).on_conflict(replace.clone());
            insert.exec_without_returning(&self.connection()).await?;
        }
    }

    /// Takes away the oldest chunks of each step if they are older than is kept, and series without any. False:
    /// nothing was left to take away. Each time takes little, so that other writers get their turn.
    pub async fn prune_usage(&self, kept: &KeptSteps) -> Result<bool, StoreError> {
        use entity::{Column, Entity};
        let mut has_pruned = false;
        for step in Step::ALL {
            let of_step = || Entity::find().filter(Column::Step.eq(chunks::number(step)));
            let oldest = of_step().select_only().column(Column::Chunk).order_by_asc(Column::Chunk).limit(1);
            let oldest: Option<i64> = oldest.into_tuple().one(&self.connection()).await?;
            let Some(oldest) = oldest.filter(|oldest| *oldest < kept.first_chunk(step)) else { continue };
            Entity::delete_many()
                .filter(Column::Step.eq(chunks::number(step)))
                .filter(Column::Chunk.eq(oldest))
                .exec(&self.connection())
                .await?;
            has_pruned = true;
        }
        if has_pruned {
            let id = (series::entity::Entity, series::entity::Column::Id);
            let used = Entity::find()
                .select_only()
                .column(Column::Series)
                .filter(Expr::col((Entity, Column::Series)).equals(id))
                .into_query();
            series::entity::Entity::delete_many()
                .filter(Expr::exists(used).not())
                .exec(&self.connection())
                .await?;
        }
        Ok(has_pruned)
    }
}
