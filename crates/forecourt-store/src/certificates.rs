//! Certificates of gateway groups. Their keys are sealed before they come here.

use forecourt_core::{
    certificates::{Certificate, CertificateFilter, CertificateType},
    ids::{CertificateId, GatewayGroupId},
    lists::{List, TimeOrder},
    services::Service,
    time::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use crate::{Reader, StoreError, Tx, dialect, rows, services};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificates")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub gateway_group_id: String,
        pub certificate_type: String,
        pub enabled: bool,
        pub snis: String,
        pub pairs: String,
        pub client_ca: Option<String>,
        pub client_depth: Option<i64>,
        pub labels: String,
        pub label_index: String,
        pub search_text: String,
        pub extra: String,
        pub not_before: i64,
        pub not_after: i64,
        pub created_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// The certificate with this id.
    pub async fn certificate(&self, id: &CertificateId) -> Result<Option<Certificate>, StoreError> {
        entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?.map(certificate).transpose()
    }

    /// The certificates that `filter` wants.
    pub async fn certificates(&self, filter: &CertificateFilter) -> Result<List<Certificate>, StoreError> {
        use entity::{Column, Entity};
        let backend = rows::backend(&self.connection());
        let mut select =
            dialect::matching(backend, Entity::find(), &filter.text, Column::SearchText, Column::LabelIndex);
        if let Some(group) = &filter.gateway_group_id {
            select = select.filter(Column::GatewayGroupId.eq(group.as_str()));
        }
        let by = match filter.order.by {
            TimeOrder::UpdatedAt => Column::UpdatedAt,
            TimeOrder::CreatedAt => Column::CreatedAt,
        };
        let select = rows::sorted(select, filter.order.direction, by, Column::CreatedAt, Column::Id);
        rows::page(self.connection(), select, filter.paging, certificate).await
    }

    /// The ids of every certificate of a group, ascending.
    pub async fn certificates_of_group(
        &self,
        group: &GatewayGroupId,
    ) -> Result<Vec<CertificateId>, StoreError> {
        let select = entity::Entity::find().select_only().column(entity::Column::Id);
        let select = select.filter(entity::Column::GatewayGroupId.eq(group.as_str()));
        let ids: Vec<String> =
            select.order_by_asc(entity::Column::Id).into_tuple().all(&self.connection()).await?;
        Ok(ids.into_iter().map(CertificateId::known).collect())
    }

    /// The name of a service whose upstream shows this certificate to its nodes (`tls.client_cert_id`).
    pub async fn service_showing_certificate(
        &self,
        certificate: &Certificate,
    ) -> Result<Option<String>, StoreError> {
        let services = self.services_showing_certificate(certificate).await?;
        Ok(services.into_iter().next().map(|service| service.name))
    }

    /// The services with an upstream that shows this certificate to its nodes, oldest first.
    pub async fn services_showing_certificate(
        &self,
        certificate: &Certificate,
    ) -> Result<Vec<Service>, StoreError> {
        use services::entity::{Column, Entity};
        let id = certificate.id.as_str();
        let backend = rows::backend(&self.connection());
        let select = Entity::find()
            .filter(Column::GatewayGroupId.eq(certificate.gateway_group_id.as_str()))
            .filter(dialect::contains(backend, Column::Upstream, id).or(dialect::contains(
                backend,
                Column::Upstreams,
                id,
            )));
        let mut showing = Vec::new();
        for row in select.order_by_asc(Column::Id).all(&self.connection()).await? {
            let default = row.upstream.as_deref().unwrap_or("null");
            let default: Value = rows::from_json("service upstream", default)?;
            let further: Value = rows::from_json("service upstreams", &row.upstreams)?;
            if names_certificate(&default, id) || names_certificate(&further, id) {
                showing.push(services::service(row)?);
            }
        }
        Ok(showing)
    }
}

/// Whether `tls.client_cert_id` anywhere in `value` is `id`.
fn names_certificate(value: &Value, id: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let shown = value.get("client_cert_id").and_then(Value::as_str);
            name == "tls" && shown == Some(id) || names_certificate(value, id)
        }),
        Value::Array(items) => items.iter().any(|item| names_certificate(item, id)),
        _ => false,
    }
}

impl Tx {
    /// Adds a certificate.
    pub async fn insert_certificate(&self, certificate: &Certificate) -> Result<(), StoreError> {
        entity::Entity::insert(row(certificate)?).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Stores a changed certificate.
    pub async fn save_certificate(&self, certificate: &Certificate) -> Result<(), StoreError> {
        entity::Entity::update(row(certificate)?).exec(&self.connection()).await?;
        Ok(())
    }

    /// Removes a certificate.
    pub async fn delete_certificate(&self, id: &CertificateId) -> Result<(), StoreError> {
        entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(())
    }
}

fn row(certificate: &Certificate) -> Result<entity::ActiveModel, StoreError> {
    let names: Vec<_> = certificate.snis.iter().map(String::as_str).collect();
    Ok(entity::ActiveModel {
        id: Set(certificate.id.to_string()),
        gateway_group_id: Set(certificate.gateway_group_id.to_string()),
        certificate_type: Set(certificate.certificate_type.name().to_owned()),
        enabled: Set(certificate.enabled),
        snis: Set(rows::to_json("certificate names", &certificate.snis)?),
        pairs: Set(rows::to_json("certificate pairs", &certificate.pairs)?),
        client_ca: Set(certificate.client_ca.clone()),
        client_depth: Set(certificate.client_depth.map(i64::from)),
        labels: Set(rows::to_json("certificate labels", &certificate.labels)?),
        label_index: Set(dialect::label_index(&certificate.labels)),
        search_text: Set(dialect::search_text(&names, Some(&certificate.labels))),
        extra: Set(rows::to_json("certificate members", &certificate.extra)?),
        not_before: Set(certificate.not_before.micros()),
        not_after: Set(certificate.not_after.micros()),
        created_at: Set(certificate.created_at.micros()),
        updated_at: Set(certificate.updated_at.micros()),
    })
}

fn certificate(row: entity::Model) -> Result<Certificate, StoreError> {
    Ok(Certificate {
        id: CertificateId::known(row.id),
        gateway_group_id: GatewayGroupId::known(row.gateway_group_id),
        certificate_type: rows::known("certificate type", CertificateType::from_name(&row.certificate_type))?,
        enabled: row.enabled,
        snis: rows::from_json("certificate names", &row.snis)?,
        pairs: rows::from_json("certificate pairs", &row.pairs)?,
        client_ca: row.client_ca,
        client_depth: row.client_depth.and_then(|depth| u32::try_from(depth).ok()),
        labels: rows::from_json("certificate labels", &row.labels)?,
        extra: rows::from_json("certificate members", &row.extra)?,
        not_before: Timestamp::from_micros(row.not_before),
        not_after: Timestamp::from_micros(row.not_after),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_upstream_names_the_certificate_that_it_shows() {
        let upstream = json!({ "settings": { "tls": { "verify": true, "client_cert_id": "one" } } });
        let further = json!({ "blue": { "upstream": upstream } });
        assert!(names_certificate(&upstream, "one") && names_certificate(&further, "one"));
        assert!(!names_certificate(&upstream, "on"));
        assert!(!names_certificate(&json!({ "name": "one", "client_cert_id": "one" }), "one"));
        assert!(!names_certificate(&Value::Null, "one"));
    }
}
