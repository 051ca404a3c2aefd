//! A bridge of an operator's own, as docs/dcr.md describes it: it makes clients, and has the troubles of a story.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// What is wrong with a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// It does nothing, and answers this status.
    Answers(u16),
    /// It does what is asked, and hangs up without an answer.
    HangsUp,
    /// It does what is asked, and answers when it has another trouble, or none.
    Waits,
}

#[derive(Debug, Default)]
struct State {
    clients: BTreeMap<String, Value>,
    made: u32,
    heads: Vec<HeaderMap>,
}

/// The bridge; it ends with its owner.
#[derive(Debug)]
pub struct Bridge {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    trouble: watch::Sender<Trouble>,
    task: JoinHandle<()>,
}

impl Bridge {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let (trouble, troubled) = watch::channel(Trouble::None);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, troubled) = (Arc::clone(&shared), troubled.clone());
                tokio::spawn(async move {
                    let service =
                        service_fn(move |request| answer(Arc::clone(&state), troubled.clone(), request));
                    // One that hangs up ends with an error on purpose.
                    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, state, trouble, task }
    }

    /// Its `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Gives it this trouble from now on.
    pub fn has(&self, trouble: Trouble) {
        self.trouble.send_replace(trouble);
    }

    /// Its clients by id: what it was told of each, and its secret.
    pub fn clients(&self) -> BTreeMap<String, Value> {
        self.state.lock().unwrap().clients.clone()
    }

    /// The fields of every request so far.
    pub fn heads(&self) -> Vec<HeaderMap> {
        self.state.lock().unwrap().heads.clone()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    mut troubled: watch::Receiver<Trouble>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let trouble = *troubled.borrow();
    let (status, told) = {
        let mut state = state.lock().unwrap();
        state.heads.push(parts.headers);
        match trouble {
            Trouble::Answers(status) => {
                (StatusCode::from_u16(status).unwrap(), json!({ "error": "in_trouble" }))
            }
            Trouble::None | Trouble::HangsUp | Trouble::Waits => {
                acted(&mut state, &parts.method, parts.uri.path(), body)
            }
        }
    };
    match trouble {
        Trouble::HangsUp => return Err(io::Error::other("hangs up")),
        Trouble::Waits => {
            // One whose owner is gone waits no longer.
            let _over = troubled.wait_for(|trouble| *trouble != Trouble::Waits).await;
        }
        Trouble::None | Trouble::Answers(_) => {}
    }
    let mut response = Response::new(Full::new(Bytes::from(told.to_string())));
    *response.status_mut() = status;
    Ok(response)
}

fn acted(state: &mut State, method: &Method, path: &str, body: Value) -> (StatusCode, Value) {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let missing = (StatusCode::NOT_FOUND, json!({ "error": "no_such_client" }));
    match (method.as_str(), &segments[..]) {
        ("POST", ["v1", "clients"]) => {
            state.made += 1;
            let id = format!("client-{}", state.made);
            let secret = format!("secret-{}", state.made);
            let mut client = body;
            client["client_secret"] = json!(secret);
            state.clients.insert(id.clone(), client);
            (
                StatusCode::CREATED,
                json!({ "client_id": id, "client_secret": secret, "client_secret_expires_at": 7 }),
            )
        }
        ("PUT", ["v1", "clients", id]) => match state.clients.get_mut(*id) {
            Some(client) => {
                client["client_name"] = body["client_name"].clone();
                client["redirect_uris"] = body["redirect_uris"].clone();
                (StatusCode::OK, json!({}))
            }
            None => missing,
        },
        ("DELETE", ["v1", "clients", id]) => match state.clients.remove(*id) {
            Some(_) => (StatusCode::NO_CONTENT, json!({})),
            None => missing,
        },
        ("POST", ["v1", "clients", id, "rotate-secret"]) => match state.clients.get_mut(*id) {
            Some(client) => {
                client["client_secret"] = json!("rotated");
                (StatusCode::OK, json!({ "client_secret": "rotated", "client_secret_expires_at": 9 }))
            }
            None => missing,
        },
        _ => (StatusCode::METHOD_NOT_ALLOWED, json!({})),
    }
}
