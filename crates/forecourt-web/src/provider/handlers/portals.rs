//! Portals: the list, a new one, settings with the built-in sign-in, deleting.

use axum::{body::Body, http::Response};
use forecourt_app::{Error, developers, portals, products, sign_in_options};
use forecourt_core::{
    developers::DeveloperFilter,
    ids::PortalId,
    lists::{Direction, Order, Paging, TimeOrder},
    portals::{PortalFilter, PortalInput},
    products::{ProductFilter, ProductStatus},
    sign_in_options::{GivenConfig, SignInOptionInput},
};
use serde_json::json;

use super::{Answer, Console, rows};
use crate::{
    confirm::{Act, Confirm},
    display::When,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::portals::{NewPortal, PortalList, PortalRow, PortalSettings},
};

const FIELDS: &[(&str, &str)] =
    &[("name", "name"), ("desc", "desc"), ("public_url", "public_url"), ("domain", "domain")];

const COUNT: Paging = Paging::Page { page: 1, size: 1 };

pub(super) async fn enter(console: Console) -> Result<Response<Body>, Failed> {
    Ok(console.visit.go(&provider::products(console.portal()?.as_str())))
}

pub(super) async fn list(console: Console) -> Answer {
    let oldest_first = Order { by: TimeOrder::CreatedAt, direction: Direction::Ascending };
    let filter = PortalFilter { order: oldest_first, ..Default::default() };
    let found = portals::list(console.app(), &console.caller, &filter).await?;
    let mut portals = Vec::with_capacity(found.rows.len());
    for portal in found.rows {
        let published = Some(ProductStatus::Published);
        portals.push(PortalRow {
            products: product_count(&console, &portal.id, published).await?,
            developers: developer_count(&console, &portal.id).await?,
            id: portal.id.to_string(),
            name: portal.name,
            description: portal.desc,
            public_url: portal.public_url.or(portal.domain),
            created_at: When::of(portal.created_at),
        });
    }
    console.visit.show(&PortalList { portals })
}

async fn product_count(
    console: &Console,
    portal: &PortalId,
    status: Option<ProductStatus>,
) -> Result<u64, Error> {
    let filter =
        ProductFilter { portal_id: Some(portal.clone()), status, paging: COUNT, ..Default::default() };
    Ok(products::list(console.app(), &console.caller, &filter).await?.total)
}

async fn developer_count(console: &Console, portal: &PortalId) -> Result<u64, Error> {
    let filter = DeveloperFilter { portal_id: Some(portal.clone()), paging: COUNT, ..Default::default() };
    Ok(developers::list(console.app(), &console.caller, filter).await?.total)
}

fn input(posted: &Posted) -> PortalInput {
    PortalInput {
        name: Some(posted.text("name").trim().to_owned()),
        desc: Some(posted.text("desc").to_owned()),
        public_url: Some(posted.text("public_url").trim().to_owned()),
        ..Default::default()
    }
}

pub(super) async fn new_form(console: Console) -> Answer {
    console.visit.show(&NewPortal { form: Form::new() })
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    match portals::create(console.app(), &console.caller, input(&posted)).await {
        Ok(portal) => {
            let text = console.say("flash.portal_created", &[("name", &portal.name)]);
            Ok(console.visit.done(&provider::portal_settings(portal.id.as_str()), &text))
        }
        Err(error) => console.visit.show_refused(&NewPortal { form: posted.refused(error, FIELDS)? }),
    }
}

pub(super) async fn settings(console: Console) -> Answer {
    let portal = portals::portal(console.app(), &console.caller, console.portal()?).await?;
    let option = sign_in_options::of_portal(console.app(), &console.caller, &portal.id).await?;
    let tick = |form: Form, name, ticked| if ticked { form.with(name, "true") } else { form };
    let form = Form::new()
        .with("name", portal.name)
        .with("desc", portal.desc)
        .with("public_url", portal.public_url.unwrap_or_default())
        .with("domain", portal.domain.unwrap_or_default());
    let form = tick(form, "public_access", portal.public_access);
    let settings = option.config.built_in().unwrap_or_default();
    let form = tick(form, "self_registration", settings.enable_self_registration);
    let form = tick(form, "registration_approval", !settings.registration_auto_approval);
    let view = settings_with(&console, form).await?;
    console.visit.show(&view)
}

async fn settings_with(console: &Console, form: Form) -> Result<PortalSettings, Failed> {
    let portal = portals::portal(console.app(), &console.caller, console.portal()?).await?;
    let deletable = product_count(console, &portal.id, None).await? == 0
        && developer_count(console, &portal.id).await? == 0;
    let activity = rows::activity(console, "portal", portal.id.as_str()).await?;
    Ok(PortalSettings { id: portal.id.to_string(), name: portal.name, form, deletable, activity })
}

pub(super) async fn save(console: Console, posted: Posted) -> Answer {
    let id = console.portal()?.clone();
    match stored(&console, &id, &posted).await {
        Ok(()) => {
            Ok(console.visit.done(&provider::portal_settings(id.as_str()), &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let view = settings_with(&console, posted.refused(error, FIELDS)?).await?;
            console.visit.show_refused(&view)
        }
    }
}

async fn stored(console: &Console, id: &PortalId, posted: &Posted) -> Result<(), Error> {
    let (app, caller) = (console.app(), &console.caller);
    let input = PortalInput { domain: Some(posted.text("domain").trim().to_owned()), ..input(posted) };
    let portal = portals::update(app, caller, id, input).await?;
    let public = posted.ticked("public_access");
    if portal.public_access != public {
        portals::set_public_access(app, caller, id, public).await?;
    }
    let option = sign_in_options::of_portal(app, caller, id).await?;
    let settings = option.config.built_in().unwrap_or_default();
    let (open, auto) = (posted.ticked("self_registration"), !posted.ticked("registration_approval"));
    if (open, auto) != (settings.enable_self_registration, settings.registration_auto_approval) {
        let given = json!({ "enable_self_registration": open, "registration_auto_approval": auto });
        let config = given.as_object().cloned().map(|members| GivenConfig { members, whole: false });
        let input = SignInOptionInput { config, ..SignInOptionInput::default() };
        sign_in_options::update(app, caller, &option.id, input).await?;
    }
    Ok(())
}

async fn question(console: &Console) -> Result<Confirm, Failed> {
    let portal = portals::portal(console.app(), &console.caller, console.portal()?).await?;
    let id = portal.id.as_str();
    Ok(Confirm {
        act: Act::DeletePortal,
        name: portal.name,
        impact: Vec::new(),
        type_name: true,
        action: provider::delete_portal(id),
        back: provider::portal_settings(id),
        form: Form::new(),
    })
}

pub(super) async fn ask_delete(console: Console) -> Answer {
    let question = question(&console).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, posted: Posted) -> Answer {
    let question = question(&console).await?;
    if let Some(again) = rows::wrong_name(&console, &question, &posted) {
        return console.visit.show_refused(&again);
    }
    match portals::delete(console.app(), &console.caller, console.portal()?).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&provider::portals(), &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
