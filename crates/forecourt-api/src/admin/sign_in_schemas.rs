//! Sign-in options ("login options" on the wire) as the document describes them; see `sign_in_options`.

use serde_json::json;

use super::operations;
use crate::openapi::{
    operations::Operation,
    schemas::{self, Schema},
};

pub(super) fn listed(summary: &'static str) -> Operation {
    let notes = "With a portal its own options.";
    operations::of_portal(operations::list(summary, shape())).ordered_by_time().notes(notes)
}

pub(super) fn created(summary: &'static str) -> Operation {
    let body = input()
        .required("name", schemas::name())
        .required("provider_type", schemas::words(&["ldap", "saml", "oidc", "cas", "built_in"]));
    let notes = "This version serves the type `built_in` alone, which is there already.";
    operations::of_portal(operations::send(summary, body, shape())).notes(notes)
}

pub(super) fn read(summary: &'static str) -> Operation {
    operations::of_portal(operations::one(summary, shape()))
}

pub(super) fn updated(summary: &'static str) -> Operation {
    let body = input().optional("name", schemas::name());
    operations::of_portal(operations::send(summary, body, shape())).notes("Absent members stay as they are.")
}

pub(super) fn patched(summary: &'static str) -> Operation {
    operations::of_portal(operations::patch(summary, shape()))
}

pub(super) fn deleted(summary: &'static str) -> Operation {
    operations::of_portal(operations::delete(summary)).notes("The built-in option stays: disable it instead.")
}

fn config() -> Schema {
    schemas::object()
        .optional("enable_self_registration", schemas::flag())
        .optional("registration_auto_approval", schemas::flag())
        .optional("login_with_email", schemas::flag())
}

fn input() -> Schema {
    schemas::object()
        .optional("logo", schemas::text())
        .optional("disable", schemas::flag().or(false))
        .optional("builtin_config", config())
}

fn shape() -> Schema {
    schemas::named("LoginOption", || {
        schemas::object()
            .required("id", schemas::id())
            .optional("portal_id", schemas::id().about("Absent on the administrators' own."))
            .required("name", schemas::text())
            .optional("logo", schemas::text())
            .required("disable", schemas::flag())
            .required("provider_type", schemas::words(&["built_in"]))
            .required("builtin_config", config())
            .optional("created_at", schemas::time())
            .optional("updated_at", schemas::time())
            .example(json!({
                "id": "b3d0", "portal_id": "3f0a", "name": "Email", "disable": false, "provider_type": "built_in",
                "builtin_config": {
                    "enable_self_registration": true, "registration_auto_approval": false, "login_with_email": true,
                },
                "created_at": "2026-08-01T00:00:00.000Z", "updated_at": "2026-08-01T00:00:00.000Z",
            }))
    })
}
