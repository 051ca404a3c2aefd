//! What a policy document says, statement by statement, for people who read it.
//!
//! It decides nothing: [`super::policies`] does. Both read patterns and conditions with the same functions.

use serde_json::Value;

use super::{
    Action,
    patterns::Pattern,
    policies::{PolicyDocument, label_condition},
};

/// One statement of a policy, read for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementTold {
    /// Whether it denies; else it allows.
    pub is_deny: bool,
    /// The patterns of its resources as they are written, in their order.
    pub resources: Vec<String>,
    /// The actions that its patterns name, in the order of declaration.
    pub actions: Vec<Action>,
    /// The labels that the resource's gateway group must have; empty: it asks for none.
    pub labels: Vec<(String, String)>,
    /// Whether it has a condition that is not understood, which never holds for `allow` and always for `deny`.
    pub has_unknown_condition: bool,
}

impl PolicyDocument {
    /// What it says, in its own order.
    pub fn told(&self) -> Vec<StatementTold> {
        let statements = self.as_json().get("statement").and_then(Value::as_array).into_iter().flatten();
        statements.map(told).collect()
    }
}

fn told(statement: &Value) -> StatementTold {
    let patterns: Vec<_> =
        texts(statement, "actions").iter().filter_map(|text| Pattern::parse(text).ok()).collect();
    let is_named = |action: &Action| patterns.iter().any(|pattern| pattern.matches(action.name()));
    let conditions = statement.get("conditions").and_then(Value::as_object).into_iter().flatten();
    let (mut labels, mut has_unknown_condition) = (Vec::new(), false);
    for (name, condition) in conditions {
        match label_condition(name, condition) {
            Some(wanted) => labels.extend(wanted),
            None => has_unknown_condition = true,
        }
    }
    StatementTold {
        is_deny: statement.get("effect").and_then(Value::as_str) == Some("deny"),
        resources: texts(statement, "resources"),
        actions: Action::ALL.iter().copied().filter(is_named).collect(),
        labels,
        has_unknown_condition,
    }
}

fn texts(statement: &Value, member: &str) -> Vec<String> {
    let list = statement.get(member).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statement_is_told_with_the_actions_that_its_patterns_name() {
        let document = json!({ "statement": [
            { "effect": "allow", "resources": ["arn:api7:gateway:gatewaygroup/<.*>"],
              "actions": ["gateway:<(Get|Update)Certificate>", "gateway:GetNothing"],
              "conditions": { "gateway_group_label": { "type": "MatchLabel",
                  "options": [{ "key": "env", "operator": "exact_match", "value": "test" }] } } },
            { "effect": "deny", "resources": ["<.*>"], "actions": ["<.*>"], "conditions": { "moon": {} } } ] });
        let told = PolicyDocument::new(document).unwrap().told();
        assert_eq!(told[0].actions, [Action::GetCertificate, Action::UpdateCertificate]);
        assert_eq!(told[0].labels, [("env".to_owned(), "test".to_owned())]);
        assert!(!told[0].is_deny && !told[0].has_unknown_condition);
        assert_eq!(told[1].actions.len(), Action::ALL.len());
        assert!(told[1].is_deny && told[1].has_unknown_condition && told[1].labels.is_empty());
    }
}
