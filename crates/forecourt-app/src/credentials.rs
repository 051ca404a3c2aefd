//! Credentials of a developer's own applications. Secrets leave in the answer that makes them, and never again. Those
//! of type `oauth` are made, regenerated and given other redirect URIs in [`crate::oauth_clients`].

use forecourt_core::{
    actors::Caller,
    applications::Application,
    credentials::{
        BasicSecret, Credential, CredentialFilter, CredentialInput, CredentialType, CredentialVersion,
        TokenSigning,
    },
    events::EventName,
    gateway_state::{CredentialSecret, Kind, Resource, Scope, TokenSecret},
    ids::{ApplicationId, CredentialId, CredentialVersionId},
    lists::List,
    secrets::{PlainSecret, issue_api_key, issue_token_key, issue_token_secret},
    text::Invalid,
};
use forecourt_identity::{public_keys, tokens};
use forecourt_store::Reader;
use serde_json::json;

pub use crate::oauth_clients::OauthDetail;
use crate::{
    App, Error, access, applications, dcr_removals, oauth_clients, random::OsRandom, sealing, writes::Write,
};

/// How long the token lasts that comes with a new secret.
const FIRST_TOKEN_SECONDS: i64 = 3_600;

/// What a new secret is made of.
#[derive(Clone, Debug)]
pub enum NewSecret {
    /// Forecourt makes an API key.
    KeyAuth,
    /// The developer chose user name and password.
    BasicAuth(BasicSecret),
    /// Tokens, signed as the developer wants.
    JwtAuth(TokenSigning),
}

/// A credential with its secret, in the one answer that shows it.
#[derive(Debug)]
pub struct IssuedCredential {
    /// The credential.
    pub credential: NamedCredential,
    /// The API key, the password or the secret to sign with; `None` where the developer alone has it.
    pub secret: Option<PlainSecret>,
}

/// A credential with its application's name.
#[derive(Clone, Debug)]
pub struct NamedCredential {
    /// The credential.
    pub credential: Credential,
    /// Its application's name.
    pub application_name: String,
    /// Its client and where that is, for type `oauth`.
    pub oauth: Option<OauthDetail>,
}

impl IssuedCredential {
    /// A token that is good for an hour, signed with the secret that this answer shows: a first call without code.
    pub fn first_token(&self, app: &App) -> Option<PlainSecret> {
        let (key, kept) = self.credential.credential.token()?;
        let expires_at = app.now().plus_seconds(FIRST_TOKEN_SECONDS);
        tokens::signed(kept.algorithm(), key, self.secret.as_ref()?, expires_at)
    }
}

impl NewSecret {
    /// The type of credential that it makes.
    pub const fn credential_type(&self) -> CredentialType {
        match self {
            Self::KeyAuth => CredentialType::KeyAuth,
            Self::BasicAuth(_) => CredentialType::BasicAuth,
            Self::JwtAuth(_) => CredentialType::JwtAuth,
        }
    }

    /// The secret of the credential `id`, to be shown once, and what is kept of it.
    async fn issue(
        self,
        app: &App,
        id: &CredentialId,
    ) -> Result<(Option<PlainSecret>, CredentialVersion), Error> {
        let (plain, secret) = match self {
            Self::KeyAuth => {
                let key = issue_api_key(&mut OsRandom);
                let digest = key.digest();
                (Some(key), CredentialSecret::KeyAuth { digest })
            }
            Self::BasicAuth(BasicSecret { username, password }) => {
                let salt = app.sealer().salt_of(&username);
                let password_hash = app.passwords().hash_with_salt(password.reveal(), salt).await?;
                (Some(password), CredentialSecret::BasicAuth { username, password_hash })
            }
            Self::JwtAuth(signing) => {
                let (plain, secret) = token_secret(app, signing, id)?;
                (plain, CredentialSecret::JwtAuth { key: issue_token_key(&mut OsRandom), secret })
            }
        };
        let now = app.now();
        let version =
            CredentialVersion { id: CredentialVersionId::issue(now, &mut OsRandom), secret, created_at: now };
        Ok((plain, version))
    }
}

/// What verifies the tokens of the credential `id`, and the secret to sign them with where we make it.
fn token_secret(
    app: &App,
    signing: TokenSigning,
    id: &CredentialId,
) -> Result<(Option<PlainSecret>, TokenSecret), Error> {
    match signing {
        TokenSigning::Shared(algorithm) => {
            let plain = issue_token_secret(&mut OsRandom);
            let secret = sealing::seal(app, &plain, &sealing::of_credential(id))?;
            Ok((Some(plain), TokenSecret::Shared { algorithm, secret }))
        }
        TokenSigning::Public { algorithm, public_key } => {
            public_keys::check(&public_key, algorithm)
                .map_err(|problem| Invalid::new("jwt-auth.public_key", problem.to_string()))?;
            Ok((None, TokenSecret::Public { algorithm, public_key }))
        }
    }
}

/// Has `version` of the credential `id`, which a write stores and which was made before it, be sealed under the newest
/// data key.
async fn keep_up(app: &App, id: &CredentialId, version: &mut CredentialVersion) -> Result<(), Error> {
    if let CredentialSecret::JwtAuth { secret: TokenSecret::Shared { secret, .. }, .. } = &mut version.secret
    {
        sealing::keep_up(app, secret, &sealing::of_credential(id)).await?;
    }
    Ok(())
}

/// The credentials of the caller's applications that `filter` wants.
pub async fn list(
    app: &App,
    caller: &Caller,
    mut filter: CredentialFilter,
) -> Result<List<NamedCredential>, Error> {
    let developer = access::developer(caller)?;
    filter.developer_id = Some(developer.id.clone());
    let found = app.read().credentials(&filter).await?;
    let own = app.read().applications_of(developer.id).await?;
    let name = |id: &ApplicationId| {
        own.iter().find(|own| own.id == *id).map(|own| own.name.clone()).unwrap_or_default()
    };
    let mut clients = oauth_clients::details(app.read(), &found.rows).await?;
    Ok(found.map(|credential| NamedCredential {
        application_name: name(&credential.application_id),
        oauth: clients.remove(&credential.id),
        credential,
    }))
}

/// One credential of one of the caller's applications.
pub async fn credential(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    id: &CredentialId,
) -> Result<NamedCredential, Error> {
    of_application(app.read(), applications::application(app, caller, application).await?, id).await
}

/// Makes a credential; the secret is in this answer only.
pub async fn create(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    input: CredentialInput,
    secret: NewSecret,
) -> Result<IssuedCredential, Error> {
    // Ownership comes before the slow hash, and again within the transaction, where it counts.
    applications::application(app, caller, application).await?;
    let id = CredentialId::issue(app.now(), &mut OsRandom);
    let (plain, mut version) = secret.issue(app, &id).await?;
    let mut write = app.begin(caller).await?;
    keep_up(app, &id, &mut version).await?;
    let application = applications::own(caller, write.application(application).await?)?;
    let credential = Credential::new(id, application.id.clone(), input, version, write.now)?;
    write.insert_credential(&credential).await?;
    write.put(Scope::Portal(application.portal_id.clone()), Resource::Credential(credential.gateway_state()));
    tell(&mut write, EventName::CredentialCreated, &credential);
    write.commit().await?;
    let credential = NamedCredential { credential, application_name: application.name, oauth: None };
    Ok(IssuedCredential { credential, secret: plain })
}

/// Replaces name, description and labels; the secret stays.
pub async fn update(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    id: &CredentialId,
    given: CredentialType,
    input: CredentialInput,
) -> Result<NamedCredential, Error> {
    let mut write = app.begin(caller).await?;
    let found = found(&write, caller, application, id).await?;
    found.credential.expect_type(given)?;
    let credential = found.credential.replaced(input, write.now)?;
    write.save_credential(&credential).await?;
    tell(&mut write, EventName::CredentialUpdated, &credential);
    write.commit().await?;
    Ok(NamedCredential { credential, ..found })
}

/// Replaces the secret; the old one is dead at once.
pub async fn regenerate(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    id: &CredentialId,
    secret: NewSecret,
) -> Result<IssuedCredential, Error> {
    let known = credential(app, caller, application, id).await?;
    known.credential.expect_type(secret.credential_type())?;
    let (plain, mut version) = secret.issue(app, id).await?;
    let mut write = app.begin(caller).await?;
    keep_up(app, id, &mut version).await?;
    let known = found(&write, caller, application, id).await?;
    let credential = known.credential.regenerated(version, write.now)?;
    write.save_credential(&credential).await?;
    let portal = access::developer(caller)?.portal_id.clone();
    write.put(Scope::Portal(portal), Resource::Credential(credential.gateway_state()));
    tell(&mut write, EventName::CredentialRegenerated, &credential);
    write.commit().await?;
    let credential = NamedCredential { credential, ..known };
    Ok(IssuedCredential { credential, secret: plain })
}

/// Deletes a credential; it is refused from then on.
pub async fn delete(
    app: &App,
    caller: &Caller,
    application: &ApplicationId,
    id: &CredentialId,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let found = found(&write, caller, application, id).await?;
    let portal = access::developer(caller)?.portal_id.clone();
    write.delete(Scope::Portal(portal), Kind::Credential, id.to_string());
    dcr_removals::leave(&mut write, &found.credential, &found.application_name).await?;
    write.delete_credential(id).await?;
    tell(&mut write, EventName::CredentialDeleted, &found.credential);
    write.commit().await
}

/// The credential with this id as a write sees it, where it is one of the caller's application.
pub(crate) async fn found(
    write: &Write<'_>,
    caller: &Caller,
    application: &ApplicationId,
    id: &CredentialId,
) -> Result<NamedCredential, Error> {
    of_application(write, applications::own(caller, write.application(application).await?)?, id).await
}

async fn of_application(
    reader: &Reader,
    application: Application,
    id: &CredentialId,
) -> Result<NamedCredential, Error> {
    let found = reader.credential(id).await?.filter(|found| found.application_id == application.id);
    let credential = found.ok_or_else(Error::not_found)?;
    let oauth = oauth_clients::detail(reader, &credential).await?;
    Ok(NamedCredential { credential, application_name: application.name, oauth })
}

pub(crate) fn tell(write: &mut Write<'_>, name: EventName, credential: &Credential) {
    // A client has no name of its own here.
    let name_shown = credential.oauth().map_or(&credential.name, |(_, client_id)| client_id);
    let detail = json!({
        "name": name_shown,
        "type": credential.credential_type(),
        "application_id": credential.application_id,
    });
    write.tell(name, "credential", credential.id.as_str(), None, detail);
}
