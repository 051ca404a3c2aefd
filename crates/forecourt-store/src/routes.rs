//! Gateway routes.

use forecourt_core::{
    ids::{GatewayGroupId, RouteId, ServiceId},
    lists::{List, TimeOrder},
    routes::{Route, RouteFilter},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "routes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub service_id: String,
        pub gateway_group_id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub paths: String,
        pub methods: String,
        pub priority: i64,
        pub vars: String,
        pub plugins: String,
        pub upstream_id: Option<String>,
        pub timeout: Option<String>,
        pub enable_websocket: Option<bool>,
        pub extra: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The route with this id.
    pub async fn route(&self, id: &RouteId) -> Result<Option<Route>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(route).transpose()
    }

    /// Every route of a service, oldest first.
    pub async fn routes_of_service(&self, service: &ServiceId) -> Result<Vec<Route>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::ServiceId.eq(service.as_str()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(route)
            .collect()
    }

    /// The routes that `filter` wants.
    pub async fn routes(&self, filter: &RouteFilter) -> Result<List<Route>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        if let Some(group) = &filter.gateway_group_id {
            select = select.filter(Column::GatewayGroupId.eq(group.as_str()));
        }
        if let Some(service) = &filter.service_id {
            select = select.filter(Column::ServiceId.eq(service.as_str()));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::ServiceId, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, route).await
    }
}

impl Tx {
    /// Adds a route.
    pub async fn insert_route(&self, route: &Route) -> Result<(), StoreError> {
        entity::Entity::insert(row(route)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed route.
    pub async fn save_route(&self, route: &Route) -> Result<(), StoreError> {
        entity::Entity::update(row(route)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a route.
    pub async fn delete_route(&self, id: &RouteId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(route: &Route) -> Result<entity::ActiveModel, StoreError> {
    let timeout =
        route.timeout.as_ref().map(|timeout| rows::to_json("route timeout", timeout)).transpose()?;
    Ok(entity::ActiveModel {
        id: Set(route.id.to_string()),
        service_id: Set(route.service_id.to_string()),
        gateway_group_id: Set(route.gateway_group_id.to_string()),
        name: Set(route.name.clone()),
        desc: Set(route.desc.clone()),
        labels: Set(rows::to_json("route labels", &route.labels)?),
        label_index: Set(dialect::label_index(&route.labels)),
        search_text: Set(dialect::search_text(&[&route.name, &route.desc], Some(&route.labels))),
        paths: Set(rows::to_json("route paths", &route.paths)?),
        methods: Set(rows::to_json("route methods", &route.methods)?),
        priority: Set(route.priority),
        vars: Set(rows::to_json("route vars", &route.vars)?),
        plugins: Set(rows::to_json("route plugins", &route.plugins)?),
        upstream_id: Set(route.upstream_id.clone()),
        timeout: Set(timeout),
        enable_websocket: Set(route.enable_websocket),
        extra: Set(rows::to_json("route members", &route.extra)?),
        created_at: Set(route.created_at.micros()),
        updated_at: Set(route.updated_at.micros()),
    })
}

fn route(row: entity::Model) -> Result<Route, StoreError> {
    Ok(Route {
        id: RouteId::known(row.id),
        service_id: ServiceId::known(row.service_id),
        gateway_group_id: GatewayGroupId::known(row.gateway_group_id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("route labels", &row.labels)?,
        paths: rows::from_json("route paths", &row.paths)?,
        methods: rows::from_json("route methods", &row.methods)?,
        priority: row.priority,
        vars: rows::from_json("route vars", &row.vars)?,
        plugins: rows::from_json("route plugins", &row.plugins)?,
        upstream_id: row.upstream_id,
        timeout: row.timeout.as_deref().map(|text| rows::from_json("route timeout", text)).transpose()?,
        enable_websocket: row.enable_websocket,
        extra: rows::from_json("route members", &row.extra)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
