//! One call as the audit log will tell it: what was asked is noted where it is read, by whoever reads it.
//!
//! Invariant: it takes bodies through [`masking`] alone; only the raw address, which is masked when it is told, is held
//! as it came, and it is in no debug output.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::{AuditOperator, AuditRecord, AuditedCall, LARGEST_BODY, masking, source_of};
use crate::{
    actors::{Actor, Caller, Source},
    ids::AuditRecordId,
    permissions::Action,
    time::Timestamp,
};

/// What is known of a request before anybody proves who they are.
#[derive(Clone, Default)]
pub struct AuditedRequest {
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub uri: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// Whether the method changes something, so that there is a record in any case.
    pub is_change: bool,
    /// The last id in the path.
    pub resource_id: Option<String>,
    /// The gateway group that path or query name, whether or not there is such a one.
    pub gateway_group_id: Option<String>,
}

/// How a caller of the Admin API proved who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// A session, or a sign-in that makes one.
    #[default]
    Session,
    /// A name and a password with the request.
    Password,
    /// A token, with its name where it has one.
    Token(Option<String>),
}

/// What a call was answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnsweredCall {
    /// The status.
    pub status_code: u16,
    /// The body, where it is JSON; not masked yet.
    pub body: Option<Value>,
    /// Why it did not happen, where the answer says so.
    pub error_message: Option<String>,
}

/// One call's notes, shared by all who hold the same call; none in jobs and at the command line.
#[derive(Clone, Default)]
pub struct Journal(Option<Arc<Call>>);

struct Call {
    request: AuditedRequest,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    event_type: Option<&'static str>,
    action: Option<Action>,
    body: Option<Value>,
    proof: Proof,
    teller: Option<Teller>,
    error: Option<String>,
    record: Option<AuditRecordId>,
}

/// Who was found to be calling.
struct Teller {
    operator: AuditOperator,
    source: &'static str,
    address: Option<String>,
    request_id: String,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

impl Journal {
    /// The notes of a call that begins.
    pub fn of(request: AuditedRequest) -> Self {
        Self(Some(Arc::new(Call { request, noted: Mutex::default() })))
    }

    fn noted(&self) -> Option<MutexGuard<'_, Noted>> {
        self.0.as_ref().map(|call| call.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes the event type of the endpoint.
    pub fn note_event_type(&self, event_type: &'static str) {
        if let Some(mut noted) = self.noted() {
            noted.event_type = Some(event_type);
        }
    }

    /// Notes what the caller asked to be allowed; the first that changes something stays.
    pub fn note_action(&self, action: Action) {
        if action.reading() == action {
            return;
        }
        if let Some(mut noted) = self.noted() {
            noted.action.get_or_insert(action);
        }
    }

    /// Notes the body of the request, of which secrets are masked.
    pub fn note_body(&self, body: &Value) {
        let changes = self.0.as_ref().is_some_and(|call| call.request.is_change);
        if let Some(mut noted) = self.noted().filter(|_| changes) {
            noted.body = Some(kept(body));
        }
    }

    /// Notes how the caller proved who they are.
    pub fn note_proof(&self, proof: Proof) {
        if let Some(mut noted) = self.noted() {
            noted.proof = proof;
        }
    }

    /// Notes who is calling, once somebody is.
    pub fn note_caller(&self, caller: &Caller) {
        let is_nobody = match caller.actor {
            Actor::System => true,
            // A stranger on the site leaves no record of what did not work: that would be a write for everybody who asks.
            Actor::Guest(_) => caller.source == Source::Site,
            _ => false,
        };
        // What only asks what it would do does nothing.
        if is_nobody || caller.preview.is_some() {
            return;
        }
        let teller = Teller {
            operator: AuditOperator::of(caller),
            source: source_of(caller),
            address: caller.address.clone(),
            request_id: caller.request_id.to_string(),
        };
        if let Some(mut noted) = self.noted() {
            noted.teller = Some(teller);
        }
    }

    /// Notes why a page was not what was asked for, where its answer does not say so to a program.
    pub fn note_error(&self, message: &str) {
        if let Some(mut noted) = self.noted() {
            noted.error = Some(masking::text(message));
        }
    }

    /// Notes that a change was stored with the record that has this id.
    pub fn note_record(&self, id: AuditRecordId) {
        if let Some(mut noted) = self.noted() {
            noted.record = Some(id);
        }
    }

    /// The record of this call, where one was stored.
    pub fn record(&self) -> Option<AuditRecordId> {
        self.noted()?.record.clone()
    }

    /// Whether a session proved it, or there is nothing that did.
    pub(crate) fn is_by_session(&self) -> bool {
        self.noted().is_some_and(|noted| noted.proof == Proof::Session)
    }

    /// The name of the token that proved it.
    pub(crate) fn token_name(&self) -> Option<String> {
        match &self.noted()?.proof {
            Proof::Token(name) => name.clone(),
            Proof::Session | Proof::Password => None,
        }
    }

    /// What was asked for, where the endpoint or the permission that was asked tells it.
    pub(crate) fn event_type(&self) -> Option<String> {
        let noted = self.noted()?;
        let of_action = noted.action.map(|action| action.name().rsplit(':').next().unwrap_or_default());
        noted.event_type.or(of_action).map(str::to_owned)
    }

    /// The last id in the path.
    pub(crate) fn resource_id(&self) -> Option<String> {
        self.0.as_ref()?.request.resource_id.clone()
    }

    /// The gateway group that path, query or body name, whether or not there is such a one.
    pub fn gateway_group_id(&self) -> Option<String> {
        let named = &self.0.as_ref()?.request.gateway_group_id;
        let in_body = || Some(self.noted()?.body.as_ref()?.get("gateway_group_id")?.as_str()?.to_owned());
        named.clone().or_else(in_body)
    }

    /// What was asked, masked.
    pub(crate) fn call(&self) -> Option<AuditedCall> {
        let request = &self.0.as_ref()?.request;
        let agent: String = request.user_agent.chars().filter(|c| !c.is_control()).take(256).collect();
        Some(AuditedCall {
            method: request.method.clone(),
            uri: masking::uri(&request.uri),
            body: self.noted()?.body.clone(),
            user_agent: masking::text(&agent),
        })
    }

    /// Whether the answer belongs into the log: the call changed something, or wanted to and somebody known made it.
    pub fn wants_answer(&self) -> bool {
        let Some(call) = &self.0 else { return false };
        let noted = call.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.record.is_some() || (call.request.is_change && noted.teller.is_some())
    }

    /// The record of a call that stored none: it was refused, failed, or had nothing to change; in no gateway group yet.
    /// `None` where nobody known made it, or it only read.
    pub fn unstored(&self, id: AuditRecordId, at: Timestamp) -> Option<AuditRecord> {
        let call = self.0.as_ref().filter(|call| call.request.is_change)?;
        let (operator, source, ip_address, request_id) = {
            let noted = call.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let teller = noted.teller.as_ref().filter(|_| noted.record.is_none())?;
            let Teller { operator, source, address, request_id } = teller;
            (operator.clone(), (*source).to_owned(), address.clone(), request_id.clone())
        };
        Some(AuditRecord {
            id,
            at,
            event_type: self.event_type().unwrap_or_else(|| "Change".to_owned()),
            operator,
            source,
            token_name: self.token_name(),
            resource_id: self.resource_id().unwrap_or_default(),
            gateway_group_id: String::new(),
            ip_address,
            request_id,
            request: self.call(),
            changes: Vec::new(),
            change_count: None,
            error_message: None,
        })
    }

    /// Why it did not happen, as a page noted it.
    pub fn error(&self) -> Option<String> {
        self.noted()?.error.clone()
    }
}

/// `body` with secrets masked; one that is too large is only measured.
pub(crate) fn kept(body: &Value) -> Value {
    let masked = masking::value(body);
    let size = masked.to_string().len();
    if size > LARGEST_BODY { json!({ "omitted_bytes": size }) } else { masked }
}

impl AnsweredCall {
    /// The body with secrets masked.
    pub fn kept_body(&self) -> Option<Value> {
        self.body.as_ref().map(kept)
    }
}
