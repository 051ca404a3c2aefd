//! Permission policies, and who uses them.

use forecourt_core::{
    ids::PermissionPolicyId,
    lists::{List, TimeOrder},
    permission_policies::{PermissionPolicy, PermissionPolicyFilter},
    permissions::PolicyDocument,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{Reader, StoreError, Tx, administrators, dialect, roles, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "permission_policies")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub document: String,
        pub built_in: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The policy with this id.
    pub async fn permission_policy(
        &self,
        id: &PermissionPolicyId,
    ) -> Result<Option<PermissionPolicy>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(policy).transpose()
    }

    /// The policies that `filter` wants.
    pub async fn permission_policies(
        &self,
        filter: &PermissionPolicyFilter,
    ) -> Result<List<PermissionPolicy>, StoreError> {
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
        rows::page(self.connection(), select, filter.paging, policy).await
    }

    /// The name of a role that has this policy.
    pub async fn role_with_policy(&self, id: &PermissionPolicyId) -> Result<Option<String>, StoreError> {
        let select =
            roles::attached::Entity::find().filter(roles::attached::Column::PolicyId.eq(id.as_str()));
        let Some(attached) = select.one(&self.connection()).await? else { return Ok(None) };
        let role =
            roles::entity::Entity::find_by_id(attached.role_id.as_str()).one(&self.connection()).await?;
        Ok(Some(role.map_or(attached.role_id, |role| role.name)))
    }

    /// The user name of somebody whose boundary this policy is.
    pub async fn bounded_by(&self, id: &PermissionPolicyId) -> Result<Option<String>, StoreError> {
        use administrators::entity::{Column, Entity};
        let found = Entity::find().filter(Column::BoundaryId.eq(id.as_str())).one(&self.connection()).await?;
        Ok(found.map(|row| row.username))
    }
}

impl Tx {
    /// Adds a policy.
    pub async fn insert_permission_policy(&self, policy: &PermissionPolicy) -> Result<(), StoreError> {
        entity::Entity::insert(row(policy)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed policy.
    pub async fn save_permission_policy(&self, policy: &PermissionPolicy) -> Result<(), StoreError> {
        entity::Entity::update(row(policy)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a policy that nobody uses.
    pub async fn delete_permission_policy(&self, id: &PermissionPolicyId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(policy: &PermissionPolicy) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(policy.id.to_string()),
        name: Set(policy.name.clone()),
        desc: Set(policy.desc.clone()),
        labels: Set(rows::to_json("permission policy labels", &policy.labels)?),
        label_index: Set(dialect::label_index(&policy.labels)),
        search_text: Set(dialect::search_text(&[&policy.name, &policy.desc], Some(&policy.labels))),
        document: Set(rows::to_json("policy document", policy.document.as_json())?),
        built_in: Set(policy.built_in),
        created_at: Set(policy.created_at.micros()),
        updated_at: Set(policy.updated_at.micros()),
    })
}

fn policy(row: entity::Model) -> Result<PermissionPolicy, StoreError> {
    Ok(PermissionPolicy {
        id: PermissionPolicyId::known(row.id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("permission policy labels", &row.labels)?,
        document: PolicyDocument::known(rows::from_json("policy document", &row.document)?),
        built_in: row.built_in,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
