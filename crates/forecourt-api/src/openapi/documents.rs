//! A whole OpenAPI document, from the rows of one table and what its dialect says for all of them.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::{Method, header};
use serde_json::{Map, Value, json};

use super::{
    operations::{Access, Body, Operation},
    schemas::{self, Schema},
};
use crate::{previews, table::Row};

/// What one API says of itself as a whole.
pub(crate) struct Dialect {
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// The ways to say who calls, as `components.securitySchemes`.
    pub(crate) security_schemes: fn() -> Value,
    /// The alternatives of `security` for each sort of access.
    pub(crate) security: fn(Access) -> Value,
    /// What `dry_run=true` is answered with.
    pub(crate) preview: fn() -> Schema,
    /// Whether an unpermitted caller is told 403 here.
    pub(crate) knows_forbidden: bool,
}

/// The row of the document itself: it tells nothing of the installation, so nobody need be known.
pub(crate) fn described() -> Operation {
    Operation::new("Get this document", Access::Open).answers(schemas::object())
}

/// The answer of that row.
pub(crate) fn answer(document: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

/// The document that describes `rows`, as text.
pub(crate) fn text(dialect: &Dialect, rows: &[Row]) -> String {
    format!("{:#}\n", document(dialect, rows))
}

/// The document that describes `rows`.
pub(crate) fn document(dialect: &Dialect, rows: &[Row]) -> Value {
    let mut paths = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    let mut components = Components::default();
    for row in rows {
        if !tags.contains(&row.tag) {
            tags.push(row.tag);
        }
        let item = paths.entry(row.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(row.method.as_str().to_ascii_lowercase(), operation(dialect, row, &mut components));
        }
    }
    components.add(&problem_reference());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": dialect.title,
            "description": dialect.description,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": (dialect.security_schemes)(),
            "headers": headers(),
            "responses": refusals(dialect),
            "schemas": components.0,
        },
    })
}

/// Component schemas by name, with all that they refer to.
#[derive(Default)]
struct Components(BTreeMap<&'static str, Value>);

impl Components {
    fn add(&mut self, schema: &Schema) {
        for (name, make) in schema.components() {
            if !self.0.contains_key(name) {
                let component = make();
                self.0.insert(name, component.json());
                self.add(&component);
            }
        }
    }

    /// The schema's JSON, once its components are noted.
    fn json(&mut self, schema: &Schema) -> Value {
        self.add(schema);
        schema.json()
    }

    fn content(&mut self, body: &Body) -> Value {
        let schema = self.json(&body.schema);
        body.media_types
            .iter()
            .map(|media_type| ((*media_type).to_owned(), json!({ "schema": schema })))
            .collect()
    }
}

fn operation(dialect: &Dialect, row: &Row, components: &mut Components) -> Value {
    let described = &row.operation;
    let mut json = Map::new();
    let mut put = |name: &str, value: Value| json.insert(name.to_owned(), value);
    put("tags", json!([row.tag]));
    put("summary", json!(described.summary));
    if !described.notes.is_empty() {
        put("description", json!(described.notes));
    }
    put("operationId", json!(operation_id(row)));
    put("security", (dialect.security)(described.access));
    let parameters = parameters(row, components);
    if !parameters.is_empty() {
        put("parameters", Value::Array(parameters));
    }
    if let Some(body) = &described.body {
        put("requestBody", json!({ "required": body.is_required, "content": components.content(body) }));
    }
    put("responses", responses(dialect, row, components));
    Value::Object(json)
}

/// The summary in one word; endpoints under a portal's own path are aliases, and say so.
fn operation_id(row: &Row) -> String {
    let mut id = String::new();
    for word in
        row.operation.summary.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
    {
        match (id.is_empty(), word.split_at_checked(1)) {
            (false, Some((first, rest))) => {
                id.push_str(&first.to_ascii_uppercase());
                id.push_str(rest);
            }
            _ => id.push_str(&word.to_ascii_lowercase()),
        }
    }
    if is_alias(row.path) { id + "InPortal" } else { id }
}

fn is_alias(path: &str) -> bool {
    path.contains("{portal}")
}

fn parameters(row: &Row, components: &mut Components) -> Vec<Value> {
    let Operation { query, segments, takes_labels, .. } = &row.operation;
    let mut parameters = Vec::new();
    for name in row.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let own = segments.iter().find(|segment| segment.name == name);
        let schema = own.map_or_else(schemas::id, |segment| segment.schema.clone());
        let schema = components.json(&schema);
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    // The alias names the portal in its path.
    for parameter in query.iter().filter(|parameter| parameter.name != "portal_id" || !is_alias(row.path)) {
        let schema = components.json(&parameter.schema);
        parameters.push(
            json!({ "name": parameter.name, "in": "query", "required": parameter.is_required, "schema": schema }),
        );
    }
    if previews::is_previewed(&row.method, row.path) {
        parameters.push(json!({
            "name": "dry_run", "in": "query", "schema": { "type": "boolean", "default": false },
            "description": "Answers what the call would take away, and changes nothing.",
        }));
    }
    if *takes_labels {
        parameters.push(json!({
            "name": "labels", "in": "query", "style": "deepObject", "explode": true,
            "description": "`labels[key]=value`; several must all hold, an empty value asks only for the key.",
            "schema": { "type": "object", "additionalProperties": { "type": "string" } },
        }));
    }
    parameters
}

fn responses(dialect: &Dialect, row: &Row, components: &mut Components) -> Value {
    let described = &row.operation;
    let mut success = Map::from_iter([("description".to_owned(), json!("Done."))]);
    if row.method != Method::GET {
        let header = json!({ "$ref": "#/components/headers/X-Forecourt-Revision" });
        success.insert("headers".into(), json!({ "X-Forecourt-Revision": header }));
    }
    let mut answers: Vec<Schema> = described.answer.iter().map(|answer| answer.schema.clone()).collect();
    let mut responses = Map::new();
    if previews::is_previewed(&row.method, row.path) {
        if described.status == 200 {
            answers.push((dialect.preview)());
        } else {
            let preview = components.json(&(dialect.preview)());
            let content = json!({ "application/json": { "schema": preview } });
            responses.insert("200".into(), json!({ "description": "A preview.", "content": content }));
        }
    }
    if let Some(answer) = &described.answer {
        let schema = if answers.len() > 1 { schemas::one_of(answers) } else { answer.schema.clone() };
        success.insert("content".into(), components.content(&Body { schema, ..answer.clone() }));
    }
    responses.insert(described.status.to_string(), Value::Object(success));
    for (status, name) in statuses(dialect, row) {
        responses.insert(status.into(), json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    Value::Object(responses)
}

/// The refusals that an endpoint may answer, by status.
fn statuses(dialect: &Dialect, row: &Row) -> impl Iterator<Item = (&'static str, &'static str)> {
    let Operation { access, query, body, takes_labels, .. } = &row.operation;
    let asks = !query.is_empty() || *takes_labels || body.is_some() || row.path.contains('{');
    let is_read = row.method == Method::GET;
    let is_known = *access != Access::Open;
    let names_something = |name: &str| name == "portal_id" || name == "gateway_group_id";
    // On the Admin API what one may not read is not there.
    let may_be_hidden = dialect.knows_forbidden && is_known;
    let may_miss = may_be_hidden
        || row.path.contains('{')
        || query.iter().any(|parameter| names_something(parameter.name));
    let asks_who = is_known || body.is_some();
    // Who is sent elsewhere to prove who they are leaves something behind here that waits.
    let sends_away = row.operation.status == 307;
    let all = [
        ("400", "Refused", asks || !is_read),
        ("401", "Unauthenticated", asks_who),
        // The Admin API can be closed to addresses, whoever calls.
        ("403", "Forbidden", dialect.knows_forbidden),
        ("404", "NotFound", may_miss),
        ("413", "TooLarge", body.is_some()),
        ("429", "TooMany", asks_who || sends_away),
        ("500", "Failed", true),
        ("503", "Away", true),
    ];
    all.into_iter().filter(|(.., holds)| *holds).map(|(status, name, _)| (status, name))
}

fn headers() -> Value {
    json!({
        "X-Forecourt-Revision": {
            "description": "The revision of the change log that carries what gateways must learn of this change; \
                            absent where they need not learn anything. `/api/forecourt/receipts/{revision}` tells \
                            which nodes enforce it.",
            "schema": { "type": "integer", "minimum": 1 },
        },
        "Retry-After": {
            "description": "Seconds after which another attempt is looked at.",
            "schema": { "type": "integer", "minimum": 0 },
        },
    })
}

fn problem_reference() -> Schema {
    schemas::named("Problem", || {
        schemas::object()
            .required("status", schemas::integer().from(400).up_to(599).about("The HTTP status."))
            .required("message", schemas::text().with("minLength", json!(1)))
            .required(
                "error_msg",
                schemas::text().with("minLength", json!(1)).about("The same text as `message`."),
            )
            .example(json!({
                "status": 400, "message": "name is required", "error_msg": "name is required",
            }))
    })
}

fn refusals(dialect: &Dialect) -> Value {
    let all = [
        (
            "Refused",
            "Something in the request is wrong, or conflicts with what is there; the message names it.",
        ),
        ("Unauthenticated", "Nobody who is known here."),
        ("Forbidden", "Known, but not permitted; or the caller's address is not admitted."),
        ("NotFound", "Not there, or not for this caller to see."),
        ("TooLarge", "The body is larger than 12 MiB."),
        ("TooMany", "Too many failed attempts of this account or address."),
        ("Failed", "A fault of the server; it says no more."),
        ("Away", "The database is away or takes no writes for now; nothing is known to have been done."),
    ];
    let mut refusals = Map::new();
    for (name, description) in
        all.into_iter().filter(|(name, _)| dialect.knows_forbidden || *name != "Forbidden")
    {
        let mut refusal = json!({
            "description": description,
            "content": { "application/json": { "schema": problem_reference().json() } },
        });
        if let (true, Some(members)) = (matches!(name, "TooMany" | "Away"), refusal.as_object_mut()) {
            let header = json!({ "$ref": "#/components/headers/Retry-After" });
            members.insert("headers".into(), json!({ "Retry-After": header }));
        }
        refusals.insert(name.to_owned(), refusal);
    }
    Value::Object(refusals)
}
