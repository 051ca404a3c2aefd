//! Links in mails: the question, and the decision of whoever holds the link. Nobody need be signed in.

use axum::{extract::Path, http::StatusCode};
use forecourt_app::{
    Error, ErrorKind,
    approval_links::{self, LinkedApproval},
    approvals::Verdict,
};
use forecourt_core::{approval_links::ApprovalLinkRefusal, approvals::ApprovalSubject, secrets::PlainSecret};

use super::{Answer, Doorstep};
use crate::{
    display::When,
    forms::Form,
    handling::Posted,
    links::provider,
    provider::approval_links::{ApprovalLinkPage, LinkState, UnknownApprovalLink},
};

pub(super) async fn question(door: Doorstep, Path(token): Path<String>) -> Answer {
    let secret = PlainSecret::presented(token.as_str());
    match approval_links::linked(door.visit.web.app(), &door.caller, &secret).await {
        Ok(linked) => door.visit.show(&view(&linked, state(&linked), &token, Form::new())),
        Err(error) => unknown(&door, error),
    }
}

pub(super) async fn decide(door: Doorstep, Path(token): Path<String>, posted: Posted) -> Answer {
    let app = door.visit.web.app();
    let secret = PlainSecret::presented(token.as_str());
    let before = match approval_links::linked(app, &door.caller, &secret).await {
        Ok(linked) => linked,
        Err(error) => return unknown(&door, error),
    };
    let (verdict, done) = match posted.text("verdict") {
        "accept" => (Verdict::Accept, LinkState::Accepted),
        "reject" => (Verdict::Reject, LinkState::Rejected),
        _ => return door.visit.show(&view(&before, state(&before), &token, posted.form())),
    };
    let reason = posted.text("reason").trim();
    match approval_links::decide(app, &door.caller, &secret, verdict, reason).await {
        Ok(approval) => {
            let linked = LinkedApproval { approval, refusal: None };
            door.visit.show(&view(&linked, done, &token, Form::new()))
        }
        // Somebody was faster, or the link is used up: the page says so.
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let linked = approval_links::linked(app, &door.caller, &secret).await?;
            let page = view(&linked, state(&linked), &token, Form::new());
            door.visit.show_as(StatusCode::CONFLICT, &page)
        }
        // Somebody took the recipient off the list meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => unknown(&door, error),
        Err(error) => {
            let form = posted.refused(error, &[("reason", "reason")])?;
            door.visit.show_refused(&view(&before, state(&before), &token, form))
        }
    }
}

/// Whatever is no token of ours: one page, which says nothing of any other.
fn unknown(door: &Doorstep, error: Error) -> Answer {
    match error.kind() {
        ErrorKind::NotFound => door.visit.show_as(StatusCode::NOT_FOUND, &UnknownApprovalLink {}),
        _ => Err(error.into()),
    }
}

fn state(linked: &LinkedApproval) -> LinkState {
    match linked.refusal {
        None => LinkState::Open,
        Some(ApprovalLinkRefusal::Used) => LinkState::Used,
        Some(ApprovalLinkRefusal::Decided) => LinkState::Decided,
        Some(ApprovalLinkRefusal::Expired) => LinkState::Expired,
        Some(ApprovalLinkRefusal::Disabled) => LinkState::Disabled,
    }
}

fn view(linked: &LinkedApproval, state: LinkState, token: &str, form: Form) -> ApprovalLinkPage {
    ApprovalLinkPage {
        applicant: linked.approval.applicant_name.clone(),
        resource: match &linked.approval.subject {
            ApprovalSubject::Subscription { .. } => linked.approval.resource_name.clone(),
            ApprovalSubject::Registration => String::new(),
        },
        applied_at: When::of(linked.approval.applied_at),
        state,
        form,
        action: provider::approval_link(token),
    }
}
