//! Credentials of consumers.

use forecourt_core::{
    consumer_credentials::{ConsumerCredential, ConsumerCredentialFilter},
    consumers::auth::ConsumerAuth,
    gateway_state::group_key,
    ids::{ConsumerCredentialId, GatewayGroupId},
    lists::{List, TimeOrder},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{Reader, StoreError, Tx, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "consumer_credentials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer_key: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub auth: String,
        pub extra: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The credential of a consumer with this id.
    pub async fn consumer_credential(
        &self,
        group: &GatewayGroupId,
        username: &str,
        id: &ConsumerCredentialId,
    ) -> Result<Option<ConsumerCredential>, StoreError> {
        let select = entity::Entity::find_by_id((group_key(group, username), id.to_string()));
        let row = select.one(&self.connection()).await?;
        row.map(|row| credential(group, username, row)).transpose()
    }

    /// The credentials of a consumer that `filter` wants.
    pub async fn consumer_credentials(
        &self,
        group: &GatewayGroupId,
        username: &str,
        filter: &ConsumerCredentialFilter,
    ) -> Result<List<ConsumerCredential>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let select = Entity::find().filter(Column::ConsumerKey.eq(group_key(group, username)));
        let select = dialect::matching(backend, select, &filter.text, Column::SearchText, Column::LabelIndex);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, |row| credential(group, username, row)).await
    }

    /// What each credential of a consumer asks for, oldest first: all that a gateway needs of them.
    pub async fn consumer_credential_auths(
        &self,
        group: &GatewayGroupId,
        username: &str,
    ) -> Result<Vec<(ConsumerCredentialId, ConsumerAuth)>, StoreError> {
        use entity::{Column, Entity};
        let select = Entity::find().select_only().column(Column::Id).column(Column::Auth);
        let select = select.filter(Column::ConsumerKey.eq(group_key(group, username)));
        let select = select.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
        let found: Vec<(String, String)> = select.into_tuple().all(&self.connection()).await?;
        let read = |(id, auth): (String, String)| {
            Ok((ConsumerCredentialId::known(id), rows::from_json("consumer credential", &auth)?))
        };
        found.into_iter().map(read).collect()
    }
}

impl Tx {
    /// Adds a credential of a consumer.
    pub async fn insert_consumer_credential(
        &self,
        credential: &ConsumerCredential,
    ) -> Result<(), StoreError> {
        entity::Entity::insert(row(credential)?).exec_without_returning(&self.connection()).await?;
        self.save_identity_of(credential).await
    }

    /// Stores a changed credential of a consumer.
    pub async fn save_consumer_credential(&self, credential: &ConsumerCredential) -> Result<(), StoreError> {
        entity::Entity::update(row(credential)?).exec(&self.connection()).await?;
        self.save_identity_of(credential).await
    }

    /// Removes a credential of a consumer.
    pub async fn delete_consumer_credential(
        &self,
        group: &GatewayGroupId,
        username: &str,
        id: &ConsumerCredentialId,
    ) -> Result<(), StoreError> {
        let key = (group_key(group, username), id.to_string());
        entity::Entity::delete_by_id(key).exec(&self.connection()).await?;
        self.save_identities(group, username, id.as_str(), &[]).await
    }

    async fn save_identity_of(&self, credential: &ConsumerCredential) -> Result<(), StoreError> {
        let ConsumerCredential { gateway_group_id, username, id, auth, .. } = credential;
        self.save_identities(gateway_group_id, username, id.as_str(), &[auth]).await
    }
}

fn row(credential: &ConsumerCredential) -> Result<entity::ActiveModel, StoreError> {
    let searched = [credential.name.as_str(), credential.desc.as_str()];
    Ok(entity::ActiveModel {
        consumer_key: Set(group_key(&credential.gateway_group_id, &credential.username)),
        id: Set(credential.id.to_string()),
        name: Set(credential.name.clone()),
        desc: Set(credential.desc.clone()),
        labels: Set(rows::to_json("consumer credential labels", &credential.labels)?),
        label_index: Set(dialect::label_index(&credential.labels)),
        search_text: Set(dialect::search_text(&searched, Some(&credential.labels))),
        auth: Set(rows::to_json("consumer credential", &credential.auth)?),
        extra: Set(rows::to_json("consumer credential members", &credential.extra)?),
        created_at: Set(credential.created_at.micros()),
        updated_at: Set(credential.updated_at.micros()),
    })
}

fn credential(
    group: &GatewayGroupId,
    username: &str,
    row: entity::Model,
) -> Result<ConsumerCredential, StoreError> {
    Ok(ConsumerCredential {
        id: ConsumerCredentialId::known(row.id),
        gateway_group_id: group.clone(),
        username: username.to_owned(),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("consumer credential labels", &row.labels)?,
        auth: rows::from_json("consumer credential", &row.auth)?,
        extra: rows::from_json("consumer credential members", &row.extra)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
