//! Events: what happened, recorded in the transaction that made it happen. The table is the
//! outbox, and what pages tell of an object; the audit log (`audit_logs.rs`) is made from it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    actors::{Actor, Caller},
    ids::{EventId, PortalId},
    time::Timestamp,
};

named! {
    /// What happened, past tense.
    pub enum EventName {
        /// An administrator signed in.
        AdministratorSignedIn = "administrator_signed_in",
        /// An administrator was refused at sign-in.
        AdministratorSignInFailed = "administrator_sign_in_failed",
        /// An administrator signed out.
        AdministratorSignedOut = "administrator_signed_out",
        /// The first administrator was made, at the first start.
        AdministratorCreated = "administrator_created",
        /// An administrator was invited.
        AdministratorInvited = "administrator_invited",
        /// An administrator's names changed.
        AdministratorRenamed = "administrator_renamed",
        /// An administrator's roles changed.
        AdministratorRolesAssigned = "administrator_roles_assigned",
        /// An administrator's permission boundary changed.
        AdministratorBoundaryChanged = "administrator_boundary_changed",
        /// An administrator changed their password.
        AdministratorPasswordChanged = "administrator_password_changed",
        /// An administrator got a one-time password.
        AdministratorPasswordReset = "administrator_password_reset",
        /// An external sign-in made an administrator, without roles.
        AdministratorRecognized = "administrator_recognized",
        /// A directory made an administrator.
        AdministratorProvisioned = "administrator_provisioned",
        /// A directory changed an administrator.
        AdministratorUpdatedByDirectory = "administrator_updated_by_directory",
        /// An administrator can get in again.
        AdministratorActivated = "administrator_activated",
        /// An administrator cannot get in any more; their sessions and tokens ended.
        AdministratorDeactivated = "administrator_deactivated",
        /// An administrator was deleted.
        AdministratorDeleted = "administrator_deleted",
        /// An access token was made.
        AdminTokenCreated = "admin_token_created",
        /// An access token was renamed.
        AdminTokenRenamed = "admin_token_renamed",
        /// An access token got another text.
        AdminTokenRegenerated = "admin_token_regenerated",
        /// An access token was deleted.
        AdminTokenDeleted = "admin_token_deleted",
        /// A role was made.
        RoleCreated = "role_created",
        /// A role's texts, or which policies it has, changed.
        RoleUpdated = "role_updated",
        /// A role was deleted.
        RoleDeleted = "role_deleted",
        /// A permission policy was made.
        PermissionPolicyCreated = "permission_policy_created",
        /// A permission policy changed.
        PermissionPolicyUpdated = "permission_policy_updated",
        /// A permission policy was deleted.
        PermissionPolicyDeleted = "permission_policy_deleted",
        /// The token of the directory was made anew.
        ScimTokenIssued = "scim_token_issued",
        /// A setting changed.
        SettingsChanged = "settings_changed",
        /// The SMTP server's settings changed.
        SmtpServerChanged = "smtp_server_changed",
        /// A contact point was made.
        ContactPointCreated = "contact_point_created",
        /// A contact point changed.
        ContactPointUpdated = "contact_point_updated",
        /// A contact point was deleted.
        ContactPointDeleted = "contact_point_deleted",
        /// The calls of a contact point are signed with another secret.
        ContactPointSecretIssued = "contact_point_secret_issued",
        /// A webhook said that it is gone for good, and is not called any more.
        ContactPointGone = "contact_point_gone",
        /// Deliveries are sent again.
        DeliveriesResent = "deliveries_resent",
        /// The master key was exchanged for another one.
        MasterKeyChanged = "master_key_changed",
        /// A master key that was exchanged opens nothing any more.
        MasterKeyRetired = "master_key_retired",
        /// A change of the master key was given up: the key that it led to opens nothing any more.
        MasterKeyAbandoned = "master_key_abandoned",
        /// A mail was sent to try the SMTP server.
        SmtpServerTried = "smtp_server_tried",
        /// A portal was made.
        PortalCreated = "portal_created",
        /// A portal changed.
        PortalUpdated = "portal_updated",
        /// A portal was deleted.
        PortalDeleted = "portal_deleted",
        /// A portal token was made.
        PortalTokenCreated = "portal_token_created",
        /// A portal token was renamed.
        PortalTokenRenamed = "portal_token_renamed",
        /// A portal token got another text.
        PortalTokenRegenerated = "portal_token_regenerated",
        /// A portal token was deleted.
        PortalTokenDeleted = "portal_token_deleted",
        /// A sign-in option was made.
        SignInOptionCreated = "sign_in_option_created",
        /// A sign-in option changed.
        SignInOptionUpdated = "sign_in_option_updated",
        /// A sign-in option was deleted, with its identities and sessions.
        SignInOptionDeleted = "sign_in_option_deleted",
        /// A gateway group was made.
        GatewayGroupCreated = "gateway_group_created",
        /// A gateway group changed.
        GatewayGroupUpdated = "gateway_group_updated",
        /// A gateway group got another admin key.
        GatewayGroupKeyIssued = "gateway_group_key_issued",
        /// A gateway group was deleted.
        GatewayGroupDeleted = "gateway_group_deleted",
        /// A token for a gateway node was made.
        InstanceTokenCreated = "instance_token_created",
        /// A token for a gateway node was deleted.
        InstanceTokenDeleted = "instance_token_deleted",
        /// A gateway node was removed.
        NodeRemoved = "node_removed",
        /// A service was made.
        ServiceCreated = "service_created",
        /// A service changed.
        ServiceUpdated = "service_updated",
        /// A service's OpenAPI document changed.
        ServiceDocumentChanged = "service_document_changed",
        /// A service was deleted.
        ServiceDeleted = "service_deleted",
        /// A route was made.
        RouteCreated = "route_created",
        /// A route changed.
        RouteUpdated = "route_updated",
        /// A route was deleted.
        RouteDeleted = "route_deleted",
        /// A certificate was stored.
        CertificateCreated = "certificate_created",
        /// A certificate was replaced or changed.
        CertificateUpdated = "certificate_updated",
        /// A certificate was deleted.
        CertificateDeleted = "certificate_deleted",
        /// A consumer was made.
        ConsumerCreated = "consumer_created",
        /// A consumer changed.
        ConsumerUpdated = "consumer_updated",
        /// A consumer was deleted, with its credentials.
        ConsumerDeleted = "consumer_deleted",
        /// A consumer got a credential.
        ConsumerCredentialCreated = "consumer_credential_created",
        /// A consumer's credential changed.
        ConsumerCredentialUpdated = "consumer_credential_updated",
        /// A consumer's credential was deleted.
        ConsumerCredentialDeleted = "consumer_credential_deleted",
        /// A global rule was made or changed.
        GlobalRuleSaved = "global_rule_saved",
        /// A global rule was deleted.
        GlobalRuleDeleted = "global_rule_deleted",
        /// A stream route was made or changed.
        StreamRouteSaved = "stream_route_saved",
        /// A stream route was deleted.
        StreamRouteDeleted = "stream_route_deleted",
        /// The metadata of a plugin were made or changed.
        PluginMetadataSaved = "plugin_metadata_saved",
        /// The metadata of a plugin were deleted.
        PluginMetadataDeleted = "plugin_metadata_deleted",
        /// A product was made.
        ProductCreated = "product_created",
        /// A product changed.
        ProductUpdated = "product_updated",
        /// A product was published.
        ProductPublished = "product_published",
        /// A product went back to draft.
        ProductUnpublished = "product_unpublished",
        /// A product was deleted.
        ProductDeleted = "product_deleted",
        /// A DCR provider was made.
        DcrProviderCreated = "dcr_provider_created",
        /// A DCR provider changed.
        DcrProviderUpdated = "dcr_provider_updated",
        /// A DCR provider was deleted, with its OAuth credentials.
        DcrProviderDeleted = "dcr_provider_deleted",
        /// An administrator removed an OAuth client at its provider by hand, or gave it up.
        DcrRemovalDismissed = "dcr_removal_dismissed",
        /// A plan of a product was made.
        PlanCreated = "plan_created",
        /// A plan of a product changed.
        PlanUpdated = "plan_updated",
        /// A plan of a product was deleted.
        PlanDeleted = "plan_deleted",
        /// A developer was made or registered.
        DeveloperCreated = "developer_created",
        /// A developer was invited.
        DeveloperInvited = "developer_invited",
        /// A developer's registration was accepted.
        DeveloperActivated = "developer_activated",
        /// A developer's applications may not call: nobody who may get in is left.
        DeveloperHeld = "developer_held",
        /// A developer's applications may call again.
        DeveloperReleased = "developer_released",
        /// A developer was deleted.
        DeveloperDeleted = "developer_deleted",
        /// A person signed in on a portal's site.
        PersonSignedIn = "person_signed_in",
        /// A person was refused at sign-in.
        PersonSignInFailed = "person_sign_in_failed",
        /// A person signed out.
        PersonSignedOut = "person_signed_out",
        /// A person changed their password.
        PersonPasswordChanged = "person_password_changed",
        /// A person got a one-time password.
        PersonPasswordReset = "person_password_reset",
        /// A person wants to prove their e-mail address, and is mailed a link.
        PersonVerificationAsked = "person_verification_asked",
        /// A person proved that an e-mail address is theirs.
        PersonEmailVerified = "person_email_verified",
        /// Somebody registers with the address of a person who has an account.
        PersonRegistrationRepeated = "person_registration_repeated",
        /// Somebody wants a new password for an account, which need not be there.
        PersonPasswordForgotten = "person_password_forgotten",
        /// A directory made a person.
        PersonProvisioned = "person_provisioned",
        /// A directory changed a person.
        PersonUpdatedByDirectory = "person_updated_by_directory",
        /// A person can get in again.
        PersonActivated = "person_activated",
        /// A person cannot get in any more; their sessions ended.
        PersonDeactivated = "person_deactivated",
        /// A directory deleted a person.
        PersonDeprovisioned = "person_deprovisioned",
        /// An application was made.
        ApplicationCreated = "application_created",
        /// An application changed.
        ApplicationUpdated = "application_updated",
        /// An application was stopped.
        ApplicationSuspended = "application_suspended",
        /// An application may call again.
        ApplicationResumed = "application_resumed",
        /// An application was deleted.
        ApplicationDeleted = "application_deleted",
        /// A credential was made.
        CredentialCreated = "credential_created",
        /// A credential was renamed or described.
        CredentialUpdated = "credential_updated",
        /// A credential got another secret.
        CredentialRegenerated = "credential_regenerated",
        /// A credential was deleted.
        CredentialDeleted = "credential_deleted",
        /// A subscription is in force without having to wait.
        SubscriptionCreated = "subscription_created",
        /// A subscription waits for an approval.
        SubscriptionRequested = "subscription_approval_created",
        /// A subscription was accepted.
        SubscriptionAccepted = "subscription_approval_accepted",
        /// A subscription was rejected.
        SubscriptionRejected = "subscription_approval_rejected",
        /// A subscription ended, or was withdrawn.
        SubscriptionCancelled = "subscription_approval_cancelled",
        /// A subscription got another plan.
        SubscriptionPlanChanged = "subscription_plan_changed",
        /// A registration was rejected.
        RegistrationRejected = "registration_rejected",
    }
}

/// What happened to what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub name: EventName,
    /// Who did it.
    pub actor_kind: String,
    /// Their id; empty for the system and guests.
    pub actor_id: String,
    /// Through which door.
    pub source: String,
    /// The noun's kind, singular, snake case.
    pub noun: String,
    /// The noun's id.
    pub noun_id: String,
    /// The portal concerned, where there is one.
    pub portal_id: Option<PortalId>,
    /// What is worth knowing about the change, without secrets.
    pub detail: Value,
    /// The request that carried it.
    pub request_id: String,
    /// The client's address, where there is one.
    pub address: Option<String>,
}

impl Event {
    /// What `caller` did to the `noun` with `noun_id`.
    pub fn new(
        id: EventId,
        at: Timestamp,
        caller: &Caller,
        name: EventName,
        noun: &str,
        noun_id: &str,
    ) -> Self {
        let (actor_kind, actor_id) = match &caller.actor {
            Actor::Administrator { id, .. } => ("administrator", id.to_string()),
            Actor::GatewayGroupKey(group) => ("gateway_group_key", group.to_string()),
            Actor::PortalFrontEnd(portal) => ("portal_front_end", portal.to_string()),
            Actor::Developer { person_id: Some(person), .. } => ("person", person.to_string()),
            Actor::Developer { id, .. } => ("developer", id.to_string()),
            Actor::Directory => ("directory", String::new()),
            Actor::PortalDirectory(portal) => ("directory", portal.to_string()),
            Actor::ApprovalLink(approval) => ("approval_link", approval.to_string()),
            Actor::Guest(_) => ("guest", String::new()),
            Actor::System => ("system", String::new()),
        };
        Self {
            id,
            at,
            name,
            actor_kind: actor_kind.into(),
            actor_id,
            source: caller.source.name().into(),
            noun: noun.into(),
            noun_id: noun_id.into(),
            portal_id: caller.actor.portal().cloned(),
            detail: Value::Null,
            request_id: caller.request_id.to_string(),
            address: caller.address.clone(),
        }
    }

    /// The same event about an object of `portal`.
    pub fn of_portal(mut self, portal: &PortalId) -> Self {
        self.portal_id = Some(portal.clone());
        self
    }

    /// The same event with `detail`, which must hold no secret.
    pub fn with_detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }
}
