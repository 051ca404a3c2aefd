//! The data keys of the installation: made at the first start, learned by every process, and exchanged with the master
//! key (`docs/adr/0025-data-keys-under-a-master-key.md`). What is sealed under an older one is re-sealed in
//! `resealing.rs`.
//!
//! Invariant: every data key is wrapped under every master key that is valid; a write stores what is sealed under the
//! newest; and a key that some row names is never taken away. While the master key is changed there are two, of which
//! `retire` takes away the older one and `abandon` the newer one, each for whoever holds the other.

mod resealing;

use forecourt_core::{
    actors::{Caller, Source},
    events::{Event, EventName},
    ids::{EventId, RequestId},
    secrets::PlainSecret,
    time::Timestamp,
};
use forecourt_identity::sealing::{DataKey, LastingSecrets, MasterKey, SealError, Sealer};
use forecourt_store::{DataKeyList, KeptLastingSecrets, KeyWrapping, Reader, Store, StoredDataKey, Tx};
use serde_json::{Value, json};

pub use self::resealing::{Resealed, reseal};
use crate::{
    App, Error, ErrorKind, audit_logs,
    random::OsRandom,
    sealing::{OF_AUDIT_CHAIN, OF_USERNAME_SALTS},
};

/// For how many seconds a data key must have sealed before those before it may go: longer than any write takes from
/// sealing to its commit.
pub const SETTLING_SECONDS: i64 = 30;

/// What [`rotate`] found or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A fresh data key seals from now on, and the new master key opens all.
    Begun,
    /// That was done before: what is left is to re-seal.
    GoesOn,
}

/// A data key, and what names it.
#[derive(Clone, Debug)]
pub struct NamedDataKey {
    /// The key.
    pub key: StoredDataKey,
    /// Whether it seals.
    pub seals: bool,
    /// How many rows name it, by table and column; only where some do.
    pub named_by: Vec<(String, u64)>,
}

/// Which keys there are.
#[derive(Clone, Debug)]
pub struct KeyStatus {
    /// The master key that processes should be given; `None`: the database was never used.
    pub current: Option<String>,
    /// Every master key that opens what is sealed, ascending.
    pub master_keys: Vec<String>,
    /// Every data key, the one that seals last.
    pub data_keys: Vec<NamedDataKey>,
}

/// The data keys under `master`; the first one is made where there is none.
pub(crate) async fn load(tx: &Tx, master: &MasterKey, now: Timestamp) -> Result<Sealer, Error> {
    if tx.data_keys().await?.is_empty() {
        let (key, lasting) = match tx.master_key_id().await? {
            None => (DataKey::issue(&mut OsRandom), LastingSecrets::issue(&mut OsRandom)),
            Some(id) if id == master.id() => {
                (DataKey::of_master_key(master), LastingSecrets::of_master_key(master))
            }
            Some(id) => return Err(other_master_key(&[id], master)),
        };
        tx.insert_data_key(key.id(), 1, now).await?;
        tx.insert_key_wrapping(wrapping(&key, master)?).await?;
        let sealer = Sealer::with([key], &lasting);
        let (salts, chain) = lasting.to_hex();
        let seal = |secret: &PlainSecret, place| sealer.seal(secret, place, &mut OsRandom);
        let username_salts = seal(&salts, OF_USERNAME_SALTS)?;
        let audit_chain = seal(&chain, OF_AUDIT_CHAIN)?;
        tx.save_lasting_secrets(&KeptLastingSecrets { username_salts, audit_chain }).await?;
        tx.save_master_key_id(&master.id()).await?;
    }
    opened(tx, master).await
}

/// What opens everything that the database holds sealed, with `master`.
///
/// # Errors
/// Where `master` is another key than the database needs, or a key in it was changed.
pub async fn opened(read: &Reader, master: &MasterKey) -> Result<Sealer, Error> {
    let list = read.data_key_list().await?;
    if list.keys.is_empty() {
        // Not started since there are data keys.
        return match read.master_key_id().await? {
            Some(id) if id != master.id() => Err(other_master_key(&[id], master)),
            _ => Ok(Sealer::new(master)),
        };
    }
    let keys = unwrapped(read, &list, master).await?;
    let kept = list.lasting.ok_or(SealError::Form)?;
    let opener = Sealer::with(keys.iter().cloned(), &LastingSecrets::of_master_key(master));
    let salts = opener.open(&kept.username_salts, OF_USERNAME_SALTS)?;
    let chain = opener.open(&kept.audit_chain, OF_AUDIT_CHAIN)?;
    let lasting = LastingSecrets::from_hex(&salts, &chain).ok_or(SealError::Form)?;
    let sealer = Sealer::with([], &lasting);
    sealer.learn(list.number, keys);
    Ok(sealer)
}

/// Has `sealer` know every data key that `read` has.
pub(crate) async fn learn(read: &Reader, master: &MasterKey, sealer: &Sealer) -> Result<(), Error> {
    let list = read.data_key_list().await?;
    sealer.learn(list.number, unwrapped(read, &list, master).await?);
    Ok(())
}

/// Has `sealer`, which a process seals by, know the newest data key while nobody else can make one.
///
/// # Errors
/// Where `master` does not open it, and where the database was put back to an earlier state under this process: what it
/// would seal would be under a key that is not there.
pub(crate) async fn keep_up(tx: &Tx, master: &MasterKey, sealer: &Sealer) -> Result<(), Error> {
    let Some(newest) = tx.sealing_key_id().await?.filter(|id| *id != sealer.key_id()) else { return Ok(()) };
    learn(tx, master, sealer).await?;
    if newest == sealer.key_id() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "data_keys_behind",
        "the database was put back to an earlier state while this process ran: restart it",
    ))
}

/// Learns the data keys that other processes made since, where there are any, and tells whether this one seals under the
/// newest.
pub async fn refresh(app: &App) -> Result<bool, Error> {
    match app.read().sealing_key_id().await? {
        Some(id) if id != app.sealer().key_id() => {
            app.learn_keys(app.read()).await?;
            Ok(id == app.sealer().key_id())
        }
        _ => Ok(true),
    }
}

/// Re-seals, in this process, up to some rows that name a data key which no longer seals, and tells what is left.
pub async fn reseal_some(app: &App, progress: &mut Resealed) -> Result<bool, Error> {
    // A database that was put back knows of none that this process has: whoever writes is told to restart it.
    if !refresh(app).await? {
        return Ok(false);
    }
    reseal(app.store(), app.sealer(), progress, app.now()).await
}

/// Every data key of `list`, opened; the one that seals last.
async fn unwrapped(read: &Reader, list: &DataKeyList, master: &MasterKey) -> Result<Vec<DataKey>, Error> {
    let id = master.id();
    let mut keys = Vec::with_capacity(list.keys.len());
    for key in &list.keys {
        let own = |wrapping: &&KeyWrapping| wrapping.data_key == key.id && wrapping.master_key == id;
        let Some(own) = list.wrappings.iter().find(own) else {
            return Err(other_master_key(&read.master_key_ids().await?, master));
        };
        keys.push(DataKey::unwrapped(&key.id, &own.wrapped, master)?);
    }
    Ok(keys)
}

/// Has `new` open what `own` opens, and makes the data key that seals from now on. Where that was done before, nothing
/// is changed. A later call of [`reseal`] does the rest.
///
/// # Errors
/// Where `own` is none of the database's, where `new` is the one that it has alone, and where a third key is given
/// before an old one was retired.
pub async fn rotate(
    store: &Store,
    own: &MasterKey,
    new: &MasterKey,
    now: Timestamp,
) -> Result<Rotation, Error> {
    let mut tx = store.begin().await?;
    let sealer = load(&tx, own, now).await?;
    let masters = tx.master_key_ids().await?;
    let current = tx.master_key_id().await?.unwrap_or_default();
    let refused = |message: String| Error::new(ErrorKind::Conflict, "master_key_rotation", message);
    match masters.as_slice() {
        [_, _, ..] if current == new.id() => return Ok(Rotation::GoesOn),
        [_, _, ..] => {
            let old = masters.iter().find(|id| **id != current).map_or("", String::as_str);
            return Err(refused(format!(
                "the master key is being changed to {current} already: finish that with `forecourt master-key rotate` \
                 and `forecourt master-key retire {old}`, or give it up with `forecourt master-key abandon {current}`"
            )));
        }
        _ if masters.contains(&new.id()) => {
            return Err(refused(format!("{} is the master key already: give another one", new.id())));
        }
        _ => {}
    }
    let list = tx.data_key_list().await?;
    let number = list.keys.last().map_or(0, |key| key.number) + 1;
    let mut keys = unwrapped(&tx, &list, own).await?;
    let fresh = DataKey::issue(&mut OsRandom);
    tx.insert_data_key(fresh.id(), number, now).await?;
    tx.insert_key_wrapping(wrapping(&fresh, own)?).await?;
    keys.push(fresh);
    for key in &keys {
        tx.insert_key_wrapping(wrapping(key, new)?).await?;
    }
    tx.save_master_key_id(&new.id()).await?;
    let detail = json!({ "from": current, "to": new.id() });
    tell(&mut tx, &sealer, EventName::MasterKeyChanged, &new.id(), detail, now).await?;
    tx.commit(now).await?;
    Ok(Rotation::Begun)
}

/// Tells of it in the audit log. The command line did it: whoever may read the settings holds both keys. `detail` names
/// keys and holds none.
async fn tell(
    tx: &mut Tx,
    sealer: &Sealer,
    name: EventName,
    id: &str,
    detail: Value,
    now: Timestamp,
) -> Result<(), Error> {
    let caller = Caller::system(Source::CommandLine, RequestId::issue(now, &mut OsRandom));
    let event = EventId::issue(now, &mut OsRandom);
    tx.record(Event::new(event, now, &caller, name, "master_key", id).with_detail(detail));
    audit_logs::append_bare(tx, sealer.audit_chain(), &caller, now).await
}

/// Whether nothing that was sealed before `newest` was made can still be on its way to its commit.
fn is_settled(newest: &StoredDataKey, now: Timestamp) -> bool {
    now.micros() - newest.created_at.micros() >= SETTLING_SECONDS * 1_000_000
}

/// Takes away the master key `id`, and every data key that no longer seals. Where `id` opens nothing, nothing happens.
///
/// # Errors
/// Where `id` is the key that processes should be given, where `own`, which this process was given, is another one than
/// that, where a row still names an older data key, and within [`SETTLING_SECONDS`] after the newest data key was made.
pub async fn retire(store: &Store, own: &MasterKey, id: &str, now: Timestamp) -> Result<bool, Error> {
    let mut tx = store.begin().await?;
    if !tx.master_key_ids().await?.iter().any(|known| known == id) {
        return Ok(false);
    }
    let refused = |message: String| Err(Error::new(ErrorKind::Conflict, "master_key_retirement", message));
    let current = tx.master_key_id().await?.unwrap_or_default();
    if current == id {
        return refused(format!(
            "{id} is the master key in use: change it first with `forecourt master-key rotate`"
        ));
    }
    let own_id = own.id();
    if own_id != current {
        return refused(format!(
            "the settings still give the master key {own_id}: give every process {current}, restart it, then retire {id}"
        ));
    }
    let sealer = opened(&tx, own).await?;
    let mut keys = tx.data_keys().await?;
    let Some(newest) = keys.pop() else { return Ok(false) };
    if !is_settled(&newest, now) {
        return refused(format!(
            "the data key {} was made less than {SETTLING_SECONDS} seconds ago: try again a little later",
            newest.id
        ));
    }
    for key in &keys {
        if let Some((column, rows)) = resealing::naming(&tx, &key.id).await?.first() {
            return refused(format!(
                "{rows} rows of {column} are still sealed under the data key {}: run `forecourt master-key rotate` to its \
                 end first",
                key.id
            ));
        }
    }
    tx.delete_key_wrappings(id).await?;
    for key in &keys {
        tx.delete_data_key(&key.id).await?;
    }
    let detail = json!({ "in_use": own.id() });
    tell(&mut tx, &sealer, EventName::MasterKeyRetired, id, detail, now).await?;
    tx.commit(now).await?;
    forget(store).await;
    Ok(true)
}

/// Has what was taken away leave the files of the database too, as far as it can.
async fn forget(store: &Store) {
    match store.forget_deleted().await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(
            "somebody reads the database: what the old master key opened leaves its write-ahead log when that is next \
             written back"
        ),
        Err(error) => {
            tracing::warn!(error.cause = %error, "the write-ahead log of the database was not written back")
        }
    }
}

/// Gives up the master key `id`, which a change leads to: takes away its wrappings and nothing else. The master key before
/// it, which is `own`, opens every data key, also the one that the change made, which goes on sealing. Where `id` opens
/// nothing, nothing happens.
///
/// # Errors
/// Where `id` is the only master key or the older of two, and where `own`, which this process was given, is `id` or does
/// not open everything.
pub async fn abandon(store: &Store, own: &MasterKey, id: &str, now: Timestamp) -> Result<bool, Error> {
    let mut tx = store.begin().await?;
    let masters = tx.master_key_ids().await?;
    if !masters.iter().any(|known| known == id) {
        return Ok(false);
    }
    let refused = |message: String| Err(Error::new(ErrorKind::Conflict, "master_key_abandonment", message));
    let Some(other) = masters.iter().find(|known| *known != id) else {
        return refused(format!(
            "no change of the master key is going on: {id} is the only one that opens what is sealed here"
        ));
    };
    if tx.master_key_id().await?.as_deref() != Some(id) {
        return refused(format!(
            "{id} is the old master key: `forecourt master-key retire {id}` takes it away; what can be abandoned is the \
             change to {other}"
        ));
    }
    if own.id() == id {
        return refused(format!(
            "the settings give the master key {id}, which would open nothing any more: give every process {other}, restart \
             it, then abandon {id}"
        ));
    }
    let sealer = opened(&tx, own).await?;
    tx.delete_key_wrappings(id).await?;
    tx.save_master_key_id(&own.id()).await?;
    let detail = json!({ "in_use": own.id() });
    tell(&mut tx, &sealer, EventName::MasterKeyAbandoned, id, detail, now).await?;
    tx.commit(now).await?;
    Ok(true)
}

/// Which keys there are, and what names them.
pub async fn status(read: &Reader) -> Result<KeyStatus, Error> {
    let keys = read.data_keys().await?;
    let last = keys.len();
    let mut data_keys = Vec::with_capacity(last);
    for (n, key) in keys.into_iter().enumerate() {
        let named_by = resealing::naming(read, &key.id).await?;
        data_keys.push(NamedDataKey { key, seals: n + 1 == last, named_by });
    }
    let (current, master_keys) = (read.master_key_id().await?, read.master_key_ids().await?);
    Ok(KeyStatus { current, master_keys, data_keys })
}

fn wrapping(key: &DataKey, master: &MasterKey) -> Result<KeyWrapping, Error> {
    let wrapped = key.wrapped(master, &mut OsRandom)?;
    Ok(KeyWrapping { data_key: key.id().to_owned(), master_key: master.id(), wrapped })
}

fn other_master_key(ids: &[String], own: &MasterKey) -> Error {
    let (ids, own) = (ids.join(" or "), own.id());
    Error::new(
        ErrorKind::Conflict,
        "other_master_key",
        format!(
            "the secrets in this database are sealed under the master key {ids}, but this process has the master key \
             {own}; give it the key {ids}"
        ),
    )
}

#[cfg(test)]
mod tests;
