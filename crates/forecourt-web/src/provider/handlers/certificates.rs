//! Certificates of a gateway group. A key goes in and never comes out.

use axum::extract::Path;
use forecourt_app::certificates;
use forecourt_core::{
    certificates::{Certificate, CertificateFilter, CertificateInput, CertificateType, ClientInput},
    gateway_groups::GatewayGroup,
    ids::CertificateId,
    secrets::PlainSecret,
    time::Timestamp,
};

use super::{Answer, Console, PAGE_SIZE, gateway, rows, services::group_reference};
use crate::{
    confirm::{Act, Confirm},
    display::{Status, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    provider::certificates::{CertificateForm, CertificateList, CertificateRow},
};

const FIELDS: &[(&str, &str)] = &[
    ("cert", "cert"),
    ("key", "secret"),
    ("snis", "snis"),
    ("client.ca", "client_ca"),
    ("client.depth", "client_depth"),
    ("client", "client_ca"),
];

fn row(certificate: &Certificate, now: Timestamp) -> CertificateRow {
    let status = match certificate.enabled {
        false => Status::Suspended,
        true if certificate.not_after <= now => Status::Expired,
        true => Status::Active,
    };
    CertificateRow {
        id: certificate.id.to_string(),
        names: certificate.snis.clone(),
        kind: certificate.certificate_type.name(),
        status,
        mutual: certificate.client_ca.is_some(),
        valid_until: When::of(certificate.not_after),
    }
}

pub(super) async fn list(console: Console, Path(group): Path<String>, asked: Asked) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let filter = CertificateFilter {
        gateway_group_id: Some(group.id.clone()),
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = certificates::list(console.app(), &console.caller, filter).await?;
    let now = console.app().now();
    let link = provider::certificates(group.id.as_str());
    console.visit.show(&CertificateList {
        group: group_reference(&group),
        group_id: group.id.to_string(),
        certificates: found.rows.iter().map(|certificate| row(certificate, now)).collect(),
        paging: rows::paging(&link, &[], asked.page(), found.total),
    })
}

fn view(group: &GatewayGroup, certificate: Option<&Certificate>, form: Form) -> CertificateForm {
    let id = group.id.as_str();
    CertificateForm {
        group: group_reference(group),
        group_id: id.to_owned(),
        action: certificate.map_or_else(
            || provider::new_certificate(id),
            |certificate| provider::edit_certificate(id, certificate.id.as_str()),
        ),
        certificate: certificate.map(|certificate| certificate.id.to_string()),
        form,
    }
}

/// What was typed; members that the form does not show are those of `old`.
fn input(posted: &Posted, old: Option<&Certificate>) -> CertificateInput {
    // Further chains keep their keys.
    let further: Vec<_> =
        old.iter().flat_map(|old| &old.pairs).skip(1).map(|pair| pair.chain.clone()).collect();
    // What is no number is out of every range.
    let depth = posted.given("client_depth").map(|typed| typed.trim().parse().unwrap_or(-1));
    let client_ca = posted.given("client_ca").map(|ca| ClientInput { ca: ca.to_owned(), depth });
    CertificateInput {
        certificate_type: posted.given("type").map(str::to_owned),
        cert: Some(posted.text("cert").to_owned()),
        key: posted.given("secret").map(PlainSecret::presented),
        certs: (!further.is_empty()).then_some(further),
        keys: None,
        snis: Some(rows::lines(posted.text("snis"))),
        client: client_ca,
        status: Some(i64::from(posted.ticked("enabled"))),
        labels: old.map(|old| old.labels.pairs().clone()),
        extra: old.map(|old| old.extra.clone()).unwrap_or_default(),
    }
}

pub(super) async fn new_form(console: Console, Path(group): Path<String>) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let form = Form::new().with("type", "server").with("enabled", "true");
    console.visit.show(&view(&group, None, form))
}

pub(super) async fn create(console: Console, Path(group): Path<String>, posted: Posted) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let input = input(&posted, None);
    match certificates::create(console.app(), &console.caller, Some(group.id.clone()), input).await {
        Ok(_) => {
            let link = provider::certificates(group.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => console.visit.show_refused(&view(&group, None, posted.refused(error, FIELDS)?)),
    }
}

/// The certificate that a path names, with its group.
async fn known(console: &Console, group: &str, id: &str) -> Result<(GatewayGroup, Certificate), Failed> {
    let group = gateway::known(console, group).await?;
    let id = CertificateId::parse(id).ok_or(FailureKind::NotFound)?;
    let certificate = certificates::certificate(console.app(), &console.caller, &id, Some(&group.id)).await?;
    Ok((group, certificate))
}

pub(super) async fn edit_form(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, certificate) = known(&console, &group, &id).await?;
    let chain = certificate.pairs.first().map(|pair| pair.chain.clone()).unwrap_or_default();
    let form = Form::new()
        .with("type", certificate.certificate_type.name())
        .with("cert", chain)
        .with("snis", certificate.snis.join("\n"))
        .with("client_ca", certificate.client_ca.clone().unwrap_or_default())
        .with("client_depth", certificate.client_depth.map_or_else(String::new, |depth| depth.to_string()))
        .with("enabled", certificate.enabled.to_string());
    console.visit.show(&view(&group, Some(&certificate), form))
}

pub(super) async fn save(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, certificate) = known(&console, &group, &id).await?;
    let input = input(&posted, Some(&certificate));
    let (app, caller) = (console.app(), &console.caller);
    match certificates::change(app, caller, &certificate.id, Some(&group.id), |_| Ok(input)).await {
        Ok(_) => {
            let link = provider::certificates(group.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            console.visit.show_refused(&view(&group, Some(&certificate), form))
        }
    }
}

fn question(group: &GatewayGroup, certificate: &Certificate) -> Confirm {
    let name = match (certificate.certificate_type, certificate.snis.first()) {
        (CertificateType::Server, Some(name)) => name.clone(),
        _ => certificate.id.to_string(),
    };
    Confirm {
        act: Act::DeleteCertificate,
        name,
        impact: Vec::new(),
        type_name: false,
        action: provider::delete_certificate(group.id.as_str(), certificate.id.as_str()),
        back: provider::certificates(group.id.as_str()),
        form: Form::new(),
    }
}

pub(super) async fn ask_delete(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, certificate) = known(&console, &group, &id).await?;
    console.visit.show(&question(&group, &certificate))
}

pub(super) async fn delete(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, certificate) = known(&console, &group, &id).await?;
    let question = question(&group, &certificate);
    match certificates::delete(console.app(), &console.caller, &certificate.id, Some(&group.id)).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&question.back, &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
