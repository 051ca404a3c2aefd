//! Usage: batches of counted calls in, sums out.

mod adding;

use std::collections::HashMap;

use forecourt_core::{
    actors::{Actor, Caller, Source},
    ids::{ApplicationId, NodeId, ProductId, is_chosen_id},
    lists::Readable,
    permissions::Action,
    usage::{Grouping, ProductHour, Step, UsageFilter, UsagePoint, UsageQuery},
};
use forecourt_store::{NamedInUsage, RuledNoun};
use forecourt_wire::usage::UsageBatch;

pub use self::adding::{UsageKept, add_up, begin_routes, prune};
use crate::{App, Error, ErrorKind, access, random::OsRandom};

/// The longest span that may be asked for, in days.
pub const MOST_DAYS: i64 = 400;

/// The most sums that one answer may hold.
pub const MOST_POINTS: usize = 20_000;

/// The counts in one piece of the inbox: what one short transaction adds up later.
const PIECE: usize = 256;

/// Sums, and what the products and applications among them are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageReport {
    /// The sums, ascending by time, then group.
    pub points: Vec<UsagePoint>,
    /// The current name of each product among them, or the last one it had.
    pub product_names: HashMap<ProductId, String>,
    /// The same of each application.
    pub application_names: HashMap<ApplicationId, String>,
}

/// A fresh id for a counting node.
pub fn new_node(app: &App) -> NodeId {
    NodeId::issue(app.now(), &mut OsRandom)
}

/// Stores a node's batch; one that was stored before changes nothing. It is added up soon after ([`add_up`]).
///
/// Refused: a spool that is called by something else than letters and digits, or by too many (invalid).
pub async fn ingest(app: &App, batch: &UsageBatch) -> Result<(), Error> {
    if !batch.spool.is_empty() && !is_chosen_id(&batch.spool) {
        return Err(Error::invalid("invalid_field", "spool must be a word of letters and digits"));
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let tx = app.begin(&caller).await?.into_tx();
    let last = tx.last_usage_batch(&batch.node, &batch.spool).await?;
    if batch.number <= last {
        return Ok(());
    }
    if batch.number > last.saturating_add(1) && last > 0 {
        tracing::warn!(
            node = %batch.node, usage.batch = batch.number, usage.last = last,
            "batches of counted calls are missing; the node lost them: its disk was full or damaged"
        );
    }
    let mut counts: Vec<_> = batch.counts.iter().collect();
    // What is of one series lies together, so that a piece concerns few of them.
    counts.sort_by(|a, b| {
        (&a.application_id, &a.product_id, &a.credential_id, &a.route_id, a.minute).cmp(&(
            &b.application_id,
            &b.product_id,
            &b.credential_id,
            &b.route_id,
            b.minute,
        ))
    });
    for piece in counts.chunks(PIECE) {
        let body = serde_json::to_string(piece).map_err(|error| {
            Error::new(ErrorKind::Internal, "usage", format!("counted calls cannot be written: {error}"))
        })?;
        tx.deliver_usage(piece.len() as u64, body).await?;
    }
    let now = app.now();
    tx.save_usage_batch(&batch.node, &batch.spool, batch.number, now).await?;
    tx.commit(now).await?;
    Ok(())
}

/// How many pieces of delivered counts wait to be added up.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting_pieces(app: &App) -> Result<u64, Error> {
    Ok(app.read().usage_inbox_size().await?)
}

/// Calls per product and hour, ascending by hour, then product name: a developer's own, or for administrators
/// everybody's.
pub async fn product_hours(
    app: &App,
    caller: &Caller,
    filter: UsageFilter,
) -> Result<Vec<ProductHour>, Error> {
    let grouping = Grouping { by_product: true, ..Grouping::default() };
    let Some(filter) = visible(app, caller, filter).await? else { return Ok(Vec::new()) };
    let query = UsageQuery { filter, step: Some(Step::Hour), grouping };
    let report = report_of(app, query, usize::MAX).await?;
    let mut hours: Vec<_> = report
        .points
        .into_iter()
        .filter_map(|point| {
            let product_id = point.group.product_id?;
            let product_name = report.product_names.get(&product_id).cloned();
            Some(ProductHour {
                product_name: product_name.unwrap_or_else(|| product_id.to_string()),
                product_id,
                hour: point.at,
                calls: point.totals.calls,
            })
        })
        .collect();
    hours.sort_by(|a, b| {
        (a.hour, &a.product_name, &a.product_id).cmp(&(b.hour, &b.product_name, &b.product_id))
    });
    Ok(hours)
}

/// What calls amount to: a developer's own, or for administrators everybody's.
///
/// # Errors
/// When the span is longer than [`MOST_DAYS`], or the answer would hold more than [`MOST_POINTS`] sums.
pub async fn report(app: &App, caller: &Caller, query: UsageQuery) -> Result<UsageReport, Error> {
    if let Some(portal) = &query.filter.portal_id
        && caller.actor.portal().is_none()
    {
        access::known_portal(app, caller, Some(portal)).await?;
    }
    let seconds = query.filter.end.seconds().saturating_sub(query.filter.start.seconds());
    if seconds > MOST_DAYS * 86_400 {
        let message = format!("the span is longer than {MOST_DAYS} days; ask for less at a time");
        return Err(Error::invalid("span_too_long", message));
    }
    let steps = query.step.map_or(1, |step| seconds / step.seconds());
    if usize::try_from(steps).unwrap_or(0) > MOST_POINTS {
        return Err(too_many_points());
    }
    let Some(filter) = visible(app, caller, query.filter).await? else { return Ok(UsageReport::default()) };
    let query = UsageQuery { filter, ..query };
    report_of(app, query, MOST_POINTS).await
}

fn too_many_points() -> Error {
    let message = format!(
        "the answer would hold more than {MOST_POINTS} rows; ask for a longer step, a shorter span, fewer groups, or \
         only some applications or products"
    );
    Error::invalid("too_many_rows", message)
}

/// The filter, narrowed to what the caller may see; `None`: nothing.
async fn visible(app: &App, caller: &Caller, mut filter: UsageFilter) -> Result<Option<UsageFilter>, Error> {
    match &caller.actor {
        Actor::Developer { id, .. } => filter.developer_id = Some(id.clone()),
        Actor::Guest(_) => access::developer(caller).map(|_| ())?,
        _ => {
            let read = Action::GetApiProduct;
            if let Readable::Only(ids) = access::readable(app, caller, read, RuledNoun::Products).await? {
                let asked = |id: &String| {
                    filter.products.is_empty() || filter.products.iter().any(|asked| asked.as_str() == id)
                };
                filter.products =
                    ids.iter().filter(|id| asked(id)).map(|id| ProductId::known(id.as_str())).collect();
                // No product in the filter would mean all of them.
                if filter.products.is_empty() {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(filter))
}

/// The sums that `query` asks for, whoever asks.
pub(crate) async fn sums(app: &App, query: UsageQuery) -> Result<Vec<UsagePoint>, Error> {
    points_of(app, query, usize::MAX).await
}

async fn points_of(app: &App, query: UsageQuery, most: usize) -> Result<Vec<UsagePoint>, Error> {
    let rows = app.read().usage(&query).await?;
    // Adding up is computing only, and may take a while: beside the threads that answer requests.
    let points = tokio::task::spawn_blocking(move || rows.points(most)).await;
    let points = points.map_err(|_| interrupted())??;
    points.ok_or_else(too_many_points)
}

async fn report_of(app: &App, query: UsageQuery, most: usize) -> Result<UsageReport, Error> {
    let points = points_of(app, query, most).await?;
    let mut report = UsageReport { points, ..UsageReport::default() };
    let products = report.points.iter().filter_map(|point| point.group.product_id.as_ref());
    let products: HashMap<String, &ProductId> = products.map(|id| (id.to_string(), id)).collect();
    let applications = report.points.iter().filter_map(|point| point.group.application_id.as_ref());
    let applications: HashMap<String, &ApplicationId> = applications.map(|id| (id.to_string(), id)).collect();
    report.product_names = names(app, NamedInUsage::Product, products).await?;
    report.application_names = names(app, NamedInUsage::Application, applications).await?;
    Ok(report)
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Internal, "interrupted", "adding up was interrupted by a panic")
}

async fn names<Id: Clone + Eq + std::hash::Hash>(
    app: &App,
    kind: NamedInUsage,
    ids: HashMap<String, &Id>,
) -> Result<HashMap<Id, String>, Error> {
    let texts: Vec<String> = ids.keys().cloned().collect();
    let names = app.read().usage_names(kind, &texts).await?;
    Ok(names.into_iter().filter_map(|(id, name)| Some(((*ids.get(&id)?).clone(), name))).collect())
}
