//! Administrators.

use forecourt_core::{
    administrators::{Administrator, AdministratorFilter, StoredPassword},
    ids::{AdministratorId, PermissionPolicyId, RoleId},
    lists::{List, TimeOrder},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::{Reader, StoreError, Tx, dialect, roles, rows, sign_in_options::identities};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "administrators")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub username: String,
        pub email: String,
        pub first_name: String,
        pub last_name: String,
        pub password_hash: String,
        pub password_one_time: bool,
        pub activated: bool,
        pub super_admin: bool,
        pub active: bool,
        pub boundary_id: Option<String>,
        pub initial: bool,
        pub search_text: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The administrator with this id.
    pub async fn administrator(&self, id: &AdministratorId) -> Result<Option<Administrator>, StoreError> {
        Ok(entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(administrator))
    }

    /// The administrator with exactly this user name.
    pub async fn administrator_by_username(
        &self,
        username: &str,
    ) -> Result<Option<Administrator>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::Username.eq(username));
        Ok(select.one(&self.connection()).await?.map(administrator))
    }

    /// The administrators with this user name in any case, oldest first.
    pub async fn administrators_called(&self, username: &str) -> Result<Vec<Administrator>, StoreError> {
        let folded = dialect::fold(username);
        let backend = rows::backend(&self.connection());
        // The searched text holds the folded name among others.
        let select = entity::Entity::find()
            .filter(dialect::contains(backend, entity::Column::SearchText, &folded))
            .order_by_asc(entity::Column::Id);
        let found = select.all(&self.connection()).await?.into_iter().map(administrator);
        Ok(found.filter(|found| dialect::fold(&found.username) == folded).collect())
    }

    /// How many administrators there are.
    pub async fn administrator_count(&self) -> Result<u64, StoreError> {
        Ok(entity::Entity::find().count(&self.connection()).await?)
    }

    /// The administrators that `filter` wants.
    pub async fn administrators(
        &self,
        filter: &AdministratorFilter,
    ) -> Result<List<Administrator>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(search) = &filter.search {
            let backend = rows::backend(&self.connection());
            select = select.filter(dialect::contains(backend, Column::SearchText, &dialect::fold(search)));
        }
        if let Some(wanted) = &filter.roles {
            use roles::assigned;
            let holders = assigned::Entity::find()
                .select_only()
                .column(assigned::Column::AdministratorId)
                .filter(assigned::Column::RoleId.is_in(wanted.iter().map(RoleId::as_str)));
            select = select.filter(Column::Id.in_subquery(holders.into_query()));
        }
        if let Some(known_by) = &filter.known_by {
            select = select.filter(identities::known_by(known_by));
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::Id, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, |row| Ok(administrator(row))).await
    }
}

impl Tx {
    /// Adds an administrator.
    pub async fn insert_administrator(&self, administrator: &Administrator) -> Result<(), StoreError> {
        let row = entity::ActiveModel { super_admin: Set(false), ..row(administrator) };
        entity::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed administrator.
    pub async fn save_administrator(&self, administrator: &Administrator) -> Result<(), StoreError> {
        entity::Entity::update(row(administrator)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes an administrator with their sessions and tokens.
    pub async fn delete_administrator(&self, id: &AdministratorId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(administrator: &Administrator) -> entity::ActiveModel {
    let Administrator { username, email, first_name, last_name, .. } = administrator;
    entity::ActiveModel {
        id: Set(administrator.id.to_string()),
        username: Set(username.clone()),
        email: Set(email.clone()),
        first_name: Set(first_name.clone()),
        last_name: Set(last_name.clone()),
        // Nothing hashes to an empty text: it stands for no password.
        password_hash: Set(administrator.password.as_ref().map(|own| own.hash.clone()).unwrap_or_default()),
        password_one_time: Set(administrator.must_change_password()),
        activated: Set(administrator.activated),
        active: Set(administrator.active),
        // Kept by whoever assigns roles.
        super_admin: NotSet,
        boundary_id: Set(administrator.boundary.as_ref().map(ToString::to_string)),
        initial: Set(administrator.initial),
        search_text: Set(dialect::search_text(&[username, email, first_name, last_name], None)),
        created_at: Set(administrator.created_at.micros()),
        updated_at: Set(administrator.updated_at.micros()),
    }
}

fn administrator(row: entity::Model) -> Administrator {
    let password = StoredPassword { hash: row.password_hash, one_time: row.password_one_time };
    Administrator {
        id: AdministratorId::known(row.id),
        username: row.username,
        email: row.email,
        first_name: row.first_name,
        last_name: row.last_name,
        password: Some(password).filter(|password| !password.hash.is_empty()),
        activated: row.activated,
        active: row.active,
        boundary: row.boundary_id.map(PermissionPolicyId::known),
        initial: row.initial,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}
