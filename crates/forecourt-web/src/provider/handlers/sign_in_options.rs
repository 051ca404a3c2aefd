//! Sign-in options of a portal, and of the administrators where the path names no portal.

use std::collections::HashMap;

use axum::{body::Body, extract::Path, http::Response};
use forecourt_app::sign_in_options::{self, Deed, Unlinked};
use forecourt_core::{
    ids::{PortalId, SignInOptionId},
    lists::{Direction, Order, TimeOrder},
    sign_in_options::{
        GivenConfig, SignInConfig, SignInOption, SignInOptionFilter, SignInOptionInput, SignInScope,
        SignInType,
    },
};
use serde_json::{Map, Value, json};

use super::{Answer, Console, rows};
use crate::{
    confirm::{Act, Confirm},
    display::ImpactKind,
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::{Link, admin_api, provider},
    page::Tone,
    provider::sign_in_options::{
        Setting, SettingInput, SignInOptionForm, SignInOptionList, SignInOptionRow, settings,
    },
};

/// The variable parts of a path.
type Parts = Path<HashMap<String, String>>;

/// Whose options are worked on.
struct Scope(Option<PortalId>);

impl Scope {
    fn of(parts: &HashMap<String, String>) -> Result<Self, Failed> {
        let portal = parts.get("portal").map(|id| PortalId::parse(id).ok_or(FailureKind::NotFound));
        Ok(Self(portal.transpose()?))
    }

    fn id(&self) -> Option<String> {
        self.0.as_ref().map(ToString::to_string)
    }

    fn list(&self) -> Link {
        self.0
            .as_ref()
            .map_or_else(provider::admin_sign_in_options, |id| provider::sign_in_options(id.as_str()))
    }

    fn create(&self) -> Link {
        let portal = self.0.as_ref();
        portal.map_or_else(provider::new_admin_sign_in_option, |id| provider::new_sign_in_option(id.as_str()))
    }

    fn edit(&self, option: &SignInOptionId) -> Link {
        let option = option.as_str();
        match &self.0 {
            Some(portal) => provider::edit_sign_in_option(portal.as_str(), option),
            None => provider::edit_admin_sign_in_option(option),
        }
    }

    fn delete(&self, option: &SignInOptionId) -> Link {
        let option = option.as_str();
        match &self.0 {
            Some(portal) => provider::delete_sign_in_option(portal.as_str(), option),
            None => provider::delete_admin_sign_in_option(option),
        }
    }
}

pub(super) async fn list(console: Console, Path(parts): Parts) -> Answer {
    let scope = Scope::of(&parts)?;
    let filter = SignInOptionFilter {
        scope: scope.0.clone().map_or(SignInScope::Administrators, SignInScope::Portal),
        order: Order { by: TimeOrder::CreatedAt, direction: Direction::Ascending },
        ..SignInOptionFilter::default()
    };
    let mut found = sign_in_options::list(console.app(), &console.caller, &filter).await?.rows;
    found.sort_by_key(|option| option.provider_type() != SignInType::BuiltIn);
    let row = |option: SignInOption| SignInOptionRow {
        kind: option.provider_type().name(),
        address: address(&option.config),
        disabled: option.disable,
        edit: scope.edit(&option.id),
        delete: (option.provider_type() != SignInType::BuiltIn).then(|| scope.delete(&option.id)),
        name: option.name,
    };
    console.visit.show(&SignInOptionList {
        portal: scope.id(),
        options: found.into_iter().map(row).collect(),
        create: scope.create(),
    })
}

fn address(config: &SignInConfig) -> String {
    match config {
        SignInConfig::BuiltIn(_) => String::new(),
        SignInConfig::Oidc(config) => config.issuer.clone(),
        SignInConfig::Saml(config) => config.idp_metadata_url.clone(),
        SignInConfig::Ldap(config) => format!("{}:{}", config.host, config.port),
        SignInConfig::Cas(config) => config.url.clone(),
    }
}

/// The kind that a new option is asked for, OpenID Connect where it is none that can be added.
fn kind_of(asked: &Asked) -> SignInType {
    let kind = SignInType::from_name(asked.text("kind")).filter(|kind| *kind != SignInType::BuiltIn);
    kind.unwrap_or(SignInType::Oidc)
}

fn new_view(scope: &Scope, kind: SignInType, form: Form) -> SignInOptionForm {
    let link = |kind: SignInType| scope.create().with_query(&[("kind", kind.name())]);
    let kinds = [SignInType::Oidc, SignInType::Saml, SignInType::Ldap, SignInType::Cas];
    SignInOptionForm {
        portal: scope.id(),
        option: None,
        id: None,
        kind: kind.name(),
        kinds: kinds.into_iter().map(|kind| (kind.name(), link(kind))).collect(),
        settings: settings(kind.name()).to_vec(),
        addresses: Vec::new(),
        form,
        action: link(kind),
        back: scope.list(),
    }
}

/// Where people begin to sign in this way, and where its provider sends them back to, under the address `reached_at` of
/// this console. Portals' options have no page yet that begins with them.
fn addresses(option: &SignInOption, reached_at: &str) -> Vec<(&'static str, String)> {
    let id = option.id.as_str();
    let callback = option.callback_url(Some(reached_at)).filter(|_| option.portal_id.is_none());
    let login = match option.provider_type() {
        _ if option.portal_id.is_some() => None,
        SignInType::Oidc => callback
            .as_deref()
            .and_then(|url| url.strip_suffix("/api/oidc/callback"))
            .map(|root| format!("{root}{}", admin_api::oidc_login(id))),
        SignInType::Ldap => Some(format!("{reached_at}{}", admin_api::ldap_login(id))),
        SignInType::Saml => option.saml_url("login"),
        SignInType::Cas => Some(format!("{reached_at}{}", admin_api::cas_login(id))),
        SignInType::BuiltIn => None,
    };
    let saml_url = |endpoint| option.saml_url(endpoint).filter(|_| option.portal_id.is_none());
    let known = [
        ("login", login),
        ("callback", callback),
        ("acs", saml_url("acs")),
        ("metadata", saml_url("metadata")),
    ];
    known.into_iter().filter_map(|(key, address)| Some((key, address?))).collect()
}

fn edit_view(scope: &Scope, option: &SignInOption, reached_at: &str, form: Form) -> SignInOptionForm {
    let mut config = option.config.clone();
    let stored: Vec<_> = config.secrets().into_iter().map(|(name, _)| name).collect();
    // A secret that is stored stays where its field is left empty; one that need not be there can be removed.
    let own = settings(option.provider_type().name()).iter().map(|setting| match setting.input {
        SettingInput::Secret | SettingInput::SecretLines if stored.contains(&setting.name) => {
            Setting { optional: true, stored: true, removable: setting.optional, ..*setting }
        }
        _ => *setting,
    });
    // Nobody registers as an administrator.
    let has_settings = option.portal_id.is_some() || option.provider_type() != SignInType::BuiltIn;
    SignInOptionForm {
        option: Some(option.name.clone()),
        id: Some(option.id.to_string()),
        kinds: Vec::new(),
        settings: own.filter(|_| has_settings).collect(),
        addresses: addresses(option, reached_at),
        action: scope.edit(&option.id),
        ..new_view(scope, option.provider_type(), form)
    }
}

pub(super) async fn new_form(console: Console, Path(parts): Parts, asked: Asked) -> Answer {
    let scope = Scope::of(&parts)?;
    sign_in_options::permits_create(&console.caller, scope.0.as_ref())?;
    let ticked = ["enabled", "ssl_verify", "sign_request", "send_service"];
    let form = ticked.into_iter().fold(Form::new(), |form, name| form.with(name, "true"));
    let form = form.with("request_scopes", "openid email profile").with("timeout", "10");
    console.visit.show(&new_view(&scope, kind_of(&asked), form))
}

pub(super) async fn create(console: Console, Path(parts): Parts, asked: Asked, posted: Posted) -> Answer {
    let scope = Scope::of(&parts)?;
    let kind = kind_of(&asked);
    let input = SignInOptionInput { provider_type: Some(kind), ..input(kind, &posted) };
    match sign_in_options::create(console.app(), &console.caller, scope.0.as_ref(), input).await {
        Ok(made) => {
            let text = console.say("flash.sign_in_option_created", &[("name", &made.name)]);
            Ok(console.visit.done(&scope.list(), &text))
        }
        Err(error) => console.visit.show_refused(&new_view(&scope, kind, refused(kind, &posted, error)?)),
    }
}

async fn known(
    console: &Console,
    scope: &Scope,
    parts: &HashMap<String, String>,
) -> Result<SignInOption, Failed> {
    let id = parts.get("option").and_then(|id| SignInOptionId::parse(id)).ok_or(FailureKind::NotFound)?;
    let option = sign_in_options::permitted(console.app(), &console.caller, &id, Deed::Read).await?;
    if option.portal_id != scope.0 {
        return Err(FailureKind::NotFound.into());
    }
    Ok(option)
}

pub(super) async fn edit_form(console: Console, Path(parts): Parts) -> Answer {
    let scope = Scope::of(&parts)?;
    let option = known(&console, &scope, &parts).await?;
    let root = console.app().root_url(&console.visit.call.reached_at);
    console.visit.show(&edit_view(&scope, &option, root, filled(&option)))
}

pub(super) async fn save(console: Console, Path(parts): Parts, posted: Posted) -> Answer {
    let scope = Scope::of(&parts)?;
    let option = known(&console, &scope, &parts).await?;
    let kind = option.provider_type();
    match sign_in_options::update(console.app(), &console.caller, &option.id, input(kind, &posted)).await {
        Ok(changed) => Ok(saved(&console, &scope, changed.unlinked)),
        Err(error) => {
            let reached_at = console.app().root_url(&console.visit.call.reached_at);
            let form = refused(kind, &posted, error)?;
            console.visit.show_refused(&edit_view(&scope, &option, reached_at, form))
        }
    }
}

/// Back to the list, and told who was unlinked.
fn saved(console: &Console, scope: &Scope, unlinked: Option<Unlinked>) -> Response<Body> {
    let (visit, text) = (&console.visit, console.say("flash.saved", &[]));
    match unlinked.filter(|unlinked| unlinked.people > 0) {
        Some(Unlinked { people, .. }) => {
            let warning = console.say("flash.sign_in_option_unlinked", &[("count", &people.to_string())]);
            visit.say_then(visit.go(&scope.list()), Tone::Warning, &format!("{text} {warning}"))
        }
        None => visit.done(&scope.list(), &text),
    }
}

/// What is stored, as the form shows it; no secrets.
fn filled(option: &SignInOption) -> Form {
    let form = Form::new().with("name", option.name.as_str());
    let form = if option.disable { form } else { form.with("enabled", "true") };
    let config = match &option.config {
        SignInConfig::BuiltIn(config) => serde_json::to_value(config),
        SignInConfig::Oidc(config) => serde_json::to_value(config),
        SignInConfig::Saml(config) => serde_json::to_value(config),
        SignInConfig::Ldap(config) => serde_json::to_value(config),
        SignInConfig::Cas(config) => serde_json::to_value(config),
    };
    let config = config.unwrap_or_default();
    let shown =
        |setting: &&Setting| !matches!(setting.input, SettingInput::Secret | SettingInput::SecretLines);
    settings(option.provider_type().name()).iter().filter(shown).fold(form, |form, setting| {
        match config.get(setting.name) {
            Some(Value::Bool(false)) | None => form,
            Some(value) => form.with(setting.name, written(value)),
        }
    })
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::Object(members) => {
            let line = |(name, value): (&String, &Value)| {
                format!("{name}: {}\n", value.as_str().unwrap_or_default())
            };
            members.iter().map(line).collect()
        }
        other => other.to_string(),
    }
}

/// What was typed. A secret that was left empty stays, unless it is to be removed.
fn input(kind: SignInType, posted: &Posted) -> SignInOptionInput {
    let mut members = Map::new();
    for setting in settings(kind.name()) {
        let text = posted.text(setting.name).trim();
        let value = match (setting.input, setting.name) {
            (SettingInput::Check, name) => Some(json!(posted.ticked(name))),
            (SettingInput::Secret | SettingInput::SecretLines, name) => {
                let typed = Some(posted.text(name)).filter(|secret| !secret.trim().is_empty());
                let removed = posted.ticked(&format!("remove_{name}")).then_some("");
                typed.or(removed).map(Value::from)
            }
            (_, "request_scopes") => Some(text.split_whitespace().collect()),
            (_, "attributes") => Some(attributes(text)),
            (_, "timeout") => match text.parse::<i64>() {
                Ok(seconds) => Some(json!(seconds)),
                Err(_) => Some(text).filter(|text| !text.is_empty()).map(Value::from),
            },
            _ => Some(Value::from(text)),
        };
        members.extend(value.map(|value| (setting.name.to_owned(), value)));
    }
    SignInOptionInput {
        name: Some(posted.text("name").trim().to_owned()),
        disable: Some(!posted.ticked("enabled")),
        config: Some(GivenConfig { members, whole: false }),
        ..SignInOptionInput::default()
    }
}

/// Lines of `ours: theirs`; what has no colon is refused by its value.
fn attributes(text: &str) -> Value {
    let line = |line: &str| match line.split_once(':') {
        Some((name, value)) => (name.trim().to_owned(), Value::from(value.trim())),
        None => (line.trim().to_owned(), json!(false)),
    };
    Value::Object(text.lines().filter(|text| !text.trim().is_empty()).map(line).collect())
}

fn refused(kind: SignInType, posted: &Posted, error: forecourt_app::Error) -> Result<Form, Failed> {
    let paths: Vec<_> = settings(kind.name())
        .iter()
        .map(|setting| (format!("{}.{}", kind.config_member(), setting.name), setting.name))
        .collect();
    let mut fields: Vec<_> = paths.iter().map(|(path, name)| (path.as_str(), *name)).collect();
    fields.push(("name", "name"));
    posted.refused(error, &fields)
}

async fn question(
    console: &Console,
    parts: &HashMap<String, String>,
) -> Result<(SignInOptionId, Confirm), Failed> {
    let scope = Scope::of(parts)?;
    let option = known(console, &scope, parts).await?;
    let impact = rows::impact(console, async |caller| {
        sign_in_options::delete(console.app(), caller, &option.id).await
    })
    .await;
    let locks_out = impact.iter().any(|impact| impact.kind == ImpactKind::People);
    let question = Confirm {
        act: Act::DeleteSignInOption,
        name: option.name,
        type_name: locks_out,
        impact,
        action: scope.delete(&option.id),
        back: scope.list(),
        form: Form::new(),
    };
    Ok((option.id, question))
}

pub(super) async fn ask_delete(console: Console, Path(parts): Parts) -> Answer {
    let (_, question) = question(&console, &parts).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, Path(parts): Parts, posted: Posted) -> Answer {
    let (id, question) = question(&console, &parts).await?;
    if let Some(again) = rows::wrong_name(&console, &question, &posted) {
        return console.visit.show_refused(&again);
    }
    match sign_in_options::delete(console.app(), &console.caller, &id).await {
        Ok(_) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&question.back, &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
