//! Usage: counted calls, per product, application, credential and UTC hour.

use crate::{
    ids::{ApplicationId, CredentialId, DeveloperId, PortalId, ProductId},
    time::Timestamp,
};

/// Which counts are wanted: the hours that overlap `[start, end]`.
#[derive(Clone, Debug, Default)]
pub struct UsageFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Only those of this developer's applications, deleted ones included.
    pub developer_id: Option<DeveloperId>,
    /// First moment.
    pub start: Timestamp,
    /// Last moment.
    pub end: Timestamp,
    /// Only these applications; empty: all.
    pub applications: Vec<ApplicationId>,
    /// Only these products; empty: all.
    pub products: Vec<ProductId>,
    /// Only these credentials; empty: all.
    pub credentials: Vec<CredentialId>,
}

/// Calls of one product within one UTC hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductHour {
    /// The product.
    pub product_id: ProductId,
    /// Its current name, or the last one it had.
    pub product_name: String,
    /// The start of the hour.
    pub hour: Timestamp,
    /// Calls, at least 1.
    pub calls: u64,
}
