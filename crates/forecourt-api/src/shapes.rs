//! Shapes that both APIs write: products' authentication, approvals, subscriptions, developers' members.

use forecourt_core::{
    approvals::Approval,
    gateway_state::{BasicAuthMethod, KeyAuthMethod},
    products::ProductAuth,
    subscriptions::{SubscriptionDetail, SubscriptionStatus},
};
use forecourt_http::times::iso;
use serde_json::{Map, Value, json};

/// Members without those that have no value.
pub(crate) fn members(pairs: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Map<String, Value> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A text, or nothing where it is empty.
pub(crate) fn non_empty(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

/// `auth` of a gateway product, defaults filled in.
pub(crate) fn auth(auth: &ProductAuth) -> Value {
    let key = auth.key_auth.as_ref().map(|KeyAuthMethod { header, query, hide_credentials }| {
        json!({ "header": header, "query": query, "hide_credentials": hide_credentials })
    });
    let basic = auth.basic_auth.as_ref();
    let basic =
        basic.map(|BasicAuthMethod { hide_credentials }| json!({ "hide_credentials": hide_credentials }));
    let dcr = auth.dcr.as_ref().map(|provider| json!({ "dcr_provider_id": provider }));
    Value::Object(members([("key-auth", key), ("basic-auth", basic), ("dcr", dcr)]))
}

/// A subscription as both APIs list it.
pub(crate) fn subscription(detail: &SubscriptionDetail) -> Map<String, Value> {
    let SubscriptionDetail { subscription, .. } = detail;
    let subscribed = subscription.status == SubscriptionStatus::Subscribed;
    members([
        ("id", Some(json!(subscription.id))),
        ("developer_id", Some(json!(detail.developer_public_id))),
        ("developer_name", Some(json!(detail.developer_name))),
        ("application_id", Some(json!(subscription.application_id))),
        ("application_name", Some(json!(detail.application_name))),
        ("api_product_id", Some(json!(subscription.product_id))),
        ("api_product_name", Some(json!(detail.product_name))),
        ("status", Some(json!(subscription.status.name()))),
        ("subscribed_at", subscription.subscribed_at.filter(|_| subscribed).map(|at| json!(iso(at)))),
    ])
}

/// An approval as both APIs show it.
pub(crate) fn approval(approval: &Approval) -> Map<String, Value> {
    use forecourt_core::approvals::ApprovalSubject;
    let (resource_type, resource_id) = match &approval.subject {
        ApprovalSubject::Subscription { product_id, .. } => ("api_product", product_id.to_string()),
        ApprovalSubject::Registration => ("developer", approval.applicant_id.clone()),
    };
    let decision = approval.decision.as_ref();
    let operator = decision.map(|decision| &decision.operator);
    members([
        ("id", Some(json!(approval.id))),
        ("created_at", Some(json!(iso(approval.applied_at)))),
        ("updated_at", Some(json!(iso(approval.updated_at)))),
        ("event", Some(json!(approval.event().name()))),
        ("status", Some(json!(approval.status().name()))),
        ("result", decision.map(|decision| json!(decision.result.name()))),
        ("resource_type", Some(json!(resource_type))),
        ("resource_id", Some(json!(resource_id))),
        ("resource_name", Some(json!(approval.resource_name))),
        ("applicant_id", Some(json!(approval.applicant_id))),
        ("applicant_name", Some(json!(approval.applicant_name))),
        ("operator_id", operator.and_then(|operator| non_empty(&operator.id))),
        ("operator_name", operator.and_then(|operator| non_empty(&operator.name))),
        (
            "metadata",
            operator.and_then(|operator| operator.metadata.as_ref()).map(|metadata| json!(metadata)),
        ),
        ("reason", decision.and_then(|decision| non_empty(&decision.reason))),
        ("applied_at", Some(json!(iso(approval.applied_at)))),
        ("operated_at", decision.map(|decision| json!(iso(decision.at)))),
    ])
}
