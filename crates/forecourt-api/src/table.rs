//! The table of endpoints of one API: what its router and its OpenAPI document are built from, and what the tests of
//! permissions walk.
//!
//! Invariant: a row has a path, a handler and a description; none can be added without the others.

use axum::{
    Router,
    handler::Handler,
    routing::{self, MethodRouter},
};
use forecourt_http::Context;
use http::Method;

use crate::openapi::operations::Operation;

/// An endpoint, as others see it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) method: Method,
    /// `{…}` stands for one segment.
    pub(crate) path: &'static str,
    /// The noun that it is about, for people.
    pub(crate) tag: &'static str,
    pub(crate) operation: Operation,
}

/// Endpoints with their handlers, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    router: Router<Context>,
    tag: &'static str,
}

impl Table {
    /// What the rows that follow are about.
    pub(crate) fn about(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }

    pub(crate) fn get<H: Handler<T, Context>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.with(Method::GET, path, routing::get(handler), operation)
    }

    pub(crate) fn post<H: Handler<T, Context>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.with(Method::POST, path, routing::post(handler), operation)
    }

    pub(crate) fn put<H: Handler<T, Context>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.with(Method::PUT, path, routing::put(handler), operation)
    }

    pub(crate) fn patch<H: Handler<T, Context>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.with(Method::PATCH, path, routing::patch(handler), operation)
    }

    pub(crate) fn delete<H: Handler<T, Context>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.with(Method::DELETE, path, routing::delete(handler), operation)
    }

    fn with(
        mut self,
        method: Method,
        path: &'static str,
        handler: MethodRouter<Context>,
        operation: Operation,
    ) -> Self {
        self.rows.push(Row { method, path, tag: self.tag, operation });
        Self { router: self.router.route(path, handler), ..self }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn into_router(self) -> Router<Context> {
        self.router
    }
}
