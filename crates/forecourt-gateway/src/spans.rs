//! A request as part of a trace: its upstream is told to belong to it, and what came of it is told of.
//!
//! Without a place to tell it nothing is looked at, and the caller's fields go on as they came.

use forecourt_core::{
    time::Timestamp,
    traces::{self, Begun, Tracing},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const TRACEPARENT: HeaderName = HeaderName::from_static(traces::FIELD);

/// A request that is told of once it is answered.
pub(crate) struct OpenSpan {
    tracing: Tracing,
    begun: Begun,
    method: Method,
}

/// Begins a span where spans are told, and puts its own place in the trace where the caller's stood.
pub(crate) fn begin(
    tracing: Option<&Tracing>,
    method: &Method,
    headers: &mut HeaderMap,
    now: Timestamp,
) -> Option<OpenSpan> {
    let tracing = tracing?.clone();
    let mut fields = headers.get_all(&TRACEPARENT).iter();
    // Of two contradicting ones neither is believed.
    let field = match (fields.next(), fields.next()) {
        (Some(field), None) => field.to_str().ok(),
        _ => None,
    };
    let begun = tracing.begin(field, now);
    if let Ok(own) = HeaderValue::try_from(begun.context.to_string()) {
        headers.insert(TRACEPARENT, own);
    }
    Some(OpenSpan { tracing, begun, method: method.clone() })
}

impl OpenSpan {
    /// The head of the answer is made.
    pub(crate) fn end(self, status: u16, now: Timestamp) {
        self.tracing.end(self.begun, "gateway", (self.method.as_str(), None), status, now);
    }
}
