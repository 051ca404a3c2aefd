//! Sign-in options of portals: the built-in one of each.

use forecourt_core::{
    ids::{PortalId, SignInOptionId},
    lists::{List, TimeOrder},
    sign_in_options::{BuiltInSignIn, SignInOption, SignInOptionFilter},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{Reader, StoreError, Tx, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sign_in_options")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub name: String,
        pub logo: String,
        pub disable: bool,
        pub enable_self_registration: bool,
        pub registration_auto_approval: bool,
        pub login_with_email: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The option with this id.
    pub async fn sign_in_option(&self, id: &SignInOptionId) -> Result<Option<SignInOption>, StoreError> {
        Ok(entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(option))
    }

    /// A portal's built-in option.
    pub async fn built_in_sign_in(&self, portal: &PortalId) -> Result<Option<SignInOption>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::PortalId.eq(portal.as_str()));
        Ok(select.one(&self.connection()).await?.map(option))
    }

    /// The options that `filter` wants.
    pub async fn sign_in_options(
        &self,
        filter: &SignInOptionFilter,
    ) -> Result<List<SignInOption>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(portal) = &filter.portal_id {
            select = select.filter(Column::PortalId.eq(portal.as_str()));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::PortalId, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, |row| Ok(option(row))).await
    }
}

impl Tx {
    /// Adds an option.
    pub async fn insert_sign_in_option(&self, option: &SignInOption) -> Result<(), StoreError> {
        entity::Entity::insert(row(option)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed option.
    pub async fn save_sign_in_option(&self, option: &SignInOption) -> Result<(), StoreError> {
        entity::Entity::update(row(option)).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(option: &SignInOption) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(option.id.to_string()),
        portal_id: Set(option.portal_id.to_string()),
        name: Set(option.name.clone()),
        logo: Set(option.logo.clone()),
        disable: Set(option.disable),
        enable_self_registration: Set(option.built_in.enable_self_registration),
        registration_auto_approval: Set(option.built_in.registration_auto_approval),
        login_with_email: Set(option.built_in.login_with_email),
        created_at: Set(option.created_at.micros()),
        updated_at: Set(option.updated_at.micros()),
    }
}

fn option(row: entity::Model) -> SignInOption {
    SignInOption {
        id: SignInOptionId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        name: row.name,
        logo: row.logo,
        disable: row.disable,
        built_in: BuiltInSignIn {
            enable_self_registration: row.enable_self_registration,
            registration_auto_approval: row.registration_auto_approval,
            login_with_email: row.login_with_email,
        },
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}
