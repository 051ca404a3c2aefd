//! What one administrator may do: the policies of their roles with scopes, and the boundary over all of them.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use super::{
    Action, Namespace, Policy, Target,
    policies::{Opinion, Outlook},
};
use crate::{ids::GatewayGroupId, labels::Labels};

/// One assigned role.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// Its policies.
    pub policies: Vec<Policy>,
    /// The gateway groups to which its `gateway:` permissions are narrowed; empty: not narrowed.
    pub scopes: BTreeSet<GatewayGroupId>,
}

/// What somebody may do. Cheap to clone; `Default`: nothing.
#[derive(Clone, Default)]
pub struct Authority(Arc<Parts>);

#[derive(Default)]
struct Parts {
    is_unlimited: bool,
    grants: Vec<Grant>,
    boundary: Option<Policy>,
    labels: HashMap<GatewayGroupId, Labels>,
}

/// How far an action is allowed over all resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On every resource.
    Everything,
    /// On some, or on none after all: each must be asked about.
    Some,
    /// On none.
    Nothing,
}

impl Authority {
    /// Everything, on every resource.
    pub fn everything() -> Self {
        Self(Arc::new(Parts { is_unlimited: true, ..Parts::default() }))
    }

    /// What `grants` allow within `boundary`. `labels` are those of all gateway groups, where a policy needs them.
    pub fn new(
        grants: Vec<Grant>,
        boundary: Option<Policy>,
        labels: HashMap<GatewayGroupId, Labels>,
    ) -> Self {
        let mut parts = Parts { is_unlimited: false, grants, boundary, labels };
        parts.is_unlimited = Action::ALL.iter().all(|action| parts.reach(*action) == Reach::Everything);
        Self(Arc::new(parts))
    }

    /// Whether every action is allowed on every resource.
    pub fn is_unlimited(&self) -> bool {
        self.0.is_unlimited
    }

    /// Whether no action is allowed on anything.
    pub fn is_empty(&self) -> bool {
        Action::ALL.iter().all(|action| self.reach(*action) == Reach::Nothing)
    }

    /// Whether `action` is allowed on `resource`.
    pub fn allows(&self, action: Action, resource: Target<'_>) -> bool {
        self.0.is_unlimited || self.0.allows(action, resource)
    }

    /// How far `action` is allowed, without asking about each resource.
    pub fn reach(&self, action: Action) -> Reach {
        if self.0.is_unlimited { Reach::Everything } else { self.0.reach(action) }
    }
}

impl Parts {
    fn allows(&self, action: Action, resource: Target<'_>) -> bool {
        let arn = resource.arn();
        let group = resource.gateway_group();
        let nothing = Labels::default();
        let labels = group.and_then(|group| self.labels.get(group)).unwrap_or(&nothing);
        let opinion = |policy: &Policy| policy.opinion(action, &arn, labels);
        let mut allowed = false;
        for grant in &self.grants {
            let in_scope = action.namespace() != Namespace::Gateway
                || grant.scopes.is_empty()
                || group.is_some_and(|group| grant.scopes.contains(group));
            for Opinion { allows, denies } in grant.policies.iter().map(opinion) {
                // A scope narrows what a role gives. What it denies it denies everywhere.
                if denies {
                    return false;
                }
                allowed |= allows && in_scope;
            }
        }
        match &self.boundary {
            Some(boundary) => allowed && opinion(boundary) == Opinion { allows: true, denies: false },
            None => allowed,
        }
    }

    fn reach(&self, action: Action) -> Reach {
        let (mut some, mut all, mut limited, mut none) = (false, false, false, false);
        for grant in &self.grants {
            let is_narrowed = action.namespace() == Namespace::Gateway && !grant.scopes.is_empty();
            for Outlook { allows_some, allows_all, denies_some, denies_all } in
                grant.policies.iter().map(|policy| policy.outlook(action))
            {
                some |= allows_some;
                all |= allows_all && !is_narrowed;
                limited |= denies_some;
                none |= denies_all;
            }
        }
        if let Some(boundary) = self.boundary.as_ref().map(|boundary| boundary.outlook(action)) {
            some &= boundary.allows_some;
            limited |= !boundary.allows_all || boundary.denies_some;
            none |= boundary.denies_all;
        }
        match (some && !none, all && !limited) {
            (false, _) => Reach::Nothing,
            (true, true) => Reach::Everything,
            (true, false) => Reach::Some,
        }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("is_unlimited", &self.0.is_unlimited).finish_non_exhaustive()
    }
}

impl PartialEq for Authority {
    /// Whether both are the same one, or both allow everything; two that were made apart count as different.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.is_unlimited && other.0.is_unlimited
    }
}

impl Eq for Authority {}
