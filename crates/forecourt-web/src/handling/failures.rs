//! What failed, on its way to a page: a handler only says what; the site's middleware shows it in its frame.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::{IntoResponse, Redirect},
};
use forecourt_app::{Error, ErrorKind};

use crate::{errors::FailureKind, links::Link, templates::RenderError};

/// Why a handler has no page to show.
#[derive(Debug)]
pub enum Failed {
    /// A use case did not do what was asked.
    Refused(Error),
    /// A page of this kind is the answer.
    As(FailureKind),
    /// The answer is at another page.
    Elsewhere(Link),
    /// A page could not be rendered.
    Unrenderable(RenderError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<FailureKind> for Failed {
    fn from(kind: FailureKind) -> Self {
        Self::As(kind)
    }
}

impl From<RenderError> for Failed {
    fn from(error: RenderError) -> Self {
        Self::Unrenderable(error)
    }
}

/// The page that an answer without a body still lacks; an extension of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lacking {
    /// A failure page.
    Page(FailureKind),
    /// Nobody is known to be asking: the way to sign-in.
    SignIn,
}

impl FailureKind {
    const fn status(self) -> StatusCode {
        match self {
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Forbidden | Self::StaleForm => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

fn lacking(status: StatusCode, lacking: Lacking) -> Response<Body> {
    let mut response = status.into_response();
    response.extensions_mut().insert(lacking);
    response
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response<Body> {
        let kind = match self {
            Self::As(kind) => kind,
            Self::Elsewhere(link) => return Redirect::to(link.as_str()).into_response(),
            Self::Unrenderable(error) => {
                tracing::error!(error.message = %error, "a page could not be rendered");
                FailureKind::Internal
            }
            Self::Refused(error) => match error.kind() {
                ErrorKind::Unauthenticated => return lacking(StatusCode::UNAUTHORIZED, Lacking::SignIn),
                ErrorKind::Limit { retry_after } => {
                    let kind = FailureKind::TooMany;
                    let mut response = lacking(kind.status(), Lacking::Page(kind));
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
                    return response;
                }
                ErrorKind::NotFound => FailureKind::NotFound,
                ErrorKind::Forbidden => FailureKind::Forbidden,
                // Refusals of what was given are shown in the form they came from; one that comes here had none.
                ErrorKind::Invalid | ErrorKind::Conflict => FailureKind::Unreadable,
                ErrorKind::IdentityProvider | ErrorKind::Unavailable | ErrorKind::Internal => logged(&error),
            },
        };
        lacking(kind.status(), Lacking::Page(kind))
    }
}

fn logged(error: &Error) -> FailureKind {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(error.code = error.code(), error.message = %error, error.source = source, "request failed");
    if error.kind() == ErrorKind::Unavailable { FailureKind::Unavailable } else { FailureKind::Internal }
}
