//! `forecourt master-key`: which keys there are, changing the master key, and taking the old one away.
//!
//! Invariant: a key is on the disk before anything is wrapped under it, and the old file is kept beside the new one.
//! Whoever is ended in the middle runs the same command again.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use forecourt_app::master_keys::{self, Resealed, Rotation};
use forecourt_identity::sealing::MasterKey;
use forecourt_store::{Reader, Store};

use super::{commands, is_own_file, make, of, of_file, own_file};
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
    let draft = own_file(settings).with_extension("key.new");
    let new_key = match new {
        NewKey::File(path) => of_file(path).map_err(text)?,
        NewKey::Command(command) => steady(command)?,
        // The file was exchanged before, and the rest was not done.
        NewKey::Fresh if known.len() > 1 && own.id() == current => own.clone(),
        NewKey::Fresh if is_own_file(settings) => {
            if !draft.exists() {
                make(&draft).map_err(|error| format!("{}: {error}", draft.display()))?;
            }
            of_file(&draft).map_err(text)?
        }
        NewKey::Fresh => {
            return Err(
                "say where the new master key is: --new-key-file FILE or --new-key-command PROGRAM".into()
            );
        }
    };
    let now = serve::system_clock();
    let begun = master_keys::rotate(&store, &own, &new_key, now()).await.map_err(text)?;
    if *new == NewKey::Fresh && draft.exists() {
        take(settings, &draft, (&own, &new_key))?;
    }
    let rows = seal_anew(&store, &new_key).await?;
    let known = store.read().master_key_ids().await.map_err(text)?;
    let old = known.into_iter().find(|id| *id != new_key.id()).unwrap_or_default();
    let begun = match begun {
        Rotation::Begun => "the master key was changed to",
        Rotation::GoesOn => "the master key is",
    };
    Ok(format!(
        "{begun} {}; {} rows were sealed anew. Give every process the new key, restart it, and run `forecourt master-key \
         retire {old}`; keep the old key for backups that were taken before\n",
        new_key.id(),
        rows
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

/// Takes a master key away.
///
/// # Errors
/// Where something still needs it.
pub async fn retire(settings: &Settings, id: &str) -> Result<String, String> {
    let (store, own) = opened(settings).await?;
    match master_keys::retire(&store, &own, id, serve::system_clock()()).await.map_err(text)? {
        true => Ok(format!("the master key {id} opens nothing here any more\n")),
        false => Ok(format!("the master key {id} opens nothing here\n")),
    }
}

/// Goes back to the old master key, which the settings must give.
///
/// # Errors
/// Where they give the new one, and where the database cannot be written.
pub async fn abandon(settings: &Settings) -> Result<String, String> {
    let (store, own) = opened(settings).await?;
    let Some(id) = master_keys::abandon(&store, &own, serve::system_clock()()).await.map_err(text)? else {
        return Ok(format!("the master key is {}, and it is not being changed\n", own.id()));
    };
    // A fresh key that was not put in its place yet: the next change is not to take it up.
    let draft = own_file(settings).with_extension("key.new");
    if draft.exists() {
        fs::remove_file(&draft).map_err(|error| format!("{}: {error}", draft.display()))?;
    }
    Ok(format!(
        "the master key is {} again; {id} opens nothing here any more. Restart every process that was given {id} with {}\n",
        own.id(),
        own.id()
    ))
}

/// The database, whose schema must be this version's, and the master key of the settings.
async fn opened(settings: &Settings) -> Result<(Store, MasterKey), String> {
    let reader = Reader::open(&settings.location()).await.map_err(text)?;
    let known = reader.master_key_ids().await.map_err(text)?;
    if known.is_empty() {
        return Err("the database was never used, so it has no keys".into());
    }
    let own = of(settings, &known).map_err(text)?;
    Ok((serve::open_store(settings).await.map_err(text)?, own))
}

/// Exchanges the file for the draft where that holds the new key. One that an earlier attempt made and the database never
/// heard of is taken away: it must not replace a key that opens it.
fn take(settings: &Settings, draft: &Path, (own, new): (&MasterKey, &MasterKey)) -> Result<(), String> {
    let done = match of_file(draft).map_err(text)?.id() == new.id() {
        true => exchange(settings, draft, own),
        false => fs::remove_file(draft),
    };
    done.map_err(|error| format!("{}: {error}", draft.display()))
}

/// Puts the new file in the place of the old one, which stays under another name.
fn exchange(settings: &Settings, draft: &Path, old: &MasterKey) -> std::io::Result<()> {
    let path = own_file(settings);
    let kept = path.with_extension(format!("key.{}", old.id()));
    match fs::hard_link(&path, kept) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::rename(draft, &path)?;
    fs::File::open(settings.data_folder())?.sync_all()
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

    #[test]
    fn a_draft_that_holds_another_key_never_replaces_the_one_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data_dir: folder.path().display().to_string(), ..Settings::default() };
        let (file, draft) = (own_file(&settings), own_file(&settings).with_extension("key.new"));
        make(&file).unwrap();
        make(&draft).unwrap();
        let (own, stale) = (of_file(&file).unwrap(), of_file(&draft).unwrap());
        take(&settings, &draft, (&own, &own)).unwrap();
        assert_eq!(of_file(&file).unwrap().id(), own.id());
        assert!(!draft.exists());
        make(&draft).unwrap();
        let new = of_file(&draft).unwrap();
        assert_ne!(new.id(), stale.id());
        take(&settings, &draft, (&own, &new)).unwrap();
        assert_eq!(of_file(&file).unwrap().id(), new.id());
        assert_eq!(of_file(&file.with_extension(format!("key.{}", own.id()))).unwrap().id(), own.id());
    }
}
