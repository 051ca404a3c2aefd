//! The members of both OpenAPI documents that look secret: each is planted, or is none for a reason that stands here.

use std::collections::BTreeSet;

use serde_json::Value;

/// What the name of a secret may hold.
const SIGNS: [&str; 14] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "key",
    "credential",
    "private",
    "cookie",
    "authorization",
    "assertion",
    "csrf",
    "session",
    "signature",
    "nonce",
];

/// Members that look secret and are not, each with the reason.
const NO_SECRETS: [(&str, &str); 10] = [
    ("AuditRecord.token_name", "what people call a token"),
    ("Credential.jwt-auth.key", "names the credential in every token that is signed for it"),
    ("Credential.jwt-auth.public_key", "public, as its name says"),
    ("GET /api/audit_logs/event_types.list.key", "the word for a type of events"),
    ("InlineUpstream.key", "what of a call chooses the node"),
    ("POST /api/applications/{id}/credentials.jwt-auth.public_key", "public"),
    ("PUT /api/applications/{id}/credentials/{credential_id}/regenerate.jwt-auth.public_key", "public"),
    ("Upstream.key", "what of a call chooses the node"),
    ("UpstreamInput.key", "what of a call chooses the node"),
    ("UsageRow.credential_id", "an id"),
];

/// Every member that looks secret, as `SCHEMA.member` or `METHOD /path.member`. Counts, flags and objects are none; the
/// members of an object are looked at in turn.
fn looking_secret(document: &str) -> BTreeSet<String> {
    let document: Value = serde_json::from_str(document).unwrap();
    let mut found = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            gather(operation, &format!("{} {path}", method.to_uppercase()), &mut found);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        gather(schema, name, &mut found);
    }
    found
}

fn gather(value: &Value, owner: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(parts) => {
            for (name, part) in parts {
                match (name.as_str(), part) {
                    ("properties", Value::Object(members)) => {
                        for (member, schema) in members {
                            let whole = format!("{owner}.{member}");
                            if looks_secret(member, schema) {
                                into.insert(whole.clone());
                            }
                            gather(schema, &whole, into);
                        }
                    }
                    ("example" | "examples" | "enum" | "required", _) => {}
                    _ => gather(part, owner, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, owner, into)),
        _ => {}
    }
}

fn looks_secret(member: &str, schema: &Value) -> bool {
    let lower = member.to_lowercase();
    let holds_text = !matches!(schema["type"].as_str(), Some("boolean" | "integer" | "number" | "object"));
    let is_taken_only = schema["writeOnly"] == true;
    is_taken_only || (holds_text && SIGNS.iter().any(|sign| lower.contains(sign)))
}

/// Fails where a member looks secret and is neither in `planted` nor known to be none, and where one of these is gone.
#[track_caller]
pub(super) fn are_all_planted(planted: &BTreeSet<&'static str>) {
    let mut members = looking_secret(forecourt_api::admin::document());
    members.extend(looking_secret(forecourt_api::portal::document()));
    let missing: Vec<_> = members
        .iter()
        .filter(|member| {
            !planted.contains(member.as_str()) && !NO_SECRETS.iter().any(|(known, _)| known == member)
        })
        .collect();
    assert!(missing.is_empty(), "plant a secret in each, or say in members.rs why it is none: {missing:#?}");
    let of_documents = planted.iter().filter(|kind| members.contains(**kind)).count();
    assert_eq!(of_documents + NO_SECRETS.len(), members.len(), "the list of members.rs has one that is gone");
}

#[test]
fn a_member_that_looks_secret_is_found_wherever_it_stands() {
    let document = serde_json::json!({
        "paths": { "/a": { "post": { "requestBody": { "schema": { "oneOf": [{ "properties": {
            "outer": { "type": "object", "properties": { "Api-Key": { "type": "string" } } },
            "keys": { "type": "array" }, "key_count": { "type": "integer" }, "name": { "type": "string" },
        } }] } } } } },
        "components": { "schemas": { "Ldap": { "properties": {
            "pin": { "type": "string", "writeOnly": true }, "bind_password": { "$ref": "#/x" },
        } } } },
    });
    let found = looking_secret(&document.to_string());
    let expected = ["Ldap.bind_password", "Ldap.pin", "POST /a.keys", "POST /a.outer.Api-Key"];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}
