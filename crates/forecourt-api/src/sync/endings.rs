//! What ends a node's stream: the process stops, the node opened another, or its right to it was taken away.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use forecourt_app::{
    App,
    nodes::{self, Admitted, Standing},
};
use forecourt_core::ids::NodeId;
use forecourt_wire::sync::GoodbyeReason;
use tokio::sync::{oneshot, watch};

/// How often it is looked whether another process removed a node or its token, or let a node's other process in.
const LOOK: Duration = Duration::from_secs(1);

/// The streams of this process: one a node.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    stopping: watch::Receiver<bool>,
    open: Arc<Mutex<HashMap<NodeId, oneshot::Sender<()>>>>,
}

/// What ends one stream.
#[derive(Debug)]
pub(super) struct Endings {
    stopping: watch::Receiver<bool>,
    /// Answers, or fails, once the node has opened another stream.
    replaced: oneshot::Receiver<()>,
    removals: watch::Receiver<u64>,
}

impl Streams {
    pub(super) fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { stopping, open: Arc::default() }
    }

    /// Notes a new stream of a node, which ends an earlier one.
    pub(super) fn open(&self, app: &App, admitted: &Admitted) -> Endings {
        let (replace, replaced) = oneshot::channel();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Streams that have ended are dropped here: a node that is gone for good leaves nothing behind for long.
        open.retain(|_, replace| !replace.is_closed());
        if let Some(earlier) = open.insert(admitted.node.clone(), replace) {
            let _ended_by_itself = earlier.send(());
        }
        Endings { stopping: self.stopping.clone(), replaced, removals: nodes::removals(app) }
    }
}

impl Endings {
    /// Waits until the stream must end, and tells why.
    pub(super) async fn wait(&mut self, app: &App, admitted: &Admitted) -> GoodbyeReason {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                // Whoever could have asked is gone, which is a stop too.
                _ = self.stopping.wait_for(|stopping| *stopping) => return GoodbyeReason::Stopping,
                _ = &mut self.replaced => return GoodbyeReason::Replaced,
                removed = self.removals.changed() => if removed.is_err() { return GoodbyeReason::Stopping },
                _ = look.tick() => {}
            }
            // While the database is away nothing can be removed either.
            match nodes::standing(app, admitted).await {
                Ok(Standing::Removed) => return GoodbyeReason::Removed,
                Ok(Standing::Replaced) => return GoodbyeReason::Replaced,
                Ok(Standing::Admitted) | Err(_) => {}
            }
        }
    }
}
