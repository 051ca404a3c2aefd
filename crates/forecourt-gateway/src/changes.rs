//! The single writer: turns change batches into the state that requests read.
//!
//! Invariants: a row is replaced only by a higher revision of the same row, deletions included, so order,
//! repetition and delay do not matter; and a batch takes away before it adds (the reason is in `state.rs`).
//! Credentials are in `credentials.rs`; tables are compiled in `changes/tables.rs`.

mod tables;

use std::{borrow::Cow, hash::BuildHasher, sync::Arc};

use forecourt_core::{
    gateway_state::{
        ApplicationState, CertificateState, ConsumerState, Digests, GlobalRuleState, GrantState, Kind,
        ProductState, Resource, RouteState, ServiceState,
    },
    ids::ApplicationId,
};
use forecourt_wire::changes::{Change, ChangeBatch};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use self::tables::Changed;
use crate::{
    applications::{ApplicationSlot, Grant, LiveApplication},
    compact_ids::CompactId,
    consumers::Consumers,
    credentials::CredentialIndex,
    state::{Numbers, State},
};

/// What only the writer needs: every row's revision, and the rows that the table is built from.
#[derive(Default)]
pub(crate) struct Writer {
    applied: i64,
    floor: i64,
    portals: Numbers,
    products_by_number: Numbers,
    plans: Numbers,
    services: Rows<ServiceState>,
    routes: Rows<RouteState>,
    certificates: Rows<CertificateState>,
    consumers: Rows<ConsumerState>,
    consumer_index: Consumers,
    global_rules: Rows<GlobalRuleState>,
    products: Rows<ProductState>,
    applications: HashTable<Arc<ApplicationSlot>>,
    credentials: CredentialIndex,
    hasher: DefaultHashBuilder,
    digests: Digests,
}

type Rows<T> = HashMap<Box<str>, Row<T>>;

struct Row<T> {
    revision: i64,
    state: Option<Arc<T>>,
}

/// The body of a step's row, which is of this kind or deleted.
macro_rules! of_kind {
    ($resource:expr, $kind:ident) => {
        $resource.and_then(|row| if let Resource::$kind(row) = row { Some(&**row) } else { None })
    };
}

/// What the writer remembers of a row.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The revision that put or deleted it, 0 if it was never heard of.
    revision: i64,
    /// Whether it is there.
    live: bool,
}

/// One row to be put (`resource`) or deleted, newer than what is known of it.
struct Step<'a> {
    revision: i64,
    kind: Kind,
    key: Cow<'a, str>,
    resource: Option<&'a Resource>,
    /// What it takes the place of.
    before: Known,
}

/// Which rows of a batch are news.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// Those newer than what is known of the same row.
    Newer,
    /// The batch is a whole state: those that differ from what is known, and what it lacks is gone.
    Different,
    /// The batch is a whole state of another line of revisions: all, since equal revisions mean nothing there.
    All,
}

impl Writer {
    /// Applies a batch and answers the highest revision applied so far.
    ///
    /// A snapshot older than that is refused: it would revive what has been deleted since.
    pub(crate) fn apply(&mut self, state: &State, batch: &ChangeBatch) -> i64 {
        if batch.snapshot && batch.revision < self.applied {
            tracing::warn!(
                revision = batch.revision,
                applied = self.applied,
                "a snapshot older than what is in force was ignored"
            );
            return self.applied;
        }
        self.take(state, batch, if batch.snapshot { News::Different } else { News::Newer });
        self.applied = self.applied.max(batch.revision);
        if batch.snapshot {
            self.forget_deleted(batch.revision);
        }
        self.applied
    }

    /// Takes this snapshot, of whatever revision, in the place of everything known: rows, deletions and position.
    pub(crate) fn replace(&mut self, state: &State, batch: &ChangeBatch) -> i64 {
        self.take(state, batch, News::All);
        // Deletions of the other line must not be held against rows of this one.
        self.applied = i64::MAX;
        self.forget_deleted(i64::MAX);
        self.applied = batch.revision;
        self.floor = batch.revision;
        self.applied
    }

    /// The number and the sum of the rows that are there, per kind.
    pub(crate) fn digests(&self) -> Digests {
        self.digests
            .iter()
            .filter(|(_, digest)| digest.rows > 0)
            .map(|(kind, digest)| (*kind, *digest))
            .collect()
    }

    /// Puts the news of a batch in force.
    fn take(&mut self, state: &State, batch: &ChangeBatch, news: News) {
        let steps = self.steps(state, batch, news);
        for step in &steps {
            let digest = self.digests.entry(step.kind).or_default();
            if step.before.live {
                digest.remove(step.kind, &step.key, step.before.revision);
            }
            if step.resource.is_some() {
                digest.add(step.kind, &step.key, step.revision);
            }
        }
        let mut changed = Changed::default();
        for step in &steps {
            self.take_away(state, step, &mut changed);
        }
        self.rebuild_tables(state, &changed);
        state.advance_turn();
        for step in &steps {
            self.add(state, step);
        }
    }

    /// Forgets deletions at or before `revision`, from which nothing can arrive any more.
    pub(crate) fn forget_deleted(&mut self, revision: i64) {
        let floor = self.floor.max(revision.min(self.applied));
        self.floor = floor;
        self.services.retain(|_, row| row.state.is_some() || row.revision > floor);
        self.routes.retain(|_, row| row.state.is_some() || row.revision > floor);
        self.certificates.retain(|_, row| row.state.is_some() || row.revision > floor);
        self.consumers.retain(|_, row| row.state.is_some() || row.revision > floor);
        self.global_rules.retain(|_, row| row.state.is_some() || row.revision > floor);
        self.products.retain(|_, row| row.state.is_some() || row.revision > floor);
        self.credentials.forget_deleted(floor);
        for slot in &self.applications {
            if slot.view().remembers_deletions(floor) {
                slot.change(|view| view.forget_deleted(floor));
            }
        }
        // A credential may still point at a blank slot; then the slot must stay findable for its row to come.
        self.applications.retain(|slot| Arc::strong_count(slot) > 1 || !slot.view().is_blank());
    }

    /// The changes that are news, one per row, and for a whole state the deletions that it implies.
    fn steps<'a>(&self, state: &State, batch: &'a ChangeBatch, news: News) -> Vec<Step<'a>> {
        let mut newest: HashMap<(Kind, &str), &Change> = HashMap::with_capacity(batch.changes.len());
        for change in &batch.changes {
            if change.resource.as_ref().is_some_and(|resource| resource.kind() != change.kind) {
                let kind = change.kind.name();
                tracing::error!(kind, key = change.key, "a row of another kind was ignored");
                continue;
            }
            let latest = newest.entry((change.kind, change.key.as_str())).or_insert(change);
            if latest.revision < change.revision {
                *latest = change;
            }
        }
        let mut steps: Vec<_> = newest
            .values()
            .filter_map(|change| {
                let before = self.known(state, change.kind, &change.key);
                let is_news = match news {
                    News::Newer => change.revision > self.floor.max(before.revision),
                    // A whole state has old rows too, that this gateway is only now concerned with.
                    News::Different => change.revision != before.revision,
                    News::All => true,
                };
                is_news.then_some(Step {
                    revision: change.revision,
                    kind: change.kind,
                    key: Cow::Borrowed(&change.key),
                    resource: change.resource.as_ref(),
                    before,
                })
            })
            .collect();
        if news != News::Newer {
            // A row of which the batch itself says that it is deleted has its step.
            let told = newest.iter().filter(|(_, change)| change.resource.is_some()).map(|(key, _)| *key);
            let listed: HashSet<_> = told.chain(steps.iter().map(|step| (step.kind, &*step.key))).collect();
            let gone = self.live_rows(state).filter(|(kind, key)| !listed.contains(&(*kind, key.as_str())));
            let gone: Vec<_> = gone.collect();
            drop(listed);
            steps.extend(gone.into_iter().map(|(kind, key)| {
                let before = self.known(state, kind, &key);
                Step { revision: batch.revision, kind, key: Cow::Owned(key), resource: None, before }
            }));
        }
        steps
    }

    /// What is remembered of a row.
    fn known(&self, state: &State, kind: Kind, key: &str) -> Known {
        fn of<T>(rows: &Rows<T>, key: &str) -> Known {
            let known = |row: &Row<T>| Known { revision: row.revision, live: row.state.is_some() };
            rows.get(key).map_or_else(Known::default, known)
        }
        match kind {
            Kind::Service => of(&self.services, key),
            Kind::Route => of(&self.routes, key),
            Kind::Certificate => of(&self.certificates, key),
            Kind::Consumer => of(&self.consumers, key),
            Kind::GlobalRule => of(&self.global_rules, key),
            Kind::Product => of(&self.products, key),
            Kind::Application => self.slot(key).map_or_else(Known::default, |slot| {
                let view = slot.view();
                Known { revision: view.revision, live: view.live.is_some() }
            }),
            Kind::Credential => {
                let (revision, live) = self.credentials.known(state, key);
                Known { revision, live }
            }
            Kind::Grant => self
                .grant(key)
                .map_or_else(Known::default, |grant| Known { revision: grant.revision, live: grant.live() }),
        }
    }

    /// Kind and key of every row that is not deleted.
    fn live_rows(&self, state: &State) -> impl Iterator<Item = (Kind, String)> {
        fn of<T>(kind: Kind, rows: &Rows<T>) -> impl Iterator<Item = (Kind, String)> {
            rows.iter().filter(|(_, row)| row.state.is_some()).map(move |(key, _)| (kind, key.to_string()))
        }
        let applications = self.applications.iter().filter(|slot| slot.view().live.is_some());
        let names: HashMap<u32, &str> = self.products_by_number.names().collect();
        let grants: Vec<_> = self
            .applications
            .iter()
            .flat_map(|slot| {
                let live: Vec<_> = slot.view().grants.iter().filter(|grant| grant.live()).copied().collect();
                live.into_iter().map(|grant| (slot.id_text(), grant.product))
            })
            .filter_map(|(id, product)| Some((Kind::Grant, format!("{id}/{}", names.get(&product)?))))
            .collect();
        of(Kind::Service, &self.services)
            .chain(of(Kind::Route, &self.routes))
            .chain(of(Kind::Certificate, &self.certificates))
            .chain(of(Kind::Consumer, &self.consumers))
            .chain(of(Kind::GlobalRule, &self.global_rules))
            .chain(of(Kind::Product, &self.products))
            .chain(applications.map(|slot| (Kind::Application, slot.id_text())))
            .chain(self.credentials.live_ids(state).map(|id| (Kind::Credential, id)))
            .chain(grants)
    }

    /// First half of a step: after it nothing is allowed that the new state forbids. What requests read in tables
    /// is only noted down: it changes as a whole. Of what comes first, nothing is in force.
    fn take_away(&mut self, state: &State, step: &Step<'_>, changed: &mut Changed) {
        match (step.kind, step.resource) {
            (Kind::Service, row) => {
                changed.routing = true;
                put_row(&mut self.services, step, of_kind!(row, Service));
            }
            (Kind::Route, row) => {
                changed.routing = true;
                put_row(&mut self.routes, step, of_kind!(row, Route));
            }
            (Kind::Product, row) => {
                changed.routing = true;
                put_row(&mut self.products, step, of_kind!(row, Product));
            }
            (Kind::GlobalRule, row) => {
                changed.routing = true;
                put_row(&mut self.global_rules, step, of_kind!(row, GlobalRule));
            }
            (Kind::Consumer, row) => {
                changed.consumers = true;
                let row = of_kind!(row, Consumer);
                let before = put_row(&mut self.consumers, step, row);
                self.consumer_index.replace(before.as_deref(), row);
            }
            (Kind::Certificate, row) => {
                changed.certificates = true;
                put_row(&mut self.certificates, step, of_kind!(row, Certificate));
            }
            (Kind::Application | Kind::Credential, Some(_)) if !step.before.live => {}
            (Kind::Application, Some(Resource::Application(row))) => {
                let coming = self.compile_application(row);
                self.slot_or_new(&step.key).change(|view| {
                    if let Some(live) = &mut view.live {
                        live.active = live.active && coming.active && live.portal == coming.portal;
                    }
                });
            }
            (Kind::Application, _) => self.slot_or_new(&step.key).change(|view| {
                view.revision = step.revision;
                view.live = None;
            }),
            (Kind::Credential, Some(Resource::Credential(row))) => {
                let application = self.slot_or_new(row.application_id.as_str());
                self.credentials.narrow(state, row, &application);
            }
            (Kind::Credential, _) => self.credentials.delete(state, &step.key, step.revision),
            (Kind::Grant, None) => self.put_grant(step, None),
            (Kind::Grant, Some(_)) => {}
        }
    }

    /// Second half of a step: what the new state allows beyond the old one.
    fn add(&mut self, state: &State, step: &Step<'_>) {
        match step.resource {
            Some(Resource::Application(row)) => {
                let live = self.compile_application(row);
                self.slot_or_new(&step.key).change(|view| {
                    view.revision = step.revision;
                    view.live = Some(live);
                });
            }
            Some(Resource::Credential(row)) => {
                let application = self.slot_or_new(row.application_id.as_str());
                self.credentials.widen(state, row, &application, step.revision);
            }
            Some(Resource::Grant(row)) => self.put_grant(step, Some(row)),
            // The table holds them already.
            _ => {}
        }
    }

    fn put_grant(&mut self, step: &Step<'_>, row: Option<&GrantState>) {
        let Some((application, product)) = step.key.split_once('/') else {
            tracing::error!(key = %step.key, "a grant whose key is not APPLICATION/PRODUCT was ignored");
            return;
        };
        let product = self.products_by_number.of(product);
        let plan = row.and_then(|row| row.plan_id.as_ref()).map(|plan| self.plans.of(plan.as_str()));
        let grant = Grant::new(step.revision, product, row.is_some(), plan);
        self.slot_or_new(application).change(|view| view.put_grant(grant));
    }

    fn grant(&self, key: &str) -> Option<Grant> {
        let (application, product) = key.split_once('/')?;
        let product = self.products_by_number.known(product)?;
        self.slot(application)?.view().grant(product)
    }

    fn compile_application(&mut self, row: &ApplicationState) -> LiveApplication {
        LiveApplication {
            portal: self.portals.of(row.portal_id.as_str()),
            active: row.active,
            developer_name: (&row.developer_name).into(),
        }
    }

    fn slot(&self, id: &str) -> Option<&Arc<ApplicationSlot>> {
        let id = CompactId::pack(ApplicationId::PREFIX, id);
        self.applications.find(self.hasher.hash_one(&id), |slot| *slot.compact_id() == id)
    }

    fn slot_or_new(&mut self, id: &str) -> Arc<ApplicationSlot> {
        let id = CompactId::pack(ApplicationId::PREFIX, id);
        let hasher = &self.hasher;
        let entry = self.applications.entry(
            hasher.hash_one(&id),
            |slot| *slot.compact_id() == id,
            |slot| hasher.hash_one(slot.compact_id()),
        );
        Arc::clone(entry.or_insert_with(|| Arc::new(ApplicationSlot::new(id.clone()))).get())
    }
}

/// Puts or deletes a row of those that tables are compiled from; answers what was there.
fn put_row<T: Clone>(rows: &mut Rows<T>, step: &Step<'_>, row: Option<&T>) -> Option<Arc<T>> {
    let row = Row { revision: step.revision, state: row.cloned().map(Arc::new) };
    rows.insert(step.key.as_ref().into(), row)?.state
}
