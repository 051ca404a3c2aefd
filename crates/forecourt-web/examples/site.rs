//! The Developer Portal site with sample data on a database of its own: `cargo run --example site -p
//! forecourt-web [ADDRESS [DOCUMENT]]`, at 127.0.0.1:3001 where no address is given. Sign in as
//! `ada@example.com` with the password that it prints; DOCUMENT becomes a product's API description.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "an example of fixed data, on the real clock"
)]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/harness/mod.rs"]
mod harness;

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use axum::http::StatusCode;
use forecourt_app::{applications, usage};
use forecourt_core::{
    ids::{ApplicationId, CredentialId, NodeId, ProductId, RouteId},
    products::Visibility,
    time::Timestamp,
    usage::{StatusClass, Totals},
};
use forecourt_wire::usage::{UsageBatch, UsageCount};
use harness::{Browser, PASSWORD, PAYMENTS, Product, Site};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros().try_into().unwrap())
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3001".to_owned());
    let large = arguments.next().map(|path| std::fs::read_to_string(path).unwrap());
    let site = Site::open_at(Arc::new(now), "http://127.0.0.1:9080").await;
    let products = products(&site, large.as_deref()).await;
    let mut ada = site.member("Ada").await;
    fill(&site, &mut ada, &products).await;
    site.member("Empty").await;
    site.registration(&site.portal.id, true, false).await;
    let mut waiting = site.browser();
    assert_eq!(waiting.register("Waiting").await.status, StatusCode::SEE_OTHER);
    let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
    println!(
        "http://{} — ada@example.com, empty@example.com, waiting@example.com: {PASSWORD}",
        listener.local_addr().unwrap()
    );
    let service = site.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await.unwrap();
}

async fn products(site: &Site, large: Option<&str>) -> Vec<ProductId> {
    let rows = [
        (
            "Payments",
            "Take card and bank payments, refund them, and settle to any account in the euro area.",
            "payments",
            true,
        ),
        (
            "Shipment tracking",
            "Where a parcel is, where it was, and when it will arrive. Push or poll.",
            "logistics",
            true,
        ),
        (
            "Customs and tariff classification for cross-border consignments",
            "HS codes, duties and restricted goods for 40 countries. Answers within 80 ms; the tariff data is renewed nightly from the customs authorities, and each answer names the legal source it relies upon.",
            "customs",
            false,
        ),
        ("Address validation", "Checks and completes postal addresses.", "logistics", true),
        ("Exchange rates", "", "reference data", true),
        ("Invoices", "Create, send and archive e-invoices (XRechnung, Peppol).", "payments", false),
        ("Returns", "Labels and pick-ups for what comes back.", "logistics", true),
    ];
    let mut ids = Vec::new();
    for (number, (name, desc, domain, auto_approval)) in rows.into_iter().enumerate() {
        let prefix = format!("/{domain}-{number}").replace(' ', "-");
        let labels = [("domain", domain)];
        let document = match (number, large) {
            (1, Some(large)) => large,
            (4, _) => "",
            _ => PAYMENTS.document,
        };
        let product = Product {
            name,
            desc,
            labels: &labels,
            prefix: &prefix,
            document,
            auto_approval,
            visibility: if number == 6 { Visibility::LoggedIn } else { Visibility::Public },
            ..PAYMENTS
        };
        ids.push(site.product(&product).await);
    }
    ids
}

async fn fill(site: &Site, ada: &mut Browser, products: &[ProductId]) {
    let names = [
        "Month-end reconciliation",
        "A partner integration with an unreasonably long name that goes on and on, EU-West-2_production",
        "Warehouse sync",
        "Checkout frontend",
    ];
    let mut first = String::new();
    for name in names {
        let chosen = [("products", products[0].as_str()), ("products", products[2].as_str())];
        let typed = [
            ("name", name),
            ("desc", "The shop's payment step, web and app"),
            ("labels", "team: shop\ntier: 1"),
        ];
        let fields: Vec<_> = typed.into_iter().chain(chosen).collect();
        first = ada.submit("/applications/new", &fields).await.location().to_owned();
    }
    let new = format!("{first}/credentials/new");
    ada.submit(&new, &[("name", "Production")]).await;
    let basic = [("kind", "basic_auth"), ("name", "Nightly batch"), ("username", "warehouse-sync")];
    ada.submit(&new, &basic).await;
    let page = ada.get(&first).await;
    let credential =
        page.text.split('"').find(|part| part.ends_with("/edit") && part.contains("/credentials/"));
    let credential = credential.unwrap().trim_end_matches("/edit").rsplit('/').next().unwrap().to_owned();
    let application = first.rsplit('/').next().unwrap();
    let count = |hour: i64| UsageCount {
        product_id: products[0].clone(),
        application_id: ApplicationId::parse(application).unwrap(),
        credential_id: CredentialId::parse(&credential).unwrap(),
        route_id: RouteId::known(""),
        minute: now().hour().plus_seconds(-3600 * hour),
        status_class: StatusClass::of(200),
        totals: Totals {
            calls: u64::try_from(900 - (hour - 11) * (hour - 11) * 5).unwrap(),
            ..Totals::default()
        },
        last_used_at: now().plus_seconds(-40),
        last_used_from: "192.0.2.17".to_owned(),
    };
    let node = NodeId::parse("nod_sample").unwrap();
    usage::ingest(
        &site.app,
        &UsageBatch { node, spool: String::new(), number: 1, counts: (0..24).map(count).collect() },
    )
    .await
    .unwrap();
    while usage::add_up(&site.app).await.unwrap() {}
    let page = ada.get("/applications?search=Month").await;
    let path = page.text.split('"').find(|part| part.starts_with("/applications/app_")).unwrap();
    let id = ApplicationId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let reason = "Calls from an unknown network since Tuesday; please regenerate the keys.";
    applications::suspend(&site.app, &site.administrator(), &id, reason).await.unwrap();
}
