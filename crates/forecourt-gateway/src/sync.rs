//! A node on its own machine: fed by a control plane over the network, on its own when there is none.
//!
//! | to see | read |
//! |---|---|
//! | the stream, and what is done with each message | `sync/client.rs`, `sync/intake.rs` |
//! | how the control plane is reached, and whom the node believes | `sync/connection.rs`, `sync/pinning.rs`, `sync/token.rs` |
//! | what is on the disk | `sync/keeper.rs`, `sync/state_file.rs`, `sync/row_text.rs`, `sync/compaction.rs`, `sync/records.rs`, `sync/contact.rs`, `sync/folder.rs` |
//! | counted calls | `sync/spool.rs`, `sync/delivery.rs` |
//! | time | `sync/clock.rs`, `sync/staleness.rs` |
//!
//! Invariants: what is taken away is in force before it is acknowledged, and acknowledged only once it is on the disk;
//! so no restart gives back what a receipt has shown to be gone. What the disk holds is believed whole or not at all.

mod client;
mod clock;
mod compaction;
mod connection;
mod contact;
mod delivery;
mod folder;
mod intake;
mod keeper;
mod pinning;
mod records;
mod row_text;
mod spool;
pub(crate) mod staleness;
mod state_file;
mod token;

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use forecourt_core::{gateway_state::Kind, ids::NodeId, time::Timestamp};
use forecourt_wire::{changes::ChangeBatch, sync::Position};
use tokio::sync::watch;
use url::Url;

use self::{
    client::{Client, Link},
    clock::CorrectedClock,
    connection::Dialer,
    contact::Contact,
    delivery::Waiting,
    intake::Intake,
    keeper::{Keeper, Kept, STATE},
    state_file::{Extent, Loaded},
};
pub use self::{
    delivery::SpooledUsage,
    folder::{Folder, FolderError},
    pinning::NodeTls,
    spool::Spool,
    token::NodeToken,
};
use crate::{Clock, Config, Gateway};

/// What a node must know of its control planes, and they of it.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The sync ports of the control planes, `https://HOST:PORT`, at least one; the first is asked first.
    pub control_planes: Vec<Url>,
    /// What it joins with.
    pub token: NodeToken,
    /// Certificates.
    pub tls: NodeTls,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// The version of this program.
    pub version: String,
    /// Where callers reach it, as a URL; empty: not said.
    pub address: String,
}

/// A node: its gateway, and what feeds it.
pub struct Node {
    gateway: Gateway,
    folder: Folder,
    client: Client,
    usage: SpooledUsage,
    status: NodeStatus,
}

/// How a node is, for readiness and metrics; clones tell of the same node.
#[derive(Clone)]
pub struct NodeStatus {
    gateway: Gateway,
    link: watch::Receiver<Link>,
    kept: watch::Receiver<Kept>,
    clock: CorrectedClock,
    waiting: Arc<Waiting>,
    set_aside: Arc<AtomicU64>,
}

/// Why a node did not start.
#[derive(Debug)]
pub enum NodeError {
    /// Its data folder cannot be used.
    Folder(FolderError),
    /// What is on its disk cannot be read or written.
    Disk(io::Error),
    /// Its certificates or its token cannot be used; this is why.
    Tls(String),
    /// No control plane is named, or one by something else than `https://HOST:PORT`.
    ControlPlane(String),
    /// The operating system gives no random bytes.
    Random,
}

impl Node {
    /// A node in this data folder, in force as it was left there. Reading a million credentials takes seconds.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub fn open(
        folder: Folder,
        config: NodeConfig,
        gateway: Config,
        clock: Clock,
    ) -> Result<Self, NodeError> {
        check(&config)?;
        let tls = pinning::client_config(&config.tls, config.token.authority()).map_err(NodeError::Tls)?;
        let dialer = Dialer::new(tls, &config.token, &config.version).map_err(NodeError::Tls)?;
        let contact = Contact::read(folder.path());
        let offset = contact.as_ref().map_or(0, |contact| contact.offset);
        let clock = CorrectedClock::new(clock, offset);
        let gateway = Gateway::new(gateway, clock.as_clock()).map_err(|_| NodeError::Random)?;
        let set_aside = Arc::new(AtomicU64::new(0));
        let extent = load(&folder, &gateway, contact.as_ref(), &set_aside).map_err(NodeError::Disk)?;
        gateway.heard(unheard(contact.map(|contact| contact.at), clock.now()));
        let intake = Intake::new(gateway.clone(), clock.clone(), extent.as_ref());
        let keeper = Keeper::start(folder.path(), folder.node(), extent).map_err(NodeError::Disk)?;
        let spool =
            Spool::open(folder.path(), folder.node().clone(), Spool::MOST).map_err(NodeError::Disk)?;
        let instance = random_word().map_err(|_| NodeError::Random)?;
        let link = watch::Sender::new(Link { is_whole: intake.in_force().is_some(), ..Link::default() });
        let status = NodeStatus {
            gateway: gateway.clone(),
            link: link.subscribe(),
            kept: keeper.kept(),
            clock: clock.clone(),
            waiting: Arc::default(),
            set_aside,
        };
        let client = Client {
            node: folder.node().clone(),
            instance,
            name: config.name,
            version: config.version,
            address: config.address,
            control_planes: config.control_planes,
            dialer,
            gateway: gateway.clone(),
            clock,
            intake,
            keeper,
            link,
        };
        Ok(Self { gateway, folder, client, usage: SpooledUsage::new(spool), status })
    }

    /// Its gateway, to be served once [`NodeStatus::whole`] says so.
    pub const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Its id.
    pub const fn id(&self) -> &NodeId {
        self.folder.node()
    }

    /// How it is.
    pub const fn status(&self) -> &NodeStatus {
        &self.status
    }

    /// Follows the control plane and delivers counted calls until `stop` says so; then the last counts are delivered,
    /// or left on the disk. To be stopped when the gateway answers no more requests.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let Self { gateway, folder, client, usage, status } = self;
        let mut stopped = stop.clone();
        let delivering = delivery::deliver(gateway, usage, status.link.clone(), status.waiting, stop);
        // Spawned, so that a state that is being applied does not hold up the deliveries.
        let following = tokio::spawn(client.run());
        delivering.await;
        drop(stopped.wait_for(|stop| *stop).await);
        following.abort();
        if let Err(error) = following.await
            && !error.is_cancelled()
        {
            tracing::error!("the stream ended early by a panic");
        }
        drop(folder);
    }
}

impl NodeStatus {
    /// Returns once a whole state is in force; false: it never will be, since the node ended.
    pub async fn whole(&self) -> bool {
        self.link.clone().wait_for(|link| link.is_whole).await.is_ok()
    }

    /// Whether a whole state is in force that is not too old, so that callers may be sent here.
    pub fn is_ready(&self) -> bool {
        self.is_whole() && !self.gateway.is_stale()
    }

    /// Whether a whole state is in force.
    pub fn is_whole(&self) -> bool {
        self.link.borrow().is_whole
    }

    /// Whether a control plane's stream is open.
    pub fn is_connected(&self) -> bool {
        self.link.borrow().connection.is_some()
    }

    /// Whether the control plane would not have this node the last time.
    pub fn is_turned_away(&self) -> bool {
        self.link.borrow().is_turned_away
    }

    /// For how long the control plane has not been heard.
    pub fn staleness(&self) -> Duration {
        self.gateway.unheard()
    }

    /// The kinds of rows in which the state was last found to differ; empty: none.
    pub fn drift(&self) -> Vec<Kind> {
        self.link.borrow().drift.clone()
    }

    /// The revision up to which everything is on the disk; `None`: nothing whole is.
    pub fn kept_revision(&self) -> Option<i64> {
        self.kept.borrow().position.as_ref().map(|position| position.revision)
    }

    /// How often the disk did not take the state since the start, and whether it did not the last time.
    pub fn disk_failures(&self) -> (u64, bool) {
        let kept = self.kept.borrow();
        (kept.failures, kept.is_failing)
    }

    /// How many state files were set aside as damaged since the start.
    pub fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// By how many milliseconds this machine's clock is corrected; 0: it is followed.
    pub fn clock_offset_ms(&self) -> i64 {
        self.clock.offset() / 1_000
    }

    /// How many batches of counted calls wait on the disk, and how many were lost since the start.
    pub fn usage(&self) -> (usize, u64) {
        let waiting = &self.waiting;
        (waiting.batches.load(Ordering::Relaxed), waiting.dropped.load(Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for NodeStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeStatus").field("is_ready", &self.is_ready()).finish_non_exhaustive()
    }
}

impl std::fmt::Display for NodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(error) => error.fmt(f),
            Self::Disk(error) => write!(f, "the state on the disk cannot be used: {error}"),
            Self::Tls(why) | Self::ControlPlane(why) => f.write_str(why),
            Self::Random => f.write_str("the operating system gives no random bytes"),
        }
    }
}

impl std::error::Error for NodeError {}

/// 32 random digits: what nothing else calls itself.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn random_word() -> Result<String, getrandom::Error> {
    Ok(format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?))
}

/// By how much a clock may have gone back since a contact was noted.
const TOLERATED: i64 = 2_000_000;

/// For how long nobody was heard, by the contact that is on the disk. A node that cannot tell, or whose clock says that
/// the contact is still to come, has not heard anybody for ever.
fn unheard(contact: Option<Timestamp>, now: Timestamp) -> Duration {
    let ago = contact.map(|at| now.micros().saturating_sub(at.micros()));
    match ago {
        Some(ago) if ago >= -TOLERATED => Duration::from_micros(u64::try_from(ago).unwrap_or(0)),
        _ => Duration::MAX,
    }
}

fn check(config: &NodeConfig) -> Result<(), NodeError> {
    if config.control_planes.is_empty() {
        return Err(NodeError::ControlPlane("name at least one control plane, https://HOST:PORT".into()));
    }
    for url in &config.control_planes {
        let is_plain = url.scheme() == "https"
            && url.host().is_some()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.username().is_empty();
        if !is_plain {
            let problem = format!("the control plane must be https://HOST:PORT; it is {url}");
            return Err(NodeError::ControlPlane(problem));
        }
    }
    Ok(())
}

/// Puts the state on the disk in force. One that is damaged is set aside: the node has none then.
fn load(
    folder: &Folder,
    gateway: &Gateway,
    contact: Option<&Contact>,
    set_aside: &AtomicU64,
) -> io::Result<Option<Extent>> {
    let path = folder.path().join(STATE);
    let loaded = state_file::load(&path, folder.node(), |changes| {
        if let Some(revision) = changes.iter().map(|change| change.revision).max() {
            gateway.apply(&ChangeBatch { revision, snapshot: false, changes });
        }
    })?;
    let damage = match loaded {
        Loaded::Missing => return Ok(None),
        Loaded::Damaged(damage) => damage,
        Loaded::Whole(extent) => match contact {
            Some(contact) if contact.acknowledged > extent.position.revision => format!(
                "it goes to revision {} only, and {} was acknowledged",
                extent.position.revision, contact.acknowledged
            ),
            _ => {
                settle(gateway, &extent.position);
                return Ok(Some(extent));
            }
        },
    };
    gateway.replace(&ChangeBatch { revision: 0, snapshot: true, changes: Vec::new() });
    let aside = put_aside(&path)?;
    set_aside.fetch_add(1, Ordering::Relaxed);
    tracing::error!(
        damage,
        file = %aside.display(),
        "the state on the disk is damaged and was set aside; the node knows nothing until the control plane sends it"
    );
    Ok(None)
}

/// The state is whole: what was deleted on the way to it cannot arrive again.
fn settle(gateway: &Gateway, position: &Position) {
    let revision = position.revision;
    gateway.apply(&ChangeBatch { revision, snapshot: false, changes: Vec::new() });
    gateway.forget_deleted(revision);
}

fn put_aside(path: &Path) -> io::Result<std::path::PathBuf> {
    let aside = path.with_extension("damaged");
    fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_that_is_still_to_come_is_no_contact() {
        let now = Timestamp::from_seconds(1_000);
        let since = |seconds| unheard(Some(Timestamp::from_seconds(seconds)), now);
        assert_eq!(since(940), Duration::from_secs(60));
        assert_eq!(since(1_001), Duration::ZERO, "clocks are a little apart");
        assert_eq!(since(1_003), Duration::MAX, "this machine's clock went back");
        assert_eq!(unheard(None, now), Duration::MAX);
    }
}
