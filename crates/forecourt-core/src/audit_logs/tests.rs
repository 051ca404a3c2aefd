//! What the audit log holds, masks and notices.

mod chains;
mod masking;

use serde_json::{Value, json};

use super::*;
use crate::{
    events::EventName,
    ids::{AdministratorId, EventId, RequestId},
    permissions::{Action, Authority},
    random::Random,
};

/// Ids need not differ here.
struct Sevens;

impl Random for Sevens {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn asked(journal: Journal) -> Caller {
    Caller {
        actor: Actor::Administrator {
            id: AdministratorId::known("usr_1"),
            username: "ann".into(),
            authority: Authority::everything(),
        },
        source: Source::AdminApi,
        address: Some("10.0.0.5".into()),
        journal,
        ..Caller::system(Source::AdminApi, RequestId::known("req_1"))
    }
}

fn journal() -> Journal {
    Journal::of(AuditedRequest {
        method: "POST".into(),
        uri: "/api/api_products?portal_id=3f0a&token=hunter2".into(),
        user_agent: "curl/8".into(),
        is_change: true,
        ..AuditedRequest::default()
    })
}

fn event(caller: &Caller, name: EventName, noun: &str, id: &str, detail: Value) -> Event {
    Event::new(EventId::issue(at(1), &mut Sevens), at(1), caller, name, noun, id).with_detail(detail)
}

fn record(caller: &Caller, events: &[Event]) -> AuditRecord {
    let record = AuditRecord::new(AuditRecordId::known("aud_1"), at(1), caller);
    record.with_changes(events, Vec::new(), events.len() as u64)
}

#[test]
fn a_record_tells_who_asked_for_what_through_which_door() {
    let journal = journal();
    journal.note_proof(Proof::Token(Some("ci".into())));
    journal.note_body(&json!({ "name": "Orders", "password": "hunter2" }));
    journal.note_action(Action::GetPortal);
    journal.note_action(Action::CreateApiProduct);
    journal.note_action(Action::UpdatePortal);
    let caller = asked(journal);
    let made = event(&caller, EventName::ProductCreated, "product", "prd_1", Value::Null);
    let told = record(&caller, &[made]);
    assert_eq!((told.event_type.as_str(), told.resource_id.as_str()), ("CreateAPIProduct", "prd_1"));
    assert_eq!((told.source.as_str(), told.token_name.as_deref()), ("api", Some("ci")));
    assert_eq!((told.operator.id.as_str(), told.operator.username.as_str()), ("usr_1", "ann"));
    let request = told.request.unwrap();
    assert_eq!(request.uri, "/api/api_products?portal_id=3f0a&token=******");
    assert_eq!(request.body, Some(json!({ "name": "Orders", "password": "******" })));
}

#[test]
fn a_session_comes_from_the_dashboard_and_a_password_with_the_request_from_the_api() {
    let of = |proof: Proof| {
        let journal = journal();
        journal.note_proof(proof);
        source_of(&asked(journal))
    };
    assert_eq!(of(Proof::Session), "dashboard");
    assert_eq!(of(Proof::Password), "api");
    assert_eq!(of(Proof::Token(None)), "api");
}

#[test]
fn the_endpoint_says_what_was_asked_for_and_the_event_that_fits_says_to_what() {
    let journal = journal();
    journal.note_action(Action::UpdatePortal);
    journal.note_event_type("DeleteDeveloper");
    let caller = asked(journal);
    let told = record(
        &caller,
        &[
            event(&caller, EventName::DeveloperDeleted, "developer", "dev_1", Value::Null),
            event(&caller, EventName::ApplicationDeleted, "application", "app_1", Value::Null),
        ],
    );
    assert_eq!((told.event_type.as_str(), told.resource_id.as_str()), ("DeleteDeveloper", "dev_1"));
}

#[test]
fn a_failed_sign_in_tells_a_name_and_that_it_failed_and_nothing_else_that_was_typed() {
    for (typed, told) in [("eve", "eve"), ("a password", "a******")] {
        let journal = journal();
        journal.note_body(&json!({ "username": typed, "password": "planted" }));
        let caller = Caller { journal, ..Caller::system(Source::AdminApi, RequestId::known("req_1")) };
        let name = EventName::AdministratorSignInFailed;
        let failed = event(&caller, name, "administrator", "", json!({ "username": told }));
        let told_of = record(&caller, &[failed]);
        assert_eq!((told_of.event_type.as_str(), told_of.operator.username.as_str()), ("Login", told));
        assert_eq!(told_of.error_message.as_deref(), Some("unauthorized"));
        let kept = if typed == told { told } else { "******" };
        let body = told_of.request.unwrap().body.unwrap();
        assert_eq!(body, json!({ "username": kept, "password": "******" }));
    }
}

#[test]
fn a_call_that_changed_nothing_has_a_record_only_where_somebody_known_made_it() {
    let unknown = journal();
    assert!(!unknown.wants_answer());
    assert_eq!(unknown.unstored(AuditRecordId::known("aud_1"), at(1)), None);
    let known = journal();
    known.note_caller(&asked(known.clone()));
    assert!(known.wants_answer());
    let told = known.unstored(AuditRecordId::known("aud_1"), at(1)).unwrap();
    assert_eq!((told.operator.id.as_str(), told.ip_address.as_deref()), ("usr_1", Some("10.0.0.5")));
    known.note_record(AuditRecordId::known("aud_2"));
    assert_eq!(known.unstored(AuditRecordId::known("aud_1"), at(1)), None, "it has one already");
}

#[test]
fn the_gateway_group_of_the_path_goes_before_that_of_the_body() {
    let body = json!({ "gateway_group_id": "of_body", "name": "a" });
    let in_path = AuditedRequest {
        is_change: true,
        gateway_group_id: Some("of_path".into()),
        ..AuditedRequest::default()
    };
    for (journal, expected) in [(journal(), "of_body"), (Journal::of(in_path), "of_path")] {
        journal.note_body(&body);
        assert_eq!(journal.gateway_group_id().as_deref(), Some(expected));
    }
    assert_eq!(journal().gateway_group_id(), None);
}

#[test]
fn a_preview_and_a_call_that_only_reads_leave_no_record() {
    let preview = journal();
    let (previewing, _) = asked(preview.clone()).previewing();
    preview.note_caller(&previewing);
    assert!(!preview.wants_answer());
    let reading = Journal::of(AuditedRequest { method: "GET".into(), ..AuditedRequest::default() });
    reading.note_caller(&asked(reading.clone()));
    assert!(!reading.wants_answer());
}

#[test]
fn a_body_that_is_too_large_is_only_measured() {
    let answer =
        AnsweredCall { body: Some(json!({ "rows": vec!["x".repeat(1_000); 100] })), ..Default::default() };
    let kept = answer.kept_body().unwrap();
    assert!(kept["omitted_bytes"].as_u64().unwrap() > LARGEST_BODY as u64, "{kept}");
}

#[test]
fn every_event_has_an_event_type_and_every_event_type_a_name() {
    for event in EventName::ALL {
        assert_ne!(event.event_type(), "Change", "{}", event.name());
    }
    let types = all_event_types();
    let name_of = |key: &str| types.iter().find(|known| known.key == key).unwrap().name.clone();
    assert_eq!(name_of("CreateAPIProduct"), "Create API product");
    assert_eq!(name_of("UpdateSMTPServer"), "Update SMTP server");
    assert_eq!(name_of("UpdateSCIMProvisioning"), "Update SCIM provisioning");
    assert_eq!(name_of("Login"), "Login");
    let keys: std::collections::BTreeSet<_> = types.iter().map(|known| &known.key).collect();
    assert_eq!(keys.len(), types.len());
    assert!(!keys.iter().any(|key| *key == "GetPortal"), "what only reads is not recorded");
}

#[test]
fn an_entry_reads_back_as_it_was_written() {
    let caller = asked(journal());
    let made = event(&caller, EventName::GatewayGroupCreated, "gateway_group", "grp_1", Value::Null);
    let entry = AuditEntry::Record(Box::new(record(&caller, &[made])));
    let numbered = NumberedEntry { number: 7, entry };
    assert_eq!(NumberedEntry::read(&numbered.to_text().unwrap()), Some(numbered));
    assert_eq!(NumberedEntry::read("{}"), None);
}

#[test]
fn a_record_of_the_deepest_body_reads_back() {
    let deepest = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let body: Value = serde_json::from_str(&deepest).unwrap();
    let journal = journal();
    journal.note_body(&body);
    let caller = asked(journal);
    let change = AuditChange {
        event: "portal_updated".into(),
        noun: "portal".into(),
        id: "prt_1".into(),
        detail: super::masking::value(&json!({ "deep": body })),
        before: Some(super::masking::value(&body)),
        after: None,
    };
    let record = AuditRecord::new(AuditRecordId::known("aud_1"), at(1), &caller);
    let record = record.with_changes(&[], vec![change], 1);
    let answer = AnsweredCall { body: Some(body), ..AnsweredCall::default() };
    let answer = AuditAnswer {
        id: record.id.clone(),
        at: at(1),
        status_code: 200,
        body: answer.kept_body(),
        error_message: None,
    };
    for entry in [AuditEntry::Record(Box::new(record)), AuditEntry::Answer(answer)] {
        let numbered = NumberedEntry { number: 7, entry };
        assert_eq!(NumberedEntry::read(&numbered.to_text().unwrap()), Some(numbered));
    }
}

#[test]
fn a_record_says_how_many_things_changed_only_where_some_are_not_listed() {
    let change = |id: &str| AuditChange {
        event: "portal_updated".into(),
        noun: "portal".into(),
        id: id.into(),
        detail: Value::Null,
        before: None,
        after: None,
    };
    let caller = asked(journal());
    let of = |count: u64| {
        let record = AuditRecord::new(AuditRecordId::known("aud_1"), at(1), &caller);
        record.with_changes(&[], vec![change("prt_1"), change("prt_2")], count)
    };
    assert_eq!((of(2).change_count, of(30).change_count), (None, Some(30)));
    let told = ToldRecord {
        number: 1,
        record: of(30),
        further: vec![change("prt_3")],
        further_left_out: 4,
        answer: None,
    };
    assert_eq!((told.changes().count(), told.left_out()), (3, 32));
}

#[test]
fn what_is_searched_fits_a_column_and_an_index() {
    let caller = asked(journal());
    let mut record = AuditRecord::new(AuditRecordId::known("aud_1"), at(1), &caller);
    record.resource_id = format!("a\0{}", "ä".repeat(2_000));
    let entry = AuditEntry::Record(Box::new(record));
    let columns = entry.columns();
    assert!(columns.resource_id.len() <= LONGEST_SEARCHED && columns.resource_id.starts_with("aä"));
    let read = NumberedEntry::read(&NumberedEntry { number: 1, entry }.to_text().unwrap()).unwrap();
    assert_eq!(read.entry.columns(), columns, "whoever verifies the log reckons the same");
}
