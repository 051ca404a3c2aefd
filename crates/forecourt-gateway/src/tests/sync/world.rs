//! A small installation with a history: what administrators and developers did, and who may call after each act.

use std::collections::BTreeMap;

use forecourt_core::{
    gateway_state::{CredentialState, Kind, Resource},
    time::Timestamp,
};
use forecourt_wire::changes::Change;
use proptest::prelude::*;

use crate::{
    Gateway,
    tests::rows::{application, credential, delete, delete_grant, grant, key, product, put, route, service},
};

const APPLICATIONS: [&str; 2] = ["a0", "a1"];
const CREDENTIALS: usize = 4;

/// The time at which all of it happens.
pub(super) fn now() -> Timestamp {
    Timestamp::from_seconds(1_000_000)
}

/// An act on a credential, by number; applications are those that own it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Create(usize),
    /// It ends later, or has ended.
    Renew(usize, bool),
    /// A second key beside the first.
    Rotate(usize),
    /// The first key goes, of two.
    Finish(usize),
    Revoke(usize),
    Suspend(usize),
    Resume(usize),
    Subscribe(usize),
    Cancel(usize),
    /// The application with all that it has.
    Delete(usize),
}

impl Arbitrary for Act {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let which = 0..CREDENTIALS;
        (0..10_u8, which, any::<bool>())
            .prop_map(|(act, at, flag)| match act {
                0 | 1 => Self::Create(at),
                2 => Self::Renew(at, flag),
                3 => Self::Rotate(at),
                4 => Self::Finish(at),
                5 => Self::Revoke(at),
                6 => Self::Suspend(at),
                7 => Self::Resume(at),
                8 if flag => Self::Subscribe(at),
                8 => Self::Cancel(at),
                _ => Self::Delete(at),
            })
            .boxed()
    }
}

type Rows = BTreeMap<(Kind, String), (i64, Resource)>;

/// All that was ever committed, in order.
pub(super) struct World {
    changes: Vec<Change>,
    first: i64,
    credentials: BTreeMap<usize, CredentialState>,
    keys: Vec<String>,
    revision: i64,
}

impl World {
    /// The installation after these acts.
    pub(super) fn of(acts: &[Act]) -> Self {
        let (changes, credentials) = (Vec::new(), BTreeMap::new());
        let mut world = Self { changes, first: 0, credentials, keys: Vec::new(), revision: 0 };
        let grants = APPLICATIONS.map(|id| put(0, grant(id, "p")));
        let applications = APPLICATIONS.map(|id| put(0, application(id)));
        world.commit(vec![
            put(0, service("s")),
            put(0, route("r", "s", "/s/*")),
            put(0, product("p", &["s"])),
        ]);
        world.commit(applications.into_iter().chain(grants).collect());
        world.first = world.revision;
        acts.iter().for_each(|act| world.act(*act));
        world
    }

    fn act(&mut self, act: Act) {
        let owner = |at: usize| APPLICATIONS[at % 2];
        match act {
            Act::Create(at) => {
                let row = credential(&format!("c{at}"), owner(at), &[]);
                self.credentials.insert(at, row);
                self.add_key(at);
            }
            Act::Rotate(at) => self.add_key(at),
            Act::Renew(at, is_later) => {
                let end = now().plus_seconds(if is_later { 3_600 } else { -1 });
                if let Some(version) = self.credentials.get_mut(&at).and_then(|row| row.versions.last_mut()) {
                    version.valid_until = Some(end);
                }
                self.put_credential(at);
            }
            Act::Finish(at) => {
                if let Some(row) = self.credentials.get_mut(&at).filter(|row| row.versions.len() > 1) {
                    row.versions.remove(0);
                }
                self.put_credential(at);
            }
            Act::Revoke(at) => {
                if self.credentials.remove(&at).is_some() {
                    self.commit(vec![delete(0, Kind::Credential, &format!("c{at}"))]);
                }
            }
            Act::Suspend(at) | Act::Resume(at) => {
                let mut row = application(owner(at));
                row.active = matches!(act, Act::Resume(_));
                self.commit(vec![put(0, row)]);
            }
            Act::Subscribe(at) => self.commit(vec![put(0, grant(owner(at), "p"))]),
            Act::Cancel(at) => self.commit(vec![delete_grant(0, owner(at), "p")]),
            Act::Delete(at) => {
                let mut gone = vec![delete(0, Kind::Application, owner(at)), delete_grant(0, owner(at), "p")];
                let own: Vec<_> =
                    self.credentials.keys().copied().filter(|other| owner(*other) == owner(at)).collect();
                for other in own {
                    self.credentials.remove(&other);
                    gone.push(delete(0, Kind::Credential, &format!("c{other}")));
                }
                self.commit(gone);
            }
        }
    }

    fn add_key(&mut self, at: usize) {
        let name = format!("key-{}", self.keys.len());
        let Some(row) = self.credentials.get_mut(&at) else { return };
        let id = row.id.to_string();
        row.versions.extend(credential(&id, "any", &[key(&name)]).versions);
        self.keys.push(name);
        self.put_credential(at);
    }

    fn put_credential(&mut self, at: usize) {
        if let Some(row) = self.credentials.get(&at).cloned() {
            self.commit(vec![put(0, row)]);
        }
    }

    fn commit(&mut self, changes: Vec<Change>) {
        self.revision += 1;
        let revision = self.revision;
        self.changes.extend(changes.into_iter().map(|change| Change { revision, ..change }));
    }

    /// The last revision.
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    /// The revision before the first act.
    pub(super) fn first(&self) -> i64 {
        self.first
    }

    /// The changes after the one revision and up to the other.
    pub(super) fn between(&self, after: i64, to: i64) -> &[Change] {
        let start = self.changes.partition_point(|change| change.revision <= after);
        let end = self.changes.partition_point(|change| change.revision <= to.max(after));
        &self.changes[start..end]
    }

    /// The changes after this revision.
    pub(super) fn after(&self, revision: i64) -> &[Change] {
        self.between(revision, self.revision)
    }

    /// The rows that stand at this revision.
    pub(super) fn snapshot(&self, revision: i64) -> Vec<Change> {
        let rows = self.rows(revision).into_iter();
        let change = |((kind, key), (revision, row))| Change { revision, kind, key, resource: Some(row) };
        rows.map(change).collect()
    }

    fn rows(&self, revision: i64) -> Rows {
        let mut rows = Rows::new();
        for change in self.between(0, revision) {
            let at = (change.kind, change.key.clone());
            match &change.resource {
                Some(row) => rows.insert(at, (change.revision, row.clone())),
                None => rows.remove(&at),
            };
        }
        rows
    }

    /// Whether the gateway lets exactly those keys pass, of all that ever were, that are good at this revision.
    pub(super) fn agrees(&self, gateway: &Gateway, revision: i64) -> Result<(), TestCaseError> {
        let rows = self.rows(revision);
        for name in &self.keys {
            let head = http::Request::get("/s/x").header("host", "any").header("apikey", name);
            let passes = gateway.would_pass(&head.body(()).unwrap());
            prop_assert_eq!(passes, is_good(&rows, name), "{} at {}", name, revision);
        }
        Ok(())
    }
}

fn is_good(rows: &Rows, name: &str) -> bool {
    rows.values().any(|(_, row)| {
        let Resource::Credential(row) = row else { return false };
        let shows = row
            .versions
            .iter()
            .any(|version| version.secret == key(name) && version.valid_until.is_none_or(|end| end > now()));
        let owner = rows.get(&(Kind::Application, row.application_id.to_string()));
        let is_active = matches!(owner, Some((_, Resource::Application(owner))) if owner.active);
        shows && is_active && rows.contains_key(&(Kind::Grant, format!("{}/p", row.application_id)))
    })
}
