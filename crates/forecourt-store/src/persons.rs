//! Persons: human accounts of portals' sites.

use forecourt_core::{
    administrators::StoredPassword,
    ids::{PersonId, PortalId},
    persons::Person,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "persons")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub email: Option<String>,
        pub email_verified: bool,
        pub username: Option<String>,
        pub name: String,
        pub password_hash: String,
        pub password_one_time: bool,
        pub active: bool,
        pub search_text: String,
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

    /// The portal's persons with this user name or e-mail address in any case, oldest first.
    pub async fn persons_called(&self, portal: &PortalId, called: &str) -> Result<Vec<Person>, StoreError> {
        let folded = dialect::fold(called);
        let backend = rows::backend(&self.connection());
        // The searched text holds both, folded, among others.
        let select = entity::Entity::find()
            .filter(entity::Column::PortalId.eq(portal.as_str()))
            .filter(dialect::contains(backend, entity::Column::SearchText, &folded))
            .order_by_asc(entity::Column::Id);
        let found = select.all(&self.connection()).await?.into_iter().map(person);
        let is_called = |person: &Person| {
            let names = [person.username.as_deref(), person.email.as_deref()];
            names.into_iter().flatten().any(|name| dialect::fold(name) == folded)
        };
        Ok(found.filter(is_called).collect())
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
    let username = person.username.as_deref().unwrap_or_default();
    let email = person.email.as_deref().unwrap_or_default();
    entity::ActiveModel {
        id: Set(person.id.to_string()),
        portal_id: Set(person.portal_id.to_string()),
        email: Set(person.email.clone()),
        email_verified: Set(person.email_verified),
        username: Set(person.username.clone()),
        name: Set(person.name.clone()),
        // Nothing hashes to an empty text: it stands for no password.
        password_hash: Set(person.password.as_ref().map(|own| own.hash.clone()).unwrap_or_default()),
        password_one_time: Set(person.must_change_password()),
        active: Set(person.active),
        search_text: Set(dialect::search_text(&[&person.name, username, email], None)),
        created_at: Set(person.created_at.micros()),
        updated_at: Set(person.updated_at.micros()),
    }
}

pub(crate) fn person(row: entity::Model) -> Person {
    let password = StoredPassword { hash: row.password_hash, one_time: row.password_one_time };
    Person {
        id: PersonId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        email: row.email,
        email_verified: row.email_verified,
        username: row.username,
        name: row.name,
        password: Some(password).filter(|password| !password.hash.is_empty()),
        active: row.active,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}
