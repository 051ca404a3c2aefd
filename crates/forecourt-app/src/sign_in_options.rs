//! How people sign in to a portal, and administrators to the console. A portal's options belong to its settings.
//!
//! Invariant: secrets are sealed before they are stored, and the administrators keep an enabled option: that is asked
//! in the transaction that would take the last one away, and writers take turns.

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{PortalId, SignInOptionId},
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

/// The option by which administrators are known, which whoever sees an administrator sees.
pub async fn of_administrators(app: &App) -> Result<SignInOption, Error> {
    app.read().built_in_sign_in(None).await?.ok_or_else(Error::not_found)
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
    tell(&mut write, EventName::SignInOptionCreated, &mut option);
    write.commit().await?;
    Ok(option)
}

/// Changes what `input` gives.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    input: SignInOptionInput,
) -> Result<SignInOption, Error> {
    let mut write = app.begin(caller).await?;
    let before = of_caller(caller, write.sign_in_option(id).await?, Deed::Update)?;
    let mut option = before.changed(input, write.now)?;
    check_certificates(&option.config)?;
    seal(app, &mut option)?;
    write.save_sign_in_option(&option).await?;
    refuse_lockout(&write, &option).await?;
    tell(&mut write, EventName::SignInOptionUpdated, &mut option);
    write.commit().await?;
    Ok(option)
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
    write.delete_sign_in_option(id).await?;
    refuse_lockout(&write, &option).await?;
    tell(&mut write, EventName::SignInOptionDeleted, &mut option);
    write.commit().await?;
    Ok(left)
}

/// Where the sites of portals are, as far as it is known: what providers send people back to.
pub async fn sites(app: &App) -> Result<HashMap<PortalId, String>, Error> {
    let portals = app.read().all_portals().await?;
    Ok(portals.into_iter().filter_map(|portal| Some((portal.id, portal.public_url?))).collect())
}

/// How many people would have no way to sign in without this option.
pub async fn left_without(app: &App, caller: &Caller, id: &SignInOptionId) -> Result<u64, Error> {
    let option = permitted(app, caller, id, Deed::Read).await?;
    Ok(app.read().left_without_sign_in(&option).await?)
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

fn tell(write: &mut Write<'_>, name: EventName, option: &mut SignInOption) {
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
    write.tell(name, "sign_in_option", option.id.as_str(), option.portal_id.as_ref(), detail);
}
