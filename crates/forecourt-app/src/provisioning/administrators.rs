//! What the directory of administrators does to those that it made.

use forecourt_core::{
    administrators::{Administrator, AdministratorRefusal},
    events::EventName,
    ids::AdministratorId,
    lists::List,
    provisioning::{ProvisionedInput, ProvisionedUser},
    sessions::SessionOwner,
};
use forecourt_store::Reader;
use serde_json::{Value, json};

use super::Wanted;
use crate::{App, Error, random::OsRandom, writes::Write};

pub(super) async fn users(app: &App, wanted: Wanted<'_>) -> Result<List<ProvisionedUser>, Error> {
    let mut rows = match wanted {
        Wanted::Named(name) => named(app.read(), name).await?,
        // They are few.
        Wanted::All | Wanted::Known(_) | Wanted::Page { .. } => {
            app.read().provisioned_administrators().await?
        }
    };
    let total = rows.len() as u64;
    if let Wanted::Page { skipped, most } = wanted {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        rows = rows.into_iter().skip(number(skipped)).take(number(most)).collect();
    }
    Ok(List { rows, total })
}

async fn named(read: &Reader, username: &str) -> Result<Vec<ProvisionedUser>, Error> {
    let mut users = Vec::new();
    for administrator in read.administrators_called(username).await? {
        users.extend(read.provisioned_administrator(&administrator.id).await?);
    }
    Ok(users)
}

pub(super) async fn found(read: &Reader, id: &str) -> Result<Option<ProvisionedUser>, Error> {
    match AdministratorId::parse(id) {
        Some(id) => Ok(read.provisioned_administrator(&id).await?),
        None => Ok(None),
    }
}

pub(super) async fn create(write: &mut Write<'_>, input: ProvisionedInput) -> Result<ProvisionedUser, Error> {
    refuse_taken(write, &input.username, None).await?;
    let id = AdministratorId::issue(write.now, &mut OsRandom);
    let user = input.begun(id.to_string(), write.now);
    // No one-time password waits to be changed.
    let blank = Administrator { activated: true, ..Administrator::new(id.clone(), String::new(), write.now) };
    write.insert_administrator(&user.onto_administrator(blank)).await?;
    write.save_directory_details(&id, &user.details).await?;
    let detail = json!({ "username": user.username, "active": user.active });
    tell(write, EventName::AdministratorProvisioned, &user, detail);
    Ok(user)
}

pub(super) async fn save(
    write: &mut Write<'_>,
    before: &ProvisionedUser,
    after: &ProvisionedUser,
) -> Result<(), Error> {
    let id = parsed(after)?;
    // Names that differ in case alone may be there from before: who keeps theirs can be changed, and deactivated.
    if after.username != before.username {
        refuse_taken(write, &after.username, Some(&id)).await?;
    }
    let administrator = write.administrator(&id).await?.ok_or_else(Error::not_found)?;
    write.save_administrator(&after.onto_administrator(administrator)).await?;
    write.save_directory_details(&id, &after.details).await?;
    let detail = json!({ "username": after.username });
    tell(write, EventName::AdministratorUpdatedByDirectory, after, detail);
    match (before.active, after.active) {
        (true, false) => {
            write.delete_sessions_of(&SessionOwner::Administrator(id.clone()), None).await?;
            let tokens = write.delete_admin_tokens_of(&id).await?;
            let detail = json!({ "tokens_deleted": tokens });
            tell(write, EventName::AdministratorDeactivated, after, detail);
        }
        (false, true) => tell(write, EventName::AdministratorActivated, after, Value::Null),
        _ => {}
    }
    Ok(())
}

pub(super) async fn delete(write: &mut Write<'_>, user: &ProvisionedUser) -> Result<(), Error> {
    write.delete_administrator(&parsed(user)?).await?;
    tell(write, EventName::AdministratorDeleted, user, json!({ "username": user.username }));
    Ok(())
}

fn parsed(user: &ProvisionedUser) -> Result<AdministratorId, Error> {
    AdministratorId::parse(&user.id).ok_or_else(Error::not_found)
}

async fn refuse_taken(write: &Write<'_>, username: &str, own: Option<&AdministratorId>) -> Result<(), Error> {
    let same = write.administrators_called(username).await?;
    match same.iter().find(|other| Some(&other.id) != own) {
        Some(other) => Err(AdministratorRefusal::UsernameTaken(other.username.clone()).into()),
        None => Ok(()),
    }
}

fn tell(write: &mut Write<'_>, name: EventName, user: &ProvisionedUser, detail: Value) {
    write.tell(name, "administrator", &user.id, None, detail);
}
