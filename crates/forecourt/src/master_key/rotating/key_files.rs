//! The file `data_dir/master.key` while the master key is changed: the draft of the new key, `master.key.new`, takes its
//! place, and the old one stays beside it as `master.key.ID`.
//!
//! Invariant: no key's last file goes. What takes the place of another one was written down before, and what gives way has
//! another name before it does; whoever serves can read what lies there.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, lchown},
    path::{Path, PathBuf},
};

use forecourt_identity::sealing::MasterKey;

use super::text;
use crate::{
    config::Settings,
    master_key::{make, of_file, own_file},
};

/// The key of the draft, which is made where there is none.
///
/// # Errors
/// Where it cannot be made for the one who owns the file whose place it takes.
pub(super) fn drafted(settings: &Settings) -> Result<MasterKey, String> {
    let draft = draft(settings);
    let made = match draft.exists() {
        true => Ok(()),
        false => make(&draft),
    };
    made.and_then(|()| give_to_owner_of(&own_file(settings), &draft))
        .map_err(|error| told(&draft, &error))?;
    of_file(&draft).map_err(text)
}

/// Exchanges the file for the draft, where there is one that holds the new key. One that an earlier attempt made and the
/// database never heard of is taken away: it must not replace a key that opens it.
pub(super) fn take_draft(settings: &Settings, (own, new): (&MasterKey, &MasterKey)) -> Result<(), String> {
    let draft = draft(settings);
    if !draft.exists() {
        return Ok(());
    }
    let done = match is_same(&of_file(&draft).map_err(text)?, new) {
        true => exchange(settings, &draft, own),
        false => fs::remove_file(&draft),
    };
    done.map_err(|error| told(&draft, &error))
}

/// Has the draft of the key `id`, where there is one, be no draft any more, so that no later change leads to that key.
pub(super) fn set_draft_aside(settings: &Settings, id: &str) -> Result<(), String> {
    let draft = draft(settings);
    if !draft.exists() {
        return Ok(());
    }
    let key = of_file(&draft).map_err(text)?;
    if key.id() != id {
        return Ok(());
    }
    let aside = keep_beside(settings, &draft, &key).and_then(|()| fs::remove_file(&draft));
    aside.map_err(|error| told(&draft, &error))
}

/// The file that was kept of the key `id`, and the key in it; `None`: there is none.
pub(super) fn kept(settings: &Settings, id: &str) -> Result<Option<(PathBuf, MasterKey)>, String> {
    // It is from the database, and becomes a part of a path.
    if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let file = beside(settings, id);
    match file.exists() {
        true => of_file(&file).map(|key| Some((file, key))).map_err(text),
        false => Ok(None),
    }
}

/// Puts `file` in the place of the key file, which holds `old` and stays under another name.
pub(super) fn exchange(settings: &Settings, file: &Path, old: &MasterKey) -> io::Result<()> {
    let path = own_file(settings);
    keep_beside(settings, &path, old)?;
    fs::rename(file, &path)?;
    File::open(settings.data_folder())?.sync_all()
}

/// Gives `file`, which holds `key`, the name that is kept of this key too, on the disk. A file that has the name already is
/// left as it is, and must hold the key.
fn keep_beside(settings: &Settings, file: &Path, key: &MasterKey) -> io::Result<()> {
    let kept = beside(settings, &key.id());
    match fs::hard_link(file, &kept) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !of_file(&kept).is_ok_and(|held| is_same(&held, key)) {
        let problem = format!("{} does not hold the master key that it is named after", kept.display());
        return Err(io::Error::other(problem));
    }
    File::open(settings.data_folder())?.sync_all()
}

/// Gives `file`, which root may have made, to the owner of `other`. Where that is root, whoever made the file reads both.
fn give_to_owner_of(other: &Path, file: &Path) -> io::Result<()> {
    let (owner, own) = (fs::metadata(other)?, fs::symlink_metadata(file)?);
    match owner.uid() == own.uid() || owner.uid() == 0 {
        true => Ok(()),
        // Whoever owns the folder could have put a link there: what it leads to stays as it is.
        false => lchown(file, Some(owner.uid()), Some(owner.gid())),
    }
}

fn is_same(one: &MasterKey, other: &MasterKey) -> bool {
    one.to_hex() == other.to_hex()
}

/// Where a fresh key lies until the database knows of it.
fn draft(settings: &Settings) -> PathBuf {
    own_file(settings).with_extension("key.new")
}

/// Where the key `id` lies while another one is in force; `id` is hex digits.
fn beside(settings: &Settings, id: &str) -> PathBuf {
    own_file(settings).with_extension(format!("key.{id}"))
}

fn told(file: &Path, error: &io::Error) -> String {
    format!("{}: {error}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path) -> Settings {
        Settings { data_dir: folder.display().to_string(), ..Settings::default() }
    }

    fn id_in(file: &Path) -> String {
        of_file(file).unwrap().id()
    }

    #[test]
    fn a_draft_that_holds_another_key_never_replaces_the_one_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (file, draft) = (own_file(&settings), draft(&settings));
        make(&file).unwrap();
        let own = of_file(&file).unwrap();
        let stale = drafted(&settings).unwrap();
        assert_eq!(drafted(&settings).unwrap().id(), stale.id(), "one that is there stays");
        take_draft(&settings, (&own, &own)).unwrap();
        assert_eq!(id_in(&file), own.id());
        assert!(!draft.exists());
        let new = drafted(&settings).unwrap();
        assert_ne!(new.id(), stale.id());
        take_draft(&settings, (&own, &new)).unwrap();
        assert_eq!(id_in(&file), new.id());
        assert_eq!(id_in(&beside(&settings, &own.id())), own.id());
    }

    #[test]
    fn a_key_gives_way_only_where_another_file_really_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let file = own_file(&settings);
        make(&file).unwrap();
        let own = of_file(&file).unwrap();
        let new = drafted(&settings).unwrap();
        make(&beside(&settings, &own.id())).unwrap();
        let refused = take_draft(&settings, (&own, &new)).unwrap_err();
        assert!(refused.contains("does not hold the master key"), "{refused}");
        assert_eq!(id_in(&file), own.id());
        fs::remove_file(beside(&settings, &own.id())).unwrap();
        take_draft(&settings, (&own, &new)).unwrap();
        assert_eq!(id_in(&file), new.id());
    }

    #[test]
    fn the_draft_of_a_key_that_was_given_up_leads_no_later_change_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        make(&own_file(&settings)).unwrap();
        let given_up = drafted(&settings).unwrap();
        set_draft_aside(&settings, "00000000").unwrap();
        assert_eq!(drafted(&settings).unwrap().id(), given_up.id());
        make(&beside(&settings, &given_up.id())).unwrap();
        let refused = set_draft_aside(&settings, &given_up.id()).unwrap_err();
        assert!(refused.contains("does not hold the master key"), "{refused}");
        assert_eq!(drafted(&settings).unwrap().id(), given_up.id(), "its only file stays");
        fs::remove_file(beside(&settings, &given_up.id())).unwrap();
        set_draft_aside(&settings, &given_up.id()).unwrap();
        assert_ne!(drafted(&settings).unwrap().id(), given_up.id());
        let (file, key) = kept(&settings, &given_up.id()).unwrap().unwrap();
        assert_eq!((key.id(), id_in(&file)), (given_up.id(), given_up.id()));
        assert!(kept(&settings, "../master").unwrap().is_none(), "nothing of the database becomes a path");
    }
}
