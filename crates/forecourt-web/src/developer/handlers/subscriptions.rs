//! Subscriptions, from the application's side.

use axum::{extract::Path, response::Response};
use forecourt_app::{applications, products::catalogue, subscriptions};
use forecourt_core::{
    applications::Application,
    ids::{PlanId, ProductId, SubscriptionId},
    subscriptions::SubscriptionDetail,
};

use super::{
    applications::{application_id, product_choices, reference, subscriptions_of},
    visitors::Member,
};
use crate::{
    confirm::{Act, Confirm},
    developer::subscriptions::Subscribe,
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::developer,
    plans::{ChoosePlan, PlanShown, chosen},
};

async fn subscribe_page(member: &Member, found: &Application, form: Form) -> Result<Subscribe, Failed> {
    let own = subscriptions_of(member, &found.id).await?;
    let own: Vec<ProductId> = own.into_iter().map(|detail| detail.subscription.product_id).collect();
    let products = product_choices(member, &own).await?;
    Ok(Subscribe { application: reference(found), application_id: found.id.to_string(), products, form })
}

/// `GET /applications/{application}/subscriptions/new`, with `products` chosen beforehand.
pub(super) async fn new(member: Member, Path(id): Path<String>, asked: Asked) -> Result<Response, Failed> {
    let found =
        applications::application(member.visit.web.app(), &member.caller, &application_id(&id)?).await?;
    let chosen = asked.texts("products");
    let form = chosen.into_iter().fold(Form::new(), |form, product| form.with("products", product));
    member.visit.show(&subscribe_page(&member, &found, form).await?)
}

/// `POST /applications/{application}/subscriptions/new`.
pub(super) async fn create(
    member: Member,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let app = visit.web.app();
    let found = applications::application(app, &member.caller, &application_id(&id)?).await?;
    let products = posted.texts("products");
    if products.is_empty() {
        let form = posted.form().refused("products", visit.web.say("subscription.choose", &[]));
        return visit.show_refused(&subscribe_page(&member, &found, form).await?);
    }
    match subscriptions::request(app, &member.caller, std::slice::from_ref(&id), &products, None).await {
        Ok(()) => {
            let text = visit.web.say("subscription.asked", &[("count", &products.len().to_string())]);
            Ok(visit.done(&developer::application(&id), &text))
        }
        Err(error) => {
            let form = posted.refused(error, &[("api_products", "products")])?;
            visit.show_refused(&subscribe_page(&member, &found, form).await?)
        }
    }
}

/// The subscription that the path names, where it is this application's.
async fn found(
    member: &Member,
    application: &str,
    subscription: &str,
) -> Result<(Application, SubscriptionDetail), Failed> {
    let application =
        applications::application(member.visit.web.app(), &member.caller, &application_id(application)?)
            .await?;
    let own = subscriptions_of(member, &application.id).await?;
    let found = own.into_iter().find(|detail| detail.subscription.id.as_str() == subscription);
    Ok((application, found.ok_or(FailureKind::NotFound)?))
}

/// `GET /applications/{application}/subscriptions/{subscription}/cancel`.
pub(super) async fn ask_cancel(
    member: Member,
    Path((application, subscription)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let (application, detail) = found(&member, &application, &subscription).await?;
    let (application, subscription) = (application.id.as_str(), detail.subscription.id.as_str());
    member.visit.show(&Confirm {
        act: Act::CancelSubscription,
        name: detail.product_name.clone(),
        impact: Vec::new(),
        type_name: false,
        action: developer::cancel_subscription(application, subscription),
        back: developer::application(application),
        form: Form::new(),
    })
}

/// `POST /applications/{application}/subscriptions/{subscription}/cancel`.
pub(super) async fn cancel(
    member: Member,
    Path((application, subscription)): Path<(String, String)>,
    _posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let (application, detail) = found(&member, &application, &subscription).await?;
    let id: &SubscriptionId = &detail.subscription.id;
    subscriptions::cancel(visit.web.app(), &member.caller, id).await?;
    let text = visit.web.say("subscription.ended", &[("name", &detail.product_name)]);
    Ok(visit.done(&developer::application(application.id.as_str()), &text))
}

/// The page that offers the plans of the subscription's product.
async fn plan_page(
    member: &Member,
    application: &Application,
    detail: &SubscriptionDetail,
    form: Form,
) -> Result<ChoosePlan, Failed> {
    let product = &detail.subscription.product_id;
    let found = catalogue::product(member.visit.web.app(), &member.caller, product, None).await?;
    let (application_id, id) = (application.id.as_str(), detail.subscription.id.as_str());
    Ok(ChoosePlan {
        application: application.name.clone(),
        product: detail.product_name.clone(),
        plans: found.product.plans().iter().map(PlanShown::of).collect(),
        form,
        action: developer::subscription_plan(application_id, id),
        back: developer::application(application_id),
    })
}

/// `GET /applications/{application}/subscriptions/{subscription}/plan`.
pub(super) async fn ask_plan(
    member: Member,
    Path((application, subscription)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let (application, detail) = found(&member, &application, &subscription).await?;
    let form = chosen(detail.subscription.plan_id.as_ref());
    member.visit.show(&plan_page(&member, &application, &detail, form).await?)
}

/// `POST /applications/{application}/subscriptions/{subscription}/plan`.
pub(super) async fn change_plan(
    member: Member,
    Path((application, subscription)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let (application, detail) = found(&member, &application, &subscription).await?;
    let plan = PlanId::known(posted.text("plan"));
    let id = &detail.subscription.id;
    match subscriptions::change_plan(visit.web.app(), &member.caller, id, &plan).await {
        Ok(_) => {
            let text = visit.web.say("subscription.plan_changed", &[("name", &detail.product_name)]);
            Ok(visit.done(&developer::application(application.id.as_str()), &text))
        }
        Err(error) => {
            let form = posted.refused(error, &[("plan_id", "plan")])?;
            visit.show_refused(&plan_page(&member, &application, &detail, form).await?)
        }
    }
}
