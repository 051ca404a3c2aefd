//! Chunks: the sums of many steps of one series, packed into one value.
//!
//! A chunk spans 60 minutes, 24 hours or 32 days. It holds a cell for each step and kind of answer that has calls, in
//! order: two bytes (the step's place in the chunk, the kind of answer), then numbers of seven bits a byte (LEB128):
//! calls, errors, bytes in, bytes out, shortest, longest and summed time, how many bins of the sketch there are, and
//! each as the distance from the one before and its content. Most cells take 30 to 80 bytes.

use std::collections::BTreeMap;

use forecourt_core::{
    sketches::{Sketch, Tally},
    time::Timestamp,
    usage::{ResponseTimes, StatusClass, Step, Totals},
};

use crate::StoreError;

/// The sums of a chunk, by the step's place in it and the kind of answer.
pub(super) type Cells = BTreeMap<(u8, StatusClass), Totals>;

/// How many steps a chunk spans.
pub(super) const fn span(step: Step) -> i64 {
    match step {
        Step::Minute => 60,
        Step::Hour => 24,
        Step::Day => 32,
    }
}

/// The step's number in its column.
pub(super) const fn number(step: Step) -> i16 {
    match step {
        Step::Minute => 0,
        Step::Hour => 1,
        Step::Day => 2,
    }
}

/// The number of the chunk that holds a moment, and the place of its step there.
pub(super) fn place(step: Step, at: Timestamp) -> (i64, u8) {
    let number = step.number(at);
    (number.div_euclid(span(step)), u8::try_from(number.rem_euclid(span(step))).unwrap_or(0))
}

/// The beginning of the step at this place.
pub(super) const fn start(step: Step, chunk: i64, place: u8) -> Timestamp {
    step.start(chunk.saturating_mul(span(step)).saturating_add(place as i64))
}

/// The cells as bytes.
pub(super) fn pack(cells: &Cells) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(cells.len() * 64);
    for ((place, class), totals) in cells {
        bytes.extend([*place, class.number()]);
        let times = &totals.times;
        let bins = times.sketch.bins();
        let numbers = [totals.calls, totals.errors, totals.bytes_in, totals.bytes_out];
        for value in numbers.into_iter().chain([times.min, times.max, times.sum, bins.len() as u64]) {
            put(&mut bytes, value);
        }
        let mut before = 0;
        for (bin, count) in bins {
            put(&mut bytes, u64::from(bin.saturating_sub(before)));
            put(&mut bytes, *count);
            before = *bin;
        }
    }
    bytes
}

/// The cells that [`pack`] packed, each handed to `see` in order.
pub(super) fn unpack(
    mut bytes: &[u8],
    mut see: impl FnMut(u8, StatusClass, Totals),
) -> Result<(), StoreError> {
    while let Some((head, rest)) = bytes.split_first_chunk::<2>() {
        bytes = rest;
        let totals = totals(&mut bytes).ok_or_else(broken)?;
        see(head[0], StatusClass::numbered(head[1]), totals);
    }
    if bytes.is_empty() { Ok(()) } else { Err(broken()) }
}

/// Adds up the cells that [`pack`] packed. `key_of` says what a cell belongs to, and `None` of one that is not wanted;
/// `done` is handed the sum of neighbours that belong together, so the same key may come again.
pub(super) fn add_up<Key: PartialEq>(
    mut bytes: &[u8],
    sum: &mut Sum,
    mut key_of: impl FnMut(u8, StatusClass) -> Option<Key>,
    mut done: impl FnMut(Key, Totals),
) -> Result<(), StoreError> {
    let mut current: Option<Key> = None;
    while let Some((head, rest)) = bytes.split_first_chunk::<2>() {
        bytes = rest;
        let key = key_of(head[0], StatusClass::numbered(head[1]));
        if key != current
            && let Some(ended) = current.take()
        {
            done(ended, sum.take());
        }
        let read = match key {
            Some(_) => sum.add(&mut bytes),
            None => skip(&mut bytes),
        };
        read.ok_or_else(broken)?;
        current = key;
    }
    if let Some(ended) = current {
        done(ended, sum.take());
    }
    if bytes.is_empty() { Ok(()) } else { Err(broken()) }
}

/// Cells that are being added up.
#[derive(Default)]
pub(super) struct Sum {
    /// All but the sketch.
    totals: Totals,
    sketch: Tally,
    has_times: bool,
}

impl Sum {
    /// Adds the next cell.
    fn add(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let cell = Cell::read(bytes)?;
        let Totals { calls, errors, bytes_in, bytes_out, times } = &mut self.totals;
        for (own, more) in [
            (calls, cell.calls),
            (errors, cell.errors),
            (bytes_in, cell.bytes_in),
            (bytes_out, cell.bytes_out),
            (&mut times.sum, cell.sum),
        ] {
            *own = own.saturating_add(more);
        }
        if cell.bins > 0 {
            times.min = if self.has_times { times.min.min(cell.min) } else { cell.min };
            times.max = times.max.max(cell.max);
            self.has_times = true;
        }
        cell.read_bins(bytes, |bin, count| self.sketch.put(bin, count))
    }

    /// What was added; afterwards it is empty again.
    fn take(&mut self) -> Totals {
        self.has_times = false;
        let mut totals = std::mem::take(&mut self.totals);
        totals.times.sketch = self.sketch.take();
        totals
    }
}

/// The numbers of a cell, as they stand before its bins.
struct Cell {
    calls: u64,
    errors: u64,
    bytes_in: u64,
    bytes_out: u64,
    min: u64,
    max: u64,
    sum: u64,
    bins: u64,
}

impl Cell {
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut next = || take(bytes);
        let (calls, errors, bytes_in, bytes_out) = (next()?, next()?, next()?, next()?);
        let (min, max, sum, bins) = (next()?, next()?, next()?, next()?);
        Some(Self { calls, errors, bytes_in, bytes_out, min, max, sum, bins })
    }

    fn read_bins(&self, bytes: &mut &[u8], mut see: impl FnMut(u16, u64)) -> Option<()> {
        let mut bin = 0u16;
        for _ in 0..self.bins {
            bin = bin.saturating_add(u16::try_from(take(bytes)?).ok()?);
            see(bin, take(bytes)?);
        }
        Some(())
    }
}

fn skip(bytes: &mut &[u8]) -> Option<()> {
    Cell::read(bytes)?.read_bins(bytes, |_, _| ())
}

fn totals(bytes: &mut &[u8]) -> Option<Totals> {
    let cell = Cell::read(bytes)?;
    let Cell { calls, errors, bytes_in, bytes_out, min, max, sum, .. } = cell;
    let mut bins = Vec::with_capacity(usize::try_from(cell.bins).unwrap_or(0).min(bytes.len()));
    cell.read_bins(bytes, |bin, count| bins.push((bin, count)))?;
    let times = ResponseTimes { min, max, sum, sketch: Sketch::from_bins(bins) };
    Some(Totals { calls, errors, bytes_in, bytes_out, times })
}

fn broken() -> StoreError {
    StoreError::Unreadable { what: "usage chunk", problem: "it ends in the middle".to_owned() }
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(seed: u64) -> Totals {
        let mut totals =
            Totals { calls: seed, errors: seed / 2, bytes_in: 127, bytes_out: 128, ..Totals::default() };
        [0, 1, seed, seed << 20, u64::MAX].into_iter().for_each(|micros| totals.times.record(micros));
        totals
    }

    #[test]
    fn cells_come_back_as_they_were() {
        let mut cells = Cells::new();
        for place in [0, 1, 59] {
            for class in [0, 2, 5] {
                cells.insert((place, StatusClass::numbered(class)), totals(u64::from(place) * 1_000 + 7));
            }
        }
        cells.insert((60, StatusClass::of(200)), Totals { calls: 1, ..Totals::default() });
        let mut back = Cells::new();
        unpack(&pack(&cells), |place, class, totals| {
            back.insert((place, class), totals);
        })
        .unwrap();
        assert_eq!(back, cells);
        assert!(pack(&Cells::new()).is_empty());
    }

    #[test]
    fn neighbours_that_belong_together_are_added_up_and_the_others_left_out() {
        let mut cells = Cells::new();
        for (place, class, seed) in [(0, 2, 7), (0, 5, 1 << 30), (1, 2, 0), (2, 2, 90), (3, 2, 5)] {
            cells.insert((place, StatusClass::numbered(class)), totals(seed));
        }
        // No time was measured.
        cells.insert((4, StatusClass::of(200)), Totals { calls: 3, ..Totals::default() });
        let mut sum = Sum::default();
        let mut found = Vec::new();
        let pairs = |place: u8, _| (place != 2).then_some(place / 2);
        add_up(&pack(&cells), &mut sum, pairs, |key, totals| found.push((key, totals))).unwrap();
        let mut expected: BTreeMap<u8, Totals> = BTreeMap::new();
        for ((place, _), totals) in cells.iter().filter(|((place, _), _)| *place != 2) {
            expected.entry(place / 2).or_default().add(totals);
        }
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn adding_up_in_one_is_adding_one_by_one() {
        let cells: Cells =
            (0..60).map(|place| ((place, StatusClass::of(200)), totals(1 << (place % 40)))).collect();
        let mut found = Vec::new();
        add_up(&pack(&cells), &mut Sum::default(), |_, _| Some(()), |(), totals| found.push(totals)).unwrap();
        let mut expected = Totals::default();
        cells.values().for_each(|totals| expected.add(totals));
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_chunk_that_is_cut_anywhere_is_an_error_and_no_panic() {
        let cells = Cells::from([((3, StatusClass::of(200)), totals(9))]);
        let bytes = pack(&cells);
        for end in 1..bytes.len() {
            assert!(unpack(&bytes[..end], |_, _, _| ()).is_err(), "{end}");
            for key in [Some(()), None] {
                let sum = &mut Sum::default();
                assert!(add_up(&bytes[..end], sum, |_, _| key, |(), _| ()).is_err(), "{end}");
            }
        }
        assert!(
            unpack(&[0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], |_, _, _| ())
                .is_err()
        );
    }

    #[test]
    fn every_moment_has_its_place_in_one_chunk() {
        for step in Step::ALL {
            for seconds in [-1, 0, 59, 3_599, 3_600, 86_400 * 32 - 1, 86_400 * 32, 1_786_093_259] {
                let at = Timestamp::from_seconds(seconds);
                let (chunk, place) = place(step, at);
                assert!(i64::from(place) < span(step));
                assert_eq!(start(step, chunk, place), step.start(step.number(at)), "{step:?} {seconds}");
            }
        }
    }
}
