//! Plans of products. They are loaded with their product, see `products.rs`.

use forecourt_core::{
    ids::{PlanId, ProductId},
    plans::Plan,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use crate::{Reader, StoreError, Tx, rows, subscriptions};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "plans")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub product_id: String,
        pub name: String,
        pub desc: String,
        pub limits: String,
        pub is_default: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The plan with this id.
    pub async fn plan(&self, id: &PlanId) -> Result<Option<Plan>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(plan).transpose()
    }

    /// How many subscriptions, waiting ones included, have this plan.
    pub async fn subscription_count_of_plan(&self, id: &PlanId) -> Result<u64, StoreError> {
        let column = subscriptions::entity::Column::PlanId;
        let select = subscriptions::entity::Entity::find().filter(column.eq(id.as_str()));
        Ok(select.count(&self.connection()).await?)
    }

    /// Every plan, or one product's: by product, the oldest first.
    pub async fn plans(&self, product: Option<&ProductId>) -> Result<Vec<Plan>, StoreError> {
        let mut select = entity::Entity::find();
        if let Some(product) = product {
            select = select.filter(entity::Column::ProductId.eq(product.as_str()));
        }
        let sorted = select
            .order_by_asc(entity::Column::ProductId)
            .order_by_asc(entity::Column::CreatedAt)
            .order_by_asc(entity::Column::Id);
        sorted.all(&self.connection()).await?.into_iter().map(plan).collect()
    }

    /// The plans of these products, of each the oldest first.
    pub(crate) async fn plans_of(&self, products: Vec<String>) -> Result<Vec<Plan>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::ProductId.is_in(products));
        let sorted = select.order_by_asc(entity::Column::CreatedAt).order_by_asc(entity::Column::Id);
        sorted.all(&self.connection()).await?.into_iter().map(plan).collect()
    }
}

impl Tx {
    /// Adds a plan.
    pub async fn insert_plan(&self, plan: &Plan) -> Result<(), StoreError> {
        entity::Entity::insert(row(plan)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed plan.
    pub async fn save_plan(&self, plan: &Plan) -> Result<(), StoreError> {
        entity::Entity::update(row(plan)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a plan that no subscription has.
    pub async fn delete_plan(&self, id: &PlanId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(plan: &Plan) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(plan.id.to_string()),
        product_id: Set(plan.product_id.to_string()),
        name: Set(plan.name.clone()),
        desc: Set(plan.desc.clone()),
        limits: Set(rows::to_json("plan limits", &plan.limits)?),
        is_default: Set(plan.is_default),
        created_at: Set(plan.created_at.micros()),
        updated_at: Set(plan.updated_at.micros()),
    })
}

fn plan(row: entity::Model) -> Result<Plan, StoreError> {
    Ok(Plan {
        id: PlanId::known(row.id),
        product_id: ProductId::known(row.product_id),
        name: row.name,
        desc: row.desc,
        limits: rows::from_json("plan limits", &row.limits)?,
        is_default: row.is_default,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
