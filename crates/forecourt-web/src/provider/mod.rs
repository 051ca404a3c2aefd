//! The Provider console, one file per noun.

pub mod activities;
pub mod administrators;
pub mod applications;
pub mod approval_links;
pub mod approvals;
pub mod audit_logs;
pub mod certificates;
pub mod consumers;
pub mod contact_points;
pub mod dcr_providers;
pub mod deliveries;
pub mod developers;
pub mod gateway;
mod handlers;
pub mod instance_tokens;
pub mod nodes;
pub mod notifications;
pub mod overview;
pub mod passwords;
pub mod permission_policies;
pub mod plans;
pub mod plugins;
pub mod portals;
pub mod products;
pub mod provisioning;
pub mod receipts;
pub mod roles;
pub mod sign_in;
pub mod sign_in_options;
pub mod smtp_servers;
pub mod tokens;

pub use handlers::router;

use crate::samples::{AnySample, of};

/// Every sample of this site's own pages.
pub fn samples() -> Vec<AnySample> {
    let mut all = [
        of::<sign_in::SignIn>(),
        of::<sign_in::NoRole>(),
        of::<passwords::FirstPassword>(),
        of::<passwords::PasswordChange>(),
        of::<overview::Overview>(),
        of::<portals::PortalList>(),
        of::<portals::NewPortal>(),
        of::<portals::PortalSettings>(),
        of::<products::ProductList>(),
        of::<products::ProductForm>(),
        of::<products::ProductPage>(),
        of::<plans::PlanForm>(),
        of::<applications::ApplicationList>(),
        of::<applications::ApplicationPage>(),
        of::<applications::Suspension>(),
        of::<approvals::Inbox>(),
        of::<approvals::Reject>(),
        of::<developers::DeveloperList>(),
        of::<developers::Invite>(),
        of::<developers::Invited>(),
        of::<developers::DeveloperPage>(),
        of::<gateway::GroupList>(),
        of::<gateway::NewGroup>(),
        of::<gateway::GroupPage>(),
        of::<gateway::NewService>(),
        of::<gateway::ServicePage>(),
        of::<gateway::NewRoute>(),
        of::<gateway::ServiceDocument>(),
        of::<nodes::NodeList>(),
        of::<nodes::NodePage>(),
        of::<receipts::ReceiptPage>(),
        of::<instance_tokens::InstanceTokenList>(),
        of::<instance_tokens::NewInstanceToken>(),
        of::<instance_tokens::InstanceTokenShown>(),
        of::<plugins::PluginsForm>(),
        of::<plugins::RuleList>(),
        of::<certificates::CertificateList>(),
        of::<certificates::CertificateForm>(),
        of::<consumers::ConsumerList>(),
        of::<consumers::ConsumerForm>(),
        of::<consumers::ConsumerPage>(),
        of::<consumers::CredentialForm>(),
        of::<tokens::TokenList>(),
        of::<tokens::NewToken>(),
        of::<tokens::TokenShown>(),
    ]
    .concat();
    all.extend(samples_of_settings());
    all
}

/// Those of the pages for people, what they may do, and the settings of portals and of the installation.
fn samples_of_settings() -> Vec<AnySample> {
    [
        of::<sign_in_options::SignInOptionList>(),
        of::<sign_in_options::SignInOptionForm>(),
        of::<smtp_servers::SmtpServerForm>(),
        of::<contact_points::ContactPointList>(),
        of::<contact_points::ContactPointForm>(),
        of::<contact_points::SigningSecretShown>(),
        of::<deliveries::DeliveryList>(),
        of::<deliveries::DeliveryPage>(),
        of::<approval_links::ApprovalLinkPage>(),
        of::<approval_links::UnknownApprovalLink>(),
        of::<notifications::NotificationForm>(),
        of::<dcr_providers::DcrProviderList>(),
        of::<dcr_providers::DcrProviderForm>(),
        of::<provisioning::ScimSettings>(),
        of::<provisioning::ScimTokenShown>(),
        of::<audit_logs::AuditLog>(),
        of::<audit_logs::AuditRecordPage>(),
        of::<administrators::AdministratorList>(),
        of::<administrators::AdministratorPage>(),
        of::<administrators::InviteAdministrator>(),
        of::<administrators::OneTimePassword>(),
        of::<administrators::RoleAssignment>(),
        of::<administrators::BoundaryForm>(),
        of::<roles::RoleList>(),
        of::<roles::RolePage>(),
        of::<roles::RoleForm>(),
        of::<roles::PolicyAttachment>(),
        of::<permission_policies::PermissionPolicyList>(),
        of::<permission_policies::PermissionPolicyPage>(),
        of::<permission_policies::PermissionPolicyForm>(),
    ]
    .concat()
}
