//! Before a console page is shown: who is signed in, may they pass, and which portal is being worked on.
//!
//! The portal is that of the path, else the one last worked on (a cookie), else the first.

use axum::{
    extract::{FromRequestParts, RawPathParams, Request, State},
    http::{Method, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    App, ErrorKind, access, approvals, authentication, authentication::KnownAdministrator, portals, receipts,
};
use forecourt_core::{
    actors::{Actor, Caller, Source},
    ids::PortalId,
    permissions::{Action, Target},
    portals::{Portal, PortalFilter},
};
use forecourt_http::{
    callers::{ADMINISTRATOR_COOKIE, Call},
    cookies,
};

use crate::{
    errors::FailureKind,
    handling::{Failed, Frame, Visit, Web},
    links::{Link, provider},
    page::{Site, Viewer},
    permissions::Permissions,
    provider::sign_in::NoRole,
};

/// The portal last worked on.
const PORTAL_COOKIE: &str = "console_portal";
const PORTAL_COOKIE_SECONDS: i64 = 365 * 24 * 60 * 60;

/// A request of an administrator who may work here.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    /// The page's frame and answers.
    pub(crate) visit: Visit,
    /// Who.
    pub(crate) known: KnownAdministrator,
    /// Who, as use cases want to know it.
    pub(crate) caller: Caller,
    /// The portal being worked on; `None` only where there is no portal at all.
    portal: Option<PortalId>,
}

/// A request of somebody who may not work here yet: at sign-in, or with a one-time password; or who decides by a link.
#[derive(Clone, Debug)]
pub(crate) struct Doorstep {
    /// The page's frame and answers.
    pub(crate) visit: Visit,
    /// Who, where they are signed in.
    pub(crate) known: Option<KnownAdministrator>,
    /// Who, as use cases want to know it.
    pub(crate) caller: Caller,
}

impl Console {
    /// The use cases.
    pub(crate) fn app(&self) -> &App {
        self.visit.web.app()
    }

    /// The portal being worked on.
    pub(crate) fn portal(&self) -> Result<&PortalId, Failed> {
        self.portal.as_ref().ok_or_else(|| FailureKind::NotFound.into())
    }

    /// Whether `action` on `target` may be offered; the use case decides it again.
    pub(crate) fn may(&self, action: Action, target: Target<'_>) -> bool {
        access::allows(&self.caller, action, target)
    }

    /// Whether `action` is allowed on anything at all.
    pub(crate) fn may_somewhere(&self, action: Action) -> bool {
        access::permits_somewhere(&self.caller, action).is_ok()
    }

    /// The text `key` of the catalogue.
    pub(crate) fn say(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        self.visit.web.say(key, arguments)
    }
}

/// Middleware: makes the visit, and sends away who may not see the page.
pub(super) async fn begin(State(web): State<Web>, call: Call, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let sign_in = sign_in_before(&parts);
    let named = portal_of_path(&mut parts).await;
    let visit = match arrive(&web, &call, &mut parts, named.as_deref()).await {
        Ok(Arrival::Passes(visit)) => visit,
        Ok(Arrival::SentAway(response)) => return response,
        Err(failed) => {
            let frame = Frame::bare(Site::Provider);
            let visit = Visit::new(web, call, &parts.uri, &parts.headers, frame, None);
            return visit.finish(failed.into_response(), &sign_in);
        }
    };
    let remembered = cookies::read(&parts.headers, PORTAL_COOKIE) == named.as_deref();
    let response = visit.finish(next.run(Request::from_parts(parts, body)).await, &sign_in);
    match named.filter(|_| !remembered && response.status() != StatusCode::NOT_FOUND) {
        Some(portal) => visit.with_cookie(response, PORTAL_COOKIE, &portal, PORTAL_COOKIE_SECONDS),
        None => response,
    }
}

enum Arrival {
    /// A handler runs, with its visit among the request's extensions.
    Passes(Box<Visit>),
    /// No handler runs.
    SentAway(Response),
}

async fn arrive(web: &Web, call: &Call, parts: &mut Parts, named: Option<&str>) -> Result<Arrival, Failed> {
    let token = cookies::read(&parts.headers, ADMINISTRATOR_COOKIE).map(str::to_owned);
    let known = signed_in(web, token.as_deref()).await?;
    let session = token.as_deref().filter(|_| known.is_some());
    let visit_in = |frame, parts: &Parts| {
        Visit::new(web.clone(), call.clone(), &parts.uri, &parts.headers, frame, session)
    };
    let visit = visit_in(Frame::bare(Site::Provider), parts);
    let actor = known.as_ref().map_or(Actor::System, KnownAdministrator::actor);
    let caller = call.by(actor, Source::Console);
    let path = parts.uri.path();
    if known.is_none() && ![provider::SIGN_IN, provider::SIGN_OUT].contains(&path) && !is_approval_link(path)
    {
        return Ok(Arrival::SentAway(visit.go(&sign_in_before(parts))));
    }
    if [provider::SIGN_IN, provider::SIGN_OUT, provider::FIRST_PASSWORD].contains(&path)
        || is_approval_link(path)
    {
        parts.extensions.insert(visit.clone());
        parts.extensions.insert(Doorstep { visit: visit.clone(), known, caller });
        return Ok(Arrival::Passes(Box::new(visit)));
    }
    let known = known.ok_or(FailureKind::Internal)?;
    if known.must_change_password() {
        return Ok(Arrival::SentAway(visit.go(&provider::first_password())));
    }
    if known.authority.is_empty() {
        let view = NoRole { username: known.administrator.username };
        return Ok(Arrival::SentAway(visit.show_as(StatusCode::FORBIDDEN, &view)?));
    }
    let (frame, portal) = frame(web, &known, &caller, parts, named).await?;
    let mut visit = visit_in(frame, parts);
    tell_where_live(&mut visit, &caller).await?;
    if named.is_some() && portal.as_ref().map(PortalId::as_str) != named {
        let lost = Failed::from(FailureKind::NotFound).into_response();
        return Ok(Arrival::SentAway(visit.finish(lost, &provider::sign_in())));
    }
    parts.extensions.insert(visit.clone());
    parts.extensions.insert(Console { visit: visit.clone(), known, caller, portal });
    Ok(Arrival::Passes(Box::new(visit)))
}

/// Whether it is the page of a link in a mail, which is its own proof.
fn is_approval_link(path: &str) -> bool {
    let start = provider::APPROVAL_LINK.split('{').next();
    start.is_some_and(|start| path.starts_with(start))
}

/// Adds to the message of an act that changed what gateways enforce on how many of them it is in force by now.
async fn tell_where_live(visit: &mut Visit, caller: &Caller) -> Result<(), Failed> {
    let Some(revision) = visit.told_revision else { return Ok(()) };
    let tally = match receipts::tally(visit.web.app(), caller, revision).await {
        Ok(tally) => tally,
        // A cookie from before the database was another one.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if let Some(flash) = visit.page.flash.as_mut().filter(|_| tally.nodes > 0) {
        let (applied, nodes) = (tally.applied.to_string(), tally.nodes.to_string());
        let live = visit.web.say("flash.live", &[("applied", &applied), ("count", &nodes)]);
        flash.text = format!("{} {live}", flash.text);
        let receipt = provider::receipt(&revision.to_string());
        flash.next = Some((receipt, visit.web.say("flash.receipt", &[])));
    }
    Ok(())
}

/// Who the session is of; a session that ended is nobody's.
async fn signed_in(web: &Web, token: Option<&str>) -> Result<Option<KnownAdministrator>, Failed> {
    let Some(token) = token else { return Ok(None) };
    match authentication::by_session(web.app(), token).await {
        Ok(known) => Ok(Some(known)),
        Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sign-in, which comes back to a page that was asked for; never to an act.
fn sign_in_before(parts: &Parts) -> Link {
    let next = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let here = parts.method == Method::GET && next != "/" && !next.starts_with(provider::SIGN_IN);
    provider::sign_in().with_query(&[("next", if here { &next } else { "" })])
}

async fn portal_of_path(parts: &mut Parts) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params.iter().find(|(name, _)| *name == "portal").map(|(_, value)| value.to_owned())
}

async fn frame(
    web: &Web,
    known: &KnownAdministrator,
    caller: &Caller,
    parts: &Parts,
    named: Option<&str>,
) -> Result<(Frame, Option<PortalId>), Failed> {
    let portals = portals::list(web.app(), caller, &PortalFilter::default()).await?.rows;
    let wanted = named.or_else(|| cookies::read(&parts.headers, PORTAL_COOKIE));
    let wanted = portals.iter().find(|portal| Some(portal.id.as_str()) == wanted);
    let default = portals.iter().find(|portal| portal.name == Portal::DEFAULT_NAME);
    let current = wanted.or(default).or(portals.first());
    let shown = |portal: &Portal| crate::page::Portal {
        id: portal.id.to_string(),
        name: portal.name.clone(),
        logo: None,
        colour: None,
    };
    let bare = Frame::bare(Site::Provider);
    let administrator = &known.administrator;
    let frame = Frame {
        portal: current.map_or_else(|| bare.portal.clone(), shown),
        portals: portals.iter().map(shown).collect(),
        permissions: Permissions::of(&caller.actor),
        viewer: Some(Viewer::new(administrator.display_name(), administrator.username.clone())),
        pending_approvals: approvals::pending_count(web.app(), caller, None).await?,
        ..bare
    };
    Ok((frame, current.map(|portal| portal.id.clone())))
}

impl<S: Sync> FromRequestParts<S> for Console {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failed> {
        // Only a route outside the middleware has none: a fault of ours.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| FailureKind::Internal.into())
    }
}

impl<S: Sync> FromRequestParts<S> for Doorstep {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failed> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| FailureKind::Internal.into())
    }
}
