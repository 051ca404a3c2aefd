//! Listeners of the control plane: bound first, served later, drained at the end.
//!
//! Invariant: a listener accepts connections only through [`Listener::serve`], with a time limit on request heads.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::Duration,
};

use axum::Router;
use axum_server::{
    Handle,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use tokio::task::JoinHandle;

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
    handle: Handle<SocketAddr>,
    task: JoinHandle<std::io::Result<()>>,
}

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

    /// The socket as the gateway takes it.
    ///
    /// # Errors
    /// Only when there is no runtime.
    pub fn into_tokio(self) -> std::io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.socket)
    }

    /// Answers requests with `router`, over TLS where `tls` is given, until [`Serving::stop`].
    ///
    /// What is written is sent at once: a small message behind another one, such as a change on a node's stream, would
    /// wait for the other side's acknowledgement otherwise, 40 ms with Linux.
    ///
    /// # Errors
    /// Only when there is no runtime.
    pub fn serve(self, router: Router, tls: Option<RustlsConfig>) -> std::io::Result<Serving> {
        let handle = Handle::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = match tls {
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
                let mut server =
                    axum_server::from_tcp(self.socket)?.acceptor(acceptor).handle(handle.clone());
                server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
                // A peer that vanished without a word would hold its streams for hours.
                server
                    .http_builder()
                    .http2()
                    .timer(TokioTimer::new())
                    .keep_alive_interval(ALIVE_INTERVAL)
                    .keep_alive_timeout(ALIVE_TIMEOUT);
                tokio::spawn(server.serve(service))
            }
            None => {
                let server = axum_server::from_tcp(self.socket)?.acceptor(NoDelayAcceptor::new());
                let mut server = server.handle(handle.clone());
                server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
                tokio::spawn(server.http1_only().serve(service))
            }
        };
        Ok(Serving { handle, task })
    }
}

impl Serving {
    /// Accepts no more, lets requests in flight finish within [`GRACE`], and returns when all are done.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(GRACE));
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error.cause = %error, "a listener failed"),
            Err(_) => tracing::error!("a listener ended early by a panic"),
        }
    }
}
