//! OAuth clients that must go at their provider.

use forecourt_core::{
    dcr_providers::DcrProvider,
    dcr_removals::{DcrRemoval, DcrRemovalFilter},
    ids::{ApplicationId, DcrProviderId, DcrRemovalId},
    lists::{Direction, List},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Expr,
};

use crate::{
    Reader, StoreError, Tx, dialect,
    oauth_clients::{kept, management},
    rows,
};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "dcr_removals")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub provider_id: String,
        pub departed_provider: Option<String>,
        pub application_id: String,
        pub client_name: String,
        pub client_id: Option<String>,
        pub management_uri: Option<String>,
        pub management_token: Option<String>,
        pub registering: bool,
        pub attempts: i64,
        pub maybe_gone: bool,
        pub last_error: String,
        pub next_attempt_at: Option<i64>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const DEPARTED: &str = "departed DCR provider";

impl Reader {
    /// The removal with this id.
    pub async fn dcr_removal(&self, id: &DcrRemovalId) -> Result<Option<DcrRemoval>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(removal).transpose()
    }

    /// The removal of the client that has this id at this provider.
    pub async fn dcr_removal_of(
        &self,
        provider: &DcrProviderId,
        client_id: &str,
    ) -> Result<Option<DcrRemoval>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::ProviderId.eq(provider.as_str()))
            .filter(entity::Column::ClientId.eq(client_id));
        select.one(&self.connection()).await?.map(removal).transpose()
    }

    /// The removals that `filter` wants, the oldest first; none whose registration still runs.
    pub async fn dcr_removals(&self, filter: &DcrRemovalFilter) -> Result<List<DcrRemoval>, StoreError> {
        use entity::Column;
        let backend = rows::backend(&self.connection());
        let select = entity::Entity::find().filter(Column::Registering.eq(false));
        let mut select = dialect::readable(backend, select, Column::ProviderId, &filter.readable);
        if let Some(provider) = &filter.provider_id {
            select = select.filter(Column::ProviderId.eq(provider.as_str()));
        }
        let by = Column::CreatedAt;
        let select = rows::sorted(select, Direction::Ascending, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, removal).await
    }

    /// Up to `most` removals that are due: those that were tried least, so that a provider that is away holds up no
    /// other; of these the longest due.
    pub async fn due_dcr_removals(&self, now: Timestamp, most: u64) -> Result<Vec<DcrRemoval>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::NextAttemptAt.lte(now.micros()))
            .order_by_asc(entity::Column::Attempts)
            .order_by_asc(entity::Column::NextAttemptAt)
            .order_by_asc(entity::Column::Id)
            .limit(most);
        select.all(&self.connection()).await?.into_iter().map(removal).collect()
    }
}

impl Tx {
    /// Adds a removal.
    pub async fn insert_dcr_removal(&self, removal: &DcrRemoval) -> Result<(), StoreError> {
        entity::Entity::insert(row(removal)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed removal.
    pub async fn save_dcr_removal(&self, removal: &DcrRemoval) -> Result<(), StoreError> {
        entity::Entity::update(row(removal)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Forgets a removal.
    pub async fn delete_dcr_removal(&self, id: &DcrRemovalId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }

    /// Keeps a provider that is about to go with every removal at it.
    pub async fn keep_departed_dcr_provider(&self, provider: &DcrProvider) -> Result<(), StoreError> {
        use entity::Column;
        entity::Entity::update_many()
            .col_expr(Column::DepartedProvider, Expr::value(rows::to_json(DEPARTED, provider)?))
            .filter(Column::ProviderId.eq(provider.id.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }
}

fn row(removal: &DcrRemoval) -> Result<entity::ActiveModel, StoreError> {
    let (uri, token) = kept(removal.management.as_ref())?;
    let departed = removal.departed_provider.as_ref();
    Ok(entity::ActiveModel {
        id: Set(removal.id.to_string()),
        provider_id: Set(removal.provider_id.to_string()),
        departed_provider: Set(departed.map(|provider| rows::to_json(DEPARTED, provider)).transpose()?),
        application_id: Set(removal.application_id.to_string()),
        client_name: Set(removal.client_name.clone()),
        client_id: Set(removal.client_id.clone()),
        management_uri: Set(uri),
        management_token: Set(token),
        registering: Set(removal.registering),
        attempts: Set(removal.attempts),
        maybe_gone: Set(removal.maybe_gone),
        last_error: Set(removal.last_error.clone()),
        next_attempt_at: Set(removal.next_attempt_at.map(Timestamp::micros)),
        created_at: Set(removal.created_at.micros()),
    })
}

fn removal(row: entity::Model) -> Result<DcrRemoval, StoreError> {
    let departed = row.departed_provider.as_deref();
    Ok(DcrRemoval {
        id: DcrRemovalId::known(row.id),
        provider_id: DcrProviderId::known(row.provider_id),
        departed_provider: departed.map(|text| rows::from_json(DEPARTED, text)).transpose()?,
        application_id: ApplicationId::known(row.application_id),
        client_name: row.client_name,
        client_id: row.client_id,
        management: management(row.management_uri, row.management_token.as_deref())?,
        registering: row.registering,
        attempts: row.attempts,
        maybe_gone: row.maybe_gone,
        last_error: row.last_error,
        next_attempt_at: row.next_attempt_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
