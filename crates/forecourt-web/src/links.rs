//! Every path of the two sites, once: the router's pattern and the link that leads there.
//!
//! A link is made by a function, never written as text, so a page cannot point to a path that no route has.
//! Templates reach the same table through `link('developer.product', id)`.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A path on the same site, with its query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Link(String);

impl Link {
    /// The link as text, for `Location` headers.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same path with `pairs` as its query; pairs with an empty value are left out.
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> Self {
        let path = self.0.split('?').next().unwrap_or_default();
        let query: Vec<String> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| {
                format!("{}={}", utf8_percent_encode(name, SEGMENT), utf8_percent_encode(value, SEGMENT))
            })
            .collect();
        if query.is_empty() { Self(path.to_owned()) } else { Self(format!("{path}?{}", query.join("&"))) }
    }

    fn fill(pattern: &str, ids: &[&str]) -> Self {
        let mut ids = ids.iter();
        let segments: Vec<String> = pattern
            .split('/')
            .map(|segment| match segment.strip_prefix('{').and_then(|_| ids.next()) {
                Some(id) => utf8_percent_encode(id, SEGMENT).to_string(),
                None => segment.to_owned(),
            })
            .collect();
        Self(segments.join("/"))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The link named `site.path` (`developer.product`) with its ids in order, or `None` where there is no such
/// path or the number of ids differs.
pub fn by_name(name: &str, ids: &[&str]) -> Option<Link> {
    let (site, path) = name.split_once('.')?;
    let pattern = match site {
        "developer" => developer::pattern(path),
        "provider" => provider::pattern(path),
        _ => None,
    }?;
    (pattern.matches('{').count() == ids.len()).then(|| Link::fill(pattern, ids))
}

macro_rules! paths {
    ($(#[$doc:meta])* $site:ident { $($constant:ident $name:ident($($id:ident),*) = $pattern:literal;)* }) => {
        $(#[$doc])*
        pub mod $site {
            use super::Link;

            $(
                #[doc = concat!("`", $pattern, "`, for the router.")]
                pub const $constant: &str = $pattern;

                #[doc = concat!("The link to `", $pattern, "`.")]
                pub fn $name($($id: &str),*) -> Link {
                    Link::fill($constant, &[$($id),*])
                }
            )*

            /// The pattern of the path called `name` here.
            pub fn pattern(name: &str) -> Option<&'static str> {
                match name {
                    $(stringify!($name) => Some($constant),)*
                    _ => None,
                }
            }

            /// Every pattern, for the test that compares links with routes.
            pub const ALL: &[&str] = &[$($constant),*];
        }
    };
}

paths! {
    /// Paths of the Developer Portal site.
    developer {
        HOME home() = "/";
        HUB hub() = "/hub";
        PRODUCT product(product) = "/products/{product}";
        SUBSCRIBE subscribe(product) = "/products/{product}/subscribe";
        DOCUMENT document(product, document) = "/products/{product}/documents/{document}";
        APPLICATIONS applications() = "/applications";
        NEW_APPLICATION new_application() = "/applications/new";
        APPLICATION application(application) = "/applications/{application}";
        EDIT_APPLICATION edit_application(application) = "/applications/{application}/edit";
        DELETE_APPLICATION delete_application(application) = "/applications/{application}/delete";
        NEW_SUBSCRIPTION new_subscription(application) = "/applications/{application}/subscriptions/new";
        CANCEL_SUBSCRIPTION cancel_subscription(application, subscription) =
            "/applications/{application}/subscriptions/{subscription}/cancel";
        SUBSCRIPTION_PLAN subscription_plan(application, subscription) =
            "/applications/{application}/subscriptions/{subscription}/plan";
        NEW_CREDENTIAL new_credential(application) = "/applications/{application}/credentials/new";
        EDIT_CREDENTIAL edit_credential(application, credential) =
            "/applications/{application}/credentials/{credential}/edit";
        REGENERATE_CREDENTIAL regenerate_credential(application, credential) =
            "/applications/{application}/credentials/{credential}/regenerate";
        DELETE_CREDENTIAL delete_credential(application, credential) =
            "/applications/{application}/credentials/{credential}/delete";
        SIGN_IN sign_in() = "/sign-in";
        FIRST_PASSWORD first_password() = "/sign-in/password";
        PENDING pending() = "/sign-in/pending";
        SIGN_UP sign_up() = "/sign-up";
        VERIFY verify() = "/verify";
        VERIFY_AGAIN verify_again() = "/verify/again";
        RESET reset() = "/reset";
        NEW_PASSWORD new_password() = "/reset/new";
        SIGN_OUT sign_out() = "/sign-out";
        ACCOUNT account() = "/account";
        PASSWORD password() = "/account/password";
        SESSIONS sessions() = "/account/sessions";
        END_SESSION end_session(session) = "/account/sessions/{session}/end";
    }
}

paths! {
    /// Paths of the Provider console.
    provider {
        OVERVIEW overview() = "/portals";
        PORTALS portals() = "/portals/list";
        NEW_PORTAL new_portal() = "/portals/new";
        PORTAL portal(portal) = "/portals/{portal}";
        PORTAL_SETTINGS portal_settings(portal) = "/portals/{portal}/settings";
        DELETE_PORTAL delete_portal(portal) = "/portals/{portal}/delete";
        SIGN_IN_OPTIONS sign_in_options(portal) = "/portals/{portal}/sign-in";
        NEW_SIGN_IN_OPTION new_sign_in_option(portal) = "/portals/{portal}/sign-in/new";
        EDIT_SIGN_IN_OPTION edit_sign_in_option(portal, option) = "/portals/{portal}/sign-in/{option}/edit";
        DELETE_SIGN_IN_OPTION delete_sign_in_option(portal, option) =
            "/portals/{portal}/sign-in/{option}/delete";
        PORTAL_SCIM portal_scim(portal) = "/portals/{portal}/scim";
        PORTAL_SCIM_TOKEN portal_scim_token(portal) = "/portals/{portal}/scim/token";
        PRODUCTS products(portal) = "/portals/{portal}/products";
        NEW_PRODUCT new_product(portal) = "/portals/{portal}/products/new";
        PRODUCT product(portal, product) = "/portals/{portal}/products/{product}";
        EDIT_PRODUCT edit_product(portal, product) = "/portals/{portal}/products/{product}/edit";
        PUBLISH_PRODUCT publish_product(portal, product) = "/portals/{portal}/products/{product}/publish";
        UNPUBLISH_PRODUCT unpublish_product(portal, product) = "/portals/{portal}/products/{product}/unpublish";
        DELETE_PRODUCT delete_product(portal, product) = "/portals/{portal}/products/{product}/delete";
        NEW_PLAN new_plan(portal, product) = "/portals/{portal}/products/{product}/plans/new";
        EDIT_PLAN edit_plan(portal, product, plan) = "/portals/{portal}/products/{product}/plans/{plan}/edit";
        DELETE_PLAN delete_plan(portal, product, plan) =
            "/portals/{portal}/products/{product}/plans/{plan}/delete";
        SUBSCRIPTION_PLAN subscription_plan(portal, product, subscription) =
            "/portals/{portal}/products/{product}/subscriptions/{subscription}/plan";
        NOTIFICATIONS notifications(portal, product) = "/portals/{portal}/products/{product}/notifications";
        DEVELOPERS developers(portal) = "/portals/{portal}/developers";
        INVITE_DEVELOPER invite_developer(portal) = "/portals/{portal}/developers/invite";
        DEVELOPER developer(portal, developer) = "/portals/{portal}/developers/{developer}";
        RESET_DEVELOPER_PASSWORD reset_developer_password(portal, developer) =
            "/portals/{portal}/developers/{developer}/password";
        DELETE_DEVELOPER delete_developer(portal, developer) = "/portals/{portal}/developers/{developer}/delete";
        APPLICATIONS applications(portal) = "/portals/{portal}/applications";
        APPLICATION application(portal, application) = "/portals/{portal}/applications/{application}";
        SUSPEND_APPLICATION suspend_application(portal, application) =
            "/portals/{portal}/applications/{application}/suspend";
        RESUME_APPLICATION resume_application(portal, application) =
            "/portals/{portal}/applications/{application}/resume";
        TOKENS tokens(portal) = "/portals/{portal}/tokens";
        NEW_TOKEN new_token(portal) = "/portals/{portal}/tokens/new";
        DELETE_TOKEN delete_token(portal, token) = "/portals/{portal}/tokens/{token}/delete";
        APPROVALS approvals() = "/approvals";
        APPROVAL_LINK approval_link(token) = "/approvals/links/{token}";
        ACCEPT_APPROVAL accept_approval(approval) = "/approvals/{approval}/accept";
        REJECT_APPROVAL reject_approval(approval) = "/approvals/{approval}/reject";
        GATEWAY gateway() = "/gateway";
        NEW_GROUP new_group() = "/gateway/groups/new";
        GROUP group(group) = "/gateway/groups/{group}";
        NEW_SERVICE new_service(group) = "/gateway/groups/{group}/services/new";
        SERVICE service(group, service) = "/gateway/groups/{group}/services/{service}";
        SERVICE_DOCUMENT service_document(group, service) =
            "/gateway/groups/{group}/services/{service}/document";
        DELETE_SERVICE delete_service(group, service) = "/gateway/groups/{group}/services/{service}/delete";
        EDIT_SERVICE edit_service(group, service) = "/gateway/groups/{group}/services/{service}/edit";
        SERVICE_PLUGINS service_plugins(group, service) = "/gateway/groups/{group}/services/{service}/plugins";
        NEW_ROUTE new_route(group, service) = "/gateway/groups/{group}/services/{service}/routes/new";
        DELETE_ROUTE delete_route(group, service, route) =
            "/gateway/groups/{group}/services/{service}/routes/{route}/delete";
        NODES nodes() = "/gateway/nodes";
        NODE node(node) = "/gateway/nodes/{node}";
        REMOVE_NODE remove_node(node) = "/gateway/nodes/{node}/remove";
        RECEIPT receipt(revision) = "/gateway/receipts/{revision}";
        INSTANCE_TOKENS instance_tokens() = "/gateway/tokens";
        NEW_INSTANCE_TOKEN new_instance_token() = "/gateway/tokens/new";
        DELETE_INSTANCE_TOKEN delete_instance_token(token) = "/gateway/tokens/{token}/delete";
        DCR_PROVIDERS dcr_providers() = "/gateway/oauth-providers";
        NEW_DCR_PROVIDER new_dcr_provider() = "/gateway/oauth-providers/new";
        EDIT_DCR_PROVIDER edit_dcr_provider(provider) = "/gateway/oauth-providers/{provider}/edit";
        DELETE_DCR_PROVIDER delete_dcr_provider(provider) = "/gateway/oauth-providers/{provider}/delete";
        DISMISS_DCR_REMOVAL dismiss_dcr_removal(removal) = "/gateway/oauth-removals/{removal}/dismiss";
        EDIT_ROUTE edit_route(group, service, route) =
            "/gateway/groups/{group}/services/{service}/routes/{route}/edit";
        ROUTE_PLUGINS route_plugins(group, service, route) =
            "/gateway/groups/{group}/services/{service}/routes/{route}/plugins";
        RULES rules(group) = "/gateway/groups/{group}/rules";
        NEW_RULE new_rule(group) = "/gateway/groups/{group}/rules/new";
        EDIT_RULE edit_rule(group, rule) = "/gateway/groups/{group}/rules/{rule}/edit";
        DELETE_RULE delete_rule(group, rule) = "/gateway/groups/{group}/rules/{rule}/delete";
        CERTIFICATES certificates(group) = "/gateway/groups/{group}/certificates";
        NEW_CERTIFICATE new_certificate(group) = "/gateway/groups/{group}/certificates/new";
        EDIT_CERTIFICATE edit_certificate(group, certificate) =
            "/gateway/groups/{group}/certificates/{certificate}/edit";
        DELETE_CERTIFICATE delete_certificate(group, certificate) =
            "/gateway/groups/{group}/certificates/{certificate}/delete";
        CONSUMERS consumers(group) = "/gateway/groups/{group}/consumers";
        NEW_CONSUMER new_consumer(group) = "/gateway/groups/{group}/new-consumer";
        CONSUMER consumer(group, consumer) = "/gateway/groups/{group}/consumers/{consumer}";
        EDIT_CONSUMER edit_consumer(group, consumer) = "/gateway/groups/{group}/consumers/{consumer}/edit";
        DELETE_CONSUMER delete_consumer(group, consumer) =
            "/gateway/groups/{group}/consumers/{consumer}/delete";
        NEW_CONSUMER_CREDENTIAL new_consumer_credential(group, consumer) =
            "/gateway/groups/{group}/consumers/{consumer}/credentials/new";
        DELETE_CONSUMER_CREDENTIAL delete_consumer_credential(group, consumer, credential) =
            "/gateway/groups/{group}/consumers/{consumer}/credentials/{credential}/delete";
        ADMINISTRATORS administrators() = "/settings/administrators";
        INVITE_ADMINISTRATOR invite_administrator() = "/settings/administrators/invite";
        ADMINISTRATOR administrator(administrator) = "/settings/administrators/{administrator}";
        ASSIGN_ROLES assign_roles(administrator) = "/settings/administrators/{administrator}/roles";
        BOUNDARY boundary(administrator) = "/settings/administrators/{administrator}/boundary";
        RESET_PASSWORD reset_password(administrator) = "/settings/administrators/{administrator}/password";
        DELETE_ADMINISTRATOR delete_administrator(administrator) =
            "/settings/administrators/{administrator}/delete";
        ROLES roles() = "/settings/roles";
        NEW_ROLE new_role() = "/settings/roles/new";
        ROLE role(role) = "/settings/roles/{role}";
        EDIT_ROLE edit_role(role) = "/settings/roles/{role}/edit";
        DELETE_ROLE delete_role(role) = "/settings/roles/{role}/delete";
        ATTACH_POLICIES attach_policies(role) = "/settings/roles/{role}/policies";
        DETACH_POLICY detach_policy(role, policy) = "/settings/roles/{role}/policies/{policy}/detach";
        PERMISSION_POLICIES permission_policies() = "/settings/policies";
        NEW_PERMISSION_POLICY new_permission_policy() = "/settings/policies/new";
        PERMISSION_POLICY permission_policy(policy) = "/settings/policies/{policy}";
        EDIT_PERMISSION_POLICY edit_permission_policy(policy) = "/settings/policies/{policy}/edit";
        DELETE_PERMISSION_POLICY delete_permission_policy(policy) = "/settings/policies/{policy}/delete";
        HOME home() = "/";
        PASSWORD password() = "/settings/password";
        AUDIT_LOG audit_log() = "/settings/audit";
        AUDIT_RECORD audit_record(record) = "/settings/audit/{record}";
        SCIM scim() = "/settings/scim";
        SCIM_TOKEN scim_token() = "/settings/scim/token";
        ADMIN_SIGN_IN_OPTIONS admin_sign_in_options() = "/settings/sign-in";
        NEW_ADMIN_SIGN_IN_OPTION new_admin_sign_in_option() = "/settings/sign-in/new";
        EDIT_ADMIN_SIGN_IN_OPTION edit_admin_sign_in_option(option) = "/settings/sign-in/{option}/edit";
        DELETE_ADMIN_SIGN_IN_OPTION delete_admin_sign_in_option(option) = "/settings/sign-in/{option}/delete";
        SMTP_SERVER smtp_server() = "/settings/mail";
        TRY_SMTP_SERVER try_smtp_server() = "/settings/mail/test";
        DELIVERIES deliveries() = "/settings/deliveries";
        RESEND_DELIVERIES resend_deliveries() = "/settings/deliveries/resend";
        DELIVERY delivery(delivery) = "/settings/deliveries/{delivery}";
        RESEND_DELIVERY resend_delivery(delivery) = "/settings/deliveries/{delivery}/resend";
        CONTACT_POINTS contact_points() = "/settings/contact-points";
        NEW_CONTACT_POINT new_contact_point() = "/settings/contact-points/new";
        EDIT_CONTACT_POINT edit_contact_point(contact_point) = "/settings/contact-points/{contact_point}/edit";
        CONTACT_POINT_SECRET contact_point_secret(contact_point) =
            "/settings/contact-points/{contact_point}/signing-secret";
        DELETE_CONTACT_POINT delete_contact_point(contact_point) =
            "/settings/contact-points/{contact_point}/delete";
        SIGN_IN sign_in() = "/sign-in";
        FIRST_PASSWORD first_password() = "/sign-in/password";
        SIGN_OUT sign_out() = "/sign-out";
    }
}

paths! {
    /// Paths of the Admin API that browsers are led to: it stands at the console's own address.
    admin_api {
        OIDC_LOGIN oidc_login(option) = "/api/oidc/{option}/login";
        LDAP_LOGIN ldap_login(option) = "/api/ldap/{option}/login";
        SAML_LOGIN saml_login(option) = "/api/saml/{option}/login";
        CAS_LOGIN cas_login(option) = "/api/cas/{option}/login";
        AUDIT_EXPORT audit_export() = "/api/audit_logs/export";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_escaped_as_one_segment() {
        assert_eq!(developer::product("a/b?c d").as_str(), "/products/a%2Fb%3Fc%20d");
        assert_eq!(provider::product("default", "prd_1").as_str(), "/portals/default/products/prd_1");
    }

    #[test]
    fn a_name_with_the_wrong_number_of_ids_is_no_link() {
        assert_eq!(by_name("developer.product", &["p"]), Some(developer::product("p")));
        assert_eq!(by_name("developer.product", &[]), None);
        assert_eq!(by_name("developer.nowhere", &[]), None);
        assert_eq!(by_name("elsewhere.home", &[]), None);
    }

    #[test]
    fn a_query_leaves_out_what_is_empty_and_escapes_the_rest() {
        let link = developer::hub().with_query(&[("search", "a&b"), ("page", ""), ("label", "é")]);
        assert_eq!(link.as_str(), "/hub?search=a%26b&label=%C3%A9");
        assert_eq!(link.with_query(&[]).as_str(), "/hub");
    }
}
