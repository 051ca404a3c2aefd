//! The table of endpoints of one API: what its router and its OpenAPI document are built from, and what the tests of
//! permissions walk.
//!
//! Invariant: a row has a path, a handler and a description; none can be added without the others.

use axum::{
    Router,
    handler::Handler,
    middleware::from_fn_with_state,
    routing::{self, MethodRouter},
};
use forecourt_http::Context;
use http::Method;

use crate::{
    event_types,
    openapi::operations::Operation,
    previews::{self, Envelope},
};

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
pub(crate) struct Table {
    rows: Vec<Row>,
    router: Router<Context>,
    tag: &'static str,
    envelope: Envelope,
    event_types: &'static [event_types::Named],
}

impl Table {
    /// An empty table of an API that wraps one object so, and calls its endpoints so in the audit log.
    pub(crate) fn new(envelope: Envelope, event_types: &'static [event_types::Named]) -> Self {
        Self { rows: Vec::new(), router: Router::new(), tag: "", envelope, event_types }
    }

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
        let event_type = event_types::event_type(self.event_types, &method, path);
        self.rows.push(Row { method, path, tag: self.tag, operation });
        // Around the handler alone: a method that the path does not have is answered as one, whatever the query says.
        let handler = handler.route_layer(from_fn_with_state(self.envelope, previews::answer));
        let handler = match event_type {
            Some(name) => handler.route_layer(from_fn_with_state(name, event_types::note)),
            None => handler,
        };
        Self { router: self.router.route(path, handler), ..self }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn into_router(self) -> Router<Context> {
        self.router
    }
}
