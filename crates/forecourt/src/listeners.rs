//! Listeners of the control plane: bound first, served later, drained at the end.
//!
//! Invariant: a listener accepts connections only through [`Listener::serve`] and [`Listener::serve_gateway`], with a time
//! limit on request heads. Accepting that breaks off is begun anew on the same socket, in whose queue callers wait meanwhile.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Router;
use axum_server::{
    Handle,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use forecourt_gateway::Gateway;
use hyper_util::rt::TokioTimer;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    jobs::{Job, Jobs},
    supervision,
};

/// How long a client may take for a request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a peer on HTTP/2 is asked whether it is there, and how long it may take to say so.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests in flight may go on once a stop was asked for.
pub const GRACE: Duration = Duration::from_secs(10);

/// A bound socket. Connections wait in its queue until it is served.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// A listener that is being served.
#[derive(Debug)]
pub struct Serving {
    stop: watch::Sender<bool>,
    door: Door,
    handle: Handle<SocketAddr>,
    task: JoinHandle<()>,
}

/// The socket while connections are accepted on it. What accepts takes a copy, so that another can where it broke off; on
/// a closed one nobody waits to be accepted.
#[derive(Clone, Debug)]
struct Door(Arc<Mutex<Option<TcpListener>>>);

impl Listener {
    /// Binds `address`, `HOST:PORT`; port 0 takes a free one.
    ///
    /// # Errors
    /// As the operating system says: the port is taken, the address is not ours, the name is unknown.
    pub fn bind(address: &str) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where this machine reaches it: `127.0.0.1:7080`.
    pub fn authority(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port()).to_string()
    }

    /// What it is bound to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests with `router`, over TLS where `tls` is given, until [`Serving::stop`]; `of` names it among `jobs`.
    ///
    /// What is written is sent at once: a small message behind another one, such as a change on a node's stream, would
    /// wait for the other side's acknowledgement otherwise, 40 ms with Linux.
    pub fn serve(
        self,
        router: Router,
        tls: Option<RustlsConfig>,
        jobs: &Arc<Jobs>,
        of: fn(&Jobs) -> &Job,
    ) -> Serving {
        self.accept(jobs, of, move |socket, handle| accept(socket, handle, router.clone(), tls.clone()))
    }

    /// As [`serve`](Self::serve), by what `accept` does with the socket until its handle says that it is over.
    fn accept<F>(
        self,
        jobs: &Arc<Jobs>,
        of: fn(&Jobs) -> &Job,
        mut accept: impl FnMut(TcpListener, Handle<SocketAddr>) -> F + Send + 'static,
    ) -> Serving
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let (door, handle) = (Door::open(self.socket), Handle::new());
        let (entered, told) = (door.clone(), handle.clone());
        let work = move |_, _| {
            let accepting = entered.copy().map(|socket| socket.map(|socket| accept(socket, told.clone())));
            async move {
                let outcome = match accepting {
                    Ok(Some(accepting)) => accepting.await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                if let Err(error) = outcome {
                    tracing::error!(error.cause = %error, "a listener failed");
                }
            }
        };
        let task = supervision::start(Arc::clone(jobs), of, stopped, work);
        Serving { stop, door, handle, task }
    }

    /// Lets callers of `gateway` in, over TLS where `is_tls`, until `stopped` is true; the task ends when those requests
    /// are answered that are in flight then.
    pub fn serve_gateway(
        self,
        gateway: &Gateway,
        is_tls: bool,
        jobs: &Arc<Jobs>,
        stopped: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let (gateway, door) = (gateway.clone(), Door::open(self.socket));
        let work = move |_, stopped| let_in(gateway.clone(), is_tls, door.clone(), stopped);
        if is_tls {
            supervision::start(Arc::clone(jobs), |jobs| &jobs.gateway_tls_listener, stopped, work)
        } else {
            supervision::start(Arc::clone(jobs), |jobs| &jobs.gateway_listener, stopped, work)
        }
    }
}

/// Accepts connections, and answers their requests with `router`, until `handle` says that it is over.
async fn accept(
    socket: TcpListener,
    handle: Handle<SocketAddr>,
    router: Router,
    tls: Option<RustlsConfig>,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum_server::from_tcp(socket)?.handle(handle);
    let Some(tls) = tls else {
        let mut server = server.acceptor(NoDelayAcceptor::new());
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        return server.http1_only().serve(service).await;
    };
    let mut server = server.acceptor(RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new()));
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    // A peer that vanished without a word would hold its streams for hours.
    server
        .http_builder()
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(ALIVE_INTERVAL)
        .keep_alive_timeout(ALIVE_TIMEOUT);
    server.serve(service).await
}

async fn let_in(gateway: Gateway, is_tls: bool, door: Door, mut stopped: watch::Receiver<bool>) {
    let copied = door.copy().and_then(|socket| socket.map(tokio::net::TcpListener::from_std).transpose());
    let listener = match copied {
        Ok(Some(listener)) => listener,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(error.cause = %error, "a listener failed");
            return;
        }
    };
    let shutdown = async move {
        // An error means that nobody can ask any more, which is a stop too.
        drop(stopped.wait_for(|stop| *stop).await);
        door.close();
    };
    if is_tls {
        gateway.serve_tls(listener, shutdown).await;
    } else {
        gateway.serve(listener, shutdown).await;
    }
}

impl Serving {
    /// Accepts no more, lets requests in flight finish within [`GRACE`], and returns when all are done.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.door.close();
        self.handle.graceful_shutdown(Some(GRACE));
        if self.task.await.is_err() {
            tracing::error!("a listener ended early by a panic");
        }
    }
}

impl Door {
    fn open(socket: TcpListener) -> Self {
        Self(Arc::new(Mutex::new(Some(socket))))
    }

    /// The socket once more, for whoever accepts; `None`: it is closed.
    fn copy(&self) -> io::Result<Option<TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(TcpListener::try_clone).transpose()
    }

    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use axum::routing::get;

    use super::*;

    /// What the listener at `address` answers, off the threads of the runtime.
    async fn ask(address: SocketAddr) -> String {
        let asking = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        asking.await.unwrap()
    }

    #[tokio::test]
    async fn a_listener_whose_accepting_panics_is_served_anew_and_keeps_who_waits() {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.address();
        let jobs = Arc::new(Jobs::default());
        let mut is_first = true;
        let serving = listener.accept(
            &jobs,
            |jobs| &jobs.site_listener,
            move |socket, handle| {
                let breaks_off = std::mem::take(&mut is_first);
                async move {
                    assert!(!breaks_off, "as it does");
                    accept(socket, handle, Router::new().route("/", get(|| async { "here" })), None).await
                }
            },
        );
        assert!(ask(address).await.ends_with("here"));
        assert_eq!(jobs.site_listener.broken_off(), 1);
        assert_eq!(jobs.down().collect::<Vec<_>>(), ["site_listener"]);
        serving.stop().await;
        assert!(TcpStream::connect(address).is_err(), "the socket is closed");
    }

    #[tokio::test]
    async fn a_listener_that_stops_takes_nobody_more_while_a_request_is_in_flight() {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.address();
        let (come, came) = watch::channel(false);
        let (go, going) = watch::channel(false);
        let slow = move || {
            let mut going = going.clone();
            come.send_replace(true);
            async move {
                drop(going.wait_for(|go| *go).await);
                "late"
            }
        };
        let router = Router::new().route("/", get(slow));
        let serving = listener.serve(router, None, &Arc::default(), |jobs| &jobs.site_listener);
        let (door, mut came) = (serving.door.clone(), came);
        let asking = tokio::spawn(ask(address));
        came.wait_for(|came| *came).await.unwrap();
        let stopping = tokio::spawn(serving.stop());
        while door.copy().unwrap().is_some() {
            tokio::task::yield_now().await;
        }
        while TcpStream::connect(address).is_ok() {
            tokio::task::yield_now().await;
        }
        go.send_replace(true);
        assert!(asking.await.unwrap().ends_with("late"));
        stopping.await.unwrap();
    }

    #[tokio::test]
    async fn callers_of_the_gateway_are_let_in_until_it_stops() {
        let gateway = Gateway::new(forecourt_gateway::Config::default(), crate::serve::system_clock());
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.address();
        let (stop, stopped) = watch::channel(false);
        let jobs = Arc::new(Jobs::default());
        let task = listener.serve_gateway(&gateway.unwrap(), false, &jobs, stopped);
        assert!(ask(address).await.starts_with("HTTP/1.1 "));
        stop.send_replace(true);
        task.await.unwrap();
        assert!(TcpStream::connect(address).is_err(), "the socket is closed");
        assert_eq!(jobs.gateway_listener.broken_off(), 0);
    }
}
