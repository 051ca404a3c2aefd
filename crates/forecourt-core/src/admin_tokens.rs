//! Access tokens of administrators: each acts with its owner's current permissions and dies with the owner.

use crate::{
    ids::{AdminTokenId, AdministratorId},
    lists::{Order, Paging},
    portal_tokens::is_live,
    refusals::{Refusal, RefusalKind},
    secrets::SecretDigest,
    time::Timestamp,
};

/// An administrator's token; its text is shown once and kept as a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    /// Its id.
    pub id: AdminTokenId,
    /// Whose it is.
    pub administrator_id: AdministratorId,
    /// Unique per administrator, 1–40 characters.
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

impl AdminToken {
    /// The longest name.
    pub const NAME: usize = 40;

    /// Whether it is accepted at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        is_live(self.expires_at, now)
    }
}

/// What a list of tokens is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminTokenOrder {
    /// By creation.
    #[default]
    CreatedAt,
    /// By last change.
    UpdatedAt,
    /// By expiry; those without one are the latest.
    ExpiresAt,
}

/// Which tokens a list shows.
#[derive(Clone, Debug, Default)]
pub struct AdminTokenFilter {
    /// Case-insensitive substring of the name.
    pub search: Option<String>,
    /// Order.
    pub order: Order<AdminTokenOrder>,
    /// Page.
    pub paging: Paging,
}

/// Why a token cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminTokenRefusal {
    /// Names are unique per administrator.
    #[error("name {0:?} is taken by another of your tokens; choose another name")]
    NameTaken(String),
}

impl Refusal for AdminTokenRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        "admin_token_name_taken"
    }
}
