//! The Provider console's routes, and what each request goes through before a handler sees it.
//!
//! Invariant: a handler that takes a [`Console`] runs only for an administrator who holds a role and has a
//! password of their own. One file per noun beside this; a handler maps what use cases give to its page's
//! context, and decides nothing.

mod administrators;
mod applications;
mod approval_links;
mod approvals;
mod audit_logs;
mod certificates;
mod consumers;
mod contact_points;
mod dcr_providers;
mod deliveries;
mod developers;
mod gateway;
mod instance_tokens;
mod nodes;
mod notifications;
mod overview;
mod passwords;
mod permission_policies;
mod plans;
mod plugins;
mod portals;
mod products;
mod provisioning;
mod receipts;
mod roles;
mod rows;
mod services;
mod sign_in;
mod sign_in_options;
mod smtp_servers;
mod tokens;
mod visits;

use axum::{Router, body::Body, http::Response, middleware, routing::get};
use forecourt_http::Context;

use crate::{
    handling::{self, Config, Failed, Web, event_types::NamedForms},
    links::provider as paths,
};

pub(super) use visits::{Console, Doorstep};

/// What a handler gives.
type Answer = Result<Response<Body>, Failed>;

/// Rows on a page of a list.
const PAGE_SIZE: u64 = 20;

/// The largest form that carries an OpenAPI document, in bytes.
const DOCUMENT_FORM: usize = 12 * 1024 * 1024;

/// What forms are called in the audit log that need no permission.
const FORMS: NamedForms = &[
    (paths::SIGN_IN, "Login"),
    (paths::SIGN_OUT, "Logout"),
    (paths::FIRST_PASSWORD, "UpdatePassword"),
    (paths::PASSWORD, "UpdatePassword"),
];

/// The Provider console.
pub fn router(context: Context, config: Config) -> Router {
    let web = match Web::new(context, config) {
        Ok(web) => web,
        Err(error) => return handling::broken(&error),
    };
    let routes = entrance()
        .merge(portal_pages())
        .merge(gateway_pages())
        .merge(group_pages())
        .merge(node_pages())
        .merge(people_pages())
        .merge(settings_pages());
    let note = middleware::from_fn_with_state(FORMS, handling::event_types::note);
    let visited = handling::pages(routes).layer(middleware::from_fn_with_state(web.clone(), visits::begin));
    handling::served(visited.layer(note), web)
}

fn entrance() -> Router<Web> {
    Router::new()
        .route(paths::HOME, get(overview::home))
        .route(paths::SIGN_IN, get(sign_in::form).post(sign_in::sign_in))
        .route(paths::SIGN_OUT, axum::routing::post(sign_in::sign_out))
        .route(paths::FIRST_PASSWORD, get(passwords::first_form).post(passwords::choose_first))
        .route(paths::PASSWORD, get(passwords::form).post(passwords::change))
        .route(paths::SCIM, get(provisioning::settings).post(provisioning::save))
        .route(paths::SCIM_TOKEN, get(provisioning::ask_token).post(provisioning::issue_token))
        .route(paths::OVERVIEW, get(overview::page))
        .route(paths::APPROVALS, get(approvals::inbox))
        .route(paths::APPROVAL_LINK, get(approval_links::question).post(approval_links::decide))
        .route(paths::ACCEPT_APPROVAL, axum::routing::post(approvals::accept))
        .route(paths::REJECT_APPROVAL, get(approvals::reject_form).post(approvals::reject))
}

fn portal_pages() -> Router<Web> {
    Router::new()
        .route(paths::PORTALS, get(portals::list))
        .route(paths::NEW_PORTAL, get(portals::new_form).post(portals::create))
        .route(paths::PORTAL, get(portals::enter))
        .route(paths::PORTAL_SETTINGS, get(portals::settings).post(portals::save))
        .route(paths::DELETE_PORTAL, get(portals::ask_delete).post(portals::delete))
        .route(paths::PRODUCTS, get(products::list))
        .route(paths::NEW_PRODUCT, get(products::forms::blank).post(products::forms::create))
        .route(paths::PRODUCT, get(products::page))
        .route(paths::EDIT_PRODUCT, get(products::forms::filled).post(products::forms::save))
        .route(paths::PUBLISH_PRODUCT, get(products::ask_publish).post(products::publish))
        .route(paths::UNPUBLISH_PRODUCT, get(products::ask_unpublish).post(products::unpublish))
        .route(paths::DELETE_PRODUCT, get(products::ask_delete).post(products::delete))
        .route(paths::NOTIFICATIONS, get(notifications::form).post(notifications::save))
        .route(paths::NEW_PLAN, get(plans::blank).post(plans::create))
        .route(paths::EDIT_PLAN, get(plans::filled).post(plans::save))
        .route(paths::DELETE_PLAN, get(plans::ask_delete).post(plans::delete))
        .route(paths::SUBSCRIPTION_PLAN, get(plans::ask_change).post(plans::change))
        .route(paths::DEVELOPERS, get(developers::list))
        .route(paths::INVITE_DEVELOPER, get(developers::invite_form).post(developers::invite))
        .route(paths::DEVELOPER, get(developers::page))
        .route(paths::RESET_DEVELOPER_PASSWORD, get(developers::ask_reset).post(developers::reset))
        .route(paths::DELETE_DEVELOPER, get(developers::ask_delete).post(developers::delete))
        .route(paths::APPLICATIONS, get(applications::list))
        .route(paths::APPLICATION, get(applications::page))
        .route(paths::SUSPEND_APPLICATION, get(applications::ask_suspend).post(applications::suspend))
        .route(paths::RESUME_APPLICATION, get(applications::ask_resume).post(applications::resume))
        .route(paths::TOKENS, get(tokens::list))
        .route(paths::NEW_TOKEN, get(tokens::new_form).post(tokens::create))
        .route(paths::DELETE_TOKEN, get(tokens::ask_delete).post(tokens::delete))
}

/// Settings of portals and of the whole installation.
fn settings_pages() -> Router<Web> {
    let one = || get(sign_in_options::edit_form).post(sign_in_options::save);
    let new = || get(sign_in_options::new_form).post(sign_in_options::create);
    let end = || get(sign_in_options::ask_delete).post(sign_in_options::delete);
    Router::new()
        .route(paths::SIGN_IN_OPTIONS, get(sign_in_options::list))
        .route(paths::NEW_SIGN_IN_OPTION, new())
        .route(paths::EDIT_SIGN_IN_OPTION, one())
        .route(paths::DELETE_SIGN_IN_OPTION, end())
        .route(paths::PORTAL_SCIM, get(provisioning::settings).post(provisioning::save))
        .route(paths::PORTAL_SCIM_TOKEN, get(provisioning::ask_token).post(provisioning::issue_token))
        .route(paths::ADMIN_SIGN_IN_OPTIONS, get(sign_in_options::list))
        .route(paths::NEW_ADMIN_SIGN_IN_OPTION, new())
        .route(paths::EDIT_ADMIN_SIGN_IN_OPTION, one())
        .route(paths::DELETE_ADMIN_SIGN_IN_OPTION, end())
        .route(paths::AUDIT_LOG, get(audit_logs::list))
        .route(paths::AUDIT_RECORD, get(audit_logs::record))
        .route(paths::SMTP_SERVER, get(smtp_servers::form).post(smtp_servers::save))
        .route(paths::TRY_SMTP_SERVER, axum::routing::post(smtp_servers::try_out))
        .route(paths::DELIVERIES, get(deliveries::list))
        .route(paths::RESEND_DELIVERIES, get(deliveries::ask_resend_all).post(deliveries::resend_all))
        .route(paths::DELIVERY, get(deliveries::page))
        .route(paths::RESEND_DELIVERY, axum::routing::post(deliveries::resend))
        .route(paths::CONTACT_POINT_SECRET, axum::routing::post(contact_points::issue_secret))
        .route(paths::CONTACT_POINTS, get(contact_points::list))
        .route(paths::NEW_CONTACT_POINT, get(contact_points::new_form).post(contact_points::create))
        .route(paths::EDIT_CONTACT_POINT, get(contact_points::edit_form).post(contact_points::save))
        .route(paths::DELETE_CONTACT_POINT, get(contact_points::ask_delete).post(contact_points::delete))
}

fn gateway_pages() -> Router<Web> {
    Router::new()
        .route(paths::GATEWAY, get(gateway::list))
        .route(paths::NEW_GROUP, get(gateway::new_form).post(gateway::create))
        .route(paths::GROUP, get(gateway::page))
        .route(paths::NEW_SERVICE, get(services::new_form).post(services::create))
        .route(paths::SERVICE, get(services::page))
        .route(paths::SERVICE_DOCUMENT, get(services::document_form).post(services::save_document))
        .route(paths::DELETE_SERVICE, get(services::ask_delete).post(services::delete))
        .route(paths::EDIT_SERVICE, get(services::edit_form).post(services::save))
        .route(paths::SERVICE_PLUGINS, get(plugins::of_service).post(plugins::save_of_service))
        .route(paths::NEW_ROUTE, get(services::routes::new_form).post(services::routes::create))
        .route(paths::EDIT_ROUTE, get(services::routes::edit_form).post(services::routes::save))
        .route(paths::ROUTE_PLUGINS, get(plugins::of_route).post(plugins::save_of_route))
        .route(paths::DELETE_ROUTE, get(services::routes::ask_delete).post(services::routes::delete))
}

fn node_pages() -> Router<Web> {
    Router::new()
        .route(paths::NODES, get(nodes::list))
        .route(paths::NODE, get(nodes::page))
        .route(paths::REMOVE_NODE, get(nodes::ask_remove).post(nodes::remove))
        .route(paths::RECEIPT, get(receipts::page))
        .route(paths::INSTANCE_TOKENS, get(instance_tokens::list))
        .route(paths::NEW_INSTANCE_TOKEN, get(instance_tokens::new_form).post(instance_tokens::create))
        .route(paths::DELETE_INSTANCE_TOKEN, get(instance_tokens::ask_delete).post(instance_tokens::delete))
        .route(paths::DCR_PROVIDERS, get(dcr_providers::list))
        .route(paths::NEW_DCR_PROVIDER, get(dcr_providers::new_form).post(dcr_providers::create))
        .route(paths::EDIT_DCR_PROVIDER, get(dcr_providers::edit_form).post(dcr_providers::save))
        .route(paths::DELETE_DCR_PROVIDER, get(dcr_providers::ask_delete).post(dcr_providers::delete))
        .route(paths::DISMISS_DCR_REMOVAL, get(dcr_providers::ask_dismiss).post(dcr_providers::dismiss))
}

/// Administrators and what they may do.
fn people_pages() -> Router<Web> {
    Router::new()
        .route(paths::ADMINISTRATORS, get(administrators::list))
        .route(
            paths::INVITE_ADMINISTRATOR,
            get(administrators::invitations::form).post(administrators::invitations::invite),
        )
        .route(paths::ADMINISTRATOR, get(administrators::page))
        .route(paths::ASSIGN_ROLES, get(administrators::roles::form).post(administrators::roles::assign))
        .route(paths::BOUNDARY, get(administrators::boundary_form).post(administrators::bound))
        .route(
            paths::RESET_PASSWORD,
            get(administrators::invitations::ask_reset).post(administrators::invitations::reset),
        )
        .route(paths::DELETE_ADMINISTRATOR, get(administrators::ask_delete).post(administrators::delete))
        .route(paths::ROLES, get(roles::list))
        .route(paths::NEW_ROLE, get(roles::new_form).post(roles::create))
        .route(paths::ROLE, get(roles::page))
        .route(paths::EDIT_ROLE, get(roles::edit_form).post(roles::save))
        .route(paths::DELETE_ROLE, get(roles::ask_delete).post(roles::delete))
        .route(paths::ATTACH_POLICIES, get(roles::policies::form).post(roles::policies::attach))
        .route(paths::DETACH_POLICY, get(roles::policies::ask_detach).post(roles::policies::detach))
        .route(paths::PERMISSION_POLICIES, get(permission_policies::list))
        .route(
            paths::NEW_PERMISSION_POLICY,
            get(permission_policies::new_form).post(permission_policies::create),
        )
        .route(paths::PERMISSION_POLICY, get(permission_policies::page))
        .route(
            paths::EDIT_PERMISSION_POLICY,
            get(permission_policies::edit_form).post(permission_policies::save),
        )
        .route(
            paths::DELETE_PERMISSION_POLICY,
            get(permission_policies::ask_delete).post(permission_policies::delete),
        )
}

/// What belongs to whole gateway groups.
fn group_pages() -> Router<Web> {
    Router::new()
        .route(paths::RULES, get(plugins::rules))
        .route(paths::NEW_RULE, get(plugins::new_rule).post(plugins::create_rule))
        .route(paths::EDIT_RULE, get(plugins::edit_rule).post(plugins::save_rule))
        .route(paths::DELETE_RULE, get(plugins::ask_delete).post(plugins::delete))
        .route(paths::CERTIFICATES, get(certificates::list))
        .route(paths::NEW_CERTIFICATE, get(certificates::new_form).post(certificates::create))
        .route(paths::EDIT_CERTIFICATE, get(certificates::edit_form).post(certificates::save))
        .route(paths::DELETE_CERTIFICATE, get(certificates::ask_delete).post(certificates::delete))
        .route(paths::CONSUMERS, get(consumers::list))
        .route(paths::NEW_CONSUMER, get(consumers::new_form).post(consumers::create))
        .route(paths::CONSUMER, get(consumers::page))
        .route(paths::EDIT_CONSUMER, get(consumers::edit_form).post(consumers::save))
        .route(paths::DELETE_CONSUMER, get(consumers::ask_delete).post(consumers::delete))
        .route(
            paths::NEW_CONSUMER_CREDENTIAL,
            get(consumers::credentials::new_form).post(consumers::credentials::create),
        )
        .route(
            paths::DELETE_CONSUMER_CREDENTIAL,
            get(consumers::credentials::ask_delete).post(consumers::credentials::delete),
        )
}
