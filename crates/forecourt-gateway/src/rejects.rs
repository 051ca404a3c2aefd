//! Every answer that the gateway gives by itself: one enum, one table.
//!
//! Invariant: product authentication has exactly one answer, 401 with one body, so that nobody learns whether a
//! credential exists (docs/gateway.md §4).

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

/// Why a request is not forwarded, or its answer not handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reject {
    /// The head breaks a rule of HTTP that others may read differently; the connection ends.
    BadRequest(&'static str),
    /// No route matches.
    NoRoute,
    /// Product authentication failed.
    Unauthorized(AcceptedMethods),
    /// All password checks are taken and the wait was too long.
    PasswordChecksBusy,
    /// The service has no target of positive weight.
    NoUpstreamNode,
    /// The upstream's scheme cannot be spoken.
    UnsupportedScheme,
    /// The upstream's settings cannot be used.
    UnusableUpstream,
    /// All connections that a node may have are taken.
    UpstreamBusy,
    /// The upstream's certificate is not valid.
    UntrustedUpstream,
    /// No connection to the upstream could be made.
    Unreachable,
    /// The upstream ended the connection before its answer's head, or sent no HTTP.
    BrokenAnswer,
    /// The upstream took too long.
    TimedOut,
    /// The head is larger than may be, where hyper does not say so itself.
    HeadTooLarge,
    /// The body is larger than may be; the connection ends.
    BodyTooLarge,
    /// More requests are in flight than may be.
    TooManyInFlight,
    /// The host's callers must show a certificate, which this connection did not ask for.
    Misdirected,
}

/// The methods that a refused caller may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptedMethods {
    /// API keys.
    pub(crate) key_auth: bool,
    /// User name and password.
    pub(crate) basic_auth: bool,
}

impl Reject {
    /// The labels of [`Reject::label`], in the order of [`Reject::number`].
    pub(crate) const LABELS: [&'static str; 16] = [
        "bad_request",
        "no_route",
        "unauthorized",
        "password_checks_busy",
        "no_upstream_node",
        "unsupported_scheme",
        "unreachable",
        "broken_answer",
        "timed_out",
        "head_too_large",
        "body_too_large",
        "too_many_in_flight",
        "misdirected",
        "unusable_upstream",
        "upstream_busy",
        "untrusted_upstream",
    ];

    /// Place in [`Self::LABELS`], status and body: the table.
    const fn row(self) -> (usize, StatusCode, &'static str) {
        match self {
            Self::BadRequest(_) => (0, StatusCode::BAD_REQUEST, r#"{"message":"Bad Request"}"#),
            Self::NoRoute => (1, StatusCode::NOT_FOUND, r#"{"error_msg":"404 Route Not Found"}"#),
            Self::Unauthorized(_) => (2, StatusCode::UNAUTHORIZED, r#"{"message":"Authorization Failed"}"#),
            Self::PasswordChecksBusy => {
                (3, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"too many password checks, try again"}"#)
            }
            Self::NoUpstreamNode => {
                (4, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"no valid upstream node"}"#)
            }
            Self::UnsupportedScheme => (
                5,
                StatusCode::BAD_GATEWAY,
                r#"{"message":"the upstream's scheme is not supported by this gateway"}"#,
            ),
            Self::Unreachable => (6, StatusCode::BAD_GATEWAY, r#"{"message":"upstream unreachable"}"#),
            Self::BrokenAnswer => {
                (7, StatusCode::BAD_GATEWAY, r#"{"message":"upstream sent no valid answer"}"#)
            }
            Self::TimedOut => (8, StatusCode::GATEWAY_TIMEOUT, r#"{"message":"upstream timed out"}"#),
            Self::HeadTooLarge => {
                (9, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, r#"{"message":"request head too large"}"#)
            }
            Self::BodyTooLarge => {
                (10, StatusCode::PAYLOAD_TOO_LARGE, r#"{"message":"request body too large"}"#)
            }
            Self::TooManyInFlight => {
                (11, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"too many requests in flight"}"#)
            }
            Self::Misdirected => {
                (12, StatusCode::MISDIRECTED_REQUEST, r#"{"message":"open a TLS connection for this host"}"#)
            }
            Self::UnusableUpstream => {
                (13, StatusCode::BAD_GATEWAY, r#"{"message":"the upstream's settings cannot be used"}"#)
            }
            Self::UpstreamBusy => {
                (14, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"too many upstream connections"}"#)
            }
            Self::UntrustedUpstream => {
                (15, StatusCode::BAD_GATEWAY, r#"{"message":"upstream certificate is not valid"}"#)
            }
        }
    }

    /// Where its label stands in [`Self::LABELS`].
    pub(crate) const fn number(self) -> usize {
        self.row().0
    }

    /// The answer, its body of type `B`.
    pub(crate) fn response<B>(self, body: impl FnOnce(Bytes) -> B) -> Response<B> {
        let (_, status, text) = self.row();
        let mut response = Response::new(body(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        match self {
            Self::BadRequest(_) | Self::BodyTooLarge => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Unauthorized(methods) => {
                let key = methods.key_auth.then_some(r#"apikey realm="key""#);
                let basic = methods.basic_auth.then_some(r#"Basic realm="basic""#);
                for challenge in [key, basic].into_iter().flatten() {
                    headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                }
            }
            Self::PasswordChecksBusy | Self::TooManyInFlight => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::{AcceptedMethods, Reject};

    #[test]
    fn every_reject_has_its_own_label_and_a_json_body() {
        let methods = AcceptedMethods { key_auth: true, basic_auth: true };
        let all = [
            Reject::BadRequest("why"),
            Reject::NoRoute,
            Reject::Unauthorized(methods),
            Reject::PasswordChecksBusy,
            Reject::NoUpstreamNode,
            Reject::UnsupportedScheme,
            Reject::Unreachable,
            Reject::BrokenAnswer,
            Reject::TimedOut,
            Reject::HeadTooLarge,
            Reject::BodyTooLarge,
            Reject::TooManyInFlight,
            Reject::Misdirected,
            Reject::UnusableUpstream,
            Reject::UpstreamBusy,
            Reject::UntrustedUpstream,
        ];
        for (place, reject) in all.into_iter().enumerate() {
            assert_eq!(reject.number(), place);
            let response = reject.response(|body| body);
            assert!(response.body().starts_with(br#"{""#) && response.body().ends_with(br#""}"#));
            assert!(response.status().is_client_error() || response.status().is_server_error());
        }
        assert_eq!(all.len(), Reject::LABELS.len());
    }

    #[test]
    fn a_refusal_names_each_enabled_method_in_a_field_of_its_own() {
        let challenges = |key_auth, basic_auth| {
            let response =
                Reject::Unauthorized(AcceptedMethods { key_auth, basic_auth }).response(|body| body);
            assert_eq!(response.body(), r#"{"message":"Authorization Failed"}"#);
            let fields = response.headers().get_all("www-authenticate");
            fields.iter().map(|field| field.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(challenges(true, true), [r#"apikey realm="key""#, r#"Basic realm="basic""#]);
        assert_eq!(challenges(false, true), [r#"Basic realm="basic""#]);
        assert!(challenges(false, false).is_empty());
    }
}
