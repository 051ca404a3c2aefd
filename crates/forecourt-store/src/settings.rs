//! Settings of the installation, one JSON value a key.

use forecourt_core::{
    provisioning::ScimSettings, secrets::KeptSecret, settings::SystemSettings, smtp_servers::SmtpServer,
};
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};

use serde::{Deserialize, Serialize};

use crate::{KeptLastingSecrets, Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub value: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const SYSTEM: &str = "system";
const SCIM: &str = "scim";
const SMTP_SERVER: &str = "smtp_server";
const CSRF_KEY: &str = "csrf_key";
const MASTER_KEY_ID: &str = "master_key_id";
const DATA_KEY_LIST: &str = "data_key_list";
const USERNAME_SALTS: &str = "username_salts";
const AUDIT_CHAIN: &str = "audit_chain";
const SYNC_AUTHORITY: &str = "sync_authority";
const PERMISSIONS_MARK: &str = "permissions_mark";

/// The certificate authority that gateway nodes know this installation by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAuthority {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: KeptSecret,
}

impl Reader {
    /// The installation's settings; the defaults before they were ever changed.
    pub async fn system_settings(&self) -> Result<SystemSettings, StoreError> {
        let row = entity::Entity::find_by_id(SYSTEM).one(&self.connection()).await?;
        row.map_or_else(
            || Ok(SystemSettings::default()),
            |row| rows::from_json("system settings", &row.value),
        )
    }

    /// Whether a directory may provision administrators; not so before it was ever changed.
    pub async fn scim_settings(&self) -> Result<ScimSettings, StoreError> {
        let row = entity::Entity::find_by_id(SCIM).one(&self.connection()).await?;
        row.map_or_else(|| Ok(ScimSettings::default()), |row| rows::from_json("SCIM settings", &row.value))
    }

    /// The SMTP server; one that is not enabled before it was ever set.
    pub async fn smtp_server(&self) -> Result<SmtpServer, StoreError> {
        let row = entity::Entity::find_by_id(SMTP_SERVER).one(&self.connection()).await?;
        row.map_or_else(|| Ok(SmtpServer::default()), |row| rows::from_json("SMTP server", &row.value))
    }

    /// The key that form tokens are derived with, hex, once it was made.
    pub async fn csrf_key(&self) -> Result<Option<String>, StoreError> {
        Ok(entity::Entity::find_by_id(CSRF_KEY).one(&self.connection()).await?.map(|row| row.value))
    }

    /// The secrets that no rotation changes, once they were kept.
    pub async fn lasting_secrets(&self) -> Result<Option<KeptLastingSecrets>, StoreError> {
        let kept = async |key: &str| {
            let row = entity::Entity::find_by_id(key).one(&self.connection()).await?;
            row.map(|row| rows::from_json::<KeptSecret>("lasting secret", &row.value)).transpose()
        };
        let (username_salts, audit_chain) = (kept(USERNAME_SALTS).await?, kept(AUDIT_CHAIN).await?);
        Ok(username_salts
            .zip(audit_chain)
            .map(|(username_salts, audit_chain)| KeptLastingSecrets { username_salts, audit_chain }))
    }

    /// The master key that processes should be given, once one was used; while it is changed another one opens too.
    pub async fn master_key_id(&self) -> Result<Option<String>, StoreError> {
        Ok(entity::Entity::find_by_id(MASTER_KEY_ID).one(&self.connection()).await?.map(|row| row.value))
    }

    /// The number of the list of data keys: it grows with each change of these and of their wrappings; 0 where none was
    /// counted yet.
    pub async fn data_key_list_number(&self) -> Result<i64, StoreError> {
        let row = entity::Entity::find_by_id(DATA_KEY_LIST).one(&self.connection()).await?;
        row.map_or(Ok(0), |row| rows::from_json("number of the data keys", &row.value))
    }

    /// A text that is another one after every change of who may do what; empty before the first.
    pub async fn permissions_mark(&self) -> Result<String, StoreError> {
        let row = entity::Entity::find_by_id(PERMISSIONS_MARK).one(&self.connection()).await?;
        Ok(row.map(|row| row.value).unwrap_or_default())
    }

    /// The authority that gateway nodes know this installation by, once it was made.
    pub async fn sync_authority(&self) -> Result<Option<StoredAuthority>, StoreError> {
        let row = entity::Entity::find_by_id(SYNC_AUTHORITY).one(&self.connection()).await?;
        row.map(|row| rows::from_json("sync authority", &row.value)).transpose()
    }
}

impl Tx {
    /// Stores the installation's settings.
    pub async fn save_system_settings(&self, settings: &SystemSettings) -> Result<(), StoreError> {
        self.save_setting(SYSTEM, rows::to_json("system settings", settings)?).await
    }

    /// Stores whether a directory may provision administrators.
    pub async fn save_scim_settings(&self, settings: &ScimSettings) -> Result<(), StoreError> {
        self.save_setting(SCIM, rows::to_json("SCIM settings", settings)?).await
    }

    /// Stores the SMTP server.
    pub async fn save_smtp_server(&self, server: &SmtpServer) -> Result<(), StoreError> {
        self.save_setting(SMTP_SERVER, rows::to_json("SMTP server", server)?).await
    }

    /// Stores the key that form tokens are derived with, hex.
    pub async fn save_csrf_key(&self, key: String) -> Result<(), StoreError> {
        self.save_setting(CSRF_KEY, key).await
    }

    /// Stores the secrets that no rotation changes.
    pub async fn save_lasting_secrets(&self, kept: &KeptLastingSecrets) -> Result<(), StoreError> {
        let text = |secret: &KeptSecret| rows::to_json("lasting secret", secret);
        self.save_setting(USERNAME_SALTS, text(&kept.username_salts)?).await?;
        self.save_setting(AUDIT_CHAIN, text(&kept.audit_chain)?).await
    }

    /// Notes which master key processes should be given.
    pub async fn save_master_key_id(&self, id: &str) -> Result<(), StoreError> {
        self.save_setting(MASTER_KEY_ID, id.to_owned()).await
    }

    /// Gives the list of data keys its next number.
    pub(crate) async fn number_data_key_list(&self) -> Result<(), StoreError> {
        let next = self.data_key_list_number().await?.saturating_add(1);
        self.save_setting(DATA_KEY_LIST, rows::to_json("number of the data keys", &next)?).await
    }

    /// Tells every process that who may do what has changed; `mark` was never used before.
    pub async fn save_permissions_mark(&self, mark: String) -> Result<(), StoreError> {
        self.save_setting(PERMISSIONS_MARK, mark).await
    }

    /// Stores the authority that gateway nodes know this installation by.
    pub async fn save_sync_authority(&self, authority: &StoredAuthority) -> Result<(), StoreError> {
        self.save_setting(SYNC_AUTHORITY, rows::to_json("sync authority", authority)?).await
    }

    async fn save_setting(&self, key: &str, value: String) -> Result<(), StoreError> {
        let row = entity::ActiveModel { key: Set(key.to_owned()), value: Set(value) };
        let replace = OnConflict::column(entity::Column::Key).update_column(entity::Column::Value).to_owned();
        entity::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.connection()).await?;
        Ok(())
    }
}
