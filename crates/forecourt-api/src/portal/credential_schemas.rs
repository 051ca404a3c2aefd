//! Credentials as the document describes them: one sort of body for each `type`; see `credentials`.

use serde_json::json;

use crate::openapi::{
    operations::Operation,
    schemas::{self, Schema},
};

/// What lists of credentials take.
pub(super) fn filtered(listed: Operation) -> Operation {
    let methods = || schemas::words(&["key-auth", "basic-auth", "jwt-auth", "oauth"]);
    listed
        .query("auth_method", methods())
        .query("plugin_name", methods().with("deprecated", json!(true)).about("The same as `auth_method`."))
        .ordered(&["updated_at", "created_at", "name"])
        .searched("name, description and labels")
        .labelled()
}

/// The body of a create.
pub(super) fn new() -> Schema {
    let common = |kind: &str| {
        typed(kind)
            .required("name", schemas::name())
            .optional("desc", schemas::desc())
            .optional("labels", schemas::labels())
    };
    schemas::one_of([
        common("key-auth").optional("key-auth", no_members()),
        common("basic-auth").required("basic-auth", basic()),
        common("jwt-auth").optional("jwt-auth", signing()),
    ])
}

/// The body of a regeneration.
pub(super) fn secret() -> Schema {
    schemas::one_of([
        typed("key-auth").optional("key-auth", no_members()).closed(),
        typed("basic-auth").required("basic-auth", basic()).closed(),
        typed("jwt-auth").optional("jwt-auth", signing()).closed(),
    ])
}

/// The body of an update.
pub(super) fn changes() -> Schema {
    schemas::object()
        .required("type", schemas::words(&["key-auth", "basic-auth", "jwt-auth"]).about("As it is."))
        .required("name", schemas::name())
        .optional("desc", schemas::desc())
        .optional("labels", schemas::labels())
        .closed()
}

fn typed(kind: &str) -> Schema {
    schemas::object().required("type", schemas::words(&[kind]))
}

fn no_members() -> Schema {
    schemas::object().closed().about("Empty: Forecourt makes the key.")
}

fn basic() -> Schema {
    let text = || schemas::text().with("minLength", json!(1));
    schemas::object().required("username", text()).required("password", text()).closed()
}

fn signing() -> Schema {
    let algorithms = ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"];
    schemas::object()
        .optional("algorithm", schemas::words(&algorithms).or("HS256"))
        .optional("public_key", schemas::text().about("As PEM; for RS256, ES256 and EdDSA."))
        .closed()
}

/// A credential in answers.
pub(super) fn shape() -> Schema {
    schemas::named("Credential", || {
        let secret = || schemas::text().about("Only in the answer that makes it.");
        let basic = schemas::object().required("username", schemas::text()).optional("password", secret());
        let token = schemas::object()
            .required("key", schemas::text())
            .required("algorithm", schemas::text())
            .optional("public_key", schemas::text())
            .optional("secret", secret());
        schemas::object()
            .required("id", schemas::id())
            .required("type", schemas::words(&["key-auth", "basic-auth", "jwt-auth", "oauth"]))
            .optional("name", schemas::text())
            .required("application_id", schemas::id())
            .required("application_name", schemas::text())
            .optional("desc", schemas::text())
            .required("labels", schemas::labels())
            .optional("key-auth", schemas::object().optional("key", secret()))
            .optional("basic-auth", basic)
            .optional("jwt-auth", token)
            .optional("last_used_at", schemas::time())
            .optional("last_used_from", schemas::text())
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
            .example(json!({
                "id": "c1e5a9f0", "type": "key-auth", "name": "web", "application_id": "0d9b6a52",
                "application_name": "mobile app", "labels": {}, "key-auth": {},
                "created_at": "2026-08-03T10:05:00.000Z", "updated_at": "2026-08-03T10:05:00.000Z",
            }))
    })
}
