//! Receipts: which gateway nodes have applied a revision, and how far each is.
//!
//! Invariant: a receipt is complete only once every node that the revision concerns has told that it has it. A node
//! that is cut off keeps it incomplete until it is back or removed, and so does one whose id two processes go by.

use std::collections::HashMap;

use forecourt_core::{
    actors::{Actor, Caller},
    gateway_state::Scope,
    ids::GatewayGroupId,
    nodes::{Node, NodeFilter, NodeReceipt, RevisionReceipt},
    permissions::{Action, Target},
    time::Timestamp,
};

use crate::{App, Error, access};

/// How many nodes a revision concerns, and how many of them have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The nodes that it concerns.
    pub nodes: usize,
    /// Those that have applied it.
    pub applied: usize,
}

impl Tally {
    /// Whether all of them have it.
    pub const fn is_complete(self) -> bool {
        self.nodes == self.applied
    }
}

/// Who has applied `revision`; not found where it was never made. Administrators see the nodes of
/// the groups whose nodes they may see, the holder of an admin key those of its own group, if the revision concerns it.
pub async fn receipt(app: &App, caller: &Caller, revision: i64) -> Result<RevisionReceipt, Error> {
    if let Actor::GatewayGroupKey(own) = &caller.actor {
        let groups = concerned(app, revision).await?.1;
        if groups.is_some_and(|groups| !groups.contains(own)) {
            return Err(access::elsewhere());
        }
        return of_groups(app, revision, |group| group == own).await;
    }
    access::permits_somewhere(caller, Action::GetGatewayInstance).map_err(|_| access::missing(caller))?;
    let groups = concerned(app, revision).await?.1;
    let sees = |group: &GatewayGroupId| {
        access::allows(caller, Action::GetGatewayInstance, Target::GatewayGroup(Some(group)))
    };
    // Of a revision that concerns none of their groups they learn nothing.
    if groups.as_ref().is_some_and(|groups| !groups.is_empty() && !groups.iter().any(sees)) {
        return Err(Error::not_found());
    }
    let is_concerned = |group: &GatewayGroupId| groups.as_ref().is_none_or(|groups| groups.contains(group));
    of_groups(app, revision, |group| is_concerned(group) && sees(group)).await
}

/// How many nodes have applied `revision`, for everybody who is known; not found where it was never made.
pub async fn tally(app: &App, caller: &Caller, revision: i64) -> Result<Tally, Error> {
    if matches!(caller.actor, Actor::Guest(_)) {
        access::developer(caller)?;
    }
    let receipt = whole(app, revision).await?;
    let applied = receipt.nodes.iter().filter(|node| node.applied_at.is_some()).count();
    Ok(Tally { nodes: receipt.nodes.len(), applied })
}

/// Milliseconds for which each of `nodes` has lacked the oldest change that it has not applied; 0: it lacks none.
pub async fn lags(app: &App, nodes: &[Node]) -> Result<Vec<i64>, Error> {
    let now = app.now();
    let latest = app.read().revision().await?;
    let mut scopes: HashMap<&GatewayGroupId, Vec<Scope>> = HashMap::new();
    let mut lags = Vec::with_capacity(nodes.len());
    for node in nodes {
        if node.revision >= latest {
            lags.push(0);
            continue;
        }
        let group = &node.gateway_group_id;
        if !scopes.contains_key(group) {
            scopes.insert(group, app.read().scopes_of_group(group).await?);
        }
        let of_group = scopes.get(group).map(Vec::as_slice).unwrap_or_default();
        let oldest = app.read().oldest_change(of_group, node.revision).await?;
        lags.push(match oldest {
            Some(oldest) => {
                let committed_at = app.read().revision_mark(oldest).await?.map(|mark| mark.committed_at);
                millis(committed_at.unwrap_or(node.created_at).max(node.created_at), now)
            }
            None => 0,
        });
    }
    Ok(lags)
}

/// Milliseconds from the commit of the receipt's revision until the node had it, or until `now` where it has not. A
/// node that joined later is counted from then.
pub fn lag(receipt: &RevisionReceipt, node: &NodeReceipt, now: Timestamp) -> i64 {
    let since = receipt.committed_at.unwrap_or(node.node.created_at).max(node.node.created_at);
    millis(since, node.applied_at.unwrap_or(now))
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    to.micros().saturating_sub(from.micros()).max(0) / 1_000
}

async fn whole(app: &App, revision: i64) -> Result<RevisionReceipt, Error> {
    let groups = concerned(app, revision).await?.1;
    of_groups(app, revision, |group| groups.as_ref().is_none_or(|groups| groups.contains(group))).await
}

/// When `revision` was committed and the groups that it concerns; `None`: not known any more, any group.
async fn concerned(
    app: &App,
    revision: i64,
) -> Result<(Option<Timestamp>, Option<Vec<GatewayGroupId>>), Error> {
    if revision < 1 || revision > app.read().revision().await? {
        return Err(Error::not_found());
    }
    let Some(mark) = app.read().revision_mark(revision).await? else { return Ok((None, None)) };
    let Some(changed) = mark.scopes else { return Ok((Some(mark.committed_at), None)) };
    let mut groups = Vec::new();
    for group in app.read().gateway_groups(&Default::default()).await?.rows {
        let needed = app.read().scopes_of_group(&group.id).await?;
        if needed.iter().any(|scope| changed.contains(&scope.as_text())) {
            groups.push(group.id);
        }
    }
    Ok((Some(mark.committed_at), Some(groups)))
}

async fn of_groups(
    app: &App,
    revision: i64,
    is_wanted: impl Fn(&GatewayGroupId) -> bool,
) -> Result<RevisionReceipt, Error> {
    let told = app.nodes().told();
    let now = app.now();
    let committed_at = concerned(app, revision).await?.0;
    let all = app.read().nodes(&NodeFilter::default(), &app.nodes().alive(now)).await?.rows;
    let told = told.of_line(app.read()).await?;
    let mut nodes = Vec::new();
    for node in all.into_iter().filter(|node| is_wanted(&node.gateway_group_id)) {
        let node = app.nodes().newest(node, &told);
        // Where two processes go by one id, what the one has applied says nothing of the other.
        let applied_at = if node.revision >= revision && !node.is_duplicated(now) {
            let unwritten = told.acknowledged_at(&node, revision);
            let written = app.read().acknowledged_at(&node.id, revision).await?;
            Some([written, unwritten].into_iter().flatten().min().unwrap_or(node.applied_at))
        } else {
            None
        };
        nodes.push(NodeReceipt { node, applied_at });
    }
    nodes.sort_by(|one, other| one.node.id.cmp(&other.node.id));
    Ok(RevisionReceipt { revision, committed_at, nodes })
}
