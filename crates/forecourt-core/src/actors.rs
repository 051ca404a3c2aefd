//! Who acts, from where, and what they may do.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use crate::{
    audit_logs::Journal,
    ids::{
        AdministratorId, ApprovalId, DeveloperId, DeveloperName, GatewayGroupId, PersonId, PortalId,
        RequestId,
    },
    impacts::Preview,
    permissions::{Action, Authority, Target},
};

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person on the provider side.
    Administrator {
        /// Who.
        id: AdministratorId,
        /// Their user name.
        username: String,
        /// What they may do, as it was when the call was proved.
        authority: Authority,
    },
    /// A holder of a gateway group's admin key.
    GatewayGroupKey(GatewayGroupId),
    /// A front end that speaks for a whole portal.
    PortalFrontEnd(PortalId),
    /// A developer of a portal.
    Developer {
        /// The portal.
        portal_id: PortalId,
        /// Which developer.
        id: DeveloperId,
        /// Its public id.
        name: DeveloperName,
        /// The signed-in person who acts for it, on our own site.
        person_id: Option<PersonId>,
    },
    /// A directory that provisions administrators by SCIM.
    Directory,
    /// A directory that provisions the people of a portal's site by SCIM.
    PortalDirectory(PortalId),
    /// Whoever holds a link, sent by mail, that decides this approval.
    ApprovalLink(ApprovalId),
    /// Somebody who looks at a portal without being known.
    Guest(PortalId),
    /// Forecourt itself.
    System,
}

named! {
    /// Through which door a call came.
    pub enum Source {
        /// The Provider console.
        Console = "console",
        /// The Admin API.
        AdminApi = "admin_api",
        /// The Portal API.
        PortalApi = "portal_api",
        /// The Developer Portal site.
        Site = "site",
        /// The command line.
        CommandLine = "command_line",
        /// A background job.
        Job = "job",
    }
}

/// One call: who, through which door, from where.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// Through which door.
    pub source: Source,
    /// The request that carries it.
    pub request_id: RequestId,
    /// The client's address as text, where there is one.
    pub address: Option<String>,
    /// Where a use case notes the revision that its change made.
    pub receipt: Receipt,
    /// Set where nothing may change, and only what would is wanted.
    pub preview: Option<Preview>,
    /// What the audit log will tell of the call.
    pub journal: Journal,
}

/// The revision that a call's change made for gateways; shared by all who hold the same call.
#[derive(Clone, Debug, Default)]
pub struct Receipt(Arc<AtomicI64>);

impl Receipt {
    /// Notes a revision; the highest stays.
    pub fn note(&self, revision: i64) {
        self.0.fetch_max(revision, Ordering::Relaxed);
    }

    /// The noted revision, where there is one.
    pub fn revision(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|revision| *revision > 0)
    }
}

impl Caller {
    /// Forecourt itself, in a background job or at the command line.
    pub fn system(source: Source, request_id: RequestId) -> Self {
        Self {
            actor: Actor::System,
            source,
            request_id,
            address: None,
            receipt: Receipt::default(),
            preview: None,
            journal: Journal::default(),
        }
    }

    /// The same call, which changes nothing and notes what it would have hit.
    pub fn previewing(&self) -> (Self, Preview) {
        let preview = Preview::default();
        (Self { preview: Some(preview.clone()), ..self.clone() }, preview)
    }

    /// The same call by somebody else.
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }
}

impl Actor {
    /// Whether this actor may do `action` to `resource`, as somebody on the provider side. What front ends and
    /// developers may do follows from what they are, and is not asked here.
    pub fn may(&self, action: Action, resource: Target<'_>) -> bool {
        match self {
            Self::Administrator { authority, .. } => authority.allows(action, resource),
            Self::GatewayGroupKey(own) => {
                action != Action::DeleteGatewayGroup && resource.gateway_group() == Some(own)
            }
            Self::System => true,
            Self::PortalFrontEnd(_)
            | Self::Developer { .. }
            | Self::Directory
            | Self::PortalDirectory(_)
            | Self::ApprovalLink(_)
            | Self::Guest(_) => false,
        }
    }

    /// The portal that this actor is confined to, where it is.
    pub const fn portal(&self) -> Option<&PortalId> {
        match self {
            Self::PortalFrontEnd(portal) | Self::PortalDirectory(portal) | Self::Guest(portal) => {
                Some(portal)
            }
            Self::Developer { portal_id, .. } => Some(portal_id),
            Self::Administrator { .. }
            | Self::GatewayGroupKey(_)
            | Self::Directory
            | Self::ApprovalLink(_)
            | Self::System => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_key_acts_on_its_own_group_and_on_nothing_else() {
        let own = GatewayGroupId::known("grp_a");
        let other = GatewayGroupId::known("grp_b");
        let key = Actor::GatewayGroupKey(own.clone());
        assert!(key.may(Action::UpdateGatewayGroup, Target::GatewayGroup(Some(&own))));
        assert!(key.may(Action::CreateConsumer, Target::Consumer(&own, None)));
        assert!(!key.may(Action::DeleteGatewayGroup, Target::GatewayGroup(Some(&own))));
        assert!(!key.may(Action::GetGatewayGroup, Target::GatewayGroup(Some(&other))));
        assert!(!key.may(Action::CreateGatewayGroup, Target::GatewayGroup(None)));
        assert!(!key.may(Action::GetPortal, Target::Portal(None)));
    }

    #[test]
    fn an_administrator_without_a_role_may_do_nothing() {
        let ann = Actor::Administrator {
            id: AdministratorId::known("usr_1"),
            username: "ann".into(),
            authority: Authority::default(),
        };
        for action in Action::ALL {
            assert!(!ann.may(*action, Target::Portal(None)), "{}", action.name());
        }
    }
}
