//! The Provider console's routes, and what each request goes through before a handler sees it.
//!
//! Invariant: a handler that takes a [`Console`] runs only for an administrator who holds a role and has a
//! password of their own. One file per noun beside this; a handler maps what use cases give to its page's
//! context, and decides nothing.

mod applications;
mod approvals;
mod certificates;
mod consumers;
mod contact_points;
mod dcr_providers;
mod developers;
mod gateway;
mod instance_tokens;
mod nodes;
mod notifications;
mod overview;
mod passwords;
mod plans;
mod plugins;
mod portals;
mod products;
mod receipts;
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
    handling::{self, Config, Failed, Web},
    links::provider as paths,
};

pub(super) use visits::{Console, Doorstep};

/// What a handler gives.
type Answer = Result<Response<Body>, Failed>;

/// Rows on a page of a list.
const PAGE_SIZE: u64 = 20;

/// The largest form that carries an OpenAPI document, in bytes.
const DOCUMENT_FORM: usize = 12 * 1024 * 1024;

/// The Provider console.
pub fn router(context: Context, config: Config) -> Router {
    let web = match Web::new(context, config) {
        Ok(web) => web,
        Err(error) => return handling::broken(&error),
    };
    let routes =
        entrance().merge(portal_pages()).merge(gateway_pages()).merge(group_pages()).merge(node_pages());
    let routes = routes.merge(settings_pages());
    let visited = handling::pages(routes).layer(middleware::from_fn_with_state(web.clone(), visits::begin));
    handling::served(visited, web)
}

fn entrance() -> Router<Web> {
    Router::new()
        .route(paths::HOME, get(overview::home))
        .route(paths::SIGN_IN, get(sign_in::form).post(sign_in::sign_in))
        .route(paths::SIGN_OUT, axum::routing::post(sign_in::sign_out))
        .route(paths::FIRST_PASSWORD, get(passwords::first_form).post(passwords::choose_first))
        .route(paths::PASSWORD, get(passwords::form).post(passwords::change))
        .route(paths::OVERVIEW, get(overview::page))
        .route(paths::APPROVALS, get(approvals::inbox))
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
        .route(paths::ADMIN_SIGN_IN_OPTIONS, get(sign_in_options::list))
        .route(paths::NEW_ADMIN_SIGN_IN_OPTION, new())
        .route(paths::EDIT_ADMIN_SIGN_IN_OPTION, one())
        .route(paths::DELETE_ADMIN_SIGN_IN_OPTION, end())
        .route(paths::SMTP_SERVER, get(smtp_servers::form).post(smtp_servers::save))
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
