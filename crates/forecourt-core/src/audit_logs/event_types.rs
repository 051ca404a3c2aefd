//! What was asked for, in the words of permissions: the action's name without its namespace, `Login` and `Logout`, and
//! words of the same form for what needs no permission.

use std::collections::BTreeSet;

use crate::{events::EventName, permissions::Action};

/// A word of the log and what people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// The word, such as `CreateAPIProduct`.
    pub key: String,
    /// For people, such as `Create API product`.
    pub name: String,
}

/// What no event and no action is called, but an endpoint.
const OTHERS: [&str; 2] = ["Change", "UpdateLicense"];

/// Every event type, by its word.
pub fn all_event_types() -> Vec<EventType> {
    let changing = |action: &&Action| action.reading() != **action;
    let of_actions = Action::ALL.iter().filter(changing).filter_map(|action| action.name().split(':').nth(1));
    let of_events = EventName::ALL.iter().map(|event| event.event_type());
    let words: BTreeSet<&str> = of_actions.chain(of_events).chain(OTHERS).collect();
    words.into_iter().map(|key| EventType { key: key.to_owned(), name: words_of(key) }).collect()
}

/// `CreateAPIProduct` as `Create API product`.
fn words_of(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    let is_upper = |place: usize| letters.get(place).is_some_and(|letter| letter.is_uppercase());
    let is_lower = |place: usize| letters.get(place).is_some_and(|letter| letter.is_lowercase());
    let mut name = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let begins = place > 0 && is_upper(place) && (!is_upper(place - 1) || is_lower(place + 1));
        if begins {
            name.push(' ');
        }
        // A lone capital begins an ordinary word; several are an abbreviation.
        if begins && is_lower(place + 1) {
            name.extend(letter.to_lowercase());
        } else {
            name.push(*letter);
        }
    }
    name
}

impl EventName {
    /// What was asked for where this happened, in the words of the audit log.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::AdministratorSignedIn
            | Self::AdministratorSignInFailed
            | Self::PersonSignedIn
            | Self::PersonSignInFailed => "Login",
            Self::AdministratorSignedOut | Self::PersonSignedOut => "Logout",
            Self::AdministratorPasswordChanged | Self::PersonPasswordChanged => "UpdatePassword",
            Self::AdministratorInvited => "InviteUser",
            Self::AdministratorRenamed => "UpdateProfile",
            Self::AdministratorRolesAssigned | Self::AdministratorBoundaryChanged => "UpdateUserRole",
            Self::AdministratorPasswordReset | Self::PersonPasswordReset | Self::PersonPasswordForgotten => {
                "ResetPassword"
            }
            Self::AdministratorCreated | Self::AdministratorRecognized | Self::AdministratorProvisioned => {
                "CreateUser"
            }
            Self::AdministratorUpdatedByDirectory
            | Self::AdministratorActivated
            | Self::AdministratorDeactivated => "UpdateUser",
            Self::AdministratorDeleted => "DeleteUser",
            Self::AdminTokenCreated => "CreateToken",
            Self::AdminTokenRenamed => "UpdateToken",
            Self::AdminTokenRegenerated => "RegenerateToken",
            Self::AdminTokenDeleted => "DeleteToken",
            Self::RoleCreated => "CreateCustomRole",
            Self::RoleUpdated => "UpdateCustomRole",
            Self::RoleDeleted => "DeleteCustomRole",
            Self::PermissionPolicyCreated => "CreatePermissionPolicy",
            Self::PermissionPolicyUpdated => "UpdatePermissionPolicy",
            Self::PermissionPolicyDeleted => "DeletePermissionPolicy",
            Self::ScimTokenIssued => "UpdateSCIMProvisioning",
            Self::SettingsChanged => "UpdateDeploymentSetting",
            Self::SmtpServerChanged | Self::SmtpServerTried => "UpdateSMTPServer",
            Self::MasterKeyChanged => "RotateMasterKey",
            Self::MasterKeyRetired => "RetireMasterKey",
            Self::MasterKeyAbandoned => "AbandonMasterKey",
            Self::ContactPointCreated => "CreateContactPoint",
            Self::ContactPointUpdated
            | Self::ContactPointSecretIssued
            | Self::ContactPointGone
            | Self::DeliveriesResent => "UpdateContactPoint",
            Self::ContactPointDeleted => "DeleteContactPoint",
            _ => self.event_type_of_gateways(),
        }
    }

    /// Those of gateway groups and what is in them.
    const fn event_type_of_gateways(self) -> &'static str {
        match self {
            Self::GatewayGroupCreated => "CreateGatewayGroup",
            Self::GatewayGroupUpdated => "UpdateGatewayGroup",
            Self::GatewayGroupKeyIssued => "GetAdminKey",
            Self::GatewayGroupDeleted => "DeleteGatewayGroup",
            Self::InstanceTokenCreated => "CreateGatewayInstance",
            Self::InstanceTokenDeleted | Self::NodeRemoved => "DeleteGatewayInstance",
            Self::ServiceCreated => "CreatePublishedService",
            Self::ServiceUpdated
            | Self::ServiceDocumentChanged
            | Self::RouteCreated
            | Self::RouteUpdated
            | Self::RouteDeleted
            | Self::StreamRouteSaved
            | Self::StreamRouteDeleted => "UpdatePublishedService",
            Self::ServiceDeleted => "DeletePublishedService",
            Self::CertificateCreated => "CreateCertificate",
            Self::CertificateUpdated => "UpdateCertificate",
            Self::CertificateDeleted => "DeleteCertificate",
            Self::ConsumerCreated | Self::ConsumerCredentialCreated => "CreateConsumer",
            Self::ConsumerUpdated | Self::ConsumerCredentialUpdated => "UpdateConsumer",
            Self::ConsumerDeleted | Self::ConsumerCredentialDeleted => "DeleteConsumer",
            Self::GlobalRuleSaved => "UpdateGlobalPluginRule",
            Self::GlobalRuleDeleted => "DeleteGlobalPluginRule",
            Self::PluginMetadataSaved => "UpdatePluginMetadata",
            Self::PluginMetadataDeleted => "DeletePluginMetadata",
            _ => self.event_type_of_portals(),
        }
    }

    /// Those of portals and what is in them.
    const fn event_type_of_portals(self) -> &'static str {
        match self {
            Self::PortalCreated => "CreatePortal",
            Self::PortalUpdated => "UpdatePortal",
            Self::PortalDeleted => "DeletePortal",
            Self::PortalTokenCreated => "CreatePortalToken",
            Self::PortalTokenRenamed | Self::PortalTokenRegenerated => "UpdatePortalToken",
            Self::PortalTokenDeleted => "DeletePortalToken",
            Self::SignInOptionCreated => "CreateLoginOption",
            Self::SignInOptionUpdated => "UpdateLoginOption",
            Self::SignInOptionDeleted => "DeleteLoginOption",
            Self::ProductCreated => "CreateAPIProduct",
            Self::ProductUpdated
            | Self::ProductPublished
            | Self::ProductUnpublished
            | Self::PlanCreated
            | Self::PlanUpdated
            | Self::PlanDeleted => "UpdateAPIProduct",
            Self::ProductDeleted => "DeleteAPIProduct",
            Self::DcrProviderCreated => "CreateDCRProvider",
            Self::DcrProviderUpdated => "UpdateDCRProvider",
            Self::DcrProviderDeleted | Self::DcrRemovalDismissed => "DeleteDCRProvider",
            Self::DeveloperCreated | Self::PersonProvisioned | Self::PersonRegistrationRepeated => {
                "CreateDeveloper"
            }
            Self::DeveloperInvited => "InviteDeveloper",
            Self::DeveloperDeleted | Self::PersonDeprovisioned => "DeleteDeveloper",
            Self::DeveloperHeld
            | Self::DeveloperReleased
            | Self::PersonUpdatedByDirectory
            | Self::PersonVerificationAsked
            | Self::PersonEmailVerified
            | Self::PersonActivated
            | Self::PersonDeactivated => "UpdateDeveloper",
            Self::DeveloperActivated
            | Self::RegistrationRejected
            | Self::SubscriptionAccepted
            | Self::SubscriptionRejected => "ProcessApproval",
            Self::ApplicationCreated => "CreateApplication",
            Self::ApplicationUpdated | Self::ApplicationSuspended | Self::ApplicationResumed => {
                "UpdateApplication"
            }
            Self::ApplicationDeleted => "DeleteApplication",
            Self::CredentialCreated => "CreateCredential",
            Self::CredentialUpdated => "UpdateCredential",
            Self::CredentialRegenerated => "RegenerateCredential",
            Self::CredentialDeleted => "DeleteCredential",
            Self::SubscriptionCreated | Self::SubscriptionRequested => "CreateSubscription",
            Self::SubscriptionCancelled => "DeleteSubscription",
            Self::SubscriptionPlanChanged => "UpdateSubscription",
            // Every event has its word above; a test says so.
            _ => "Change",
        }
    }

    /// Whether somebody was refused at sign-in.
    pub const fn is_failed_sign_in(self) -> bool {
        matches!(self, Self::AdministratorSignInFailed | Self::PersonSignInFailed)
    }

    /// Whether somebody signed in or out, who is not known to the call before.
    pub const fn is_sign_in_or_out(self) -> bool {
        matches!(
            self,
            Self::AdministratorSignedIn
                | Self::PersonSignedIn
                | Self::AdministratorSignedOut
                | Self::PersonSignedOut
        )
    }
}
