//! What both APIs read and tell of usage in the same way: `/api/forecourt/usage`.

use forecourt_app::usage::UsageReport;
use forecourt_core::{
    ids::{ApplicationId, CredentialId, ProductId, RouteId},
    time::Timestamp,
    usage::{Grouping, ResponseTimes, StatusClass, Step, UsageFilter, UsagePoint, UsageQuery},
};
use forecourt_http::{
    lists::{self, ListBody},
    problem::Problem,
    queries::Query,
};
use serde::Serialize;

use crate::openapi::{
    operations::Operation,
    schemas::{self, Schema},
};

/// The span and the narrowing that a query asks for: `start_at` and `end_at`, `application_id`, `api_product_id`,
/// `credential_id`.
pub(crate) fn filter(query: &Query) -> Result<UsageFilter, Problem> {
    let bound = |name: &str| {
        let missing = || Problem::bad_request(format!("{name} is required: Unix seconds"));
        query.number::<i64>(name)?.ok_or_else(missing)
    };
    let (start, end) = (bound("start_at")?, bound("end_at")?);
    if end < start {
        return Err(Problem::bad_request("end_at must not lie before start_at"));
    }
    Ok(UsageFilter {
        portal_id: None,
        developer_id: None,
        start: Timestamp::from_seconds(start),
        end: Timestamp::from_seconds(end),
        applications: query.texts("application_id").into_iter().map(ApplicationId::known).collect(),
        products: query.texts("api_product_id").into_iter().map(ProductId::known).collect(),
        credentials: query.texts("credential_id").into_iter().map(CredentialId::known).collect(),
    })
}

/// The whole question: the filter, `step` and `group_by`.
pub(crate) fn question(query: &Query) -> Result<UsageQuery, Problem> {
    let step = query.word("step", Step::from_name, "minute, hour or day")?;
    let mut grouping = Grouping::default();
    // Several may also be given in one value, with commas.
    for word in query.texts("group_by").into_iter().flat_map(|words| words.split(',')).map(str::trim) {
        match word {
            "api_product" => grouping.by_product = true,
            "application" => grouping.by_application = true,
            "credential" => grouping.by_credential = true,
            "route" => grouping.by_route = true,
            "status_class" => grouping.by_status_class = true,
            _ => {
                return Err(Problem::bad_request(format!(
                    "group_by must be of api_product, application, credential, route and status_class; it is {word:?}"
                )));
            }
        }
    }
    Ok(UsageQuery { filter: filter(query)?, step, grouping })
}

/// The sums as both APIs tell them.
pub(crate) fn shape(report: &UsageReport) -> axum::Json<ListBody<UsageRow>> {
    lists::whole(report.points.iter().map(|point| row(report, point)).collect())
}

/// What is told of one sum. An answer may hold thousands of them, so no map is built for each.
#[derive(Serialize)]
pub(crate) struct UsageRow {
    at: i64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    product: Option<OfProduct>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    application: Option<OfApplication>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<CredentialId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route_id: Option<RouteId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_class: Option<&'static str>,
    calls: u64,
    errors: u64,
    bytes_in: u64,
    bytes_out: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    times: Option<Times>,
}

#[derive(Serialize)]
struct OfProduct {
    api_product_id: ProductId,
    api_product_name: String,
}

#[derive(Serialize)]
struct OfApplication {
    application_id: ApplicationId,
    application_name: String,
}

/// Response times in milliseconds.
#[derive(Serialize)]
struct Times {
    ms_min: f64,
    ms_max: f64,
    ms_avg: f64,
    ms_p50: f64,
    ms_p95: f64,
    ms_p99: f64,
}

fn row(report: &UsageReport, point: &UsagePoint) -> UsageRow {
    let UsagePoint { at, group, totals } = point;
    UsageRow {
        at: at.seconds(),
        product: group.product_id.clone().map(|id| OfProduct {
            api_product_name: report.product_names.get(&id).map_or_else(|| id.to_string(), String::clone),
            api_product_id: id,
        }),
        application: group.application_id.clone().map(|id| OfApplication {
            application_name: report.application_names.get(&id).map_or_else(|| id.to_string(), String::clone),
            application_id: id,
        }),
        credential_id: group.credential_id.clone(),
        route_id: group.route_id.clone(),
        status_class: group.status_class.map(StatusClass::name),
        calls: totals.calls,
        errors: totals.errors,
        bytes_in: totals.bytes_in,
        bytes_out: totals.bytes_out,
        times: times(&totals.times),
    }
}

/// Response times as they are told; `None` where none was measured.
fn times(times: &ResponseTimes) -> Option<Times> {
    let quantile = |share| Some(milliseconds(times.quantile(share)?));
    Some(Times {
        ms_avg: milliseconds(times.average()?),
        ms_min: milliseconds(times.min as f64),
        ms_max: milliseconds(times.max as f64),
        ms_p50: quantile(0.5)?,
        ms_p95: quantile(0.95)?,
        ms_p99: quantile(0.99)?,
    })
}

/// Milliseconds to the microsecond: more would only look exact.
fn milliseconds(micros: f64) -> f64 {
    micros.round() / 1_000.0
}

/// What [`filter`] reads.
pub(crate) fn filtered(operation: Operation) -> Operation {
    operation
        .required_query("start_at", schemas::seconds())
        .required_query("end_at", schemas::seconds())
        .query("application_id", schemas::array(schemas::id()))
        .query("api_product_id", schemas::array(schemas::id()))
        .query("credential_id", schemas::array(schemas::id()))
}

/// What [`question`] reads.
pub(crate) fn described(operation: Operation) -> Operation {
    let groups = ["api_product", "application", "credential", "route", "status_class"];
    filtered(operation)
        .query("step", schemas::words(&["minute", "hour", "day"]))
        .query("group_by", schemas::array(schemas::words(&groups)))
        .notes("One row for each step and group with calls; without `step` one row for the whole span.")
}

/// A row of [`shape`].
pub(crate) fn row_schema() -> Schema {
    schemas::named("UsageRow", || {
        let counts = ["calls", "errors", "bytes_in", "bytes_out"];
        let times = ["ms_min", "ms_max", "ms_avg", "ms_p50", "ms_p95", "ms_p99"];
        let groups = ["api_product", "application"];
        let row = schemas::object().required("at", schemas::seconds());
        let row = groups.into_iter().fold(row, |row, group| {
            let (id, name) = (format!("{group}_id"), format!("{group}_name"));
            row.optional(&id, schemas::id()).optional(&name, schemas::text())
        });
        let row = row
            .optional("credential_id", schemas::id())
            .optional("route_id", schemas::id())
            .optional("status_class", schemas::text());
        let row = counts.into_iter().fold(row, |row, count| row.required(count, schemas::integer().from(0)));
        times.into_iter().fold(row, |row, time| row.optional(time, schemas::number()))
    })
}
