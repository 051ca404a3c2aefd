//! Certificates of gateway groups. Keys come in clear, are checked against their chains, and are kept sealed.

use forecourt_core::{
    actors::Caller,
    certificates::{
        Certificate, CertificateFilter, CertificateInput, CertificateRefusal, GivenPair, LeafFacts,
    },
    events::EventName,
    gateway_state::{CertificatePair, Kind, Resource, Scope},
    ids::{CertificateId, GatewayGroupId},
    lists::List,
    permissions::{Action, Target},
    secrets::PlainSecret,
};
use forecourt_identity::certificates::{self, CertificateProblem};
use forecourt_store::Reader;
use serde_json::json;

use crate::{App, Error, access, random::OsRandom, sealing, services, upstream_certificates, writes::Write};

/// The certificates that `filter` wants; an unknown group is not found.
pub async fn list(app: &App, caller: &Caller, filter: CertificateFilter) -> Result<List<Certificate>, Error> {
    let group = services::listed_group(app, caller, filter.gateway_group_id.clone()).await?;
    if !access::shows(caller, Action::GetCertificate, Target::GatewayGroup(Some(&group)))? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    Ok(app.read().certificates(&CertificateFilter { gateway_group_id: Some(group), ..filter }).await?)
}

/// One certificate; a group that is named must be its own.
pub async fn certificate(
    app: &App,
    caller: &Caller,
    id: &CertificateId,
    group: Option<&GatewayGroupId>,
) -> Result<Certificate, Error> {
    permitted(caller, app.read().certificate(id).await?, group, Action::GetCertificate)
}

/// Whether there is such a certificate and the caller may change it. Faces ask before they read a body.
pub async fn changeable(
    app: &App,
    caller: &Caller,
    id: &CertificateId,
    group: Option<&GatewayGroupId>,
) -> Result<Certificate, Error> {
    permitted(caller, app.read().certificate(id).await?, group, Action::UpdateCertificate)
}

fn permitted(
    caller: &Caller,
    certificate: Option<Certificate>,
    group: Option<&GatewayGroupId>,
    action: Action,
) -> Result<Certificate, Error> {
    let certificate =
        certificate.filter(|certificate| group.is_none_or(|group| *group == certificate.gateway_group_id));
    let certificate = certificate.ok_or_else(Error::not_found)?;
    access::permits(caller, action, Target::GatewayGroup(Some(&certificate.gateway_group_id)))?;
    Ok(certificate)
}

/// The group that a certificate goes to that is stored or replaced, under this id where one is given. Faces ask before
/// they read a body.
pub async fn target_group(
    app: &App,
    caller: &Caller,
    id: Option<&CertificateId>,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = services::named_group(caller, asked)?;
    may_put(app.read(), caller, id, &group).await?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

async fn may_put(
    read: &Reader,
    caller: &Caller,
    id: Option<&CertificateId>,
    group: &GatewayGroupId,
) -> Result<(), Error> {
    let old = match id {
        Some(id) => read.certificate(id).await?,
        None => None,
    };
    let is_there = old.is_some_and(|old| old.gateway_group_id == *group);
    let action = if is_there { Action::UpdateCertificate } else { Action::CreateCertificate };
    access::puts(caller, action, Target::GatewayGroup(Some(group)))
}

/// Stores a certificate under a fresh id.
pub async fn create(
    app: &App,
    caller: &Caller,
    group: Option<GatewayGroupId>,
    input: CertificateInput,
) -> Result<Certificate, Error> {
    let id = CertificateId::issue(app.now(), &mut OsRandom);
    put(app, caller, id, group, input).await
}

/// Stores or replaces the certificate with this id; every chain comes with its key.
pub async fn put(
    app: &App,
    caller: &Caller,
    id: CertificateId,
    group: Option<GatewayGroupId>,
    input: CertificateInput,
) -> Result<Certificate, Error> {
    let group = services::named_group(caller, group)?;
    let mut write = app.begin(caller).await?;
    may_put(&write, caller, Some(&id), &group).await?;
    write.gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    let certificate = put_in(&mut write, id, &group, input, false).await?;
    write.commit().await?;
    Ok(certificate)
}

/// Replaces a certificate by what `edit` makes of it, between reading and writing without a gap. A chain without a key
/// keeps the one that it has, which must fit it.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &CertificateId,
    group: Option<&GatewayGroupId>,
    edit: impl FnOnce(&Certificate) -> Result<CertificateInput, E>,
) -> Result<Certificate, E> {
    let mut write = app.begin(caller).await?;
    let found = write.certificate(id).await.map_err(Error::from)?;
    let before = permitted(caller, found, group, Action::UpdateCertificate)?;
    let input = edit(&before)?;
    let certificate = put_in(&mut write, id.clone(), &before.gateway_group_id, input, true).await?;
    write.commit().await?;
    Ok(certificate)
}

/// As [`put`] or, with `keys_stay`, [`change`], within a write.
pub(crate) async fn put_in(
    write: &mut Write<'_>,
    id: CertificateId,
    group: &GatewayGroupId,
    input: CertificateInput,
    keys_stay: bool,
) -> Result<Certificate, Error> {
    let group = group.clone();
    let old = write.certificate(&id).await?;
    if old.as_ref().is_some_and(|old| old.gateway_group_id != group) {
        return Err(CertificateRefusal::IdTaken(id).into());
    }
    if let Some(client) = &input.client
        && !certificates::are_authorities(&client.ca)
    {
        let problem = "must be certificates of authorities in PEM".into();
        return Err(CertificateRefusal::Unusable { member: "client.ca".into(), problem }.into());
    }
    let kept = old.as_ref().filter(|_| keys_stay).map_or(&[][..], |old| &old.pairs);
    let (pairs, facts) = sealed_pairs(write.app(), &id, &input, kept).await?;
    let created_at = old.as_ref().map_or(write.now, |old| old.created_at);
    let certificate = Certificate::new((id, group), input, pairs, facts, created_at, write.now)?;
    match &old {
        Some(_) => {
            refuse_use_without(write, &certificate).await?;
            write.save_certificate(&certificate).await?;
            upstream_certificates::show_anew(write, &certificate).await?;
        }
        None => write.insert_certificate(&certificate).await?,
    }
    announce(write, &certificate);
    let name = if old.is_some() { EventName::CertificateUpdated } else { EventName::CertificateCreated };
    tell(write, name, &certificate);
    Ok(certificate)
}

/// The chains with their sealed keys, and what the first one says; a key that is not given is the kept one.
async fn sealed_pairs(
    app: &App,
    id: &CertificateId,
    input: &CertificateInput,
    kept: &[CertificatePair],
) -> Result<(Vec<CertificatePair>, LeafFacts), Error> {
    let context = sealing::of_certificate(id);
    let mut pairs = Vec::new();
    let mut first = None;
    for (n, given) in input.pairs()?.into_iter().enumerate() {
        let same_chain = kept.iter().find(|kept| kept.chain == given.chain);
        let key = match (&given.key, same_chain.or(kept.get(n))) {
            (Some(key), _) => key.clone(),
            (None, Some(kept)) => app.opened(&kept.key, &context).await?,
            (None, None) => return Err(CertificateRefusal::KeyMissing(given.key_member).into()),
        };
        let facts = checked(&given, &key)?;
        first = first.or(Some(facts));
        let key = sealing::seal(app, &key, &context)?;
        pairs.push(CertificatePair { chain: given.chain, key });
    }
    let first = first.ok_or_else(|| CertificateRefusal::KeyMissing("cert".into()))?;
    Ok((pairs, first))
}

fn checked(given: &GivenPair, key: &PlainSecret) -> Result<LeafFacts, CertificateRefusal> {
    certificates::read(&given.chain, key).map_err(|problem: CertificateProblem| {
        let member = if problem.is_of_key() { &given.key_member } else { &given.chain_member };
        CertificateRefusal::Unusable { member: member.clone(), problem: problem.to_string() }
    })
}

/// Refuses to switch off a certificate that an upstream shows.
async fn refuse_use_without(write: &Write<'_>, new: &Certificate) -> Result<(), Error> {
    if new.enabled {
        return Ok(());
    }
    match write.service_showing_certificate(new).await? {
        Some(service) => Err(CertificateRefusal::InUse(service).into()),
        None => Ok(()),
    }
}

fn announce(write: &mut Write<'_>, certificate: &Certificate) {
    let scope = Scope::GatewayGroup(certificate.gateway_group_id.clone());
    match certificate.gateway_state() {
        Some(state) => write.put(scope, Resource::Certificate(Box::new(state))),
        None => write.delete(scope, Kind::Certificate, certificate.id.to_string()),
    }
}

/// Deletes a certificate; refused while an upstream shows it to its nodes.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: &CertificateId,
    group: Option<&GatewayGroupId>,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let certificate = permitted(caller, write.certificate(id).await?, group, Action::DeleteCertificate)?;
    if let Some(service) = write.service_showing_certificate(&certificate).await? {
        return Err(CertificateRefusal::InUse(service).into());
    }
    let scope = Scope::GatewayGroup(certificate.gateway_group_id.clone());
    write.delete(scope, Kind::Certificate, id.to_string());
    write.delete_certificate(id).await?;
    tell(&mut write, EventName::CertificateDeleted, &certificate);
    write.commit().await
}

fn tell(write: &mut Write<'_>, name: EventName, certificate: &Certificate) {
    let detail = json!({ "snis": certificate.snis, "type": certificate.certificate_type });
    write.tell(name, "certificate", certificate.id.as_str(), None, detail);
}
