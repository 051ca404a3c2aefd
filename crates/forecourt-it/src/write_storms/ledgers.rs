//! What writers were told: what must be there, what must not, and what may be either but whole.
//!
//! A write is noted before it is sent, as one of which nothing is known; its answer says more. Things have names that are
//! never used twice, so that one of which the answer was lost is found again.

use std::collections::{BTreeMap, BTreeSet};

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
    steps: Vec<Step>,
    before: Vec<(Key, Option<Standing>)>,
    values: Vec<((Key, &'static str), Option<Possible>)>,
}

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
    values: BTreeMap<(Key, &'static str), Possible>,
    together: Vec<Vec<Key>>,
    /// Things that somebody began to take away.
    ending: BTreeSet<Key>,
}

impl Ledger {
    /// Notes what a call is about to do.
    pub fn intend(&mut self, steps: Vec<Step>) -> Intent {
        let (mut before, mut values) = (Vec::new(), Vec::new());
        for step in &steps {
            match step {
                Step::Make(keys) | Step::Remove(keys) => {
                    for key in keys {
                        let former = self.things.get(key).copied();
                        before.push((key.clone(), former));
                        // What is gone stays away, whatever takes it along.
                        if former != Some(Standing::Gone) {
                            self.things.insert(key.clone(), Standing::Perhaps);
                        }
                    }
                    if let Step::Remove(keys) = step {
                        self.ending.extend(keys.iter().cloned());
                    } else if keys.len() > 1 {
                        self.together.push(keys.clone());
                    }
                }
                Step::Change(key, column, value) => {
                    let place = (key.clone(), *column);
                    let former = self.values.get(&place).cloned();
                    values.push((place.clone(), former.clone()));
                    let possible = former.flatten().zip(value.clone()).map(|(mut possible, value)| {
                        possible.insert(value);
                        possible
                    });
                    self.values.insert(place, possible);
                }
            }
        }
        Intent { steps, before, values }
    }

    /// It was answered 2xx.
    pub fn acknowledge(&mut self, intent: Intent) {
        self.acknowledged += 1;
        for step in intent.steps {
            match step {
                Step::Make(keys) => self.things.extend(keys.into_iter().map(|key| (key, Standing::There))),
                Step::Remove(keys) => self.things.extend(keys.into_iter().map(|key| (key, Standing::Gone))),
                Step::Change(key, column, value) => {
                    self.values.insert((key, column), value.map(|value| BTreeSet::from([value])));
                }
            }
        }
    }

    /// It was answered 4xx: nothing was done, and nothing explains it.
    pub fn refuse(&mut self, intent: Intent, told: String) {
        *self.strange.entry(told).or_default() += 1;
        for (key, former) in intent.before {
            self.things.insert(key, former.unwrap_or(Standing::Gone));
        }
        for (place, former) in intent.values {
            match former {
                Some(former) => self.values.insert(place, former),
                None => self.values.remove(&place),
            };
        }
    }

    /// A column holds what an acknowledged answer told.
    pub fn has_become(&mut self, key: Key, column: &'static str, value: String) {
        self.values.insert((key, column), Some(BTreeSet::from([value])));
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
        both.values.retain(|place, possible| self.values.get(place) == Some(&*possible));
        both
    }

    /// What a database lacks, has too much of, or holds half.
    pub fn violations(&self, snapshot: &Snapshot) -> Vec<Violation> {
        let present = present(snapshot);
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
        for keys in self.together.iter().filter(|keys| !keys.iter().any(|key| self.ending.contains(key))) {
            let count = keys.iter().filter(|key| present.contains_key(key)).count();
            if count != 0 && count != keys.len() {
                add("half done", &keys[0], format!("{count} of {keys:?} are there"));
            }
        }
        for ((key, column), possible) in &self.values {
            let (Some(row), Some(possible)) = (present.get(key), possible) else { continue };
            let found = row.text(column);
            let fits = |value: &String| {
                if *column == "secret" { found.contains(value.as_str()) } else { found == value }
            };
            if !possible.iter().any(fits) {
                add("lost write", key, format!("{column} is {found:?} and must be one of {possible:?}"));
            }
        }
        violations
    }
}

/// The rows of a storm by what writers call them.
fn present(snapshot: &Snapshot) -> BTreeMap<Key, &Row> {
    let mut present = BTreeMap::new();
    for (noun, table) in [
        (Noun::Developer, "developers"),
        (Noun::Application, "applications"),
        (Noun::Credential, "credentials"),
        (Noun::Product, "products"),
        (Noun::Role, "roles"),
        (Noun::AdminToken, "admin_tokens"),
        (Noun::PortalToken, "portal_tokens"),
        (Noun::ContactPoint, "contact_points"),
    ] {
        for row in snapshot.rows(table).iter().filter(|row| row.text("name").starts_with(PREFIX)) {
            present.insert((noun, row.text("name").to_owned()), row);
        }
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
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        (Noun::Role, format!("{PREFIX}{name}"))
    }

    #[test]
    fn an_answer_says_what_a_lost_one_leaves_open() {
        let mut ledger = Ledger::default();
        let made = ledger.intend(vec![Step::Make(vec![key("a")])]);
        assert_eq!(ledger.things[&key("a")], Standing::Perhaps);
        ledger.acknowledge(made);
        assert_eq!(ledger.things[&key("a")], Standing::There);
        let _lost = ledger.intend(vec![Step::Change(key("a"), "desc", Some("one".into()))]);
        assert_eq!(ledger.values[&(key("a"), "desc")], None, "nothing was known of it before");
        let changed = ledger.intend(vec![Step::Change(key("a"), "desc", Some("two".into()))]);
        ledger.acknowledge(changed);
        let _lost = ledger.intend(vec![Step::Change(key("a"), "desc", Some("three".into()))]);
        let either = BTreeSet::from(["two".to_owned(), "three".to_owned()]);
        assert_eq!(ledger.values[&(key("a"), "desc")], Some(either));
        let removed = ledger.intend(vec![Step::Remove(vec![key("a")])]);
        ledger.refuse(removed, "404".into());
        assert_eq!(ledger.things[&key("a")], Standing::There);
    }

    #[test]
    fn between_two_moments_only_that_holds_what_both_say() {
        let mut early = Ledger::default();
        for name in ["stays", "goes"] {
            let made = early.intend(vec![Step::Make(vec![key(name)])]);
            early.acknowledge(made);
        }
        let mut late = early.clone();
        let removed = late.intend(vec![Step::Remove(vec![key("goes")])]);
        late.acknowledge(removed);
        let made = late.intend(vec![Step::Make(vec![key("comes")])]);
        late.acknowledge(made);
        let both = early.until(&late);
        let standings = ["stays", "goes", "comes"].map(|name| both.things[&key(name)]);
        assert_eq!(standings, [Standing::There, Standing::Perhaps, Standing::Perhaps]);
    }
}
