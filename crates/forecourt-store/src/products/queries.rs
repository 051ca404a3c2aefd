//! Lists of products: filters, what a subscriber has, counts of operations, documents.

use std::collections::HashMap;

use forecourt_core::{
    ids::{DcrProviderId, PortalId, ProductId},
    lists::{List, TimeOrder},
    products::{Offer, Product, ProductFilter, Subscriber, SubscriptionState},
    subscriptions::SubscriptionStatus,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select, sea_query::SelectStatement,
};

use super::entity::{Column, Entity};
use crate::{Reader, StoreError, dialect, rows, services, subscriptions};

impl Reader {
    /// The products that `filter` wants.
    pub async fn products(&self, filter: &ProductFilter) -> Result<List<Product>, StoreError> {
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        if let Some(portal) = &filter.portal_id {
            select = select.filter(Column::PortalId.eq(portal.as_str()));
        }
        if let Some(status) = filter.status {
            select = select.filter(Column::Status.eq(status.name()));
        }
        if let Some(product_type) = filter.product_type {
            select = select.filter(Column::ProductType.eq(product_type.name()));
        }
        if let Some(visibility) = filter.visibility {
            select = select.filter(Column::Visibility.eq(visibility.name()));
        }
        if let (Some(state), Some(subscriber)) = (filter.subscription, &filter.subscriber) {
            select = in_state(select, state, subscriber);
        }
        let select =
            dialect::readable(rows::backend(&self.connection()), select, Column::Id, &filter.readable);
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        let found = rows::page(self.connection(), select, filter.paging, Ok).await?;
        Ok(List { total: found.total, rows: self.with_links(found.rows).await? })
    }

    /// The products that accept tokens of this DCR provider, drafts included, the oldest first.
    pub async fn products_with_dcr(&self, provider: &DcrProviderId) -> Result<Vec<Product>, StoreError> {
        let backend = rows::backend(&self.connection());
        // The text that `ProductAuth` is stored as; an id holds nothing that JSON escapes.
        let method = format!("\"dcr\":\"{provider}\"");
        let select = Entity::find().filter(dialect::contains(backend, Column::Auth, &method));
        self.with_links(select.order_by_asc(Column::Id).all(&self.connection()).await?).await
    }

    /// How many products a portal has, drafts included.
    pub async fn product_count(&self, portal: &PortalId) -> Result<u64, StoreError> {
        Ok(Entity::find().filter(Column::PortalId.eq(portal.as_str())).count(&self.connection()).await?)
    }

    /// What `subscriber` has to each of `products`; those without a record are missing.
    pub async fn subscription_states(
        &self,
        subscriber: &Subscriber,
        products: &[ProductId],
    ) -> Result<HashMap<ProductId, SubscriptionState>, StoreError> {
        let mut states = HashMap::new();
        if *subscriber == Subscriber::Nobody {
            return Ok(states);
        }
        for ids in products.chunks(rows::CHUNK) {
            let ids = ids.iter().map(ProductId::as_str);
            let found: Vec<(String, String)> = subscriptions_of(subscriber, None)
                .filter(subscriptions::entity::Column::ProductId.is_in(ids))
                .column(subscriptions::entity::Column::Status)
                .into_tuple()
                .all(&self.connection())
                .await?;
            for (product, status) in found {
                let status = rows::known("subscription status", SubscriptionStatus::from_name(&status))?;
                let state = match status {
                    SubscriptionStatus::Subscribed => SubscriptionState::Subscribed,
                    SubscriptionStatus::WaitForApproval => SubscriptionState::WaitForApproval,
                };
                let best = states.entry(ProductId::known(product)).or_insert(state);
                *best = (*best).max(state);
            }
        }
        Ok(states)
    }

    /// How many operations each of `products` describes, over all its documents.
    pub async fn operation_counts(
        &self,
        products: &[Product],
    ) -> Result<HashMap<ProductId, u64>, StoreError> {
        let mut counts = HashMap::new();
        let ids: Vec<_> = products.iter().map(|product| product.id.to_string()).collect();
        for ids in ids.chunks(rows::CHUNK) {
            let external: Vec<(String, i64)> = Entity::find()
                .select_only()
                .columns([Column::Id, Column::DocumentOperations])
                .filter(Column::Id.is_in(ids.to_vec()))
                .into_tuple()
                .all(&self.connection())
                .await?;
            let linked: Vec<(String, i64)> = super::links::Entity::find()
                .select_only()
                .column(super::links::Column::ProductId)
                .column(services::documents::Column::OperationCount)
                .join(sea_orm::JoinType::InnerJoin, document_of_link())
                .filter(super::links::Column::ProductId.is_in(ids.to_vec()))
                .into_tuple()
                .all(&self.connection())
                .await?;
            for (product, operations) in external.into_iter().chain(linked) {
                *counts.entry(ProductId::known(product)).or_default() +=
                    u64::try_from(operations).unwrap_or(0);
            }
        }
        Ok(counts)
    }

    /// A product's OpenAPI texts, byte for byte: one per linked service that has one, or the external one.
    pub async fn product_documents(&self, product: &Product) -> Result<Vec<String>, StoreError> {
        match &product.offer {
            Offer::External(offer) => Ok(vec![offer.document.clone()]),
            Offer::Gateway(offer) => {
                let mut texts = Vec::new();
                for link in &offer.services {
                    texts.extend(self.service_document(&link.service_id).await?);
                }
                Ok(texts)
            }
        }
    }
}

fn document_of_link() -> sea_orm::RelationDef {
    super::links::Entity::belongs_to(services::documents::Entity)
        .from(super::links::Column::ServiceId)
        .to(services::documents::Column::ServiceId)
        .into()
}

fn in_state(select: Select<Entity>, state: SubscriptionState, subscriber: &Subscriber) -> Select<Entity> {
    let ids = |status| -> SelectStatement { subscriptions_of(subscriber, status).into_query() };
    let subscribed = || ids(Some(SubscriptionStatus::Subscribed));
    if *subscriber == Subscriber::Nobody {
        let everything = state == SubscriptionState::Unsubscribed;
        return if everything { select } else { select.filter(Column::Id.is_null()) };
    }
    select.filter(match state {
        SubscriptionState::Unsubscribed => Condition::all().add(Column::Id.not_in_subquery(ids(None))),
        SubscriptionState::Subscribed => Condition::all().add(Column::Id.in_subquery(subscribed())),
        SubscriptionState::WaitForApproval => Condition::all()
            .add(Column::Id.in_subquery(ids(Some(SubscriptionStatus::WaitForApproval))))
            .add(Column::Id.not_in_subquery(subscribed())),
    })
}

/// The ids of products that `subscriber` has a record of, in `status` where one is given.
fn subscriptions_of(
    subscriber: &Subscriber,
    status: Option<SubscriptionStatus>,
) -> Select<subscriptions::entity::Entity> {
    use subscriptions::entity::{Column, Entity};
    let mut select = Entity::find().select_only().column(Column::ProductId);
    match subscriber {
        Subscriber::Developer(developer) => {
            select = select.filter(subscriptions::is_of_developer(developer.as_str()));
        }
        Subscriber::Application(developer, application) => {
            select = select
                .filter(subscriptions::is_of_developer(developer.as_str()))
                .filter(Column::ApplicationId.eq(application.as_str()));
        }
        Subscriber::Nobody => select = select.filter(Column::ProductId.is_null()),
    }
    if let Some(status) = status {
        select = select.filter(Column::Status.eq(status.name()));
    }
    select
}
