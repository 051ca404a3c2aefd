//! Portal tokens: made, renamed, regenerated and deleted by administrators.
//!
//! Invariant: what a write saves it has read itself, so that nothing brings back the text of a regenerated token.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{PortalId, PortalTokenId},
    lists::{List, Order, TimeOrder},
    permissions::{Action, Target},
    portal_tokens::{PortalToken, PortalTokenFilter, expiry},
    secrets::{PlainSecret, TokenKind},
    text,
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, random::OsRandom, writes::Write};

/// A token, with its text where it was just made.
#[derive(Debug)]
pub struct IssuedPortalToken {
    /// The token.
    pub token: PortalToken,
    /// Its text, shown this once.
    pub text: PlainSecret,
}

/// The tokens of a portal, newest first.
pub async fn list(app: &App, caller: &Caller, portal: &PortalId) -> Result<Vec<PortalToken>, Error> {
    access::permits(caller, Action::GetPortalToken, Target::Portal(Some(portal)))?;
    app.read().portal(portal).await?.ok_or_else(Error::not_found)?;
    let order = Order { by: TimeOrder::CreatedAt, ..Order::default() };
    let filter = PortalTokenFilter { portal_id: Some(portal.clone()), order, ..Default::default() };
    Ok(app.read().portal_tokens(&filter).await?.rows)
}

/// The tokens of all portals that `filter` wants; none where the caller may see none.
pub async fn administered(
    app: &App,
    caller: &Caller,
    filter: &PortalTokenFilter,
) -> Result<List<PortalToken>, Error> {
    let readable = access::readable(app, caller, Action::GetPortalToken, RuledNoun::Portals).await?;
    access::known_portal(app, caller, filter.portal_id.as_ref()).await?;
    Ok(app.read().portal_tokens(&PortalTokenFilter { readable, ..filter.clone() }).await?)
}

/// One token.
pub async fn token(app: &App, caller: &Caller, id: &PortalTokenId) -> Result<PortalToken, Error> {
    permitted(app, caller, id, Action::GetPortalToken).await
}

/// The token, where the caller may do `action` to it. Faces ask before they read a body.
pub async fn permitted(
    app: &App,
    caller: &Caller,
    id: &PortalTokenId,
    action: Action,
) -> Result<PortalToken, Error> {
    of_caller(caller, app.read().portal_token(id).await?, action)
}

fn of_caller(caller: &Caller, token: Option<PortalToken>, action: Action) -> Result<PortalToken, Error> {
    let token = token.ok_or_else(|| access::missing(caller))?;
    access::permits(caller, action, Target::Portal(Some(&token.portal_id)))?;
    Ok(token)
}

/// Makes a token; `expires_at` in Unix seconds, 0 or absent for never.
pub async fn create(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    name: &str,
    expires_at: Option<i64>,
) -> Result<IssuedPortalToken, Error> {
    access::permits(caller, Action::CreatePortalToken, Target::Portal(Some(portal)))?;
    let mut write = app.begin(caller).await?;
    write.portal(portal).await?.ok_or_else(Error::not_found)?;
    let text = TokenKind::Portal.issue(&mut OsRandom);
    let token = PortalToken {
        id: PortalTokenId::issue(write.now, &mut OsRandom),
        portal_id: portal.clone(),
        name: text::name("name", name, text::NAME)?,
        digest: text.digest(),
        expires_at: expiry(expires_at, write.now)?,
        last_used_at: None,
        created_at: write.now,
        updated_at: write.now,
    };
    write.insert_portal_token(&token).await?;
    tell(&mut write, EventName::PortalTokenCreated, &token);
    write.commit().await?;
    Ok(IssuedPortalToken { token, text })
}

/// Renames a token.
pub async fn rename(
    app: &App,
    caller: &Caller,
    id: &PortalTokenId,
    name: &str,
) -> Result<PortalToken, Error> {
    let mut write = app.begin(caller).await?;
    let mut token = of_caller(caller, write.portal_token(id).await?, Action::UpdatePortalToken)?;
    token.name = text::name("name", name, text::NAME)?;
    token.updated_at = write.now;
    write.save_portal_token(&token).await?;
    tell(&mut write, EventName::PortalTokenRenamed, &token);
    write.commit().await?;
    Ok(token)
}

/// Gives a token another text; the old one is dead at once.
pub async fn regenerate(
    app: &App,
    caller: &Caller,
    id: &PortalTokenId,
    expires_at: Option<i64>,
) -> Result<IssuedPortalToken, Error> {
    let mut write = app.begin(caller).await?;
    let mut token = of_caller(caller, write.portal_token(id).await?, Action::UpdatePortalToken)?;
    let text = TokenKind::Portal.issue(&mut OsRandom);
    token.digest = text.digest();
    token.expires_at = expiry(expires_at, write.now)?;
    token.updated_at = write.now;
    write.save_portal_token(&token).await?;
    tell(&mut write, EventName::PortalTokenRegenerated, &token);
    write.commit().await?;
    Ok(IssuedPortalToken { token, text })
}

/// Deletes a token.
pub async fn delete(app: &App, caller: &Caller, id: &PortalTokenId) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let token = of_caller(caller, write.portal_token(id).await?, Action::DeletePortalToken)?;
    write.delete_portal_token(id).await?;
    tell(&mut write, EventName::PortalTokenDeleted, &token);
    write.commit().await
}

fn tell(write: &mut Write<'_>, name: EventName, token: &PortalToken) {
    write.tell(
        name,
        "portal_token",
        token.id.as_str(),
        Some(&token.portal_id),
        json!({ "name": token.name }),
    );
}
