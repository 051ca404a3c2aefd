//! Certificates under `/apisix/admin/ssls`: full replacement by PUT; `key` and `keys` are taken and never answered.

use axum::extract::State;
use forecourt_app::certificates;
use forecourt_core::{
    certificates::{Certificate, CertificateFilter, CertificateInput, ClientInput},
    ids::CertificateId,
    secrets::PlainSecret,
};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::AdminCaller,
    lists,
    problem::Problem,
    queries::Query,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::{Segments, gateway_group},
    services::extra,
    table::Table,
};
use crate::{
    json_patch::{self, Members},
    openapi::schemas::{self, Schema},
    shapes::members,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Certificates")
        .get(
            "/apisix/admin/ssls",
            list,
            operations::of_group(operations::list("List certificates", shape_schema()))
                .ordered_by_time()
                .searched("server names and labels")
                .labelled(),
        )
        .post(
            "/apisix/admin/ssls",
            create,
            operations::of_group(operations::send("Create a certificate", input_schema(), shape_schema())),
        )
        .get(
            "/apisix/admin/ssls/{id}",
            certificate,
            operations::of_group(operations::one("Get a certificate", shape_schema())),
        )
        .put(
            "/apisix/admin/ssls/{id}",
            replace,
            operations::of_group(operations::send(
                "Create or replace a certificate",
                input_schema(),
                shape_schema(),
            )),
        )
        .patch(
            "/apisix/admin/ssls/{id}",
            patch,
            operations::of_group(operations::patch("Change a certificate", shape_schema())),
        )
        .delete(
            "/apisix/admin/ssls/{id}",
            delete,
            operations::of_group(operations::delete("Delete a certificate")),
        )
}

/// The members that bodies and answers share.
fn members_schema() -> Schema {
    schemas::object()
        .optional("type", schemas::words(&["server", "client"]).or("server"))
        .optional("status", schemas::integer().with("enum", json!([0, 1])).or(1))
        .optional("cert", schemas::text().about("A certificate and its chain, as PEM."))
        .optional("certs", schemas::array(schemas::text()).about("Further chains."))
        .optional("snis", schemas::array(schemas::text()).about("Taken from the certificate where absent."))
        .optional("client", client_schema())
        .optional("labels", schemas::labels())
}

/// What is demanded of callers.
fn client_schema() -> Schema {
    let depth = schemas::integer().from(0).up_to(100).or(1);
    let depth = depth.about("How many certificates may stand between a caller's and its authority.");
    schemas::object().required("ca", schemas::text()).optional("depth", depth).closed()
}

fn input_schema() -> Schema {
    schemas::named("CertificateInput", || {
        members_schema()
            .optional("key", schemas::text().about("The private key, as PEM; never answered."))
            .optional("keys", schemas::array(schemas::text()).about("The keys of `certs`."))
    })
}

fn shape_schema() -> Schema {
    schemas::named("Certificate", || {
        schemas::object()
            .required("id", schemas::id())
            .and(members_schema())
            .required("validity_start", schemas::seconds())
            .required("validity_end", schemas::seconds())
            .required("exptime", schemas::seconds())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
    })
}

fn shape(certificate: &Certificate) -> Map<String, Value> {
    let mut chains = certificate.pairs.iter().map(|pair| &pair.chain);
    let first = chains.next();
    let further: Vec<_> = chains.collect();
    let mut shape = members([
        ("id", Some(json!(certificate.id))),
        ("type", Some(json!(certificate.certificate_type.name()))),
        ("status", Some(json!(i32::from(certificate.enabled)))),
        ("cert", first.map(|chain| json!(chain))),
        ("certs", (!further.is_empty()).then(|| json!(further))),
        ("snis", Some(json!(certificate.snis))),
        ("client", client_shape(certificate)),
        ("labels", Some(json!(certificate.labels))),
    ]);
    shape.extend(certificate.extra.clone());
    shape.insert("validity_start".into(), json!(certificate.not_before.seconds()));
    shape.insert("validity_end".into(), json!(certificate.not_after.seconds()));
    shape.insert("exptime".into(), json!(certificate.not_after.seconds()));
    shape.insert("created_at".into(), json!(certificate.created_at.seconds()));
    shape.insert("updated_at".into(), json!(certificate.updated_at.seconds()));
    shape
}

fn client_shape(certificate: &Certificate) -> Option<Value> {
    let ca = certificate.client_ca.as_ref()?;
    let depth = certificate.client_depth.map(|depth| json!(depth));
    Some(Value::Object(members([("ca", Some(json!(ca))), ("depth", depth)])))
}

/// What a create or a replacement gives.
pub(super) fn input(body: &Object) -> Result<CertificateInput, Problem> {
    const KNOWN: [&str; 17] = [
        "id",
        "gateway_group_id",
        "created_at",
        "updated_at",
        "validity_start",
        "validity_end",
        "exptime",
        "type",
        "cert",
        "key",
        "certs",
        "keys",
        "sni",
        "snis",
        "client",
        "status",
        "labels",
    ];
    if body.has("sni") && body.has("snis") {
        return Err(Problem::bad_request("sni and snis are the same member: give one of them"));
    }
    let keys = body.texts("keys")?;
    Ok(CertificateInput {
        certificate_type: body.text("type")?,
        cert: body.text("cert")?,
        key: body.text("key")?.filter(|key| !key.is_empty()).map(PlainSecret::presented),
        certs: body.texts("certs")?,
        keys: keys.map(|keys| keys.into_iter().map(PlainSecret::presented).collect()),
        snis: body.texts("snis")?.or(body.text("sni")?.map(|name| vec![name])),
        client: body.object("client")?.map(|client| client_input(&client)).transpose()?,
        status: body.integer("status")?,
        labels: body.text_map("labels")?,
        extra: extra(body, &KNOWN),
    })
}

/// Closed: a condition on callers that nobody checks would let in more than was asked for.
fn client_input(client: &Object) -> Result<ClientInput, Problem> {
    client.closed(&["ca", "depth"])?;
    Ok(ClientInput { ca: client.required_text("ca")?, depth: client.integer("depth")? })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = CertificateFilter {
        gateway_group_id: gateway_group(&query)?,
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = certificates::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|certificate| Value::Object(shape(&certificate)))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let group = certificates::target_group(&context.app, &caller, None, gateway_group(&query)?).await?;
    let input = input(&body?)?;
    value(shape(&certificates::create(&context.app, &caller, Some(group), input).await?))
}

async fn certificate(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(CertificateId::parse)?, gateway_group(&query)?);
    value(shape(&certificates::certificate(&context.app, &caller, &id, group.as_ref()).await?))
}

async fn replace(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(CertificateId::parse)?;
    let group = certificates::target_group(&context.app, &caller, Some(&id), gateway_group(&query)?).await?;
    let input = input(&body?)?;
    value(shape(&certificates::put(&context.app, &caller, id, Some(group), input).await?))
}

const MEMBERS: Members = Members {
    optional: &["/key", "/keys", "/certs", "/client"],
    read_only: &["id", "created_at", "updated_at", "validity_start", "validity_end", "exptime"],
};

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let (id, group) = (segments.id(CertificateId::parse)?, gateway_group(&query)?);
    // Whether it exists is told before whether the body is any good.
    certificates::changeable(&context.app, &caller, &id, group.as_ref()).await?;
    let patch = body?.0;
    let edit = |certificate: &Certificate| {
        let after = json_patch::apply(&shape(certificate), &patch, &MEMBERS)?;
        input(&Object::of(Value::Object(after))?)
    };
    value(shape(&certificates::change(&context.app, &caller, &id, group.as_ref(), edit).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(CertificateId::parse)?, gateway_group(&query)?);
    certificates::delete(&context.app, &caller, &id, group.as_ref()).await?;
    deleted(id.as_str())
}
