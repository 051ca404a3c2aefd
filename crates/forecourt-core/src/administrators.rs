//! Administrators: people on the provider side. The first is `admin`, with a one-time password.

use std::collections::BTreeSet;

use crate::{
    ids::{AdministratorId, GatewayGroupId, PermissionPolicyId, RoleId, SignInOptionId},
    lists::{Order, Paging, Readable, TimeOrder},
    refusals::{Refusal, RefusalKind},
    roles::AssignedRole,
    time::Timestamp,
};

/// An administrator (a "user" of the Admin API).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administrator {
    /// Its id.
    pub id: AdministratorId,
    /// Unique over the installation, 1–128 characters.
    pub username: String,
    /// E-mail address; empty: none.
    pub email: String,
    /// Given name; may be empty.
    pub first_name: String,
    /// Family name; may be empty.
    pub last_name: String,
    /// The password in its slow, stored form; `None`: a directory made them, and they have none.
    pub password: Option<StoredPassword>,
    /// False until an invited administrator has set a password of their own.
    pub activated: bool,
    /// False: a directory deactivated them, and nothing that they show is accepted.
    pub active: bool,
    /// The policy that bounds whatever their roles grant; `None`: nothing does.
    pub boundary: Option<PermissionPolicyId>,
    /// True for the first administrator, who cannot be deleted or lose the role.
    pub initial: bool,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they last changed.
    pub updated_at: Timestamp,
}

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    /// The slow hash, PHC string format (argon2id).
    pub hash: String,
    /// True: it must be changed before anything else works.
    pub one_time: bool,
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredPassword").field("one_time", &self.one_time).finish_non_exhaustive()
    }
}

/// Which administrators a list shows.
#[derive(Clone, Debug, Default)]
pub struct AdministratorFilter {
    /// Case-insensitive substring of user name, e-mail, names.
    pub search: Option<String>,
    /// Only those who hold one of these roles.
    pub roles: Option<Vec<RoleId>>,
    /// Only those who are known so.
    pub known_by: Option<KnownBy>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these administrators: what the caller may read.
    pub readable: Readable,
}

/// By which sign-in options administrators are known.
#[derive(Clone, Debug, Default)]
pub struct KnownBy {
    /// Those whom one of these providers knows.
    pub providers: Vec<SignInOptionId>,
    /// Those whom no provider knows.
    pub nobody: bool,
}

/// Why something cannot be done to an administrator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdministratorRefusal {
    /// Names are unique.
    #[error("username {0:?} is taken; choose another")]
    UsernameTaken(String),
    /// Oneself cannot be deleted.
    #[error("you cannot delete yourself; ask another administrator")]
    DeletesSelf,
    /// The first administrator stays.
    #[error("the initial administrator cannot be deleted")]
    DeletesInitial,
    /// The first administrator keeps its role.
    #[error("the initial administrator keeps the role super-admin")]
    DemotesInitial,
    /// The old password is asked for.
    #[error("old_password is required and must be the current password")]
    WrongOldPassword,
    /// A boundary would take away what the role gives.
    #[error("the initial administrator keeps the role super-admin without a permission boundary")]
    BoundsInitial,
    /// An assignment names what is not there.
    #[error("role_id {0:?} does not exist")]
    UnknownRole(String),
    /// An assignment names one role twice.
    #[error("role_id {0} is given twice; name its scopes together")]
    RoleTwice(RoleId),
    /// A scope names what is not there.
    #[error("scopes name the gateway group {0}, which does not exist")]
    UnknownScope(GatewayGroupId),
    /// A boundary names what is not there.
    #[error("permission_policy_id {0:?} does not exist")]
    UnknownBoundary(String),
    /// A change must change.
    #[error("new_password must differ from the current password")]
    SamePassword,
}

impl Refusal for AdministratorRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UsernameTaken(_)
            | Self::DeletesSelf
            | Self::DeletesInitial
            | Self::DemotesInitial
            | Self::BoundsInitial => RefusalKind::Conflict,
            _ => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UsernameTaken(_) => "username_taken",
            Self::DeletesSelf => "deletes_self",
            Self::DeletesInitial => "deletes_initial_administrator",
            Self::DemotesInitial => "demotes_initial_administrator",
            Self::BoundsInitial => "bounds_initial_administrator",
            Self::UnknownRole(_) => "unknown_role",
            Self::RoleTwice(_) => "role_twice",
            Self::UnknownScope(_) => "unknown_scope",
            Self::UnknownBoundary(_) => "unknown_permission_policy",
            Self::WrongOldPassword => "wrong_old_password",
            Self::SamePassword => "same_password",
        }
    }
}

/// Checks a password's or user name's length as the wire contract has it: 1–128 characters, no NUL.
pub fn sign_in_text(field: &str, text: &str) -> Result<String, crate::text::Invalid> {
    if text.is_empty() {
        return Err(crate::text::Invalid::new(field, "is required"));
    }
    crate::text::free(field, text, 128)
}

/// Checks a user name: 1–128 characters, neither colons, which end it in HTTP Basic, nor control characters.
pub fn username(field: &str, text: &str) -> Result<String, crate::text::Invalid> {
    let name = sign_in_text(field, text)?;
    if crate::text::has_control(&name) || name.contains(':') {
        return Err(crate::text::Invalid::new(field, "must not hold colons or control characters"));
    }
    Ok(name)
}

impl Administrator {
    /// One that is made now: active, not activated yet, with nothing but a user name.
    pub fn new(id: AdministratorId, username: String, now: Timestamp) -> Self {
        Self {
            id,
            username,
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            password: None,
            activated: false,
            active: true,
            boundary: None,
            initial: false,
            created_at: now,
            updated_at: now,
        }
    }

    /// What people call them: given and family name where there are any, else the user name.
    pub fn display_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        if name.trim().is_empty() { self.username.clone() } else { name.trim().to_owned() }
    }

    /// Whether a one-time password must be changed first.
    pub fn must_change_password(&self) -> bool {
        self.password.as_ref().is_some_and(|password| password.one_time)
    }

    /// Whether `by` may delete this administrator.
    pub fn deletable_by(&self, by: Option<&AdministratorId>) -> Result<(), AdministratorRefusal> {
        if self.initial {
            return Err(AdministratorRefusal::DeletesInitial);
        }
        if by == Some(&self.id) {
            return Err(AdministratorRefusal::DeletesSelf);
        }
        Ok(())
    }

    /// Whether this administrator may hold exactly `roles` from now on: each role once, and the first administrator
    /// keeps `super-admin`, in every gateway group.
    pub fn check_roles(&self, roles: &[AssignedRole]) -> Result<(), AdministratorRefusal> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = roles.iter().find(|role| !seen.insert(&role.role_id)) {
            return Err(AdministratorRefusal::RoleTwice(twice.role_id.clone()));
        }
        if self.initial && !roles.contains(&AssignedRole::super_admin()) {
            return Err(AdministratorRefusal::DemotesInitial);
        }
        Ok(())
    }

    /// This administrator within `boundary`.
    pub fn bounded(
        mut self,
        boundary: Option<PermissionPolicyId>,
        now: Timestamp,
    ) -> Result<Self, AdministratorRefusal> {
        if self.initial && boundary.is_some() {
            return Err(AdministratorRefusal::BoundsInitial);
        }
        self.boundary = boundary;
        self.updated_at = now;
        Ok(self)
    }
}
