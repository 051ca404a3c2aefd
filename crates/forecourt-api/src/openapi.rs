//! The OpenAPI documents of both APIs, made from the tables that their routers are made from.
//!
//! Invariant: a row of a table is a path, a handler and an [`operations::Operation`]; there is no route without a
//! description, and no description without its route. Bodies are described by [`schemas`], whole documents are put
//! together in [`documents`].

pub(crate) mod documents;
pub(crate) mod operations;
pub(crate) mod schemas;

#[cfg(test)]
pub(crate) mod tests;
