//! Metrics as text: each family with its help and type, then its samples.
//!
//! Invariant: what stands in a label's value can end neither the value nor the line.

use std::fmt::Write;

use forecourt_core::histograms::{BOUNDS, HistogramReading};

use super::{Kind, Metric};

/// A text in the making.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// One value of a metric.
#[derive(Debug)]
pub struct Sample {
    labels: Vec<String>,
    value: SampleValue,
}

#[derive(Debug)]
enum SampleValue {
    Number(String),
    Histogram(HistogramReading),
}

impl Sample {
    /// The only value of a metric without labels.
    pub fn plain(value: impl ToString) -> Self {
        Self { labels: Vec::new(), value: SampleValue::Number(value.to_string()) }
    }

    /// The value for these values of its labels, in their order.
    pub fn labelled(labels: &[&str], value: impl ToString) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { labels, value: SampleValue::Number(value.to_string()) }
    }

    /// Durations for these values of its labels.
    pub fn durations(labels: &[&str], reading: HistogramReading) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { labels, value: SampleValue::Histogram(reading) }
    }
}

impl Exposition {
    /// Adds a metric with its samples; without any nothing is added.
    pub fn family(&mut self, metric: &Metric, samples: impl IntoIterator<Item = Sample>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let name = metric.name;
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.0 += &format!("# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
        for sample in samples {
            let labels = labels(metric, &sample.labels);
            match sample.value {
                SampleValue::Number(value) => self.line(name, &labels, "", &value),
                SampleValue::Histogram(reading) => self.histogram(name, &labels, &reading),
            }
        }
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }

    fn histogram(&mut self, name: &str, labels: &str, reading: &HistogramReading) {
        let comma = if labels.is_empty() { "" } else { "," };
        for (bound, count) in BOUNDS.iter().zip(&reading.at_most) {
            self.line(
                &format!("{name}_bucket"),
                labels,
                &format!("{comma}le=\"{bound}\""),
                &count.to_string(),
            );
        }
        let count = reading.count.to_string();
        self.line(&format!("{name}_bucket"), labels, &format!("{comma}le=\"+Inf\""), &count);
        self.line(&format!("{name}_sum"), labels, "", &reading.sum.to_string());
        self.line(&format!("{name}_count"), labels, "", &count);
    }

    fn line(&mut self, name: &str, labels: &str, more: &str, value: &str) {
        // A text takes everything that is written to it.
        let _written = match (labels, more) {
            ("", "") => writeln!(self.0, "{name} {value}"),
            _ => writeln!(self.0, "{name}{{{labels}{more}}} {value}"),
        };
    }
}

fn labels(metric: &Metric, values: &[String]) -> String {
    let pairs = metric.labels.iter().zip(values);
    let pairs = pairs.map(|(name, value)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    });
    pairs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use forecourt_core::histograms::Histogram;

    use super::*;
    use crate::metrics::{DATABASE_WAIT, HTTP_DURATION, REJECTED, USAGE_INBOX};

    #[test]
    fn a_family_has_its_help_its_type_and_its_samples() {
        let mut exposition = Exposition::default();
        exposition.family(&USAGE_INBOX, [Sample::plain(7)]);
        exposition.family(&REJECTED, [Sample::labelled(&["a\"b\\c\nd"], 1)]);
        exposition.family(&REJECTED, []);
        let text = exposition.finish();
        assert!(text.contains("# TYPE forecourt_usage_inbox_pieces gauge\nforecourt_usage_inbox_pieces 7\n"));
        assert!(text.contains("forecourt_gateway_rejected_total{reason=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
        assert_eq!(text.matches("# HELP").count(), 2, "a family without samples is left out");
    }

    #[test]
    fn durations_are_told_by_bound_with_their_sum_and_count() {
        let histogram = Histogram::default();
        histogram.count(Duration::from_millis(20));
        let mut exposition = Exposition::default();
        exposition.family(&HTTP_DURATION, [Sample::durations(&["site", "/"], histogram.read())]);
        exposition.family(&DATABASE_WAIT, [Sample::durations(&[], histogram.read())]);
        let text = exposition.finish();
        for line in [
            "forecourt_http_request_duration_seconds_bucket{face=\"site\",route=\"/\",le=\"0.01\"} 0",
            "forecourt_http_request_duration_seconds_bucket{face=\"site\",route=\"/\",le=\"0.025\"} 1",
            "forecourt_http_request_duration_seconds_bucket{face=\"site\",route=\"/\",le=\"+Inf\"} 1",
            "forecourt_database_write_wait_seconds_bucket{le=\"1\"} 1",
            "forecourt_database_write_wait_seconds_sum 0.02",
            "forecourt_database_write_wait_seconds_count 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in {text}");
        }
    }
}
