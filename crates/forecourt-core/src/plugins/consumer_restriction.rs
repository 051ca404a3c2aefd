//! `consumer-restriction`: which consumers, services or routes may pass (section 7 of `docs/gateway.md`).

use serde_json::{Value, json};

use crate::{
    gateway_state::{AllowedMethods, ConsumerRestriction, RestrictionType},
    members::Members,
    routes::METHODS,
    text::Invalid,
};

const KNOWN: [&str; 7] =
    ["type", "whitelist", "blacklist", "allowed_by_methods", "rejected_code", "rejected_msg", "_meta"];

/// The restriction that the configuration `value` at `path` describes; consumers may carry one too.
///
/// At least one of `whitelist`, `blacklist` and `allowed_by_methods` must be there.
pub fn parse(path: &str, value: &Value) -> Result<ConsumerRestriction, Invalid> {
    let members = Members::closed(path, value, &KNOWN)?;
    let by = match members.text("type")? {
        None => RestrictionType::ConsumerName,
        Some(word) => RestrictionType::from_name(&word)
            .ok_or_else(|| members.invalid("type", "must be consumer_name, service_id or route_id"))?,
    };
    let code = members.integer("rejected_code", 200..=599)?.unwrap_or(403);
    let restriction = ConsumerRestriction {
        by,
        whitelist: list(&members, "whitelist")?,
        blacklist: list(&members, "blacklist")?,
        allowed_by_methods: allowed(&members)?,
        rejected_code: u16::try_from(code).unwrap_or(403),
        rejected_msg: members.text("rejected_msg")?,
    };
    let lists = ["whitelist", "blacklist", "allowed_by_methods"];
    if !lists.iter().any(|list| members.has(list)) {
        return Err(Invalid::new(path, "needs at least one of whitelist, blacklist, allowed_by_methods"));
    }
    Ok(restriction)
}

fn list(members: &Members<'_>, member: &str) -> Result<Option<Vec<String>>, Invalid> {
    let names = members.texts(member)?;
    match &names {
        Some(names) if names.is_empty() || names.iter().any(String::is_empty) => {
            Err(members.invalid(member, "must hold at least one name, and none that is empty"))
        }
        _ => Ok(names),
    }
}

fn allowed(members: &Members<'_>) -> Result<Vec<AllowedMethods>, Invalid> {
    let Some(rows) = members.objects("allowed_by_methods", &["user", "methods"])? else {
        return Ok(Vec::new());
    };
    if rows.is_empty() {
        return Err(members.invalid("allowed_by_methods", "must hold at least one entry"));
    }
    rows.iter().map(methods_of_user).collect()
}

fn methods_of_user(row: &Members<'_>) -> Result<AllowedMethods, Invalid> {
    let user = row.text("user")?.filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| row.invalid("user", "is required"))?;
    let methods = row.texts("methods")?.ok_or_else(|| row.invalid("methods", "is required"))?;
    if methods.is_empty() || methods.iter().any(|method| !METHODS.contains(&method.as_str())) {
        let known = METHODS.join(", ");
        return Err(row.invalid("methods", format!("must hold at least one of {known}, and nothing else")));
    }
    Ok(AllowedMethods { user, methods })
}

pub(super) fn schema() -> (Value, Value) {
    let names = json!({ "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } });
    let properties = json!({
        "type": {
            "type": "string", "enum": ["consumer_name", "service_id", "route_id"], "default": "consumer_name",
        },
        "whitelist": names,
        "blacklist": names,
        "allowed_by_methods": { "type": "array", "minItems": 1, "items": {
            "type": "object",
            "properties": {
                "user": { "type": "string", "minLength": 1 },
                "methods": { "type": "array", "minItems": 1, "items": { "type": "string", "enum": METHODS } },
            },
            "required": ["user", "methods"],
            "additionalProperties": false,
        } },
        "rejected_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 403 },
        "rejected_msg": { "type": "string" },
    });
    let one_of_the_lists = json!({ "anyOf": [
        { "required": ["whitelist"] }, { "required": ["blacklist"] }, { "required": ["allowed_by_methods"] },
    ] });
    (properties, one_of_the_lists)
}
