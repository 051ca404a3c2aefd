//! Tests of the Admin API over its router: exact bodies and statuses, one file per noun, and the matrix of permissions.

mod accounts;
mod sessions;
mod stage;
