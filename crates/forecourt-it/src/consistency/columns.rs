//! Columns that repeat what others say: what is searched, and what is there beside a row.

use serde_json::Value;

use super::{Findings, Row, Snapshot};

/// The tables whose rows are searched, with the columns whose text is searched; labels are where there are some.
const SEARCHED: &[(&str, &[&str])] = &[
    ("admin_tokens", &["name"]),
    ("administrators", &["username", "email", "first_name", "last_name"]),
    ("applications", &["name", "desc"]),
    ("contact_points", &["name"]),
    ("consumers", &["username", "desc"]),
    ("credentials", &["name", "desc"]),
    ("dcr_providers", &["name", "issuer"]),
    ("developers", &["name", "display_name", "username", "email"]),
    ("gateway_groups", &["name", "desc"]),
    ("group_objects", &["name", "desc"]),
    ("permission_policies", &["name", "desc"]),
    ("portals", &["name", "desc"]),
    ("products", &["name", "desc"]),
    ("roles", &["name", "desc"]),
    ("routes", &["name", "desc"]),
    ("services", &["name", "desc"]),
];

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    for table in snapshot.tables() {
        for row in snapshot.rows(table).iter().filter(|row| row.has("label_index")) {
            let expected: String =
                labels(row).iter().map(|(key, value)| format!("\n{key}\u{1f}{value}\n")).collect();
            findings.expect(row.text("label_index") == expected, "label index", row, || {
                format!("it is {:?} and the labels are {}", row.text("label_index"), row.text("labels"))
            });
        }
    }
    for (table, columns) in SEARCHED {
        // What a step of the schema put there is searched by its name alone.
        let rows = snapshot.rows(table).iter().filter(|row| !(row.has("built_in") && row.is("built_in")));
        for row in rows {
            let mut texts: Vec<_> = columns.iter().map(|column| row.text(column).to_lowercase()).collect();
            if row.has("labels") {
                texts.extend(
                    labels(row)
                        .into_iter()
                        .flat_map(|(key, value)| [key, value])
                        .map(|text| text.to_lowercase()),
                );
            }
            let expected = texts.join("\n");
            findings.expect(row.text("search_text") == expected, "search text", row, || {
                format!("it is {:?} and should be {expected:?}", row.text("search_text"))
            });
        }
    }
    approvals(snapshot, findings);
    documents(snapshot, findings);
}

fn approvals(snapshot: &Snapshot, findings: &mut Findings) {
    let columns = [
        ("resource_search", "resource_name"),
        ("operator_search", "operator_name"),
        ("applicant_search", "applicant_name"),
    ];
    for row in snapshot.rows("approvals") {
        for (search, name) in columns {
            let expected = row.text(name).to_lowercase();
            findings.expect(row.text(search) == expected, "search text", row, || {
                format!("{search} is {:?} and should be {expected:?}", row.text(search))
            });
        }
    }
}

/// A service says whether it has a document.
fn documents(snapshot: &Snapshot, findings: &mut Findings) {
    let documents = snapshot.by("service_documents", "service_id");
    for row in snapshot.rows("services") {
        let has_one = documents.contains_key(row.text("id"));
        findings.expect(row.is("has_openapi") == has_one, "document of a service", row, || {
            format!(
                "has_openapi is {} and there is {}",
                row.is("has_openapi"),
                if has_one { "one" } else { "none" }
            )
        });
    }
}

fn labels(row: &Row) -> Vec<(String, String)> {
    let Value::Object(pairs) = row.json("labels") else { return Vec::new() };
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key, text(value))).collect();
    // By key, as they are kept.
    pairs.sort();
    pairs
}
