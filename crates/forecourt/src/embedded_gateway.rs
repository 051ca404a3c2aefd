//! The gateway in this process: fed from the change log by revision, as a node on another machine is.
//!
//! Invariant: the gateway hears changes from one loop alone, which starts from a snapshot and never skips a revision.
//! A change by this process wakes the loop at once; changes by others on the same database are found by looking.

use std::time::Duration;

use forecourt_app::{
    App, gateway_feed,
    nodes::{self, EmbeddedNode},
};
use forecourt_core::ids::{GatewayGroupId, NodeId};
use forecourt_gateway::Gateway;
use tokio::{sync::watch, task::JoinHandle};

/// How often the change log is read when nobody wakes the loop.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// After so many revisions the gateway drops its memory of deleted rows, about 60 bytes each.
const FORGET_EVERY: i64 = 4_096;

/// The feed of a running gateway.
#[derive(Debug)]
pub struct Feed {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    app: App,
    node: NodeId,
}

/// Applies the first snapshot, then follows the change log until [`Feed::stop`].
///
/// From now on the use cases of `app` answer once a change is in force in `gateway`.
///
/// # Errors
/// When the first snapshot cannot be read.
pub async fn follow(
    app: App,
    gateway: Gateway,
    embedded: EmbeddedNode,
) -> Result<Feed, forecourt_app::Error> {
    let (node, group) = (embedded.id.clone(), embedded.group.clone());
    let mut position = gateway_feed::Position::default();
    // Taken before the snapshot, so that a change while it is read is seen as one.
    let mut latest = gateway_feed::latest(&app);
    apply(&app, &gateway, &group, &mut position).await?;
    // Without its group it serves nothing and is nobody's node; the group may be made later.
    if let Err(error) = nodes::register_embedded(&app, embedded).await {
        tracing::warn!(
            error.cause = %error, gateway_group.id = %group,
            "this process's gateway is not listed among the nodes: is there such a gateway group?"
        );
    }
    acknowledge(&app, &gateway, &node).await;
    gateway_feed::embed(&app, gateway.applied());
    let (stop, mut stopped) = watch::channel(false);
    let feed = |task| Feed { stop, task, app: app.clone(), node: node.clone() };
    let (app, node) = (app.clone(), node.clone());
    let task = tokio::spawn(async move {
        let mut is_away = false;
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                _ = tokio::time::sleep(LOOK_AGAIN) => {}
                changed = latest.changed(), if !is_away => if changed.is_err() { return },
            }
            let outcome = apply(&app, &gateway, &group, &mut position).await;
            match &outcome {
                Err(error) if !is_away => tracing::warn!(
                    error.cause = %error,
                    "the change log cannot be read; the gateway goes on with what it knows"
                ),
                Ok(()) if is_away => tracing::info!("the change log can be read again"),
                _ => {}
            }
            is_away = outcome.is_err();
            if !is_away {
                acknowledge(&app, &gateway, &node).await;
            }
        }
    });
    Ok(feed(task))
}

/// Tells what is in force here; kept in memory and written beside, so it costs nothing.
async fn acknowledge(app: &App, gateway: &Gateway, node: &NodeId) {
    let applied = *gateway.applied().borrow();
    if let Err(error) = nodes::acknowledge(app, node, applied, &[]).await {
        tracing::debug!(error.cause = %error, gateway.revision = applied, "a revision was not acknowledged");
    }
}

impl Feed {
    /// Ends the loop, and notes that this node hears of nothing any more.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(error.cause = %error, "the gateway's feed ended early");
        }
        nodes::disconnected(&self.app, &self.node);
        if let Err(error) = nodes::write_down(&self.app).await {
            tracing::warn!(error.cause = %error, "what nodes last told could not be written down");
        }
    }
}

async fn apply(
    app: &App,
    gateway: &Gateway,
    group: &GatewayGroupId,
    position: &mut gateway_feed::Position,
) -> Result<(), forecourt_app::Error> {
    let is_other_line = gateway_feed::left_the_line(app, position).await?;
    let batch = gateway_feed::changes(app, group, position).await?;
    // The database answered: what is in force is what it says, or will be in a moment.
    gateway.heard(Duration::ZERO);
    let position_before = *gateway.applied().borrow();
    if !batch.snapshot && batch.revision <= position_before {
        return Ok(());
    }
    if batch.snapshot {
        // A large one takes seconds of computing: beside the threads that answer requests.
        let gateway = gateway.clone();
        let applied = tokio::task::spawn_blocking(move || match is_other_line {
            true => gateway.replace(&batch),
            false => gateway.apply(&batch),
        })
        .await;
        if let Err(error) = applied {
            *position = gateway_feed::Position::default();
            tracing::error!(error.cause = %error, "a snapshot could not be applied");
        }
    } else {
        gateway.apply(&batch);
        // This loop reads in order and is alone: nothing at or before its position can arrive any more. Looking
        // through all rows for deleted ones costs milliseconds, so it is done now and then.
        if batch.revision / FORGET_EVERY > position_before / FORGET_EVERY {
            gateway.forget_deleted(batch.revision);
        }
    }
    Ok(())
}
