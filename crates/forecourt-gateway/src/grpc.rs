//! What callers of gRPC must be told beside the HTTP status: their libraries read `grpc-status`.
//!
//! Answers of upstreams pass as they are; only answers of our own are explained (docs/gateway.md §10).

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request with this header is a call of gRPC.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Adds the code of gRPC that stands for an answer's HTTP status.
pub(crate) fn explain<B>(response: &mut Response<B>) {
    let (code, message) = match response.status() {
        StatusCode::BAD_REQUEST => ("13", "the request is malformed"),
        StatusCode::UNAUTHORIZED => ("16", "authorization failed"),
        StatusCode::FORBIDDEN => ("7", "permission denied"),
        StatusCode::NOT_FOUND => ("12", "no route"),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => ("14", "the upstream is unavailable"),
        status if status.is_client_error() || status.is_server_error() => {
            ("2", "the gateway refused the request")
        }
        _ => return,
    };
    response.headers_mut().insert(GRPC_STATUS, HeaderValue::from_static(code));
    response.headers_mut().insert(GRPC_MESSAGE, HeaderValue::from_static(message));
}

#[cfg(test)]
mod tests {
    use http::Response;

    #[test]
    fn each_status_of_our_own_has_its_code_and_success_has_none() {
        let code = |status: u16| {
            let mut response = Response::builder().status(status).body(()).unwrap();
            super::explain(&mut response);
            response.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned())
        };
        for (status, expected) in [
            (400, "13"),
            (401, "16"),
            (403, "7"),
            (404, "12"),
            (413, "2"),
            (429, "14"),
            (502, "14"),
            (503, "14"),
            (504, "14"),
        ] {
            assert_eq!(code(status).as_deref(), Some(expected), "{status}");
        }
        assert_eq!(code(200), None);
    }
}
