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
    let is_proxy = peer(extensions).is_some_and(|peer| trusted.iter().any(|network| network.contains(peer)));
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
/// proxies name in `X-Forwarded-For`, with or without a port.
///
/// `None` where a trusted proxy names nobody, or what is no address: its own would let everybody in who comes through it.
pub fn client(headers: &HeaderMap, extensions: &Extensions, trusted: &[Network]) -> Option<IpAddr> {
    let mut client = peer(extensions)?;
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    // Whatever a client put into the field, the last hops are those that the proxies added.
    let named = headers.get_all("x-forwarded-for").iter();
    let named: Vec<_> = named.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let named = named.join(",");
    for hop in named.rsplit(',').map(str::trim) {
        if !is_trusted(client) {
            break;
        }
        client = named_address(hop)?.to_canonical();
    }
    Some(client)
}

/// The address of the connection's other end.
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical())
}

/// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`.
fn named_address(hop: &str) -> Option<IpAddr> {
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn seen(peer: &str, lines: &[&str], trusted: &[&str]) -> Option<String> {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted: Vec<_> = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        client(&headers, &extensions, &trusted).map(|address| address.to_string())
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
        let (proxies, client) = (&["10.0.0.0/8"][..], Some("203.0.113.7".to_owned()));
        assert_eq!(seen("10.0.0.1", &["203.0.113.7"], &[]).unwrap(), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.7"], proxies), client);
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 203.0.113.7, 10.1.1.1"], proxies), client);
        assert_eq!(
            seen("10.0.0.1", &["6.6.6.6", "203.0.113.7", "10.1.1.1"], proxies),
            client,
            "line by line"
        );
        for nobody in [&[][..], &[""], &[" "], &["6.6.6.6,"], &["6.6.6.6", ""]] {
            assert_eq!(seen("10.0.0.1", nobody, proxies), None, "{nobody:?}");
        }
        assert_eq!(seen("10.0.0.1", &[], &[]).unwrap(), "10.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_before_hides_no_hop_that_a_proxy_added() {
        let proxies = &["10.0.0.0/8"][..];
        for lines in [&["ä, 203.0.113.7"][..], &["ä", "203.0.113.7"], &["x,\u{ff}, 203.0.113.7, 10.1.1.1"]]
        {
            assert_eq!(seen("10.0.0.1", lines, proxies).as_deref(), Some("203.0.113.7"), "{lines:?}");
        }
        assert_eq!(seen("10.0.0.1", &["ä"], proxies), None);
    }

    #[test]
    fn a_proxy_may_name_the_port_too_and_one_that_names_no_address_gives_nobody_its_own() {
        let proxies = &["10.0.0.0/8"][..];
        for (named, wanted) in [
            ("203.0.113.7:51234", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(seen("10.0.0.1", &[named], proxies).as_deref(), Some(wanted), "{named}");
        }
        for named in
            ["nonsense", "unknown", "203.0.113.7:x", "203.0.113", "[203.0.113.7]", "10.1.1.1x", "6.6.6.6, ?"]
        {
            assert_eq!(seen("::ffff:10.0.0.1", &[named], proxies), None, "{named}");
        }
    }
}
