//! Plans of products, made and changed by administrators. What a plan allows reaches gateways in its product's row.

use std::collections::HashSet;

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{PlanId, ProductId},
    lists::Readable,
    permissions::{Action, Target},
    plans::{Plan, PlanInput, PlanRefusal},
    products::Product,
};
use forecourt_store::{Reader, RuledNoun};
use serde_json::json;

use crate::{App, Error, access, products, random::OsRandom, subscriptions, writes::Write};

/// Every plan, or one product's, by product and the oldest first; those of products that the caller may read.
pub async fn list(app: &App, caller: &Caller, product: Option<&ProductId>) -> Result<Vec<Plan>, Error> {
    let readable = access::readable(app, caller, Action::GetApiProduct, RuledNoun::Products).await?;
    if readable.is_empty() {
        return Ok(Vec::new());
    }
    let mut plans = app.read().plans(product).await?;
    if let Readable::Only(ids) = readable {
        let ids: HashSet<_> = ids.iter().map(String::as_str).collect();
        plans.retain(|plan| ids.contains(plan.product_id.as_str()));
    }
    Ok(plans)
}

/// One plan.
pub async fn plan(app: &App, caller: &Caller, id: &PlanId) -> Result<Plan, Error> {
    Ok(permitted(app.read(), caller, id, Action::GetApiProduct).await?.0)
}

/// Whether there is such a plan and the caller may change it. Faces ask before they read a body.
pub async fn changeable(app: &App, caller: &Caller, id: &PlanId) -> Result<(), Error> {
    permitted(app.read(), caller, id, Action::UpdateApiProduct).await.map(drop)
}

/// Whether the caller may make a plan of the product with this id, or, where there is none, of any product at all.
pub async fn may_add(app: &App, caller: &Caller, product: Option<&str>) -> Result<(), Error> {
    let id = product.and_then(ProductId::parse);
    let found = match &id {
        Some(id) => app.read().product(id).await?,
        None => None,
    };
    match found {
        Some(product) => may_add_to(caller, &product),
        None => access::permits_somewhere(caller, Action::UpdateApiProduct),
    }
}

fn may_add_to(caller: &Caller, product: &Product) -> Result<(), Error> {
    let resource = Target::ApiProduct(&product.portal_id, Some(&product.id));
    match access::allows(caller, Action::UpdateApiProduct, resource) {
        true => Ok(()),
        false => Err(access::refused(caller)),
    }
}

/// How many subscriptions, waiting ones included, have a plan.
pub async fn subscription_count(app: &App, caller: &Caller, id: &PlanId) -> Result<u64, Error> {
    permitted(app.read(), caller, id, Action::GetApiProduct).await?;
    Ok(app.read().subscription_count_of_plan(id).await?)
}

/// Makes a plan of the product with this id. The first one is given to all subscriptions that the product has.
pub async fn create(app: &App, caller: &Caller, product: &str, input: PlanInput) -> Result<Plan, Error> {
    let mut write = app.begin(caller).await?;
    let found = match ProductId::parse(product) {
        Some(id) => write.product(&id).await?,
        None => None,
    };
    let Some(product) = found else {
        access::permits_somewhere(caller, Action::UpdateApiProduct)?;
        return Err(PlanRefusal::UnknownProduct(product.to_owned()).into());
    };
    may_add_to(caller, &product)?;
    let id = PlanId::issue(write.now, &mut OsRandom);
    let change = Plan::create(id, &product, input, write.now)?;
    if let Some(former) = &change.former_default {
        write.save_plan(former).await?;
    }
    write.insert_plan(&change.plan).await?;
    let product = changed(&mut write, &product, EventName::PlanCreated, &change.plan).await?;
    if product.plans().len() == 1 {
        give_to_all(&mut write, &change.plan).await?;
    }
    write.commit().await?;
    Ok(change.plan)
}

/// Changes what `input` gives. Calls are held to it from the next one on; what was counted stays counted.
pub async fn update(app: &App, caller: &Caller, id: &PlanId, input: PlanInput) -> Result<Plan, Error> {
    let mut write = app.begin(caller).await?;
    let (plan, product) = permitted(&write, caller, id, Action::UpdateApiProduct).await?;
    let change = plan.changed(&product, input, write.now)?;
    if let Some(former) = &change.former_default {
        write.save_plan(former).await?;
    }
    write.save_plan(&change.plan).await?;
    changed(&mut write, &product, EventName::PlanUpdated, &change.plan).await?;
    write.commit().await?;
    Ok(change.plan)
}

/// Deletes a plan that no subscription has.
pub async fn delete(app: &App, caller: &Caller, id: &PlanId) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let (plan, product) = permitted(&write, caller, id, Action::UpdateApiProduct).await?;
    let subscriptions = write.subscription_count_of_plan(id).await?;
    plan.check_deletable(&product, subscriptions)?;
    write.delete_plan(id).await?;
    changed(&mut write, &product, EventName::PlanDeleted, &plan).await?;
    write.commit().await
}

/// The plan with its product, where the caller may do `action` to that.
async fn permitted(
    read: &Reader,
    caller: &Caller,
    id: &PlanId,
    action: Action,
) -> Result<(Plan, Product), Error> {
    let plan = read.plan(id).await?.ok_or_else(|| access::missing(caller))?;
    let product = products::permitted(caller, read.product(&plan.product_id).await?, None, action)?;
    Ok((plan, product))
}

/// Records what happened to a plan, and tells gateways of its product, which is answered as it is now.
async fn changed(
    write: &mut Write<'_>,
    product: &Product,
    name: EventName,
    plan: &Plan,
) -> Result<Product, Error> {
    let product = write.product(&product.id).await?.ok_or_else(Error::not_found)?;
    products::tell_gateways(write, &product).await?;
    let detail = json!({
        "product_id": plan.product_id,
        "name": plan.name,
        "limits": plan.limits,
        "default": plan.is_default,
    });
    write.tell(name, "plan", plan.id.as_str(), Some(&product.portal_id), detail);
    Ok(product)
}

/// Gives a product's first plan, its default, to every subscription that was made before there was one.
async fn give_to_all(write: &mut Write<'_>, plan: &Plan) -> Result<(), Error> {
    for before in write.subscriptions_to(&plan.product_id).await? {
        let mut subscription = before.clone();
        subscription.plan_id = Some(plan.id.clone());
        write.save_subscription(&subscription).await?;
        if subscription.is_active() {
            subscriptions::grant(write, &subscription);
        }
        subscriptions::tell_plan(write, &before, &subscription);
    }
    Ok(())
}
