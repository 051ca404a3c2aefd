//! The question before an act that takes something away, on either site.
//!
//! A page of its own, which the script shows as a dialog. Its texts are `confirm.ACT.*` in the catalogue. The
//! handler must compare the typed name again: the script's check is only a hint.

use serde::Serialize;

use crate::{
    display::{Impact, ImpactKind},
    forms::Form,
    links::{Link, developer, provider},
    samples::{Sample, id},
    templates::View,
};

/// Asks whether `act` shall happen to the thing called `name`, or to those that it describes. Its form posts `confirm`
/// where `type_name` is set.
#[derive(Clone, Debug, Serialize)]
pub struct Confirm {
    /// What would happen.
    pub act: Act,
    /// The name of what it would happen to.
    pub name: String,
    /// What it would hit; lines with a count of 0 are left out by the handler.
    pub impact: Vec<Impact>,
    /// Whether the name must be typed, because something live dies.
    pub type_name: bool,
    /// Where the form posts to.
    pub action: Link,
    /// Where to go instead.
    pub back: Link,
    /// What was typed before.
    pub form: Form,
}

/// The acts that are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Delete an application.
    DeleteApplication,
    /// Delete a credential.
    DeleteCredential,
    /// Replace a credential's secret at once.
    RegenerateCredential,
    /// End a subscription.
    CancelSubscription,
    /// Delete a portal.
    DeletePortal,
    /// Delete a portal token.
    DeleteToken,
    /// Show a product in the portal and enforce its authentication.
    PublishProduct,
    /// Take a product back to draft.
    UnpublishProduct,
    /// Delete a product.
    DeleteProduct,
    /// Delete a plan of a product.
    DeletePlan,
    /// Delete a developer.
    DeleteDeveloper,
    /// Delete a gateway service with its routes.
    DeleteService,
    /// Delete a route.
    DeleteRoute,
    /// Remove a gateway node, with its token.
    RemoveNode,
    /// Delete an instance token.
    DeleteInstanceToken,
    /// Delete a global rule.
    DeleteRule,
    /// Delete a certificate.
    DeleteCertificate,
    /// Delete a consumer with its credentials.
    DeleteConsumer,
    /// Delete a credential of a consumer.
    DeleteConsumerCredential,
    /// Delete a DCR provider with its OAuth credentials.
    DeleteDcrProvider,
    /// Make the token of SCIM anew.
    IssueScimToken,
    /// Give an administrator a one-time password, and end their sessions.
    ResetPassword,
    /// The same for the person of a developer.
    ResetDeveloperPassword,
    /// Delete an administrator.
    DeleteAdministrator,
    /// Delete a role.
    DeleteRole,
    /// Take a permission policy from a role.
    DetachPolicy,
    /// Delete a permission policy.
    DeletePermissionPolicy,
    /// Delete a sign-in option, with its identities and sessions.
    DeleteSignInOption,
    /// Delete a contact point.
    DeleteContactPoint,
    /// Take an OAuth client off the list of those that are left behind.
    DismissDcrRemoval,
    /// Send deliveries of a time again.
    ResendDeliveries,
}

impl Act {
    const DESTRUCTIVE: [Self; 29] = [
        Self::DeleteApplication,
        Self::DeleteCredential,
        Self::RegenerateCredential,
        Self::CancelSubscription,
        Self::DeletePortal,
        Self::DeleteToken,
        Self::UnpublishProduct,
        Self::DeleteProduct,
        Self::DeletePlan,
        Self::DeleteDeveloper,
        Self::DeleteService,
        Self::DeleteRoute,
        Self::RemoveNode,
        Self::DeleteInstanceToken,
        Self::DeleteRule,
        Self::DeleteCertificate,
        Self::DeleteConsumer,
        Self::DeleteConsumerCredential,
        Self::DeleteDcrProvider,
        Self::IssueScimToken,
        Self::DeleteSignInOption,
        Self::DeleteContactPoint,
        Self::DismissDcrRemoval,
        Self::ResetPassword,
        Self::ResetDeveloperPassword,
        Self::DeleteAdministrator,
        Self::DeleteRole,
        Self::DetachPolicy,
        Self::DeletePermissionPolicy,
    ];

    fn of_console(self) -> bool {
        !matches!(
            self,
            Self::DeleteApplication
                | Self::DeleteCredential
                | Self::RegenerateCredential
                | Self::CancelSubscription
        )
    }
}

impl View for Confirm {
    const TEMPLATE: &'static str = "confirm.html";

    fn samples() -> Vec<Sample<Self>> {
        let acts = Act::DESTRUCTIVE.into_iter().chain([Act::PublishProduct, Act::ResendDeliveries]);
        acts.map(|act| {
            let name = sample_name(act);
            let view = sample(act);
            if act.of_console() { Sample::provider(name, view) } else { Sample::developer(name, view) }
        })
        .chain([Sample::developer(
            "wrong_name",
            Confirm {
                form: Form::new().refused("confirm", "Type “Checkout frontend” to confirm."),
                ..sample(Act::DeleteApplication)
            },
        )])
        .collect()
    }
}

fn sample_name(act: Act) -> &'static str {
    match act {
        Act::DeleteApplication => "delete_application",
        Act::DeleteCredential => "delete_credential",
        Act::RegenerateCredential => "regenerate_credential",
        Act::CancelSubscription => "cancel_subscription",
        Act::DeletePortal => "delete_portal",
        Act::DeleteToken => "delete_token",
        Act::PublishProduct => "publish_product",
        Act::UnpublishProduct => "unpublish_product",
        Act::DeleteProduct => "delete_product",
        Act::DeletePlan => "delete_plan",
        Act::DeleteDeveloper => "delete_developer",
        Act::DeleteService => "delete_service",
        Act::DeleteRoute => "delete_route",
        Act::RemoveNode => "remove_node",
        Act::DeleteInstanceToken => "delete_instance_token",
        Act::DeleteRule => "delete_rule",
        Act::DeleteCertificate => "delete_certificate",
        Act::DeleteConsumer => "delete_consumer",
        Act::DeleteConsumerCredential => "delete_consumer_credential",
        Act::DeleteDcrProvider => "delete_dcr_provider",
        Act::IssueScimToken => "issue_scim_token",
        Act::DeleteSignInOption => "delete_sign_in_option",
        Act::DeleteContactPoint => "delete_contact_point",
        Act::DismissDcrRemoval => "dismiss_dcr_removal",
        Act::ResendDeliveries => "resend_deliveries",
        Act::ResetPassword => "reset_password",
        Act::ResetDeveloperPassword => "reset_developer_password",
        Act::DeleteAdministrator => "delete_administrator",
        Act::DeleteRole => "delete_role",
        Act::DetachPolicy => "detach_policy",
        Act::DeletePermissionPolicy => "delete_permission_policy",
    }
}

fn sample(act: Act) -> Confirm {
    let (application, product) = (id("app", 1), id("prd", 1));
    let action = if act.of_console() {
        provider::delete_product("default", &product)
    } else {
        developer::delete_application(&application)
    };
    let back = if act.of_console() {
        provider::product("default", &product)
    } else {
        developer::application(&application)
    };
    let counted: &[(ImpactKind, u64)] = match act {
        Act::DeleteApplication => {
            &[(ImpactKind::Subscriptions, 2), (ImpactKind::Credentials, 3), (ImpactKind::Callers, 1)]
        }
        Act::UnpublishProduct | Act::DeleteProduct => &[
            (ImpactKind::Applications, 12),
            (ImpactKind::Subscriptions, 14),
            (ImpactKind::Approvals, 2),
            (ImpactKind::Callers, 31),
        ],
        Act::RemoveNode => &[(ImpactKind::SharingNodes, 2)],
        Act::DeleteInstanceToken => &[(ImpactKind::Nodes, 1)],
        Act::DeleteDcrProvider => &[(ImpactKind::Credentials, 4)],
        Act::DeleteSignInOption => &[(ImpactKind::People, 4)],
        Act::ResendDeliveries => &[(ImpactKind::Deliveries, 12)],
        _ => &[],
    };
    let impact = counted.iter().map(|&(kind, count)| Impact { kind, count }).collect();
    let name = match act {
        Act::ResendDeliveries => {
            "Given up, to Partner chat, made from 6 Aug 2026, 09:00 UTC to before 7 Aug 2026, 09:01 UTC"
        }
        _ => "Checkout frontend",
    };
    let is_typed = !matches!(act, Act::RemoveNode | Act::DeleteInstanceToken | Act::ResendDeliveries)
        && !counted.is_empty();
    Confirm { act, name: name.to_owned(), impact, type_name: is_typed, action, back, form: Form::new() }
}
