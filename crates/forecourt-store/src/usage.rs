//! Counted calls per hour. A batch of a node is added once, however often it arrives.

use forecourt_core::{
    ids::{ApplicationId, CredentialId, DeveloperId, NodeId, PortalId, ProductId},
    time::Timestamp,
    usage::{ProductHour, UsageFilter},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QuerySelect,
    prelude::Expr, sea_query::OnConflict,
};

use crate::{Reader, StoreError, Tx};

mod hours {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_hours")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub product_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub application_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub credential_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub hour: i64,
        pub portal_id: String,
        pub developer_id: String,
        pub product_name: String,
        pub calls: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod batches {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_batches")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub node: String,
        pub last_number: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Calls of one credential to one product within one UTC hour, with what must outlive its owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedCalls {
    /// The product.
    pub product_id: ProductId,
    /// Its name now.
    pub product_name: String,
    /// The application.
    pub application_id: ApplicationId,
    /// The credential.
    pub credential_id: CredentialId,
    /// The portal of all three.
    pub portal_id: PortalId,
    /// The application's developer.
    pub developer_id: DeveloperId,
    /// The start of the hour.
    pub hour: Timestamp,
    /// How many.
    pub calls: u64,
}

#[derive(Debug, FromQueryResult)]
struct HourRow {
    product_id: String,
    product_name: String,
    hour: i64,
    calls: i64,
}

impl Reader {
    /// Calls per product and hour, ascending by hour, then product name.
    pub async fn product_hours(&self, filter: &UsageFilter) -> Result<Vec<ProductHour>, StoreError> {
        use hours::Column;
        let mut select = hours::Entity::find()
            .select_only()
            .columns([Column::ProductId, Column::Hour])
            .column_as(Column::ProductName.max(), "product_name")
            .column_as(Expr::col(Column::Calls).sum().cast_as("BIGINT"), "calls")
            .filter(Column::Hour.gte(filter.start.hour().micros()))
            .filter(Column::Hour.lte(filter.end.micros()))
            .group_by(Column::ProductId)
            .group_by(Column::Hour);
        if let Some(portal) = &filter.portal_id {
            select = select.filter(Column::PortalId.eq(portal.as_str()));
        }
        if let Some(developer) = &filter.developer_id {
            select = select.filter(Column::DeveloperId.eq(developer.as_str()));
        }
        if !filter.applications.is_empty() {
            select = select
                .filter(Column::ApplicationId.is_in(filter.applications.iter().map(ApplicationId::as_str)));
        }
        if !filter.products.is_empty() {
            select = select.filter(Column::ProductId.is_in(filter.products.iter().map(ProductId::as_str)));
        }
        if !filter.credentials.is_empty() {
            select = select
                .filter(Column::CredentialId.is_in(filter.credentials.iter().map(CredentialId::as_str)));
        }
        let rows = select.into_model::<HourRow>().all(&self.connection()).await?;
        let mut hours: Vec<_> = rows.into_iter().map(product_hour).collect();
        hours.sort_by(|a, b| {
            (a.hour, &a.product_name, &a.product_id).cmp(&(b.hour, &b.product_name, &b.product_id))
        });
        Ok(hours)
    }

    /// The number of the node's last batch that was added; 0 before the first.
    pub async fn last_usage_batch(&self, node: &NodeId) -> Result<i64, StoreError> {
        Ok(batches::Entity::find_by_id(node.as_str())
            .one(&self.connection())
            .await?
            .map_or(0, |row| row.last_number))
    }
}

impl Tx {
    /// Notes that the node's batch `number` is added.
    pub async fn save_usage_batch(&self, node: &NodeId, number: i64) -> Result<(), StoreError> {
        let row = batches::ActiveModel { node: Set(node.to_string()), last_number: Set(number) };
        let replace =
            OnConflict::column(batches::Column::Node).update_column(batches::Column::LastNumber).to_owned();
        batches::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Adds calls to their hour.
    pub async fn add_calls(&self, counted: &CountedCalls) -> Result<(), StoreError> {
        use hours::Column;
        let calls = i64::try_from(counted.calls).unwrap_or(i64::MAX);
        let row = hours::ActiveModel {
            product_id: Set(counted.product_id.to_string()),
            application_id: Set(counted.application_id.to_string()),
            credential_id: Set(counted.credential_id.to_string()),
            hour: Set(counted.hour.micros()),
            portal_id: Set(counted.portal_id.to_string()),
            developer_id: Set(counted.developer_id.to_string()),
            product_name: Set(counted.product_name.clone()),
            calls: Set(calls),
        };
        let add = OnConflict::columns([
            Column::ProductId,
            Column::ApplicationId,
            Column::CredentialId,
            Column::Hour,
        ])
        .value(Column::Calls, Expr::col((hours::Entity, Column::Calls)).add(calls))
        .to_owned();
        hours::Entity::insert(row).on_conflict(add).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Gives counted calls of a product its new name.
    pub async fn rename_product_in_usage(&self, product: &ProductId, name: &str) -> Result<(), StoreError> {
        hours::Entity::update_many()
            .col_expr(hours::Column::ProductName, Expr::value(name))
            .filter(hours::Column::ProductId.eq(product.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }
}

fn product_hour(row: HourRow) -> ProductHour {
    ProductHour {
        product_id: ProductId::known(row.product_id),
        product_name: row.product_name,
        hour: Timestamp::from_micros(row.hour),
        calls: u64::try_from(row.calls).unwrap_or(0),
    }
}
