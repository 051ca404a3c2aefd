//! Approvals: open questions and decided ones, kept for good.

use forecourt_core::{
    approvals::{
        Approval, ApprovalEvent, ApprovalFilter, ApprovalOrder, ApprovalResult, ApprovalStatus,
        ApprovalSubject, Decision, Operator,
    },
    ids::{ApprovalId, DeveloperId, PortalId, ProductId, SubscriptionId},
    lists::{List, Readable},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    prelude::Expr, sea_query::Func,
};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "approvals")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub event: String,
        pub status: String,
        pub result: Option<String>,
        pub subscription_id: Option<String>,
        pub product_id: Option<String>,
        pub developer_id: String,
        pub resource_name: String,
        pub applicant_id: String,
        pub applicant_name: String,
        pub operator_id: Option<String>,
        pub operator_name: Option<String>,
        pub metadata: Option<String>,
        pub reason: String,
        pub resource_search: String,
        pub operator_search: String,
        pub applicant_search: String,
        pub applied_at: i64,
        pub operated_at: Option<i64>,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The approval with this id.
    pub async fn approval(&self, id: &ApprovalId) -> Result<Option<Approval>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(approval).transpose()
    }

    /// The pending approval of a subscription, where there is one.
    pub async fn pending_approval_of(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<Option<Approval>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::SubscriptionId.eq(subscription.as_str()))
            .filter(entity::Column::Status.eq(ApprovalStatus::Pending.name()));
        select.one(&self.connection()).await?.map(approval).transpose()
    }

    /// The approval that a subscription waited for, or waits for; one that had to wait for none has none.
    pub async fn approval_of(&self, subscription: &SubscriptionId) -> Result<Option<Approval>, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::SubscriptionId.eq(subscription.as_str()));
        select.one(&self.connection()).await?.map(approval).transpose()
    }

    /// Every pending approval that a developer asked for, oldest first.
    pub async fn pending_approvals_by(&self, developer: &DeveloperId) -> Result<Vec<Approval>, StoreError> {
        let select = entity::Entity::find()
            .filter(entity::Column::DeveloperId.eq(developer.as_str()))
            .filter(entity::Column::Status.eq(ApprovalStatus::Pending.name()));
        select
            .order_by_asc(entity::Column::Id)
            .all(&self.connection())
            .await?
            .into_iter()
            .map(approval)
            .collect()
    }

    /// How many approvals wait, over all portals or in one.
    pub async fn pending_approval_count(&self, portal: Option<&PortalId>) -> Result<u64, StoreError> {
        let mut select =
            entity::Entity::find().filter(entity::Column::Status.eq(ApprovalStatus::Pending.name()));
        if let Some(portal) = portal {
            select = select.filter(entity::Column::PortalId.eq(portal.as_str()));
        }
        Ok(select.count(&self.connection()).await?)
    }

    /// The approvals that `filter` wants.
    pub async fn approvals(&self, filter: &ApprovalFilter) -> Result<List<Approval>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(portal) = &filter.portal_id {
            select = select.filter(Column::PortalId.eq(portal.as_str()));
        }
        if let Some(status) = filter.status {
            select = select.filter(Column::Status.eq(status.name()));
        }
        if let Some(result) = filter.result {
            select = select.filter(Column::Result.eq(result.name()));
        }
        if let Some(event) = filter.event {
            select = select.filter(Column::Event.eq(event.name()));
        }
        if filter.nothing {
            select = select.filter(Column::Id.is_null());
        }
        let select = select.filter(self.name_conditions(filter)).filter(self.readable(filter));
        let by = match filter.order.by {
            ApprovalOrder::AppliedAt => Expr::col(Column::AppliedAt),
            ApprovalOrder::ResourceName => Expr::col(Column::ResourceName),
            ApprovalOrder::OperatedAt => {
                Expr::expr(Func::coalesce([Expr::col(Column::OperatedAt), Expr::val(i64::MIN)]))
            }
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::AppliedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, approval).await
    }

    fn readable(&self, filter: &ApprovalFilter) -> Condition {
        use entity::Column;
        let backend = rows::backend(&self.connection());
        let mut all = Condition::all();
        if let Readable::Only(products) = &filter.readable_products {
            let known = dialect::is_one_of(backend, Column::ProductId, products);
            all = all.add(Condition::any().add(Column::ProductId.is_null()).add(known));
        }
        if let Readable::Only(developers) = &filter.readable_developers {
            let known = dialect::is_one_of(backend, Column::DeveloperId, developers);
            all = all.add(Condition::any().add(Column::ProductId.is_not_null()).add(known));
        }
        all
    }

    fn name_conditions(&self, filter: &ApprovalFilter) -> Condition {
        use entity::Column;
        let backend = rows::backend(&self.connection());
        let mut all = Condition::all();
        let single = [
            (&filter.resource_name, Column::ResourceSearch),
            (&filter.operator_name, Column::OperatorSearch),
            (&filter.applicant_name, Column::ApplicantSearch),
        ];
        for (needle, column) in single {
            if let Some(needle) = needle {
                all = all.add(dialect::contains(backend, column, &dialect::fold(needle)));
            }
        }
        if let Some(search) = &filter.search {
            let any = single.iter().fold(Condition::any(), |any, (_, column)| {
                any.add(dialect::contains(backend, *column, &dialect::fold(search)))
            });
            all = all.add(any);
        }
        all
    }
}

impl Tx {
    /// Adds an approval.
    pub async fn insert_approval(&self, approval: &Approval) -> Result<(), StoreError> {
        entity::Entity::insert(row(approval)).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed approval.
    pub async fn save_approval(&self, approval: &Approval) -> Result<(), StoreError> {
        entity::Entity::update(row(approval)).exec(&self.connection()).await?;
        Ok(())
    }

    /// Gives approvals about a product its new name.
    pub async fn rename_product_in_approvals(
        &self,
        product: &ProductId,
        name: &str,
    ) -> Result<(), StoreError> {
        entity::Entity::update_many()
            .col_expr(entity::Column::ResourceName, Expr::value(name))
            .col_expr(entity::Column::ResourceSearch, Expr::value(dialect::fold(name)))
            .filter(entity::Column::ProductId.eq(product.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }
}

fn row(approval: &Approval) -> entity::ActiveModel {
    let (subscription, product) = match &approval.subject {
        ApprovalSubject::Subscription { subscription_id, product_id } => {
            (Some(subscription_id.to_string()), Some(product_id.to_string()))
        }
        ApprovalSubject::Registration => (None, None),
    };
    let operator = approval.decision.as_ref().map(|decision| &decision.operator);
    let operator_name = operator.map(|operator| operator.name.clone());
    entity::ActiveModel {
        id: Set(approval.id.to_string()),
        portal_id: Set(approval.portal_id.to_string()),
        event: Set(approval.event().name().to_owned()),
        status: Set(approval.status().name().to_owned()),
        result: Set(approval.decision.as_ref().map(|decision| decision.result.name().to_owned())),
        subscription_id: Set(subscription),
        product_id: Set(product),
        developer_id: Set(approval.developer_id.to_string()),
        resource_name: Set(approval.resource_name.clone()),
        applicant_id: Set(approval.applicant_id.clone()),
        applicant_name: Set(approval.applicant_name.clone()),
        operator_id: Set(operator.map(|operator| operator.id.clone())),
        metadata: Set(operator.and_then(|operator| operator.metadata.clone())),
        reason: Set(approval.decision.as_ref().map(|decision| decision.reason.clone()).unwrap_or_default()),
        resource_search: Set(dialect::fold(&approval.resource_name)),
        operator_search: Set(dialect::fold(operator_name.as_deref().unwrap_or_default())),
        applicant_search: Set(dialect::fold(&approval.applicant_name)),
        operator_name: Set(operator_name),
        applied_at: Set(approval.applied_at.micros()),
        operated_at: Set(approval.decision.as_ref().map(|decision| decision.at.micros())),
        updated_at: Set(approval.updated_at.micros()),
    }
}

fn approval(row: entity::Model) -> Result<Approval, StoreError> {
    let subject = match rows::known("approval event", ApprovalEvent::from_name(&row.event))? {
        ApprovalEvent::DeveloperRegistration => ApprovalSubject::Registration,
        ApprovalEvent::ProductSubscription => ApprovalSubject::Subscription {
            subscription_id: SubscriptionId::known(rows::known(
                "approval subscription",
                row.subscription_id,
            )?),
            product_id: ProductId::known(rows::known("approval product", row.product_id)?),
        },
    };
    let decision = match (row.result, row.operated_at) {
        (Some(result), Some(at)) => Some(Decision {
            result: rows::known("approval result", ApprovalResult::from_name(&result))?,
            operator: Operator {
                id: row.operator_id.unwrap_or_default(),
                name: row.operator_name.unwrap_or_default(),
                metadata: row.metadata,
            },
            reason: row.reason,
            at: Timestamp::from_micros(at),
        }),
        _ => None,
    };
    Ok(Approval {
        id: ApprovalId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        subject,
        resource_name: row.resource_name,
        developer_id: DeveloperId::known(row.developer_id),
        applicant_id: row.applicant_id,
        applicant_name: row.applicant_name,
        applied_at: Timestamp::from_micros(row.applied_at),
        decision,
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
