//! What a caller's connection, its requests and its alarm know together: marks of time, and what follows from them.
//!
//! Reads and writes leave marks here (`sockets.rs`), streams leave theirs (`uploads.rs`), and an alarm that goes off
//! rarely compares them with the limits (`serving.rs`), so a request costs no timer. Times are milliseconds since
//! the connection was accepted.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    Config,
    certificates::Served,
    forwarded::Hop,
    load::{Load, Seat},
    meter::Meter,
    uploads::Stream,
};

const LONGEST_LINGERING: Duration = Duration::from_secs(2);
const NEVER: u64 = u64::MAX;

/// The watch over one connection.
pub(crate) struct Watch {
    /// Where the connection came from.
    pub(crate) hop: Hop,
    /// The certificate that it was opened with, over TLS.
    pub(crate) shown: Option<Arc<Served>>,
    /// Whether it speaks HTTP/2.
    pub(crate) is_http2: bool,
    /// What its request ids are made from.
    pub(crate) id_seed: u64,
    /// Where its requests are counted.
    pub(crate) meter: Arc<Meter>,
    load: Arc<Load>,
    _seat: Seat,
    opened: Instant,
    place: AtomicU8,
    head_since: AtomicU64,
    read_waits_since: AtomicU64,
    write_waits_since: AtomicU64,
    closing_since: AtomicU64,
    in_flight: AtomicU32,
    requests: AtomicU64,
    answered_at: AtomicU64,
    ambiguous: AtomicU64,
    is_tunnel: AtomicBool,
    is_too_slow: AtomicBool,
    streams: Mutex<Vec<Arc<Stream>>>,
}

/// What a request learns when it begins.
pub(crate) struct Begun {
    /// Its number on the connection, from 0.
    pub(crate) number: u64,
    /// Its head can be read in two ways (`framing.rs`).
    pub(crate) is_ambiguous: bool,
    /// More requests are in flight than may be.
    pub(crate) is_too_many: bool,
    /// Its head holds more fields than may be, which nobody checked before over HTTP/2.
    pub(crate) has_too_many_fields: bool,
    /// Its own marks, where the connection carries several requests at once.
    pub(crate) stream: Option<Arc<Stream>>,
}

/// What the alarm is to do.
pub(crate) enum Alarm {
    /// Nothing; look again after this time.
    LookAgain(Duration),
    /// Answer 408 and close: [`Watch::give_up_head`].
    HeadTooSlow,
    /// Close.
    Cut,
}

/// Where a connection's bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// Between requests.
    Between,
    /// In a head; its request line is not complete.
    Head,
    /// In a head behind its request line.
    HeadWithLine,
    /// In the head of one of several streams.
    StreamHead,
    /// In a body.
    Body,
    /// Not followed.
    Lost,
}

impl Watch {
    /// The watch over a connection that was accepted at `opened`.
    pub(crate) fn new(
        hop: Hop,
        shown: Option<Arc<Served>>,
        is_http2: bool,
        opened: Instant,
        meter: Arc<Meter>,
        (id_seed, load, seat): (u64, Arc<Load>, Seat),
    ) -> Self {
        Self {
            hop,
            shown,
            is_http2,
            id_seed,
            meter,
            load,
            _seat: seat,
            opened,
            place: AtomicU8::new(Standing::Between as u8),
            head_since: AtomicU64::new(0),
            read_waits_since: AtomicU64::new(NEVER),
            write_waits_since: AtomicU64::new(NEVER),
            closing_since: AtomicU64::new(NEVER),
            in_flight: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
            ambiguous: AtomicU64::new(NEVER),
            is_tunnel: AtomicBool::new(false),
            is_too_slow: AtomicBool::new(false),
            streams: Mutex::default(),
        }
    }

    /// Marks a request as begun; [`Self::end_request`] must follow.
    pub(crate) fn begin_request(&self, most_in_flight: usize) -> Begun {
        self.in_flight.fetch_add(1, Relaxed);
        let number = self.requests.fetch_add(1, Relaxed);
        let stream = self.is_http2.then(|| {
            let stream = Arc::new(Stream::new(self.opened));
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stream));
            stream
        });
        Begun {
            number,
            is_ambiguous: number == self.ambiguous.load(Relaxed),
            is_too_many: self.load.begin(most_in_flight),
            has_too_many_fields: false,
            stream,
        }
    }

    /// Marks a request as answered to its end.
    pub(crate) fn end_request(&self, stream: Option<&Arc<Stream>>) {
        self.answered_at.store(self.now(), Relaxed);
        self.in_flight.fetch_sub(1, Relaxed);
        self.load.end();
        if let Some(stream) = stream {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.retain(|other| !Arc::ptr_eq(other, stream));
        }
    }

    /// From here on the connection carries something else than HTTP.
    pub(crate) fn become_tunnel(&self) {
        self.is_tunnel.store(true, Relaxed);
    }

    /// Whether it carries something else than HTTP.
    pub(crate) fn is_tunnel(&self) -> bool {
        self.is_tunnel.load(Relaxed)
    }

    /// The next read answers 408 and fails.
    pub(crate) fn give_up_head(&self) {
        self.is_too_slow.store(true, Relaxed);
    }

    /// Whether [`Self::give_up_head`] was said.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.is_too_slow.load(Relaxed)
    }

    /// Whether only the caller's end is waited for.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing_since.load(Relaxed) != NEVER
    }

    /// From here on only the caller's end is waited for.
    pub(crate) fn begin_closing(&self) {
        self.closing_since.store(self.now(), Relaxed);
    }

    /// Whether nothing has been asked or written for so long.
    pub(crate) fn has_rested(&self, time: Duration) -> bool {
        let since = Duration::from_millis(self.now().saturating_sub(self.answered_at.load(Relaxed)));
        self.is_idle() && self.write_waits_since.load(Relaxed) == NEVER && since >= time
    }

    /// Whether no request is in flight.
    fn is_idle(&self) -> bool {
        self.in_flight.load(Relaxed) == 0
    }

    /// Whether a limit has passed, else when to look again.
    pub(crate) fn look(&self, config: &Config) -> Alarm {
        let now = self.now();
        let is_past = |since: u64, limit: Duration| {
            since != NEVER && now.saturating_sub(since) >= u64::try_from(limit.as_millis()).unwrap_or(NEVER)
        };
        let shortest = config.shortest_wait();
        let next = |since: u64, limit: Duration| {
            let left = limit.saturating_sub(Duration::from_millis(now.saturating_sub(since)));
            Alarm::LookAgain(left.clamp(Duration::from_millis(1), shortest))
        };
        let place = self.place.load(Relaxed);
        let is_at = |standing: Standing| place == standing as u8;
        let answered_at = self.answered_at.load(Relaxed);
        let head_since = self.head_since.load(Relaxed);
        if is_past(self.closing_since.load(Relaxed), LONGEST_LINGERING)
            || is_past(self.write_waits_since.load(Relaxed), config.body_idle_timeout)
            || (is_at(Standing::Body)
                && is_past(self.read_waits_since.load(Relaxed), config.body_idle_timeout))
            || (is_at(Standing::StreamHead) && is_past(head_since, config.header_timeout))
            || is_past(self.longest_wait(), config.body_idle_timeout)
        {
            return Alarm::Cut;
        }
        if is_at(Standing::StreamHead) {
            return next(head_since, config.header_timeout);
        }
        if !self.is_idle() {
            return Alarm::LookAgain(shortest);
        }
        if is_at(Standing::Head) || is_at(Standing::HeadWithLine) {
            let since = head_since.max(answered_at);
            if !is_past(since, config.header_timeout) {
                return next(since, config.header_timeout);
            }
            return if is_at(Standing::HeadWithLine) { Alarm::HeadTooSlow } else { Alarm::Cut };
        }
        // A tunnel may rest as long as it likes; a caller who can no longer be followed may not.
        if !is_at(Standing::Between) && (!is_at(Standing::Lost) || self.is_tunnel()) {
            return Alarm::LookAgain(shortest);
        }
        let is_first = self.requests.load(Relaxed) == 0;
        let limit = if is_first { config.header_timeout } else { config.keep_alive_timeout };
        if is_past(answered_at, limit) { Alarm::Cut } else { next(answered_at, limit) }
    }

    /// The bytes that came have led to here; `request` is one of them that is ambiguous.
    pub(crate) fn note_read(&self, standing: Standing, begins_head: bool, ambiguous: Option<u64>) {
        if begins_head {
            self.head_since.store(self.now(), Relaxed);
        }
        if let Some(request) = ambiguous {
            self.ambiguous.store(request, Relaxed);
        }
        self.place.store(standing as u8, Relaxed);
    }

    /// Something could be read.
    pub(crate) fn note_readable(&self) {
        self.read_waits_since.store(NEVER, Relaxed);
    }

    /// Nothing can be read now.
    pub(crate) fn note_silence(&self) {
        if self.place.load(Relaxed) == Standing::Body as u8 && self.read_waits_since.load(Relaxed) == NEVER {
            self.read_waits_since.store(self.now(), Relaxed);
        }
    }

    /// A write did or did not find room.
    pub(crate) fn note_write(&self, is_waiting: bool) {
        let since = self.write_waits_since.load(Relaxed);
        if is_waiting && since == NEVER {
            self.write_waits_since.store(self.now(), Relaxed);
        } else if !is_waiting && since != NEVER {
            self.write_waits_since.store(NEVER, Relaxed);
        }
    }

    /// Milliseconds since the connection was accepted.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(0)
    }

    fn longest_wait(&self) -> u64 {
        if !self.is_http2 {
            return NEVER;
        }
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.iter().map(|stream| stream.waits_since()).min().unwrap_or(NEVER)
    }
}
