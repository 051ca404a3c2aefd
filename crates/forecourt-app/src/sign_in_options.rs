//! How people sign in to a portal, and administrators to the console. A portal's options belong to its settings.
//!
//! Invariant: secrets are sealed before they are stored, and the administrators keep an enabled option: that is asked
//! in the transaction that would take the last one away, and writers take turns. Whom one provider knew is nobody to
//! another one: an option that is pointed elsewhere loses its identities.

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    administrators::KnownBy,
    events::EventName,
    ids::{AdministratorId, PortalId, SignInOptionId},
    lists::List,
    permissions::{Action, Target},
    secrets::{KeptSecret, PlainSecret},
    sign_in_options::{
        BuiltInSignIn, SignInConfig, SignInOption, SignInOptionFilter, SignInOptionInput,
        SignInOptionRefusal, SignInScope, SignInType,
    },
    text::Invalid,
};
use forecourt_identity::certificates;
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, random::OsRandom, sealing, writes::Write};

/// What is done to an option. In both scopes another action permits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is looked at.
    Read,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
}

/// An option that was changed, and whom that concerned.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it is now.
    pub option: SignInOption,
    /// Who was unlinked, where its provider is another one now.
    pub unlinked: Option<Unlinked>,
}

/// Whom the provider of an option knew and does not know any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlinked {
    /// How many people it knew.
    pub people: u64,
    /// How many of them have no way to sign in to their accounts any more.
    pub left: u64,
}

/// The options that `filter` wants; none where the caller may see none.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &SignInOptionFilter,
) -> Result<List<SignInOption>, Error> {
    let readable = match &filter.scope {
        SignInScope::Administrators => {
            if !access::shows(caller, Action::GetLoginOption, Target::Organization)? {
                return Ok(List { rows: Vec::new(), total: 0 });
            }
            filter.readable.clone()
        }
        scope => {
            let readable = access::readable(app, caller, Action::GetPortal, RuledNoun::Portals).await?;
            if let SignInScope::Portal(portal) = scope {
                access::known_portal(app, caller, Some(portal)).await?;
            }
            readable
        }
    };
    Ok(app.read().sign_in_options(&SignInOptionFilter { readable, ..filter.clone() }).await?)
}

/// A portal's built-in option.
pub async fn of_portal(app: &App, caller: &Caller, portal: &PortalId) -> Result<SignInOption, Error> {
    access::permits(caller, Action::GetPortal, Target::Portal(Some(portal)))?;
    app.read().built_in_sign_in(Some(portal)).await?.ok_or_else(Error::not_found)
}

/// How a portal's site lets people sign in with a password, where it does.
pub async fn offered(app: &App, portal: &PortalId) -> Result<Option<BuiltInSignIn>, Error> {
    Ok(app.read().built_in_sign_in(Some(portal)).await?.and_then(|option| option.offered_built_in()))
}

/// The option by which each of `administrators` is known: that of the provider that knows them, else the built-in one.
/// Whoever sees an administrator sees it.
pub async fn of_administrators(
    app: &App,
    administrators: &[AdministratorId],
) -> Result<HashMap<AdministratorId, SignInOption>, Error> {
    let known = app.read().options_of_administrators(administrators).await?;
    let options = app.read().sign_in_options(&SignInOptionFilter::default()).await?.rows;
    let built_in = options.iter().find(|option| option.provider_type() == SignInType::BuiltIn);
    let option_of = |id: &AdministratorId| {
        let option = known.get(id).and_then(|own| options.iter().find(|option| option.id == *own));
        option.or(built_in).map(|option| (id.clone(), option.clone()))
    };
    Ok(administrators.iter().filter_map(option_of).collect())
}

/// Those who are known by one of the administrators' options with these names.
pub async fn known_by(app: &App, names: &[&str]) -> Result<KnownBy, Error> {
    let mut options = app.read().sign_in_options(&SignInOptionFilter::default()).await?.rows;
    options.retain(|option| names.contains(&option.name.as_str()));
    let is_built_in = |option: &SignInOption| option.provider_type() == SignInType::BuiltIn;
    let nobody = options.iter().any(is_built_in);
    let providers = options.into_iter().filter(|option| !is_built_in(option)).map(|option| option.id);
    Ok(KnownBy { providers: providers.collect(), nobody })
}

/// Whether the caller may add an option to a portal, or to the administrators'. Faces ask before they read a body.
pub fn permits_create(caller: &Caller, portal: Option<&PortalId>) -> Result<(), Error> {
    match portal {
        Some(portal) => access::permits(caller, Action::UpdatePortal, Target::Portal(Some(portal))),
        None => access::permits(caller, Action::CreateLoginOption, Target::Organization),
    }
}

/// The option, where the caller may do this to it. Faces ask before they read a body.
pub async fn permitted(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    deed: Deed,
) -> Result<SignInOption, Error> {
    of_caller(caller, app.read().sign_in_option(id).await?, deed)
}

fn of_caller(caller: &Caller, option: Option<SignInOption>, deed: Deed) -> Result<SignInOption, Error> {
    let option = option.ok_or_else(|| access::missing(caller))?;
    match (&option.portal_id, deed) {
        (Some(portal), Deed::Read) => {
            access::permits(caller, Action::GetPortal, Target::Portal(Some(portal)))?;
        }
        (Some(portal), _) => access::permits(caller, Action::UpdatePortal, Target::Portal(Some(portal)))?,
        (None, Deed::Read) => access::permits(caller, Action::GetLoginOption, Target::Organization)?,
        (None, Deed::Update) => access::permits(caller, Action::UpdateLoginOption, Target::Organization)?,
        (None, Deed::Delete) => access::permits(caller, Action::DeleteLoginOption, Target::Organization)?,
    }
    Ok(option)
}

/// Adds an option to a portal, or to the administrators'.
pub async fn create(
    app: &App,
    caller: &Caller,
    portal: Option<&PortalId>,
    input: SignInOptionInput,
) -> Result<SignInOption, Error> {
    permits_create(caller, portal)?;
    let mut write = app.begin(caller).await?;
    if let Some(portal) = portal {
        write.portal(portal).await?.ok_or_else(Error::not_found)?;
    }
    let id = SignInOptionId::issue(write.now, &mut OsRandom);
    let mut option = SignInOption::new(id, portal.cloned(), input, write.now)?;
    check_certificates(&option.config)?;
    seal(app, &mut option)?;
    write.insert_sign_in_option(&option).await?;
    tell(&mut write, EventName::SignInOptionCreated, &mut option, None);
    write.commit().await?;
    Ok(option)
}

/// Changes what `input` gives. Where that leads to another provider, the option's identities are unlinked, the sessions
/// that were made through it end, and so do the sign-ins that wait.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    input: SignInOptionInput,
) -> Result<Changed, Error> {
    change(app, caller, id, |_| Ok(input)).await
}

/// As [`update`], with what `edit` gives for the option as it is, between reading and writing without a gap.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    edit: impl FnOnce(&SignInOption) -> Result<SignInOptionInput, E>,
) -> Result<Changed, E> {
    let mut write = app.begin(caller).await?;
    let found = write.sign_in_option(id).await.map_err(Error::from)?;
    let before = of_caller(caller, found, Deed::Update)?;
    let input = edit(&before)?;
    let changed = change_in(&mut write, before, input).await?;
    write.commit().await?;
    Ok(changed)
}

async fn change_in(
    write: &mut Write<'_>,
    before: SignInOption,
    input: SignInOptionInput,
) -> Result<Changed, Error> {
    let config = before.config.clone();
    let mut option = before.changed(input, write.now)?;
    check_certificates(&option.config)?;
    seal(write.app(), &mut option)?;
    let unlinked = if option.config.is_another_provider(&config) {
        let people = write.identities_through(&option.id).await?;
        let left = write.left_without_sign_in(&option).await?;
        write.replace_sign_in_option(&option).await?;
        Some(Unlinked { people, left })
    } else {
        write.save_sign_in_option(&option).await?;
        None
    };
    refuse_lockout(write, &option).await?;
    tell(write, EventName::SignInOptionUpdated, &mut option, unlinked);
    Ok(Changed { option, unlinked })
}

/// Deletes an option: its identities are unlinked, and the sessions that were made through it end. Tells how many people
/// have no way to sign in any more.
pub async fn delete(app: &App, caller: &Caller, id: &SignInOptionId) -> Result<u64, Error> {
    let mut write = app.begin(caller).await?;
    let mut option = of_caller(caller, write.sign_in_option(id).await?, Deed::Delete)?;
    if option.provider_type() == SignInType::BuiltIn {
        return Err(SignInOptionRefusal::BuiltInStays.into());
    }
    let left = write.left_without_sign_in(&option).await?;
    write.counted.people = left;
    write.counted.sessions = write.sessions_through(id, write.now).await?;
    write.delete_sign_in_option(id).await?;
    refuse_lockout(&write, &option).await?;
    tell(&mut write, EventName::SignInOptionDeleted, &mut option, None);
    write.commit().await?;
    Ok(left)
}

/// Where the sites of portals are, as far as it is known: what providers send people back to.
pub async fn sites(app: &App) -> Result<HashMap<PortalId, String>, Error> {
    let portals = app.read().all_portals().await?;
    Ok(portals.into_iter().filter_map(|portal| Some((portal.id, portal.public_url?))).collect())
}

async fn refuse_lockout(write: &Write<'_>, changed: &SignInOption) -> Result<(), Error> {
    if changed.portal_id.is_none() && write.enabled_administrator_options().await? == 0 {
        return Err(SignInOptionRefusal::LastEnabled.into());
    }
    Ok(())
}

fn check_certificates(config: &SignInConfig) -> Result<(), Error> {
    let broken = |(_, pem): &(&str, &str)| !certificates::are_authorities(pem);
    match config.certificates().into_iter().find(broken) {
        Some((member, _)) => {
            let path = format!("{}.{member}", config.provider_type().config_member());
            Err(Invalid::new(path, "must be certificates in PEM that can be read").into())
        }
        None => Ok(()),
    }
}

/// Seals what was given in clear.
fn seal(app: &App, option: &mut SignInOption) -> Result<(), Error> {
    for (member, secret) in option.config.secrets() {
        if let KeptSecret::Clear(text) = secret {
            let context = sealing::of_sign_in_option(&option.id, member);
            *secret = sealing::seal(app, &PlainSecret::presented(text.as_str()), &context)?;
        }
    }
    Ok(())
}

fn tell(write: &mut Write<'_>, name: EventName, option: &mut SignInOption, unlinked: Option<Unlinked>) {
    let secrets: Vec<_> = option.config.secrets().into_iter().map(|(member, _)| member).collect();
    let mut detail = json!({
        "name": option.name,
        "provider_type": option.provider_type(),
        "disable": option.disable,
        "secrets": secrets,
    });
    if let (Some(built_in), Some(detail)) = (option.config.built_in(), detail.as_object_mut()) {
        detail.insert("enable_self_registration".into(), json!(built_in.enable_self_registration));
        detail.insert("registration_auto_approval".into(), json!(built_in.registration_auto_approval));
    }
    if let (Some(unlinked), Some(detail)) = (unlinked, detail.as_object_mut()) {
        detail.insert("unlinked".into(), json!(unlinked.people));
    }
    write.tell(name, "sign_in_option", option.id.as_str(), option.portal_id.as_ref(), detail);
}
