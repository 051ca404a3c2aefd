//! Adding delivered counts to the sums that are read, a piece at a time, and taking away old ones.

use std::collections::{BTreeMap, HashMap};

use forecourt_core::{
    actors::{Caller, Source},
    events::EventName,
    gateway_state::ApplicationState,
    ids::{ApplicationId, CredentialId},
    time::Timestamp,
    usage::StatusClass,
};
use forecourt_store::{CountedCalls, Delivered, KeptSteps, NamedInUsage, Tx};
use forecourt_wire::usage::UsageCount;

use crate::{App, Error};

/// How many counts one transaction adds up at most, so that other writers wait a few milliseconds only.
const MOST_AT_ONCE: u64 = 256;

/// How long sums are kept, in days of 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageKept {
    /// Those by minute.
    pub minutes_days: u32,
    /// Those by hour.
    pub hours_days: u32,
    /// Those by day; 0: for ever.
    pub days_days: u32,
}

impl Default for UsageKept {
    /// 3 days, 400 days, 5 years.
    fn default() -> Self {
        Self { minutes_days: 3, hours_days: 400, days_days: 1_826 }
    }
}

impl UsageKept {
    fn steps(&self, now: Timestamp) -> KeptSteps {
        let before = |days: u32| now.plus_seconds(-86_400 * i64::from(days));
        KeptSteps {
            minutes_from: before(self.minutes_days),
            hours_from: before(self.hours_days),
            days_from: match self.days_days {
                0 => Timestamp::from_micros(i64::MIN),
                days => before(days),
            },
        }
    }
}

/// Adds up the oldest of what was delivered, in one short transaction; false: nothing waits.
pub async fn add_up(app: &App) -> Result<bool, Error> {
    if app.read().is_usage_inbox_empty().await? {
        return Ok(false);
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let tx = app.begin(&caller).await?.into_tx();
    let pieces = tx.usage_inbox(MOST_AT_ONCE).await?;
    if pieces.is_empty() {
        // Another process was faster.
        return Ok(false);
    }
    let counts = read(&pieces);
    let counted = owned(&tx, &counts).await?;
    tx.add_calls(&counted, &app.usage_kept().steps(app.now())).await?;
    name_new(&tx, &counted).await?;
    touch(&tx, &counts).await?;
    tx.take_usage(&pieces).await?;
    tx.commit(app.now()).await?;
    Ok(true)
}

/// Begins the sums of one route that earlier versions kept none of; false: all routes have theirs. To be called until
/// then before the first [`add_up`] of a process.
pub async fn begin_routes(app: &App) -> Result<bool, Error> {
    // Looking for one takes a while where there are many; nobody waits for that.
    if !app.read().has_route_to_begin().await? {
        return Ok(false);
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let tx = app.begin(&caller).await?.into_tx();
    let has_begun = tx.begin_next_route().await?;
    if has_begun {
        tx.commit(app.now()).await?;
    }
    Ok(has_begun)
}

/// Seconds for which it is remembered which batches of a process are stored, after its last: one that was put back from
/// a copy as old as that would be counted again.
const SPOOLS_KEPT: i64 = 30 * 24 * 3_600;

/// Takes away the oldest of what is older than is kept; false: there is nothing.
pub async fn prune(app: &App) -> Result<bool, Error> {
    let caller = Caller::system(Source::Job, app.new_request_id());
    let tx = app.begin(&caller).await?.into_tx();
    let now = app.now();
    let has_pruned = tx.prune_usage(&app.usage_kept().steps(now)).await?;
    let forgotten = tx.forget_usage_spools(now.plus_seconds(-SPOOLS_KEPT)).await?;
    if has_pruned || forgotten > 0 {
        tx.commit(now).await?;
    }
    Ok(has_pruned)
}

fn read(pieces: &[Delivered]) -> Vec<UsageCount> {
    let mut counts = Vec::new();
    for piece in pieces {
        match serde_json::from_str::<Vec<UsageCount>>(&piece.body) {
            Ok(read) => counts.extend(read),
            Err(error) => tracing::error!(
                error.kind = ?error.classify(), usage.piece = piece.number, usage.counts = piece.counts,
                "counted calls cannot be read back and are lost; the database was changed from outside"
            ),
        }
    }
    counts
}

/// The counts with what must outlive their owners. Those of an application that was never announced to a gateway are
/// left out: no gateway of ours can have counted them.
async fn owned(tx: &Tx, counts: &[UsageCount]) -> Result<Vec<CountedCalls>, Error> {
    let mut owners: HashMap<&ApplicationId, Option<ApplicationState>> = HashMap::new();
    let mut counted = Vec::with_capacity(counts.len());
    for count in counts {
        let id = &count.application_id;
        if !owners.contains_key(id) {
            let owner = tx.last_application_state(id).await?;
            if owner.is_none() {
                tracing::warn!(application.id = %id, "calls of an unknown application were not counted");
            }
            owners.insert(id, owner);
        }
        let Some(Some(owner)) = owners.get(id) else { continue };
        counted.push(CountedCalls {
            product_id: count.product_id.clone(),
            application_id: id.clone(),
            credential_id: count.credential_id.clone(),
            route_id: count.route_id.clone(),
            portal_id: owner.portal_id.clone(),
            developer_id: owner.developer_id.clone(),
            minute: count.minute,
            status_class: StatusClass::numbered(count.status_class.number()),
            totals: count.totals.clone(),
        });
    }
    Ok(counted)
}

/// Notes the names of products and applications that have their first calls.
async fn name_new(tx: &Tx, counted: &[CountedCalls]) -> Result<(), Error> {
    let products = counted.iter().map(|calls| calls.product_id.as_str());
    for id in unnamed(tx, NamedInUsage::Product, products).await? {
        let current = tx.product(&forecourt_core::ids::ProductId::known(id.as_str())).await?;
        let name = match current {
            Some(product) => product.name,
            None => last_name(tx, "product", &id, EventName::ProductDeleted).await?,
        };
        tx.name_in_usage(NamedInUsage::Product, &id, &name).await?;
    }
    let applications = counted.iter().map(|calls| calls.application_id.as_str());
    for id in unnamed(tx, NamedInUsage::Application, applications).await? {
        let name = match tx.application(&ApplicationId::known(id.as_str())).await? {
            Some(application) => application.name,
            None => last_name(tx, "application", &id, EventName::ApplicationDeleted).await?,
        };
        tx.name_in_usage(NamedInUsage::Application, &id, &name).await?;
    }
    Ok(())
}

async fn unnamed<'a>(
    tx: &Tx,
    kind: NamedInUsage,
    ids: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, Error> {
    let mut ids: Vec<String> = ids.map(str::to_owned).collect();
    ids.sort_unstable();
    ids.dedup();
    let named = tx.usage_names(kind, &ids).await?;
    ids.retain(|id| !named.contains_key(id));
    Ok(ids)
}

/// The name that something had when it was deleted, or its id where that is not on record.
async fn last_name(tx: &Tx, noun: &str, id: &str, deleted: EventName) -> Result<String, Error> {
    let last = tx.events_of(noun, id, 1).await?;
    let event = last.iter().find(|event| event.name == deleted);
    let name = event.and_then(|event| event.detail.get("name")?.as_str().map(str::to_owned));
    Ok(name.unwrap_or_else(|| id.to_owned()))
}

/// Notes when each application last called, and when and from where each credential was last used.
async fn touch(tx: &Tx, counts: &[UsageCount]) -> Result<(), Error> {
    let mut latest: BTreeMap<&CredentialId, &UsageCount> = BTreeMap::new();
    let mut calls: BTreeMap<&ApplicationId, Timestamp> = BTreeMap::new();
    for count in counts.iter().filter(|count| !count.last_used_from.is_empty()) {
        let last = latest.entry(&count.credential_id).or_insert(count);
        if count.last_used_at > last.last_used_at {
            *last = count;
        }
        let last_call = calls.entry(&count.application_id).or_default();
        *last_call = (*last_call).max(count.last_used_at);
    }
    for (id, at) in calls {
        tx.touch_application(id, at).await?;
    }
    for (id, count) in latest {
        tx.touch_credential(id, count.last_used_at, &count.last_used_from).await?;
    }
    Ok(())
}
