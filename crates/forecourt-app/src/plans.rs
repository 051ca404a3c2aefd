//! Plans of products, made and changed by administrators. What a plan allows reaches gateways in its product's row.

use forecourt_core::{
    actors::{Area, Caller},
    events::EventName,
    ids::{PlanId, ProductId},
    plans::{Plan, PlanInput, PlanRefusal},
    products::Product,
};
use serde_json::json;

use crate::{App, Error, access, products, random::OsRandom, subscriptions, writes::Write};

/// Every plan, or one product's, by product and the oldest first; none where the caller may see none.
pub async fn list(app: &App, caller: &Caller, product: Option<&ProductId>) -> Result<Vec<Plan>, Error> {
    if !access::lists(caller, Area::Portals)? {
        return Ok(Vec::new());
    }
    Ok(app.read().plans(product).await?)
}

/// One plan.
pub async fn plan(app: &App, caller: &Caller, id: &PlanId) -> Result<Plan, Error> {
    access::sees(caller, Area::Portals)?;
    app.read().plan(id).await?.ok_or_else(Error::not_found)
}

/// How many subscriptions, waiting ones included, have a plan.
pub async fn subscription_count(app: &App, caller: &Caller, id: &PlanId) -> Result<u64, Error> {
    access::sees(caller, Area::Portals)?;
    Ok(app.read().subscription_count_of_plan(id).await?)
}

/// Makes a plan of the product with this id. The first one is given to all subscriptions that the product has.
pub async fn create(app: &App, caller: &Caller, product: &str, input: PlanInput) -> Result<Plan, Error> {
    access::adds(caller, Area::Portals)?;
    let mut write = app.begin(caller).await?;
    let found = match ProductId::parse(product) {
        Some(id) => write.product(&id).await?,
        None => None,
    };
    let product = found.ok_or_else(|| PlanRefusal::UnknownProduct(product.to_owned()))?;
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
    access::sees(caller, Area::Portals)?;
    let mut write = app.begin(caller).await?;
    let (plan, product) = with_product(&write, id).await?;
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
    access::sees(caller, Area::Portals)?;
    let mut write = app.begin(caller).await?;
    let (plan, product) = with_product(&write, id).await?;
    let subscriptions = write.subscription_count_of_plan(id).await?;
    plan.check_deletable(&product, subscriptions)?;
    write.delete_plan(id).await?;
    changed(&mut write, &product, EventName::PlanDeleted, &plan).await?;
    write.commit().await
}

async fn with_product(write: &Write<'_>, id: &PlanId) -> Result<(Plan, Product), Error> {
    let plan = write.plan(id).await?.ok_or_else(Error::not_found)?;
    let product = write.product(&plan.product_id).await?.ok_or_else(Error::not_found)?;
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
