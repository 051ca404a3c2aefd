//! The bare connection to a node.
//!
//! A provider's upstreams may be anywhere inside its networks. What is never called, whatever is set, is not called here
//! either: who may set up an upstream would read the machine's own credentials from a cloud's metadata service.

use std::io;

use forecourt_core::addresses::callable;
use tokio::net::{TcpStream, lookup_host};

use super::bare_host;

/// A connection to the first of the host's addresses that takes one. `host` is a name or an address, an IPv6 one with or
/// without brackets.
///
/// # Errors
/// That of the last address that was tried; where none may be called, why not.
pub(super) async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = None;
    // Looked up once: what was judged is what is called.
    for address in lookup_host((bare_host(host), port)).await? {
        let made = match callable(address.ip()) {
            Ok(()) => TcpStream::connect(address).await,
            Err(forbidden) => Err(io::Error::new(io::ErrorKind::PermissionDenied, forbidden.to_string())),
        };
        match made {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address")))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_upstream_may_be_inside_a_network_but_no_metadata_service() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"] {
            reach(host, port).await.unwrap();
        }
        for host in
            ["169.254.169.254", "[fe80::1]", "::ffff:169.254.169.254", "100.100.100.200", "[fd00:ec2::254]"]
        {
            let refused = reach(host, 80).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{host}: {refused}");
            assert!(refused.to_string().contains("never called"), "{refused}");
        }
    }
}
