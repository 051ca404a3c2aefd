//! Credentials of an application. A secret is in the answer that makes it and in no other.

use axum::{extract::Path, response::Response};
use forecourt_app::{
    applications,
    credentials::{self, IssuedCredential, NamedCredential, NewSecret},
    products::catalogue,
};
use forecourt_core::{
    applications::Application,
    credentials::{BasicSecret, Credential, CredentialInput, CredentialType, TokenSigning},
    gateway_state::{JwtAlgorithm, TokenSecret},
    ids::CredentialId,
    secrets::PlainSecret,
};

use super::{
    applications::{application_id, reference, subscriptions_of},
    entrances::{self, Shown},
    oauth_clients,
    visitors::Member,
};
use crate::{
    confirm::{Act, Confirm},
    developer::{
        credentials::{CredentialForm, CredentialRow, Secret, SecretShown},
        products::{AuthKind, Choice},
    },
    display::When,
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::{Link, developer},
};

const FIELDS: &[(&str, &str)] = &[
    ("name", "name"),
    ("desc", "desc"),
    ("basic-auth.username", "username"),
    ("basic-auth.password", "password"),
    ("jwt-auth.algorithm", "algorithm"),
    ("jwt-auth.public_key", "public_key"),
    ("oauth.dcr_provider_id", "provider"),
    (oauth_clients::REDIRECT_URIS, oauth_clients::REDIRECT_URIS),
];
/// Of a password that we make: 128 random bits.
const PASSWORD_BYTES: usize = 16;

/// A credential as a row of its application's page.
pub(super) fn row(named: &NamedCredential) -> CredentialRow {
    let credential = &named.credential;
    CredentialRow {
        id: credential.id.to_string(),
        name: oauth_clients::name(named),
        kind: kind_of(credential.credential_type()),
        shown: shown(credential).map(str::to_owned),
        regenerable: oauth_clients::is_regenerable(named),
        created_at: When::of(credential.created_at),
        last_used_at: credential.last_used_at.map(When::of),
    }
}

/// What everybody may see of a credential.
fn shown(credential: &Credential) -> Option<&str> {
    let token = credential.token().map(|(key, _)| key.as_str());
    let client = credential.oauth().map(|(_, client)| client.as_str());
    credential.username().or(token).or(client)
}

const fn kind_of(credential_type: CredentialType) -> AuthKind {
    match credential_type {
        CredentialType::KeyAuth => AuthKind::KeyAuth,
        CredentialType::BasicAuth => AuthKind::BasicAuth,
        CredentialType::JwtAuth => AuthKind::JwtAuth,
        CredentialType::Oauth => AuthKind::Oauth,
    }
}

/// The kind that a query or form names; keys where it names none.
fn asked_type(word: &str) -> Result<CredentialType, Failed> {
    match word {
        "" | "key_auth" => Ok(CredentialType::KeyAuth),
        "basic_auth" => Ok(CredentialType::BasicAuth),
        "jwt_auth" => Ok(CredentialType::JwtAuth),
        "oauth" => Ok(CredentialType::Oauth),
        _ => Err(FailureKind::NotFound.into()),
    }
}

async fn own_application(member: &Member, id: &str) -> Result<Application, Failed> {
    Ok(applications::application(member.visit.web.app(), &member.caller, &application_id(id)?).await?)
}

async fn own_credential(
    member: &Member,
    application: &str,
    id: &str,
) -> Result<(Application, NamedCredential), Failed> {
    let application = own_application(member, application).await?;
    let id = CredentialId::parse(id).ok_or(FailureKind::NotFound)?;
    let app = member.visit.web.app();
    let found = credentials::credential(app, &member.caller, &application.id, &id).await?;
    Ok((application, found))
}

async fn new_form(
    member: &Member,
    application: &Application,
    kind: AuthKind,
    form: Form,
) -> Result<CredentialForm, Failed> {
    Ok(CredentialForm {
        application: reference(application),
        credential: None,
        kind,
        algorithms: algorithms(),
        providers: if kind == AuthKind::Oauth { oauth_clients::providers(member).await? } else { Vec::new() },
        form,
        action: developer::new_credential(application.id.as_str()),
    })
}

fn algorithms() -> Vec<Choice> {
    JwtAlgorithm::ALL.iter().map(|algorithm| Choice::new(algorithm.name(), algorithm.name())).collect()
}

fn input(posted: &Posted) -> CredentialInput {
    CredentialInput {
        name: Some(posted.text("name").to_owned()),
        desc: Some(posted.text("desc").replace("\r\n", "\n")),
        labels: None,
    }
}

/// `GET /applications/{application}/credentials/new`, of the kind that `kind` names.
pub(super) async fn new(member: Member, Path(id): Path<String>, asked: Asked) -> Result<Response, Failed> {
    let application = own_application(&member, &id).await?;
    let kind = kind_of(asked_type(asked.text("kind"))?);
    member.visit.show(&new_form(&member, &application, kind, Form::new()).await?)
}

/// `POST /applications/{application}/credentials/new`.
pub(super) async fn create(
    member: Member,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let application = own_application(&member, &id).await?;
    let credential_type = asked_type(posted.text("kind"))?;
    let secret = match credential_type {
        CredentialType::KeyAuth => Ok(Some(NewSecret::KeyAuth)),
        CredentialType::BasicAuth => {
            basic(&member, posted.text("username"), posted.given("password")).map(Some)
        }
        CredentialType::JwtAuth => {
            let (algorithm, public_key) = (posted.given("algorithm"), posted.given("public_key"));
            TokenSigning::new(algorithm, public_key, None)
                .map(|signing| Some(NewSecret::JwtAuth(signing)))
                .map_err(Into::into)
        }
        CredentialType::Oauth => Ok(None),
    };
    let made = match secret {
        Ok(Some(secret)) => {
            let app = visit.web.app();
            credentials::create(app, &member.caller, &application.id, input(&posted), secret).await
        }
        Ok(None) => oauth_clients::create(&member, &application, &posted, input(&posted)).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(issued) => show_secret(&member, &application, &issued).await,
        Err(error) => {
            let form = oauth_clients::refused(&member, &posted, error, FIELDS)?;
            visit.show_refused(&new_form(&member, &application, kind_of(credential_type), form).await?)
        }
    }
}

/// User name and password, the latter made here where none is given.
fn basic(member: &Member, username: &str, password: Option<&str>) -> Result<NewSecret, forecourt_app::Error> {
    let made = member.visit.web.app().random_hex(PASSWORD_BYTES);
    Ok(NewSecret::BasicAuth(BasicSecret::new(username, password.unwrap_or(&made))?))
}

/// The one page that shows the secret of `issued`.
async fn show_secret(
    member: &Member,
    application: &Application,
    issued: &IssuedCredential,
) -> Result<Response, Failed> {
    let web = &member.visit.web;
    let credential = &issued.credential.credential;
    let value = issued.secret.as_ref().map(PlainSecret::reveal).unwrap_or_default();
    let token = issued.first_token(web.app());
    let secret =
        |name: String, env: &str, value: &str| Secret { name, env: env.to_owned(), value: value.to_owned() };
    let (secrets, shown) = match (credential.username(), credential.token()) {
        (Some(username), _) => (
            vec![
                secret(web.say("credential.username", &[]), "API_USERNAME", username),
                secret(web.say("credential.password", &[]), "API_PASSWORD", value),
            ],
            Shown::Pair(username, value),
        ),
        (None, Some((key, _))) => {
            let key = secret(web.say("credential.token_key", &[]), "API_TOKEN_KEY", key);
            let own = secret(web.say("credential.token_secret", &[]), "API_TOKEN_SECRET", value);
            let secrets = [key, own].into_iter().filter(|secret| !secret.value.is_empty()).collect();
            (secrets, Shown::Token(token.as_ref().map(PlainSecret::reveal)))
        }
        (None, None) if credential.oauth().is_some() => {
            (oauth_clients::secrets(member, issued), Shown::Client)
        }
        (None, None) => {
            (vec![secret(web.say("auth.key_auth.name", &[]), "API_KEY", value)], Shown::Key(value))
        }
    };
    let (curl, waits) = first_call(member, application, credential.credential_type(), &shown).await?.unzip();
    let waits = waits.unwrap_or_default();
    member.visit.show(&SecretShown {
        application: reference(application),
        name: oauth_clients::name(&issued.credential),
        kind: kind_of(credential.credential_type()),
        secrets,
        curl,
        waits,
    })
}

/// A line that calls the first product that takes the credential and to which the application is subscribed, or
/// has asked to be; and whether that subscription still waits.
async fn first_call(
    member: &Member,
    application: &Application,
    credential_type: CredentialType,
    shown: &Shown<'_>,
) -> Result<Option<(String, bool)>, Failed> {
    let web = &member.visit.web;
    let mut subscriptions = subscriptions_of(member, &application.id).await?;
    subscriptions.sort_by_key(|detail| !detail.subscription.is_active());
    for detail in subscriptions {
        let id = &detail.subscription.product_id;
        let found = catalogue::product(web.app(), &member.caller, id, None).await?;
        if !entrances::accepts(&found.product, credential_type) {
            continue;
        }
        let open = catalogue::entrances(web.app(), &member.caller, id).await?;
        if let Some(line) = entrances::curl(web, &found.product, open, shown).await {
            return Ok(Some((line, !detail.subscription.is_active())));
        }
    }
    Ok(None)
}

fn edit_form(application: &Application, found: &NamedCredential, form: Form) -> CredentialForm {
    let credential = &found.credential;
    CredentialForm {
        application: reference(application),
        credential: Some(oauth_clients::name(found)),
        kind: kind_of(credential.credential_type()),
        algorithms: Vec::new(),
        providers: Vec::new(),
        form,
        action: developer::edit_credential(application.id.as_str(), credential.id.as_str()),
    }
}

/// `GET /applications/{application}/credentials/{credential}/edit`.
pub(super) async fn edit(
    member: Member,
    Path((application, id)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let (application, found) = own_credential(&member, &application, &id).await?;
    let credential = &found.credential;
    let form = Form::new().with("name", credential.name.as_str()).with("desc", credential.desc.as_str());
    let form = form.with(oauth_clients::REDIRECT_URIS, oauth_clients::lines(&found));
    member.visit.show(&edit_form(&application, &found, form))
}

/// `POST /applications/{application}/credentials/{credential}/edit`; labels, which the form lacks, stay.
pub(super) async fn update(
    member: Member,
    Path((application, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let (application, found) = own_credential(&member, &application, &id).await?;
    let credential = &found.credential;
    let input = CredentialInput { labels: Some(credential.labels.pairs().clone()), ..input(&posted) };
    let own_type = credential.credential_type();
    let app = visit.web.app();
    let updated = if own_type == CredentialType::Oauth {
        oauth_clients::update(&member, &found, &posted, input).await
    } else {
        credentials::update(app, &member.caller, &application.id, &credential.id, own_type, input).await
    };
    match updated {
        Ok(_) => {
            let text = visit.web.say("form.saved", &[]);
            Ok(visit.done(&developer::application(application.id.as_str()), &text))
        }
        Err(error) => {
            let form = oauth_clients::refused(&member, &posted, error, FIELDS)?;
            visit.show_refused(&edit_form(&application, &found, form))
        }
    }
}

fn question(act: Act, application: &Application, found: &NamedCredential, action: Link) -> Confirm {
    Confirm {
        act,
        name: oauth_clients::name(found),
        impact: Vec::new(),
        type_name: false,
        action,
        back: developer::application(application.id.as_str()),
        form: Form::new(),
    }
}

/// `GET /applications/{application}/credentials/{credential}/regenerate`.
pub(super) async fn ask_regenerate(
    member: Member,
    Path((application, id)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let (application, found) = own_credential(&member, &application, &id).await?;
    let action = developer::regenerate_credential(application.id.as_str(), &id);
    member.visit.show(&question(Act::RegenerateCredential, &application, &found, action))
}

/// `POST /applications/{application}/credentials/{credential}/regenerate`: a user name stays, its password is
/// made anew; a developer's own public key stays, the name that tokens give is made anew.
pub(super) async fn regenerate(
    member: Member,
    Path((application, id)): Path<(String, String)>,
    _posted: Posted,
) -> Result<Response, Failed> {
    let (application, found) = own_credential(&member, &application, &id).await?;
    let credential = &found.credential;
    let app = member.visit.web.app();
    if credential.oauth().is_some() {
        let (caller, id) = (&member.caller, &credential.id);
        let issued = forecourt_app::oauth_clients::regenerate(app, caller, &application.id, id).await?;
        return show_secret(&member, &application, &issued).await;
    }
    let secret = match (credential.username(), credential.token()) {
        (Some(username), _) => basic(&member, username, None)?,
        (None, Some((_, TokenSecret::Public { algorithm, public_key }))) => {
            let (algorithm, public_key) = (*algorithm, public_key.clone());
            NewSecret::JwtAuth(TokenSigning::Public { algorithm, public_key })
        }
        (None, Some((_, kept))) => NewSecret::JwtAuth(TokenSigning::Shared(kept.algorithm())),
        (None, None) => NewSecret::KeyAuth,
    };
    let issued =
        credentials::regenerate(app, &member.caller, &application.id, &credential.id, secret).await?;
    show_secret(&member, &application, &issued).await
}

/// `GET /applications/{application}/credentials/{credential}/delete`.
pub(super) async fn ask_delete(
    member: Member,
    Path((application, id)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let (application, found) = own_credential(&member, &application, &id).await?;
    let action = developer::delete_credential(application.id.as_str(), &id);
    member.visit.show(&question(Act::DeleteCredential, &application, &found, action))
}

/// `POST /applications/{application}/credentials/{credential}/delete`.
pub(super) async fn delete(
    member: Member,
    Path((application, id)): Path<(String, String)>,
    _posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let (application, found) = own_credential(&member, &application, &id).await?;
    let credential = &found.credential;
    credentials::delete(visit.web.app(), &member.caller, &application.id, &credential.id).await?;
    let text = visit.web.say("credential.deleted", &[("name", &oauth_clients::name(&found))]);
    Ok(visit.done(&developer::application(application.id.as_str()), &text))
}
