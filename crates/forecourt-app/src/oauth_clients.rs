//! Credentials of type `oauth`: a client is registered at a DCR provider first, and stored after. Whoever changes it
//! there holds it ([`holds`]); what its provider does not know yet is told in the background ([`updates`]).
//!
//! Invariants: no write is open while a provider is called; before a client is asked for there is a row that says so
//! ([`crate::dcr_removals`]); and a caller who goes away interrupts nothing, since the answer may hold what no second
//! call would tell.

mod holds;
pub mod updates;

use std::{collections::HashMap, future::Future};

use forecourt_core::{
    actors::{Actor, Caller},
    applications::Application,
    credentials::{Credential, CredentialInput, CredentialRefusal, CredentialType, CredentialVersion},
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderType},
    dcr_removals::DcrRemoval,
    events::EventName,
    gateway_state::{CredentialSecret, Resource, Scope},
    ids::{ApplicationId, CredentialId, CredentialVersionId, DcrProviderId},
    oauth_clients::{HoldEnd, KeptManagement, OauthClient, RedirectUris},
};
use forecourt_identity::registrations::{
    IssuedSecret, KnownClient, Management, NewClient, Registered, RegistrationError,
};
use forecourt_store::Reader;
use tracing::Instrument;

use crate::{
    App, Error, access, applications,
    credentials::{self, IssuedCredential, NamedCredential},
    dcr_providers, dcr_removals,
    error::ErrorKind,
    random::OsRandom,
    sealing,
};

/// A credential's client with its provider.
#[derive(Clone, Debug)]
pub struct OauthDetail {
    /// The client.
    pub client: OauthClient,
    /// Where it is registered.
    pub provider: DcrProvider,
}

/// Registers a client and makes the credential that it is; its secret is in this answer only.
///
/// # Errors
/// [`ErrorKind::IdentityProvider`] when the provider does not register it; nothing is stored then.
pub async fn create(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    input: CredentialInput,
    provider: &str,
    redirect_uris: RedirectUris,
) -> Result<IssuedCredential, Error> {
    let application = applications::application(app, caller, application).await?;
    // What would be refused at the end is refused before anybody is called.
    input.clone().checked(CredentialType::Oauth)?;
    let found = match DcrProviderId::parse(provider) {
        Some(id) => app.read().dcr_provider(&id).await?,
        None => None,
    };
    let provider = found.ok_or_else(|| CredentialRefusal::UnknownProvider(provider.to_owned()))?;
    let (app, caller) = (app.clone(), caller.clone());
    uninterrupted(async move { register(&app, &caller, application, input, provider, redirect_uris).await })
        .await
}

/// Replaces description and labels, and where they are given the redirect URIs, here and at the provider.
///
/// # Errors
/// [`ErrorKind::IdentityProvider`] when the provider does not take the redirect URIs; nothing is changed here then.
pub async fn update(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    id: &CredentialId,
    input: CredentialInput,
    redirect_uris: Option<RedirectUris>,
) -> Result<NamedCredential, Error> {
    let Some(redirect_uris) = redirect_uris else {
        return credentials::update(app, caller, application, id, CredentialType::Oauth, input).await;
    };
    let found = credentials::credential(app, caller, application, id).await?;
    found.credential.expect_type(CredentialType::Oauth)?;
    input.clone().checked(CredentialType::Oauth)?;
    let (app, caller) = (app.clone(), caller.clone());
    uninterrupted(async move { redirect(&app, &caller, found, input, redirect_uris).await }).await
}

/// Gives the client another secret, which is in this answer only; the old one is dead at once. Only a bridge can.
///
/// # Errors
/// [`CredentialRefusal::FixedSecret`] at a provider of type `oidc`; [`ErrorKind::IdentityProvider`] when the bridge
/// gives no secret.
pub async fn regenerate(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    id: &CredentialId,
) -> Result<IssuedCredential, Error> {
    let found = credentials::credential(app, caller, application, id).await?;
    found.credential.expect_type(CredentialType::Oauth)?;
    let (app, caller) = (app.clone(), caller.clone());
    uninterrupted(async move { rotate(&app, &caller, found).await }).await
}

/// Runs `work` to its end, whether or not anybody still waits for it.
async fn uninterrupted<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let running = tokio::spawn(work.in_current_span());
    running.await.unwrap_or_else(|error| {
        Err(Error::new(
            ErrorKind::Internal,
            "interrupted",
            format!("a registration was interrupted: {error}"),
        ))
    })
}

async fn register(
    app: &App,
    caller: &Caller,
    application: Application,
    input: CredentialInput,
    provider: DcrProvider,
    redirect_uris: RedirectUris,
) -> Result<IssuedCredential, Error> {
    let outgoing = app.provider_calls()?;
    let registrar = dcr_providers::registrar(app, &provider).await?;
    let client = NewClient {
        client_name: application.name.clone(),
        redirect_uris: redirect_uris.as_slice().to_vec(),
        application_id: application.id.to_string(),
        developer_id: match &caller.actor {
            Actor::Developer { name, .. } => name.to_string(),
            _ => application.developer_id.to_string(),
        },
    };
    let intent = dcr_removals::intend(app, caller, &provider, &application).await?;
    let registered = match registrar.register(outgoing, &client).await {
        Ok(registered) => registered,
        Err(error) => {
            dcr_removals::registration_failed(app, caller, &intent, &error).await;
            return Err(error.into());
        }
    };
    let name = &client.client_name;
    let client = Registering { intent: &intent, provider: &provider, registered: &registered, name };
    match store(app, caller, &application.id, input, client, redirect_uris).await {
        Ok(credential) => {
            Ok(IssuedCredential { credential, secret: registered.secret.map(|issued| issued.secret) })
        }
        Err(error) => {
            let known = KnownClient { client_id: registered.client_id, management: registered.management };
            dcr_removals::unwanted(app, caller, &intent, &provider, &known).await;
            Err(error)
        }
    }
}

/// A client that its provider has made and that is not stored yet.
struct Registering<'a> {
    intent: &'a DcrRemoval,
    provider: &'a DcrProvider,
    registered: &'a Registered,
    name: &'a str,
}

/// Puts the credential in the place of the intent, all in one write.
async fn store(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    input: CredentialInput,
    Registering { intent, provider, registered, name }: Registering<'_>,
    redirect_uris: RedirectUris,
) -> Result<NamedCredential, Error> {
    let mut write = app.begin(caller).await?;
    let management = kept(app, &provider.id, &registered.client_id, registered.management.as_ref())?;
    let application = applications::own(caller, write.application(application).await?)?;
    let provider = write
        .dcr_provider(&provider.id)
        .await?
        .ok_or_else(|| CredentialRefusal::UnknownProvider(provider.id.to_string()))?;
    let client_id = &registered.client_id;
    let still_ours = write.dcr_removal(&intent.id).await?.is_some_and(|intent| intent.registering);
    if !still_ours || write.oauth_client_by_id(&provider.id, client_id).await?.is_some() {
        let problem = "the answer came too late, or gave a client_id that another credential has".into();
        return Err(RegistrationError::Answer { call: "registration", problem, acted: true }.into());
    }
    // A provider that gives the same id again has the client again: it must not be removed any more.
    if let Some(earlier) = write.dcr_removal_of(&provider.id, client_id).await? {
        write.delete_dcr_removal(&earlier.id).await?;
    }
    let secret = CredentialSecret::Oauth { provider_id: provider.id.clone(), client_id: client_id.clone() };
    let version = version(app, secret);
    let id = CredentialId::issue(write.now, &mut OsRandom);
    let credential = Credential::new(id.clone(), application.id.clone(), input, version, write.now)?;
    let client = OauthClient {
        credential_id: id,
        provider_id: provider.id.clone(),
        client_id: client_id.clone(),
        redirect_uris: redirect_uris.into_vec(),
        secret_expires_at: registered.secret.as_ref().map_or(0, |issued| issued.expires_at),
        management,
        held_until: None,
        pending_update: None,
    };
    // Its application may have another name by now.
    let client = if application.name == name { client } else { client.outdated(write.now) };
    write.owes_providers = client.pending_update.is_some();
    write.insert_credential(&credential).await?;
    write.insert_oauth_client(&client).await?;
    write.delete_dcr_removal(&intent.id).await?;
    write.put(Scope::Portal(application.portal_id.clone()), Resource::Credential(credential.gateway_state()));
    credentials::tell(&mut write, EventName::CredentialCreated, &credential);
    write.commit().await?;
    let oauth = Some(OauthDetail { client, provider });
    Ok(NamedCredential { credential, application_name: application.name, oauth })
}

async fn redirect(
    app: &App,
    caller: &Caller,
    found: NamedCredential,
    input: CredentialInput,
    redirect_uris: RedirectUris,
) -> Result<NamedCredential, Error> {
    let held = holds::hold(app, caller, &found.credential.id).await?;
    let renewed = match updates::tell(app, &held, redirect_uris.as_slice()).await {
        Ok(renewed) => renewed,
        Err(untold) => {
            holds::release(app, caller, &held, None, untold.end()).await;
            return Err(untold.into());
        }
    };
    let stored =
        redirected(app, caller, &found.credential, input, redirect_uris, &held, renewed.clone()).await;
    if stored.is_err() {
        // The provider has redirect URIs that are not here: it is told those that are.
        holds::release(app, caller, &held, renewed, HoldEnd::Apart).await;
    }
    stored
}

/// Stores redirect URIs that the provider has taken, and ends the hold, all in one write.
async fn redirected(
    app: &App,
    caller: &Caller,
    Credential { id, application_id, .. }: &Credential,
    input: CredentialInput,
    redirect_uris: RedirectUris,
    held: &OauthClient,
    renewed: Option<KeptManagement>,
) -> Result<NamedCredential, Error> {
    let mut write = app.begin(caller).await?;
    let found = credentials::found(&write, caller, application_id, id).await?;
    let credential = found.credential.replaced(input, write.now)?;
    let mut detail = found.oauth.ok_or_else(Error::not_found)?;
    let held = holds::as_kept(app, held, &detail.client).await;
    let renewed = holds::kept_up(app, &held, renewed).await?;
    detail.client = detail.client.released(&held, renewed, HoldEnd::Told, write.now);
    detail.client.redirect_uris = redirect_uris.into_vec();
    write.owes_providers = detail.client.pending_update.is_some();
    write.save_credential(&credential).await?;
    write.save_oauth_client(&detail.client).await?;
    credentials::tell(&mut write, EventName::CredentialUpdated, &credential);
    write.commit().await?;
    Ok(NamedCredential { credential, application_name: found.application_name, oauth: Some(detail) })
}

async fn rotate(app: &App, caller: &Caller, found: NamedCredential) -> Result<IssuedCredential, Error> {
    let OauthDetail { client, provider } = found.oauth.ok_or_else(Error::not_found)?;
    if provider.provider_type != DcrProviderType::HttpBridge {
        return Err(CredentialRefusal::FixedSecret.into());
    }
    if caller.preview.is_some() {
        // A preview asks the provider nothing: what that did could not be undone.
        return rotated(app, caller, &found.credential, &client, None).await;
    }
    let outgoing = app.provider_calls()?;
    let held = holds::hold(app, caller, &found.credential.id).await?;
    let issued = async {
        let registrar = dcr_providers::registrar(app, &provider).await?;
        Ok::<_, Error>(registrar.rotate_secret(outgoing, &known(app, &held).await?).await?)
    };
    let outcome = match issued.await {
        Ok(issued) => rotated(app, caller, &found.credential, &held, Some(issued)).await,
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        holds::release(app, caller, &held, None, HoldEnd::Unchanged).await;
    }
    outcome
}

/// Stores that a bridge has given another secret, and ends the hold, all in one write.
async fn rotated(
    app: &App,
    caller: &Caller,
    Credential { id, application_id, .. }: &Credential,
    held: &OauthClient,
    issued: Option<IssuedSecret>,
) -> Result<IssuedCredential, Error> {
    let mut write = app.begin(caller).await?;
    let now = credentials::found(&write, caller, application_id, id).await?;
    let version = version(app, now.credential.version.secret.clone());
    let credential = now.credential.regenerated(version, write.now)?;
    let mut detail = now.oauth.ok_or_else(Error::not_found)?;
    detail.client = detail.client.released(held, None, HoldEnd::Unchanged, write.now);
    if let Some(issued) = &issued {
        detail.client.secret_expires_at = issued.expires_at;
    }
    write.save_credential(&credential).await?;
    write.save_oauth_client(&detail.client).await?;
    let portal = access::developer(caller)?.portal_id.clone();
    write.put(Scope::Portal(portal), Resource::Credential(credential.gateway_state()));
    credentials::tell(&mut write, EventName::CredentialRegenerated, &credential);
    write.commit().await?;
    let credential =
        NamedCredential { credential, application_name: now.application_name, oauth: Some(detail) };
    Ok(IssuedCredential { credential, secret: issued.map(|issued| issued.secret) })
}

fn version(app: &App, secret: CredentialSecret) -> CredentialVersion {
    let now = app.now();
    CredentialVersion { id: CredentialVersionId::issue(now, &mut OsRandom), secret, created_at: now }
}

/// A client as its provider must be told of it.
pub(crate) async fn known(app: &App, client: &OauthClient) -> Result<KnownClient, Error> {
    opened(app, &client.provider_id, &client.client_id, client.management.as_ref()).await
}

/// The same of a client whose credential is gone.
pub(crate) async fn opened(
    app: &App,
    provider: &DcrProviderId,
    client_id: &str,
    management: Option<&KeptManagement>,
) -> Result<KnownClient, Error> {
    let management = match management {
        Some(kept) => {
            let token = app.opened(&kept.token, &sealing::of_oauth_client(provider, client_id)).await?;
            Some(Management { uri: kept.uri.clone(), token })
        }
        None => None,
    };
    Ok(KnownClient { client_id: client_id.to_owned(), management })
}

/// How a client is managed, as it may be stored.
pub(crate) fn kept(
    app: &App,
    provider: &DcrProviderId,
    client_id: &str,
    management: Option<&Management>,
) -> Result<Option<KeptManagement>, Error> {
    let Some(Management { uri, token }) = management else { return Ok(None) };
    let token = sealing::seal(app, token, &sealing::of_oauth_client(provider, client_id))?;
    Ok(Some(KeptManagement { uri: uri.clone(), token }))
}

/// The client of a credential of type `oauth`.
pub(crate) async fn detail(reader: &Reader, credential: &Credential) -> Result<Option<OauthDetail>, Error> {
    if credential.oauth().is_none() {
        return Ok(None);
    }
    let Some(client) = reader.oauth_client(&credential.id).await? else { return Ok(None) };
    let provider = reader.dcr_provider(&client.provider_id).await?;
    Ok(provider.map(|provider| OauthDetail { client, provider }))
}

/// The clients of those of `credentials` that are of type `oauth`.
pub(crate) async fn details(
    reader: &Reader,
    credentials: &[Credential],
) -> Result<HashMap<CredentialId, OauthDetail>, Error> {
    let ids = credentials.iter().filter(|credential| credential.oauth().is_some());
    let ids: Vec<_> = ids.map(|credential| credential.id.clone()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let providers = reader.dcr_providers(&DcrProviderFilter::default()).await?.rows;
    let provider = |id: &DcrProviderId| providers.iter().find(|provider| provider.id == *id).cloned();
    let clients = reader.oauth_clients(&ids).await?.into_iter().filter_map(|client| {
        let provider = provider(&client.provider_id)?;
        Some((client.credential_id.clone(), OauthDetail { client, provider }))
    });
    Ok(clients.collect())
}
