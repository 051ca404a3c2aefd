//! Each row's others are there: also where the engine has no foreign key to enforce it, and where both must belong to the
//! same portal or gateway group.

use std::collections::BTreeSet;

use super::{Findings, Snapshot};

/// Column and table, and the column of the table that it names. Null and an empty text name nothing.
const REFERENCES: &[(&str, &str, &str, &str)] = &[
    ("admin_tokens", "administrator_id", "administrators", "id"),
    ("administrator_roles", "administrator_id", "administrators", "id"),
    ("administrator_roles", "role_id", "roles", "id"),
    ("administrators", "boundary_id", "permission_policies", "id"),
    ("applications", "developer_id", "developers", "id"),
    ("applications", "portal_id", "portals", "id"),
    ("approval_links", "approval_id", "approvals", "id"),
    ("approvals", "portal_id", "portals", "id"),
    ("certificates", "gateway_group_id", "gateway_groups", "id"),
    ("consumer_credentials", "consumer_key", "consumers", "key"),
    ("consumer_identities", "consumer_key", "consumers", "key"),
    ("consumers", "gateway_group_id", "gateway_groups", "id"),
    ("credentials", "application_id", "applications", "id"),
    ("deliveries", "event_id", "events", "id"),
    ("delivery_attempts", "delivery_id", "deliveries", "id"),
    ("developers", "portal_id", "portals", "id"),
    ("group_objects", "gateway_group_id", "gateway_groups", "id"),
    ("group_objects", "service_id", "services", "id"),
    ("identities", "administrator_id", "administrators", "id"),
    ("identities", "option_id", "login_options", "id"),
    ("identities", "person_id", "persons", "id"),
    ("instance_tokens", "gateway_group_id", "gateway_groups", "id"),
    ("login_options", "portal_id", "portals", "id"),
    ("memberships", "organization_id", "organizations", "id"),
    ("memberships", "person_id", "persons", "id"),
    ("notices", "event_id", "events", "id"),
    ("oauth_clients", "credential_id", "credentials", "id"),
    ("oauth_clients", "provider_id", "dcr_providers", "id"),
    ("organizations", "developer_id", "developers", "id"),
    ("organizations", "portal_id", "portals", "id"),
    ("persons", "portal_id", "portals", "id"),
    ("plans", "product_id", "products", "id"),
    ("portal_directories", "portal_id", "portals", "id"),
    ("portal_tokens", "portal_id", "portals", "id"),
    ("product_contact_points", "contact_point_id", "contact_points", "id"),
    ("product_contact_points", "product_id", "products", "id"),
    ("product_services", "product_id", "products", "id"),
    ("product_services", "service_id", "services", "id"),
    ("products", "portal_id", "portals", "id"),
    ("role_policies", "policy_id", "permission_policies", "id"),
    ("role_policies", "role_id", "roles", "id"),
    ("routes", "service_id", "services", "id"),
    ("scim_persons", "person_id", "persons", "id"),
    ("scim_users", "administrator_id", "administrators", "id"),
    ("service_documents", "service_id", "services", "id"),
    ("services", "gateway_group_id", "gateway_groups", "id"),
    ("sessions", "administrator_id", "administrators", "id"),
    ("sessions", "option_id", "login_options", "id"),
    ("sessions", "person_id", "persons", "id"),
    ("subscriptions", "application_id", "applications", "id"),
    ("subscriptions", "plan_id", "plans", "id"),
    ("subscriptions", "product_id", "products", "id"),
];

/// A column that must be the same in a row and in the one that it names: table, the naming column, its table, the column.
const SAME: &[(&str, &str, &str, &str, &str)] = &[
    ("applications", "developer_id", "developers", "id", "portal_id"),
    ("consumer_identities", "consumer_key", "consumers", "key", "gateway_group_id"),
    ("organizations", "developer_id", "developers", "id", "portal_id"),
    ("product_services", "service_id", "services", "id", "gateway_group_id"),
    ("routes", "service_id", "services", "id", "gateway_group_id"),
    ("subscriptions", "application_id", "applications", "id", "portal_id"),
    ("subscriptions", "plan_id", "plans", "id", "product_id"),
    ("subscriptions", "product_id", "products", "id", "portal_id"),
];

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    for (table, column, parent, key) in REFERENCES {
        let known = snapshot.by(parent, key);
        for row in snapshot.rows(table) {
            let named = row.text(column);
            findings.expect(named.is_empty() || known.contains_key(named), "reference", row, || {
                format!("{column} names {named:?}, which is not in {parent}")
            });
        }
    }
    for (table, column, parent, key, same) in SAME {
        let known = snapshot.by(parent, key);
        for row in snapshot.rows(table) {
            let Some(other) = known.get(row.text(column)) else { continue };
            findings.expect(row.text(same) == other.text(same), "belongs together", row, || {
                format!("{same} is {}, and that of {} is {}", row.text(same), other.name(), other.text(same))
            });
        }
    }
    contact_points(snapshot, findings);
    owners(snapshot, findings);
}

/// What products' rules name is what keeps a contact point from being deleted.
fn contact_points(snapshot: &Snapshot, findings: &mut Findings) {
    let pairs = snapshot.rows("product_contact_points").iter();
    let kept: BTreeSet<_> = pairs
        .map(|row| (row.text("product_id").to_owned(), row.text("contact_point_id").to_owned()))
        .collect();
    let mut named = BTreeSet::new();
    for product in snapshot.rows("products") {
        let rules = product.json("notifications");
        for id in rules.as_array().into_iter().flatten().flat_map(|rule| rule["contact_point_ids"].as_array())
        {
            let ids = id.iter().filter_map(|id| id.as_str());
            named.extend(ids.map(|id| (product.text("id").to_owned(), id.to_owned())));
        }
    }
    for (product, contact_point) in kept.symmetric_difference(&named) {
        let row = format!("product_contact_points {product}/{contact_point}");
        findings.add("contact points of rules", row, "the product's rules and the table differ");
    }
}

/// A session and an identity are somebody's, and one person's.
fn owners(snapshot: &Snapshot, findings: &mut Findings) {
    for table in ["sessions", "identities"] {
        for row in snapshot.rows(table) {
            let owners = [row.optional("administrator_id"), row.optional("person_id")];
            let count = owners.iter().flatten().count();
            findings.expect(count == 1, "owner", row, || format!("it is of {count} people"));
        }
    }
}
