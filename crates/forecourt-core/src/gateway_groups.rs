//! Gateway groups: where services run. The group `default` exists from the start.

use std::collections::BTreeMap;

use crate::{
    ids::GatewayGroupId,
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    refusals::{Refusal, RefusalKind},
    secrets::SecretDigest,
    text::{self, Invalid},
    time::Timestamp,
};

/// A gateway group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayGroup {
    /// Its id.
    pub id: GatewayGroupId,
    /// Unique over the installation, 1–1024 characters.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// Digest of its admin key, once one was made.
    pub admin_key: Option<SecretDigest>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or an update gives; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct GatewayGroupInput {
    /// Required on create.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Replaces all labels.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Which groups a list shows.
#[derive(Clone, Debug, Default)]
pub struct GatewayGroupFilter {
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Exact name.
    pub name: Option<String>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these groups: what the caller may read.
    pub readable: Readable,
}

impl GatewayGroup {
    /// A new group.
    pub fn new(id: GatewayGroupId, input: GatewayGroupInput, now: Timestamp) -> Result<Self, Invalid> {
        if input.name.is_none() {
            return Err(Invalid::new("name", "is required"));
        }
        let blank = Self {
            id,
            name: String::new(),
            desc: String::new(),
            labels: Labels::default(),
            admin_key: None,
            created_at: now,
            updated_at: now,
        };
        blank.changed(input, now)
    }

    /// This group with what `input` gives.
    pub fn changed(mut self, input: GatewayGroupInput, now: Timestamp) -> Result<Self, Invalid> {
        if let Some(name) = input.name {
            self.name = text::name("name", &name, text::GATEWAY_NAME)?;
        }
        if let Some(desc) = input.desc {
            self.desc = text::free("desc", &desc, text::DESC)?;
        }
        if let Some(labels) = input.labels {
            self.labels = Labels::new(labels)?;
        }
        self.updated_at = now;
        Ok(self)
    }
}

/// Why a group cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayGroupRefusal {
    /// Names are unique.
    #[error("name {0:?} is taken by another gateway group; choose another name")]
    NameTaken(String),
    /// The default group stays.
    #[error("the gateway group default cannot be deleted")]
    DeletesDefault,
    /// A product needs it.
    #[error(
        "service {service:?} of this gateway group is linked to the API product {product:?}; unlink it first"
    )]
    ServiceLinked {
        /// The linked service's name.
        service: String,
        /// The product's name.
        product: String,
    },
}

impl Refusal for GatewayGroupRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NameTaken(_) => "gateway_group_name_taken",
            Self::DeletesDefault => "deletes_default_gateway_group",
            Self::ServiceLinked { .. } => "service_linked",
        }
    }
}
