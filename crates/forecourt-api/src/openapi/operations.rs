//! What one endpoint takes and answers, in words and schemas.
//!
//! What follows from the dialect (envelopes, paging, statuses of refusals) is not said per endpoint: constructors of
//! each API's own `operations.rs` say it once.

use super::schemas::{self, Schema};

/// Who may call an endpoint at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody need be known.
    Open,
    /// A known caller of the Admin API.
    Administrator,
    /// A front end, for its portal.
    FrontEnd,
    /// A front end, for a developer or for a guest.
    Guest,
    /// A front end, for a developer.
    Developer,
}

/// A body, by its media types.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) media_types: &'static [&'static str],
    pub(crate) schema: Schema,
    /// Whether there must be one: an empty body counts as `{}`.
    pub(crate) is_required: bool,
}

/// A parameter of the query or of the path.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) schema: Schema,
    pub(crate) is_required: bool,
}

/// The description of an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) summary: &'static str,
    pub(crate) notes: &'static str,
    pub(crate) access: Access,
    pub(crate) query: Vec<Parameter>,
    pub(crate) segments: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    /// The status of success.
    pub(crate) status: u16,
    pub(crate) answer: Option<Body>,
    /// Whether the query takes `labels[key]=value`.
    pub(crate) takes_labels: bool,
}

const JSON: &[&str] = &["application/json"];

impl Operation {
    /// An endpoint that answers 200 without a body; `summary` is an order of a few words.
    pub(crate) fn new(summary: &'static str, access: Access) -> Self {
        Self {
            summary,
            notes: "",
            access,
            query: Vec::new(),
            segments: Vec::new(),
            body: None,
            status: 200,
            answer: None,
            takes_labels: false,
        }
    }

    /// What people should know beyond the summary.
    pub(crate) fn notes(self, notes: &'static str) -> Self {
        Self { notes, ..self }
    }

    /// For whom it is.
    pub(crate) fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The status of success, where it is not 200.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The body of success, as JSON.
    pub(crate) fn answers(self, schema: Schema) -> Self {
        self.answers_as(JSON, schema)
    }

    /// The body of success, as something else.
    pub(crate) fn answers_as(self, media_types: &'static [&'static str], schema: Schema) -> Self {
        Self { answer: Some(Body { media_types, schema, is_required: true }), ..self }
    }

    /// The body of the request, which must be there where something in it is required.
    pub(crate) fn takes(self, schema: Schema) -> Self {
        let is_required = schema.json().get("required").is_some();
        Self { body: Some(Body { media_types: JSON, schema, is_required }), ..self }
    }

    /// The body of the request: a form of a page.
    pub(crate) fn takes_form(self, schema: Schema) -> Self {
        let media_types = &["application/x-www-form-urlencoded"];
        Self { body: Some(Body { media_types, schema, is_required: true }), ..self }
    }

    /// The body of the request: a JSON Patch, or an object to merge.
    pub(crate) fn takes_patch(self) -> Self {
        let schema = schemas::named("Patch", patch);
        let media_types = &["application/json-patch+json", "application/json"];
        Self { body: Some(Body { media_types, schema, is_required: false }), ..self }
    }

    /// A parameter of the query that may be left out.
    pub(crate) fn query(mut self, name: &'static str, schema: Schema) -> Self {
        self.query.push(Parameter { name, schema, is_required: false });
        self
    }

    /// A parameter of the query that must be given.
    pub(crate) fn required_query(mut self, name: &'static str, schema: Schema) -> Self {
        self.query.push(Parameter { name, schema, is_required: true });
        self
    }

    /// A variable part of the path that is no id.
    pub(crate) fn segment(mut self, name: &'static str, schema: Schema) -> Self {
        self.segments.push(Parameter { name, schema, is_required: true });
        self
    }

    /// `page` and `page_size`.
    pub(crate) fn paged(self) -> Self {
        self.query("page", schemas::integer().from(1))
            .query("page_size", schemas::integer().from(1).about("All rows where neither is given."))
    }

    /// `order_by`, of which the first word is the default, and `direction`.
    pub(crate) fn ordered(self, by: &[&str]) -> Self {
        let order = schemas::words(by);
        let order = match by.first() {
            Some(first) => order.or(*first),
            None => order,
        };
        self.query("order_by", order).query("direction", schemas::words(&["asc", "desc"]).or("desc"))
    }

    /// `order_by` of lists that are sorted by their times.
    pub(crate) fn ordered_by_time(self) -> Self {
        self.ordered(&["updated_at", "created_at"])
    }

    /// `search`, a part of the text of the named members.
    pub(crate) fn searched(self, members: &str) -> Self {
        self.query("search", schemas::text().about(&format!("A part of {members}, in any case.")))
    }

    /// `labels[key]=value`.
    pub(crate) fn labelled(self) -> Self {
        Self { takes_labels: true, ..self }
    }
}

fn patch() -> Schema {
    let pointer = || schemas::text().about("A JSON Pointer (RFC 6901).");
    let operation = schemas::object()
        .required("op", schemas::words(&["add", "remove", "replace", "move", "copy", "test"]))
        .required("path", pointer())
        .optional("from", pointer())
        .optional("value", Schema::default());
    let merge = schemas::object().about("A JSON Merge Patch (RFC 7396).");
    schemas::one_of([
        schemas::array(operation).about("A JSON Patch (RFC 6902): all of it or nothing."),
        merge,
    ])
    .example(serde_json::json!([{ "op": "replace", "path": "/name", "value": "orders" }]))
}
