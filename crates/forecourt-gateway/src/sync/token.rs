//! The token that a node joins with: `SECRET.DIGEST`, the second part naming whom the node may believe.

use std::fmt;

/// An instance token as it is handed to operators. It is neither shown nor logged.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeToken {
    secret: String,
    authority: Option<[u8; 32]>,
}

impl NodeToken {
    /// Reads a token: a secret of printable ASCII without spaces, and behind the last dot the SHA-256 of the control
    /// plane's certificate authority in 64 hex digits. Without that part any authority that the machine trusts will
    /// do.
    ///
    /// # Errors
    /// What a token looks like, where this is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const LOOKS: &str =
            "a token is SECRET.DIGEST, the digest 64 hex digits, as it was shown when it was made";
        let text = text.trim();
        let (secret, authority) = match text.rsplit_once('.') {
            None => (text, None),
            Some((secret, digest)) => {
                let mut authority = [0; 32];
                hex::decode_to_slice(digest, &mut authority).map_err(|_| LOOKS)?;
                (secret, Some(authority))
            }
        };
        let is_secret = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        if is_secret { Ok(Self { secret: secret.to_owned(), authority }) } else { Err(LOOKS) }
    }

    /// What the control plane is shown.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// The SHA-256 of the certificate of the control plane's authority.
    pub(crate) const fn authority(&self) -> Option<[u8; 32]> {
        self.authority
    }
}

impl fmt::Debug for NodeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_secret_and_the_digest_of_an_authority() {
        let digest = "0f".repeat(32);
        let token = NodeToken::parse(&format!(" a7.secret.{digest}\n")).unwrap();
        assert_eq!((token.secret(), token.authority()), ("a7.secret", Some([15; 32])));
        assert_eq!(NodeToken::parse("secret").unwrap().authority(), None);
        assert_eq!(format!("{token:?}"), "NodeToken");
        for bad in ["", " ", "secret.", "secret.abc", &format!(".{digest}"), "two words", "sécret"] {
            assert!(NodeToken::parse(bad).is_err(), "{bad:?}");
        }
    }
}
