//! The TLS side of accepting a caller (docs/gateway.md §14): the name first, then the certificate, then the handshake.
//!
//! The certificate table is read once the caller has named its server; a change meets the next handshake and leaves open connections alone.
//! The time limit is the caller's of this file, `serving.rs`.

use std::{io, sync::Arc};

use arc_swap::ArcSwap;
use rustls::server::Acceptor;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::certificates::{Certificates, Served};

/// A fatal alert `unrecognized_name` (RFC 6066 §3) in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A caller's connection after its handshake.
pub(crate) struct Greeted {
    /// The bytes inside.
    pub(crate) stream: TlsStream<TcpStream>,
    /// The certificate that it was opened with.
    pub(crate) shown: Arc<Served>,
    /// Whether HTTP/2 was agreed upon.
    pub(crate) is_http2: bool,
}

/// Shakes hands.
///
/// # Errors
/// When the caller sends no TLS, asks for a name without a certificate, or does not show the certificate that is
/// demanded; it was told so by an alert.
pub(crate) async fn accept(stream: TcpStream, certificates: &ArcSwap<Certificates>) -> io::Result<Greeted> {
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
    let certificates = certificates.load_full();
    let found = certificates.find(name.as_deref());
    let Some((shown, config)) = found.and_then(|served| Some((served, served.config()?))) else {
        // Should the alert not go out, the end of the connection says enough.
        let _ = start.io.write_all(&UNRECOGNIZED_NAME).await;
        let _ = start.io.shutdown().await;
        return Err(io::Error::other(format!("no certificate for the server name {name:?}")));
    };
    let (shown, config) = (Arc::clone(shown), Arc::clone(config));
    let stream = start.into_stream(config).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Greeted { stream, shown, is_http2 })
}
