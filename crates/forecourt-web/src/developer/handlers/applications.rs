//! The developer's applications.

use std::collections::{BTreeMap, HashMap};

use axum::{extract::Path, response::Response};
use forecourt_app::{
    applications, credentials,
    products::catalogue::{self, CatalogueFilter},
    subscriptions, usage,
};
use forecourt_core::{
    applications::{Application, ApplicationFilter, ApplicationInput, ApplicationStatus},
    credentials::CredentialFilter,
    ids::{ApplicationId, ProductId},
    lists::TextFilter,
    subscriptions::{SubscriptionDetail, SubscriptionFilter, SubscriptionStatus},
    time::Timestamp,
    usage::UsageFilter,
};

use super::{activities, credentials::row as credential_row, visitors::Member};
use crate::{
    confirm::{Act, Confirm},
    developer::{
        applications::{
            ApplicationForm, ApplicationList, ApplicationPage, ApplicationRow, SubscriptionRow, Usage,
        },
        products::Choice,
    },
    display::{Impact, ImpactKind, Label, Reference, Status, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted, Visit},
    links::developer,
    lists::{Chip, Paging, Search},
};

const PAGE_SIZE: u64 = 20;
const FIELDS: &[(&str, &str)] = &[
    ("name", "name"),
    ("desc", "desc"),
    ("labels", "labels"),
    ("callback_urls", "callback_urls"),
    ("attributes", "attributes"),
    ("api_products", "products"),
];

/// The id that the path names.
pub(super) fn application_id(text: &str) -> Result<ApplicationId, Failed> {
    ApplicationId::parse(text).ok_or_else(|| FailureKind::NotFound.into())
}

pub(super) const fn status(status: ApplicationStatus) -> Status {
    match status {
        ApplicationStatus::Active => Status::Active,
        ApplicationStatus::Suspended => Status::Suspended,
    }
}

pub(super) const fn subscription_status(status: SubscriptionStatus) -> Status {
    match status {
        SubscriptionStatus::WaitForApproval => Status::WaitForApproval,
        SubscriptionStatus::Subscribed => Status::Subscribed,
    }
}

/// `GET /applications`.
pub(super) async fn list(member: Member, asked: Asked) -> Result<Response, Failed> {
    let visit = &member.visit;
    let (search, chosen) = (asked.text("search"), ApplicationStatus::from_name(asked.text("status")));
    let word = chosen.map_or("", ApplicationStatus::name);
    let filter = ApplicationFilter {
        status: chosen,
        text: TextFilter { search: asked.given("search").map(str::to_owned), labels: Vec::new() },
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = applications::list(visit.web.app(), &member.caller, filter).await?;
    let at = |status: &str, page: &str| {
        developer::applications().with_query(&[("search", search), ("status", status), ("page", page)])
    };
    let chip = |text: String, state: Option<ApplicationStatus>| {
        Chip::new(text, at(state.map_or("", ApplicationStatus::name), ""), chosen == state)
    };
    let filtered = !search.is_empty() || chosen.is_some();
    let statuses = if filtered || found.total > 0 {
        vec![
            chip(visit.web.say("list.all", &[]), None),
            chip(visit.web.say("status.active", &[]), Some(ApplicationStatus::Active)),
            chip(visit.web.say("status.suspended", &[]), Some(ApplicationStatus::Suspended)),
        ]
    } else {
        Vec::new()
    };
    visit.show(&ApplicationList {
        search: Search::new(developer::applications(), search, &[("status", word)]),
        statuses,
        applications: rows(&member, &found.rows).await?,
        paging: Paging::new(asked.page(), PAGE_SIZE, found.total, |n| at(word, &n.to_string())),
        filtered,
    })
}

/// The rows of `found`, counted with one query for all credentials and one for all subscriptions.
async fn rows(member: &Member, found: &[Application]) -> Result<Vec<ApplicationRow>, Failed> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let app = member.visit.web.app();
    let ids = found.iter().map(|application| application.id.clone()).collect();
    let filter = CredentialFilter { applications: ids, ..Default::default() };
    let mut credentials: HashMap<ApplicationId, (u64, Option<Timestamp>)> = HashMap::new();
    for named in credentials::list(app, &member.caller, filter).await?.rows {
        let (count, last) = credentials.entry(named.credential.application_id.clone()).or_default();
        *count += 1;
        *last = (*last).max(named.credential.last_used_at);
    }
    let mut subscribed: HashMap<ApplicationId, u64> = HashMap::new();
    for detail in subscriptions::list(app, &member.caller, SubscriptionFilter::default()).await?.rows {
        *subscribed.entry(detail.subscription.application_id).or_default() += 1;
    }
    let row = |application: &Application| {
        let (credentials, last) = credentials.get(&application.id).copied().unwrap_or_default();
        ApplicationRow {
            id: application.id.to_string(),
            name: application.name.clone(),
            description: application.desc.clone(),
            status: status(application.status),
            subscriptions: subscribed.get(&application.id).copied().unwrap_or_default(),
            credentials,
            last_call_at: last.map(When::of),
            created_at: When::of(application.created_at),
        }
    };
    Ok(found.iter().map(row).collect())
}

/// The products that the caller's applications can be subscribed to, but for `but`.
pub(super) async fn product_choices(member: &Member, but: &[ProductId]) -> Result<Vec<Choice>, Failed> {
    let found = catalogue::list(member.visit.web.app(), &member.caller, CatalogueFilter::default()).await?;
    let needs_approval = member.visit.web.say("product.needs_approval_short", &[]);
    let choices = found.rows.into_iter().filter_map(|found| {
        let product = found.product;
        let offer = product.gateway_offer().filter(|offer| !offer.auth.is_empty())?;
        let choice = Choice::new(product.id.as_str(), product.name.as_str());
        let choice =
            if offer.subscription_auto_approval { choice } else { choice.hint(needs_approval.as_str()) };
        (!but.contains(&product.id)).then_some(choice)
    });
    Ok(choices.collect())
}

/// `GET /applications/new`, with `products` chosen beforehand.
pub(super) async fn new(member: Member, asked: Asked) -> Result<Response, Failed> {
    let chosen = asked.texts("products");
    let form = chosen.into_iter().fold(Form::new(), |form, product| form.with("products", product));
    let products = product_choices(&member, &[]).await?;
    let action = developer::new_application();
    member.visit.show(&ApplicationForm { application: None, products, form, action })
}

/// `POST /applications/new`.
pub(super) async fn create(member: Member, posted: Posted) -> Result<Response, Failed> {
    let visit = &member.visit;
    let form = match input(visit, &posted) {
        Err(form) => form,
        Ok(input) => {
            let products = posted.texts("products");
            match applications::create(visit.web.app(), &member.caller, input, &products).await {
                Ok(made) => {
                    let text = visit.web.say("application.created", &[("name", &made.name)]);
                    return Ok(visit.done(&developer::application(made.id.as_str()), &text));
                }
                Err(error) => posted.refused(error, FIELDS)?,
            }
        }
    };
    let products = product_choices(&member, &[]).await?;
    let action = developer::new_application();
    visit.show_refused(&ApplicationForm { application: None, products, form, action })
}

fn input(visit: &Visit, posted: &Posted) -> Result<ApplicationInput, Form> {
    let labels = pairs(posted.text("labels")).map_err(|line| {
        posted.form().refused("labels", visit.web.say("application.label_line", &[("line", line)]))
    })?;
    let attributes = pairs(posted.text("attributes")).map_err(|line| {
        posted.form().refused("attributes", visit.web.say("application.attribute_line", &[("line", line)]))
    })?;
    let urls = posted.text("callback_urls").lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(ApplicationInput {
        name: Some(posted.text("name").to_owned()),
        desc: Some(posted.text("desc").replace("\r\n", "\n")),
        labels: Some(labels),
        callback_urls: Some(urls.map(str::to_owned).collect()),
        attributes: Some(attributes),
    })
}

/// Labels or attributes written as a line `key: value` each; else the first line that is none.
fn pairs(text: &str) -> Result<BTreeMap<String, String>, &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let pair = |line: &'_ str| -> Option<(String, String)> {
        let (key, value) = line.split_once(':')?;
        let (key, value) = (key.trim(), value.trim());
        (!key.is_empty() && !value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
    };
    let mut pairs = BTreeMap::new();
    for line in lines {
        let (key, value) = pair(line).ok_or(line)?;
        pairs.insert(key, value);
    }
    Ok(pairs)
}

/// What [`pairs`] reads back.
fn lines(pairs: &BTreeMap<String, String>) -> String {
    pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join("\n")
}

/// A reference to an application.
pub(super) fn reference(application: &Application) -> Reference {
    Reference::new(application.name.as_str(), developer::application(application.id.as_str()))
}

/// `GET /applications/{application}/edit`.
pub(super) async fn edit(member: Member, Path(id): Path<String>) -> Result<Response, Failed> {
    let found =
        applications::application(member.visit.web.app(), &member.caller, &application_id(&id)?).await?;
    let form = Form::new()
        .with("name", found.name.as_str())
        .with("desc", found.desc.as_str())
        .with("labels", lines(found.labels.pairs()))
        .with("callback_urls", found.callback_urls.as_slice().join("\n"))
        .with("attributes", lines(found.attributes.pairs()));
    member.visit.show(&edit_form(&found, form))
}

fn edit_form(application: &Application, form: Form) -> ApplicationForm {
    let action = developer::edit_application(application.id.as_str());
    ApplicationForm { application: Some(reference(application)), products: Vec::new(), form, action }
}

/// `POST /applications/{application}/edit`.
pub(super) async fn update(
    member: Member,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let id = application_id(&id)?;
    let found = applications::application(visit.web.app(), &member.caller, &id).await?;
    let form = match input(visit, &posted) {
        Err(form) => form,
        Ok(input) => match applications::update(visit.web.app(), &member.caller, &id, input).await {
            Ok(_) => {
                let text = visit.web.say("form.saved", &[]);
                return Ok(visit.done(&developer::application(id.as_str()), &text));
            }
            Err(error) => posted.refused(error, FIELDS)?,
        },
    };
    visit.show_refused(&edit_form(&found, form))
}

/// `GET /applications/{application}`.
pub(super) async fn show(member: Member, Path(id): Path<String>) -> Result<Response, Failed> {
    let app = member.visit.web.app();
    let found = applications::application(app, &member.caller, &application_id(&id)?).await?;
    let subscribed = subscriptions_of(&member, &found.id).await?;
    let filter = CredentialFilter { applications: vec![found.id.clone()], ..Default::default() };
    let credentials = credentials::list(app, &member.caller, filter).await?.rows;
    let last_call = credentials.iter().filter_map(|named| named.credential.last_used_at).max();
    let (hours, calls) = calls(&member, &found.id).await?;
    let shown =
        |pairs: &BTreeMap<String, String>| pairs.iter().map(|(key, value)| Label::new(key, value)).collect();
    member.visit.show(&ApplicationPage {
        id: found.id.to_string(),
        name: found.name.clone(),
        description: found.desc.clone(),
        status: status(found.status),
        status_reason: Some(found.status_reason.clone()).filter(|reason| !reason.is_empty()),
        labels: shown(found.labels.pairs()),
        callback_urls: found.callback_urls.as_slice().to_vec(),
        attributes: shown(found.attributes.pairs()),
        created_at: When::of(found.created_at),
        updated_at: When::of(found.updated_at),
        activity: activities::of(&member, &found, &subscribed, &credentials).await?,
        subscriptions: subscribed.iter().map(subscription_row).collect(),
        credentials: credentials.iter().map(credential_row).collect(),
        usage: Usage { hours, calls, last_call_at: last_call.map(When::of) },
    })
}

/// The subscriptions of one of the caller's applications.
pub(super) async fn subscriptions_of(
    member: &Member,
    application: &ApplicationId,
) -> Result<Vec<SubscriptionDetail>, Failed> {
    let filter = SubscriptionFilter { application_id: Some(application.clone()), ..Default::default() };
    Ok(subscriptions::list(member.visit.web.app(), &member.caller, filter).await?.rows)
}

fn subscription_row(detail: &SubscriptionDetail) -> SubscriptionRow {
    let subscription = &detail.subscription;
    SubscriptionRow {
        id: subscription.id.to_string(),
        product: Reference::new(
            detail.product_name.as_str(),
            developer::product(subscription.product_id.as_str()),
        ),
        status: subscription_status(subscription.status),
        plan: detail.plan_name.clone(),
        created_at: When::of(subscription.subscribed_at.unwrap_or(subscription.created_at)),
    }
}

/// Calls of the last 24 hours, the running one included: per hour, oldest first, and their sum.
async fn calls(member: &Member, application: &ApplicationId) -> Result<(Vec<u64>, u64), Failed> {
    const HOUR: i64 = 3600;
    let now = member.visit.web.app().now();
    let start = now.hour().plus_seconds(-23 * HOUR);
    let filter =
        UsageFilter { start, end: now, applications: vec![application.clone()], ..Default::default() };
    let mut hours = vec![0u64; 24];
    for counted in usage::product_hours(member.visit.web.app(), &member.caller, filter).await? {
        let index = usize::try_from((counted.hour.seconds() - start.seconds()) / HOUR).ok();
        if let Some(hour) = index.and_then(|index| hours.get_mut(index)) {
            *hour += counted.calls;
        }
    }
    let sum = hours.iter().sum();
    Ok((hours, sum))
}

async fn delete_question(member: &Member, found: &Application, form: Form) -> Result<Confirm, Failed> {
    let subscribed = subscriptions_of(member, &found.id).await?.len();
    let filter = CredentialFilter { applications: vec![found.id.clone()], ..Default::default() };
    let held = credentials::list(member.visit.web.app(), &member.caller, filter).await?.total;
    let counted = [(ImpactKind::Subscriptions, subscribed as u64), (ImpactKind::Credentials, held)];
    let impact: Vec<_> = counted
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| Impact { kind, count })
        .collect();
    Ok(Confirm {
        act: Act::DeleteApplication,
        name: found.name.clone(),
        type_name: !impact.is_empty(),
        impact,
        action: developer::delete_application(found.id.as_str()),
        back: developer::application(found.id.as_str()),
        form,
    })
}

/// `GET /applications/{application}/delete`.
pub(super) async fn ask_delete(member: Member, Path(id): Path<String>) -> Result<Response, Failed> {
    let found =
        applications::application(member.visit.web.app(), &member.caller, &application_id(&id)?).await?;
    member.visit.show(&delete_question(&member, &found, Form::new()).await?)
}

/// `POST /applications/{application}/delete`.
pub(super) async fn delete(
    member: Member,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let visit = &member.visit;
    let found = applications::application(visit.web.app(), &member.caller, &application_id(&id)?).await?;
    let question = delete_question(&member, &found, posted.form()).await?;
    if question.type_name && posted.text("confirm").trim() != found.name.trim() {
        let wrong = visit.web.say("confirm.wrong_name", &[("name", &found.name)]);
        let form = posted.form().refused("confirm", wrong);
        return visit.show_refused(&Confirm { form, ..question });
    }
    applications::delete(visit.web.app(), &member.caller, &found.id).await?;
    let text = visit.web.say("application.deleted", &[("name", &found.name)]);
    Ok(visit.done(&developer::applications(), &text))
}

#[cfg(test)]
mod tests {
    use super::{lines, pairs};

    #[test]
    fn labels_and_attributes_are_lines_and_the_first_that_is_none_is_named() {
        let read = pairs("team: shop\r\n\n url : https://x ").unwrap();
        assert_eq!(read["team"], "shop");
        assert_eq!(read["url"], "https://x");
        assert_eq!(pairs(&lines(&read)), Ok(read));
        assert_eq!(pairs("team: shop\nnonsense\nmore"), Err("nonsense"));
        assert_eq!(pairs("team:"), Err("team:"));
    }
}
