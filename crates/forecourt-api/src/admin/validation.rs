//! `POST configs/validate`: what is wrong with a whole configuration, object by object, before it is put.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::validation::{self, Candidate};
use forecourt_core::{
    group_objects::GroupObjectKind,
    ids::{CertificateId, GroupObjectId, RouteId, ServiceId},
};
use forecourt_http::{Context, bodies::Object, callers::AdminCaller, problem::Problem, queries::Query};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    certificates, consumers, group_objects, operations, routes, segments::gateway_group, services,
    table::Table,
};
use crate::openapi::schemas;

/// The members of the body, in the order in which their objects refer to each other.
const TYPES: [&str; 7] =
    ["ssls", "services", "routes", "consumers", "global_rules", "stream_routes", "plugin_metadata"];

pub(super) fn endpoints(table: Table) -> Table {
    let objects = || schemas::array(schemas::object());
    let body = TYPES.into_iter().fold(schemas::object(), |body, name| body.optional(name, objects()));
    let described = operations::send("Check a configuration", body.closed(), schemas::object());
    let notes =
        "Changes nothing. A refusal lists all findings as `errors`: `resource_type`, `index`, `error`.";
    table.about("Installation").post(
        "/apisix/admin/configs/validate",
        validate,
        operations::of_group(described).notes(notes),
    )
}

/// Where an object stands in the body, and what is wrong with it.
struct Finding {
    resource_type: &'static str,
    index: usize,
    error: String,
}

async fn validate(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
    body: Result<Object, Problem>,
) -> Result<Response, Problem> {
    let group = validation::target_group(&context.app, &caller, gateway_group(&query)?).await?;
    let body = body?;
    body.closed(&TYPES)?;
    let mut findings = Vec::new();
    let (mut places, mut candidates) = (Vec::new(), Vec::new());
    for resource_type in TYPES {
        for (index, value) in items(&body, resource_type)?.into_iter().enumerate() {
            match Object::of(value).and_then(|object| candidate(resource_type, object)) {
                Ok(candidate) => {
                    places.push((resource_type, index));
                    candidates.push(candidate);
                }
                Err(problem) => {
                    findings.push(Finding { resource_type, index, error: problem.message().to_owned() });
                }
            }
        }
    }
    let problems = validation::problems(&context.app, &caller, &group, candidates).await?;
    for ((resource_type, index), problem) in places.into_iter().zip(problems) {
        findings.extend(problem.map(|error| Finding { resource_type, index, error }));
    }
    Ok(answer(findings))
}

fn items(body: &Object, resource_type: &str) -> Result<Vec<Value>, Problem> {
    match body.any(resource_type) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(Problem::bad_request(format!("{resource_type} must be an array"))),
    }
}

fn candidate(resource_type: &str, object: Object) -> Result<Candidate, Problem> {
    let group_object = |kind, object: &Object, id: Option<String>| {
        Ok(Candidate::GroupObject(kind, id, Box::new(group_objects::input(kind, object)?)))
    };
    match resource_type {
        "services" => {
            let id = id(&object, &["id", "service_id"], ServiceId::parse)?;
            Ok(Candidate::Service(id, Box::new(services::input(&object)?)))
        }
        "routes" => {
            let id = id(&object, &["id", "route_id"], RouteId::parse)?;
            let (service, input) = routes::input(object)?;
            Ok(Candidate::Route(id, service, Box::new(input)))
        }
        "global_rules" | "stream_routes" => {
            let rule = resource_type == "global_rules";
            let kind = if rule { GroupObjectKind::GlobalRule } else { GroupObjectKind::StreamRoute };
            let id = id(&object, &["id"], GroupObjectId::parse)?;
            group_object(kind, &object, id.map(|id| id.to_string()))
        }
        "plugin_metadata" => {
            let name = object.text("id")?.or(object.text("name")?).unwrap_or_default();
            group_object(GroupObjectKind::PluginMetadata, &object, Some(name))
        }
        "consumers" => Ok(Candidate::Consumer(Box::new(consumers::input(&object)?))),
        "ssls" => {
            let id = id(&object, &["id"], CertificateId::parse)?;
            Ok(Candidate::Certificate(id, Box::new(certificates::input(&object)?)))
        }
        _ => Err(Problem::bad_request("this version has no objects of this sort")),
    }
}

/// The id under which the object would be put, by the first of its names that is given.
fn id<T>(object: &Object, names: &[&str], parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    for name in names {
        if let Some(text) = object.text(name)? {
            let problem = || Problem::bad_request(format!("{name} must be 1 to 256 of a-z A-Z 0-9 - _ ."));
            return parse(&text).map(Some).ok_or_else(problem);
        }
    }
    Ok(None)
}

fn answer(mut findings: Vec<Finding>) -> Response {
    let order = |finding: &Finding| {
        let place = TYPES.iter().position(|name| *name == finding.resource_type);
        (place, finding.index)
    };
    findings.sort_by_key(order);
    let Some(first) = findings.first() else { return Json(json!({ "value": {} })).into_response() };
    let message = format!("{}[{}]: {}", first.resource_type, first.index, first.error);
    let errors: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "resource_type": finding.resource_type, "index": finding.index, "error": finding.error }))
        .collect();
    let body = json!({ "status": 400, "message": message, "error_msg": message, "errors": errors });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
