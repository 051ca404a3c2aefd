//! Where calls go in: base addresses of a product, and the line that makes a first call from a terminal.

use std::sync::Arc;

use forecourt_app::products::catalogue::Entrance;
use forecourt_core::{credentials::CredentialType, products::Product};

use crate::handling::Web;

/// The base addresses of a product behind the gateway at `gateway`, without a slash at the end.
pub(super) fn addresses(gateway: &str, entrances: &[Entrance]) -> Vec<String> {
    let mut addresses = Vec::new();
    for entrance in entrances {
        let prefix = prefix(entrance);
        if entrance.hosts.is_empty() {
            addresses.push(format!("{gateway}{prefix}"));
        }
        addresses.extend(entrance.hosts.iter().map(|host| format!("{}{prefix}", at_host(gateway, host))));
    }
    addresses.dedup();
    addresses
}

fn prefix(entrance: &Entrance) -> &str {
    entrance.path_prefix.as_deref().unwrap_or_default().trim_end_matches('/')
}

/// `gateway` under the name `host`, on the same port.
fn at_host(gateway: &str, host: &str) -> String {
    let (scheme, authority) = gateway.split_once("://").unwrap_or(("http", gateway));
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty());
    let port = port.filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
}

/// What a caller shows: an API key, user name and password, or a token.
pub(super) enum Shown<'a> {
    Key(&'a str),
    Pair(&'a str, &'a str),
    /// A token; `None` where only the developer can sign one.
    Token(Option<&'a str>),
    /// A token that the provider gives for the client: nobody has it here.
    Client,
}

impl Shown<'_> {
    const fn credential_type(&self) -> CredentialType {
        match self {
            Self::Key(_) => CredentialType::KeyAuth,
            Self::Pair(..) => CredentialType::BasicAuth,
            Self::Token(_) => CredentialType::JwtAuth,
            Self::Client => CredentialType::Oauth,
        }
    }
}

/// Whether `product` accepts credentials of this type.
pub(super) fn accepts(product: &Product, credential_type: CredentialType) -> bool {
    let Some(auth) = product.gateway_offer().map(|offer| &offer.auth) else { return false };
    match credential_type {
        CredentialType::KeyAuth => auth.key_auth.is_some(),
        CredentialType::BasicAuth => auth.basic_auth.is_some(),
        CredentialType::JwtAuth => auth.jwt_auth.is_some(),
        CredentialType::Oauth => auth.dcr.is_some(),
    }
}

/// A line for a shell that calls `product` with `shown`; `None` where the product does not accept it or has no
/// entrance.
pub(super) async fn curl(
    web: &Web,
    product: &Product,
    entrances: Vec<Entrance>,
    shown: &Shown<'_>,
) -> Option<String> {
    if !accepts(product, shown.credential_type()) {
        return None;
    }
    let entrance = entrances.into_iter().next()?;
    let path = match &entrance.document {
        Some(document) => first_plain_path(web, &Arc::from(document.as_str())).await,
        None => None,
    };
    let path = path.unwrap_or_else(|| "/".to_owned());
    let proof = match shown {
        Shown::Key(key) => {
            let header = &product.gateway_offer()?.auth.key_auth.as_ref()?.header;
            format!("-H {}", quoted(&format!("{header}: {key}")))
        }
        Shown::Token(token) => format!("-H {}", quoted(&format!("Authorization: Bearer {}", (*token)?))),
        Shown::Client => return None,
        Shown::Pair(username, password) => format!("-u {}", quoted(&format!("{username}:{password}"))),
    };
    // A wildcard stands for any one name; a call needs one.
    let host = entrance.hosts.first().map(|host| host.replacen('*', "api", 1));
    let host = host.map(|host| format!(" -H {}", quoted(&format!("Host: {host}")))).unwrap_or_default();
    let address = quoted(&format!("{}{}{path}", web.config.gateway_url, prefix(&entrance)));
    Some(format!("curl {proof}{host} {address}"))
}

/// The path of the first operation that a call needs to know nothing for.
async fn first_plain_path(web: &Web, document: &Arc<str>) -> Option<String> {
    let reference = web.references.of(document).await;
    let plain = |path: &str| path.starts_with('/') && !path.contains('{');
    let found =
        reference.operations.iter().find(|operation| operation.method == "GET" && plain(&operation.path));
    found.map(|operation| operation.path.clone())
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(hosts: &[&str], prefix: Option<&str>) -> Entrance {
        Entrance {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            path_prefix: prefix.map(str::to_owned),
            document: None,
        }
    }

    #[test]
    fn a_base_address_has_the_services_host_and_prefix_and_the_gateways_port() {
        let any = entrance(&[], Some("/payments/"));
        let named = entrance(&["api.example.com"], None);
        assert_eq!(
            addresses("http://127.0.0.1:9080", &[any, named]),
            ["http://127.0.0.1:9080/payments", "http://api.example.com:9080"]
        );
        assert_eq!(addresses("https://gw.example", &[entrance(&["a.example"], None)]), ["https://a.example"]);
    }

    #[test]
    fn a_word_of_the_shell_stays_one_word_whatever_it_holds() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
