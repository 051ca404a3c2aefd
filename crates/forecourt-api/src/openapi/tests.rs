//! What holds of both documents, and whether answers are as their document says.
//!
//! [`conforms`] is asked for every answer that a test of the Admin API gets, so each of those tests is one of the
//! document as well. The stories do the same with both APIs.

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use forecourt_conformity::{Answer, Document};
use serde_json::{Value, json};

use crate::{admin, portal};

static ADMIN: LazyLock<Document> = LazyLock::new(|| Document::new(admin::document()));
static PORTAL: LazyLock<Document> = LazyLock::new(|| Document::new(portal::document()));

fn escaped(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

/// Panics where an answer of the Admin API is not as its document says.
pub(crate) fn conforms(answer: Answer<'_>) {
    if let Some(contradiction) = ADMIN.contradiction(answer) {
        panic!("{contradiction}");
    }
}

fn both() -> [(&'static str, &'static Document, &'static str); 2] {
    [("admin", &*ADMIN, admin::document()), ("portal", &*PORTAL, portal::document())]
}

/// Every operation of a document, with what is before it in messages.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "who changes an API asks for new snapshots in the environment")]
fn the_documents_are_those_of_the_repository() {
    for (name, _, text) in both() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/openapi/{name}.json"));
        if std::env::var_os("FORECOURT_RENEW_OPENAPI").is_some() {
            std::fs::write(&file, text).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        let differs = kept.lines().zip(text.lines()).position(|(kept, made)| kept != made);
        assert!(
            kept == text,
            "docs/openapi/{name}.json is not what the code says, from line {} on; `cargo xtask openapi` renews it",
            differs.map_or(kept.lines().count().min(text.lines().count()), |line| line) + 1
        );
    }
}

#[test]
fn every_operation_is_described_for_people_and_has_a_name_of_its_own() {
    for (name, document, _) in both() {
        let mut ids = BTreeSet::new();
        for (place, operation) in operations(document.json()) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{name}: {place}: {id} is the name of another operation as well");
            let summary = operation["summary"].as_str().unwrap();
            assert!(summary.starts_with(char::is_uppercase) && !summary.ends_with('.'), "{place}: {summary}");
            assert!(!operation["tags"][0].as_str().unwrap().is_empty(), "{name}: {place} is about nothing");
        }
    }
}

#[test]
fn every_component_is_used_and_every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    for (name, document, _) in both() {
        let mut used = BTreeSet::new();
        let document = document.json();
        references(document, &mut used);
        for reference in &used {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{name}: {reference}");
        }
        for sort in ["schemas", "headers", "responses"] {
            for component in document["components"][sort].as_object().unwrap().keys() {
                let reference = format!("#/components/{sort}/{component}");
                assert!(used.contains(reference.as_str()), "{name}: nothing uses {reference}");
            }
        }
    }
}

#[test]
fn every_example_is_what_its_schema_says() {
    fn check(document: &Document, pointer: &str, value: &Value, seen: &mut usize) {
        if let Some(examples) = value.get("examples").and_then(Value::as_array) {
            for example in examples {
                let problems = document.problems(value, example);
                assert!(problems.is_empty(), "{pointer}: {problems:#?}");
                *seen += 1;
            }
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members.iter().filter(|(name, _)| *name != "examples") {
                    check(document, &format!("{pointer}/{}", escaped(name)), member, seen);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    check(document, &format!("{pointer}/{index}"), item, seen);
                }
            }
            _ => {}
        }
    }
    for (name, document, _) in both() {
        let mut seen = 0;
        let json = document.json();
        check(document, "/components/schemas", &json["components"]["schemas"], &mut seen);
        check(document, "/paths", &json["paths"], &mut seen);
        assert!(seen >= 10, "{name} has only {seen} examples");
    }
}

#[test]
fn changes_tell_their_revision_and_refusals_have_the_three_members() {
    for (name, document, _) in both() {
        for (place, operation) in operations(document.json()) {
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                let refers = response["$ref"].is_string();
                assert_eq!(refers, status.as_str() >= "400", "{name}: {place}: {status}");
                let is_preview = response["description"] == "A preview.";
                let changes = !place.starts_with("get ") && !refers && !is_preview;
                assert_eq!(
                    response["headers"]["X-Forecourt-Revision"].is_object(),
                    changes,
                    "{name}: {place}"
                );
            }
        }
        let document = document.json();
        let problem = &document["components"]["schemas"]["Problem"];
        assert_eq!(problem["required"], json!(["status", "message", "error_msg"]), "{name}");
        for (refusal, described) in document["components"]["responses"].as_object().unwrap() {
            let schema = &described["content"]["application/json"]["schema"];
            assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{name}: {refusal}");
        }
    }
}

#[test]
fn both_forms_of_an_aliased_path_are_described_alike() {
    for (canonical, alias) in [
        ("/api/api_products", "/api/portals/{portal}/api_products"),
        ("/api/api_products/{id}", "/api/portals/{portal}/api_products/{id}"),
        ("/api/developers", "/api/portals/{portal}/developers"),
        ("/api/developers/{id}", "/api/portals/{portal}/developers/{id}"),
        ("/api/developers/invites", "/api/portals/{portal}/developers/invites"),
        ("/api/portal/login_options", "/api/portals/{portal}/login_options"),
        ("/api/portal/login_options/{id}", "/api/portals/{portal}/login_options/{id}"),
        ("/api/portal/tokens", "/api/portals/{portal}/tokens"),
        ("/api/portal/tokens/{id}", "/api/portals/{portal}/tokens/{id}"),
        ("/api/portal/tokens/{id}/regenerate", "/api/portals/{portal}/tokens/{id}/regenerate"),
        ("/api/portal/system_settings/public_access", "/api/portals/{portal}/system_settings/public_access"),
        ("/api/approvals", "/api/portals/{portal}/approvals"),
    ] {
        let item =
            |path: &str| ADMIN.json()["paths"][path].as_object().unwrap_or_else(|| panic!("no {path}"));
        for (method, operation) in item(alias) {
            let own = item(canonical).get(method).unwrap_or_else(|| panic!("no {method} {canonical}"));
            for member in ["summary", "requestBody", "responses", "security"] {
                assert_eq!(own[member], operation[member], "{method} {alias}: {member}");
            }
        }
    }
}
