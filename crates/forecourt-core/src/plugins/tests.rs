//! Parsers and schemas against one table of examples, so that neither says more than the other.

use regex::Regex;
use serde_json::{Value, json};

use super::*;

fn parsed(name: &str, configuration: Value) -> Result<PluginsState, String> {
    let Value::Object(given) = json!({ name: configuration }) else { unreachable!() };
    Plugins::new(given).map(|plugins| plugins.state().clone()).map_err(|invalid| invalid.to_string())
}

/// Whether `value` satisfies `schema`, by those words of JSON Schema that ours are written with.
fn satisfies(schema: &Value, value: &Value) -> bool {
    let schema = schema.as_object().unwrap();
    schema.iter().all(|(word, rule)| match word.as_str() {
        "type" => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("type {other}"),
        },
        "properties" => rule
            .as_object()
            .unwrap()
            .iter()
            .all(|(name, rule)| value.get(name).is_none_or(|value| satisfies(rule, value))),
        "additionalProperties" => {
            assert_eq!(rule, &json!(false));
            let known = schema["properties"].as_object().unwrap();
            value.as_object().is_none_or(|members| members.keys().all(|name| known.contains_key(name)))
        }
        "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
        "anyOf" => rule.as_array().unwrap().iter().any(|rule| satisfies(rule, value)),
        "not" => !satisfies(rule, value),
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "if" => !satisfies(rule, value) || satisfies(&schema["then"], value),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| satisfies(rule, item))),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
        "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
        "maxLength" => value.as_str().is_none_or(|text| text.len() as u64 <= rule.as_u64().unwrap()),
        "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
        "pattern" => {
            value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text))
        }
        "$schema" | "default" | "then" | "format" => true,
        other => panic!("a word that this test cannot judge: {other}"),
    })
}

/// Plugin, configuration, and what the refusal begins with; empty: it is accepted.
type Example = (&'static str, Value, &'static str);

fn examples() -> Vec<Example> {
    [examples_of_authentication(), examples_of_restriction(), examples_of_cors()].concat()
}

fn examples_of_authentication() -> Vec<Example> {
    vec![
        ("key-auth", json!({}), ""),
        (
            "key-auth",
            json!({ "header": "X-Key", "query": "k e y", "hide_credentials": true, "realm": "a b" }),
            "",
        ),
        ("key-auth", json!({ "header": "x key" }), "plugins.key-auth.header must be"),
        ("key-auth", json!({ "header": "" }), "plugins.key-auth.header must be"),
        ("key-auth", json!({ "header": 1 }), "plugins.key-auth.header must be a string"),
        ("key-auth", json!({ "query": "" }), "plugins.key-auth.query must be"),
        ("key-auth", json!({ "hide_credentials": "yes" }), "plugins.key-auth.hide_credentials must be"),
        ("key-auth", json!({ "realm": "a\"b" }), "plugins.key-auth.realm must be"),
        ("key-auth", json!({ "realm": "a\nb" }), "plugins.key-auth.realm must be"),
        ("key-auth", json!({ "key": "x" }), "plugins.key-auth.key is not a member here"),
        (
            "key-auth",
            json!({ "anonymous_consumer": "x" }),
            "plugins.key-auth.anonymous_consumer is not served",
        ),
        ("key-auth", json!([]), "plugins.key-auth must be an object"),
        ("key-auth", json!({ "_meta": { "disable": true } }), ""),
        ("key-auth", json!({ "_meta": { "disable": 1 } }), "plugins.key-auth._meta.disable must be"),
        (
            "key-auth",
            json!({ "_meta": { "priority": 1 } }),
            "plugins.key-auth._meta.priority is not a member",
        ),
        ("basic-auth", json!({ "hide_credentials": false, "realm": "x" }), ""),
        ("basic-auth", json!({ "header": "x" }), "plugins.basic-auth.header is not a member here"),
        ("basic-auth", json!({ "anonymous_consumer": "x" }), "plugins.basic-auth.anonymous_consumer"),
        ("jwt-auth", json!({ "header": "x", "query": "q", "cookie": "c", "key_claim_name": "iss" }), ""),
        ("jwt-auth", json!({ "cookie": "" }), "plugins.jwt-auth.cookie must be"),
        ("jwt-auth", json!({ "secret": "x" }), "plugins.jwt-auth.secret is not a member here"),
        ("jwt-auth", json!({ "anonymous_consumer": "x" }), "plugins.jwt-auth.anonymous_consumer"),
    ]
}

fn examples_of_restriction() -> Vec<Example> {
    vec![
        ("consumer-restriction", json!({ "whitelist": ["ann"] }), ""),
        (
            "consumer-restriction",
            json!({ "blacklist": ["ann"], "rejected_code": 401, "rejected_msg": "no" }),
            "",
        ),
        ("consumer-restriction", json!({ "allowed_by_methods": [{ "user": "a", "methods": ["GET"] }] }), ""),
        ("consumer-restriction", json!({ "type": "route_id", "whitelist": ["r"] }), ""),
        ("consumer-restriction", json!({}), "plugins.consumer-restriction needs at least one"),
        ("consumer-restriction", json!({ "rejected_code": 403 }), "plugins.consumer-restriction needs"),
        ("consumer-restriction", json!({ "whitelist": [] }), "plugins.consumer-restriction.whitelist must"),
        ("consumer-restriction", json!({ "whitelist": [""] }), "plugins.consumer-restriction.whitelist must"),
        ("consumer-restriction", json!({ "blacklist": "a" }), "plugins.consumer-restriction.blacklist must"),
        (
            "consumer-restriction",
            json!({ "whitelist": ["a"], "rejected_code": 199 }),
            "plugins.consumer-restriction.rejected_code",
        ),
        (
            "consumer-restriction",
            json!({ "whitelist": ["a"], "rejected_code": 600 }),
            "plugins.consumer-restriction.rejected_code",
        ),
        (
            "consumer-restriction",
            json!({ "whitelist": ["a"], "type": "x" }),
            "plugins.consumer-restriction.type must",
        ),
        (
            "consumer-restriction",
            json!({ "allowed_by_methods": [] }),
            "plugins.consumer-restriction.allowed_by_methods",
        ),
        (
            "consumer-restriction",
            json!({ "allowed_by_methods": [{ "methods": ["GET"] }] }),
            "plugins.consumer-restriction.allowed_by_methods[0].user is required",
        ),
        (
            "consumer-restriction",
            json!({ "allowed_by_methods": [{ "user": "a", "methods": ["get"] }] }),
            "plugins.consumer-restriction.allowed_by_methods[0].methods",
        ),
    ]
}

fn examples_of_cors() -> Vec<Example> {
    vec![
        ("cors", json!({}), ""),
        ("cors", json!({ "allow_origins": "https://a.example:8443,http://[::1]:3000", "max_age": -1 }), ""),
        (
            "cors",
            json!({ "allow_origins": "**", "allow_methods": "**", "allow_headers": "**", "allow_credential": true }),
            "",
        ),
        (
            "cors",
            json!({ "allow_origins": "https://a.example, https://b.example" }),
            "plugins.cors.allow_origins must be",
        ),
        ("cors", json!({ "allow_origins": "a.example" }), "plugins.cors.allow_origins must be"),
        ("cors", json!({ "allow_origins": "" }), "plugins.cors.allow_origins must be"),
        ("cors", json!({ "allow_origins_by_regex": [r".*\.example\.com$"] }), ""),
        ("cors", json!({ "allow_origins_by_regex": [] }), "plugins.cors.allow_origins_by_regex must hold"),
        (
            "cors",
            json!({ "allow_origins_by_regex": ["a".repeat(4_097)] }),
            "plugins.cors.allow_origins_by_regex[0] must be at most 4096 bytes",
        ),
        (
            "cors",
            json!({ "allow_origins_by_regex": [""] }),
            "plugins.cors.allow_origins_by_regex[0] must not",
        ),
        ("cors", json!({ "allow_methods": "GET\r\nX: y" }), "plugins.cors.allow_methods must be"),
        ("cors", json!({ "max_age": -2 }), "plugins.cors.max_age must be"),
        ("cors", json!({ "max_age": "5" }), "plugins.cors.max_age must be"),
        ("cors", json!({ "allow_credential": true }), "plugins.cors.allow_origins must not be *"),
        (
            "cors",
            json!({ "allow_origins": "**", "allow_methods": "*", "allow_headers": "**", "allow_credential": true }),
            "plugins.cors.allow_methods must not be *",
        ),
        (
            "cors",
            json!({ "allow_origins": "**", "allow_methods": "**", "allow_headers": "**", "expose_headers": "*", "allow_credential": true }),
            "plugins.cors.expose_headers must not be *",
        ),
        ("cors", json!({ "timing_allow_origins": "*" }), "plugins.cors.timing_allow_origins is not a member"),
    ]
}

#[test]
fn parser_and_schema_agree_on_what_is_accepted() {
    for (name, configuration, problem) in examples() {
        let context = format!("{name} {configuration}");
        match parsed(name, configuration.clone()) {
            Ok(_) => assert_eq!(problem, "", "{context} is accepted"),
            Err(message) => {
                assert!(!problem.is_empty() && message.starts_with(problem), "{context}: {message}")
            }
        }
        assert_eq!(
            satisfies(&schema(name).unwrap(), &configuration),
            problem.is_empty(),
            "{context}: schema"
        );
    }
}

#[test]
fn every_plugin_has_a_schema_whose_defaults_are_the_parsers() {
    for name in NAMES {
        let schema = schema(name).unwrap_or_else(|| panic!("{name} has no schema"));
        let mut defaults = serde_json::Map::new();
        for (member, rule) in schema["properties"].as_object().unwrap() {
            if let Some(default) = rule.get("default") {
                defaults.insert(member.clone(), default.clone());
            }
        }
        let mut least = serde_json::Map::new();
        if *name == "consumer-restriction" {
            least.insert("whitelist".into(), json!(["a"]));
        }
        let mut whole = least.clone();
        whole.extend(defaults);
        assert_eq!(parsed(name, least.into()).unwrap(), parsed(name, whole.into()).unwrap(), "{name}");
    }
    assert_eq!(schema("limit-req"), None);
}

#[test]
fn a_pattern_that_cannot_be_matched_in_bounded_memory_is_refused() {
    for (pattern, problem) in
        [("(", "is no regular expression"), ("(?=a)", "is no regular"), (r"(\w{500}){500}", "is too large")]
    {
        let message = parsed("cors", json!({ "allow_origins_by_regex": ["^ok$", pattern] })).unwrap_err();
        assert!(
            message.starts_with(&format!("plugins.cors.allow_origins_by_regex[1] {problem}")),
            "{message}"
        );
    }
    // What takes exponential time elsewhere is fine here.
    parsed("cors", json!({ "allow_origins_by_regex": ["^(a+)+$"] })).unwrap();
}

#[test]
fn a_plugin_that_is_switched_off_does_nothing_and_is_given_back() {
    let Value::Object(given) = json!({ "key-auth": { "_meta": { "disable": true } }, "cors": {} }) else {
        unreachable!()
    };
    let plugins = Plugins::new(given.clone()).unwrap();
    assert_eq!(plugins.given(), &given);
    assert_eq!((plugins.authenticating(), plugins.state().key_auth.is_none()), (None, true));
    assert!(plugins.state().cors.is_some());
}

#[test]
fn the_other_spelling_of_a_name_is_taken_for_it_unless_both_are_given() {
    let Value::Object(given) = json!({ "key_auth": {}, "basic_auth": { "_meta": { "disable": true } } })
    else {
        unreachable!()
    };
    let plugins = Plugins::new(given).unwrap();
    assert_eq!(plugins.given().keys().collect::<Vec<_>>(), ["key-auth", "basic-auth"]);
    assert_eq!(plugins.authenticating(), Some("key-auth"));
    let Value::Object(both) = json!({ "key_auth": {}, "key-auth": {} }) else { unreachable!() };
    assert!(Plugins::new(both).unwrap_err().to_string().starts_with("plugins.key-auth is given in two"));
}

#[test]
fn an_unknown_plugin_is_refused_by_name() {
    assert!(parsed("limit-req", json!({})).unwrap_err().starts_with("unknown plugin limit-req"));
    assert!(check_name("cors").is_ok() && check_name("limit-req").is_err());
}

#[test]
fn stored_plugins_come_back_as_they_were() {
    let Value::Object(given) = json!({ "cors": { "max_age": 9 } }) else { unreachable!() };
    let plugins = Plugins::new(given).unwrap();
    let text = serde_json::to_string(&plugins).unwrap();
    assert_eq!(
        (text.as_str(), serde_json::from_str::<Plugins>(&text).unwrap()),
        (r#"{"cors":{"max_age":9}}"#, plugins)
    );
}
