//! Sign-in options ("login options" on the wire) of portals and of the administrators; see also `sign_in_bodies`.
//!
//! Lists and creates tell the scopes apart by their path: without a portal `/api/login_options` is the administrators'.
//! An item is found by its id, a portal that is named must be its own, and no path of portals leads to an
//! administrators' one.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, State};
use forecourt_app::{
    access, portals,
    sign_in_options::{self, Changed, Deed, Unlinked},
};
use forecourt_core::{
    actors::Caller,
    ids::{PortalId, SignInOptionId},
    permissions::Action,
    sign_in_options::{SignInOption, SignInOptionFilter, SignInScope},
};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::AdminCaller,
    lists,
    problem::Problem,
    queries::Query,
};
use http::request::Parts;
use serde_json::Value;

use super::{
    answers::{Answer, ListAnswer, deleted_with_warning, value, value_with_warning},
    segments::Segments,
    sign_in_bodies::{input, patched, shape},
    sign_in_schemas,
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let collections = ["/api/portal/login_options", "/api/portals/{portal}/login_options"];
    let items = ["/api/portal/login_options/{id}", "/api/portals/{portal}/login_options/{id}"];
    let table = table
        .about("Login options")
        .get("/api/login_options", list_of_scope, sign_in_schemas::listed("List login options"))
        .post("/api/login_options", create_in_scope, sign_in_schemas::created("Create a login option"));
    let table = collections.into_iter().fold(table, |table, path| {
        table.get(path, list, sign_in_schemas::listed("List login options of portals")).post(
            path,
            create_of_portal,
            sign_in_schemas::created("Create a login option of a portal"),
        )
    });
    let table = items.into_iter().fold(table, |table, path| {
        table
            .get(path, option, sign_in_schemas::read("Get a login option of a portal"))
            .put(path, update, sign_in_schemas::updated("Update a login option of a portal"))
            .patch(path, patch, sign_in_schemas::patched("Change a login option of a portal"))
            .delete(path, delete, sign_in_schemas::deleted("Delete a login option of a portal"))
    });
    let item = "/api/login_options/{id}";
    table
        .get(item, option, sign_in_schemas::read("Get a login option"))
        .put(item, update, sign_in_schemas::updated("Update a login option"))
        .patch(item, patch, sign_in_schemas::patched("Change a login option"))
        .delete(item, delete, sign_in_schemas::deleted("Delete a login option"))
}

/// The option as this API shows it.
async fn shown(context: &Context, option: &SignInOption) -> Answer {
    value(shape(option, &sign_in_options::sites(&context.app).await?))
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let scope = segments.portal(&query)?.map_or(SignInScope::Portals, SignInScope::Portal);
    listed(&context, &caller, scope, &query).await
}

/// With `portal_id` the portal's options, without it the administrators'.
async fn list_of_scope(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let scope = segments.portal(&query)?.map_or(SignInScope::Administrators, SignInScope::Portal);
    listed(&context, &caller, scope, &query).await
}

async fn listed(context: &Context, caller: &Caller, scope: SignInScope, query: &Query) -> ListAnswer {
    let filter = SignInOptionFilter {
        scope,
        order: query.time_order()?,
        paging: query.paging()?,
        ..SignInOptionFilter::default()
    };
    let found = sign_in_options::list(&context.app, caller, &filter).await?;
    let sites = sign_in_options::sites(&context.app).await?;
    Ok(lists::body(found.map(|option| Value::Object(shape(&option, &sites)))))
}

async fn create_of_portal(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let portal = match segments.portal(&query)? {
        Some(portal) => portal,
        None => {
            access::permits_somewhere(&caller, Action::UpdatePortal)?;
            return Err(Problem::bad_request("portal_id is required"));
        }
    };
    create(&context, &caller, Some(&portal), body).await
}

async fn create_in_scope(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    create(&context, &caller, segments.portal(&query)?.as_ref(), body).await
}

async fn create(
    context: &Context,
    caller: &Caller,
    portal: Option<&PortalId>,
    body: Result<Object, Problem>,
) -> Answer {
    sign_in_options::permits_create(caller, portal)?;
    if let Some(portal) = portal {
        portals::must_exist(&context.app, portal).await?;
    }
    let input = input(None, body?)?;
    shown(context, &sign_in_options::create(&context.app, caller, portal, input).await?).await
}

/// Which option a request is about.
struct Named {
    segments: Segments,
    query: Query,
    /// The path is one of portals' options.
    of_portals: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let of_portals = parts.uri.path().starts_with("/api/portal");
        let segments = Segments::from_request_parts(parts, state).await?;
        Ok(Self { segments, query: Query::from_request_parts(parts, state).await?, of_portals })
    }
}

impl Named {
    /// The option that the path names; a portal that is named too must be its own.
    async fn option(&self, context: &Context, caller: &Caller, deed: Deed) -> Result<SignInOption, Problem> {
        let portal = self.segments.portal(&self.query)?;
        let id = self.segments.id(SignInOptionId::parse)?;
        let option = sign_in_options::permitted(&context.app, caller, &id, deed).await?;
        let is_there = match &option.portal_id {
            Some(own) => portal.is_none_or(|portal| portal == *own),
            None => portal.is_none() && !self.of_portals,
        };
        if is_there { Ok(option) } else { Err(Problem::not_found()) }
    }
}

async fn option(State(context): State<Context>, AdminCaller(caller): AdminCaller, named: Named) -> Answer {
    shown(&context, &named.option(&context, &caller, Deed::Read).await?).await
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    named: Named,
    body: Result<Object, Problem>,
) -> Answer {
    let option = named.option(&context, &caller, Deed::Update).await?;
    let input = input(Some(option.provider_type()), body?)?;
    let changed = sign_in_options::update(&context.app, &caller, &option.id, input).await?;
    answered(&changed, &sign_in_options::sites(&context.app).await?)
}

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    named: Named,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let option = named.option(&context, &caller, Deed::Update).await?;
    let patch = body?.0;
    let sites = sign_in_options::sites(&context.app).await?;
    let edit = |option: &SignInOption| patched(option.provider_type(), &shape(option, &sites), &patch);
    answered(&sign_in_options::change(&context.app, &caller, &option.id, edit).await?, &sites)
}

/// The changed option, and a sentence where its provider is another one now and somebody was known to the one before.
fn answered(changed: &Changed, sites: &HashMap<PortalId, String>) -> Answer {
    let unlinked = changed.unlinked.filter(|unlinked| unlinked.people > 0);
    let warning = unlinked.map(|Unlinked { people, left }| {
        let unlinked = match people {
            1 => "1 person was unlinked".to_owned(),
            people => format!("{people} people were unlinked"),
        };
        let left = match left {
            0 => String::new(),
            1 => "; 1 person has no way to sign in to their account any more".to_owned(),
            left => format!("; {left} people have no way to sign in to their accounts any more"),
        };
        format!("the provider is another one: {unlinked}{left}")
    });
    value_with_warning(shape(&changed.option, sites), warning)
}

async fn delete(State(context): State<Context>, AdminCaller(caller): AdminCaller, named: Named) -> Answer {
    let option = named.option(&context, &caller, Deed::Delete).await?;
    let left = sign_in_options::delete(&context.app, &caller, &option.id).await?;
    let warning = match left {
        0 => None,
        1 => Some("1 person has no way to sign in any more".to_owned()),
        left => Some(format!("{left} people have no way to sign in any more")),
    };
    deleted_with_warning(option.id.as_str(), warning)
}
