//! Sums by route for what was counted before there were any: versions that kept none have all of it in detail.
//!
//! A series by route begins with what the series in detail hold of it. Where no call comes any more, it is begun once,
//! when a process starts.

use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Alias, Expr, Query},
};

use super::{
    adding::{Additions, entity as chunk_rows},
    chunks,
    series::{
        Grain,
        entity::{ActiveModel, Column, Entity, Model},
    },
};
use crate::{Reader, StoreError, Tx};

impl Reader {
    /// Whether there is a route with calls in detail and no sums of its own.
    pub async fn has_route_to_begin(&self) -> Result<bool, StoreError> {
        Ok(self.route_to_begin().await?.is_some())
    }

    /// A series in detail of such a route.
    async fn route_to_begin(&self) -> Result<Option<Model>, StoreError> {
        let own = Alias::new("own");
        let same = |column: Column| Expr::col((own.clone(), column)).equals((Entity, column));
        let begun = Query::select()
            .expr(Expr::val(1))
            .from_as(Entity, own.clone())
            .and_where(Expr::col((own.clone(), Column::Grain)).eq(Grain::Route.number()))
            .and_where(same(Column::PortalId))
            .and_where(same(Column::ProductId))
            .and_where(same(Column::RouteId))
            .to_owned();
        let next = Entity::find()
            .filter(Column::Grain.eq(Grain::Detail.number()))
            .filter(Expr::exists(begun).not())
            .limit(1);
        Ok(next.one(&self.connection()).await?)
    }
}

impl Tx {
    /// Begins the sums of one route that has calls in detail and none by route; false: there is none.
    pub async fn begin_next_route(&self) -> Result<bool, StoreError> {
        let Some(next) = self.route_to_begin().await? else { return Ok(false) };
        let last = Entity::find().select_only().column(Column::Id).order_by_desc(Column::Id).limit(1);
        let last: i64 = last.into_tuple().one(&self.connection()).await?.unwrap_or(0);
        let series = Model { id: last + 1, ..next.of_route() };
        let row = ActiveModel::from(series.clone());
        Entity::insert(row).exec_without_returning(&self.connection()).await?;
        self.begin_route(&series).await?;
        Ok(true)
    }

    /// Puts what the series in detail hold of a route into its new series.
    pub(super) async fn begin_route(&self, series: &Model) -> Result<(), StoreError> {
        let detail = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Grain.eq(Grain::Detail.number()))
            .filter(Column::PortalId.eq(series.portal_id.as_str()))
            .filter(Column::ProductId.eq(series.product_id.as_str()))
            .filter(Column::RouteId.eq(series.route_id.as_str()))
            .into_query();
        let stored = chunk_rows::Entity::find()
            .filter(chunk_rows::Column::Series.in_subquery(detail))
            .all(&self.connection())
            .await?;
        let mut sums = Additions::new();
        for row in stored {
            let cells = sums.entry((series.id, row.step, row.chunk)).or_default();
            chunks::unpack(&row.cells, |place, class, totals| {
                cells.entry((place, class)).or_default().add(&totals);
            })?;
        }
        self.save_chunks(&sums).await
    }
}

#[cfg(test)]
mod tests {
    use forecourt_core::{
        ids::{ApplicationId, CredentialId, DeveloperId, PortalId, ProductId, RouteId},
        time::Timestamp,
        usage::{Grouping, StatusClass, Totals, UsageFilter, UsagePoint, UsageQuery},
    };

    use super::*;
    use crate::{CountedCalls, KeptSteps, Location, Store};

    const HOUR: i64 = 1_786_093_200;

    fn calls(application: &str, route: &str, at: i64) -> CountedCalls {
        let mut totals = Totals { calls: 2, ..Totals::default() };
        [40, 9_000].into_iter().for_each(|micros| totals.times.record(micros));
        CountedCalls {
            product_id: ProductId::known("prd_1"),
            application_id: ApplicationId::known(application),
            credential_id: CredentialId::known("crd_1"),
            route_id: RouteId::known(route),
            portal_id: PortalId::known("prt_1"),
            developer_id: DeveloperId::known("dev_1"),
            minute: Timestamp::from_seconds(at),
            status_class: StatusClass::of(200),
            totals,
        }
    }

    async fn add(store: &Store, calls: &[CountedCalls]) {
        let always = Timestamp::from_seconds(0);
        let kept = KeptSteps { minutes_from: always, hours_from: always, days_from: always };
        let tx = store.begin().await.unwrap();
        tx.add_calls(calls, &kept).await.unwrap();
        tx.commit(Timestamp::from_seconds(HOUR)).await.unwrap();
    }

    async fn by_route(store: &Store) -> Vec<UsagePoint> {
        let span = |seconds| Timestamp::from_seconds(HOUR + seconds);
        let filter = UsageFilter { start: span(0), end: span(7_200), ..UsageFilter::default() };
        let grouping = Grouping { by_route: true, ..Grouping::default() };
        let query = UsageQuery { filter, step: None, grouping };
        store.read().usage(&query).await.unwrap().points(100).unwrap().unwrap()
    }

    /// As an earlier version left it: everything in detail, nothing by route.
    async fn forget_routes(store: &Store) {
        let tx = store.begin().await.unwrap();
        let of_routes = Entity::delete_many().filter(Column::Grain.eq(Grain::Route.number()));
        of_routes.exec(&tx.connection()).await.unwrap();
        tx.commit(Timestamp::from_seconds(HOUR)).await.unwrap();
        assert!(by_route(store).await.is_empty());
    }

    #[tokio::test]
    async fn what_was_counted_before_sums_by_route_were_kept_is_in_them_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("forecourt.db"))).await.unwrap();
        add(&store, &[calls("app_1", "rte_1", HOUR), calls("app_2", "rte_1", HOUR + 3_600)]).await;
        add(&store, &[calls("app_1", "rte_2", HOUR)]).await;
        let before = by_route(&store).await;
        assert_eq!(before.iter().map(|point| point.totals.calls).collect::<Vec<_>>(), [4, 2]);

        forget_routes(&store).await;
        for has_begun in [true, true, false] {
            let tx = store.begin().await.unwrap();
            assert_eq!(tx.begin_next_route().await.unwrap(), has_begun);
            tx.commit(Timestamp::from_seconds(HOUR)).await.unwrap();
        }
        assert_eq!(by_route(&store).await, before);

        // New calls find the sums of a route that were not begun before.
        forget_routes(&store).await;
        add(&store, &[calls("app_3", "rte_1", HOUR)]).await;
        let told = by_route(&store).await;
        assert_eq!(told.iter().map(|point| point.totals.calls).collect::<Vec<_>>(), [6]);
    }
}
