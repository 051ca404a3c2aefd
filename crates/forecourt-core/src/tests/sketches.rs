//! Sketches against the exact percentiles of the same values.

use super::{ACCURACY, Sketch};
use proptest::prelude::*;

/// The value of this rank among all of them, as a sketch defines it.
fn exact(sorted: &[u64], quantile: f64) -> f64 {
    sorted[(quantile * (sorted.len() - 1) as f64).floor() as usize].max(1) as f64
}

fn sketch(values: &[u64]) -> Sketch {
    let mut sketch = Sketch::default();
    values.iter().for_each(|value| sketch.record(*value));
    sketch
}

/// Values of every magnitude, small ones as often as large ones.
fn value() -> impl Strategy<Value = u64> {
    (0u32..64, any::<u64>()).prop_map(|(shift, value)| value >> shift)
}

proptest! {
    #[test]
    fn percentiles_lie_within_the_accuracy_also_after_sketches_were_added(
        parts in prop::collection::vec(prop::collection::vec(value(), 0..60), 1..8),
        quantile in 0.0f64..=1.0,
    ) {
        let mut merged = Sketch::default();
        parts.iter().for_each(|part| merged.add(&sketch(part)));
        let mut all: Vec<u64> = parts.concat();
        all.sort_unstable();
        prop_assert_eq!(&merged, &sketch(&all), "adding sketches is the sketch of all values");
        prop_assert_eq!(merged.count(), all.len() as u64);
        for quantile in [0.0, quantile, 0.5, 0.95, 0.99, 1.0] {
            match merged.quantile(quantile) {
                None => prop_assert!(all.is_empty()),
                Some(told) => {
                    let exact = exact(&all, quantile);
                    let error = (told - exact).abs() / exact;
                    prop_assert!(error <= ACCURACY * 1.000_001, "{} told for {}: {}", told, exact, error);
                }
            }
        }
    }

    #[test]
    fn a_sketch_comes_back_from_its_bins_in_whatever_order(values in prop::collection::vec(value(), 0..60)) {
        let sketch = sketch(&values);
        prop_assert_eq!(&Sketch::from_bins(sketch.bins().iter().rev().copied()), &sketch);
        let text = serde_json::to_string(&sketch).unwrap();
        prop_assert_eq!(serde_json::from_str::<Sketch>(&text).unwrap(), sketch);
    }
}

#[test]
fn bins_that_nobody_can_have_made_do_no_harm() {
    let odd = Sketch::from_bins([(u16::MAX, u64::MAX), (3, 0), (u16::MAX, u64::MAX)]);
    assert_eq!(odd.bins().len(), 1);
    assert_eq!(odd.count(), u64::MAX);
    assert!(odd.quantile(0.5).unwrap().is_finite());
    assert_eq!(Sketch::default().quantile(0.5), None);
}
