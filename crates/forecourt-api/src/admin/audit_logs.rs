//! `/api/audit_logs`: who changed what, and the same as a download. Nothing here changes a record.

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    App,
    audit_logs::{self, Export, ListedRecord},
};
use forecourt_core::{
    audit_logs::{AuditChange, AuditFilter},
    lists::List,
    time::Timestamp,
};
use forecourt_http::{Context, callers::AdminCaller, lists, problem::Problem, queries::Query};
use futures_util::stream;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use super::{answers::ListAnswer, audit_exports::Format, operations, table::Table};
use crate::{
    openapi::{
        operations::Operation,
        schemas::{self, Schema},
    },
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    let records = || schemas::array(shape_schema());
    table
        .about("Audit log")
        .get("/api/audit_logs", list, filtered(operations::list("List audit records", shape_schema())))
        .get(
            "/api/audit_logs/event_types",
            event_types,
            operations::list(
                "List the event types of audit records",
                schemas::object().required("key", schemas::text()).required("name", schemas::text()),
            ),
        )
        .get(
            "/api/audit_logs/export",
            export,
            filtered(
                operations::bare("Download audit records")
                    .answers_as(
                        &["application/json", "text/csv"],
                        schemas::one_of([records(), schemas::text()]),
                    )
                    .required_query("format", schemas::words(&["json", "csv"]))
                    .notes("An array, or a table whose first line names the columns."),
            ),
        )
}

fn filtered(operation: Operation) -> Operation {
    operation
        .query("event_type", schemas::text())
        .query("operator_id", schemas::text())
        .query("resource_id", schemas::text())
        .query("gateway_group_id", schemas::id())
        .query("start_at", schemas::integer().about("Unix seconds; nothing before."))
        .query("end_at", schemas::integer().about("Unix seconds; nothing after this second."))
        .ordered(&["event_time"])
}

fn shape_schema() -> Schema {
    schemas::named("AuditRecord", || {
        let operator = schemas::object()
            .required("id", schemas::text().about("For the Portal API the `developer_id`."))
            .required("username", schemas::text())
            .optional("email", schemas::text())
            .optional("first_name", schemas::text())
            .optional("last_name", schemas::text());
        let any = Schema::default;
        let request = schemas::object()
            .required("method", schemas::text())
            .required("uri", schemas::text())
            .optional("body", any())
            .required("user_agent", schemas::text());
        let response = schemas::object().required("status_code", schemas::integer()).optional("body", any());
        let change = schemas::object()
            .required("event", schemas::text())
            .required("noun", schemas::text())
            .required("id", schemas::text())
            .optional("detail", any())
            .optional("before", any())
            .optional("after", any());
        schemas::object()
            .required("id", schemas::id())
            .required("event_time", schemas::seconds())
            .required("operator", operator)
            .required("source", schemas::words(&["dashboard", "api", "portal", "command_line", "job"]))
            .optional("token_name", schemas::text())
            .required("event_type", schemas::text())
            .optional("resource_id", schemas::text())
            .optional("gateway_group_id", schemas::text())
            .optional("ip_address", schemas::text())
            .required("request_id", schemas::text())
            .optional("http_request", request)
            .optional("http_response", response)
            .optional("error_message", schemas::text())
            .required("changes", schemas::array(change))
            .about("Secrets are `******`.")
    })
}

/// A record as it is told. What callers sent may hold null; what is answered does not.
pub(super) fn shape(listed: &ListedRecord) -> Value {
    let told = &listed.told;
    let record = &told.record;
    let operator = listed.operator.as_ref();
    let username = operator.map_or(record.operator.username.as_str(), |known| known.username.as_str());
    let operator = members([
        ("id", Some(json!(record.operator.id))),
        ("username", Some(json!(username))),
        ("email", operator.and_then(|known| non_empty(&known.email))),
        ("first_name", operator.and_then(|known| non_empty(&known.first_name))),
        ("last_name", operator.and_then(|known| non_empty(&known.last_name))),
    ]);
    let request = record.request.as_ref().map(|request| {
        Value::Object(members([
            ("method", Some(json!(request.method))),
            ("uri", Some(json!(request.uri))),
            ("body", request.body.clone()),
            ("user_agent", Some(json!(request.user_agent))),
        ]))
    });
    let response = told.answer.as_ref().map(|answer| {
        Value::Object(members([
            ("status_code", Some(json!(answer.status_code))),
            ("body", answer.body.clone()),
        ]))
    });
    let changes: Vec<Value> = told.changes().map(change).collect();
    without_nulls(Value::Object(members([
        ("id", Some(json!(record.id))),
        ("event_time", Some(json!(record.at.seconds()))),
        ("operator", Some(Value::Object(operator))),
        ("source", Some(json!(record.source))),
        ("token_name", record.token_name.as_ref().map(|name| json!(name))),
        ("event_type", Some(json!(record.event_type))),
        ("resource_id", non_empty(&record.resource_id)),
        ("gateway_group_id", non_empty(&record.gateway_group_id)),
        ("ip_address", record.ip_address.as_ref().map(|address| json!(address))),
        ("request_id", Some(json!(record.request_id))),
        ("http_request", request),
        ("http_response", response),
        ("error_message", told.error_message().map(|message| json!(message))),
        ("changes", Some(Value::Array(changes))),
    ])))
}

fn change(change: &AuditChange) -> Value {
    Value::Object(members([
        ("event", Some(json!(change.event))),
        ("noun", Some(json!(change.noun))),
        ("id", Some(json!(change.id))),
        ("detail", Some(change.detail.clone()).filter(|detail| !detail.is_null())),
        ("before", change.before.clone()),
        ("after", change.after.clone()),
    ]))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let kept = items.into_iter().filter(|value| !value.is_null());
            Value::Array(kept.map(without_nulls).collect())
        }
        value => value,
    }
}

fn filter(query: &Query) -> Result<AuditFilter, Problem> {
    let text = |name: &str| query.text(name).map(str::to_owned);
    let moment = |name: &str| -> Result<Option<Timestamp>, Problem> {
        Ok(query.number::<i64>(name)?.map(Timestamp::from_seconds))
    };
    let (start_at, end_at) = (moment("start_at")?, moment("end_at")?);
    if let (Some(start), Some(end)) = (start_at, end_at)
        && end < start
    {
        return Err(Problem::bad_request("end_at must not lie before start_at"));
    }
    let order = query.order(|word| (word == "event_time").then_some(()), "event_time")?;
    Ok(AuditFilter {
        event_type: text("event_type"),
        operator_id: text("operator_id"),
        resource_id: text("resource_id"),
        gateway_group_id: text("gateway_group_id"),
        start_at,
        end_at,
        direction: order.direction,
        paging: query.paging()?,
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let found = audit_logs::list(&context.app, &caller, &filter(&query)?).await?;
    Ok(lists::body(found.map(|listed| shape(&listed))))
}

async fn event_types(AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let paging = query.paging()?;
    let types = audit_logs::event_types(&caller)?;
    let rows = types.into_iter().map(|known| json!({ "key": known.key, "name": known.name })).collect();
    Ok(lists::body(List::of_all(rows, paging)))
}

async fn export(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
) -> Result<Response, Problem> {
    // Permission comes before what is wrong with the question.
    let begun = audit_logs::export(&context.app, &caller).await?;
    let format = query.word("format", Format::from_name, "json or csv")?;
    let format = format.ok_or_else(|| Problem::bad_request("format is required: json or csv"))?;
    let begun = begun.narrowed(filter(&query)?);
    let name = format!("attachment; filename=\"audit_logs.{}\"", format.name());
    let name = HeaderValue::try_from(name).map_err(|_| Problem::internal())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, written(context.app, begun, format)).into_response())
}

/// Where a download is: pages are read and written one after the other, as the client takes them.
struct Writing {
    app: App,
    export: Export,
    format: Format,
    is_first: bool,
    is_ended: bool,
}

fn written(app: App, export: Export, format: Format) -> Body {
    let begun = Writing { app, export, format, is_first: true, is_ended: false };
    Body::from_stream(stream::try_unfold(begun, async |mut writing: Writing| {
        if writing.is_ended {
            return Ok(None);
        }
        let found = writing.export.next(&writing.app).await.inspect_err(|error| {
            tracing::error!(error.cause = %error, "an export of the audit log broke off");
        })?;
        let shapes: Vec<Value> = found.iter().map(shape).collect();
        writing.is_ended = shapes.is_empty();
        let text = writing.format.page(&shapes, writing.is_first);
        writing.is_first = false;
        Ok::<_, forecourt_app::Error>(Some((Bytes::from(text), writing)))
    }))
}
