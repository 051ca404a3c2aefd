//! Sign-in options in bodies and answers; see `sign_in_options`. Secrets are taken and never shown.

use std::collections::HashMap;

use forecourt_core::{
    ids::PortalId,
    sign_in_options::{
        GivenConfig, SignInConfig, SignInOption, SignInOptionInput, SignInType,
        configs::{CasSignIn, LdapSignIn, OidcSignIn, SamlSignIn},
    },
};
use forecourt_http::{bodies::Object, problem::Problem, times::iso};
use serde_json::{Map, Value, json};

use crate::{
    json_patch::{self, Members},
    shapes::{members, non_empty},
};

/// The option as this API shows it, where the sites of portals are at `sites`.
pub(super) fn shape(option: &SignInOption, sites: &HashMap<PortalId, String>) -> Map<String, Value> {
    let mut shape = members([
        ("id", Some(json!(option.id))),
        ("portal_id", option.portal_id.as_ref().map(|id| json!(id))),
        ("name", Some(json!(option.name))),
        ("logo", non_empty(&option.logo)),
        ("disable", Some(json!(option.disable))),
        ("provider_type", Some(json!(option.provider_type().name()))),
    ]);
    let site = option.portal_id.as_ref().and_then(|portal| sites.get(portal));
    let config = match &option.config {
        SignInConfig::BuiltIn(config) => members([
            ("enable_self_registration", Some(json!(config.enable_self_registration))),
            ("registration_auto_approval", Some(json!(config.registration_auto_approval))),
            ("login_with_email", Some(json!(config.login_with_email))),
        ]),
        SignInConfig::Oidc(config) => oidc(config, option.callback_url(site.map(String::as_str))),
        SignInConfig::Saml(config) => saml(config, option),
        SignInConfig::Ldap(config) => ldap(config),
        SignInConfig::Cas(CasSignIn { url, send_service, ssl_verify }) => members([
            ("url", Some(json!(url))),
            ("send_service", Some(json!(send_service))),
            ("ssl_verify", Some(json!(ssl_verify))),
        ]),
    };
    shape.insert(option.provider_type().config_member().to_owned(), Value::Object(config));
    shape.insert("created_at".to_owned(), json!(iso(option.created_at)));
    shape.insert("updated_at".to_owned(), json!(iso(option.updated_at)));
    shape
}

fn oidc(config: &OidcSignIn, callback_url: Option<String>) -> Map<String, Value> {
    members([
        ("issuer", Some(json!(config.issuer))),
        ("client_id", Some(json!(config.client_id))),
        ("request_scopes", Some(json!(config.request_scopes))),
        ("root_url", non_empty(&config.root_url)),
        ("ssl_verify", Some(json!(config.ssl_verify))),
        ("callback_url", callback_url.map(Value::from)),
        ("logout_url", non_empty(&config.logout_url)),
        ("attributes", Some(json!(config.attributes))),
    ])
}

fn saml(config: &SamlSignIn, option: &SignInOption) -> Map<String, Value> {
    let own = |endpoint: &str| option.saml_url(endpoint).map(Value::from);
    members([
        ("idp_metadata_url", Some(json!(config.idp_metadata_url))),
        ("sp_root_url", Some(json!(config.sp_root_url))),
        ("entity_id", non_empty(&config.entity_id)),
        ("sign_request", Some(json!(config.sign_request))),
        ("certificate", non_empty(&config.certificate)),
        ("attributes", Some(json!(config.attributes))),
        ("logout_idp_session", Some(json!(config.logout_idp_session))),
        ("sp_acs_url", own("acs")),
        ("sp_slo_url", own("slo")),
        ("sp_metadata_url", own("metadata")),
    ])
}

fn ldap(config: &LdapSignIn) -> Map<String, Value> {
    members([
        ("host", Some(json!(config.host))),
        ("port", Some(json!(config.port.to_string()))),
        ("base_dn", Some(json!(config.base_dn))),
        ("bind_dn", Some(json!(config.bind_dn))),
        ("identifier", Some(json!(config.identifier))),
        ("attributes", Some(json!(config.attributes))),
        ("timeout", Some(json!(config.timeout))),
        ("use_ssl", Some(json!(config.use_ssl))),
        ("ssl_verify", Some(json!(config.ssl_verify))),
        ("root_ca_cert", non_empty(&config.root_ca_cert)),
        ("client_cert", non_empty(&config.client_cert)),
    ])
}

/// What a body gives to an option, of this type where it is there already.
pub(super) fn input(existing: Option<SignInType>, body: Object) -> Result<SignInOptionInput, Problem> {
    let provider_type =
        body.word("provider_type", SignInType::from_name, "ldap, saml, oidc, cas or built_in")?;
    // A type that the option does not have is refused by the rule; its settings are read as those of the option.
    let Some(own) = existing.or(provider_type) else {
        return Ok(SignInOptionInput { name: Some(body.required_text("name")?), ..Default::default() });
    };
    let body = body.hyphened(&[("config", own.config_member())])?;
    let foreign = SignInType::ALL.iter().filter(|other| **other != own).map(|other| other.config_member());
    if let Some(other) = foreign.into_iter().find(|member| body.has(member)) {
        return Err(Problem::bad_request(format!(
            "{other} does not belong to an option of type {}: give {}",
            own.name(),
            own.config_member()
        )));
    }
    let disable = match (body.bool("disable")?, body.bool("enabled")?) {
        (Some(disable), Some(enabled)) if disable == enabled => {
            return Err(Problem::bad_request("disable and enabled contradict each other"));
        }
        (disable, enabled) => disable.or(enabled.map(|enabled| !enabled)),
    };
    let config = body.map(own.config_member())?.map(|members| GivenConfig { members, whole: false });
    Ok(SignInOptionInput {
        name: body.text("name")?,
        logo: body.text("logo")?,
        disable,
        provider_type,
        config,
    })
}

const MEMBERS: Members = Members {
    optional: &[
        "/logo",
        "/enabled",
        "/oidc_config/client_secret",
        "/oidc_config/root_url",
        "/oidc_config/logout_url",
        "/saml_config/entity_id",
        "/saml_config/certificate",
        "/saml_config/private_key",
        "/ldap_config/bind_password",
        "/ldap_config/root_ca_cert",
        "/ldap_config/client_cert",
        "/ldap_config/client_key",
    ],
    read_only: &["id", "portal_id", "provider_type", "created_at", "updated_at"],
};

/// Members of settings that follow from others.
const COMPUTED: [&str; 4] = ["callback_url", "sp_acs_url", "sp_slo_url", "sp_metadata_url"];

/// What a patch of `before` gives to an option of type `own`: its settings are what the patch leaves of them.
pub(super) fn patched(
    own: SignInType,
    before: &Map<String, Value>,
    patch: &Value,
) -> Result<SignInOptionInput, Problem> {
    let after = json_patch::apply(before, patch, &MEMBERS)?;
    let member = own.config_member();
    let computed =
        |of: &Map<String, Value>, name: &str| of.get(member).and_then(|config| config.get(name)).cloned();
    if let Some(name) = COMPUTED.into_iter().find(|name| computed(before, name) != computed(&after, name)) {
        return Err(Problem::bad_request(format!("{member}.{name} cannot be changed")));
    }
    let cleared = [("logo", json!("")), ("disable", json!(false))];
    let given = input(Some(own), json_patch::changes(before, after, &cleared)?)?;
    let config = given.config.map(|config| GivenConfig { whole: true, ..config });
    Ok(SignInOptionInput { config, ..given })
}
