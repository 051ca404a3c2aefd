//! DCR providers.

use forecourt_core::{
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderType},
    ids::DcrProviderId,
    lists::{List, TimeOrder},
    time::Timestamp,
};
use sea_orm::{EntityTrait, QueryFilter};

use crate::{Reader, StoreError, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "dcr_providers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub search_text: String,
        pub provider_type: String,
        pub issuer: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The provider with this id.
    pub async fn dcr_provider(&self, id: &DcrProviderId) -> Result<Option<DcrProvider>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(provider).transpose()
    }

    /// The providers that `filter` wants.
    pub async fn dcr_providers(&self, filter: &DcrProviderFilter) -> Result<List<DcrProvider>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(search) = &filter.search {
            let backend = rows::backend(&self.connection());
            select = select.filter(dialect::contains(backend, Column::SearchText, &dialect::fold(search)));
        }
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, provider).await
    }
}

fn provider(row: entity::Model) -> Result<DcrProvider, StoreError> {
    Ok(DcrProvider {
        id: DcrProviderId::known(row.id),
        name: row.name,
        provider_type: rows::known("DCR provider type", DcrProviderType::from_name(&row.provider_type))?,
        issuer: row.issuer,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
