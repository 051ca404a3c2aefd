//! Sketches of many values, from which percentiles are read: small, and two of them add up to the sketch of both.
//!
//! A DDSketch (Masson, Rim, Lee, VLDB 2019): a value falls into the bin with the number ⌈log value / log γ⌉, and only
//! the bins that hold something are kept, in order. Every value of a bin lies within [`ACCURACY`] of the bin's own, so
//! a percentile does too, however many sketches were added.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How far a percentile may lie from the true value, relative to it.
pub const ACCURACY: f64 = 0.02;

/// γ: what a bin's upper bound is to its lower.
const GAMMA: f64 = (1.0 + ACCURACY) / (1.0 - ACCURACY);
/// 1 / ln γ.
const BINS_PER_E: f64 = 24.996_666_311_036_567;

/// The bin of the largest value.
const LAST_BIN: u16 = 1_109;

/// How often which values occurred. Values are whole numbers; 0 counts as 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Number and content of each bin that is not empty, ascending.
    bins: Vec<(u16, u64)>,
}

impl Sketch {
    /// A sketch of bins, given in any order; empty ones are left out.
    pub fn from_bins(bins: impl IntoIterator<Item = (u16, u64)>) -> Self {
        let mut sketch = Self::default();
        for (bin, count) in bins {
            sketch.put(bin.min(LAST_BIN), count);
        }
        sketch
    }

    /// Number and content of each bin that holds something, ascending.
    pub fn bins(&self) -> &[(u16, u64)] {
        &self.bins
    }

    /// Adds one value.
    pub fn record(&mut self, value: u64) {
        self.put(bin_of(value), 1);
    }

    /// Adds all values of another.
    pub fn add(&mut self, other: &Self) {
        if self.bins.is_empty() {
            self.bins.clone_from(&other.bins);
            return;
        }
        for (bin, count) in &other.bins {
            self.put(*bin, *count);
        }
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        self.bins.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The value that the share `quantile` (0 to 1) of all values does not exceed, within [`ACCURACY`] of the true
    /// one. `None`: it holds no value.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let last = self.count().checked_sub(1)?;
        // Rounding at the edge of what an f64 holds moves the rank by less than a millionth of a share.
        let rank = (quantile.clamp(0.0, 1.0) * last as f64).floor() as u64;
        let mut before = 0u64;
        let bin = self.bins.iter().find(|(_, count)| {
            before = before.saturating_add(*count);
            before > rank
        });
        bin.or(self.bins.last()).map(|(bin, _)| value_of(*bin))
    }

    fn put(&mut self, bin: u16, count: u64) {
        if count == 0 {
            return;
        }
        // Bins that come in order, as stored ones do, need no search.
        if self.bins.last().is_none_or(|(last, _)| *last < bin) {
            self.bins.push((bin, count));
            return;
        }
        match self.bins.binary_search_by_key(&bin, |(own, _)| *own) {
            Ok(place) => {
                if let Some((_, own)) = self.bins.get_mut(place) {
                    *own = own.saturating_add(count);
                }
            }
            Err(place) => self.bins.insert(place, (bin, count)),
        }
    }
}

/// A sketch that is being added up: a place for every bin there can be, so that adding searches for nothing.
#[derive(Debug)]
pub struct Tally {
    /// What each bin holds, by its number.
    counts: Vec<u64>,
    /// The bins that were touched lie within these.
    touched: std::ops::Range<usize>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { counts: vec![0; usize::from(LAST_BIN) + 1], touched: 0..0 }
    }
}

impl Tally {
    /// Adds so many values of this bin.
    pub fn put(&mut self, bin: u16, count: u64) {
        let bin = usize::from(bin.min(LAST_BIN));
        if let Some(own) = self.counts.get_mut(bin) {
            *own = own.saturating_add(count);
        }
        self.touched = match self.touched.is_empty() {
            true => bin..bin + 1,
            false => self.touched.start.min(bin)..self.touched.end.max(bin + 1),
        };
    }

    /// The sketch of all that was added; afterwards it is empty again.
    pub fn take(&mut self) -> Sketch {
        let touched = std::mem::replace(&mut self.touched, 0..0);
        let Some(counts) = self.counts.get_mut(touched.clone()) else { return Sketch::default() };
        let bins = touched.zip(counts.iter_mut().map(std::mem::take));
        let bins = bins.filter(|(_, count)| *count > 0).map(|(bin, count)| (bin as u16, count));
        Sketch { bins: bins.collect() }
    }
}

fn bin_of(value: u64) -> u16 {
    ((value.max(1) as f64).ln() * BINS_PER_E).ceil() as u16
}

/// The value that is equally far, relative to it, from both ends of the bin.
fn value_of(bin: u16) -> f64 {
    2.0 * (f64::from(bin) / BINS_PER_E).exp() / (GAMMA + 1.0)
}

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bins.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_bins(Vec::<(u16, u64)>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
#[path = "tests/sketches.rs"]
mod tests;
