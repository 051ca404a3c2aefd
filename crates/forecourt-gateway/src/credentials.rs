//! Which versions each credential has at the moment, so that a new row can take the place of the old one.
//!
//! The writer's side of `key_store.rs` and `named_store.rs`. Invariant: what a credential is recorded to hold is
//! exactly what the stores hold of it. A deleted credential stays as a 48-byte memory of its revision.

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
    entries: Dense<Entry>,
    by_id: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

struct Entry {
    id: CompactId,
    revision: i64,
    held: Held,
}

/// The versions of one credential; nearly all have a single API key.
enum Held {
    Nothing,
    Key(KeyPlace),
    #[expect(clippy::box_collection, reason = "one word, not three")]
    Several(Box<Vec<Place>>),
}

#[derive(Clone, PartialEq)]
enum Place {
    Key(KeyPlace),
    User(NamedPlace<Arc<str>>),
    Token(NamedPlace<Arc<TokenVerifier>>),
    Client(NamedPlace<DcrProviderId>),
}

impl CredentialIndex {
    /// The last revision known of this credential, 0 if none, and whether it is there.
    pub(crate) fn known(&self, id: &str) -> (i64, bool) {
        self.number(&CompactId::pack(CredentialId::PREFIX, id))
            .and_then(|number| self.entries.at(number))
            .map_or((0, false), |entry| (entry.revision, !matches!(entry.held, Held::Nothing)))
    }

    /// The ids of all credentials that are not deleted.
    pub(crate) fn live_ids(&self) -> impl Iterator<Item = String> {
        let live = self.entries.iter().filter(|(_, entry)| !matches!(entry.held, Held::Nothing));
        live.map(|(_, entry)| entry.id.unpack(CredentialId::PREFIX))
    }

    /// Drops the memory of credentials deleted at or before `floor`.
    pub(crate) fn forget_deleted(&mut self, floor: i64) {
        let dead: Vec<u32> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.held, Held::Nothing) && entry.revision <= floor)
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
        for place in self.places(&id) {
            remove(state, &id, &place);
        }
        self.record(id, revision, Held::Nothing);
    }

    /// Takes away what `row` no longer has: versions that are gone, or that now end earlier.
    pub(crate) fn narrow(
        &mut self,
        state: &State,
        row: &CredentialState,
        application: &Arc<ApplicationSlot>,
    ) {
        let id = CompactId::pack(CredentialId::PREFIX, row.id.as_str());
        let Some(entry) = self.number(&id).and_then(|number| self.entries.at_mut(number)) else { return };
        let places = std::mem::replace(&mut entry.held, Held::Nothing).into_places();
        let (kept, gone): (Vec<_>, Vec<_>) = places.into_iter().partition(|place| {
            row.versions.iter().any(|version| holds(state, place, &id, version, application))
        });
        entry.held = Held::from_places(kept.clone());
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
        let mut places = self.places(&id);
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
        self.record(id, revision, Held::from_places(places));
    }

    fn places(&self, id: &CompactId) -> Vec<Place> {
        let entry = self.number(id).and_then(|number| self.entries.at(number));
        entry.map_or_else(Vec::new, |entry| entry.held.places())
    }

    fn number(&self, id: &CompactId) -> Option<u32> {
        let entries = &self.entries;
        let same = |number: &u32| entries.at(*number).is_some_and(|entry| entry.id == *id);
        self.by_id.find(self.hasher.hash_one(id), same).copied()
    }

    fn record(&mut self, id: CompactId, revision: i64, held: Held) {
        if let Some(entry) = self.number(&id).and_then(|number| self.entries.at_mut(number)) {
            entry.revision = revision;
            entry.held = held;
            return;
        }
        let hash = self.hasher.hash_one(&id);
        let Some(number) = self.entries.insert(Entry { id, revision, held }) else {
            tracing::error!("no room for another credential");
            return;
        };
        let Self { entries, by_id, hasher } = self;
        by_id.insert_unique(hash, number, |number| {
            entries.at(*number).map_or(0, |entry| hasher.hash_one(&entry.id))
        });
    }
}

impl Held {
    fn places(&self) -> Vec<Place> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Key(place) => vec![Place::Key(*place)],
            Self::Several(places) => places.as_ref().clone(),
        }
    }

    fn into_places(self) -> Vec<Place> {
        if let Self::Several(places) = self { *places } else { self.places() }
    }

    fn from_places(places: Vec<Place>) -> Self {
        match places.as_slice() {
            [Place::Key(place)] => Self::Key(*place),
            _ => Self::Several(Box::new(places)),
        }
    }
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
            let record = KeyRecord { digest: *digest, credential, application, valid_until, created_at };
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
        Place::Key(place) => {
            let old = state.keys.inspect(*place, |record| (record.valid_until, record.created_at));
            if let Some((end, made)) = old {
                let (end, made) = times(end, made);
                state.keys.set_times(*place, end, made);
            }
        }
        Place::User(place) => state.users.set_times(place, id, times),
        Place::Token(place) => state.tokens.set_times(place, id, times),
        Place::Client(place) => state.clients.set_times(place, id, times),
    }
}
