//! Consumers, and what tells gateways whose credential is shown.
//!
//! Invariant: [`identities`] holds one row for each way of a consumer or of its credentials to prove itself, written
//! with it, so that two places of one group never hold the same one.

use forecourt_core::{
    consumers::{
        Consumer, ConsumerFilter,
        auth::{ConsumerAuth, Identity},
    },
    gateway_state::group_key,
    ids::GatewayGroupId,
    lists::{List, TimeOrder},
    secrets::SecretDigest,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "consumers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub gateway_group_id: String,
        pub username: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub plugins: String,
        pub extra: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod identities {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "consumer_identities")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer_key: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub credential: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub plugin: String,
        pub gateway_group_id: String,
        pub digest: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The consumer of this group with this user name.
    pub async fn consumer(
        &self,
        group: &GatewayGroupId,
        username: &str,
    ) -> Result<Option<Consumer>, StoreError> {
        let select = entity::Entity::find_by_id(group_key(group, username));
        select.one(&self.connection()).await?.map(consumer).transpose()
    }

    /// The groups that have a consumer with this user name, ascending.
    pub async fn groups_of_consumer(&self, username: &str) -> Result<Vec<GatewayGroupId>, StoreError> {
        use entity::Column;
        let select = entity::Entity::find().select_only().column(Column::GatewayGroupId);
        let select = select.filter(Column::Username.eq(username)).order_by_asc(Column::GatewayGroupId);
        let groups: Vec<String> = select.into_tuple().all(&self.connection()).await?;
        Ok(groups.into_iter().map(GatewayGroupId::known).collect())
    }

    /// The consumers that `filter` wants.
    pub async fn consumers(&self, filter: &ConsumerFilter) -> Result<List<Consumer>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        if let Some(group) = &filter.gateway_group_id {
            select = select.filter(Column::GatewayGroupId.eq(group.as_str()));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::Key, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Key);
        rows::page(self.connection(), select, filter.paging, consumer).await
    }

    /// The user names of every consumer of a group, ascending.
    pub async fn consumers_of_group(&self, group: &GatewayGroupId) -> Result<Vec<String>, StoreError> {
        let select = entity::Entity::find().select_only().column(entity::Column::Username);
        let select = select.filter(entity::Column::GatewayGroupId.eq(group.as_str()));
        Ok(select.order_by_asc(entity::Column::Key).into_tuple().all(&self.connection()).await?)
    }

    /// Whose this identity is within the group: user name, and the credential's id (empty: the consumer itself).
    pub async fn consumer_identity(
        &self,
        group: &GatewayGroupId,
        identity: &Identity,
    ) -> Result<Option<(String, String)>, StoreError> {
        use identities::Column;
        let select = identities::Entity::find()
            .filter(Column::GatewayGroupId.eq(group.as_str()))
            .filter(Column::Plugin.eq(identity.plugin))
            .filter(Column::Digest.eq(digest(identity)));
        let row = select.one(&self.connection()).await?;
        Ok(row.map(|row| {
            let username = row.consumer_key.rsplit_once('/').map(|(_, username)| username.to_owned());
            (username.unwrap_or_default(), row.credential)
        }))
    }
}

impl Tx {
    /// Adds a consumer.
    pub async fn insert_consumer(&self, consumer: &Consumer) -> Result<(), StoreError> {
        entity::Entity::insert(row(consumer)?).exec_without_returning(&self.connection()).await?;
        self.save_identities_of(consumer).await
    }

    /// Stores a changed consumer; its credentials stay.
    pub async fn save_consumer(&self, consumer: &Consumer) -> Result<(), StoreError> {
        entity::Entity::update(row(consumer)?).exec(&self.connection()).await?;
        self.save_identities_of(consumer).await
    }

    /// Removes a consumer with its credentials.
    pub async fn delete_consumer(&self, group: &GatewayGroupId, username: &str) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(group_key(group, username)).exec(&self.connection()).await?;
        Ok(())
    }

    async fn save_identities_of(&self, consumer: &Consumer) -> Result<(), StoreError> {
        let auth: Vec<_> = consumer.plugins.auth.iter().collect();
        self.save_identities(&consumer.gateway_group_id, &consumer.username, "", &auth).await
    }

    /// Replaces the identities of one place: a credential, or with an empty `credential` the consumer itself.
    pub(crate) async fn save_identities(
        &self,
        group: &GatewayGroupId,
        username: &str,
        credential: &str,
        auth: &[&ConsumerAuth],
    ) -> Result<(), StoreError> {
        use identities::Column;
        let key = group_key(group, username);
        identities::Entity::delete_many()
            .filter(Column::ConsumerKey.eq(key.as_str()))
            .filter(Column::Credential.eq(credential))
            .exec(&self.connection())
            .await?;
        for identity in auth.iter().map(|auth| auth.identity()) {
            let row = identities::ActiveModel {
                consumer_key: Set(key.clone()),
                credential: Set(credential.to_owned()),
                plugin: Set(identity.plugin.to_owned()),
                gateway_group_id: Set(group.to_string()),
                digest: Set(digest(&identity)),
            };
            identities::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        }
        Ok(())
    }
}

/// Of one length however long the name is: what an index can take.
fn digest(identity: &Identity) -> String {
    SecretDigest::of(identity.value.as_bytes()).to_hex()
}

fn row(consumer: &Consumer) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        key: Set(group_key(&consumer.gateway_group_id, &consumer.username)),
        gateway_group_id: Set(consumer.gateway_group_id.to_string()),
        username: Set(consumer.username.clone()),
        desc: Set(consumer.desc.clone()),
        labels: Set(rows::to_json("consumer labels", &consumer.labels)?),
        label_index: Set(dialect::label_index(&consumer.labels)),
        search_text: Set(dialect::search_text(&[&consumer.username, &consumer.desc], Some(&consumer.labels))),
        plugins: Set(rows::to_json("consumer plugins", &consumer.plugins)?),
        extra: Set(rows::to_json("consumer members", &consumer.extra)?),
        created_at: Set(consumer.created_at.micros()),
        updated_at: Set(consumer.updated_at.micros()),
    })
}

fn consumer(row: entity::Model) -> Result<Consumer, StoreError> {
    Ok(Consumer {
        gateway_group_id: GatewayGroupId::known(row.gateway_group_id),
        username: row.username,
        desc: row.desc,
        labels: rows::from_json("consumer labels", &row.labels)?,
        plugins: rows::from_json("consumer plugins", &row.plugins)?,
        extra: rows::from_json("consumer members", &row.extra)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
