//! What the things are called now that records name by their ids: one question to the store for a page of records.
//!
//! Invariant: the name of a thing is told to those who may see the thing itself.

use std::collections::BTreeSet;

use forecourt_core::{
    actors::Caller,
    audit_logs::{AuditOperator, ToldRecord, objects::NamedObject},
    ids::{
        AdministratorId, DeveloperId, GatewayGroupId, PermissionPolicyId, PortalId, ProductId, RoleId,
        ServiceId,
    },
    permissions::{Action, Target},
};

use super::ListedRecord;
use crate::{App, Error, access};

/// What is still there of what some records name, as far as the caller may see it.
#[derive(Clone, Debug, Default)]
pub struct RecordNames(Vec<NamedObject>);

/// The names for `listed`.
pub async fn names(app: &App, caller: &Caller, listed: &[ListedRecord]) -> Result<RecordNames, Error> {
    let records = listed.iter().map(|listed| &listed.told.record);
    let ids: BTreeSet<&str> =
        records.flat_map(|record| [record.resource_id.as_str(), record.operator.id.as_str()]).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut found = app.read().named_objects(&ids).await?;
    found.retain(|object| !object.name.is_empty() && is_seen(caller, object));
    Ok(RecordNames(found))
}

impl RecordNames {
    /// What `told` was done to; `None` where that is gone, has no name, or is not the caller's to see.
    pub fn resource(&self, told: &ToldRecord) -> Option<&NamedObject> {
        let id = &told.record.resource_id;
        let changed = told.changes().find(|change| change.id == *id);
        self.only(id, changed.map(|change| change.noun.as_str()))
    }

    /// Who did it.
    pub fn operator(&self, operator: &AuditOperator) -> Option<&NamedObject> {
        let noun = match operator.kind.as_str() {
            "administrator" => "administrator",
            "gateway_group_key" => "gateway_group",
            "portal_front_end" | "directory" => "portal",
            _ => return None,
        };
        self.only(&operator.id, Some(noun))
    }

    /// The one thing with this id, of this kind where that is known.
    fn only(&self, id: &str, noun: Option<&str>) -> Option<&NamedObject> {
        let mut fitting =
            self.0.iter().filter(|object| object.id == id && noun.is_none_or(|noun| object.noun == noun));
        let first = fitting.next()?;
        // An id that callers chose may name several things; none of them is guessed.
        fitting.next().is_none().then_some(first)
    }
}

fn is_seen(caller: &Caller, object: &NamedObject) -> bool {
    let sees = |action, target: Target<'_>| access::allows(caller, action, target);
    let (id, place, parent) = (object.id.as_str(), object.place.as_str(), object.parent.as_str());
    let (portal, group) = (PortalId::known(place), GatewayGroupId::known(place));
    match object.noun.as_str() {
        "administrator" => sees(Action::GetUser, Target::User(Some(&AdministratorId::known(id)))),
        "role" => sees(Action::GetRole, Target::Role(Some(&RoleId::known(id)))),
        "permission_policy" => {
            let policy = PermissionPolicyId::known(id);
            sees(Action::GetPermissionPolicy, Target::PermissionPolicy(Some(&policy)))
        }
        "contact_point" => sees(Action::GetContactPoint, Target::Organization),
        "portal" => sees(Action::GetPortal, Target::Portal(Some(&PortalId::known(id)))),
        "product" => sees(Action::GetApiProduct, Target::ApiProduct(&portal, Some(&ProductId::known(id)))),
        "developer" => sees(Action::GetDeveloper, Target::Developer(&portal, Some(&DeveloperId::known(id)))),
        "application" => {
            sees(Action::GetApplication, Target::Developer(&portal, Some(&DeveloperId::known(parent))))
        }
        "gateway_group" => {
            sees(Action::GetGatewayGroup, Target::GatewayGroup(Some(&GatewayGroupId::known(id))))
        }
        "service" => service_is_seen(caller, &group, id),
        "route" => service_is_seen(caller, &group, parent),
        "consumer" => sees(Action::GetConsumer, Target::Consumer(&group, Some(object.name.as_str()))),
        "node" => sees(Action::GetGatewayInstance, Target::GatewayGroup(Some(&group))),
        _ => false,
    }
}

fn service_is_seen(caller: &Caller, group: &GatewayGroupId, service: &str) -> bool {
    let service = ServiceId::known(service);
    access::allows(caller, Action::GetPublishedService, Target::PublishedService(group, Some(&service)))
}
