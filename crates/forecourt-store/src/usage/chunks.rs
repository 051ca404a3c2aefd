//! Chunks: the sums of many steps of one series, packed into one value.
//!
//! A chunk spans 60 minutes, 24 hours or 32 days. It holds a cell for each step and kind of answer that has calls, in
//! order: two bytes (the step's place in the chunk, the kind of answer), then numbers of seven bits a byte (LEB128):
//! calls, errors, bytes in, bytes out, shortest, longest and summed time, how many bins of the sketch there are, and
//! each as the distance from the one before and its content. Most cells take 30 to 80 bytes.

use std::collections::BTreeMap;

use forecourt_core::{
    sketches::Sketch,
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
    let broken =
        || StoreError::Unreadable { what: "usage chunk", problem: "it ends in the middle".to_owned() };
    while let Some((head, rest)) = bytes.split_first_chunk::<2>() {
        bytes = rest;
        let totals = totals(&mut bytes).ok_or_else(broken)?;
        see(head[0], StatusClass::numbered(head[1]), totals);
    }
    if bytes.is_empty() { Ok(()) } else { Err(broken()) }
}

fn totals(bytes: &mut &[u8]) -> Option<Totals> {
    let mut next = || take(bytes);
    let (calls, errors, bytes_in, bytes_out) = (next()?, next()?, next()?, next()?);
    let (min, max, sum, count) = (next()?, next()?, next()?, next()?);
    let mut bin = 0u16;
    let mut bins = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(bytes.len()));
    for _ in 0..count {
        bin = bin.saturating_add(u16::try_from(take(bytes)?).ok()?);
        bins.push((bin, take(bytes)?));
    }
    let times = ResponseTimes { min, max, sum, sketch: Sketch::from_bins(bins) };
    Some(Totals { calls, errors, bytes_in, bytes_out, times })
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
    fn a_chunk_that_is_cut_anywhere_is_an_error_and_no_panic() {
        let cells = Cells::from([((3, StatusClass::of(200)), totals(9))]);
        let bytes = pack(&cells);
        for end in 1..bytes.len() {
            assert!(unpack(&bytes[..end], |_, _, _| ()).is_err(), "{end}");
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
