//! One node's stream: greeting, what it lacks, then each change as it comes, with signs of life in between.
//!
//! Invariant: a sign of life is sent only after the database was looked at, so a node that hears one has missed nothing
//! up to then; at most one page of rows waits for a slow node, and one that takes nothing for [`PATIENCE`] is let go.

use std::{convert::Infallible, time::Duration};

use axum::body::{Body, Bytes};
use forecourt_app::{
    App, Error,
    gateway_feed::{self, Following, News},
    nodes::{self, Admitted},
};
use forecourt_wire::sync::{Hello, Message};
use futures_util::stream;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{Config, endings::Endings};

/// How often the change log is looked at when nobody wakes the stream.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long a node may take no byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the last word may take.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A stream that was asked for and is allowed.
pub(super) struct Session {
    pub(super) app: App,
    pub(super) config: Config,
    pub(super) admitted: Admitted,
    pub(super) hello: Hello,
    pub(super) endings: Endings,
}

/// Why telling ended: the node is gone, or takes nothing.
struct Gone;

/// Where messages go.
struct Wire {
    sender: mpsc::Sender<Bytes>,
    last_sent: Instant,
}

impl Session {
    /// Tells the node, beside the request, for as long as it listens.
    pub(super) fn start(self) -> Body {
        let (sender, mut receiver) = mpsc::channel(1);
        nodes::connected(&self.app, &self.admitted.node);
        tokio::spawn(self.run(sender));
        let lines = stream::poll_fn(move |context| receiver.poll_recv(context));
        Body::from_stream(stream::StreamExt::map(lines, Ok::<_, Infallible>))
    }

    async fn run(mut self, sender: mpsc::Sender<Bytes>) {
        let mut wire = Wire { sender: sender.clone(), last_sent: Instant::now() };
        let (app, admitted) = (self.app.clone(), self.admitted.clone());
        let ended = tokio::select! {
            reason = self.endings.wait(&app, &admitted) => Some(reason),
            Gone = tell(&app, &self.config, &admitted, &self.hello, &mut wire) => None,
            () = sender.closed() => None,
        };
        if let Some(reason) = ended {
            let _too_late = timeout(LAST_WORD, wire.send(&[Message::Goodbye { reason }])).await;
        }
        tracing::info!(node.id = %admitted.node, goodbye = ?ended, "a node's stream ended");
        nodes::disconnected(&app, &admitted.node, &admitted.instance);
    }
}

impl Wire {
    /// Sends these messages in one piece.
    async fn send(&mut self, messages: &[Message]) -> Result<(), Gone> {
        let mut lines = Vec::new();
        for message in messages {
            serde_json::to_writer(&mut lines, message).map_err(|error| {
                tracing::error!(error.cause = %error, "a message to a node could not be written");
                Gone
            })?;
            lines.push(b'\n');
        }
        let sent = timeout(PATIENCE, self.sender.send(lines.into())).await;
        self.last_sent = Instant::now();
        sent.map_err(|_| Gone)?.map_err(|_| Gone)
    }
}

async fn tell(app: &App, config: &Config, admitted: &Admitted, hello: &Hello, wire: &mut Wire) -> Gone {
    let Err(gone) = tell_all(app, config, admitted, hello, wire).await;
    gone
}

async fn tell_all(
    app: &App,
    config: &Config,
    admitted: &Admitted,
    hello: &Hello,
    wire: &mut Wire,
) -> Result<Infallible, Gone> {
    let heartbeat_ms = u64::try_from(config.heartbeat.as_millis()).unwrap_or(u64::MAX);
    wire.send(&[Message::Welcome { at: app.now(), heartbeat_ms }]).await?;
    // Taken before the first look, so that a change meanwhile is seen as one.
    let mut latest = gateway_feed::latest(app);
    let begun = Following::begin(app, &admitted.group, hello).await;
    let mut following = begun.map_err(|error| unreadable(admitted, &error))?;
    let mut checkpoint_at = Instant::now();
    loop {
        let news = following.next(app).await.map_err(|error| unreadable(admitted, &error))?;
        let is_told = news.is_empty();
        if !is_told {
            // Rows and the word that they are all go out together, so that they take effect together.
            let messages: Vec<_> = news.into_iter().map(|news| message(app, news)).collect();
            wire.send(&messages).await?;
            continue;
        }
        // Half of the promised silence, since a look takes time as well.
        if wire.last_sent.elapsed() >= config.heartbeat / 2 || checkpoint_at <= Instant::now() {
            let mut checkpoint = None;
            if checkpoint_at <= Instant::now() {
                checkpoint = following.checkpoint(app).await.map_err(|error| unreadable(admitted, &error))?;
            }
            if checkpoint.is_some() {
                checkpoint_at = Instant::now() + config.checkpoint;
            }
            wire.send(&[Message::Heartbeat { at: app.now(), checkpoint }]).await?;
            nodes::heard(app, &admitted.node);
        }
        tokio::select! {
            _ = latest.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN.min(config.heartbeat / 4)) => {}
        }
    }
}

/// A node whose control plane has lost its database goes to another one, or comes back.
fn unreadable(admitted: &Admitted, error: &Error) -> Gone {
    tracing::warn!(
        node.id = %admitted.node,
        error.cause = %error,
        "the change log cannot be read; the node's stream ends"
    );
    Gone
}

fn message(app: &App, news: News) -> Message {
    match news {
        News::Snapshot(reason) => Message::Snapshot { reason },
        News::Rows(changes) => Message::Rows { changes },
        News::Reached(position) => Message::Reached { position, at: app.now() },
    }
}
