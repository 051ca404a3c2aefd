//! The table of endpoints of one API: what its router is built from, and what the tests of permissions walk.

use axum::{
    Router,
    handler::Handler,
    routing::{self, MethodRouter},
};
use forecourt_http::Context;
use http::Method;

/// Endpoints with their handlers, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(Method, &'static str)>,
    router: Router<Context>,
}

impl Table {
    pub(crate) fn get<H: Handler<T, Context>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::GET, path, routing::get(handler))
    }

    pub(crate) fn post<H: Handler<T, Context>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::POST, path, routing::post(handler))
    }

    pub(crate) fn put<H: Handler<T, Context>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::PUT, path, routing::put(handler))
    }

    pub(crate) fn patch<H: Handler<T, Context>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::PATCH, path, routing::patch(handler))
    }

    pub(crate) fn delete<H: Handler<T, Context>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::DELETE, path, routing::delete(handler))
    }

    fn with(mut self, method: Method, path: &'static str, handler: MethodRouter<Context>) -> Self {
        self.rows.push((method, path));
        Self { router: self.router.route(path, handler), ..self }
    }

    /// Method and path of every endpoint; `{…}` stands for one segment.
    pub(crate) fn rows(&self) -> &[(Method, &'static str)] {
        &self.rows
    }

    pub(crate) fn into_router(self) -> Router<Context> {
        self.router
    }
}
