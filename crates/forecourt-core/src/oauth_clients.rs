//! OAuth clients: what a DCR provider registered for a credential of type `oauth`.
//!
//! The client's secret is not among it: it leaves in the one answer that the registration makes.
//!
//! Invariant: whoever changes a client at its provider holds it ([`OauthClient::held`]), so that no two use one
//! registration token; and what the provider does not know yet is written down ([`PendingUpdate`]).

use crate::{
    ids::{CredentialId, DcrProviderId},
    pauses,
    secrets::KeptSecret,
    text::{self, Invalid},
    time::Timestamp,
};

/// How long whoever changes a client at its provider has it for themselves: longer than the call can last.
const HOLD_SECONDS: i64 = 60;

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
    /// Until when somebody changes it at its provider; `None`, or a time that is over: nobody does.
    pub held_until: Option<Timestamp>,
    /// What its provider must still be told; `None`: name and redirect URIs there are those here.
    pub pending_update: Option<PendingUpdate>,
}

/// That a provider does not have a client's name and redirect URIs as they are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingUpdate {
    /// How often it was told in vain.
    pub attempts: i64,
    /// When it is told next.
    pub next_attempt_at: Timestamp,
}

/// How a hold of a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// The provider has name and redirect URIs as they are here.
    Told,
    /// The provider changed nothing.
    Unchanged,
    /// The provider may have what is not here: it is told again at once.
    Apart,
    /// The provider could not be told; it is told again after a pause that grows from 10 seconds to an hour.
    Failed,
    /// The provider cannot be told.
    Hopeless,
}

impl OauthClient {
    /// Whether somebody changes it at its provider.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.held_until.is_some_and(|until| until > now)
    }

    /// The same, held for one change at its provider.
    #[must_use]
    pub fn held(self, now: Timestamp) -> Self {
        Self { held_until: Some(now.plus_seconds(HOLD_SECONDS)), ..self }
    }

    /// The same, of which its provider must be told; due at once.
    #[must_use]
    pub fn outdated(self, now: Timestamp) -> Self {
        Self { pending_update: Some(PendingUpdate { attempts: 0, next_attempt_at: now }), ..self }
    }

    /// The same after the hold that made it `held`, with the management that its provider gave meanwhile.
    ///
    /// A hold that lasted too long ends nobody else's, its management counts where none is newer, and what became
    /// outdated meanwhile stays so.
    #[must_use]
    pub fn released(
        self,
        held: &Self,
        renewed: Option<KeptManagement>,
        end: HoldEnd,
        now: Timestamp,
    ) -> Self {
        let pending_update = match end {
            HoldEnd::Apart => Some(PendingUpdate { attempts: 0, next_attempt_at: now }),
            HoldEnd::Unchanged => self.pending_update,
            _ if self.pending_update != held.pending_update => self.pending_update,
            HoldEnd::Told | HoldEnd::Hopeless => None,
            HoldEnd::Failed => {
                let attempts = held.pending_update.map_or(0, |pending| pending.attempts).saturating_add(1);
                Some(PendingUpdate { attempts, next_attempt_at: now.plus_seconds(pauses::after(attempts)) })
            }
        };
        Self {
            held_until: self.held_until.filter(|_| self.held_until != held.held_until),
            pending_update,
            management: match renewed {
                Some(renewed) if self.management == held.management => Some(renewed),
                _ => self.management,
            },
            ..self
        }
    }
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

    fn client() -> OauthClient {
        OauthClient {
            credential_id: CredentialId::known("crd_1"),
            provider_id: DcrProviderId::known("dcr_1"),
            client_id: "c".into(),
            redirect_uris: Vec::new(),
            secret_expires_at: 0,
            management: token("first"),
            held_until: None,
            pending_update: None,
        }
    }

    fn token(text: &str) -> Option<KeptManagement> {
        Some(KeptManagement { uri: "https://op.example/c".into(), token: KeptSecret::Clear(text.into()) })
    }

    #[test]
    fn a_hold_ends_with_the_newer_token_and_not_the_hold_of_somebody_else() {
        let now = Timestamp::from_seconds(100);
        let held = client().held(now);
        assert!(held.is_held(Timestamp::from_seconds(159)));
        assert!(!held.is_held(Timestamp::from_seconds(160)), "it ends by itself");
        let free = held.clone().released(&held, token("second"), HoldEnd::Told, now);
        assert_eq!((free.held_until, &free.management), (None, &token("second")));

        let others =
            OauthClient { management: token("third"), ..held.clone() }.held(Timestamp::from_seconds(161));
        let still = others.clone().released(&held, token("second"), HoldEnd::Told, now);
        assert_eq!(still, others, "neither their hold nor what they stored");
    }

    #[test]
    fn what_becomes_outdated_while_its_provider_is_told_is_told_again() {
        let (now, later) = (Timestamp::from_seconds(100), Timestamp::from_seconds(101));
        let held = client().outdated(now).held(now);
        assert_eq!(held.clone().released(&held, None, HoldEnd::Told, later).pending_update, None);
        for end in [HoldEnd::Told, HoldEnd::Failed, HoldEnd::Hopeless, HoldEnd::Unchanged] {
            let meanwhile = held.clone().outdated(later).released(&held, None, end, later);
            let due = PendingUpdate { attempts: 0, next_attempt_at: later };
            assert_eq!(meanwhile.pending_update, Some(due), "{end:?}");
        }
        let failed = held.clone().released(&held, None, HoldEnd::Failed, later);
        let due = PendingUpdate { attempts: 1, next_attempt_at: Timestamp::from_seconds(111) };
        assert_eq!(failed.pending_update, Some(due));
    }

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
