//! The first page.

use axum::response::Response;
use forecourt_app::products::catalogue::{self, CatalogueFilter};
use forecourt_core::{lists::Paging, portals::Portal};

use super::{products::card, visitors::Looker};
use crate::{developer::home::Home, handling::Failed};

/// How many products the first page shows.
const FEATURED: u64 = 6;

/// `GET /`.
pub(super) async fn show(Looker { visitor, caller }: Looker) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let filter = CatalogueFilter { paging: Paging::Page { page: 1, size: FEATURED }, ..Default::default() };
    let found = catalogue::list(visit.web.app(), &caller, filter).await?;
    let is_unnamed = visitor.portal.name == Portal::DEFAULT_NAME;
    visit.show(&Home {
        headline: is_unnamed.then(|| visit.web.say("home.headline_unnamed", &[])),
        lead: Some(visitor.portal.desc.clone()).filter(|lead| !lead.is_empty()),
        products: found.total,
        featured: found.rows.iter().map(card).collect(),
    })
}
