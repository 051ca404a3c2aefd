//! Gateway services and their OpenAPI documents.

use forecourt_core::{
    ids::{GatewayGroupId, ServiceId},
    lists::{List, TimeOrder},
    services::{Service, ServiceFilter},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::OnConflict};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "services")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub gateway_group_id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub stream: bool,
        pub enabled: bool,
        pub hosts: String,
        pub path_prefix: Option<String>,
        pub strip_path_prefix: bool,
        pub plugins: String,
        pub upstream: Option<String>,
        pub upstreams: String,
        pub extra: String,
        pub has_openapi: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod documents {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_documents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub service_id: String,
        pub text: String,
        pub operation_count: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The service with this id.
    pub async fn service(&self, id: &ServiceId) -> Result<Option<Service>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(service).transpose()
    }

    /// The services that `filter` wants.
    pub async fn services(&self, filter: &ServiceFilter) -> Result<List<Service>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        if let Some(group) = &filter.gateway_group_id {
            select = select.filter(Column::GatewayGroupId.eq(group.as_str()));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::Id, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, service).await
    }

    /// The OpenAPI text of a service, byte for byte as uploaded.
    pub async fn service_document(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        Ok(documents::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(|row| row.text))
    }
}

impl Tx {
    /// Adds a service.
    pub async fn insert_service(&self, service: &Service) -> Result<(), StoreError> {
        entity::Entity::insert(row(service)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed service.
    pub async fn save_service(&self, service: &Service) -> Result<(), StoreError> {
        entity::Entity::update(row(service)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a service with its routes and document.
    pub async fn delete_service(&self, id: &ServiceId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }

    /// Every service of a group, oldest first.
    pub async fn services_of_group(&self, group: &GatewayGroupId) -> Result<Vec<Service>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::GatewayGroupId.eq(group.as_str()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(service)
            .collect()
    }

    /// Stores a service's OpenAPI text and how many operations it describes; `None` removes it.
    pub async fn save_service_document(
        &self,
        id: &ServiceId,
        document: Option<(&str, u64)>,
    ) -> Result<(), StoreError> {
        let Some((text, operations)) = document else {
            documents::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
            return Ok(());
        };
        let row = documents::ActiveModel {
            service_id: Set(id.to_string()),
            text: Set(text.to_owned()),
            operation_count: Set(i64::try_from(operations).unwrap_or(i64::MAX)),
        };
        let replace = OnConflict::column(documents::Column::ServiceId)
            .update_columns([documents::Column::Text, documents::Column::OperationCount])
            .to_owned();
        documents::Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(&self.connection())
            .await?;
        Ok(())
    }
}

fn row(service: &Service) -> Result<entity::ActiveModel, StoreError> {
    let upstream =
        service.upstream.as_ref().map(|upstream| rows::to_json("service upstream", upstream)).transpose()?;
    Ok(entity::ActiveModel {
        id: Set(service.id.to_string()),
        gateway_group_id: Set(service.gateway_group_id.to_string()),
        name: Set(service.name.clone()),
        desc: Set(service.desc.clone()),
        labels: Set(rows::to_json("service labels", &service.labels)?),
        label_index: Set(dialect::label_index(&service.labels)),
        search_text: Set(dialect::search_text(&[&service.name, &service.desc], Some(&service.labels))),
        stream: Set(service.stream),
        enabled: Set(service.enabled),
        hosts: Set(rows::to_json("service hosts", &service.hosts)?),
        path_prefix: Set(service.path_prefix.clone()),
        strip_path_prefix: Set(service.strip_path_prefix),
        plugins: Set(rows::to_json("service plugins", &service.plugins)?),
        upstream: Set(upstream),
        upstreams: Set(rows::to_json("service upstreams", &service.upstreams)?),
        extra: Set(rows::to_json("service members", &service.extra)?),
        has_openapi: Set(service.has_openapi),
        created_at: Set(service.created_at.micros()),
        updated_at: Set(service.updated_at.micros()),
    })
}

pub(crate) fn service(row: entity::Model) -> Result<Service, StoreError> {
    Ok(Service {
        id: ServiceId::known(row.id),
        gateway_group_id: GatewayGroupId::known(row.gateway_group_id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("service labels", &row.labels)?,
        stream: row.stream,
        enabled: row.enabled,
        hosts: rows::from_json("service hosts", &row.hosts)?,
        path_prefix: row.path_prefix,
        strip_path_prefix: row.strip_path_prefix,
        plugins: rows::from_json("service plugins", &row.plugins)?,
        upstream: row
            .upstream
            .as_deref()
            .map(|text| rows::from_json("service upstream", text))
            .transpose()?,
        upstreams: rows::from_json("service upstreams", &row.upstreams)?,
        extra: rows::from_json("service members", &row.extra)?,
        has_openapi: row.has_openapi,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
