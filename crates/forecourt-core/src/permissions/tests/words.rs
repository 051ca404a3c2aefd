//! The words that policies use, written out: whoever keeps policies elsewhere relies on each of them.

use std::collections::BTreeSet;

use crate::{
    ids::{GatewayGroupId, PermissionPolicyId, PortalId, RoleId, ServiceId},
    permissions::{Action, Target},
};

/// Verbs and nouns of the interface, by namespace.
const INTERFACE: [(&str, &str, &[&str]); 21] = [
    ("gateway", "GatewayGroup", &["Get", "Create", "Update", "Delete"]),
    ("gateway", "AdminKey", &["Get"]),
    ("gateway", "GatewayInstance", &["Get", "Create"]),
    ("gateway", "Certificate", &["Get", "Create", "Update", "Delete"]),
    ("gateway", "GlobalPluginRule", &["Get", "Create", "Update", "Delete"]),
    ("gateway", "PluginMetadata", &["Get", "Update", "Delete"]),
    ("gateway", "Consumer", &["Get", "Create", "Update", "Delete"]),
    ("gateway", "PublishedService", &["Get", "Create", "Update", "Delete"]),
    ("gateway", "DeploymentSetting", &["Get", "Update"]),
    ("iam", "User", &["Get", "Invite", "Delete"]),
    ("iam", "CustomRole", &["Create", "Update", "Delete"]),
    ("iam", "PermissionPolicy", &["Get", "Create", "Update", "Delete"]),
    ("iam", "SCIMProvisioning", &["Get", "Update"]),
    ("iam", "LoginOption", &["Get", "Create", "Update", "Delete"]),
    ("iam", "SMTPServer", &["Get", "Update"]),
    ("iam", "ContactPoint", &["Get", "Create", "Update", "Delete"]),
    ("portal", "Portal", &["Get", "Create", "Update", "Delete"]),
    ("portal", "PortalToken", &["Get", "Create", "Update", "Delete"]),
    ("portal", "APIProduct", &["Get", "Create", "Update", "Delete"]),
    ("portal", "Developer", &["Get", "Invite", "Delete"]),
    ("portal", "DCRProvider", &["Get", "Create", "Update", "Delete"]),
];

/// Those of the interface that follow no pattern.
const SINGLE: [&str; 10] = [
    "iam:UpdateUserRole",
    "iam:ResetPassword",
    "iam:GetRole",
    "iam:UpdateLicense",
    "iam:GetAudit",
    "iam:ExportAudits",
    "portal:GetSubscription",
    "portal:DeleteSubscription",
    "portal:GetApproval",
    "portal:ProcessApproval",
];

/// Forecourt's own.
const OWN: [&str; 4] = [
    "gateway:DeleteGatewayInstance",
    "portal:UpdateSubscription",
    "portal:GetApplication",
    "portal:UpdateApplication",
];

#[test]
fn actions_are_called_as_the_interface_calls_them() {
    let patterned = INTERFACE
        .iter()
        .flat_map(|(space, noun, verbs)| verbs.iter().map(move |verb| format!("{space}:{verb}{noun}")));
    let single = SINGLE.iter().chain(&OWN).map(ToString::to_string);
    let wanted: BTreeSet<_> = patterned.chain(single).collect();
    let named: BTreeSet<_> = Action::ALL.iter().map(|action| action.name().to_owned()).collect();
    assert_eq!(wanted.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "unknown to policies");
    assert_eq!(named.difference(&wanted).collect::<Vec<_>>(), Vec::<&String>::new(), "not of the interface");
}

#[test]
fn every_resource_of_the_interface_has_its_name() {
    let (group, service) = (GatewayGroupId::known("default"), ServiceId::known("svc_1"));
    let portal = PortalId::known("prt_a");
    for (target, arn) in [
        (Target::GatewayGroup(Some(&group)), "arn:api7:gateway:gatewaygroup/default"),
        (Target::Consumer(&group, None), "arn:api7:gateway:gatewaygroup/default/consumer/*"),
        (Target::PublishedService(&group, None), "arn:api7:gateway:gatewaygroup/default/publishedservice/*"),
        (
            Target::PublishedService(&group, Some(&service)),
            "arn:api7:gateway:gatewaygroup/default/publishedservice/svc_1",
        ),
        (Target::Role(None), "arn:api7:iam:role/*"),
        (Target::Role(Some(&RoleId::super_admin())), "arn:api7:iam:role/super-admin"),
        (
            Target::PermissionPolicy(Some(&PermissionPolicyId::known("pol_1"))),
            "arn:api7:iam:permissionpolicy/pol_1",
        ),
        (Target::PermissionPolicy(None), "arn:api7:iam:permissionpolicy/*"),
        (Target::Portal(Some(&portal)), "arn:api7:portal:portal/prt_a"),
        (Target::Portal(None), "arn:api7:portal:portal/*"),
        (Target::ApiProduct(&portal, None), "arn:api7:portal:portal/prt_a/apiproduct/*"),
    ] {
        assert_eq!(target.arn(), arn);
    }
}
