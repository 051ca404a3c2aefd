//! Contact points, and which products notify them.

use forecourt_core::{
    contact_points::{ContactPoint, ContactPointFilter, ContactTarget, ContactType},
    ids::{ContactPointId, ProductId},
    lists::{List, TimeOrder},
    notifications::NotificationRule,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{Reader, StoreError, Tx, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "contact_points")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub search_text: String,
        pub contact_type: String,
        pub addresses: String,
        pub url: String,
        pub signing: Option<String>,
        pub gone_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod uses {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_contact_points")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub product_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub contact_point_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const SIGNING: &str = "signing secrets of a contact point";

impl Reader {
    /// The contact point with this id.
    pub async fn contact_point(&self, id: &ContactPointId) -> Result<Option<ContactPoint>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(contact_point).transpose()
    }

    /// The contact points that `filter` wants.
    pub async fn contact_points(
        &self,
        filter: &ContactPointFilter,
    ) -> Result<List<ContactPoint>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(search) = &filter.search {
            let backend = rows::backend(&self.connection());
            select = select.filter(dialect::contains(backend, Column::SearchText, &dialect::fold(search)));
        }
        if let Some(contact_type) = filter.contact_type {
            select = select.filter(Column::ContactType.eq(contact_type.name()));
        }
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, contact_point).await
    }

    /// The products that notify this contact point, by id.
    pub async fn products_notifying(&self, id: &ContactPointId) -> Result<Vec<ProductId>, StoreError> {
        let select = uses::Entity::find().filter(uses::Column::ContactPointId.eq(id.as_str()));
        let found = select.order_by_asc(uses::Column::ProductId).all(&self.connection()).await?;
        Ok(found.into_iter().map(|row| ProductId::known(row.product_id)).collect())
    }
}

impl Tx {
    /// Adds a contact point.
    pub async fn insert_contact_point(&self, contact_point: &ContactPoint) -> Result<(), StoreError> {
        entity::Entity::insert(row(contact_point)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed contact point.
    pub async fn save_contact_point(&self, contact_point: &ContactPoint) -> Result<(), StoreError> {
        entity::Entity::update(row(contact_point)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a contact point, which no product may notify.
    pub async fn delete_contact_point(&self, id: &ContactPointId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }

    /// Notes whom the rules of a product name, instead of whom they named before.
    pub(crate) async fn write_notified(
        &self,
        product: &ProductId,
        rules: &[NotificationRule],
    ) -> Result<(), StoreError> {
        let old = uses::Entity::delete_many().filter(uses::Column::ProductId.eq(product.as_str()));
        old.exec(&self.connection()).await?;
        let mut named: Vec<_> = rules.iter().flat_map(|rule| &rule.contact_point_ids).collect();
        named.sort();
        named.dedup();
        for id in named {
            let row = uses::ActiveModel {
                product_id: Set(product.to_string()),
                contact_point_id: Set(id.to_string()),
            };
            uses::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        }
        Ok(())
    }
}

fn row(contact_point: &ContactPoint) -> Result<entity::ActiveModel, StoreError> {
    let (addresses, url) = match &contact_point.target {
        ContactTarget::Email(addresses) => (addresses.as_slice(), String::new()),
        ContactTarget::Webhook(url) => (&[][..], url.clone()),
    };
    Ok(entity::ActiveModel {
        id: Set(contact_point.id.to_string()),
        name: Set(contact_point.name.clone()),
        search_text: Set(dialect::search_text(&[&contact_point.name], None)),
        contact_type: Set(contact_point.contact_type().name().to_owned()),
        addresses: Set(rows::to_json("addresses of a contact point", &addresses)?),
        url: Set(url),
        signing: Set(contact_point
            .signing
            .as_ref()
            .map(|secrets| rows::to_json(SIGNING, secrets))
            .transpose()?),
        gone_at: Set(contact_point.gone_at.map(Timestamp::micros)),
        created_at: Set(contact_point.created_at.micros()),
        updated_at: Set(contact_point.updated_at.micros()),
    })
}

fn contact_point(row: entity::Model) -> Result<ContactPoint, StoreError> {
    let target = match rows::known("contact point type", ContactType::from_name(&row.contact_type))? {
        ContactType::Email => {
            ContactTarget::Email(rows::from_json("addresses of a contact point", &row.addresses)?)
        }
        ContactType::Webhook => ContactTarget::Webhook(row.url),
    };
    Ok(ContactPoint {
        id: ContactPointId::known(row.id),
        name: row.name,
        target,
        signing: row.signing.as_deref().map(|text| rows::from_json(SIGNING, text)).transpose()?,
        gone_at: row.gone_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
