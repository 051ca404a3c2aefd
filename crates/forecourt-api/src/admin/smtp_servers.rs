//! The SMTP server. Its password is taken and never shown.

use axum::extract::State;
use forecourt_app::{access, smtp_servers};
use forecourt_core::{
    permissions::{Action, Target},
    secrets::PlainSecret,
    smtp_servers::{SmtpSecurity, SmtpServer, SmtpServerInput},
};
use forecourt_http::{Context, bodies::Object, callers::AdminCaller, problem::Problem};
use serde_json::{Value, json};

use super::{
    answers::{Answer, value},
    operations,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    let path = "/api/system_settings/smtp_server";
    let body = settings_schema(schemas::object())
        .optional("enable", schemas::flag())
        .optional("security", security_schema())
        .optional("password", schemas::text().with("writeOnly", json!(true)));
    let trial = schemas::object()
        .required("sent", schemas::flag())
        .required("said", schemas::text().about("What the server said, or what was wrong."))
        .optional("status", schemas::integer().about("The SMTP status of a refusal."));
    let asked = body.clone().required("to", schemas::text().about("The mail address to send to."));
    let enabled = schemas::object().required("enable", schemas::flag());
    table
        .about("Mail")
        .get(path, server, operations::one("Get the SMTP server", shape_schema()))
        .put(
            path,
            update,
            operations::send("Update the SMTP server", body, shape_schema()).notes(
                "Absent members stay as they are; an empty password is removed. `address` and `sender_address` are \
                 needed to enable it. Where a password is kept, another `address` needs it given again. The server is \
                 not contacted.",
            ),
        )
        .get(
            "/api/system_settings/smtp_server_status",
            status,
            operations::one("Tell whether mail is sent", enabled),
        )
        .post(
            "/api/forecourt/smtp_server/test",
            try_out,
            operations::send("Send a test mail", asked, trial).notes(
                "At once, by the server as it is stored with what the body gives, enabled or not. Nothing is stored. \
                 Another `address` or `username`, or less protection, needs the password given again.",
            ),
        )
}

fn security_schema() -> Schema {
    schemas::words(&["none", "starttls", "tls"]).or("none")
}

fn settings_schema(schema: Schema) -> Schema {
    let address = schemas::text().about("`host` or `host:port`; the port is 25, or 465 with `tls`.");
    schema
        .optional("address", address)
        .optional("username", schemas::text())
        .optional("sender_name", schemas::text().with("maxLength", json!(100)))
        .optional("sender_address", schemas::text())
}

fn shape_schema() -> Schema {
    schemas::named("SmtpServer", || {
        settings_schema(schemas::object())
            .required("enable", schemas::flag())
            .required("security", security_schema())
    })
}

fn shape(server: &SmtpServer) -> Value {
    Value::Object(members([
        ("enable", Some(json!(server.enable))),
        ("address", non_empty(&server.address)),
        ("username", non_empty(&server.username)),
        ("sender_name", non_empty(&server.sender_name)),
        ("sender_address", non_empty(&server.sender_address)),
        ("security", Some(json!(server.security.name()))),
    ]))
}

async fn server(State(context): State<Context>, AdminCaller(caller): AdminCaller) -> Answer {
    value(shape(&smtp_servers::server(&context.app, &caller).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::UpdateSmtpServer, Target::Organization)?;
    value(shape(&smtp_servers::update(&context.app, &caller, input(&body?)?).await?))
}

fn input(body: &Object) -> Result<SmtpServerInput, Problem> {
    Ok(SmtpServerInput {
        enable: body.bool("enable")?,
        address: body.text("address")?,
        username: body.text("username")?,
        password: body.text("password")?.map(PlainSecret::presented),
        sender_name: body.text("sender_name")?,
        sender_address: body.text("sender_address")?,
        security: body.word("security", SmtpSecurity::from_name, "none, starttls or tls")?,
    })
}

async fn try_out(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::UpdateSmtpServer, Target::Organization)?;
    let body = body?;
    let to = body.required_text("to")?;
    let trial = smtp_servers::try_out(&context.app, &caller, &to, input(&body)?).await?;
    value(Value::Object(members([
        ("sent", Some(json!(trial.sent))),
        ("said", Some(json!(trial.said))),
        ("status", trial.status.map(|status| json!(status))),
    ])))
}

async fn status(State(context): State<Context>, AdminCaller(caller): AdminCaller) -> Answer {
    value(json!({ "enable": smtp_servers::is_enabled(&context.app, &caller).await? }))
}
