//! Links in mails to persons, with which they prove that an e-mail address is theirs, or choose a new password.
//!
//! Invariant: a link is for one person, one purpose and one address; it works once, not for long, and only while the
//! person has that address. Asking for another voids none that is younger than an hour, so that nobody keeps the person from
//! using one by asking. What is kept of its token is a digest; the token itself stands, sealed, in the delivery that
//! carries it.

use crate::{ids::PersonId, persons::Person, secrets::SecretDigest, time::Timestamp};

named! {
    /// What a link is for.
    pub enum LinkPurpose {
        /// To prove that the address is theirs.
        Verification = "verification",
        /// To choose a new password, which proves it too.
        Reset = "reset",
    }
}

impl LinkPurpose {
    /// How long a link works, seconds: a day to prove an address, an hour to choose a password.
    pub const fn life(self) -> i64 {
        match self {
            Self::Verification => 24 * 3_600,
            Self::Reset => 3_600,
        }
    }
}

/// A link. One that was used is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonLink {
    /// The digest of its token.
    pub digest: SecretDigest,
    /// Whose it is.
    pub person_id: PersonId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The mail address that it was sent to.
    pub address: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

impl PersonLink {
    /// For how long no other of its purpose is made, seconds: its mail has just been sent.
    pub const FRESH: i64 = 180;
    /// At most this many of a purpose are kept for a person. One is made each three minutes at most, so that none has to go
    /// within an hour.
    pub const KEPT: usize = 20;

    /// Whether it was sent to `address` just before `now`, so that another is not needed.
    pub fn is_fresh(&self, address: &str, now: Timestamp) -> bool {
        self.address == address && now < self.created_at.plus_seconds(Self::FRESH).min(self.expires_at)
    }

    /// A link that works from now on.
    pub const fn new(
        digest: SecretDigest,
        person_id: PersonId,
        purpose: LinkPurpose,
        address: String,
        now: Timestamp,
    ) -> Self {
        Self {
            digest,
            person_id,
            purpose,
            address,
            expires_at: now.plus_seconds(purpose.life()),
            created_at: now,
        }
    }

    /// Whether it works for `person` at `now`: they can get in, and have the address yet that it was sent to.
    pub fn works(&self, purpose: LinkPurpose, person: &Person, now: Timestamp) -> bool {
        self.purpose == purpose
            && self.person_id == person.id
            && now < self.expires_at
            && person.active
            && person.email.as_deref() == Some(self.address.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PortalId;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn ada() -> Person {
        Person {
            id: PersonId::known("per_1"),
            portal_id: PortalId::known("prt_1"),
            email: Some("ada@example.com".into()),
            email_verified: false,
            username: None,
            name: "Ada".into(),
            password: None,
            active: true,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn link(purpose: LinkPurpose) -> PersonLink {
        let digest = SecretDigest::of(b"token");
        PersonLink::new(digest, PersonId::known("per_1"), purpose, "ada@example.com".into(), NOW)
    }

    #[test]
    fn a_link_works_for_its_purpose_and_time() {
        for (purpose, other, life) in [
            (LinkPurpose::Verification, LinkPurpose::Reset, 86_400),
            (LinkPurpose::Reset, LinkPurpose::Verification, 3_600),
        ] {
            let link = link(purpose);
            assert!(link.works(purpose, &ada(), NOW.plus_seconds(life - 1)));
            assert!(!link.works(purpose, &ada(), NOW.plus_seconds(life)), "it is too old");
            assert!(!link.works(other, &ada(), NOW));
        }
    }

    #[test]
    fn a_link_is_fresh_for_some_minutes_and_none_has_to_go_for_others_within_its_hour() {
        let link = link(LinkPurpose::Reset);
        assert!(link.is_fresh("ada@example.com", NOW.plus_seconds(179)));
        assert!(!link.is_fresh("ada@example.com", NOW.plus_seconds(180)));
        assert!(!link.is_fresh("ada@elsewhere.example", NOW));
        let kept = i64::try_from(PersonLink::KEPT).unwrap();
        assert!(kept * PersonLink::FRESH >= LinkPurpose::Reset.life());
    }

    #[test]
    fn a_link_works_for_its_person_and_address_while_they_may_get_in() {
        let works = |person: Person| link(LinkPurpose::Reset).works(LinkPurpose::Reset, &person, NOW);
        assert!(works(ada()));
        assert!(!works(Person { email: Some("ada@elsewhere.example".into()), ..ada() }));
        assert!(!works(Person { email: None, ..ada() }));
        assert!(!works(Person { active: false, ..ada() }));
        assert!(!works(Person { id: PersonId::known("per_2"), ..ada() }));
    }
}
