//! Error bodies of both APIs: `{"status","message","error_msg"}`, and what each kind of failure becomes.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use forecourt_app::{Error, ErrorKind};
use forecourt_core::text::Invalid;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::availability::RETRY_AFTER;

/// A failure as an answer of one of the APIs.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    message: String,
    retry_after: Option<u64>,
}

impl Problem {
    /// An answer with this status and message; the message is never empty.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// 400, in these words.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized")
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "resource not found")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
    }

    /// 413.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 12 MiB")
    }

    /// 500, without internals.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
    }

    /// 503, in these words: it may work again soon.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, message: message.into(), retry_after: Some(RETRY_AFTER) }
    }

    /// What is wrong, in words for the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// After how many seconds it may work again, where it is about that.
    pub const fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Invalid | ErrorKind::Conflict => StatusCode::BAD_REQUEST,
            ErrorKind::Limit { retry_after } => {
                let message = error.to_string();
                return Self {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    message,
                    retry_after: Some(retry_after),
                };
            }
            ErrorKind::IdentityProvider => {
                tracing::warn!(error.code = error.code(), error.source = %sources(&error), "an identity provider failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ErrorKind::Unavailable => {
                tracing::error!(error.code = error.code(), error.message = %error, error.source = %sources(&error), "request failed");
                return Self::unavailable("the service is unavailable for a moment; try again");
            }
            ErrorKind::Internal => {
                tracing::error!(error.code = error.code(), error.message = %error, error.source = %sources(&error), "request failed");
                return Self::internal();
            }
        };
        Self::new(status, error.to_string())
    }
}

fn sources(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(error.source(), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request(invalid.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body =
            json!({ "status": self.status.as_u16(), "message": self.message, "error_msg": self.message });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
