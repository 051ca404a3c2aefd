//! An administrator's own access tokens; no permission is needed for them, and nobody else's exist.
//!
//! Invariant: what a write saves it has read itself, so that nothing brings back the text of a regenerated token.

use forecourt_core::{
    actors::Caller,
    admin_tokens::{AdminToken, AdminTokenFilter, AdminTokenRefusal},
    events::EventName,
    ids::{AdminTokenId, AdministratorId},
    lists::List,
    portal_tokens::expiry,
    secrets::{PlainSecret, TokenKind},
    text,
};
use serde_json::json;

use crate::{App, Error, access, random::OsRandom, writes::Write};

/// A token, with its text where it was just made.
#[derive(Debug)]
pub struct IssuedAdminToken {
    /// The token.
    pub token: AdminToken,
    /// Its text, shown this once.
    pub text: PlainSecret,
}

/// The caller's tokens that `filter` wants.
pub async fn list(app: &App, caller: &Caller, filter: &AdminTokenFilter) -> Result<List<AdminToken>, Error> {
    Ok(app.read().admin_tokens(access::administrator(caller)?, filter).await?)
}

/// One of the caller's tokens.
pub async fn token(app: &App, caller: &Caller, id: &AdminTokenId) -> Result<AdminToken, Error> {
    own(caller, app.read().admin_token(id).await?)
}

/// The token, where it is the caller's.
fn own(caller: &Caller, token: Option<AdminToken>) -> Result<AdminToken, Error> {
    let owner = access::administrator(caller)?;
    token.filter(|token| token.administrator_id == *owner).ok_or_else(Error::not_found)
}

/// Whether the caller has a token of this name.
pub async fn name_exists(app: &App, caller: &Caller, name: &str) -> Result<bool, Error> {
    Ok(app.read().admin_token_by_name(access::administrator(caller)?, name).await?.is_some())
}

/// Makes a token; `expires_at` in Unix seconds, 0 for never.
pub async fn create(
    app: &App,
    caller: &Caller,
    name: &str,
    expires_at: i64,
) -> Result<IssuedAdminToken, Error> {
    let owner = access::administrator(caller)?;
    let name = text::name("name", name, AdminToken::NAME)?;
    let mut write = app.begin(caller).await?;
    refuse_deactivated(&write, owner).await?;
    refuse_taken(&write, owner, &name, None).await?;
    let text = TokenKind::Administrator.issue(&mut OsRandom);
    let token = AdminToken {
        id: AdminTokenId::issue(write.now, &mut OsRandom),
        administrator_id: owner.clone(),
        name,
        digest: text.digest(),
        expires_at: expiry(Some(expires_at), write.now)?,
        last_used_at: None,
        created_at: write.now,
        updated_at: write.now,
    };
    write.insert_admin_token(&token).await?;
    write.tell(
        EventName::AdminTokenCreated,
        "admin_token",
        token.id.as_str(),
        None,
        json!({ "name": token.name }),
    );
    write.commit().await?;
    Ok(IssuedAdminToken { token, text })
}

/// Renames one of the caller's tokens.
pub async fn rename(app: &App, caller: &Caller, id: &AdminTokenId, name: &str) -> Result<AdminToken, Error> {
    let mut write = app.begin(caller).await?;
    let mut token = own(caller, write.admin_token(id).await?)?;
    let name = text::name("name", name, AdminToken::NAME)?;
    refuse_taken(&write, &token.administrator_id, &name, Some(id)).await?;
    token.name = name;
    token.updated_at = write.now;
    write.save_admin_token(&token).await?;
    write.tell(EventName::AdminTokenRenamed, "admin_token", id.as_str(), None, json!({ "name": token.name }));
    write.commit().await?;
    Ok(token)
}

/// Gives one of the caller's tokens another text; the old one is dead at once.
pub async fn regenerate(
    app: &App,
    caller: &Caller,
    id: &AdminTokenId,
    expires_at: i64,
) -> Result<IssuedAdminToken, Error> {
    let mut write = app.begin(caller).await?;
    // Deactivating takes tokens away: one that is gone meanwhile is not brought back.
    refuse_deactivated(&write, access::administrator(caller)?).await?;
    let mut token = own(caller, write.admin_token(id).await?)?;
    let text = TokenKind::Administrator.issue(&mut OsRandom);
    token.digest = text.digest();
    token.expires_at = expiry(Some(expires_at), write.now)?;
    token.updated_at = write.now;
    write.save_admin_token(&token).await?;
    write.tell(
        EventName::AdminTokenRegenerated,
        "admin_token",
        id.as_str(),
        None,
        json!({ "name": token.name }),
    );
    write.commit().await?;
    Ok(IssuedAdminToken { token, text })
}

/// Deletes one of the caller's tokens.
pub async fn delete(app: &App, caller: &Caller, id: &AdminTokenId) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let token = own(caller, write.admin_token(id).await?)?;
    write.delete_admin_token(id).await?;
    write.tell(EventName::AdminTokenDeleted, "admin_token", id.as_str(), None, json!({ "name": token.name }));
    write.commit().await
}

/// Whoever was deactivated since the call was proved gets no token that would outlive it.
async fn refuse_deactivated(write: &Write<'_>, owner: &AdministratorId) -> Result<(), Error> {
    let current = write.administrator(owner).await?.filter(|current| current.active);
    current.map(drop).ok_or_else(Error::unauthenticated)
}

async fn refuse_taken(
    write: &Write<'_>,
    owner: &AdministratorId,
    name: &str,
    own: Option<&AdminTokenId>,
) -> Result<(), Error> {
    match write.admin_token_by_name(owner, name).await? {
        Some(other) if Some(&other.id) != own => Err(AdminTokenRefusal::NameTaken(name.to_owned()).into()),
        _ => Ok(()),
    }
}
