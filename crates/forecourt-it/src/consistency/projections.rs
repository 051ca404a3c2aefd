//! What gateways are told is what the domain says: every row of the change log, made anew and compared.

use std::collections::BTreeMap;

use forecourt_app::{master_keys, sealing};
use forecourt_core::{
    gateway_state::{Resource, Scope},
    group_objects::GroupObjectKind,
    ids::{
        ApplicationId, CertificateId, CredentialId, GatewayGroupId, PortalId, ProductId, RouteId, ServiceId,
        SubscriptionId,
    },
    secrets::{KeptSecret, SecretDigest},
};
use forecourt_identity::sealing::{MasterKey, Sealer};
use forecourt_store::Reader;
use serde_json::Value;

use super::{Findings, Row, Snapshot, change_logs::is_live};
use crate::TestDatabase;

/// What gateways are to be told.
struct Told {
    /// By kind and key: scopes and bodies.
    rows: BTreeMap<(String, String), (String, Value)>,
    sealer: Sealer,
    /// Secrets of the domain that do not open: their places, and why.
    closed: Vec<(String, String)>,
}

/// Reads the domain once more, which must be at rest since the snapshot.
pub(super) async fn check(database: &TestDatabase, snapshot: &Snapshot, findings: &mut Findings) {
    let reader = Reader::open(&database.location()).await.unwrap();
    let sealer = match sealer(&reader, database).await {
        Ok(sealer) => sealer,
        Err(problem) => {
            findings.add("sealed secret", "data_keys", problem);
            return;
        }
    };
    let mut expected = Told { rows: BTreeMap::new(), sealer: sealer.clone(), closed: Vec::new() };
    of_portals(&reader, snapshot, &mut expected).await;
    of_products(&reader, snapshot, &mut expected).await;
    of_groups(&reader, snapshot, &mut expected).await;
    of_consumers(&reader, snapshot, &mut expected).await;
    for row in snapshot.rows("gateway_resources").iter().filter(|row| is_live(row)) {
        let place = (row.text("kind").to_owned(), row.text("key").to_owned());
        let Some(said) = expected.rows.remove(&place) else {
            findings.add("projection", row.name(), "gateways are told of what is not there, or not in force");
            continue;
        };
        let mut closed = Vec::new();
        let body = match serde_json::from_str::<Resource>(row.text("body")) {
            Ok(resource) => opened(&sealer, &resource, row.json("body"), &mut closed),
            // The check of the change log tells of it.
            Err(_) => row.json("body"),
        };
        for (place, problem) in closed {
            findings.add("sealed secret", row.name(), format!("{place} does not open: {problem}"));
        }
        let told = (row.text("scope").to_owned(), body);
        findings.expect(told == said, "projection", row, || {
            format!("gateways are told {told:?}, and the domain says {said:?}")
        });
    }
    for (place, problem) in expected.closed {
        findings.add("sealed secret", place, format!("it does not open: {problem}"));
    }
    for ((kind, key), _) in expected.rows {
        findings.add("projection", format!("gateway_resources {kind}/{key}"), "gateways are not told of it");
    }
}

/// Applications, their credentials and their subscriptions.
async fn of_portals(reader: &Reader, snapshot: &Snapshot, told: &mut Told) {
    for row in snapshot.rows("applications") {
        let id = ApplicationId::known(row.text("id"));
        let Some(application) = reader.application(&id).await.unwrap() else { continue };
        let Some(developer) = reader.developer(&application.developer_id).await.unwrap() else { continue };
        let state = Resource::Application(application.gateway_state(&developer));
        tell(told, Scope::Portal(application.portal_id.clone()), &state);
    }
    let applications = snapshot.by("applications", "id");
    for row in snapshot.rows("credentials") {
        let id = CredentialId::known(row.text("id"));
        let Some(credential) = reader.credential(&id).await.unwrap() else { continue };
        let Some(application) = applications.get(row.text("application_id")) else { continue };
        let portal = PortalId::known(application.text("portal_id"));
        tell(told, Scope::Portal(portal), &Resource::Credential(credential.gateway_state()));
    }
    for row in snapshot.rows("subscriptions") {
        let id = SubscriptionId::known(row.text("id"));
        let found = reader.subscription(&id).await.unwrap();
        let Some(subscription) = found.filter(|subscription| subscription.is_active()) else { continue };
        tell(told, Scope::Portal(subscription.portal_id.clone()), &Resource::Grant(subscription.grant()));
    }
}

async fn of_products(reader: &Reader, snapshot: &Snapshot, told: &mut Told) {
    for row in snapshot.rows("products") {
        let id = ProductId::known(row.text("id"));
        let Some(product) = reader.product(&id).await.unwrap() else { continue };
        let provider = match product.gateway_offer().and_then(|offer| offer.auth.dcr.as_ref()) {
            Some(provider) => reader.dcr_provider(provider).await.unwrap(),
            None => None,
        };
        let issuer = provider.as_ref().map(|provider| provider.issuer.as_str());
        if let Some(state) = product.gateway_state(issuer) {
            tell(told, Scope::Portal(product.portal_id.clone()), &Resource::Product(Box::new(state)));
        }
    }
}

/// Services, routes, certificates and global rules.
async fn of_groups(reader: &Reader, snapshot: &Snapshot, told: &mut Told) {
    for row in snapshot.rows("services") {
        let found = reader.service(&ServiceId::known(row.text("id"))).await.unwrap();
        if let Some(state) = found.and_then(|service| service.gateway_state()) {
            tell(told, group_of(row), &Resource::Service(Box::new(state)));
        }
    }
    for row in snapshot.rows("routes") {
        let found = reader.route(&RouteId::known(row.text("id"))).await.unwrap();
        if let Some(route) = found {
            tell(told, group_of(row), &Resource::Route(Box::new(route.gateway_state())));
        }
    }
    for row in snapshot.rows("certificates") {
        let found = reader.certificate(&CertificateId::known(row.text("id"))).await.unwrap();
        if let Some(state) = found.and_then(|certificate| certificate.gateway_state()) {
            tell(told, group_of(row), &Resource::Certificate(Box::new(state)));
        }
    }
    for row in snapshot.rows("group_objects") {
        let Some(kind) = GroupObjectKind::from_name(row.text("kind")) else { continue };
        let group = GatewayGroupId::known(row.text("gateway_group_id"));
        let found = reader.group_object(&group, kind, row.text("id")).await.unwrap();
        if let Some(resource) = found.and_then(|object| object.gateway_resource()) {
            tell(told, group_of(row), &resource);
        }
    }
}

async fn of_consumers(reader: &Reader, snapshot: &Snapshot, told: &mut Told) {
    for row in snapshot.rows("consumers") {
        let (group, username) = (GatewayGroupId::known(row.text("gateway_group_id")), row.text("username"));
        let Some(consumer) = reader.consumer(&group, username).await.unwrap() else { continue };
        let further = reader.consumer_credential_auths(&group, username).await.unwrap();
        tell(told, group_of(row), &Resource::Consumer(Box::new(consumer.gateway_state(further))));
    }
}

fn group_of(row: &Row) -> Scope {
    Scope::GatewayGroup(GatewayGroupId::known(row.text("gateway_group_id")))
}

fn tell(told: &mut Told, scope: Scope, resource: &Resource) {
    let body = serde_json::to_value(resource).unwrap();
    let body = opened(&told.sealer, resource, body, &mut told.closed);
    told.rows.insert((resource.kind().name().to_owned(), resource.key()), (scope.as_text(), body));
}

/// What opens the secrets of a database with the master key that lies beside it.
async fn sealer(reader: &Reader, database: &TestDatabase) -> Result<Sealer, String> {
    let text = std::fs::read_to_string(database.folder().join("master.key"));
    let text = text.map_err(|error| format!("master.key: {error}"))?;
    let master = MasterKey::from_hex(&text).ok_or("master.key holds no key")?;
    master_keys::opened(reader, &master).await.map_err(|error| error.to_string())
}

/// The body of a resource with digests of what its sealed texts open to: one secret can be sealed twice, and both texts
/// differ.
fn opened(sealer: &Sealer, resource: &Resource, body: Value, closed: &mut Vec<(String, String)>) -> Value {
    let mut known = BTreeMap::new();
    for (place, kept) in sealing::secrets_of(resource) {
        let KeptSecret::Sealed(text) = kept else { continue };
        match sealer.open(kept, &place) {
            Ok(secret) => {
                known.insert(text.clone(), SecretDigest::of(secret.reveal().as_bytes()).to_hex());
            }
            Err(error) => closed.push((place, error.to_string())),
        }
    }
    with_digests(body, &known)
}

/// The same with what `known` has in the place of each sealed text.
fn with_digests(value: Value, known: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(members) => {
            let digest = |name: &str, value: Value| match value {
                Value::String(text) if name == "sealed" => known.get(&text).cloned().into(),
                value => with_digests(value, known),
            };
            let members = members.into_iter().map(|(name, value)| {
                let value = digest(&name, value);
                (name, value)
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.into_iter().map(|item| with_digests(item, known)).collect(),
        value => value,
    }
}
