//! Plugins of services, routes and global rules: what a configuration may hold, and what gateways make of it.
//!
//! Invariant: whatever is accepted here is enforced. A plugin or a member that no gateway knows is refused, and one
//! that `_meta.disable` switches off is checked like any other. Schemas stand beside the parsers, one file a plugin.

mod authentication;
mod consumer_restriction;
mod cors;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use self::authentication::is_field_name;
pub use self::consumer_restriction::parse as restriction;
use crate::{
    gateway_state::{GlobalRuleState, PluginsState},
    ids::GatewayGroupId,
    members::Members,
    refusals::{Refusal, RefusalKind},
    text::Invalid,
};

/// The plugins that gateways enforce.
pub const NAMES: &[&str] = &["basic-auth", "consumer-restriction", "cors", "jwt-auth", "key-auth"];

/// Spellings that are taken for a name; answers use the name.
const ALIASES: [(&str, &str); 2] = [("key_auth", "key-auth"), ("basic_auth", "basic-auth")];

/// Checked plugins, as they were given and as gateways enforce them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Plugins {
    given: Map<String, Value>,
    state: PluginsState,
}

impl Plugins {
    /// The plugins of a map by name. Refused: unknown names and members, values of a wrong type or range.
    pub fn new(given: Map<String, Value>) -> Result<Self, Invalid> {
        let mut plugins = Self { given: named(given)?, state: PluginsState::default() };
        for (name, value) in &plugins.given {
            plugins.state.add(name, value)?;
        }
        Ok(plugins)
    }

    /// The map as it was given, aliases by their names.
    pub const fn given(&self) -> &Map<String, Value> {
        &self.given
    }

    /// What gateways enforce: those that are not switched off.
    pub const fn state(&self) -> &PluginsState {
        &self.state
    }

    /// The first enabled plugin that asks callers who they are (section 7 of `docs/gateway.md`).
    pub const fn authenticating(&self) -> Option<&'static str> {
        if self.state.key_auth.is_some() {
            Some("key-auth")
        } else if self.state.basic_auth.is_some() {
            Some("basic-auth")
        } else if self.state.jwt_auth.is_some() {
            Some("jwt-auth")
        } else {
            None
        }
    }

    /// The row of a global rule that adds these plugins.
    pub fn global_rule(&self, group: &GatewayGroupId, id: &str) -> GlobalRuleState {
        GlobalRuleState { id: id.to_owned(), gateway_group_id: group.clone(), plugins: self.state.clone() }
    }
}

impl TryFrom<Map<String, Value>> for Plugins {
    type Error = Invalid;

    fn try_from(given: Map<String, Value>) -> Result<Self, Invalid> {
        Self::new(given)
    }
}

impl From<Plugins> for Map<String, Value> {
    fn from(plugins: Plugins) -> Self {
        plugins.given
    }
}

impl PluginsState {
    fn add(&mut self, name: &str, value: &Value) -> Result<(), Invalid> {
        let path = format!("plugins.{name}");
        let enabled = !is_disabled(&path, value)?;
        match name {
            "basic-auth" => self.basic_auth = Some(authentication::basic(&path, value)?).filter(|_| enabled),
            "key-auth" => self.key_auth = Some(authentication::key(&path, value)?).filter(|_| enabled),
            "jwt-auth" => self.jwt_auth = Some(authentication::jwt(&path, value)?).filter(|_| enabled),
            "cors" => self.cors = Some(cors::parse(&path, value)?).filter(|_| enabled),
            "consumer-restriction" => {
                self.consumer_restriction = Some(restriction(&path, value)?).filter(|_| enabled);
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

/// Why plugins that ask callers who they are cannot stand where a product asks them too (section 7 of
/// `docs/gateway.md`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginRefusal {
    /// On a service, or on one of its routes, that belongs to a product with `auth`.
    #[error(
        "plugin {plugin} cannot stand on service {service:?} or its routes: the service is linked to the API product \
         {product:?}, which asks for credentials of its own; unlink it, or leave the plugin out"
    )]
    ServiceLinked {
        /// The plugin's name.
        plugin: &'static str,
        /// The service's name.
        service: String,
        /// The product's name.
        product: String,
    },
    /// On a global rule, while a service of the group belongs to a product with `auth`.
    #[error(
        "plugin {plugin} cannot stand in a global rule: service {service:?} of the gateway group is linked to the API \
         product {product:?}, which asks for credentials of its own; put the plugin on single services"
    )]
    GroupLinked {
        /// The plugin's name.
        plugin: &'static str,
        /// A service's name.
        service: String,
        /// The product's name.
        product: String,
    },
    /// The product's `auth` meets a plugin that is there already.
    #[error(
        "linked_gateway_services: service {service:?} carries the plugin {plugin} (on {place}), which asks for \
         credentials as the API product's auth does; remove one of them"
    )]
    Carried {
        /// The plugin's name.
        plugin: &'static str,
        /// The service's name.
        service: String,
        /// Where the plugin stands: `itself`, `route "…"`, `global rule "…"`.
        place: String,
    },
}

impl Refusal for PluginRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        "plugin_beside_product_auth"
    }
}

/// Refuses a name that is no plugin of ours.
pub fn check_name(name: &str) -> Result<(), Invalid> {
    if NAMES.contains(&name) { Ok(()) } else { Err(unknown(name)) }
}

pub(crate) fn unknown(name: &str) -> Invalid {
    let known = NAMES.join(", ");
    Invalid::new("", format!("unknown plugin {name}: this gateway implements {known}"))
}

/// The map with aliases by their names, without what is null.
pub(crate) fn named(given: Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
    let mut named = Map::new();
    for (name, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
        let real = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name.as_str(), |(_, real)| real);
        if named.insert(real.to_owned(), value).is_some() {
            let problem = "is given in two spellings: give one of them";
            return Err(Invalid::new(format!("plugins.{real}"), problem));
        }
    }
    Ok(named)
}

fn is_disabled(path: &str, value: &Value) -> Result<bool, Invalid> {
    match value.get("_meta").filter(|meta| !meta.is_null()) {
        Some(meta) => Members::closed(&format!("{path}._meta"), meta, &["disable"])?.flag("disable"),
        None => Ok(false),
    }
}

/// The JSON Schema (2020-12) of a plugin's configuration.
pub fn schema(name: &str) -> Option<Value> {
    let (properties, mut rest) = match name {
        "basic-auth" => authentication::basic_schema(),
        "key-auth" => authentication::key_schema(),
        "jwt-auth" => authentication::jwt_schema(),
        "cors" => cors::schema(),
        "consumer-restriction" => consumer_restriction::schema(),
        _ => return None,
    };
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Some(schema), Some(rest)) = (schema.as_object_mut(), rest.as_object_mut()) {
        schema.append(rest);
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let meta = json!({
            "type": "object",
            "properties": { "disable": { "type": "boolean", "default": false } },
            "additionalProperties": false,
        });
        properties.insert("_meta".into(), meta);
    }
    Some(schema)
}

#[cfg(test)]
mod tests;
