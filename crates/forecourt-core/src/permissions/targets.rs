//! What actions act on, and how policies write it.

use crate::ids::{
    AdministratorId, DcrProviderId, DeveloperId, GatewayGroupId, PermissionPolicyId, PortalId, ProductId,
    RoleId, ServiceId,
};

/// What an action acts on. `None` in the last place is `*`: something that is only being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A gateway group, and what belongs to it as a whole.
    GatewayGroup(Option<&'a GatewayGroupId>),
    /// A consumer of a group, by user name.
    Consumer(&'a GatewayGroupId, Option<&'a str>),
    /// A service of a group.
    PublishedService(&'a GatewayGroupId, Option<&'a ServiceId>),
    /// Where nodes find the control plane.
    GatewaySetting,
    /// An administrator.
    User(Option<&'a AdministratorId>),
    /// A role.
    Role(Option<&'a RoleId>),
    /// A permission policy.
    PermissionPolicy(Option<&'a PermissionPolicyId>),
    /// Settings of the whole installation.
    Organization,
    /// A portal, and what belongs to it as a whole.
    Portal(Option<&'a PortalId>),
    /// A product of a portal.
    ApiProduct(&'a PortalId, Option<&'a ProductId>),
    /// A developer of a portal, by our own id.
    Developer(&'a PortalId, Option<&'a DeveloperId>),
    /// A DCR provider.
    DcrProvider(Option<&'a DcrProviderId>),
}

impl<'a> Target<'a> {
    /// The name that policies match: `arn:api7:portal:portal/prt_…/apiproduct/*`.
    pub fn arn(self) -> String {
        let or_new = |id: Option<&str>| id.unwrap_or("*").to_owned();
        let path = match self {
            Self::GatewayGroup(id) => {
                format!("gateway:gatewaygroup/{}", or_new(id.map(GatewayGroupId::as_str)))
            }
            Self::Consumer(group, username) => {
                format!("gateway:gatewaygroup/{group}/consumer/{}", or_new(username))
            }
            Self::PublishedService(group, id) => {
                format!("gateway:gatewaygroup/{group}/publishedservice/{}", or_new(id.map(ServiceId::as_str)))
            }
            Self::GatewaySetting => "gateway:gatewaysetting/*".to_owned(),
            Self::User(id) => format!("iam:user/{}", or_new(id.map(AdministratorId::as_str))),
            Self::Role(id) => format!("iam:role/{}", or_new(id.map(RoleId::as_str))),
            Self::PermissionPolicy(id) => {
                format!("iam:permissionpolicy/{}", or_new(id.map(PermissionPolicyId::as_str)))
            }
            Self::Organization => "iam:organization/*".to_owned(),
            Self::Portal(id) => format!("portal:portal/{}", or_new(id.map(PortalId::as_str))),
            Self::ApiProduct(portal, id) => {
                format!("portal:portal/{portal}/apiproduct/{}", or_new(id.map(ProductId::as_str)))
            }
            Self::Developer(portal, id) => {
                format!("portal:portal/{portal}/developer/{}", or_new(id.map(DeveloperId::as_str)))
            }
            Self::DcrProvider(id) => {
                format!("portal:dcrprovider/{}", or_new(id.map(DcrProviderId::as_str)))
            }
        };
        format!("arn:api7:{path}")
    }

    /// The gateway group that it is, or is in.
    pub const fn gateway_group(self) -> Option<&'a GatewayGroupId> {
        match self {
            Self::GatewayGroup(group) => group,
            Self::Consumer(group, _) | Self::PublishedService(group, _) => Some(group),
            _ => None,
        }
    }
}
