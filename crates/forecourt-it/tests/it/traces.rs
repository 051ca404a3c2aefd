//! Spans at a collector, and the place in a trace that upstreams are told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use forecourt_it::{Forecourt, deadlines::eventually};
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A collector that keeps what it is sent: paths and bodies.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let shared = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let taken = Arc::clone(&taken);
                        async move {
                            let path = request.uri().path().to_owned();
                            let body = request.into_body().collect().await?.to_bytes();
                            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                            taken.lock().unwrap().push((path, body));
                            Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(b"{}"))))
                        }
                    });
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Self { address, taken }
    }

    /// Where it is told.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans that it was sent.
    pub(crate) fn spans(&self) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        let bodies = taken.iter().map(|(path, body)| {
            assert_eq!(path, "/v1/traces");
            body
        });
        let spans =
            bodies.flat_map(|body| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap());
        spans.cloned().collect()
    }
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().unwrap();
    attributes.iter().find(|attribute| attribute["key"] == key).map_or(&Value::Null, |found| &found["value"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_of_in_its_callers_trace_and_its_upstream_belongs_to_it() {
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    let f = Forecourt::start_with(|settings| {
        settings.telemetry.otlp_endpoint = endpoint;
        settings.telemetry.sampled_percent = 0;
    })
    .await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let caller = f.gateway().with("apikey", &key.key);
    caller.with("traceparent", CALLER).get(&orders.path).await.expect(200);
    let unsampled = CALLER.replace("-01", "-00");
    caller.with("traceparent", &unsampled).get(&orders.path).await.expect(200);
    f.admin().await.with("traceparent", CALLER).get("/api/portals").await.expect(200);

    let spans = eventually("both spans arrive", || async {
        let spans = collector.spans();
        (spans.len() >= 2).then_some(spans)
    })
    .await;
    assert_eq!(spans.len(), 2, "what nobody sampled is not told: {spans:?}");
    let of = |part: &str| {
        let of_part = |span: &&Value| attribute(span, "forecourt.part")["stringValue"] == part;
        spans.iter().find(of_part).unwrap_or_else(|| panic!("{part}: {spans:?}"))
    };
    for (part, name) in [("gateway", "GET"), ("admin", "GET /api/portals")] {
        let span = of(part);
        assert_eq!((&span["traceId"], &span["parentSpanId"]), (&TRACE.into(), &"b7ad6b7169203331".into()));
        assert_eq!(span["name"], name);
        assert_eq!(attribute(span, "http.response.status_code")["intValue"], "200");
    }
    let own = text_of(&of("gateway")["spanId"]);
    let seen = f.upstream().arrived();
    let fields: Vec<_> = seen.iter().filter_map(|seen| seen.headers.get("traceparent")).collect();
    assert_eq!(fields.len(), 2);
    assert_eq!(fields[0].to_str().unwrap(), format!("00-{TRACE}-{own}-01"));
    assert!(fields[1].to_str().unwrap().ends_with("-00"), "{fields:?}");
}

fn text_of(value: &Value) -> String {
    forecourt_it::installations::text(value)
}

#[tokio::test]
async fn without_a_collector_a_callers_place_goes_on_unchanged() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    f.gateway().with("apikey", &key.key).with("traceparent", CALLER).get(&orders.path).await.expect(200);
    assert_eq!(f.upstream().last().headers["traceparent"], CALLER);
}
