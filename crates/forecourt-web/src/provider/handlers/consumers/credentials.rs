//! Credentials of a consumer: the rows of its page, a new one, deleting.

use axum::extract::Path;
use forecourt_app::consumer_credentials::{self, ShownCredential};
use forecourt_core::{
    consumer_credentials::{ConsumerCredential, ConsumerCredentialFilter, ConsumerCredentialInput},
    consumers::Consumer,
    gateway_groups::GatewayGroup,
    gateway_state::JwtAlgorithm,
    ids::ConsumerCredentialId,
};
use serde_json::{Map, Value, json};

use super::{Answer, Console, group_reference, known};
use crate::{
    confirm::{Act, Confirm},
    display::{Reference, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    lists::Chip,
    provider::consumers::{CredentialForm, CredentialRow},
};

const KINDS: [&str; 3] = ["key-auth", "basic-auth", "jwt-auth"];
const ALGORITHMS: [JwtAlgorithm; 6] = [
    JwtAlgorithm::Hs256,
    JwtAlgorithm::Hs384,
    JwtAlgorithm::Hs512,
    JwtAlgorithm::Rs256,
    JwtAlgorithm::Es256,
    JwtAlgorithm::EdDsa,
];

const FIELDS: &[(&str, &str)] = &[
    ("name", "name"),
    ("plugins.key-auth.key", "secret"),
    ("plugins.basic-auth.username", "username"),
    ("plugins.basic-auth.password", "secret"),
    ("plugins.jwt-auth.key", "key"),
    ("plugins.jwt-auth.algorithm", "algorithm"),
    ("plugins.jwt-auth.secret", "secret"),
    ("plugins.jwt-auth.public_key", "public_key"),
];

/// The credentials of a consumer, without their secrets.
pub(super) async fn of_consumer(
    console: &Console,
    consumer: &Consumer,
) -> Result<Vec<CredentialRow>, Failed> {
    let filter = ConsumerCredentialFilter::default();
    let found = consumer_credentials::list(console.app(), &console.caller, consumer, &filter).await?;
    let row = |ShownCredential { credential, auth }: ShownCredential| CredentialRow {
        name: title(&credential).to_owned(),
        id: credential.id.to_string(),
        kind: auth.plugin(),
        created_at: When::of(credential.created_at),
    };
    Ok(found.rows.into_iter().map(row).collect())
}

fn title(credential: &ConsumerCredential) -> &str {
    if credential.name.is_empty() { credential.id.as_str() } else { &credential.name }
}

fn view(group: &GatewayGroup, consumer: &Consumer, kind: &str, form: Form) -> CredentialForm {
    let (id, username) = (group.id.as_str(), consumer.username.as_str());
    let kind = KINDS.into_iter().find(|known| *known == kind).unwrap_or("key-auth");
    let action = provider::new_consumer_credential(id, username);
    CredentialForm {
        group: group_reference(group),
        consumer: Reference::new(username, provider::consumer(id, username)),
        kind,
        kinds: KINDS
            .into_iter()
            .map(|one| Chip::new(one, action.with_query(&[("kind", one)]), one == kind))
            .collect(),
        algorithms: ALGORITHMS.map(JwtAlgorithm::name).to_vec(),
        action,
        form,
    }
}

pub(in super::super) async fn new_form(
    console: Console,
    Path((group, username)): Path<(String, String)>,
    asked: Asked,
) -> Answer {
    let (group, shown) = known(&console, &group, &username).await?;
    console.visit.show(&view(&group, &shown.consumer, asked.text("kind"), Form::new()))
}

/// The plugin that was typed.
fn plugins(posted: &Posted) -> Map<String, Value> {
    let secret = posted.text("secret");
    let (kind, configuration) = match posted.text("kind") {
        "basic-auth" => ("basic-auth", json!({ "username": posted.text("username"), "password": secret })),
        "jwt-auth" => {
            let member = |name: &str| posted.given(name).map_or(Value::Null, Value::from);
            let configuration = json!({
                "key": posted.text("key"), "algorithm": member("algorithm"),
                "secret": member("secret"), "public_key": member("public_key"),
            });
            ("jwt-auth", configuration)
        }
        _ => ("key-auth", json!({ "key": secret })),
    };
    Map::from_iter([(kind.to_owned(), configuration)])
}

pub(in super::super) async fn create(
    console: Console,
    Path((group, username)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, shown) = known(&console, &group, &username).await?;
    let input = ConsumerCredentialInput {
        name: posted.given("name").map(|name| name.trim().to_owned()),
        plugins: Some(plugins(&posted)),
        ..Default::default()
    };
    match consumer_credentials::create(console.app(), &console.caller, &shown.consumer, input).await {
        Ok(_) => {
            let link = provider::consumer(group.id.as_str(), &shown.consumer.username);
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            console.visit.show_refused(&view(&group, &shown.consumer, posted.text("kind"), form))
        }
    }
}

async fn question(
    console: &Console,
    (group, username, id): (String, String, String),
) -> Result<(GatewayGroup, ConsumerCredential, Confirm), Failed> {
    let (group, shown) = known(console, &group, &username).await?;
    let (username, id) =
        (&shown.consumer.username, ConsumerCredentialId::parse(&id).ok_or(FailureKind::NotFound)?);
    let asked = Some(group.id.clone());
    let found =
        consumer_credentials::credential(console.app(), &console.caller, username, &id, asked).await?;
    let question = Confirm {
        act: Act::DeleteConsumerCredential,
        name: title(&found.credential).to_owned(),
        impact: Vec::new(),
        type_name: false,
        action: provider::delete_consumer_credential(group.id.as_str(), username, id.as_str()),
        back: provider::consumer(group.id.as_str(), username),
        form: Form::new(),
    };
    Ok((group, found.credential, question))
}

pub(in super::super) async fn ask_delete(
    console: Console,
    Path(path): Path<(String, String, String)>,
) -> Answer {
    let (_, _, question) = question(&console, path).await?;
    console.visit.show(&question)
}

pub(in super::super) async fn delete(
    console: Console,
    Path(path): Path<(String, String, String)>,
    _posted: Posted,
) -> Answer {
    let (group, credential, question) = question(&console, path).await?;
    let (app, caller, asked) = (console.app(), &console.caller, Some(group.id));
    consumer_credentials::delete(app, caller, &credential.username, &credential.id, asked).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&question.back, &text))
}
