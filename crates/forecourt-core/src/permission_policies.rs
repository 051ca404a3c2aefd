//! Permission policies as objects that are kept, attached to roles and set as boundaries.
//!
//! What a document says is decided in [`crate::permissions`]. A built-in policy never changes, and one that a role or
//! a boundary uses is not deleted.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    ids::PermissionPolicyId,
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    permissions::PolicyDocument,
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

/// A permission policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionPolicy {
    /// Its id.
    pub id: PermissionPolicyId,
    /// 1–100 characters.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// What it allows and denies.
    pub document: PolicyDocument,
    /// Whether it came with the installation and stays as it is.
    pub built_in: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or an update gives; on updates absent members but the name stay as they are.
#[derive(Clone, Debug, Default)]
pub struct PermissionPolicyInput {
    /// Required, on updates too.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Replaces all labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Required on create.
    pub document: Option<Value>,
}

/// Which policies a list shows.
#[derive(Clone, Debug, Default)]
pub struct PermissionPolicyFilter {
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only these policies: what the caller may read.
    pub readable: Readable,
}

impl PermissionPolicy {
    /// A new policy.
    pub fn new(
        id: PermissionPolicyId,
        mut input: PermissionPolicyInput,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let name = text::name("name", &input.name.clone().unwrap_or_default(), text::NAME)?;
        let document = input.document.take().ok_or_else(|| Invalid::new("policy_document", "is required"))?;
        let blank = Self {
            id,
            name,
            desc: String::new(),
            labels: Labels::default(),
            document: PolicyDocument::new(document)?,
            built_in: false,
            created_at: now,
            updated_at: now,
        };
        blank.changed(input, now)
    }

    /// This policy with what `input` gives; whoever calls it has asked [`PermissionPolicy::check_custom`].
    pub fn changed(mut self, input: PermissionPolicyInput, now: Timestamp) -> Result<Self, Invalid> {
        self.name = text::name("name", &input.name.unwrap_or_default(), text::NAME)?;
        if let Some(desc) = input.desc {
            self.desc = text::free("desc", &desc, text::DESC)?;
        }
        if let Some(labels) = input.labels {
            self.labels = Labels::new(labels)?;
        }
        if let Some(document) = input.document {
            self.document = PolicyDocument::new(document)?;
        }
        self.updated_at = now;
        Ok(self)
    }

    /// Refused for a built-in policy.
    pub const fn check_custom(&self) -> Result<(), PermissionPolicyRefusal> {
        if self.built_in { Err(PermissionPolicyRefusal::BuiltIn) } else { Ok(()) }
    }
}

/// Why a policy cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionPolicyRefusal {
    /// It stays as it is.
    #[error("a built-in permission policy can be neither changed nor deleted; make one of your own")]
    BuiltIn,
    /// A role has it.
    #[error("permission policy {policy:?} is attached to the role {role:?}; detach it first")]
    Attached {
        /// Its name.
        policy: String,
        /// The role's name.
        role: String,
    },
    /// It is somebody's boundary.
    #[error("permission policy {policy:?} is the permission boundary of {username:?}; change that first")]
    Bounds {
        /// Its name.
        policy: String,
        /// The administrator's user name.
        username: String,
    },
}

impl Refusal for PermissionPolicyRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BuiltIn => "built_in_permission_policy",
            Self::Attached { .. } => "permission_policy_attached",
            Self::Bounds { .. } => "permission_policy_bounds",
        }
    }
}
