//! OAuth clients that must go at their provider: written down, tried at once, and tried again until they are gone.
//!
//! Invariant: whatever was asked of a provider is known here ([`intend`]) until a credential has it or it is gone. No
//! write is open while a provider is called: an attempt is leased in one write and settled in another, so that any
//! number of processes on one database may work at the same time.

use forecourt_core::{
    actors::{Caller, Source},
    applications::Application,
    credentials::{Credential, CredentialRefusal},
    dcr_providers::DcrProvider,
    dcr_removals::{DcrRemoval, DcrRemovalFilter},
    events::EventName,
    ids::DcrRemovalId,
    lists::List,
    permissions::{Action, Target},
};
use forecourt_identity::registrations::{KnownClient, RegistrationError, Removed};
use forecourt_store::RuledNoun;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{App, Error, access, dcr_providers, oauth_clients, random::OsRandom, writes::Write};

/// How many removals are tried at the same time.
const AT_ONCE: u64 = 8;

/// A client that is left behind, with the name of its provider.
#[derive(Clone, Debug)]
pub struct ListedRemoval {
    /// What is left, and how often its removal was tried.
    pub removal: DcrRemoval,
    /// Its provider's name, as it is or as it was.
    pub provider_name: String,
}

/// What is left behind at the providers that the caller may read; at deleted ones, for those who may read all.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &DcrRemovalFilter,
) -> Result<List<ListedRemoval>, Error> {
    let readable = access::readable(app, caller, Action::GetDcrProvider, RuledNoun::DcrProviders).await?;
    let found = app.read().dcr_removals(&DcrRemovalFilter { readable, ..filter.clone() }).await?;
    let mut rows = Vec::with_capacity(found.rows.len());
    for removal in found.rows {
        let provider = provider_of(app, &removal).await?;
        let provider_name = provider.map(|provider| provider.name).unwrap_or_default();
        rows.push(ListedRemoval { removal, provider_name });
    }
    Ok(List { rows, total: found.total })
}

/// One client that is left behind.
pub async fn removal(app: &App, caller: &Caller, id: &DcrRemovalId) -> Result<DcrRemoval, Error> {
    let found = app.read().dcr_removal(id).await?.filter(|removal| !removal.registering);
    let removal = found.ok_or_else(|| access::missing(caller))?;
    access::permits(caller, Action::GetDcrProvider, Target::DcrProvider(Some(&removal.provider_id)))?;
    Ok(removal)
}

/// Takes a removal off the list: an administrator removed the client by hand, or lets it be.
pub async fn dismiss(app: &App, caller: &Caller, id: &DcrRemovalId) -> Result<(), Error> {
    if let Err(refused) = access::permits_somewhere(caller, Action::DeleteDcrProvider) {
        // Before the removal is looked for: who may do this to none learns nothing of which there are.
        let reads = access::permits_somewhere(caller, Action::GetDcrProvider).is_ok();
        return Err(if reads { refused } else { access::missing(caller) });
    }
    let mut write = app.begin(caller).await?;
    let found = write.dcr_removal(id).await?.filter(|removal| !removal.registering);
    let removal = found.ok_or_else(|| access::missing(caller))?;
    access::permits(caller, Action::DeleteDcrProvider, Target::DcrProvider(Some(&removal.provider_id)))?;
    write.delete_dcr_removal(id).await?;
    let detail = json!({
        "dcr_provider_id": removal.provider_id,
        "client_id": removal.client_id,
        "client_name": removal.client_name,
    });
    write.tell(EventName::DcrRemovalDismissed, "dcr_removal", id.as_str(), None, detail);
    write.commit().await
}

/// Returns when a removal, or an update of a client, became due in this process.
pub async fn due(app: &App) {
    app.providers_due().notified().await;
}

/// Tries the removals that are due, some at a time. Whether there were any. To be called again and again.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn work(app: &App) -> Result<bool, Error> {
    // Writers take turns, so nobody asks for one without need.
    if app.read().due_dcr_removals(app.now(), 1).await?.is_empty() {
        return Ok(false);
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let mut attempts = JoinSet::new();
    for removal in leased(app, &caller).await? {
        let (app, caller) = (app.clone(), caller.clone());
        attempts.spawn(async move { settle(&app, &caller, removal).await });
    }
    while let Some(ended) = attempts.join_next().await {
        match ended {
            Ok(settled) => settled?,
            Err(_) => tracing::error!("the removal of an OAuth client ended early by a panic"),
        }
    }
    Ok(true)
}

/// How many removals are due and not tried yet, 1000 at most.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_due(app: &App) -> Result<usize, Error> {
    Ok(app.read().due_dcr_removals(app.now(), 1_000).await?.len())
}

/// Takes what is due for this process; registrations of which nobody heard again are left to administrators.
async fn leased(app: &App, caller: &Caller) -> Result<Vec<DcrRemoval>, Error> {
    let write = app.begin(caller).await?;
    let now = write.now;
    let mut taken = Vec::new();
    for removal in write.due_dcr_removals(now, AT_ONCE).await? {
        if removal.client_id.is_none() {
            let removal = removal.lost("");
            tracing::warn!(dcr_removal.id = %removal.id, dcr_provider.id = %removal.provider_id, "a registration was lost");
            write.save_dcr_removal(&removal).await?;
            continue;
        }
        let removal = removal.leased(now);
        write.save_dcr_removal(&removal).await?;
        taken.push(removal);
    }
    write.into_tx().commit(now).await?;
    Ok(taken)
}

/// Tries one removal, and writes down how it ended.
async fn settle(app: &App, caller: &Caller, tried: DcrRemoval) -> Result<(), Error> {
    let outcome = attempt(app, &tried).await;
    let write = app.begin(caller).await?;
    let now = write.now;
    // It may have been taken off the list meanwhile, or have a newer token.
    let Some(removal) = write.dcr_removal(&tried.id).await? else { return Ok(()) };
    let place = (removal.id.clone(), removal.provider_id.clone());
    match outcome {
        Ok(removed) => {
            write.delete_dcr_removal(&tried.id).await?;
            let before = removed == Removed::Before;
            tracing::info!(dcr_removal.id = %place.0, dcr_provider.id = %place.1, gone_before = before, "an OAuth client is gone at its provider");
        }
        Err(problem) => {
            tracing::warn!(dcr_removal.id = %place.0, dcr_provider.id = %place.1, attempts = removal.attempts, error.cause = problem.text, "an OAuth client could not be removed at its provider");
            let changed = match problem {
                Failed { text, hopeless: true, .. } => removal.given_up(&text),
                Failed { text, maybe_gone, .. } => removal.failed(&text, maybe_gone, now),
            };
            write.save_dcr_removal(&changed).await?;
        }
    }
    write.into_tx().commit(now).await?;
    Ok(())
}

/// Why a client is still there.
struct Failed {
    text: String,
    /// The provider may have removed it all the same.
    maybe_gone: bool,
    /// No further attempt could end otherwise.
    hopeless: bool,
}

async fn attempt(app: &App, removal: &DcrRemoval) -> Result<Removed, Failed> {
    let failed = |error: Error| Failed { text: error.to_string(), maybe_gone: false, hopeless: false };
    let hopeless = |text: &str| Failed { text: text.to_owned(), maybe_gone: false, hopeless: true };
    let outgoing = app.provider_calls().map_err(failed)?;
    let provider = provider_of(app, removal).await.map_err(failed)?;
    let provider = provider.ok_or_else(|| hopeless("nothing is known of its provider any more"))?;
    let client_id = removal.client_id.as_ref().ok_or_else(|| hopeless("its id is not known"))?;
    let registrar = dcr_providers::registrar(app, &provider).await.map_err(failed)?;
    let known = oauth_clients::opened(app, &removal.provider_id, client_id, removal.management.as_ref());
    let known = known.await.map_err(failed)?;
    let removed = registrar.remove(outgoing, &known, removal.maybe_gone).await;
    removed.map_err(|error| Failed {
        text: error.to_string(),
        maybe_gone: error.may_have_arrived(),
        hopeless: matches!(error, RegistrationError::Unsupported(_)),
    })
}

/// The provider as it is, else as it was when it was deleted.
async fn provider_of(app: &App, removal: &DcrRemoval) -> Result<Option<DcrProvider>, Error> {
    match &removal.departed_provider {
        Some(departed) => Ok(Some(departed.clone())),
        None => Ok(app.read().dcr_provider(&removal.provider_id).await?),
    }
}

/// Writes down that a client is about to be asked for, at a provider that is still there: one that is deleted later
/// is kept with what is written here.
pub(crate) async fn intend(
    app: &App,
    caller: &Caller,
    provider: &DcrProvider,
    application: &Application,
) -> Result<DcrRemoval, Error> {
    let write = app.begin(caller).await?;
    let now = write.now;
    if write.dcr_provider(&provider.id).await?.is_none() {
        return Err(CredentialRefusal::UnknownProvider(provider.id.to_string()).into());
    }
    let id = DcrRemovalId::issue(now, &mut OsRandom);
    let (application, name) = (application.id.clone(), application.name.clone());
    let intent = DcrRemoval::intent(id, provider.id.clone(), application, name, now);
    write.insert_dcr_removal(&intent).await?;
    write.into_tx().commit(now).await?;
    Ok(intent)
}

/// Settles an intent whose registration failed: forgotten where the provider refused, told where it may have acted.
pub(crate) async fn registration_failed(
    app: &App,
    caller: &Caller,
    intent: &DcrRemoval,
    error: &RegistrationError,
) {
    let settled = async {
        let write = app.begin(caller).await?;
        let now = write.now;
        // Read again: the provider may have been deleted meanwhile, and stands in the row then.
        let Some(intent) = write.dcr_removal(&intent.id).await? else { return Ok(()) };
        if error.may_have_arrived() {
            write.save_dcr_removal(&intent.lost(&error.to_string())).await?;
        } else {
            write.delete_dcr_removal(&intent.id).await?;
        }
        write.into_tx().commit(now).await?;
        Ok::<_, Error>(())
    };
    if let Err(error) = settled.await {
        tracing::warn!(error.cause = %error, dcr_removal.id = %intent.id, "how a registration ended could not be written down; it will be told as lost");
    }
}

/// Has a client removed that was registered and could not be stored; one that another credential has stays.
pub(crate) async fn unwanted(
    app: &App,
    caller: &Caller,
    intent: &DcrRemoval,
    provider: &DcrProvider,
    known: &KnownClient,
) {
    let Err(error) = left(app, caller, intent, provider, known).await else { return };
    tracing::warn!(error.cause = %error, dcr_removal.id = %intent.id, "a client that is to be removed could not be written down; it is removed now or never");
    let removed = async {
        let registrar = dcr_providers::registrar(app, provider).await?;
        Ok::<_, Error>(registrar.remove(app.provider_calls()?, known, false).await?)
    };
    if let Err(error) = removed.await {
        tracing::error!(error.cause = %error, dcr_provider.id = %provider.id, oauth_client.id = known.client_id, "an OAuth client is left behind at its provider; remove it there by hand");
    }
}

async fn left(
    app: &App,
    caller: &Caller,
    intent: &DcrRemoval,
    provider: &DcrProvider,
    known: &KnownClient,
) -> Result<(), Error> {
    let KnownClient { client_id, management } = known;
    let mut write = app.begin(caller).await?;
    let now = write.now;
    let management = oauth_clients::kept(app, &intent.provider_id, client_id, management.as_ref())?;
    let found = write.dcr_removal(&intent.id).await?;
    if write.oauth_client_by_id(&intent.provider_id, client_id).await?.is_some() {
        write.delete_dcr_removal(&intent.id).await?;
    } else if let Some(intent) = found {
        write.save_dcr_removal(&intent.registered(client_id.clone(), management, now)).await?;
    } else {
        // It was taken off the list as lost, and its provider may be gone since.
        let departed_provider = match write.dcr_provider(&provider.id).await? {
            Some(_) => None,
            None => Some(dcr_providers::kept_up(app, provider.clone()).await?),
        };
        let again = intent.clone().registered(client_id.clone(), management, now);
        let again = DcrRemoval { departed_provider, ..again };
        write.insert_dcr_removal(&again).await?;
    }
    write.owes_providers = true;
    write.commit().await
}

/// Leaves the client of a credential that is being deleted to be removed at its provider.
pub(crate) async fn leave(
    write: &mut Write<'_>,
    credential: &Credential,
    client_name: &str,
) -> Result<(), Error> {
    if credential.oauth().is_none() {
        return Ok(());
    }
    let Some(client) = write.oauth_client(&credential.id).await? else { return Ok(()) };
    let id = DcrRemovalId::issue(write.now, &mut OsRandom);
    let application = credential.application_id.clone();
    let removal = DcrRemoval::of_client(id, client, application, client_name.to_owned(), write.now);
    write.insert_dcr_removal(&removal).await?;
    write.owes_providers = true;
    Ok(())
}
