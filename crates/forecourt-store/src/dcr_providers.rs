//! DCR providers; the values of their headers are sealed.

use forecourt_core::{
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderType},
    ids::DcrProviderId,
    lists::{List, TimeOrder},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "dcr_providers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub desc: String,
        pub search_text: String,
        pub provider_type: String,
        pub issuer: String,
        pub base_url: String,
        pub headers: String,
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

    /// The provider with exactly this name.
    pub async fn dcr_provider_by_name(&self, name: &str) -> Result<Option<DcrProvider>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Name.eq(name));
        select.one(&self.connection()).await?.map(provider).transpose()
    }

    /// The providers that `filter` wants.
    pub async fn dcr_providers(&self, filter: &DcrProviderFilter) -> Result<List<DcrProvider>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select = dialect::readable(backend, Entity::find(), Column::Id, &filter.readable);
        if let Some(search) = &filter.search {
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

impl Tx {
    /// Adds a provider.
    pub async fn insert_dcr_provider(&self, provider: &DcrProvider) -> Result<(), StoreError> {
        entity::Entity::insert(row(provider)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed provider.
    pub async fn save_dcr_provider(&self, provider: &DcrProvider) -> Result<(), StoreError> {
        entity::Entity::update(row(provider)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a provider. Its credentials must be gone.
    pub async fn delete_dcr_provider(&self, id: &DcrProviderId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(provider: &DcrProvider) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(provider.id.to_string()),
        name: Set(provider.name.clone()),
        desc: Set(provider.desc.clone()),
        search_text: Set(dialect::search_text(&[&provider.name, &provider.issuer], None)),
        provider_type: Set(provider.provider_type.name().to_owned()),
        issuer: Set(provider.issuer.clone()),
        base_url: Set(provider.base_url.clone()),
        headers: Set(rows::to_json("headers of a DCR provider", &provider.headers)?),
        created_at: Set(provider.created_at.micros()),
        updated_at: Set(provider.updated_at.micros()),
    })
}

fn provider(row: entity::Model) -> Result<DcrProvider, StoreError> {
    Ok(DcrProvider {
        id: DcrProviderId::known(row.id),
        name: row.name,
        desc: row.desc,
        provider_type: rows::known("DCR provider type", DcrProviderType::from_name(&row.provider_type))?,
        issuer: row.issuer,
        base_url: row.base_url,
        headers: rows::from_json("headers of a DCR provider", &row.headers)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
