//! `notifications` of API products in bodies and answers; see `products`.

use forecourt_core::{
    contact_points::ContactType,
    notifications::{NotificationEvent, NotificationRule, NotificationRuleInput},
};
use forecourt_http::{bodies::Object, problem::Problem};
use serde_json::{Value, json};

use crate::{
    openapi::schemas::{self, Schema},
    shapes::members,
};

pub(super) fn schema() -> Schema {
    schemas::named("Notification", || {
        let template = || {
            schemas::text().about(
                "Holds `{{.ApprovalID}}`, `{{.ApplicantName}}`, `{{.Event}}`, `{{.AppliedAt}}`, `{{.ResourceName}}` \
                 and `{{.AppliedAt.Format \"2006-01-02 15:04\"}}`, a layout of Go; nothing else in double braces.",
            )
        };
        let events: Vec<_> = NotificationEvent::ALL.iter().map(|event| event.name()).collect();
        schemas::object()
            .required("event", schemas::words(&events))
            .required("type", schemas::words(&["email", "webhook"]))
            .optional("contact_point_ids", schemas::array(schemas::id()))
            .optional("subject", template())
            .optional("content", template())
            .example(json!({ "event": "subscription_approval_created", "type": "email", "contact_point_ids": ["c7a1"] }))
    })
}

pub(super) fn shape(rules: &[NotificationRule]) -> Value {
    let rule = |rule: &NotificationRule| {
        Value::Object(members([
            ("event", Some(json!(rule.event.name()))),
            ("type", Some(json!(rule.contact_type.name()))),
            ("contact_point_ids", Some(json!(rule.contact_point_ids))),
            ("subject", rule.subject.as_ref().map(|template| json!(template.source()))),
            ("content", rule.content.as_ref().map(|template| json!(template.source()))),
        ]))
    };
    rules.iter().map(rule).collect()
}

pub(super) fn input(body: &Object) -> Result<Option<Vec<NotificationRuleInput>>, Problem> {
    let Some(rules) = body.objects("notifications")? else { return Ok(None) };
    let events: Vec<_> = NotificationEvent::ALL.iter().map(|event| event.name()).collect();
    let rule = |given: &Object| {
        Ok(NotificationRuleInput {
            event: given.word(
                "event",
                NotificationEvent::from_name,
                &format!("one of {}", events.join(", ")),
            )?,
            contact_type: given.word("type", ContactType::from_name, "email or webhook")?,
            contact_point_ids: given.texts("contact_point_ids")?.unwrap_or_default(),
            subject: given.text("subject")?,
            content: given.text("content")?,
        })
    };
    rules.iter().map(rule).collect::<Result<Vec<_>, Problem>>().map(Some)
}
