//! What the signed-in administrator may do, as templates ask it: `page.may('portal:UpdateAPIProduct', portal, product)`.
//!
//! Invariant: this only decides what is offered. Every use case asks again, so a control that is shown by mistake does
//! nothing. Actions are written with the words of policies; the ids are those of what the action acts on, in the order
//! of its resource name, and what is only being made has one id less.

use forecourt_core::{
    actors::Actor,
    ids::{
        AdministratorId, DcrProviderId, DeveloperId, GatewayGroupId, PermissionPolicyId, PortalId, ProductId,
        RoleId, ServiceId,
    },
    permissions::{Action, Authority, Grant, PolicyDocument, Reach, Target},
};
use minijinja::{
    Error, ErrorKind,
    value::{Rest, Value},
};
use serde_json::json;

/// What whoever sees a page may do; `Default`: nothing.
#[derive(Clone, Debug, Default)]
pub struct Permissions(Authority);

impl Permissions {
    /// What `actor` may do in the console.
    pub fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Administrator { authority, .. } => Self(authority.clone()),
            _ => Self::default(),
        }
    }

    /// Everything.
    pub fn everything() -> Self {
        Self(Authority::everything())
    }

    /// Seeing everything and changing nothing, for samples.
    pub fn reading() -> Self {
        let document =
            json!({ "statement": [{ "effect": "allow", "resources": ["<.*>"], "actions": ["<.*:Get.*>"] }] });
        let policies = PolicyDocument::new(document).and_then(|document| document.compile());
        let grant = Grant { policies: policies.into_iter().collect(), ..Grant::default() };
        Self(Authority::new(vec![grant], None, Default::default()))
    }

    /// `may(action, ids…)`: whether the action is allowed on this. A template gets it as `page.may`.
    pub(crate) fn may(&self) -> Value {
        let own = self.0.clone();
        Value::from_function(move |word: &str, ids: Rest<String>| {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            allows(&own, action(word)?, &ids).ok_or_else(|| {
                wrong(format!("{word} does not act on something with {} ids, or on several kinds", ids.len()))
            })
        })
    }

    /// `may_somewhere(action…)`: whether one of the actions is allowed on anything at all. A template gets it as
    /// `page.may_somewhere`.
    pub(crate) fn may_somewhere(&self) -> Value {
        let own = self.0.clone();
        Value::from_function(move |words: Rest<String>| {
            let actions = words.iter().map(|word| action(word)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, Error>(actions.into_iter().any(|action| own.reach(action) != Reach::Nothing))
        })
    }
}

fn action(word: &str) -> Result<Action, Error> {
    Action::from_name(word).ok_or_else(|| wrong(format!("{word} is no action of permission policies")))
}

fn wrong(sentence: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, sentence)
}

/// `None`: not so many ids name what the action acts on. Approvals are left out: they belong to a product or to a
/// developer.
fn allows(own: &Authority, action: Action, ids: &[&str]) -> Option<bool> {
    use Action as A;
    let group = |id: &str| GatewayGroupId::known(id);
    let portal = |id: &str| PortalId::known(id);
    let may = |target: Target<'_>| Some(own.allows(action, target));
    match (action.reading(), ids) {
        (
            A::GetGatewayGroup
            | A::GetGatewayInstance
            | A::GetCertificate
            | A::GetGlobalPluginRule
            | A::GetPluginMetadata,
            ids,
        ) => match ids {
            [] => may(Target::GatewayGroup(None)),
            [id] => may(Target::GatewayGroup(Some(&group(id)))),
            _ => None,
        },
        (A::GetConsumer, [of]) => may(Target::Consumer(&group(of), None)),
        (A::GetConsumer, [of, name]) => may(Target::Consumer(&group(of), Some(name))),
        (A::GetPublishedService, [of]) => may(Target::PublishedService(&group(of), None)),
        (A::GetPublishedService, [of, id]) => {
            may(Target::PublishedService(&group(of), Some(&ServiceId::known(*id))))
        }
        (A::GetUser, []) => may(Target::User(None)),
        (A::GetUser, [id]) => may(Target::User(Some(&AdministratorId::known(*id)))),
        (A::GetRole, []) => may(Target::Role(None)),
        (A::GetRole, [id]) => may(Target::Role(Some(&RoleId::known(*id)))),
        (A::GetPermissionPolicy, []) => may(Target::PermissionPolicy(None)),
        (A::GetPermissionPolicy, [id]) => {
            may(Target::PermissionPolicy(Some(&PermissionPolicyId::known(*id))))
        }
        (A::GetPortal | A::GetPortalToken, []) => may(Target::Portal(None)),
        (A::GetPortal | A::GetPortalToken, [id]) => may(Target::Portal(Some(&portal(id)))),
        (A::GetApiProduct | A::GetSubscription, [of]) => may(Target::ApiProduct(&portal(of), None)),
        (A::GetApiProduct | A::GetSubscription, [of, id]) => {
            may(Target::ApiProduct(&portal(of), Some(&ProductId::known(*id))))
        }
        (A::GetDeveloper | A::GetApplication, [of]) => may(Target::Developer(&portal(of), None)),
        (A::GetDeveloper | A::GetApplication, [of, id]) => {
            may(Target::Developer(&portal(of), Some(&DeveloperId::known(*id))))
        }
        (
            A::GetAudit
            | A::ExportAudits
            | A::GetLoginOption
            | A::GetSmtpServer
            | A::GetContactPoint
            | A::GetScimProvisioning,
            [],
        ) => may(Target::Organization),
        (A::GetDcrProvider, []) => may(Target::DcrProvider(None)),
        (A::GetDcrProvider, [id]) => may(Target::DcrProvider(Some(&DcrProviderId::known(*id)))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_only_look_is_offered_no_change() {
        let own = Permissions::reading().0;
        assert_eq!(allows(&own, Action::GetApiProduct, &["prt_1", "prd_1"]), Some(true));
        assert_eq!(allows(&own, Action::UpdateApiProduct, &["prt_1", "prd_1"]), Some(false));
        assert_eq!(allows(&own, Action::CreateApiProduct, &["prt_1"]), Some(false));
        assert_eq!(allows(&Permissions::default().0, Action::GetPortal, &["prt_1"]), Some(false));
    }

    #[test]
    fn ids_that_name_nothing_the_action_acts_on_are_a_fault_of_the_template() {
        let own = Permissions::everything().0;
        for (action, ids) in [
            (Action::UpdateApiProduct, vec![]),
            (Action::UpdateConsumer, vec!["grp", "ann", "more"]),
            (Action::ProcessApproval, vec!["prt_1", "prd_1"]),
        ] {
            assert_eq!(allows(&own, action, &ids), None, "{}", action.name());
        }
    }
}
