//! Applications: a developer's own, and what administrators do to them.

use forecourt_core::{
    actors::Caller,
    applications::{Application, ApplicationFilter, ApplicationInput},
    developers::Developer,
    events::EventName,
    gateway_state::{Kind, Resource, Scope},
    ids::{ApplicationId, ProductId},
    lists::List,
    permissions::{Action, Target},
    products::SubscriptionState,
    subscriptions::SubscriptionStatus,
};
use forecourt_store::{NamedInUsage, RuledNoun};
use serde_json::{Value, json};

use crate::{
    App, Error, access, dcr_removals, oauth_clients, random::OsRandom, subscriptions, writes::Write,
};

/// The caller's applications that `filter` wants.
pub async fn list(
    app: &App,
    caller: &Caller,
    mut filter: ApplicationFilter,
) -> Result<List<Application>, Error> {
    let developer = access::developer(caller)?;
    filter.developer_id = Some(developer.id.clone());
    filter.portal_id = Some(developer.portal_id.clone());
    Ok(app.read().applications(&filter).await?)
}

/// What each of `applications` has to the product with this id; text that is no id gives `unsubscribed`.
pub async fn subscription_states(
    app: &App,
    applications: &[Application],
    product: &str,
) -> Result<Vec<SubscriptionState>, Error> {
    let Some(product) = ProductId::parse(product) else {
        return Ok(vec![SubscriptionState::Unsubscribed; applications.len()]);
    };
    let found = app.read().subscriptions_of_applications(applications, &product).await?;
    let state =
        |application: &Application| match found.iter().find(|found| found.application_id == application.id) {
            Some(found) if found.status == SubscriptionStatus::Subscribed => SubscriptionState::Subscribed,
            Some(_) => SubscriptionState::WaitForApproval,
            None => SubscriptionState::Unsubscribed,
        };
    Ok(applications.iter().map(state).collect())
}

/// One of the caller's applications.
pub async fn application(app: &App, caller: &Caller, id: &ApplicationId) -> Result<Application, Error> {
    own(caller, app.read().application(id).await?)
}

/// The application, where it is the caller's.
pub(crate) fn own(caller: &Caller, application: Option<Application>) -> Result<Application, Error> {
    let developer = access::developer(caller)?;
    application.filter(|application| application.developer_id == *developer.id).ok_or_else(Error::not_found)
}

/// Makes an application, subscribed to `products` in the same write.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: ApplicationInput,
    products: &[String],
) -> Result<Application, Error> {
    let developer = access::developer(caller)?;
    let mut write = app.begin(caller).await?;
    let developer = write.developer(developer.id).await?.ok_or_else(Error::unauthenticated)?;
    let id = ApplicationId::issue(write.now, &mut OsRandom);
    let application = Application::new(id, &developer, input, write.now)?;
    write.insert_application(&application).await?;
    write.put(scope(&application), Resource::Application(application.gateway_state(&developer)));
    tell(&mut write, EventName::ApplicationCreated, &application, Value::Null);
    for product in products {
        let product = subscriptions::subscribable(&write, caller, product).await?;
        subscriptions::open(&mut write, &developer, &application, &product, None).await?;
    }
    write.commit().await?;
    Ok(application)
}

/// Replaces name, description and labels; what is absent is cleared. Its OAuth clients get the name at their providers.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &ApplicationId,
    input: ApplicationInput,
) -> Result<Application, Error> {
    let mut write = app.begin(caller).await?;
    let before = own(caller, write.application(id).await?)?;
    let application = before.clone().replaced(input, write.now)?;
    write.save_application(&application).await?;
    if application.name != before.name {
        oauth_clients::updates::owe(&mut write, &application).await?;
    }
    write.rename_in_usage(NamedInUsage::Application, id.as_str(), &application.name).await?;
    tell(&mut write, EventName::ApplicationUpdated, &application, Value::Null);
    write.commit().await?;
    Ok(application)
}

/// Deletes one of the caller's applications with all that hangs on it; its usage stays.
pub async fn delete(app: &App, caller: &Caller, id: &ApplicationId) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let application = own(caller, write.application(id).await?)?;
    remove(&mut write, &application).await?;
    write.commit().await
}

/// Takes an application away: subscriptions, credentials, gateway rows, the row itself.
pub(crate) async fn remove(write: &mut Write<'_>, application: &Application) -> Result<(), Error> {
    let scope = scope(application);
    for subscription in write.subscriptions_of(&application.id).await? {
        subscriptions::end(write, &subscription).await?;
    }
    for credential in write.credentials_of(&application.id).await? {
        dcr_removals::leave(write, &credential, &application.name).await?;
        write.delete(scope.clone(), Kind::Credential, credential.id.to_string());
    }
    write.delete(scope, Kind::Application, application.id.to_string());
    write.delete_application(&application.id).await?;
    tell(write, EventName::ApplicationDeleted, application, Value::Null);
    Ok(())
}

/// The applications of all portals that `filter` wants, for administrators.
pub async fn administered(
    app: &App,
    caller: &Caller,
    filter: &ApplicationFilter,
) -> Result<List<Application>, Error> {
    let readable = access::readable(app, caller, Action::GetApplication, RuledNoun::Developers).await?;
    access::known_portal(app, caller, filter.portal_id.as_ref()).await?;
    Ok(app.read().applications(&ApplicationFilter { readable, ..filter.clone() }).await?)
}

/// One application of any portal, for administrators.
pub async fn administered_one(app: &App, caller: &Caller, id: &ApplicationId) -> Result<Application, Error> {
    permitted(caller, app.read().application(id).await?, Action::GetApplication)
}

/// Whether there is such an application and the caller may suspend and resume it. Faces ask before they read a body.
pub async fn changeable(app: &App, caller: &Caller, id: &ApplicationId) -> Result<(), Error> {
    permitted(caller, app.read().application(id).await?, Action::UpdateApplication).map(drop)
}

fn permitted(
    caller: &Caller,
    application: Option<Application>,
    action: Action,
) -> Result<Application, Error> {
    let application = application.ok_or_else(|| access::missing(caller))?;
    let owner = Target::Developer(&application.portal_id, Some(&application.developer_id));
    access::permits(caller, action, owner)?;
    Ok(application)
}

/// Stops an application: its credentials are refused from now on.
pub async fn suspend(
    app: &App,
    caller: &Caller,
    id: &ApplicationId,
    reason: &str,
) -> Result<Application, Error> {
    let mut write = app.begin(caller).await?;
    let application = permitted(caller, write.application(id).await?, Action::UpdateApplication)?
        .suspended(reason, write.now)?;
    save_state(&mut write, &application).await?;
    tell(
        &mut write,
        EventName::ApplicationSuspended,
        &application,
        json!({ "reason": application.status_reason }),
    );
    write.commit().await?;
    Ok(application)
}

/// Lets a suspended application call again.
pub async fn resume(
    app: &App,
    caller: &Caller,
    id: &ApplicationId,
    reason: &str,
) -> Result<Application, Error> {
    let mut write = app.begin(caller).await?;
    let application =
        permitted(caller, write.application(id).await?, Action::UpdateApplication)?.resumed(write.now)?;
    save_state(&mut write, &application).await?;
    tell(&mut write, EventName::ApplicationResumed, &application, json!({ "reason": reason }));
    write.commit().await?;
    Ok(application)
}

async fn save_state(write: &mut Write<'_>, application: &Application) -> Result<(), Error> {
    let developer = write.developer(&application.developer_id).await?.ok_or_else(Error::not_found)?;
    write.save_application(application).await?;
    write.put(scope(application), Resource::Application(application.gateway_state(&developer)));
    Ok(())
}

/// Tells gateways how a developer's applications stand now.
pub(crate) async fn tell_gateways(write: &mut Write<'_>, developer: &Developer) -> Result<(), Error> {
    for application in write.applications_of(&developer.id).await? {
        write.put(scope(&application), Resource::Application(application.gateway_state(developer)));
    }
    Ok(())
}

fn scope(application: &Application) -> Scope {
    Scope::Portal(application.portal_id.clone())
}

fn tell(write: &mut Write<'_>, name: EventName, application: &Application, detail: Value) {
    let detail = match detail {
        Value::Object(mut members) => {
            members.insert("name".into(), application.name.clone().into());
            Value::Object(members)
        }
        _ => json!({ "name": application.name }),
    };
    write.tell(name, "application", application.id.as_str(), Some(&application.portal_id), detail);
}
