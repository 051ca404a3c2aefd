//! Upstreams that speak TLS and HTTP/2, callers that speak HTTP/2, and the authorities behind their certificates.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, channel::Channel};
use hyper::{
    body::Incoming,
    client,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::stage::Stage;

/// An authority of our own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both PEM.
pub(crate) struct Issued {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn issue(&self, name: &str) -> Issued {
        self.issue_until(name, 2999)
    }

    pub(crate) fn issue_until(&self, name: &str, year: i32) -> Issued {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { chain: certificate.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }
}

pub(crate) fn acceptor(shown: &Issued, protocols: &[&str], demands: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = match demands {
        None => config.with_no_client_auth(),
        Some(authority) => config.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(authority.roots(), provider).build().unwrap(),
        ),
    };
    let chain = CertificateDer::pem_slice_iter(shown.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// An upstream over TLS that does with each connection what `act` says.
pub(crate) async fn tls_acting<F>(
    acceptor: TlsAcceptor,
    act: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + 'static,
) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    super::stage::acting(move |stream| {
        let (acceptor, act) = (acceptor.clone(), act.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                act(stream).await;
            }
        }
    })
    .await
}

/// An upstream over TLS that answers with version, name asked for, target, fields and body of each request.
pub(crate) async fn tls_echo(acceptor: TlsAcceptor) -> u16 {
    tls_acting(acceptor, |stream| async move {
        let name = stream.get_ref().1.server_name().unwrap_or("none").to_owned();
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            serve_http2(stream, move |request| repeat(request, name.clone())).await;
        } else {
            let service = service_fn(move |request| repeat(request, name.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

async fn repeat(request: Request<Incoming>, name: String) -> Result<Response<Echo>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut text = format!("{:?} {name} {} {}\n", parts.version, parts.method, parts.uri);
    for (name, value) in &parts.headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    Ok(Response::new(Echo { first: Some(Bytes::from(text + "\n")), body, trailers: None }))
}

/// Serves one connection of HTTP/2.
pub(crate) async fn serve_http2<S, F, B>(stream: S, answer: impl Fn(Request<Incoming>) -> F + Clone)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(10);
    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

/// An upstream of gRPC without TLS: it sends back each message as it comes, and a status after the last.
pub(crate) async fn grpc_mirror() -> u16 {
    super::stage::acting(|stream| serve_http2(stream, mirror)).await
}

pub(crate) async fn mirror(request: Request<Incoming>) -> Result<Response<Echo>, Infallible> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("x-te", request.headers().get("te").cloned().unwrap_or(HeaderValue::from_static("none")));
    let mut response =
        Response::new(Echo { first: None, body: request.into_body(), trailers: Some(trailers) });
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response.headers_mut().insert("trailer", HeaderValue::from_static("grpc-status, x-te, x-sum"));
    Ok(response)
}

/// Something first, then the body as it comes, then its trailers and some more.
pub(crate) struct Echo {
    first: Option<Bytes>,
    body: Incoming,
    trailers: Option<HeaderMap>,
}

impl Body for Echo {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) => {
                Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    trailers.extend(self.trailers.take().unwrap_or_default());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            other => other,
        }
    }
}

/// What a caller streams.
pub(crate) type Upload = http_body_util::channel::Sender<Bytes>;
/// A caller's end of HTTP/2.
pub(crate) type Http2 = client::conn::http2::SendRequest<Channel<Bytes, Infallible>>;

/// A body that is written while the request is on its way.
pub(crate) fn upload() -> (Upload, Channel<Bytes, Infallible>) {
    Channel::new(4)
}

impl Stage {
    /// A caller that speaks HTTP/2 to this gateway.
    pub(crate) async fn http2(&self) -> Http2 {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let handshake = client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        sender
    }
}

/// The next piece of a body.
pub(crate) async fn piece(body: &mut Incoming) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}
