//! The client's address, seen through trusted proxies only.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
pub use forecourt_core::addresses::Network;
use http::{Extensions, HeaderMap};

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
    fn a_forwarded_address_is_believed_only_from_a_trusted_proxy() {
        assert_eq!(seen("10.0.0.1", "203.0.113.7", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", "203.0.113.7", &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(seen("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.1.1.1", &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(seen("::ffff:10.0.0.1", "nonsense", &["10.0.0.0/8"]), "10.0.0.1");
    }
}
