//! DCR providers: the list with what is left behind there, a new one, a change, and what deleting one hits.

use std::collections::BTreeMap;

use axum::extract::Path;
use forecourt_app::{dcr_providers, dcr_removals};
use forecourt_core::{
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderInput, DcrProviderType, MASK},
    dcr_removals::DcrRemovalFilter,
    ids::{DcrProviderId, DcrRemovalId},
    permissions::{Action, Target},
    secrets::PlainSecret,
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    confirm::{Act, Confirm},
    display::{Impact, ImpactKind, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    provider::dcr_providers::{DcrProviderForm, DcrProviderList, DcrProviderRow, DcrRemovalRow},
};

const FIELDS: &[(&str, &str)] = &[
    ("name", "name"),
    ("desc", "desc"),
    ("issuer", "issuer"),
    ("base_url", "base_url"),
    ("provider_type", "provider_type"),
    ("headers", "headers"),
];

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let (app, caller) = (console.app(), &console.caller);
    let mut providers = dcr_providers::administered(app, caller, &DcrProviderFilter::default()).await?.rows;
    providers.sort_by_key(|provider| provider.name.to_lowercase());
    let filter = DcrRemovalFilter { paging: asked.paging(PAGE_SIZE), ..Default::default() };
    let found = dcr_removals::list(app, caller, &filter).await?;
    let removal = |listed: dcr_removals::ListedRemoval| DcrRemovalRow {
        dismissible: console
            .may(Action::DeleteDcrProvider, Target::DcrProvider(Some(&listed.removal.provider_id))),
        id: listed.removal.id.to_string(),
        provider: listed.provider_name,
        client_id: listed.removal.client_id,
        client_name: listed.removal.client_name,
        attempts: listed.removal.attempts,
        last_error: listed.removal.last_error,
        next_attempt_at: listed.removal.next_attempt_at.map(When::of),
    };
    console.visit.show(&DcrProviderList {
        providers: providers.into_iter().map(row).collect(),
        paging: rows::paging(&provider::dcr_providers(), &[], asked.page(), found.total),
        removals: found.rows.into_iter().map(removal).collect(),
    })
}

fn row(found: DcrProvider) -> DcrProviderRow {
    DcrProviderRow {
        id: found.id.to_string(),
        kind: found.provider_type.name().to_owned(),
        address: if found.issuer.is_empty() { found.base_url } else { found.issuer },
        name: found.name,
        created_at: When::of(found.created_at),
    }
}

fn new_view(form: Form) -> DcrProviderForm {
    DcrProviderForm { provider: None, id: None, kind: None, form, action: provider::new_dcr_provider() }
}

fn edit_view(found: &DcrProvider, form: Form) -> DcrProviderForm {
    DcrProviderForm {
        provider: Some(found.name.clone()),
        id: Some(found.id.to_string()),
        kind: Some(found.provider_type.name().to_owned()),
        form,
        action: provider::edit_dcr_provider(found.id.as_str()),
    }
}

pub(super) async fn new_form(console: Console) -> Answer {
    console.visit.show(&new_view(Form::new().with("provider_type", DcrProviderType::Oidc.name())))
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    let provider_type = DcrProviderType::from_name(posted.text("provider_type"));
    let input = match input(&console, &posted) {
        Ok(input) => DcrProviderInput { provider_type, ..input },
        Err(form) => return console.visit.show_refused(&new_view(form)),
    };
    match dcr_providers::create(console.app(), &console.caller, input).await {
        Ok(made) => {
            let text = console.say("flash.dcr_provider_created", &[("name", &made.name)]);
            Ok(console.visit.done(&provider::dcr_providers(), &text))
        }
        Err(error) => console.visit.show_refused(&new_view(posted.refused(error, FIELDS)?)),
    }
}

async fn known(console: &Console, id: &str) -> Result<DcrProvider, Failed> {
    let id = DcrProviderId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(dcr_providers::provider(console.app(), &console.caller, &id).await?)
}

pub(super) async fn edit_form(console: Console, Path(id): Path<String>) -> Answer {
    let found = known(&console, &id).await?;
    let form = Form::new()
        .with("name", found.name.as_str())
        .with("desc", found.desc.as_str())
        .with("issuer", found.issuer.as_str())
        .with("base_url", found.base_url.as_str())
        .with("headers", masked(&found));
    console.visit.show(&edit_view(&found, form))
}

pub(super) async fn save(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let found = known(&console, &id).await?;
    // What was typed as headers holds secrets and is not shown again: what is stored is.
    let again = |form: Form| edit_view(&found, form.with("headers", masked(&found)));
    let input = match input(&console, &posted) {
        Ok(input) => input,
        Err(form) => return console.visit.show_refused(&again(form)),
    };
    match dcr_providers::update(console.app(), &console.caller, &found.id, input).await {
        Ok(_) => Ok(console.visit.done(&provider::dcr_providers(), &console.say("flash.saved", &[]))),
        Err(error) => console.visit.show_refused(&again(posted.refused(error, FIELDS)?)),
    }
}

fn masked(found: &DcrProvider) -> String {
    found.headers.keys().map(|name| format!("{name}: {MASK}\n")).collect()
}

/// What was typed, or the form with the line of the headers that is none.
fn input(console: &Console, posted: &Posted) -> Result<DcrProviderInput, Form> {
    let mut headers = BTreeMap::new();
    for line in posted.text("headers").lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            let sentence = console.say("dcr_provider.header_line", &[]);
            return Err(posted.form().refused("headers", sentence));
        };
        headers.insert(name.trim().to_owned(), PlainSecret::presented(value.trim()));
    }
    Ok(DcrProviderInput {
        name: Some(posted.text("name").trim().to_owned()),
        desc: Some(posted.text("desc").to_owned()),
        provider_type: None,
        issuer: Some(posted.text("issuer").trim().to_owned()),
        base_url: Some(posted.text("base_url").trim().to_owned()),
        headers: Some(headers),
    })
}

async fn question(console: &Console, id: &str) -> Result<(DcrProviderId, Confirm), Failed> {
    let id = DcrProviderId::parse(id).ok_or(FailureKind::NotFound)?;
    let found = dcr_providers::with_use(console.app(), &console.caller, &id).await?;
    let form = match found.products.first() {
        Some(product) => Form::new().failed(console.say("dcr_provider.in_use", &[("name", product)])),
        None => Form::new(),
    };
    let impact = Impact { kind: ImpactKind::Credentials, count: found.credentials };
    let question = Confirm {
        act: Act::DeleteDcrProvider,
        name: found.provider.name,
        type_name: impact.count > 0,
        impact: Some(impact).filter(|impact| impact.count > 0).into_iter().collect(),
        action: provider::delete_dcr_provider(id.as_str()),
        back: provider::dcr_providers(),
        form,
    };
    Ok((id, question))
}

pub(super) async fn ask_delete(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let (id, question) = question(&console, &id).await?;
    if question.type_name && posted.text("confirm").trim() != question.name {
        let sentence = console.say("confirm.wrong_name", &[("name", &question.name)]);
        let form = Form::new().refused("confirm", sentence);
        return console.visit.show_refused(&Confirm { form, ..question });
    }
    match dcr_providers::delete(console.app(), &console.caller, &id).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&question.back, &text))
        }
        Err(error) => {
            let form = posted.refused(error, &[])?;
            console.visit.show_refused(&Confirm { form, ..question })
        }
    }
}

async fn dismissal(console: &Console, id: &str) -> Result<(DcrRemovalId, Confirm), Failed> {
    let id = DcrRemovalId::parse(id).ok_or(FailureKind::NotFound)?;
    let found = dcr_removals::removal(console.app(), &console.caller, &id).await?;
    let question = Confirm {
        act: Act::DismissDcrRemoval,
        name: found.client_id.unwrap_or(found.client_name),
        impact: Vec::new(),
        type_name: false,
        action: provider::dismiss_dcr_removal(id.as_str()),
        back: provider::dcr_providers(),
        form: Form::new(),
    };
    Ok((id, question))
}

pub(super) async fn ask_dismiss(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = dismissal(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn dismiss(console: Console, Path(id): Path<String>, _posted: Posted) -> Answer {
    let (id, question) = dismissal(&console, &id).await?;
    dcr_removals::dismiss(console.app(), &console.caller, &id).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&question.back, &text))
}
