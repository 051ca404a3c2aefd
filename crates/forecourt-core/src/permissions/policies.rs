//! Permission policies: the document as it is given and kept, and compiled for decisions.
//!
//! Invariant: a [`PolicyDocument`] has been compiled once when it was read, so a stored one always compiles.

use serde_json::{Map, Value};

use super::{Action, patterns::Pattern};
use crate::{labels::Labels, text::Invalid};

/// The most statements of a document, and the most patterns of each list of one.
pub const MOST: usize = 100;
/// The longest document as JSON, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// The document of the policy that allows everything.
pub const SUPER_ADMIN_DOCUMENT: &str =
    r#"{"statement":[{"effect":"allow","resources":["<.*>"],"actions":["<.*>"]}]}"#;

/// A checked policy document: `{"statement":[{"effect","resources","actions","conditions"}]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument(Value);

/// A compiled policy.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    is_deny: bool,
    resources: Vec<Pattern>,
    /// One bit an action, by its place in [`Action::ALL`].
    actions: u128,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Condition {
    /// The labels of the resource's gateway group hold all of these.
    GatewayGroupLabels(Vec<(String, String)>),
    /// Something that this version does not know.
    Unknown,
}

/// What the statements of some policies say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Opinion {
    pub(super) allows: bool,
    pub(super) denies: bool,
}

/// What the statements that name an action say, whatever the resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outlook {
    pub(super) allows_some: bool,
    pub(super) allows_all: bool,
    pub(super) denies_some: bool,
    pub(super) denies_all: bool,
}

impl PolicyDocument {
    /// Checks a document; every object in it is closed.
    pub fn new(given: Value) -> Result<Self, Invalid> {
        if given.to_string().len() > LONGEST {
            return Err(Invalid::new("policy_document", format!("must be at most {LONGEST} bytes")));
        }
        Policy::parse(&given)?;
        Ok(Self(given))
    }

    /// A document that was checked before, out of our own storage.
    pub const fn known(stored: Value) -> Self {
        Self(stored)
    }

    /// The document as it was given.
    pub const fn as_json(&self) -> &Value {
        &self.0
    }

    /// Compiled.
    ///
    /// # Errors
    /// None for a checked document, unless this version knows stricter rules than the one that checked it.
    pub fn compile(&self) -> Result<Policy, Invalid> {
        Policy::parse(&self.0)
    }

    /// The action patterns that name no action of this version, in their order.
    pub fn idle_actions(&self) -> Vec<String> {
        let statements = self.0.get("statement").and_then(Value::as_array).into_iter().flatten();
        let patterns = statements
            .filter_map(|statement| statement.get("actions").and_then(Value::as_array))
            .flatten()
            .filter_map(Value::as_str);
        let is_idle = |text: &&str| Pattern::parse(text).is_ok_and(|pattern| bits(&pattern) == 0);
        patterns.filter(is_idle).map(str::to_owned).collect()
    }
}

impl Policy {
    fn parse(document: &Value) -> Result<Self, Invalid> {
        let members = closed("policy_document", document, &["statement"])?;
        let statements = list("policy_document.statement", members.get("statement"))?;
        let numbered = statements.iter().enumerate();
        let statements =
            numbered.map(|(n, statement)| parse_statement(n, statement)).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// What this policy says of `action` on the resource with the name `arn`.
    pub(super) fn opinion(&self, action: Action, arn: &str, labels: &Labels) -> Opinion {
        let mut opinion = Opinion::default();
        for statement in self.statements.iter().filter(|statement| statement.actions & bit(action) != 0) {
            if !statement.resources.iter().any(|pattern| pattern.matches(arn)) {
                continue;
            }
            let is_deny = statement.is_deny;
            if statement.conditions.iter().all(|condition| condition.holds(labels, is_deny)) {
                opinion.denies |= is_deny;
                opinion.allows |= !is_deny;
            }
        }
        opinion
    }

    /// What this policy says of `action` over all resources.
    pub(super) fn outlook(&self, action: Action) -> Outlook {
        let everywhere = |pattern: &Pattern| matches!(pattern, Pattern::Everything);
        let mut outlook = Outlook::default();
        for statement in self.statements.iter().filter(|statement| statement.actions & bit(action) != 0) {
            let is_sweeping = statement.conditions.is_empty() && statement.resources.iter().any(everywhere);
            if statement.is_deny {
                outlook.denies_some = true;
                outlook.denies_all |= is_sweeping;
            } else {
                outlook.allows_some = true;
                outlook.allows_all |= is_sweeping;
            }
        }
        outlook
    }

    /// Whether a decision may need the labels of gateway groups.
    pub fn needs_labels(&self) -> bool {
        let by_label = |condition: &Condition| matches!(condition, Condition::GatewayGroupLabels(_));
        self.statements.iter().any(|statement| statement.conditions.iter().any(by_label))
    }
}

impl Condition {
    /// An unknown condition holds for whoever denies and for nobody who allows.
    fn holds(&self, labels: &Labels, is_deny: bool) -> bool {
        match self {
            Self::GatewayGroupLabels(wanted) => {
                wanted.iter().all(|(key, value)| labels.pairs().get(key) == Some(value))
            }
            Self::Unknown => is_deny,
        }
    }
}

const fn bit(action: Action) -> u128 {
    1 << (action as u32)
}

fn bits(pattern: &Pattern) -> u128 {
    let named = Action::ALL.iter().filter(|action| pattern.matches(action.name()));
    named.fold(0, |bits, action| bits | bit(*action))
}

fn parse_statement(n: usize, given: &Value) -> Result<Statement, Invalid> {
    let place = format!("policy_document.statement[{n}]");
    let members = closed(&place, given, &["effect", "resources", "actions", "conditions"])?;
    let is_deny = match members.get("effect").and_then(Value::as_str) {
        Some("allow") => false,
        Some("deny") => true,
        _ => return Err(Invalid::new(format!("{place}.effect"), "must be allow or deny")),
    };
    let resources = patterns(&format!("{place}.resources"), members.get("resources"))?;
    let named = patterns(&format!("{place}.actions"), members.get("actions"))?;
    let actions = named.iter().fold(0, |all, pattern| all | bits(pattern));
    let conditions = match members.get("conditions") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(given)) => given.iter().map(|(name, value)| condition(name, value)).collect(),
        Some(_) => return Err(Invalid::new(format!("{place}.conditions"), "must be an object")),
    };
    Ok(Statement { is_deny, resources, actions, conditions })
}

fn condition(name: &str, given: &Value) -> Condition {
    label_condition(name, given).map_or(Condition::Unknown, Condition::GatewayGroupLabels)
}

/// The labels that a condition demands; `None` for anything that is not wholly understood.
pub(super) fn label_condition(name: &str, given: &Value) -> Option<Vec<(String, String)>> {
    if name != "gateway_group_label" {
        return None;
    }
    let members =
        given.as_object().filter(|members| members.keys().all(|key| key == "type" || key == "options"))?;
    if members.get("type").and_then(Value::as_str) != Some("MatchLabel") {
        return None;
    }
    let options = members.get("options").and_then(Value::as_array).filter(|options| !options.is_empty())?;
    let option = |option: &Value| {
        let known = |key: &String| matches!(key.as_str(), "key" | "operator" | "value");
        let members = option.as_object().filter(|members| members.keys().all(known))?;
        let text = |member: &str| members.get(member).and_then(Value::as_str).map(str::to_owned);
        (members.get("operator").and_then(Value::as_str) == Some("exact_match"))
            .then(|| Some((text("key")?, text("value")?)))
            .flatten()
    };
    options.iter().map(option).collect()
}

fn patterns(field: &str, given: Option<&Value>) -> Result<Vec<Pattern>, Invalid> {
    let parse = |(n, text): (usize, &Value)| {
        let field = || format!("{field}[{n}]");
        let text = text.as_str().ok_or_else(|| Invalid::new(field(), "must be a string"))?;
        Pattern::parse(text).map_err(|problem| Invalid::new(field(), problem))
    };
    list(field, given)?.iter().enumerate().map(parse).collect()
}

fn list<'a>(field: &str, given: Option<&'a Value>) -> Result<&'a [Value], Invalid> {
    match given.and_then(Value::as_array) {
        Some(list) if (1..=MOST).contains(&list.len()) => Ok(list),
        _ => Err(Invalid::new(field, format!("is required: an array of 1 to {MOST}"))),
    }
}

fn closed<'a>(field: &str, given: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, Invalid> {
    let members = given.as_object().ok_or_else(|| Invalid::new(field, "must be an object"))?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(other) => Err(Invalid::new(
            format!("{field}.{other}"),
            format!("is unknown; known are {}", known.join(", ")),
        )),
        None => Ok(members),
    }
}
