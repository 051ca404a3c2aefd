//! Spans on their way to a collector: in batches, as OTLP over HTTP in JSON
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! Invariant: nobody who is answered waits for a collector. Where it is away or too slow, spans are lost.

use std::{sync::Arc, time::Duration};

use forecourt_core::{
    addresses::OutgoingRules,
    time::Timestamp,
    traces::{Span, Tracing},
};
use forecourt_identity::outgoing::{
    Call, Method, Outgoing,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinHandle,
};
use url::Url;

use crate::{jobs::Jobs, serve::VERSION, supervision};

/// How many spans wait at most.
const WAITING: usize = 8_192;
/// How many go in one request at most.
const AT_ONCE: usize = 512;
/// How long the first of a batch waits for others.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The running export.
#[derive(Debug)]
pub struct Export {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Exporter {
    collector: Outgoing,
    url: Url,
    spans: mpsc::Receiver<Span>,
    is_failing: bool,
}

/// Sends what `Tracing` takes to the collector at `endpoint`, such as `http://127.0.0.1:4318`.
///
/// # Errors
/// When the endpoint is no such URL, or names a user, or the operating system gives no random bytes.
pub fn start(endpoint: &str, sampled_percent: u64, jobs: &Arc<Jobs>) -> Result<(Tracing, Export), String> {
    let url = traces_url(endpoint).ok_or(
        "must be the http:// or https:// address of a collector, without user name and query, such as \
         http://127.0.0.1:4318",
    )?;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let tracing = Tracing::new(u64::from_ne_bytes(seed), sampled_percent, move |span| {
        // A full channel means that the collector is away or too slow.
        let _taken = sender.try_send(span);
    });
    let (stop, stopped) = watch::channel(false);
    let collector = Outgoing::with_time(OutgoingRules::default(), PATIENCE);
    let exporter = Arc::new(Mutex::new(Exporter { collector, url, spans: receiver, is_failing: false }));
    let work = move |jobs, stopped| export(Arc::clone(&exporter), jobs, stopped);
    let task = supervision::start(Arc::clone(jobs), |jobs| &jobs.span_export, stopped, work);
    Ok((tracing, Export { stop, task }))
}

/// Where a collector takes spans; none where the address names a user, whose password nothing that shows it would hide.
pub fn traces_url(endpoint: &str) -> Option<Url> {
    let url = Url::parse(endpoint.trim_end_matches('/')).ok()?;
    let fits = ["http", "https"].contains(&url.scheme()) && url.has_host() && url.query().is_none();
    let fits = fits && url.username().is_empty() && url.password().is_none();
    let base = url.as_str().trim_end_matches('/');
    if fits { Url::parse(&format!("{base}/v1/traces")).ok() } else { None }
}

impl Export {
    /// Sends what waits, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the export of spans ended early by a panic");
        }
    }
}

async fn export(exporter: Arc<Mutex<Exporter>>, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut exporter = exporter.lock().await;
    // Not kept where this breaks off: it may be why.
    let mut batch = Vec::with_capacity(AT_ONCE);
    loop {
        let is_over = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        while let Ok(span) = exporter.spans.try_recv() {
            batch.push(span);
            if batch.len() == AT_ONCE {
                exporter.send(&mut batch).await;
            }
        }
        if !batch.is_empty() {
            exporter.send(&mut batch).await;
        }
        jobs.span_export.ended(&if exporter.is_failing { Err(()) } else { Ok(()) });
        if is_over {
            return;
        }
    }
}

impl Exporter {
    /// Sends a batch; where the collector does not take it, it is lost.
    async fn send(&mut self, batch: &mut Vec<Span>) {
        let body = body(batch).to_string().into_bytes();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let call = Call { method: Method::POST, url: self.url.clone(), headers, body };
        let problem = match self.collector.call(call).await {
            Ok(answer) if answer.status.is_success() => None,
            Ok(answer) => Some(format!("the collector answered {}", answer.status)),
            Err(error) => Some(error.to_string()),
        };
        let was_failing = std::mem::replace(&mut self.is_failing, problem.is_some());
        match &problem {
            Some(problem) if !was_failing => {
                tracing::warn!(error.cause = %problem, spans = batch.len(), "spans cannot be exported, and are lost");
            }
            None if was_failing => tracing::info!("spans are exported again"),
            _ => {}
        }
        batch.clear();
    }
}

/// A batch as `ExportTraceServiceRequest` in JSON.
fn body(batch: &[Span]) -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let spans: Vec<_> = batch.iter().map(span).collect();
    json!({
        "resourceSpans": [{
            "resource": { "attributes": [text("service.name", "forecourt"), text("service.version", VERSION)] },
            "scopeSpans": [{ "scope": { "name": "forecourt", "version": VERSION }, "spans": spans }],
        }],
    })
}

fn span(span: &Span) -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let nanos = |at: Timestamp| format!("{}000", at.micros());
    let mut attributes = vec![
        text("forecourt.part", span.part),
        text("http.request.method", &span.method),
        json!({ "key": "http.response.status_code", "value": { "intValue": span.status.to_string() } }),
    ];
    attributes.extend(span.route.as_deref().map(|route| text("http.route", route)));
    let name = match &span.route {
        Some(route) => format!("{} {route}", span.method),
        None => span.method.clone(),
    };
    let parent = span.parent.map(|parent| format!("{parent:016x}")).unwrap_or_default();
    json!({
        "traceId": format!("{:032x}", span.context.trace),
        "spanId": format!("{:016x}", span.context.span),
        "parentSpanId": parent,
        "name": name,
        // SPAN_KIND_SERVER
        "kind": 2,
        "startTimeUnixNano": nanos(span.from),
        "endTimeUnixNano": nanos(span.until),
        "attributes": attributes,
        // STATUS_CODE_ERROR for what is a fault of ours or of an upstream.
        "status": { "code": if span.status >= 500 { 2 } else { 0 } },
    })
}

#[cfg(test)]
mod tests {
    use forecourt_core::traces::TraceContext;

    use super::*;

    #[test]
    fn a_span_is_written_as_collectors_read_it() {
        let context = TraceContext { trace: 1, span: 2, is_sampled: true };
        let told = body(&[Span {
            context,
            parent: Some(3),
            part: "admin",
            method: "GET".into(),
            route: Some("/api/portals/{id}".into()),
            status: 503,
            from: Timestamp::from_micros(5),
            until: Timestamp::from_micros(7),
        }]);
        let span = &told["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "00000000000000000000000000000001");
        assert_eq!(
            (&span["spanId"], &span["parentSpanId"]),
            (&json!("0000000000000002"), &json!("0000000000000003"))
        );
        assert_eq!(span["name"], "GET /api/portals/{id}");
        assert_eq!((&span["startTimeUnixNano"], &span["endTimeUnixNano"]), (&json!("5000"), &json!("7000")));
        assert_eq!(span["status"]["code"], 2);
    }

    #[test]
    fn spans_go_below_the_address_of_the_collector() {
        let url = |endpoint| traces_url(endpoint).map(|url| url.to_string());
        assert_eq!(url("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(url("https://otel.example/base/").unwrap(), "https://otel.example/base/v1/traces");
        for wrong in ["", "127.0.0.1:4318", "grpc://a", "http://a?b=c", "http://ann:secret@a", "http://ann@a"]
        {
            assert_eq!(url(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn an_export_that_broke_off_is_named_until_it_sends_once_more() {
        let jobs = Arc::new(Jobs::default());
        let (tracing, export) = start("http://127.0.0.1:1", 100, &jobs).unwrap();
        jobs.span_export.broke_off();
        assert_eq!(jobs.down().collect::<Vec<_>>(), ["span_export"]);
        drop(tracing);
        export.stop().await;
        assert_eq!(jobs.span_export.counts(), (1, 0));
        assert_eq!(jobs.down().next(), None);
    }
}
