//! The Portal API over real HTTP, line by line as its contract tells it; one file per part of the contract.
//!
//! `matrix.rs` says who may call what, and is compared with the router's own table.

mod access;
mod applications;
mod approvals;
mod bodies;
mod credentials;
mod credentials_changes;
mod credentials_oauth;
mod credentials_tokens;
mod developers;
mod labels;
mod matrix;
mod products;
mod products_subscribed;
mod queries;
mod subscriptions;
mod subscriptions_ends;
mod usage;

use forecourt_core::{
    actors::{Actor, Caller, Receipt, Source},
    audit_logs::Journal,
    ids::PortalId,
    secrets::PlainSecret,
};
use forecourt_it::{Client, Forecourt, installations::text};
use serde_json::{Value, json};

/// The texts of `member` in every row of a list.
#[track_caller]
fn column(list: &Value, member: &str) -> Vec<String> {
    list["list"].as_array().expect("a list").iter().map(|row| text(&row[member])).collect()
}

/// What `member` says in every row that the page of `path` shows; `total` must count what paging can reach.
async fn listed(api: &Client, path: &str, member: &str) -> Vec<String> {
    let list = api.get(path).await.expect(200);
    let rows = column(&list, member);
    if !path.contains("page") {
        assert_eq!(list["total"], rows.len(), "{path}: {list}");
    }
    rows
}

/// Whether `value` is a time as the contract writes it: `2026-08-07T09:00:00.000Z`.
fn is_time(value: &Value) -> bool {
    let shape: String = value.as_str().unwrap_or_default().chars().map(digit_as_nine).collect();
    shape == "9999-99-99T99:99:99.999Z"
}

fn digit_as_nine(character: char) -> char {
    if character.is_ascii_digit() { '9' } else { character }
}

/// The members that an object has, sorted.
fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A second portal: its id, and a front end of it.
async fn other_portal(f: &Forecourt) -> (String, Client) {
    let admin = f.admin().await;
    let id = text(&admin.post("/api/portals", json!({ "name": "other" })).await.expect(200)["value"]["id"]);
    let path = format!("/api/portal/tokens?portal_id={id}");
    let made = admin.post(&path, json!({ "name": "front end" })).await.expect(200);
    (id, f.portal_api_guest().with_bearer(&text(&made["value"]["token"])))
}

/// Somebody who registered on the portal's own site and waits for an approval: the public id of their developer.
async fn pending_developer(f: &Forecourt, name: &str) -> String {
    let portal = PortalId::known(f.portal_id().await);
    let caller = Caller {
        actor: Actor::Guest(portal.clone()),
        source: Source::Site,
        request_id: f.app().new_request_id(),
        address: None,
        receipt: Receipt::default(),
        preview: None,
        journal: Journal::default(),
    };
    let person = forecourt_app::persons::NewPerson {
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        password: PlainSecret::presented("correct horse battery"),
    };
    forecourt_app::persons::sign_up(&f.app(), &caller, &portal, person, "").await.unwrap();
    let list = f.portal_api().await.get("/api/developers").await.expect(200);
    let rows = list["list"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).expect("the registered developer is listed");
    text(&row["id"])
}
