//! Organizations and who belongs to them.

use forecourt_core::{
    ids::{DeveloperId, OrganizationId, PersonId, PortalId},
    organizations::{Membership, Organization, Role},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "organizations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub developer_id: String,
        pub name: String,
        pub personal: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod memberships {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "memberships")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub organization_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: String,
        pub role: String,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The organization with this id.
    pub async fn organization(&self, id: &OrganizationId) -> Result<Option<Organization>, StoreError> {
        Ok(entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(organization))
    }

    /// The organization behind a developer, where it has one.
    pub async fn organization_of_developer(
        &self,
        developer: &DeveloperId,
    ) -> Result<Option<Organization>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::DeveloperId.eq(developer.as_str()));
        Ok(select.one(&self.connection()).await?.map(organization))
    }

    /// A person's memberships, oldest first.
    pub async fn memberships_of(&self, person: &PersonId) -> Result<Vec<Membership>, StoreError> {
        let select = memberships::Entity::find().filter(memberships::Column::PersonId.eq(person.as_str()));
        let select = select
            .order_by_asc(memberships::Column::CreatedAt)
            .order_by_asc(memberships::Column::OrganizationId);
        select.all(&self.connection()).await?.into_iter().map(membership).collect()
    }

    /// An organization's memberships, oldest first.
    pub async fn members_of(&self, organization: &OrganizationId) -> Result<Vec<Membership>, StoreError> {
        let select =
            memberships::Entity::find().filter(memberships::Column::OrganizationId.eq(organization.as_str()));
        let select =
            select.order_by_asc(memberships::Column::CreatedAt).order_by_asc(memberships::Column::PersonId);
        select.all(&self.connection()).await?.into_iter().map(membership).collect()
    }
}

impl Tx {
    /// Adds an organization.
    pub async fn insert_organization(&self, organization: &Organization) -> Result<(), StoreError> {
        entity::Entity::insert(row(organization)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed organization.
    pub async fn save_organization(&self, organization: &Organization) -> Result<(), StoreError> {
        entity::Entity::update(row(organization)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Adds a person to an organization.
    pub async fn insert_membership(&self, membership: &Membership) -> Result<(), StoreError> {
        let row = memberships::ActiveModel {
            organization_id: Set(membership.organization_id.to_string()),
            person_id: Set(membership.person_id.to_string()),
            role: Set(membership.role.name().to_owned()),
            created_at: Set(membership.created_at.micros()),
        };
        memberships::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }
}

fn row(organization: &Organization) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(organization.id.to_string()),
        portal_id: Set(organization.portal_id.to_string()),
        developer_id: Set(organization.developer_id.to_string()),
        name: Set(organization.name.clone()),
        personal: Set(organization.personal),
        created_at: Set(organization.created_at.micros()),
        updated_at: Set(organization.updated_at.micros()),
    }
}

fn organization(row: entity::Model) -> Organization {
    Organization {
        id: OrganizationId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        developer_id: DeveloperId::known(row.developer_id),
        name: row.name,
        personal: row.personal,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}

fn membership(row: memberships::Model) -> Result<Membership, StoreError> {
    Ok(Membership {
        organization_id: OrganizationId::known(row.organization_id),
        person_id: PersonId::known(row.person_id),
        role: rows::known("membership role", Role::from_name(&row.role))?,
        created_at: Timestamp::from_micros(row.created_at),
    })
}
