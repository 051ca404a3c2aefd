//! Who visits the Developer Portal site, and of which portal: the portal by the request's host, the person by the
//! session. A session of another portal is none here.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, Uri, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    Error,
    persons::{self, KnownPerson},
    portals, sign_in_options,
};
use forecourt_core::{
    actors::{Actor, Caller, Source},
    portals::Portal,
    sign_in_options::BuiltInSignIn,
};
use forecourt_http::{addresses, callers::Call, cookies};

use crate::{
    errors::FailureKind,
    handling::{Failed, Frame, Visit, Web},
    links::{Link, developer},
    page::{self, Site, Viewer},
    permissions::Permissions,
};

/// The session's cookie.
pub(super) const SESSION_COOKIE: &str = "portal_session";

/// Whoever asks for a page.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) visit: Visit,
    pub(super) portal: Portal,
    pub(super) person: Option<KnownPerson>,
    /// How the portal signs people in, where that is open.
    pub(super) option: Option<BuiltInSignIn>,
}

/// A visitor whom the portal lets look at its products.
#[derive(Clone, Debug)]
pub(super) struct Looker {
    pub(super) visitor: Visitor,
    pub(super) caller: Caller,
}

/// A signed-in person whose developer is active.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) visit: Visit,
    pub(super) person: KnownPerson,
    pub(super) caller: Caller,
}

/// A signed-in person, active or still waiting.
#[derive(Clone, Debug)]
pub(super) struct Resident {
    pub(super) visit: Visit,
    pub(super) person: KnownPerson,
    pub(super) caller: Caller,
}

/// Middleware: finds portal and person, and shows in the portal's frame what failed within.
pub(super) async fn begin(State(web): State<Web>, call: Call, mut request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let visitor = match Visitor::of(&web, &call, &uri, &headers).await {
        Ok(visitor) => visitor,
        Err(error) => {
            let visit = Visit::new(web, call, &uri, &headers, Frame::bare(Site::Developer), None);
            return visit.finish(Failed::from(error).into_response(), &developer::sign_in());
        }
    };
    let visit = visitor.visit.clone();
    if visitor.must_choose_password()
        && ![developer::FIRST_PASSWORD, developer::SIGN_OUT].contains(&uri.path())
    {
        return visit.go(&developer::first_password());
    }
    let comes_back = if *request.method() == Method::GET { visit.page.path.as_str() } else { "" };
    let sign_in = developer::sign_in().with_query(&[("next", comes_back)]);
    request.extensions_mut().insert(visit.clone());
    request.extensions_mut().insert(visitor);
    visit.finish(next.run(request).await, &sign_in)
}

impl Visitor {
    async fn of(web: &Web, call: &Call, uri: &Uri, headers: &HeaderMap) -> Result<Self, Error> {
        let portal = portals::portal_for_host(web.app(), &addresses::host(uri, headers)).await?;
        let option = sign_in_options::offered(web.app(), &portal.id).await?;
        let token = cookies::read(headers, SESSION_COOKIE);
        let person = match token {
            Some(token) => persons::by_session(web.app(), &portal.id, token).await?,
            None => None,
        };
        let frame = Frame {
            site: Site::Developer,
            portal: shown(web, &portal),
            portals: Vec::new(),
            viewer: person.as_ref().map(viewer),
            permissions: Permissions::default(),
            sign_up_open: option.as_ref().is_some_and(|option| option.enable_self_registration),
            pending_approvals: 0,
        };
        let session = token.filter(|_| person.is_some());
        let visit = Visit::new(web.clone(), call.clone(), uri, headers, frame, session);
        Ok(Self { visit, portal, person, option })
    }

    /// The caller that this visitor is to use cases.
    pub(super) fn caller(&self) -> Caller {
        let guest = || Actor::Guest(self.portal.id.clone());
        self.visit.call.by(self.person.as_ref().map_or_else(guest, KnownPerson::actor), Source::Site)
    }

    fn must_choose_password(&self) -> bool {
        self.person.as_ref().is_some_and(KnownPerson::must_change_password)
    }

    fn resident(self) -> Result<Resident, Failed> {
        let caller = self.caller();
        let person = self.person.ok_or_else(Error::unauthenticated)?;
        Ok(Resident { visit: self.visit, person, caller })
    }
}

fn shown(web: &Web, portal: &Portal) -> page::Portal {
    // The portal that is there from the start has no name that anybody chose.
    let name = if portal.name == Portal::DEFAULT_NAME {
        web.say("portal.unnamed", &[])
    } else {
        portal.name.clone()
    };
    page::Portal { id: portal.id.to_string(), name, logo: None, colour: None }
}

fn viewer(known: &KnownPerson) -> Viewer {
    let person = &known.person;
    let detail = person.email.as_deref().or(person.username.as_deref()).unwrap_or_default();
    Viewer { pending: known.is_pending(), ..Viewer::new(person.name.as_str(), detail) }
}

/// Where somebody waits for approval.
pub(super) fn waiting_room() -> Link {
    developer::pending()
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failed> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| FailureKind::Internal.into())
    }
}

impl<S: Sync> FromRequestParts<S> for Looker {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        match &visitor.person {
            None if !visitor.portal.public_access => Err(Error::unauthenticated().into()),
            Some(known) if known.is_pending() && !visitor.portal.public_access => {
                Err(Failed::Elsewhere(waiting_room()))
            }
            _ => Ok(Self { caller: visitor.caller(), visitor }),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Resident {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        Visitor::from_request_parts(parts, state).await?.resident()
    }
}

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let Resident { visit, person, caller } = Resident::from_request_parts(parts, state).await?;
        if person.is_pending() {
            return Err(Failed::Elsewhere(waiting_room()));
        }
        Ok(Self { visit, person, caller })
    }
}
