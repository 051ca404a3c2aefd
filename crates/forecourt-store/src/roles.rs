//! Roles, the policies that are attached to them, and who holds them.

use std::collections::HashMap;

use forecourt_core::{
    ids::{AdministratorId, GatewayGroupId, PermissionPolicyId, RoleId},
    lists::{List, TimeOrder},
    roles::{AssignedRole, Role, RoleFilter},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr,
};

use crate::{Reader, StoreError, Tx, administrators, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "roles")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub built_in: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod attached {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "role_policies")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub role_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub policy_id: String,
        pub place: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod assigned {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "administrator_roles")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub administrator_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub role_id: String,
        pub scopes: String,
        pub place: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The role with this id.
    pub async fn role(&self, id: &RoleId) -> Result<Option<Role>, StoreError> {
        let found = entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?;
        Ok(self.with_policies(found.into_iter().collect()).await?.pop())
    }

    /// The roles that `filter` wants.
    pub async fn roles(&self, filter: &RoleFilter) -> Result<List<Role>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        let select = dialect::readable(backend, select, Column::Id, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        let found = rows::page(self.connection(), select, filter.paging, Ok).await?;
        Ok(List { total: found.total, rows: self.with_policies(found.rows).await? })
    }

    /// How many administrators hold a role.
    pub async fn holder_count(&self, role: &RoleId) -> Result<u64, StoreError> {
        let select = assigned::Entity::find().filter(assigned::Column::RoleId.eq(role.as_str()));
        Ok(select.count(&self.connection()).await?)
    }

    /// The roles that each of `administrators` holds, in the order in which they were assigned.
    pub async fn assigned_roles(
        &self,
        administrators: &[AdministratorId],
    ) -> Result<HashMap<AdministratorId, Vec<AssignedRole>>, StoreError> {
        let backend = rows::backend(&self.connection());
        let ids: Vec<_> = administrators.iter().map(ToString::to_string).collect();
        let named = dialect::is_one_of(backend, assigned::Column::AdministratorId, &ids);
        let select = assigned::Entity::find().filter(named).order_by_asc(assigned::Column::Place);
        let mut found: HashMap<_, Vec<AssignedRole>> = HashMap::new();
        for row in select.all(&self.connection()).await? {
            let scopes: Vec<String> = rows::from_json("role scopes", &row.scopes)?;
            let role = AssignedRole {
                role_id: RoleId::known(row.role_id),
                scopes: scopes.into_iter().map(GatewayGroupId::known).collect(),
            };
            found.entry(AdministratorId::known(row.administrator_id)).or_default().push(role);
        }
        Ok(found)
    }

    async fn with_policies(&self, found: Vec<entity::Model>) -> Result<Vec<Role>, StoreError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let backend = rows::backend(&self.connection());
        let ids: Vec<_> = found.iter().map(|row| row.id.clone()).collect();
        let select = attached::Entity::find()
            .filter(dialect::is_one_of(backend, attached::Column::RoleId, &ids))
            .order_by_asc(attached::Column::Place)
            .order_by_asc(attached::Column::PolicyId);
        let mut policies: HashMap<String, Vec<PermissionPolicyId>> = HashMap::new();
        for row in select.all(&self.connection()).await? {
            policies.entry(row.role_id).or_default().push(PermissionPolicyId::known(row.policy_id));
        }
        let read = |row: entity::Model| {
            let policies = policies.remove(&row.id).unwrap_or_default();
            role(row, policies)
        };
        found.into_iter().map(read).collect()
    }
}

impl Tx {
    /// Adds a role with its policies.
    pub async fn insert_role(&self, role: &Role) -> Result<(), StoreError> {
        entity::Entity::insert(row(role)?).exec_without_returning(&self.connection()).await?;
        self.save_role_policies(role).await
    }

    /// Stores a changed role with its policies.
    pub async fn save_role(&self, role: &Role) -> Result<(), StoreError> {
        entity::Entity::update(row(role)?).exec(&self.connection()).await?;
        self.save_role_policies(role).await
    }

    /// Removes a role that nobody holds.
    pub async fn delete_role(&self, id: &RoleId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }

    async fn save_role_policies(&self, role: &Role) -> Result<(), StoreError> {
        let old = attached::Column::RoleId.eq(role.id.as_str());
        attached::Entity::delete_many().filter(old).exec(&self.connection()).await?;
        let rows: Vec<_> = (0..)
            .zip(&role.policies)
            .map(|(place, policy)| attached::ActiveModel {
                role_id: Set(role.id.to_string()),
                policy_id: Set(policy.to_string()),
                place: Set(place),
            })
            .collect();
        if !rows.is_empty() {
            attached::Entity::insert_many(rows).exec_without_returning(&self.connection()).await?;
        }
        Ok(())
    }

    /// Replaces the roles that an administrator holds.
    pub async fn save_assigned_roles(
        &self,
        administrator: &AdministratorId,
        roles: &[AssignedRole],
    ) -> Result<(), StoreError> {
        let old = assigned::Column::AdministratorId.eq(administrator.as_str());
        assigned::Entity::delete_many().filter(old).exec(&self.connection()).await?;
        for (place, role) in (0..).zip(roles) {
            let row = assigned::ActiveModel {
                administrator_id: Set(administrator.to_string()),
                role_id: Set(role.role_id.to_string()),
                scopes: Set(rows::to_json("role scopes", &role.scopes)?),
                place: Set(place),
            };
            assigned::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        }
        // A version that knows no roles reads this column.
        let is_super_admin = roles.iter().any(|role| role.role_id == RoleId::super_admin());
        administrators::entity::Entity::update_many()
            .col_expr(administrators::entity::Column::SuperAdmin, Expr::val(is_super_admin))
            .filter(administrators::entity::Column::Id.eq(administrator.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Gives the built-in role and policy the time at which a new installation began.
    pub async fn date_built_in_permissions(&self, now: Timestamp) -> Result<(), StoreError> {
        use crate::permission_policies::entity as policies;
        entity::Entity::update_many()
            .col_expr(entity::Column::CreatedAt, Expr::val(now.micros()))
            .col_expr(entity::Column::UpdatedAt, Expr::val(now.micros()))
            .filter(entity::Column::BuiltIn.eq(true))
            .exec(&self.connection())
            .await?;
        policies::Entity::update_many()
            .col_expr(policies::Column::CreatedAt, Expr::val(now.micros()))
            .col_expr(policies::Column::UpdatedAt, Expr::val(now.micros()))
            .filter(policies::Column::BuiltIn.eq(true))
            .exec(&self.connection())
            .await?;
        Ok(())
    }
}

fn row(role: &Role) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(role.id.to_string()),
        name: Set(role.name.clone()),
        desc: Set(role.desc.clone()),
        labels: Set(rows::to_json("role labels", &role.labels)?),
        label_index: Set(dialect::label_index(&role.labels)),
        search_text: Set(dialect::search_text(&[&role.name, &role.desc], Some(&role.labels))),
        built_in: Set(role.built_in),
        created_at: Set(role.created_at.micros()),
        updated_at: Set(role.updated_at.micros()),
    })
}

fn role(row: entity::Model, policies: Vec<PermissionPolicyId>) -> Result<Role, StoreError> {
    Ok(Role {
        id: RoleId::known(row.id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("role labels", &row.labels)?,
        built_in: row.built_in,
        policies,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
