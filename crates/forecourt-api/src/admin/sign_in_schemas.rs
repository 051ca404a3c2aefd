//! Sign-in options ("login options" on the wire) as the document describes them; see `sign_in_options`.

use serde_json::json;

use super::operations;
use crate::openapi::{
    operations::Operation,
    schemas::{self, Schema},
};

pub(super) fn listed(summary: &'static str) -> Operation {
    let notes = "With a portal its own options. Secrets are never shown.";
    operations::of_portal(operations::list(summary, shape())).ordered_by_time().notes(notes)
}

pub(super) fn created(summary: &'static str) -> Operation {
    let body = input()
        .required("name", schemas::name())
        .required("provider_type", schemas::words(&["ldap", "saml", "oidc", "cas"]));
    let notes = "The settings are given under the name of the type; `config` is accepted for it. Each portal, and the \
                 administrators, have one `built_in` option from the start.";
    operations::of_portal(operations::send(summary, body, shape())).notes(notes)
}

pub(super) fn read(summary: &'static str) -> Operation {
    operations::of_portal(operations::one(summary, shape()))
}

pub(super) fn updated(summary: &'static str) -> Operation {
    let body = input().optional("name", schemas::name()).optional("provider_type", types());
    let notes = "Absent members stay as they are, secrets among them. The administrators keep one enabled option. \
                 Another provider (`issuer`, `idp_metadata_url`, `url`, or `host`, `port`, `base_dn` or `identifier` of \
                 a directory) unlinks the identities and ends the sessions that were made through the option.";
    operations::of_portal(operations::send_with_warning(summary, body, shape())).notes(notes)
}

pub(super) fn patched(summary: &'static str) -> Operation {
    let notes =
        "Another provider unlinks the identities and ends the sessions that were made through the option.";
    operations::of_portal(operations::patch_with_warning(summary, shape())).notes(notes)
}

pub(super) fn deleted(summary: &'static str) -> Operation {
    let notes = "Identities are unlinked, and the sessions that were made through it end. The built-in option stays: \
                 disable it instead.";
    operations::of_portal(operations::delete_with_warning(summary)).notes(notes)
}

fn types() -> Schema {
    schemas::words(&["ldap", "saml", "oidc", "cas", "built_in"])
}

fn flag(default: bool) -> Schema {
    schemas::flag().or(default)
}

fn attributes() -> Schema {
    schemas::map(schemas::text()).about("The provider's names of `username`, `email` and `name`.")
}

/// Taken, and never answered.
fn secret() -> Schema {
    schemas::text().with("writeOnly", json!(true))
}

/// Answered, and not to be changed.
fn computed() -> Schema {
    schemas::text().with("readOnly", json!(true))
}

fn built_in() -> Schema {
    schemas::object()
        .optional("enable_self_registration", flag(true))
        .optional("registration_auto_approval", flag(false))
        .optional("login_with_email", flag(true))
}

fn oidc() -> Schema {
    schemas::object()
        .optional("issuer", schemas::text())
        .optional("client_id", schemas::text())
        .optional("client_secret", secret())
        .optional("request_scopes", schemas::array(schemas::text()))
        .optional("root_url", schemas::text())
        .optional("ssl_verify", flag(true))
        .optional("callback_url", computed())
        .optional("logout_url", schemas::text())
        .optional("attributes", attributes())
        .about("A new option needs `issuer`, `client_id`, `client_secret` and `request_scopes`.")
}

fn saml() -> Schema {
    schemas::object()
        .optional("idp_metadata_url", schemas::text())
        .optional("sp_root_url", schemas::text())
        .optional("entity_id", schemas::text())
        .optional("sign_request", flag(true))
        .optional("certificate", schemas::text().about("PEM."))
        .optional("private_key", secret())
        .optional("attributes", attributes())
        .optional("logout_idp_session", flag(false))
        .optional("sp_acs_url", computed())
        .optional("sp_slo_url", computed())
        .optional("sp_metadata_url", computed())
        .about("A new option needs `idp_metadata_url` and `sp_root_url`.")
}

fn ldap() -> Schema {
    schemas::object()
        .optional("host", schemas::text())
        .optional("port", schemas::text().about("`1` to `65535`, as text."))
        .optional("base_dn", schemas::text())
        .optional("bind_dn", schemas::text())
        .optional("bind_password", secret())
        .optional("identifier", schemas::text())
        .optional("attributes", attributes())
        .optional("timeout", schemas::integer().from(1).up_to(300).or(10))
        .optional("use_ssl", flag(false))
        .optional("ssl_verify", flag(true))
        .optional("root_ca_cert", schemas::text().about("PEM."))
        .optional("client_cert", schemas::text().about("PEM."))
        .optional("client_key", secret())
        .about("A new option needs `host`, `port`, `base_dn`, `bind_dn` and `identifier`.")
}

fn cas() -> Schema {
    schemas::object()
        .optional("url", schemas::text())
        .optional("send_service", flag(true))
        .optional("ssl_verify", flag(true))
        .about("A new option needs `url`.")
}

fn with_configs(schema: Schema) -> Schema {
    schema
        .optional("builtin_config", schemas::named("BuiltInLogin", built_in))
        .optional("oidc_config", schemas::named("OidcLogin", oidc))
        .optional("saml_config", schemas::named("SamlLogin", saml))
        .optional("ldap_config", schemas::named("LdapLogin", ldap))
        .optional("cas_config", schemas::named("CasLogin", cas))
}

fn input() -> Schema {
    with_configs(
        schemas::object()
            .optional("logo", schemas::text())
            .optional("disable", schemas::flag().or(false))
            .optional(
                "enabled",
                schemas::flag().about("The opposite of `disable`, for clients that say it so."),
            ),
    )
}

fn shape() -> Schema {
    schemas::named("LoginOption", || {
        let own = schemas::object()
            .required("id", schemas::id())
            .optional("portal_id", schemas::id().about("Absent on the administrators' own."))
            .required("name", schemas::text())
            .optional("logo", schemas::text())
            .required("disable", schemas::flag())
            .required("provider_type", types());
        with_configs(own)
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
            .example(json!({
                "id": "b3d0", "portal_id": "3f0a", "name": "Email", "disable": false, "provider_type": "built_in",
                "builtin_config": {
                    "enable_self_registration": true, "registration_auto_approval": false, "login_with_email": true,
                },
                "created_at": "2026-08-01T00:00:00.000Z", "updated_at": "2026-08-01T00:00:00.000Z",
            }))
    })
}
