//! Objects of a whole gateway group: global rules, stream routes, and the metadata of plugins.
//!
//! A global rule adds plugins to every route of its group. Stream routes and metadata are stored and given back;
//! nothing that a gateway does here depends on them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    events::EventName,
    gateway_state::Resource,
    ids::{GatewayGroupId, ServiceId},
    labels::Labels,
    lists::{Order, Paging, TextFilter, TimeOrder},
    plugins::{self, Plugins},
    text::{self, Invalid},
    time::Timestamp,
};

named! {
    /// What sort of object it is.
    pub enum GroupObjectKind {
        /// Plugins of every route; applied.
        GlobalRule = "global_rule",
        /// A route of a stream service; stored.
        StreamRoute = "stream_route",
        /// What a plugin knows everywhere; stored. Its id is the plugin's name.
        PluginMetadata = "plugin_metadata",
    }
}

impl GroupObjectKind {
    /// The events of its being saved, and of its being deleted.
    pub const fn events(self) -> (EventName, EventName) {
        match self {
            Self::GlobalRule => (EventName::GlobalRuleSaved, EventName::GlobalRuleDeleted),
            Self::StreamRoute => (EventName::StreamRouteSaved, EventName::StreamRouteDeleted),
            Self::PluginMetadata => (EventName::PluginMetadataSaved, EventName::PluginMetadataDeleted),
        }
    }
}

/// An object of a gateway group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupObject {
    /// What sort.
    pub kind: GroupObjectKind,
    /// Its group.
    pub gateway_group_id: GatewayGroupId,
    /// Unique within group and kind.
    pub id: String,
    /// At most 1024 characters; empty: none.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// The service of a stream route, where it names one.
    pub service_id: Option<ServiceId>,
    /// What a rule adds; metadata have none.
    pub plugins: Plugins,
    /// Other members, as given.
    pub extra: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or a replacement gives.
#[derive(Clone, Debug, Default)]
pub struct GroupObjectInput {
    /// Optional here.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Of a stream route.
    pub service_id: Option<String>,
    /// By plugin name.
    pub plugins: Option<Map<String, Value>>,
    /// Other members.
    pub extra: Map<String, Value>,
}

/// Which objects a list shows.
#[derive(Clone, Debug)]
pub struct GroupObjectFilter {
    /// Of this sort only.
    pub kind: GroupObjectKind,
    /// Of this group only.
    pub gateway_group_id: GatewayGroupId,
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}

impl GroupObject {
    /// The object that `input` describes; that `service_id` exists is the caller's to know.
    pub fn new(
        kind: GroupObjectKind,
        gateway_group_id: GatewayGroupId,
        id: String,
        input: GroupObjectInput,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        if kind == GroupObjectKind::PluginMetadata {
            plugins::check_name(&id)?;
        }
        let name = input.name.filter(|name| !name.is_empty());
        Ok(Self {
            kind,
            gateway_group_id,
            id,
            name: name
                .map(|name| text::name("name", &name, text::GATEWAY_NAME))
                .transpose()?
                .unwrap_or_default(),
            desc: text::free("desc", &input.desc.unwrap_or_default(), text::DESC)?,
            labels: Labels::new(input.labels.unwrap_or_default())?,
            service_id: input.service_id.map(ServiceId::known),
            plugins: Plugins::new(input.plugins.unwrap_or_default())?,
            extra: input.extra,
            created_at,
            updated_at: now,
        })
    }

    /// What gateways must know; `None` for what is only stored.
    pub fn gateway_resource(&self) -> Option<Resource> {
        let rule =
            || Resource::GlobalRule(Box::new(self.plugins.global_rule(&self.gateway_group_id, &self.id)));
        (self.kind == GroupObjectKind::GlobalRule).then(rule)
    }
}
