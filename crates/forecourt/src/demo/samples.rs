//! The demo's sample data, made through the same use cases that pages and APIs call.

use std::net::SocketAddr;

use forecourt_app::{
    App, Error, administrators, applications,
    approvals::{self, DecisionInput, Verdict},
    authentication::KnownAdministrator,
    credentials::{self, NewSecret},
    persons::{self, NewPerson},
    portal_tokens, portals, products, routes, services, subscriptions, usage,
};
use forecourt_core::{
    actors::{Actor, Caller, Receipt, Source},
    applications::{Application, ApplicationInput},
    approvals::{ApprovalEvent, ApprovalFilter, ApprovalStatus},
    audit_logs::Journal,
    credentials::CredentialInput,
    gateway_state::{BasicAuthMethod, KeyAuthMethod},
    ids::{CredentialId, GatewayGroupId, PortalId, ProductId, RouteId, ServiceId},
    portals::{PortalFilter, PortalInput},
    products::{LinkedService, ProductAuth, ProductStatus, ProductType, changes::ProductInput},
    routes::RouteInput,
    secrets::PlainSecret,
    services::{
        ServiceInput,
        upstreams::{UpstreamInput, UpstreamNodeInput},
    },
    usage::{StatusClass, Totals},
};
use forecourt_wire::usage::{UsageBatch, UsageCount};

use super::{ADA, ADA_PASSWORD, ADMIN_PASSWORD};

/// What is shown once and must be told.
pub(super) struct Secrets {
    /// Ada's key for both gateway products.
    pub(super) key: PlainSecret,
    /// A token of the portal.
    pub(super) portal_token: PlainSecret,
}

/// A call by `actor` through `source`.
pub(super) fn caller(app: &App, actor: Actor, source: Source) -> Caller {
    let request_id = app.new_request_id();
    let address = Some("127.0.0.1".into());
    let (receipt, journal) = (Receipt::default(), Journal::default());
    Caller { actor, source, request_id, address, receipt, preview: None, journal }
}

/// The two services with their routes and documents; put at each start, since addresses change.
pub(super) async fn put_services(
    app: &App,
    caller: &Caller,
    upstream: SocketAddr,
    gateway: &str,
) -> Result<(), Error> {
    let samples = [("orders", include_str!("orders.yaml")), ("catalogue", include_str!("catalogue.yaml"))];
    for (name, document) in samples {
        let group = Some(GatewayGroupId::default_group());
        let node = UpstreamNodeInput {
            host: upstream.ip().to_string(),
            port: upstream.port().into(),
            weight: 1,
            priority: 0,
        };
        let service = ServiceInput {
            name: Some(name.into()),
            desc: Some("Part of the sample shop".into()),
            path_prefix: Some(format!("/{name}-api")),
            upstream: Some(UpstreamInput { nodes: vec![node], ..Default::default() }),
            ..Default::default()
        };
        let id = ServiceId::known(name);
        services::put(app, caller, id.clone(), group.clone(), service).await?;
        let route =
            RouteInput { name: Some(name.into()), paths: Some(vec!["/*".into()]), ..Default::default() };
        routes::put(app, caller, RouteId::known(name), group.clone(), name, route).await?;
        let document = document.replace("{gateway}", gateway);
        services::replace_document(app, caller, &id, group.as_ref(), &document).await?;
    }
    Ok(())
}

/// Everything but the services, once: `admin` has just proved the one-time password.
pub(super) async fn make(app: &App, admin: &KnownAdministrator, site: &str) -> Result<Secrets, Error> {
    let provider = caller(app, admin.actor(), Source::Console);
    administrators::change_password(app, &provider, admin, ADMIN_PASSWORD, None).await?;
    let all = portals::list(app, &provider, &PortalFilter::default()).await?;
    let portal = all.rows.into_iter().next().ok_or_else(Error::not_found)?.id;
    let input = PortalInput {
        name: Some("Sample shop".into()),
        desc: Some("APIs of a small shop".into()),
        public_url: Some(site.to_owned()),
        ..Default::default()
    };
    portals::update(app, &provider, &portal, input).await?;
    let token = portal_tokens::create(app, &provider, &portal, "demo front end", None).await?;
    let [orders, catalogue] = make_products(app, &provider, &portal).await?;

    let ada = sign_up(app, &portal, "Ada Lovelace", ADA, ADA_PASSWORD).await?;
    accept_all(app, &provider, &portal).await?;
    let ada = persons::by_session(app, &portal, ada.reveal()).await?.ok_or_else(Error::unauthenticated)?;
    let developer = caller(app, ada.actor(), Source::Site);
    // Waits for an approval, so that the inbox shows one of each kind.
    sign_up(app, &portal, "Grace Hopper", "grace@example.com", "demo-grace-password").await?;

    let mobile = make_application(app, &developer, "Mobile app", "The shop in a pocket").await?;
    let batch = make_application(app, &developer, "Warehouse batch", "Nightly stock run").await?;
    let key = make_key(app, &developer, &mobile, "production").await?;
    make_key(app, &developer, &batch, "nightly").await?;
    let ids = |products: &[&ProductId]| products.iter().map(|id| id.to_string()).collect::<Vec<_>>();
    let wanted = ids(&[&orders, &catalogue]);
    subscriptions::request(app, &developer, &[mobile.id.to_string()], &wanted, None).await?;
    accept_subscriptions(app, &provider, &portal).await?;
    subscriptions::request(app, &developer, &[batch.id.to_string()], &ids(&[&orders]), None).await?;
    let called = [(&orders, "orders"), (&catalogue, "catalogue")];
    tell_history(app, &mobile, &key.credential.credential.id, &called).await?;
    let key = key.secret.ok_or_else(Error::not_found)?;
    Ok(Secrets { key, portal_token: token.text })
}

async fn make_products(app: &App, caller: &Caller, portal: &PortalId) -> Result<[ProductId; 2], Error> {
    let key = KeyAuthMethod { header: "apikey".into(), query: "apikey".into(), hide_credentials: true };
    let basic = BasicAuthMethod { hide_credentials: true };
    let link = |service: &str| LinkedService {
        gateway_group_id: GatewayGroupId::default_group(),
        service_id: ServiceId::known(service),
        linked_hosts: Vec::new(),
    };
    let gateway = |name: &str, desc: &str| ProductInput {
        product_type: Some(ProductType::Gateway),
        name: Some(name.into()),
        desc: Some(desc.into()),
        status: Some(ProductStatus::Published),
        auth: Some(ProductAuth { key_auth: Some(key.clone()), ..Default::default() }),
        ..Default::default()
    };
    let orders = ProductInput {
        auth: Some(ProductAuth {
            key_auth: Some(key.clone()),
            basic_auth: Some(basic),
            ..Default::default()
        }),
        services: Some(vec![link("orders")]),
        labels: Some([("team".to_owned(), "sales".to_owned())].into()),
        ..gateway("Orders", "Take orders and look them up. Each application is approved by the provider.")
    };
    let catalogue = ProductInput {
        subscription_auto_approval: Some(true),
        services: Some(vec![link("catalogue")]),
        labels: Some([("team".to_owned(), "merchandise".to_owned())].into()),
        ..gateway("Catalogue", "Articles, prices and stock. Subscribe and call at once.")
    };
    let weather = ProductInput {
        product_type: Some(ProductType::External),
        name: Some("Weather".into()),
        desc: Some("Forecasts by a partner; called there, described here.".into()),
        status: Some(ProductStatus::Published),
        document: Some(include_str!("weather.yaml").into()),
        tags: Some(vec!["partner".into()]),
        ..Default::default()
    };
    let returns = ProductInput {
        status: Some(ProductStatus::Draft),
        ..gateway("Returns", "Send articles back. Not yet published.")
    };
    let orders = products::create(app, caller, portal, orders).await?.product.id;
    let catalogue = products::create(app, caller, portal, catalogue).await?.product.id;
    products::create(app, caller, portal, weather).await?;
    products::create(app, caller, portal, returns).await?;
    Ok([orders, catalogue])
}

async fn sign_up(
    app: &App,
    portal: &PortalId,
    name: &str,
    email: &str,
    password: &str,
) -> Result<PlainSecret, Error> {
    let guest = caller(app, Actor::Guest(portal.clone()), Source::Site);
    let person =
        NewPerson { name: name.into(), email: email.into(), password: PlainSecret::presented(password) };
    let signed_up = persons::sign_up(app, &guest, portal, person, "demo").await?;
    // A database of demos sends no mail, so that nobody has to prove an address first.
    Ok(signed_up.ok_or_else(|| Error::unauthenticated_because("mail is sent"))?.token)
}

/// Says yes to everything that waits.
async fn accept_all(app: &App, caller: &Caller, portal: &PortalId) -> Result<(), Error> {
    decide(app, caller, portal, |_| true).await
}

async fn accept_subscriptions(app: &App, caller: &Caller, portal: &PortalId) -> Result<(), Error> {
    decide(app, caller, portal, |event| event == ApprovalEvent::ProductSubscription).await
}

async fn decide(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    fits: impl Fn(ApprovalEvent) -> bool,
) -> Result<(), Error> {
    let filter = ApprovalFilter {
        portal_id: Some(portal.clone()),
        status: Some(ApprovalStatus::Pending),
        ..Default::default()
    };
    for approval in approvals::list(app, caller, filter).await?.rows {
        if fits(approval.event()) {
            approvals::decide(app, caller, &approval.id, Verdict::Accept, DecisionInput::default()).await?;
        }
    }
    Ok(())
}

async fn make_application(app: &App, caller: &Caller, name: &str, desc: &str) -> Result<Application, Error> {
    let input = ApplicationInput { name: Some(name.into()), desc: Some(desc.into()), ..Default::default() };
    applications::create(app, caller, input, &[]).await
}

async fn make_key(
    app: &App,
    caller: &Caller,
    application: &Application,
    name: &str,
) -> Result<credentials::IssuedCredential, Error> {
    let input = CredentialInput { name: Some(name.into()), ..Default::default() };
    credentials::create(app, caller, &application.id, input, NewSecret::KeyAuth).await
}

/// Two days of calls, as a gateway would have delivered them, more by day than by night.
async fn tell_history(
    app: &App,
    application: &Application,
    credential: &CredentialId,
    products: &[(&ProductId, &str)],
) -> Result<(), Error> {
    let now = app.now();
    let mut counts = Vec::new();
    for hours_ago in 1..=48_i64 {
        let at = now.plus_seconds(-3_600 * hours_ago);
        let by_day = 12 - (at.seconds() / 3_600 % 24 - 13).abs();
        for (place, (product, route)) in (1_i64..).zip(products) {
            let calls = by_day * 3 * place + hours_ago * 7 % 11 + 1;
            counts.push(UsageCount {
                product_id: (*product).clone(),
                application_id: application.id.clone(),
                credential_id: credential.clone(),
                route_id: RouteId::known(*route),
                minute: at.minute(),
                status_class: StatusClass::of(200),
                totals: sample_totals(u64::try_from(calls).unwrap_or(1)),
                last_used_at: at,
                last_used_from: "127.0.0.1".into(),
            });
        }
    }
    usage::ingest(app, &UsageBatch { node: usage::new_node(app), spool: String::new(), number: 1, counts })
        .await
}

/// Calls that took 8 to 200 milliseconds, most of them little, with answers of half a kilobyte.
fn sample_totals(calls: u64) -> Totals {
    let mut totals = Totals { calls, bytes_out: calls * 512, ..Totals::default() };
    for call in 0..calls {
        totals.times.record(8_000 + (call * 37 % 100).pow(2) * 20);
    }
    totals
}
