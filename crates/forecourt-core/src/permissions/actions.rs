//! Every action that a policy can name, from one list: namespace, word, and the action that reads the same thing.
//!
//! Invariant: whoever may not do something is told that it is not there unless they hold [`Action::reading`].

/// Declares the actions with their words and the actions that read the same thing.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $space:ident $word:literal reads $reads:ident;)*) => {
        /// What an administrator may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$doc])* $variant),* }

        impl Action {
            /// Every action, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word of policies, with its namespace: `portal:GetPortal`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Which part of the installation it is about.
            pub const fn namespace(self) -> Namespace {
                match self { $(Self::$variant => Namespace::$space),* }
            }

            /// The action that reads what this one changes; a reading one is its own.
            pub const fn reading(self) -> Self {
                match self { $(Self::$variant => Self::$reads),* }
            }
        }
    };
}

/// A part of the installation that actions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Gateway groups and what they serve.
    Gateway,
    /// People on the provider side, their roles, and settings.
    Iam,
    /// Portals and what belongs to them.
    Portal,
}

actions! {
    /// Sees a gateway group.
    GetGatewayGroup = Gateway "gateway:GetGatewayGroup" reads GetGatewayGroup;
    /// Makes one.
    CreateGatewayGroup = Gateway "gateway:CreateGatewayGroup" reads GetGatewayGroup;
    /// Changes one.
    UpdateGatewayGroup = Gateway "gateway:UpdateGatewayGroup" reads GetGatewayGroup;
    /// Deletes one.
    DeleteGatewayGroup = Gateway "gateway:DeleteGatewayGroup" reads GetGatewayGroup;
    /// Makes a group's admin key.
    GetAdminKey = Gateway "gateway:GetAdminKey" reads GetGatewayGroup;
    /// Sees nodes, their tokens and receipts.
    GetGatewayInstance = Gateway "gateway:GetGatewayInstance" reads GetGatewayInstance;
    /// Makes tokens with which nodes join.
    CreateGatewayInstance = Gateway "gateway:CreateGatewayInstance" reads GetGatewayGroup;
    /// Removes nodes and tokens; Forecourt's own.
    DeleteGatewayInstance = Gateway "gateway:DeleteGatewayInstance" reads GetGatewayInstance;
    /// Sees certificates.
    GetCertificate = Gateway "gateway:GetCertificate" reads GetCertificate;
    /// Stores one.
    CreateCertificate = Gateway "gateway:CreateCertificate" reads GetCertificate;
    /// Changes one.
    UpdateCertificate = Gateway "gateway:UpdateCertificate" reads GetCertificate;
    /// Deletes one.
    DeleteCertificate = Gateway "gateway:DeleteCertificate" reads GetCertificate;
    /// Sees global rules.
    GetGlobalPluginRule = Gateway "gateway:GetGlobalPluginRule" reads GetGlobalPluginRule;
    /// Makes one.
    CreateGlobalPluginRule = Gateway "gateway:CreateGlobalPluginRule" reads GetGlobalPluginRule;
    /// Changes one.
    UpdateGlobalPluginRule = Gateway "gateway:UpdateGlobalPluginRule" reads GetGlobalPluginRule;
    /// Deletes one.
    DeleteGlobalPluginRule = Gateway "gateway:DeleteGlobalPluginRule" reads GetGlobalPluginRule;
    /// Sees the metadata of plugins.
    GetPluginMetadata = Gateway "gateway:GetPluginMetadata" reads GetPluginMetadata;
    /// Makes or changes it.
    UpdatePluginMetadata = Gateway "gateway:UpdatePluginMetadata" reads GetPluginMetadata;
    /// Deletes it.
    DeletePluginMetadata = Gateway "gateway:DeletePluginMetadata" reads GetPluginMetadata;
    /// Sees consumers and their credentials.
    GetConsumer = Gateway "gateway:GetConsumer" reads GetConsumer;
    /// Makes one.
    CreateConsumer = Gateway "gateway:CreateConsumer" reads GetConsumer;
    /// Changes one and its credentials, and is shown their secrets.
    UpdateConsumer = Gateway "gateway:UpdateConsumer" reads GetConsumer;
    /// Deletes one.
    DeleteConsumer = Gateway "gateway:DeleteConsumer" reads GetConsumer;
    /// Sees services with their routes, upstreams and documents.
    GetPublishedService = Gateway "gateway:GetPublishedService" reads GetPublishedService;
    /// Makes one.
    CreatePublishedService = Gateway "gateway:CreatePublishedService" reads GetPublishedService;
    /// Changes one, its routes, upstreams and document.
    UpdatePublishedService = Gateway "gateway:UpdatePublishedService" reads GetPublishedService;
    /// Deletes one.
    DeletePublishedService = Gateway "gateway:DeletePublishedService" reads GetPublishedService;
    /// Sees where nodes find the control plane.
    GetDeploymentSetting = Gateway "gateway:GetDeploymentSetting" reads GetDeploymentSetting;
    /// Changes it.
    UpdateDeploymentSetting = Gateway "gateway:UpdateDeploymentSetting" reads GetDeploymentSetting;

    /// Sees administrators.
    GetUser = Iam "iam:GetUser" reads GetUser;
    /// Invites one.
    InviteUser = Iam "iam:InviteUser" reads GetUser;
    /// Assigns roles and the permission boundary.
    UpdateUserRole = Iam "iam:UpdateUserRole" reads GetUser;
    /// Sets a one-time password.
    ResetPassword = Iam "iam:ResetPassword" reads GetUser;
    /// Deletes one.
    DeleteUser = Iam "iam:DeleteUser" reads GetUser;
    /// Sees roles.
    GetRole = Iam "iam:GetRole" reads GetRole;
    /// Makes one.
    CreateCustomRole = Iam "iam:CreateCustomRole" reads GetRole;
    /// Changes one, and which policies it has.
    UpdateCustomRole = Iam "iam:UpdateCustomRole" reads GetRole;
    /// Deletes one.
    DeleteCustomRole = Iam "iam:DeleteCustomRole" reads GetRole;
    /// Sees permission policies.
    GetPermissionPolicy = Iam "iam:GetPermissionPolicy" reads GetPermissionPolicy;
    /// Makes one.
    CreatePermissionPolicy = Iam "iam:CreatePermissionPolicy" reads GetPermissionPolicy;
    /// Changes one.
    UpdatePermissionPolicy = Iam "iam:UpdatePermissionPolicy" reads GetPermissionPolicy;
    /// Deletes one.
    DeletePermissionPolicy = Iam "iam:DeletePermissionPolicy" reads GetPermissionPolicy;
    /// Stores a licence text, of which there is none.
    UpdateLicense = Iam "iam:UpdateLicense" reads UpdateLicense;
    /// Sees the record of what was done.
    GetAudit = Iam "iam:GetAudit" reads GetAudit;
    /// Downloads it.
    ExportAudits = Iam "iam:ExportAudits" reads ExportAudits;
    /// Sees the settings of provisioning.
    GetScimProvisioning = Iam "iam:GetSCIMProvisioning" reads GetScimProvisioning;
    /// Changes them.
    UpdateScimProvisioning = Iam "iam:UpdateSCIMProvisioning" reads GetScimProvisioning;
    /// Sees the administrators' login options.
    GetLoginOption = Iam "iam:GetLoginOption" reads GetLoginOption;
    /// Makes one.
    CreateLoginOption = Iam "iam:CreateLoginOption" reads GetLoginOption;
    /// Changes one.
    UpdateLoginOption = Iam "iam:UpdateLoginOption" reads GetLoginOption;
    /// Deletes one.
    DeleteLoginOption = Iam "iam:DeleteLoginOption" reads GetLoginOption;
    /// Sees the mail server's settings.
    GetSmtpServer = Iam "iam:GetSMTPServer" reads GetSmtpServer;
    /// Changes them.
    UpdateSmtpServer = Iam "iam:UpdateSMTPServer" reads GetSmtpServer;
    /// Sees contact points.
    GetContactPoint = Iam "iam:GetContactPoint" reads GetContactPoint;
    /// Makes one.
    CreateContactPoint = Iam "iam:CreateContactPoint" reads GetContactPoint;
    /// Changes one.
    UpdateContactPoint = Iam "iam:UpdateContactPoint" reads GetContactPoint;
    /// Deletes one.
    DeleteContactPoint = Iam "iam:DeleteContactPoint" reads GetContactPoint;

    /// Sees a portal with its settings and login options.
    GetPortal = Portal "portal:GetPortal" reads GetPortal;
    /// Makes one.
    CreatePortal = Portal "portal:CreatePortal" reads GetPortal;
    /// Changes one, its settings and login options.
    UpdatePortal = Portal "portal:UpdatePortal" reads GetPortal;
    /// Deletes one.
    DeletePortal = Portal "portal:DeletePortal" reads GetPortal;
    /// Sees portal tokens.
    GetPortalToken = Portal "portal:GetPortalToken" reads GetPortalToken;
    /// Makes one.
    CreatePortalToken = Portal "portal:CreatePortalToken" reads GetPortalToken;
    /// Renames one, or gives it another text.
    UpdatePortalToken = Portal "portal:UpdatePortalToken" reads GetPortalToken;
    /// Deletes one.
    DeletePortalToken = Portal "portal:DeletePortalToken" reads GetPortalToken;
    /// Sees a product with its plans and usage.
    GetApiProduct = Portal "portal:GetAPIProduct" reads GetApiProduct;
    /// Makes one.
    CreateApiProduct = Portal "portal:CreateAPIProduct" reads GetApiProduct;
    /// Changes one, and its plans.
    UpdateApiProduct = Portal "portal:UpdateAPIProduct" reads GetApiProduct;
    /// Deletes one.
    DeleteApiProduct = Portal "portal:DeleteAPIProduct" reads GetApiProduct;
    /// Sees subscriptions to a product.
    GetSubscription = Portal "portal:GetSubscription" reads GetSubscription;
    /// Gives a subscription another plan; Forecourt's own.
    UpdateSubscription = Portal "portal:UpdateSubscription" reads GetSubscription;
    /// Ends one.
    DeleteSubscription = Portal "portal:DeleteSubscription" reads GetSubscription;
    /// Sees approvals.
    GetApproval = Portal "portal:GetApproval" reads GetApproval;
    /// Decides one.
    ProcessApproval = Portal "portal:ProcessApproval" reads GetApproval;
    /// Sees developers.
    GetDeveloper = Portal "portal:GetDeveloper" reads GetDeveloper;
    /// Invites one, and gives one a new one-time password.
    InviteDeveloper = Portal "portal:InviteDeveloper" reads GetDeveloper;
    /// Deletes one.
    DeleteDeveloper = Portal "portal:DeleteDeveloper" reads GetDeveloper;
    /// Sees a developer's applications; Forecourt's own.
    GetApplication = Portal "portal:GetApplication" reads GetApplication;
    /// Suspends and resumes them; Forecourt's own.
    UpdateApplication = Portal "portal:UpdateApplication" reads GetApplication;
    /// Sees DCR providers.
    GetDcrProvider = Portal "portal:GetDCRProvider" reads GetDcrProvider;
    /// Makes one.
    CreateDcrProvider = Portal "portal:CreateDCRProvider" reads GetDcrProvider;
    /// Changes one.
    UpdateDcrProvider = Portal "portal:UpdateDCRProvider" reads GetDcrProvider;
    /// Deletes one.
    DeleteDcrProvider = Portal "portal:DeleteDCRProvider" reads GetDcrProvider;
}

impl Action {
    /// The action with this word, exactly.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == word)
    }

    /// Whether it makes something where nothing is to be found yet, so that whoever may not is told so. A portal's
    /// token and a node's token are made of what may itself be hidden.
    pub const fn is_addition(self) -> bool {
        matches!(
            self,
            Self::CreateGatewayGroup
                | Self::CreateCertificate
                | Self::CreateGlobalPluginRule
                | Self::CreateConsumer
                | Self::CreatePublishedService
                | Self::UpdateDeploymentSetting
                | Self::InviteUser
                | Self::CreateCustomRole
                | Self::CreatePermissionPolicy
                | Self::UpdateLicense
                | Self::CreateLoginOption
                | Self::CreateContactPoint
                | Self::CreatePortal
                | Self::CreateApiProduct
                | Self::InviteDeveloper
                | Self::CreateDcrProvider
        )
    }
}
