//! What `vars` accept, and what gateways get of them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Vars;
use crate::gateway_state::{Operand, RequestVariable, RouteCondition, VariableCheck};

fn test(variable: RequestVariable, check: VariableCheck) -> RouteCondition {
    RouteCondition::Test { variable, check }
}

fn text(text: &str) -> Operand {
    Operand::Text(text.to_owned())
}

fn not(condition: RouteCondition) -> RouteCondition {
    RouteCondition::Not(Box::new(condition))
}

/// What gateways get of conditions, once they were stored and sent.
fn read(given: Value) -> Result<Option<RouteCondition>, String> {
    let vars = Vars::read(given).map_err(|invalid| invalid.to_string())?;
    let stored: Vars = serde_json::from_str(&serde_json::to_string(&vars).unwrap()).unwrap();
    assert_eq!(stored, vars, "what is stored comes back whole");
    let sent = serde_json::to_string(&vars.condition()).unwrap();
    assert_eq!(serde_json::from_str::<Option<RouteCondition>>(&sent).unwrap().as_ref(), vars.condition());
    Ok(vars.condition().cloned())
}

/// The only condition of `vars`.
fn single(given: Value) -> RouteCondition {
    let Some(RouteCondition::All(mut all)) = read(json!([given])).unwrap() else { panic!("no list of all") };
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn each_variable_has_its_well_known_name() {
    for (name, variable) in [
        ("arg_kind", RequestVariable::Argument("kind".into())),
        ("http_x_Role", RequestVariable::Header("x-role".into())),
        ("cookie_Sid", RequestVariable::Cookie("Sid".into())),
        ("uri", RequestVariable::Path),
        ("request_uri", RequestVariable::Target),
        ("request_method", RequestVariable::Method),
        ("host", RequestVariable::Host),
        ("scheme", RequestVariable::Scheme),
        ("remote_addr", RequestVariable::Address),
        ("query_string", RequestVariable::Query),
        ("args", RequestVariable::Query),
    ] {
        assert_eq!(
            single(json!([name, "==", "a"])),
            test(variable, VariableCheck::Equals(text("a"))),
            "{name}"
        );
    }
}

#[test]
fn each_operator_says_what_must_be_so() {
    use VariableCheck as Check;
    let matches = |ignore_case| Check::Matches { pattern: "^a+$".into(), ignore_case };
    for (operator, value, check) in [
        ("==", json!("a"), Check::Equals(text("a"))),
        ("==", json!(1), Check::Equals(Operand::Number(1.0))),
        (">", json!(1.5), Check::Above(1.5)),
        (">=", json!("2"), Check::AtLeast(2.0)),
        ("<", json!(-3), Check::Below(-3.0)),
        ("<=", json!(0), Check::AtMost(0.0)),
        ("~~", json!("^a+$"), matches(false)),
        ("~*", json!("^a+$"), matches(true)),
        ("in", json!(["a", 2]), Check::In(vec![text("a"), Operand::Number(2.0)])),
        ("has", json!("a"), Check::Has(text("a"))),
        ("ipmatch", json!("::1"), Check::InNetworks(vec!["::1".into()])),
        (
            "ipmatch",
            json!(["10.0.0.0/8", "127.0.0.1"]),
            Check::InNetworks(vec!["10.0.0.0/8".into(), "127.0.0.1".into()]),
        ),
    ] {
        let wanted = test(RequestVariable::Path, check);
        assert_eq!(single(json!(["uri", operator, value])), wanted, "{operator} {value}");
        assert_eq!(single(json!(["uri", "!", operator, value])), not(wanted), "! {operator} {value}");
    }
    let is_a = test(RequestVariable::Path, Check::Equals(text("a")));
    assert_eq!(single(json!(["uri", "~=", "a"])), not(is_a.clone()));
    assert_eq!(single(json!(["uri", "!", "~=", "a"])), is_a, "two negations are none");
    let is_there = test(RequestVariable::Query, Check::Present);
    assert_eq!(single(json!(["args", "~=", null])), is_there);
    assert_eq!(single(json!(["args", "==", null])), not(is_there));
}

#[test]
fn conditions_are_taken_together_as_their_first_word_says() {
    let [a, b] = ["a", "b"].map(|value| test(RequestVariable::Path, VariableCheck::Equals(text(value))));
    let (given_a, given_b) = (json!(["uri", "==", "a"]), json!(["uri", "==", "b"]));
    let both = vec![a.clone(), b.clone()];
    for (given, wanted) in [
        (json!([given_a, given_b]), RouteCondition::All(both.clone())),
        (json!(["AND", given_a, given_b]), RouteCondition::All(both.clone())),
        (json!(["OR", given_a, given_b]), RouteCondition::Any(both.clone())),
        (json!(["!AND", given_a, given_b]), not(RouteCondition::All(both.clone()))),
        (json!(["!OR", given_a, given_b]), not(RouteCondition::Any(both))),
        (
            json!([given_a, ["OR", given_b, ["!AND", given_a]]]),
            RouteCondition::All(vec![
                a.clone(),
                RouteCondition::Any(vec![b, not(RouteCondition::All(vec![a]))]),
            ]),
        ),
    ] {
        assert_eq!(read(given.clone()), Ok(Some(wanted)), "{given}");
    }
    assert_eq!(read(json!([])), Ok(None), "an empty array asks for nothing");
}

#[test]
fn what_no_gateway_would_enforce_is_refused_by_its_place() {
    for (given, problem) in [
        (json!({}), "vars must be an array of conditions"),
        (json!("a"), "vars must be an array of conditions"),
        (json!(["uri", "==", "a"]), "vars must be an array of conditions"),
        (json!([1]), "vars must be an array of conditions"),
        (json!([["uri", "==", "a"], 1]), "vars[1] must be [variable, operator, value], or begin"),
        (json!([[]]), "vars[0] must be [variable, operator, value], or begin"),
        (json!([[["uri", "==", "a"]]]), "vars[0] must be [variable, operator, value], or begin"),
        (json!([["uri"]]), "vars[0] must be [variable, operator, value] or [variable"),
        (json!([["uri", "=="]]), "vars[0] must be [variable, operator, value] or [variable"),
        (json!([["uri", "not", "==", "a"]]), "vars[0] must be [variable, operator, value] or [variable"),
        (json!([["uri", "==", "a", "b", "c"]]), "vars[0] must be [variable, operator, value] or [variable"),
        (json!(["AND"]), "vars must hold at least one condition"),
        (json!([["OR"]]), "vars[0] must hold at least one condition"),
        (json!([["and", ["uri", "==", "a"]]]), "vars[0] must be [variable, operator, value] or [variable"),
        (json!([["server_port", "==", "a"]]), "vars[0][0] must be one of arg_NAME"),
        (json!([["arg_", "==", "a"]]), "vars[0][0] must be one of arg_NAME"),
        (json!([["http_a b", "==", "a"]]), "vars[0][0] must be one of arg_NAME"),
        (json!([["http_X_Consumer_Username", "==", "a"]]), "vars[0][0] is what the gateway says"),
        (json!([["uri", "=", "a"]]), "vars[0][1] must be one of ==, ~="),
        (json!([["uri", 1, "a"]]), "vars[0][1] must be one of ==, ~="),
        (json!([["uri", "!", "!", "a"]]), "vars[0][2] must be one of ==, ~="),
        (json!([["uri", "==", true]]), "vars[0][2] must be a string or a number"),
        (json!([["uri", "!", "==", ["a"]]]), "vars[0][3] must be a string or a number"),
        (json!([["uri", ">", "a"]]), "vars[0][2] must be a number"),
        (json!([["uri", ">", "inf"]]), "vars[0][2] must be a number"),
        (json!([["uri", "<=", null]]), "vars[0][2] must be a number"),
        (json!([["uri", "~~", 1]]), "vars[0][2] must be a regular expression"),
        (json!([["uri", "~~", ""]]), "vars[0][2] must be a regular expression"),
        (json!([["uri", "~~", "("]]), "vars[0][2] is no regular expression"),
        (json!([["uri", "~~", "(?=a)"]]), "vars[0][2] is no regular expression"),
        (json!([["uri", "~*", "(((a{90}){90}){90})"]]), "vars[0][2] is too large a regular expression"),
        (json!([["uri", "in", "a"]]), "vars[0][2] must be an array of at least one value"),
        (json!([["uri", "in", []]]), "vars[0][2] must be an array of at least one value"),
        (json!([["uri", "in", ["a", null]]]), "vars[0][2][1] must be a string or a number"),
        (json!([["uri", "has", ["a"]]]), "vars[0][2] must be a string or a number"),
        (json!([["remote_addr", "ipmatch", "10.0.0.0/33"]]), "vars[0][2] must be an address or a range"),
        (json!([["remote_addr", "ipmatch", []]]), "vars[0][2] must be an array of at least one value"),
        (json!([["remote_addr", "ipmatch", ["::1", "a"]]]), "vars[0][2][1] must be an address or a range"),
        (json!(["OR", ["uri", "==", "a"], ["!AND", ["uri", "?", "a"]]]), "vars[2][1][1] must be one of"),
    ] {
        let message = read(given.clone()).unwrap_err();
        assert!(message.starts_with(problem), "{given}: {message}");
    }
}

#[test]
fn conditions_have_limits_and_may_reach_them() {
    let one = || json!(["uri", "==", "a"]);
    let nested = |groups: usize| (0..groups).fold(one(), |inner, _| json!(["AND", inner]));
    assert!(read(json!(vec![one(); 64])).is_ok());
    assert_eq!(read(json!(vec![one(); 65])).unwrap_err(), "vars must hold at most 64 conditions");
    assert!(read(nested(8)).is_ok());
    assert!(read(nested(9)).unwrap_err().ends_with("lies too deep: 8 groups within each other at most"));
    // What stands around the value.
    let frame = json!([["uri", "==", ""]]).to_string().len();
    let long = |bytes: usize| json!([["uri", "==", "a".repeat(bytes - frame)]]);
    assert!(read(long(4_096)).is_ok());
    assert_eq!(read(long(4_097)).unwrap_err(), "vars must be at most 4096 bytes as JSON");
}

/// Anything that JSON can say, with the words of the language among it.
fn anything() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "AND",
        "OR",
        "!AND",
        "!OR",
        "!",
        "==",
        "~=",
        ">",
        "<=",
        "~~",
        "~*",
        "in",
        "has",
        "ipmatch",
        "uri",
        "arg_a",
        "http_a",
        "cookie_a",
        "remote_addr",
        "a",
        "[a-z",
        "10.0.0.0/8",
        "",
    ]);
    let leaf = prop_oneof![
        6 => words.prop_map(|word| json!(word)),
        1 => any::<i32>().prop_map(|number| json!(number)),
        // Eighths are the same number again, however they are written.
        1 => any::<i32>().prop_map(|number| json!(f64::from(number) / 8.0)),
        1 => "\\PC{0,12}".prop_map(|text| json!(text)),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(|flag| json!(flag)),
    ];
    leaf.prop_recursive(10, 60, 5, |inner| {
        prop_oneof![
            8 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            1 => inner.prop_map(|value| json!({ "a": value })),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_given_is_read_or_refused_and_never_ends_the_program(given in anything()) {
        if let Err(message) = read(given) {
            prop_assert!(message.starts_with("vars"), "{message}");
        }
    }

    #[test]
    fn any_pattern_is_read_or_refused(pattern in "[a-z(){}|*+?\\[\\]^$.\\\\0-9,-]{0,40}", ignore in any::<bool>()) {
        let operator = if ignore { "~*" } else { "~~" };
        if let Err(message) = read(json!([["uri", operator, pattern]])) {
            prop_assert!(message.starts_with("vars[0][2]"), "{message}");
        }
    }
}
