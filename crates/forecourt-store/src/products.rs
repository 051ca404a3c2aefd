//! API products and their links to services. Lists with subscription state stand in [`queries`].

mod queries;

use std::collections::HashMap;

use forecourt_core::{
    ids::{GatewayGroupId, PortalId, ProductId, ServiceId},
    notifications::NotificationRule,
    openapi::Document,
    plans::Plan,
    products::{
        ExternalOffer, GatewayOffer, LinkedService, Offer, Product, ProductStatus, ProductType, Visibility,
    },
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{Reader, StoreError, Tx, dialect, rows};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "products")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub portal_id: String,
        pub name: String,
        pub desc: String,
        pub logo: String,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub status: String,
        pub visibility: String,
        pub product_type: String,
        pub auth: String,
        pub subscription_auto_approval: bool,
        pub can_view_unsubscribed: bool,
        pub document: String,
        pub document_operations: i64,
        pub server_urls: String,
        pub server_url: Option<String>,
        pub tags: String,
        pub api_desc: String,
        pub notifications: String,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::links::Entity")]
        Links,
    }

    impl Related<super::links::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Links.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod links {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_services")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub service_id: String,
        pub product_id: String,
        pub gateway_group_id: String,
        pub position: i64,
        pub linked_hosts: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::entity::Entity",
            from = "Column::ProductId",
            to = "super::entity::Column::Id"
        )]
        Product,
    }

    impl Related<super::entity::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Product.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The product with this id.
    pub async fn product(&self, id: &ProductId) -> Result<Option<Product>, StoreError> {
        let Some(row) = entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await? else {
            return Ok(None);
        };
        Ok(self.with_links(vec![row]).await?.pop())
    }

    /// The notification rules of all products of a portal.
    pub async fn notification_rules(&self, portal: &PortalId) -> Result<Vec<NotificationRule>, StoreError> {
        let select = entity::Entity::find()
            .select_only()
            .column(entity::Column::Notifications)
            .filter(entity::Column::PortalId.eq(portal.as_str()))
            .filter(entity::Column::Notifications.ne("[]"))
            .order_by_asc(entity::Column::Id);
        let mut rules = Vec::new();
        for text in select.into_tuple::<String>().all(&self.connection()).await? {
            let own: Vec<NotificationRule> = rows::from_json("product notifications", &text)?;
            rules.extend(own);
        }
        Ok(rules)
    }

    /// The product that has this service, draft or published.
    pub async fn product_of_service(&self, service: &ServiceId) -> Result<Option<Product>, StoreError> {
        match links::Entity::find_by_id(service.as_str()).one(&self.connection()).await? {
            Some(link) => self.product(&ProductId::known(link.product_id)).await,
            None => Ok(None),
        }
    }

    /// The first linked service of a gateway group, where one is linked, with its product.
    pub async fn linked_service_of_group(
        &self,
        group: &GatewayGroupId,
    ) -> Result<Option<(ServiceId, Product)>, StoreError> {
        let select = links::Entity::find().filter(links::Column::GatewayGroupId.eq(group.as_str()));
        let Some(link) = select.order_by_asc(links::Column::ServiceId).one(&self.connection()).await? else {
            return Ok(None);
        };
        let product = self.product(&ProductId::known(link.product_id)).await?;
        Ok(product.map(|product| (ServiceId::known(link.service_id), product)))
    }

    /// A linked service of a gateway group whose product asks for credentials, where there is one.
    pub async fn protected_service_of_group(
        &self,
        group: &GatewayGroupId,
    ) -> Result<Option<(ServiceId, Product)>, StoreError> {
        let select = links::Entity::find().filter(links::Column::GatewayGroupId.eq(group.as_str()));
        let links = select.order_by_asc(links::Column::ServiceId).all(&self.connection()).await?;
        for link in links {
            let product = self.product(&ProductId::known(link.product_id)).await?;
            let asks =
                |product: &Product| product.gateway_offer().is_some_and(|offer| !offer.auth.is_empty());
            if let Some(product) = product.filter(asks) {
                return Ok(Some((ServiceId::known(link.service_id), product)));
            }
        }
        Ok(None)
    }

    async fn with_links(&self, models: Vec<entity::Model>) -> Result<Vec<Product>, StoreError> {
        let mut linked: HashMap<String, (Vec<LinkedService>, Vec<Plan>)> = HashMap::new();
        let gateway = ProductType::Gateway.name();
        let ids: Vec<_> =
            models.iter().filter(|row| row.product_type == gateway).map(|row| row.id.clone()).collect();
        for ids in ids.chunks(rows::CHUNK) {
            let select = links::Entity::find().filter(links::Column::ProductId.is_in(ids.to_vec()));
            for link in select.order_by_asc(links::Column::Position).all(&self.connection()).await? {
                linked.entry(link.product_id).or_default().0.push(LinkedService {
                    gateway_group_id: GatewayGroupId::known(link.gateway_group_id),
                    service_id: ServiceId::known(link.service_id),
                    linked_hosts: rows::from_json("linked hosts", &link.linked_hosts)?,
                });
            }
            for plan in self.plans_of(ids.to_vec()).await? {
                linked.entry(plan.product_id.to_string()).or_default().1.push(plan);
            }
        }
        models
            .into_iter()
            .map(|row| {
                let (links, plans) = linked.remove(&row.id).unwrap_or_default();
                product(row, links, plans)
            })
            .collect()
    }
}

impl Tx {
    /// Adds a product with its links; its plans have writes of their own.
    pub async fn insert_product(&self, product: &Product) -> Result<(), StoreError> {
        entity::Entity::insert(row(product)?).exec_without_returning(&self.connection()).await?;
        self.write_notified(&product.id, &product.notifications).await?;
        self.write_links(product).await
    }

    /// Stores a changed product with its links.
    pub async fn save_product(&self, product: &Product) -> Result<(), StoreError> {
        entity::Entity::update(row(product)?).exec(&self.connection()).await?;
        self.write_notified(&product.id, &product.notifications).await?;
        let old = links::Entity::delete_many().filter(links::Column::ProductId.eq(product.id.as_str()));
        old.exec(&self.connection()).await?;
        self.write_links(product).await
    }

    /// Removes a product with its links, plans and subscriptions.
    pub async fn delete_product(&self, id: &ProductId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }

    async fn write_links(&self, product: &Product) -> Result<(), StoreError> {
        let services = product.gateway_offer().map(|offer| offer.services.as_slice()).unwrap_or_default();
        for (position, link) in (0..).zip(services) {
            let row = links::ActiveModel {
                service_id: Set(link.service_id.to_string()),
                product_id: Set(product.id.to_string()),
                gateway_group_id: Set(link.gateway_group_id.to_string()),
                position: Set(position),
                linked_hosts: Set(rows::to_json("linked hosts", &link.linked_hosts)?),
            };
            links::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        }
        Ok(())
    }
}

fn row(product: &Product) -> Result<entity::ActiveModel, StoreError> {
    let gateway = product.gateway_offer();
    let none = ExternalOffer::default();
    let external = match &product.offer {
        Offer::External(offer) => offer,
        Offer::Gateway(_) => &none,
    };
    let operations =
        Document::read("document", &external.document).map_or(0, |document| document.operation_count());
    let auth = gateway.map(|offer| offer.auth.clone()).unwrap_or_default();
    Ok(entity::ActiveModel {
        id: Set(product.id.to_string()),
        portal_id: Set(product.portal_id.to_string()),
        name: Set(product.name.clone()),
        desc: Set(product.desc.clone()),
        logo: Set(product.logo.clone()),
        labels: Set(rows::to_json("product labels", &product.labels)?),
        label_index: Set(dialect::label_index(&product.labels)),
        search_text: Set(dialect::search_text(&[&product.name, &product.desc], Some(&product.labels))),
        status: Set(product.status.name().to_owned()),
        visibility: Set(product.visibility.name().to_owned()),
        product_type: Set(product.product_type().name().to_owned()),
        auth: Set(rows::to_json("product auth", &auth)?),
        subscription_auto_approval: Set(gateway.is_some_and(|offer| offer.subscription_auto_approval)),
        can_view_unsubscribed: Set(gateway.is_none_or(|offer| offer.can_view_unsubscribed)),
        document: Set(external.document.clone()),
        document_operations: Set(i64::try_from(operations).unwrap_or(i64::MAX)),
        server_urls: Set(rows::to_json("product servers", &external.server_urls)?),
        server_url: Set(external.server_url.clone()),
        tags: Set(rows::to_json("product tags", &external.tags)?),
        api_desc: Set(external.api_desc.clone()),
        notifications: Set(rows::to_json("product notifications", &product.notifications)?),
        created_at: Set(product.created_at.micros()),
        updated_at: Set(product.updated_at.micros()),
    })
}

fn product(
    row: entity::Model,
    services: Vec<LinkedService>,
    plans: Vec<Plan>,
) -> Result<Product, StoreError> {
    let offer = match rows::known("product type", ProductType::from_name(&row.product_type))? {
        ProductType::Gateway => Offer::Gateway(GatewayOffer {
            auth: rows::from_json("product auth", &row.auth)?,
            subscription_auto_approval: row.subscription_auto_approval,
            can_view_unsubscribed: row.can_view_unsubscribed,
            services,
            plans,
        }),
        ProductType::External => Offer::External(ExternalOffer {
            document: row.document,
            server_urls: rows::from_json("product servers", &row.server_urls)?,
            server_url: row.server_url,
            tags: rows::from_json("product tags", &row.tags)?,
            api_desc: row.api_desc,
        }),
    };
    Ok(Product {
        id: ProductId::known(row.id),
        portal_id: PortalId::known(row.portal_id),
        name: row.name,
        desc: row.desc,
        logo: row.logo,
        labels: rows::from_json("product labels", &row.labels)?,
        status: rows::known("product status", ProductStatus::from_name(&row.status))?,
        visibility: rows::known("product visibility", Visibility::from_name(&row.visibility))?,
        offer,
        notifications: rows::from_json("product notifications", &row.notifications)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
