//! Developers of a portal: list, page, invitation with a one-time password made here, deleting.

use axum::extract::Path;
use forecourt_app::{applications, developers, impacts, persons};
use forecourt_core::{
    applications::ApplicationFilter,
    developers::{Developer, DeveloperFilter, DeveloperProvider, DeveloperStatus},
    lists::Paging,
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    confirm::{Act, Confirm},
    developer::credentials::Secret,
    display::{Reference, When},
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    lists::Search,
    provider::developers::{
        DeveloperApplication, DeveloperList, DeveloperPage, DeveloperRow, Invite, Invited,
    },
};

/// How many applications the page of a developer shows.
const SHOWN_APPLICATIONS: u64 = 50;

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let portal = console.portal()?;
    let status = DeveloperStatus::from_name(asked.text("status"));
    let filter = DeveloperFilter {
        status,
        search: asked.given("search").map(str::to_owned),
        paging: asked.paging(PAGE_SIZE),
        ..DeveloperFilter::of_portal(portal.clone())
    };
    let found = developers::list(console.app(), &console.caller, filter).await?;
    let ids: Vec<_> = found.rows.iter().map(|developer| developer.id.clone()).collect();
    let counts = impacts::applications_of_developers(console.app(), &console.caller, &ids).await?;
    let list = provider::developers(portal.as_str());
    let (search, chosen) = (asked.text("search"), status.map_or("", DeveloperStatus::name));
    let filtered = status.is_some() || !search.is_empty();
    let chip = |text, value| rows::chip(&list, text, ("status", value), chosen, &[("search", search)]);
    let statuses = vec![
        chip(console.say("chip.all", &[]), ""),
        chip(console.say("chip.pending", &[]), DeveloperStatus::Pending.name()),
        chip(console.say("chip.active", &[]), DeveloperStatus::Active.name()),
    ];
    let view = DeveloperList {
        search: Search::new(list.clone(), search, &[("status", chosen)]),
        statuses: if filtered || found.total > 0 { statuses } else { Vec::new() },
        paging: rows::paging(&list, &[("search", search), ("status", chosen)], asked.page(), found.total),
        developers: found
            .rows
            .into_iter()
            .map(|developer| {
                let count = counts.get(&developer.id).copied().unwrap_or(0);
                row(developer, count)
            })
            .collect(),
        filtered,
    };
    console.visit.show(&view)
}

fn row(developer: Developer, applications: u64) -> DeveloperRow {
    DeveloperRow {
        status: rows::developer_status(&developer),
        id: developer.id.to_string(),
        name: developer.display_name,
        email: developer.email.or(developer.username),
        applications,
        last_active_at: developer.last_active_at.map(When::of),
        created_at: When::of(developer.created_at),
    }
}

async fn known(console: &Console, id: &str) -> Result<Developer, Failed> {
    Ok(developers::developer(console.app(), &console.caller, id, Some(console.portal()?)).await?)
}

pub(super) async fn page(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let developer = known(&console, &id).await?;
    let (app, caller) = (console.app(), &console.caller);
    let filter = ApplicationFilter {
        developer_id: Some(developer.id.clone()),
        paging: Paging::Page { page: 1, size: SHOWN_APPLICATIONS },
        ..Default::default()
    };
    let found = applications::administered(app, caller, &filter).await?;
    let ids: Vec<_> = found.rows.iter().map(|application| application.id.clone()).collect();
    let counts = impacts::subscriptions_of_applications(app, caller, &ids).await?;
    let shown = found.rows.into_iter().map(|application| DeveloperApplication {
        subscriptions: counts.get(&application.id).copied().unwrap_or(0),
        id: application.id.to_string(),
        name: application.name,
        status: rows::application_status(application.status),
        created_at: When::of(application.created_at),
    });
    let view = DeveloperPage {
        applications: shown.collect(),
        activity: rows::activity(&console, "developer", developer.id.as_str()).await?,
        signs_in: developer.provider == DeveloperProvider::BuiltIn,
        email_verified: developer.email.as_ref().map(|_| developer.email_verified),
        developer: row(developer, found.total),
    };
    console.visit.show(&view)
}

pub(super) async fn invite_form(console: Console) -> Answer {
    console.visit.show(&Invite { form: Form::new() })
}

pub(super) async fn invite(console: Console, posted: Posted) -> Answer {
    let portal = console.portal()?.clone();
    let password = one_time_password(&console);
    let username = posted.text("username").trim();
    let name = posted.given("name").map(str::trim);
    let made = developers::invite(console.app(), &console.caller, &portal, username, &password, name).await;
    let developer = match made {
        Ok(developer) => developer,
        Err(error) => {
            let form = posted.refused(error, &[("username", "username"), ("name", "name")])?;
            return console.visit.show_refused(&Invite { form });
        }
    };
    invited(&console, developer, &password, false)
}

/// Shows the one-time password, with the name that goes with it.
fn invited(console: &Console, developer: Developer, password: &str, reset: bool) -> Answer {
    let secret =
        |name: String, env: &str, value: &str| Secret { name, env: env.to_owned(), value: value.to_owned() };
    let login = developer.username.as_deref().or(developer.email.as_deref()).unwrap_or_default();
    let secrets = vec![
        secret(console.say("developer.secret_username", &[]), "PORTAL_USERNAME", login),
        secret(console.say("developer.secret_password", &[]), "PORTAL_PASSWORD", password),
    ];
    let page = provider::developer(developer.portal_id.as_str(), developer.id.as_str());
    let developer = Reference::new(developer.display_name, page);
    console.visit.show(&Invited { developer, reset, secrets })
}

fn reset_question(developer: &Developer) -> Confirm {
    let (portal, id) = (developer.portal_id.as_str(), developer.id.as_str());
    Confirm {
        act: Act::ResetDeveloperPassword,
        name: developer.display_name.clone(),
        type_name: false,
        impact: Vec::new(),
        action: provider::reset_developer_password(portal, id),
        back: provider::developer(portal, id),
        form: Form::new(),
    }
}

pub(super) async fn ask_reset(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let developer = known(&console, &id).await?;
    console.visit.show(&reset_question(&developer))
}

pub(super) async fn reset(console: Console, Path((_, id)): Path<(String, String)>, posted: Posted) -> Answer {
    let developer = known(&console, &id).await?;
    let password = one_time_password(&console);
    let portal = Some(console.portal()?);
    let reset = persons::reset_password(console.app(), &console.caller, &id, portal, &password).await;
    match reset {
        Ok(developer) => invited(&console, developer, &password, true),
        Err(error) => {
            console.visit.show_refused(&rows::refused_act(&reset_question(&developer), &posted, error)?)
        }
    }
}

/// 80 random bits in groups that can be read over the telephone.
pub(super) fn one_time_password(console: &Console) -> String {
    let digits: Vec<char> = console.app().random_hex(10).chars().collect();
    digits.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

async fn question(console: &Console, id: &str) -> Result<Confirm, Failed> {
    let developer = known(console, id).await?;
    let own = console.portal()?;
    let named = developer.id.as_str();
    let impact = rows::impact(console, async |caller| {
        developers::delete(console.app(), caller, named, Some(own)).await
    })
    .await;
    let portal = own.as_str();
    Ok(Confirm {
        act: Act::DeleteDeveloper,
        name: developer.display_name,
        type_name: !impact.is_empty(),
        impact,
        action: provider::delete_developer(portal, id),
        back: provider::developer(portal, id),
        form: Form::new(),
    })
}

pub(super) async fn ask_delete(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let question = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let question = question(&console, &id).await?;
    if let Some(again) = rows::wrong_name(&console, &question, &posted) {
        return console.visit.show_refused(&again);
    }
    let portal = console.portal()?;
    developers::delete(console.app(), &console.caller, &id, Some(portal)).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&provider::developers(portal.as_str()), &text))
}
