//! OAuth clients: what a DCR provider registered for a credential of type `oauth`.
//!
//! The client's secret is not among it: it leaves in the one answer that the registration makes.

use crate::{
    ids::{CredentialId, DcrProviderId},
    secrets::KeptSecret,
    text::{self, Invalid},
};

/// An OAuth client at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthClient {
    /// The credential that it is.
    pub credential_id: CredentialId,
    /// Where it is registered.
    pub provider_id: DcrProviderId,
    /// Its id there.
    pub client_id: String,
    /// Where the provider sends people back to, as registered.
    pub redirect_uris: Vec<String>,
    /// When its secret ends, in Unix seconds as the provider says; 0: never.
    pub secret_expires_at: i64,
    /// How it is changed and removed at a provider of type `oidc`, where the provider said how.
    pub management: Option<KeptManagement>,
}

/// How a client is managed (RFC 7592 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptManagement {
    /// The `registration_client_uri`.
    pub uri: String,
    /// The `registration_access_token`; sealed once it is stored.
    pub token: KeptSecret,
}

/// The redirect URIs of a client: absolute, without fragment (RFC 6749 §3.1.2), each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedirectUris(Vec<String>);

/// How many redirect URIs a client has at most.
const MOST_URIS: usize = 50;
/// The longest redirect URI, in bytes.
const LONGEST_URI: usize = 2_048;
/// Schemes that run or hold something in a browser and never lead back to an application.
const NOT_ADDRESSES: [&str; 4] = ["javascript", "data", "vbscript", "blob"];

impl RedirectUris {
    /// Checks every one of `uris`; `field` names the list in refusals.
    ///
    /// # Errors
    /// When there are more than 50, one is no absolute URI of at most 2048 bytes, or one is given twice.
    pub fn new(field: &str, uris: Vec<String>) -> Result<Self, Invalid> {
        if uris.len() > MOST_URIS {
            return Err(Invalid::new(field, format!("must be at most {MOST_URIS}")));
        }
        for (index, uri) in uris.iter().enumerate() {
            let problem = if !is_redirect_uri(uri) {
                "must be an absolute URI without fragment and white space, such as https://app.example/callback"
            } else if uris.iter().take(index).any(|earlier| earlier == uri) {
                "is given twice"
            } else {
                continue;
            };
            return Err(Invalid::new(format!("{field}[{index}]"), problem));
        }
        Ok(Self(uris))
    }

    /// Those that a client has already.
    pub const fn known(uris: Vec<String>) -> Self {
        Self(uris)
    }

    /// The URIs, in the order given.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The URIs, in the order given.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

fn is_redirect_uri(text: &str) -> bool {
    if text.len() > LONGEST_URI || text::has_control(text) || text.contains(char::is_whitespace) {
        return false;
    }
    let Ok(uri) = url::Url::parse(text) else { return false };
    let is_web = matches!(uri.scheme(), "http" | "https");
    uri.fragment().is_none()
        && !NOT_ADDRESSES.contains(&uri.scheme())
        && !text.contains('\\')
        && (!is_web || (text.contains("://") && uri.has_host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(uris: &[&str]) -> String {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        RedirectUris::new("oauth.redirect_uris", uris).unwrap_err().to_string()
    }

    #[test]
    fn redirect_uris_are_absolute_and_without_fragment() {
        let fine = ["https://app.example/cb?x=1", "http://127.0.0.1:8000/cb", "com.example.app:/cb"];
        let uris: Vec<String> = fine.iter().map(|uri| (*uri).to_owned()).collect();
        assert_eq!(RedirectUris::new("uris", uris.clone()).unwrap().into_vec(), uris);
        for uri in [
            "",
            "/cb",
            "app.example/cb",
            "https://",
            "https:app.example",
            "https://app.example/cb#top",
            "https://app.example/a b",
            "javascript:alert(1)",
            "data:text/html,hi",
            "https:\\\\app.example",
            "https://app.example/\u{7}",
        ] {
            let refused = refused(&["https://app.example/cb", uri]);
            assert!(refused.starts_with("oauth.redirect_uris[1] must be"), "{uri:?}: {refused}");
        }
    }

    #[test]
    fn a_redirect_uri_is_given_once_and_not_without_end() {
        let twice = refused(&["https://a.example", "https://a.example"]);
        assert_eq!(twice, "oauth.redirect_uris[1] is given twice");
        let many: Vec<String> = (0..51).map(|index| format!("https://a.example/{index}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(refused(&many), "oauth.redirect_uris must be at most 50");
    }
}
