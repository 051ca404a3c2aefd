//! JSON Schemas of gateway objects: declarative tools read the defaults from them.
//!
//! They say what this version reads; members that stand in no schema are kept and given back.

use forecourt_http::callers::AdminCaller;
use serde_json::{Value, json};

use super::{
    answers::{Answer, value},
    operations,
    table::Table,
};
use crate::openapi::schemas::{self, Schema};

pub(super) fn endpoints(table: Table) -> Table {
    let nouns = ["service", "route", "upstream", "ssl", "consumer"];
    let answer = nouns.into_iter().fold(schemas::object(), |all, noun| all.required(noun, schemas::object()));
    let described = operations::one("Get the JSON Schemas of gateway objects", answer);
    table.about("Installation").get("/api/schema/core", core, described)
}

async fn core(_: AdminCaller) -> Answer {
    value(json!({
        "service": service(), "route": route(), "upstream": upstream(), "ssl": ssl(), "consumer": consumer(),
    }))
}

/// A service as bodies and answers have it; its upstream is said elsewhere.
pub(super) fn described_service(upstream: Schema) -> Schema {
    Schema::of(service()).optional("upstream", upstream)
}

/// A route as bodies and answers have it.
pub(super) fn described_route() -> Schema {
    Schema::of(route())
}

/// An upstream as bodies and answers have it.
pub(super) fn described_upstream() -> Schema {
    Schema::of(upstream())
}

fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 1024 })
}

fn desc() -> Value {
    json!({ "type": "string", "maxLength": 65_536 })
}

fn labels() -> Value {
    json!({
        "type": "object",
        "additionalProperties": { "type": "string", "minLength": 1, "maxLength": 65_536 },
    })
}

fn plugins() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "object" } })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn service() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": name(), "desc": desc(), "labels": labels(), "plugins": plugins(), "hosts": texts(),
            "type": { "type": "string", "enum": ["http", "stream"], "default": "http" },
            "status": { "type": "integer", "enum": [0, 1], "default": 1 },
            "path_prefix": { "type": "string", "pattern": "^/" },
            "strip_path_prefix": { "type": "boolean", "default": true },
            "upstream": upstream(),
        },
    })
}

fn route() -> Value {
    json!({
        "type": "object",
        "required": ["name", "service_id", "paths"],
        "properties": {
            "name": name(), "desc": desc(), "labels": labels(), "plugins": plugins(),
            "service_id": { "type": "string", "pattern": "^[a-zA-Z0-9-_.]+$", "minLength": 1, "maxLength": 256 },
            "paths": { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "^/" } },
            "methods": texts(),
            "priority": { "type": "integer", "default": 0 },
            "vars": vars(),
            "upstream_id": { "type": "string", "minLength": 1, "maxLength": 256 },
            "timeout": timeout(None),
            "enable_websocket": { "type": "boolean", "default": true },
        },
    })
}

/// Loosely: what may stand where depends on what stands before it.
fn vars() -> Value {
    let groups = json!(["AND", "OR", "!AND", "!OR"]);
    json!({
        "type": "array",
        "maxItems": 65,
        "description": "Conditions on requests: [variable, operator, value] each, or groups that begin with AND, OR, \
                        !AND or !OR.",
        "items": { "oneOf": [{ "type": "array", "minItems": 2 }, { "type": "string", "enum": groups }] },
        "examples": [[["arg_version", "==", "2"], ["!OR", ["http_x_role", "has", "guest"]]]],
    })
}

/// A route's limits have no defaults: what it does not give is the upstream's.
fn timeout(default: Option<u32>) -> Value {
    let mut limit = json!({ "type": "number", "minimum": 0.001, "maximum": 86_400 });
    if let (Some(default), Some(limit)) = (default, limit.as_object_mut()) {
        limit.insert("default".into(), json!(default));
    }
    json!({
        "type": "object",
        "properties": { "connect": limit, "send": limit, "read": limit },
        "additionalProperties": false,
    })
}

fn upstream() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": 1024, "default": "default" },
            "scheme": { "type": "string", "enum": ["http", "https", "grpc", "grpcs", "tcp"], "default": "http" },
            "type": {
                "type": "string", "enum": ["roundrobin", "chash", "least_conn"], "default": "roundrobin",
            },
            "nodes": { "type": "array", "items": {
                "type": "object",
                "required": ["host", "port", "weight"],
                "properties": {
                    "host": { "type": "string", "minLength": 1, "maxLength": 253 },
                    "port": { "type": "integer", "minimum": 1, "maximum": 65_535 },
                    "weight": { "type": "integer", "minimum": 0 },
                    "priority": { "type": "integer", "default": 0 },
                },
            } },
            "timeout": timeout(Some(60)),
            "hash_on": { "type": "string", "enum": ["vars", "header", "cookie", "consumer"], "default": "vars" },
            "key": { "type": "string" },
            "retries": { "type": "integer", "minimum": 0, "maximum": 100 },
            "keepalive_pool": { "type": "object" }, "tls": { "type": "object" }, "checks": { "type": "object" },
            "pass_host": { "type": "string", "enum": ["pass", "node", "rewrite"], "default": "pass" },
            "upstream_host": { "type": "string" },
        },
    })
}

fn ssl() -> Value {
    json!({
        "type": "object",
        "required": ["cert"],
        "properties": {
            "type": { "type": "string", "enum": ["server", "client"], "default": "server" },
            "cert": { "type": "string" }, "key": { "type": "string" }, "certs": texts(), "keys": texts(),
            "snis": texts(), "labels": labels(),
            "client": {
                "type": "object", "required": ["ca"], "additionalProperties": false,
                "properties": {
                    "ca": { "type": "string" },
                    "depth": { "type": "integer", "minimum": 0, "maximum": 100, "default": 1 },
                },
            },
            "status": { "type": "integer", "enum": [0, 1], "default": 1 },
        },
    })
}

fn consumer() -> Value {
    json!({
        "type": "object",
        "required": ["username"],
        "properties": {
            "username": { "type": "string", "pattern": "^[a-zA-Z0-9-_.]+$", "minLength": 1, "maxLength": 100 },
            "desc": desc(), "labels": labels(), "plugins": plugins(),
        },
    })
}
