//! Series: what sums are of. Each call is added to one series of every grain, so that a question reads no more rows
//! than it has groups.

use forecourt_core::usage::{Grouping, UsageFilter, UsageQuery};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use super::CountedCalls;

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, Hash, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_series")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub subject: String,
        pub grain: i16,
        pub portal_id: String,
        pub developer_id: String,
        pub application_id: String,
        pub product_id: String,
        pub credential_id: String,
        pub route_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a kind of series tells apart, beside the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// Nothing.
    Portal,
    /// Products.
    Product,
    /// Products and routes.
    Route,
    /// Applications, and so developers.
    Application,
    /// Applications and products.
    Subscription,
    /// Everything: credentials too.
    Detail,
}

impl Grain {
    /// All, the coarsest first.
    pub(super) const ALL: [Self; 6] =
        [Self::Portal, Self::Product, Self::Route, Self::Application, Self::Subscription, Self::Detail];

    /// Its number in its column.
    pub(super) const fn number(self) -> i16 {
        match self {
            Self::Portal => 0,
            Self::Product => 1,
            Self::Application => 2,
            Self::Subscription => 3,
            Self::Detail => 4,
            Self::Route => 5,
        }
    }

    const fn tells_products(self) -> bool {
        matches!(self, Self::Product | Self::Route | Self::Subscription | Self::Detail)
    }

    const fn tells_applications(self) -> bool {
        matches!(self, Self::Application | Self::Subscription | Self::Detail)
    }

    const fn tells_routes(self) -> bool {
        matches!(self, Self::Route | Self::Detail)
    }

    const fn tells_credentials(self) -> bool {
        matches!(self, Self::Detail)
    }

    /// The coarsest that can answer.
    pub(super) fn answering(query: &UsageQuery) -> Self {
        let UsageQuery { filter, grouping, .. } = query;
        let Grouping { by_product, by_application, by_credential, by_route, .. } = *grouping;
        let needs_products = by_product || !filter.products.is_empty();
        let needs_applications =
            by_application || !filter.applications.is_empty() || filter.developer_id.is_some();
        let needs_credentials = by_credential || !filter.credentials.is_empty();
        let answers = |grain: &Self| {
            (grain.tells_products() || !needs_products)
                && (grain.tells_applications() || !needs_applications)
                && (grain.tells_routes() || !by_route)
                && (grain.tells_credentials() || !needs_credentials)
        };
        Self::ALL.into_iter().find(answers).unwrap_or(Self::Detail)
    }

    /// The series of this grain that calls belong to, without its number.
    pub(super) fn series(self, calls: &CountedCalls) -> entity::Model {
        let kept = |tells: bool, id: &str| if tells { id.to_owned() } else { String::new() };
        let mut series = entity::Model {
            id: 0,
            subject: String::new(),
            grain: self.number(),
            portal_id: calls.portal_id.to_string(),
            developer_id: kept(self.tells_applications(), calls.developer_id.as_str()),
            application_id: kept(self.tells_applications(), calls.application_id.as_str()),
            product_id: kept(self.tells_products(), calls.product_id.as_str()),
            credential_id: kept(self.tells_credentials(), calls.credential_id.as_str()),
            route_id: kept(self.tells_routes(), calls.route_id.as_str()),
        };
        series.subject = series.to_subject();
        series
    }
}

impl entity::Model {
    /// No id holds a slash, so no two series share their text. The developer goes with the application.
    fn to_subject(&self) -> String {
        let Self { grain, portal_id, application_id, product_id, credential_id, route_id, .. } = self;
        format!("{grain}/{portal_id}/{application_id}/{product_id}/{credential_id}/{route_id}")
    }

    /// The series of the route that a series of [`Grain::Detail`] tells apart, without its number.
    pub(super) fn of_route(&self) -> Self {
        let mut series = Self {
            id: 0,
            grain: Grain::Route.number(),
            developer_id: String::new(),
            application_id: String::new(),
            credential_id: String::new(),
            ..self.clone()
        };
        series.subject = series.to_subject();
        series
    }
}

/// The series of a grain that a filter names.
pub(super) fn matching(grain: Grain, filter: &UsageFilter) -> Select<entity::Entity> {
    use entity::Column;
    let mut select = entity::Entity::find().filter(Column::Grain.eq(grain.number()));
    if let Some(portal) = &filter.portal_id {
        select = select.filter(Column::PortalId.eq(portal.as_str()));
    }
    if let Some(developer) = &filter.developer_id {
        select = select.filter(Column::DeveloperId.eq(developer.as_str()));
    }
    if !filter.applications.is_empty() {
        select = select.filter(Column::ApplicationId.is_in(filter.applications.iter().map(|id| id.as_str())));
    }
    if !filter.products.is_empty() {
        select = select.filter(Column::ProductId.is_in(filter.products.iter().map(|id| id.as_str())));
    }
    if !filter.credentials.is_empty() {
        select = select.filter(Column::CredentialId.is_in(filter.credentials.iter().map(|id| id.as_str())));
    }
    select
}

#[cfg(test)]
mod tests {
    use forecourt_core::ids::{ApplicationId, CredentialId, DeveloperId, PortalId, ProductId};

    use super::*;

    fn filtered(change: impl FnOnce(&mut UsageFilter)) -> UsageQuery {
        let mut query = UsageQuery::default();
        change(&mut query.filter);
        query
    }

    fn grouped(change: impl FnOnce(&mut Grouping)) -> UsageQuery {
        let mut query = UsageQuery::default();
        change(&mut query.grouping);
        query
    }

    #[test]
    fn the_coarsest_grain_that_can_answer_is_asked() {
        use Grain::*;
        let application = || ApplicationId::known("a");
        for (query, grain) in [
            (UsageQuery::default(), Portal),
            (filtered(|f| f.portal_id = Some(PortalId::known("p"))), Portal),
            (grouped(|g| g.by_status_class = true), Portal),
            (grouped(|g| g.by_product = true), Product),
            (filtered(|f| f.products = vec![ProductId::known("p")]), Product),
            (grouped(|g| g.by_application = true), Application),
            (filtered(|f| f.developer_id = Some(DeveloperId::known("d"))), Application),
            (filtered(|f| f.applications = vec![application()]), Application),
            (grouped(|g| (g.by_product, g.by_application) = (true, true)), Subscription),
            (grouped(|g| g.by_route = true), Route),
            (grouped(|g| (g.by_product, g.by_route) = (true, true)), Route),
            (grouped(|g| (g.by_application, g.by_route) = (true, true)), Detail),
            (grouped(|g| g.by_credential = true), Detail),
            (filtered(|f| f.credentials = vec![CredentialId::known("c")]), Detail),
        ] {
            assert_eq!(Grain::answering(&query), grain, "{query:?}");
        }
        let mut both = filtered(|f| f.applications = vec![application()]);
        both.grouping.by_product = true;
        assert_eq!(Grain::answering(&both), Subscription);
    }
}
