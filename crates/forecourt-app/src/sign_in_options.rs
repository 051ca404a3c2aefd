//! How people sign in to a portal: its built-in option.

use forecourt_core::{
    actors::{Area, Caller},
    events::EventName,
    ids::{PortalId, SignInOptionId},
    lists::List,
    sign_in_options::{BuiltInSignIn, SignInOption, SignInOptionFilter},
    text,
};
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
    if !access::lists(caller, Area::Portals)? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    if let Some(portal) = &filter.portal_id {
        app.read().portal(portal).await?.ok_or_else(Error::not_found)?;
    }
    Ok(app.read().sign_in_options(filter).await?)
}

/// A portal's built-in option.
pub async fn of_portal(app: &App, caller: &Caller, portal: &PortalId) -> Result<SignInOption, Error> {
    access::sees(caller, Area::Portals)?;
    app.read().built_in_sign_in(portal).await?.ok_or_else(Error::not_found)
}

/// What a portal's site offers to people who are not signed in.
pub async fn offered(app: &App, portal: &PortalId) -> Result<Option<SignInOption>, Error> {
    Ok(app.read().built_in_sign_in(portal).await?.filter(|option| !option.disable))
}

/// One option.
pub async fn option(app: &App, caller: &Caller, id: &SignInOptionId) -> Result<SignInOption, Error> {
    access::sees(caller, Area::Portals)?;
    app.read().sign_in_option(id).await?.ok_or_else(Error::not_found)
}

/// Changes what `input` gives.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    input: SignInOptionInput,
) -> Result<SignInOption, Error> {
    let mut option = option(app, caller, id).await?;
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
