//! Links in mails with which persons prove their address, or choose a new password.

use forecourt_core::{
    ids::PersonId,
    person_links::{LinkPurpose, PersonLink},
    secrets::SecretDigest,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "person_links")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub digest: String,
        pub person_id: String,
        pub purpose: String,
        pub address: String,
        pub expires_at: i64,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The link whose token has this digest.
    pub async fn person_link(&self, digest: &SecretDigest) -> Result<Option<PersonLink>, StoreError> {
        let found = entity::Entity::find_by_id(digest.to_hex()).one(&self.connection()).await?;
        found.map(link).transpose()
    }

    /// The links that a person has for this purpose, newest first.
    pub async fn person_links_for(
        &self,
        person: &PersonId,
        purpose: LinkPurpose,
    ) -> Result<Vec<PersonLink>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::PersonId.eq(person.as_str()))
            .filter(entity::Column::Purpose.eq(purpose.name()))
            .order_by_desc(entity::Column::CreatedAt)
            .order_by_asc(entity::Column::Digest);
        select.all(&self.connection()).await?.into_iter().map(link).collect()
    }
}

impl Tx {
    /// Adds a link.
    pub async fn insert_person_link(&self, link: &PersonLink) -> Result<(), StoreError> {
        let row = entity::ActiveModel {
            digest: Set(link.digest.to_hex()),
            person_id: Set(link.person_id.to_string()),
            purpose: Set(link.purpose.name().to_owned()),
            address: Set(link.address.clone()),
            expires_at: Set(link.expires_at.micros()),
            created_at: Set(link.created_at.micros()),
        };
        entity::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Removes a link.
    pub async fn delete_person_link(&self, digest: &SecretDigest) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(digest.to_hex()).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes the links that a person has for this purpose.
    pub async fn delete_person_links(
        &self,
        person: &PersonId,
        purpose: LinkPurpose,
    ) -> Result<(), StoreError> {
        let gone = entity::Entity::delete_many()
            .filter(entity::Column::PersonId.eq(person.as_str()))
            .filter(entity::Column::Purpose.eq(purpose.name()));
        gone.exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes the links that are too old at `now`.
    pub async fn delete_old_person_links(&self, now: Timestamp) -> Result<(), StoreError> {
        let gone = entity::Entity::delete_many().filter(entity::Column::ExpiresAt.lte(now.micros()));
        gone.exec(&self.connection()).await?;
        Ok(())
    }
}

fn link(row: entity::Model) -> Result<PersonLink, StoreError> {
    Ok(PersonLink {
        digest: rows::known("digest of a person's link", SecretDigest::from_hex(&row.digest))?,
        person_id: PersonId::known(row.person_id),
        purpose: rows::known("purpose of a person's link", LinkPurpose::from_name(&row.purpose))?,
        address: row.address,
        expires_at: Timestamp::from_micros(row.expires_at),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
