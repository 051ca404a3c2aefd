//! The audit log: what was done, narrowed by the query, and one record with what it changed.

use std::collections::BTreeSet;

use axum::extract::Path;
use forecourt_app::audit_logs::{self, ListedRecord, RecordNames};
use forecourt_core::{
    audit_logs::{AuditChange, AuditFilter, EventType, objects::NamedObject},
    ids::AuditRecordId,
    lists::List,
    time::Timestamp,
};
use jiff::{civil::Date, tz::TimeZone};
use serde_json::{Map, Value};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    display::When,
    errors::FailureKind,
    forms::Form,
    handling::Asked,
    links::{Link, admin_api, provider},
    provider::audit_logs::{
        AuditChangeShown, AuditLog, AuditRecordPage, AuditRow, DetailShown, EventTypeChoice, MemberChange,
    },
};

/// The fields of the filter; days in UTC.
const FIELDS: [&str; 5] = ["event_type", "operator_id", "resource_id", "from", "to"];
/// Those that name days.
const DAYS: [&str; 2] = ["from", "to"];

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let text = |name: &str| asked.given(name).map(str::to_owned);
    let filter = AuditFilter {
        event_type: text("event_type"),
        operator_id: text("operator_id"),
        resource_id: text("resource_id"),
        start_at: day(asked.text("from")),
        end_at: day(asked.text("to")).map(|day| day.plus_seconds(86_399)),
        paging: asked.paging(PAGE_SIZE),
        ..AuditFilter::default()
    };
    let given: Vec<(&str, &str)> = FIELDS.iter().map(|name| (*name, asked.text(name))).collect();
    let mut form = given.iter().fold(Form::new(), |form, (name, value)| form.with(name, *value));
    for (name, value) in given.iter().filter(|(name, _)| DAYS.contains(name)) {
        if !value.is_empty() && day(value).is_none() {
            form = form.refused(name, console.say("audit.no_day", &[]));
        }
    }
    // What was asked for is nothing that can be looked for: no other list is shown in its place.
    let is_refused = !form.errors.is_empty();
    let found = match is_refused {
        true => List { rows: Vec::new(), total: 0 },
        false => audit_logs::list(console.app(), &console.caller, &filter).await?,
    };
    let names = audit_logs::names(console.app(), &console.caller, &found.rows).await?;
    let event_types = audit_logs::event_types(&console.caller)?;
    let list = provider::audit_log();
    let view = AuditLog {
        filter: form,
        records: found.rows.iter().map(|listed| row(listed, &event_types, &names)).collect(),
        paging: rows::paging(&list, &given, asked.page(), found.total),
        filtered: given.iter().any(|(_, value)| !value.is_empty()),
        export: admin_api::audit_export(),
        exported: exported(&filter),
        event_types: event_types.into_iter().map(choice).collect(),
    };
    if is_refused { console.visit.show_refused(&view) } else { console.visit.show(&view) }
}

/// The first moment of the day that `text` names; `None`: it names none.
fn day(text: &str) -> Option<Timestamp> {
    let day = text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_micros(day.timestamp().as_microsecond()))
}

/// The filter as the Admin API takes it.
fn exported(filter: &AuditFilter) -> Vec<(&'static str, String)> {
    let seconds = |at: Option<Timestamp>| at.map(|at| at.seconds().to_string());
    let given = [
        ("event_type", filter.event_type.clone()),
        ("operator_id", filter.operator_id.clone()),
        ("resource_id", filter.resource_id.clone()),
        ("start_at", seconds(filter.start_at)),
        ("end_at", seconds(filter.end_at)),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn choice(known: EventType) -> EventTypeChoice {
    EventTypeChoice { value: known.key, text: known.name }
}

fn row(listed: &ListedRecord, event_types: &[EventType], names: &RecordNames) -> AuditRow {
    let record = &listed.told.record;
    let name = event_types.iter().find(|known| known.key == record.event_type);
    let (by, resource) = (names.operator(&record.operator), names.resource(&listed.told));
    let operator = match &listed.operator {
        Some(known) => known.display_name(),
        None if record.operator.username.is_empty() => by.map(|by| by.name.clone()).unwrap_or_default(),
        None => record.operator.username.clone(),
    };
    AuditRow {
        id: record.id.to_string(),
        event: name.map_or_else(|| record.event_type.clone(), |known| known.name.clone()),
        operator,
        operator_href: by.and_then(href),
        resource: record.resource_id.clone(),
        resource_name: resource.map(|named| named.name.clone()).unwrap_or_default(),
        resource_href: resource.and_then(href),
        source: record.source.clone(),
        status: listed.told.answer.as_ref().map(|answer| answer.status_code),
        error: listed.told.error_message().map(str::to_owned),
        at: When::of(record.at),
    }
}

/// The page of something; `None`: it has none.
fn href(named: &NamedObject) -> Option<Link> {
    let (id, place) = (named.id.as_str(), named.place.as_str());
    match named.noun.as_str() {
        "administrator" => Some(provider::administrator(id)),
        "role" => Some(provider::role(id)),
        "permission_policy" => Some(provider::permission_policy(id)),
        "portal" => Some(provider::portal(id)),
        "product" => Some(provider::product(place, id)),
        "developer" => Some(provider::developer(place, id)),
        "application" => Some(provider::application(place, id)),
        "gateway_group" => Some(provider::group(id)),
        "service" => Some(provider::service(place, id)),
        "route" => Some(provider::service(place, &named.parent)),
        "consumer" => Some(provider::consumer(place, &named.name)),
        "node" => Some(provider::node(id)),
        _ => None,
    }
}

pub(super) async fn record(console: Console, Path(id): Path<String>) -> Answer {
    let id = AuditRecordId::parse(&id).ok_or(FailureKind::NotFound)?;
    let listed = audit_logs::record(console.app(), &console.caller, &id).await?;
    let one = std::slice::from_ref(&listed);
    let names = audit_logs::names(console.app(), &console.caller, one).await?;
    let event_types = audit_logs::event_types(&console.caller)?;
    let told = &listed.told;
    let record = &told.record;
    let request = record.request.as_ref();
    let changes: Vec<AuditChangeShown> = told.changes().map(shown).collect();
    let view = AuditRecordPage {
        record: row(&listed, &event_types, &names),
        operator_id: record.operator.id.clone(),
        token: record.token_name.clone().unwrap_or_default(),
        gateway_group: record.gateway_group_id.clone(),
        address: record.ip_address.clone().unwrap_or_default(),
        request_id: record.request_id.clone(),
        request: request.map(|request| format!("{} {}", request.method, request.uri)).unwrap_or_default(),
        user_agent: request.map(|request| request.user_agent.clone()).unwrap_or_default(),
        request_body: indented(request.and_then(|request| request.body.as_ref())),
        response_body: indented(told.answer.as_ref().and_then(|answer| answer.body.as_ref())),
        more: told.left_out(),
        changes,
    };
    console.visit.show(&view)
}

fn indented(body: Option<&Value>) -> String {
    body.and_then(|body| serde_json::to_string_pretty(body).ok()).unwrap_or_default()
}

/// A change with the members that differ; of what was made or deleted those that are not empty.
fn shown(change: &AuditChange) -> AuditChangeShown {
    let nothing = Map::new();
    let members = |value: &'_ Option<Value>| value.as_ref().and_then(Value::as_object).cloned();
    let before = members(&change.before).unwrap_or_else(|| nothing.clone());
    let after = members(&change.after).unwrap_or(nothing);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let member = |name: &String| {
        let (before, after) = (text(before.get(name)), text(after.get(name)));
        (before != after).then(|| MemberChange { name: name.clone(), before, after })
    };
    AuditChangeShown {
        event: change.event.clone(),
        what: format!("{} {}", change.noun, change.id),
        details: details(&change.detail),
        members: names.into_iter().filter_map(member).collect(),
    }
}

/// What is told of the change beside what it changed.
fn details(detail: &Value) -> Vec<DetailShown> {
    let members = detail.as_object().into_iter().flatten();
    members
        .map(|(name, value)| DetailShown { name: name.clone(), value: text(Some(value)) })
        .filter(|detail| !detail.value.is_empty())
        .collect()
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => String::new(),
        Some(Value::Object(members)) if members.is_empty() => String::new(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_shown_of_a_change() {
        let change = AuditChange {
            event: "portal_updated".into(),
            noun: "portal".into(),
            id: "prt_1".into(),
            detail: json!({ "fields": ["labels", "name"], "until": null, "count": 2 }),
            before: Some(json!({ "name": "a", "desc": "", "labels": {} })),
            after: Some(json!({ "name": "b", "desc": "", "labels": { "env": "prod" } })),
        };
        let told: Vec<_> = shown(&change).details.into_iter().map(|d| (d.name, d.value)).collect();
        let expected = [("fields", "[\"labels\",\"name\"]"), ("count", "2")];
        assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let members: Vec<_> =
            shown(&change).members.into_iter().map(|m| (m.name, m.before, m.after)).collect();
        let expected = [("labels", "", "{\"env\":\"prod\"}"), ("name", "a", "b")];
        assert_eq!(members, expected.map(|(n, b, a)| (n.to_owned(), b.to_owned(), a.to_owned())));
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        assert_eq!(day("2026-08-07").map(Timestamp::seconds), Some(1_786_060_800));
        assert_eq!(day("yesterday"), None);
    }
}
