//! What a write that was undone would have hit, read from what it recorded for gateways and for the event log.
//!
//! It is counted after the write is undone, so that others need not wait for the counting.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use forecourt_core::{
    approvals::{Approval, ApprovalEvent},
    events::{Event, EventName},
    gateway_state::{Kind, Resource},
    ids::{ApplicationId, CredentialId, DeveloperId, ProductId, ServiceId},
    impacts::Impact,
    products::ProductStatus,
    subscriptions::SubscriptionStatus,
    usage::{Grouping, UsageFilter, UsageGroup, UsageQuery},
};
use serde_json::Value;

use crate::{App, Error, usage, writes::Write};

/// How far back callers are looked for, in seconds.
const RECENT: i64 = 86_400;

/// What a write recorded, as far as it takes something away.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Applications that are deleted or stopped.
    applications: BTreeSet<ApplicationId>,
    /// Products that gateways would no longer enforce, or with these services only.
    products: BTreeMap<ProductId, Vec<ServiceId>>,
    /// Products among them that are deleted or withdrawn.
    ended: BTreeSet<ProductId>,
    /// Subscriptions in force that end.
    grants: BTreeSet<(ApplicationId, ProductId)>,
    /// Credentials that are deleted, or get another secret.
    credentials: BTreeSet<CredentialId>,
    /// Developers that are deleted.
    developers: Vec<DeveloperId>,
    /// Waiting subscriptions that are withdrawn.
    withdrawn: u64,
    /// What gateways would forget of services, routes, certificates, consumers and rules.
    gateway_objects: u64,
    /// What the write counted itself.
    counted: Impact,
}

impl Recorded {
    /// Reads what `write` recorded so far.
    pub(crate) fn of(write: &Write<'_>) -> Self {
        let mut recorded = Self { counted: write.counted, ..Self::default() };
        for (kind, key, resource) in write.gateway_changes() {
            recorded.take_change(kind, key, resource);
        }
        for event in write.recorded() {
            recorded.take_event(event);
        }
        recorded
    }

    fn take_change(&mut self, kind: Kind, key: &str, resource: Option<&Resource>) {
        match (kind, resource) {
            (Kind::Application, None) => {
                self.applications.insert(ApplicationId::known(key));
            }
            (_, Some(Resource::Application(state))) if !state.active => {
                self.applications.insert(state.id.clone());
            }
            (Kind::Product, None) => {
                self.products.insert(ProductId::known(key), Vec::new());
                self.ended.insert(ProductId::known(key));
            }
            (_, Some(Resource::Product(state))) => {
                self.products.insert(state.id.clone(), state.services.clone());
            }
            (Kind::Credential, None) => {
                self.credentials.insert(CredentialId::known(key));
            }
            (Kind::Grant, None) => {
                if let Some((application, product)) = key.split_once('/') {
                    self.grants.insert((ApplicationId::known(application), ProductId::known(product)));
                }
            }
            (Kind::Service | Kind::Route | Kind::Certificate | Kind::Consumer | Kind::GlobalRule, None) => {
                self.gateway_objects += 1;
            }
            _ => {}
        }
    }

    fn take_event(&mut self, event: &Event) {
        let id = event.noun_id.as_str();
        match event.name {
            EventName::SubscriptionCancelled
                if event.detail.get("was").and_then(Value::as_str)
                    == Some(SubscriptionStatus::WaitForApproval.name()) =>
            {
                self.withdrawn += 1;
            }
            EventName::DeveloperDeleted => self.developers.push(DeveloperId::known(id)),
            EventName::CredentialRegenerated => {
                self.credentials.insert(CredentialId::known(id));
            }
            _ => {}
        }
    }

    /// What this comes to, as things stand without it.
    pub(crate) async fn impact(mut self, app: &App) -> Result<Impact, Error> {
        for application in &self.applications {
            let credentials = app.read().credentials_of(application).await?;
            self.credentials.extend(credentials.into_iter().map(|credential| credential.id));
        }
        let mut applications: HashSet<&ApplicationId> = self.applications.iter().collect();
        applications.extend(self.grants.iter().map(|(application, _)| application));
        let (callers, calls) = self.recent(app).await?;
        Ok(Impact {
            applications: applications.len() as u64,
            subscriptions: self.grants.len() as u64,
            credentials: self.credentials.len() as u64,
            approvals: self.withdrawn + self.registrations(app).await?,
            opened_services: self.opened(app).await?,
            gateway_objects: self.gateway_objects,
            callers,
            calls,
            ..self.counted
        })
    }

    /// Services that belong to a published product now, and then to none.
    async fn opened(&self, app: &App) -> Result<u64, Error> {
        let mut opened = 0;
        for (product, linked) in &self.products {
            let before = app.read().product(product).await?;
            let before = before.filter(|product| product.status == ProductStatus::Published);
            let links = before.as_ref().and_then(|product| product.gateway_offer());
            let links = links.map(|offer| offer.services.as_slice()).unwrap_or_default();
            opened += links.iter().filter(|link| !linked.contains(&link.service_id)).count() as u64;
        }
        Ok(opened)
    }

    /// Waiting registrations of developers that go.
    async fn registrations(&self, app: &App) -> Result<u64, Error> {
        let mut count = 0;
        for developer in &self.developers {
            let pending = app.read().pending_approvals_by(developer).await?;
            let is_registration =
                |approval: &&Approval| approval.event() == ApprovalEvent::DeveloperRegistration;
            count += pending.iter().filter(is_registration).count() as u64;
        }
        Ok(count)
    }

    /// How many credentials that lose something were called with of late, and how often.
    async fn recent(&self, app: &App) -> Result<(u64, u64), Error> {
        let mut applications = self.applications.clone();
        applications.extend(self.grants.iter().map(|(application, _)| application.clone()));
        for credential in &self.credentials {
            let found = app.read().credential(credential).await?;
            applications.extend(found.map(|credential| credential.application_id));
        }
        // When products end, one question about them tells of all their applications.
        let (applications, products) = match self.ended.is_empty() {
            true => (applications.into_iter().collect(), Vec::new()),
            false => (Vec::new(), self.ended.iter().cloned().collect()),
        };
        if applications.is_empty() && products.is_empty() {
            return Ok((0, 0));
        }
        let now = app.now();
        let filter = UsageFilter {
            start: now.plus_seconds(-RECENT),
            end: now,
            applications,
            products,
            ..UsageFilter::default()
        };
        let grouping =
            Grouping { by_product: true, by_application: true, by_credential: true, ..Grouping::default() };
        let points = usage::sums(app, UsageQuery { filter, step: None, grouping }).await?;
        let lost: Vec<_> = points.into_iter().filter(|point| self.takes(&point.group)).collect();
        let callers: HashSet<_> = lost.iter().map(|point| &point.group.credential_id).collect();
        Ok((callers.len() as u64, lost.iter().map(|point| point.totals.calls).sum()))
    }

    /// Whether calls of this group would no longer be let through.
    fn takes(&self, group: &UsageGroup) -> bool {
        let (Some(application), Some(product), Some(credential)) =
            (&group.application_id, &group.product_id, &group.credential_id)
        else {
            return false;
        };
        self.ended.contains(product)
            || self.applications.contains(application)
            || self.credentials.contains(credential)
            || self.grants.contains(&(application.clone(), product.clone()))
    }
}
