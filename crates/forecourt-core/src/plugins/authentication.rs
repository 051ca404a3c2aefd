//! `key-auth`, `basic-auth` and `jwt-auth` of services and routes: where a consumer's credential is read.
//!
//! Section 7 of `docs/gateway.md` lists members and defaults. An `anonymous_consumer` is refused: it would let callers
//! in whom nobody knows.

use serde_json::{Value, json};

use crate::{
    gateway_state::{BasicAuthPlugin, JwtAuthPlugin, KeyAuthPlugin},
    members::Members,
    text::Invalid,
};

pub(super) fn key(path: &str, value: &Value) -> Result<KeyAuthPlugin, Invalid> {
    refuse_anonymous(path, value)?;
    let members = Members::closed(path, value, &["header", "query", "hide_credentials", "realm", "_meta"])?;
    Ok(KeyAuthPlugin {
        header: header(&members, "apikey")?,
        query: name(&members, "query", "apikey")?,
        hide_credentials: members.flag("hide_credentials")?,
        realm: realm(&members, "key")?,
    })
}

pub(super) fn basic(path: &str, value: &Value) -> Result<BasicAuthPlugin, Invalid> {
    refuse_anonymous(path, value)?;
    let members = Members::closed(path, value, &["hide_credentials", "realm", "_meta"])?;
    Ok(BasicAuthPlugin {
        hide_credentials: members.flag("hide_credentials")?,
        realm: realm(&members, "basic")?,
    })
}

pub(super) fn jwt(path: &str, value: &Value) -> Result<JwtAuthPlugin, Invalid> {
    const KNOWN: [&str; 6] = ["header", "query", "cookie", "key_claim_name", "hide_credentials", "_meta"];
    refuse_anonymous(path, value)?;
    let members = Members::closed(path, value, &KNOWN)?;
    Ok(JwtAuthPlugin {
        header: header(&members, "authorization")?,
        query: name(&members, "query", "jwt")?,
        cookie: name(&members, "cookie", "jwt")?,
        key_claim_name: name(&members, "key_claim_name", "key")?,
        hide_credentials: members.flag("hide_credentials")?,
    })
}

fn refuse_anonymous(path: &str, value: &Value) -> Result<(), Invalid> {
    match value.get("anonymous_consumer").filter(|consumer| !consumer.is_null()) {
        Some(_) => Err(Invalid::new(
            format!("{path}.anonymous_consumer"),
            "is not served: leave it out, and use a service without the plugin for callers whom nobody knows",
        )),
        None => Ok(()),
    }
}

/// Whether `text` is a field name of HTTP: a token of RFC 9110 §5.6.2.
pub(crate) fn is_field_name(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=256).contains(&text.len()) && text.bytes().all(token)
}

fn header(members: &Members<'_>, default: &str) -> Result<String, Invalid> {
    let text = members.text("header")?.unwrap_or_else(|| default.to_owned());
    if is_field_name(&text) {
        return Ok(text);
    }
    Err(members.invalid("header", "must be the name of an HTTP header, at most 256 characters"))
}

fn name(members: &Members<'_>, member: &str, default: &str) -> Result<String, Invalid> {
    let text = members.text(member)?.unwrap_or_else(|| default.to_owned());
    if (1..=256).contains(&text.chars().count()) && !crate::text::has_control(&text) {
        return Ok(text);
    }
    Err(members.invalid(member, "must be 1 to 256 characters without control characters"))
}

/// A realm is written between quotation marks into a header.
fn realm(members: &Members<'_>, default: &str) -> Result<String, Invalid> {
    let text = members.text("realm")?.unwrap_or_else(|| default.to_owned());
    let fits = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    if (1..=256).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text);
    }
    Err(members.invalid("realm", "must be 1 to 256 printable ASCII characters without \" and \\"))
}

fn header_schema(default: &str) -> Value {
    let pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
    json!({ "type": "string", "pattern": pattern, "maxLength": 256, "default": default })
}

fn name_schema(default: &str) -> Value {
    let pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$";
    json!({ "type": "string", "pattern": pattern, "maxLength": 256, "default": default })
}

fn realm_schema(default: &str) -> Value {
    let pattern = r"^[ !#-\[\]-~]+$";
    json!({ "type": "string", "pattern": pattern, "maxLength": 256, "default": default })
}

fn flag_schema() -> Value {
    json!({ "type": "boolean", "default": false })
}

pub(super) fn key_schema() -> (Value, Value) {
    let properties = json!({
        "header": header_schema("apikey"), "query": name_schema("apikey"), "hide_credentials": flag_schema(),
        "realm": realm_schema("key"),
    });
    (properties, json!({}))
}

pub(super) fn basic_schema() -> (Value, Value) {
    (json!({ "hide_credentials": flag_schema(), "realm": realm_schema("basic") }), json!({}))
}

pub(super) fn jwt_schema() -> (Value, Value) {
    let properties = json!({
        "header": header_schema("authorization"), "query": name_schema("jwt"), "cookie": name_schema("jwt"),
        "key_claim_name": name_schema("key"), "hide_credentials": flag_schema(),
    });
    (properties, json!({}))
}
