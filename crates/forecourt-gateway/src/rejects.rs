//! Every answer that the gateway gives by itself: one enum, one table.
//!
//! Invariant: product authentication has exactly one answer, 401 with one body, so that nobody learns whether a
//! credential exists (docs/gateway.md §4). Consumers are told what is wrong (§7).

use std::borrow::Cow;

use bytes::Bytes;
use forecourt_core::gateway_state::RestrictionType;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

/// Why a request is not forwarded, or its answer not handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reject {
    /// The head breaks a rule of HTTP that others may read differently; the connection ends.
    BadRequest(&'static str),
    /// No route matches.
    NoRoute,
    /// Product authentication failed.
    Unauthorized(AcceptedMethods),
    /// No consumer is known by what was shown: the message, and what a caller may try.
    ConsumerUnknown(&'static str, Vec<HeaderValue>),
    /// A restriction holds, and nobody is known whom it could let pass.
    Unidentified(RestrictionType),
    /// A restriction refuses the caller: with this status and message.
    Restricted(StatusCode, String),
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
    /// The plan of the application has no room: its limit, and the seconds after which there is more.
    OverLimit {
        /// Calls.
        count: u64,
        /// Seconds.
        window_seconds: u32,
        /// Seconds, at least 1.
        retry_after: u64,
    },
    /// The host's callers must show a certificate, which this connection did not ask for.
    Misdirected,
    /// Nobody has said for too long who may call.
    Stale,
}

/// The methods that a refused caller may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptedMethods {
    /// API keys.
    pub(crate) key_auth: bool,
    /// User name and password.
    pub(crate) basic_auth: bool,
    /// Tokens, by whichever method.
    pub(crate) bearer: bool,
}

impl Reject {
    /// The labels of [`Reject::label`], in the order of [`Reject::number`].
    pub(crate) const LABELS: [&'static str; 21] = [
        "bad_request",
        "no_route",
        "unauthorized",
        "consumer_unknown",
        "unidentified",
        "restricted",
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
        "stale",
        "over_limit",
    ];

    /// Place in [`Self::LABELS`], status and body: the table.
    fn row(&self) -> (usize, StatusCode, Cow<'static, str>) {
        let (place, status, body) = match self {
            Self::BadRequest(_) => (0, StatusCode::BAD_REQUEST, r#"{"message":"Bad Request"}"#),
            Self::NoRoute => (1, StatusCode::NOT_FOUND, r#"{"error_msg":"404 Route Not Found"}"#),
            Self::Unauthorized(_) => (2, StatusCode::UNAUTHORIZED, r#"{"message":"Authorization Failed"}"#),
            Self::ConsumerUnknown(message, _) => {
                return (3, StatusCode::UNAUTHORIZED, saying(message));
            }
            Self::Unidentified(by) => {
                let by = by.name();
                let message = format!("The request is rejected, please check the {by} for this request");
                return (4, StatusCode::UNAUTHORIZED, saying(&message));
            }
            Self::Restricted(status, message) => return (5, *status, saying(message)),
            Self::PasswordChecksBusy => {
                (6, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"too many password checks, try again"}"#)
            }
            Self::NoUpstreamNode => {
                (7, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"no valid upstream node"}"#)
            }
            // To callers it is the same; who operates the gateway sees by the label which one it is.
            Self::UnsupportedScheme => {
                (8, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"no valid upstream node"}"#)
            }
            Self::Unreachable => (9, StatusCode::BAD_GATEWAY, r#"{"message":"upstream unreachable"}"#),
            Self::BrokenAnswer => {
                (10, StatusCode::BAD_GATEWAY, r#"{"message":"upstream sent no valid answer"}"#)
            }
            Self::TimedOut => (11, StatusCode::GATEWAY_TIMEOUT, r#"{"message":"upstream timed out"}"#),
            Self::HeadTooLarge => {
                (12, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, r#"{"message":"request head too large"}"#)
            }
            Self::BodyTooLarge => {
                (13, StatusCode::PAYLOAD_TOO_LARGE, r#"{"message":"request body too large"}"#)
            }
            Self::TooManyInFlight => {
                (14, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"too many requests in flight"}"#)
            }
            Self::Misdirected => {
                (15, StatusCode::MISDIRECTED_REQUEST, r#"{"message":"open a TLS connection for this host"}"#)
            }
            Self::OverLimit { count, window_seconds, .. } => {
                return (20, StatusCode::TOO_MANY_REQUESTS, over_limit(*count, *window_seconds));
            }
            Self::UnusableUpstream => {
                (16, StatusCode::BAD_GATEWAY, r#"{"message":"the upstream's settings cannot be used"}"#)
            }
            Self::UpstreamBusy => {
                (17, StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"too many upstream connections"}"#)
            }
            Self::UntrustedUpstream => {
                (18, StatusCode::BAD_GATEWAY, r#"{"message":"upstream certificate is not valid"}"#)
            }
            Self::Stale => (
                19,
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"message":"this gateway has not heard from its control plane for too long to say who may call"}"#,
            ),
        };
        (place, status, Cow::Borrowed(body))
    }

    /// Where its label stands in [`Self::LABELS`].
    pub(crate) fn number(&self) -> usize {
        self.row().0
    }

    /// The answer, its body of type `B`.
    pub(crate) fn response<B>(self, body: impl FnOnce(Bytes) -> B) -> Response<B> {
        let (_, status, text) = self.row();
        let length = text.len();
        let text = match text {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        };
        let mut response = Response::new(body(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        match self {
            Self::BadRequest(_) | Self::BodyTooLarge => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Unauthorized(methods) => {
                let key = methods.key_auth.then_some(r#"apikey realm="key""#);
                let basic = methods.basic_auth.then_some(r#"Basic realm="basic""#);
                let bearer = methods.bearer.then_some("Bearer");
                for challenge in [key, basic, bearer].into_iter().flatten() {
                    headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                }
            }
            Self::ConsumerUnknown(_, challenges) => {
                for challenge in challenges {
                    headers.append(WWW_AUTHENTICATE, challenge);
                }
            }
            Self::OverLimit { retry_after, .. } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(retry_after));
            }
            Self::PasswordChecksBusy | Self::TooManyInFlight => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

fn over_limit(count: u64, window_seconds: u32) -> Cow<'static, str> {
    let requests = if count == 1 { "request" } else { "requests" };
    let seconds = if window_seconds == 1 { "second" } else { "seconds" };
    saying(&format!("Rate limit exceeded: at most {count} {requests} in {window_seconds} {seconds}"))
}

fn saying(message: &str) -> Cow<'static, str> {
    Cow::Owned(serde_json::json!({ "message": message }).to_string())
}

#[cfg(test)]
mod tests {
    use forecourt_core::gateway_state::RestrictionType;
    use http::{HeaderValue, StatusCode};

    use super::{AcceptedMethods, Reject};

    #[test]
    fn every_reject_has_its_own_label_and_a_json_body() {
        let methods = AcceptedMethods { key_auth: true, basic_auth: true, bearer: true };
        let all = [
            Reject::BadRequest("why"),
            Reject::NoRoute,
            Reject::Unauthorized(methods),
            Reject::ConsumerUnknown("who?", vec![HeaderValue::from_static("Bearer")]),
            Reject::Unidentified(RestrictionType::ConsumerName),
            Reject::Restricted(StatusCode::FORBIDDEN, r#"a "quoted" word"#.to_owned()),
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
            Reject::Stale,
            Reject::OverLimit { count: 5, window_seconds: 60, retry_after: 7 },
        ];
        assert_eq!(all.len(), Reject::LABELS.len());
        for (place, reject) in all.into_iter().enumerate() {
            assert_eq!(reject.number(), place);
            let response = reject.response(|body| body);
            assert!(response.body().starts_with(br#"{""#) && response.body().ends_with(br#""}"#));
            assert!(response.status().is_client_error() || response.status().is_server_error());
        }
    }

    #[test]
    fn a_refusal_names_each_enabled_method_in_a_field_of_its_own() {
        let challenges = |key_auth, basic_auth, bearer| {
            let methods = AcceptedMethods { key_auth, basic_auth, bearer };
            let response = Reject::Unauthorized(methods).response(|body| body);
            assert_eq!(response.body(), r#"{"message":"Authorization Failed"}"#);
            let fields = response.headers().get_all("www-authenticate");
            fields.iter().map(|field| field.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = [r#"apikey realm="key""#, r#"Basic realm="basic""#, "Bearer"];
        assert_eq!(challenges(true, true, true), all);
        assert_eq!(challenges(false, true, false), [r#"Basic realm="basic""#]);
        assert_eq!(challenges(false, false, true), ["Bearer"]);
        assert!(challenges(false, false, false).is_empty());
    }
}
