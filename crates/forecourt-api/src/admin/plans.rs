//! Plans of API products, and the plan of a subscription.

use axum::extract::State;
use forecourt_app::{plans, subscriptions};
use forecourt_core::{
    gateway_state::PlanLimit,
    ids::{PlanId, ProductId, SubscriptionId},
    lists::List,
    plans::{Plan, PlanInput},
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query, times::iso,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::Segments,
    subscriptions::{shape as subscription_shape, shape_schema as subscription_schema},
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Plans")
        .get(
            "/api/forecourt/plans",
            list,
            operations::list("List plans", shape_schema()).query("api_product_id", schemas::id()),
        )
        .post(
            "/api/forecourt/plans",
            create,
            operations::send(
                "Create a plan",
                input_schema().required("name", schemas::name()).optional("api_product_id", schemas::id()),
                shape_schema(),
            )
            .notes("The product is named in the body or in the query.")
            .query("api_product_id", schemas::id()),
        )
        .get("/api/forecourt/plans/{id}", plan, operations::one("Get a plan", shape_schema()))
        .put(
            "/api/forecourt/plans/{id}",
            update,
            operations::send(
                "Update a plan",
                input_schema().optional("name", schemas::name()),
                shape_schema(),
            ),
        )
        .delete("/api/forecourt/plans/{id}", delete, operations::delete("Delete a plan"))
        .put(
            "/api/forecourt/subscriptions/{id}/plan",
            change,
            operations::send(
                "Change the plan of a subscription",
                schemas::object().required("plan_id", schemas::id()),
                subscription_schema(),
            ),
        )
}

fn input_schema() -> Schema {
    schemas::object()
        .optional("desc", schemas::desc())
        .optional("limits", schemas::array(shapes::limit_schema().closed()))
        .optional("default", schemas::flag())
}

fn shape_schema() -> Schema {
    schemas::named("Plan", || {
        shapes::plan_schema()
            .required("api_product_id", schemas::id())
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
    })
}

fn shape(plan: &Plan) -> Map<String, Value> {
    let mut shape = shapes::plan(plan);
    shape.insert("api_product_id".into(), json!(plan.product_id));
    shape.insert("created_at".into(), json!(iso(plan.created_at)));
    shape.insert("updated_at".into(), json!(iso(plan.updated_at)));
    shape
}

fn input(body: &Object) -> Result<PlanInput, Problem> {
    let limits = body.objects("limits")?;
    Ok(PlanInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        limits: limits.map(|limits| limits.iter().map(limit).collect()).transpose()?,
        is_default: body.bool("default")?,
    })
}

/// A limit; what is out of a number's own range is 0, which core refuses with the right range.
fn limit(given: &Object) -> Result<PlanLimit, Problem> {
    given.closed(&["count", "window_seconds"])?;
    let count = given.integer("count")?.unwrap_or(0);
    let window = given.integer("window_seconds")?.unwrap_or(0);
    Ok(PlanLimit {
        count: u64::try_from(count).unwrap_or(0),
        window_seconds: u32::try_from(window).unwrap_or(0),
    })
}

/// The plan that a body asks for.
fn wanted(body: &Object) -> Result<PlanId, Problem> {
    let given = body.required_text("plan_id")?;
    PlanId::parse(&given).ok_or_else(|| Problem::bad_request(format!("plan_id: {given:?} is not a plan")))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    // Text that cannot be an id is compared all the same: it fits no row.
    let product = query.text("api_product_id").map(ProductId::known);
    let paging = query.paging()?;
    let found = plans::list(&context.app, &caller, product.as_ref()).await?;
    Ok(lists::body(List::of_all(found, paging).map(|plan| Value::Object(shape(&plan)))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    // The product may stand in the body, which is read only by those who may add a plan to some product.
    plans::may_add(&context.app, &caller, query.text("api_product_id")).await?;
    let body = body?;
    let product = match (body.text("api_product_id")?, query.text("api_product_id")) {
        (Some(product), _) => product,
        (None, Some(product)) => product.to_owned(),
        (None, None) => return Err(Problem::bad_request("api_product_id is required")),
    };
    value(shape(&plans::create(&context.app, &caller, &product, input(&body)?).await?))
}

async fn plan(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    value(shape(&plans::plan(&context.app, &caller, &segments.id(PlanId::parse)?).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(PlanId::parse)?;
    plans::changeable(&context.app, &caller, &id).await?;
    let body = body?;
    value(shape(&plans::update(&context.app, &caller, &id, input(&body)?).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(PlanId::parse)?;
    plans::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}

async fn change(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(SubscriptionId::parse)?;
    subscriptions::changeable(&context.app, &caller, &id).await?;
    let plan = wanted(&body?)?;
    value(subscription_shape(&subscriptions::change_plan(&context.app, &caller, &id, &plan).await?))
}
