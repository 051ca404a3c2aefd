//! Links in mails with which approvers decide.

use forecourt_core::{approval_links::ApprovalLink, ids::ApprovalId, secrets::SecretDigest, time::Timestamp};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "approval_links")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub digest: String,
        pub approval_id: String,
        pub recipient: String,
        pub expires_at: i64,
        pub used_at: Option<i64>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The link whose token has this digest.
    pub async fn approval_link(&self, digest: &SecretDigest) -> Result<Option<ApprovalLink>, StoreError> {
        let found = entity::Entity::find_by_id(digest.to_hex()).one(&self.connection()).await?;
        found.map(link).transpose()
    }
}

impl Tx {
    /// Adds links.
    pub async fn insert_approval_links(&self, links: &[ApprovalLink]) -> Result<(), StoreError> {
        for links in links.chunks(rows::CHUNK) {
            let added = entity::Entity::insert_many(links.iter().map(row));
            added.exec_without_returning(&self.connection()).await?;
        }
        Ok(())
    }

    /// Removes the links that stopped working before this.
    pub async fn delete_old_approval_links(&self, before: Timestamp) -> Result<u64, StoreError> {
        let old = entity::Entity::delete_many().filter(entity::Column::ExpiresAt.lt(before.micros()));
        Ok(old.exec(&self.connection()).await?.rows_affected)
    }

    /// Stores a changed link.
    pub async fn save_approval_link(&self, link: &ApprovalLink) -> Result<(), StoreError> {
        entity::Entity::update(row(link)).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(link: &ApprovalLink) -> entity::ActiveModel {
    entity::ActiveModel {
        digest: Set(link.digest.to_hex()),
        approval_id: Set(link.approval_id.to_string()),
        recipient: Set(link.recipient.clone()),
        expires_at: Set(link.expires_at.micros()),
        used_at: Set(link.used_at.map(Timestamp::micros)),
        created_at: Set(link.created_at.micros()),
    }
}

fn link(row: entity::Model) -> Result<ApprovalLink, StoreError> {
    Ok(ApprovalLink {
        digest: rows::known("digest of an approval link", SecretDigest::from_hex(&row.digest))?,
        approval_id: ApprovalId::known(row.approval_id),
        recipient: row.recipient,
        expires_at: Timestamp::from_micros(row.expires_at),
        used_at: row.used_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
