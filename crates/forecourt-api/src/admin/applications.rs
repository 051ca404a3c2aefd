//! Applications of developers, which administrators may read, suspend and resume.

use std::collections::HashMap;

use axum::extract::State;
use forecourt_app::{App, applications, developers};
use forecourt_core::{
    actors::Caller,
    applications::{Application, ApplicationFilter, ApplicationStatus},
    ids::{ApplicationId, DeveloperId, DeveloperName},
    lists::List,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{self, members},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Applications")
        .get(
            "/api/forecourt/applications",
            list,
            operations::of_portal(operations::list("List applications", shape_schema()))
                .query("developer_id", schemas::id())
                .query("status", schemas::words(&["pending", "active", "suspended"]))
                .query(
                    "inactive_since",
                    schemas::time().about("Only those made before this moment that have made no call since."),
                )
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .get(
            "/api/forecourt/applications/{id}",
            application,
            operations::one("Get an application", shape_schema()),
        )
        .post(
            "/api/forecourt/applications/{id}/suspend",
            suspend,
            operations::send("Suspend an application", reason_schema(), shape_schema())
                .notes("The gateway refuses its credentials from then on."),
        )
        .post(
            "/api/forecourt/applications/{id}/resume",
            resume,
            operations::send("Resume an application", reason_schema(), shape_schema()),
        )
}

fn reason_schema() -> Schema {
    schemas::object().optional("reason", schemas::desc())
}

fn shape_schema() -> Schema {
    schemas::named("Application", || {
        schemas::object()
            .required("portal_id", schemas::id())
            .optional("developer_id", schemas::id())
            .and(shapes::application_schema())
    })
}

fn shape(application: &Application, developer: Option<&DeveloperName>) -> Value {
    let owners = members([
        ("portal_id", Some(json!(application.portal_id))),
        ("developer_id", developer.map(|name| json!(name))),
    ]);
    let mut shape = shapes::application(application);
    shape.extend(owners);
    Value::Object(shape)
}

/// The public ids of the developers that have `applications`.
async fn names(
    app: &App,
    applications: &[Application],
) -> Result<HashMap<DeveloperId, DeveloperName>, Problem> {
    let mut names = HashMap::new();
    for application in applications {
        if !names.contains_key(&application.developer_id) {
            let id = &application.developer_id;
            let name = developers::name_of(app, id).await?;
            names.extend(name.map(|name| (id.clone(), name)));
        }
    }
    Ok(names)
}

async fn one(context: &Context, application: &Application) -> Answer {
    let names = names(&context.app, std::slice::from_ref(application)).await?;
    value(shape(application, names.get(&application.developer_id)))
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let nothing = || Ok(lists::body(List { rows: Vec::new(), total: 0 }));
    // `pending` is a word of the interface that no application has in this version.
    let pending = query.text("status") == Some("pending");
    let status = if pending {
        None
    } else {
        query.word("status", ApplicationStatus::from_name, "pending, active or suspended")?
    };
    let mut filter = ApplicationFilter {
        portal_id: segments.portal(&query)?,
        status,
        inactive_since: query.moment("inactive_since")?,
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..ApplicationFilter::default()
    };
    if let Some(named) = query.text("developer_id") {
        match developers::of_applications(&context.app, &caller, named, filter.portal_id.as_ref()).await {
            Ok(developer) => filter.developer_id = Some(developer.id),
            Err(error) if error.kind() == forecourt_app::ErrorKind::NotFound => return nothing(),
            Err(error) => return Err(error.into()),
        }
    }
    let found = applications::administered(&context.app, &caller, &filter).await?;
    if pending {
        return nothing();
    }
    let names = names(&context.app, &found.rows).await?;
    Ok(lists::body(found.map(|application| shape(&application, names.get(&application.developer_id)))))
}

async fn application(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(ApplicationId::parse)?;
    let found = applications::administered_one(&context.app, &caller, &id).await?;
    one(&context, &found).await
}

/// The application that the path names, and the reason that the body gives.
async fn asked(
    context: &Context,
    caller: &Caller,
    segments: &Segments,
    body: Result<Object, Problem>,
) -> Result<(ApplicationId, String), Problem> {
    let id = segments.id(ApplicationId::parse)?;
    applications::changeable(&context.app, caller, &id).await?;
    Ok((id, body?.text("reason")?.unwrap_or_default()))
}

async fn suspend(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let (id, reason) = asked(&context, &caller, &segments, body).await?;
    let suspended = applications::suspend(&context.app, &caller, &id, &reason).await?;
    one(&context, &suspended).await
}

async fn resume(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let (id, reason) = asked(&context, &caller, &segments, body).await?;
    let resumed = applications::resume(&context.app, &caller, &id, &reason).await?;
    one(&context, &resumed).await
}
