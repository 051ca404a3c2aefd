//! Products: the list, the page of one, publishing, taking back to draft, deleting. Create and edit are `forms.rs`.

pub(super) mod forms;

use axum::extract::Path;
use forecourt_app::{ErrorKind, impacts, products, services, subscriptions};
use forecourt_core::{
    ids::ProductId,
    lists::{Paging, TextFilter},
    products::{
        GatewayOffer, Product, ProductAuth, ProductFilter, ProductStatus, ProductType, Visibility,
        changes::ProductInput,
    },
    subscriptions::{SubscriptionDetail, SubscriptionFilter},
};

use super::{Answer, Console, PAGE_SIZE, notifications, rows};
use crate::{
    confirm::{Act, Confirm},
    developer::products::{AuthKind, AuthMethod, ProductKind},
    display::{Reference, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    lists::Search,
    page::Tone,
    plans::PlanShown,
    provider::products::{ProductList, ProductPage, ProductRow, ProductSubscription},
};

/// How many subscriptions the page of a product shows.
const SHOWN_SUBSCRIPTIONS: u64 = 10;

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let portal = console.portal()?;
    let status = ProductStatus::from_name(asked.text("status"));
    let filter = ProductFilter {
        portal_id: Some(portal.clone()),
        status,
        text: TextFilter { search: asked.given("search").map(str::to_owned), labels: Vec::new() },
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = products::list(console.app(), &console.caller, &filter).await?;
    let ids: Vec<_> = found.rows.iter().map(|listed| listed.product.id.clone()).collect();
    let counts = impacts::subscriptions_of_products(console.app(), &console.caller, &ids).await?;
    let list = provider::products(portal.as_str());
    let (search, chosen) = (asked.text("search"), status.map_or("", ProductStatus::name));
    let filtered = status.is_some() || !search.is_empty();
    let chip = |text, value| rows::chip(&list, text, ("status", value), chosen, &[("search", search)]);
    let statuses = vec![
        chip(console.say("chip.all", &[]), ""),
        chip(console.say("chip.published", &[]), ProductStatus::Published.name()),
        chip(console.say("chip.draft", &[]), ProductStatus::Draft.name()),
    ];
    let row = |product: Product| ProductRow {
        subscriptions: counts.get(&product.id).copied().unwrap_or(0),
        kind: kind(product.product_type()),
        status: rows::product_status(product.status),
        authentication: methods(product.gateway_offer()).into_iter().map(|method| method.kind).collect(),
        id: product.id.to_string(),
        name: product.name,
        description: product.desc,
        updated_at: When::of(product.updated_at),
    };
    let view = ProductList {
        search: Search::new(list.clone(), search, &[("status", chosen)]),
        statuses: if filtered || found.total > 0 { statuses } else { Vec::new() },
        paging: rows::paging(&list, &[("search", search), ("status", chosen)], asked.page(), found.total),
        products: found.rows.into_iter().map(|listed| row(listed.product)).collect(),
        filtered,
    };
    console.visit.show(&view)
}

const fn kind(product_type: ProductType) -> ProductKind {
    match product_type {
        ProductType::Gateway => ProductKind::Gateway,
        ProductType::External => ProductKind::External,
    }
}

fn methods(offer: Option<&GatewayOffer>) -> Vec<AuthMethod> {
    let Some(ProductAuth { key_auth, basic_auth, jwt_auth, dcr }) = offer.map(|offer| &offer.auth) else {
        return Vec::new();
    };
    let plain = |kind| AuthMethod { kind, header: None, query: None };
    let key = key_auth.as_ref().map(|key| AuthMethod {
        kind: AuthKind::KeyAuth,
        header: Some(key.header.clone()),
        query: Some(key.query.clone()),
    });
    let basic = basic_auth.as_ref().map(|_| plain(AuthKind::BasicAuth));
    let jwt = jwt_auth.as_ref().map(|_| plain(AuthKind::JwtAuth));
    let oauth = dcr.as_ref().map(|_| plain(AuthKind::Oauth));
    [key, basic, jwt, oauth].into_iter().flatten().collect()
}

async fn known(console: &Console, id: &str) -> Result<Product, Failed> {
    let id = ProductId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(products::product(console.app(), &console.caller, &id, Some(console.portal()?)).await?.product)
}

pub(super) async fn page(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let product = known(&console, &id).await?;
    let filter = SubscriptionFilter {
        product_id: Some(product.id.clone()),
        paging: Paging::Page { page: 1, size: SHOWN_SUBSCRIPTIONS },
        ..Default::default()
    };
    let found = subscriptions::list(console.app(), &console.caller, filter).await?;
    let offer = product.gateway_offer();
    let view = ProductPage {
        kind: kind(product.product_type()),
        status: rows::product_status(product.status),
        labels: rows::labels(&product.labels),
        public: product.visibility == Visibility::Public,
        needs_approval: offer.is_some_and(|offer| !offer.subscription_auto_approval),
        authentication: methods(offer),
        services: linked(&console, offer).await?,
        notifications: notifications::shown(&console, &product).await?,
        plans: product.plans().iter().map(PlanShown::of).collect(),
        subscription_count: found.total,
        subscriptions: found.rows.into_iter().map(subscription).collect(),
        created_at: When::of(product.created_at),
        updated_at: When::of(product.updated_at),
        activity: rows::activity(&console, "product", product.id.as_str()).await?,
        id: product.id.to_string(),
        name: product.name,
        description: product.desc,
    };
    console.visit.show(&view)
}

async fn linked(console: &Console, offer: Option<&GatewayOffer>) -> Result<Vec<Reference>, Failed> {
    let mut services = Vec::new();
    for link in offer.map(|offer| offer.services.as_slice()).unwrap_or_default() {
        let group = &link.gateway_group_id;
        let found = services::service(console.app(), &console.caller, &link.service_id, Some(group)).await;
        let service = match found {
            // Whoever may see the product need not see what it is made of.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            found => found?,
        };
        let href = provider::service(group.as_str(), service.id.as_str());
        services.push(Reference::new(service.name, href));
    }
    Ok(services)
}

fn subscription(found: SubscriptionDetail) -> ProductSubscription {
    let portal = found.subscription.portal_id.as_str();
    let application = provider::application(portal, found.subscription.application_id.as_str());
    let developer = provider::developer(portal, found.developer_id.as_str());
    ProductSubscription {
        application: Reference::new(found.application_name, application),
        developer: Reference::new(found.developer_name, developer),
        plan: found.plan_name.map(|name| {
            let (product, id) = (found.subscription.product_id.as_str(), found.subscription.id.as_str());
            Reference::new(name, provider::subscription_plan(portal, product, id))
        }),
        status: rows::subscription_status(found.subscription.status),
        created_at: When::of(found.subscription.subscribed_at.unwrap_or(found.subscription.created_at)),
    }
}

async fn question(console: &Console, id: &str, act: Act) -> Result<(ProductId, Confirm), Failed> {
    let product = known(console, id).await?;
    let (app, own) = (console.app(), Some(&product.portal_id));
    let impact = match act {
        Act::PublishProduct => Vec::new(),
        Act::UnpublishProduct => {
            let input = ProductInput { status: Some(ProductStatus::Draft), ..Default::default() };
            rows::impact(console, async |caller| products::update(app, caller, &product.id, own, input).await)
                .await
        }
        _ => {
            rows::impact(console, async |caller| products::delete(app, caller, &product.id, own).await).await
        }
    };
    let portal = product.portal_id.as_str();
    let action = match act {
        Act::PublishProduct => provider::publish_product(portal, id),
        Act::UnpublishProduct => provider::unpublish_product(portal, id),
        _ => provider::delete_product(portal, id),
    };
    let question = Confirm {
        act,
        type_name: !impact.is_empty(),
        impact,
        action,
        back: provider::product(portal, id),
        form: Form::new(),
        name: product.name,
    };
    Ok((product.id, question))
}

async fn ask(console: Console, id: &str, act: Act) -> Answer {
    let (_, question) = question(&console, id, act).await?;
    console.visit.show(&question)
}

pub(super) async fn ask_publish(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    ask(console, &id, Act::PublishProduct).await
}

pub(super) async fn ask_unpublish(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    ask(console, &id, Act::UnpublishProduct).await
}

pub(super) async fn ask_delete(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    ask(console, &id, Act::DeleteProduct).await
}

pub(super) async fn publish(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (id, question) = question(&console, &id, Act::PublishProduct).await?;
    let text = console.say("flash.published", &[("name", &question.name)]);
    turn(&console, &id, question, &posted, ProductStatus::Published, &text).await
}

pub(super) async fn unpublish(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (id, question) = question(&console, &id, Act::UnpublishProduct).await?;
    let text = console.say("flash.unpublished", &[("name", &question.name)]);
    turn(&console, &id, question, &posted, ProductStatus::Draft, &text).await
}

/// Publishes or takes back; what that did beyond the product itself is said as a warning.
async fn turn(
    console: &Console,
    id: &ProductId,
    question: Confirm,
    posted: &Posted,
    status: ProductStatus,
    text: &str,
) -> Answer {
    let visit = &console.visit;
    if let Some(again) = rows::wrong_name(console, &question, posted) {
        return visit.show_refused(&again);
    }
    let input = ProductInput { status: Some(status), ..Default::default() };
    match products::update(console.app(), &console.caller, id, Some(console.portal()?), input).await {
        Ok(updated) => Ok(told(console, &question.back, text, updated.warning)),
        Err(error) => visit.show_refused(&rows::refused_act(&question, posted, error)?),
    }
}

/// The way to `link` with `text`, and with what else happened where something did.
fn told(
    console: &Console,
    link: &crate::links::Link,
    text: &str,
    warning: Option<String>,
) -> axum::http::Response<axum::body::Body> {
    let visit = &console.visit;
    match warning {
        None => visit.done(link, text),
        Some(warning) => {
            visit.say_then(visit.go(link), Tone::Warning, &format!("{text} {}", sentence(&warning)))
        }
    }
}

/// A clause of a use case as a sentence.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str())
}

pub(super) async fn delete(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (id, question) = question(&console, &id, Act::DeleteProduct).await?;
    if let Some(again) = rows::wrong_name(&console, &question, &posted) {
        return console.visit.show_refused(&again);
    }
    let portal = console.portal()?;
    products::delete(console.app(), &console.caller, &id, Some(portal)).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&provider::products(portal.as_str()), &text))
}
