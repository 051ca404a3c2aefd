//! Would this configuration be accepted? Each object is put as if it were meant, and everything is undone.
//!
//! Invariant: the checks are those of the puts themselves, in one write that is never committed, so what stands
//! earlier in the configuration is there for what refers to it. Nothing reaches gateways or the record.

use forecourt_core::{
    actors::{Actor, Caller},
    certificates::CertificateInput,
    consumers::ConsumerInput,
    group_objects::{GroupObjectInput, GroupObjectKind},
    ids::{CertificateId, GatewayGroupId, GroupObjectId, RouteId, ServiceId},
    permissions::{Action, Target},
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
    may_validate(caller, &group)?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

/// Checking a configuration tells of what a group holds: for those who may see the group.
fn may_validate(caller: &Caller, group: &GatewayGroupId) -> Result<(), Error> {
    match access::allows(caller, Action::GetGatewayGroup, Target::GatewayGroup(Some(group))) {
        true => Ok(()),
        false => Err(access::refused(caller)),
    }
}

/// Refuses a candidate that the caller may not put.
fn may_put(caller: &Caller, group: &GatewayGroupId, candidate: &Candidate) -> Result<(), Error> {
    let (action, resource) = match candidate {
        Candidate::Service(..) => (Action::CreatePublishedService, Target::PublishedService(group, None)),
        // What may be done to its service is asked when the route is put.
        Candidate::Route(..) => {
            return access::permits_within(caller, group, Action::UpdatePublishedService);
        }
        Candidate::Consumer(_) => (Action::CreateConsumer, Target::Consumer(group, None)),
        Candidate::Certificate(..) => (Action::CreateCertificate, Target::GatewayGroup(Some(group))),
        Candidate::GroupObject(kind, ..) => {
            (group_objects::put_action(*kind, false), group_objects::resource(*kind, group))
        }
    };
    match access::allows(caller, action, resource) {
        true => Ok(()),
        false => Err(access::refused(caller)),
    }
}

/// What is wrong with each of `candidates`, in their order; `None`: nothing is. Changes nothing.
pub async fn problems(
    app: &App,
    caller: &Caller,
    group: &GatewayGroupId,
    candidates: Vec<Candidate>,
) -> Result<Vec<Option<String>>, Error> {
    may_validate(caller, group)?;
    let mut write = app.begin(caller).await?;
    let mut problems = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let put = match may_put(caller, group, &candidate) {
            Ok(()) => put(&mut write, group, candidate).await,
            Err(refusal) => Err(refusal),
        };
        problems.push(match put {
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
