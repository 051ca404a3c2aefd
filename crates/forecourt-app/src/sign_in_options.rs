//! How people sign in to a portal: its built-in option.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{PortalId, SignInOptionId},
    lists::List,
    permissions::{Action, Target},
    sign_in_options::{BuiltInSignIn, SignInOption, SignInOptionFilter},
    text,
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access};

/// What an update gives; absent members stay.
#[derive(Clone, Debug, Default)]
pub struct SignInOptionInput {
    /// 1–100 characters.
    pub name: Option<String>,
    /// Base64 or data URL.
    pub logo: Option<String>,
    /// Whether the option is off.
    pub disable: Option<bool>,
    /// All three settings.
    pub built_in: Option<BuiltInSignIn>,
}

/// The options that `filter` wants; none where the caller may see none.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &SignInOptionFilter,
) -> Result<List<SignInOption>, Error> {
    let readable = access::readable(app, caller, Action::GetPortal, RuledNoun::Portals).await?;
    access::known_portal(app, caller, filter.portal_id.as_ref()).await?;
    Ok(app.read().sign_in_options(&SignInOptionFilter { readable, ..filter.clone() }).await?)
}

/// A portal's built-in option.
pub async fn of_portal(app: &App, caller: &Caller, portal: &PortalId) -> Result<SignInOption, Error> {
    access::permits(caller, Action::GetPortal, Target::Portal(Some(portal)))?;
    app.read().built_in_sign_in(portal).await?.ok_or_else(Error::not_found)
}

/// What a portal's site offers to people who are not signed in.
pub async fn offered(app: &App, portal: &PortalId) -> Result<Option<SignInOption>, Error> {
    Ok(app.read().built_in_sign_in(portal).await?.filter(|option| !option.disable))
}

/// One option.
pub async fn option(app: &App, caller: &Caller, id: &SignInOptionId) -> Result<SignInOption, Error> {
    permitted(app, caller, id, Action::GetPortal).await
}

/// The option, where the caller may do `action` to its portal. Faces ask before they read a body.
pub async fn permitted(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    action: Action,
) -> Result<SignInOption, Error> {
    let option = app.read().sign_in_option(id).await?.ok_or_else(|| access::missing(caller))?;
    access::permits(caller, action, Target::Portal(Some(&option.portal_id)))?;
    Ok(option)
}

/// Changes what `input` gives.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    input: SignInOptionInput,
) -> Result<SignInOption, Error> {
    let mut option = permitted(app, caller, id, Action::UpdatePortal).await?;
    if let Some(name) = &input.name {
        option.name = text::name("name", name, text::NAME)?;
    }
    if let Some(logo) = &input.logo {
        option.logo = text::image("logo", logo)?;
    }
    option.disable = input.disable.unwrap_or(option.disable);
    option.built_in = input.built_in.unwrap_or(option.built_in);
    let mut write = app.begin(caller).await?;
    option.updated_at = write.now;
    write.save_sign_in_option(&option).await?;
    let detail = json!({
        "disable": option.disable,
        "enable_self_registration": option.built_in.enable_self_registration,
        "registration_auto_approval": option.built_in.registration_auto_approval,
    });
    write.tell(
        EventName::SignInOptionUpdated,
        "sign_in_option",
        id.as_str(),
        Some(&option.portal_id),
        detail,
    );
    write.commit().await?;
    Ok(option)
}
