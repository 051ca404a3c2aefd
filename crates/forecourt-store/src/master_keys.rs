//! Data keys, each wrapped under the master keys that open it; what is sealed under them is found in `sealed.rs`.
//!
//! Invariant: the data key with the highest number seals, and every data key is wrapped under every master key that is
//! valid, so that a process with any of these opens all of them. Each change of both gives their list its next number.

mod sealed;

use forecourt_core::{secrets::KeptSecret, time::Timestamp};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, prelude::Expr};

pub use self::sealed::{SEALED_COLUMNS, SealedColumn, SealedRow};
use crate::{Reader, StoreError, Tx};

mod data_keys {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "data_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub number: i64,
        pub created_at: i64,
        pub unused_since: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod wrappings {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "key_wrappings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub data_key_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub master_key: String,
        pub wrapped: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A data key as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDataKey {
    /// Eight hex digits.
    pub id: String,
    /// The highest one seals; from 1.
    pub number: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when no row is known to name it; `None`: rows may.
    pub unused_since: Option<Timestamp>,
}

/// A data key wrapped under a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWrapping {
    /// Which data key.
    pub data_key: String,
    /// The id of the master key.
    pub master_key: String,
    /// The text that opens under it.
    pub wrapped: String,
}

/// The two secrets that no rotation changes, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLastingSecrets {
    /// What salts of user names are made with.
    pub username_salts: KeptSecret,
    /// What the audit log is chained with.
    pub audit_chain: KeptSecret,
}

/// The data keys as they were at one moment, with all that opens them.
#[derive(Clone, Debug)]
pub struct DataKeyList {
    /// Of two lists the one with the higher number is the later one.
    pub number: i64,
    /// Every data key, the one that seals last.
    pub keys: Vec<StoredDataKey>,
    /// Every wrapping, by data key and master key.
    pub wrappings: Vec<KeyWrapping>,
    /// The secrets that no rotation changes, once they were kept.
    pub lasting: Option<KeptLastingSecrets>,
}

impl Reader {
    /// The data keys with all that opens them.
    pub async fn data_key_list(&self) -> Result<DataKeyList, StoreError> {
        loop {
            let number = self.data_key_list_number().await?;
            let (keys, wrappings) = (self.data_keys().await?, self.key_wrappings().await?);
            let lasting = self.lasting_secrets().await?;
            // Outside of a transaction each query sees the latest commit: what was changed in between is read again.
            if self.data_key_list_number().await? == number {
                return Ok(DataKeyList { number, keys, wrappings, lasting });
            }
        }
    }

    /// Every data key, the one that seals last; none in a database that was never used since there are data keys.
    pub async fn data_keys(&self) -> Result<Vec<StoredDataKey>, StoreError> {
        let select = data_keys::Entity::find().order_by_asc(data_keys::Column::Number);
        let rows = select.all(&self.connection()).await?;
        let key = |row: data_keys::Model| StoredDataKey {
            id: row.id,
            number: row.number,
            created_at: Timestamp::from_micros(row.created_at),
            unused_since: row.unused_since.map(Timestamp::from_micros),
        };
        Ok(rows.into_iter().map(key).collect())
    }

    /// The id of the data key that seals.
    pub async fn sealing_key_id(&self) -> Result<Option<String>, StoreError> {
        let select = data_keys::Entity::find().order_by_desc(data_keys::Column::Number);
        Ok(select.one(&self.connection()).await?.map(|row| row.id))
    }

    /// Every wrapping, by data key and master key.
    pub async fn key_wrappings(&self) -> Result<Vec<KeyWrapping>, StoreError> {
        use wrappings::Column;
        let select =
            wrappings::Entity::find().order_by_asc(Column::DataKeyId).order_by_asc(Column::MasterKey);
        let rows = select.all(&self.connection()).await?;
        let wrapping = |row: wrappings::Model| KeyWrapping {
            data_key: row.data_key_id,
            master_key: row.master_key,
            wrapped: row.wrapped,
        };
        Ok(rows.into_iter().map(wrapping).collect())
    }

    /// The ids of the master keys that open what is sealed here, ascending; none before the first use.
    pub async fn master_key_ids(&self) -> Result<Vec<String>, StoreError> {
        let mut ids: Vec<_> =
            self.key_wrappings().await?.into_iter().map(|wrapping| wrapping.master_key).collect();
        if ids.is_empty() {
            ids.extend(self.master_key_id().await?);
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
    }
}

impl Tx {
    /// Adds a data key, which seals from now on where no other has a higher number.
    pub async fn insert_data_key(&self, id: &str, number: i64, now: Timestamp) -> Result<(), StoreError> {
        let row = data_keys::ActiveModel {
            id: Set(id.to_owned()),
            number: Set(number),
            created_at: Set(now.micros()),
            unused_since: Set(None),
        };
        data_keys::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        self.number_data_key_list().await
    }

    /// Adds a wrapping.
    pub async fn insert_key_wrapping(&self, wrapping: KeyWrapping) -> Result<(), StoreError> {
        let row = wrappings::ActiveModel {
            data_key_id: Set(wrapping.data_key),
            master_key: Set(wrapping.master_key),
            wrapped: Set(wrapping.wrapped),
        };
        wrappings::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        self.number_data_key_list().await
    }

    /// Notes that no row names a data key.
    pub async fn note_unused_data_key(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        data_keys::Entity::update_many()
            .col_expr(data_keys::Column::UnusedSince, Expr::value(now.micros()))
            .filter(data_keys::Column::Id.eq(id))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Takes away what a master key opens.
    pub async fn delete_key_wrappings(&self, master_key: &str) -> Result<(), StoreError> {
        let all = wrappings::Entity::delete_many().filter(wrappings::Column::MasterKey.eq(master_key));
        all.exec(&self.connection()).await?;
        self.number_data_key_list().await
    }

    /// Takes away a data key with its wrappings.
    pub async fn delete_data_key(&self, id: &str) -> Result<(), StoreError> {
        data_keys::Entity::delete_by_id(id.to_owned()).exec(&self.connection()).await?;
        self.number_data_key_list().await
    }
}
