//! The two wire APIs: the Admin API ([`admin`]) and the Portal API ([`portal`]).
//!
//! Invariant: the JSON of the outside lives here. A handler reads its request into core's inputs, calls one use case,
//! and writes the answer; it decides nothing.

pub mod admin;
mod json_patch;
pub mod portal;
mod shapes;
mod table;
mod usage;
