//! A product's page, its documents, and the subscribe panel.

use std::collections::HashMap;

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use forecourt_app::{
    App, applications,
    products::catalogue::{self, CataloguePage, CatalogueProduct},
    subscriptions,
};
use forecourt_core::{
    actors::Caller,
    applications::ApplicationFilter,
    ids::{ApplicationId, PlanId, ProductId},
    products::{Offer, Product, ProductAuth, SubscriptionState},
    subscriptions::SubscriptionFilter,
};

use super::{
    entrances::addresses,
    visitors::{Looker, Member, Visitor},
};
use crate::{
    developer::products::{
        Access, AuthKind, AuthMethod, Choice, Document, Operation, OperationGroup, OwnSubscription,
        ProductCard, ProductKind, ProductPage,
    },
    display::{Label, Reference, Status},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted, Visit},
    links::developer,
    lists::Paging,
    plans::PlanShown,
};

/// The most operations of one document on one page.
const OPERATIONS: usize = 200;

/// A product of the catalogue as a card.
pub(super) fn card(found: &CatalogueProduct) -> ProductCard {
    let product = &found.product;
    ProductCard {
        name: product.name.clone(),
        description: product.desc.clone(),
        kind: kind(product),
        labels: labels(product),
        authentication: methods(product).into_iter().map(|method| method.kind).collect(),
        operations: found.api_count,
        subscription: found.subscription.and_then(badge),
        href: developer::product(product.id.as_str()),
    }
}

const fn badge(state: SubscriptionState) -> Option<Status> {
    match state {
        SubscriptionState::Unsubscribed => None,
        SubscriptionState::WaitForApproval => Some(Status::WaitForApproval),
        SubscriptionState::Subscribed => Some(Status::Subscribed),
    }
}

const fn kind(product: &Product) -> ProductKind {
    match product.offer {
        Offer::Gateway(_) => ProductKind::Gateway,
        Offer::External(_) => ProductKind::External,
    }
}

fn labels(product: &Product) -> Vec<Label> {
    product.labels.pairs().iter().map(|(key, value)| Label::new(key, value)).collect()
}

fn methods(product: &Product) -> Vec<AuthMethod> {
    let Some(ProductAuth { key_auth, basic_auth, jwt_auth, dcr }) =
        product.gateway_offer().map(|offer| &offer.auth)
    else {
        return Vec::new();
    };
    let key = key_auth.as_ref().map(|method| AuthMethod {
        kind: AuthKind::KeyAuth,
        header: Some(method.header.clone()),
        query: Some(method.query.clone()).filter(|query| !query.is_empty()),
    });
    let in_authorization = |kind| AuthMethod { kind, header: Some("Authorization".to_owned()), query: None };
    let basic = basic_auth.as_ref().map(|_| in_authorization(AuthKind::BasicAuth));
    let jwt = jwt_auth
        .as_ref()
        .map(|_| AuthMethod { query: Some("jwt".to_owned()), ..in_authorization(AuthKind::JwtAuth) });
    let oauth = dcr.as_ref().map(|_| in_authorization(AuthKind::Oauth));
    [key, basic, jwt, oauth].into_iter().flatten().collect()
}

/// The id that the path names.
pub(super) fn product_id(text: &str) -> Result<ProductId, Failed> {
    ProductId::parse(text).ok_or_else(|| FailureKind::NotFound.into())
}

/// `GET /products/{product}`, with `document` (from 1) and `page` for those of many operations.
pub(super) async fn show(
    Looker { visitor, caller }: Looker,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, Failed> {
    let found = catalogue::product(visitor.visit.web.app(), &caller, &product_id(&id)?, None).await?;
    visitor.visit.show(&page(&visitor, &caller, found, &asked, Form::new()).await?)
}

async fn page(
    visitor: &Visitor,
    caller: &Caller,
    found: CataloguePage,
    asked: &Asked,
    form: Form,
) -> Result<ProductPage, Failed> {
    let web = &visitor.visit.web;
    let product = &found.product;
    let entrances = catalogue::entrances(web.app(), caller, &product.id).await?;
    let servers = match &product.offer {
        Offer::External(offer) => offer.server_urls.clone(),
        Offer::Gateway(_) => addresses(&web.config.gateway_url, &entrances),
    };
    let (access, own) = access(visitor, caller, product, form).await?;
    Ok(ProductPage {
        id: product.id.to_string(),
        name: product.name.clone(),
        description: product.desc.clone(),
        kind: kind(product),
        labels: labels(product),
        servers,
        authentication: methods(product),
        plans: product.plans().iter().map(PlanShown::of).collect(),
        access,
        subscriptions: own,
        for_subscribers: found.documents.is_none(),
        documents: documents(&visitor.visit, product, found.documents.unwrap_or_default(), asked).await,
    })
}

async fn documents(visit: &Visit, product: &Product, texts: Vec<String>, asked: &Asked) -> Vec<Document> {
    let chosen = asked.text("document").parse::<usize>().unwrap_or(0);
    let mut documents = Vec::with_capacity(texts.len());
    for (number, text) in (1..).zip(texts) {
        let reference = visit.web.references.of(&text.into()).await;
        let total = reference.operations.len();
        let shown = if chosen == number { asked.page() } else { 1 };
        let skipped = usize::try_from(shown - 1).unwrap_or(usize::MAX).saturating_mul(OPERATIONS);
        let operations = reference.operations.iter().skip(skipped).take(OPERATIONS).map(operation);
        let own = developer::product(product.id.as_str());
        let at =
            |page: u64| own.with_query(&[("document", &number.to_string()), ("page", &page.to_string())]);
        documents.push(Document {
            name: if reference.title.is_empty() { product.name.clone() } else { reference.title.clone() },
            version: reference.version.clone(),
            download: developer::document(product.id.as_str(), &number.to_string()),
            paging: (total > OPERATIONS).then(|| Paging::new(shown, OPERATIONS as u64, total as u64, at)),
            groups: OperationGroup::by_tag(operations.collect()),
        });
    }
    documents
}

fn operation(read: &forecourt_core::openapi::Operation) -> Operation {
    Operation {
        method: read.method.to_ascii_lowercase(),
        path: read.path.clone(),
        summary: read.summary.clone(),
        tag: read.tag.clone(),
        deprecated: read.deprecated,
    }
}

/// What the visitor can do about access, and which subscriptions they have.
async fn access(
    visitor: &Visitor,
    caller: &Caller,
    product: &Product,
    form: Form,
) -> Result<(Access, Vec<OwnSubscription>), Failed> {
    let offer = product.gateway_offer().filter(|offer| !offer.auth.is_empty());
    let Some(offer) = offer else { return Ok((Access::Open, Vec::new())) };
    let here = developer::product(product.id.as_str());
    match &visitor.person {
        None => {
            let next = [("next", here.as_str())];
            let sign_in = developer::sign_in().with_query(&next);
            let sign_up = developer::sign_up().with_query(&next);
            return Ok((Access::Guest { sign_in, sign_up }, Vec::new()));
        }
        Some(person) if person.is_pending() => return Ok((Access::Pending, Vec::new())),
        Some(_) => {}
    }
    let app = visitor.visit.web.app();
    let own = applications::list(app, caller, ApplicationFilter::default()).await?.rows;
    let states = applications::subscription_states(app, &own, product.id.as_str()).await?;
    let plans = own_plans(app, caller, product).await?;
    let (mut free, mut subscribed) = (Vec::new(), Vec::new());
    for (application, state) in own.iter().zip(states) {
        match badge(state) {
            None => free.push(Choice::new(application.id.as_str(), application.name.as_str())),
            Some(status) => {
                let plan = plans.get(&application.id).cloned();
                let href = developer::application(application.id.as_str());
                let application = Reference::new(application.name.as_str(), href);
                subscribed.push(OwnSubscription { application, status, plan });
            }
        }
    }
    let access = match (own.is_empty(), free.is_empty()) {
        (true, _) => {
            let create = developer::new_application().with_query(&[("products", product.id.as_str())]);
            Access::NoApplication { create }
        }
        (false, true) => Access::AllSubscribed,
        (false, false) => {
            Access::Choose { applications: free, needs_approval: !offer.subscription_auto_approval, form }
        }
    };
    Ok((access, subscribed))
}

/// The names of the plans that the caller's applications have for a product.
async fn own_plans(
    app: &App,
    caller: &Caller,
    product: &Product,
) -> Result<HashMap<ApplicationId, String>, Failed> {
    if product.plans().is_empty() {
        return Ok(HashMap::new());
    }
    let filter = SubscriptionFilter { product_id: Some(product.id.clone()), ..Default::default() };
    let found = subscriptions::list(app, caller, filter).await?.rows;
    let named = found.into_iter().filter_map(|row| Some((row.subscription.application_id, row.plan_name?)));
    Ok(named.collect())
}

/// `POST /products/{product}/subscribe`.
pub(super) async fn subscribe(
    visitor: Visitor,
    member: Member,
    Path(id): Path<String>,
    asked: Asked,
    posted: Posted,
) -> Result<Response, Failed> {
    let Member { visit, caller, .. } = member;
    let app = visit.web.app();
    let found = catalogue::product(app, &caller, &product_id(&id)?, None).await?;
    let wanted = posted.texts("application");
    let plan = posted.given("plan").map(PlanId::known);
    match subscriptions::request(app, &caller, &wanted, std::slice::from_ref(&id), plan.as_ref()).await {
        Ok(()) => {
            let needs_approval =
                found.product.gateway_offer().is_some_and(|offer| !offer.subscription_auto_approval);
            let name = [("name", found.product.name.as_str())];
            let text = if needs_approval {
                visit.web.say("subscription.requested", &name)
            } else {
                visit.web.say("subscription.done", &name)
            };
            Ok(visit.done(&developer::product(&id), &text))
        }
        Err(error) => {
            let form = posted.refused(error, &[("applications", "application"), ("plan_id", "plan")])?;
            visit.show_refused(&page(&visitor, &caller, found, &asked, form).await?)
        }
    }
}

/// `GET /products/{product}/documents/{document}`: the text, byte for byte; documents count from 1.
pub(super) async fn document(
    Looker { visitor, caller }: Looker,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let found = catalogue::product(visitor.visit.web.app(), &caller, &product_id(&id)?, None).await?;
    let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let text = index.and_then(|index| found.documents.unwrap_or_default().into_iter().nth(index));
    let text = text.ok_or(FailureKind::NotFound)?;
    let (kind, ending) = if text.trim_start().starts_with('{') {
        ("application/json", "json")
    } else {
        ("application/yaml", "yaml")
    };
    let name: String =
        found.product.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    let disposition = format!("attachment; filename=\"{name}-{number}.{ending}\"");
    if let Ok(value) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
