//! OAuth clients of credentials; the tokens that manage them are sealed.

use forecourt_core::{
    credentials::Credential,
    ids::{CredentialId, DcrProviderId},
    oauth_clients::{KeptManagement, OauthClient, PendingUpdate},
    secrets::KeptSecret,
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::{Reader, StoreError, Tx, credentials, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_clients")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub credential_id: String,
        pub provider_id: String,
        pub client_id: String,
        pub redirect_uris: String,
        pub secret_expires_at: i64,
        pub management_uri: Option<String>,
        pub management_token: Option<String>,
        pub held_until: Option<i64>,
        pub update_at: Option<i64>,
        pub update_attempts: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The client of a credential.
    pub async fn oauth_client(&self, credential: &CredentialId) -> Result<Option<OauthClient>, StoreError> {
        let found = entity::Entity::find_by_id(credential.as_str()).one(&self.connection()).await?;
        found.map(client).transpose()
    }

    /// The clients of these credentials, in no order.
    pub async fn oauth_clients(&self, credentials: &[CredentialId]) -> Result<Vec<OauthClient>, StoreError> {
        let mut found = Vec::new();
        // Within what either engine takes as arguments of one statement.
        for some in credentials.chunks(500) {
            let ids = some.iter().map(CredentialId::as_str);
            let select = entity::Entity::find().filter(entity::Column::CredentialId.is_in(ids));
            found.extend(select.all(&self.connection()).await?);
        }
        found.into_iter().map(client).collect()
    }

    /// The client that has this id at this provider.
    pub async fn oauth_client_by_id(
        &self,
        provider: &DcrProviderId,
        client_id: &str,
    ) -> Result<Option<OauthClient>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::ProviderId.eq(provider.as_str()))
            .filter(entity::Column::ClientId.eq(client_id));
        select.one(&self.connection()).await?.map(client).transpose()
    }

    /// Up to `most` clients that nobody holds and whose providers are to be told of them: those that were told least
    /// often in vain, of these the longest due.
    pub async fn due_oauth_clients(&self, now: Timestamp, most: u64) -> Result<Vec<OauthClient>, StoreError> {
        use entity::Column;
        let free = Condition::any().add(Column::HeldUntil.is_null()).add(Column::HeldUntil.lte(now.micros()));
        let select = entity::Entity::find()
            .filter(Column::UpdateAt.lte(now.micros()))
            .filter(free)
            .order_by_asc(Column::UpdateAttempts)
            .order_by_asc(Column::UpdateAt)
            .order_by_asc(Column::CredentialId)
            .limit(most);
        select.all(&self.connection()).await?.into_iter().map(client).collect()
    }

    /// Every credential whose client is at this provider, oldest first.
    pub async fn credentials_at(&self, provider: &DcrProviderId) -> Result<Vec<Credential>, StoreError> {
        let here = entity::Entity::find()
            .select_only()
            .column(entity::Column::CredentialId)
            .filter(entity::Column::ProviderId.eq(provider.as_str()));
        let select = credentials::entity::Entity::find()
            .filter(credentials::entity::Column::Id.in_subquery(here.into_query()))
            .order_by_asc(credentials::entity::Column::Id);
        select.all(&self.connection()).await?.into_iter().map(credentials::credential).collect()
    }

    /// How many credentials have their client at this provider.
    pub async fn credential_count_at(&self, provider: &DcrProviderId) -> Result<u64, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::ProviderId.eq(provider.as_str()));
        Ok(select.count(&self.connection()).await?)
    }
}

impl Tx {
    /// Adds the client of a credential.
    pub async fn insert_oauth_client(&self, client: &OauthClient) -> Result<(), StoreError> {
        entity::Entity::insert(row(client)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed client.
    pub async fn save_oauth_client(&self, client: &OauthClient) -> Result<(), StoreError> {
        entity::Entity::update(row(client)?).exec(&self.connection()).await?;
        Ok(())
    }
}

/// The two columns of a management.
pub(crate) fn kept(
    management: Option<&KeptManagement>,
) -> Result<(Option<String>, Option<String>), StoreError> {
    let Some(KeptManagement { uri, token }) = management else { return Ok((None, None)) };
    Ok((Some(uri.clone()), Some(rows::to_json("token of an OAuth client", token)?)))
}

/// The management in its two columns.
pub(crate) fn management(
    uri: Option<String>,
    token: Option<&str>,
) -> Result<Option<KeptManagement>, StoreError> {
    let (Some(uri), Some(token)) = (uri, token) else { return Ok(None) };
    let token: KeptSecret = rows::from_json("token of an OAuth client", token)?;
    Ok(Some(KeptManagement { uri, token }))
}

fn row(client: &OauthClient) -> Result<entity::ActiveModel, StoreError> {
    let (uri, token) = kept(client.management.as_ref())?;
    Ok(entity::ActiveModel {
        credential_id: Set(client.credential_id.to_string()),
        provider_id: Set(client.provider_id.to_string()),
        client_id: Set(client.client_id.clone()),
        redirect_uris: Set(rows::to_json("redirect URIs", &client.redirect_uris)?),
        secret_expires_at: Set(client.secret_expires_at),
        management_uri: Set(uri),
        management_token: Set(token),
        held_until: Set(client.held_until.map(Timestamp::micros)),
        update_at: Set(client.pending_update.map(|pending| pending.next_attempt_at.micros())),
        update_attempts: Set(client.pending_update.map_or(0, |pending| pending.attempts)),
    })
}

fn client(row: entity::Model) -> Result<OauthClient, StoreError> {
    Ok(OauthClient {
        credential_id: CredentialId::known(row.credential_id),
        provider_id: DcrProviderId::known(row.provider_id),
        client_id: row.client_id,
        redirect_uris: rows::from_json("redirect URIs", &row.redirect_uris)?,
        secret_expires_at: row.secret_expires_at,
        management: management(row.management_uri, row.management_token.as_deref())?,
        held_until: row.held_until.map(Timestamp::from_micros),
        pending_update: row.update_at.map(|at| PendingUpdate {
            attempts: row.update_attempts,
            next_attempt_at: Timestamp::from_micros(at),
        }),
    })
}
