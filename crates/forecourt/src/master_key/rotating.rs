//! `forecourt master-key`: which keys there are, changing the master key, giving that up, and taking the old one away.
//! What becomes of `data_dir/master.key` meanwhile is in `rotating/key_files.rs`.
//!
//! Invariant: a key is on the disk before anything is wrapped under it. Whoever is ended in the middle runs the same
//! command again.

mod key_files;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use forecourt_app::master_keys::{self, Resealed, Rotation};
use forecourt_identity::sealing::MasterKey;
use forecourt_store::{Reader, Store};

use super::{commands, is_own_file, of_file, opened};
use crate::{config::Settings, serve};

/// Where the new master key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewKey {
    /// A fresh one takes the place of `data_dir/master.key`.
    Fresh,
    /// A file.
    File(PathBuf),
    /// A program and its arguments.
    Command(Vec<String>),
}

impl NewKey {
    /// What the command line says.
    pub fn of(file: Option<&Path>, command: &[String]) -> Self {
        match file {
            Some(file) => Self::File(file.to_owned()),
            None if command.is_empty() => Self::Fresh,
            None => Self::Command(command.to_vec()),
        }
    }
}

/// Tells which keys there are.
///
/// # Errors
/// Where the database cannot be read.
pub async fn status(settings: &Settings) -> Result<String, String> {
    let reader = Reader::open(&settings.location()).await.map_err(text)?;
    let status = master_keys::status(&reader).await.map_err(text)?;
    let mut told = String::new();
    for id in &status.master_keys {
        let note = match status.current.as_ref() == Some(id) {
            true if status.master_keys.len() > 1 => {
                format!("in use: `forecourt master-key abandon {id}` goes back to the old one")
            }
            true => "in use".to_owned(),
            false => format!("old: `forecourt master-key retire {id}` takes it away"),
        };
        let _written = writeln!(told, "master key {id}  {note}");
    }
    for key in &status.data_keys {
        let note = if key.seals { "seals" } else { "old" };
        let named = key.named_by.iter().map(|(column, rows)| format!("{column} {rows}"));
        let named = named.collect::<Vec<_>>().join(", ");
        let named = if named.is_empty() { "nothing".to_owned() } else { named };
        let _written = writeln!(told, "data key {}  {note}; sealed under it: {named}", key.key.id);
    }
    if told.is_empty() {
        told.push_str("the database was never used, so it has no keys\n");
    }
    Ok(told)
}

/// Changes the master key, or goes on with that, and seals everything anew.
///
/// # Errors
/// Where a key cannot be had or is refused, or the database cannot be written. Running it again goes on.
pub async fn rotate(settings: &Settings, new: &NewKey) -> Result<String, String> {
    let (store, own) = opened(settings).await?;
    let known = store.read().master_key_ids().await.map_err(text)?;
    let current = store.read().master_key_id().await.map_err(text)?.unwrap_or_default();
    let new_key = match new {
        NewKey::File(path) => of_file(path).map_err(text)?,
        NewKey::Command(command) => steady(command)?,
        // The file was exchanged before, and the rest was not done.
        NewKey::Fresh if known.len() > 1 && own.id() == current => own.clone(),
        NewKey::Fresh if is_own_file(settings) => key_files::drafted(settings)?,
        NewKey::Fresh => {
            return Err(
                "say where the new master key is: --new-key-file FILE or --new-key-command PROGRAM".into()
            );
        }
    };
    let now = serve::system_clock();
    let begun = master_keys::rotate(&store, &own, &new_key, now()).await.map_err(text)?;
    if *new == NewKey::Fresh {
        key_files::take_draft(settings, (&own, &new_key))?;
    }
    let rows = seal_anew(&store, &new_key).await?;
    if store.read().master_key_id().await.map_err(text)? != Some(new_key.id()) {
        return Err(format!("the change of the master key to {} was abandoned meanwhile", new_key.id()));
    }
    let known = store.read().master_key_ids().await.map_err(text)?;
    let Some(old) = known.into_iter().find(|id| *id != new_key.id()) else {
        return Ok(format!("the master key is {}; the old one was retired meanwhile\n", new_key.id()));
    };
    let begun = match begun {
        Rotation::Begun => "the master key was changed to",
        Rotation::GoesOn => "the master key is",
    };
    Ok(format!(
        "{begun} {}; {} rows were sealed anew. Give every process the new key, restart it, and run `forecourt master-key \
         retire {old}`; keep the old key for backups that were taken before. Until then `forecourt master-key abandon {}` \
         goes back to it\n",
        new_key.id(),
        rows,
        new_key.id()
    ))
}

/// Seals everything anew under the newest data key, which `key` opens, and tells how many rows that were.
async fn seal_anew(store: &Store, key: &MasterKey) -> Result<u64, String> {
    let now = serve::system_clock();
    let mut sealer = master_keys::opened(store.read(), key).await.map_err(text)?;
    let mut progress = Resealed::default();
    while master_keys::reseal(store, &sealer, &mut progress, now()).await.map_err(text)? {
        let newest = store.read().data_keys().await.map_err(text)?.pop();
        if newest.is_some_and(|newest| newest.id != sealer.key_id()) {
            // Somebody made a newer one meanwhile. Where this master key does not open it, this ends here.
            sealer = master_keys::opened(store.read(), key).await.map_err(text)?;
        }
    }
    let status = master_keys::status(store.read()).await.map_err(text)?;
    let old = status.data_keys.iter().filter(|key| !key.seals).flat_map(|key| &key.named_by);
    let left: Vec<String> = old.map(|(column, rows)| format!("{rows} in {column}")).collect();
    match left.is_empty() {
        true => Ok(progress.rows),
        false => Err(format!(
            "the master key was changed, but some secrets are still sealed under an old data key: {}. Run this again; those \
             that stay do not open, and must be written anew",
            left.join(", ")
        )),
    }
}

/// The key of a program that prints the same one each time. Another one each time would be lost with this process, and the
/// change of the master key could never be ended.
fn steady(command: &[String]) -> Result<MasterKey, String> {
    let key = commands::run(command).map_err(text)?;
    match commands::run(command).map_err(text)?.id() == key.id() {
        true => Ok(key),
        false => {
            Err("the program prints another key each time: it must print one that is kept somewhere".into())
        }
    }
}

/// Gives a change of the master key up. Where the file of the new key lies in the place of the old one, both are exchanged
/// again.
///
/// # Errors
/// Where there is no such change, and where the old key is not at hand.
pub async fn abandon(settings: &Settings, id: &str) -> Result<String, String> {
    let (store, own) = opened(settings).await?;
    let own = match is_own_file(settings) && own.id() == id {
        true => put_back(settings, store.read(), own).await?,
        false => own,
    };
    // First: whoever is ended in between may change the master key next, and must not be led to this key again.
    if is_own_file(settings) && own.id() != id {
        key_files::set_draft_aside(settings, id)?;
    }
    match master_keys::abandon(&store, &own, id, serve::system_clock()()).await.map_err(text)? {
        true => Ok(format!(
            "the master key {id} opens nothing here any more, and {} opens everything. Give it to every process that had \
             the other, and restart it; what backups since the change hold opens with either\n",
            own.id()
        )),
        false => opens_nothing(store.read(), id).await,
    }
}

/// The master key that was in use before the change to `new`, once its file is in its place again. Where that was not
/// kept, or `new` is no key that a change led to, nothing is touched and `new` is given: it is refused later.
async fn put_back(settings: &Settings, read: &Reader, new: MasterKey) -> Result<MasterKey, String> {
    let is_current = read.master_key_id().await.map_err(text)? == Some(new.id());
    let known = read.master_key_ids().await.map_err(text)?;
    for id in known.iter().filter(|id| is_current && **id != new.id()) {
        if let Some((file, old)) = key_files::kept(settings, id)? {
            // It must open everything before the file of the one that does so now gives way.
            master_keys::opened(read, &old).await.map_err(text)?;
            key_files::exchange(settings, &file, &new)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            return Ok(old);
        }
    }
    Ok(new)
}

/// What is said of a master key that was to go and is not there: it may have gone before, or be misspelled.
async fn opens_nothing(read: &Reader, id: &str) -> Result<String, String> {
    let known = read.master_key_ids().await.map_err(text)?.join(" and ");
    Ok(format!("the master key {id} opens nothing here; what is sealed opens with {known}\n"))
}

/// Takes a master key away.
///
/// # Errors
/// Where something still needs it.
pub async fn retire(settings: &Settings, id: &str) -> Result<String, String> {
    let (store, own) = opened(settings).await?;
    match master_keys::retire(&store, &own, id, serve::system_clock()()).await.map_err(text)? {
        true => Ok(format!("the master key {id} opens nothing here any more\n")),
        false => opens_nothing(store.read(), id).await,
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_makes_a_key_up_is_no_source_of_the_next_one() {
        let sh = |script: &str| steady(&["sh", "-c", script].map(str::to_owned));
        assert!(
            sh("od -An -N32 -tx1 /dev/urandom | tr -d ' \\n'").unwrap_err().contains("another key each time")
        );
        assert!(sh("printf %064d 7").is_ok());
    }
}
