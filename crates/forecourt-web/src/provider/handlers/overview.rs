//! The console's first page, over all portals.

use axum::{body::Body, http::Response};
use forecourt_app::{applications, approvals, developers, gateway_feed, impacts, products, usage};
use forecourt_core::{
    applications::ApplicationFilter,
    approvals::{ApprovalFilter, ApprovalOrder, ApprovalStatus},
    developers::DeveloperFilter,
    lists::{Direction, Order, Paging},
    permissions::Action,
    products::{ProductFilter, ProductStatus},
    usage::UsageFilter,
};

use super::{Answer, Console, approvals::row};
use crate::{
    display::Status,
    handling::{Failed, Visit},
    links::provider,
    page::Tone,
    provider::overview::{Attention, AttentionKind, Count, CountKind, EmbeddedGateway, Overview},
};

const COUNT: Paging = Paging::Page { page: 1, size: 1 };

pub(super) async fn home(visit: Visit) -> Response<Body> {
    visit.go(&provider::overview())
}

pub(super) async fn page(console: Console) -> Answer {
    let gateway = embedded(&console).filter(|_| console.may_somewhere(Action::GetGatewayInstance));
    let view = Overview {
        counts: counts(&console).await?,
        pending: pending(&console).await?,
        attention: attention(&console, gateway).await?,
        gateway,
    };
    console.visit.show(&view)
}

async fn counts(console: &Console) -> Result<Vec<Count>, Failed> {
    let (app, caller) = (console.app(), &console.caller);
    let published =
        ProductFilter { status: Some(ProductStatus::Published), paging: COUNT, ..Default::default() };
    let everybody = DeveloperFilter { paging: COUNT, ..Default::default() };
    let every = ApplicationFilter { paging: COUNT, ..Default::default() };
    let day = UsageFilter { start: app.now().plus_seconds(-86_400), end: app.now(), ..Default::default() };
    let calls = usage::product_hours(app, caller, day).await?.iter().map(|hour| hour.calls).sum();
    // The lists are one portal's: a link from the number of all would lead to another number.
    let single = console.visit.page.portals.len() == 1;
    let portal = console.visit.page.portal.id.as_str();
    let count = |kind, count, href| Count { kind, count, href: Some(href).filter(|_| single) };
    let counts = [
        (
            Action::GetApiProduct,
            count(
                CountKind::Products,
                products::list(app, caller, &published).await?.total,
                provider::products(portal).with_query(&[("status", ProductStatus::Published.name())]),
            ),
        ),
        (
            Action::GetDeveloper,
            count(
                CountKind::Developers,
                developers::list(app, caller, everybody).await?.total,
                provider::developers(portal),
            ),
        ),
        (
            Action::GetApplication,
            count(
                CountKind::Applications,
                applications::administered(app, caller, &every).await?.total,
                provider::applications(portal),
            ),
        ),
        (Action::GetApiProduct, Count { kind: CountKind::Calls, count: calls, href: None }),
    ];
    let seen = counts.into_iter().filter(|(action, _)| console.may_somewhere(*action));
    Ok(seen.map(|(_, count)| count).collect())
}

async fn pending(console: &Console) -> Result<Vec<crate::provider::approvals::ApprovalRow>, Failed> {
    let filter = ApprovalFilter {
        status: Some(ApprovalStatus::Pending),
        order: Order { by: ApprovalOrder::AppliedAt, direction: Direction::Ascending },
        paging: Paging::Page { page: 1, size: 5 },
        ..Default::default()
    };
    let found = approvals::list(console.app(), &console.caller, filter).await?;
    Ok(found.rows.into_iter().map(|approval| row(console, approval)).collect())
}

fn embedded(console: &Console) -> Option<EmbeddedGateway> {
    let applied = gateway_feed::embedded(console.app())?;
    let latest = *gateway_feed::latest(console.app()).borrow();
    let status = if applied >= latest { Status::InSync } else { Status::Behind };
    Some(EmbeddedGateway { status, revision: u64::try_from(applied).unwrap_or(0) })
}

async fn attention(console: &Console, gateway: Option<EmbeddedGateway>) -> Result<Vec<Attention>, Failed> {
    let found = impacts::attention(console.app(), &console.caller).await?;
    let now = console.app().now();
    let behind = gateway.filter(|gateway| gateway.status == Status::Behind).map(|_| Attention {
        kind: AttentionKind::GatewayBehind,
        tone: Tone::Danger,
        name: String::new(),
        href: provider::gateway(),
    });
    let tokens = found.tokens.into_iter().map(|(token, end)| {
        let (kind, tone) = if end <= now {
            (AttentionKind::TokenExpired, Tone::Danger)
        } else {
            (AttentionKind::TokenExpiring, Tone::Warning)
        };
        Attention { kind, tone, name: token.name, href: provider::tokens(token.portal_id.as_str()) }
    });
    let products = found.unreachable_products.into_iter().map(|product| Attention {
        kind: AttentionKind::ProductWithoutServices,
        tone: Tone::Warning,
        href: provider::product(product.portal_id.as_str(), &product.id),
        name: product.name,
    });
    Ok(behind.into_iter().chain(tokens).chain(products).collect())
}
