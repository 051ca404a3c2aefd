//! Applications.

use forecourt_core::{
    applications::{Application, ApplicationFilter, ApplicationStatus},
    ids::{ApplicationId, DeveloperId, PortalId},
    lists::{List, TimeOrder},
    oauth_clients::RedirectUris,
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    prelude::Expr,
};

use crate::{Reader, StoreError, Tx, developers, dialect, rows, subscriptions};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "applications")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub developer_id: String,
        pub name: String,
        pub desc: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub status: String,
        pub status_reason: String,
        pub created_at: i64,
        pub updated_at: i64,
        pub callback_urls: String,
        pub attributes: String,
        pub last_used_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The application with this id.
    pub async fn application(&self, id: &ApplicationId) -> Result<Option<Application>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(application).transpose()
    }

    /// Every application of a developer, oldest first.
    pub async fn applications_of(&self, developer: &DeveloperId) -> Result<Vec<Application>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::DeveloperId.eq(developer.as_str()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(application)
            .collect()
    }

    /// The applications that `filter` wants.
    pub async fn applications(&self, filter: &ApplicationFilter) -> Result<List<Application>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        // A developer has one portal: an engine without statistics would go through all of the portal's applications.
        match (&filter.developer_id, &filter.portal_id) {
            (Some(developer), portal) => {
                select = select.filter(Column::DeveloperId.eq(developer.as_str()));
                if let Some(portal) = portal {
                    let of_portal = developers::entity::Entity::find_by_id(developer.as_str())
                        .filter(developers::entity::Column::PortalId.eq(portal.as_str()));
                    select = select.filter(Expr::exists(of_portal.into_query()));
                }
            }
            (None, Some(portal)) => select = select.filter(Column::PortalId.eq(portal.as_str())),
            (None, None) => {}
        }
        if let Some(status) = filter.status {
            select = select.filter(Column::Status.eq(status.name()));
        }
        if let Some(moment) = filter.inactive_since {
            let quiet = Column::LastUsedAt.is_null().or(Column::LastUsedAt.lt(moment.micros()));
            select = select.filter(Column::CreatedAt.lt(moment.micros())).filter(quiet);
        }
        if let Some(product) = &filter.subscribed_to {
            let subscribed = subscriptions::entity::Entity::find()
                .select_only()
                .column(subscriptions::entity::Column::ApplicationId)
                .filter(subscriptions::entity::Column::ProductId.eq(product.as_str()));
            select = select.filter(Column::Id.in_subquery(subscribed.into_query()));
        }
        let select = dialect::readable(
            rows::backend(&self.connection()),
            select,
            Column::DeveloperId,
            &filter.readable,
        );
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, application).await
    }
}

impl Tx {
    /// Adds an application.
    pub async fn insert_application(&self, application: &Application) -> Result<(), StoreError> {
        entity::Entity::insert(row(application)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed application.
    pub async fn save_application(&self, application: &Application) -> Result<(), StoreError> {
        entity::Entity::update(row(application)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Notes that an application called at `at`, unless it did so later too.
    pub async fn touch_application(&self, id: &ApplicationId, at: Timestamp) -> Result<(), StoreError> {
        use entity::Column;
        entity::Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(at.micros()))
            .filter(Column::Id.eq(id.as_str()))
            .filter(Column::LastUsedAt.is_null().or(Column::LastUsedAt.lt(at.micros())))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Removes an application with its credentials and subscriptions.
    pub async fn delete_application(&self, id: &ApplicationId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(application: &Application) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(application.id.to_string()),
        portal_id: Set(application.portal_id.to_string()),
        developer_id: Set(application.developer_id.to_string()),
        name: Set(application.name.clone()),
        desc: Set(application.desc.clone()),
        labels: Set(rows::to_json("application labels", &application.labels)?),
        label_index: Set(dialect::label_index(&application.labels)),
        search_text: Set(dialect::search_text(
            &[&application.name, &application.desc],
            Some(&application.labels),
        )),
        status: Set(application.status.name().to_owned()),
        status_reason: Set(application.status_reason.clone()),
        created_at: Set(application.created_at.micros()),
        updated_at: Set(application.updated_at.micros()),
        callback_urls: Set(rows::to_json("callback URLs", &application.callback_urls.as_slice())?),
        attributes: Set(rows::to_json("application attributes", &application.attributes)?),
        // Counted calls alone move it: [`Tx::touch_application`].
        last_used_at: NotSet,
    })
}

fn application(row: entity::Model) -> Result<Application, StoreError> {
    Ok(Application {
        id: ApplicationId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        developer_id: DeveloperId::known(row.developer_id),
        name: row.name,
        desc: row.desc,
        labels: rows::from_json("application labels", &row.labels)?,
        callback_urls: RedirectUris::known(rows::from_json("callback URLs", &row.callback_urls)?),
        attributes: rows::from_json("application attributes", &row.attributes)?,
        status: rows::known("application status", ApplicationStatus::from_name(&row.status))?,
        status_reason: row.status_reason,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
