//! Conditions of routes, compiled for requests (docs/gateway.md §13): which of the routes that fit by host, path and
//! method is taken.
//!
//! Invariants: what did not change is not compiled again; what cannot be compiled leads nowhere, rather than
//! everywhere. A request that meets no route with conditions computes nothing of what they are about.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use forecourt_core::{
    addresses::Network,
    gateway_state::{Operand, RequestVariable, RouteCondition, VariableCheck, compiled_pattern},
};
use http::{HeaderMap, HeaderName, header::COOKIE};
use regex::bytes::Regex;

use crate::{heads::Head, presented};

/// The conditions of a route.
pub(crate) struct Conditions {
    source: RouteCondition,
    root: Node,
}

enum Node {
    All(Box<[Self]>),
    Any(Box<[Self]>),
    Not(Box<Self>),
    Test(Variable, Check),
}

enum Variable {
    Argument(Box<str>),
    Header(HeaderName),
    Cookie(Box<str>),
    Path,
    Target,
    Method,
    Host,
    Scheme,
    Address,
    Query,
}

enum Check {
    Present,
    Equals(Operand),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    Matches(Regex),
    In(Box<[Operand]>),
    Has(Operand),
    InNetworks(Box<[Network]>),
}

impl Conditions {
    /// Compiles the row's, or takes over `previous` if they are the same.
    ///
    /// # Errors
    /// When a pattern, a range or the name of a header field cannot be read.
    pub(crate) fn compile(
        source: &RouteCondition,
        previous: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        match previous {
            Some(previous) if previous.source == *source => Ok(Arc::clone(previous)),
            _ => Ok(Arc::new(Self { root: Node::compile(source)?, source: source.clone() })),
        }
    }

    /// Whether a request with this head meets them.
    pub(crate) fn hold(&self, head: &Head<'_>) -> bool {
        self.root.holds(head)
    }
}

impl Node {
    fn compile(source: &RouteCondition) -> Result<Self, String> {
        let several =
            |sources: &[RouteCondition]| sources.iter().map(Self::compile).collect::<Result<_, _>>();
        Ok(match source {
            RouteCondition::All(sources) => Self::All(several(sources)?),
            RouteCondition::Any(sources) => Self::Any(several(sources)?),
            RouteCondition::Not(source) => Self::Not(Box::new(Self::compile(source)?)),
            RouteCondition::Test { variable, check } => {
                Self::Test(Variable::compile(variable)?, Check::compile(check)?)
            }
        })
    }

    fn holds(&self, head: &Head<'_>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(head)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(head)),
            Self::Not(node) => !node.holds(head),
            Self::Test(variable, check) => check.holds(variable, head),
        }
    }
}

impl Check {
    fn compile(source: &VariableCheck) -> Result<Self, String> {
        Ok(match source {
            VariableCheck::Present => Self::Present,
            VariableCheck::Equals(operand) => Self::Equals(operand.clone()),
            VariableCheck::Above(number) => Self::Above(*number),
            VariableCheck::AtLeast(number) => Self::AtLeast(*number),
            VariableCheck::Below(number) => Self::Below(*number),
            VariableCheck::AtMost(number) => Self::AtMost(*number),
            VariableCheck::Matches { pattern, ignore_case } => {
                Self::Matches(compiled_pattern(pattern, *ignore_case).map_err(|error| error.to_string())?)
            }
            VariableCheck::In(operands) => Self::In(operands.as_slice().into()),
            VariableCheck::Has(operand) => Self::Has(operand.clone()),
            VariableCheck::InNetworks(ranges) => {
                let range = |text: &String| {
                    Network::parse(text).ok_or_else(|| format!("{text:?} is no range of addresses"))
                };
                Self::InNetworks(ranges.iter().map(range).collect::<Result<_, _>>()?)
            }
        })
    }

    fn holds(&self, variable: &Variable, head: &Head<'_>) -> bool {
        match self {
            Self::Has(operand) => variable.any(head, |value| equals(value, operand)),
            Self::InNetworks(networks) => variable
                .address(head)
                .is_some_and(|address| networks.iter().any(|network| network.contains(address))),
            Self::Present => variable.value(head).is_some(),
            Self::Equals(operand) => variable.value(head).is_some_and(|value| equals(&value, operand)),
            Self::In(operands) => variable
                .value(head)
                .is_some_and(|value| operands.iter().any(|operand| equals(&value, operand))),
            Self::Matches(pattern) => variable.value(head).is_some_and(|value| pattern.is_match(&value)),
            Self::Above(bound) => variable.number(head).is_some_and(|number| number > *bound),
            Self::AtLeast(bound) => variable.number(head).is_some_and(|number| number >= *bound),
            Self::Below(bound) => variable.number(head).is_some_and(|number| number < *bound),
            Self::AtMost(bound) => variable.number(head).is_some_and(|number| number <= *bound),
        }
    }
}

impl Variable {
    fn compile(source: &RequestVariable) -> Result<Self, String> {
        Ok(match source {
            RequestVariable::Argument(name) => Self::Argument(name.as_str().into()),
            RequestVariable::Header(name) => {
                let parsed = HeaderName::from_bytes(name.as_bytes());
                Self::Header(parsed.map_err(|_| format!("{name:?} can be no header field's name"))?)
            }
            RequestVariable::Cookie(name) => Self::Cookie(name.as_str().into()),
            RequestVariable::Path => Self::Path,
            RequestVariable::Target => Self::Target,
            RequestVariable::Method => Self::Method,
            RequestVariable::Host => Self::Host,
            RequestVariable::Scheme => Self::Scheme,
            RequestVariable::Address => Self::Address,
            RequestVariable::Query => Self::Query,
        })
    }

    /// What it is; `None`: the request has nothing of the kind.
    fn value<'a>(&self, head: &Head<'a>) -> Option<Cow<'a, [u8]>> {
        let text = |text: &'a str| Some(Cow::Borrowed(text.as_bytes()));
        match self {
            Self::Argument(name) => presented::argument(head.query?, name),
            Self::Header(name) => field(head.headers, name),
            Self::Cookie(name) => cookies(head.headers, name).next().map(Cow::Borrowed),
            Self::Path => text(head.path),
            Self::Target => match head.query {
                Some(query) => Some(Cow::Owned([head.path, "?", query].concat().into_bytes())),
                None => text(head.path),
            },
            Self::Method => text(head.method.as_str()),
            Self::Host if head.host.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Some(Cow::Owned(head.host.to_ascii_lowercase().into_bytes()))
            }
            Self::Host => text(head.host),
            Self::Scheme => head.way.and_then(|(hop, _)| text(hop.scheme(head.headers))),
            Self::Address => Some(Cow::Owned(self.address(head)?.to_string().into_bytes())),
            Self::Query => text(head.query?),
        }
    }

    /// Whether one of its values fits, where it may have several.
    fn any(&self, head: &Head<'_>, fits: impl Fn(&[u8]) -> bool) -> bool {
        match self {
            Self::Argument(name) => head
                .query
                .is_some_and(|query| presented::arguments_named(query, name).any(|value| fits(&value))),
            Self::Header(name) => {
                let fields = head.headers.get_all(name).iter();
                let mut members = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
                members.any(|member| fits(member.trim_ascii()))
            }
            Self::Cookie(name) => cookies(head.headers, name).any(fits),
            _ => self.value(head).is_some_and(|value| fits(&value)),
        }
    }

    /// The number that it is, if it is one.
    fn number(&self, head: &Head<'_>) -> Option<f64> {
        number(&self.value(head)?)
    }

    /// The address that it is, if it is one.
    fn address(&self, head: &Head<'_>) -> Option<IpAddr> {
        if let Self::Address = self {
            let (hop, trusted_proxies) = head.way?;
            return Some(hop.caller(head.headers, trusted_proxies));
        }
        let value = self.value(head)?;
        std::str::from_utf8(&value).ok()?.trim().parse().ok()
    }
}

/// The field of this name; several are one list (RFC 9110 §5.3), so that none of them hides another.
fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut fields = headers.get_all(name).iter();
    let mut whole = Cow::Borrowed(fields.next()?.as_bytes());
    for field in fields {
        let list = whole.to_mut();
        list.extend_from_slice(b", ");
        list.extend_from_slice(field.as_bytes());
    }
    Some(whole)
}

/// The cookies of this name, in their order.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let fields = headers.get_all(COOKIE).iter();
    fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';')).filter_map(move |pair| {
        let pair = pair.trim_ascii();
        let (own, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        if own == name.as_bytes() { value.get(1..) } else { None }
    })
}

fn equals(value: &[u8], operand: &Operand) -> bool {
    match operand {
        Operand::Text(text) => value == text.as_bytes(),
        Operand::Number(wanted) => number(value) == Some(*wanted),
    }
}

/// The finite number that a value is.
fn number(value: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
#[path = "tests/conditions.rs"]
mod tests;
