//! Persons: human accounts of portals' sites.

use forecourt_core::{
    administrators::StoredPassword,
    ids::{PersonId, PortalId},
    persons::Person,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{Reader, StoreError, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "persons")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub email: Option<String>,
        pub username: Option<String>,
        pub name: String,
        pub password_hash: String,
        pub password_one_time: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The person with this id.
    pub async fn person(&self, id: &PersonId) -> Result<Option<Person>, StoreError> {
        Ok(entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(person))
    }

    /// The portal's person with this e-mail address, lower case.
    pub async fn person_by_email(
        &self,
        portal: &PortalId,
        email: &str,
    ) -> Result<Option<Person>, StoreError> {
        self.person_where(portal, entity::Column::Email, email).await
    }

    /// The portal's person with exactly this user name.
    pub async fn person_by_username(
        &self,
        portal: &PortalId,
        username: &str,
    ) -> Result<Option<Person>, StoreError> {
        self.person_where(portal, entity::Column::Username, username).await
    }

    async fn person_where(
        &self,
        portal: &PortalId,
        column: entity::Column,
        value: &str,
    ) -> Result<Option<Person>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::PortalId.eq(portal.as_str()))
            .filter(column.eq(value));
        Ok(select.one(&self.connection()).await?.map(person))
    }
}

impl Tx {
    /// Adds a person.
    pub async fn insert_person(&self, person: &Person) -> Result<(), StoreError> {
        entity::Entity::insert(row(person)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed person.
    pub async fn save_person(&self, person: &Person) -> Result<(), StoreError> {
        entity::Entity::update(row(person)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a person with their sessions and memberships.
    pub async fn delete_person(&self, id: &PersonId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(person: &Person) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(person.id.to_string()),
        portal_id: Set(person.portal_id.to_string()),
        email: Set(person.email.clone()),
        username: Set(person.username.clone()),
        name: Set(person.name.clone()),
        password_hash: Set(person.password.hash.clone()),
        password_one_time: Set(person.password.one_time),
        created_at: Set(person.created_at.micros()),
        updated_at: Set(person.updated_at.micros()),
    }
}

fn person(row: entity::Model) -> Person {
    Person {
        id: PersonId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        email: row.email,
        username: row.username,
        name: row.name,
        password: StoredPassword { hash: row.password_hash, one_time: row.password_one_time },
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}
