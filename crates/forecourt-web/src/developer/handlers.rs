//! The Developer Portal site: its routes, one file of handlers per noun.
//!
//! `visitors.rs` says who is asking: a handler that takes a [`Looker`](visitors::Looker) is open to whoever the
//! portal lets look, one that takes a [`Member`](visitors::Member) to active developers only.

mod account;
mod activities;
mod applications;
mod credentials;
mod entrances;
mod home;
mod hub;
mod oauth_clients;
mod person_links;
mod products;
mod sign_in;
mod subscriptions;
mod visitors;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use forecourt_http::Context;

use crate::{
    handling::{self, Config, Web, event_types::NamedForms},
    links::developer as at,
};

/// What forms are called in the audit log.
const FORMS: NamedForms = &[
    (at::SUBSCRIBE, "CreateSubscription"),
    (at::NEW_APPLICATION, "CreateApplication"),
    (at::EDIT_APPLICATION, "UpdateApplication"),
    (at::DELETE_APPLICATION, "DeleteApplication"),
    (at::NEW_SUBSCRIPTION, "CreateSubscription"),
    (at::SUBSCRIPTION_PLAN, "UpdateSubscription"),
    (at::CANCEL_SUBSCRIPTION, "DeleteSubscription"),
    (at::NEW_CREDENTIAL, "CreateCredential"),
    (at::EDIT_CREDENTIAL, "UpdateCredential"),
    (at::REGENERATE_CREDENTIAL, "RegenerateCredential"),
    (at::DELETE_CREDENTIAL, "DeleteCredential"),
    (at::SIGN_IN, "Login"),
    (at::FIRST_PASSWORD, "UpdatePassword"),
    (at::SIGN_UP, "CreateDeveloper"),
    (at::VERIFY, "UpdateDeveloper"),
    (at::VERIFY_AGAIN, "UpdateDeveloper"),
    (at::RESET, "ResetPassword"),
    (at::NEW_PASSWORD, "UpdatePassword"),
    (at::SIGN_OUT, "Logout"),
    (at::PASSWORD, "UpdatePassword"),
    (at::END_SESSION, "Logout"),
];

/// The Developer Portal site.
pub fn router(context: Context, config: Config) -> Router {
    let web = match Web::new(context, config) {
        Ok(web) => web,
        Err(error) => return handling::broken(&error),
    };
    let begin = middleware::from_fn_with_state(web.clone(), visitors::begin);
    let note = middleware::from_fn_with_state(FORMS, handling::event_types::note);
    handling::served(handling::pages(routes()).layer(begin).layer(note), web)
}

fn routes() -> Router<Web> {
    Router::new()
        .route(at::HOME, get(home::show))
        .route(at::HUB, get(hub::list))
        .route(at::PRODUCT, get(products::show))
        .route(at::SUBSCRIBE, post(products::subscribe))
        .route(at::DOCUMENT, get(products::document))
        .route(at::APPLICATIONS, get(applications::list))
        .route(at::NEW_APPLICATION, get(applications::new).post(applications::create))
        .route(at::APPLICATION, get(applications::show))
        .route(at::EDIT_APPLICATION, get(applications::edit).post(applications::update))
        .route(at::DELETE_APPLICATION, get(applications::ask_delete).post(applications::delete))
        .route(at::NEW_SUBSCRIPTION, get(subscriptions::new).post(subscriptions::create))
        .route(at::SUBSCRIPTION_PLAN, get(subscriptions::ask_plan).post(subscriptions::change_plan))
        .route(at::CANCEL_SUBSCRIPTION, get(subscriptions::ask_cancel).post(subscriptions::cancel))
        .route(at::NEW_CREDENTIAL, get(credentials::new).post(credentials::create))
        .route(at::EDIT_CREDENTIAL, get(credentials::edit).post(credentials::update))
        .route(at::REGENERATE_CREDENTIAL, get(credentials::ask_regenerate).post(credentials::regenerate))
        .route(at::DELETE_CREDENTIAL, get(credentials::ask_delete).post(credentials::delete))
        .route(at::SIGN_IN, get(sign_in::ask).post(sign_in::sign_in))
        .route(at::FIRST_PASSWORD, get(sign_in::ask_password).post(sign_in::set_password))
        .route(at::PENDING, get(sign_in::pending))
        .route(at::SIGN_UP, get(sign_in::ask_sign_up).post(sign_in::sign_up))
        .route(at::VERIFY, get(person_links::ask_verify).post(person_links::verify))
        .route(at::VERIFY_AGAIN, post(person_links::verify_again))
        .route(at::RESET, get(person_links::ask_reset).post(person_links::reset))
        .route(at::NEW_PASSWORD, get(person_links::ask_password).post(person_links::set_password))
        .route(at::SIGN_OUT, get(sign_in::signed_out).post(sign_in::sign_out))
        .route(at::ACCOUNT, get(account::show))
        .route(at::PASSWORD, get(account::ask_password).post(account::change_password))
        .route(at::SESSIONS, get(account::sessions))
        .route(at::END_SESSION, post(account::end_session))
}
