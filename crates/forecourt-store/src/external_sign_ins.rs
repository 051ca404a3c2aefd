//! Sign-ins that wait for somebody to come back from a provider.
//!
//! Invariant: a row is taken once: it is deleted in the transaction that reads it, and writers take turns. Whoever begins
//! many makes others forgotten that were begun, and never somebody who was proven.

use forecourt_core::{
    external_sign_ins::PendingSignIn, ids::SignInOptionId, secrets::SecretDigest, time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pending_sign_ins")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub state_digest: String,
        pub option_id: String,
        pub browser_digest: String,
        pub memo: String,
        pub next: String,
        pub expires_at: i64,
        pub held: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const MEMO: &str = "memo of a pending sign-in";

impl Reader {
    /// The sign-in with this state, expired or not.
    pub async fn pending_sign_in(&self, state: &SecretDigest) -> Result<Option<PendingSignIn>, StoreError> {
        entity::Entity::find_by_id(state.to_hex()).one(&self.connection()).await?.map(pending).transpose()
    }
}

impl Tx {
    /// Adds a sign-in that was begun. What expired is forgotten, and so are the oldest ones that were begun where more than
    /// `most` of them would wait.
    pub async fn insert_pending_sign_in(
        &self,
        pending: &PendingSignIn,
        most: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        use entity::{Column, Entity};
        self.forget_expired_sign_ins(now).await?;
        let begun = || Entity::find().filter(Column::Held.eq(false));
        let waiting = begun().count(&self.connection()).await?;
        let too_many = (waiting + 1).saturating_sub(most);
        if too_many > 0 {
            let oldest = begun().order_by_asc(Column::ExpiresAt).limit(too_many);
            let oldest = oldest.all(&self.connection()).await?.into_iter().map(|row| row.state_digest);
            Entity::delete_many().filter(Column::StateDigest.is_in(oldest)).exec(&self.connection()).await?;
        }
        self.insert_waiting(pending, false).await
    }

    /// Adds a sign-in whose person was proven and has yet to show their cookie: no other makes it forgotten, since each took
    /// a response of the provider, and none waits for long. What expired is forgotten.
    pub async fn insert_held_sign_in(
        &self,
        pending: &PendingSignIn,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.forget_expired_sign_ins(now).await?;
        self.insert_waiting(pending, true).await
    }

    async fn forget_expired_sign_ins(&self, now: Timestamp) -> Result<(), StoreError> {
        let expired = entity::Entity::delete_many().filter(entity::Column::ExpiresAt.lte(now.micros()));
        expired.exec(&self.connection()).await?;
        Ok(())
    }

    async fn insert_waiting(&self, pending: &PendingSignIn, held: bool) -> Result<(), StoreError> {
        let row = entity::ActiveModel {
            state_digest: Set(pending.state.to_hex()),
            option_id: Set(pending.option.to_string()),
            browser_digest: Set(pending.browser.to_hex()),
            memo: Set(rows::to_json(MEMO, &pending.memo)?),
            next: Set(pending.next.clone()),
            expires_at: Set(pending.expires_at.micros()),
            held: Set(held),
        };
        entity::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Takes the sign-in with this state, expired or not: nobody else gets it once this is committed.
    pub async fn take_pending_sign_in(
        &self,
        state: &SecretDigest,
    ) -> Result<Option<PendingSignIn>, StoreError> {
        let found = self.pending_sign_in(state).await?;
        entity::Entity::delete_by_id(state.to_hex()).exec(&self.connection()).await?;
        Ok(found)
    }
}

fn pending(row: entity::Model) -> Result<PendingSignIn, StoreError> {
    let digest = |text: &str| rows::known("digest of a pending sign-in", SecretDigest::from_hex(text));
    Ok(PendingSignIn {
        state: digest(&row.state_digest)?,
        option: SignInOptionId::known(row.option_id),
        browser: digest(&row.browser_digest)?,
        memo: rows::from_json(MEMO, &row.memo)?,
        next: row.next,
        expires_at: Timestamp::from_micros(row.expires_at),
    })
}
