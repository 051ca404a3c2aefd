//! Traces: which request belongs to which, as W3C Trace Context says it (<https://www.w3.org/TR/trace-context/>), and
//! what is told of a request that is sampled.
//!
//! Invariant: whoever calls us decides whether a trace is sampled; only where nobody called with one do we. Nothing but
//! methods, patterns of paths and statuses is told.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::time::Timestamp;

/// The field that carries a [`TraceContext`] over HTTP.
pub const FIELD: &str = "traceparent";

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace: u128,
    /// The request within it; never 0.
    pub span: u64,
    /// Whether it is to be told of.
    pub is_sampled: bool,
}

/// A request that was answered, and is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it belongs.
    pub context: TraceContext,
    /// The request that made it; `None`: it is the first of its trace.
    pub parent: Option<u64>,
    /// Which part answered: `admin`, `console`, `portal_api`, `site` or `gateway`.
    pub part: &'static str,
    /// The method.
    pub method: String,
    /// The pattern of the path, where one is known.
    pub route: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// When it came, and when the head of its answer was made.
    pub from: Timestamp,
    /// See `from`.
    pub until: Timestamp,
}

/// A request that is being answered.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// Where it belongs: what those hear that are called because of it.
    pub context: TraceContext,
    parent: Option<u64>,
    from: Timestamp,
}

/// What makes traces and takes spans. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Tracing(Arc<Parts>);

struct Parts {
    take: Box<dyn Fn(Span) + Send + Sync>,
    seed: u64,
    count: AtomicU64,
    sampled_percent: u64,
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracing").field("sampled_percent", &self.0.sampled_percent).finish_non_exhaustive()
    }
}

impl TraceContext {
    /// What a field of version 00 says, or the beginning of a later one; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex =
            |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let fits = [(version, 2), (trace, 32), (span, 16), (flags, 2)]
            .into_iter()
            .all(|(part, length)| part.len() == length && is_hex(part));
        // Later versions may have more parts.
        if !fits || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceContext {
    /// As the field has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

impl Tracing {
    /// Hands spans to `take`, which must not wait. `seed` is random; of traces that begin here so many of a hundred are
    /// sampled.
    pub fn new(seed: u64, sampled_percent: u64, take: impl Fn(Span) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Parts { take: Box::new(take), seed, count: AtomicU64::new(0), sampled_percent }))
    }

    /// Begins to tell of a request that came with this field, or without one.
    pub fn begin(&self, field: Option<&str>, now: Timestamp) -> Begun {
        let number = self.0.count.fetch_add(3, Ordering::Relaxed);
        let mixed = |more: u64| mix(self.0.seed.wrapping_add(number).wrapping_add(more)).max(1);
        let context = match field.and_then(TraceContext::parse) {
            Some(caller) => {
                let context = TraceContext { span: mixed(0), ..caller };
                return Begun { context, parent: Some(caller.span), from: now };
            }
            None => TraceContext {
                trace: (u128::from(mixed(1)) << 64) | u128::from(mixed(2)),
                span: mixed(0),
                is_sampled: mixed(0) % 100 < self.0.sampled_percent,
            },
        };
        Begun { context, parent: None, from: now }
    }

    /// Tells of a request that was answered, where it is sampled.
    pub fn end(
        &self,
        begun: Begun,
        part: &'static str,
        (method, route): (&str, Option<&str>),
        status: u16,
        now: Timestamp,
    ) {
        if begun.context.is_sampled {
            (self.0.take)(Span {
                context: begun.context,
                parent: begun.parent,
                part,
                method: method.to_owned(),
                route: route.map(str::to_owned),
                status,
                from: begun.from,
                until: now,
            });
        }
    }
}

/// Spreads the bits of a counter (the finaliser of SplitMix64).
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const FROM_THE_STANDARD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_field_is_read_and_written_as_the_standard_has_it() {
        let context = TraceContext::parse(FROM_THE_STANDARD).unwrap();
        assert!(context.is_sampled);
        assert_eq!(context.to_string(), FROM_THE_STANDARD);
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more";
        assert!(!TraceContext::parse(later).unwrap().is_sampled);
        for wrong in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_caller_decides_what_is_sampled_and_a_share_of_what_begins_here_is() {
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let taken = Arc::clone(&spans);
        let tracing = Tracing::new(7, 25, move |span| taken.lock().unwrap().push(span));
        let now = Timestamp::from_micros(5);
        let unsampled = FROM_THE_STANDARD.replace("-01", "-00");
        for (field, told) in [(FROM_THE_STANDARD, 1), (&unsampled, 0)] {
            let begun = tracing.begin(Some(field), now);
            tracing.end(begun, "admin", ("GET", None), 200, now);
            let mut spans = spans.lock().unwrap();
            assert_eq!(spans.len(), told, "{field}");
            if let Some(span) = spans.pop() {
                assert_eq!(span.parent, Some(0xb7ad_6b71_6920_3331));
                assert_ne!(span.context.span, 0xb7ad_6b71_6920_3331);
            }
        }
        let mut traces = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let begun = tracing.begin(None, now);
            traces.insert(begun.context.trace);
            tracing.end(begun, "admin", ("GET", None), 200, now);
        }
        assert_eq!(traces.len(), 1_000);
        let told = spans.lock().unwrap().len();
        assert!((150..350).contains(&told), "{told} of 1000 are a quarter");
    }
}
