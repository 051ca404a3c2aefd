//! The cells of chunks, read as `store/usage/chunks.rs` says that they are written: by somebody else than who wrote them.

use std::collections::BTreeMap;

use forecourt_core::{
    sketches::Sketch,
    usage::{ResponseTimes, Step, Totals},
};

use super::{Findings, Row, Snapshot};

/// Sums by series, step, number of the step since 1970, and hundreds of the answers' status.
pub(super) type Cells = BTreeMap<(i64, Step, i64, u8), Totals>;

/// How many steps a chunk spans.
pub(super) const fn span(step: Step) -> i64 {
    match step {
        Step::Minute => 60,
        Step::Hour => 24,
        Step::Day => 32,
    }
}

/// The step that a chunk is of.
pub(super) fn step(row: &Row) -> Option<Step> {
    let number = usize::try_from(row.count("step")).ok()?;
    Step::ALL.get(number).copied()
}

/// All cells; what cannot be one is told.
pub(super) fn read(snapshot: &Snapshot, findings: &mut Findings) -> Cells {
    let mut cells = Cells::new();
    for row in snapshot.rows("usage_chunks") {
        let (Some(step), Some(found)) = (step(row), unpacked(row.bytes("cells"))) else {
            findings.add("usage cells", row.name(), "its cells cannot be read");
            continue;
        };
        let mut before = None;
        for (place, class, totals) in found {
            let is_in_order = before.is_none_or(|before| before < (place, class));
            before = Some((place, class));
            let is_place = i64::from(place) < span(step) && class <= 5;
            let is_right = is_in_order && is_place && is_possible(&totals);
            findings.expect(is_right, "usage cells", row, || {
                format!("the cell at {place} of {class}xx cannot be: {totals:?}")
            });
            let number = row.count("chunk") * span(step) + i64::from(place);
            cells.insert((row.count("series"), step, number, class), totals);
        }
    }
    cells
}

/// Whether calls can amount to this. Some may have no time: earlier versions measured none.
pub(super) fn is_possible(totals: &Totals) -> bool {
    let times = &totals.times;
    let measured = times.sketch.count();
    let are_times = if measured == 0 { times.sum == 0 } else { times.min <= times.max };
    totals.calls >= 1 && totals.errors <= totals.calls && measured <= totals.calls && are_times
}

/// Place, kind of answer and sum of each cell; `None`: the bytes end within one.
fn unpacked(mut bytes: &[u8]) -> Option<Vec<(u8, u8, Totals)>> {
    let mut cells = Vec::new();
    while let [place, class, rest @ ..] = bytes {
        bytes = rest;
        let mut next = || number(&mut bytes);
        let (calls, errors, bytes_in, bytes_out) = (next()?, next()?, next()?, next()?);
        let (min, max, sum, count) = (next()?, next()?, next()?, next()?);
        let (mut bin, mut bins) = (0u64, Vec::new());
        for _ in 0..count {
            bin = bin.saturating_add(next()?);
            bins.push((u16::try_from(bin).ok()?, next()?));
        }
        let times = ResponseTimes { min, max, sum, sketch: Sketch::from_bins(bins) };
        cells.push((*place, *class, Totals { calls, errors, bytes_in, bytes_out, times }));
    }
    bytes.is_empty().then_some(cells)
}

/// A number of seven bits a byte (LEB128).
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
