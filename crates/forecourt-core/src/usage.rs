//! Usage: what calls through gateways amounted to, by product, application, credential, route, kind of answer and time.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ApplicationId, CredentialId, DeveloperId, PortalId, ProductId, RouteId},
    sketches::Sketch,
    time::Timestamp,
};

/// Which counts are wanted: those of the minutes, hours or days that overlap `[start, end]`.
#[derive(Clone, Debug, Default)]
pub struct UsageFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Only those of this developer's applications, deleted ones included.
    pub developer_id: Option<DeveloperId>,
    /// First moment.
    pub start: Timestamp,
    /// Last moment.
    pub end: Timestamp,
    /// Only these applications; empty: all.
    pub applications: Vec<ApplicationId>,
    /// Only these products; empty: all.
    pub products: Vec<ProductId>,
    /// Only these credentials; empty: all.
    pub credentials: Vec<CredentialId>,
}

/// Calls of one product within one UTC hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductHour {
    /// The product.
    pub product_id: ProductId,
    /// Its current name, or the last one it had.
    pub product_name: String,
    /// The start of the hour.
    pub hour: Timestamp,
    /// Calls, at least 1.
    pub calls: u64,
}

/// What time is divided into where usage is told; each division is UTC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl Step {
    /// All, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// Its word in the interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The step with this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// The number, since 1970, of the step that holds this moment.
    pub const fn number(self, at: Timestamp) -> i64 {
        at.seconds().div_euclid(self.seconds())
    }

    /// The beginning of the step with this number.
    pub const fn start(self, number: i64) -> Timestamp {
        Timestamp::from_seconds(number.saturating_mul(self.seconds()))
    }

    /// The longest step whose edges tell a span as closely as people ask for it: minutes up to three hours, hours up
    /// to 31 days, days beyond.
    pub const fn fitting(start: Timestamp, end: Timestamp) -> Self {
        match end.seconds().saturating_sub(start.seconds()) {
            ..=10_800 => Self::Minute,
            10_801..=2_678_400 => Self::Hour,
            _ => Self::Day,
        }
    }
}

/// The hundreds of an answer's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusClass(u8);

impl StatusClass {
    /// That of calls counted by versions that did not note it.
    pub const UNKNOWN: Self = Self(0);

    /// That of this status, 100 to 599; of others unknown.
    pub const fn of(status: u16) -> Self {
        Self::numbered((status / 100) as u8)
    }

    /// The one with this number of hundreds, 1 to 5; of others unknown.
    pub const fn numbered(hundreds: u8) -> Self {
        if hundreds >= 1 && hundreds <= 5 { Self(hundreds) } else { Self::UNKNOWN }
    }

    /// The number of hundreds, 0 where it is unknown.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its word in the interface.
    pub const fn name(self) -> &'static str {
        match self.0 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "unknown",
        }
    }
}

/// What a number of calls amounts to. Two of them add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Calls.
    pub calls: u64,
    /// Those answered with a status of 500 or more, by the upstream or the gateway.
    #[serde(default)]
    pub errors: u64,
    /// Bytes of request bodies that were sent on.
    #[serde(default)]
    pub bytes_in: u64,
    /// Bytes of the answers' bodies.
    #[serde(default)]
    pub bytes_out: u64,
    /// How long the answers took.
    #[serde(default)]
    pub times: ResponseTimes,
}

impl Totals {
    /// Adds others; sums saturate.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.times.add(&other.times);
    }
}

/// Response times: from a request's head to the last byte of its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseTimes {
    /// The shortest in microseconds; of no meaning where the sketch is empty.
    pub min: u64,
    /// The longest in microseconds; of no meaning where the sketch is empty.
    pub max: u64,
    /// The sum in microseconds.
    pub sum: u64,
    /// All of them, in microseconds. Calls of versions that measured no times are in no sketch.
    pub sketch: Sketch,
}

impl ResponseTimes {
    /// Adds one of so many microseconds.
    pub fn record(&mut self, micros: u64) {
        let is_first = self.sketch.bins().is_empty();
        self.min = if is_first { micros } else { self.min.min(micros) };
        self.max = self.max.max(micros);
        self.sum = self.sum.saturating_add(micros);
        self.sketch.record(micros);
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        if other.sketch.bins().is_empty() {
            return;
        }
        let is_first = self.sketch.bins().is_empty();
        self.min = if is_first { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.sketch.add(&other.sketch);
    }

    /// The mean in microseconds; `None` where nothing was measured.
    pub fn average(&self) -> Option<f64> {
        let count = self.sketch.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// The time in microseconds that the share `quantile` (0 to 1) of all does not exceed, within
    /// [`ACCURACY`](crate::sketches::ACCURACY); `None` where nothing was measured.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        Some(self.sketch.quantile(quantile)?.max(self.min as f64).min(self.max as f64))
    }
}

/// What sums are told apart by; all together where nothing is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// By product.
    pub by_product: bool,
    /// By application.
    pub by_application: bool,
    /// By credential.
    pub by_credential: bool,
    /// By route.
    pub by_route: bool,
    /// By the hundreds of the answer's status.
    pub by_status_class: bool,
}

/// A question about usage.
#[derive(Clone, Debug, Default)]
pub struct UsageQuery {
    /// Which counts.
    pub filter: UsageFilter,
    /// What time is divided into; `None`: the whole span in one.
    pub step: Option<Step>,
    /// What sums are told apart by.
    pub grouping: Grouping,
}

impl UsageQuery {
    /// The step in which counts are looked up.
    pub fn level(&self) -> Step {
        self.step.unwrap_or_else(|| Step::fitting(self.filter.start, self.filter.end))
    }
}

/// What a sum is of: the members of [`Grouping`] that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageGroup {
    /// The product.
    pub product_id: Option<ProductId>,
    /// The application.
    pub application_id: Option<ApplicationId>,
    /// The credential.
    pub credential_id: Option<CredentialId>,
    /// The route.
    pub route_id: Option<RouteId>,
    /// The kind of answer.
    pub status_class: Option<StatusClass>,
}

/// One sum: an answer to a [`UsageQuery`] has one for each step and group that has calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsagePoint {
    /// The beginning of the step; of the first one that has a place in the span where there is no step.
    pub at: Timestamp,
    /// What it is of.
    pub group: UsageGroup,
    /// The sum; at least one call.
    pub totals: Totals,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_lies_in_the_step_with_its_number() {
        for step in Step::ALL {
            for seconds in [-86_401, -1, 0, 59, 60, 3_599, 3_600, 86_399, 86_400, 1_786_093_259] {
                let at = Timestamp::from_seconds(seconds);
                let start = step.start(step.number(at)).seconds();
                assert!(start <= seconds && seconds < start + step.seconds(), "{step:?} {seconds}");
            }
            assert_eq!(Step::from_name(step.name()), Some(step));
        }
    }

    #[test]
    fn statuses_are_told_by_their_hundreds() {
        let names = [0, 99, 100, 204, 301, 404, 503, 599, 600, u16::MAX].map(|s| StatusClass::of(s).name());
        let expected = ["unknown", "unknown", "1xx", "2xx", "3xx", "4xx", "5xx", "5xx", "unknown", "unknown"];
        assert_eq!(names, expected);
    }

    #[test]
    fn times_add_up_and_calls_without_times_change_none() {
        let mut some = ResponseTimes::default();
        assert_eq!((some.average(), some.quantile(0.5)), (None, None));
        [40, 10, 10].into_iter().for_each(|micros| some.record(micros));
        let mut all = Totals { calls: 3, times: some, ..Totals::default() };
        let mut more = Totals { calls: 1, errors: 1, bytes_in: 7, bytes_out: 9, ..Totals::default() };
        more.times.record(1_000);
        all.add(&more);
        all.add(&Totals { calls: 5, ..Totals::default() });
        assert_eq!((all.calls, all.errors, all.bytes_in, all.bytes_out), (9, 1, 7, 9));
        assert_eq!((all.times.min, all.times.max, all.times.sum), (10, 1_000, 1_060));
        assert_eq!(all.times.average(), Some(265.0));
        let longest = all.times.quantile(1.0).unwrap();
        assert!((980.0..=1_000.0).contains(&longest), "{longest}");
        let mut one = ResponseTimes::default();
        one.record(7);
        assert_eq!(one.quantile(0.5), Some(7.0), "no percentile is beyond what was measured");
    }
}
