//! The catalogue's list.

use axum::response::Response;
use forecourt_app::{
    labels::{self, CatalogueLabels},
    products::catalogue::{self, CatalogueFilter},
};
use forecourt_core::{labels::LabelCondition, lists::TextFilter, products::SubscriptionState};

use super::{products::card, visitors::Looker};
use crate::{
    developer::hub::Hub,
    handling::{Asked, Failed, Web},
    links::{Link, developer},
    lists::{Chip, Paging, Search},
};

const PAGE_SIZE: u64 = 12;
/// The most labels offered as filters; search finds the rest.
const MOST_LABELS: usize = 16;

/// `GET /hub`.
pub(super) async fn list(Looker { visitor, caller }: Looker, asked: Asked) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let app = visit.web.app();
    let (search, label) = (asked.text("search"), asked.text("label"));
    let state = SubscriptionState::from_name(asked.text("status"));
    let status = state.map_or("", SubscriptionState::name);
    let filter = CatalogueFilter {
        text: TextFilter {
            search: asked.given("search").map(str::to_owned),
            labels: condition(label).into_iter().collect(),
        },
        subscription: state,
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = catalogue::list(app, &caller, filter).await?;
    let at = |status: &str, label: &str, page: &str| {
        developer::hub().with_query(&[
            ("search", search),
            ("status", status),
            ("label", label),
            ("page", page),
        ])
    };
    let in_use = labels::of_catalogue(app, &caller, CatalogueLabels::Products).await?;
    let pairs = in_use.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
    let label_chips = pairs.take(MOST_LABELS).map(|(key, value)| {
        let own = format!("{key}:{value}");
        let selected = own == label;
        Chip::new(format!("{key}: {value}"), at(status, if selected { "" } else { &own }, ""), selected)
    });
    let is_member = visitor.person.as_ref().is_some_and(|person| !person.is_pending());
    visit.show(&Hub {
        search: Search::new(developer::hub(), search, &[("status", status), ("label", label)]),
        statuses: if is_member {
            status_chips(&visit.web, state, |word| at(word, label, ""))
        } else {
            Vec::new()
        },
        labels: label_chips.collect(),
        products: found.rows.iter().map(card).collect(),
        paging: Paging::new(asked.page(), PAGE_SIZE, found.total, |n| at(status, label, &n.to_string())),
        filtered: !(search.is_empty() && status.is_empty() && label.is_empty()),
    })
}

fn condition(label: &str) -> Option<LabelCondition> {
    let (key, value) = label.split_once(':')?;
    Some(LabelCondition { key: key.to_owned(), value: (!value.is_empty()).then(|| value.to_owned()) })
}

fn status_chips(web: &Web, chosen: Option<SubscriptionState>, at: impl Fn(&str) -> Link) -> Vec<Chip> {
    use SubscriptionState::{Subscribed, Unsubscribed, WaitForApproval};
    let chip = |text: String, state: Option<SubscriptionState>| {
        Chip::new(text, at(state.map_or("", SubscriptionState::name)), chosen == state)
    };
    vec![
        chip(web.say("list.all", &[]), None),
        chip(web.say("status.subscribed", &[]), Some(Subscribed)),
        chip(web.say("status.wait_for_approval", &[]), Some(WaitForApproval)),
        chip(web.say("hub.unsubscribed", &[]), Some(Unsubscribed)),
    ]
}
