//! Query strings, read the same everywhere: `+` and `%XX` decoded, repeated names and `a[]=` as arrays,
//! `labels[key]=value` as label conditions, an empty value as absent.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use forecourt_core::{
    labels::LabelCondition,
    lists::{Direction, Order, Paging, TextFilter, TimeOrder},
    time::Timestamp,
};
use http::request::Parts;
use percent_encoding::percent_decode;

use crate::{problem::Problem, times};

/// A request's query.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Query {
    /// Reads a raw query; broken escapes and text that is not UTF-8 are refused.
    pub fn parse(raw: &str) -> Result<Self, Problem> {
        let mut pairs = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self { pairs })
    }

    /// The value of `name`: the last one given; `None` where it is absent or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let last = self.pairs.iter().rev().find(|(own, _)| own == name);
        last.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of `name`, given as `name=` or `name[]=`; empty ones are left out.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let own = |given: &str| given == name || given.strip_suffix("[]") == Some(name);
        let values = self.pairs.iter().filter(|(given, _)| own(given)).map(|(_, value)| value.as_str());
        values.filter(|value| !value.is_empty()).collect()
    }

    /// All names and values, in the order given.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of `name` as one of the words that `read` knows.
    pub fn word<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        words: &str,
    ) -> Result<Option<T>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some(value) => {
                read(value).map(Some).ok_or_else(|| Problem::bad_request(format!("{name} must be {words}")))
            }
        }
    }

    /// The value of `name` as a whole number.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some(value) => value
                .parse()
                .map(Some)
                .map_err(|_| Problem::bad_request(format!("{name} must be a whole number"))),
        }
    }

    /// The value of `name` as a moment: ISO-8601 with its offset, `2026-08-07T09:00:00.000Z`.
    pub fn moment(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(value) = self.text(name) else { return Ok(None) };
        times::moment(value).map(Some).ok_or_else(|| {
            Problem::bad_request(format!("{name} must be a time such as 2026-08-07T09:00:00.000Z"))
        })
    }

    /// `page` and `page_size`: neither gives all rows; each is a positive whole number.
    pub fn paging(&self) -> Result<Paging, Problem> {
        let positive = |name: &str| match self.text(name) {
            None => Ok(None),
            Some(value) => match value.parse::<u64>() {
                Ok(number) if number > 0 && value.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(number)),
                _ => Err(Problem::bad_request(format!("{name} must be a positive whole number"))),
            },
        };
        Ok(match (positive("page")?, positive("page_size")?) {
            (None, None) => Paging::All,
            (page, size) => Paging::Page { page: page.unwrap_or(1), size: size.unwrap_or(10) },
        })
    }

    /// `direction` and `order_by`, the latter one of the words that `read` knows.
    pub fn order<By: Default>(
        &self,
        read: impl Fn(&str) -> Option<By>,
        words: &str,
    ) -> Result<Order<By>, Problem> {
        let direction = |word: &str| match word {
            "asc" => Some(Direction::Ascending),
            "desc" => Some(Direction::Descending),
            _ => None,
        };
        Ok(Order {
            by: self.word("order_by", read, words)?.unwrap_or_default(),
            direction: self.word("direction", direction, "asc or desc")?.unwrap_or_default(),
        })
    }

    /// `direction` and `order_by` of lists that are sorted by `updated_at` or `created_at`.
    pub fn time_order(&self) -> Result<Order<TimeOrder>, Problem> {
        let read = |word: &str| match word {
            "updated_at" => Some(TimeOrder::UpdatedAt),
            "created_at" => Some(TimeOrder::CreatedAt),
            _ => None,
        };
        self.order(read, "updated_at or created_at")
    }

    /// `search` and `labels[…]`.
    pub fn text_filter(&self) -> TextFilter {
        TextFilter { search: self.text("search").map(str::to_owned), labels: self.labels() }
    }

    /// `labels[key]=value`, also nested as `labels=labels[key]=value`; an empty value asks only for the key.
    pub fn labels(&self) -> Vec<LabelCondition> {
        self.pairs.iter().filter_map(|(name, value)| label_condition(name, value)).collect()
    }
}

fn label_condition(name: &str, value: &str) -> Option<LabelCondition> {
    if name == "labels" {
        let (key, value) = match value.split_once("]=") {
            Some((start, value)) => (start.strip_prefix("labels[")?, value),
            None => (value.strip_prefix("labels[")?.strip_suffix(']')?, ""),
        };
        return Some(condition(key, value));
    }
    Some(condition(name.strip_prefix("labels[")?.strip_suffix(']')?, value))
}

fn condition(key: &str, value: &str) -> LabelCondition {
    LabelCondition { key: key.to_owned(), value: (!value.is_empty()).then(|| value.to_owned()) }
}

fn decode(text: &str) -> Result<String, Problem> {
    let broken = || Problem::bad_request("the query holds a broken escape or text that is not UTF-8");
    let bytes = text.as_bytes();
    for (place, _) in text.match_indices('%') {
        let digits = bytes.get(place + 1..place + 3).ok_or_else(broken)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(broken());
        }
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().map_err(|_| broken())?;
    if decoded.contains('\0') {
        return Err(Problem::bad_request("the query must not hold NUL characters"));
    }
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(raw: &str) -> Query {
        Query::parse(raw).unwrap()
    }

    #[test]
    fn the_last_of_a_repeated_value_wins_and_an_empty_one_is_absent() {
        assert_eq!(query("a=1&a=2").text("a"), Some("2"));
        assert_eq!(query("a=").text("a"), None);
        assert_eq!(query("a=x+y%20z").text("a"), Some("x y z"));
    }

    #[test]
    fn arrays_come_repeated_or_with_brackets_raw_or_escaped() {
        assert_eq!(query("a=1&a=2").texts("a"), ["1", "2"]);
        assert_eq!(query("a[]=1&a%5B%5D=2").texts("a"), ["1", "2"]);
    }

    #[test]
    fn labels_come_bracketed_escaped_or_nested() {
        let one = |raw: &str| query(raw).labels().pop().unwrap();
        for raw in [
            "labels[env]=prod",
            "labels%5Benv%5D=prod",
            "labels=labels[env]=prod",
            "labels=labels%5Benv%5D%3Dprod",
        ] {
            assert_eq!(one(raw), LabelCondition { key: "env".into(), value: Some("prod".into()) }, "{raw}");
        }
        assert_eq!(one("labels[env]=").value, None);
        assert_eq!(one("labels=labels[a b]").key, "a b");
    }

    #[test]
    fn pages_are_positive_and_default_to_all_rows() {
        assert_eq!(query("").paging().unwrap(), Paging::All);
        assert_eq!(query("page=3").paging().unwrap(), Paging::Page { page: 3, size: 10 });
        assert_eq!(query("page_size=5").paging().unwrap(), Paging::Page { page: 1, size: 5 });
        for raw in ["page=0", "page=-1", "page=x", "page_size=1.5", "page=%2B1"] {
            assert!(query(raw).paging().is_err(), "{raw}");
        }
    }

    #[test]
    fn a_moment_has_a_date_a_time_and_an_offset() {
        let at = |raw: &str| query(raw).moment("since").map(|at| at.map(Timestamp::millis));
        assert_eq!(at("since=2026-08-07T09:00:00.250Z").unwrap(), Some(1_786_093_200_250));
        assert_eq!(at("since=2026-08-07T11:00:00%2B02:00").unwrap(), Some(1_786_093_200_000));
        assert_eq!(at("since=").unwrap(), None);
        for raw in ["since=2026-08-07", "since=2026-08-07T09:00:00", "since=1786093200", "since=yesterday"] {
            assert!(at(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn broken_escapes_and_bytes_that_are_no_text_are_refused() {
        for raw in ["a=%", "a=%2", "a=%zz", "a=%ff", "a=%00"] {
            assert!(Query::parse(raw).is_err(), "{raw}");
        }
    }
}
