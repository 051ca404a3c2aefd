//! Active health checks: requests of our own, beside the path of callers' requests.
//!
//! Each node is probed by a task of its own; all of an upstream's end when the set that is returned is dropped. A
//! probe reads the status line of the answer and nothing more, so it needs no HTTP engine.

use std::{sync::Arc, time::Duration};

use forecourt_core::gateway_state::{ActiveCheck, CheckKind};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    runtime::Handle,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{health::Outcome, node::Node, reaching::reach, tls::Tls};

/// A status line that is longer is none.
const LONGEST_LINE: usize = 1_024;

/// Probes each node until the set is dropped. `hosts` has the `Host` of each node's probes.
pub(super) fn begin(
    check: &ActiveCheck,
    nodes: &[Arc<Node>],
    hosts: &[String],
    tls: Option<&Arc<Tls>>,
    runtime: &Handle,
) -> JoinSet<()> {
    let mut probes = JoinSet::new();
    for (node, host) in nodes.iter().zip(hosts) {
        let request = request(check, check.host.as_ref().unwrap_or(host));
        probes.spawn_on(attend(check.clone(), Arc::clone(node), request, tls.map(Arc::clone)), runtime);
    }
    probes
}

async fn attend(check: ActiveCheck, node: Arc<Node>, request: String, tls: Option<Arc<Tls>>) {
    let limit = Duration::from_millis(check.timeout_ms);
    loop {
        let outcome = timeout(limit, probe(&check, &node, &request, tls.as_deref())).await;
        let outcome = outcome.unwrap_or(Outcome::TimedOut);
        node.health.note(outcome, &check.healthy, &check.unhealthy, &node.target);
        let interval =
            if node.health.is_out() { check.unhealthy_interval_ms } else { check.healthy_interval_ms };
        sleep(Duration::from_millis(spread(interval.max(1)))).await;
    }
}

/// Within a tenth of the interval, so that the probes of many gateways do not fall together.
fn spread(interval: u64) -> u64 {
    let tenth = interval / 10;
    let drawn = getrandom::u64().unwrap_or(tenth) % (2 * tenth + 1);
    interval - tenth + drawn
}

async fn probe(check: &ActiveCheck, node: &Node, request: &str, tls: Option<&Tls>) -> Outcome {
    let port = check.port.unwrap_or(node.target.port);
    let Ok(stream) = reach(&node.target.host, port).await else { return Outcome::Unreachable };
    let status = match check.kind {
        CheckKind::Tcp => return Outcome::Connected,
        CheckKind::Http => ask(stream, request).await,
        CheckKind::Https => match (tls.and_then(|tls| tls.config(true)), node.server_name.clone()) {
            (Some(config), Some(name)) => {
                match TlsConnector::from(Arc::clone(config)).connect(name, stream).await {
                    Ok(stream) => ask(stream, request).await,
                    Err(_) => None,
                }
            }
            _ => None,
        },
    };
    status.map_or(Outcome::Unreachable, Outcome::Status)
}

/// The status of the answer, if there is one.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Option<u16> {
    stream.write_all(request.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    let mut line = Vec::with_capacity(LONGEST_LINE);
    while !line.contains(&b'\n') && line.len() < LONGEST_LINE {
        if stream.read_buf(&mut line).await.ok()? == 0 {
            return None;
        }
    }
    let line = String::from_utf8_lossy(&line);
    let (version, rest) = line.split_once(' ')?;
    version.starts_with("HTTP/1.").then(|| rest.get(..3)?.parse().ok()).flatten()
}

/// The bytes of a probe. What would break its framing is left out.
fn request(check: &ActiveCheck, host: &str) -> String {
    let is_line = |text: &str| !text.is_empty() && !text.contains(['\r', '\n']);
    let path = Some(check.path.as_str()).filter(|path| is_line(path) && path.starts_with('/')).unwrap_or("/");
    let host = Some(host).filter(|host| is_line(host)).unwrap_or("-");
    let mut text = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: forecourt-gateway\r\nConnection: close\r\n"
    );
    for (name, value) in check.headers.iter().filter(|(name, value)| is_line(name) && is_line(value)) {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}
