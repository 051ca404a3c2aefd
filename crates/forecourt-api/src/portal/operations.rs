//! How endpoints of the Portal API are described: bare objects, 201 and 204, and the three classes of callers.
//!
//! Each constructor is one sort of endpoint, for developers unless `access` says otherwise.

use crate::openapi::{
    operations::{Access, Operation},
    schemas::{self, Schema},
};

/// Reads one thing, or acts without a body.
pub(super) fn one(summary: &'static str, value: Schema) -> Operation {
    Operation::new(summary, Access::Developer).answers(value)
}

/// Changes one thing.
pub(super) fn send(summary: &'static str, body: Schema, value: Schema) -> Operation {
    one(summary, value).takes(body)
}

/// Makes one thing: 201.
pub(super) fn create(summary: &'static str, body: Schema, value: Schema) -> Operation {
    send(summary, body, value).status(201)
}

/// Makes something that is not told: 201 without a body.
pub(super) fn create_untold(summary: &'static str, body: Schema) -> Operation {
    Operation::new(summary, Access::Developer).takes(body).status(201)
}

/// Ends one thing: 204.
pub(super) fn delete(summary: &'static str) -> Operation {
    Operation::new(summary, Access::Developer).status(204)
}

/// A list in pages.
pub(super) fn list(summary: &'static str, row: Schema) -> Operation {
    whole(summary, row).paged()
}

/// A list that is not paged.
pub(super) fn whole(summary: &'static str, row: Schema) -> Operation {
    one(summary, schemas::list(row))
}
