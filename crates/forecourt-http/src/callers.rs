//! How a request becomes a caller. The middleware [`begin`] gives each request its id, address and receipt;
//! extractors add who is calling.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_app::{
    Error,
    authentication::{self, KnownAdministrator, TokenOwner},
};
use forecourt_core::{
    actors::{Actor, Caller, Receipt, Source},
    audit_logs::{Journal, Proof},
    ids::{PortalId, RequestId},
    impacts::Preview,
};
use http::{HeaderMap, HeaderValue, header, request::Parts};

use crate::{
    Context, addresses,
    audits::{self, CHANGING_READ, is_change},
    cookies, in_flight, origins,
    problem::Problem,
};

/// What is known of a request before anybody proves who they are.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its id.
    pub request_id: RequestId,
    /// The client's address as text.
    pub address: Option<String>,
    /// The origin that it called, such as `https://admin.example.com`.
    pub reached_at: String,
    /// Where use cases note the revision that they made.
    pub receipt: Receipt,
    /// Set where the request asks what it would do.
    pub preview: Option<Preview>,
    /// What is wrong with how it is asked for; told to whoever proves who they are, and to everybody where nobody need.
    pub objection: Option<String>,
    /// What the audit log will tell of it.
    pub journal: Journal,
}

impl Call {
    /// Refuses where there is an objection. Whatever takes a call, and whoever calls, asks this before anything is done.
    pub fn unobjected(&self) -> Result<(), Problem> {
        self.objection.as_ref().map_or(Ok(()), |objection| Err(Problem::bad_request(objection.as_str())))
    }

    /// Whether it came by TLS, as our listener or a trusted proxy says: then its cookies are for TLS alone.
    pub fn is_secure(&self) -> bool {
        self.reached_at.starts_with("https://")
    }

    /// The caller that `actor` is, through `source`; noted for the audit log.
    pub fn by(&self, actor: Actor, source: Source) -> Caller {
        let caller = Caller {
            actor,
            source,
            request_id: self.request_id.clone(),
            address: self.address.clone(),
            receipt: self.receipt.clone(),
            preview: self.preview.clone(),
            journal: self.journal.clone(),
        };
        self.journal.note_caller(&caller);
        caller
    }
}

/// Middleware: gives the request its [`Call`], and the answer `X-Request-Id`, `X-Forecourt-Version`,
/// `X-Content-Type-Options`, `Cache-Control: no-store` where it says nothing of caching and, where something changed for
/// gateways, `X-Forecourt-Revision`.
pub async fn begin(State(context): State<Context>, mut request: Request, next: Next) -> Response {
    let (uri, headers, extensions) = (request.uri(), request.headers(), request.extensions());
    // Whom a proxy does not name counts as the proxy, so that limits hold for all of them together.
    let address = addresses::client(headers, extensions, &context.config.trusted_proxies)
        .or_else(|| addresses::peer(extensions));
    let call = Call {
        reached_at: addresses::origin(uri, headers, extensions, &context.config.trusted_proxies),
        request_id: context.app.new_request_id(),
        address: address.map(|address| address.to_string()),
        receipt: Receipt::default(),
        preview: None,
        objection: None,
        journal: audits::begin(&request),
    };
    request.extensions_mut().insert(call.clone());
    let mut response = in_flight::answer(&context, &call.journal, request, next).await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(call.request_id.as_str()) {
        headers.insert("x-request-id", id);
    }
    headers.insert("x-forecourt-version", HeaderValue::from_static(context.config.version));
    // What is private unless its handler says otherwise is kept by nobody, and read as nothing but what it says it is.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(revision) = call.receipt.revision() {
        headers.insert("x-forecourt-revision", HeaderValue::from(revision));
    }
    response
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Only a router without the middleware gets here without a call: a fault of ours.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// The name of the session cookie of the console and the Admin API.
pub const ADMINISTRATOR_COOKIE: &str = "session";

/// How a caller of the Admin API proved who they are.
#[derive(Clone, Debug)]
pub enum AdminProof {
    /// An administrator, by session or by user name and password.
    Administrator(KnownAdministrator),
    /// An administrator, by one of their access tokens.
    AccessToken(KnownAdministrator),
    /// A gateway group's admin key.
    GatewayGroup(Actor),
}

impl AdminProof {
    /// The proof in the words of the audit log.
    fn told(&self, headers: &HeaderMap) -> Proof {
        match self {
            Self::Administrator(_) if headers.contains_key(header::AUTHORIZATION) => Proof::Password,
            Self::Administrator(_) => Proof::Session,
            Self::AccessToken(known) => Proof::Token(known.token_name.clone()),
            Self::GatewayGroup(_) => Proof::Token(None),
        }
    }
}

/// A caller of the Admin API, whatever they may do; also one whose one-time password is still in force.
#[derive(Clone, Debug)]
pub struct AnyAdminCaller {
    /// The call.
    pub caller: Caller,
    /// How it was proved.
    pub proof: AdminProof,
}

/// A caller of the Admin API who need not change a password first.
#[derive(Clone, Debug)]
pub struct AdminCaller(pub Caller);

impl AnyAdminCaller {
    /// Whoever proved who they are, before anything else is asked of the call.
    async fn proved(parts: &mut Parts, context: &Context) -> Result<(Self, Call), Problem> {
        let call = Call::from_request_parts(parts, context).await?;
        let proof = prove(&parts.headers, context, &call).await?;
        call.journal.note_proof(proof.told(&parts.headers));
        let by_cookie =
            parts.headers.get("x-api-key").is_none() && parts.headers.get(header::AUTHORIZATION).is_none();
        if by_cookie && is_foreign_change(parts) {
            return Err(Error::forbidden("cross-site requests cannot change anything").into());
        }
        let actor = match &proof {
            AdminProof::Administrator(known) | AdminProof::AccessToken(known) => known.actor(),
            AdminProof::GatewayGroup(actor) => actor.clone(),
        };
        Ok((Self { caller: call.by(actor, Source::AdminApi), proof }, call))
    }
}

impl FromRequestParts<Context> for AnyAdminCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let (caller, call) = Self::proved(parts, context).await?;
        call.unobjected()?;
        Ok(caller)
    }
}

impl FromRequestParts<Context> for AdminCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let (any, call) = AnyAdminCaller::proved(parts, context).await?;
        match any.proof {
            AdminProof::Administrator(known) | AdminProof::AccessToken(known)
                if known.must_change_password() =>
            {
                Err(Error::forbidden("password change required").into())
            }
            _ => {
                call.unobjected()?;
                Ok(Self(any.caller))
            }
        }
    }
}

/// Header `X-API-KEY`, then `Authorization`, then cookie `X-API-KEY`, then the session: the first present decides.
async fn prove(headers: &HeaderMap, context: &Context, call: &Call) -> Result<AdminProof, Problem> {
    let (app, address) = (&context.app, call.address.as_deref());
    let token = |token: TokenOwner| match token {
        TokenOwner::Administrator(known) => AdminProof::AccessToken(known),
        TokenOwner::GatewayGroup(actor) => AdminProof::GatewayGroup(actor),
    };
    if let Some(key) = headers.get("x-api-key") {
        return Ok(token(authentication::by_token(app, address, key.to_str().unwrap_or_default()).await?));
    }
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, rest) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(token(authentication::by_token(app, address, rest.trim()).await?));
        }
        let (username, password) = basic(scheme, rest).ok_or_else(Problem::unauthorized)?;
        // A wrong pair is refused and put on record whatever it was shown for, also for a preview.
        let caller = Caller { preview: None, ..call.by(Actor::System, Source::AdminApi) };
        let known = authentication::by_password_on_record(app, &caller, &username, &password).await?;
        return Ok(AdminProof::Administrator(known));
    }
    if let Some(key) = cookies::read(headers, "X-API-KEY") {
        return Ok(token(authentication::by_token(app, address, key).await?));
    }
    let session = cookies::read(headers, ADMINISTRATOR_COOKIE).ok_or_else(Problem::unauthorized)?;
    Ok(AdminProof::Administrator(authentication::by_session(app, session).await?))
}

fn basic(scheme: &str, rest: &str) -> Option<(String, String)> {
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(username, password)| (username.to_owned(), password.to_owned()))
}

/// Whether a browser says that another site would change something. What no page of ours links to, another origin of
/// the same site may not link to either: such a GET names no origin.
fn is_foreign_change(parts: &Parts) -> bool {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    match path == Some(CHANGING_READ) {
        true => origins::is_link_of_another_site(&parts.headers),
        false => is_change(&parts.method) && origins::is_cross_site(&parts.headers),
    }
}

/// A front end that speaks for a portal (class P of the Portal API): the developer header is ignored.
#[derive(Clone, Debug)]
pub struct FrontEnd {
    /// The call.
    pub caller: Caller,
    /// The portal.
    pub portal_id: PortalId,
}

/// A developer or guest of a portal (classes G and D of the Portal API).
#[derive(Clone, Debug)]
pub struct PortalCaller(pub Caller);

impl PortalCaller {
    /// The developer that this is; a guest is told to say who they are.
    pub fn developer(self) -> Result<DeveloperCaller, Problem> {
        match self.0.actor {
            Actor::Guest(_) => Err(Error::unauthenticated_because("developer id is required").into()),
            _ => Ok(DeveloperCaller(self.0)),
        }
    }
}

impl FromRequestParts<Context> for FrontEnd {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let call = Call::from_request_parts(parts, context).await?;
        let value = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let (scheme, token) = value.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthorized());
        }
        let token =
            authentication::by_portal_token(&context.app, call.address.as_deref(), token.trim()).await?;
        call.unobjected()?;
        call.journal.note_proof(Proof::Token(Some(token.name.clone())));
        let actor = Actor::PortalFrontEnd(token.portal_id.clone());
        Ok(Self { caller: call.by(actor, Source::PortalApi), portal_id: token.portal_id })
    }
}

impl FromRequestParts<Context> for PortalCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let front_end = FrontEnd::from_request_parts(parts, context).await?;
        let named =
            parts.headers.get("x-portal-developer-id").map(|value| value.to_str().unwrap_or("\u{fffd}"));
        let actor = match named.filter(|name| !name.is_empty()) {
            None => Actor::Guest(front_end.portal_id.clone()),
            Some(name) => {
                let developer =
                    authentication::developer_named(&context.app, &front_end.portal_id, name).await?;
                authentication::acting(&developer, None)
            }
        };
        let caller = front_end.caller.acting_as(actor);
        // Where nobody is named the audit log tells of the front end that called.
        if !matches!(caller.actor, Actor::Guest(_)) {
            caller.journal.note_caller(&caller);
        }
        Ok(Self(caller))
    }
}

/// A developer of a portal (class D of the Portal API); a guest is told to say who they are.
#[derive(Clone, Debug)]
pub struct DeveloperCaller(pub Caller);

impl FromRequestParts<Context> for DeveloperCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        PortalCaller::from_request_parts(parts, context).await?.developer()
    }
}
