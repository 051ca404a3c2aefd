//! A node joins, is heard of, tells what it has applied, and leaves. None of this is an event or touches the change log.
//!
//! Invariant: a node is let in by the digest of a live token of its own group, and an acknowledgement never makes a
//! receipt say more than the node told: it counts from the moment it was told, by this process's clock.

use forecourt_core::{
    actors::{Caller, Source},
    ids::{GatewayGroupId, InstanceTokenId, NodeId, is_chosen_id},
    instance_tokens::{InstanceToken, digest_of_text},
    nodes::{Claim, Instances, Node, NodeConnection},
    secrets::SecretDigest,
    text,
    time::Timestamp,
};
use forecourt_store::{Alive, Applied, Tx};
use forecourt_wire::sync::{Acknowledgement, Hello};

use super::live::{LiveNode, write_soon};
use crate::{
    App, Error, ErrorKind,
    gateway_feed::lines::{self, LineMark},
};

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
    /// Which of its processes this is, as it calls itself; empty: it did not say.
    pub instance: String,
}

/// How one who was let in stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It would be let in still.
    Admitted,
    /// Another process that goes by the same id was let in since.
    Replaced,
    /// The node or its token was removed.
    Removed,
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
    /// Which start of its process this is: a random text.
    pub instance: String,
}

/// Lets a node in that shows `token_text` and says `hello`, and notes it as it is now.
///
/// Refused: an unknown or deleted token (unauthenticated), a node of another group or the id of a gateway inside a
/// control plane (forbidden), a name or address that cannot be one (invalid), and a process that comes back while
/// another one, which took its place, holds the node's stream (forbidden): the node's data folder was copied.
/// [`connected`] follows once its stream is open.
pub async fn admit(app: &App, token_text: &str, hello: &Hello) -> Result<Admitted, Error> {
    check(hello)?;
    let digest = digest_of_text(token_text);
    // Before writers wait for it: whoever shows any text must not hold them up.
    if app.read().instance_token_by_digest(&digest).await?.is_none() {
        return Err(unknown_token());
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    // What it told before must not be written over what it says now.
    let _turn = app.nodes().turn().await;
    let write = app.begin(&caller).await?;
    let now = write.now;
    let tx = write.into_tx();
    let token = token_with(&tx, &digest).await?;
    let known = tx.node(&hello.node, &app.nodes().alive(now)).await?;
    if let Some(known) = &known {
        refuse_stranger(known, &token)?;
    }
    let (tx, instances) = claim(tx, known.as_ref(), &hello.instance, now).await?;
    let held = held(&tx, hello).await?;
    let told = app.nodes().told().of_line(&tx).await?;
    let known = known.map(|known| app.nodes().newest(known, &told));
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
        instances,
    };
    tx.save_node(&node, app.nodes().process()).await?;
    tx.take_back_acknowledgements(&node.id, revision).await?;
    tx.touch_instance_token(&token.id, now).await?;
    tx.commit(now).await?;
    let instance = hello.instance.clone();
    let admitted = Admitted { node: node.id, group: node.gateway_group_id, token: token.id, instance };
    let mut nodes = app.nodes().lock();
    let live = nodes
        .entry(hello.node.clone())
        .or_insert_with(|| LiveNode::new(hello.instance.clone(), revision, now));
    if live.instance != hello.instance {
        live.instance.clone_from(&hello.instance);
        live.streams = 0;
    }
    live.fell_back(revision);
    live.is_expected = true;
    live.last_contact_at = now;
    live.differs(&hello.drift);
    live.shown = Some((digest, admitted.clone()));
    Ok(admitted)
}

/// Refuses a text that is no live instance token (unauthenticated), whoever shows it. It is asked before anything is read
/// of what its holder sends; [`admit`] or [`recognise`] follows.
///
/// Answered from memory while this process holds a stream that was opened with the token.
pub async fn check_token(app: &App, token_text: &str) -> Result<(), Error> {
    let digest = digest_of_text(token_text);
    let is_shown = |live: &LiveNode| live.shown.as_ref().is_some_and(|(known, _)| *known == digest);
    let is_in_use = app.nodes().lock().values().any(is_shown);
    if is_in_use || app.read().instance_token_by_digest(&digest).await?.is_some() {
        return Ok(());
    }
    Err(unknown_token())
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
            let instance = row.instances.present;
            Ok(Admitted { node: row.id, group: row.gateway_group_id, token: token.id, instance })
        }
        _ => Err(Error::forbidden("this node did not join with this token")),
    }
}

/// Whether what was let in would be let in still. Whoever holds a stream asks when [`super::removals`] wakes it, and
/// about once a second for what other processes did.
pub async fn standing(app: &App, admitted: &Admitted) -> Result<Standing, Error> {
    let is_token_live = app.read().instance_token(&admitted.token).await?.is_some();
    let node = app.read().node(&admitted.node, &Alive::default()).await?;
    let node = node.filter(|node| is_token_live && node.gateway_group_id == admitted.group);
    if let Some(node) = &node
        && node.instances.present != admitted.instance
    {
        return Ok(Standing::Replaced);
    }
    if node.is_some() {
        return Ok(Standing::Admitted);
    }
    if let Some(live) = app.nodes().lock().get_mut(&admitted.node) {
        live.shown = None;
    }
    Ok(Standing::Removed)
}

/// Notes the gateway of this process as a node without a token, connected until [`disconnected`]; [`connected`] is
/// not called for it. To be called again where an acknowledgement says that it is not known, or the database was put
/// back.
///
/// Refused: a group that is not there, since it may be made later (not found), and a process whose place another took
/// that runs still, both on copies of one data folder (forbidden).
pub async fn register_embedded(app: &App, embedded: &EmbeddedNode) -> Result<(), Error> {
    if app.read().gateway_group(&embedded.group).await?.is_none() {
        let problem = format!("there is no gateway group {}", embedded.group);
        return Err(Error::new(ErrorKind::NotFound, "not_found", problem));
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let _turn = app.nodes().turn().await;
    let write = app.begin(&caller).await?;
    let now = write.now;
    let tx = write.into_tx();
    let known = tx.node(&embedded.id, &app.nodes().alive(now)).await?;
    let (tx, instances) = claim(tx, known.as_ref(), &embedded.instance, now).await?;
    let (revision, applied_at, created_at) =
        known.map_or((0, now, now), |known| (known.revision, known.applied_at, known.created_at));
    let node = Node {
        id: embedded.id.clone(),
        name: embedded.name.clone(),
        gateway_group_id: embedded.group.clone(),
        token_id: None,
        version: embedded.version.clone(),
        address: embedded.address.clone(),
        connection: NodeConnection::Connected,
        revision,
        applied_at,
        last_contact_at: now,
        drift: Vec::new(),
        created_at,
        instances,
    };
    tx.save_node(&node, app.nodes().process()).await?;
    tx.commit(now).await?;
    let mut nodes = app.nodes().lock();
    let new = || LiveNode::new(embedded.instance.clone(), revision, now);
    let live = nodes.entry(node.id).or_insert_with(new);
    live.instance.clone_from(&embedded.instance);
    live.fell_back(revision);
    live.streams = 1;
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

/// Notes the end of a stream that [`connected`] or [`register_embedded`] told of, and which process of the node it led
/// to: streams of one whose place another took count for nothing any more.
pub fn disconnected(app: &App, node: &NodeId, instance: &str) {
    note(app, node, |live| {
        if live.instance == instance {
            live.closed();
        }
    });
}

/// Notes what a node told that it has, in force and kept, and in what it differs.
///
/// Late and repeated ones change nothing. Refused: a revision that was never made, or that has another mark than the
/// node knows it by (invalid), a removed node (not found), a process whose place another took (forbidden).
pub async fn acknowledge(app: &App, told: &Acknowledgement) -> Result<(), Error> {
    let at = LineMark::from(&told.position);
    if at.revision < 0 || !lines::holds(app.read(), &at).await? {
        return Err(Error::invalid(
            "unknown_revision",
            format!(
                "revision {} was never made here, or under another mark; a node of another database, or from before \
                 this one was put back?",
                at.revision
            ),
        ));
    }
    let node = &told.node;
    let known = app.nodes().lock().get(node).map(|live| live.instance.clone());
    let instance = match known {
        Some(instance) => instance,
        None => {
            let row = app.read().node(node, &Alive::default()).await?.ok_or_else(Error::not_found)?;
            let instance = row.instances.present;
            let live = LiveNode::new(instance.clone(), row.revision, app.now());
            app.nodes().lock().entry(node.clone()).or_insert(live);
            instance
        }
    };
    if instance != told.instance {
        return Err(Error::forbidden("another process that goes by this node's id has taken its place"));
    }
    let applied = Applied { revision: at.revision, mark: at.mark, at: app.now() };
    note(app, node, |live| {
        // Another may have taken its place since.
        if live.instance == told.instance {
            live.applied(applied);
            live.differs(&told.drift);
        }
    });
    Ok(())
}

/// Lets `instance` speak for the node from now on, or refuses it and notes that there are two.
async fn claim(
    tx: Tx,
    known: Option<&Node>,
    instance: &str,
    now: Timestamp,
) -> Result<(Tx, Instances), Error> {
    let mut instances = known.map(|known| known.instances.clone()).unwrap_or_default();
    let Some(known) = known else {
        instances.claim(instance, false, now);
        return Ok((tx, instances));
    };
    let is_held = known.connection == NodeConnection::Connected;
    let noted_at = instances.duplicated_at;
    let claim = instances.claim(instance, is_held, now);
    if instances.duplicated_at != noted_at {
        tracing::error!(
            node.id = %known.id,
            node.name = known.name,
            "two processes go by the id of this node: its data folder was copied, and receipts that concern it stay \
             incomplete; stop one of them; to make it a node of its own, start it on an empty folder"
        );
    } else if claim == Claim::Taken && is_held {
        tracing::warn!(node.id = %known.id, node.name = known.name, "another process took a node's place");
    }
    if claim != Claim::Refused {
        return Ok((tx, instances));
    }
    let node = Node { instances, ..known.clone() };
    tx.note_duplicate(&node).await?;
    tx.commit(now).await?;
    Err(Error::forbidden(
        "another process that goes by this node's id holds its stream: was its data folder copied? Stop one of them; to \
         make it a node of its own, start it on an empty folder",
    ))
}

/// How far the node is on this database's line of revisions; 0 where it is on another, of which nothing counts here.
async fn held(tx: &Tx, hello: &Hello) -> Result<i64, Error> {
    let Some(position) = &hello.position else { return Ok(0) };
    let at = LineMark::from(position);
    let is_other = match tx.revision_mark(at.revision).await? {
        Some(known) => known.mark != at.mark,
        None => at.revision > tx.revision().await?,
    };
    Ok(if is_other { 0 } else { at.revision.max(0) })
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
    if !hello.instance.is_empty() && !is_chosen_id(&hello.instance) {
        return Err(Error::invalid("invalid_field", "instance must be a word of letters and digits"));
    }
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
