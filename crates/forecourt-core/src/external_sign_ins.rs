//! Sign-in by way of somebody else: whom a provider says that it knows, and sign-ins that wait for people to come back
//! from there.
//!
//! Invariant: what a provider says is junk until it is read here. What identifies somebody is taken whole or not at all,
//! since two that were cut or cleaned could become one; what merely describes them is cleaned and cut.

use unicode_normalization::UnicodeNormalization;

use crate::{
    ids::SignInOptionId,
    secrets::{KeptSecret, SecretDigest},
    text::Invalid,
    time::Timestamp,
};

/// The longest subject, in bytes: it is part of a key of the database.
pub const SUBJECT: usize = 1_024;
/// The longest user name, characters.
const USERNAME: usize = 128;
/// The longest given or family name, characters.
const NAME: usize = 150;

/// What a provider says of somebody, as it says it. Empty texts are none.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// What it knows them by; never given to anybody else.
    pub subject: String,
    /// Their user name.
    pub username: Option<String>,
    /// Their e-mail address. It proves nothing: nobody is recognised by it.
    pub email: Option<String>,
    /// Their given name.
    pub first_name: Option<String>,
    /// Their family name.
    pub last_name: Option<String>,
    /// Their whole name, for where the other two are not told.
    pub name: Option<String>,
}

/// Somebody whom a provider knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalPerson {
    /// What the provider knows them by: 1–1024 bytes without control characters.
    pub subject: String,
    /// A user name that an administrator can have, see [`crate::administrators::username`].
    pub username: Option<String>,
    /// An e-mail address, lower case.
    pub email: Option<String>,
    /// Given name, 1–150 characters.
    pub first_name: Option<String>,
    /// Family name, 1–150 characters.
    pub last_name: Option<String>,
}

/// A sign-in that waits for somebody to come back from the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSignIn {
    /// Digest of the `state` (OpenID Connect), `RelayState` (SAML) or its like, by which it is found once.
    pub state: SecretDigest,
    /// The option that it was begun with.
    pub option: SignInOptionId,
    /// Digest of what the browser holds in a cookie: nobody else can end what this one began.
    pub browser: SecretDigest,
    /// What the protocol must remember (nonce and PKCE verifier, or the id of a request), as JSON; sealed in the store.
    pub memo: KeptSecret,
    /// The page to go on to: a path of our own site, empty for the first page.
    pub next: String,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

impl PendingSignIn {
    /// For how long people may stay away.
    pub const SECONDS: i64 = 600;
    /// At most this many wait; where more are begun, the oldest are forgotten.
    pub const MOST: u64 = 10_000;

    /// Whether the browser whose secret has the digest `browser` may end it now.
    pub fn ends_with(&self, browser: &SecretDigest, now: Timestamp) -> bool {
        self.browser == *browser && now < self.expires_at
    }
}

impl ExternalPerson {
    /// Reads what a provider said.
    ///
    /// # Errors
    /// When the subject is empty, too long, or holds control characters. Anything else that cannot be used is left out.
    pub fn read(claims: &Claims) -> Result<Self, Invalid> {
        let subject = claims.subject.as_str();
        if subject.trim().is_empty() || subject.len() > SUBJECT || crate::text::has_control(subject) {
            let problem = format!("must be 1 to {SUBJECT} bytes without control characters");
            return Err(Invalid::new("subject", problem));
        }
        let given = |text: &Option<String>, most| cleaned(text.as_deref().unwrap_or_default(), most);
        let (mut first_name, mut last_name) =
            (given(&claims.first_name, NAME), given(&claims.last_name, NAME));
        if first_name.is_none() && last_name.is_none() {
            // The last word is taken for the family name, as nothing better is known.
            let name = given(&claims.name, 2 * NAME).unwrap_or_default();
            let (first, last) = name.rsplit_once(' ').unwrap_or((&name, ""));
            (first_name, last_name) = (cleaned(first, NAME), cleaned(last, NAME));
        }
        Ok(Self {
            subject: subject.to_owned(),
            // A colon ends a user name in HTTP Basic.
            username: given(&claims.username, USERNAME).map(|name| name.replace(':', "-")),
            email: claims.email.as_deref().and_then(|email| crate::persons::email("email", email).ok()),
            first_name,
            last_name,
        })
    }

    /// What to call them if nobody is called so yet: their user name, else what stands before the `@` of their
    /// address, else their name.
    pub fn wanted_username(&self) -> String {
        let local = || self.email.as_deref().and_then(|email| email.split('@').next()).map(str::to_owned);
        let name = || {
            let parts: Vec<_> = self.first_name.iter().chain(&self.last_name).map(String::as_str).collect();
            Some(parts.join(" ")).filter(|name| !name.is_empty())
        };
        let wanted = self.username.clone().or_else(local).or_else(name).unwrap_or_else(|| "user".to_owned());
        wanted.replace(':', "-")
    }
}

/// The user name to try after `tried` names were taken: `ada`, `ada-2`, `ada-3`, … of at most 128 characters.
pub fn free_username(wanted: &str, tried: u32) -> String {
    let end = if tried == 0 { String::new() } else { format!("-{}", tried + 1) };
    let kept: String = wanted.chars().take(USERNAME - end.len()).collect();
    format!("{}{end}", kept.trim_end())
}

/// What failures of somebody who typed `username` are counted by: the same for all ways to write it that a directory
/// may take for one name (RFC 4518 §2): what is mapped to nothing does not count.
pub fn account_key(username: &str) -> String {
    let is_nothing = |c: char| {
        (c.is_control() && !c.is_whitespace())
            || matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}'
            )
    };
    let shown = username.chars().filter(|c| !is_nothing(*c));
    let folded = shown.nfkc().collect::<String>().to_lowercase();
    folded.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(USERNAME).collect()
}

/// A page of our own site to go on to: a path that no reader of addresses takes for another site; else `None`.
pub fn own_page(path: &str) -> Option<&str> {
    let is_plain = !path.contains('\\') && path.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = path.starts_with('/') && !path.starts_with("//") && path.len() <= 2_048;
    (fits && is_plain).then_some(path)
}

/// `text` without what nobody sees or what turns the reading direction, in single spaces, cut to `most` characters.
fn cleaned(text: &str, most: usize) -> Option<String> {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.chars().filter(|c| !is_hidden(*c)).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    let cut: String = words.join(" ").chars().take(most).collect();
    Some(cut.trim_end().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(claims: Claims) -> ExternalPerson {
        ExternalPerson::read(&claims).unwrap()
    }

    fn known(subject: &str) -> Claims {
        Claims { subject: subject.into(), ..Claims::default() }
    }

    #[test]
    fn a_subject_is_taken_whole_or_refused() {
        assert_eq!(read(known("Ann|7 ")).subject, "Ann|7 ");
        for subject in ["", "  ", "a\0", "a\nb", &"x".repeat(SUBJECT + 1)] {
            assert!(ExternalPerson::read(&known(subject)).is_err(), "{subject:?}");
        }
    }

    #[test]
    fn junk_becomes_what_an_administrator_can_have_or_nothing() {
        let junk = Claims {
            username: Some(format!("a:b\0\u{202e}c {}", "x".repeat(500))),
            email: Some("no address".into()),
            first_name: Some("\u{200b}\n\t".into()),
            last_name: Some("y".repeat(10_000)),
            ..known("1")
        };
        let person = read(junk);
        let username = person.username.unwrap();
        assert!(username.starts_with("a-bc xxx") && username.chars().count() == 128, "{username}");
        assert!(crate::administrators::username("username", &username).is_ok());
        assert_eq!((person.email, person.first_name), (None, None));
        assert_eq!(person.last_name.unwrap().len(), 150);
    }

    #[test]
    fn a_whole_name_is_parted_where_its_parts_are_not_told() {
        let named = |name: &str| {
            let person = read(Claims { name: Some(name.into()), ..known("1") });
            (person.first_name.unwrap_or_default(), person.last_name.unwrap_or_default())
        };
        assert_eq!(named("Ada King  Lovelace"), ("Ada King".into(), "Lovelace".into()));
        assert_eq!(named("Ada"), ("Ada".into(), String::new()));
        assert_eq!(named(" "), (String::new(), String::new()));
        let told = Claims { name: Some("Ada Lovelace".into()), first_name: Some("Ada".into()), ..known("1") };
        assert_eq!(read(told).last_name, None);
    }

    #[test]
    fn somebody_without_a_user_name_is_called_by_what_is_known_of_them() {
        let email = Some("Ada@Example.com".to_owned());
        assert_eq!(read(Claims { email, ..known("1") }).wanted_username(), "ada");
        let name = Some("Ada Lovelace".to_owned());
        assert_eq!(read(Claims { name, ..known("1") }).wanted_username(), "Ada Lovelace");
        assert_eq!(read(known("1")).wanted_username(), "user");
    }

    #[test]
    fn a_taken_name_is_numbered_within_the_longest_name() {
        assert_eq!((free_username("ada", 0), free_username("ada", 1)), ("ada".into(), "ada-2".into()));
        let long = free_username(&"ä".repeat(200), 98);
        assert!(long.ends_with("ä-99") && long.chars().count() == 128);
    }

    #[test]
    fn a_name_in_other_letters_and_spaces_counts_as_the_same() {
        for other in [
            "Ann Lee",
            " ANN\u{a0} lee ",
            "\u{ff41}nn lee",
            "a\u{ad}nn l\u{200b}ee\u{feff}",
            "ann\tl\0ee\u{2060}\u{fe0f}",
        ] {
            assert_eq!(account_key(other), "ann lee");
        }
        assert_ne!(account_key("ann.lee"), account_key("ann lee"));
    }

    #[test]
    fn only_paths_of_our_own_are_gone_on_to() {
        assert_eq!(own_page("/portals?x=%2F"), Some("/portals?x=%2F"));
        for path in
            ["", "portals", "//evil.example", "/\\evil.example", "/a\tb", "https://evil.example", "/ä"]
        {
            assert_eq!(own_page(path), None, "{path:?}");
        }
    }
}
