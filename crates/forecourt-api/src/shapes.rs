//! Shapes that both APIs write: products' authentication, approvals, subscriptions, developers' members.

use forecourt_core::{
    applications::Application,
    approvals::{Approval, ApprovalEvent, ApprovalFilter, ApprovalOrder, ApprovalResult, ApprovalStatus},
    gateway_state::{BasicAuthMethod, JwtAuthMethod, KeyAuthMethod},
    plans::Plan,
    products::ProductAuth,
    subscriptions::{SubscriptionDetail, SubscriptionStatus},
};
use forecourt_http::{problem::Problem, queries::Query, times::iso};
use serde_json::{Map, Value, json};

use crate::openapi::{
    operations::Operation,
    schemas::{self, Schema},
};

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
    let jwt = auth.jwt_auth.as_ref();
    let jwt = jwt.map(|JwtAuthMethod { hide_credentials }| json!({ "hide_credentials": hide_credentials }));
    let dcr = auth.dcr.as_ref().map(|provider| json!({ "dcr_provider_id": provider }));
    Value::Object(members([("key-auth", key), ("basic-auth", basic), ("jwt-auth", jwt), ("dcr", dcr)]))
}

/// `auth`, in bodies and answers: closed on both levels.
pub(crate) fn auth_schema() -> Schema {
    schemas::named("ProductAuth", || {
        let hides = || schemas::object().optional("hide_credentials", schemas::flag().or(false));
        let key = hides()
            .optional("header", schemas::text().long(1, 256).or("apikey"))
            .optional("query", schemas::text().long(1, 256).or("apikey"));
        schemas::object()
            .optional("key-auth", key.closed())
            .optional("basic-auth", hides().closed())
            .optional("jwt-auth", hides().closed())
            .optional("dcr", schemas::object().required("dcr_provider_id", schemas::id()).closed())
            .closed()
    })
}

/// The members of a product that both APIs show.
pub(crate) fn product_schema() -> Schema {
    schemas::object()
        .required("id", schemas::id())
        .required("type", schemas::words(&["gateway", "external"]))
        .required("name", schemas::text())
        .optional("desc", schemas::text())
        .optional("logo", schemas::text())
        .required("labels", schemas::labels())
        .required("status", schemas::words(&["draft", "published"]))
        .required("visibility", schemas::words(&["public", "logged_in"]))
        .optional("auth", auth_schema())
        .optional("subscription_auto_approval", schemas::flag())
        .optional("can_view_unsubscribed", schemas::flag())
        .optional("plans", schemas::array(schemas::named("ProductPlan", plan_schema)))
        .optional("server_urls", schemas::array(schemas::text()))
        .optional("server_url", schemas::text().with("deprecated", json!(true)))
        .optional("tags", schemas::array(schemas::text()))
        .optional("api_desc", schemas::text())
        .required("created_at", schemas::time())
        .required("updated_at", schemas::time())
}

/// `plans` of a gateway product.
pub(crate) fn plans(plans: &[Plan]) -> Value {
    plans.iter().map(|plan| Value::Object(self::plan(plan))).collect()
}

/// A plan as both APIs show it in its product.
pub(crate) fn plan(plan: &Plan) -> Map<String, Value> {
    members([
        ("id", Some(json!(plan.id))),
        ("name", Some(json!(plan.name))),
        ("desc", non_empty(&plan.desc)),
        ("limits", Some(json!(plan.limits))),
        ("default", Some(json!(plan.is_default))),
    ])
}

/// A limit of a plan.
pub(crate) fn limit_schema() -> Schema {
    schemas::object()
        .required("count", schemas::integer().from(1).about("Calls."))
        .required("window_seconds", schemas::integer().from(1))
}

/// A plan as both APIs describe it.
pub(crate) fn plan_schema() -> Schema {
    schemas::object()
        .required("id", schemas::id())
        .required("name", schemas::text())
        .optional("desc", schemas::text())
        .required("limits", schemas::array(limit_schema()))
        .required("default", schemas::flag())
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
        ("plan_id", subscription.plan_id.as_ref().map(|id| json!(id))),
        ("status", Some(json!(subscription.status.name()))),
        ("subscribed_at", subscription.subscribed_at.filter(|_| subscribed).map(|at| json!(iso(at)))),
    ])
}

/// A subscription as both APIs describe it.
pub(crate) fn subscription_schema() -> Schema {
    schemas::object()
        .required("id", schemas::id())
        .required("developer_id", schemas::id())
        .required("developer_name", schemas::text())
        .required("application_id", schemas::id())
        .required("application_name", schemas::text())
        .required("api_product_id", schemas::id())
        .required("api_product_name", schemas::text())
        .optional("plan_id", schemas::id())
        .required("status", schemas::words(&["wait_for_approval", "subscribed"]))
        .optional("subscribed_at", schemas::time())
}

/// Whether an application, or any of a developer's, is subscribed to a product.
pub(crate) fn subscription_state_schema() -> Schema {
    schemas::words(&["unsubscribed", "wait_for_approval", "subscribed"])
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

/// An approval as both APIs describe it.
pub(crate) fn approval_schema() -> Schema {
    schemas::object()
        .required("id", schemas::id())
        .required("created_at", schemas::time())
        .required("updated_at", schemas::time())
        .required("event", schemas::words(&EVENTS))
        .required("status", schemas::words(&["pending", "finished"]))
        .optional("result", schemas::words(&RESULTS))
        .required("resource_type", schemas::words(&["api_product", "developer"]))
        .required("resource_id", schemas::id())
        .required("resource_name", schemas::text())
        .required("applicant_id", schemas::id())
        .required("applicant_name", schemas::text())
        .optional("operator_id", schemas::text())
        .optional("operator_name", schemas::text())
        .optional("metadata", schemas::text())
        .optional("reason", schemas::text())
        .required("applied_at", schemas::time())
        .optional("operated_at", schemas::time())
}

const EVENTS: [&str; 2] = ["api_product_subscription", "developer_registration"];
const RESULTS: [&str; 3] = ["accepted", "rejected", "cancelled"];

/// An application as both APIs show it.
pub(crate) fn application(application: &Application) -> Map<String, Value> {
    members([
        ("id", Some(json!(application.id))),
        ("name", Some(json!(application.name))),
        ("desc", non_empty(&application.desc)),
        ("labels", Some(json!(application.labels))),
        ("status", Some(json!(application.status.name()))),
        ("status_reason", non_empty(&application.status_reason)),
        ("callback_urls", Some(json!(application.callback_urls.as_slice()))),
        ("attributes", Some(json!(application.attributes))),
        ("created_at", Some(json!(iso(application.created_at)))),
        ("updated_at", Some(json!(iso(application.updated_at)))),
    ])
}

/// The members of an application that both APIs show.
pub(crate) fn application_schema() -> Schema {
    schemas::object()
        .required("id", schemas::id())
        .required("name", schemas::text())
        .optional("desc", schemas::text())
        .required("labels", schemas::labels())
        .required("status", schemas::words(&["active", "suspended"]))
        .optional("status_reason", schemas::text())
        .required("callback_urls", schemas::array(schemas::text()))
        .required("attributes", schemas::map(schemas::text()))
        .required("created_at", schemas::time())
        .required("updated_at", schemas::time())
}

/// The filters that both APIs' approval lists take.
pub(crate) fn approval_filter(query: &Query) -> Result<ApprovalFilter, Problem> {
    let resource = query.word(
        "resource_type",
        |word| match word {
            "api_product" => Some(ApprovalEvent::ProductSubscription),
            "developer" => Some(ApprovalEvent::DeveloperRegistration),
            _ => None,
        },
        "api_product or developer",
    )?;
    let event_words = "api_product_subscription or developer_registration";
    let event = query.word("event", ApprovalEvent::from_name, event_words)?;
    let order = |word: &str| match word {
        "applied_at" => Some(ApprovalOrder::AppliedAt),
        "resource_name" => Some(ApprovalOrder::ResourceName),
        "operated_at" => Some(ApprovalOrder::OperatedAt),
        _ => None,
    };
    let text = |name: &str| query.text(name).map(str::to_owned);
    Ok(ApprovalFilter {
        portal_id: None,
        status: query.word("status", ApprovalStatus::from_name, "pending or finished")?,
        result: query.word("result", ApprovalResult::from_name, "accepted, rejected or cancelled")?,
        // Each event has one resource type, so a pair that does not fit matches nothing.
        nothing: matches!((event, resource), (Some(event), Some(resource)) if event != resource),
        event: event.or(resource),
        resource_name: text("resource_name"),
        operator_name: text("operator_name"),
        applicant_name: text("applicant_name"),
        search: text("search"),
        order: query.order(order, "applied_at, resource_name or operated_at")?,
        paging: query.paging()?,
        ..ApprovalFilter::default()
    })
}

/// What [`approval_filter`] reads.
pub(crate) fn approval_filter_schema(operation: Operation) -> Operation {
    operation
        .query("status", schemas::words(&["pending", "finished"]))
        .query("result", schemas::words(&RESULTS))
        .query("event", schemas::words(&EVENTS))
        .query("resource_type", schemas::words(&["api_product", "developer"]))
        .query("resource_name", schemas::text())
        .query("operator_name", schemas::text())
        .query("applicant_name", schemas::text())
        .ordered(&["applied_at", "resource_name", "operated_at"])
        .searched("the names of resource, operator and applicant")
}
