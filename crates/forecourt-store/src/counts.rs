//! What a page of rows says beside each row: how many things hang on it, and what its owner is called.
//!
//! Each is one query for the whole page, so a list costs the same whether it shows one row or a hundred.

use std::collections::HashMap;

use forecourt_core::{
    ids::{ApplicationId, DeveloperId, GatewayGroupId, PortalId, ProductId, ServiceId},
    products::{ProductStatus, ProductType},
    time::Timestamp,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use crate::{
    Reader, StoreError, applications, developers, portal_tokens, products, rows, services, subscriptions,
};

/// The product that a service belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceOwner {
    /// The product.
    pub product_id: ProductId,
    /// Its name.
    pub product_name: String,
    /// Its portal.
    pub portal_id: PortalId,
}

/// Something of a portal that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOfPortal {
    /// Its id as text.
    pub id: String,
    /// Its portal.
    pub portal_id: PortalId,
    /// Its name.
    pub name: String,
}

impl From<(String, String, String)> for NamedOfPortal {
    fn from((id, portal, name): (String, String, String)) -> Self {
        Self { id, portal_id: PortalId::known(portal), name }
    }
}

impl Reader {
    /// Subscriptions, waiting ones included, of each of `products` that has any.
    pub async fn subscription_counts_of_products(
        &self,
        products: &[ProductId],
    ) -> Result<HashMap<ProductId, u64>, StoreError> {
        let ids = products.iter().map(ToString::to_string).collect();
        let column = subscriptions::entity::Column::ProductId;
        Ok(known(self.counts::<subscriptions::entity::Entity>(column, ids).await?, ProductId::known))
    }

    /// Subscriptions, waiting ones included, of each of `applications` that has any.
    pub async fn subscription_counts_of_applications(
        &self,
        applications: &[ApplicationId],
    ) -> Result<HashMap<ApplicationId, u64>, StoreError> {
        let ids = applications.iter().map(ToString::to_string).collect();
        let column = subscriptions::entity::Column::ApplicationId;
        Ok(known(self.counts::<subscriptions::entity::Entity>(column, ids).await?, ApplicationId::known))
    }

    /// Applications of each of `developers` that has any.
    pub async fn application_counts_of_developers(
        &self,
        developers: &[DeveloperId],
    ) -> Result<HashMap<DeveloperId, u64>, StoreError> {
        let ids = developers.iter().map(ToString::to_string).collect();
        let column = applications::entity::Column::DeveloperId;
        Ok(known(self.counts::<applications::entity::Entity>(column, ids).await?, DeveloperId::known))
    }

    /// Services of each of `groups` that has any.
    pub async fn service_counts_of_groups(
        &self,
        groups: &[GatewayGroupId],
    ) -> Result<HashMap<GatewayGroupId, u64>, StoreError> {
        let ids = groups.iter().map(ToString::to_string).collect();
        let column = services::entity::Column::GatewayGroupId;
        Ok(known(self.counts::<services::entity::Entity>(column, ids).await?, GatewayGroupId::known))
    }

    /// What people call each of `ids`.
    pub async fn developer_names(
        &self,
        ids: &[DeveloperId],
    ) -> Result<HashMap<DeveloperId, String>, StoreError> {
        use developers::entity::{Column, Entity};
        let mut names = HashMap::new();
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        for ids in ids.chunks(rows::CHUNK) {
            let select = Entity::find().select_only().columns([Column::Id, Column::DisplayName]);
            let rows: Vec<(String, String)> =
                select.filter(Column::Id.is_in(ids.to_vec())).into_tuple().all(&self.connection()).await?;
            names.extend(rows.into_iter().map(|(id, name)| (DeveloperId::known(id), name)));
        }
        Ok(names)
    }

    /// The product of each of `services` that belongs to one.
    pub async fn owners_of_services(
        &self,
        services: &[ServiceId],
    ) -> Result<HashMap<ServiceId, ServiceOwner>, StoreError> {
        use products::{entity, links};
        let mut owners = HashMap::new();
        let ids: Vec<String> = services.iter().map(ToString::to_string).collect();
        for ids in ids.chunks(rows::CHUNK) {
            let product = links::Entity::belongs_to(entity::Entity)
                .from(links::Column::ProductId)
                .to(entity::Column::Id)
                .into();
            let rows: Vec<(String, String, String, String)> = links::Entity::find()
                .select_only()
                .columns([links::Column::ServiceId, links::Column::ProductId])
                .columns([entity::Column::Name, entity::Column::PortalId])
                .join(sea_orm::JoinType::InnerJoin, product)
                .filter(links::Column::ServiceId.is_in(ids.to_vec()))
                .into_tuple()
                .all(&self.connection())
                .await?;
            owners.extend(rows.into_iter().map(|(service, product, product_name, portal)| {
                let portal_id = PortalId::known(portal);
                let owner = ServiceOwner { product_id: ProductId::known(product), product_name, portal_id };
                (ServiceId::known(service), owner)
            }));
        }
        Ok(owners)
    }

    /// Up to `most` published gateway products without a service, which no call can reach.
    pub async fn products_without_services(&self, most: u64) -> Result<Vec<NamedOfPortal>, StoreError> {
        use products::{entity, links};
        let linked = links::Entity::find().select_only().column(links::Column::ProductId).into_query();
        let rows: Vec<(String, String, String)> = entity::Entity::find()
            .select_only()
            .columns([entity::Column::Id, entity::Column::PortalId, entity::Column::Name])
            .filter(entity::Column::Status.eq(ProductStatus::Published.name()))
            .filter(entity::Column::ProductType.eq(ProductType::Gateway.name()))
            .filter(entity::Column::Id.not_in_subquery(linked))
            .order_by_asc(entity::Column::Id)
            .limit(most)
            .into_tuple()
            .all(&self.connection())
            .await?;
        Ok(rows.into_iter().map(NamedOfPortal::from).collect())
    }

    /// Up to `most` portal tokens that end before `before`, the earliest end first, with that end.
    pub async fn portal_tokens_ending(
        &self,
        before: Timestamp,
        most: u64,
    ) -> Result<Vec<(NamedOfPortal, Timestamp)>, StoreError> {
        use portal_tokens::entity::{Column, Entity};
        let rows: Vec<(String, String, String, i64)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::PortalId, Column::Name, Column::ExpiresAt])
            .filter(Column::ExpiresAt.lt(before.micros()))
            .order_by_asc(Column::ExpiresAt)
            .limit(most)
            .into_tuple()
            .all(&self.connection())
            .await?;
        let named =
            |(id, portal, name, end)| (NamedOfPortal::from((id, portal, name)), Timestamp::from_micros(end));
        Ok(rows.into_iter().map(named).collect())
    }

    async fn counts<E: EntityTrait>(
        &self,
        owner: E::Column,
        ids: Vec<String>,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let mut counts = Vec::new();
        for ids in ids.chunks(rows::CHUNK) {
            let select = E::find().select_only().column(owner).column_as(owner.count(), "counted");
            let rows = select.filter(owner.is_in(ids.to_vec())).group_by(owner).into_tuple();
            counts.extend(rows.all(&self.connection()).await?);
        }
        Ok(counts)
    }
}

fn known<Id: std::hash::Hash + Eq>(
    counts: Vec<(String, i64)>,
    id: impl Fn(String) -> Id,
) -> HashMap<Id, u64> {
    counts.into_iter().map(|(own, count)| (id(own), u64::try_from(count).unwrap_or(0))).collect()
}
