//! Portal tokens: they let a front end speak for one portal.

use crate::{
    ids::{PortalId, PortalTokenId},
    lists::{Order, Paging, Readable, TimeOrder},
    secrets::SecretDigest,
    time::Timestamp,
};

/// A portal token; its text is shown once and kept as a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalToken {
    /// Its id.
    pub id: PortalTokenId,
    /// The portal that it speaks for.
    pub portal_id: PortalId,
    /// What people call it.
    pub name: String,
    /// Digest of its text.
    pub digest: SecretDigest,
    /// From then on it is refused; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was last accepted, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which tokens a list shows.
#[derive(Clone, Debug, Default)]
pub struct PortalTokenFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only those of these portals: what the caller may read.
    pub readable: Readable,
}

impl PortalToken {
    /// Whether it is accepted at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        is_live(self.expires_at, now)
    }
}

/// Whether something that ends at `expires_at` is still good at `now`.
pub fn is_live(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|end| now < end)
}

/// Reads an `expires_at` of the wire: Unix seconds, 0 or absent for never, not in the past.
pub fn expiry(seconds: Option<i64>, now: Timestamp) -> Result<Option<Timestamp>, crate::text::Invalid> {
    match seconds {
        None | Some(0) => Ok(None),
        // The end of the year 9999: later ones cannot be written as a date.
        Some(seconds) if seconds > 253_402_300_799 => {
            Err(crate::text::Invalid::new("expires_at", "must not lie beyond the year 9999; 0 means never"))
        }
        Some(seconds) if Timestamp::from_seconds(seconds) > now => Ok(Some(Timestamp::from_seconds(seconds))),
        Some(_) => Err(crate::text::Invalid::new(
            "expires_at",
            "must lie in the future (Unix seconds), or be 0 for never",
        )),
    }
}
