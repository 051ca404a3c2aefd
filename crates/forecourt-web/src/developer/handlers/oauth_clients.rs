//! OAuth clients of an application: where they can be registered, and the forms that register and redirect them.

use forecourt_app::{
    Error, ErrorKind,
    credentials::{IssuedCredential, NamedCredential},
    dcr_providers, oauth_clients,
};
use forecourt_core::{
    applications::Application,
    credentials::CredentialInput,
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderType},
    oauth_clients::RedirectUris,
};

use super::visitors::Member;
use crate::{
    developer::{credentials::Secret, products::Choice},
    forms::Form,
    handling::{Failed, Posted},
};

/// What a refusal calls the list of redirect URIs; its field is `redirect_uris`.
pub(super) const REDIRECT_URIS: &str = "redirect_uris";

/// The providers that a client can be registered at, by name.
pub(super) async fn providers(member: &Member) -> Result<Vec<Choice>, Failed> {
    let found = dcr_providers::list(member.visit.web.app(), &DcrProviderFilter::default()).await?;
    let mut providers: Vec<DcrProvider> = found.rows;
    providers.sort_by_key(|provider| provider.name.to_lowercase());
    Ok(providers.into_iter().map(|provider| Choice::new(provider.id.as_str(), provider.name)).collect())
}

/// Registers the client that the form describes.
pub(super) async fn create(
    member: &Member,
    application: &Application,
    posted: &Posted,
    input: CredentialInput,
) -> Result<IssuedCredential, Error> {
    let (app, provider) = (member.visit.web.app(), posted.text("provider"));
    oauth_clients::create(app, &member.caller, &application.id, input, provider, uris(posted)?).await
}

/// Replaces description and redirect URIs.
pub(super) async fn update(
    member: &Member,
    found: &NamedCredential,
    posted: &Posted,
    input: CredentialInput,
) -> Result<NamedCredential, Error> {
    let (application, id) = (&found.credential.application_id, &found.credential.id);
    let app = member.visit.web.app();
    oauth_clients::update(app, &member.caller, application, id, input, Some(uris(posted)?)).await
}

/// One redirect URI a line.
fn uris(posted: &Posted) -> Result<RedirectUris, Error> {
    let lines = posted.text(REDIRECT_URIS).lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(RedirectUris::new(REDIRECT_URIS, lines.map(str::to_owned).collect())?)
}

/// The form with what was refused; a provider that failed is a sentence on top, since trying again may help.
pub(super) fn refused(
    member: &Member,
    posted: &Posted,
    error: Error,
    fields: &[(&str, &str)],
) -> Result<Form, Failed> {
    if error.kind() != ErrorKind::IdentityProvider {
        return posted.refused(error, fields);
    }
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(error.code = error.code(), error.source = source, "an identity provider failed");
    Ok(posted.form().failed(member.visit.web.say("credential.provider_failed", &[])))
}

/// What people call a credential: its name, or where its client is registered.
pub(super) fn name(found: &NamedCredential) -> String {
    match &found.oauth {
        Some(detail) => detail.provider.name.clone(),
        None => found.credential.name.clone(),
    }
}

/// Whether the secret can be replaced.
pub(super) fn is_regenerable(found: &NamedCredential) -> bool {
    found.oauth.as_ref().is_none_or(|detail| detail.provider.provider_type == DcrProviderType::HttpBridge)
}

/// The redirect URIs as the form shows them.
pub(super) fn lines(found: &NamedCredential) -> String {
    found.oauth.as_ref().map(|detail| detail.client.redirect_uris.join("\n")).unwrap_or_default()
}

/// What to store of a client: its id, its secret where it has one, and whom to ask for tokens.
pub(super) fn secrets(member: &Member, issued: &IssuedCredential) -> Vec<Secret> {
    let Some(detail) = &issued.credential.oauth else { return Vec::new() };
    let secret = issued.secret.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default();
    let web = &member.visit.web;
    let shown = [
        (web.say("credential.client_id", &[]), "OAUTH_CLIENT_ID", detail.client.client_id.clone()),
        (web.say("credential.client_secret", &[]), "OAUTH_CLIENT_SECRET", secret),
        (web.say("credential.issuer", &[]), "OAUTH_ISSUER", detail.provider.issuer.clone()),
    ];
    let shown = shown.into_iter().filter(|(_, _, value)| !value.is_empty());
    shown.map(|(name, env, value)| Secret { name, env: env.to_owned(), value }).collect()
}
