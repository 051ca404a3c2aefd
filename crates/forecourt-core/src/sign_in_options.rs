//! Sign-in options of a portal. This version offers the built-in one: e-mail or user name, and a password.

use crate::{
    ids::{PortalId, SignInOptionId},
    lists::{Order, Paging, Readable, TimeOrder},
    time::Timestamp,
};

/// A portal's built-in sign-in option; each portal has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInOption {
    /// Its id.
    pub id: SignInOptionId,
    /// Whose it is.
    pub portal_id: PortalId,
    /// What people call it.
    pub name: String,
    /// Base64 or data URL; empty: none.
    pub logo: String,
    /// True: nobody signs in or up this way.
    pub disable: bool,
    /// Its settings.
    pub built_in: BuiltInSignIn,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Settings of the built-in option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInSignIn {
    /// Whether people may register themselves.
    pub enable_self_registration: bool,
    /// Whether a registration is active at once; otherwise it waits for an approval.
    pub registration_auto_approval: bool,
    /// Whether an e-mail address serves as user name.
    pub login_with_email: bool,
}

/// Which options a list shows.
#[derive(Clone, Debug, Default)]
pub struct SignInOptionFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only those of these portals: what the caller may read.
    pub readable: Readable,
}

impl Default for BuiltInSignIn {
    fn default() -> Self {
        Self { enable_self_registration: true, registration_auto_approval: false, login_with_email: true }
    }
}

impl SignInOption {
    /// The built-in option that a new portal starts with.
    pub fn built_in(id: SignInOptionId, portal_id: PortalId, now: Timestamp) -> Self {
        Self {
            id,
            portal_id,
            name: "Email".into(),
            logo: String::new(),
            disable: false,
            built_in: BuiltInSignIn::default(),
            created_at: now,
            updated_at: now,
        }
    }
}
