//! Which versions each credential has at the moment, so that a new row can take the place of the old one.
//!
//! The writer's side of `key_store.rs` and `named_store.rs`. Invariant: what a credential is recorded to hold is
//! exactly what the stores hold of it, and each stands in one of two tables: nearly all have a single API key, whose record
//! (`key_store.rs`) says all that must be known of them; the others have an entry. A deleted credential stays as an entry
//! of 48 bytes, the memory of its revision.

use std::{hash::BuildHasher, sync::Arc};

use forecourt_core::{
    gateway_state::{CredentialSecret, CredentialState, CredentialVersionState},
    ids::{CredentialId, DcrProviderId},
};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{
    applications::{ApplicationSlot, end_of},
    compact_ids::CompactId,
    dense::Dense,
    key_store::{KeyPlace, KeyRecord},
    named_store::{NamedPlace, NamedRecord},
    signatures::TokenVerifier,
    state::State,
};

/// All credentials by id.
#[derive(Default)]
pub(crate) struct CredentialIndex {
    /// Those that hold a single API key.
    keyed: HashTable<KeyPlace>,
    /// All others.
    entries: Dense<Entry>,
    by_id: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

struct Entry {
    id: CompactId,
    revision: i64,
    held: Held,
}

/// The versions of one credential; `None`: it is deleted.
type Held = Option<Vec<Place>>;

#[derive(Clone, PartialEq)]
enum Place {
    Key(KeyPlace),
    User(NamedPlace<Arc<str>>),
    Token(NamedPlace<Arc<TokenVerifier>>),
    Client(NamedPlace<DcrProviderId>),
}

impl CredentialIndex {
    /// The last revision known of this credential, 0 if none, and whether it is there.
    pub(crate) fn known(&self, state: &State, id: &str) -> (i64, bool) {
        let id = CompactId::pack(CredentialId::PREFIX, id);
        let hash = self.hasher.hash_one(&id);
        if let Some(place) = self.keyed.find(hash, |place| is_of(state, *place, &id)) {
            return (revision_of(state, *place), true);
        }
        let entry = self
            .by_id
            .find(hash, |number| is_at(&self.entries, *number, &id))
            .and_then(|number| self.entries.at(*number));
        entry.map_or((0, false), |entry| (entry.revision, entry.held.is_some()))
    }

    /// The ids of all credentials that are not deleted.
    pub(crate) fn live_ids(&self, state: &State) -> impl Iterator<Item = String> {
        let text = |id: &CompactId| id.unpack(CredentialId::PREFIX);
        let keyed = self.keyed.iter();
        let keyed =
            keyed.filter_map(move |place| state.keys.inspect(*place, |record| text(&record.credential)));
        let others = self.entries.iter().filter(|(_, entry)| entry.held.is_some());
        keyed.chain(others.map(move |(_, entry)| text(&entry.id)))
    }

    /// Drops the memory of credentials deleted at or before `floor`.
    pub(crate) fn forget_deleted(&mut self, floor: i64) {
        let dead: Vec<u32> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.held.is_none() && entry.revision <= floor)
            .map(|(number, _)| number)
            .collect();
        for number in dead {
            if let Some(entry) = self.entries.remove(number) {
                let hash = self.hasher.hash_one(&entry.id);
                if let Ok(found) = self.by_id.find_entry(hash, |other| *other == number) {
                    found.remove();
                }
            }
        }
    }

    /// Removes all versions and remembers the deletion.
    pub(crate) fn delete(&mut self, state: &State, id: &str, revision: i64) {
        let id = CompactId::pack(CredentialId::PREFIX, id);
        for place in self.take(state, &id).and_then(|(_, held)| held).unwrap_or_default() {
            remove(state, &id, &place);
        }
        self.put(state, id, revision, None);
    }

    /// Takes away what `row` no longer has: versions that are gone, or that now end earlier.
    pub(crate) fn narrow(
        &mut self,
        state: &State,
        row: &CredentialState,
        application: &Arc<ApplicationSlot>,
    ) {
        let id = CompactId::pack(CredentialId::PREFIX, row.id.as_str());
        let Some((revision, held)) = self.take(state, &id) else { return };
        let (kept, gone): (Vec<_>, Vec<_>) = held.unwrap_or_default().into_iter().partition(|place| {
            row.versions.iter().any(|version| holds(state, place, &id, version, application))
        });
        for place in &gone {
            remove(state, &id, place);
        }
        for place in &kept {
            let end = row
                .versions
                .iter()
                .find(|version| holds(state, place, &id, version, application))
                .map_or(i64::MIN, |version| end_of(version.valid_until));
            set_times(state, &id, place, |old_end, made| (old_end.min(end), made));
        }
        self.put(state, id, revision, Some(kept));
    }

    /// Gives the credential exactly the versions of `row`; [`Self::narrow`] came before.
    pub(crate) fn widen(
        &mut self,
        state: &State,
        row: &CredentialState,
        application: &Arc<ApplicationSlot>,
        revision: i64,
    ) {
        let id = CompactId::pack(CredentialId::PREFIX, row.id.as_str());
        let mut places = self.take(state, &id).and_then(|(_, held)| held).unwrap_or_default();
        // No place is left unused: there may be a million of these.
        places.reserve_exact(row.versions.len().saturating_sub(places.len()));
        let made = row.created_at.micros();
        for version in &row.versions {
            let end = end_of(version.valid_until);
            match places.iter().find(|place| holds(state, place, &id, version, application)) {
                Some(place) => set_times(state, &id, place, |_, _| (end, made)),
                None => match insert(state, &id, version, application, end, made) {
                    Some(place) => places.push(place),
                    None => tracing::error!(credential = row.id.as_str(), "no room for another credential"),
                },
            }
        }
        self.put(state, id, revision, Some(places));
    }

    /// Takes what is known of a credential out of the index: its revision, and what it holds. Before a version is removed
    /// from its store: a key is found by its record.
    fn take(&mut self, state: &State, id: &CompactId) -> Option<(i64, Held)> {
        let hash = self.hasher.hash_one(id);
        if let Ok(found) = self.keyed.find_entry(hash, |place| is_of(state, *place, id)) {
            let place = found.remove().0;
            return Some((revision_of(state, place), Some(vec![Place::Key(place)])));
        }
        let entries = &self.entries;
        let number = self.by_id.find_entry(hash, |number| is_at(entries, *number, id)).ok()?.remove().0;
        self.entries.remove(number).map(|entry| (entry.revision, entry.held))
    }

    /// Puts in what is known of a credential that the index does not have.
    fn put(&mut self, state: &State, id: CompactId, revision: i64, held: Held) {
        let Self { keyed, entries, by_id, hasher } = self;
        let hash = hasher.hash_one(&id);
        if let Some([Place::Key(place)]) = held.as_deref() {
            state.keys.change(*place, |record| record.revision = revision);
            keyed.insert_unique(hash, *place, |place| {
                let hash = state.keys.inspect(*place, |record| hasher.hash_one(&record.credential));
                hash.unwrap_or(0)
            });
            return;
        }
        let Some(number) = entries.insert(Entry { id, revision, held }) else {
            tracing::error!("no room for another credential");
            return;
        };
        by_id.insert_unique(hash, number, |number| {
            entries.at(*number).map_or(0, |entry| hasher.hash_one(&entry.id))
        });
    }
}

/// Whether the key that lies there is this credential's.
fn is_of(state: &State, place: KeyPlace, id: &CompactId) -> bool {
    state.keys.inspect(place, |record| record.credential == *id).unwrap_or(false)
}

/// Whether the entry with this number is this credential's.
fn is_at(entries: &Dense<Entry>, number: u32, id: &CompactId) -> bool {
    entries.at(number).is_some_and(|entry| entry.id == *id)
}

fn revision_of(state: &State, place: KeyPlace) -> i64 {
    state.keys.inspect(place, |record| record.revision).unwrap_or(0)
}

/// Whether what lies there is this version, of this application.
fn holds(
    state: &State,
    place: &Place,
    id: &CompactId,
    version: &CredentialVersionState,
    application: &Arc<ApplicationSlot>,
) -> bool {
    match (place, &version.secret) {
        (Place::Key(place), CredentialSecret::KeyAuth { digest }) => state
            .keys
            .inspect(*place, |record| {
                record.digest == *digest && Arc::ptr_eq(&record.application, application)
            })
            .unwrap_or(false),
        (Place::User(place), CredentialSecret::BasicAuth { username, password_hash }) => {
            *place.name == **username
                && *place.proof == **password_hash
                && state.users.holds(place, id, application)
        }
        (Place::Token(place), CredentialSecret::JwtAuth { key, secret }) => {
            *place.name == **key && place.proof.is(secret) && state.tokens.holds(place, id, application)
        }
        (Place::Client(place), CredentialSecret::Oauth { provider_id, client_id }) => {
            *place.name == **client_id
                && place.proof == *provider_id
                && state.clients.holds(place, id, application)
        }
        _ => false,
    }
}

fn insert(
    state: &State,
    id: &CompactId,
    version: &CredentialVersionState,
    application: &Arc<ApplicationSlot>,
    valid_until: i64,
    created_at: i64,
) -> Option<Place> {
    let application = Arc::clone(application);
    let credential = id.clone();
    match &version.secret {
        CredentialSecret::KeyAuth { digest } => {
            let record =
                KeyRecord { digest: *digest, credential, application, valid_until, created_at, revision: 0 };
            state.keys.insert(record).map(Place::Key)
        }
        CredentialSecret::BasicAuth { username, password_hash } => {
            let proof: Arc<str> = password_hash.as_str().into();
            let place = NamedPlace { name: username.as_str().into(), proof: Arc::clone(&proof) };
            let record = NamedRecord { proof, credential, application, valid_until, created_at };
            state.users.insert(username, record);
            Some(Place::User(place))
        }
        CredentialSecret::JwtAuth { key, secret } => {
            let proof = Arc::new(TokenVerifier::new(secret, &id.unpack(CredentialId::PREFIX)));
            let place = NamedPlace { name: key.as_str().into(), proof: Arc::clone(&proof) };
            let record = NamedRecord { proof, credential, application, valid_until, created_at };
            state.tokens.insert(key, record);
            Some(Place::Token(place))
        }
        CredentialSecret::Oauth { provider_id, client_id } => {
            let proof = provider_id.clone();
            let place = NamedPlace { name: client_id.as_str().into(), proof: proof.clone() };
            let record = NamedRecord { proof, credential, application, valid_until, created_at };
            state.clients.insert(client_id, record);
            Some(Place::Client(place))
        }
    }
}

fn remove(state: &State, id: &CompactId, place: &Place) {
    match place {
        Place::Key(place) => state.keys.remove(*place),
        Place::User(place) => state.users.retain(place, id, |_| false),
        Place::Token(place) => state.tokens.retain(place, id, |_| false),
        Place::Client(place) => state.clients.retain(place, id, |_| false),
    }
}

fn set_times(state: &State, id: &CompactId, place: &Place, times: impl Fn(i64, i64) -> (i64, i64)) {
    match place {
        Place::Key(place) => state.keys.change(*place, |record| {
            (record.valid_until, record.created_at) = times(record.valid_until, record.created_at);
        }),
        Place::User(place) => state.users.set_times(place, id, times),
        Place::Token(place) => state.tokens.set_times(place, id, times),
        Place::Client(place) => state.clients.set_times(place, id, times),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use forecourt_core::{ids::ApplicationId, secrets::SecretDigest};
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::tests::rows::{credential, key};

    const CREDENTIALS: usize = 6;
    const KEYS: [&str; 3] = ["k0", "k1", "k2"];

    /// Issued ids and others.
    fn name_of(number: usize) -> String {
        match number % 2 {
            0 => format!("crd_019fd9b00c007fffbfffffffffff{number:04x}"),
            _ => format!("chosen-{number}"),
        }
    }

    /// Whether the keys that these bits stand for have this one among them.
    fn holds_key(keys: u8, number: usize) -> bool {
        (keys >> number) & 1 == 1
    }

    fn secrets(keys: u8) -> Vec<CredentialSecret> {
        (0..KEYS.len()).filter(|number| holds_key(keys, *number)).map(|number| key(KEYS[number])).collect()
    }

    proptest! {
        /// From one key to none, to several and back, deleted and forgotten: the index and the store say what a plain map
        /// says.
        #[test]
        fn the_index_and_the_store_are_like_a_plain_map(
            steps in vec(
                (0..CREDENTIALS, option::weighted(0.8, 0..8_u8), option::weighted(0.1, 0..60_i64)),
                0..60,
            )
        ) {
            let state = State::empty([1, 2]);
            let application = CompactId::pack(ApplicationId::PREFIX, "app");
            let application = Arc::new(ApplicationSlot::new(application));
            let mut index = CredentialIndex::default();
            let mut plain: BTreeMap<String, (i64, Option<u8>)> = BTreeMap::new();
            for ((number, keys, floor), revision) in steps.into_iter().zip(1..) {
                let name = name_of(number);
                if let Some(keys) = keys {
                    let row = credential(&name, "app", &secrets(keys));
                    index.narrow(&state, &row, &application);
                    index.widen(&state, &row, &application, revision);
                } else {
                    index.delete(&state, &name, revision);
                }
                plain.insert(name, (revision, keys));
                if let Some(floor) = floor {
                    index.forget_deleted(floor);
                    plain.retain(|_, (revision, keys)| keys.is_some() || *revision > floor);
                }
                for name in (0..CREDENTIALS).map(name_of) {
                    let known = plain.get(&name).map_or((0, false), |(revision, keys)| (*revision, keys.is_some()));
                    prop_assert_eq!(index.known(&state, &name), known);
                }
                let live = plain.iter().filter(|(_, (_, keys))| keys.is_some());
                let live: BTreeSet<String> = live.map(|(name, _)| name.clone()).collect();
                prop_assert_eq!(index.live_ids(&state).collect::<BTreeSet<_>>(), live);
                for (number, text) in KEYS.into_iter().enumerate() {
                    let mut found = BTreeSet::new();
                    state.keys.visit(&SecretDigest::of(text.as_bytes()), |record| {
                        found.insert(record.credential.unpack(CredentialId::PREFIX));
                    });
                    let holders = plain
                        .iter()
                        .filter(|(_, (_, keys))| keys.is_some_and(|keys| holds_key(keys, number)));
                    let holders: BTreeSet<String> = holders.map(|(name, _)| name.clone()).collect();
                    prop_assert_eq!(found, holders);
                }
            }
        }
    }
}
