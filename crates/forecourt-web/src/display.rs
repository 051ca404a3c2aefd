//! Values ready for display: times, statuses, references.
//!
//! Pages never see core types; the handlers turn those into these.

use forecourt_core::time::Timestamp;
use jiff::{civil::DateTime, fmt::strtime, tz::TimeZone};
use serde::Serialize;

use crate::links::Link;

/// A moment: for machines, and as text for a reader without script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct When {
    /// ISO-8601 in UTC with seconds.
    pub iso: String,
    /// `7 Aug 2026, 09:00 UTC`.
    pub text: String,
}

impl When {
    /// The moment `at`; what no calendar holds becomes the Unix epoch.
    pub fn of(at: Timestamp) -> Self {
        Self { iso: formatted(at, "%Y-%m-%dT%H:%M:%SZ"), text: formatted(at, "%-d %b %Y, %H:%M UTC") }
    }
}

/// `at` in UTC; what no calendar holds becomes the Unix epoch.
fn formatted(at: Timestamp, pattern: &str) -> String {
    let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    strtime::format(pattern, &at.to_zoned(TimeZone::UTC)).unwrap_or_default()
}

/// What a field of the kind `datetime-local` holds for the minute of `at`, in UTC.
pub fn minute(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%dT%H:%M")
}

/// The moment in UTC that such a field names, with or without seconds; `None`: it names none.
pub fn moment(text: &str) -> Option<Timestamp> {
    // Where a browser does not know the kind, people type it.
    let text = text.trim().replacen(' ', "T", 1);
    let read = |pattern: &str| DateTime::strptime(pattern, &text).ok();
    let named = read("%Y-%m-%dT%H:%M").or_else(|| read("%Y-%m-%dT%H:%M:%S"))?;
    Some(Timestamp::from_micros(named.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond()))
}

/// A status as a badge shows it; its text is `status.*` in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Works.
    Active,
    /// Waits for an administrator.
    Pending,
    /// Has a one-time password that must be changed.
    Invited,
    /// Was ended by the directory that provisions it.
    Inactive,
    /// Was stopped by an administrator.
    Suspended,
    /// A developer as whom nobody may sign in.
    OnHold,
    /// Only administrators see it.
    Draft,
    /// Developers see it.
    Published,
    /// The subscription is in force.
    Subscribed,
    /// The subscription waits for an administrator.
    WaitForApproval,
    /// The approval was accepted.
    Accepted,
    /// The approval was rejected.
    Rejected,
    /// The request was withdrawn.
    Cancelled,
    /// A node that runs the latest revision.
    InSync,
    /// A node that has not applied the latest revision.
    Behind,
    /// A node that is not connected.
    Offline,
    /// A token past its expiry.
    Expired,
    /// A delivery that is tried, or tried again.
    Waiting,
    /// A delivery that arrived.
    Delivered,
    /// A delivery that is tried no more.
    GivenUp,
    /// A delivery that was not tried.
    Skipped,
}

/// Something with a name and a page of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: Link,
}

impl Reference {
    /// A reference to the thing called `name` whose page is `href`.
    pub fn new(name: impl Into<String>, href: Link) -> Self {
        Self { name: name.into(), href }
    }
}

/// A label: `key` and `value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Label {
    /// A label.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// One line of what an act will hit; its text is `impact.KIND` in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// What is hit.
    pub kind: ImpactKind,
    /// How many.
    pub count: u64,
}

/// What is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImpactKind {
    /// Applications that are deleted or lose access.
    Applications,
    /// Credentials that stop working.
    Credentials,
    /// Subscriptions that end.
    Subscriptions,
    /// Requests that are withdrawn.
    Approvals,
    /// Services that answer everyone afterwards.
    OpenedServices,
    /// Things that gateways forget.
    GatewayObjects,
    /// Callers of the last 24 hours.
    Callers,
    /// Gateway nodes that are cut off.
    Nodes,
    /// Other gateway nodes that are cut off with one.
    SharingNodes,
    /// People who have no way to sign in any more.
    People,
    /// Sessions that end.
    Sessions,
    /// Deliveries that are sent again.
    Deliveries,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_iso_form_and_a_readable_form() {
        let when = When::of(Timestamp::from_seconds(1_786_060_800));
        assert_eq!(when.iso, "2026-08-07T00:00:00Z");
        assert_eq!(when.text, "7 Aug 2026, 00:00 UTC");
    }

    #[test]
    fn a_field_for_a_moment_is_read_as_it_is_shown() {
        let at = Timestamp::from_seconds(1_786_060_800);
        assert_eq!(minute(at.plus_seconds(59)), "2026-08-07T00:00");
        for text in ["2026-08-07T00:00", " 2026-08-07 00:00", "2026-08-07T00:00:00"] {
            assert_eq!(moment(text), Some(at), "{text}");
        }
        for text in
            ["", "2026-08-07", "2026-02-30T00:00", "2026-08-07T00:00Z", "2026-08-07T00:00+02:00", "now"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
