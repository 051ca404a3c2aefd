//! Holding a stream to one of the control planes, whichever answers.
//!
//! A stream that breaks, ends, or is silent for twice the promised time is opened again, at the next address; waiting
//! grows from [`SHORTEST`] to [`LONGEST`] while none answers. A node that was turned away keeps asking slowly, says so,
//! and serves what it knows until that is too old.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use forecourt_core::{gateway_state::Kind, ids::NodeId, time::Timestamp};
use forecourt_wire::sync::{
    ACKNOWLEDGEMENTS, Acknowledgement, GoodbyeReason, Hello, Message, Position, WATCH,
};
use http::StatusCode;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use url::Url;

use super::{
    clock::CorrectedClock,
    connection::{Connection, Dialer, Messages, Refusal},
    intake::{Begun, Intake, Outcome},
    keeper::{Keeper, Kept},
};
use crate::Gateway;

/// The shortest and the longest wait before another attempt.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// The wait after the control plane would not have this node.
const TURNED_AWAY: Duration = Duration::from_secs(10);
/// How long a control plane may take for its first word.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// The longest silence that a control plane may ask for.
const MOST_SILENCE: Duration = Duration::from_secs(300);
/// How long a stream that cannot be kept on the disk goes on before it is opened anew.
const UNKEPT: Duration = Duration::from_secs(10);
/// How often the last contact is written down.
const NOTE: Duration = Duration::from_secs(10);

/// What others see of the client.
#[derive(Clone, Default)]
pub(crate) struct Link {
    /// The connection of the stream that is open.
    pub(crate) connection: Option<Arc<Connection>>,
    /// Whether everything that the control plane said is in force, from the disk or from it.
    pub(crate) is_whole: bool,
    /// The kinds of rows in which the state was found to differ.
    pub(crate) drift: Vec<Kind>,
    /// Whether the control plane would not have this node.
    pub(crate) is_turned_away: bool,
}

/// What feeds a node's gateway.
pub struct Following(pub(super) Client);

impl Following {
    /// Follows the control plane, until the future is dropped. Where that broke off, it can be begun anew.
    pub async fn run(&mut self) {
        self.0.run().await;
    }
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").field("node", &self.0.node).finish_non_exhaustive()
    }
}

/// Keeps one node fed.
pub(crate) struct Client {
    pub(crate) node: NodeId,
    /// Which start of this process it is.
    pub(crate) instance: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) address: String,
    pub(crate) control_planes: Vec<Url>,
    pub(crate) dialer: Dialer,
    pub(crate) gateway: Gateway,
    pub(crate) clock: CorrectedClock,
    pub(crate) intake: Intake,
    pub(crate) keeper: Keeper,
    pub(crate) link: watch::Sender<Link>,
}

/// How an attempt ended.
enum Ended {
    /// At once again, here: the control plane has the remedy.
    Again,
    /// At once again, elsewhere if there is another.
    Elsewhere,
    /// After a while, elsewhere if there is another; this is why.
    Failed(String),
    /// Not for a while; this is why.
    TurnedAway(String),
}

impl Client {
    /// Feeds the gateway until the future is dropped.
    pub(crate) async fn run(&mut self) {
        // Of an earlier run that broke off.
        self.link.send_modify(|link| link.connection = None);
        let mut turn = 0;
        let mut wait = SHORTEST;
        let is_quiet = AtomicBool::new(false);
        loop {
            let Some(url) = self.control_planes.get(turn % self.control_planes.len().max(1)).cloned() else {
                return;
            };
            let began = Instant::now();
            let ended = self.attempt(&url).await;
            self.link.send_modify(|link| {
                link.connection = None;
                link.is_turned_away = matches!(ended, Ended::TurnedAway(_));
                link.drift = self.intake.drift().to_vec();
            });
            if began.elapsed() > LONGEST {
                wait = SHORTEST;
                is_quiet.store(false, Ordering::Relaxed);
            }
            match ended {
                Ended::Again => sleep(jittered(SHORTEST)).await,
                Ended::Elsewhere => {
                    turn += 1;
                    sleep(jittered(SHORTEST)).await;
                }
                Ended::Failed(why) => {
                    // Said once per outage and address, and then only to those who look closely.
                    if is_quiet.load(Ordering::Relaxed) {
                        tracing::debug!(control_plane = %url, error.cause = why, "still no stream");
                    } else {
                        tracing::warn!(
                            control_plane = %url,
                            error.cause = why,
                            "no stream from the control plane; the node serves what it knows and tries again"
                        );
                    }
                    turn += 1;
                    if turn % self.control_planes.len().max(1) == 0 {
                        is_quiet.store(true, Ordering::Relaxed);
                    }
                    sleep(jittered(wait)).await;
                    wait = (wait * 2).min(LONGEST);
                }
                Ended::TurnedAway(why) => {
                    tracing::error!(
                        control_plane = %url,
                        error.cause = why,
                        "the control plane does not take this node: its token is wrong or was removed, or the node \
                         was; the node serves what it knows until that is too old"
                    );
                    turn += 1;
                    sleep(jittered(TURNED_AWAY)).await;
                }
            }
        }
    }

    async fn attempt(&mut self, url: &Url) -> Ended {
        let connection = match self.dialer.connect(url).await {
            Ok(connection) => Arc::new(connection),
            Err(refusal) => return Ended::from(refusal),
        };
        let Begun { stream, position, in_force, drift } = self.intake.begin(&self.keeper).await;
        let hello = Hello {
            node: self.node.clone(),
            instance: self.instance.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            address: self.address.clone(),
            position,
            in_force,
            drift,
        };
        let response = match connection.post(WATCH, &hello).await {
            Ok(response) => response,
            Err(refusal) => return Ended::from(refusal),
        };
        // Ends with this attempt.
        let mut beside = JoinSet::new();
        let drift = watch::Sender::new(Vec::new());
        let acknowledging = Acknowledging {
            node: self.node.clone(),
            instance: self.instance.clone(),
            stream,
            connection: Arc::clone(&connection),
            kept: self.keeper.kept(),
            drift: drift.subscribe(),
        };
        beside.spawn(acknowledging.run());
        let ended = self.listen(&connection, Messages::new(response.into_body()), stream, &drift).await;
        if matches!(ended, Ended::Again) {
            // What differs should be known before the next stream; the next `Hello` says it too.
            sleep(SHORTEST).await;
        }
        self.note_contact();
        ended
    }

    async fn listen(
        &mut self,
        connection: &Arc<Connection>,
        mut messages: Messages<hyper::body::Incoming>,
        stream: u64,
        drift: &watch::Sender<Vec<Kind>>,
    ) -> Ended {
        let mut silence = FIRST_WORD;
        let mut noted: Option<Instant> = None;
        let mut kept = self.keeper.kept();
        let mut give_up: Option<Instant> = None;
        loop {
            if give_up.is_none() && kept.borrow_and_update().lost == Some(stream) {
                give_up = Some(Instant::now() + UNKEPT);
            }
            let next = tokio::select! {
                next = messages.next(silence) => next,
                () = until(give_up) => return Ended::Again,
                Ok(()) = kept.changed(), if give_up.is_none() => continue,
            };
            let message = match next {
                Ok(Some(message)) => message,
                Ok(None) => return Ended::Failed("the stream ended".into()),
                Err(why) => return Ended::Failed(why),
            };
            // Only these say that everything up to now was told: a greeting, or half a state, makes nothing fresh.
            let is_up_to_date = matches!(message, Message::Reached { .. } | Message::Heartbeat { .. });
            if let Message::Goodbye { reason } = &message {
                tracing::info!(?reason, "the control plane ended the stream");
            }
            let outcome = self.intake.take(message, &self.keeper);
            if is_up_to_date && matches!(outcome, Ok(Outcome::GoOn | Outcome::Reached(_))) {
                self.gateway.heard(Duration::ZERO);
            }
            match outcome {
                Err(why) => return Ended::Failed(why),
                Ok(Outcome::GoOn) => {}
                Ok(Outcome::Welcome(heartbeat_ms)) => {
                    tracing::info!(node = %self.node, "the control plane took this node");
                    silence =
                        Duration::from_millis(heartbeat_ms.saturating_mul(2)).clamp(SHORTEST, MOST_SILENCE);
                    self.link.send_modify(|link| link.connection = Some(Arc::clone(connection)));
                }
                Ok(Outcome::Reached(_)) => self.link.send_modify(|link| {
                    link.is_whole = true;
                    link.drift = self.intake.drift().to_vec();
                }),
                Ok(Outcome::Goodbye(GoodbyeReason::Removed)) => {
                    return Ended::TurnedAway("the node or its token was removed".into());
                }
                Ok(Outcome::Goodbye(GoodbyeReason::Stopping)) => return Ended::Elsewhere,
                Ok(Outcome::Goodbye(GoodbyeReason::Replaced)) => {
                    return Ended::TurnedAway(
                        "a node with the same id opened another stream: was its data folder copied?".into(),
                    );
                }
                Ok(Outcome::Differs(kinds)) => {
                    drift.send_replace(kinds);
                    return Ended::Again;
                }
            }
            if self.intake.in_force().is_some() && noted.is_none_or(|noted| noted.elapsed() > NOTE) {
                self.note_contact();
                noted = Some(Instant::now());
            }
        }
    }

    fn note_contact(&self) {
        if self.intake.in_force().is_some() {
            let ago = i64::try_from(self.gateway.unheard().as_micros()).unwrap_or(i64::MAX);
            let at = Timestamp::from_micros(self.clock.now().micros().saturating_sub(ago));
            self.keeper.contact(at, self.clock.offset());
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.note_contact();
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            // Only who shows wrong tokens is told to wait.
            Refusal::Answered(
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS,
                _,
            ) => Self::TurnedAway(refusal.to_string()),
            _ => Self::Failed(refusal.to_string()),
        }
    }
}

/// Tells the control plane what is in force and on the disk, one acknowledgement at a time.
struct Acknowledging {
    node: NodeId,
    instance: String,
    stream: u64,
    connection: Arc<Connection>,
    kept: watch::Receiver<Kept>,
    drift: watch::Receiver<Vec<Kind>>,
}

impl Acknowledging {
    async fn run(mut self) {
        let mut told: Option<(Position, Vec<Kind>)> = None;
        loop {
            let drift = self.drift.borrow_and_update().clone();
            let position = {
                let kept = self.kept.borrow_and_update();
                // A position from before this stream might be of another line of revisions.
                kept.position.clone().filter(|_| kept.stream == self.stream)
            };
            let news = position.map(|position| (position, drift));
            if let Some((position, drift)) = news.filter(|news| told.as_ref() != Some(news)) {
                let (node, instance) = (self.node.clone(), self.instance.clone());
                let word = Acknowledgement { node, instance, position, drift };
                match self.connection.ask(ACKNOWLEDGEMENTS, &word).await {
                    Ok(_) => told = Some((word.position, word.drift)),
                    Err(refusal) => {
                        let revision = word.position.revision;
                        tracing::debug!(error.cause = %refusal, revision, "an acknowledgement was not taken");
                        let _pause = timeout_at(Instant::now() + LONGEST, self.kept.changed()).await;
                    }
                }
                continue;
            }
            tokio::select! {
                changed = self.kept.changed() => if changed.is_err() { return },
                changed = self.drift.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Between half of this time and all of it, so that nodes that lost the same control plane do not return as one.
fn jittered(time: Duration) -> Duration {
    let part = getrandom::u32().map_or(0, |number| number % 1_000);
    time / 2 + time / 2 * part / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_to_wait_for_a_wrong_token_is_turned_away_and_asks_seldom() {
        for (status, is_turned_away) in [
            (StatusCode::UNAUTHORIZED, true),
            (StatusCode::FORBIDDEN, true),
            (StatusCode::TOO_MANY_REQUESTS, true),
            (StatusCode::INTERNAL_SERVER_ERROR, false),
            (StatusCode::SERVICE_UNAVAILABLE, false),
        ] {
            let ended = Ended::from(Refusal::Answered(status, "why".into()));
            assert_eq!(matches!(ended, Ended::TurnedAway(_)), is_turned_away, "{status}");
        }
    }
}
