//! Deliveries are tried in the background: some at a time, and few of one lane, so that a recipient that stalls holds
//! up no other.
//!
//! Invariant: no write is open while somebody is told; an attempt is leased in one write and settled in another. An
//! attempt of which nobody hears again is made again when its lease is over, under the same id. A row that cannot be
//! read stays where it is, is logged once, and holds up no other.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use forecourt_core::{
    actors::{Caller, Source},
    contact_points::ContactTarget,
    deliveries::{Delivery, DeliveryAttempt, DeliveryState, Failure, KEPT_FOR, LONGEST_WAIT},
    events::EventName,
    ids::{ContactPointId, EventId},
    random::Random,
};
use forecourt_store::{Legible, Unreadable};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::timeout,
};

use super::{
    attempts::{self, Problem, Taken},
    fan_out,
};
use crate::{App, Error, ErrorKind, contact_points, random::OsRandom, writes::Write};

/// How many notices are looked at at once.
const NOTICES_AT_ONCE: usize = 20;
/// For how long a notice that could not be spread is passed over.
const SET_ASIDE: Duration = Duration::from_secs(60);
/// How many deliveries one process tries at the same time.
const AT_ONCE: usize = 16;
/// How often full lanes are passed over in one look.
const LOOKS: usize = 8;
/// How much longer than an attempt can last it belongs to whoever makes it.
const RESERVE: Duration = Duration::from_secs(15);
/// How often what ended long ago is removed.
const UPKEEP: Duration = Duration::from_secs(3_600);
/// How many of them one write removes.
const REMOVED_AT_ONCE: u64 = 2_000;

/// Whoever tries deliveries in this process.
#[derive(Debug)]
pub struct Courier {
    app: App,
    running: JoinSet<()>,
    /// The lane of each attempt that runs.
    lanes: HashMap<Id, String>,
    cleaned: Option<Instant>,
    /// Notices that could not be spread, and when each has its turn again.
    set_aside: HashMap<EventId, Instant>,
    /// The rows that cannot be read and that were logged.
    logged: HashSet<String>,
}

impl Courier {
    /// One that does nothing yet.
    pub fn new(app: App) -> Self {
        Self {
            app,
            running: JoinSet::new(),
            lanes: HashMap::new(),
            cleaned: None,
            set_aside: HashMap::new(),
            logged: HashSet::new(),
        }
    }

    /// Makes deliveries of what happened, and begins with what is due. Whether there may be more to begin with at once.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn round(&mut self) -> Result<bool, Error> {
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.ended(ended);
        }
        let caller = Caller::system(Source::Job, self.app.new_request_id());
        // Each goes on whatever became of the one before: what is due is no worse for a notice that cannot be spread.
        let told = self.spread(&caller).await;
        let begun = self.begin(&caller).await;
        let cleaned = self.clean(&caller).await;
        let told = told?;
        begun?;
        cleaned?;
        Ok(told)
    }

    /// Makes deliveries of the oldest notices; whether there was one. The first error is told once each had its turn; a
    /// notice that the database takes and that fails all the same is passed over for a minute, and so holds up no other.
    async fn spread(&mut self, caller: &Caller) -> Result<bool, Error> {
        let most = NOTICES_AT_ONCE + self.set_aside.len();
        let waiting = self.app.read().notices(most as u64).await?;
        let mut waiting = self.legible("a notice", waiting);
        // What somebody else has told of meanwhile need not be remembered.
        self.set_aside.retain(|id, _| waiting.iter().any(|notice| notice.event_id == *id));
        let now = Instant::now();
        waiting.retain(|notice| self.set_aside.get(&notice.event_id).is_none_or(|until| *until <= now));
        waiting.truncate(NOTICES_AT_ONCE);
        let mut outcome = Ok(!waiting.is_empty());
        for notice in waiting {
            let told = fan_out::told(&self.app, caller, &notice).await;
            if told.as_ref().is_err_and(|error| error.kind() != ErrorKind::Unavailable) {
                self.set_aside.insert(notice.event_id, now + SET_ASIDE);
            }
            outcome = outcome.and(told.map(|()| true));
        }
        outcome
    }

    /// What can be read; the rest is logged, once.
    fn legible<T>(&mut self, what: &str, found: Legible<T>) -> Vec<T> {
        for Unreadable { id, error } in found.unreadable {
            if !self.logged.contains(&id) {
                tracing::error!(error.cause = %error, row.id = %id, "{what} cannot be read and is passed over");
                self.logged.insert(id);
            }
        }
        found.rows
    }

    /// Returns when an attempt ended, or when something became due in this process.
    pub async fn changed(&mut self) {
        tokio::select! {
            () = self.app.messages_due().notified() => {}
            Some(ended) = self.running.join_next_with_id() => self.ended(ended),
        }
    }

    /// Ends when what is being tried has ended, or after `most`; what has not is tried again by whoever comes next.
    pub async fn drain(mut self, most: Duration) {
        let last = async { while self.running.join_next().await.is_some() {} };
        if timeout(most, last).await.is_err() {
            tracing::info!("deliveries that take long were broken off; they are tried again");
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!("an attempt at a delivery ended early by a panic");
                error.id()
            }
        };
        self.lanes.remove(&id);
    }

    fn running_in(&self, lane: &str) -> usize {
        self.lanes.values().filter(|running| *running == lane).count()
    }

    /// The lanes in which nothing more may begin.
    fn full_lanes(&self) -> Vec<String> {
        let mut full: Vec<String> = self.lanes.values().cloned().collect();
        full.sort();
        full.dedup();
        full.retain(|lane| self.running_in(lane) >= Delivery::lane_width(lane));
        full
    }

    /// Begins with as much as may run.
    async fn begin(&mut self, caller: &Caller) -> Result<(), Error> {
        for _ in 0..LOOKS {
            let free = AT_ONCE.saturating_sub(self.running.len());
            let full = self.full_lanes();
            // Writers take turns, so nobody asks for one without need.
            if free == 0 {
                return Ok(());
            }
            let due = self.app.read().due_deliveries(self.app.now(), &full, 1).await?;
            if self.legible("a delivery", due).is_empty() {
                return Ok(());
            }
            for delivery in self.leased(caller, &full, free).await? {
                let (app, caller, lane) = (self.app.clone(), caller.clone(), delivery.lane());
                let started = self.running.spawn(async move { settled(&app, &caller, delivery).await });
                self.lanes.insert(started.id(), lane);
            }
        }
        Ok(())
    }

    /// Takes what is due for this process, no more of a lane than may run.
    async fn leased(&self, caller: &Caller, full: &[String], free: usize) -> Result<Vec<Delivery>, Error> {
        let write = self.app.begin(caller).await?;
        let now = write.now;
        let lease = i64::try_from((longest(&self.app) + RESERVE).as_secs()).unwrap_or(i64::MAX);
        let mut taken: Vec<Delivery> = Vec::new();
        for delivery in write.due_deliveries(now, full, free as u64).await?.rows {
            let lane = delivery.lane();
            let same = taken.iter().filter(|taken| taken.lane() == lane).count();
            if same + self.running_in(&lane) < Delivery::lane_width(&lane) {
                let delivery = delivery.leased(now, lease);
                write.save_delivery(&delivery).await?;
                taken.push(delivery);
            }
        }
        write.into_tx().commit(now).await?;
        Ok(taken)
    }

    /// Once an hour: what ended long ago is removed, and what a clock that was wrong put off for ever is tried.
    async fn clean(&mut self, caller: &Caller) -> Result<(), Error> {
        if self.cleaned.is_some_and(|last| last.elapsed() < UPKEEP) {
            return Ok(());
        }
        let write = self.app.begin(caller).await?;
        let now = write.now;
        let stranded = write.advance_deliveries(now.plus_seconds(LONGEST_WAIT), now).await?;
        if stranded > 0 {
            tracing::warn!(
                deliveries = stranded,
                "deliveries waited for a time that lies too far ahead, so the clock was set back: they are tried now"
            );
        }
        write.delete_old_approval_links(now.plus_seconds(-KEPT_FOR)).await?;
        let gone = write.delete_ended_deliveries(now.plus_seconds(-KEPT_FOR), REMOVED_AT_ONCE).await?;
        write.into_tx().commit(now).await?;
        // Others write between two of its writes, and the next round goes on.
        if gone < REMOVED_AT_ONCE {
            self.cleaned = Some(Instant::now());
        }
        Ok(())
    }
}

/// How long an attempt can last: a mail three steps, before which connections are made.
fn longest(app: &App) -> Duration {
    app.message_time() * 4 + Duration::from_secs(10)
}

/// Tries one delivery, and writes down how it ended.
async fn settled(app: &App, caller: &Caller, delivery: Delivery) {
    let (at, started) = (app.now(), Instant::now());
    let outcome = match timeout(longest(app), attempts::attempt(app, &delivery)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Problem::Failure(Failure::later("it took too long"))),
    };
    let millis = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    let (status, error) = match &outcome {
        Ok(Taken { status }) => (Some(*status), String::new()),
        Err(Problem::Gone { .. }) => (Some(410), attempts::GONE.to_owned()),
        Err(Problem::Failure(failure)) => (failure.status, failure.kept()),
    };
    // The text may hold an address of somebody, which no log gets.
    tracing::info!(
        delivery.id = %delivery.id,
        delivery.event = delivery.event.name(),
        delivery.attempt = delivery.attempts,
        delivery.status = status,
        delivery.taken = outcome.is_ok(),
        "a delivery was tried"
    );
    let attempt = DeliveryAttempt { number: delivery.attempts, at, millis, status, error };
    if let Err(error) = settle(app, caller, &delivery, &attempt, outcome).await {
        tracing::warn!(error.cause = %error, delivery.id = %delivery.id, "how a delivery ended could not be written down; it is tried again");
    }
}

async fn settle(
    app: &App,
    caller: &Caller,
    tried: &Delivery,
    attempt: &DeliveryAttempt,
    outcome: Result<Taken, Problem>,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let now = write.now;
    let Some(delivery) = write.delivery(&tried.id).await? else { return Ok(()) };
    write.insert_delivery_attempt(&tried.id, attempt).await?;
    // Whoever took it when our lease was over tells how it is.
    let is_ours = delivery.attempts == tried.attempts && delivery.state == DeliveryState::Waiting;
    let is_taken = outcome.is_ok();
    let settled = match outcome {
        Ok(Taken { .. }) => delivery.delivered(now),
        Err(Problem::Failure(failure)) => delivery.failed(&failure, chance(), now),
        Err(Problem::Gone { id, url }) => match gone(&mut write, &id, &url).await? {
            true => delivery.failed(&Failure::never(attempts::GONE), 0, now),
            false => delivery.failed(&Failure::later(attempts::MOVED), chance(), now),
        },
    };
    let state = match (is_ours, is_taken) {
        (true, _) => settled.state,
        (false, true) => DeliveryState::Delivered,
        (false, false) => DeliveryState::Waiting,
    };
    app.delivery_tallies().count(tried.contact_type, state);
    if is_ours {
        write.save_delivery(&settled).await?;
    }
    write.commit().await
}

/// Has a contact point called no more whose webhook answered at `url` that it is gone. Whether that is its address yet;
/// somebody may have given it another while the call was under way.
async fn gone(write: &mut Write<'_>, id: &ContactPointId, url: &str) -> Result<bool, Error> {
    let Some(found) = write.contact_point(id).await? else { return Ok(true) };
    if !matches!(&found.target, ContactTarget::Webhook(address) if address == url) {
        return Ok(false);
    }
    if found.gone_at.is_none() {
        let gone = found.gone(write.now);
        write.save_contact_point(&gone).await?;
        contact_points::tell(write, EventName::ContactPointGone, &gone);
    }
    Ok(true)
}

/// From 0 to 999, evenly enough.
fn chance() -> u16 {
    let mut bytes = [0u8; 2];
    OsRandom.fill(&mut bytes);
    u16::from_le_bytes(bytes) % 1_000
}
