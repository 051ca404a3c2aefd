//! Subscriptions: asked for, granted at once or after an approval, ended.

use forecourt_core::{
    actors::{Actor, Caller},
    applications::Application,
    approvals::{Approval, ApprovalResult, ApprovalSubject, Operator},
    developers::Developer,
    events::EventName,
    gateway_state::{Kind, Resource, Scope, grant_key},
    ids::{ApplicationId, ApprovalId, EventId, PlanId, PortalId, ProductId, SubscriptionId},
    lists::List,
    permissions::{Action, Target},
    plans::PlanRefusal,
    products::{Product, Viewer},
    subscriptions::{Subscription, SubscriptionDetail, SubscriptionFilter, SubscriptionRefusal},
};
use forecourt_store::{Reader, RuledNoun};
use serde_json::json;

use crate::{App, Error, access, applications, notices, products, random::OsRandom, writes::Write};

/// The subscriptions that `filter` wants: a developer's own, or for administrators those of all.
pub async fn list(
    app: &App,
    caller: &Caller,
    mut filter: SubscriptionFilter,
) -> Result<List<SubscriptionDetail>, Error> {
    match &caller.actor {
        Actor::Developer { id, .. } => filter.developer_id = Some(id.clone()),
        Actor::Guest(_) => access::developer(caller).map(|_| ())?,
        _ => match access::own_portal(caller, filter.portal_id.as_ref()) {
            Some(None) => return Ok(List { rows: Vec::new(), total: 0 }),
            Some(own) => filter.portal_id = own,
            None => {
                filter.readable =
                    access::readable(app, caller, Action::GetSubscription, RuledNoun::Products).await?;
                access::known_portal(app, caller, filter.portal_id.as_ref()).await?;
            }
        },
    }
    Ok(app.read().subscriptions(&filter).await?)
}

/// Refuses a product, of the named portal, whose subscriptions the caller may not see.
pub async fn of_product(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    portal: Option<&PortalId>,
) -> Result<(), Error> {
    products::permitted(caller, app.read().product(id).await?, portal, Action::GetSubscription).map(drop)
}

/// Asks for every application × every product; all or nothing. Pairs that have a record are skipped. A `plan` can be
/// asked for with one product; without it each subscription gets its product's default plan, if there is one.
pub async fn request(
    app: &App,
    caller: &Caller,
    applications: &[String],
    products: &[String],
    plan: Option<&PlanId>,
) -> Result<(), Error> {
    let acting = access::developer(caller)?;
    if applications.is_empty() {
        return Err(SubscriptionRefusal::Empty("applications").into());
    }
    if products.is_empty() {
        return Err(SubscriptionRefusal::Empty("api_products").into());
    }
    if plan.is_some() && products.len() > 1 {
        return Err(PlanRefusal::SeveralProducts.into());
    }
    let mut write = app.begin(caller).await?;
    let developer = write.developer(acting.id).await?.ok_or_else(Error::unauthenticated)?;
    let mut callers = Vec::with_capacity(applications.len());
    for id in applications {
        let found = match ApplicationId::parse(id) {
            Some(id) => write.application(&id).await?,
            None => None,
        };
        let own = applications::own(caller, found);
        callers.push(own.map_err(|_| SubscriptionRefusal::UnknownApplication(id.clone()))?);
    }
    let mut called = Vec::with_capacity(products.len());
    for id in products {
        called.push(subscribable(&write, caller, id).await?);
    }
    for application in &callers {
        for product in &called {
            open(&mut write, &developer, application, product, plan).await?;
        }
    }
    write.commit().await
}

/// The product with this id, where the caller may subscribe to it.
pub(crate) async fn subscribable(write: &Write<'_>, caller: &Caller, id: &str) -> Result<Product, Error> {
    let developer = access::developer(caller)?;
    let found = match ProductId::parse(id) {
        Some(id) => write.product(&id).await?,
        None => None,
    };
    let viewer = Viewer::Developer(developer.id.clone());
    let visible =
        |product: &Product| product.portal_id == *developer.portal_id && product.is_visible_to(&viewer);
    Ok(found.filter(visible).ok_or_else(|| SubscriptionRefusal::UnknownProduct(id.to_owned()))?)
}

/// Opens one subscription with its grant or its approval; does nothing where the pair has a record.
pub(crate) async fn open(
    write: &mut Write<'_>,
    developer: &Developer,
    application: &Application,
    product: &Product,
    plan: Option<&PlanId>,
) -> Result<(), Error> {
    let id = SubscriptionId::issue(write.now, &mut OsRandom);
    let subscription = Subscription::request(id, application, product, plan, write.now)?;
    if write.subscription_of(&application.id, &product.id).await?.is_some() {
        return Ok(());
    }
    write.insert_subscription(&subscription).await?;
    if subscription.is_active() {
        grant(write, &subscription);
        tell(write, EventName::SubscriptionCreated, &subscription);
        return Ok(());
    }
    let approval = Approval {
        id: ApprovalId::issue(write.now, &mut OsRandom),
        portal_id: subscription.portal_id.clone(),
        subject: ApprovalSubject::Subscription {
            subscription_id: subscription.id.clone(),
            product_id: product.id.clone(),
        },
        resource_name: product.name.clone(),
        developer_id: developer.id.clone(),
        applicant_id: developer.name.to_string(),
        applicant_name: developer.display_name.clone(),
        applied_at: write.now,
        decision: None,
        updated_at: write.now,
    };
    write.insert_approval(&approval).await?;
    notices::of_subscription(write, EventName::SubscriptionRequested, &subscription, Some(&approval)).await
}

/// Tells gateways of an active subscription.
pub(crate) fn grant(write: &mut Write<'_>, subscription: &Subscription) {
    write.put(Scope::Portal(subscription.portal_id.clone()), Resource::Grant(subscription.grant()));
}

/// Gives a subscription another plan of its product: a developer's own where subscriptions need no approval, or for
/// administrators any. Its credentials stay as they are.
pub async fn change_plan(
    app: &App,
    caller: &Caller,
    id: &SubscriptionId,
    plan: &PlanId,
) -> Result<SubscriptionDetail, Error> {
    let mut write = app.begin(caller).await?;
    let before = permitted(&write, caller, id, Action::UpdateSubscription).await?;
    let product = write.product(&before.product_id).await?.ok_or_else(Error::not_found)?;
    let is_administrator = !matches!(caller.actor, Actor::Developer { .. } | Actor::Guest(_));
    let subscription = before.clone().with_plan(&product, plan, is_administrator)?;
    if subscription.plan_id != before.plan_id {
        write.save_subscription(&subscription).await?;
        if subscription.is_active() {
            grant(&mut write, &subscription);
        }
        tell_plan(&mut write, &before, &subscription);
    }
    let shown = SubscriptionFilter {
        application_id: Some(subscription.application_id.clone()),
        product_id: Some(subscription.product_id.clone()),
        ..SubscriptionFilter::default()
    };
    let shown = write.subscriptions(&shown).await?.rows.pop().ok_or_else(Error::not_found)?;
    write.commit().await?;
    Ok(shown)
}

/// Records that a subscription has another plan than `before`.
pub(crate) fn tell_plan(write: &mut Write<'_>, before: &Subscription, subscription: &Subscription) {
    let detail = json!({
        "application_id": subscription.application_id,
        "product_id": subscription.product_id,
        "plan_id": subscription.plan_id,
        "was": before.plan_id,
    });
    let portal = Some(&subscription.portal_id);
    write.tell(EventName::SubscriptionPlanChanged, "subscription", subscription.id.as_str(), portal, detail);
}

/// The subscription with this id, if it is the caller's own, or they may do `action` to it.
async fn permitted(
    read: &Reader,
    caller: &Caller,
    id: &SubscriptionId,
    action: Action,
) -> Result<Subscription, Error> {
    let subscription = read.subscription(id).await?.ok_or_else(|| access::missing(caller))?;
    match &caller.actor {
        Actor::Developer { .. } | Actor::Guest(_) => {
            applications::own(caller, read.application(&subscription.application_id).await?)?;
        }
        _ => {
            let product = Target::ApiProduct(&subscription.portal_id, Some(&subscription.product_id));
            access::permits(caller, action, product)?;
        }
    }
    Ok(subscription)
}

/// Whether there is such a subscription and the caller may give it another plan. Faces ask before they read a body.
pub async fn changeable(app: &App, caller: &Caller, id: &SubscriptionId) -> Result<(), Error> {
    permitted(app.read(), caller, id, Action::UpdateSubscription).await.map(drop)
}

/// Ends or withdraws a subscription: a developer's own, or for administrators any.
pub async fn cancel(app: &App, caller: &Caller, id: &SubscriptionId) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let subscription = permitted(&write, caller, id, Action::DeleteSubscription).await?;
    let approval = withdraw(&mut write, &subscription).await?;
    let approval = match approval {
        Some(approval) => Some(approval),
        None => write.approval_of(&subscription.id).await?,
    };
    let cancelled = EventName::SubscriptionCancelled;
    notices::of_subscription(&mut write, cancelled, &subscription, approval.as_ref()).await?;
    write.commit().await
}

/// Takes a subscription away along with what it belongs to. Only of one that waited somebody is told (contract, Portal
/// API §6).
pub(crate) async fn end(write: &mut Write<'_>, subscription: &Subscription) -> Result<(), Error> {
    let cancelled = EventName::SubscriptionCancelled;
    match withdraw(write, subscription).await? {
        Some(approval) => notices::of_subscription(write, cancelled, subscription, Some(&approval)).await,
        None => {
            tell(write, cancelled, subscription);
            Ok(())
        }
    }
}

/// Takes a subscription away, and cancels its pending approval, which it gives.
async fn withdraw(write: &mut Write<'_>, subscription: &Subscription) -> Result<Option<Approval>, Error> {
    if subscription.is_active() {
        let key = grant_key(&subscription.application_id, &subscription.product_id);
        write.delete(Scope::Portal(subscription.portal_id.clone()), Kind::Grant, key);
    }
    let approval = match write.pending_approval_of(&subscription.id).await? {
        Some(approval) => {
            let cancelled =
                approval.decided(ApprovalResult::Cancelled, Operator::default(), "", write.now)?;
            write.save_approval(&cancelled).await?;
            Some(cancelled)
        }
        None => None,
    };
    write.delete_subscription(&subscription.id).await?;
    Ok(approval)
}

/// Ends every subscription to a product; tells how many there were.
pub(crate) async fn end_all_of_product(write: &mut Write<'_>, product: &Product) -> Result<u64, Error> {
    let subscriptions = write.subscriptions_to(&product.id).await?;
    for subscription in &subscriptions {
        end(write, subscription).await?;
    }
    Ok(subscriptions.len() as u64)
}

pub(crate) fn tell(write: &mut Write<'_>, name: EventName, subscription: &Subscription) -> EventId {
    let detail = json!({
        "application_id": subscription.application_id,
        "product_id": subscription.product_id,
        "plan_id": subscription.plan_id,
        "was": subscription.status,
    });
    write.tell(name, "subscription", subscription.id.as_str(), Some(&subscription.portal_id), detail)
}
