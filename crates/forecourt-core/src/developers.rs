//! Developers: the identities that own applications.

use crate::{
    ids::{DeveloperId, DeveloperName, PortalId},
    lists::{Direction, Order, Paging, Readable},
    refusals::{Refusal, RefusalKind},
    time::Timestamp,
};

named! {
    /// Whether a developer may act.
    pub enum DeveloperStatus {
        /// Registered, not yet approved.
        Pending = "pending",
        /// Fully functional.
        Active = "active",
    }
}

named! {
    /// Where a developer comes from.
    pub enum DeveloperProvider {
        /// Made by a front end of the portal's own.
        PortalApi = "portal_api",
        /// Registered on, or invited to, our own site.
        BuiltIn = "built_in",
    }
}

/// A developer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Developer {
    /// Its id, as we know it.
    pub id: DeveloperId,
    /// Whose catalogue it sees.
    pub portal_id: PortalId,
    /// Its public id (`developer_id` on the wire); unique within the portal.
    pub name: DeveloperName,
    /// What people call it.
    pub display_name: String,
    /// Sign-in name of its person, where it has one.
    pub username: Option<String>,
    /// E-mail address of its person, where it has one.
    pub email: Option<String>,
    /// Whether that person proved that the address is theirs.
    pub email_verified: bool,
    /// Whether it may act.
    pub status: DeveloperStatus,
    /// True: nobody who may get in is left in its organization. Its applications keep everything and may not call.
    pub on_hold: bool,
    /// Where it comes from.
    pub provider: DeveloperProvider,
    /// When it last acted, to the minute.
    pub last_active_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a list of developers is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeveloperOrder {
    /// By last activity; creation stands in where there was none.
    #[default]
    LastActiveAt,
    /// By creation.
    CreatedAt,
}

/// Which developers a list shows.
#[derive(Clone, Debug, Default)]
pub struct DeveloperFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Only those in this state.
    pub status: Option<DeveloperStatus>,
    /// Case-insensitive substring of public id, name, user name, e-mail.
    pub search: Option<String>,
    /// Order.
    pub order: Order<DeveloperOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these developers: what the caller may read.
    pub readable: Readable,
}

impl Developer {
    /// An active developer made through the Portal API: its name is its public id.
    pub fn from_front_end(id: DeveloperId, portal_id: PortalId, name: DeveloperName, now: Timestamp) -> Self {
        Self {
            id,
            portal_id,
            display_name: name.to_string(),
            name,
            username: None,
            email: None,
            email_verified: false,
            status: DeveloperStatus::Active,
            on_hold: false,
            provider: DeveloperProvider::PortalApi,
            last_active_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether it may act, and its applications may call.
    pub fn may_act(&self) -> bool {
        self.status == DeveloperStatus::Active && !self.on_hold
    }

    /// This developer on hold, or no longer so.
    pub fn held(self, on_hold: bool, now: Timestamp) -> Self {
        Self { on_hold, updated_at: now, ..self }
    }

    /// An accepted registration.
    pub fn activated(mut self, now: Timestamp) -> Result<Self, DeveloperRefusal> {
        if self.status == DeveloperStatus::Active {
            return Err(DeveloperRefusal::AlreadyActive);
        }
        self.status = DeveloperStatus::Active;
        self.updated_at = now;
        Ok(self)
    }

    /// Whether its last activity is old enough to be written anew: once a minute at most.
    pub fn activity_is_stale(&self, now: Timestamp) -> bool {
        self.last_active_at.is_none_or(|last| last.plus_seconds(60) <= now)
    }
}

impl DeveloperFilter {
    /// Newest activity first, every row of `portal`.
    pub fn of_portal(portal: PortalId) -> Self {
        Self {
            portal_id: Some(portal),
            order: Order { by: DeveloperOrder::LastActiveAt, direction: Direction::Descending },
            ..Default::default()
        }
    }
}

/// Why a developer cannot be made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeveloperRefusal {
    /// Public ids are unique within a portal.
    #[error("developer_id {0:?} is already used in this portal; choose another")]
    NameTaken(DeveloperName),
    /// The id breaks the pattern.
    #[error("developer_id is required and must be 1 to 256 characters of a-z, A-Z, 0-9, -, _ and .")]
    BadName,
    /// Nothing to accept.
    #[error("the developer is already active")]
    AlreadyActive,
    /// A public id that several portals have.
    #[error("developer_id {0:?} exists in several portals; name one with portal_id")]
    Ambiguous(String),
    /// It must be accepted first.
    #[error("developer is not active")]
    NotActive,
}

impl Refusal for DeveloperRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::BadName | Self::Ambiguous(_) => RefusalKind::Invalid,
            _ => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NameTaken(_) => "developer_id_taken",
            Self::BadName => "developer_id_invalid",
            Self::AlreadyActive => "developer_already_active",
            Self::Ambiguous(_) => "developer_id_ambiguous",
            Self::NotActive => "developer_not_active",
        }
    }
}
