//! Sessions of both sites, by the digest of their token.

use forecourt_core::{
    ids::{AdministratorId, PersonId, SignInOptionId},
    secrets::SecretDigest,
    sessions::{Session, SessionOwner},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub digest: String,
        pub administrator_id: Option<String>,
        pub person_id: Option<String>,
        pub option_id: Option<String>,
        pub address: String,
        pub user_agent: String,
        pub created_at: i64,
        pub expires_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The session whose token has this digest, ended ones included.
    pub async fn session(&self, digest: &SecretDigest) -> Result<Option<Session>, StoreError> {
        entity::Entity::find_by_id(digest.to_hex()).one(&self.connection()).await?.map(session).transpose()
    }

    /// The sessions of one owner, newest first.
    pub async fn sessions_of(&self, owner: &SessionOwner) -> Result<Vec<Session>, StoreError> {
        let select = entity::Entity::find().filter(owned_by(owner)).order_by_desc(entity::Column::CreatedAt);
        select.all(&self.connection()).await?.into_iter().map(session).collect()
    }

    /// How many sessions that were made through `option` have not ended.
    pub async fn sessions_through(&self, option: &SignInOptionId, now: Timestamp) -> Result<u64, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::OptionId.eq(option.as_str()))
            .filter(entity::Column::ExpiresAt.gt(now.micros()));
        Ok(select.count(&self.connection()).await?)
    }
}

impl Tx {
    /// Adds a session.
    pub async fn insert_session(&self, session: &Session) -> Result<(), StoreError> {
        let (administrator, person) = match &session.owner {
            SessionOwner::Administrator(id) => (Some(id.to_string()), None),
            SessionOwner::Person(id) => (None, Some(id.to_string())),
        };
        let row = entity::ActiveModel {
            digest: Set(session.digest.to_hex()),
            administrator_id: Set(administrator),
            person_id: Set(person),
            option_id: Set(session.option.as_ref().map(ToString::to_string)),
            address: Set(session.address.clone()),
            user_agent: Set(session.user_agent.clone()),
            created_at: Set(session.created_at.micros()),
            expires_at: Set(session.expires_at.micros()),
        };
        entity::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Ends one session.
    pub async fn delete_session(&self, digest: &SecretDigest) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(digest.to_hex()).exec(&self.connection()).await?;
        Ok(())
    }

    /// Ends all sessions of an owner but `kept`.
    pub async fn delete_sessions_of(
        &self,
        owner: &SessionOwner,
        kept: Option<&SecretDigest>,
    ) -> Result<(), StoreError> {
        let mut condition = owned_by(owner);
        if let Some(kept) = kept {
            condition = condition.add(entity::Column::Digest.ne(kept.to_hex()));
        }
        entity::Entity::delete_many().filter(condition).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes sessions that ended before `now`.
    pub async fn delete_ended_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let ended = entity::Entity::delete_many().filter(entity::Column::ExpiresAt.lte(now.micros()));
        Ok(ended.exec(&self.connection()).await?.rows_affected)
    }
}

fn owned_by(owner: &SessionOwner) -> Condition {
    Condition::all().add(match owner {
        SessionOwner::Administrator(id) => entity::Column::AdministratorId.eq(id.as_str()),
        SessionOwner::Person(id) => entity::Column::PersonId.eq(id.as_str()),
    })
}

fn session(row: entity::Model) -> Result<Session, StoreError> {
    let owner = match (row.administrator_id, row.person_id) {
        (Some(id), _) => Some(SessionOwner::Administrator(AdministratorId::known(id))),
        (None, Some(id)) => Some(SessionOwner::Person(PersonId::known(id))),
        (None, None) => None,
    };
    Ok(Session {
        digest: rows::known("session digest", SecretDigest::from_hex(&row.digest))?,
        owner: rows::known("session owner", owner)?,
        option: row.option_id.map(SignInOptionId::known),
        address: row.address,
        user_agent: row.user_agent,
        created_at: Timestamp::from_micros(row.created_at),
        expires_at: Timestamp::from_micros(row.expires_at),
    })
}
