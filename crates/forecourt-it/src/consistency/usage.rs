//! Sums of counted calls hold what they are sums of: each grain what is kept in detail, each step what the shorter one
//! holds, and all of it is of things that existed, under their names.
//!
//! What is left open, because an installation that runs comes to be so: pieces that wait in the inbox; sums of a shorter
//! step that were taken away, or not written any more, since they are older than is kept; routes whose sums an earlier
//! version did not begin; series whose calls were all older than is kept, or of something that is gone and older than its
//! events are kept. `docs/adr/0012-usage-in-chunks.md` says why.

mod cells;
mod sums;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use forecourt_core::{gateway_state::Resource, ids::is_chosen_id, usage::Step};
use forecourt_wire::usage::UsageCount;

use self::cells::Cells;
use super::{Findings, Row, Snapshot, records};

/// What a kind of series tells apart beside the portal.
struct Grain {
    /// Its number in its column.
    number: i64,
    told: &'static [&'static str],
}

/// The one that tells everything apart.
static DETAIL: Grain =
    Grain { number: 4, told: &["application_id", "product_id", "credential_id", "route_id"] };
/// The one that is begun when a process starts, for what earlier versions counted.
const ROUTE: i64 = 5;

/// Those that are sums of what is kept in detail.
static COARSER: [Grain; 5] = [
    Grain { number: 0, told: &[] },
    Grain { number: 1, told: &["product_id"] },
    Grain { number: 2, told: &["application_id"] },
    Grain { number: 3, told: &["application_id", "product_id"] },
    Grain { number: ROUTE, told: &["product_id", "route_id"] },
];

impl Grain {
    /// The grain of a series.
    fn of(row: &Row) -> Option<&'static Self> {
        COARSER.iter().chain([&DETAIL]).find(|grain| grain.number == row.count("grain"))
    }

    /// The subject of the series of this grain that calls of the series `row` belong to.
    fn subject(&self, row: &Row) -> String {
        let told = |column| if self.told.contains(&column) { row.text(column) } else { "" };
        let [application, product, credential, route] =
            ["application_id", "product_id", "credential_id", "route_id"].map(told);
        format!("{}/{}/{application}/{product}/{credential}/{route}", self.number, row.text("portal_id"))
    }
}

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let stored = snapshot.rows("usage_spools").iter().map(|row| row.count("stored_at") / 1_000_000);
    let now = stored.chain([i64::try_from(wall).unwrap()]).max().unwrap_or_default();
    check_at(snapshot, now, findings);
}

/// The check at a moment, in seconds since 1970, before which all of it was written.
fn check_at(snapshot: &Snapshot, now: i64, findings: &mut Findings) {
    let series: BTreeMap<i64, &Row> =
        snapshot.rows("usage_series").iter().map(|row| (row.count("id"), row)).collect();
    let cells = cells::read(snapshot, findings);
    subjects(snapshot, findings);
    sums::of_grains(&series, &cells, findings);
    sums::of_steps(snapshot, &cells, now, findings);
    existed(snapshot, &cells, findings);
    owners(snapshot, findings);
    names(snapshot, findings);
    deliveries(snapshot, findings);
}

/// The calls that a database holds by credential: those that are added up, and those that wait to be.
pub fn counted_calls(snapshot: &Snapshot) -> BTreeMap<String, u64> {
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    let rows = snapshot.rows("usage_series").iter().filter(|row| row.count("grain") == DETAIL.number);
    let detail: BTreeMap<i64, &str> = rows.map(|row| (row.count("id"), row.text("credential_id"))).collect();
    for ((series, step, ..), totals) in cells::read(snapshot, &mut Findings::default()) {
        if let Some(credential) = detail.get(&series).filter(|_| step == Step::Day) {
            *counted.entry((*credential).to_owned()).or_default() += totals.calls;
        }
    }
    for count in snapshot.rows("usage_inbox").iter().filter_map(counts).flatten() {
        *counted.entry(count.credential_id.to_string()).or_default() += count.totals.calls;
    }
    counted
}

/// What a piece of the inbox holds; `None`: it cannot be read.
fn counts(row: &Row) -> Option<Vec<UsageCount>> {
    serde_json::from_str(row.text("body")).ok()
}

/// A series is of a grain that there is, names what its grain tells apart and nothing else, and its subject repeats that.
fn subjects(snapshot: &Snapshot, findings: &mut Findings) {
    for row in snapshot.rows("usage_series") {
        let Some(grain) = Grain::of(row) else {
            findings.add("usage series", row.name(), format!("{} is no grain", row.count("grain")));
            continue;
        };
        let (subject, expected) = (row.text("subject"), grain.subject(row));
        findings.expect(subject == expected, "usage series", row, || {
            format!("its subject is {subject:?} and should be {expected:?}")
        });
        for column in DETAIL.told.iter().filter(|column| !grain.told.contains(column)) {
            findings.expect(row.text(column).is_empty(), "usage series", row, || {
                format!("its grain tells no {column}, and it is {:?}", row.text(column))
            });
        }
        let tells = grain.told.contains(&"application_id");
        findings.expect(row.text("developer_id").is_empty() != tells, "usage series", row, || {
            format!("its developer is {:?}", row.text("developer_id"))
        });
    }
}

/// By series until when it was called, in microseconds, as closely as its steps tell.
fn last_calls(cells: &Cells) -> BTreeMap<i64, i64> {
    let mut ends: BTreeMap<(i64, Step), i64> = BTreeMap::new();
    for (series, step, number, _) in cells.keys() {
        let end = step.start(number + 1).micros();
        let last = ends.entry((*series, *step)).or_insert(end);
        *last = end.max(*last);
    }
    let mut closest: BTreeMap<i64, i64> = BTreeMap::new();
    for ((series, _), end) in ends {
        let last = closest.entry(series).or_insert(end);
        *last = end.min(*last);
    }
    closest
}

/// Whatever calls are counted for was made once: it is there, or an event tells that it was, or was so long ago that it
/// may have been taken away.
fn existed(snapshot: &Snapshot, cells: &Cells, findings: &mut Findings) {
    let (last_calls, kept_from) = (last_calls(cells), records::kept_from(snapshot));
    let is_old = |row: &Row| last_calls.get(&row.count("id")).is_none_or(|end| *end <= kept_from);
    let events = snapshot.rows("events").iter();
    let told: BTreeSet<_> = events.map(|row| (row.text("noun"), row.text("noun_id"))).collect();
    for (column, table, noun) in [
        ("portal_id", "portals", "portal"),
        ("application_id", "applications", "application"),
        ("product_id", "products", "product"),
        ("credential_id", "credentials", "credential"),
        ("route_id", "routes", "route"),
    ] {
        let known = snapshot.by(table, "id");
        for row in snapshot.rows("usage_series") {
            let id = row.text(column);
            let is_known = id.is_empty() || known.contains_key(id) || told.contains(&(noun, id));
            let is_known = is_known || is_old(row);
            findings.expect(is_known, "usage of nothing", row, || format!("there never was a {noun} {id:?}"));
        }
    }
}

/// Calls are their application's developer's, in its portal, as gateways were last told of it.
fn owners(snapshot: &Snapshot, findings: &mut Findings) {
    let told = snapshot.rows("gateway_resources").iter().filter(|row| row.text("kind") == "application");
    let told: BTreeMap<_, _> = told
        .filter_map(|row| match serde_json::from_str::<Resource>(row.text("body")).ok()? {
            Resource::Application(state) => Some((row.text("key"), state)),
            _ => None,
        })
        .collect();
    for row in snapshot.rows("usage_series").iter().filter(|row| !row.text("application_id").is_empty()) {
        let owner = told.get(row.text("application_id"));
        let owner = owner.map(|state| (state.portal_id.as_str(), state.developer_id.as_str()));
        let said = (row.text("portal_id"), row.text("developer_id"));
        findings.expect(owner == Some(said), "usage owner", row, || {
            format!("it is of {said:?}, and gateways were told {owner:?}")
        });
    }
}

/// Products and applications with calls have the name that they have, or had at last.
fn names(snapshot: &Snapshot, findings: &mut Findings) {
    let rows = snapshot.rows("usage_names");
    let named: BTreeSet<_> = rows.iter().map(|row| (row.text("kind"), row.text("id"))).collect();
    for (column, kind) in [("product_id", "product"), ("application_id", "application")] {
        for row in snapshot.rows("usage_series") {
            let id = row.text(column);
            findings.expect(id.is_empty() || named.contains(&(kind, id)), "usage names", row, || {
                format!("nothing says what the {kind} {id} is called")
            });
        }
    }
    let (products, applications) = (snapshot.by("products", "id"), snapshot.by("applications", "id"));
    for row in rows {
        let current = match row.text("kind") {
            "product" => products.get(row.text("id")),
            "application" => applications.get(row.text("id")),
            other => {
                findings.add("usage names", row.name(), format!("{other:?} has no names"));
                continue;
            }
        };
        let current = current.map(|found| found.text("name"));
        findings.expect(current.is_none_or(|name| name == row.text("name")), "usage names", row, || {
            format!("it says {:?}, and it is called {current:?}", row.text("name"))
        });
    }
}

/// What waits to be added up can be, and each process that counted has the number of its last batch.
fn deliveries(snapshot: &Snapshot, findings: &mut Findings) {
    for row in snapshot.rows("usage_inbox") {
        let Some(counts) = counts(row) else {
            findings.add("usage inbox", row.name(), "it cannot be read");
            continue;
        };
        findings.expect(i64::try_from(counts.len()) == Ok(row.count("counts")), "usage inbox", row, || {
            format!("it says {} counts and holds {}", row.count("counts"), counts.len())
        });
        for count in &counts {
            let is_right = cells::is_possible(&count.totals) && count.minute == count.minute.minute();
            findings.expect(is_right, "usage inbox", row, || format!("{count:?} cannot be"));
        }
    }
    for row in snapshot.rows("usage_spools") {
        let (spool, last) = (row.text("spool"), row.count("last_number"));
        let is_right = last >= 1 && (spool.is_empty() || is_chosen_id(spool));
        findings.expect(is_right, "usage batches", row, || {
            format!("the last batch of {spool:?} is the number {last}")
        });
    }
}

#[cfg(test)]
mod tests;
