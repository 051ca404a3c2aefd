//! Conditions of routes: what a request must be like beside its host, path and method.
//!
//! Invariant: a check of something that a request does not have does not hold, and so its negation does. Paths of a
//! route with conditions travel inside of [`ConditionalPaths`]: a gateway that knows no conditions finds no path, and
//! serves the route not at all rather than to everybody.

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Bytes that one compiled pattern may take, and as many again while it works.
const PATTERN_BYTES: usize = 256 * 1_024;
/// How deep a pattern may be nested.
const PATTERN_DEPTH: u32 = 32;

/// Where a route leads, for the requests that meet a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionalPaths {
    /// As `paths` of the route; at least one.
    pub paths: Vec<String>,
    /// What a request must be like.
    pub when: RouteCondition,
}

/// What a request must be like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteCondition {
    /// All of these hold.
    All(Vec<Self>),
    /// At least one of these holds.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// A variable passes a check.
    Test {
        /// Which variable.
        variable: RequestVariable,
        /// What must be so.
        check: VariableCheck,
    },
}

/// What of a request is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestVariable {
    /// The first query argument of this name, decoded.
    Argument(String),
    /// The header field of this name, lower case; several are joined by `, `.
    Header(String),
    /// The first cookie of this name.
    Cookie(String),
    /// The path as it was matched.
    Path,
    /// The path as it was matched, and the query as it was sent.
    Target,
    /// The method.
    Method,
    /// The host without port, lower case.
    Host,
    /// `http` or `https`.
    Scheme,
    /// The caller's address, behind trusted proxies the one that they tell of.
    Address,
    /// The query as it was sent.
    Query,
}

/// What must be so of a variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableCheck {
    /// It is there.
    Present,
    /// It is this.
    Equals(Operand),
    /// It is a number greater than this.
    Above(f64),
    /// It is a number, this or greater.
    AtLeast(f64),
    /// It is a number less than this.
    Below(f64),
    /// It is a number, this or less.
    AtMost(f64),
    /// The pattern fits somewhere in it.
    Matches {
        /// A pattern that [`compiled_pattern`] takes.
        pattern: String,
        /// Whether upper and lower case are the same.
        ignore_case: bool,
    },
    /// It is one of these.
    In(Vec<Operand>),
    /// One of its values is this: of arguments and cookies of the name, or of the members of a header field's list.
    Has(Operand),
    /// It is an address in one of these ranges, `10.0.0.0/8` or a single address.
    InNetworks(Vec<String>),
}

/// What a variable is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Operand {
    /// As a number: `1` and `1.0` are the same.
    Number(f64),
    /// As text, byte by byte.
    Text(String),
}

/// The pattern, compiled; matching takes time linear in the text.
///
/// # Errors
/// When it is no regular expression, asks for look-around or back-references, or takes more than 256 KiB.
pub fn compiled_pattern(pattern: &str, ignore_case: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .nest_limit(PATTERN_DEPTH)
        .build()
}
