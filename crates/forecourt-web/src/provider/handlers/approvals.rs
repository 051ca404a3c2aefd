//! The inbox: accept at once, reject with a reason. Who decides from the overview comes back to it.

use axum::extract::Path;
use axum::http::HeaderMap;
use forecourt_app::{
    ErrorKind,
    approvals::{self, DecisionInput, Verdict},
};
use forecourt_core::{
    approvals::{Approval, ApprovalEvent, ApprovalFilter, ApprovalOrder, ApprovalResult, ApprovalStatus},
    ids::ApprovalId,
    lists::{Direction, Order},
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    display::{Status, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::{Link, provider},
    lists::{Chip, Search},
    page::Tone,
    provider::approvals::{ApprovalKind, ApprovalRow, Inbox, Reject},
};

const OVERVIEW: &str = "overview";
const SUBSCRIPTION: &str = "subscription";
const REGISTRATION: &str = "registration";

pub(super) async fn inbox(console: Console, asked: Asked) -> Answer {
    let finished = asked.text("status") == ApprovalStatus::Finished.name();
    let event = match asked.text("event") {
        SUBSCRIPTION => Some(ApprovalEvent::ProductSubscription),
        REGISTRATION => Some(ApprovalEvent::DeveloperRegistration),
        _ => None,
    };
    // What waits longest comes first; what was decided last comes first.
    let (status, by, direction) = if finished {
        (ApprovalStatus::Finished, ApprovalOrder::OperatedAt, Direction::Descending)
    } else {
        (ApprovalStatus::Pending, ApprovalOrder::AppliedAt, Direction::Ascending)
    };
    let filter = ApprovalFilter {
        status: Some(status),
        event,
        search: asked.given("search").map(str::to_owned),
        order: Order { by, direction },
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = approvals::list(console.app(), &console.caller, filter).await?;
    let list = provider::approvals();
    let shown = if finished { status.name() } else { "" };
    let event_word = if event.is_some() { asked.text("event") } else { "" };
    let search = asked.text("search");
    let query = [("search", search), ("status", shown), ("event", event_word)];
    let view = Inbox {
        search: Search::new(list.clone(), search, &[("status", shown), ("event", event_word)]),
        statuses: status_chips(&console, &list, shown, &[("search", search), ("event", event_word)]),
        events: event_chips(&console, &list, event_word, &[("search", search), ("status", shown)]),
        paging: rows::paging(&list, &query, asked.page(), found.total),
        approvals: found.rows.into_iter().map(|approval| row(&console, approval)).collect(),
        finished,
        filtered: event.is_some() || !search.is_empty(),
    };
    console.visit.show(&view)
}

fn status_chips(console: &Console, list: &Link, chosen: &str, kept: &[(&str, &str)]) -> Vec<Chip> {
    let waiting = console.visit.page.pending_approvals;
    vec![
        rows::chip(list, console.say("chip.waiting", &[]), ("status", ""), chosen, kept).counting(waiting),
        rows::chip(list, console.say("chip.decided", &[]), ("status", "finished"), chosen, kept),
    ]
}

fn event_chips(console: &Console, list: &Link, chosen: &str, kept: &[(&str, &str)]) -> Vec<Chip> {
    vec![
        rows::chip(list, console.say("chip.all_requests", &[]), ("event", ""), chosen, kept),
        rows::chip(list, console.say("chip.subscriptions", &[]), ("event", SUBSCRIPTION), chosen, kept),
        rows::chip(list, console.say("chip.registrations", &[]), ("event", REGISTRATION), chosen, kept),
    ]
}

/// An approval as lists show it.
pub(super) fn row(console: &Console, approval: Approval) -> ApprovalRow {
    let portal = console.visit.page.portals.iter().find(|portal| portal.id == approval.portal_id.as_str());
    let decision = approval.decision.as_ref();
    let status = match decision.map(|decision| decision.result) {
        None => Status::Pending,
        Some(ApprovalResult::Accepted) => Status::Accepted,
        Some(ApprovalResult::Rejected) => Status::Rejected,
        Some(ApprovalResult::Cancelled) => Status::Cancelled,
    };
    let filled = |text: &String| (!text.is_empty()).then(|| text.clone());
    ApprovalRow {
        decidable: approvals::may_decide(&console.caller, &approval),
        id: approval.id.to_string(),
        event: match approval.event() {
            ApprovalEvent::ProductSubscription => ApprovalKind::Subscription,
            ApprovalEvent::DeveloperRegistration => ApprovalKind::Registration,
        },
        portal: portal.map(|portal| portal.name.clone()).unwrap_or_default(),
        status,
        reason: decision.and_then(|decision| filled(&decision.reason)),
        decided_by: decision.and_then(|decision| filled(&decision.operator.name)),
        created_at: When::of(approval.applied_at),
        applicant: approval.applicant_name,
        subject: approval.resource_name,
    }
}

fn back(named: &str) -> Link {
    if named == OVERVIEW { provider::overview() } else { provider::approvals() }
}

fn known_id(id: &str) -> Result<ApprovalId, Failed> {
    ApprovalId::parse(id).ok_or_else(|| FailureKind::NotFound.into())
}

pub(super) async fn accept(
    console: Console,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Answer {
    let id = known_id(&id)?;
    let back = back(posted.text("back"));
    let input = DecisionInput::default();
    match approvals::decide(console.app(), &console.caller, &id, Verdict::Accept, input).await {
        // A fragment has no place for a message, and the row that left the list says enough.
        Ok(_) if headers.contains_key("hx-request") => Ok(console.visit.go(&back)),
        Ok(approval) => {
            let name = [("name", approval.resource_name.as_str())];
            Ok(console.visit.done(&back, &console.say("flash.accepted", &name)))
        }
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(already_decided(&console, &back)),
        Err(error) => Err(error.into()),
    }
}

fn already_decided(console: &Console, back: &Link) -> axum::http::Response<axum::body::Body> {
    let text = console.say("flash.already_decided", &[]);
    console.visit.say_then(console.visit.go(back), Tone::Warning, &text)
}

pub(super) async fn reject_form(console: Console, Path(id): Path<String>, asked: Asked) -> Answer {
    let approval = approvals::approval(console.app(), &console.caller, &known_id(&id)?).await?;
    if approval.decision.is_some() {
        return Ok(already_decided(&console, &back(asked.text("back"))));
    }
    let approval = row(&console, approval);
    console.visit.show(&Reject { approval, form: Form::new().with("back", asked.text("back")) })
}

pub(super) async fn reject(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = known_id(&id)?;
    let back = back(posted.text("back"));
    let input = DecisionInput { reason: posted.text("reason").trim().to_owned(), ..Default::default() };
    match approvals::decide(console.app(), &console.caller, &id, Verdict::Reject, input).await {
        Ok(approval) => {
            let name = [("name", approval.resource_name.as_str())];
            Ok(console.visit.done(&back, &console.say("flash.rejected", &name)))
        }
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(already_decided(&console, &back)),
        Err(error) => {
            let form = posted.refused(error, &[("reason", "reason")])?;
            let approval = approvals::approval(console.app(), &console.caller, &id).await?;
            console.visit.show_refused(&Reject { approval: row(&console, approval), form })
        }
    }
}
