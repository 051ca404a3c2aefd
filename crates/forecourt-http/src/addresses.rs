//! The client's address, seen through trusted proxies only.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
pub use forecourt_core::addresses::Network;
use http::{Extensions, HeaderMap, Uri, header, request::Parts};

use crate::{Tls, callers::Call, problem::Problem};

/// The origin that the client called, such as `https://admin.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedAt(pub String);

impl<S: Sync> FromRequestParts<S> for ReachedAt {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Call::from_request_parts(parts, state).await?.reached_at))
    }
}

/// What stands for a host that cannot be one: nobody has it (RFC 2606).
const NOBODY: &str = "host.invalid";

/// The origin that the client called: the host that it named, by TLS where our listener or a trusted proxy says so.
///
/// The host is what the caller claims. It has the form of one, so that it can go into an address; whether it is ours is
/// not known.
pub fn origin(uri: &Uri, headers: &HeaderMap, extensions: &Extensions, trusted: &[Network]) -> String {
    let named = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority =
        named.or_else(|| uri.authority().map(http::uri::Authority::as_str)).unwrap_or("localhost");
    let authority = if is_host_and_port(authority) { authority } else { NOBODY };
    let is_tls = is_tls(headers, extensions, trusted);
    format!("{}://{authority}", if is_tls { "https" } else { "http" })
}

/// Whether the client came by TLS, as our listener or a trusted proxy says.
pub fn is_tls(headers: &HeaderMap, extensions: &Extensions, trusted: &[Network]) -> bool {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    let is_proxy = peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(peer)));
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    extensions.get::<Tls>().is_some() || (is_proxy && forwarded)
}

/// The host name that the client called, without port; empty where it named none.
pub fn host(uri: &Uri, headers: &HeaderMap) -> String {
    let named = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    // HTTP/2 names the host in the address (RFC 9113 §8.3.1).
    let authority = uri.authority().map(ToString::to_string).or(named.map(str::to_owned)).unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority.as_str(),
    };
    host.to_owned()
}

/// Whether this is `host` or `host:port`, and nothing that would make more of an address.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, ""),
    };
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            !host.is_empty() && host.bytes().all(fits)
        }
    };
    is_host && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The client's address: the connection's, or where that is a trusted proxy, the last untrusted one that the
/// proxies name in `X-Forwarded-For`.
pub fn client(headers: &HeaderMap, extensions: &Extensions, trusted: &[Network]) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    let mut client = peer.ip().to_canonical();
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let named: Vec<_> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let named = named.join(",");
    for hop in named.rsplit(',').map(str::trim) {
        if !is_trusted(client) {
            break;
        }
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        client = address.to_canonical();
    }
    Some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &str, trusted: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let trusted: Vec<_> = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        client(&headers, &extensions, &trusted).unwrap().to_string()
    }

    #[test]
    fn the_scheme_is_that_of_our_listener_or_what_a_trusted_proxy_says() {
        let trusted = [Network::parse("10.0.0.0/8").unwrap()];
        let seen = |peer: &str, forwarded: &str, tls: bool| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
            if tls {
                extensions.insert(Tls);
            }
            let mut headers = HeaderMap::new();
            headers.insert("host", "a.example:7080".parse().unwrap());
            headers.insert("x-forwarded-proto", forwarded.parse().unwrap());
            origin(&Uri::from_static("/api"), &headers, &extensions, &trusted)
        };
        assert_eq!(seen("203.0.113.7", "https", false), "http://a.example:7080");
        assert_eq!(seen("10.0.0.1", "https", false), "https://a.example:7080");
        assert_eq!(seen("10.0.0.1", "http", true), "https://a.example:7080");
        let uri = Uri::from_static("https://b.example/api");
        assert_eq!(origin(&uri, &HeaderMap::new(), &Extensions::new(), &[]), "http://b.example");
    }

    #[test]
    fn what_is_no_host_gets_into_no_address() {
        let seen = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().unwrap());
            origin(&Uri::from_static("/api"), &headers, &Extensions::new(), &[])
        };
        for host in ["a.example", "a_b.example:7080", "127.0.0.1:1", "[::1]", "[::1]:7080"] {
            assert_eq!(seen(host), format!("http://{host}"));
        }
        for host in [
            "",
            "ann@b.example",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a b",
            "a:b",
            "a:1:2",
            "::1",
            "[::1",
            "[x]",
            ":80",
            "a,b",
        ] {
            assert_eq!(seen(host), "http://host.invalid", "{host}");
        }
    }

    #[test]
    fn a_forwarded_address_is_believed_only_from_a_trusted_proxy() {
        assert_eq!(seen("10.0.0.1", "203.0.113.7", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", "203.0.113.7", &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(seen("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.1.1.1", &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(seen("::ffff:10.0.0.1", "nonsense", &["10.0.0.0/8"]), "10.0.0.1");
    }
}
