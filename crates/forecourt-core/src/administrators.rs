//! Administrators: people on the provider side. The first is `admin`, with a one-time password.

use crate::{
    ids::AdministratorId,
    lists::{Order, Paging, TimeOrder},
    refusals::{Refusal, RefusalKind},
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
    /// The password in its slow, stored form.
    pub password: StoredPassword,
    /// False until an invited administrator has set a password of their own.
    pub activated: bool,
    /// Whether they hold the role `super-admin`.
    pub super_admin: bool,
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
    /// Only those who hold (`true`) or lack (`false`) the role `super-admin`.
    pub super_admin: Option<bool>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
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
    /// A change must change.
    #[error("new_password must differ from the current password")]
    SamePassword,
}

impl Refusal for AdministratorRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::WrongOldPassword | Self::SamePassword => RefusalKind::Invalid,
            _ => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UsernameTaken(_) => "username_taken",
            Self::DeletesSelf => "deletes_self",
            Self::DeletesInitial => "deletes_initial_administrator",
            Self::DemotesInitial => "demotes_initial_administrator",
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

impl Administrator {
    /// What people call them: given and family name where there are any, else the user name.
    pub fn display_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        if name.trim().is_empty() { self.username.clone() } else { name.trim().to_owned() }
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

    /// This administrator with or without the role `super-admin`.
    pub fn with_super_admin(
        mut self,
        super_admin: bool,
        now: Timestamp,
    ) -> Result<Self, AdministratorRefusal> {
        if self.initial && !super_admin {
            return Err(AdministratorRefusal::DemotesInitial);
        }
        self.super_admin = super_admin;
        self.updated_at = now;
        Ok(self)
    }
}
