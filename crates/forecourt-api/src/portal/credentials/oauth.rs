//! Credentials of type `oauth`: their bodies in requests, and what answers show of their client.

use forecourt_app::{
    credentials::{IssuedCredential, NamedCredential},
    oauth_clients,
};
use forecourt_core::{
    actors::Caller,
    credentials::{Credential, CredentialInput},
    ids::ApplicationId,
    oauth_clients::RedirectUris,
};
use forecourt_http::{Context, bodies::Object, problem::Problem};
use serde_json::{Map, Value, json};

use crate::shapes::members;

const REDIRECT_URIS: &str = "oauth.redirect_uris";

/// Registers the client that `given` asks for.
pub(super) async fn create(
    context: &Context,
    caller: &Caller,
    application: &ApplicationId,
    given: &Object,
) -> Result<IssuedCredential, Problem> {
    let Some(oauth) = given.object("oauth")? else {
        return Err(Problem::bad_request("oauth is required: {\"dcr_provider_id\", \"redirect_uris\"}"));
    };
    let provider = oauth.required_text("dcr_provider_id")?;
    let uris = RedirectUris::new(REDIRECT_URIS, oauth.texts("redirect_uris")?.unwrap_or_default())?;
    let input = input(given)?;
    Ok(oauth_clients::create(&context.app, caller, application, input, &provider, uris).await?)
}

/// Replaces description and labels of `credential`, and its redirect URIs where they are given.
pub(super) async fn update(
    context: &Context,
    caller: &Caller,
    credential: &Credential,
    given: &Object,
) -> Result<NamedCredential, Problem> {
    given.closed(&["type", "desc", "labels", "oauth"])?;
    let Some(oauth) = given.object("oauth")? else {
        return Err(Problem::bad_request("oauth is required: {\"redirect_uris\"}"));
    };
    oauth.closed(&["redirect_uris"])?;
    let uris =
        oauth.texts("redirect_uris")?.map(|uris| RedirectUris::new(REDIRECT_URIS, uris)).transpose()?;
    let (application, id, input) = (&credential.application_id, &credential.id, input(given)?);
    Ok(oauth_clients::update(&context.app, caller, application, id, input, uris).await?)
}

fn input(given: &Object) -> Result<CredentialInput, Problem> {
    Ok(CredentialInput { name: None, desc: given.text("desc")?, labels: given.text_map("labels")? })
}

/// The member `oauth`, with the client's secret in the one answer that shows it.
pub(super) fn body(named: &NamedCredential, secret: Option<&str>) -> Map<String, Value> {
    let Some(detail) = &named.oauth else { return Map::new() };
    let (client, provider) = (&detail.client, &detail.provider);
    let shown = json!({
        "id": provider.id,
        "name": provider.name,
        "issuer": provider.issuer,
        "provider_type": provider.provider_type.name(),
    });
    members([
        ("dcr_provider_id", Some(json!(client.provider_id))),
        ("dcr_provider", Some(shown)),
        ("client_id", Some(json!(client.client_id))),
        ("client_secret", secret.map(|secret| json!(secret))),
        ("client_secret_expires_at", Some(json!(client.secret_expires_at))),
        ("redirect_uris", Some(json!(client.redirect_uris))),
    ])
}
