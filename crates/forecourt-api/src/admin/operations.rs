//! How endpoints of the Admin API are described: its envelope and its statuses, said once.
//!
//! Each constructor is one sort of endpoint; a noun's file adds what is its own.

use crate::openapi::{
    operations::{Access, Operation},
    schemas::{self, Schema},
};

fn operation(summary: &'static str) -> Operation {
    Operation::new(summary, Access::Administrator)
}

/// The envelope.
pub(super) fn enveloped(value: Schema) -> Schema {
    schemas::object().required("value", value)
}

/// Reads or changes one thing: no body is taken, `{"value":…}` is answered.
pub(super) fn one(summary: &'static str, value: Schema) -> Operation {
    operation(summary).answers(enveloped(value))
}

/// Creates, replaces or acts: `body` is taken, `{"value":…}` is answered.
pub(super) fn send(summary: &'static str, body: Schema, value: Schema) -> Operation {
    one(summary, value).takes(body)
}

/// The same, where the answer may say in `warning_msg` what else happened.
pub(super) fn send_with_warning(summary: &'static str, body: Schema, value: Schema) -> Operation {
    let warning = schemas::text().about("What else happened, for people.");
    operation(summary).takes(body).answers(enveloped(value).optional("warning_msg", warning))
}

/// Changes parts of one thing by a JSON Patch; the answer may say in `warning_msg` what else happened.
pub(super) fn patch_with_warning(summary: &'static str, value: Schema) -> Operation {
    send_with_warning(summary, schemas::object(), value).takes_patch()
}

/// Changes parts of one thing by a JSON Patch.
pub(super) fn patch(summary: &'static str, value: Schema) -> Operation {
    one(summary, value).takes_patch()
}

/// Ends one thing.
pub(super) fn delete(summary: &'static str) -> Operation {
    one(summary, deleted())
}

/// Ends one thing; the answer may say in `warning_msg` what else happened.
pub(super) fn delete_with_warning(summary: &'static str) -> Operation {
    let warning = schemas::text().about("What else happened, for people.");
    operation(summary).answers(enveloped(deleted()).optional("warning_msg", warning))
}

fn deleted() -> Schema {
    schemas::named("Deleted", || schemas::object().required("id", schemas::text()))
}

/// A list in pages.
pub(super) fn list(summary: &'static str, row: Schema) -> Operation {
    operation(summary).answers(schemas::list(row)).paged()
}

/// Answers what is no JSON, or has no envelope; the caller says what.
pub(super) fn bare(summary: &'static str) -> Operation {
    operation(summary)
}

/// Narrowed by `portal_id`, or checked against it.
pub(super) fn of_portal(operation: Operation) -> Operation {
    operation.query("portal_id", schemas::id().about("The portal; on an item it must be the item's own."))
}

/// Under a portal, which must be named.
pub(super) fn in_portal(operation: Operation) -> Operation {
    operation.required_query("portal_id", schemas::id())
}

/// Under a gateway group.
pub(super) fn of_group(operation: Operation) -> Operation {
    let about = "The gateway group: required to create or replace, unless the caller's key is bound to one; \
                 elsewhere it must be the object's own.";
    operation.query("gateway_group_id", schemas::id().about(about))
}
