//! Subscriptions: at most one record per application and product.

use forecourt_core::{
    applications::Application,
    ids::{ApplicationId, DeveloperId, DeveloperName, PlanId, PortalId, ProductId, SubscriptionId},
    lists::{List, Paging},
    subscriptions::{
        Subscription, SubscriptionDetail, SubscriptionFilter, SubscriptionOrder, SubscriptionStatus,
    },
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, FromQueryResult, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, RelationDef, Select,
    prelude::Expr,
    sea_query::{Func, SimpleExpr},
};

use crate::{Reader, StoreError, Tx, applications, developers, dialect, plans, products, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "subscriptions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub application_id: String,
        pub product_id: String,
        pub status: String,
        pub subscribed_at: Option<i64>,
        pub created_at: i64,
        pub plan_id: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How a subscription's row finds its application's.
pub(crate) fn application_of_subscription() -> RelationDef {
    entity::Entity::belongs_to(applications::entity::Entity)
        .from(entity::Column::ApplicationId)
        .to(applications::entity::Column::Id)
        .into()
}

fn product_of_subscription() -> RelationDef {
    entity::Entity::belongs_to(products::entity::Entity)
        .from(entity::Column::ProductId)
        .to(products::entity::Column::Id)
        .into()
}

fn plan_of_subscription() -> RelationDef {
    entity::Entity::belongs_to(plans::entity::Entity)
        .from(entity::Column::PlanId)
        .to(plans::entity::Column::Id)
        .into()
}

fn developer_of_application() -> RelationDef {
    applications::entity::Entity::belongs_to(developers::entity::Entity)
        .from(applications::entity::Column::DeveloperId)
        .to(developers::entity::Column::Id)
        .into()
}

#[derive(Debug, FromQueryResult)]
struct Detail {
    id: String,
    portal_id: String,
    application_id: String,
    product_id: String,
    status: String,
    subscribed_at: Option<i64>,
    created_at: i64,
    plan_id: Option<String>,
    plan_name: Option<String>,
    application_name: String,
    product_name: String,
    developer_id: String,
    developer_public_id: String,
    developer_name: String,
}

impl Reader {
    /// The subscription with this id.
    pub async fn subscription(&self, id: &SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(subscription).transpose()
    }

    /// The record of this pair.
    pub async fn subscription_of(
        &self,
        application: &ApplicationId,
        product: &ProductId,
    ) -> Result<Option<Subscription>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::ApplicationId.eq(application.as_str()))
            .filter(entity::Column::ProductId.eq(product.as_str()));
        select.one(&self.connection()).await?.map(subscription).transpose()
    }

    /// Every subscription to a product, oldest first.
    pub async fn subscriptions_to(&self, product: &ProductId) -> Result<Vec<Subscription>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::ProductId.eq(product.as_str()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(subscription)
            .collect()
    }

    /// The subscriptions of `applications` to a product, in no order.
    pub async fn subscriptions_of_applications(
        &self,
        applications: &[Application],
        product: &ProductId,
    ) -> Result<Vec<Subscription>, StoreError> {
        let mut subscriptions = Vec::new();
        for applications in applications.chunks(rows::CHUNK) {
            let ids = applications.iter().map(|application| application.id.as_str());
            let select = entity::Entity::find()
                .filter(entity::Column::ApplicationId.is_in(ids))
                .filter(entity::Column::ProductId.eq(product.as_str()));
            for row in select.all(&self.connection()).await? {
                subscriptions.push(subscription(row)?);
            }
        }
        Ok(subscriptions)
    }

    /// Every subscription of an application, oldest first.
    pub async fn subscriptions_of(
        &self,
        application: &ApplicationId,
    ) -> Result<Vec<Subscription>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::ApplicationId.eq(application.as_str()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(subscription)
            .collect()
    }

    /// The subscriptions that `filter` wants, with the names of what they join.
    pub async fn subscriptions(
        &self,
        filter: &SubscriptionFilter,
    ) -> Result<List<SubscriptionDetail>, StoreError> {
        let sorted = |select: Select<entity::Entity>| {
            let order = rows::order(filter.order.direction);
            select
                .order_by(sort_key(filter.order.by), order.clone())
                .order_by(entity::Column::CreatedAt, order.clone())
                .order_by(entity::Column::Id, order)
        };
        // Names are joined to the rows of a page alone, where neither the choice of rows nor their order needs them.
        let by_names = filter.search.is_some() || filter.order.by == SubscriptionOrder::DeveloperName;
        let chosen = self.filtered(if by_names { joined() } else { entity::Entity::find() }, filter);
        let (total, page) = match filter.paging {
            Paging::All => (None, chosen),
            Paging::Page { page, size } => {
                let total = chosen.clone().count(&self.connection()).await?;
                let offset = (page - 1).saturating_mul(size).min(i64::MAX as u64);
                (Some(total), sorted(chosen).offset(offset).limit(size.min(i64::MAX as u64)))
            }
        };
        let ids = page.select_only().column(entity::Column::Id).into_query();
        let named = sorted(joined().filter(entity::Column::Id.in_subquery(ids)));
        let found = named.into_model::<Detail>().all(&self.connection()).await?;
        let rows = found.into_iter().map(detail).collect::<Result<Vec<_>, _>>()?;
        Ok(List { total: total.unwrap_or(rows.len() as u64), rows })
    }

    /// Those of `select` that `filter` wants. A search needs the joined names.
    fn filtered(
        &self,
        mut select: Select<entity::Entity>,
        filter: &SubscriptionFilter,
    ) -> Select<entity::Entity> {
        use entity::Column;
        // A product has one portal: asking its row spares looking at each subscription's.
        match (&filter.product_id, &filter.portal_id) {
            (Some(product), portal) => {
                select = select.filter(Column::ProductId.eq(product.as_str()));
                if let Some(portal) = portal {
                    let of_portal = products::entity::Entity::find_by_id(product.as_str())
                        .filter(products::entity::Column::PortalId.eq(portal.as_str()));
                    select = select.filter(Expr::exists(of_portal.into_query()));
                }
            }
            (None, Some(portal)) => select = select.filter(Column::PortalId.eq(portal.as_str())),
            (None, None) => {}
        }
        if let Some(developer) = &filter.developer_id {
            select = select.filter(is_of_developer(developer.as_str()));
        }
        if let Some(name) = &filter.developer_public_id {
            let named = developers::entity::Entity::find()
                .select_only()
                .column(developers::entity::Column::Id)
                .filter(developers::entity::Column::Name.eq(name.as_str()));
            let own = applications::entity::Entity::find()
                .select_only()
                .column(applications::entity::Column::Id)
                .filter(applications::entity::Column::DeveloperId.in_subquery(named.into_query()));
            select = select.filter(Column::ApplicationId.in_subquery(own.into_query()));
        }
        if let Some(application) = &filter.application_id {
            select = select.filter(Column::ApplicationId.eq(application.as_str()));
        }
        let backend = rows::backend(&self.connection());
        select = dialect::readable(backend, select, Column::ProductId, &filter.readable);
        if let Some(statuses) = &filter.statuses {
            select = select.filter(Column::Status.is_in(statuses.iter().map(|status| status.name())));
        }
        if let Some(search) = &filter.search {
            select = select.filter(self.name_search(search, filter.search_developer));
        }
        select
    }

    fn name_search(&self, search: &str, developer: bool) -> Condition {
        let backend = rows::backend(&self.connection());
        // A name is the first line of its row's search text; what follows it is not searched here.
        let first_line =
            |column: SimpleExpr| dialect::first_line_contains(backend, column, &dialect::fold(search));
        let mut any = Condition::any()
            .add(first_line(Expr::col(applications::entity::Column::SearchText.as_column_ref())))
            .add(first_line(Expr::col(products::entity::Column::SearchText.as_column_ref())));
        if developer {
            any = any.add(dialect::contains(
                backend,
                developers::entity::Column::SearchText,
                &dialect::fold(search),
            ));
        }
        any
    }
}

impl Tx {
    /// Adds a subscription.
    pub async fn insert_subscription(&self, subscription: &Subscription) -> Result<(), StoreError> {
        entity::Entity::insert(row(subscription)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed subscription.
    pub async fn save_subscription(&self, subscription: &Subscription) -> Result<(), StoreError> {
        entity::Entity::update(row(subscription)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a subscription.
    pub async fn delete_subscription(&self, id: &SubscriptionId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

/// That a subscription is one of this developer's applications. Asked like this, and not by a join, an engine without
/// statistics goes from the developer to the few applications, and not from a product to all its subscribers.
pub(crate) fn is_of_developer(developer: &str) -> SimpleExpr {
    let own = applications::entity::Entity::find()
        .select_only()
        .column(applications::entity::Column::Id)
        .filter(applications::entity::Column::DeveloperId.eq(developer));
    entity::Column::ApplicationId.in_subquery(own.into_query())
}

fn joined() -> Select<entity::Entity> {
    entity::Entity::find()
        .join(JoinType::InnerJoin, application_of_subscription())
        .join(JoinType::InnerJoin, developer_of_application())
        .join(JoinType::InnerJoin, product_of_subscription())
        .join(JoinType::LeftJoin, plan_of_subscription())
        .column_as(plans::entity::Column::Name, "plan_name")
        .column_as(applications::entity::Column::Name, "application_name")
        .column_as(products::entity::Column::Name, "product_name")
        .column_as(applications::entity::Column::DeveloperId, "developer_id")
        .column_as(developers::entity::Column::Name, "developer_public_id")
        .column_as(developers::entity::Column::DisplayName, "developer_name")
}

fn sort_key(by: SubscriptionOrder) -> SimpleExpr {
    let column = |column: entity::Column| Expr::col(column.as_column_ref());
    match by {
        SubscriptionOrder::SubscribedAt => {
            Func::coalesce([column(entity::Column::SubscribedAt), column(entity::Column::CreatedAt)]).into()
        }
        SubscriptionOrder::DeveloperName => {
            Expr::col(developers::entity::Column::DisplayName.as_column_ref())
        }
    }
}

fn row(subscription: &Subscription) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(subscription.id.to_string()),
        portal_id: Set(subscription.portal_id.to_string()),
        application_id: Set(subscription.application_id.to_string()),
        product_id: Set(subscription.product_id.to_string()),
        status: Set(subscription.status.name().to_owned()),
        subscribed_at: Set(subscription.subscribed_at.map(Timestamp::micros)),
        created_at: Set(subscription.created_at.micros()),
        plan_id: Set(subscription.plan_id.as_ref().map(ToString::to_string)),
    }
}

fn subscription(row: entity::Model) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        id: SubscriptionId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        application_id: ApplicationId::known(row.application_id),
        product_id: ProductId::known(row.product_id),
        plan_id: row.plan_id.map(PlanId::known),
        status: rows::known("subscription status", SubscriptionStatus::from_name(&row.status))?,
        subscribed_at: row.subscribed_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
    })
}

fn detail(row: Detail) -> Result<SubscriptionDetail, StoreError> {
    Ok(SubscriptionDetail {
        subscription: subscription(entity::Model {
            id: row.id,
            portal_id: row.portal_id,
            application_id: row.application_id,
            product_id: row.product_id,
            status: row.status,
            subscribed_at: row.subscribed_at,
            created_at: row.created_at,
            plan_id: row.plan_id,
        })?,
        plan_name: row.plan_name,
        application_name: row.application_name,
        product_name: row.product_name,
        developer_id: DeveloperId::known(row.developer_id),
        developer_public_id: DeveloperName::known(row.developer_public_id),
        developer_name: row.developer_name,
    })
}
