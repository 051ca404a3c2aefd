//! Would this configuration be accepted? Each object is put as if it were meant, and everything is undone.
//!
//! Invariant: the checks are those of the puts themselves, in one write that is never committed, so what stands
//! earlier in the configuration is there for what refers to it. Nothing reaches gateways or the record.

use forecourt_core::{
    actors::{Actor, Area, Caller},
    certificates::CertificateInput,
    consumers::ConsumerInput,
    group_objects::{GroupObjectInput, GroupObjectKind},
    ids::{CertificateId, GatewayGroupId, GroupObjectId, RouteId, ServiceId},
    routes::RouteInput,
    services::ServiceInput,
};

use crate::{
    App, Error, ErrorKind, access, certificates, consumers, group_objects, random::OsRandom, routes,
    services, writes::Write,
};

/// An object that might be put; without an id it would get a fresh one.
#[derive(Debug)]
pub enum Candidate {
    /// A service.
    Service(Option<ServiceId>, Box<ServiceInput>),
    /// A route, with the id of its service as given.
    Route(Option<RouteId>, String, Box<RouteInput>),
    /// A consumer, which its input names.
    Consumer(Box<ConsumerInput>),
    /// A certificate with its keys.
    Certificate(Option<CertificateId>, Box<CertificateInput>),
    /// A global rule, a stream route, or the metadata of the plugin that the id names.
    GroupObject(GroupObjectKind, Option<String>, Box<GroupObjectInput>),
}

/// The group that a configuration is meant for: the asked one, the one of the caller's key, or `default`.
pub async fn target_group(
    app: &App,
    caller: &Caller,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = match (asked, &caller.actor) {
        (Some(group), _) => group,
        (None, Actor::GatewayGroupKey(own)) => own.clone(),
        (None, _) => GatewayGroupId::default_group(),
    };
    access::adds(caller, Area::GatewayGroup(&group))?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

/// What is wrong with each of `candidates`, in their order; `None`: nothing is. Changes nothing.
pub async fn problems(
    app: &App,
    caller: &Caller,
    group: &GatewayGroupId,
    candidates: Vec<Candidate>,
) -> Result<Vec<Option<String>>, Error> {
    access::adds(caller, Area::GatewayGroup(group))?;
    let mut write = app.begin(caller).await?;
    let mut problems = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        problems.push(match put(&mut write, group, candidate).await {
            Ok(()) => None,
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal) => {
                return Err(error);
            }
            Err(error) => Some(error.to_string()),
        });
    }
    Ok(problems)
}

async fn put(write: &mut Write<'_>, group: &GatewayGroupId, candidate: Candidate) -> Result<(), Error> {
    let now = write.now;
    match candidate {
        Candidate::Service(id, input) => {
            let id = id.unwrap_or_else(|| ServiceId::issue(now, &mut OsRandom));
            services::put_in(write, id, group, *input).await.map(drop)
        }
        Candidate::Route(id, service, input) => {
            let id = id.unwrap_or_else(|| RouteId::issue(now, &mut OsRandom));
            routes::put_in(write, id, group, &service, *input).await.map(drop)
        }
        Candidate::Consumer(input) => consumers::try_in(write, group, *input).await,
        Candidate::Certificate(id, input) => {
            let id = id.unwrap_or_else(|| CertificateId::issue(now, &mut OsRandom));
            certificates::put_in(write, id, group, *input, false).await.map(drop)
        }
        Candidate::GroupObject(kind, id, input) => {
            let id = id.unwrap_or_else(|| GroupObjectId::issue(now, &mut OsRandom).to_string());
            group_objects::put_in(write, kind, &id, group, *input).await.map(drop)
        }
    }
}
