//! Which master keys open what a copy holds sealed, and whether one really does.

use forecourt_app::sync_authority;
use forecourt_identity::sealing::{DataKey, LastingSecrets, MasterKey, Sealer};
use forecourt_store::{Cell, Original, StoreError, StoredAuthority};

use super::{BackupError, lines};

/// The tables and the keys of settings that say which master key is needed.
const SETTINGS: &str = "settings";
const WRAPPINGS: &str = "key_wrappings";
const MASTER_KEY_ID: &str = "master_key_id";
const AUTHORITY: &str = "sync_authority";

/// What a copy says of the keys that it needs.
#[derive(Debug, Default)]
pub(super) struct CopiedKeys {
    /// The master key that processes are given.
    pub(super) current: Option<String>,
    /// Data key, master key, and the wrapping.
    wrappings: Vec<(String, String, String)>,
    /// What every installation holds sealed.
    authority: Option<String>,
}

impl CopiedKeys {
    /// Takes what a row says.
    pub(super) fn note(&mut self, table: &str, row: &[Cell]) {
        if table == SETTINGS {
            self.current = self.current.take().or_else(|| lines::text_beside(row, MASTER_KEY_ID));
            self.authority = self.authority.take().or_else(|| lines::text_beside(row, AUTHORITY));
        }
        if table == WRAPPINGS
            && let [Cell::Text(data_key), Cell::Text(master_key), Cell::Text(wrapped)] = row
        {
            self.wrappings.push((data_key.clone(), master_key.clone(), wrapped.clone()));
        }
    }

    /// The ids of the master keys that open it, ascending.
    pub(super) fn master_keys(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.wrappings.iter().map(|(_, master_key, _)| master_key.clone()).collect();
        if ids.is_empty() {
            ids.extend(self.current.clone());
        }
        ids.sort();
        ids.dedup();
        ids
    }

    /// Whether `key` opens every data key, and what every installation holds sealed.
    pub(super) fn open_with(&self, key: &MasterKey) -> Result<(), BackupError> {
        let sealed = |problem: &dyn std::fmt::Display| BackupError::Sealed(problem.to_string());
        let id = key.id();
        let mut keys = Vec::new();
        for (data_key, _, wrapped) in self.wrappings.iter().filter(|(_, master_key, _)| *master_key == id) {
            keys.push(DataKey::unwrapped(data_key, wrapped, key).map_err(|error| sealed(&error))?);
        }
        let sealer = match self.wrappings.is_empty() {
            true => Sealer::new(key),
            false => Sealer::with(keys, &LastingSecrets::of_master_key(key)),
        };
        let Some(authority) = &self.authority else { return Ok(()) };
        let authority: StoredAuthority = serde_json::from_str(authority).map_err(|error| sealed(&error))?;
        let opened = sealer.open(&authority.key, sync_authority::PLACE);
        opened.map(drop).map_err(|error| sealed(&error))
    }
}

/// What the database says of the keys that it needs.
pub(super) async fn keys_of(original: &Original) -> Result<CopiedKeys, StoreError> {
    let mut keys = CopiedKeys::default();
    let tables = original.schema().tables.iter();
    for table in tables.filter(|table| [SETTINGS, WRAPPINGS].contains(&table.name.as_str())) {
        let mut rows = original.rows(table);
        loop {
            let page = rows.next().await?;
            if page.is_empty() {
                break;
            }
            page.iter().for_each(|row| keys.note(&table.name, row));
        }
    }
    Ok(keys)
}
