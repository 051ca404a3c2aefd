//! A node joins, is heard of, tells what it has applied, and leaves. None of this is an event or touches the change log.
//!
//! Invariant: a node is let in by the digest of a live token of its own group, and an acknowledgement never makes a
//! receipt say more than the node told: it counts from the moment it was told, by this process's clock.

use forecourt_core::{
    actors::{Caller, Source},
    gateway_state::Kind,
    ids::{GatewayGroupId, InstanceTokenId, NodeId, is_chosen_id},
    instance_tokens::{InstanceToken, digest_of_text},
    nodes::{Node, NodeConnection},
    secrets::SecretDigest,
    text,
};
use forecourt_store::{Alive, Tx};
use forecourt_wire::sync::Hello;

use super::live::{LiveNode, write_soon};
use crate::{App, Error};

/// The longest name of a node, characters.
const NAME: usize = 200;
/// The longest address of a node, characters.
const ADDRESS: usize = 2_048;

/// A node that was let in, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Which node.
    pub node: NodeId,
    /// The group that it serves.
    pub group: GatewayGroupId,
    /// The token that it showed.
    pub token: InstanceTokenId,
}

/// The gateway inside a control plane's process.
#[derive(Clone, Debug)]
pub struct EmbeddedNode {
    /// Its id, which stays the same over restarts.
    pub id: NodeId,
    /// What people call it.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// Where callers reach it, as a URL; empty: not known.
    pub address: String,
    /// The group that it serves.
    pub group: GatewayGroupId,
}

/// Lets a node in that shows `token_text` and says `hello`, and notes it as it is now.
///
/// Refused: an unknown or deleted token (unauthenticated), a node of another group or the id of a gateway inside a
/// control plane (forbidden), a name or address that cannot be one (invalid). [`connected`] follows once its stream is
/// open.
pub async fn admit(app: &App, token_text: &str, hello: &Hello) -> Result<Admitted, Error> {
    check(hello)?;
    let digest = digest_of_text(token_text);
    let caller = Caller::system(Source::Job, app.new_request_id());
    // What it told before must not be written over what it says now.
    let _turn = app.nodes().turn().await;
    let write = app.begin(&caller).await?;
    let now = write.now;
    let tx = write.into_tx();
    let token = token_with(&tx, &digest).await?;
    let known = tx.node(&hello.node, &Alive::default()).await?;
    if let Some(known) = &known {
        refuse_stranger(known, &token)?;
    }
    let held = held(&tx, hello).await?;
    let known = known.map(|known| app.nodes().newest(known));
    // What it was known to have and has no longer, it must tell anew; what it claims beyond that, it tells as well.
    let (revision, applied_at, created_at) = match &known {
        Some(known) if known.revision <= held => (known.revision, known.applied_at, known.created_at),
        Some(known) => (held, now, known.created_at),
        None => (0, now, now),
    };
    let node = Node {
        id: hello.node.clone(),
        name: hello.name.clone(),
        gateway_group_id: token.gateway_group_id.clone(),
        token_id: Some(token.id.clone()),
        version: hello.version.clone(),
        address: hello.address.clone(),
        connection: NodeConnection::Connected,
        revision,
        applied_at,
        last_contact_at: now,
        drift: hello.drift.clone(),
        created_at,
    };
    tx.save_node(&node, app.nodes().process()).await?;
    tx.take_back_acknowledgements(&node.id, revision).await?;
    tx.touch_instance_token(&token.id, now).await?;
    tx.commit(now).await?;
    let admitted = Admitted { node: node.id, group: node.gateway_group_id, token: token.id };
    let mut nodes = app.nodes().lock();
    let live = nodes.entry(hello.node.clone()).or_insert_with(|| LiveNode::new(revision, now));
    live.fell_back(revision);
    live.is_expected = true;
    live.last_contact_at = now;
    live.differs(&hello.drift);
    live.shown = Some((digest, admitted.clone()));
    Ok(admitted)
}

/// The node that a further request speaks for, where its token is that of [`admit`].
///
/// Answered from memory while this process holds the node's stream.
pub async fn recognise(app: &App, token_text: &str, node: &NodeId) -> Result<Admitted, Error> {
    let digest = digest_of_text(token_text);
    let shown = app.nodes().lock().get(node).and_then(|live| live.shown.clone());
    if let Some((known, admitted)) = shown
        && known == digest
    {
        return Ok(admitted);
    }
    let Some(token) = app.read().instance_token_by_digest(&digest).await? else {
        return Err(unknown_token());
    };
    let row = app.read().node(node, &Alive::default()).await?;
    match row {
        Some(row) if row.token_id.as_ref() == Some(&token.id) => {
            Ok(Admitted { node: row.id, group: row.gateway_group_id, token: token.id })
        }
        _ => Err(Error::forbidden("this node did not join with this token")),
    }
}

/// Whether what was let in would be let in still. Whoever holds a stream asks when [`super::removals`] wakes it, and
/// about once a second for removals by other processes.
pub async fn is_admitted(app: &App, admitted: &Admitted) -> Result<bool, Error> {
    let is_token_live = app.read().instance_token(&admitted.token).await?.is_some();
    let node = app.read().node(&admitted.node, &Alive::default()).await?;
    let is_admitted = is_token_live && node.is_some_and(|node| node.gateway_group_id == admitted.group);
    if !is_admitted && let Some(live) = app.nodes().lock().get_mut(&admitted.node) {
        live.shown = None;
    }
    Ok(is_admitted)
}

/// Notes the gateway of this process as a node without a token, connected until [`disconnected`]; [`connected`] is
/// not called for it.
pub async fn register_embedded(app: &App, embedded: EmbeddedNode) -> Result<(), Error> {
    let caller = Caller::system(Source::Job, app.new_request_id());
    let write = app.begin(&caller).await?;
    let now = write.now;
    let tx = write.into_tx();
    let known = tx.node(&embedded.id, &Alive::default()).await?;
    let (revision, applied_at, created_at) =
        known.map_or((0, now, now), |known| (known.revision, known.applied_at, known.created_at));
    let node = Node {
        id: embedded.id,
        name: embedded.name,
        gateway_group_id: embedded.group,
        token_id: None,
        version: embedded.version,
        address: embedded.address,
        connection: NodeConnection::Connected,
        revision,
        applied_at,
        last_contact_at: now,
        drift: Vec::new(),
        created_at,
    };
    tx.save_node(&node, app.nodes().process()).await?;
    tx.commit(now).await?;
    let mut nodes = app.nodes().lock();
    nodes.entry(node.id).or_insert_with(|| LiveNode::new(revision, now)).streams = 1;
    Ok(())
}

/// Notes that this process holds a stream of an admitted node from now on.
pub fn connected(app: &App, node: &NodeId) {
    note(app, node, LiveNode::opened);
}

/// Notes that something was heard of a node.
pub fn heard(app: &App, node: &NodeId) {
    note(app, node, |_| {});
}

/// Notes the end of a stream that [`connected`] or [`register_embedded`] told of.
pub fn disconnected(app: &App, node: &NodeId) {
    note(app, node, LiveNode::closed);
}

/// Notes that a node has everything up to `revision`, in force and kept, and differs in the kinds `drift`.
///
/// Late and repeated ones change nothing. Refused: a revision that was never made (invalid), a removed node (not
/// found).
pub async fn acknowledge(app: &App, node: &NodeId, revision: i64, drift: &[Kind]) -> Result<(), Error> {
    let latest = *crate::gateway_feed::latest(app).borrow();
    if revision < 0 || (revision > latest && revision > app.read().revision().await?) {
        return Err(Error::invalid(
            "unknown_revision",
            format!("revision {revision} was never made here; a node of another database?"),
        ));
    }
    let is_known = app.nodes().lock().contains_key(node);
    if !is_known {
        let row = app.read().node(node, &Alive::default()).await?.ok_or_else(Error::not_found)?;
        let live = LiveNode::new(row.revision, app.now());
        app.nodes().lock().entry(node.clone()).or_insert(live);
    }
    let now = app.now();
    note(app, node, |live| {
        live.applied(revision, now);
        live.differs(drift);
    });
    Ok(())
}

/// How far the node is on this database's line of revisions; 0 where it is on another, of which nothing counts here.
async fn held(tx: &Tx, hello: &Hello) -> Result<i64, Error> {
    let Some(position) = &hello.position else { return Ok(0) };
    let mark = position.mark.split_once('.').map_or(position.mark.as_str(), |(mark, _)| mark);
    let is_other = match tx.revision_mark(position.revision).await? {
        Some(known) => known.mark != mark,
        None => position.revision > tx.revision().await?,
    };
    Ok(if is_other { 0 } else { position.revision.max(0) })
}

fn note(app: &App, node: &NodeId, change: impl FnOnce(&mut LiveNode)) {
    let now = app.now();
    {
        let mut nodes = app.nodes().lock();
        let Some(live) = nodes.get_mut(node) else { return };
        live.last_contact_at = live.last_contact_at.max(now);
        change(live);
    }
    write_soon(app);
}

fn check(hello: &Hello) -> Result<(), Error> {
    let own_part = hello.node.as_str().strip_prefix("nod_");
    if !is_chosen_id(hello.node.as_str()) || own_part.is_none_or(str::is_empty) {
        return Err(Error::invalid("invalid_field", "node must be an id that begins with nod_"));
    }
    text::name("name", &hello.name, NAME)?;
    text::name("version", &hello.version, NAME)?;
    text::free("address", &hello.address, ADDRESS)?;
    Ok(())
}

async fn token_with(tx: &Tx, digest: &SecretDigest) -> Result<InstanceToken, Error> {
    tx.instance_token_by_digest(digest).await?.ok_or_else(unknown_token)
}

fn unknown_token() -> Error {
    Error::unauthenticated_because(
        "this instance token is unknown or was deleted; issue another for its gateway group",
    )
}

fn refuse_stranger(known: &Node, token: &InstanceToken) -> Result<(), Error> {
    if known.gateway_group_id != token.gateway_group_id {
        return Err(Error::forbidden(
            "this node belongs to another gateway group; give it a data folder of its own, or remove it there",
        ));
    }
    if known.token_id.is_none() {
        return Err(Error::forbidden("this id belongs to a gateway inside a control plane"));
    }
    Ok(())
}
