//! Ids: one type per kind, from one list.
//!
//! An issued id is a short kind prefix, `_`, and a UUIDv7 (RFC 9562 §5.7) as 32 lower-case hex digits, so it
//! sorts by creation and never looks like a number. Some ids are chosen by callers ([`is_chosen_id`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{random::Random, time::Timestamp};

/// Whether `text` may be an id chosen by a caller: `[a-zA-Z0-9-_.]`, 1 to 256 characters.
pub fn is_chosen_id(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn issue(prefix: &str, now: Timestamp, random: &mut dyn Random) -> String {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let mut low = [0u8; 16];
    random.fill(&mut low);
    let bits = (u128::from(millis) << 80) | (u128::from_be_bytes(low) & ((1 << 80) - 1));
    let versioned = (bits & !(0xf << 76)) | (0x7 << 76);
    let varied = (versioned & !(0x3 << 62)) | (0x2 << 62);
    format!("{prefix}_{varied:032x}")
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// The kind prefix of issued ids.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id: `PREFIX_` and a UUIDv7 of `now` and 74 random bits.
            pub fn issue(now: Timestamp, random: &mut dyn Random) -> Self {
                Self(issue(Self::PREFIX, now, random).into())
            }

            /// The id that `text` names, or `None` where it cannot be one (see [`is_chosen_id`]).
            pub fn parse(text: &str) -> Option<Self> {
                is_chosen_id(text).then(|| Self(text.into()))
            }

            /// An id read back from our own storage, or a built-in name such as `default`.
            pub fn known(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A portal.
    PortalId "prt"
    /// A portal token.
    PortalTokenId "ptk"
    /// An administrator (a "user" of the Admin API).
    AdministratorId "usr"
    /// An administrator's access token.
    AdminTokenId "atk"
    /// A role of administrators.
    RoleId "rol"
    /// A permission policy.
    PermissionPolicyId "pol"
    /// A gateway group.
    GatewayGroupId "grp"
    /// A token with which a gateway node joins its group.
    InstanceTokenId "itk"
    /// A gateway service; may be chosen by the caller.
    ServiceId "svc"
    /// A further upstream of a service; may be chosen by the caller, unique within its service.
    UpstreamId "ups"
    /// A gateway route; may be chosen by the caller.
    RouteId "rte"
    /// A certificate of a gateway group; may be chosen by the caller.
    CertificateId "ssl"
    /// A credential of a consumer; unique within it, and may be chosen by the caller.
    ConsumerCredentialId "ccr"
    /// A global rule or a stream route; may be chosen by the caller, unique within its gateway group.
    GroupObjectId "gro"
    /// An API product.
    ProductId "prd"
    /// A plan of an API product.
    PlanId "pln"
    /// A developer, as we know it (the caller's own name for it is [`DeveloperName`]).
    DeveloperId "dev"
    /// A developer's public id, `developer_id` on the wire: chosen by the Portal API's caller, or issued.
    DeveloperName "org"
    /// A human account of a portal's site.
    PersonId "per"
    /// An organization.
    OrganizationId "ogn"
    /// An application.
    ApplicationId "app"
    /// A credential.
    CredentialId "crd"
    /// One version of a credential's secret.
    CredentialVersionId "cvr"
    /// A subscription.
    SubscriptionId "sub"
    /// An approval.
    ApprovalId "apv"
    /// A DCR provider.
    DcrProviderId "dcr"
    /// An OAuth client that is to be removed at its provider.
    DcrRemovalId "rmv"
    /// A contact point.
    ContactPointId "ctp"
    /// A message to one recipient.
    DeliveryId "dlv"
    /// An event.
    EventId "evt"
    /// A record of the audit log.
    AuditRecordId "aud"
    /// A gateway node.
    NodeId "nod"
    /// An incoming request, for logs and events.
    RequestId "req"
    /// A sign-in option.
    SignInOptionId "sio"
}

impl RoleId {
    /// The built-in role that may do everything.
    pub fn super_admin() -> Self {
        Self::known("super-admin")
    }
}

impl SignInOptionId {
    /// The administrators' built-in option.
    pub fn administrators() -> Self {
        Self::known("built_in")
    }
}

impl PermissionPolicyId {
    /// The built-in policy that allows everything.
    pub fn super_admin() -> Self {
        Self::known("super-admin-permission-policy")
    }
}

impl GatewayGroupId {
    /// The group that exists from the start, by id and by name.
    pub fn default_group() -> Self {
        Self::known("default")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);
    impl Random for Same {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn an_issued_id_is_a_prefix_and_a_version_7_uuid() {
        let id = ApplicationId::issue(Timestamp::from_seconds(1_786_060_800), &mut Same(0xff));
        assert_eq!(id.as_str(), "app_019fd98500007fffbfffffffffffffff");
        assert_eq!(ApplicationId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let earlier = PortalId::issue(Timestamp::from_seconds(10), &mut Same(0xff));
        let later = PortalId::issue(Timestamp::from_seconds(11), &mut Same(0));
        assert!(earlier < later);
    }

    #[test]
    fn an_id_outside_the_pattern_is_no_id() {
        for text in ["", "a b", "a/b", "ä", &"x".repeat(257)] {
            assert_eq!(ServiceId::parse(text), None, "{text:?}");
        }
        assert!(ServiceId::parse(&"x".repeat(256)).is_some());
    }
}
