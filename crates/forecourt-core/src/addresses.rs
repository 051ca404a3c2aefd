//! Networks, and which addresses our own outgoing calls may reach.
//!
//! Invariant: an address is judged in every form that leads to the same host (IPv4 mapped or translated
//! into IPv6, NAT64, 6to4, Teredo), and where clouds keep their machines' secrets is never allowed: link-local addresses, and
//! those elsewhere that are known (`METADATA`).

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A range of addresses, `10.0.0.0/8` or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, bits.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                (address, if address.is_ipv4() { 32 } else { 128 })
            }
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        // IPv4 addresses written as IPv6 count as IPv4, as in `contains`.
        match address.to_canonical() {
            IpAddr::V4(own) if address.is_ipv6() && (96..=most).contains(&bits) => {
                Some(Self { address: own.into(), bits: bits - 96 })
            }
            _ => (bits <= most).then_some(Self { address, bits }),
        }
    }

    /// Whether `address` lies in this range. IPv4 addresses written as IPv6 count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                u64::from(own.to_bits()) >> shift == u64::from(other.to_bits()) >> shift
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                own.to_bits().checked_shr(shift).unwrap_or(0)
                    == other.to_bits().checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

/// Where outgoing calls may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingRules {
    /// Whether addresses inside a network are refused unless `allow_list` names them.
    pub enable: bool,
    /// Inside, and allowed all the same.
    pub allow_list: Vec<Destination>,
    /// Never; it wins over `allow_list`, and holds whether or not `enable` is set.
    pub deny_list: Vec<Destination>,
}

/// An entry of a list of [`OutgoingRules`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Addresses.
    Network(Network),
    /// The host of this name, in lower case.
    Host(String),
    /// Hosts whose names end so, `.example.com`, in lower case.
    Below(String),
}

/// Where clouds tell machines their secrets outside link-local networks: Alibaba, Azure, Oracle, AWS and Google.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Why an address is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// It is link-local.
    LinkLocal,
    /// A cloud tells machines their secrets there.
    Metadata,
    /// `deny_list` names it.
    Denied,
    /// It is of no public network, and `allow_list` does not name it.
    Internal,
}

impl Destination {
    /// Reads an address, a network, a host name or `*.` and a host name; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(network) = Network::parse(text) {
            return Some(Self::Network(network));
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        // What ends in a number is an address to everybody who reads it, and a malformed one here.
        let ends_in_number =
            name.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        if name.len() > 253 || ends_in_number || !name.split('.').all(is_label) {
            return None;
        }
        let name = name.to_ascii_lowercase();
        Some(if text.starts_with("*.") { Self::Below(format!(".{name}")) } else { Self::Host(name) })
    }

    fn covers(&self, host: &str, forms: &[IpAddr]) -> bool {
        match self {
            Self::Network(network) => forms.iter().any(|form| network.contains(*form)),
            Self::Host(name) => host == name,
            Self::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

impl OutgoingRules {
    /// Whether a call to `host` may go to `address`, which is one of its addresses.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let forms = forms(address);
        let covers = |list: &[Destination]| list.iter().any(|entry| entry.covers(&host, &forms));
        callable(address)?;
        if covers(&self.deny_list) {
            return Err(Forbidden::Denied);
        }
        if self.enable && forms.iter().copied().any(is_internal) && !covers(&self.allow_list) {
            return Err(Forbidden::Internal);
        }
        Ok(())
    }
}

/// Whether anything at all may be called at `address`: upstreams too, which may be inside a network.
///
/// # Errors
/// For link-local addresses, and for the metadata services of clouds, in whatever form.
pub fn callable(address: IpAddr) -> Result<(), Forbidden> {
    let mut forms = forms(address);
    if let IpAddr::V6(address) = address {
        forms.extend(locally_translated(address).into_iter().map(IpAddr::V4));
    }
    if forms.iter().copied().any(is_link_local) {
        return Err(Forbidden::LinkLocal);
    }
    if forms.iter().any(|form| METADATA.contains(form)) {
        return Err(Forbidden::Metadata);
    }
    Ok(())
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinkLocal => "the host has a link-local address, which is never called",
            Self::Metadata => "the host has the address of a cloud's metadata service, which is never called",
            Self::Denied => "security.ssrf_protection.deny_list names the host or its address",
            Self::Internal => {
                "the host has an address inside a network, and security.ssrf_protection.allow_list does not name it"
            }
        })
    }
}

/// The address itself and the IPv4 address that it leads to.
fn forms(address: IpAddr) -> Vec<IpAddr> {
    let address = address.to_canonical();
    let embedded = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => embedded(address),
    };
    [Some(address), embedded.map(IpAddr::V4)].into_iter().flatten().collect()
}

/// The IPv4 address within a NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380: the client's, inverted),
/// IPv4-translated (RFC 2765) or IPv4-compatible address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |[.., a, b]: [u16; 8]| Ipv4Addr::from_bits(u32::from(a) << 16 | u32::from(b));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(last(address.segments())),
        [0, 0, 0, 0, 0xffff, 0, ..] => Some(last(address.segments())),
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!last(address.segments()).to_bits())),
        [0x2002, a, b, ..] => Some(Ipv4Addr::from_bits(u32::from(a) << 16 | u32::from(b))),
        [0, 0, 0, 0, 0, 0, a, b] if (a, b) != (0, 0) && (a, b) != (0, 1) => Some(last(address.segments())),
        _ => None,
    }
}

/// The IPv4 addresses that one of the prefix for local use (RFC 8215) may stand for: a network may choose a prefix of 48,
/// 56 or 64 bits within it (RFC 6052 §2.2).
fn locally_translated(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let o = address.octets();
    match address.segments() {
        [0x64, 0xff9b, 1, ..] => vec![
            Ipv4Addr::new(o[6], o[7], o[9], o[10]),
            Ipv4Addr::new(o[7], o[9], o[10], o[11]),
            Ipv4Addr::new(o[9], o[10], o[11], o[12]),
        ],
        _ => Vec::new(),
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether an address is of no public network (IANA's special-purpose registries).
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            matches!((a, b, c), (0 | 10 | 127, ..) | (169, 254, _) | (192, 168, _) | (192, 0, 0 | 2))
                || matches!((a, b, c), (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113))
                || (a == 172 && (16..32).contains(&b))
                || (a == 100 && (64..128).contains(&b))
                || a >= 224
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            address.is_loopback()
                || address.is_unspecified()
                || a & 0xfe00 == 0xfc00
                || a & 0xff80 == 0xfe80
                || a & 0xff00 == 0xff00
                || (a, b, c) == (0x64, 0xff9b, 1)
                || (a, b, c) == (0x100, 0, 0)
                || (a == 0x2001 && (b < 0x200 || b == 0xdb8))
                || (a == 0x3fff && b < 0x1000)
        }
    }
}

#[cfg(test)]
#[path = "addresses/tests.rs"]
mod tests;
