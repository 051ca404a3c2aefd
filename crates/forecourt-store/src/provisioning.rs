//! What a directory keeps about the administrators that it made. They themselves stand in `administrators.rs`; what
//! directories keep of portals' people, and their settings, in `provisioning/persons.rs`.

mod persons;

use std::collections::HashMap;

use forecourt_core::{
    administrators::AdministratorFilter,
    ids::AdministratorId,
    lists::{Direction, Order, TimeOrder},
    provisioning::{DirectoryDetails, DirectoryEmail, ProvisionedUser},
};
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "scim_users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub administrator_id: String,
        pub external_id: String,
        pub display_name: String,
        pub emails: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The administrator with this id, as directories see them.
    pub async fn provisioned_administrator(
        &self,
        id: &AdministratorId,
    ) -> Result<Option<ProvisionedUser>, StoreError> {
        let Some(administrator) = self.administrator(id).await? else { return Ok(None) };
        let row = entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?;
        let kept = row.map(details).transpose()?;
        Ok(Some(ProvisionedUser::of_administrator(administrator, kept)))
    }

    /// All administrators as directories see them, oldest first.
    pub async fn provisioned_administrators(&self) -> Result<Vec<ProvisionedUser>, StoreError> {
        let filter = AdministratorFilter {
            order: Order { by: TimeOrder::CreatedAt, direction: Direction::Ascending },
            ..AdministratorFilter::default()
        };
        let administrators = self.administrators(&filter).await?.rows;
        let rows = entity::Entity::find().all(&self.connection()).await?;
        let mut rows: HashMap<String, entity::Model> =
            rows.into_iter().map(|row| (row.administrator_id.clone(), row)).collect();
        let joined = administrators.into_iter().map(|administrator| {
            let kept = rows.remove(administrator.id.as_str()).map(details).transpose()?;
            Ok(ProvisionedUser::of_administrator(administrator, kept))
        });
        joined.collect()
    }
}

impl Tx {
    /// Stores what a directory keeps about an administrator, also for the first time. Their names are the
    /// administrator's own.
    pub async fn save_directory_details(
        &self,
        id: &AdministratorId,
        details: &DirectoryDetails,
    ) -> Result<(), StoreError> {
        use entity::Column;
        let row = entity::ActiveModel {
            administrator_id: Set(id.to_string()),
            external_id: Set(details.external_id.clone()),
            display_name: Set(details.display_name.clone()),
            emails: Set(to_emails(&details.emails)?),
        };
        let replace = OnConflict::column(Column::AdministratorId)
            .update_columns([Column::ExternalId, Column::DisplayName, Column::Emails])
            .to_owned();
        entity::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.connection()).await?;
        Ok(())
    }
}

fn details(row: entity::Model) -> Result<DirectoryDetails, StoreError> {
    Ok(DirectoryDetails {
        external_id: row.external_id,
        display_name: row.display_name,
        emails: from_emails(&row.emails)?,
        ..DirectoryDetails::default()
    })
}

fn to_emails(emails: &[DirectoryEmail]) -> Result<String, StoreError> {
    rows::to_json("directory e-mail addresses", &emails)
}

fn from_emails(text: &str) -> Result<Vec<DirectoryEmail>, StoreError> {
    rows::from_json("directory e-mail addresses", text)
}
