//! Roles of administrators: named bundles of permission policies. The role `super-admin` is built in.
//!
//! Invariant: a built-in role never changes, and a role that somebody holds is not deleted.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{GatewayGroupId, PermissionPolicyId, RoleId},
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// 1–100 characters.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// Whether it came with the installation and stays as it is.
    pub built_in: bool,
    /// The ids of its policies, in the order in which they were attached.
    pub policies: Vec<PermissionPolicyId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed, its policies included.
    pub updated_at: Timestamp,
}

/// What a create or an update gives; absent members but the name stay as they are.
#[derive(Clone, Debug, Default)]
pub struct RoleInput {
    /// Required, on updates too.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Replaces all labels.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Which roles a list shows.
#[derive(Clone, Debug, Default)]
pub struct RoleFilter {
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these roles: what the caller may read.
    pub readable: Readable,
}

/// A role that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssignedRole {
    /// Which.
    pub role_id: RoleId,
    /// The gateway groups to which its `gateway:` permissions are narrowed; empty: all.
    pub scopes: BTreeSet<GatewayGroupId>,
}

impl AssignedRole {
    /// The role `super-admin`, not narrowed.
    pub fn super_admin() -> Self {
        Self { role_id: RoleId::super_admin(), scopes: BTreeSet::new() }
    }
}

impl Role {
    /// A new role without policies.
    pub fn new(id: RoleId, input: RoleInput, now: Timestamp) -> Result<Self, Invalid> {
        let blank = Self {
            id,
            name: String::new(),
            desc: String::new(),
            labels: Labels::default(),
            built_in: false,
            policies: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        blank.changed(input, now)
    }

    /// This role with what `input` gives; whoever calls it has asked [`Role::check_custom`].
    pub fn changed(mut self, input: RoleInput, now: Timestamp) -> Result<Self, Invalid> {
        self.name = text::name("name", &input.name.unwrap_or_default(), text::NAME)?;
        if let Some(desc) = input.desc {
            self.desc = text::free("desc", &desc, text::DESC)?;
        }
        if let Some(labels) = input.labels {
            self.labels = Labels::new(labels)?;
        }
        self.updated_at = now;
        Ok(self)
    }

    /// This role with these policies too; those that it has stay where they are.
    pub fn with(mut self, policies: &[PermissionPolicyId], now: Timestamp) -> Result<Self, RoleRefusal> {
        self.check_custom()?;
        for policy in policies {
            if !self.policies.contains(policy) {
                self.policies.push(policy.clone());
            }
        }
        if self.policies.len() > Self::MOST_POLICIES {
            return Err(RoleRefusal::TooManyPolicies);
        }
        self.updated_at = now;
        Ok(self)
    }

    /// This role without these policies.
    pub fn without(mut self, policies: &[PermissionPolicyId], now: Timestamp) -> Result<Self, RoleRefusal> {
        self.check_custom()?;
        self.policies.retain(|policy| !policies.contains(policy));
        self.updated_at = now;
        Ok(self)
    }

    /// Refused for a built-in role.
    pub const fn check_custom(&self) -> Result<(), RoleRefusal> {
        if self.built_in { Err(RoleRefusal::BuiltIn) } else { Ok(()) }
    }

    /// The most policies that one role may have.
    pub const MOST_POLICIES: usize = 100;
}

/// Why a role cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleRefusal {
    /// It stays as it is.
    #[error("a built-in role can be neither changed nor deleted; make a role of your own")]
    BuiltIn,
    /// Somebody holds it.
    #[error("role {role:?} is held by {holders} administrators; take it from them first")]
    InUse {
        /// Its name.
        role: String,
        /// How many hold it, at least 1.
        holders: u64,
    },
    /// A list names what is not there.
    #[error("permission policy {0:?} does not exist")]
    UnknownPolicy(String),
    /// Each role of somebody costs at every call.
    #[error("a role has at most 100 permission policies; put several statements into one")]
    TooManyPolicies,
}

impl Refusal for RoleRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UnknownPolicy(_) | Self::TooManyPolicies => RefusalKind::Invalid,
            Self::BuiltIn | Self::InUse { .. } => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BuiltIn => "built_in_role",
            Self::InUse { .. } => "role_in_use",
            Self::UnknownPolicy(_) => "unknown_permission_policy",
            Self::TooManyPolicies => "too_many_permission_policies",
        }
    }
}
