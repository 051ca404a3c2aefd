//! Every state is one that its noun knows, and what goes with a state is there and nothing else.

use std::collections::BTreeMap;

use forecourt_core::{
    applications::ApplicationStatus,
    approvals::{ApprovalEvent, ApprovalResult, ApprovalStatus},
    credentials::CredentialType,
    deliveries::DeliveryState,
    developers::{DeveloperProvider, DeveloperStatus},
    products::{ProductStatus, ProductType, Visibility},
    subscriptions::SubscriptionStatus,
};

use super::{Findings, Row, Snapshot};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    words(snapshot, findings);
    times(snapshot, findings);
    applications(snapshot, findings);
    subscriptions(snapshot, findings);
    approvals(snapshot, findings);
    registrations(snapshot, findings);
    plans(snapshot, findings);
    deliveries(snapshot, findings);
}

fn words(snapshot: &Snapshot, findings: &mut Findings) {
    type Known = fn(&str) -> bool;
    let columns: [(&str, &str, Known); 11] = [
        ("applications", "status", |word| ApplicationStatus::from_name(word).is_some()),
        ("approvals", "event", |word| ApprovalEvent::from_name(word).is_some()),
        ("approvals", "status", |word| ApprovalStatus::from_name(word).is_some()),
        ("credentials", "credential_type", |word| CredentialType::from_name(word).is_some()),
        ("deliveries", "state", |word| DeliveryState::from_name(word).is_some()),
        ("developers", "provider", |word| DeveloperProvider::from_name(word).is_some()),
        ("developers", "status", |word| DeveloperStatus::from_name(word).is_some()),
        ("products", "product_type", |word| ProductType::from_name(word).is_some()),
        ("products", "status", |word| ProductStatus::from_name(word).is_some()),
        ("products", "visibility", |word| Visibility::from_name(word).is_some()),
        ("subscriptions", "status", |word| SubscriptionStatus::from_name(word).is_some()),
    ];
    for (table, column, is_known) in columns {
        for row in snapshot.rows(table) {
            let word = row.text(column);
            findings.expect(is_known(word), "state", row, || format!("{column} is {word:?}"));
        }
    }
}

/// Nothing changed before it was made.
fn times(snapshot: &Snapshot, findings: &mut Findings) {
    for table in snapshot.tables() {
        for row in snapshot.rows(table) {
            if !row.has("created_at") || !row.has("updated_at") {
                continue;
            }
            let (made, changed) = (row.count("created_at"), row.count("updated_at"));
            findings.expect(made <= changed, "times", row, || {
                format!("it changed at {changed}, before it was made at {made}")
            });
        }
    }
}

fn applications(snapshot: &Snapshot, findings: &mut Findings) {
    for row in snapshot.rows("applications") {
        let is_active = row.text("status") == ApplicationStatus::Active.name();
        findings.expect(!is_active || row.text("status_reason").is_empty(), "suspension", row, || {
            "it is active and has a reason of its suspension".into()
        });
    }
}

/// A subscription in force says since when; one that waits has the one approval that it waits for.
fn subscriptions(snapshot: &Snapshot, findings: &mut Findings) {
    let mut pending: BTreeMap<&str, usize> = BTreeMap::new();
    for approval in snapshot.rows("approvals").iter().filter(|row| is_pending(row)) {
        if let Some(id) = approval.optional("subscription_id") {
            *pending.entry(id).or_default() += 1;
        }
    }
    for row in snapshot.rows("subscriptions") {
        let is_active = row.text("status") == SubscriptionStatus::Subscribed.name();
        let since = row.number("subscribed_at");
        findings.expect(is_active == since.is_some(), "subscription times", row, || {
            format!("it is {} and subscribed_at is {since:?}", row.text("status"))
        });
        let waiting_for = pending.get(row.text("id")).copied().unwrap_or(0);
        let expected = usize::from(!is_active);
        findings.expect(waiting_for == expected, "approval of a subscription", row, || {
            format!("it is {} and has {waiting_for} pending approvals", row.text("status"))
        });
    }
}

fn approvals(snapshot: &Snapshot, findings: &mut Findings) {
    let subscriptions = snapshot.by("subscriptions", "id");
    for row in snapshot.rows("approvals") {
        let is_pending = is_pending(row);
        let (result, at) = (row.optional("result"), row.number("operated_at"));
        let is_known = result.is_none_or(|word| ApprovalResult::from_name(word).is_some());
        findings.expect(is_known, "state", row, || format!("result is {result:?}"));
        let is_whole = result.is_some() == at.is_some() && result.is_none() == is_pending;
        findings.expect(is_whole, "decision", row, || {
            format!("it is {}, its result {result:?}, decided at {at:?}", row.text("status"))
        });
        let of_subscription = row.text("event") == ApprovalEvent::ProductSubscription.name();
        let names = [row.optional("subscription_id"), row.optional("product_id")];
        findings.expect(
            names.iter().all(|name| name.is_some() == of_subscription),
            "subject of an approval",
            row,
            || format!("it asks {} about {names:?}", row.text("event")),
        );
        if !of_subscription || !is_pending {
            continue;
        }
        let product = subscriptions.get(row.text("subscription_id")).map(|found| found.text("product_id"));
        findings.expect(product == row.optional("product_id"), "subject of an approval", row, || {
            format!("it is pending, and its subscription is one to {product:?}")
        });
    }
}

/// Who waits is asked about, and nobody else.
fn registrations(snapshot: &Snapshot, findings: &mut Findings) {
    let of_registration = |row: &&Row| row.text("event") == ApprovalEvent::DeveloperRegistration.name();
    let pending = snapshot.rows("approvals").iter().filter(|row| is_pending(row)).filter(of_registration);
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for approval in pending {
        *asked.entry(approval.text("developer_id")).or_default() += 1;
    }
    for row in snapshot.rows("developers") {
        let waits = row.text("status") == DeveloperStatus::Pending.name();
        let count = asked.remove(row.text("id")).unwrap_or(0);
        findings.expect(count == usize::from(waits), "approval of a registration", row, || {
            format!("it is {} and has {count} pending approvals", row.text("status"))
        });
    }
    for developer in asked.keys() {
        findings.add(
            "approval of a registration",
            format!("developers {developer}"),
            "nobody is asked about",
        );
    }
}

/// A product with plans has one that is the default.
fn plans(snapshot: &Snapshot, findings: &mut Findings) {
    let mut defaults: BTreeMap<&str, usize> = BTreeMap::new();
    for plan in snapshot.rows("plans") {
        *defaults.entry(plan.text("product_id")).or_default() += usize::from(plan.is("is_default"));
    }
    for (product, count) in defaults {
        if count != 1 {
            findings.add("default plan", format!("products {product}"), format!("{count} are its default"));
        }
    }
}

fn deliveries(snapshot: &Snapshot, findings: &mut Findings) {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut logged: BTreeMap<&str, i64> = BTreeMap::new();
    for attempt in snapshot.rows("delivery_attempts") {
        let id = attempt.text("delivery_id");
        *taken.entry(id).or_default() += usize::from(attempt.text("error").is_empty());
        let last = logged.entry(id).or_default();
        *last = attempt.count("number").max(*last);
    }
    for row in snapshot.rows("deliveries") {
        let (id, state) = (row.text("id"), row.text("state"));
        let waits = state == DeliveryState::Waiting.name();
        let next = row.number("next_attempt_at");
        findings.expect(waits == next.is_some(), "delivery state", row, || {
            format!("it is {state} and is tried next at {next:?}")
        });
        let (attempts, last) = (row.count("attempts"), logged.get(id).copied().unwrap_or(0));
        findings.expect(last <= attempts, "delivery attempts", row, || {
            format!("it was tried {attempts} times and its log has the attempt {last}")
        });
        let is_delivered = state == DeliveryState::Delivered.name();
        let times = taken.get(id).copied().unwrap_or(0);
        findings.expect(!is_delivered || times > 0, "delivery attempts", row, || {
            "it was delivered and no attempt was taken".into()
        });
    }
}

fn is_pending(row: &Row) -> bool {
    row.text("status") == ApprovalStatus::Pending.name()
}
