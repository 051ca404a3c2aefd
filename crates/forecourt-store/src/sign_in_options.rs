//! Sign-in options of portals and of the administrators; their secrets are sealed. Who is known by which stands in
//! [`identities`], and goes with its option, as do the sessions that were made through it.

pub(crate) mod identities;

use forecourt_core::{
    ids::{PortalId, SignInOptionId},
    lists::{List, TimeOrder},
    sign_in_options::{SignInOption, SignInOptionFilter, SignInScope, SignInType},
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::{Reader, StoreError, Tx, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "login_options")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: Option<String>,
        pub name: String,
        pub logo: String,
        pub disable: bool,
        pub provider_type: String,
        pub config: String,
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
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(option).transpose()
    }

    /// The built-in option of a portal, or of the administrators.
    pub async fn built_in_sign_in(
        &self,
        portal: Option<&PortalId>,
    ) -> Result<Option<SignInOption>, StoreError> {
        let built_in = entity::Column::ProviderType.eq(SignInType::BuiltIn.name());
        let select = entity::Entity::find().filter(of_scope(portal)).filter(built_in);
        select.one(&self.connection()).await?.map(option).transpose()
    }

    /// The options that `filter` wants.
    pub async fn sign_in_options(
        &self,
        filter: &SignInOptionFilter,
    ) -> Result<List<SignInOption>, StoreError> {
        use entity::{Column, Entity};
        let select = Entity::find().filter(match &filter.scope {
            SignInScope::Administrators => of_scope(None),
            SignInScope::Portal(portal) => of_scope(Some(portal)),
            SignInScope::Portals => Column::PortalId.is_not_null(),
        });
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::PortalId, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, option).await
    }

    /// How many enabled options the administrators have.
    pub async fn enabled_administrator_options(&self) -> Result<u64, StoreError> {
        let select = entity::Entity::find().filter(of_scope(None)).filter(entity::Column::Disable.eq(false));
        Ok(select.count(&self.connection()).await?)
    }
}

impl Tx {
    /// Adds an option.
    pub async fn insert_sign_in_option(&self, option: &SignInOption) -> Result<(), StoreError> {
        entity::Entity::insert(row(option)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed option.
    pub async fn save_sign_in_option(&self, option: &SignInOption) -> Result<(), StoreError> {
        entity::Entity::update(row(option)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Stores an option whose provider is another one now. It takes the row's place, so that all goes that would go with
    /// the option: its identities, the sessions that were made through it, and the sign-ins that wait.
    pub async fn replace_sign_in_option(&self, option: &SignInOption) -> Result<(), StoreError> {
        self.delete_sign_in_option(&option.id).await?;
        self.insert_sign_in_option(option).await
    }

    /// Removes an option, with its identities and the sessions that were made through it.
    pub async fn delete_sign_in_option(&self, id: &SignInOptionId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn of_scope(portal: Option<&PortalId>) -> sea_orm::sea_query::SimpleExpr {
    match portal {
        Some(portal) => entity::Column::PortalId.eq(portal.as_str()),
        None => entity::Column::PortalId.is_null(),
    }
}

fn row(option: &SignInOption) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(option.id.to_string()),
        portal_id: Set(option.portal_id.as_ref().map(ToString::to_string)),
        name: Set(option.name.clone()),
        logo: Set(option.logo.clone()),
        disable: Set(option.disable),
        provider_type: Set(option.provider_type().name().to_owned()),
        config: Set(rows::to_json("settings of a sign-in option", &option.config)?),
        created_at: Set(option.created_at.micros()),
        updated_at: Set(option.updated_at.micros()),
    })
}

fn option(row: entity::Model) -> Result<SignInOption, StoreError> {
    Ok(SignInOption {
        id: SignInOptionId::known(row.id),
        portal_id: row.portal_id.map(PortalId::known),
        name: row.name,
        logo: row.logo,
        disable: row.disable,
        config: rows::from_json("settings of a sign-in option", &row.config)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
