//! What a portal's directory keeps about the people that it made, and whether there may be one.

use std::collections::HashMap;

use forecourt_core::{
    ids::{PersonId, PortalId},
    lists::List,
    provisioning::{DirectoryDetails, ProvisionedUser, ScimSettings},
    secrets::SecretDigest,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};

use super::{from_emails, to_emails};
use crate::{
    Reader, StoreError, Tx, dialect,
    persons::{entity as people, person},
    rows,
};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "scim_persons")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: String,
        pub external_id: String,
        pub display_name: String,
        pub given_name: String,
        pub family_name: String,
        pub emails: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod directories {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "portal_directories")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub portal_id: String,
        pub enable: bool,
        pub token_digest: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The portal's person with this id, as its directory sees them.
    pub async fn provisioned_person(
        &self,
        portal: &PortalId,
        id: &PersonId,
    ) -> Result<Option<ProvisionedUser>, StoreError> {
        let person = self.person(id).await?.filter(|person| person.portal_id == *portal);
        let Some(person) = person else { return Ok(None) };
        let row = entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?;
        let kept = row.map(details).transpose()?;
        Ok(Some(ProvisionedUser::of_person(person, kept)))
    }

    /// The portal's persons as its directory sees them, oldest first: at most `most` of them, but for the first `skipped`;
    /// all where `page` is `None`.
    pub async fn provisioned_persons(
        &self,
        portal: &PortalId,
        page: Option<(u64, u64)>,
    ) -> Result<List<ProvisionedUser>, StoreError> {
        use people::Column;
        let select = people::Entity::find().filter(Column::PortalId.eq(portal.as_str()));
        let (found, total) = match page {
            None => (sorted(select).all(&self.connection()).await?, None),
            Some((skipped, most)) => {
                let total = select.clone().count(&self.connection()).await?;
                let wanted = sorted(select).offset(skipped.min(i64::MAX as u64)).limit(most);
                (wanted.all(&self.connection()).await?, Some(total))
            }
        };
        let ids: Vec<String> = found.iter().map(|row| row.id.clone()).collect();
        let backend = rows::backend(&self.connection());
        let kept = entity::Entity::find()
            .filter(dialect::is_one_of(backend, entity::Column::PersonId, &ids))
            .all(&self.connection())
            .await?;
        let mut kept: HashMap<String, entity::Model> =
            kept.into_iter().map(|row| (row.person_id.clone(), row)).collect();
        let joined = found.into_iter().map(|row| {
            let kept = kept.remove(&row.id).map(details).transpose()?;
            Ok(ProvisionedUser::of_person(person(row), kept))
        });
        let rows = joined.collect::<Result<Vec<_>, StoreError>>()?;
        Ok(List { total: total.unwrap_or(rows.len() as u64), rows })
    }

    /// Those of the portal's persons whom its directory knows by this id of its own, oldest first.
    pub async fn provisioned_persons_known(
        &self,
        portal: &PortalId,
        external_id: &str,
    ) -> Result<Vec<ProvisionedUser>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::ExternalId.eq(external_id))
            .order_by_asc(entity::Column::PersonId);
        let mut known = Vec::new();
        for row in select.all(&self.connection()).await? {
            let person = self.person(&PersonId::known(row.person_id.as_str())).await?;
            if let Some(person) = person.filter(|person| person.portal_id == *portal) {
                known.push(ProvisionedUser::of_person(person, Some(details(row)?)));
            }
        }
        Ok(known)
    }

    /// Whether a directory may provision the people of this portal; not so before it was ever changed.
    pub async fn portal_scim_settings(&self, portal: &PortalId) -> Result<ScimSettings, StoreError> {
        let row = directories::Entity::find_by_id(portal.as_str()).one(&self.connection()).await?;
        Ok(row.map_or_else(ScimSettings::default, |row| ScimSettings {
            enable: row.enable,
            token: row.token_digest.as_deref().and_then(SecretDigest::from_hex),
        }))
    }
}

fn sorted(select: sea_orm::Select<people::Entity>) -> sea_orm::Select<people::Entity> {
    select.order_by_asc(people::Column::CreatedAt).order_by_asc(people::Column::Id)
}

impl Tx {
    /// Stores what a portal's directory keeps about a person, also for the first time.
    pub async fn save_person_details(
        &self,
        id: &PersonId,
        details: &DirectoryDetails,
    ) -> Result<(), StoreError> {
        use entity::Column;
        let row = entity::ActiveModel {
            person_id: Set(id.to_string()),
            external_id: Set(details.external_id.clone()),
            display_name: Set(details.display_name.clone()),
            given_name: Set(details.given_name.clone()),
            family_name: Set(details.family_name.clone()),
            emails: Set(to_emails(&details.emails)?),
        };
        let replaced =
            [Column::ExternalId, Column::DisplayName, Column::GivenName, Column::FamilyName, Column::Emails];
        let replace = OnConflict::column(Column::PersonId).update_columns(replaced).to_owned();
        entity::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores whether a directory may provision the people of this portal.
    pub async fn save_portal_scim_settings(
        &self,
        portal: &PortalId,
        settings: &ScimSettings,
    ) -> Result<(), StoreError> {
        use directories::Column;
        let row = directories::ActiveModel {
            portal_id: Set(portal.to_string()),
            enable: Set(settings.enable),
            token_digest: Set(settings.token.as_ref().map(SecretDigest::to_hex)),
        };
        let replace = OnConflict::column(Column::PortalId)
            .update_columns([Column::Enable, Column::TokenDigest])
            .to_owned();
        directories::Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(&self.connection())
            .await?;
        Ok(())
    }
}

fn details(row: entity::Model) -> Result<DirectoryDetails, StoreError> {
    Ok(DirectoryDetails {
        external_id: row.external_id,
        display_name: row.display_name,
        given_name: row.given_name,
        family_name: row.family_name,
        emails: from_emails(&row.emails)?,
    })
}
