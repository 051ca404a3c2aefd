//! Usage: batches of counted calls in, hours per product out.

use forecourt_core::{
    actors::{Actor, Area, Caller, Source},
    events::EventName,
    ids::{NodeId, ProductId},
    usage::{ProductHour, UsageFilter},
};
use forecourt_store::{CountedCalls, Tx};
use forecourt_wire::usage::{UsageBatch, UsageCount};

use crate::{App, Error, access, random::OsRandom};

/// A fresh id for a counting node.
pub fn new_node(app: &App) -> NodeId {
    NodeId::issue(app.now(), &mut OsRandom)
}

/// Adds a node's batch; one that was added before changes nothing.
pub async fn ingest(app: &App, batch: &UsageBatch) -> Result<(), Error> {
    let caller = Caller::system(Source::Job, app.new_request_id());
    let tx = app.begin(&caller).await?.into_tx();
    if batch.number <= tx.last_usage_batch(&batch.node).await? {
        return Ok(());
    }
    for count in &batch.counts {
        if let Some(counted) = counted(&tx, count).await? {
            tx.add_calls(&counted).await?;
            tx.touch_credential(&count.credential_id, count.last_used_at, &count.last_used_from).await?;
        }
    }
    tx.save_usage_batch(&batch.node, batch.number).await?;
    tx.commit(app.now()).await?;
    Ok(())
}

/// The count with what must outlive its owners. `None` for an application that was never announced to a gateway,
/// which no gateway of ours can have counted.
async fn counted(tx: &Tx, count: &UsageCount) -> Result<Option<CountedCalls>, Error> {
    let Some(application) = tx.last_application_state(&count.application_id).await? else {
        tracing::warn!(application.id = %count.application_id, "calls of an unknown application were not counted");
        return Ok(None);
    };
    Ok(Some(CountedCalls {
        product_id: count.product_id.clone(),
        product_name: product_name(tx, &count.product_id).await?,
        application_id: count.application_id.clone(),
        credential_id: count.credential_id.clone(),
        portal_id: application.portal_id,
        developer_id: application.developer_id,
        hour: count.hour.hour(),
        calls: count.calls,
    }))
}

async fn product_name(tx: &Tx, id: &ProductId) -> Result<String, Error> {
    if let Some(product) = tx.product(id).await? {
        return Ok(product.name);
    }
    let last = tx.events_of("product", id.as_str(), 1).await?;
    let deleted = last.iter().find(|event| event.name == EventName::ProductDeleted);
    let name = deleted.and_then(|event| event.detail.get("name")?.as_str().map(str::to_owned));
    Ok(name.unwrap_or_else(|| id.to_string()))
}

/// Calls per product and hour: a developer's own, or for administrators everybody's.
pub async fn product_hours(
    app: &App,
    caller: &Caller,
    mut filter: UsageFilter,
) -> Result<Vec<ProductHour>, Error> {
    match &caller.actor {
        Actor::Developer { id, .. } => filter.developer_id = Some(id.clone()),
        Actor::Guest(_) => access::developer(caller).map(|_| ())?,
        _ => access::sees(caller, Area::Portals)?,
    }
    Ok(app.read().product_hours(&filter).await?)
}
