//! Gateway nodes: what administrators see of them, and their end.
//!
//! How a node joins and what it tells stands in `nodes/joining.rs`; what this process remembers of it before it is
//! written down, in `nodes/live.rs`, and how lists and receipts see that, in `nodes/told.rs`.

mod joining;
mod live;
mod told;

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::NodeId,
    lists::List,
    nodes::{Node, NodeConnection, NodeFilter, NodeRefusal},
    permissions::{Action, Target},
};
use forecourt_store::RuledNoun;
use serde_json::json;
use tokio::sync::watch;

pub(crate) use self::live::Live;
pub use self::{
    joining::{
        Admitted, EmbeddedNode, Standing, acknowledge, admit, check_token, connected, disconnected, heard,
        recognise, register_embedded, standing,
    },
    live::write_down,
};
use crate::{App, Error, ErrorKind, access};

/// The nodes that `filter` wants, by name; the holder of an admin key sees those of its own group.
pub async fn list(app: &App, caller: &Caller, filter: NodeFilter) -> Result<List<Node>, Error> {
    let readable =
        access::readable(app, caller, Action::GetGatewayInstance, RuledNoun::GatewayGroups).await?;
    let filter = NodeFilter { readable, ..filter };
    let told = app.nodes().told();
    let found = app.read().nodes(&filter, &app.nodes().alive(app.now())).await?;
    let told = told.of_line(app.read()).await?;
    Ok(found.map(|node| app.nodes().newest(node, &told)))
}

/// One node.
pub async fn node(app: &App, caller: &Caller, id: &NodeId) -> Result<Node, Error> {
    permitted(app, caller, id, Action::GetGatewayInstance).await
}

async fn permitted(app: &App, caller: &Caller, id: &NodeId, action: Action) -> Result<Node, Error> {
    let told = app.nodes().told();
    let node = app.read().node(id, &app.nodes().alive(app.now())).await?.ok_or_else(Error::not_found)?;
    access::permits(caller, action, Target::GatewayGroup(Some(&node.gateway_group_id)))?;
    Ok(app.nodes().newest(node, &told.of_line(app.read()).await?))
}

/// How many other nodes joined last with the token that `node` joined with last: they are shut out with it.
pub async fn sharing_its_token(app: &App, caller: &Caller, node: &Node) -> Result<u64, Error> {
    let group = Target::GatewayGroup(Some(&node.gateway_group_id));
    access::permits(caller, Action::GetGatewayInstance, group)?;
    match &node.token_id {
        Some(token) => Ok(app.read().nodes_of_token(token).await?.saturating_sub(1)),
        None => Ok(0),
    }
}

/// Removes a node, with the token that it joined with last, so that it is not let in again.
///
/// The gateway inside a running control plane is refused: it would be back at once.
pub async fn remove(app: &App, caller: &Caller, id: &NodeId) -> Result<(), Error> {
    let node = permitted(app, caller, id, Action::DeleteGatewayInstance).await?;
    if node.token_id.is_none() && node.connection == NodeConnection::Connected {
        return Err(NodeRefusal::Embedded.into());
    }
    let mut write = app.begin(caller).await?;
    if !write.delete_node(id).await? {
        return Err(Error::not_found());
    }
    let detail = json!({ "name": node.name, "gateway_group_id": node.gateway_group_id });
    write.tell(EventName::NodeRemoved, "node", id.as_str(), None, detail);
    if let Some(token) = &node.token_id
        && write.delete_instance_token(token).await?
    {
        let detail = json!({ "gateway_group_id": node.gateway_group_id, "node_id": id });
        write.tell(EventName::InstanceTokenDeleted, "instance_token", token.as_str(), None, detail);
    }
    write.commit().await?;
    app.nodes().removed(id);
    Ok(())
}

/// What a request from `address` is answered that was refused so: a wrong token counts as a failed check of that
/// address, which is told to wait after too many. Right tokens never come here, whatever failed before.
pub fn refused(app: &App, address: Option<&str>, refusal: Error) -> Error {
    if refusal.kind() != ErrorKind::Unauthenticated {
        return refusal;
    }
    let counted = app.limits().failed(address, app.now());
    if matches!(counted.kind(), ErrorKind::Limit { .. }) { counted } else { refusal }
}

/// Wakes whoever holds streams when this process removed a node, a token or a group. What other processes removed is
/// found by asking for its [`standing`] now and then.
pub fn removals(app: &App) -> watch::Receiver<u64> {
    app.nodes().removals()
}
