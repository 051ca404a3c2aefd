//! Applications of a portal: list, page, and the two acts of an administrator, suspend and resume.

use std::collections::HashMap;

use axum::extract::Path;
use forecourt_app::{ErrorKind, applications, impacts, subscriptions};
use forecourt_core::{
    applications::{Application, ApplicationFilter, ApplicationStatus},
    ids::{ApplicationId, DeveloperId},
    lists::{Paging, TextFilter},
    permissions::{Action, Target},
    subscriptions::SubscriptionFilter,
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    display::{Label, Reference, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    lists::Search,
    page::Tone,
    provider::applications::{
        ApplicationList, ApplicationPage, ApplicationRow, ApplicationSubscription, Suspension,
    },
};

/// How many subscriptions the page of an application shows.
const SHOWN_SUBSCRIPTIONS: u64 = 50;

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let portal = console.portal()?;
    let status = ApplicationStatus::from_name(asked.text("status"));
    let filter = ApplicationFilter {
        portal_id: Some(portal.clone()),
        status,
        text: TextFilter { search: asked.given("search").map(str::to_owned), labels: Vec::new() },
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = applications::administered(console.app(), &console.caller, &filter).await?;
    let list = provider::applications(portal.as_str());
    let (search, chosen) = (asked.text("search"), status.map_or("", ApplicationStatus::name));
    let filtered = status.is_some() || !search.is_empty();
    let chip = |text, value| rows::chip(&list, text, ("status", value), chosen, &[("search", search)]);
    let statuses = vec![
        chip(console.say("chip.all", &[]), ""),
        chip(console.say("chip.active", &[]), ApplicationStatus::Active.name()),
        chip(console.say("chip.suspended", &[]), ApplicationStatus::Suspended.name()),
    ];
    let view = ApplicationList {
        search: Search::new(list.clone(), search, &[("status", chosen)]),
        statuses: if filtered || found.total > 0 { statuses } else { Vec::new() },
        paging: rows::paging(&list, &[("search", search), ("status", chosen)], asked.page(), found.total),
        applications: shown(&console, found.rows).await?,
        filtered,
    };
    console.visit.show(&view)
}

async fn shown(console: &Console, applications: Vec<Application>) -> Result<Vec<ApplicationRow>, Failed> {
    let (app, caller) = (console.app(), &console.caller);
    let developers: Vec<_> = applications.iter().map(|own| own.developer_id.clone()).collect();
    let names = impacts::names_of_developers(app, caller, &developers).await?;
    let ids: Vec<_> = applications.iter().map(|own| own.id.clone()).collect();
    let counts = impacts::subscriptions_of_applications(app, caller, &ids).await?;
    let row = |application: Application| ApplicationRow {
        developer: developer(&application, &names),
        subscriptions: counts.get(&application.id).copied().unwrap_or(0),
        changeable: console.may(
            Action::UpdateApplication,
            Target::Developer(&application.portal_id, Some(&application.developer_id)),
        ),
        id: application.id.to_string(),
        name: application.name,
        status: rows::application_status(application.status),
        created_at: When::of(application.created_at),
    };
    Ok(applications.into_iter().map(row).collect())
}

fn developer(application: &Application, names: &HashMap<DeveloperId, String>) -> Reference {
    let id = &application.developer_id;
    let name = names.get(id).cloned().unwrap_or_else(|| id.to_string());
    Reference::new(name, provider::developer(application.portal_id.as_str(), id.as_str()))
}

async fn known(console: &Console, id: &str) -> Result<Application, Failed> {
    let id = ApplicationId::parse(id).ok_or(FailureKind::NotFound)?;
    let application = applications::administered_one(console.app(), &console.caller, &id).await?;
    if application.portal_id != *console.portal()? {
        return Err(FailureKind::NotFound.into());
    }
    Ok(application)
}

pub(super) async fn page(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let application = known(&console, &id).await?;
    let filter = SubscriptionFilter {
        application_id: Some(application.id.clone()),
        paging: Paging::Page { page: 1, size: SHOWN_SUBSCRIPTIONS },
        ..Default::default()
    };
    let found = subscriptions::list(console.app(), &console.caller, filter).await?;
    let portal = application.portal_id.as_str();
    let subscriptions = found.rows.into_iter().map(|found| ApplicationSubscription {
        product: Reference::new(
            found.product_name,
            provider::product(portal, found.subscription.product_id.as_str()),
        ),
        status: rows::subscription_status(found.subscription.status),
        created_at: When::of(found.subscription.subscribed_at.unwrap_or(found.subscription.created_at)),
    });
    let subscriptions = subscriptions.collect();
    let activity = rows::activity(&console, "application", application.id.as_str()).await?;
    let (description, reason) = (application.desc.clone(), application.status_reason.clone());
    let labels = rows::labels(&application.labels);
    let callback_urls = application.callback_urls.as_slice().to_vec();
    let attributes =
        application.attributes.pairs().iter().map(|(key, value)| Label::new(key, value)).collect();
    let row = shown(&console, vec![application]).await?.pop().ok_or(FailureKind::NotFound)?;
    console.visit.show(&ApplicationPage {
        application: row,
        description,
        labels,
        callback_urls,
        attributes,
        reason,
        subscriptions,
        activity,
    })
}

async fn question(console: &Console, id: &str, resume: bool) -> Result<(ApplicationId, Suspension), Failed> {
    let application = known(console, id).await?;
    let portal = application.portal_id.as_str();
    let impact = if resume {
        Vec::new()
    } else {
        rows::impact(console, async |caller| {
            applications::suspend(console.app(), caller, &application.id, "").await
        })
        .await
    };
    let action = if resume {
        provider::resume_application(portal, id)
    } else {
        provider::suspend_application(portal, id)
    };
    let question = Suspension {
        resume,
        impact,
        action,
        back: provider::application(portal, id),
        form: Form::new(),
        name: application.name,
    };
    Ok((application.id, question))
}

pub(super) async fn ask_suspend(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let (_, question) = question(&console, &id, false).await?;
    console.visit.show(&question)
}

pub(super) async fn ask_resume(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let (_, question) = question(&console, &id, true).await?;
    console.visit.show(&question)
}

pub(super) async fn suspend(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (id, question) = question(&console, &id, false).await?;
    let reason = posted.text("reason").trim();
    let done = applications::suspend(console.app(), &console.caller, &id, reason).await;
    let text = console.say("flash.suspended", &[("name", &question.name)]);
    answer(&console, question, &posted, done, &text)
}

pub(super) async fn resume(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (id, question) = question(&console, &id, true).await?;
    let reason = posted.text("reason").trim();
    let done = applications::resume(console.app(), &console.caller, &id, reason).await;
    let text = console.say("flash.resumed", &[("name", &question.name)]);
    answer(&console, question, &posted, done, &text)
}

fn answer(
    console: &Console,
    question: Suspension,
    posted: &Posted,
    done: Result<Application, forecourt_app::Error>,
    text: &str,
) -> Answer {
    let visit = &console.visit;
    match done {
        Ok(_) => Ok(visit.done(&question.back, text)),
        // Somebody else was faster: the page shows the state that it is in.
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let text = console.say("flash.already_so", &[]);
            Ok(visit.say_then(visit.go(&question.back), Tone::Warning, &text))
        }
        Err(error) => {
            let form = posted.refused(error, &[("reason", "reason")])?;
            visit.show_refused(&Suspension { form, ..question })
        }
    }
}
