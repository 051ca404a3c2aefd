//! `/docs` beside each API: its OpenAPI document as one page that needs no script and nobody to be known.
//!
//! Invariant: the page follows from the document alone, so it is made once, when it is asked for first, and holds no
//! nonce and no token. Its policy admits our own files and nothing else. What a schema says in words stands in
//! [`schemas`].

mod schemas;

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::IntoResponse,
    routing::get,
};
use forecourt_http::{Context, callers, request_log};
use serde::Serialize;
use serde_json::Value;
use tower_http::compression::CompressionLayer;

use crate::{
    assets,
    errors::FailureKind,
    handling::{self, Failed, Frame},
    page::{Page, Site},
    samples::Sample,
    templates::{RenderError, Templates, View},
};
use schemas::{Kind, Member};

/// Where the page is.
pub const PATH: &str = "/docs";

/// Where the document is that the page shows.
pub const DOCUMENT_PATH: &str = "/openapi.json";

/// Only our own files; the page sends nothing anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A whole API on one page.
#[derive(Clone, Debug, Serialize)]
pub struct ApiReference {
    title: String,
    version: String,
    description: String,
    document: &'static str,
    ways: Vec<Way>,
    groups: Vec<Group>,
    components: Vec<Component>,
}

/// A way to say who calls.
#[derive(Clone, Debug, Serialize)]
struct Way {
    name: String,
    notes: String,
}

/// Operations about one noun.
#[derive(Clone, Debug, Serialize)]
struct Group {
    name: String,
    anchor: String,
    operations: Vec<Operation>,
}

#[derive(Clone, Debug, Serialize)]
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    notes: String,
    /// Any of these does; empty: nobody need be known.
    ways: Vec<String>,
    parameters: Vec<Member>,
    body: Option<Content>,
    answers: Vec<Answer>,
}

#[derive(Clone, Debug, Serialize)]
struct Content {
    media_types: Vec<String>,
    kind: Kind,
    /// The members of each shape that it may have.
    shapes: Vec<Vec<Member>>,
}

#[derive(Clone, Debug, Serialize)]
struct Answer {
    status: String,
    notes: String,
    content: Option<Content>,
}

#[derive(Clone, Debug, Serialize)]
struct Component {
    name: String,
    kind: Kind,
    notes: String,
    shapes: Vec<Vec<Member>>,
    example: Option<String>,
}

impl ApiReference {
    /// What `document`, an OpenAPI 3.1 document, says.
    pub fn of(document: &Value) -> Self {
        let info = |name: &str| text(&document["info"], name);
        let within = |place: &str| document.pointer(place).and_then(Value::as_object).into_iter().flatten();
        let ways = within("/components/securitySchemes");
        let components = within("/components/schemas");
        Self {
            title: info("title"),
            version: info("version"),
            description: info("description"),
            document: DOCUMENT_PATH,
            ways: ways
                .map(|(name, way)| Way { name: name.clone(), notes: text(way, "description") })
                .collect(),
            groups: groups(document),
            components: components.map(|(name, schema)| component(name, schema)).collect(),
        }
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn groups(document: &Value) -> Vec<Group> {
    let names = document["tags"].as_array().into_iter().flatten().map(|tag| text(tag, "name"));
    let mut groups: Vec<Group> =
        names.map(|name| Group { anchor: anchor(&name), name, operations: Vec::new() }).collect();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, described) in item.as_object().into_iter().flatten() {
            let tag = described.pointer("/tags/0").and_then(Value::as_str).unwrap_or_default();
            if let Some(group) = groups.iter_mut().find(|group| group.name == tag) {
                group.operations.push(operation(document, path, method, described));
            }
        }
    }
    groups
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn operation(document: &Value, path: &str, method: &str, described: &Value) -> Operation {
    let alternatives = described["security"].as_array().into_iter().flatten();
    let together = |way: &Value| {
        let names: Vec<&str> = way.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        names.join(" + ")
    };
    let parameters = described["parameters"].as_array().into_iter().flatten();
    let responses = described["responses"].as_object().into_iter().flatten();
    Operation {
        id: text(described, "operationId"),
        method: method.to_owned(),
        path: path.to_owned(),
        summary: text(described, "summary"),
        notes: text(described, "description"),
        ways: alternatives.map(together).collect(),
        parameters: parameters.map(schemas::parameter).collect(),
        body: content(&described["requestBody"]),
        answers: responses.map(|(status, answer)| self::answer(document, status, answer)).collect(),
    }
}

fn answer(document: &Value, status: &str, answer: &Value) -> Answer {
    let answer = match answer["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(answer),
        None => answer,
    };
    Answer { status: status.to_owned(), notes: text(answer, "description"), content: content(answer) }
}

fn content(holder: &Value) -> Option<Content> {
    let types = holder["content"].as_object()?;
    let schema = &types.values().next()?["schema"];
    Some(Content {
        media_types: types.keys().cloned().collect(),
        kind: schemas::kind(schema),
        shapes: schemas::shapes(schema),
    })
}

fn component(name: &str, schema: &Value) -> Component {
    let example = schema["examples"].get(0).map(|example| format!("{example:#}"));
    Component {
        name: name.to_owned(),
        kind: schemas::kind(schema),
        notes: text(schema, "description"),
        shapes: schemas::shapes(schema),
        example,
    }
}

impl View for ApiReference {
    const TEMPLATE: &'static str = "api_reference.html";

    fn samples() -> Vec<Sample<Self>> {
        let document = serde_json::json!({
            "info": { "title": "Forecourt Portal API", "version": "1.0.0", "description": "For <b>front ends</b>." },
            "tags": [{ "name": "API products" }],
            "paths": { "/api/api_products/{id}": { "put": {
                "tags": ["API products"], "summary": "Update an API product", "operationId": "updateAnApiProduct",
                "description": "Absent members stay.", "security": [{ "Token": [] }, { "Token": [], "Developer": [] }],
                "parameters": [
                    { "name": "id", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Id" } },
                    { "name": "status", "in": "query", "schema": { "type": "string", "enum": ["draft", "published"] } },
                ],
                "requestBody": { "required": true, "content": { "application/json": { "schema": { "oneOf": [
                    { "type": "object", "properties": { "name": { "type": "string", "maxLength": 100 } } },
                    { "type": "array", "items": { "$ref": "#/components/schemas/Id" } },
                ] } } } },
                "responses": {
                    "200": { "description": "Done.", "content": { "application/json": { "schema": {
                        "type": "object", "required": ["value"],
                        "properties": { "value": { "$ref": "#/components/schemas/Id" } },
                    } } } },
                    "204": { "description": "Gone." },
                },
            } } },
            "components": {
                "securitySchemes": { "Token": { "description": "A token." }, "Developer": {} },
                "schemas": { "Id": { "type": "string", "description": "An id.", "examples": ["app_1"] } },
            },
        });
        vec![Sample::provider("small", Self::of(&document)).guest()]
    }
}

/// The page of what `document` gives, an OpenAPI document as JSON, with the files that it needs. Neither is made before
/// somebody asks: most processes never show it.
pub fn router(context: &Context, document: fn() -> &'static str) -> Router {
    let made = Arc::new(OnceLock::new());
    let show = async move || {
        let html = made.get_or_init(|| rendered(document()).map(Bytes::from));
        html.as_ref().map(|html| page(html.clone())).map_err(|error| {
            tracing::error!(error.message = %error, "the page of the API's document cannot be made");
            Failed::from(FailureKind::Internal)
        })
    };
    Router::new()
        .route(PATH, get(show))
        .merge(assets::routes())
        .layer(CompressionLayer::new())
        .layer(middleware::map_response(handling::guarded))
        .layer(middleware::from_fn_with_state(context.clone(), request_log::log))
        .layer(middleware::from_fn_with_state(context.clone(), callers::begin))
}

fn rendered(document: &str) -> Result<String, RenderError> {
    let document: Value =
        serde_json::from_str(document).map_err(|error| RenderError::new(format!("the document: {error}")))?;
    let frame = Frame::bare(Site::Provider);
    let page = Page::plain(frame.site, frame.portal, PATH);
    Templates::new(None)?.render(&page, &ApiReference::of(&document))
}

fn page(html: Bytes) -> impl IntoResponse + use<> {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (HEADERS, html)
}
