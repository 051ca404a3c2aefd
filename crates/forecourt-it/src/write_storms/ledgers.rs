//! What writers were told: what must be there, what must not, and what may be either but whole.
//!
//! A write is noted before it is sent, as one of which nothing is known; its answer says more. Things have names that are
//! never used twice, so that one of which the answer was lost is found again.

mod parts;

use std::collections::{BTreeMap, BTreeSet};

use self::parts::Part;
use crate::consistency::{Row, Snapshot, Violation};

/// What every name of a storm begins with.
pub(super) const PREFIX: &str = "storm-";

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    /// A developer, by the public id.
    Developer,
    /// An application.
    Application,
    /// A credential.
    Credential,
    /// A subscription, by the names of its application and its product: `APPLICATION/PRODUCT`.
    Subscription,
    /// A product.
    Product,
    /// A role.
    Role,
    /// An access token of an administrator.
    AdminToken,
    /// A token of a portal.
    PortalToken,
    /// A contact point.
    ContactPoint,
    /// A plan of a product.
    Plan,
    /// A service of the default gateway group.
    Service,
    /// A further upstream of a service.
    Upstream,
    /// A route.
    Route,
    /// A route of streams.
    StreamRoute,
    /// A global rule.
    GlobalRule,
    /// A certificate.
    Certificate,
    /// A consumer, by the user name.
    Consumer,
    /// A credential of a consumer.
    ConsumerCredential,
    /// An administrator that a directory made, by the user name.
    Administrator,
    /// A person that a directory made, by the user name.
    Person,
}

/// A thing.
pub type Key = (Noun, String);

/// What is known of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was acknowledged.
    There,
    /// It was refused, or its end was acknowledged.
    Gone,
    /// An answer was lost.
    Perhaps,
}

/// A part of what a call does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Makes things: all of them or none.
    Make(Vec<Key>),
    /// Takes things away.
    Remove(Vec<Key>),
    /// Gives a column this value; `None`: one that the answer tells ([`Ledger::has_become`]).
    Change(Key, &'static str, Option<String>),
}

/// How things stood before a call.
#[derive(Debug)]
pub struct Intent {
    number: usize,
    steps: Vec<Step>,
    before: Vec<(Key, Option<Standing>)>,
    values: Vec<(Place, Option<Possible>)>,
}

/// A column of a thing.
type Place = (Key, &'static str);

/// What a column may hold; `None` within: anything.
type Possible = Option<BTreeSet<String>>;

/// The ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Calls that were answered 2xx.
    pub acknowledged: usize,
    /// Calls that were not answered, or with 5xx.
    pub unknown: usize,
    /// Answers that nothing explains: everything that a writer asks for is right.
    pub strange: BTreeMap<String, usize>,
    /// Events, and the ids of the applications, that were acknowledged and are to be told of.
    pub promised: Vec<(&'static str, String)>,
    things: BTreeMap<Key, Standing>,
    values: BTreeMap<Place, Possible>,
    /// How often something was noted of a column: one that is back at its former value has changed all the same.
    notes: BTreeMap<Place, usize>,
    together: Vec<Vec<Key>>,
    /// Things that somebody began to take away, and how many did.
    ending: BTreeMap<Key, usize>,
    /// Calls of which nothing is known, by their numbers: each was done, every part of it, or it was not.
    open: BTreeMap<usize, Vec<Part>>,
    asked: usize,
}

impl Ledger {
    /// Notes what a call is about to do.
    pub fn intend(&mut self, steps: Vec<Step>) -> Intent {
        let (mut before, mut values, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for step in &steps {
            self.forget_open(step);
            match step {
                Step::Make(keys) | Step::Remove(keys) => {
                    let ends = matches!(step, Step::Remove(_));
                    for key in keys {
                        let former = self.things.get(key).copied();
                        before.push((key.clone(), former));
                        // What is gone stays away, whatever takes it along.
                        if former != Some(Standing::Gone) {
                            self.things.insert(key.clone(), Standing::Perhaps);
                        }
                        match former {
                            None if !ends => parts.push(Part::Made(key.clone())),
                            Some(Standing::There) if ends => parts.push(Part::Gone(key.clone())),
                            _ => {}
                        }
                        if ends {
                            *self.ending.entry(key.clone()).or_default() += 1;
                        }
                    }
                    if !ends && keys.len() > 1 {
                        self.together.push(keys.clone());
                    }
                }
                Step::Change(key, column, value) => {
                    let place = (key.clone(), *column);
                    let former = self.values.get(&place).cloned();
                    values.push((place.clone(), former.clone()));
                    parts.extend(becomes(&place, former.as_ref(), value.as_ref()));
                    let possible = former.flatten().zip(value.clone()).map(|(mut possible, value)| {
                        possible.insert(value);
                        possible
                    });
                    self.note(place, possible);
                }
            }
        }
        self.asked += 1;
        if parts.len() > 1 {
            self.open.insert(self.asked, parts);
        }
        Intent { number: self.asked, steps, before, values }
    }

    /// It was answered 2xx.
    pub fn acknowledge(&mut self, intent: Intent) {
        self.acknowledged += 1;
        self.open.remove(&intent.number);
        for step in intent.steps {
            match step {
                Step::Make(keys) => self.things.extend(keys.into_iter().map(|key| (key, Standing::There))),
                Step::Remove(keys) => self.things.extend(keys.into_iter().map(|key| (key, Standing::Gone))),
                Step::Change(key, column, value) => {
                    self.note((key, column), value.map(|value| BTreeSet::from([value])));
                }
            }
        }
    }

    /// It was answered 4xx: nothing was done, and nothing explains it.
    pub fn refuse(&mut self, intent: Intent, told: String) {
        *self.strange.entry(told).or_default() += 1;
        self.open.remove(&intent.number);
        for step in &intent.steps {
            let Step::Remove(keys) = step else { continue };
            for key in keys {
                if let Some(count) = self.ending.get_mut(key) {
                    *count -= 1;
                }
            }
        }
        self.ending.retain(|_, count| *count > 0);
        for (key, former) in intent.before {
            self.things.insert(key, former.unwrap_or(Standing::Gone));
        }
        for (place, former) in intent.values {
            match former {
                Some(former) => self.note(place, former),
                None => {
                    self.values.remove(&place);
                    *self.notes.entry(place).or_default() += 1;
                }
            }
        }
    }

    /// A column holds what an acknowledged answer told.
    pub fn has_become(&mut self, key: Key, column: &'static str, value: String) {
        self.note((key, column), Some(BTreeSet::from([value])));
    }

    fn note(&mut self, place: Place, possible: Possible) {
        *self.notes.entry(place.clone()).or_default() += 1;
        self.values.insert(place, possible);
    }

    /// What a lost answer left open of something cannot be seen any more once somebody goes on with it.
    fn forget_open(&mut self, step: &Step) {
        let goes_on = |part: &Part| match (step, part) {
            (Step::Make(keys) | Step::Remove(keys), part) => keys.contains(part.key()),
            (Step::Change(key, column, _), Part::Becomes(place, _)) => place.0 == *key && place.1 == *column,
            (Step::Change(..), _) => false,
        };
        self.open.retain(|_, parts| !parts.iter().any(goes_on));
    }

    /// How many things it knows.
    pub fn things(&self) -> usize {
        self.things.len()
    }

    /// What must hold at any moment between this and `later`: what both say.
    #[must_use]
    pub fn until(&self, later: &Self) -> Self {
        let mut both = later.clone();
        for (key, standing) in &mut both.things {
            let before = self.things.get(key).copied();
            if before == Some(Standing::Gone) {
                *standing = Standing::Gone;
            } else if before != Some(*standing) {
                *standing = Standing::Perhaps;
            }
        }
        both.values.retain(|place, _| self.noted(place) == later.noted(place));
        // A call that was begun meanwhile is whole or not at all where it is the only one that was.
        both.open.retain(|number, parts| {
            self.open.contains_key(number) || parts.iter().all(|part| self.comes_before(part, later))
        });
        both
    }

    fn noted(&self, place: &Place) -> usize {
        self.notes.get(place).copied().unwrap_or(0)
    }

    /// Whether what a part of a call ends was so at this moment, and nothing was done to it until `later` but by that call.
    fn comes_before(&self, part: &Part, later: &Self) -> bool {
        match part {
            Part::Made(_) => true,
            Part::Gone(key) => self.things.get(key) == Some(&Standing::There),
            Part::Becomes(place, _) => self.noted(place) + 1 == later.noted(place),
        }
    }

    /// What a database lacks, has too much of, or holds half.
    pub fn violations(&self, snapshot: &Snapshot) -> Vec<Violation> {
        self.violations_of(&present(snapshot))
    }

    fn violations_of(&self, present: &BTreeMap<Key, &Row>) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut add = |check: &'static str, key: &Key, problem: String| {
            violations.push(Violation { check, row: format!("{:?} {}", key.0, key.1), problem });
        };
        for (key, standing) in &self.things {
            match (standing, present.contains_key(key)) {
                (Standing::There, false) => add("lost write", key, "it was acknowledged and is gone".into()),
                (Standing::Gone, true) => {
                    add("came back", key, "its end was acknowledged and it is there".into())
                }
                _ => {}
            }
        }
        for key in present.keys().filter(|key| !self.things.contains_key(key)) {
            add("nobody wrote it", key, "no writer ever asked for it".into());
        }
        for keys in self.together.iter().filter(|keys| !keys.iter().any(|key| self.ending.contains_key(key)))
        {
            let count = keys.iter().filter(|key| present.contains_key(key)).count();
            if count != 0 && count != keys.len() {
                add("half done", &keys[0], format!("{count} of {keys:?} are there"));
            }
        }
        for parts in self.open.values() {
            let done: Vec<_> = parts.iter().map(|part| part.is_done(present)).collect();
            if done.contains(&Some(true)) && done.contains(&Some(false)) {
                add("half done", parts[0].key(), format!("of {parts:?} was done {done:?}"));
            }
        }
        for ((key, column), possible) in &self.values {
            let (Some(row), Some(possible)) = (present.get(key), possible) else { continue };
            let found = row.told(column);
            if !possible.iter().any(|value| fits(column, &found, value)) {
                add("lost write", key, format!("{column} is {found:?} and must be one of {possible:?}"));
            }
        }
        violations
    }
}

/// What a change does to a column that is known not to hold the value yet.
fn becomes(place: &Place, former: Option<&Possible>, value: Option<&String>) -> Option<Part> {
    let (former, value) = (former?.as_ref()?, value?);
    (!former.contains(value)).then(|| Part::Becomes(place.clone(), value.clone()))
}

/// Whether a column that holds `found` holds `value`: a credential's secret is one of what is kept of it, an upstream's
/// address stands among those of its service, and what a plugin was given among all that is kept of it.
fn fits(column: &str, found: &str, value: &str) -> bool {
    match column {
        "secret" | "upstreams" | "plugins" => found.contains(value),
        _ => found == value,
    }
}

/// The rows of a storm by what writers call them.
fn present(snapshot: &Snapshot) -> BTreeMap<Key, &Row> {
    let mut present = BTreeMap::new();
    for (noun, table, column) in [
        (Noun::Developer, "developers", "name"),
        (Noun::Application, "applications", "name"),
        (Noun::Credential, "credentials", "name"),
        (Noun::Product, "products", "name"),
        (Noun::Role, "roles", "name"),
        (Noun::AdminToken, "admin_tokens", "name"),
        (Noun::PortalToken, "portal_tokens", "name"),
        (Noun::ContactPoint, "contact_points", "name"),
        (Noun::Plan, "plans", "name"),
        (Noun::Service, "services", "id"),
        (Noun::Route, "routes", "id"),
        (Noun::Certificate, "certificates", "id"),
        (Noun::Consumer, "consumers", "username"),
        (Noun::ConsumerCredential, "consumer_credentials", "id"),
        (Noun::Administrator, "administrators", "username"),
        (Noun::Person, "persons", "username"),
    ] {
        for row in snapshot.rows(table).iter().filter(|row| row.text(column).starts_with(PREFIX)) {
            present.insert((noun, row.text(column).to_owned()), row);
        }
    }
    for row in snapshot.rows("services") {
        for (id, _) in row.json("upstreams").as_object().into_iter().flatten() {
            present.insert((Noun::Upstream, id.clone()), row);
        }
    }
    for row in snapshot.rows("group_objects") {
        let noun = if row.text("kind") == "stream_route" { Noun::StreamRoute } else { Noun::GlobalRule };
        present.insert((noun, row.text("id").to_owned()), row);
    }
    let names = |table: &str| -> BTreeMap<String, String> {
        let rows = snapshot.rows(table).iter();
        rows.map(|row| (row.text("id").to_owned(), row.text("name").to_owned())).collect()
    };
    let (applications, products) = (names("applications"), names("products"));
    for row in snapshot.rows("subscriptions") {
        let name = applications.get(row.text("application_id")).zip(products.get(row.text("product_id")));
        if let Some((application, product)) = name.filter(|(name, _)| name.starts_with(PREFIX)) {
            present.insert((Noun::Subscription, format!("{application}/{product}")), row);
        }
    }
    present
}

#[cfg(test)]
mod tests;
