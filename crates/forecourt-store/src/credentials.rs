//! Credentials, with their live secret in the form that gateways compare.

use forecourt_core::{
    credentials::{Credential, CredentialFilter, CredentialOrder, CredentialVersion},
    ids::{ApplicationId, CredentialId, CredentialVersionId},
    lists::List,
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    prelude::Expr,
};

use crate::{Reader, StoreError, Tx, applications, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "credentials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub application_id: String,
        pub credential_type: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub version_id: String,
        pub secret: String,
        pub version_created_at: i64,
        pub last_used_at: Option<i64>,
        pub last_used_from: Option<String>,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The credential with this id.
    pub async fn credential(&self, id: &CredentialId) -> Result<Option<Credential>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(credential).transpose()
    }

    /// Every credential of an application, oldest first.
    pub async fn credentials_of(&self, application: &ApplicationId) -> Result<Vec<Credential>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::ApplicationId.eq(application.as_str()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(credential)
            .collect()
    }

    /// The credentials that `filter` wants.
    pub async fn credentials(&self, filter: &CredentialFilter) -> Result<List<Credential>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        if let Some(developer) = &filter.developer_id {
            let own = applications::entity::Entity::find()
                .select_only()
                .column(applications::entity::Column::Id)
                .filter(applications::entity::Column::DeveloperId.eq(developer.as_str()));
            select = select.filter(Column::ApplicationId.in_subquery(own.into_query()));
        }
        if !filter.applications.is_empty() {
            select = select
                .filter(Column::ApplicationId.is_in(filter.applications.iter().map(ApplicationId::as_str)));
        }
        if let Some(credential_type) = filter.credential_type {
            select = select.filter(Column::CredentialType.eq(credential_type.name()));
        }
        let by = match filter.order.by {
            CredentialOrder::UpdatedAt => Column::UpdatedAt,
            CredentialOrder::CreatedAt => Column::CreatedAt,
            CredentialOrder::Name => Column::Name,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, credential).await
    }
}

impl Tx {
    /// Adds a credential.
    pub async fn insert_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        entity::Entity::insert(row(credential)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed credential; what is known of its use stays.
    pub async fn save_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        entity::Entity::update(row(credential)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Notes when and from where a credential was last accepted; earlier news is ignored.
    pub async fn touch_credential(
        &self,
        id: &CredentialId,
        at: Timestamp,
        from: &str,
    ) -> Result<(), StoreError> {
        use entity::Column;
        entity::Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(at.micros()))
            .col_expr(Column::LastUsedFrom, Expr::value(from))
            .filter(Column::Id.eq(id.as_str()))
            .filter(Column::LastUsedAt.is_null().or(Column::LastUsedAt.lt(at.micros())))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Removes a credential.
    pub async fn delete_credential(&self, id: &CredentialId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(credential: &Credential) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(credential.id.to_string()),
        application_id: Set(credential.application_id.to_string()),
        credential_type: Set(credential.credential_type().name().to_owned()),
        name: Set(credential.name.clone()),
        desc: Set(credential.desc.clone()),
        labels: Set(rows::to_json("credential labels", &credential.labels)?),
        label_index: Set(dialect::label_index(&credential.labels)),
        search_text: Set(dialect::search_text(
            &[&credential.name, &credential.desc],
            Some(&credential.labels),
        )),
        version_id: Set(credential.version.id.to_string()),
        secret: Set(rows::to_json("credential secret", &credential.version.secret)?),
        version_created_at: Set(credential.version.created_at.micros()),
        last_used_at: Set(credential.last_used_at.map(Timestamp::micros)),
        last_used_from: Set(credential.last_used_from.clone()),
        created_at: Set(credential.created_at.micros()),
        updated_at: Set(credential.updated_at.micros()),
    })
}

pub(crate) fn credential(row: entity::Model) -> Result<Credential, StoreError> {
    Ok(Credential {
        id: CredentialId::known(row.id),
        application_id: ApplicationId::known(row.application_id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("credential labels", &row.labels)?,
        version: CredentialVersion {
            id: CredentialVersionId::known(row.version_id),
            secret: rows::from_json("credential secret", &row.secret)?,
            created_at: Timestamp::from_micros(row.version_created_at),
        },
        last_used_at: row.last_used_at.map(Timestamp::from_micros),
        last_used_from: row.last_used_from,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
