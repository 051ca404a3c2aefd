//! SCIM, for administrators and, where the path names a portal, for the people of its site. The text of a new token is in
//! one answer, and never again.

use std::collections::HashMap;

use axum::extract::Path;
use forecourt_app::{portals, provisioning};
use forecourt_core::{ids::PortalId, provisioning::Accounts};
use forecourt_http::addresses::ReachedAt;

use super::{Answer, Console};
use crate::{
    confirm::{Act, Confirm},
    developer::credentials::Secret,
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::{Link, provider},
    provider::provisioning::{ScimSettings, ScimTokenShown},
};

/// The variable parts of a path.
type Parts = Path<HashMap<String, String>>;

/// Whose accounts are provisioned, and the pages of that.
struct Scope(Accounts);

impl Scope {
    fn of(parts: &HashMap<String, String>) -> Result<Self, Failed> {
        let portal = parts.get("portal").map(|id| PortalId::parse(id).ok_or(FailureKind::NotFound));
        Ok(Self(portal.transpose()?.map_or(Accounts::Administrators, Accounts::Portal)))
    }

    fn portal(&self) -> Option<&PortalId> {
        match &self.0 {
            Accounts::Administrators => None,
            Accounts::Portal(portal) => Some(portal),
        }
    }

    fn page(&self) -> Link {
        self.portal().map_or_else(provider::scim, |portal| provider::portal_scim(portal.as_str()))
    }

    fn token(&self) -> Link {
        self.portal().map_or_else(provider::scim_token, |portal| provider::portal_scim_token(portal.as_str()))
    }

    /// What a directory calls, as far as it is known. The console and the Admin API share an origin.
    async fn endpoint(&self, console: &Console, reached: &ReachedAt) -> Result<Option<String>, Failed> {
        match self.portal() {
            None => Ok(Some(format!("{}/api/scim/v2", reached.0))),
            Some(portal) => {
                let site = portals::site_url(console.app(), portal).await?;
                Ok(site.map(|site| format!("{site}/scim/v2")))
            }
        }
    }
}

pub(super) async fn settings(console: Console, Path(parts): Parts, reached: ReachedAt) -> Answer {
    let scope = Scope::of(&parts)?;
    let settings = provisioning::settings(console.app(), &console.caller, &scope.0).await?;
    let form = if settings.enable { Form::new().with("enable", "true") } else { Form::new() };
    console.visit.show(&ScimSettings {
        portal: scope.portal().map(ToString::to_string),
        form,
        endpoint: scope.endpoint(&console, &reached).await?,
        has_token: settings.token.is_some(),
        action: scope.page(),
        token: scope.token(),
    })
}

pub(super) async fn save(console: Console, Path(parts): Parts, posted: Posted) -> Answer {
    let scope = Scope::of(&parts)?;
    provisioning::enable(console.app(), &console.caller, &scope.0, posted.ticked("enable")).await?;
    Ok(console.visit.done(&scope.page(), &console.say("flash.saved", &[])))
}

pub(super) async fn ask_token(console: Console, Path(parts): Parts) -> Answer {
    let scope = Scope::of(&parts)?;
    provisioning::settings(console.app(), &console.caller, &scope.0).await?;
    console.visit.show(&Confirm {
        act: Act::IssueScimToken,
        name: console.say("scim.title", &[]),
        impact: Vec::new(),
        type_name: false,
        action: scope.token(),
        back: scope.page(),
        form: Form::new(),
    })
}

pub(super) async fn issue_token(
    console: Console,
    Path(parts): Parts,
    reached: ReachedAt,
    _posted: Posted,
) -> Answer {
    let scope = Scope::of(&parts)?;
    let token = provisioning::issue_token(console.app(), &console.caller, &scope.0).await?;
    let secret = Secret {
        name: console.say("scim.token", &[]),
        env: "SCIM_TOKEN".to_owned(),
        value: token.reveal().to_owned(),
    };
    console.visit.show(&ScimTokenShown {
        portal: scope.portal().map(ToString::to_string),
        endpoint: scope.endpoint(&console, &reached).await?,
        secrets: vec![secret],
        back: scope.page(),
    })
}
