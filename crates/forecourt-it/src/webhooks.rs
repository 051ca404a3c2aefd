//! A receiver of webhooks that answers as the story says, and remembers what it was told.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{deadlines::eventually, upstreams::Arrived};

/// How a receiver answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// With this status.
    Status(u16),
    /// With this status, and this `Retry-After`.
    RetryAfter(u16, String),
    /// With a redirect to there.
    Redirect(String),
    /// With 200, and ten megabytes.
    Huge,
    /// Not at all, until it has another answer.
    Hangs,
}

/// The receiver; it ends with its owner.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    answer: watch::Sender<HookAnswer>,
    task: JoinHandle<()>,
}

impl Webhook {
    /// Starts one on a free port, which answers 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let (answer, answers) = watch::channel(HookAnswer::Status(200));
        let memory = Arc::clone(&arrived);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (memory, answers) = (Arc::clone(&memory), answers.clone());
                tokio::spawn(async move {
                    let service =
                        service_fn(move |call| answered(Arc::clone(&memory), answers.clone(), call));
                    // A caller that breaks off is no business of the receiver's.
                    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, arrived, answer, task }
    }

    /// Where it is called.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Has it answer so from now on.
    pub fn answers(&self, answer: HookAnswer) {
        self.answer.send_replace(answer);
    }

    /// Every call so far, in order.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// Its calls, once there are so many.
    ///
    /// # Panics
    /// When there are not in time.
    pub async fn has_heard(&self, count: usize) -> Vec<Arrived> {
        let enough = || async { Some(self.arrived()).filter(|arrived| arrived.len() >= count) };
        eventually(&format!("{count} calls arrive"), enough).await
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answered(
    memory: Arc<Mutex<Vec<Arrived>>>,
    mut answers: watch::Receiver<HookAnswer>,
    call: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = call.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let target = parts.uri.path_and_query().map_or(String::new(), ToString::to_string);
    memory.lock().unwrap().push(Arrived { method: parts.method, target, headers: parts.headers, body });
    let given = match answers.wait_for(|answer| *answer != HookAnswer::Hangs).await {
        Ok(answer) => answer.clone(),
        // Its owner is gone.
        Err(_) => HookAnswer::Status(500),
    };
    let empty = |status: u16| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    };
    let with = |status, name: &'static str, value: &str| {
        let mut response = empty(status);
        response.headers_mut().insert(name, value.parse().unwrap());
        response
    };
    Ok(match given {
        HookAnswer::Status(status) => empty(status),
        HookAnswer::RetryAfter(status, pause) => with(status, "retry-after", &pause),
        HookAnswer::Redirect(to) => with(302, "location", &to),
        HookAnswer::Huge => Response::new(Full::new(Bytes::from(vec![b'x'; 10 << 20]))),
        HookAnswer::Hangs => empty(500),
    })
}
