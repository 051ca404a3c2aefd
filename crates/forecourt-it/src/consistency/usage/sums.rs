//! Sums against what they are sums of.

use std::collections::{BTreeMap, BTreeSet};

use forecourt_core::usage::{Step, Totals};

use super::{
    COARSER, DETAIL, Findings, Grain, ROUTE, Row, Snapshot,
    cells::{Cells, span, step},
};

/// Seconds for which every step is kept at least, whatever is configured: sums of two steps are the same so long.
const KEPT_SURELY: i64 = 86_400;

/// Every coarser grain holds what is kept in detail, no more and no less. Whatever is too old is taken away of all
/// grains at once.
pub(super) fn of_grains(series: &BTreeMap<i64, &Row>, cells: &Cells, findings: &mut Findings) {
    type Sums = BTreeMap<(String, Step, i64, u8), Totals>;
    let (mut expected, mut found) = (Sums::new(), Sums::new());
    for ((id, step, number, class), totals) in cells {
        let Some(row) = series.get(id) else {
            findings.add("usage of nothing", format!("usage_chunks {id}"), "there is no such series");
            continue;
        };
        let key = |grain: &Grain| (grain.subject(row), *step, *number, *class);
        match Grain::of(row) {
            Some(grain) if grain.number == DETAIL.number => {
                for grain in &COARSER {
                    expected.entry(key(grain)).or_default().add(totals);
                }
            }
            Some(grain) => found.entry(key(grain)).or_default().add(totals),
            // The check of series tells of it.
            None => {}
        }
    }
    let begun: BTreeSet<_> = series.values().map(|row| row.text("subject")).collect();
    let route = format!("{ROUTE}/");
    let mut told = BTreeSet::new();
    for place in expected.keys().chain(found.keys()) {
        let (subject, step, number, class) = place;
        let waits = subject.starts_with(&route) && !begun.contains(subject.as_str());
        let (sum, parts) = (found.get(place), expected.get(place));
        // One of a series is enough.
        if sum != parts && !waits && told.insert(subject) {
            let problem = format!(
                "its {} {number} of {class}xx holds {}, and what is kept in detail {}",
                step.name(),
                shown(sum),
                shown(parts),
            );
            findings.add("usage sums", format!("usage_series {subject}"), problem);
        }
    }
}

/// Each step holds what the shorter one holds: the same while both are kept, and no less where the shorter one got no
/// late calls any more.
pub(super) fn of_steps(snapshot: &Snapshot, cells: &Cells, now: i64, findings: &mut Findings) {
    let chunks = snapshot.rows("usage_chunks").iter();
    let chunks: BTreeSet<_> =
        chunks.filter_map(|row| Some((row.count("series"), step(row)?, row.count("chunk")))).collect();
    for (shorter, longer) in [(Step::Minute, Step::Hour), (Step::Hour, Step::Day)] {
        // A chunk of the shorter one is a step of the longer one.
        let mut parts: BTreeMap<(i64, i64, u8), Totals> = BTreeMap::new();
        for ((series, _, number, class), totals) in cells.iter().filter(|((_, step, ..), _)| *step == shorter)
        {
            let place = (*series, number.div_euclid(span(shorter)), *class);
            parts.entry(place).or_default().add(totals);
        }
        let sums = cells.iter().filter(|((_, step, ..), _)| *step == longer);
        let sums: BTreeMap<_, _> =
            sums.map(|((series, _, number, class), totals)| ((*series, *number, *class), totals)).collect();
        let places: BTreeSet<_> = parts.keys().chain(sums.keys()).copied().collect();
        for place in places {
            let (series, number, class) = place;
            let (sum, part) = (sums.get(&place).copied(), parts.get(&place));
            let is_right = if number * longer.seconds() >= now - KEPT_SURELY {
                sum == part
            } else {
                let is_kept = chunks.contains(&(series, longer, number.div_euclid(span(longer))));
                !is_kept || part.is_none_or(|part| sum.is_some_and(|sum| holds(sum, part)))
            };
            if !is_right {
                let row = format!("usage_chunks {series}/{}/{number}", shorter.name());
                let problem = format!(
                    "of {class}xx it holds {}, and the {} {}",
                    shown(part),
                    longer.name(),
                    shown(sum)
                );
                findings.add("usage steps", row, problem);
            }
        }
    }
}

/// Whether `part` may be a part of `sum`.
fn holds(sum: &Totals, part: &Totals) -> bool {
    let numbers = |totals: &Totals| {
        let Totals { calls, errors, bytes_in, bytes_out, times } = totals;
        [*calls, *errors, *bytes_in, *bytes_out, times.sum, times.sketch.count()]
    };
    numbers(sum).into_iter().zip(numbers(part)).all(|(sum, part)| sum >= part)
}

fn shown(totals: Option<&Totals>) -> String {
    totals.map_or_else(|| "nothing".into(), |totals| format!("{totals:?}"))
}
