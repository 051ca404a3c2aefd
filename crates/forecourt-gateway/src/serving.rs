//! Accepting callers, driving their connections, and letting them go in peace.
//!
//! Each connection is one task: it shakes hands where the listener speaks TLS, learns which HTTP the caller speaks,
//! and serves it. Shutting down stops accepting, lets requests in flight finish, and cuts what is left when the
//! grace period is over. Look next: `connection_watch.rs` for limits, `proxy.rs` for what a request meets.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    Config, Inner,
    certificates::Served,
    connection_watch::{Alarm, Watch},
    connections::{Connections, Member, Order},
    forwarded::Hop,
    load::Seat,
    proxy, request_ids,
    sockets::{Opening, Socket},
    tls,
};

/// Enough for streamed bodies to flow in few system calls.
const LEAST_BUFFER: usize = 128 * 1_024;
/// The most streams that a connection may have open (docs/gateway.md §6).
const MOST_STREAMS: u32 = 100;
/// What a caller may send of one body before the upstream has taken it.
const STREAM_WINDOW: u32 = 256 * 1_024;
/// The same of all bodies of one connection.
const CONNECTION_WINDOW: u32 = 1_024 * 1_024;
/// How long an idle HTTP/2 caller has to say goodbye in a shutdown.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long requests of cut connections may take to notice.
const SETTLING: Duration = Duration::from_secs(1);

/// Serves callers of this listener until `shutdown` is done and the connections have ended or were cut.
pub(crate) async fn serve(
    gateway: Arc<Inner>,
    listener: TcpListener,
    is_tls: bool,
    shutdown: impl Future<Output = ()>,
) {
    let connections = Arc::new(Connections::default());
    let port = listener.local_addr().map_or(0, |address| address.port());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.as_mut() => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let Some(seat) = gateway.load.seat(gateway.config.max_connections) else {
                    tracing::debug!(peer.address = %from.ip(), "a connection beyond the limit was closed");
                    continue;
                };
                let caller = Caller { gateway: Arc::clone(&gateway), from, port, is_tls, seat };
                tokio::spawn(caller.attend(stream, connections.join()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others must close theirs before it can get better.
                tracing::error!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.tell(Order::Drain);
    if timeout(gateway.config.drain_timeout, connections.empty()).await.is_err() {
        tracing::warn!("connections that did not end in time are cut");
        connections.tell(Order::Cut);
        connections.empty().await;
        settle(&gateway).await;
    }
}

/// Waits until the requests of cut connections are counted: a stream of HTTP/2 is a task of its own, which ends a moment
/// after its connection.
async fn settle(gateway: &Inner) {
    let deadline = Instant::now() + SETTLING;
    while !gateway.load.is_idle() && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Who was accepted.
struct Caller {
    gateway: Arc<Inner>,
    from: SocketAddr,
    port: u16,
    is_tls: bool,
    seat: Seat,
}

impl Caller {
    async fn attend(self, stream: TcpStream, member: Member) {
        // Without it small answers wait for acknowledgements; a socket that refuses it still works.
        let _ = stream.set_nodelay(true);
        let peer = self.from.ip();
        let ended = if self.is_tls {
            self.serve_tls(stream, &member).await
        } else {
            self.serve_plain(stream, &member).await
        };
        if let Err(error) = ended {
            tracing::debug!(error, peer.address = %peer, "a caller's connection ended");
        }
    }

    async fn serve_plain(self, mut stream: TcpStream, member: &Member) -> Result<(), String> {
        let opened = Instant::now();
        let Some((opening, is_http2)) = self.in_time(member, Opening::read(&mut stream)).await? else {
            return Ok(());
        };
        let gateway = Arc::clone(&self.gateway);
        drive(gateway, member, stream, opening, self.watch(opened, None, is_http2)).await
    }

    async fn serve_tls(self, stream: TcpStream, member: &Member) -> Result<(), String> {
        let opened = Instant::now();
        let greeting = tls::accept(stream, &self.gateway.state.certificates);
        let Some(greeted) = self.in_time(member, greeting).await? else {
            return Ok(());
        };
        let gateway = Arc::clone(&self.gateway);
        let watch = self.watch(opened, Some(greeted.shown), greeted.is_http2);
        drive(gateway, member, greeted.stream, Opening::default(), watch).await
    }

    /// What comes before the first head, within the time for one; `None`: a shutdown came first.
    async fn in_time<T>(
        &self,
        member: &Member,
        work: impl Future<Output = io::Result<T>>,
    ) -> Result<Option<T>, String> {
        let limited = timeout(self.gateway.config.header_timeout, work);
        match member.until(Order::Drain, limited).await {
            None => Ok(None),
            Some(Ok(done)) => done.map(Some).map_err(|error| error.to_string()),
            Some(Err(_)) => Err("the caller took too long to begin".into()),
        }
    }

    fn watch(self, opened: Instant, shown: Option<Arc<Served>>, is_http2: bool) -> Arc<Watch> {
        let gateway = &self.gateway;
        let hop = Hop::new(self.from.ip(), self.port, self.is_tls, &gateway.config.trusted_proxies);
        let seed = request_ids::mix(gateway.id_seed.wrapping_add(gateway.load.next_connection()));
        let meter = Arc::clone(&gateway.meter);
        let load = (seed, Arc::clone(&gateway.load), self.seat);
        Arc::new(Watch::new(hop, shown, is_http2, opened, meter, load))
    }
}

/// Serves the requests of one connection.
async fn drive<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    gateway: Arc<Inner>,
    member: &Member,
    stream: S,
    opening: Opening,
    watch: Arc<Watch>,
) -> Result<(), String> {
    let config = &gateway.config;
    let socket = TokioIo::new(Socket::new(stream, opening, Arc::clone(&watch), config.max_head_bytes));
    let service = service_fn(|request| {
        proxy::serve(Arc::clone(&gateway), Arc::clone(member.all()), Arc::clone(&watch), request)
    });
    let ended = if watch.is_http2 {
        let mut connection = pin!(http2_builder(config).serve_connection(socket, service));
        let step = |step: Step<'_, '_>| match step {
            Step::Poll(cx) => connection.as_mut().poll(cx),
            Step::TakeLeave => {
                connection.as_mut().graceful_shutdown();
                Poll::Pending
            }
        };
        keep(config, member, &watch, step).await
    } else {
        let builder = http1_builder(config.max_head_bytes, config.max_head_fields);
        let mut connection = pin!(builder.serve_connection(socket, service).with_upgrades());
        let step = |step: Step<'_, '_>| match step {
            Step::Poll(cx) => connection.as_mut().poll(cx),
            Step::TakeLeave => {
                connection.as_mut().graceful_shutdown();
                Poll::Pending
            }
        };
        keep(config, member, &watch, step).await
    };
    ended.map_err(|error| error.to_string())
}

/// What a connection under hyper is asked.
enum Step<'a, 'b> {
    /// To go on.
    Poll(&'a mut Context<'b>),
    /// To serve what is in flight and nothing after it.
    TakeLeave,
}

/// Keeps a connection going until it ends, passes a limit, or is told to end.
async fn keep(
    config: &Config,
    member: &Member,
    watch: &Watch,
    mut connection: impl FnMut(Step<'_, '_>) -> Poll<hyper::Result<()>>,
) -> hyper::Result<()> {
    let mut alarm = pin!(sleep(config.shortest_wait()));
    let mut is_draining = false;
    member
        .attentively(|cx| {
            loop {
                if let Poll::Ready(ended) = connection(Step::Poll(cx)) {
                    return Poll::Ready(ended);
                }
                let order = member.all().order();
                if order == Order::Cut || (order == Order::Drain && watch.is_closing()) {
                    return Poll::Ready(Ok(()));
                }
                if order == Order::Drain && !is_draining {
                    is_draining = true;
                    rearm(alarm.as_mut(), GOODBYE);
                    if let Poll::Ready(ended) = connection(Step::TakeLeave) {
                        return Poll::Ready(ended);
                    }
                    continue;
                }
                if alarm.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if is_draining && watch.is_http2 && watch.has_rested(GOODBYE) {
                    return Poll::Ready(Ok(()));
                }
                match watch.look(config) {
                    Alarm::LookAgain(after) if is_draining => rearm(alarm.as_mut(), after.min(GOODBYE)),
                    Alarm::LookAgain(after) => rearm(alarm.as_mut(), after),
                    Alarm::HeadTooSlow => {
                        watch.give_up_head();
                        rearm(alarm.as_mut(), Duration::from_secs(1));
                    }
                    Alarm::Cut => return Poll::Ready(Ok(())),
                }
            }
        })
        .await
}

fn rearm(alarm: Pin<&mut tokio::time::Sleep>, after: Duration) {
    alarm.reset(tokio::time::Instant::now() + after);
}

fn http1_builder(max_head_bytes: usize, max_head_fields: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Its own header timer would be set and cleared with each request; `connection_watch.rs` keeps the limit instead.
    builder.header_read_timeout(None).max_header_size(max_head_bytes);
    // What a caller can make us hold per connection, beside what the kernel holds.
    builder.max_buf_size(max_head_bytes.saturating_mul(2).max(LEAST_BUFFER));
    if max_head_fields != 100 {
        // 100 is built in and costs nothing; another number costs an allocation for each request.
        builder.max_headers(max_head_fields);
    }
    builder
}

fn http2_builder(config: &Config) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(u32::try_from(config.max_head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(LEAST_BUFFER);
    builder
}
