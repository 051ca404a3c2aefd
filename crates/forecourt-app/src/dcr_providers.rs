//! DCR providers: made and changed by administrators, listed by everybody. Saving one contacts nobody.
//!
//! Invariant: a provider that a product accepts tokens of has an issuer and stays, and gateways hear of another issuer
//! in the write that makes it so.

use std::collections::BTreeMap;

use forecourt_core::{
    actors::Caller,
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderInput, DcrProviderRefusal},
    events::EventName,
    gateway_state::{Kind, Scope},
    ids::DcrProviderId,
    lists::List,
    permissions::{Action, Target},
    secrets::{KeptSecret, PlainSecret},
};
use forecourt_identity::registrations::Registrar;
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{
    App, Error, access, credentials, dcr_removals, products, random::OsRandom, sealing, writes::Write,
};

/// A provider with what deleting it would hit.
#[derive(Clone, Debug)]
pub struct DcrProviderUse {
    /// The provider.
    pub provider: DcrProvider,
    /// Credentials whose client is there.
    pub credentials: u64,
    /// The names of the products that accept its tokens, drafts included.
    pub products: Vec<String>,
}

/// The installation's providers that `filter` wants.
pub async fn list(app: &App, filter: &DcrProviderFilter) -> Result<List<DcrProvider>, Error> {
    Ok(app.read().dcr_providers(filter).await?)
}

/// The providers that `filter` wants, for administrators; those that the caller may see.
pub async fn administered(
    app: &App,
    caller: &Caller,
    filter: &DcrProviderFilter,
) -> Result<List<DcrProvider>, Error> {
    let readable = access::readable(app, caller, Action::GetDcrProvider, RuledNoun::DcrProviders).await?;
    list(app, &DcrProviderFilter { readable, ..filter.clone() }).await
}

/// One provider, for administrators.
pub async fn provider(app: &App, caller: &Caller, id: &DcrProviderId) -> Result<DcrProvider, Error> {
    permitted(app, caller, id, Action::GetDcrProvider).await
}

/// The provider, where the caller may do `action` to it.
pub async fn permitted(
    app: &App,
    caller: &Caller,
    id: &DcrProviderId,
    action: Action,
) -> Result<DcrProvider, Error> {
    access::permits(caller, action, Target::DcrProvider(Some(id)))?;
    app.read().dcr_provider(id).await?.ok_or_else(Error::not_found)
}

/// One provider with what hangs on it, for administrators.
pub async fn with_use(app: &App, caller: &Caller, id: &DcrProviderId) -> Result<DcrProviderUse, Error> {
    let provider = provider(app, caller, id).await?;
    let products = app.read().products_with_dcr(id).await?;
    Ok(DcrProviderUse {
        provider,
        credentials: app.read().credential_count_at(id).await?,
        products: products.into_iter().map(|product| product.name).collect(),
    })
}

/// Makes a provider.
pub async fn create(app: &App, caller: &Caller, input: DcrProviderInput) -> Result<DcrProvider, Error> {
    access::permits(caller, Action::CreateDcrProvider, Target::DcrProvider(None))?;
    let mut write = app.begin(caller).await?;
    let id = DcrProviderId::issue(write.now, &mut OsRandom);
    let provider = sealed(app, DcrProvider::new(id, input, write.now)?)?;
    refuse_taken(&write, &provider).await?;
    write.insert_dcr_provider(&provider).await?;
    tell(&mut write, EventName::DcrProviderCreated, &provider);
    write.commit().await?;
    Ok(provider)
}

/// Changes what `input` gives; gateways that verify its tokens hear of another issuer.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &DcrProviderId,
    input: DcrProviderInput,
) -> Result<DcrProvider, Error> {
    access::permits(caller, Action::UpdateDcrProvider, Target::DcrProvider(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let before = write.dcr_provider(id).await?.ok_or_else(Error::not_found)?;
    let provider = sealed(app, before.clone().changed(input, write.now)?)?;
    refuse_taken(&write, &provider).await?;
    write.save_dcr_provider(&provider).await?;
    if provider.issuer != before.issuer {
        for product in write.products_with_dcr(id).await? {
            if provider.issuer.is_empty() {
                return Err(DcrProviderRefusal::IssuerInUse(product.name).into());
            }
            products::tell_gateways(&mut write, &product).await?;
        }
    }
    tell(&mut write, EventName::DcrProviderUpdated, &provider);
    write.commit().await?;
    Ok(provider)
}

/// Deletes a provider with its OAuth credentials, whose clients are removed there afterwards; refused while a product
/// uses it.
pub async fn delete(app: &App, caller: &Caller, id: &DcrProviderId) -> Result<(), Error> {
    access::permits(caller, Action::DeleteDcrProvider, Target::DcrProvider(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let provider = write.dcr_provider(id).await?.ok_or_else(Error::not_found)?;
    if let Some(product) = write.products_with_dcr(id).await?.into_iter().next() {
        return Err(DcrProviderRefusal::InUse(product.name).into());
    }
    for credential in write.credentials_at(id).await? {
        if let Some(application) = write.application(&credential.application_id).await? {
            let scope = Scope::Portal(application.portal_id);
            write.delete(scope, Kind::Credential, credential.id.to_string());
            dcr_removals::leave(&mut write, &credential, &application.name).await?;
        }
        write.delete_credential(&credential.id).await?;
        credentials::tell(&mut write, EventName::CredentialDeleted, &credential);
    }
    write.keep_departed_dcr_provider(&provider).await?;
    write.delete_dcr_provider(id).await?;
    tell(&mut write, EventName::DcrProviderDeleted, &provider);
    write.commit().await
}

/// The provider as calls to it need it.
pub(crate) async fn registrar(app: &App, provider: &DcrProvider) -> Result<Registrar, Error> {
    let mut headers = BTreeMap::new();
    for (name, value) in &provider.headers {
        let opened = app.opened(value, &sealing::of_dcr_header(&provider.id, name)).await?;
        headers.insert(name.clone(), opened);
    }
    Ok(Registrar::new(provider, headers))
}

/// The provider as it may be stored: new values of headers are sealed.
fn sealed(app: &App, mut provider: DcrProvider) -> Result<DcrProvider, Error> {
    for (name, value) in &mut provider.headers {
        if let KeptSecret::Clear(text) = value {
            let context = sealing::of_dcr_header(&provider.id, name);
            *value = sealing::seal(app, &PlainSecret::presented(text.as_str()), &context)?;
        }
    }
    Ok(provider)
}

/// `provider`, which was read before a write that stores it, with its headers sealed under the newest data key.
pub(crate) async fn kept_up(app: &App, mut provider: DcrProvider) -> Result<DcrProvider, Error> {
    for (name, value) in &mut provider.headers {
        sealing::keep_up(app, value, &sealing::of_dcr_header(&provider.id, name)).await?;
    }
    Ok(provider)
}

async fn refuse_taken(write: &Write<'_>, provider: &DcrProvider) -> Result<(), Error> {
    match write.dcr_provider_by_name(&provider.name).await? {
        Some(other) if other.id != provider.id => {
            Err(DcrProviderRefusal::NameTaken(provider.name.clone()).into())
        }
        _ => Ok(()),
    }
}

fn tell(write: &mut Write<'_>, name: EventName, provider: &DcrProvider) {
    let detail = json!({
        "name": provider.name,
        "provider_type": provider.provider_type,
        "issuer": provider.issuer,
        "base_url": provider.base_url,
        "headers": provider.headers.keys().collect::<Vec<_>>(),
    });
    write.tell(name, "dcr_provider", provider.id.as_str(), None, detail);
}
