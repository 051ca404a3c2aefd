//! How attempts at deliveries ended in this process, counted for those who look after it.

use std::sync::atomic::{AtomicU64, Ordering};

use forecourt_core::{contact_points::ContactType, deliveries::DeliveryState};

/// What was counted so far.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    email: Tally,
    webhook: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    delivered: AtomicU64,
    retried: AtomicU64,
    dead: AtomicU64,
    skipped: AtomicU64,
}

impl Tallies {
    /// Counts an attempt after which a delivery is so far.
    pub(super) fn count(&self, way: ContactType, state: DeliveryState) {
        let tally = self.of(way);
        let counter = match state {
            DeliveryState::Delivered => &tally.delivered,
            DeliveryState::Waiting => &tally.retried,
            DeliveryState::Dead => &tally.dead,
            DeliveryState::Skipped => &tally.skipped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Each way with each end, and how many attempts took it.
    pub(super) fn read(&self) -> Vec<(ContactType, &'static str, u64)> {
        let ends = |way: ContactType| {
            let tally = self.of(way);
            let ends = [
                ("delivered", &tally.delivered),
                ("retried", &tally.retried),
                ("dead", &tally.dead),
                ("skipped", &tally.skipped),
            ];
            ends.map(|(end, count)| (way, end, count.load(Ordering::Relaxed)))
        };
        ContactType::ALL.iter().flat_map(|way| ends(*way)).collect()
    }

    const fn of(&self, way: ContactType) -> &Tally {
        match way {
            ContactType::Email => &self.email,
            ContactType::Webhook => &self.webhook,
        }
    }
}
