//! Networks, destinations and the rules for outgoing calls.

use core::net::IpAddr;

use super::{Destination, Forbidden, Network, OutgoingRules};

fn rules(enable: bool, allow: &[&str], deny: &[&str]) -> OutgoingRules {
    let list = |list: &[&str]| list.iter().map(|text| Destination::parse(text).unwrap()).collect();
    OutgoingRules { enable, allow_list: list(allow), deny_list: list(deny) }
}

fn check(rules: &OutgoingRules, host: &str, address: &str) -> Result<(), Forbidden> {
    rules.check(host, address.parse::<IpAddr>().unwrap())
}

#[test]
fn what_is_no_range_is_none() {
    for text in ["", "10.0.0.0/33", "a/8", "10.0.0.0/x", "::/129", "10.0.0.0/-1", "10.0.0"] {
        assert_eq!(Network::parse(text), None, "{text}");
    }
}

#[test]
fn ranges_of_ipv4_addresses_written_as_ipv6_are_ranges_of_those() {
    for (text, inside, outside) in [
        ("::ffff:192.0.2.5", "192.0.2.5", "192.0.2.6"),
        ("::ffff:192.0.2.0/120", "192.0.2.255", "192.0.3.0"),
        ("::ffff:0:0/96", "203.0.113.7", "2001:db8::1"),
    ] {
        let network = Network::parse(text).unwrap();
        let holds = |address: &str| network.contains(address.parse().unwrap());
        assert!(holds(inside) && holds(&format!("::ffff:{inside}")), "{text}");
        assert!(!holds(outside), "{text}");
    }
    assert_eq!(Network::parse("::ffff:192.0.2.5/129"), None);
}

#[test]
fn link_local_addresses_are_refused_in_every_form_whatever_is_set() {
    for rules in [
        rules(false, &[], &[]),
        rules(true, &[], &[]),
        rules(true, &["169.254.0.0/16", "fe80::/10", "0.0.0.0/0", "::/0", "metadata"], &[]),
    ] {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            // RFC 6052 §2.2, with prefixes of 48, 56 and 64 bits.
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00:0",
            "2002:a9fe:a9fe::1",
            "::ffff:0:169.254.169.254",
            "2001:0:808:808::5601:5601",
        ] {
            assert_eq!(check(&rules, "metadata", address), Err(Forbidden::LinkLocal), "{address}");
        }
    }
}

#[test]
fn metadata_services_of_clouds_outside_link_local_networks_are_refused_in_every_form_whatever_is_set() {
    for rules in [
        rules(false, &[], &[]),
        rules(true, &[], &[]),
        rules(true, &["100.64.0.0/10", "fc00::/7", "0.0.0.0/0", "::/0", "metadata"], &[]),
    ] {
        for address in [
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:100.100.100.200",
            "::168.63.129.16",
            "64:ff9b::168.63.129.16",
            "64:ff9b:1::192.0.0.192",
            "2002:6464:64c8::1",
            "::ffff:0:192.0.0.192",
            "2001:0:808:808::9b9b:9b37",
        ] {
            assert_eq!(check(&rules, "metadata", address), Err(Forbidden::Metadata), "{address}");
        }
        for address in ["168.63.129.17", "8.8.8.8"] {
            assert_eq!(check(&rules, "metadata", address), Ok(()), "{address}");
        }
    }
}

#[test]
fn addresses_inside_networks_are_refused_only_where_the_protection_is_on() {
    for address in [
        "127.0.0.1",
        "127.255.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fc00::1",
        "fd00:ec2::253",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "100::1",
        "64:ff9b:1::8.8.8.8",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:0a00:0001::1",
        "::7f00:1",
        "::ffff:0:127.0.0.1",
        "2001:0:808:808::80ff:fffe",
        "::ffff:7f00:1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ] {
        assert_eq!(check(&rules(true, &[], &[]), "host", address), Err(Forbidden::Internal), "{address}");
        assert_eq!(check(&rules(false, &[], &[]), "host", address), Ok(()), "{address}");
    }
    for address in [
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "192.0.1.1",
        "169.253.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "64:ff9b::8.8.8.8",
        "2002:0808:0808::1",
    ] {
        assert_eq!(check(&rules(true, &[], &[]), "host", address), Ok(()), "{address}");
    }
}

#[test]
fn the_allow_list_opens_addresses_and_names_and_the_deny_list_wins() {
    let some = rules(
        true,
        &["10.1.0.0/16", "issuer.internal", "*.idp.example"],
        &["10.1.2.0/24", "bad.idp.example"],
    );
    for (host, address, expected) in [
        ("any", "10.1.0.1", Ok(())),
        ("any", "::ffff:10.1.0.1", Ok(())),
        ("any", "10.2.0.1", Err(Forbidden::Internal)),
        ("issuer.internal", "10.2.0.1", Ok(())),
        ("Issuer.Internal.", "10.2.0.1", Ok(())),
        ("x.issuer.internal", "10.2.0.1", Err(Forbidden::Internal)),
        ("a.idp.example", "127.0.0.1", Ok(())),
        ("idp.example", "127.0.0.1", Err(Forbidden::Internal)),
        ("notidp.example", "127.0.0.1", Err(Forbidden::Internal)),
        ("bad.idp.example", "8.8.8.8", Err(Forbidden::Denied)),
        ("BAD.idp.example.", "8.8.8.8", Err(Forbidden::Denied)),
        ("issuer.internal", "10.1.2.3", Err(Forbidden::Denied)),
        ("issuer.internal", "64:ff9b::10.1.2.3", Err(Forbidden::Denied)),
    ] {
        assert_eq!(check(&some, host, address), expected, "{host} {address}");
    }
    let off = rules(false, &[], &["8.8.8.8", "localhost"]);
    assert_eq!(check(&off, "dns", "8.8.8.8"), Err(Forbidden::Denied));
    assert_eq!(check(&off, "localhost", "127.0.0.1"), Err(Forbidden::Denied));
    assert_eq!(check(&off, "host", "127.0.0.1"), Ok(()));
}

#[test]
fn a_destination_is_an_address_a_network_or_a_name() {
    for text in ["10.0.0.1", "fe80::/10", "a", "a-b.example", "*.example", "A_1.example"] {
        assert!(Destination::parse(text).is_some(), "{text}");
    }
    for text in
        ["", "*", "*.", ".a", "a..b", "a b", "10.0.0.0/33", "10.0.0.300", "http://a", "a/8", "a.*", "1.2"]
    {
        assert_eq!(Destination::parse(text), None, "{text}");
    }
}
