//! Plans of a product: the form, deleting, and the plan of a subscription.

use axum::extract::Path;
use forecourt_app::{plans, products, subscriptions};
use forecourt_core::{
    ids::{PlanId, ProductId},
    plans::{Plan, PlanInput},
    products::Product,
    subscriptions::{SubscriptionDetail, SubscriptionFilter},
};

use super::{Answer, Console, rows};
use crate::{
    confirm::{Act, Confirm},
    display::Reference,
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    plans::{ChoosePlan, PlanShown, chosen, limits_text, read_limits},
    provider::plans::PlanForm,
};

/// The word that a refusal begins with, and the field that it stands beside.
const FIELDS: &[(&str, &str)] = &[("name", "name"), ("desc", "desc"), ("limits", "limits")];

async fn product(console: &Console, id: &str) -> Result<Product, Failed> {
    let id = ProductId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(products::product(console.app(), &console.caller, &id, Some(console.portal()?)).await?.product)
}

/// The plan with this id, where it is the product's.
fn plan(product: &Product, id: &str) -> Result<Plan, Failed> {
    let found = product.plans().iter().find(|plan| plan.id.as_str() == id).cloned();
    found.ok_or_else(|| FailureKind::NotFound.into())
}

fn view(product: &Product, plan: Option<&Plan>, form: Form) -> PlanForm {
    let (portal, id) = (product.portal_id.as_str(), product.id.as_str());
    PlanForm {
        product: Reference::new(product.name.clone(), provider::product(portal, id)),
        plan: plan.map(|plan| plan.name.clone()),
        is_default: plan.map_or(product.plans().is_empty(), |plan| plan.is_default),
        form,
        action: match plan {
            Some(plan) => provider::edit_plan(portal, id, plan.id.as_str()),
            None => provider::new_plan(portal, id),
        },
    }
}

/// What was typed; the form again where the limits cannot be read.
fn input(console: &Console, posted: &Posted) -> Result<PlanInput, Form> {
    let limits = read_limits(posted.text("limits")).map_err(|line| {
        rows::refused_field(posted, "limits", console.say("error.limit_line", &[("line", &line)]))
    })?;
    Ok(PlanInput {
        name: Some(posted.text("name").to_owned()),
        desc: Some(posted.text("desc").to_owned()),
        limits: Some(limits),
        is_default: posted.ticked("default").then_some(true),
    })
}

pub(super) async fn blank(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let product = product(&console, &id).await?;
    console.visit.show(&view(&product, None, Form::new()))
}

pub(super) async fn create(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let product = product(&console, &id).await?;
    let input = match input(&console, &posted) {
        Ok(input) => input,
        Err(form) => return console.visit.show_refused(&view(&product, None, form)),
    };
    match plans::create(console.app(), &console.caller, product.id.as_str(), input).await {
        Ok(plan) => {
            let text = console.say("flash.plan_created", &[("name", &plan.name)]);
            let back = provider::product(product.portal_id.as_str(), product.id.as_str());
            Ok(console.visit.done(&back, &text))
        }
        Err(error) => console.visit.show_refused(&view(&product, None, posted.refused(error, FIELDS)?)),
    }
}

pub(super) async fn filled(
    console: Console,
    Path((_, id, plan_id)): Path<(String, String, String)>,
) -> Answer {
    let product = product(&console, &id).await?;
    let plan = plan(&product, &plan_id)?;
    let form = Form::new()
        .with("name", plan.name.as_str())
        .with("desc", plan.desc.as_str())
        .with("limits", limits_text(&plan.limits));
    console.visit.show(&view(&product, Some(&plan), form))
}

pub(super) async fn save(
    console: Console,
    Path((_, id, plan_id)): Path<(String, String, String)>,
    posted: Posted,
) -> Answer {
    let product = product(&console, &id).await?;
    let plan = plan(&product, &plan_id)?;
    let input = match input(&console, &posted) {
        Ok(input) => input,
        Err(form) => return console.visit.show_refused(&view(&product, Some(&plan), form)),
    };
    match plans::update(console.app(), &console.caller, &plan.id, input).await {
        Ok(_) => {
            let back = provider::product(product.portal_id.as_str(), product.id.as_str());
            Ok(console.visit.done(&back, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            console.visit.show_refused(&view(&product, Some(&plan), posted.refused(error, FIELDS)?))
        }
    }
}

async fn question(console: &Console, id: &str, plan_id: &str) -> Result<(PlanId, Confirm), Failed> {
    let product = product(console, id).await?;
    let plan = plan(&product, plan_id)?;
    let portal = product.portal_id.as_str();
    let question = Confirm {
        act: Act::DeletePlan,
        name: plan.name,
        impact: Vec::new(),
        type_name: false,
        action: provider::delete_plan(portal, id, plan_id),
        back: provider::product(portal, id),
        form: Form::new(),
    };
    Ok((plan.id, question))
}

pub(super) async fn ask_delete(
    console: Console,
    Path((_, id, plan_id)): Path<(String, String, String)>,
) -> Answer {
    let (_, question) = question(&console, &id, &plan_id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(
    console: Console,
    Path((_, id, plan_id)): Path<(String, String, String)>,
    posted: Posted,
) -> Answer {
    let (plan, question) = question(&console, &id, &plan_id).await?;
    match plans::delete(console.app(), &console.caller, &plan).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&question.back, &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}

/// A subscription to the product, with its names.
async fn subscription(console: &Console, product: &Product, id: &str) -> Result<SubscriptionDetail, Failed> {
    let filter = SubscriptionFilter { product_id: Some(product.id.clone()), ..Default::default() };
    let found = subscriptions::list(console.app(), &console.caller, filter).await?;
    let found = found.rows.into_iter().find(|detail| detail.subscription.id.as_str() == id);
    found.ok_or_else(|| FailureKind::NotFound.into())
}

fn choose(product: &Product, detail: &SubscriptionDetail, form: Form) -> ChoosePlan {
    let (portal, id) = (product.portal_id.as_str(), product.id.as_str());
    ChoosePlan {
        application: detail.application_name.clone(),
        product: product.name.clone(),
        plans: product.plans().iter().map(PlanShown::of).collect(),
        form,
        action: provider::subscription_plan(portal, id, detail.subscription.id.as_str()),
        back: provider::product(portal, id),
    }
}

pub(super) async fn ask_change(
    console: Console,
    Path((_, id, subscription_id)): Path<(String, String, String)>,
) -> Answer {
    let product = product(&console, &id).await?;
    let detail = subscription(&console, &product, &subscription_id).await?;
    let form = chosen(detail.subscription.plan_id.as_ref());
    console.visit.show(&choose(&product, &detail, form))
}

pub(super) async fn change(
    console: Console,
    Path((_, id, subscription_id)): Path<(String, String, String)>,
    posted: Posted,
) -> Answer {
    let product = product(&console, &id).await?;
    let detail = subscription(&console, &product, &subscription_id).await?;
    let plan = PlanId::known(posted.text("plan"));
    match subscriptions::change_plan(console.app(), &console.caller, &detail.subscription.id, &plan).await {
        Ok(_) => {
            let back = provider::product(product.portal_id.as_str(), &id);
            Ok(console.visit.done(&back, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, &[("plan_id", "plan")])?;
            console.visit.show_refused(&choose(&product, &detail, form))
        }
    }
}
