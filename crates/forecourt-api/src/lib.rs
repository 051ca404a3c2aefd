//! The wire APIs: the Admin API ([`admin`]), the Portal API ([`portal`]), SCIM beside the Admin API and on portals' sites
//! ([`scim`]), and what gateway nodes ask ([`sync`]).
//!
//! Invariant: the JSON of the outside lives here. A handler reads its request into core's inputs, calls one use case,
//! and writes the answer; it decides nothing.

pub mod admin;
mod event_types;
mod json_patch;
mod openapi;
pub mod portal;
mod previews;
pub mod scim;
mod shapes;
pub mod sync;
mod table;
mod usage;
