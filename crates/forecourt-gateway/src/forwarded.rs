//! Who called, and what upstreams are told of it (docs/gateway.md §15): `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! Invariant: what a caller says about the way it came counts only if the connection is a trusted proxy's. Anybody
//! else's fields are replaced, and a chain that cannot be read is dropped even where it is trusted.

use std::{
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
};

use forecourt_core::addresses::Network;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{FORWARDED, HOST},
};

use crate::heads;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The last hop: the connection that a request came over.
pub(crate) struct Hop {
    /// The address at its other end.
    pub(crate) peer: IpAddr,
    /// Whether it is TLS.
    pub(crate) is_tls: bool,
    peer_text: HeaderValue,
    port: HeaderValue,
    is_trusted: bool,
    /// The connection's first host and our element of `Forwarded` for it: nearly all requests name no other.
    first: OnceLock<(HeaderValue, HeaderValue)>,
}

/// The way that a request came, as the upstream is told.
pub(crate) struct Way {
    chain: HeaderValue,
    ours: Option<HeaderValue>,
    proto: HeaderValue,
    port: HeaderValue,
    host: Option<HeaderValue>,
}

impl Way {
    /// The fields; `None`: there is to be none of that name.
    pub(crate) const fn fields(&self) -> [(HeaderName, Option<&HeaderValue>); 5] {
        [
            (X_FORWARDED_FOR, Some(&self.chain)),
            (FORWARDED, self.ours.as_ref()),
            (X_FORWARDED_PROTO, Some(&self.proto)),
            (X_FORWARDED_PORT, Some(&self.port)),
            (X_FORWARDED_HOST, self.host.as_ref()),
        ]
    }

    /// Puts them in place of what there is of these names.
    pub(crate) fn put_on(&self, headers: &mut HeaderMap) {
        for (name, value) in self.fields() {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }
}

impl Hop {
    /// The hop from `peer` to our `port`.
    pub(crate) fn new(peer: IpAddr, port: u16, is_tls: bool, trusted: &[Network]) -> Self {
        let peer = peer.to_canonical();
        // An address is always fit for a field.
        let text = HeaderValue::try_from(peer.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        Self {
            peer,
            is_tls,
            peer_text: text,
            port: port.into(),
            is_trusted: trusted.iter().any(|network| network.contains(peer)),
            first: OnceLock::new(),
        }
    }

    /// The address of whoever asks: the peer's, or behind trusted proxies the last one that none of them is.
    ///
    /// `X-Forwarded-For` has the word where it is present; else `Forwarded`.
    pub(crate) fn caller(&self, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
        if !self.is_trusted {
            return self.peer;
        }
        // The last hops are those that proxies added: what their callers wrote before, readable or not, hides none of them.
        let hops = match read(headers, &X_FORWARDED_FOR) {
            Some(chain) => chain.rsplit(',').map(|hop| address(hop.trim())).collect(),
            None => read(headers, &FORWARDED).map(|chain| last_forwarded_for(&chain)).unwrap_or_default(),
        };
        let mut caller = self.peer;
        for hop in hops {
            // A name that hides an address ends what can be known.
            let Some(address) = hop else { break };
            caller = address;
            if !trusted.iter().any(|network| network.contains(address)) {
                break;
            }
        }
        caller
    }

    /// The scheme that whoever asks used: the connection's, or what a trusted proxy says of its own caller.
    pub(crate) fn scheme<'a>(&self, headers: &'a HeaderMap) -> &'a str {
        let own = if self.is_tls { "https" } else { "http" };
        let told = self.is_trusted.then(|| said(headers, &X_FORWARDED_PROTO, is_proto)).flatten();
        told.and_then(|scheme| scheme.to_str().ok()).unwrap_or(own)
    }

    /// What the upstream is told of the way that a request with these fields came.
    pub(crate) fn way(&self, headers: &HeaderMap) -> Way {
        let host = headers.get(HOST);
        let mut ours = self.element(host);
        let mut chain = self.peer_text.clone();
        let proto = HeaderValue::from_static(if self.is_tls { "https" } else { "http" });
        if !self.is_trusted {
            return Way { chain, ours, proto, port: self.port.clone(), host: host.cloned() };
        }
        if let Some(earlier) = joined(headers, &FORWARDED).filter(|chain| forwarded_for(chain).is_some()) {
            let element = ours.as_ref().and_then(|ours| ours.to_str().ok());
            ours = element.and_then(|ours| HeaderValue::try_from(format!("{earlier}, {ours}")).ok());
        }
        if let Some(earlier) = joined(headers, &X_FORWARDED_FOR).filter(|chain| addresses(chain).is_some())
            && let Ok(peer) = self.peer_text.to_str()
            && let Ok(longer) = HeaderValue::try_from(format!("{earlier}, {peer}"))
        {
            chain = longer;
        }
        let is_port = |text: &str| !text.starts_with('+') && text.parse::<u16>().is_ok_and(|port| port > 0);
        Way {
            chain,
            ours,
            proto: said(headers, &X_FORWARDED_PROTO, is_proto).cloned().unwrap_or(proto),
            port: said(headers, &X_FORWARDED_PORT, is_port).unwrap_or(&self.port).clone(),
            host: host
                .map(|host| said(headers, &X_FORWARDED_HOST, heads::is_authority).unwrap_or(host).clone()),
        }
    }

    /// Our element of `Forwarded`; `None`: it can be no field.
    fn element(&self, host: Option<&HeaderValue>) -> Option<HeaderValue> {
        if let Some((first, element)) = self.first.get()
            && Some(first) == host
        {
            return Some(element.clone());
        }
        let element = HeaderValue::try_from(self.element_text(host)).ok()?;
        if let Some(host) = host
            // A copy, since what came in holds on to the buffer that it was read into.
            && let Ok(host) = HeaderValue::from_bytes(host.as_bytes())
        {
            let _ = self.first.set((host, element.clone()));
        }
        Some(element)
    }

    /// Its text, in one buffer of its length.
    fn element_text(&self, host: Option<&HeaderValue>) -> String {
        let host = host.and_then(|host| host.to_str().ok());
        let needs_quotes = host.is_some_and(|host| host.bytes().any(|byte| matches!(byte, b':' | b'[')));
        let quote = if needs_quotes { "\"" } else { "" };
        let (start, end) = if self.peer.is_ipv6() { ("for=\"[", "]\"") } else { ("for=", "") };
        let peer = self.peer_text.to_str().unwrap_or_default();
        let naming = if host.is_some() { ";host=" } else { "" };
        let proto = if self.is_tls { ";proto=https" } else { ";proto=http" };
        [start, peer, end, naming, quote, host.unwrap_or_default(), quote, proto].concat()
    }
}

fn is_proto(text: &str) -> bool {
    matches!(text, "http" | "https")
}

/// The only field of this name, if it fits: what a trusted peer says stays then.
fn said<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    fits: impl Fn(&str) -> bool,
) -> Option<&'a HeaderValue> {
    let mut given = headers.get_all(name).iter();
    match (given.next(), given.next()) {
        (Some(only), None) if only.to_str().is_ok_and(fits) => Some(only),
        _ => None,
    }
}

/// All fields of this name as one list; `None`: there is none, or one holds no text.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let texts: Result<Vec<&str>, _> = headers.get_all(name).iter().map(HeaderValue::to_str).collect();
    texts.ok().filter(|texts| !texts.is_empty()).map(|texts| texts.join(", "))
}

/// The same for reading alone: what is no text in them is replaced.
fn read(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let texts: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The hops of `X-Forwarded-For`; `None`: one of them is no address.
fn addresses(chain: &str) -> Option<Vec<Option<IpAddr>>> {
    chain.split(',').map(|hop| address(hop.trim()).map(Some)).collect()
}

/// An address, with or without a port, IPv6 in brackets or bare.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let parsed = match bare {
        Some(text) => text.parse::<std::net::Ipv6Addr>().map(IpAddr::V6).ok(),
        None => text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())),
    };
    parsed.map(|address| address.to_canonical())
}

/// The `for` of each element of `Forwarded`, `None` inside where it names no address; `None`: it is malformed.
fn forwarded_for(chain: &str) -> Option<Vec<Option<IpAddr>>> {
    split_outside_quotes(chain, ',')?
        .into_iter()
        .map(|element| {
            let mut node = None;
            for pair in split_outside_quotes(element, ';')? {
                let (name, value) = pair.trim().split_once('=')?;
                let is_token = |text: &str| {
                    !text.is_empty()
                        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
                };
                let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                if !is_token(name) || !quoted.map_or_else(|| is_token(value), |text| !text.contains('"')) {
                    return None;
                }
                if name.eq_ignore_ascii_case("for") && node.replace(quoted.unwrap_or(value)).is_some() {
                    return None;
                }
            }
            Some(node.and_then(address))
        })
        .collect()
}

/// The `for` of each element of `Forwarded`, the last one first. Of a malformed list each element is read by itself, so that
/// a quote which a caller left open takes nothing away that a proxy added.
fn last_forwarded_for(chain: &str) -> Vec<Option<IpAddr>> {
    let alone = |element| forwarded_for(element).and_then(|hops| hops.into_iter().next().flatten());
    match forwarded_for(chain) {
        Some(hops) => hops.into_iter().rev().collect(),
        None => chain.rsplit(',').map(alone).collect(),
    }
}

/// The parts of a list whose quoted texts may hold the separator; `None`: a quote is not closed.
fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut is_quoted = false;
    let parts = text.split(|character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    });
    let parts = parts.collect();
    (!is_quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(peer: &str, trusted: &[Network]) -> Hop {
        Hop::new(peer.parse().unwrap(), 9443, true, trusted)
    }

    fn ten() -> [Network; 1] {
        [Network::parse("10.0.0.0/8").unwrap()]
    }

    fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn the_caller_is_the_last_hop_that_is_not_trusted() {
        let xff = "x-forwarded-for";
        for (peer, given, caller) in [
            ("192.0.2.1", &[(xff, "203.0.113.7")][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(xff, "203.0.113.7")], "203.0.113.7"),
            ("::ffff:10.0.0.1", &[(xff, "203.0.113.7")], "203.0.113.7"),
            ("10.0.0.1", &[(xff, "6.6.6.6, 203.0.113.7:5000, 10.1.1.1")], "203.0.113.7"),
            ("10.0.0.1", &[(xff, "6.6.6.6"), (xff, "[2001:db8::1]:1")], "2001:db8::1"),
            ("10.0.0.1", &[(xff, "10.0.0.9, 10.0.0.8")], "10.0.0.9"),
            ("10.0.0.1", &[(xff, "nonsense, 203.0.113.7")], "203.0.113.7"),
            ("10.0.0.1", &[(xff, "203.0.113.7, nonsense")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=\"6.6.6.6, for=203.0.113.7;host=\"a\"")], "203.0.113.7"),
            ("10.0.0.1", &[("forwarded", "nonsense, for=203.0.113.7, for=10.0.0.3")], "203.0.113.7"),
            ("10.0.0.1", &[(xff, "")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=6.6.6.6, For=\"[2001:db8::1]:80\";proto=http")], "2001:db8::1"),
            ("10.0.0.1", &[("forwarded", "for=6.6.6.6, for=_hidden, for=10.0.0.3")], "10.0.0.3"),
            ("10.0.0.1", &[("forwarded", "for=6.6.6.6;for=7.7.7.7")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=\"6.6.6.6")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=6.6.6.6"), (xff, "203.0.113.7")], "203.0.113.7"),
            ("10.0.0.1", &[("forwarded", "for=6.6.6.6"), (xff, "nonsense")], "10.0.0.1"),
        ] {
            let seen = hop(peer, &ten()).caller(&fields(given), &ten());
            assert_eq!(seen.to_string(), caller, "{peer} {given:?}");
        }
    }

    fn announced(peer: &str, given: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = fields(&[&[("host", "api.example:8443")][..], given].concat());
        hop(peer, &ten()).way(&headers).put_on(&mut headers);
        let names =
            ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "forwarded"];
        let text = |name: &str| {
            let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
            values.join(" + ")
        };
        names.map(text).into()
    }

    const GIVEN: [(&str, &str); 5] = [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "80"),
        ("forwarded", "for=203.0.113.7;proto=http"),
    ];

    #[test]
    fn what_an_untrusted_peer_says_is_replaced() {
        let ours = [
            "192.0.2.1",
            "api.example:8443",
            "https",
            "9443",
            "for=192.0.2.1;host=\"api.example:8443\";proto=https",
        ];
        assert_eq!(announced("192.0.2.1", &[]), ours);
        assert_eq!(announced("192.0.2.1", &GIVEN), ours);
        assert_eq!(announced("192.0.2.1", &[GIVEN, GIVEN].concat()), ours);
        let six = "for=\"[2001:db8::1]\";host=\"api.example:8443\";proto=https";
        assert_eq!(announced("2001:db8::1", &[])[4], six);
    }

    #[test]
    fn requests_of_one_connection_may_be_for_different_hosts() {
        let hop = hop("192.0.2.1", &ten());
        let announced = |host: Option<&'static str>| {
            let mut headers = fields(host.map(|host| ("host", host)).as_slice());
            hop.way(&headers).put_on(&mut headers);
            headers["forwarded"].to_str().unwrap().to_owned()
        };
        for _ in 0..2 {
            assert_eq!(announced(Some("a.example")), "for=192.0.2.1;host=a.example;proto=https");
            assert_eq!(announced(Some("b:1")), "for=192.0.2.1;host=\"b:1\";proto=https");
            assert_eq!(announced(None), "for=192.0.2.1;proto=https");
        }
    }

    #[test]
    fn what_a_trusted_peer_says_is_kept_and_continued() {
        let kept = [
            "203.0.113.7, 10.0.0.1",
            "shop.example",
            "http",
            "80",
            "for=203.0.113.7;proto=http, for=10.0.0.1;host=\"api.example:8443\";proto=https",
        ];
        assert_eq!(announced("10.0.0.1", &GIVEN), kept);
    }

    #[test]
    fn what_a_trusted_peer_says_is_dropped_where_it_is_malformed_or_repeated() {
        let ours = [
            "10.0.0.1",
            "api.example:8443",
            "https",
            "9443",
            "for=10.0.0.1;host=\"api.example:8443\";proto=https",
        ];
        let malformed = [
            ("x-forwarded-for", "203.0.113.7, nobody"),
            ("x-forwarded-host", "a b"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-port", "+80"),
            ("forwarded", "for=203.0.113.7;"),
        ];
        assert_eq!(announced("10.0.0.1", &malformed), ours);
        let twice = [("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")];
        assert_eq!(announced("10.0.0.1", &twice), ours);
    }
}
