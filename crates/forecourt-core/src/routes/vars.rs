//! `vars` of routes: conditions on requests, in the expression language that Apache APISIX documents for them.
//!
//! An array of conditions, all of which must hold, or one that begins with `AND`, `OR`, `!AND` or `!OR`; a condition is
//! `[variable, operator, value]`, `[variable, "!", operator, value]`, or a group again. Invariant: whatever is accepted
//! is enforced; a variable, an operator or a value that no gateway knows is refused by its place, as in `vars[0][2]`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    addresses::Network,
    gateway_state::{Operand, RequestVariable, RouteCondition, VariableCheck, compiled_pattern},
    services::upstreams::settings::is_name,
    text::Invalid,
};

/// Where it stands in a route.
const MEMBER: &str = "vars";
/// The most tests of one route.
const MOST_TESTS: usize = 64;
/// The most groups within each other.
const DEEPEST: usize = 8;
/// The most bytes of the whole, written as JSON.
const MOST_BYTES: usize = 4_096;
/// Fields that a gateway sets once it knows who calls: whatever a caller sends under these names means nothing.
const OURS: [&str; 3] = ["x-consumer-username", "x-credential-identifier", "x-consumer-custom-id"];

/// Checked conditions, as they were given and as gateways enforce them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Value>", into = "Vec<Value>")]
pub struct Vars {
    given: Vec<Value>,
    condition: Option<RouteCondition>,
}

impl Vars {
    /// The conditions that a member holds; an empty array is none.
    ///
    /// # Errors
    /// Names the place that is wrong: the shape, a variable, an operator, a value, or more than 64 tests, 8 levels or
    /// 4096 bytes.
    pub fn read(given: Value) -> Result<Self, Invalid> {
        match given {
            Value::Array(given) => Self::new(given),
            _ => Err(shapeless()),
        }
    }

    fn new(given: Vec<Value>) -> Result<Self, Invalid> {
        let Some(first) = given.first() else { return Ok(Self::default()) };
        // Two brackets, and a comma after each but the last.
        let bytes = given.iter().map(|item| item.to_string().len() + 1).sum::<usize>() + 1;
        if bytes > MOST_BYTES {
            return Err(Invalid::new(MEMBER, format!("must be at most {MOST_BYTES} bytes as JSON")));
        }
        let mut reader = Reader { tests: 0 };
        let condition = match (first, first.as_str().and_then(Logic::of)) {
            (_, Some(logic)) => reader.group(MEMBER, logic, &given, 1)?,
            (Value::Array(_), None) => RouteCondition::All(reader.several(MEMBER, &given, 0, 1)?),
            _ => return Err(shapeless()),
        };
        Ok(Self { given, condition: Some(condition) })
    }

    /// The conditions as they were given; empty: none.
    pub fn given(&self) -> &[Value] {
        &self.given
    }

    /// What gateways enforce; `None`: every request is fine.
    pub const fn condition(&self) -> Option<&RouteCondition> {
        self.condition.as_ref()
    }
}

impl TryFrom<Vec<Value>> for Vars {
    type Error = Invalid;

    fn try_from(given: Vec<Value>) -> Result<Self, Invalid> {
        Self::new(given)
    }
}

impl From<Vars> for Vec<Value> {
    fn from(vars: Vars) -> Self {
        vars.given
    }
}

/// Whether `word` is an operator, or the `!` before one.
pub(crate) fn is_operator(word: &str) -> bool {
    word == "!" || Operator::of(word).is_some()
}

fn shapeless() -> Invalid {
    let example = r#"[["arg_kind", "==", "new"]]"#;
    let problem = format!(
        "must be an array of conditions such as {example}, or one that begins with AND, OR, !AND or !OR"
    );
    Invalid::new(MEMBER, problem)
}

/// How the conditions of a group are taken together.
#[derive(Clone, Copy)]
struct Logic {
    any: bool,
    negated: bool,
}

impl Logic {
    fn of(word: &str) -> Option<Self> {
        let (any, negated) = match word {
            "AND" => (false, false),
            "OR" => (true, false),
            "!AND" => (false, true),
            "!OR" => (true, true),
            _ => return None,
        };
        Some(Self { any, negated })
    }
}

/// Reads conditions and counts them.
struct Reader {
    tests: usize,
}

impl Reader {
    /// The conditions of `items` from `start` on, in an array at `path`.
    fn several(
        &mut self,
        path: &str,
        items: &[Value],
        start: usize,
        depth: usize,
    ) -> Result<Vec<RouteCondition>, Invalid> {
        let places = items.iter().enumerate().skip(start);
        places.map(|(place, item)| self.condition(&format!("{path}[{place}]"), item, depth)).collect()
    }

    /// A group at `path` that begins with its logic.
    fn group(
        &mut self,
        path: &str,
        logic: Logic,
        items: &[Value],
        depth: usize,
    ) -> Result<RouteCondition, Invalid> {
        if depth > DEEPEST {
            return Err(Invalid::new(
                path,
                format!("lies too deep: {DEEPEST} groups within each other at most"),
            ));
        }
        let conditions = self.several(path, items, 1, depth)?;
        if conditions.is_empty() {
            return Err(Invalid::new(path, "must hold at least one condition"));
        }
        let group = if logic.any { RouteCondition::Any(conditions) } else { RouteCondition::All(conditions) };
        Ok(negated(group, logic.negated))
    }

    fn condition(&mut self, path: &str, given: &Value, depth: usize) -> Result<RouteCondition, Invalid> {
        let items = given.as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(word) = items.first().and_then(Value::as_str) else {
            let problem = "must be [variable, operator, value], or begin with AND, OR, !AND or !OR";
            return Err(Invalid::new(path, problem));
        };
        if let Some(logic) = Logic::of(word) {
            return self.group(path, logic, items, depth + 1);
        }
        self.tests += 1;
        if self.tests > MOST_TESTS {
            return Err(Invalid::new(MEMBER, format!("must hold at most {MOST_TESTS} conditions")));
        }
        test(path, word, items)
    }
}

fn negated(condition: RouteCondition, is_negated: bool) -> RouteCondition {
    if is_negated { RouteCondition::Not(Box::new(condition)) } else { condition }
}

/// The test at `path` of the variable `name`.
fn test(path: &str, name: &str, items: &[Value]) -> Result<RouteCondition, Invalid> {
    let (reversed, operator, value) = match items {
        [_, Value::String(not), operator, value] if not == "!" => (true, (2, operator), (3, value)),
        [_, operator, value] => (false, (1, operator), (2, value)),
        _ => {
            let problem = r#"must be [variable, operator, value] or [variable, "!", operator, value]"#;
            return Err(Invalid::new(path, problem));
        }
    };
    let variable = variable(name).map_err(|problem| Invalid::new(format!("{path}[0]"), problem))?;
    let (place, operator) = operator;
    let operator = operator.as_str().and_then(Operator::of).ok_or_else(|| {
        let problem = "must be one of ==, ~=, >, >=, <, <=, ~~, ~*, in, has and ipmatch";
        Invalid::new(format!("{path}[{place}]"), problem)
    })?;
    let (place, value) = value;
    let (check, unequal) = operator.check(&format!("{path}[{place}]"), value)?;
    Ok(negated(RouteCondition::Test { variable, check }, reversed != unequal))
}

/// The variable of this name, or what is wrong with it.
fn variable(name: &str) -> Result<RequestVariable, String> {
    let named = |prefix: &str| name.strip_prefix(prefix).filter(|name| !name.is_empty() && is_name(name));
    let fixed = match name {
        "uri" => Some(RequestVariable::Path),
        "request_uri" => Some(RequestVariable::Target),
        "request_method" => Some(RequestVariable::Method),
        "host" => Some(RequestVariable::Host),
        "scheme" => Some(RequestVariable::Scheme),
        "remote_addr" => Some(RequestVariable::Address),
        "query_string" | "args" => Some(RequestVariable::Query),
        _ => None,
    };
    if let Some(fixed) = fixed {
        return Ok(fixed);
    }
    if let Some(name) = named("arg_") {
        return Ok(RequestVariable::Argument(name.to_owned()));
    }
    if let Some(name) = named("cookie_") {
        return Ok(RequestVariable::Cookie(name.to_owned()));
    }
    // As in nginx, the variable of a header has its name in lower case, with `_` for `-`.
    match named("http_").map(|name| name.to_ascii_lowercase().replace('_', "-")) {
        Some(name) if OURS.contains(&name.as_str()) => {
            Err("is what the gateway says of the caller, which is not known before there is a route".into())
        }
        Some(name) => Ok(RequestVariable::Header(name)),
        None => {
            Err("must be one of arg_NAME, http_NAME, cookie_NAME, uri, request_uri, request_method, host, \
                     scheme, remote_addr, query_string and args"
                .into())
        }
    }
}

#[derive(Clone, Copy)]
enum Operator {
    Equals { not: bool },
    Above,
    AtLeast,
    Below,
    AtMost,
    Matches { ignore_case: bool },
    In,
    Has,
    InNetworks,
}

impl Operator {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "==" => Self::Equals { not: false },
            "~=" => Self::Equals { not: true },
            ">" => Self::Above,
            ">=" => Self::AtLeast,
            "<" => Self::Below,
            "<=" => Self::AtMost,
            "~~" => Self::Matches { ignore_case: false },
            "~*" => Self::Matches { ignore_case: true },
            "in" => Self::In,
            "has" => Self::Has,
            "ipmatch" => Self::InNetworks,
            _ => return None,
        })
    }

    /// What must be so with the value at `path`, and whether the opposite of it.
    fn check(self, path: &str, value: &Value) -> Result<(VariableCheck, bool), Invalid> {
        let check = match self {
            // What equals null is not there.
            Self::Equals { not } if value.is_null() => return Ok((VariableCheck::Present, !not)),
            Self::Equals { not } => return Ok((VariableCheck::Equals(operand(path, value)?), not)),
            Self::Above => VariableCheck::Above(number(path, value)?),
            Self::AtLeast => VariableCheck::AtLeast(number(path, value)?),
            Self::Below => VariableCheck::Below(number(path, value)?),
            Self::AtMost => VariableCheck::AtMost(number(path, value)?),
            Self::Matches { ignore_case } => {
                VariableCheck::Matches { pattern: pattern(path, value, ignore_case)?, ignore_case }
            }
            Self::In => VariableCheck::In(each(path, value, operand)?),
            Self::Has => VariableCheck::Has(operand(path, value)?),
            Self::InNetworks if value.is_string() => VariableCheck::InNetworks(vec![network(path, value)?]),
            Self::InNetworks => VariableCheck::InNetworks(each(path, value, network)?),
        };
        Ok((check, false))
    }
}

/// The items of the array at `path`, each read by itself.
fn each<T>(
    path: &str,
    value: &Value,
    read: fn(&str, &Value) -> Result<T, Invalid>,
) -> Result<Vec<T>, Invalid> {
    let items = value.as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| Invalid::new(path, "must be an array of at least one value"))?;
    items.iter().enumerate().map(|(place, item)| read(&format!("{path}[{place}]"), item)).collect()
}

fn operand(path: &str, value: &Value) -> Result<Operand, Invalid> {
    let operand = match value {
        Value::String(text) => Some(Operand::Text(text.clone())),
        Value::Number(number) => number.as_f64().map(Operand::Number),
        _ => None,
    };
    operand.ok_or_else(|| Invalid::new(path, "must be a string or a number"))
}

/// A number, or a text that is one.
fn number(path: &str, value: &Value) -> Result<f64, Invalid> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| Invalid::new(path, "must be a number"))
}

fn pattern(path: &str, value: &Value, ignore_case: bool) -> Result<String, Invalid> {
    let pattern = value.as_str().filter(|pattern| !pattern.is_empty());
    let pattern = pattern.ok_or_else(|| Invalid::new(path, "must be a regular expression, not empty"))?;
    let problem = match compiled_pattern(pattern, ignore_case) {
        Ok(_) => return Ok(pattern.to_owned()),
        Err(regex::Error::CompiledTooBig(_)) => "is too large a regular expression",
        Err(_) => "is no regular expression (look-around and back-references are not served)",
    };
    Err(Invalid::new(path, problem))
}

fn network(path: &str, value: &Value) -> Result<String, Invalid> {
    let text = value.as_str().filter(|text| Network::parse(text).is_some());
    let problem = "must be an address or a range such as 10.0.0.0/8";
    text.map(str::to_owned).ok_or_else(|| Invalid::new(path, problem))
}

#[cfg(test)]
mod tests;
